"""Deleting sites and seasons: marked, runs ended, files removed, then the rows; each step may be repeated.

A deletion that was interrupted, or waits for a run to end, is taken up again by the same command or by s4c__retention.
Source: operations.md §7, "Site deletion" and "Season deletion".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from s4c_lib.catalog import season_deletion, site_deletion
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.only_one import only_one
from s4c_lib.catalog.season_deletion import SeasonDeletionPlan
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.site_deletion import DeletionPlan
from s4c_lib.catalog.sites import get_site
from s4c_lib.deletion.deleted_files import FilePlan, plan_files, remove
from s4c_lib.deletion.run_ending import end_runs_of_season, end_runs_of_site
from s4c_lib.errors import NotFoundError, Sen4capError
from s4c_lib.parameters import Snapshot
from s4c_lib.progress import Progress
from s4c_lib.retention.keeping import Policies, storage_folders
from s4c_lib.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SiteDeletion:
    """What goes, or went, with a site. ``waits_for`` : what is still under way, in words; nothing was removed yet."""

    rows: DeletionPlan
    files: FilePlan
    waits_for: tuple[str, ...] = ()


def plan_site(database: Database, name: str, *, now: datetime, keeps: Sequence[str] = ()) -> SiteDeletion:
    """Say what a deletion would remove, without changing anything.

    Parameters
    ----------
    keeps : kinds of files that stay, of `site_deletion.FILE_KINDS`.
    """
    with database.begin() as connection:
        site = get_site(connection, name)
        rows = site_deletion.plan(connection, site)
        values = snapshot(connection, today=now.date(), site=site)
        wanted = [path for path in (*rows.acquisition_paths, *rows.product_paths) if rows.kinds[path] not in keeps]
        others = site_deletion.holding_others(connection, site, wanted)
    return SiteDeletion(rows, plan_files(wanted, site_roots(values, site.short_name), others))


def site_roots(values: Snapshot, site: str) -> tuple[Path, ...]:
    """Return the folders in which files of a site lie."""
    logs = [
        # where pre-processing keeps the logs of what it could not make
        values.path("general.scratch-path", site=site, processor=name, job_id="units")
        for name in ("l2a", "l2s1")
    ]
    return (*storage_folders(values, site), *logs)


def delete_site(
    database: Database,
    name: str,
    settings: Settings,
    *,
    now: datetime,
    progress: Progress | None = None,
    wait_seconds: float = 0.0,
) -> SiteDeletion:
    """Go on with the deletion of a site that was marked; see `site_deletion.begin`.

    Parameters
    ----------
    wait_seconds : for runs that were asked to end.

    Raises
    ------
    StorageError : a file cannot be removed; the site stays marked, and the next call goes on.
    ConflictError : another process deletes it.
    NotFoundError : it is gone, or not marked.
    AirflowApiError : Airflow stopped answering, or refuses the user.
    """
    with only_one(database, f"deletion of site {name}"):
        with database.begin() as connection:
            site = get_site(connection, name)
            mark = next((one for one in site_deletion.deleting(connection) if one.site_id == site.id), None)
        if mark is None:
            raise NotFoundError(f"Site {site.short_name!r} is not being deleted.")
        running = end_runs_of_site(database, site, settings, now=now, wait_seconds=wait_seconds)
        if running:
            planned = plan_site(database, name, now=now, keeps=mark.keeps)
            return SiteDeletion(planned.rows, planned.files, tuple(running))
        with database.begin() as connection:
            site_deletion.let_go(connection, site)
        planned = plan_site(database, name, now=now, keeps=mark.keeps)
        remove(planned.files, progress)
        with database.begin() as connection:
            site_deletion.delete(connection, site, actor=mark.by)
    log.info("site deleted", site=site.short_name, files=planned.files.files, bytes=planned.files.size_bytes)
    return planned


@dataclass(frozen=True, slots=True)
class SeasonDeletion:
    """What goes, or went, with a season. ``waits_for`` : what is still under way, in words; nothing was removed yet."""

    rows: SeasonDeletionPlan
    waits_for: tuple[str, ...] = ()


def plan_season(database: Database, season: Season, *, now: datetime) -> SeasonDeletion:
    """Say what a deletion would remove, without changing anything."""
    with database.begin() as connection:
        mine, others = _spans(Policies.read(connection, now.date()), season)
        return SeasonDeletion(season_deletion.plan(connection, season, mine, others))


def delete_season(
    database: Database, season: Season, settings: Settings, *, now: datetime, wait_seconds: float = 0.0
) -> SeasonDeletion:
    """Go on with the deletion of a season that was marked; see `season_deletion.begin`. Raises as `delete_site`."""
    with only_one(database, f"deletion of season {season.site}/{season.short_name}"):
        with database.begin() as connection:
            mark = next((one for one in season_deletion.deleting(connection) if one.season.id == season.id), None)
        if mark is None:
            raise NotFoundError(f"Season {season.site}/{season.short_name} is not being deleted.")
        running = end_runs_of_season(database, season, settings, now=now, wait_seconds=wait_seconds)
        if running:
            return SeasonDeletion(plan_season(database, season, now=now).rows, tuple(running))
        with database.begin() as connection:
            mine, others = _spans(Policies.read(connection, now.date()), season)
            rows = season_deletion.delete(connection, season, mine, others, actor=mark.by)
    log.info("season deleted", site=season.site, season=season.short_name)
    return SeasonDeletion(rows)


def _spans(policies: Policies, season: Season) -> tuple[season_deletion.Span, list[season_deletion.Span]]:
    spans = {one.season.id: (one.first, one.stop) for one in policies.seasons[season.site_id]}
    return spans[season.id], [span for number, span in sorted(spans.items()) if number != season.id]


@dataclass(frozen=True, slots=True)
class FinishedDeletions:
    """What became of the deletions that were begun, a line for each. ``faults`` : of those that could not go on."""

    lines: tuple[str, ...]
    faults: tuple[str, ...]


def finish_deletions(
    database: Database, settings: Settings, *, now: datetime, wait_seconds: float = 0.0
) -> FinishedDeletions:
    """Go on with every deletion that was begun; one that cannot does not keep the others.

    Parameters
    ----------
    wait_seconds : for runs that were asked to end, of each.
    """
    with database.begin() as connection:
        sites = site_deletion.deleting(connection)
        seasons = [
            one.season
            for one in season_deletion.deleting(connection)
            if one.season.site_id not in {site.site_id for site in sites}
        ]
    works: list[tuple[str, Callable[[], SiteDeletion | SeasonDeletion]]] = [
        (
            f"site {site.short_name}",
            partial(delete_site, database, site.short_name, settings, now=now, wait_seconds=wait_seconds),
        )
        for site in sites
    ]
    works += [
        (
            f"season {season.site}/{season.short_name}",
            partial(delete_season, database, season, settings, now=now, wait_seconds=wait_seconds),
        )
        for season in seasons
    ]
    lines, faults = [], []
    for what, work in works:
        try:
            waits = work().waits_for
        except NotFoundError:  # someone else has finished it meanwhile
            lines.append(f"{what} is deleted")
        except Sen4capError as error:
            faults.append(f"{what} cannot be deleted yet: {error.one_line}")
        else:
            lines.append(f"{what} waits: {waits[0]} is under way" if waits else f"{what} is deleted")
    return FinishedDeletions(tuple(lines), tuple(faults))
