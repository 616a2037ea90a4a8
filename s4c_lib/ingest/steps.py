"""Whether an ingest has anything to do, and its steps in a row for the command line and for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from s4c_lib.catalog import transfers
from s4c_lib.catalog.database import Database
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.fetch import prepare, run_fetch
from s4c_lib.ingest.query import due_windows, run_query, store_windows
from s4c_lib.ingest.register import run_register

Progress = Callable[[int, int, str], None]


def has_work(database: Database, context: IngestContext, now: datetime) -> bool:
    """Tell whether a run would search, fetch or register anything; the windows are brought up to date."""
    with database.begin() as connection:
        store_windows(connection, context)
        if due_windows(connection, context, now):
            return True
        return transfers.anything_left(connection, context.site.id, now, *context.sensing_range())


def run_all(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
) -> dict[str, int]:
    """Query, fetch and register in this process; returns the summed counts."""
    counts = run_query(database, context, now=clock(), actor=owner, progress=progress).counts()
    prepare(database, context, now=clock(), actor=owner)
    for source in sorted({item.name for found in context.sources.values() for item in found if item.can_download}):
        fetched = run_fetch(database, context, source, owner=owner, clock=clock, progress=progress).counts()
        for key, value in fetched.items():
            counts[key] = counts.get(key, 0) + value
    registered = run_register(database, context, owner=owner, job_id=None, clock=clock)
    return counts | registered.counts()
