"""The query step: search the windows that are due, store what is found, decide what the site uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from s4c_lib.errors import Sen4capError, SourceError
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.selection import SelectionRules, why_ignored
from s4c_lib.reasons import Reason
from s4c_lib.sources.archive_index import ArchiveIndex
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import Candidate, Query, Rejected
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.sources.product_names import parse_product_name

log = structlog.get_logger(__name__)

SEARCHED: Mapping[str, tuple[Satellite, ...]] = {
    "s1": (Satellite.SENTINEL1,),
    "s2": (Satellite.SENTINEL2,),
    "l8": (Satellite.LANDSAT8, Satellite.LANDSAT9),
}
# Things a later search may find healed; their window is searched again although it is settled.
MAY_HEAL = frozenset({"input_corrupt", "dangling_link", "unreadable"})

Progress = Callable[[int, int, str], None]
"""Called with (windows done, windows in all, what was just searched)."""


@dataclass(slots=True)
class QueryOutcome:
    """Numbers of one query step."""

    windows: int = 0
    windows_failed: int = 0
    found: int = 0
    new: int = 0
    queued: int = 0
    ignored: int = 0
    rejected: int = 0
    errors: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers for a job or an XCom."""
        return {
            "windows": self.windows,
            "windows_failed": self.windows_failed,
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


def due_windows(connection: Connection, context: IngestContext, now: datetime) -> list[QueryWindow]:
    """Return the windows a run searches now: due ones, and settled ones where something may have healed."""
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
        for item in query_windows.list_windows(connection, context.season.id, satellite):
            healing = any(_may_heal(item, entry["reason"], entry["path"]) for entry in item.rejected)
            rested = item.last_success is not None and item.last_success + pause <= now
            in_run = context.before is None or item.window.date_from < context.before
            if item.id not in seen and healing and rested and in_run:
                due.append(item)
        found.extend(due)
    return sorted(found, key=lambda item: (item.window.date_from, item.satellite))


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
    l2a_executors: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> QueryOutcome:
    """Search every due window and store the result, one transaction a window.

    A window that fails is due again after a pause; the others go on, and what its other sources offer is stored.
    """
    rules = SelectionRules.of(context.parameters, context.tiles, l2a_executors)
    outcome = QueryOutcome()
    with database.begin() as connection:
        store_windows(connection, context)
        due = due_windows(connection, context, now)
        reported = query_windows.rejected_elsewhere(connection, context.season.id, [item.id for item in due])
    indexes: dict[tuple[str, str | None], tuple[LocalArchive, ArchiveIndex]] = {}
    for done, item in enumerate(due, start=1):
        label = f"{item.satellite} {item.window.date_from}..{item.window.date_to}"
        with database.begin() as connection:
            query_windows.start(connection, item.id, now)
        candidates, rejected, errors = _search(context, item, indexes)
        with database.begin() as connection:
            # other sites may be storing or settling the same ones
            lock_known(connection, [candidate.name.name for _, candidate in candidates])
            for source, candidate in candidates:
                outcome.new += _store(connection, context, source, candidate, rules, actor)
            # What has no date comes with every window: it is reported once a season.
            # What may heal is kept with its window each time, and first: the list is cut when it is long.
            fresh = [entry for entry in rejected if entry.path not in reported]
            kept = [entry for entry in rejected if _may_heal(item, entry.code, entry.path)]
            kept += [entry for entry in fresh if not _may_heal(item, entry.code, entry.path)]
            reported.update(entry.path for entry in fresh)
            if errors:
                query_windows.fail(connection, item.id, now=now, error="; ".join(errors))
            else:
                query_windows.succeed(
                    connection,
                    item.id,
                    now=now,
                    result_count=len(candidates),
                    rejected=[{"path": entry.path, "reason": entry.code, "text": entry.text} for entry in kept],
                )
        outcome.windows += not errors
        outcome.windows_failed += bool(errors)
        outcome.errors.extend(f"{label}: {error}" for error in errors)
        outcome.found += len(candidates)
        outcome.rejected += len(fresh)
        log.info("query window searched", window=label, found=len(candidates), rejected=len(fresh), errors=errors)
        if progress is not None:
            progress(done, len(due), label)
    with database.begin() as connection:
        changed = changed_selection(connection, context, l2a_executors)
        for number, reason in changed.items():
            set_relevance(connection, context.site.id, number, reason)
        ignore_duplicates(connection, context.site.id)
        settled = settle_selection(connection, context.site.id, actor=actor)
    outcome.queued, outcome.ignored = settled["queued"], settled["ignored"]
    return outcome


def changed_selection(
    connection: Connection, context: IngestContext, l2a_executors: frozenset[str] = frozenset()
) -> dict[int, str | None]:
    """Return the known acquisitions that changed parameters make the site want (None) or leave out (why)."""
    rules = SelectionRules.of(context.parameters, context.tiles, l2a_executors)
    first, stop = context.sensing_range()
    changed: dict[int, str | None] = {}
    for acquisition in list_acquisitions(connection, context.site.id, date_from=first, date_to=stop):
        # which of two processings is used is decided among those that the rules let through
        stored = None if acquisition.relevance_reason == Reason.DUPLICATE else acquisition.relevance_reason
        reason = why_ignored(acquisition, rules)
        if reason != stored:
            changed[acquisition.id] = None if reason is None else str(reason)
    return changed


def _search(
    context: IngestContext,
    item: QueryWindow,
    indexes: dict[tuple[str, str | None], tuple[LocalArchive, ArchiveIndex]],
) -> tuple[list[tuple[DataSource, Candidate]], list[Rejected], list[str]]:
    """Ask every source of the window's satellite; the first by priority that offers a product supplies it.

    Returns
    -------
    candidates, rejected, errors : an error is what a source that does not answer says, one line.
    """
    candidates: dict[str, tuple[DataSource, Candidate]] = {}
    rejected: list[Rejected] = []
    errors: list[str] = []
    for source in context.sources[item.satellite]:
        if not source.can_query:
            continue
        try:
            archive, index = _archive(source, indexes)
        except Sen4capError as error:
            errors.append(error.one_line)
            log.warning("source does not answer", source=source.name, error=error.one_line, code=error.code)
            continue
        for satellite in SEARCHED[item.satellite]:
            query = Query(
                satellite=satellite,
                kinds=frozenset(ProductKind),
                date_from=item.window.date_from,
                date_to=item.window.date_to,
                geometry=context.site.geometry,
                tiles=context.tiles,
            )
            answer = archive.search(query, index)
            for candidate in answer.candidates:
                candidates.setdefault(candidate.name.name, (source, candidate))
            rejected.extend(answer.rejected)
    # in one order for every site: two that store the same new products at once wait, but not for each other
    return [candidates[name] for name in sorted(candidates)], rejected, errors


def _archive(
    source: DataSource, indexes: dict[tuple[str, str | None], tuple[LocalArchive, ArchiveIndex]]
) -> tuple[LocalArchive, ArchiveIndex]:
    """Open a local archive once a run: its index is shared by all windows and satellites."""
    key = (str(source.local_root), source.path_template)
    if key not in indexes:
        archive = LocalArchive(Path(key[0]), source.path_template, name=source.name)
        health = archive.health()
        if not health.ok:
            # an empty folder is an archive that is not mounted: no product there proves nothing
            raise SourceError(f"{source.name}: {health.text}", hint="check the source's local_root and its mount")
        indexes[key] = (archive, archive.open_index())
    return indexes[key]


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
