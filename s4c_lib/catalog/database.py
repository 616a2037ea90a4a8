"""Connections to the domain database, the two spellings of its address, and the versions of its server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from s4c_lib.errors import DatabaseUnavailableError, InputError, MigrationError, StorageError

APPLICATION_NAME = "s4c"
# undefined table, schema, column and type
_NOT_MIGRATED = {"42P01", "3F000", "42703", "42704"}
_DISK_FULL = "53100"


def database_url(url: str, style: Literal["sqlalchemy", "plain"]) -> str:
    """Spell the address of the database for SQLAlchemy (``postgresql+psycopg2://``) or plainly.

    Raises
    ------
    InputError : the text is no PostgreSQL address.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError(
            "The database address cannot be read.", hint="it looks like postgresql://user:password@host:5432/s4c"
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise InputError(
            f"The domain database must be PostgreSQL, not {parsed.get_backend_name()!r}.",
            hint="it looks like postgresql://user:password@host:5432/s4c",
        )
    driver = "postgresql+psycopg2" if style == "sqlalchemy" else "postgresql"
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


@lru_cache(maxsize=4)
def _engine(url: str, process: int) -> Engine:
    """Make the engine of a process: a connection must not be shared with a child made by fork."""
    return create_engine(
        database_url(url, "sqlalchemy"),
        pool_size=2,
        max_overflow=4,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "application_name": APPLICATION_NAME, "options": "-c timezone=UTC"},
    )


class Database:
    """The domain database at an address. Cheap to make: engines are shared within a process.

    Parameters
    ----------
    url : ``postgresql://user:password@host:port/name``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url, os.getpid())

    @property
    def place(self) -> str:
        """Host, port and name, for messages; never the password."""
        parsed = self.engine.url
        return f"{parsed.host or 'local socket'}:{parsed.port or 5432}/{parsed.database}"

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open one transaction: committed at the end, rolled back on any error.

        Raises
        ------
        DatabaseUnavailableError : the server cannot be reached or gave the transaction up (deadlock, shutdown), or
            all connections of this process stayed in use.
        MigrationError : the schema is missing or older than this release; ``s4c db migrate`` brings it up to date.
        """
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            code = getattr(error.orig, "pgcode", None)
            if code == _DISK_FULL:
                raise StorageError("The disk of the database is full.", hint="free space there") from error
            if code is not None and not error.connection_invalidated:
                raise DatabaseUnavailableError(
                    f"The domain database at {self.place} gave up: {_first_line(error)}", hint="try again"
                ) from error
            raise DatabaseUnavailableError(
                f"The domain database at {self.place} cannot be reached: {_first_line(error)}",
                hint="check S4C_DATABASE_URL and that PostgreSQL runs",
            ) from error
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError(
                f"All connections of this process to the domain database at {self.place} are in use.",
                hint="try again",
            ) from error
        except ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) in _NOT_MIGRATED:
                raise MigrationError(
                    f"The database at {self.place} does not fit this release: {_first_line(error)}",
                    hint="run 's4c db migrate'",
                ) from error
            raise

    def ping(self) -> str:
        """Return the server's version, or raise."""
        with self.begin() as connection:
            return str(connection.execute(text("SHOW server_version")).scalar_one())


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Versions of the database server; ``postgis`` is None where the extension is missing."""

    postgresql: str
    postgresql_major: int
    postgis: str | None


def server_facts(connection: Connection) -> ServerFacts:
    """Return the versions of PostgreSQL and PostGIS."""
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    version = str(connection.execute(text("SHOW server_version")).scalar_one())
    postgis = connection.execute(
        text("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
    ).scalar_one_or_none()
    return ServerFacts(version, number // 10_000, postgis)
