"""``s4c changes``: who changed what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, day, examples, noun
from s4c_lib.cli.output import plain, print_records, shown
from s4c_lib.cli.session import session_of
from s4c_lib.errors import InputError, NotFoundError

app = noun("Changes of sites, seasons, data sources and parameters: who made them, and when.")


@app.command(
    "list",
    epilog=examples(
        "s4c changes list --site my_region",
        "s4c changes list --since 2026-05-01 --of season",
        "s4c changes list --json",
    ),
)
def list_changes(
    context: typer.Context,
    of_site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Of this site; a deleted one by its short name.")
    ] = None,
    since: Annotated[
        date | None, typer.Option("--since", parser=day, metavar="DATE", help="On this day or later.")
    ] = None,
    of_noun: Annotated[
        str | None,
        typer.Option("--of", metavar="NOUN", help="Only of a site, season, processor, source or parameter."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most changes shown.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List who changed which fields from what to what, newest first.

    A change made past this program, in the database itself, has the name of the database user.
    """
    from s4c_lib.catalog import changes, sites
    from s4c_lib.scheduling.dates import midnight

    if of_noun is not None and of_noun not in changes.NOUNS:
        raise InputError(f"There are no changes of a {of_noun!r}.", hint=f"choose from {', '.join(changes.NOUNS)}")
    with session_of(context).read() as connection:
        site = of_site
        if of_site is not None:
            try:
                site = sites.get_site(connection, of_site).short_name
            except NotFoundError:
                # one that was deleted is known by its records alone
                if not changes.list_changes(connection, site=of_site, limit=1):
                    raise
        found = changes.list_changes(
            connection, site=site, since=None if since is None else midnight(since), noun=of_noun, limit=limit
        )
    if as_json:
        print_records([plain(change) for change in found], {}, as_json=True, none="")
        return
    records = [{**plain(change), "at": change.at, "what": _fields(change.action, change.fields)} for change in found]
    columns = ("at", "actor", "action", "noun", "name", "site", "season", "what")
    print_records(records, {key: key for key in columns}, as_json=False, none="nothing was changed")


def _fields(action: str, fields: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return fields as a table tells of them; what came or went as a whole is told by its record."""
    if action != "changed" and len(fields) > 1:
        return None
    return "; ".join(f"{name}: {_value(one['from'])} -> {_value(one['to'])}" for name, one in sorted(fields.items()))


def _value(value: Any) -> str:
    return "none" if value is None else shown(value)
