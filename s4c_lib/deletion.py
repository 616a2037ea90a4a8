"""Deleting sites and seasons: marked, runs ended, files removed, then the rows; each step may be repeated.

A deletion that was interrupted, or waits for a run to end, is taken up again by the same command or by s4c__retention.
Source: operations.md §7, "Site deletion" and "Season deletion".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from s4c_lib.airflow_api import ACTIVE_RUN_STATES, AirflowApi
from s4c_lib.catalog import season_deletion, site_deletion
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import ENDED, Job, JobState, list_jobs
from s4c_lib.catalog.only_one import only_one
from s4c_lib.catalog.season_deletion import SeasonDeletionPlan
from s4c_lib.catalog.seasons import Season, list_seasons
from s4c_lib.catalog.site_deletion import DeletionPlan
from s4c_lib.catalog.sites import get_site
from s4c_lib.deleted_files import FilePlan, plan_files, remove
from s4c_lib.errors import AirflowApiError, InputError, NotFoundError, Sen4capError
from s4c_lib.keeping import Policies, storage_folders
from s4c_lib.lost_runs import release_dead, release_lost
from s4c_lib.parameters import Snapshot
from s4c_lib.settings import Settings

log = structlog.get_logger(__name__)

Progress = Callable[[int, int, str], None]
_POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SiteDeletion:
    """What goes, or went, with a site. ``waits_for`` : jobs that are still running; nothing was removed yet."""

    rows: DeletionPlan
    files: FilePlan
    waits_for: tuple[int, ...] = ()


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
    """
    with only_one(database, f"deletion of site {name}"):
        with database.begin() as connection:
            site = get_site(connection, name)
            mark = next(one for one in site_deletion.deleting(connection) if one.site_id == site.id)
            seasons = list_seasons(connection, site.id)
        running = end_runs(database, seasons, settings, now=now, wait_seconds=wait_seconds)
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
    """What goes, or went, with a season. ``waits_for`` : jobs that are still running; nothing was removed yet."""

    rows: SeasonDeletionPlan
    waits_for: tuple[int, ...] = ()


def plan_season(database: Database, season: Season, *, now: datetime) -> SeasonDeletion:
    """Say what a deletion would remove, without changing anything."""
    with database.begin() as connection:
        mine, others = _spans(Policies.read(connection, now.date()), season)
        return SeasonDeletion(season_deletion.plan(connection, season, mine, others))


def delete_season(
    database: Database, season: Season, settings: Settings, *, now: datetime, wait_seconds: float = 0.0
) -> SeasonDeletion:
    """Go on with the deletion of a season that was marked; see `season_deletion.begin`."""
    with only_one(database, f"deletion of season {season.site}/{season.short_name}"):
        running = end_runs(database, [season], settings, now=now, wait_seconds=wait_seconds)
        if running:
            return SeasonDeletion(plan_season(database, season, now=now).rows, tuple(running))
        with database.begin() as connection:
            mark = next(one for one in season_deletion.deleting(connection) if one.season.id == season.id)
            mine, others = _spans(Policies.read(connection, now.date()), season)
            rows = season_deletion.delete(connection, season, mine, others, actor=mark.by)
    log.info("season deleted", site=season.site, season=season.short_name)
    return SeasonDeletion(rows)


def _spans(policies: Policies, season: Season) -> tuple[season_deletion.Span, list[season_deletion.Span]]:
    spans = {one.season.id: (one.first, one.stop) for one in policies.seasons[season.site_id]}
    return spans[season.id], [span for number, span in sorted(spans.items()) if number != season.id]


def finish_deletions(database: Database, settings: Settings, *, now: datetime) -> list[str]:
    """Go on with every deletion that was begun, and tell of each in a line.

    Raises
    ------
    Sen4capError : the first that could not go on, after the others.
    """
    with database.begin() as connection:
        sites = site_deletion.deleting(connection)
        seasons = [
            one.season
            for one in season_deletion.deleting(connection)
            if one.season.site_id not in {site.site_id for site in sites}
        ]
    lines: list[str] = []
    faults: list[Sen4capError] = []

    def attempt(what: str, make: Callable[[], SiteDeletion | SeasonDeletion]) -> None:
        try:
            waits = make().waits_for
        except Sen4capError as error:
            faults.append(error)
            lines.append(f"{what} cannot be deleted yet: {error.one_line}")
            return
        lines.append(f"{what} waits for job {waits[0]} to end" if waits else f"{what} is deleted")

    for site in sites:
        attempt(f"site {site.short_name}", partial(delete_site, database, site.short_name, settings, now=now))
    for season in seasons:
        attempt(
            f"season {season.site}/{season.short_name}",
            partial(delete_season, database, season, settings, now=now),
        )
    if faults:
        raise faults[0]
    return lines


def end_runs(
    database: Database, seasons: Sequence[Season], settings: Settings, *, now: datetime, wait_seconds: float
) -> list[int]:
    """End what runs of seasons, and return the jobs that are still running.

    Runs of Airflow are set failed; those of a command line end by themselves, or are dead.
    """
    _release_dead(database, seasons, now)
    with database.begin() as connection:
        # those cancelled just now too: their run still waits in Airflow
        known = [job for season in seasons for job in list_jobs(connection, season_id=season.id, limit=1000)]
    in_airflow = [job for job in known if job.airflow_run_id is not None and _may_run(job)]
    if in_airflow:
        with ExitStack() as opened:
            try:
                api = opened.enter_context(AirflowApi.from_settings(settings))
                api.health()
                for job in in_airflow:
                    _end_run(api, job)
                _await_end(api, in_airflow, wait_seconds)
                for job in in_airflow:
                    release_lost(database, job.id, _state(api, job))
            except (AirflowApiError, InputError) as error:
                log.warning("runs cannot be ended in Airflow", error=error.one_line)
    running = _running(database, seasons)
    until = time.monotonic() + wait_seconds
    while running and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        _release_dead(database, seasons, now)
        running = _running(database, seasons)
    return [job.id for job in running]


def _may_run(job: Job) -> bool:
    return job.state not in ENDED or (job.state is JobState.CANCELLED and str(job.reason).endswith("_deleted"))


def _release_dead(database: Database, seasons: Sequence[Season], now: datetime) -> None:
    for job in _running(database, seasons):
        release_dead(database, job, now=now)


def _running(database: Database, seasons: Sequence[Season]) -> list[Job]:
    with database.begin() as connection:
        return [
            job
            for season in seasons
            for job in list_jobs(connection, season_id=season.id, states=[JobState.RUNNING], limit=100)
        ]


def _state(api: AirflowApi, job: Job) -> str | None:
    return api.run_state(str(job.airflow_dag_id), str(job.airflow_run_id))


def _end_run(api: AirflowApi, job: Job) -> None:
    """Set a run failed, if it is under way: Airflow then ends its tasks."""
    if _state(api, job) not in ACTIVE_RUN_STATES:
        return
    try:
        api.request("PATCH", f"dags/{job.airflow_dag_id}/dagRuns/{job.airflow_run_id}", json={"state": "failed"})
    except NotFoundError:
        log.info("run is gone meanwhile", job=job.id)


def _await_end(api: AirflowApi, jobs: Sequence[Job], wait_seconds: float) -> None:
    """Wait until no task of the runs works any more: one that is being ended may still write."""
    until = time.monotonic() + wait_seconds
    while any(_tasks_at_work(api, job) for job in jobs) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def _tasks_at_work(api: AirflowApi, job: Job) -> int:
    try:
        page = api.request(
            "GET",
            f"dags/{job.airflow_dag_id}/dagRuns/{job.airflow_run_id}/taskInstances",
            params={"state": ["running", "restarting", "queued"], "limit": 1},
        )
    except NotFoundError:
        return 0
    return int(page["total_entries"])
