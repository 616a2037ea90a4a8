"""Whether processes work on a job: each holds a session lock as long as it does, one of a command line or of Airflow.

PostgreSQL drops the lock when the session ends, however that happens, so a killed process on any machine is
noticed. Airflow knows what became of a run, but calls a task failed before its process has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.lock_session import lock_session


@contextmanager
def sign_of_life(database: Database, job_id: int) -> Iterator[None]:
    """Show that this process works on a job; others may do so too."""
    with lock_session(database) as connection:
        connection.execute(
            text("SELECT pg_advisory_lock_shared(hashtextextended('s4c job ' || CAST(:id AS text), 0))"), {"id": job_id}
        )
        connection.commit()
        yield


def shows_life(connection: Connection, job_id: int) -> bool:
    """Tell whether a process works on a job."""
    return bool(worked_on(connection, [job_id]))


def worked_on(connection: Connection, job_ids: Collection[int]) -> list[int]:
    """Return which of these jobs a process works on, ascending."""
    statement = text(
        """
        SELECT id FROM unnest(CAST(:ids AS bigint[])) AS j (id)
        WHERE NOT pg_try_advisory_xact_lock(hashtextextended('s4c job ' || CAST(id AS text), 0)) ORDER BY 1
        """
    )
    return list(connection.execute(statement, {"ids": sorted(job_ids)}).scalars())
