"""One at a time in the whole installation: a lock of the database that ends with its holder, however that happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.lock_session import lock_session
from s4c_lib.errors import ConflictError


@contextmanager
def only_one(database: Database, what: str) -> Iterator[None]:
    """Hold the lock of a piece of housekeeping.

    Raises
    ------
    ConflictError : another process holds it.
    """
    with lock_session(database) as connection:
        held = connection.execute(
            text("SELECT pg_try_advisory_lock(hashtextextended('s4c only one ' || :what, 0))"), {"what": what}
        ).scalar_one()
        connection.commit()
        if not held:
            raise ConflictError(f"Another {what} is under way.", hint="wait until it ends")
        yield
