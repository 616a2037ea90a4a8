"""When the products of a season are due: the rule, its occurrences, and which of the missed ones count.

Pure functions of operations.md §2.4 and §2.5. Occurrences are always computed from ``first_run``, never from
an earlier actual run, so nothing drifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from s4c_lib.errors import InputError
from s4c_lib.processors import L4_PROCESSORS, PROCESSORS
from s4c_lib.scheduling.dates import Phase, SeasonDates, add_months, days_in_month


class Kind(StrEnum):
    """How a schedule repeats."""

    ONCE = "once"
    EVERY_N_DAYS = "every_n_days"
    MONTHLY = "monthly"


class Anchor(StrEnum):
    """What the first run follows when the season's dates change; ``custom`` follows nothing."""

    START = "start"
    MID = "mid"
    CUSTOM = "custom"


class CatchupPolicy(StrEnum):
    """What happens to occurrences that passed before the season was enabled."""

    LATEST_ONLY = "latest_only"
    FINAL_ONLY = "final_only"
    REPLAY_ALL = "replay_all"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rule by which runs of one processor of a season are due."""

    kind: Kind
    first_run: date
    n_days: int | None = None
    month_day: int | None = None
    anchor: Anchor = Anchor.CUSTOM
    anchor_days: int = 0

    def __post_init__(self) -> None:
        if (self.kind is Kind.EVERY_N_DAYS) != (self.n_days is not None):
            raise InputError("A number of days belongs to a schedule 'every N days', and only there.")
        if self.n_days is not None and not 1 <= self.n_days <= 366:
            raise InputError(f"A schedule repeats every 1 to 366 days, not every {self.n_days}.")
        if (self.kind is Kind.MONTHLY) != (self.month_day is not None):
            raise InputError("A day of the month belongs to a monthly schedule, and only there.")
        if self.month_day is not None and not 1 <= self.month_day <= 31:
            raise InputError(f"A monthly schedule runs on day 1 to 31, not on day {self.month_day}.")

    def describe(self) -> str:
        """Return the rule in words."""
        match self.kind:
            case Kind.ONCE:
                return f"once on {self.first_run}"
            case Kind.EVERY_N_DAYS:
                return f"every {self.n_days} days from {self.first_run}"
            case Kind.MONTHLY:
                day = "the last day" if self.month_day == 31 else f"day {self.month_day}"
                return f"monthly on {day} from {self.first_run}"

    def for_season(self, season: SeasonDates) -> Schedule:
        """Return the schedule moved to a season's (new) dates; one with anchor ``custom`` stays."""
        if self.anchor is Anchor.CUSTOM:
            return self
        base = season.start if self.anchor is Anchor.START else season.mid
        return replace(self, first_run=base + timedelta(days=self.anchor_days))


def default_schedule(processor: str, season: SeasonDates) -> Schedule:
    """Return the schedule a processor has in a new season (operations.md §2.1).

    Parameters
    ----------
    processor : short name of an L4 processor, such as ``s4c_l4a``.
    """
    if processor not in PROCESSORS:
        raise InputError(
            f"Processor {processor!r} has no calendar schedule.", hint=f"choose one of {', '.join(L4_PROCESSORS)}"
        )
    rule = PROCESSORS[processor].schedule
    unanchored = Schedule(
        Kind.EVERY_N_DAYS if rule.month_day is None else Kind.MONTHLY,
        season.start,
        n_days=rule.n_days,
        month_day=rule.month_day,
        anchor=Anchor(rule.anchor),
        anchor_days=rule.anchor_days,
    )
    return unanchored.for_season(season)


def occurrences(schedule: Schedule, season: SeasonDates, grace_months: int = 1) -> list[date]:
    """Return every date a run is due, ascending, up to the season's horizon.

    A monthly schedule deliberately reproduces Sen4CAP: after the first run in month m the next is in month
    m + 1 (the end of month m itself is not used).
    """
    horizon = season.horizon(grace_months)
    found: list[date] = []
    k = 0
    while True:
        match schedule.kind:
            case Kind.ONCE:
                due = schedule.first_run
            case Kind.EVERY_N_DAYS:
                due = schedule.first_run + timedelta(days=k * (schedule.n_days or 1))
            case Kind.MONTHLY:
                due = schedule.first_run if k == 0 else _month_occurrence(schedule, k)
        if due > horizon:
            return found
        found.append(due)
        if schedule.kind is Kind.ONCE:
            return found
        k += 1


def _month_occurrence(schedule: Schedule, k: int) -> date:
    month = add_months(schedule.first_run.replace(day=1), k)
    return month.replace(day=min(schedule.month_day or 31, days_in_month(month.year, month.month)))


def as_of(occurrence: date, season: SeasonDates) -> date:
    """Return the last acquisition date a run may use."""
    return min(occurrence, season.end)


def out_of_season(processor: str, occurrence: date, season: SeasonDates) -> bool:
    """Tell whether a run is too early in the season to mean anything (L4B and L4C in the first 30 days)."""
    days = PROCESSORS[processor].early_days if processor in PROCESSORS else 0
    return days > 0 and occurrence < season.start + timedelta(days=days)


def runs(processor: str, schedule: Schedule, season: SeasonDates, grace_months: int = 1) -> list[date]:
    """Return the occurrences that become runs: all but those before the season or out of season.

    A schedule of its own stays when the season's start moves, and may then begin before it.
    """
    return [
        day
        for day in occurrences(schedule, season, grace_months)
        if day >= season.start and not out_of_season(processor, day, season)
    ]


def default_policy(phase: Phase) -> CatchupPolicy:
    """Return what a season does with missed occurrences unless told otherwise (operations.md §2.5)."""
    return CatchupPolicy.FINAL_ONLY if phase is Phase.PAST else CatchupPolicy.LATEST_ONLY


def catch_up(due: Sequence[date], today: date, policy: CatchupPolicy) -> tuple[list[date], list[date]]:
    """Split the occurrences missed before ``today`` into those kept and those superseded.

    Returns
    -------
    kept, superseded : ascending dates, all before ``today`` for ``latest_only`` and ``replay_all``;
        ``final_only`` keeps the very last occurrence only.
    """
    missed = sorted(day for day in due if day < today)
    if policy is CatchupPolicy.REPLAY_ALL:
        return missed, []
    if policy is CatchupPolicy.FINAL_ONLY:
        last = max(due, default=None)
        return [day for day in missed if day == last], [day for day in missed if day != last]
    return missed[-1:], missed[:-1]
