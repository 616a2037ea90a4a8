"""The tasks of an ingest that fetch: plan one source, fetch a chunk; what lies on tape is waited for without a slot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from operators.accounts import airflow_access
from operators.base import retried_by_class
from operators.ingest import IngestOperator, load_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from s4c_lib.catalog.database import Database
    from s4c_lib.ingest.context import IngestContext
    from s4c_lib.ingest.fetch import FetchOutcome


class PlanFetchOperator(IngestOperator):
    """Order what lies on tape and divide what waits at one source into chunks; the fetch task is mapped over them.

    Parameters
    ----------
    source : name of the data source.
    slots : how many transfers from it may go on at once.
    """

    def __init__(self, *, source: str, slots: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.slots = slots

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return how many acquisitions each fetch task takes, and which of them wait for what comes later."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.fetch import plan_chunks, prepare
        from s4c_lib.ingest.lease import process_owner
        from s4c_lib.ingest.staging import look_after

        database = self.database()
        with self.running_job(context) as job_id, retried_by_class():
            owner, ingest = process_owner(job_id, self.task_id), load_run(database, job_id)
            prepare(database, ingest, now=utc_now(), actor=owner)
            # everything on tape is ordered here, before any transfer begins and before anything is waited for
            left = look_after(database, ingest, self.source, access=airflow_access(), clock=utc_now, actor=owner)
            chunks = plan_chunks(database, ingest, self.source, slots=self.slots)
        self.log.info("%s: %s; %s tasks", self.source, left.text, len(chunks))
        # as many tasks as may go on at once are enough to take what comes online
        return [{"chunk": chunk, "waits": number < self.slots} for number, chunk in enumerate(chunks)]


class FetchOperator(IngestOperator):
    """Fetch some acquisitions of one source; mapped over the planned chunks.

    Parameters
    ----------
    source : name of the data source.
    chunk : how many acquisitions this task takes at a time at most.
    waits : whether it waits, without a slot, for what is being brought online.
    """

    def __init__(self, *, source: str, chunk: int, waits: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.chunk = chunk
        self.waits = waits

    def execute(self, context: Context) -> dict[str, int]:
        """Fetch and return counts."""
        return self._fetch(context, fruitless=0)

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, int]:
        """Go on after waiting."""
        self.log.info("Going on: %s", event["text"])
        return self._fetch(context, fruitless=int(event["fruitless"]))

    def _fetch(self, context: Context, *, fruitless: int) -> dict[str, int]:
        from s4c_lib.catalog.transfers import give_back
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.fetch import run_fetch
        from s4c_lib.ingest.lease import process_owner

        database = self.database()
        task = f"{self.task_id}[{context['ti'].map_index}]"
        with self.running_job(context) as job_id, retried_by_class():
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
                access=airflow_access(),
                progress=self.say_progress,
            )
            self.record(database, job_id, outcome.counts())
        if outcome.held_back is not None:
            self.log.warning("Held back: %s", outcome.held_back)
        if self.waits:
            self._wait_for_the_rest(database, job_id, task, outcome, fruitless)
        return outcome.counts()

    def _wait_for_the_rest(
        self, database: Database, job_id: int, task: str, outcome: FetchOutcome, fruitless: int
    ) -> None:
        """Give the slot up until something more can be fetched; end where nothing will come by itself."""
        from s4c_airflow.staged_trigger import StagedTrigger
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.fetch_all import MOST_FRUITLESS_WAITS, pause_seconds
        from s4c_lib.ingest.lease import process_owner
        from s4c_lib.ingest.staging import look_after

        ingest, owner = load_run(database, job_id), process_owner(job_id, task)
        # some sources say only when asked for the bytes that a product lies on tape: it is ordered now
        left = look_after(database, ingest, self.source, access=airflow_access(), clock=utc_now, actor=owner)
        if not left.worth_waiting:
            return
        if not outcome.fetched and not left.staging:
            # a source that asks to wait again and again, and gives nothing in between
            fruitless += 1
        else:
            fruitless = 0
        if fruitless > MOST_FRUITLESS_WAITS:
            self.log.warning("%s: left to the next run", left.text)
            return
        until = self._waits_until(database, job_id, ingest)
        if utc_now() >= until:
            self.log.info("%s: left to a later run, as staging.wait_hours is over", left.text)
            return
        self.log.info("Waiting without a slot: %s", left.text)
        self.defer(
            trigger=StagedTrigger(
                job_id,
                self.source,
                self.connection_id,
                first_check_seconds=pause_seconds(ingest, {self.source: left}, utc_now()),
                poll_seconds=float(ingest.parameters["staging.poll_seconds"]),
                fruitless=fruitless,
                until=until.isoformat(),
            ),
            method_name="resume",
        )

    @staticmethod
    def _waits_until(database: Database, job_id: int, ingest: IngestContext) -> datetime:
        """Return when the run goes on without what is on tape: it must not keep all else waiting."""
        from s4c_lib.catalog.jobs import get_job

        with database.begin() as connection:
            job = get_job(connection, job_id)
        return (job.started_at or job.submitted_at) + timedelta(hours=float(ingest.parameters["staging.wait_hours"]))
