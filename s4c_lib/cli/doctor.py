"""``s4c doctor``: whether everything is in order, and what to do where it is not."""

from __future__ import annotations

from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import note, print_records
from s4c_lib.cli.session import session_of
from s4c_lib.errors import EXIT_FAILED


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("doctor", epilog=examples("s4c doctor", "s4c doctor --problems --json"))(doctor)


def doctor(
    context: typer.Context,
    problems: Annotated[bool, typer.Option("--problems", help="Leave out what is in order.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check database, Airflow, manifest, storage and sources, and say what cannot run and why.

    Exit code 1 when something is broken; a limitation (something that is not made here) is none.
    """
    from s4c_lib.cli.check import Verdict
    from s4c_lib.cli.checks import check_all

    session = session_of(context)
    found = check_all(session)
    records = [
        {"check": item.name, "verdict": item.verdict, "what": item.text, "do": item.remedy}
        for item in found
        if not problems or item.verdict is not Verdict.OK
    ]
    columns = {"verdict": "verdict", "check": "check", "what": "what", "do": "what to do"}
    print_records(records, columns, as_json=as_json, none="everything is in order")
    broken = sum(item.verdict is Verdict.BROKEN for item in found)
    if broken:
        note(f"{broken} of {len(found)} checks failed")
        raise typer.Exit(EXIT_FAILED)
