"""``s4c source``: where acquisitions are searched and fetched."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, examples, noun
from s4c_lib.cli.output import print_records, warn
from s4c_lib.cli.session import session_of
from s4c_lib.errors import EXIT_FAILED, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s4c_lib.catalog.data_sources import DataSource
    from s4c_lib.sources.model import HealthReport

app = noun("Data sources: where acquisitions are searched and fetched.")


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


@app.command(
    epilog=examples(
        "s4c source add archive --satellite s2 --root /eodata/Sentinel-2/MSI/L2A --mode symlink --template yyyy/MM/dd",
        "s4c source add disk --satellite s1 --satellite s2 --root /mnt/disk --mode copy --site my_region",
    )
)
def add(
    context: typer.Context,
    name: SourceName,
    satellite: Annotated[list[SearchedSatellite], typer.Option(help="Satellite it has; repeatable.")],
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="Top of the archive; it is never written to.")],
    mode: Annotated[
        Mode, typer.Option(help="copy, link, or only check products and use them where they are.")
    ] = Mode.SYMLINK,
    template: Template = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Only for this site; default: for all.")] = None,
    priority: Priority = 1,
    connections: Connections = 2,
    as_json: AsJson = False,
) -> None:
    """Add a local archive: a copied archive or a mounted /eodata."""
    from s4c_lib.catalog import data_sources
    from s4c_lib.catalog.sites import get_site

    root = root.absolute()
    _check_template(template)
    with session_of(context).change() as connection:
        added = data_sources.add_source(
            connection,
            name=name,
            satellites=[str(item) for item in dict.fromkeys(satellite)],
            driver="local",
            fetch_mode=str(mode),
            local_root=root,
            site=None if site is None else get_site(connection, site),
            path_template=template or None,
            priority=priority or 1,
            max_connections=connections or 2,
        )
    _print(added, as_json)
    health = _health(added[0])
    if not health.ok:
        warn(f"{health.text}: nothing is found there until it is")


@app.command("list", epilog=examples("s4c source list --json"))
def list_sources(context: typer.Context, as_json: AsJson = False) -> None:
    """List all data sources, in the order in which they are asked."""
    from s4c_lib.catalog import data_sources

    with session_of(context).read() as connection:
        found = data_sources.list_sources(connection)
    _print(found, as_json)


@app.command(
    "set", epilog=examples("s4c source set archive --mode copy --connections 4", "s4c source set archive --disable")
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
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Use it, or stop using it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a data source, for all its satellites."""
    from s4c_lib.catalog import data_sources

    _check_template(template)
    given: dict[str, Any] = {
        "fetch_mode": None if mode is None else str(mode),
        "local_root": None if root is None else str(root.absolute()),
        "priority": priority,
        "max_connections": connections,
        "max_retries": max_retries,
        "retry_interval_minutes": retry_minutes,
        "enabled": enabled,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if template is not None:
        changes["path_template"] = template or None
    if not changes:
        raise InputError("Nothing to change was given.", hint="see 's4c source set --help'")
    with session_of(context).change() as connection:
        changed = data_sources.set_source(connection, name, changes)
    _print(changed, as_json)


@app.command("test", epilog=examples("s4c source test archive"))
def try_source(context: typer.Context, name: SourceName, as_json: AsJson = False) -> None:
    """Try whether a source can be used now. Exit code 1 when not."""
    from s4c_lib.catalog import data_sources

    with session_of(context).read() as connection:
        found = data_sources.get_sources(connection, name)
    reports = {source.local_root: _health(source) for source in found}
    print_records(
        [{"source": name, "ok": report.ok, "text": report.text} for report in reports.values()],
        {"source": "source", "ok": "ok", "text": "what"},
        as_json=as_json,
        none="",
    )
    if not all(report.ok for report in reports.values()):
        raise typer.Exit(EXIT_FAILED)


def _check_template(template: str | None) -> None:
    from s4c_lib.sources.path_template import PathTemplate

    if template:
        PathTemplate(template)


def _health(source: DataSource) -> HealthReport:
    from s4c_lib.sources.local_archive import LocalArchive

    return LocalArchive(Path(str(source.local_root)), source.path_template, name=source.name).health()


def _print(sources: Sequence[DataSource], as_json: bool) -> None:
    records = [
        {
            "name": item.name,
            "satellite": item.satellite,
            "site": item.site,
            "driver": item.driver,
            "mode": item.fetch_mode,
            "root": item.local_root,
            "template": item.path_template,
            "priority": item.priority,
            "connections": item.max_connections,
            "enabled": item.enabled,
        }
        for item in sources
    ]
    columns = ("name", "satellite", "site", "mode", "root", "template", "priority", "connections", "enabled")
    print_records(
        records, {key: key for key in columns}, as_json=as_json, none="no source yet; 's4c source add' makes one"
    )
