"""Rules R4 (what users give) and R5 (the order of runs): no deadline lets a run start without them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from s4c_lib.catalog.auxdata import PRACTICE_KINDS, SeasonInputs
from s4c_lib.catalog.jobs import JobState, blocking_jobs
from s4c_lib.catalog.readiness_rules import MOST_NAMED, JudgedRun, RuleResult
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import PROCESSORS

# How a user gives what is missing, by kind.
_GIVEN: Mapping[str, tuple[str, str]] = {
    "declarations": ("declarations", "s4c declarations import"),
    "lut": ("crop code table", "s4c lut import"),
    "l4b_config": ("L4B configuration", "s4c config import"),
    "l4c_config": ("L4C configuration", "s4c config import"),
    **{kind: (f"practice table {name}", "s4c practices import") for name, kind in PRACTICE_KINDS.items()},
}


def given(run: JudgedRun, found: SeasonInputs) -> RuleResult:
    """Judge R4: what the processor is declared to need; for L4C also a usable practice (D12)."""
    year = run.season.year
    needed = PROCESSORS[run.processor].needed_uploads
    have = {str(kind) for kind in found.versions}
    if found.parcel_set_id is None:
        have.discard("declarations")
    missing = [f"{_GIVEN[kind][0]} of {year} ('{_GIVEN[kind][1]}')" for kind in needed if kind not in have]
    words = "everything a user gives is there"
    if run.processor == "s4c_l4c":
        asked = list(run.snapshot["processor.s4c_l4c.practices"])
        usable = [name for name in asked if name in found.practices or (name == "NA" and _makes_na_table(run.snapshot))]
        if not usable:
            missing.append(f"a practice table of {year} for {', '.join(asked)} ('s4c practices import')")
        elif skipped := [name for name in asked if name not in usable]:
            words += f"; no table for practice {', '.join(skipped)}, which is skipped"
    if missing:
        words = f"missing: {', '.join(missing)}"
    return RuleResult("R4", not missing, words, len(missing), tuple(missing))


def _makes_na_table(snapshot: Snapshot) -> bool:
    return bool(snapshot["processor.s4c_l4c.auto_na_table"])


def order(connection: Connection, run: JudgedRun) -> RuleResult:
    """Judge R5: no earlier as-of date of this processor and season is open, or failed and not acknowledged."""
    blocking = blocking_jobs(connection, run.season.id, run.processor, run.as_of)
    names = tuple(f"job {job.id} as of {job.as_of} ({job.state})" for job in blocking[:MOST_NAMED])
    words = f"waits for {names[0]}" if blocking else "no earlier run is open"
    if blocking and blocking[0].state is JobState.FAILED:
        words += f"; 's4c jobs acknowledge {blocking[0].id}' goes on without it"
    return RuleResult("R5", not blocking, words, len(blocking), names)
