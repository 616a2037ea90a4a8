"""Whether the process behind a command-line job still lives: it holds a session lock as long as it does.

PostgreSQL drops the lock when the session ends, however that happens, so a killed process on any machine is
noticed. Jobs of Airflow need none: Airflow knows what became of their runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from s4c_lib.catalog.database import Database

_KEY = "hashtextextended('s4c job ' || CAST(:id AS text), 0)"


@contextmanager
def sign_of_life(database: Database, job_id: int) -> Iterator[None]:
    """Show that this process works on a job."""
    with database.engine.connect() as connection:
        connection.execute(text(f"SELECT pg_advisory_lock({_KEY})"), {"id": job_id})
        connection.commit()  # the lock belongs to the session; no transaction stays open for hours
        try:
            yield
        finally:
            # Given back here: the server takes its time to notice the end of a session. Where that fails the session is
            # over, and its lock with it. The connection goes back to the pool, and must not take the lock along.
            with suppress(DBAPIError):
                connection.execute(text(f"SELECT pg_advisory_unlock({_KEY})"), {"id": job_id})
            connection.invalidate()


def shows_life(connection: Connection, job_id: int) -> bool:
    """Tell whether a process works on a job."""
    free = connection.execute(text(f"SELECT pg_try_advisory_xact_lock({_KEY})"), {"id": job_id}).scalar_one()
    return not free
