"""Airflow's configuration on one machine, as environment variables (pure: nothing is read or started here)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local_stack.ports import LOCALHOST

Profile = Literal["default", "test"]
USERNAME = "admin"
# The pools every DAG of the system relies on (one per data source is added with the source).
POOLS = {"cpu": 2, "memory": 1, "db_write": 2}

# One worker process is one core's worth of work: libraries must not start a thread per core in each.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "GDAL_NUM_THREADS")

_COMMON = {
    "core.executor": "LocalExecutor",
    "core.parallelism": "4",
    "core.load_examples": "False",
    # Parsing must survive a busy machine; a timed-out file would make its DAGs vanish.
    "core.dagbag_import_timeout": "120",
    "dag_processor.dag_file_processor_timeout": "120",
    # The manifest changes, not the DAG files: a new season is seen by parsing again.
    "dag_processor.parsing_processes": "1",
    "core.auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    "core.simple_auth_manager_users": f"{USERNAME}:admin",
    "core.simple_auth_manager_all_admins": "False",
    # No name lookup: machines without a proper name wait seconds for their resolver.
    "core.hostname_callable": "socket.gethostname",
    "core.killed_task_cleanup_time": "15",
    # The scheduler looks at this many running runs a loop, backfills always in the same order: with more of them
    # waiting for their inputs than this (20 by default), the rest is never looked at.
    "scheduler.max_dagruns_per_loop_to_schedule": "1000",
    "api.host": LOCALHOST,
    "api.workers": "1",
    # At 5 s, resumptions of deferred tasks overtook the executor's report: "finished with state success, but queued".
    "workers.min_heartbeat_interval": "1",
    # On two busy cores the API server may need longer than the default 5 s for its first answers.
    "workers.execution_api_timeout": "30",
    "metrics.statsd_on": "False",
    "metrics.otel_on": "False",
    "traces.otel_on": "False",
    "sentry.sentry_on": "False",
    "usage_data_collection.enabled": "False",
    "logging.colored_console_log": "False",
}

_PROFILES: Mapping[Profile, Mapping[str, str]] = {
    "default": {
        "dag_processor.refresh_interval": "10",
        "dag_processor.bundle_refresh_check_interval": "5",
        "dag_processor.min_file_process_interval": "10",
        "core.min_serialized_dag_update_interval": "10",
        # After a crash, the tasks of the dead scheduler are taken up within a minute, not after five.
        "scheduler.orphaned_tasks_check_interval": "30",
    },
    "test": {
        # Three files are parsed again and again: oftener costs a third of a core as long as the tests run.
        "dag_processor.refresh_interval": "5",
        "dag_processor.bundle_refresh_check_interval": "5",
        "dag_processor.min_file_process_interval": "8",
        "core.min_serialized_dag_update_interval": "1",
        "core.default_task_retry_delay": "2",
        "scheduler.task_instance_heartbeat_timeout": "20",
        "scheduler.task_instance_heartbeat_timeout_detection_interval": "2",
        "scheduler.orphaned_tasks_check_interval": "5",
        "scheduler.scheduler_heartbeat_sec": "1",
        "scheduler.job_heartbeat_sec": "1",
        "scheduler.scheduler_idle_sleep_time": "1",
        "scheduler.parsing_cleanup_interval": "10",
        "scheduler.trigger_timeout_check_interval": "2",
        "triggerer.job_heartbeat_sec": "1",
    },
}


@dataclass(frozen=True, slots=True)
class AirflowSecrets:
    """Keys that all services share, and the password of the one user."""

    jwt_secret: str
    api_secret_key: str
    fernet_key: str
    password: str


@dataclass(frozen=True, slots=True)
class AirflowPlace:
    """Where one Airflow lives."""

    home: Path
    dags_folder: Path
    plugins_folder: Path
    logs: Path
    passwords_file: Path
    port: int
    metadata_url: str

    @property
    def url(self) -> str:
        """Address of the user interface and the REST API."""
        return f"http://{LOCALHOST}:{self.port}"


def airflow_environment(place: AirflowPlace, secrets: AirflowSecrets, profile: Profile) -> dict[str, str]:
    """Return the variables that make every ``airflow`` command and service of this place agree."""
    settings = {
        **_COMMON,
        **_PROFILES[profile],
        "core.dags_folder": str(place.dags_folder),
        "core.plugins_folder": str(place.plugins_folder),
        "core.fernet_key": secrets.fernet_key,
        "core.simple_auth_manager_passwords_file": str(place.passwords_file),
        "core.execution_api_server_url": f"{place.url}/execution/",
        "database.sql_alchemy_conn": _with_driver(place.metadata_url),
        "dag_processor.dag_bundle_storage_path": str(place.home / "bundles"),
        "logging.base_log_folder": str(place.logs),
        "logging.dag_processor_child_process_log_directory": str(place.logs / "dag_processor"),
        "api.base_url": place.url,
        "api.port": str(place.port),
        "api.secret_key": secrets.api_secret_key,
        "api_auth.jwt_secret": secrets.jwt_secret,
    }
    named = {f"AIRFLOW__{key.replace('.', '__').upper()}": value for key, value in settings.items()}
    client = {
        "AIRFLOW_HOME": str(place.home),
        "S4C_AIRFLOW_URL": place.url,
        "S4C_AIRFLOW_USERNAME": USERNAME,
        "S4C_AIRFLOW_PASSWORD": secrets.password,
    }
    return {**named, **client, **dict.fromkeys(_ONE_THREAD, "1")}


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the ``NO_PROXY`` variables that keep calls to this machine away from a proxy."""
    known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name for name in known.split(",") if name]
    names += [name for name in (LOCALHOST, "localhost") if name not in names]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(names))


def _with_driver(url: str) -> str:
    return "postgresql+psycopg2://" + url.partition("://")[2]
