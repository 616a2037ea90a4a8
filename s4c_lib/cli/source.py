"""``s4c source``: where acquisitions are searched and fetched."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli import source_events
from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.output import note, print_records, size, warn
from s4c_lib.cli.session import Session, session_of
from s4c_lib.cli.source_remote import (
    Driver,
    RemoteOptions,
    account_elsewhere,
    account_problem,
    quota_of,
    remote_params,
)
from s4c_lib.errors import EXIT_FAILED, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from s4c_lib.catalog.data_sources import DataSource

app = noun("Data sources: where acquisitions are searched and fetched.")
source_events.register(app)


class Mode(StrEnum):
    """How products get from an archive into the downloads folder."""

    COPY = "copy"
    SYMLINK = "symlink"
    CHECK = "check"


class SearchedSatellite(StrEnum):
    """A satellite that sources are searched for; l8 stands for Landsat 8 and 9."""

    S1 = "s1"
    S2 = "s2"
    L8 = "l8"


SourceName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")]
Priority = Annotated[int | None, typer.Option(min=1, max=1000, help="Lower is asked first.")]
Connections = Annotated[int | None, typer.Option(min=1, max=64, help="Transfers at the same time.")]
Root = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Top of the archive; it is never written to.")]
Template = Annotated[
    str | None,
    typer.Option(metavar="LAYOUT", help="Folders below the root, yyyy/MM/dd; without it the whole tree is listed."),
]
Quota = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="What the provider limits, repeatable: bytes_per_30_days, requests_per_minute, orders, sessions, "
        "bandwidth_bytes_per_second. 12T is 12e12; an empty value removes the limit.",
    ),
]
Account = Annotated[str | None, typer.Option("--connection", metavar="ID", help="Airflow connection with the account.")]
SearchOnly = Annotated[bool, typer.Option("--search-only", help="Search it, fetch from others.")]
FetchOnly = Annotated[bool, typer.Option("--fetch-only", help="Fetch from it what others found, do not search it.")]


@app.command(
    epilog=examples(
        "s4c source add archive --satellite s2 --root /eodata/Sentinel-2/MSI/L2A --mode symlink --template yyyy/MM/dd",
        "s4c source add disk --satellite s1 --satellite s2 --root /mnt/disk --mode copy --site my_region",
        "s4c source add cdse --driver eodag --provider cop_dataspace --satellite s1 --satellite s2 "
        "--connection cdse_account",
        "s4c source add mirror --driver dhus --url https://dhus.example.org/dhus --satellite s1 --connection mirror",
        "s4c source add landsat --driver usgs --satellite l8 --connection usgs_account",
    )
)
def add(
    context: typer.Context,
    name: SourceName,
    satellite: Annotated[list[SearchedSatellite], typer.Option(help="Satellite it has; repeatable.")],
    root: Root = None,
    driver: Annotated[
        Driver, typer.Option(help="local: an archive below --root; the others speak to catalogues elsewhere.")
    ] = Driver.LOCAL,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="eodag: name of the provider.")] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="dhus: address of the server; asf, usgs: if not the usual one."),
    ] = None,
    definition: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yml", help="eodag: description of the provider, laid over eodag's own."),
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=ID", help="Collection (dhus: producttype) of a kind of product; repeatable."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="dhus: ask_online=true asks for the storage state of each product."),
    ] = None,
    connection: Account = None,
    mode: Annotated[Mode | None, typer.Option(help="Archive: copy, link (default), or only check products.")] = None,
    template: Template = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Only for this site; default: for all.")] = None,
    priority: Priority = 1,
    connections: Connections = None,
    quota: Quota = None,
    search_only: SearchOnly = False,
    fetch_only: FetchOnly = False,
    as_json: AsJson = False,
) -> None:
    """Add a local archive (a copied archive, a mounted /eodata) or a catalogue elsewhere.

    Of a provider that publishes its limits, these are stored with the source; 's4c source set' changes them.
    """
    from s4c_lib.catalog import data_sources
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.sources.provider_limits import PUBLISHED, ProviderLimits

    satellites = [str(item) for item in dict.fromkeys(satellite)]
    if driver is Driver.LOCAL and root is None:
        raise InputError(
            "A local archive needs its folder.",
            hint="give --root FOLDER; for a catalogue --driver eodag, asf, dhus or usgs",
        )
    if driver is not Driver.LOCAL and (root is not None or mode is not None or template is not None):
        raise InputError(f"--root, --mode and --template mean nothing to the driver {driver}.", hint="leave them out")
    if driver is Driver.LOCAL and connection is not None:
        raise InputError("A local archive needs no account.", hint="leave --connection out")
    if search_only and fetch_only:
        raise InputError("--search-only and --fetch-only exclude each other.", hint="give one of them")
    _check_template(template)
    params = remote_params(driver, RemoteOptions(provider, url, definition, collection or (), param or ()), satellites)
    published = PUBLISHED.get(provider or str(driver), ProviderLimits(connections=2))
    limits = {**published.quota, **quota_of(quota or ())}
    session = session_of(context)
    with session.change() as change:
        added = data_sources.add_source(
            change,
            name=name,
            satellites=satellites,
            driver=str(driver),
            fetch_mode=str(mode or Mode.SYMLINK) if driver is Driver.LOCAL else data_sources.DOWNLOAD,
            local_root=None if root is None else root.absolute(),
            site=None if site is None else get_site(change, site),
            path_template=template or None,
            priority=priority or 1,
            max_connections=connections or published.connections,
            params=params,
            secret_ref=connection,
            quota={key: value for key, value in limits.items() if value is not None},
            can_query=not fetch_only,
            can_download=not search_only,
        )
        records = _records(change, added, session)
    _print(records, as_json)
    # sources of other sites may have the same name, with other archives
    own = max(added, key=lambda source: source.id)
    _warn_of_account(session, own)
    if own.remote:
        note(f"try it with 's4c source test {name}'")
        return
    from s4c_lib.cli.source_health import source_health

    health = source_health(session, own)
    if not health.ok:
        warn(f"{health.text}: nothing is found there until it is")


def _warn_of_account(session: Session, source: DataSource) -> None:
    """Say so when the account is nowhere; it may be made later."""
    if source.secret_ref is not None:
        problem = account_problem(session, source.secret_ref)
        if problem is not None:
            message, hint = problem
            warn(f"{message} {hint[:1].upper()}{hint[1:]}.")
    elif source.can_download and source.remote:
        warn("no account is given: most providers want one to fetch from them; 's4c source set --connection ID'")


@app.command("list", epilog=examples("s4c source list --json"))
def list_sources(context: typer.Context, as_json: AsJson = False) -> None:
    """List all data sources, in the order in which they are asked."""
    from s4c_lib.catalog import data_sources

    session = session_of(context)
    with session.read() as connection:
        records = _records(connection, data_sources.list_sources(connection), session)
    _print(records, as_json)


@app.command(
    "set",
    epilog=examples(
        "s4c source set archive --mode copy --connections 4",
        "s4c source set archive --disable",
        "s4c source set cdse --quota bytes_per_30_days=24T --quota requests_per_minute=",
    ),
)
def set_source(
    context: typer.Context,
    name: SourceName,
    mode: Annotated[Mode | None, typer.Option(help="How products are brought.")] = None,
    root: Root = None,
    template: Annotated[
        str | None, typer.Option(metavar="LAYOUT", help="Folders below the root; an empty text removes the layout.")
    ] = None,
    priority: Priority = None,
    connections: Connections = None,
    max_retries: Annotated[int | None, typer.Option(min=0, max=1000, help="Tries after the first one.")] = None,
    retry_minutes: Annotated[int | None, typer.Option(min=0, help="Pause before a second try.")] = None,
    connection: Annotated[
        str | None,
        typer.Option("--connection", metavar="ID", help="Airflow connection with the account; an empty text: none."),
    ] = None,
    quota: Quota = None,
    search: Annotated[bool | None, typer.Option("--search/--no-search", help="Search it.")] = None,
    fetch: Annotated[bool | None, typer.Option("--fetch/--no-fetch", help="Fetch from it.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Use it, or stop using it.")] = None,
    site: Annotated[
        str | None, typer.Option(metavar="SITE", help="Only the source that this site has under the name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a data source, for all its satellites."""
    from s4c_lib.catalog import data_sources
    from s4c_lib.catalog.sites import get_site

    _check_template(template)
    given: dict[str, Any] = {
        "fetch_mode": None if mode is None else str(mode),
        "local_root": None if root is None else str(root.absolute()),
        "priority": priority,
        "max_connections": connections,
        "max_retries": max_retries,
        "retry_interval_minutes": retry_minutes,
        "enabled": enabled,
        "can_query": search,
        "can_download": fetch,
        "quota": quota_of(quota) if quota else None,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if template is not None:
        changes["path_template"] = template or None
    if connection is not None:
        changes["secret_ref"] = connection or None
    if not changes:
        raise InputError("Nothing to change was given.", hint="see 's4c source set --help'")
    if site is not None and (shared := sorted({"secret_ref", "max_connections", "quota"} & set(changes))):
        option = {"secret_ref": "--connection", "max_connections": "--connections", "quota": "--quota"}[shared[0]]
        raise InputError(f"Sources of one name share what {option} says.", hint="leave --site out")
    session = session_of(context)
    with session.change() as change:
        owner = None if site is None else get_site(change, site).short_name
        changed = data_sources.set_source(change, name, changes, site=owner)
        records = _records(change, changed, session)
    _print(records, as_json)
    if connection:
        _warn_of_account(session, changed[0])


@app.command("test", epilog=examples("s4c source test archive", "s4c source test cdse"))
def try_source(context: typer.Context, name: SourceName, as_json: AsJson = False) -> None:
    """Try whether a source can be used now, with one cheap query. Exit code 1 when not.

    A source that had refused the account is asked again at once; when it answers, transfers go on.
    """
    from s4c_lib.catalog import data_sources, source_state
    from s4c_lib.cli.source_health import source_health

    session = session_of(context)
    with session.read() as change:
        found = data_sources.get_sources(change, name)
    # rows of one name share account and provider; archives of several sites may lie apart
    places = {source.local_root: source for source in found}
    try:
        reports = [source_health(session, source) for source in places.values()]
    except NotFoundError as error:
        elsewhere = account_elsewhere(session, found[0].secret_ref or "", error)
        if elsewhere is None:
            raise
        raise NotFoundError(f"Source {name!r} {elsewhere.message}", hint=elsewhere.hint) from None
    good = all(report.ok for report in reports)
    if good and found[0].remote:
        with session.read() as change:
            source_state.close_circuit(change, name, now=session.now(), by_hand=True)
    print_records(
        [{"source": name, "ok": report.ok, "text": report.text} for report in reports],
        {"source": "source", "ok": "ok", "text": "what"},
        as_json=as_json,
        none="",
    )
    if not good:
        raise typer.Exit(EXIT_FAILED)


def _check_template(template: str | None) -> None:
    from s4c_lib.sources.path_template import PathTemplate

    if template:
        PathTemplate(template)


def _records(connection: Connection, sources: Sequence[DataSource], session: Session) -> list[dict[str, Any]]:
    """Return sources as they are printed, with how they stand and what was taken of their quota."""
    from s4c_lib.catalog import source_state, source_usage

    today, now = session.today(), session.now()
    records = []
    for item in sources:
        circuit = source_state.circuit(connection, item.name, now=now) if item.remote else None
        taken = source_usage.bytes_in_days(connection, item.name, today=today) if item.remote else None
        records.append(
            {
                "name": item.name,
                "satellite": item.satellite,
                "site": item.site,
                "driver": item.driver,
                "provider": _provider(item.params),
                "mode": item.fetch_mode,
                "root": item.local_root,
                "template": item.path_template,
                "connection": item.secret_ref,
                "priority": item.priority,
                "connections": item.max_connections,
                "search": item.can_query,
                "fetch": item.can_download,
                "enabled": item.enabled,
                "quota": dict(item.quota),
                "bytes_30_days": taken,
                "requests_today": source_usage.requests_on(connection, item.name, today) if item.remote else None,
                "circuit": None if circuit is None else circuit.text,
            }
        )
    return records


def _provider(params: Mapping[str, Any]) -> str | None:
    found = params.get("provider") or params.get("api_url") or params.get("host")
    return None if found is None else str(found)


def _print(records: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    rows = [dict(record) for record in records]
    if not as_json:
        for row in rows:
            row["where"] = row["root"] if row["driver"] == Driver.LOCAL else row["provider"]
            row["used"] = _used(row["bytes_30_days"], row["quota"].get("bytes_per_30_days"))
    columns = ["name", "satellite", "site", "driver", "where", "mode", "template", "connection", "priority"]
    columns += ["connections", "enabled", "used", "circuit"]
    # what no source has would only make the table wide
    sparse = {"site", "template", "connection", "used", "circuit"}
    shown = [key for key in columns if key not in sparse or any(row.get(key) is not None for row in rows)]
    headings = {key: "used in 30 days" if key == "used" else key for key in shown}
    print_records(rows, headings, as_json=as_json, none="no source yet; 's4c source add' makes one")


def _used(taken: int | None, most: int | None) -> str | None:
    if taken is None:
        return None
    return size(taken) if most is None else f"{size(taken)} of {size(most)}"
