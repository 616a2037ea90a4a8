"""``s4c db``: the schema of the domain database."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.output import note, print_record, say
from s4c_lib.cli.session import Session, session_of
from s4c_lib.errors import DatabaseUnavailableError

app = noun("The schema of the domain database.")

Wait = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Wait this long for the server to answer.")]


@app.command(epilog=examples("s4c db migrate --wait 60"))
def migrate(context: typer.Context, wait: Wait = 0) -> None:
    """Bring the schema up to this release; what is in force already is left alone."""
    from s4c_lib.catalog import migrations
    from s4c_lib.settings import MIGRATIONS

    session = session_of(context)
    _await(session, wait)
    applied = migrations.migrate(session.database, MIGRATIONS)
    for name in applied:
        note(f"applied {name}")
    say(f"{session.database.place}: {len(applied)} migrations applied, the schema is up to date")


@app.command(epilog=examples("s4c db status --json"))
def status(context: typer.Context, wait: Wait = 0, as_json: AsJson = False) -> None:
    """Say where the database is, its version, and which migrations it has and lacks."""
    from s4c_lib.catalog import migrations
    from s4c_lib.settings import MIGRATIONS

    session = session_of(context)
    _await(session, wait)
    found = migrations.status(session.database, MIGRATIONS)
    print_record(
        {
            "database": session.database.place,
            "server": session.database.ping(),
            "applied": found.applied,
            "pending": found.pending,
        },
        as_json=as_json,
    )
    if found.pending:
        note("run 's4c db migrate'")


def _await(session: Session, seconds: float) -> None:
    """Wait until the server answers.

    Raises
    ------
    DatabaseUnavailableError : it still does not after these seconds.
    """
    deadline = time.monotonic() + seconds
    said = False
    while True:
        try:
            session.database.ping()
            return
        except DatabaseUnavailableError:
            if time.monotonic() >= deadline:
                raise
        if not said:
            note(f"waiting for {session.database.place}")
            said = True
        time.sleep(min(1.0, max(0.05, deadline - time.monotonic())))
