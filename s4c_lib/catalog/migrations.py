"""Applying the numbered SQL files of ``sql/migrations`` to the domain database, by yoyo-migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s4c_lib.catalog.database import Database, database_url
from s4c_lib.errors import DatabaseUnavailableError, MigrationError


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Names of the migrations in force and of those still to apply, in order."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]


@contextmanager
def _backend(database: Database) -> Iterator[Any]:
    from yoyo import get_backend
    from yoyo.exceptions import LockTimeout

    database.ping()  # a clear message when the server is away
    backend = get_backend(database_url(database.url, "plain"))
    try:
        yield backend
    except LockTimeout as error:
        raise DatabaseUnavailableError(
            f"Another migration of {database.place} is running or was killed: {error}",
            hint="wait for it; if none runs, delete the row of table yoyo_lock",
        ) from error
    finally:
        backend.connection.close()


def _migrations(folder: Path) -> Any:
    from yoyo import read_migrations

    found = read_migrations(str(folder))
    if not found:
        raise MigrationError(f"No migrations in {folder}.", hint="the installation is incomplete")
    return found


def status(database: Database, folder: Path) -> MigrationStatus:
    """Tell which migrations the database has and which it lacks."""
    migrations = _migrations(folder)
    with _backend(database) as backend:
        pending = tuple(migration.id for migration in backend.to_apply(migrations))
    return MigrationStatus(tuple(m.id for m in migrations if m.id not in pending), pending)


def migrate(database: Database, folder: Path, *, until: str | None = None) -> tuple[str, ...]:
    """Apply what is pending, each file in one transaction, and return the names applied.

    Parameters
    ----------
    until : last migration to apply; all by default.
    """
    migrations = _migrations(folder)
    if until is not None:
        migrations = migrations.filter(lambda migration: migration.id <= until)
    applied = []
    with _backend(database) as backend, backend.lock(timeout=60):
        for migration in backend.to_apply(migrations):
            try:
                backend.apply_one(migration)
            except Exception as error:
                raise MigrationError(
                    f"Migration {migration.id} failed and was rolled back: {str(error).strip().splitlines()[0]}",
                    hint="the database is as before it",
                ) from error
            applied.append(migration.id)
    return tuple(applied)
