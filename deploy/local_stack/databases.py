"""Databases on a PostgreSQL server, private or given by ``S4C_DATABASE_URL``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection
from sqlalchemy.engine import URL, make_url

from deploy.local_stack.errors import DatabaseServerError

DOMAIN_DATABASE = "s4c"
AIRFLOW_DATABASE = "airflow"
_MARK = "Airflow's own database, made by the local stack of Sen4CAP"


class DatabaseServer(Protocol):
    """A server that holds the domain database and Airflow's own."""

    def url_for(self, database: str) -> str:
        """Return the URL of a database."""

    def create_database(self, name: str) -> str:
        """Create a database unless it exists; return its URL."""


def database_url(user: str, password: str, host: str, port: int, database: str) -> str:
    """Return a plain URL, which psycopg2, yoyo and Airflow connections read alike."""
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{quote(database, safe='')}"


def why_unreachable(url: str) -> str | None:
    """Return why a database does not answer, None when it does."""
    try:
        psycopg2.connect(url, connect_timeout=5).close()
    except psycopg2.OperationalError as error:
        return " ".join(str(error).split())
    return None


def create_database(server_url: str, name: str, *, comment: str | None = None) -> bool:
    """Create a database unless it exists; return whether it was made."""
    with _AutoCommit(server_url) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is not None:
            return False
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if comment is not None:
            cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment)))
        return True


def has_table(url: str, name: str) -> bool:
    """Whether a database has a table, in the schemas it searches."""
    with _AutoCommit(url) as session, session.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (name,))
        row = cursor.fetchone()
        return row is not None and bool(row[0])


@dataclass(frozen=True, slots=True)
class GivenServer:
    """The server of ``S4C_DATABASE_URL``.

    Parameters
    ----------
    domain_url : the domain database; exists.
    airflow_url : Airflow's own database; None means ``airflow`` beside the domain database.
    """

    domain_url: str
    airflow_url: str | None = None

    def url_for(self, database: str) -> str:
        """Return the URL of a database of this server."""
        if database == DOMAIN_DATABASE:
            return _plain(make_url(self.domain_url))
        if database == AIRFLOW_DATABASE and self.airflow_url:
            return _plain(make_url(self.airflow_url))
        return _plain(make_url(self.domain_url).set(database=database))

    def create_database(self, name: str) -> str:
        """Create Airflow's database beside the domain database, unless an address was given for it.

        A database ``airflow`` that somebody else made is refused: migrating it could break the Airflow that owns it.
        """
        url = self.url_for(name)
        if name == DOMAIN_DATABASE or (name == AIRFLOW_DATABASE and self.airflow_url):
            return url
        advice = "set AIRFLOW__DATABASE__SQL_ALCHEMY_CONN to a database Airflow may use"
        try:
            made = create_database(self.url_for(DOMAIN_DATABASE), name, comment=_MARK)
        except errors.InsufficientPrivilege as error:
            raise DatabaseServerError(
                f"the user of S4C_DATABASE_URL may not create the database {name}", hint=advice
            ) from error
        if not made and _comment(self.url_for(DOMAIN_DATABASE), name) != _MARK:
            raise DatabaseServerError(
                f"the server of S4C_DATABASE_URL has a database {name} that was not made by this stack", hint=advice
            )
        return url

    def check(self) -> None:
        """Raise when the server does not answer or has no PostGIS."""
        reason = why_unreachable(self.url_for(DOMAIN_DATABASE))
        if reason is not None:
            raise DatabaseServerError(
                f"S4C_DATABASE_URL: {reason}", hint="correct it, or unset it for a private server"
            )
        with _AutoCommit(self.url_for(DOMAIN_DATABASE)) as session, session.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
            if cursor.fetchone() is None:
                raise DatabaseServerError(
                    "S4C_DATABASE_URL: this server has no PostGIS", hint="install its postgis package there"
                )

    @property
    def shown(self) -> str:
        """The address without its password."""
        return make_url(self.domain_url).render_as_string(hide_password=True)


class _AutoCommit:
    """A connection without transactions, closed at the end (psycopg2's own ``with`` only commits)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> connection:
        self.session = psycopg2.connect(self.url, connect_timeout=10)
        self.session.autocommit = True
        return self.session

    def __exit__(self, *_: object) -> None:
        self.session.close()


def _comment(server_url: str, database: str) -> str | None:
    with _AutoCommit(server_url) as session, session.cursor() as cursor:
        cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (database,))
        row = cursor.fetchone()
        return None if row is None else row[0]


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
