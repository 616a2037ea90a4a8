"""Ending what is under way for a season or a site that is being deleted, in Airflow and on command lines.

Airflow calls the tasks of a run that is set failed failed at once, and ends their processes at their next sign of life;
the run itself ends when its last task has closed it. So it is over when its run has ended and no process works on its
job any more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.job_liveness import worked_on
from s4c_lib.catalog.jobs import Job, JobState, list_jobs
from s4c_lib.catalog.manifest_export import DAG_NAMES, dag_id, declarations_dag_id
from s4c_lib.catalog.parcel_sets import import_under_way
from s4c_lib.catalog.seasons import Season, list_seasons
from s4c_lib.catalog.sites import Site
from s4c_lib.errors import AirflowApiError, InputError
from s4c_lib.lost_runs import release_dead, release_lost
from s4c_lib.settings import Settings

log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 1.0
_LATEST: Final = 1000


def end_runs_of_season(
    database: Database, season: Season, settings: Settings, *, now: datetime, wait_seconds: float
) -> list[str]:
    """End what runs of a season, and return in words what is still under way after some time."""
    return _ended(_Ending(database, _dags_of([season]), (season,), None), settings, now, wait_seconds)


def end_runs_of_site(
    database: Database, site: Site, settings: Settings, *, now: datetime, wait_seconds: float
) -> list[str]:
    """End what runs of a site and its seasons, imports too, and return in words what is still under way."""
    with database.begin() as connection:
        seasons = list_seasons(connection, site.id)
    dags = (*_dags_of(seasons), declarations_dag_id(site.short_name))
    return _ended(_Ending(database, dags, tuple(seasons), site), settings, now, wait_seconds)


def _dags_of(seasons: Sequence[Season]) -> tuple[str, ...]:
    return tuple(dag_id(season.site, season.short_name, name) for season in seasons for name in sorted(DAG_NAMES))


def _ended(ending: _Ending, settings: Settings, now: datetime, wait_seconds: float) -> list[str]:
    began = time.monotonic()
    with ExitStack() as opened:
        api: AirflowApi | None = None
        try:
            api = opened.enter_context(AirflowApi.from_settings(settings))
            api.health()
        except (AirflowApiError, InputError) as error:
            log.warning("runs cannot be ended in Airflow", error=error.one_line)
            api = None
        while True:
            passed = time.monotonic() - began
            still = ending.go_on(api, now + timedelta(seconds=passed))
            if not still or passed >= wait_seconds:
                return still
            time.sleep(_POLL_SECONDS)


@dataclass(slots=True)
class _Ending:
    """What is to end. ``site`` : given when all of it goes. ``asked`` : runs that were set failed."""

    database: Database
    dags: tuple[str, ...]
    seasons: tuple[Season, ...]
    site: Site | None
    asked: set[tuple[str, str]] = field(default_factory=set)

    def go_on(self, api: AirflowApi | None, now: datetime) -> list[str]:
        """End what can be ended now, and return in words what is still under way."""
        still = [] if api is None else self._end_in_airflow(api)
        for job in self._jobs(JobState.RUNNING):
            release_dead(self.database, job, now=now)
            if api is not None and job.airflow_run_id is not None and not self._at_work([job]):
                state = api.run_state(str(job.airflow_dag_id), job.airflow_run_id)
                release_lost(self.database, job.id, state)
        # looked at last: a task that found its job running before it was closed is seen here
        going = {job.id for job in self._jobs(JobState.RUNNING)} | set(self._at_work(self._jobs()))
        still += [f"job {number}" for number in sorted(going)]
        if self.site is not None:
            with self.database.begin() as connection:
                if import_under_way(connection, self.site.id):
                    still.append("an import of declarations")
        return still

    def _end_in_airflow(self, api: AirflowApi) -> list[str]:
        """End backfills, then runs: those that wait for their turn have no job yet."""
        still = []
        for dag in self.dags:
            runs = api.active_runs(dag)
            if not runs:
                continue
            for backfill in api.backfills(dag, active=True):
                api.cancel_backfill(backfill.id)
                runs = api.active_runs(dag)
            for run in runs:
                if (dag, run) not in self.asked:
                    api.end_run(dag, run)
                    self.asked.add((dag, run))
            still += [f"run {run} of DAG {dag}" for run in runs]
        return still

    def _jobs(self, *states: JobState) -> list[Job]:
        with self.database.begin() as connection:
            return [
                job
                for season in self.seasons
                for job in list_jobs(connection, season_id=season.id, states=list(states) or None, limit=_LATEST)
            ]

    def _at_work(self, jobs: Sequence[Job]) -> list[int]:
        with self.database.begin() as connection:
            return worked_on(connection, [job.id for job in jobs])
