"""Whether a run may start: the rules, evaluated in SQL, with what holds it back.

Source: operations.md §2.6 with spec/README.md B17, D12 and E1. R1 searched, R2 acquired, R3 derived, R4 given, R5 in
order, R6 few failures.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from s4c_lib.catalog.auxdata import season_inputs
from s4c_lib.catalog.choice_checks import chosen_products
from s4c_lib.catalog.readiness_acquisitions import acquired, failures, searched
from s4c_lib.catalog.readiness_derived import derived
from s4c_lib.catalog.readiness_given import given, order
from s4c_lib.catalog.readiness_rules import JudgedRun, RuleResult, look_back_days, season_hashes
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.waivers import Waiver, waivers_of_run
from s4c_lib.chosen_inputs import ChosenInputs
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import PROCESSORS, variables_read
from s4c_lib.scheduling.dates import Phase

__all__ = [
    "Readiness",
    "RuleResult",
    "evaluate",
    "look_back_days",
    "phase_of",
    "required_satellites",
    "season_hashes",
]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on a run.

    Attributes
    ----------
    complete : False when the deadline let it start on partial inputs.
    waivers : what operators let it go without.
    """

    rules: tuple[RuleResult, ...]
    deadline: datetime | None
    complete: bool
    ready: bool
    waivers: tuple[Waiver, ...] = ()

    @property
    def reason(self) -> str:
        """What is being waited for, one line."""
        waiting = [rule.text for rule in self.rules if not rule.ok]
        return "; ".join(waiting) if waiting else "everything is there"

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as stored with the job."""
        return {
            "ready": self.ready,
            "complete": self.complete,
            "deadline": None if self.deadline is None else self.deadline.isoformat(),
            "rules": [asdict(rule) for rule in self.rules],
            "waivers": [waiver.as_json() for waiver in self.waivers],
        }


def required_satellites(processor: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the satellites a run waits for, those switched off for the site left out."""
    satellites = variables_read(processor, snapshot).satellites
    return tuple(name for name in satellites if snapshot[f"{name}.enabled"])


def evaluate(
    connection: Connection,
    season: Season,
    processor: str,
    *,
    interval_start: date,
    as_of: date,
    due: datetime,
    now: datetime,
    snapshot: Snapshot,
    phase: Phase | None = None,
    without_waiting: bool = False,
    chosen: ChosenInputs | None = None,
) -> Readiness:
    """Judge whether the inputs of a run for [interval_start, as_of] are there.

    Parameters
    ----------
    due : when the run was due; the deadline of a current season counts from it.
    now : moment of the judgement, UTC.
    phase : phase of the season the run is judged by; the present one by default.
    without_waiting : an operator has it start on what is there, as after a deadline; R4 and R5 hold all the same.
    chosen : what a user restricts the run to. Of chosen products only their statistics are waited for.
    """
    phase = phase or phase_of(season, snapshot, now.date())
    made_with = season_hashes(connection, season, now.date())
    chosen = chosen or ChosenInputs()
    run = JudgedRun(season, processor, interval_start, as_of, snapshot, phase, made_with, now.date(), chosen)
    uploads = season_inputs(connection, season)
    if chosen.products:
        inputs = [chosen_products(connection, chosen, processor, snapshot, uploads.parcel_set_id)]
    else:
        inputs = _acquired_and_derived(connection, run, uploads.parcel_set_id)
    # no deadline lets a run start without what users give, or before its turn
    never_expire = (given(run, uploads), order(connection, run))
    deadline = None
    if phase is Phase.CURRENT:
        deadline = due + timedelta(days=float(snapshot["readiness.max_wait_days"]))
    complete = all(rule.ok for rule in inputs)
    overdue = without_waiting or (deadline is not None and now >= deadline)
    return Readiness(
        rules=(*inputs, *never_expire),
        deadline=deadline,
        complete=complete,
        ready=all(rule.ok for rule in never_expire) and (complete or overdue),
        waivers=tuple(waivers_of_run(connection, season.id, processor, interval_start, as_of)),
    )


def _acquired_and_derived(connection: Connection, run: JudgedRun, parcels: int | None) -> list[RuleResult]:
    """Judge R1, R2, R3 and R6."""
    satellites = required_satellites(run.processor, run.snapshot)
    soft = [name for name in PROCESSORS[run.processor].soft_satellites if run.snapshot[f"{name}.enabled"]]
    return [
        *[searched(connection, run, satellite) for satellite in satellites],
        *[acquired(connection, run, satellite) for satellite in satellites],
        *[acquired(connection, run, satellite).soft() for satellite in soft],
        *[derived(connection, run, satellite, parcels) for satellite in satellites],
        *[derived(connection, run, satellite, parcels).soft() for satellite in soft],
        failures(connection, run, satellites, parcels),
    ]


def phase_of(season: Season, snapshot: Snapshot, today: date) -> Phase:
    """Tell whether a season is future, current or past, with its own months of grace."""
    return season.dates.phase(today, int(snapshot["schedule.grace_months"]))
