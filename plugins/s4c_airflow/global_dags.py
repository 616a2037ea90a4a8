"""DAGs that belong to no season."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, DeltaTriggerTimetable

from operators.sync import SyncOperator
from s4c_airflow.dag_factory import FIRST_DAY
from s4c_lib.manifest import read_manifest
from s4c_lib.settings import Settings


def sync_dag() -> DAG:
    """Return ``s4c__sync``, which runs every ``sync.interval_minutes``."""
    minutes = read_manifest(Settings().manifest_path).sync_minutes
    dag = DAG(
        dag_id="s4c__sync",
        description="Writes the DAG manifest anew when it changed, makes pools, closes jobs of lost runs.",
        schedule=DeltaTriggerTimetable(timedelta(minutes=minutes)),
        start_date=FIRST_DAY,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        tags=["s4c"],
    )
    with dag:
        SyncOperator(task_id="synchronise")
    return dag
