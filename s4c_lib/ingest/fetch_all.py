"""Fetching from all sources of a season in one process, with or without waiting for what lies on tape."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from s4c_lib.catalog.database import Database
from s4c_lib.errors import DiskFullError, InputError, NotFoundError, Sen4capError
from s4c_lib.ingest.clock import Wait as Wait
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.fetch import run_fetch
from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.staging import Standing, look_after, standing
from s4c_lib.progress import Progress

# A source that asks to wait again and again, and gives nothing in between, is left to the next run.
MOST_FRUITLESS_WAITS = 5


@dataclass(slots=True)
class FetchedAll:
    """Numbers of all sources, why some hold products back or could not be opened, and whether the disk is full."""

    counts: dict[str, int] = field(default_factory=dict)
    held_back: list[str] = field(default_factory=list)
    not_opened: list[str] = field(default_factory=list)
    disk_full: DiskFullError | None = None


def fetch_all(
    database: Database,
    context: IngestContext,
    *,
    owner: str,
    clock: Callable[[], datetime],
    access: Access,
    wait: Wait | None,
    phase: Callable[[str], AbstractContextManager[Progress | None]],
) -> FetchedAll:
    """Order what lies on tape at every source, fetch what is online, then, if asked to, wait for the rest."""
    rows = [item for found in context.sources.values() for item in found if item.can_download]
    # archives first: what they have lost is asked of the catalogues, those by priority
    ordered = sorted(rows, key=lambda item: (item.remote, item.priority, item.name))
    names = list(dict.fromkeys(item.name for item in ordered))
    remote = list(dict.fromkeys(item.name for item in ordered if item.remote))
    outcome = FetchedAll()
    closed: set[str] = set()

    def look() -> dict[str, Standing]:
        found = {}
        for name in [name for name in remote if name not in closed]:
            try:
                found[name] = look_after(database, context, name, access=access, clock=clock, actor=owner)
            except (NotFoundError, InputError) as error:
                give_up(name, error)
        return found

    def fetch(name: str) -> bool:
        if name in closed:
            return False
        try:
            with phase(f"fetch {name}") as progress:
                done = run_fetch(database, context, name, owner=owner, clock=clock, access=access, progress=progress)
        except DiskFullError as error:
            outcome.disk_full = error
            return False
        except (NotFoundError, InputError) as error:
            give_up(name, error)
            return False
        for key, value in done.counts().items():
            outcome.counts[key] = outcome.counts.get(key, 0) + value
        if done.held_back is not None and done.held_back not in outcome.held_back:
            outcome.held_back.append(done.held_back)
        return done.fetched > 0

    def give_up(name: str, error: Sen4capError) -> None:
        """Leave a source out that cannot be opened as it is configured; the others go on."""
        closed.add(name)
        outcome.not_opened.append(f"{name}: {error.one_line}")

    look()
    for name in names:
        fetch(name)
    fruitless = 0
    while wait is not None and outcome.disk_full is None and fruitless < MOST_FRUITLESS_WAITS:
        left = look()
        progressed = [fetch(name) for name in left if left[name].can_fetch]
        # as it is now: what was fetched meanwhile is not waited for, what asked to wait meanwhile is
        left = {name: standing(database, context, name, now=clock()) for name in left if name not in closed}
        left = {name: one for name, one in left.items() if one.worth_waiting}
        if not left and not any(progressed):
            break
        staging = any(one.staging for one in left.values())
        fruitless = 0 if any(progressed) or staging else fruitless + 1
        if left:
            wait(pause_seconds(context, left, clock()), "; ".join(f"{name}: {one.text}" for name, one in left.items()))
    return outcome


def pause_seconds(context: IngestContext, left: dict[str, Standing], now: datetime) -> float:
    """Return how long until it is worth looking again."""
    poll = float(context.parameters["staging.poll_seconds"])
    pauses = [
        poll if one.staging or one.paused_until is None else max(1.0, (one.paused_until - now).total_seconds())
        for one in left.values()
    ]
    return min(pauses)
