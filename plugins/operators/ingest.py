"""The tasks of an ingest that search, register and process; those that fetch are in `operators.ingest_fetch`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from operators.accounts import airflow_access
from operators.base import DomainOperator, retried_by_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.context import IngestContext


def load_run(database: Database, job_id: int) -> IngestContext:
    """Return the ingest context of a job."""
    from s4c_lib.ingest.clock import utc_now
    from s4c_lib.ingest.context import context_of_job

    return context_of_job(database, job_id, today=utc_now().date())


class IngestOperator(DomainOperator):
    """An ingest task: it knows its job and adds its counts to it."""

    def record(self, database: Database, job_id: int, counts: Mapping[str, int]) -> None:
        """Add this task's numbers to the job's, and say them in the log."""
        from s4c_lib.catalog.jobs import add_counts

        with database.begin() as connection:
            add_counts(connection, job_id, counts)
        self.log.info("%s", ", ".join(f"{key} {value}" for key, value in counts.items()))

    def say_progress(self, done: int, total: int, name: str) -> None:
        """Say in the log which of how many is next."""
        self.log.info("%s of %s: %s", done, total, name)


class QueryOperator(IngestOperator):
    """Search the windows that are due, and decide what the site uses."""

    def execute(self, context: Context) -> dict[str, int]:
        """Query and return counts."""
        from s4c_lib.catalog.query_windows import requery
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.lease import process_owner
        from s4c_lib.ingest.query import run_query
        from s4c_lib.ingest.steps import configured_programs

        database = self.database()
        with self.running_job(context) as job_id, retried_by_class():
            ingest = load_run(database, job_id)
            if context["params"].get("requery"):
                with database.begin() as connection:
                    for satellite in ingest.satellites:
                        requery(connection, ingest.season.id, satellite)
            outcome = run_query(
                database,
                ingest,
                now=utc_now(),
                actor=process_owner(job_id, self.task_id),
                programs=configured_programs(),
                access=airflow_access(),
                progress=self._progress,
                clock=utc_now,
                wait=self._wait,
            )
            self.record(database, job_id, outcome.counts())
            for line in (*outcome.warnings, *outcome.errors):
                self.log.warning("%s", line)
            if outcome.windows_failed and not outcome.windows:
                # not for Airflow to retry: the windows are in their pause, and it would find none due and end well
                raise AirflowFailException(f"No query window could be searched: {outcome.errors[0]}")
        return outcome.counts()

    def _wait(self, seconds: float, text: str) -> None:
        self.log.info("%s", text)
        time.sleep(seconds)

    def _progress(self, done: int, total: int, label: str) -> None:
        self.log.info("window %s of %s: %s", done, total, label)


class RegisterOperator(IngestOperator):
    """Register what was fetched and needs no further processing."""

    def execute(self, context: Context) -> dict[str, int]:
        """Register and return counts."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.lease import process_owner
        from s4c_lib.ingest.register import run_register

        database = self.database()
        with self.running_job(context) as job_id, retried_by_class():
            outcome = run_register(
                database,
                load_run(database, job_id),
                owner=process_owner(job_id, self.task_id),
                job_id=job_id,
                clock=utc_now,
            )
            self.record(database, job_id, outcome.counts())
        return outcome.counts()


class PlanStepOperator(IngestOperator):
    """Divide the pieces of a step that can be made now into chunks; the step's task is mapped over them.

    Parameters
    ----------
    step : ``preprocess``, ``radar``, ``vegetation`` or ``statistics``.
    slots : how many tasks of it may go on at once.
    """

    def __init__(self, *, step: str, slots: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.slots = slots

    def execute(self, context: Context) -> list[int]:
        """Return how many pieces each task takes."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.steps import derived_step

        database = self.database()
        with self.running_job(context) as job_id, retried_by_class():
            step = derived_step(self.step)
            chunks = step.chunks(database, load_run(database, job_id), now=utc_now(), slots=self.slots)
        self.log.info("%s pieces of %s in %s tasks", sum(chunks), self.step, len(chunks))
        return chunks


class StepOperator(IngestOperator):
    """Make some pieces of a step; mapped over the planned chunks.

    Parameters
    ----------
    step : ``preprocess``, ``radar``, ``vegetation`` or ``statistics``.
    chunk : how many pieces this task makes at most.
    """

    def __init__(self, *, step: str, chunk: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.chunk = chunk

    def execute(self, context: Context) -> dict[str, int]:
        """Make them and return counts."""
        from s4c_lib.catalog import derivations, unit_claims
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.lease import process_owner
        from s4c_lib.ingest.steps import derived_step, step_counts

        database, step = self.database(), derived_step(self.step)
        task = f"{self.task_id}[{context['ti'].map_index}]"
        with self.running_job(context) as job_id, retried_by_class():
            # Airflow runs one try of a task at a time: what an earlier one holds, nobody works on.
            with database.begin() as connection:
                prefix = f"job {job_id} {task} "
                given_back = unit_claims.give_back(connection, prefix) + derivations.give_back(connection, prefix)
            if given_back:
                self.log.info("%s pieces of a try that died are taken up again", given_back)
            outcome = step.run(
                database,
                load_run(database, job_id),
                owner=process_owner(job_id, task),
                job_id=job_id,
                clock=utc_now,
                limit=self.chunk,
                progress=self.say_progress,
            )
            counts = step_counts(step, outcome)
            self.record(database, job_id, counts)
        return counts
