"""Whether an ingest has anything to do, and its steps in a row for the command line and for tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from s4c_lib.catalog import transfers
from s4c_lib.catalog.database import Database
from s4c_lib.errors import DiskFullError
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.fetch import prepare, run_fetch
from s4c_lib.ingest.query import changed_selection, due_windows, run_query, store_windows
from s4c_lib.ingest.register import run_register

Progress = Callable[[int, int, str], None]


def has_work(database: Database, context: IngestContext, now: datetime) -> bool:
    """Tell whether a run would search, fetch or register anything; the windows are brought up to date."""
    with database.begin() as connection:
        store_windows(connection, context)
        if due_windows(connection, context, now) or changed_selection(connection, context):
            return True
        first, stop = context.sensing_range()
        return transfers.anything_left(
            connection,
            context.site.id,
            satellites=context.satellites,
            usable=context.fetched_from(),
            now=now,
            date_from=first,
            date_to=stop,
        )


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What a whole ingest did: summed numbers, and a line for each query window that failed."""

    counts: dict[str, int]
    errors: tuple[str, ...]


def _unseen(title: str) -> AbstractContextManager[Progress | None]:
    return nullcontext()


def run_all(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    clock: Callable[[], datetime],
    job_id: int | None = None,
    phase: Callable[[str], AbstractContextManager[Progress | None]] = _unseen,
) -> IngestOutcome:
    """Query, fetch and register in this process.

    Parameters
    ----------
    phase : opens the display of a phase (``search``, ``fetch <source>``); gives what progress is told to.

    Raises
    ------
    DiskFullError : the disk guard held transfers back; what was there before is registered.
    """
    with phase("search") as progress:
        queried = run_query(database, context, now=clock(), actor=owner, progress=progress)
    counts = queried.counts()
    prepare(database, context, now=clock(), actor=owner)
    held_back: DiskFullError | None = None
    for source in sorted({item.name for found in context.sources.values() for item in found if item.can_download}):
        try:
            with phase(f"fetch {source}") as progress:
                fetched = run_fetch(database, context, source, owner=owner, clock=clock, progress=progress).counts()
        except DiskFullError as error:
            held_back = error
            continue
        for key, value in fetched.items():
            counts[key] = counts.get(key, 0) + value
    registered = run_register(database, context, owner=owner, job_id=job_id, clock=clock)
    if held_back is not None:
        raise held_back
    return IngestOutcome(counts | registered.counts(), tuple(queried.errors))
