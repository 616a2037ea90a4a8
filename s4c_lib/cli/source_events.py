"""``s4c source events``: when a source refused, why, and when it answered again."""

from __future__ import annotations

from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import plain, print_records
from s4c_lib.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Add the command to the noun ``source``."""
    app.command(epilog=examples("s4c source events cdse", "s4c source events cdse --limit 5 --json"))(events)


def events(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most events shown.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List when a source refused or asked to wait, why, and when it answered again; newest first."""
    from s4c_lib.catalog import data_sources, source_state

    with session_of(context).read() as connection:
        data_sources.get_sources(connection, name)
        found = source_state.source_events(connection, name)[: -limit - 1 : -1]
    print_records(
        [plain(event) for event in found] if as_json else [{**plain(event), "at": event.at} for event in found],
        {"at": "at", "opened": "refused", "reason": "reason", "error": "what it said"},
        as_json=as_json,
        none=f"{name} has not refused anything",
    )
