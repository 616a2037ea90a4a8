"""Wait for the database server and create what is missing: two databases, a role for each, PostGIS in ours.

Runs as the server's superuser, once at every ``init``. The passwords of the two roles are set to those of the secrets
each time, so that a changed secret takes effect.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql

WAIT_SECONDS = 120.0
_WRONG_PASSWORD = "28P01"


def connect(environ: Mapping[str, str], database: str) -> Any:
    """Connect as superuser, outside of transactions (``CREATE DATABASE`` refuses them)."""
    connection = psycopg2.connect(
        host=environ.get("S4C_DATABASE_HOST") or "postgis",
        port=int(environ.get("S4C_DATABASE_PORT") or 5432),
        user=environ.get("POSTGRES_USER") or "postgres",
        password=environ["POSTGRES_PASSWORD"],
        dbname=database,
        connect_timeout=5,
    )
    connection.autocommit = True
    return connection


def connect_when_ready(environ: Mapping[str, str], seconds: float) -> Any:
    """Connect to ``postgres``; a server that is still starting is waited for, a wrong password is not."""
    end = time.monotonic() + seconds
    while True:
        try:
            return connect(environ, "postgres")
        except psycopg2.OperationalError as error:
            # The driver gives no code for a failed login, only the server's words.
            refused = error.pgcode == _WRONG_PASSWORD or "password authentication failed" in str(error)
            if refused or time.monotonic() > end:
                raise
        time.sleep(1.0)


def ensure_role(cursor: Any, role: str, password: str) -> None:
    """Create a role that can log in and nothing else, or give it this password."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
    # The server would write the statement, password included, into its log if it failed or was slow.
    cursor.execute(
        "SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET log_min_duration_statement = -1"
    )
    cursor.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(password)
        )
    )


def ensure_database(cursor: Any, name: str, owner: str) -> None:
    """Create a database that only its owner may enter."""
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    if not cursor.fetchone():
        cursor.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def prepare(environ: Mapping[str, str]) -> list[str]:
    """Prepare both databases; return their names."""
    names = []
    with closing(connect_when_ready(environ, WAIT_SECONDS)) as connection, connection.cursor() as cursor:
        for prefix, default in (("AIRFLOW", "airflow"), ("S4C", "s4c")):
            role = environ.get(f"{prefix}_DATABASE_USER") or default
            name = environ.get(f"{prefix}_DATABASE_NAME") or default
            ensure_role(cursor, role, environ[f"{prefix}_DATABASE_PASSWORD"])
            ensure_database(cursor, name, role)
            names.append(name)
    # Only a superuser may install it, hence not a migration.
    with closing(connect(environ, names[-1])) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    return names


def main() -> int:
    """Prepare the databases of the environment; errors are one line."""
    try:
        names = prepare(os.environ)
    except psycopg2.Error as error:
        print(f"sen4cap: cannot prepare the databases: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"databases {' and '.join(names)} are ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
