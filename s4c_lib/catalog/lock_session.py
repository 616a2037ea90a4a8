"""A session of the database for locks that outlive transactions and end with their process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from s4c_lib.catalog.database import Database

# A machine that lost its power says nothing: the server asks after a minute, and gives up a minute later.
_ASK = "SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6"


@contextmanager
def lock_session(database: Database) -> Iterator[Connection]:
    """Open a connection; whoever locks in it commits, so that no transaction stays open for hours.

    Raises
    ------
    DatabaseUnavailableError : the server cannot be reached.
    """
    with database.begin() as connection:  # says in our words that the database is away
        connection.execute(text("SELECT 1"))
    with database.engine.connect() as connection:
        connection.execute(text(_ASK))
        connection.commit()
        try:
            yield connection
        finally:
            # Given back here: the server takes its time to notice the end of a session. Where that fails the session is
            # over, and its locks with it. The connection goes back to the pool, and must not take a lock along.
            with suppress(DBAPIError):
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.invalidate()
