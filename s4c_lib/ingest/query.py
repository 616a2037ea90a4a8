"""The query step: search the windows that are due, store what is found, decide what the site uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import query_windows
from s4c_lib.catalog.acquisitions import (
    NewAcquisition,
    discover,
    ignore_duplicates,
    list_acquisitions,
    lock_known,
    set_membership,
    set_relevance,
    settle_selection,
)
from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.query_windows import QueryWindow
from s4c_lib.catalog.vocabulary import SATELLITE_OF_NAME
from s4c_lib.ingest.clock import Wait
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.remote import Access, RemoteSources
from s4c_lib.ingest.search import Searcher, WindowAnswer, asked_kinds
from s4c_lib.ingest.selection import SelectionRules, why_ignored
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason
from s4c_lib.sources.model import Candidate
from s4c_lib.sources.opening import SEARCHED
from s4c_lib.sources.product_names import parse_product_name

log = structlog.get_logger(__name__)

# Things a later search may find healed; their window is searched again although it is settled.
MAY_HEAL = frozenset({"input_corrupt", "dangling_link", "unreadable"})

# Longer pauses are left to a later run.
LONGEST_WAITS = timedelta(minutes=10)
SHORTEST_WAIT = timedelta(seconds=1)


@dataclass(slots=True)
class QueryOutcome:
    """Numbers of one query step."""

    windows: int = 0
    windows_failed: int = 0
    windows_put_off: int = 0
    found: int = 0
    new: int = 0
    queued: int = 0
    ignored: int = 0
    rejected: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers for a job or an XCom."""
        return {
            "windows": self.windows,
            "windows_failed": self.windows_failed,
            "windows_put_off": self.windows_put_off,
            "found": self.found,
            "new": self.new,
            "queued": self.queued,
            "ignored": self.ignored,
            "rejected": self.rejected,
        }


def store_windows(connection: Connection, context: IngestContext) -> None:
    """Bring the stored query windows in line with the season's dates and parameters."""
    for satellite in context.satellites:
        query_windows.store_windows(connection, context.season.id, satellite, context.windows(satellite))


def due_windows(
    connection: Connection, context: IngestContext, now: datetime, rules: SelectionRules | None = None
) -> list[QueryWindow]:
    """Return the windows a run searches now: due ones, and settled ones that are worth another look.

    Those are windows where something may have healed, and those of whose satellite the season now uses product kinds
    that the catalogues were not asked for.

    Parameters
    ----------
    rules : what the season uses; None when a change of that is of no interest.
    """
    pause = timedelta(minutes=float(context.parameters["downloader.retry_interval_minutes"]))
    found = []
    for satellite in context.satellites:
        due = query_windows.due_windows(
            connection,
            context.season.id,
            satellite,
            now=now,
            settle_days=int(context.parameters[f"downloader.{satellite}.settle_days"]),
            before=context.before,
        )
        seen = {item.id for item in due}
        catalogues = any(source.remote and source.can_query for source in context.sources[satellite])
        kinds = set() if rules is None or not catalogues else {str(kind) for kind in asked_kinds(satellite, rules)}
        for item in query_windows.list_windows(connection, context.season.id, satellite):
            healing = any(_may_heal(item, entry["reason"], entry["path"]) for entry in item.rejected)
            rested = item.last_success is not None and item.last_success + pause <= now
            in_run = context.before is None or item.window.date_from < context.before
            # what was never searched, or failed, is due by itself
            other_kinds = item.last_success is not None and item.state == "succeeded" and not kinds <= set(item.asked)
            if item.id not in seen and in_run and ((healing and rested) or other_kinds):
                due.append(item)
        found.extend(due)
    return sorted(found, key=lambda item: (item.window.date_from, item.satellite))


def windows_in_pause(connection: Connection, context: IngestContext, now: datetime) -> list[QueryWindow]:
    """Return the windows of a run that failed or were put off, and are due again later."""
    return [
        item
        for satellite in context.satellites
        for item in query_windows.list_windows(connection, context.season.id, satellite)
        if item.next_attempt_at is not None
        and item.next_attempt_at > now
        and (context.before is None or item.window.date_from < context.before)
    ]


def _may_heal(item: QueryWindow, code: str, path: str) -> bool:
    """Tell whether a window is worth searching again for something rejected: a product of that window by its name.

    What has no date in its name would reopen every window of the season, for ever.
    """
    name = parse_product_name(Path(path).name) if code in MAY_HEAL else None
    return (
        name is not None
        and name.satellite in SEARCHED[item.satellite]
        and item.window.date_from <= name.product_date <= item.window.date_to
    )


def run_query(
    database: Database,
    context: IngestContext,
    *,
    now: datetime,
    actor: str,
    programs: frozenset[str] = frozenset(),
    access: Access | None = None,
    progress: Progress | None = None,
    clock: Callable[[], datetime] | None = None,
    wait: Wait | None = None,
) -> QueryOutcome:
    """Search every due window and store the result, one transaction a window.

    A window that fails is due again after a pause; the others go on, and what its other sources offer is stored.

    Parameters
    ----------
    now : a window that is searched well counts as searched then.
    access : gives the accounts of remote sources; None where there are none.
    progress : told windows done, windows in all, what was just searched.
    clock : of the pauses that sources ask for; None: it is always ``now``.
    wait : spends the time until a source that asked to wait some minutes may be asked again; None puts windows off.
    """
    rules = SelectionRules.of(context.parameters, context.tiles, programs)
    outcome = QueryOutcome()
    with database.begin() as connection:
        store_windows(connection, context)
        due = due_windows(connection, context, now, rules)
        reported = query_windows.rejected_elsewhere(connection, context.season.id, [item.id for item in due])
    moment = clock or (lambda: now)
    with RemoteSources(database, context.parameters, access or Access(), clock=moment) as remote:
        searcher = Searcher(context, rules, remote)
        patience = None if wait is None else _Patience(wait, moment)
        for done, item in enumerate(due, start=1):
            label = f"{item.satellite} {item.window.date_from}..{item.window.date_to}"
            with database.begin() as connection:
                query_windows.start(connection, item.id, now)
            answer = searcher.search(item)
            while answer.put_off is not None and patience is not None and patience.waited(answer.put_off, label):
                answer = searcher.search(item)
            with database.begin() as connection:
                fresh = _store_answer(connection, context, item, answer, rules, outcome, reported, now, moment(), actor)
            outcome.errors.extend(f"{label}: {error}" for error in answer.errors)
            # a source in its pause is told once, not once a window
            outcome.warnings.extend(text for text in answer.warnings if text not in outcome.warnings)
            log.info(
                "query window searched",
                window=label,
                found=len(answer.candidates),
                rejected=fresh,
                errors=answer.errors,
                put_off=None if answer.put_off is None else str(answer.put_off),
            )
            if progress is not None:
                progress(done, len(due), label)
    with database.begin() as connection:
        changed = changed_selection(connection, context, programs)
        for number, reason in changed.items():
            set_relevance(connection, context.site.id, number, reason)
        ignore_duplicates(connection, context.site.id)
        settled = settle_selection(connection, context.site.id, actor=actor)
    outcome.queued, outcome.ignored = settled["queued"], settled["ignored"]
    return outcome


class _Patience:
    """Waits for sources, as long and as often as one search may."""

    def __init__(self, wait: Wait, clock: Callable[[], datetime]) -> None:
        self._wait = wait
        self._clock = clock
        self._left = LONGEST_WAITS

    def waited(self, until: datetime, label: str) -> bool:
        """Wait until a moment; False where that is too long."""
        pause = until - self._clock()
        if pause > self._left:
            return False
        # one that asks for no time at all, again and again, is not asked for ever
        spent = max(pause, SHORTEST_WAIT)
        self._left -= spent
        self._wait(
            spent.total_seconds(), f"the search of {label} goes on at {until:%H:%M:%S}Z, the sources ask to wait"
        )
        return True


def changed_selection(
    connection: Connection, context: IngestContext, programs: frozenset[str] = frozenset()
) -> dict[int, str | None]:
    """Return the known acquisitions that changed parameters make the site want (None) or leave out (why)."""
    rules = SelectionRules.of(context.parameters, context.tiles, programs)
    first, stop = context.sensing_range()
    changed: dict[int, str | None] = {}
    for acquisition in list_acquisitions(connection, context.site.id, date_from=first, date_to=stop):
        # which of two processings is used is decided among those that the rules let through
        stored = None if acquisition.relevance_reason == Reason.DUPLICATE else acquisition.relevance_reason
        reason = why_ignored(acquisition, rules)
        if reason != stored:
            changed[acquisition.id] = None if reason is None else str(reason)
    return changed


def _store_answer(
    connection: Connection,
    context: IngestContext,
    item: QueryWindow,
    answer: WindowAnswer,
    rules: SelectionRules,
    outcome: QueryOutcome,
    reported: set[str],
    now: datetime,
    ended: datetime,
    actor: str,
) -> int:
    """Store what a window's search came to; returns how many rejected entries were not reported before."""
    # other sites may be storing or settling the same ones; in one order for every site, so that two that store the
    # same new products at once wait, but not for each other
    names = sorted(answer.candidates)
    lock_known(connection, names)
    for name in names:
        # the source that is to supply it comes last: that is the one remembered
        created = [
            _store(connection, context, source, candidate, rules, actor)
            for source, candidate in answer.candidates[name]
        ]
        outcome.new += any(created)
    # What has no date comes with every window: it is reported once a season.
    # What may heal is kept with its window each time, and first: the list is cut when it is long.
    fresh = [entry for entry in answer.rejected if entry.path not in reported]
    kept = [entry for entry in answer.rejected if _may_heal(item, entry.code, entry.path)]
    kept += [entry for entry in fresh if not _may_heal(item, entry.code, entry.path)]
    reported.update(entry.path for entry in fresh)
    outcome.found += len(names)
    outcome.rejected += len(fresh)
    if answer.errors:
        outcome.windows_failed += 1
        query_windows.fail(connection, item.id, now=ended, error="; ".join(answer.errors))
    elif answer.put_off is not None:
        outcome.windows_put_off += 1
        query_windows.put_off(connection, item.id, until=answer.put_off, reason="; ".join(answer.warnings))
    else:
        outcome.windows += 1
        query_windows.succeed(
            connection,
            item.id,
            now=now,
            result_count=len(names),
            rejected=[{"path": entry.path, "reason": entry.code, "text": entry.text} for entry in kept],
            asked=[str(kind) for kind in answer.asked],
        )
    return len(fresh)


def _store(
    connection: Connection,
    context: IngestContext,
    source: DataSource,
    candidate: Candidate,
    rules: SelectionRules,
    actor: str,
) -> bool:
    name = candidate.name
    number, created = discover(
        connection,
        NewAcquisition(
            satellite=SATELLITE_OF_NAME[name.satellite],
            source_product_name=name.name,
            kind=name.kind,
            platform=name.platform,
            sensing_start=candidate.sensing_time.astimezone(UTC),
            sensing_stop=name.sensing_stop,
            previous_time=name.previous_time,
            tiles=candidate.tiles,
            relative_orbit=candidate.relative_orbit,
            direction=None if candidate.direction is None else str(candidate.direction),
            polarisation="+".join(name.polarisations) or None,
            baseline=name.baseline,
            cloud_pct=candidate.cloud_pct,
            footprint=candidate.footprint,
            size_bytes=candidate.size_bytes,
            storage_state=str(candidate.storage_state),
            published_at=candidate.published_at,
        ),
        source=source.name,
        address=candidate.address,
        data_source_id=source.id,
        actor=actor,
    )
    reason = why_ignored(candidate, rules)
    overlap = candidate.footprint.intersection(context.site.geometry).area / context.site.geometry.area
    set_membership(
        connection,
        context.site.id,
        number,
        tiles=sorted(rules.tiles.intersection(candidate.tiles)),
        overlap_ratio=overlap,
        ignored_because=None if reason is None else str(reason),
    )
    return created
