"""``s4c retention``: what is kept how long; what a night would remove, and what nights did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, OfSite, examples, noun
from s4c_lib.cli.output import note, plain, print_record, print_records, size, warn
from s4c_lib.cli.session import session_of
from s4c_lib.errors import StorageError

if TYPE_CHECKING:
    from s4c_lib.retention import Planned

app = noun("Retention: which products and downloads are archived or removed, and when.")


@app.command(
    epilog=examples("s4c retention plan", "s4c retention plan --site my_region --json", "s4c retention plan --products")
)
def plan(
    context: typer.Context,
    of_site: OfSite = None,
    each: Annotated[bool, typer.Option("--products", help="Each product and download, not their numbers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the next night would archive and remove, and what keeps the rest. Nothing is changed."""
    from s4c_lib import retention
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.retention_policy import Action

    session = session_of(context)
    name = None
    if of_site is not None:
        with session.read() as connection:
            name = get_site(connection, of_site).short_name
    found = [
        one
        for one in retention.plan(session.database, now=session.now())
        if name is None or name in one.verdict.item.sites
    ]
    records = [_each(one) for one in found] if each else _numbers(found)
    columns = {"sites": "sites", "kind": "kind", "action": "action"}
    columns |= {"name": "name", "due": "from"} if each else {"count": "count"}
    columns |= {"size": "size", "rule": "rule"}
    print_records(records, columns, as_json=as_json, none="nothing is stored yet")
    going = [one for one in found if one.verdict.action is not Action.NONE]
    note(
        f"{len(going)} of {len(found)} would go, {size(sum(one.size_bytes for one in going))}; "
        "'s4c retention run' or s4c__retention at night does it"
    )


def _each(one: Planned) -> dict[str, Any]:
    item = one.verdict.item
    return {
        "sites": list(item.sites),
        "kind": str(item.kind),
        "action": str(one.verdict.action),
        "name": item.name,
        "due": one.verdict.due,
        "files": one.files,
        "bytes": one.size_bytes,
        "size": size(one.size_bytes) if one.files else None,
        "rule": one.verdict.rule,
        "product_id": item.product_id,
        "acquisition_id": item.acquisition_id,
        "path": item.path,
    }


def _numbers(found: list[Planned]) -> list[Mapping[str, Any]]:
    from s4c_lib.retention_policy import totals

    by_verdict = {id(one.verdict): one for one in found}
    records: list[Mapping[str, Any]] = []
    for (sites, kind, action, rule), same in totals([one.verdict for one in found]).items():
        size_bytes = sum(by_verdict[id(one)].size_bytes for one in same)
        files = sum(by_verdict[id(one)].files for one in same)
        records.append(
            {
                "sites": sites.split(", ") if sites else [],
                "kind": kind,
                "action": action,
                "count": len(same),
                "files": files,
                "bytes": size_bytes,
                "size": size(size_bytes) if files else None,
                "rule": rule,
            }
        )
    return records


@app.command(epilog=examples("s4c retention run"))
def run(context: typer.Context, as_json: AsJson = False) -> None:
    """Do now what s4c__retention does at night."""
    from s4c_lib import retention

    session = session_of(context)
    outcome = retention.apply(session.database, now=session.now(), actor=session.actor, progress=note)
    for text in outcome.faults:
        warn(text)
    print_record(outcome.counts() if as_json else _worded(outcome.counts()), as_json=as_json)
    if outcome.failed:
        raise StorageError(
            f"{outcome.failed} could not be archived or removed.", hint="repair what is named above and run it again"
        )


def _worded(counts: Mapping[str, int]) -> dict[str, Any]:
    return {name: size(count) if name == "freed_bytes" else count for name, count in counts.items()}


@app.command(epilog=examples("s4c retention log --site my_region", "s4c retention log --limit 1000 --json"))
def log(
    context: typer.Context,
    of_site: OfSite = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what was archived and removed, when, by whom and by which rule; also of sites that are gone."""
    from s4c_lib.catalog import retention_events

    with session_of(context).read() as connection:
        found = retention_events.events(connection, site=of_site, limit=limit)
    records = [{**plain(one), "at": one.at, "size": size(one.size_bytes)} for one in found]
    columns = ("at", "actor", "action", "kind", "name", "size", "rule", "target")
    print_records(records, {key: key for key in columns}, as_json=as_json, none="nothing was archived or removed yet")
