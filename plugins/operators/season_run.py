"""The tasks of every season DAG: open the run's job, compute, close it."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError, AirflowSkipException

from operators.base import OPEN_TASK, DomainOperator, retried_by_class

if TYPE_CHECKING:
    from airflow.sdk import Context

    from s4c_lib.catalog.jobs import Job
    from s4c_lib.runs import Opening, RunRequest

START_TYPES = {"scheduled": "scheduled", "backfill": "backfill"}
# removed: a mapped task of an earlier try that had more chunks
FINISHED_WELL = {"success", "skipped", "removed"}


class OpenRunOperator(DomainOperator):
    """Make the run's job and start it; wait, without a worker, for its inputs and for the lock.

    Looks once; only when the run is not ready it defers to a trigger, then looks again.

    Parameters
    ----------
    site, season, processor : short names.
    """

    def __init__(self, *, site: str, season: str, processor: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.site = site
        self.season = season
        self.processor = processor

    def execute(self, context: Context) -> int:
        """Open the run."""
        return self._open(context)

    def resume(self, context: Context, event: dict[str, Any]) -> int:
        """Go on after waiting."""
        self.log.info("Looking again: %s", event["reason"])
        return self._open(context)

    def _open(self, context: Context) -> int:
        from s4c_lib.errors import Sen4capError
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.runs import open_run

        with retried_by_class():
            request = self._request(context)
            try:
                opening = open_run(self.database(), request, now=utc_now())
                if opening.holder is not None and self._release_lost(context, opening):
                    opening = open_run(self.database(), request, now=utc_now())
            except Sen4capError as error:
                if not error.retryable:
                    self._fail_job(request, error)
                raise
        context["ti"].xcom_push(key="job_id", value=opening.job_id)
        if opening.status == "skipped":
            raise AirflowSkipException(opening.text)
        if opening.status == "waiting":
            self.log.info("Job %s waits: %s", opening.job_id, opening.text)
            self._defer(opening)
        self.log.info("Job %s started", opening.job_id)
        return opening.job_id

    def _request(self, context: Context) -> RunRequest:
        from s4c_lib.run_requests import AMONG_SETTINGS
        from s4c_lib.runs import RunRequest

        dag_run = context["dag_run"]
        start_type = START_TYPES.get(str(getattr(dag_run.run_type, "value", dag_run.run_type)), "manual")
        end = dag_run.data_interval_end
        options = {key: value for key, value in context["params"].items() if value not in (None, "", [])}
        settings = options.pop("settings", {})
        # form fields that are parameters of the registry carry their key as name
        settings = {**settings, **{key: options.pop(key) for key in [name for name in options if "." in name]}}
        for name in AMONG_SETTINGS:
            if value := settings.pop(name, None):
                options[name] = value
        return RunRequest(
            site=self.site,
            season=self.season,
            processor=self.processor,
            key=dag_run.run_id,
            start_type=start_type,
            requested_by=getattr(dag_run, "triggering_user_name", None) or "airflow",
            occurrence=end.date() if start_type != "manual" and end is not None else None,
            settings=settings,
            options=options,
            airflow_dag_id=dag_run.dag_id,
            airflow_run_id=dag_run.run_id,
            after=None if self.processor == "ingest" or start_type == "manual" else self._earlier_run(context),
        )

    def _earlier_run(self, context: Context) -> str | None:
        """Return the run of the same DAG before this one that is under way without an open job.

        Airflow starts the runs of a backfill together, and the first task of a later one may come first. Once the
        earlier run has its job, rule R5 holds the later one back.
        """
        from s4c_lib.catalog.jobs import find_job
        from s4c_lib.catalog.seasons import get_season
        from s4c_lib.catalog.sites import get_site

        earlier = context["ti"].get_previous_dagrun(state="running")
        kind = None if earlier is None else str(getattr(earlier.run_type, "value", earlier.run_type))
        if earlier is None or kind not in START_TYPES:
            return None
        with self.database().begin() as connection:
            season = get_season(connection, get_site(connection, self.site), self.season)
            job = find_job(connection, season.id, self.processor, earlier.run_id)
        return earlier.run_id if job is None else None

    def _release_lost(self, context: Context, opening: Opening) -> bool:
        """End the job that holds the lock when nobody works on it any more."""
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.runs import release_dead, release_lost

        holder = opening.holder
        if holder is None:
            return False
        if holder.airflow_dag_id is None or holder.airflow_run_id is None:
            return release_dead(self.database(), holder, now=utc_now())
        state = self._run_state(context, holder.airflow_dag_id, holder.airflow_run_id)
        return release_lost(self.database(), holder.id, state)

    def _run_state(self, context: Context, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run, or None when it was deleted."""
        try:
            state = context["ti"].get_dagrun_state(dag_id=dag_id, run_id=run_id)
            return str(getattr(state, "value", state))
        except AirflowRuntimeError as error:
            if (error.error.detail or {}).get("status_code") != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _fail_job(self, request: RunRequest, error: Exception) -> None:
        from s4c_lib.runs import fail_request

        fail_request(self.database(), request, error)

    def _defer(self, opening: Opening) -> None:
        from s4c_airflow.triggers import MayStartTrigger

        self.defer(
            trigger=MayStartTrigger(
                opening.job_id, self.connection_id, opening.first_check_seconds, opening.poll_seconds
            ),
            method_name="resume",
        )


class CloseRunOperator(DomainOperator):
    """End the run's job by what became of its tasks; a teardown, so it runs whatever happened."""

    def execute(self, context: Context) -> str:
        """Close the run."""
        from s4c_lib.catalog.jobs import get_job
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.unfetched import unfetched
        from s4c_lib.runs import close_run

        ti, database, job_id = context["ti"], self.database(), self.job_id(context)
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
        failed = {
            task: str(state)
            for task, state in states.items()
            if task not in {self.task_id, OPEN_TASK} and state is not None and str(state) not in FINISHED_WELL
        }
        with database.begin() as connection:
            ingest = get_job(connection, job_id).processor == "ingest"
        left = unfetched(database, job_id, now=utc_now()) if ingest else None
        job = close_run(database, job_id, failed_tasks=failed, unfetched=left)
        if job.processor == "ingest":
            self._tell_ledger(job)
        self.log.info("Job %s ended %s %s", job.id, job.state, job.detail or "")
        if failed or str(job.state) == "failed":
            # This task is the run's only leaf: if it ended well, Airflow would call the run successful.
            raise AirflowFailException(f"Job {job.id} {job.state}: {job.detail}")
        return str(job.state)

    def _tell_ledger(self, job: Job) -> None:
        """Put the ledger of the season into the log: counts, then what failed or waits."""
        from s4c_lib.catalog.seasons import season_by_id
        from s4c_lib.ingest.clock import utc_now
        from s4c_lib.ingest.context import context_of_job
        from s4c_lib.ingest.ledger import ledger_lines, season_ledger

        database, now = self.database(), utc_now()
        first, stop = context_of_job(database, job.id, today=now.date()).sensing_range()
        with database.begin() as connection:
            season = season_by_id(connection, job.season_id)
            rows = season_ledger(connection, job.site_id, date_from=first, date_to=stop, now=now)
        everything = f"s4c acquisitions list {season.site} {season.short_name} --all --csv"
        for line in ledger_lines(rows, everything=everything):
            self.log.info("%s", line)


class ComputeOperator(DomainOperator):
    """Compute the product of the run's processor, and publish it whole.

    Parameters
    ----------
    processor : short name; the job says the same, the DAG shows it.
    """

    def __init__(self, *, processor: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processor = processor

    def execute(self, context: Context) -> dict[str, int]:
        """Compute, register, and return counts."""
        from s4c_lib.progress import thinned
        from s4c_lib.season_computation import carry_out

        database = self.database()
        with self.running_job(context) as job_id, retried_by_class(), self.explained(database, job_id):
            return carry_out(database, job_id, progress=thinned(self._tell, clock=time.monotonic))

    def _tell(self, done: int, total: int, what: str) -> None:
        self.log.info("%s (%s of %s)", what, done, total)
