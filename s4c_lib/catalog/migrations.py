"""Applying the numbered SQL files of ``sql/migrations`` to the domain database, by yoyo-migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
from sqlalchemy import text
from sqlalchemy.engine import make_url

from s4c_lib.catalog.database import Database, database_url
from s4c_lib.errors import DatabaseUnavailableError, MigrationError

# The books of yoyo lie in one named schema: left to the search path they would move to schema s4c as soon as that
# exists where the user is called s4c too, and every migration would look pending again.
BOOKS_SCHEMA = "public"
WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Names of the migrations in force and of those still to apply, in order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


def _migrations(folder: Path) -> Any:
    from yoyo import read_migrations

    found = read_migrations(str(folder))
    if not found:
        raise MigrationError(f"No migrations in {folder}.", hint="the installation is incomplete")
    return found


def status(database: Database, folder: Path) -> MigrationStatus:
    """Tell which migrations the database has and which it lacks; nothing is changed."""
    with database.begin() as connection:
        books = f"{BOOKS_SCHEMA}._yoyo_migration"
        exists = connection.execute(text("SELECT to_regclass(:books)"), {"books": books}).scalar_one()
        known = set(connection.execute(text(f"SELECT migration_id FROM {books}")).scalars()) if exists else set()
    names = [migration.id for migration in _migrations(folder)]
    return MigrationStatus(
        tuple(name for name in names if name in known), tuple(name for name in names if name not in known)
    )


def migrate(
    database: Database, folder: Path, *, until: str | None = None, wait_seconds: float = WAIT_SECONDS
) -> tuple[str, ...]:
    """Apply what is pending, each file in one transaction, and return the names applied.

    Parameters
    ----------
    until : last migration to apply; all by default.
    wait_seconds : how long another migration of the same database is waited for.

    Raises
    ------
    DatabaseUnavailableError : the server is away, or another migration takes longer than that.
    MigrationError : a file failed; it left nothing behind, those before it stay applied.
    """
    migrations = _migrations(folder)
    if until is not None:
        migrations = migrations.filter(lambda migration: migration.id <= until)
    database.ping()  # a clear message when the server is away
    applied = []
    with _backend(database) as backend:
        _wait_for_others(backend, database, wait_seconds)
        for migration in backend.to_apply(migrations):
            try:
                # With the entry in the books: a process killed between the two would leave them apart.
                with backend.transaction():
                    migration.process_steps(backend, "apply")
                    backend.mark_one(migration, log=False)
            except psycopg2.Error as error:
                raise MigrationError(
                    f"Migration {migration.id} failed and was rolled back: {str(error).strip().splitlines()[0]}",
                    hint="the database is as before it",
                ) from error
            applied.append(migration.id)
    return tuple(applied)


@contextmanager
def _backend(database: Database) -> Iterator[Any]:
    from yoyo import get_backend

    url = make_url(database_url(database.url, "plain")).update_query_dict({"schema": BOOKS_SCHEMA})
    backend = get_backend(url.render_as_string(hide_password=False))
    try:
        yield backend
    finally:
        backend.connection.close()


def _wait_for_others(backend: Any, database: Database, wait_seconds: float) -> None:
    """Lock out other migrations of the database until the session ends, however it ends."""
    backend.execute("SELECT set_config('lock_timeout', :limit, false)", {"limit": f"{wait_seconds * 1000:.0f}ms"})
    try:
        backend.execute("SELECT pg_advisory_lock(hashtextextended('s4c migrations', 0))")
    except psycopg2.errors.LockNotAvailable as error:
        raise DatabaseUnavailableError(
            f"Another migration of {database.place} is running since more than {wait_seconds:g} s.",
            hint="wait for it to end",
        ) from error
    backend.execute("SET lock_timeout TO DEFAULT")
    # We are alone: a lock of yoyo's own that is still there belongs to a killed process.
    backend.break_lock()
