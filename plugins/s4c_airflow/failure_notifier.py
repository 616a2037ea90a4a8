"""Told at once: a run that failed. The DAGs have it as ``on_failure_callback`` where notifications are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier

from operators.base import CONNECTION_ID

if TYPE_CHECKING:
    from airflow.sdk import Context


class FailureNotifier(BaseNotifier):
    """Says by mail and web hook that the run of the context failed, as the parameters ``notify.*`` wish.

    Airflow calls it in the DAG processor, once a run. Should that not happen, the next round of ``s4c__sync`` tells it.

    Parameters
    ----------
    connection_id : Airflow connection of the domain database.
    """

    template_fields = ()

    def __init__(self, connection_id: str = CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id

    def notify(self, context: Context) -> None:
        """Record the failure and send it; raises DeliveryError when nobody takes it."""
        from operators.notify import AirflowPost
        from s4c_lib.catalog.database import Database
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.notices.rounds import notify_of_failed_run

        # of a run without a task that failed Airflow tells only these two
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        database = Database(BaseHook.get_connection(self.connection_id).get_uri())
        try:
            outcome = notify_of_failed_run(database, AirflowPost(), dag_id, run_id, now=utc_now())
        finally:
            database.engine.dispose()
        outcome.enforce()
