"""Whether a run may start: the rules, evaluated in SQL, with what holds it back.

Source: operations.md §2.6. R1 (searched), R2 (acquired), R4 (declarations and tables), R5 (order) and R6 (limit of
failures) are here; R3 (derived products and statistics) comes with the processors that read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from s4c_lib.catalog.auxdata import season_inputs
from s4c_lib.catalog.jobs import JobState, blocking_jobs
from s4c_lib.catalog.query_windows import list_windows
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.vocabulary import SATELLITES
from s4c_lib.parameters import Snapshot
from s4c_lib.scheduling.dates import Phase, midnight
from s4c_lib.scheduling.query_windows import Window

MOST_NAMED = 20

# Satellites a processor waits for, by the parameter that chooses them; Landsat is never waited for.
_BOTH = ("s1", "s2")
_REQUIRED: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "s4c_l4a": ("processor.s4c_l4a.mode", {"both": _BOTH, "s1-only": ("s1",), "s2-only": ("s2",)}),
    "s4c_l4b": ("processor.s4c_l4b.input_product_types", {"S1_S2": _BOTH, "S1": ("s1",), "S2": ("s2",)}),
}


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule: whether it holds, in words, and up to 20 of what stands in its way."""

    rule: str
    ok: bool
    text: str
    count: int = 0
    blocking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on a run. ``complete`` is False when the deadline let it start on partial inputs."""

    rules: tuple[RuleResult, ...]
    deadline: datetime | None
    complete: bool
    ready: bool

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
        }


def look_back_days(satellite: str, snapshot: Snapshot) -> int:
    """Return the days before the interval whose acquisitions a run needs (radar pairs)."""
    if satellite != "s1":
        return 0
    offset = snapshot["processor.l2s1.temporal.offset"]
    pair_days = 12 if offset == "auto" else int(offset)
    return max(pair_days, int(snapshot["processor.l2s1.temporal.filter.interval"]))


def required_satellites(processor: str, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the satellites a run waits for, those switched off for the site left out."""
    satellites: tuple[str, ...] = _BOTH
    if processor in _REQUIRED:
        key, choices = _REQUIRED[processor]
        satellites = choices[snapshot[key]]
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
) -> Readiness:
    """Judge whether the inputs of a run for [interval_start, as_of] are there.

    Parameters
    ----------
    due : when the run was due; the deadline of a current season counts from it.
    now : moment of the judgement, UTC.
    phase : phase of the season the run is judged by; the present one by default.
    """
    phase = phase or phase_of(season, snapshot, now.date())
    satellites = required_satellites(processor, snapshot)
    inputs = [
        *[_searched(connection, season, satellite, interval_start, as_of, phase, snapshot) for satellite in satellites],
        *[
            _acquired(connection, season, processor, satellite, interval_start, as_of, snapshot)
            for satellite in satellites
        ],
        _failures(connection, season, processor, satellites, interval_start, as_of, snapshot),
    ]
    # no deadline lets a run start without what users give, or before its turn
    never_expire = (_given(connection, season, processor, snapshot), _order(connection, season, processor, as_of))
    deadline = None
    if phase is Phase.CURRENT:
        deadline = due + timedelta(days=float(snapshot["readiness.max_wait_days"]))
    complete = all(rule.ok for rule in inputs)
    overdue = deadline is not None and now >= deadline
    return Readiness(
        rules=(*inputs, *never_expire),
        deadline=deadline,
        complete=complete,
        ready=all(rule.ok for rule in never_expire) and (complete or overdue),
    )


def phase_of(season: Season, snapshot: Snapshot, today: date) -> Phase:
    """Tell whether a season is future, current or past, with its own months of grace."""
    return season.dates.phase(today, int(snapshot["schedule.grace_months"]))


def _searched(
    connection: Connection,
    season: Season,
    satellite: str,
    interval_start: date,
    as_of: date,
    phase: Phase,
    snapshot: Snapshot,
) -> RuleResult:
    if not (snapshot["downloader.enabled"] and snapshot[f"downloader.{satellite}.enabled"]):
        return RuleResult(f"R1 {satellite}", True, f"{satellite}: searching is switched off, what is there is used")
    first = interval_start - timedelta(days=look_back_days(satellite, snapshot))
    settle_days = int(snapshot[f"downloader.{satellite}.settle_days"])
    lag = int(snapshot["readiness.publication_lag_days"])
    enough_now = midnight(as_of + timedelta(days=1 + lag))
    current = phase is Phase.CURRENT
    stored = [
        item
        for item in list_windows(connection, season.id, satellite)
        if item.window.date_to >= first and item.window.date_from <= as_of
    ]
    missing = [
        item
        for item in stored
        if not item.window.settled(item.last_success, settle_days)
        and not (current and item.last_success is not None and item.last_success >= enough_now)
    ]
    if gaps := _not_covered([item.window for item in stored], first, as_of):
        names = tuple(f"{gap.date_from}..{gap.date_to}" for gap in gaps[:MOST_NAMED])
        words = f"{satellite}: {names[0]} has no query window yet; ingest has not run or no source serves {satellite}"
        return RuleResult(f"R1 {satellite}", False, words, len(gaps), names)
    names = tuple(f"{item.window.date_from}..{item.window.date_to}" for item in missing[:MOST_NAMED])
    words = (
        f"{satellite}: {len(missing)} of {len(stored)} query windows not yet searched conclusively"
        if missing
        else f"{satellite}: all {len(stored)} query windows searched"
    )
    return RuleResult(f"R1 {satellite}", not missing, words, len(missing), names)


def _not_covered(windows: Sequence[Window], first: date, last: date) -> list[Window]:
    """Return the days of [first, last] that lie in none of the windows (ascending): a season was prolonged."""
    gaps = []
    for window in windows:
        if window.date_from > first:
            gaps.append(Window(first, window.date_from - timedelta(days=1)))
        first = max(first, window.date_to + timedelta(days=1))
    if first <= last:
        gaps.append(Window(first, last))
    return gaps


_IN_INTERVAL = """
    FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
    WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.satellite_id = ANY(:satellites)
      AND a.sensing_start >= :first AND a.sensing_start < :stop
      AND NOT EXISTS (
          SELECT 1 FROM s4c.waiver w
          JOIN s4c.processor p ON p.id = w.processor_id
          WHERE w.season_id = :season_id AND p.short_name = :processor AND w.acquisition_id = a.id
      )
"""


def _values(season: Season, processor: str, satellites: Sequence[str], first: date, as_of: date) -> dict[str, Any]:
    return {
        "site_id": season.site_id,
        "season_id": season.id,
        "processor": processor,
        "satellites": [SATELLITES[name] for name in satellites],
        "first": midnight(first),
        "stop": midnight(as_of + timedelta(days=1)),
    }


def _acquired(
    connection: Connection,
    season: Season,
    processor: str,
    satellite: str,
    interval_start: date,
    as_of: date,
    snapshot: Snapshot,
) -> RuleResult:
    first = interval_start - timedelta(days=look_back_days(satellite, snapshot))
    statement = text(
        f"""
        SELECT a.source_product_name || ' (' || a.state || ')' AS label {_IN_INTERVAL}
          AND a.state NOT IN ('processed', 'aborted', 'ignored', 'processing_failed')
        ORDER BY a.sensing_start, a.id
        """
    )
    rows = list(connection.execute(statement, _values(season, processor, [satellite], first, as_of)).scalars())
    words = f"{satellite}: {len(rows)} acquisitions not ready" if rows else f"{satellite}: every acquisition is ready"
    if failed := sum(label.endswith("(failed)") for label in rows):
        # a past season has no scheduled ingest that would try them again
        words += f" ({failed} failed; 's4c ingest {season.site} {season.short_name}' tries again what is due)"
    return RuleResult(f"R2 {satellite}", not rows, words, len(rows), tuple(rows[:MOST_NAMED]))


def _failures(
    connection: Connection,
    season: Season,
    processor: str,
    satellites: Sequence[str],
    interval_start: date,
    as_of: date,
    snapshot: Snapshot,
) -> RuleResult:
    statement = text(
        f"""
        SELECT count(*) FILTER (WHERE a.state IN ('aborted', 'processing_failed')) AS failed, count(*) AS total
        {_IN_INTERVAL} AND a.state <> 'ignored'
        """
    )
    row = connection.execute(statement, _values(season, processor, satellites, interval_start, as_of)).one()
    share = 100.0 * row.failed / row.total if row.total else 0.0
    limit = float(snapshot["readiness.max_failed_pct"])
    words = f"{row.failed} of {row.total} acquisitions failed for good ({share:.1f} %, limit {limit:g} %)"
    if share > limit:
        words += "; 's4c acquisitions retry ID' tries one again"
    return RuleResult("R6", share <= limit, words, int(row.failed))


# How a user gives what is missing, by kind.
_GIVEN: Mapping[str, tuple[str, str]] = {
    "declarations": ("declarations", "s4c declarations import"),
    "lut": ("crop code table", "s4c lut import"),
    "l4c_config": ("L4C configuration", "s4c config import"),
}


def _given(connection: Connection, season: Season, processor: str, snapshot: Snapshot) -> RuleResult:
    """Judge R4: declarations and crop codes for all; for L4C also its configuration and a usable practice (D12)."""
    found = season_inputs(connection, season)
    needed = ["declarations", "lut", *(["l4c_config"] if processor == "s4c_l4c" else [])]
    have = {str(kind) for kind in found.versions}
    if found.parcel_set_id is None:
        have.discard("declarations")
    missing = [f"{_GIVEN[kind][0]} of {season.year} ('{_GIVEN[kind][1]}')" for kind in needed if kind not in have]
    words = "everything a user gives is there"
    if processor == "s4c_l4c":
        asked = list(snapshot["processor.s4c_l4c.practices"])
        usable = [name for name in asked if name in found.practices or (name == "NA" and _makes_na_table(snapshot))]
        if not usable:
            missing.append(f"a practice table of {season.year} for {', '.join(asked)} ('s4c practices import')")
        elif skipped := [name for name in asked if name not in usable]:
            words += f"; no table for practice {', '.join(skipped)}, which is skipped"
    if missing:
        words = f"missing: {', '.join(missing)}"
    return RuleResult("R4", not missing, words, len(missing), tuple(missing))


def _makes_na_table(snapshot: Snapshot) -> bool:
    return bool(snapshot["processor.s4c_l4c.auto_na_table"])


def _order(connection: Connection, season: Season, processor: str, as_of: date) -> RuleResult:
    blocking = blocking_jobs(connection, season.id, processor, as_of)
    names = tuple(f"job {job.id} as of {job.as_of} ({job.state})" for job in blocking[:MOST_NAMED])
    words = f"waits for {names[0]}" if blocking else "no earlier run is open"
    if blocking and blocking[0].state is JobState.FAILED:
        words += f"; 's4c jobs acknowledge {blocking[0].id}' goes on without it"
    return RuleResult("R5", not blocking, words, len(blocking), names)
