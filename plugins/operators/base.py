"""What our operators share: the domain database, the outcome of errors, the job of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from s4c_lib.catalog.database import Database

CONNECTION_ID = "s4c_db"
OPEN_TASK = "open"

# Given to every DAG, mapped tasks take them too. A task that ends a run holds its lock until it is tried again: the
# first pause is short (sooner still where Airflow's own default is), the last ones as long as a database takes to come
# back: ten minutes in all.
TASK_DEFAULTS: Final[Mapping[str, Any]] = {
    "owner": "sen4cap",
    "retries": 4,
    "retry_delay": min(timedelta(seconds=10), BaseOperator.retry_delay),
    "retry_exponential_backoff": 5.0,
    "max_retry_delay": timedelta(minutes=5),
}


class DomainOperator(BaseOperator):
    """An operator that reads and writes the domain database.

    Parameters
    ----------
    connection_id : Airflow connection of the domain database.
    """

    def __init__(self, *, connection_id: str = CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id

    def database(self) -> Database:
        """Return the domain database of the connection; from now on this process keeps its compiled kernels."""
        from s4c_lib.catalog.database import Database
        from s4c_lib.kernel_cache import keep_in
        from s4c_lib.settings import Settings

        keep_in(Settings().kernel_folder)
        return Database(BaseHook.get_connection(self.connection_id).get_uri())

    def job_id(self, context: Context) -> int:
        """Return the job of this run, as its first task said."""
        number = context["ti"].xcom_pull(task_ids=OPEN_TASK, key="job_id")
        if number is None:
            raise AirflowFailException(f"The task {OPEN_TASK!r} has not opened a job; clear it too.")
        return int(number)

    @contextmanager
    def running_job(self, context: Context) -> Iterator[int]:
        """Show that this process works on the job of this run; refuse to work without the job's lock.

        A task cleared alone, or a first task marked successful by hand, would otherwise work beside another run.
        """
        from s4c_lib.catalog.job_liveness import sign_of_life
        from s4c_lib.catalog.jobs import JobState, get_job

        number, database = self.job_id(context), self.database()
        with sign_of_life(database, number):
            # looked at under the lock: who ends the job after this sees that it is worked on
            with database.begin() as connection:
                job = get_job(connection, number)
            if job.state is not JobState.RUNNING:
                raise AirflowFailException(
                    f"Job {number} is {job.state}, not running; clear the task {OPEN_TASK!r} too."
                )
            yield number

    @contextmanager
    def explained(self, database: Database, job_id: int) -> Iterator[None]:
        """Put the reason of an error that no retry will mend on the job's record, not only in Airflow's log."""
        from s4c_lib.errors import Sen4capError
        from s4c_lib.runs import fail_run

        try:
            yield
        except Sen4capError as error:
            if not error.retryable:
                fail_run(database, job_id, error.one_line, error.code)
            raise


@contextmanager
def retried_by_class() -> Iterator[None]:
    """Let Airflow retry only what our errors call retryable; the others fail at once, in one line."""
    from s4c_lib.errors import Sen4capError

    try:
        yield
    except Sen4capError as error:
        if error.retryable:
            raise
        raise AirflowFailException(error.one_line) from error
