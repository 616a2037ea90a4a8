"""One at a time in the whole installation: a lock of the database that ends with its holder, however that happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from s4c_lib.catalog.database import Database
from s4c_lib.errors import ConflictError

_KEY = "hashtextextended('s4c only one ' || :what, 0)"


@contextmanager
def only_one(database: Database, what: str) -> Iterator[None]:
    """Hold the lock of a piece of housekeeping.

    Raises
    ------
    ConflictError : another process holds it.
    """
    with database.begin() as connection:  # says in our words that the database is away
        connection.execute(text("SELECT 1"))
    with database.engine.connect() as connection:
        held = connection.execute(text(f"SELECT pg_try_advisory_lock({_KEY})"), {"what": what}).scalar_one()
        connection.commit()  # the lock belongs to the session; no transaction stays open for hours
        if not held:
            raise ConflictError(f"Another {what} is under way.", hint="wait until it ends")
        try:
            yield
        finally:
            # Where that fails the session is over, and its lock with it.
            with suppress(DBAPIError):
                connection.execute(text(f"SELECT pg_advisory_unlock({_KEY})"), {"what": what})
            connection.invalidate()
