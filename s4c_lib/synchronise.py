"""Bring Airflow's side in line with the domain database: manifest, pools, roles, and jobs whose run is over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import structlog
from sqlalchemy import text

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.airflow_roles import ensure_roles
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import ENDED, JobState, list_jobs
from s4c_lib.catalog.manifest_export import build_manifest
from s4c_lib.catalog.sites import short_names
from s4c_lib.errors import AirflowApiError, InputError, ManifestError
from s4c_lib.manifest import Manifest, read_manifest, write_manifest
from s4c_lib.runs import release_dead, release_lost
from s4c_lib.settings import Settings

log = structlog.get_logger(__name__)

POOL_TEXT = {
    "cpu": "Tasks that keep a core busy",
    "memory": "Tasks that need much memory",
    "db_write": "Tasks that write much to the domain database",
    "s1": "Tasks that make backscatter and coherence",
}


@dataclass(slots=True)
class SyncOutcome:
    """What a synchronisation did."""

    dags: int = 0
    changed: bool = False
    pools: int = 0
    lost_jobs: int = 0
    messages: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the numbers for an XCom."""
        return {
            "dags": self.dags,
            "changed": int(self.changed),
            "pools": self.pools,
            "lost_jobs": self.lost_jobs,
        }


def synchronise(database: Database, settings: Settings, *, today: date) -> SyncOutcome:
    """Write the manifest and, where Airflow answers, make roles and pools and close lost jobs.

    Airflow being away never hinders the manifest: DAGs of disabled seasons then stay, and the next
    synchronisation makes the pools.
    """
    outcome = SyncOutcome()
    outcome.lost_jobs = _close_dead(database, now=datetime.now(UTC))
    with ExitStack() as opened:
        try:
            api = opened.enter_context(AirflowApi.from_settings(settings))
            api.health()
            api.request("GET", "pools", params={"limit": 1})  # health asks for no user: a wrong password shows here
        except (AirflowApiError, InputError) as error:
            outcome.messages.append(f"Airflow was not asked, so pools are as they were: {error.one_line}")
            # Nobody can say which DAGs still have runs: those of disabled seasons stay until somebody can.
            present = _present(settings)
            known = {entry.dag_id for entry in present.dags}
            _export(database, settings, today, known.__contains__, outcome, present.guarded)
            return outcome
        # before the manifest: a DAG that names a role which does not exist is an import error
        guarded = _roles(database, settings, api, outcome)
        manifest = _export(database, settings, today, api.has_active_runs, outcome, guarded)
        for name, slots in manifest.pools.items():
            api.set_pool(name, slots, POOL_TEXT.get(name, "Transfers from a data source"))
            outcome.pools += 1
        outcome.lost_jobs += _close_lost(database, api)
    return outcome


def _present(settings: Settings) -> Manifest:
    """Return the manifest in force; an unreadable one counts as empty, since it is about to be replaced."""
    try:
        return read_manifest(settings.manifest_path)
    except ManifestError as error:
        log.warning("manifest replaced", error=error.one_line)
        return Manifest()


def _export(
    database: Database,
    settings: Settings,
    today: date,
    has_active_runs: Callable[[str], bool],
    outcome: SyncOutcome,
    guarded: Collection[str],
) -> Manifest:
    with database.begin() as connection:
        manifest = build_manifest(connection, today=today, has_active_runs=has_active_runs)
    sites = {entry.site for entry in manifest.dags}
    manifest = replace(manifest, guarded=tuple(sorted(sites.intersection(guarded))))
    outcome.changed |= write_manifest(settings.manifest_path, manifest)
    outcome.dags = len(manifest.dags)
    outcome.messages.append(
        f"{len(manifest.dags)} DAGs in {settings.manifest_path} ({'changed' if outcome.changed else 'unchanged'})"
    )
    return manifest


def _roles(database: Database, settings: Settings, api: AirflowApi, outcome: SyncOutcome) -> Collection[str]:
    """Make the roles of all sites; return the sites that have them."""
    with database.begin() as connection:
        sites = short_names(connection)
        statement = text("SELECT DISTINCT short_name FROM s4c.site_deletion ORDER BY short_name")
        deleted = list(connection.execute(statement).scalars())
    try:
        return ensure_roles(api, sites, deleted)
    except (AirflowApiError, InputError) as error:
        # a user who may make pools but no roles, say: the DAGs stay as guarded as they are
        outcome.messages.append(f"Roles of sites are as they were: {error.one_line}")
        return _present(settings).guarded


def _close_dead(database: Database, *, now: datetime) -> int:
    """Close the running jobs of command lines whose process is gone."""
    with database.begin() as connection:
        running = list_jobs(connection, states=[JobState.RUNNING], limit=1000)
    return sum(release_dead(database, job, now=now) for job in running)


def _close_lost(database: Database, api: AirflowApi) -> int:
    """Close the jobs whose Airflow run ended or vanished without closing them."""
    with database.begin() as connection:
        open_states = [state for state in JobState if state not in ENDED]
        waiting = list_jobs(connection, states=open_states, limit=1000)
    lost = 0
    for job in waiting:
        if job.airflow_dag_id is not None and job.airflow_run_id is not None:
            lost += release_lost(database, job.id, api.run_state(job.airflow_dag_id, job.airflow_run_id))
    return lost
