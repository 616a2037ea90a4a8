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
    from s4c_lib.retention.nightly import Planned
    from s4c_lib.retention.outcome import Unneeded

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
    """Show what the next night would archive and remove, and what keeps the rest. Nothing is changed.

    Without --site also what belongs to none: replaced versions, leftovers of failed work, old histories.
    """
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.retention import nightly
    from s4c_lib.retention.policy import Action

    session = session_of(context)
    name = None
    if of_site is not None:
        with session.read() as connection:
            name = get_site(connection, of_site).short_name
    found = [
        one
        for one in nightly.plan(session.database, now=session.now())
        if name is None or name in one.verdict.item.sites
    ]
    records = [_each(one) for one in found] if each else _numbers(found)
    tidied = [] if name is not None else nightly.unneeded(session.database, now=session.now())
    records += [_unneeded([one]) for one in tidied] if each else _unneeded_numbers(tidied)
    columns = {"sites": "sites", "kind": "kind", "action": "action"}
    columns |= {"name": "name", "due": "from"} if each else {"count": "count"}
    columns |= {"size": "size", "rule": "rule"}
    print_records(records, columns, as_json=as_json, none="nothing is stored yet")
    going = [one for one in found if one.verdict.action is not Action.NONE]
    freed = sum(one.size_bytes for one in going) + sum(one.size_bytes for one in tidied)
    more = sum(one.path is not None for one in tidied)
    note(
        f"{len(going)} of {len(found)} products and downloads would go"
        f"{f' and {more} leftovers' if more else ''}, {size(freed)}; "
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
    from s4c_lib.retention.policy import totals

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


def _unneeded_numbers(found: list[Unneeded]) -> list[Mapping[str, Any]]:
    groups: dict[tuple[str, str], list[Unneeded]] = {}
    for one in found:
        groups.setdefault((one.kind, one.rule), []).append(one)
    return [_unneeded(same) for _, same in sorted(groups.items())]


def _unneeded(same: list[Unneeded]) -> dict[str, Any]:
    files, size_bytes = sum(one.files for one in same), sum(one.size_bytes for one in same)
    only = same[0].path if len(same) == 1 else None
    return {
        "sites": [],
        "kind": same[0].kind,
        "action": "delete",
        "name": None if only is None else only.name,
        "count": sum(one.count for one in same),
        "files": files,
        "bytes": size_bytes,
        "size": size(size_bytes) if files else None,
        "rule": same[0].rule,
        "path": None if only is None else str(only),
    }


@app.command(epilog=examples("s4c retention run"))
def run(context: typer.Context, as_json: AsJson = False) -> None:
    """Do now what s4c__retention does at night: finish deletions, apply the policy, remove what nothing needs."""
    from s4c_lib.deletion.stages import finish_deletions
    from s4c_lib.retention import nightly

    session = session_of(context)
    finished = finish_deletions(session.database, session.settings, now=session.now())
    for text in finished.lines:
        note(text)
    if finished.lines:
        session.export()
    outcome = nightly.apply(session.database, now=session.now(), actor=session.actor, progress=note)
    faults = [*finished.faults, *outcome.faults]
    for text in faults:
        warn(text)
    print_record(outcome.counts() if as_json else _worded(outcome.counts()), as_json=as_json)
    if faults:
        raise StorageError(f"{len(faults)} could not be done.", hint="repair what is named above and run it again")


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
