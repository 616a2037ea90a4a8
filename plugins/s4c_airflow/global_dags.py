"""DAGs that belong to no season."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronTriggerTimetable, DeltaTriggerTimetable

from operators.base import TASK_DEFAULTS
from operators.housekeeping import PastRetriesOperator, RetentionOperator, SyncOperator
from operators.notify import NotifyOperator
from s4c_airflow.dag_factory import FIRST_DAY
from s4c_lib.manifest import read_manifest
from s4c_lib.settings import Settings


def sync_dag() -> DAG:
    """Return ``s4c__sync``, which runs every ``sync.interval_minutes``."""
    manifest = read_manifest(Settings().manifest_path)
    schedule = DeltaTriggerTimetable(timedelta(minutes=manifest.sync_minutes))
    with _global_dag(
        "s4c__sync", "Writes the DAG manifest anew when it changed, makes pools, closes jobs of lost runs.", schedule
    ) as dag:
        synchronised = SyncOperator(task_id="synchronise")
        if manifest.notifies:
            # a teardown: it runs also when the synchronisation failed, and does not hide that
            synchronised >> NotifyOperator(task_id="notify").as_teardown(on_failure_fail_dagrun=True)
    return dag


def retries_dag() -> DAG:
    """Return ``s4c__retries``, which runs every half hour: nothing else comes back to a past season."""
    schedule = DeltaTriggerTimetable(timedelta(minutes=30))
    with _global_dag(
        "s4c__retries", "Runs the ingest of past seasons again when a failed search or transfer is due.", schedule
    ) as dag:
        due = PastRetriesOperator(task_id="find")
        TriggerDagRunOperator.partial(task_id="run_again").expand_kwargs(due.output)
    return dag


def retention_dag() -> DAG:
    """Return ``s4c__retention``, which runs every night."""
    schedule = CronTriggerTimetable("17 3 * * *", timezone="UTC")
    with _global_dag(
        "s4c__retention", "Removes files that nothing needs any more: see docs/operations.md.", schedule
    ) as dag:
        RetentionOperator(task_id="remove_unused_files")
    return dag


def _global_dag(dag_id: str, description: str, schedule: DeltaTriggerTimetable | CronTriggerTimetable) -> DAG:
    return DAG(
        dag_id=dag_id,
        description=description,
        schedule=schedule,
        start_date=FIRST_DAY,
        default_args=dict(TASK_DEFAULTS),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["s4c"],
    )
