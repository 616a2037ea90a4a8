"""The steps of an ingest by name, whether there is anything to do, and all steps in a row for the command line."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from s4c_lib.catalog import transfers
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import list_acquisitions
from s4c_lib.catalog.database import Database
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.derive import DeriveOutcome
from s4c_lib.ingest.fetch import prepare
from s4c_lib.ingest.fetch_all import Wait, fetch_all
from s4c_lib.ingest.query import changed_selection, due_windows, run_query, store_windows, windows_in_pause
from s4c_lib.ingest.radar_executors import radar_programs
from s4c_lib.ingest.register import run_register
from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.selection import SelectionRules
from s4c_lib.progress import Progress
from s4c_lib.settings import Settings


class RunStep(Protocol):
    """Works off pieces of a step until none is due or ``limit`` is reached."""

    def __call__(
        self,
        database: Database,
        context: IngestContext,
        *,
        owner: str,
        job_id: int | None,
        clock: Callable[[], datetime],
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> DeriveOutcome:
        """Make what is due and return the numbers."""


class PlanStep(Protocol):
    """Brings the claimable pieces of a step up to date and counts those that can be made now."""

    def __call__(self, database: Database, context: IngestContext, *, now: datetime) -> int:
        """Return the count."""


class PlanChunks(Protocol):
    """Divides the pieces of a step over parallel tasks."""

    def __call__(self, database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
        """Return how many pieces each task takes at most."""


@dataclass(frozen=True, slots=True)
class DerivedStep:
    """A step that makes products of products.

    Attributes
    ----------
    module : where ``plan_<name>``, ``run_<name>`` and ``chunks_of`` are; imported when the step is taken.
    makes : name of what is made, in counts.
    """

    name: str
    module: str
    makes: str

    def plan(self, database: Database, context: IngestContext, *, now: datetime) -> int:
        """Return how many pieces can be made now."""
        found: PlanStep = getattr(importlib.import_module(self.module), f"plan_{self.name}")
        return found(database, context, now=now)

    @property
    def run(self) -> RunStep:
        """What makes them."""
        found: RunStep = getattr(importlib.import_module(self.module), f"run_{self.name}")
        return found

    def chunks(self, database: Database, context: IngestContext, *, now: datetime, slots: int) -> list[int]:
        """Return how many pieces each parallel task takes."""
        found: PlanChunks = importlib.import_module(self.module).chunks_of
        return found(database, context, now=now, slots=slots)


DERIVED = (
    DerivedStep("preprocess", "s4c_lib.ingest.preprocess", "l2a"),
    DerivedStep("radar", "s4c_lib.ingest.radar", "radar"),
    DerivedStep("vegetation", "s4c_lib.ingest.vegetation", "l3b"),
    DerivedStep("statistics", "s4c_lib.ingest.statistics", "statistics"),
)


def derived_step(name: str) -> DerivedStep:
    """Return a step by its name."""
    return next(step for step in DERIVED if step.name == name)


def step_counts(step: DerivedStep, outcome: DeriveOutcome) -> dict[str, int]:
    """Return a step's numbers for a job or an XCom, under names of their own."""
    counts = {
        step.makes: outcome.made,
        f"{step.makes}_empty": outcome.empty,
        f"{step.makes}_failed": outcome.failed,
        f"{step.makes}_put_off": outcome.put_off,
        **{f"{step.makes}_failed_{reason}": count for reason, count in sorted(outcome.reasons.items())},
    }
    if step.name == "preprocess":
        # as for the products that the register step takes as they come
        counts |= {"registered": outcome.made, "gone": outcome.reasons.get("input_missing", 0)}
    return {key: value for key, value in counts.items() if value or key == step.makes}


def configured_programs() -> frozenset[str]:
    """Return the programs configured here that make L2A of L1C, or radar rasters: products they need are selected."""
    executors = importlib.import_module("s4c_lib.ingest.executors")
    return frozenset(executors.configured(Settings())) | radar_programs(Settings())


def has_work(database: Database, context: IngestContext, now: datetime) -> bool:
    """Tell whether a run would search, fetch, register or make anything; the windows are brought up to date."""
    with database.begin() as connection:
        store_windows(connection, context)
        rules = SelectionRules.of(context.parameters, context.tiles, configured_programs())
        if due_windows(connection, context, now, rules) or changed_selection(
            connection, context, configured_programs()
        ):
            return True
        first, stop = context.sensing_range()
        if transfers.anything_left(
            connection,
            context.site.id,
            satellites=context.satellites,
            usable=context.fetched_from(),
            now=now,
            date_from=first,
            date_to=stop,
        ):
            return True
    return any(step.plan(database, context, now=now) for step in DERIVED)


def nothing_to_do(database: Database, context: IngestContext, now: datetime) -> str:
    """Say why `has_work` finds none: all is done, or what is left has to wait."""
    first, stop = context.sensing_range()
    with database.begin() as connection:
        windows = windows_in_pause(connection, context, now)
        failed = [
            item.next_attempt_at
            for item in list_acquisitions(
                connection,
                context.site.id,
                date_from=first,
                date_to=stop,
                satellites=context.satellites,
                states=[str(AcquisitionState.FAILED)],
            )
            if item.relevance == "selected" and item.next_attempt_at is not None
        ]
    if not windows and not failed:
        return "every window is settled and nothing is left to fetch"
    due = min([*failed, *(item.next_attempt_at for item in windows if item.next_attempt_at is not None)])
    counts = ((len(windows), "query window"), (len(failed), "acquisition"))
    paused = " and ".join(f"{number} {what}{'s' if number > 1 else ''}" for number, what in counts if number)
    number = len(windows) + len(failed)
    return (
        f"{paused} that failed {'are in their' if number > 1 else 'is in its'} pause, "
        f"{'the first ' if number > 1 else ''}until {due:%Y-%m-%d %H:%M:%S}Z; nothing else is left to do"
    )


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What a whole ingest did.

    Attributes
    ----------
    counts : summed numbers.
    errors : a line for each query window that failed.
    warnings : what sources that were passed over, or hold products back, say.
    not_opened : of these, what those to fetch from say that could not be opened, such as for want of an account.
    """

    counts: dict[str, int]
    errors: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    not_opened: tuple[str, ...] = ()


def _unseen(title: str) -> AbstractContextManager[Progress | None]:
    return nullcontext()


def run_all(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    clock: Callable[[], datetime],
    job_id: int | None = None,
    access: Access | None = None,
    wait: Wait | None = None,
    phase: Callable[[str], AbstractContextManager[Progress | None]] = _unseen,
) -> IngestOutcome:
    """Query, fetch, register and make L2A, L3B and statistics in this process.

    Parameters
    ----------
    access : gives the accounts of remote sources; None where there are none.
    wait : spends the time until products on tape come online, or a source that asked to wait may be asked again; None
        leaves that to a later run.
    phase : opens the display of a phase (``search``, ``fetch <source>``); gives what progress is told to.

    Raises
    ------
    DiskFullError : the disk guard held transfers back; what was there before is registered.
    """
    accounts = access or Access()
    with phase("search") as progress:
        queried = run_query(
            database,
            context,
            now=clock(),
            actor=owner,
            programs=configured_programs(),
            access=accounts,
            progress=progress,
            clock=clock,
            wait=wait,
        )
    counts = queried.counts()
    prepare(database, context, now=clock(), actor=owner)
    fetched = fetch_all(database, context, owner=owner, clock=clock, access=accounts, wait=wait, phase=phase)
    counts |= fetched.counts
    counts |= run_register(database, context, owner=owner, job_id=job_id, clock=clock).counts()
    for item in DERIVED:
        planned = item.plan(database, context, now=clock())
        if planned:
            with phase(item.name) as progress:
                made = item.run(
                    database, context, owner=owner, job_id=job_id, clock=clock, progress=_of(planned, progress)
                )
            for key, value in step_counts(item, made).items():
                counts[key] = counts.get(key, 0) + value
    if fetched.disk_full is not None:
        raise fetched.disk_full
    not_opened = tuple(fetched.not_opened)
    warnings = (*queried.warnings, *fetched.held_back, *not_opened)
    return IngestOutcome(counts, tuple(queried.errors), warnings, not_opened)


def _of(planned: int, progress: Progress | None) -> Progress | None:
    """Progress that knows how many pieces there are in all."""
    if progress is None:
        return None
    told = progress
    return lambda done, _, name: told(done, max(planned, done), name)
