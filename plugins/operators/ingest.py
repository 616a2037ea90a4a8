"""The tasks of an ingest: query, fetch (one chunk each), register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from operators.base import DomainOperator, retried_by_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.context import IngestContext


def load_run(database: Database, job_id: int) -> IngestContext:
    """Return the ingest context of a job."""
    from datetime import date

    from s4c_lib.catalog.jobs import get_job
    from s4c_lib.ingest.context import load_context
    from s4c_lib.ingest.fetch import utc_now

    with database.begin() as connection:
        job = get_job(connection, job_id)
    occurrence = job.params.get("occurrence")
    before = None if occurrence is None else date.fromisoformat(occurrence)
    return load_context(database, job.season_id, today=utc_now().date(), before=before, job_id=job_id)


class IngestOperator(DomainOperator):
    """An ingest task: it knows its job and adds its counts to it."""

    def record(self, database: Database, job_id: int, counts: Mapping[str, int]) -> None:
        """Add this task's numbers to the job's, and say them in the log."""
        from s4c_lib.catalog.jobs import add_counts

        with database.begin() as connection:
            add_counts(connection, job_id, counts)
        self.log.info("%s", ", ".join(f"{key} {value}" for key, value in counts.items()))


class QueryOperator(IngestOperator):
    """Search the windows that are due, and decide what the site uses."""

    def execute(self, context: Context) -> dict[str, int]:
        """Query and return counts."""
        from s4c_lib.catalog.query_windows import requery
        from s4c_lib.ingest.fetch import utc_now
        from s4c_lib.ingest.query import run_query
        from s4c_lib.ingest.register import process_owner
        from s4c_lib.ingest.steps import l2a_programs

        database, job_id = self.database(), self.running_job(context)
        with retried_by_class():
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
                l2a_executors=l2a_programs(),
                progress=self._progress,
            )
            self.record(database, job_id, outcome.counts())
            for line in outcome.errors:
                self.log.warning("%s", line)
            if outcome.windows_failed and not outcome.windows:
                # not for Airflow to retry: the windows are in their pause, and it would find none due and end well
                raise AirflowFailException(f"No query window could be searched: {outcome.errors[0]}")
        return outcome.counts()

    def _progress(self, done: int, total: int, label: str) -> None:
        self.log.info("window %s of %s: %s", done, total, label)


class PlanFetchOperator(IngestOperator):
    """Divide what waits at one source into chunks; the fetch task is mapped over them.

    Parameters
    ----------
    source : name of the data source.
    slots : how many transfers from it may go on at once.
    """

    def __init__(self, *, source: str, slots: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.slots = slots

    def execute(self, context: Context) -> list[int]:
        """Return how many acquisitions each fetch task takes."""
        from s4c_lib.ingest.fetch import plan_chunks, prepare, utc_now
        from s4c_lib.ingest.register import process_owner

        database, job_id = self.database(), self.running_job(context)
        with retried_by_class():
            ingest = load_run(database, job_id)
            prepare(database, ingest, now=utc_now(), actor=process_owner(job_id, self.task_id))
            chunks = plan_chunks(database, ingest, self.source, slots=self.slots)
        self.log.info("%s acquisitions to fetch from %s in %s tasks", sum(chunks), self.source, len(chunks))
        return chunks


class FetchOperator(IngestOperator):
    """Fetch some acquisitions of one source; mapped over the planned chunks.

    Parameters
    ----------
    source : name of the data source.
    chunk : how many acquisitions this task takes at most.
    """

    def __init__(self, *, source: str, chunk: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.chunk = chunk

    def execute(self, context: Context) -> dict[str, int]:
        """Fetch and return counts."""
        from s4c_lib.catalog.transfers import give_back
        from s4c_lib.ingest.fetch import run_fetch, utc_now
        from s4c_lib.ingest.register import process_owner

        database, job_id = self.database(), self.running_job(context)
        task = f"{self.task_id}[{context['ti'].map_index}]"
        with retried_by_class():
            # Airflow runs one try of a task at a time: what an earlier one holds, nobody works on.
            with database.begin() as connection:
                given_back = give_back(connection, f"job {job_id} {task} ")
            if given_back:
                self.log.info("%s acquisitions of a try that died are taken up again", given_back)
            outcome = run_fetch(
                database,
                load_run(database, job_id),
                self.source,
                owner=process_owner(job_id, task),
                limit=self.chunk,
                clock=utc_now,
                progress=self._progress,
            )
            self.record(database, job_id, outcome.counts())
        return outcome.counts()

    def _progress(self, done: int, total: int, name: str) -> None:
        self.log.info("%s of %s: %s", done, total, name)


class RegisterOperator(IngestOperator):
    """Register what was fetched and needs no further processing."""

    def execute(self, context: Context) -> dict[str, int]:
        """Register and return counts."""
        from s4c_lib.ingest.fetch import utc_now
        from s4c_lib.ingest.register import process_owner, run_register

        database, job_id = self.database(), self.running_job(context)
        with retried_by_class():
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
    step : ``preprocess``, ``vegetation`` or ``statistics``.
    slots : how many tasks of it may go on at once.
    """

    def __init__(self, *, step: str, slots: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.slots = slots

    def execute(self, context: Context) -> list[int]:
        """Return how many pieces each task takes."""
        from s4c_lib.ingest.fetch import utc_now
        from s4c_lib.ingest.steps import derived_step

        database, job_id = self.database(), self.running_job(context)
        with retried_by_class():
            step = derived_step(self.step)
            chunks = step.chunks(database, load_run(database, job_id), now=utc_now(), slots=self.slots)
        self.log.info("%s pieces of %s in %s tasks", sum(chunks), self.step, len(chunks))
        return chunks


class StepOperator(IngestOperator):
    """Make some pieces of a step; mapped over the planned chunks.

    Parameters
    ----------
    step : ``preprocess``, ``vegetation`` or ``statistics``.
    chunk : how many pieces this task makes at most.
    """

    def __init__(self, *, step: str, chunk: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.chunk = chunk

    def execute(self, context: Context) -> dict[str, int]:
        """Make them and return counts."""
        from s4c_lib.catalog import derivations, unit_claims
        from s4c_lib.ingest.fetch import utc_now
        from s4c_lib.ingest.register import process_owner
        from s4c_lib.ingest.steps import derived_step, step_counts

        database, job_id = self.database(), self.running_job(context)
        task = f"{self.task_id}[{context['ti'].map_index}]"
        step = derived_step(self.step)
        with retried_by_class():
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
                progress=self._progress,
            )
            counts = step_counts(step, outcome)
            self.record(database, job_id, counts)
        return counts

    def _progress(self, done: int, total: int, name: str) -> None:
        self.log.info("%s of %s: %s", done, total, name)
