"""``s4c site``: areas that are watched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SiteName, examples, noun
from s4c_lib.cli.output import note, print_record, print_records, progress, say, size, warn
from s4c_lib.cli.session import session_of
from s4c_lib.errors import ConflictError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from s4c_lib.catalog.sites import Site, SiteTile
    from s4c_lib.deletion.stages import SiteDeletion

app = noun("Areas that are watched.")

_TILE_COLUMNS = {
    "tile": "tile",
    "epsg": "EPSG",
    "overlap_km2": "overlap km²",
    "selected": "used",
    "redundant": "redundant",
}


@app.command(
    epilog=examples("s4c site add 'My region' extent.zip", "s4c site add Kraj regions.gpkg --layer kraj --tile 33UVQ")
)
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the site is called, up to 64 characters.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Its extent: zipped Shapefile, GeoPackage or GeoJSON, any CRS.")
    ],
    layer: Annotated[str | None, typer.Option(help="Layer or dataset, when the file has several.")] = None,
    epsg: Annotated[int | None, typer.Option(help="EPSG code of a file that states no coordinate system.")] = None,
    tile: Annotated[
        list[str] | None, typer.Option(metavar="TILE", help="Use only this Sentinel-2 tile; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a site with the Sentinel-2 tiles that meet it. It is disabled until it has a season."""
    from s4c_lib.catalog import sites
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.geography.sentinel2_tiles import select_tiles
    from s4c_lib.geography.site_extent import check_site_name, read_site_extent, unique_short_name

    session = session_of(context)
    with session.read() as connection:
        existing = sites.list_sites(connection)
        least = float(snapshot(connection, today=session.today())["site.tile_min_overlap_km2"])
    name = check_site_name(name, [site.name for site in existing])
    extent = read_site_extent(file, layer=layer, epsg=epsg)
    for finding in extent.warnings:
        warn(f"{finding.code} {finding.message}")
    coverage = select_tiles(extent.geometry, least, tile or None)
    with session.change() as connection:
        site = sites.add_site(
            connection,
            name=name,
            short_name=unique_short_name(name, sites.short_names(connection)),
            geometry=extent.geometry,
            search_geometry=extent.search_geometry,
            area_km2=extent.area_km2,
            tiles=coverage,
            actor=session.actor,
        )
        tiles = sites.site_tiles(connection, site.id)
    if as_json:
        print_record(_record(site, tiles), as_json=True)
        return
    say(f"site {site.short_name}: {site.area_km2:,.0f} km², {_used(tiles)} of {len(tiles)} tiles used")
    _print_tiles(site.short_name, tiles)
    note(f"next: s4c season add {site.short_name} NAME START END, then s4c site enable {site.short_name}")


@app.command("list", epilog=examples("s4c site list --json"))
def list_sites(context: typer.Context, as_json: AsJson = False) -> None:
    """List all sites."""
    from s4c_lib.catalog import site_deletion, sites
    from s4c_lib.catalog.seasons import list_seasons

    with session_of(context).read() as connection:
        going = {one.site_id for one in site_deletion.deleting(connection)}
        records = [
            {
                **_record(site, sites.site_tiles(connection, site.id)),
                "being_deleted": site.id in going,
                "seasons": [season.short_name for season in list_seasons(connection, site.id)],
            }
            for site in sites.list_sites(connection)
        ]
    columns = {"short_name": "site", "name": "name", "enabled": "enabled", "area_km2": "km²", "tiles_used": "tiles"}
    if any(record["being_deleted"] for record in records):
        columns["being_deleted"] = "being deleted"
    print_records(
        records, columns | {"seasons": "seasons"}, as_json=as_json, none="no site exists yet; 's4c site add' makes one"
    )


@app.command(epilog=examples("s4c site show my_region"))
def show(context: typer.Context, name: SiteName, as_json: AsJson = False) -> None:
    """Show a site: extent, tiles and seasons."""
    from s4c_lib.catalog import sites
    from s4c_lib.catalog.seasons import list_seasons

    with session_of(context).read() as connection:
        site = sites.get_site(connection, name)
        tiles = sites.site_tiles(connection, site.id)
        seasons = list_seasons(connection, site.id)
    west, south, east, north = site.geometry.bounds
    record = {
        **_record(site, tiles),
        "bounds": f"{west:.4f} {south:.4f} {east:.4f} {north:.4f}",
        "seasons": [f"{item.short_name} ({item.dates.start} to {item.dates.end})" for item in seasons],
    }
    if as_json:
        print_record(record, as_json=True)
        return
    print_record({key: value for key, value in record.items() if key != "tiles"}, as_json=False)
    _print_tiles(site.short_name, tiles)


@app.command(epilog=examples("s4c site enable my_region"))
def enable(context: typer.Context, name: SiteName) -> None:
    """Serve a site: its enabled seasons run from now on."""
    _set_enabled(context, name, True)


@app.command(epilog=examples("s4c site disable my_region"))
def disable(context: typer.Context, name: SiteName) -> None:
    """Stop serving a site: nothing new starts, runs under way end."""
    _set_enabled(context, name, False)


def _set_enabled(context: typer.Context, name: str, enabled: bool) -> None:
    from s4c_lib.catalog import site_deletion, sites

    with session_of(context).change() as connection:
        site = sites.get_site(connection, name)
        if enabled:
            site_deletion.refuse_deleting(connection, site)
        site = sites.set_enabled(connection, site, enabled)
    say(f"site {site.short_name} is {'enabled' if enabled else 'disabled'}")


@app.command(epilog=examples("s4c site tiles my_region", "s4c site tiles my_region --only 31UFS,31UGS"))
def tiles(
    context: typer.Context,
    name: SiteName,
    only: Annotated[str | None, typer.Option(metavar="T1,T2", help="Use exactly these tiles from now on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the Sentinel-2 tiles of a site, or choose among them."""
    from s4c_lib.catalog import sites

    session = session_of(context)
    if only is None:
        with session.read() as connection:
            site = sites.get_site(connection, name)
            found = sites.site_tiles(connection, site.id)
    else:
        wanted = [item.strip() for item in only.split(",") if item.strip()]
        with session.change() as connection:
            site = sites.get_site(connection, name)
            sites.restrict_tiles(connection, site, wanted)
            found = sites.site_tiles(connection, site.id)
    _print_tiles(site.short_name, found, as_json=as_json)


@app.command(
    epilog=examples(
        "s4c site delete my_region", "s4c site delete my_region --yes", "s4c site delete my_region --yes --keep l4"
    )
)
def delete(
    context: typer.Context,
    name: SiteName,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only say what would go.")] = False,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave all files where they are.")] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Leave files of this kind: l1, l2a, s1, l3b, l4, declarations, statistics."),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long runs may take to end that are under way.")
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Delete a site with everything that is only its own. Without --yes nothing is changed.

    Acquisitions and products that other sites use stay. Files go only inside the download, product and archive folders;
    links are removed, never followed. From the first moment nothing of the site starts any more, and runs under way are
    ended. Interrupted, or with a run that does not end, it is finished by the same command or by s4c__retention.
    """
    from s4c_lib.catalog import site_deletion, sites
    from s4c_lib.deletion import stages

    keeps = site_deletion.FILE_KINDS if keep_files else tuple(keep or ())
    if strangers := sorted(set(keeps) - set(site_deletion.FILE_KINDS)):
        kinds = ", ".join(site_deletion.FILE_KINDS)
        raise InputError(f"There is no kind of files {strangers[0]!r}.", hint=f"choose from {kinds}")
    session = session_of(context)
    if not yes:
        with session.read() as connection:
            site = sites.get_site(connection, name)
        planned = stages.plan_site(session.database, site.short_name, now=session.now(), keeps=keeps)
        _print_deletion(_deletion_record(site, planned, deleted=False), as_json)
        note(f"nothing was deleted; 's4c site delete {name} --yes' does it")
        return
    with session.change() as connection:
        site = sites.get_site(connection, name)
        site_deletion.begin(connection, site, actor=session.actor, keeps=keeps)
    with progress("removing files") as step:
        done = stages.delete_site(
            session.database,
            site.short_name,
            session.settings,
            now=session.now(),
            progress=step,
            wait_seconds=wait,
        )
    session.export()
    _print_deletion(_deletion_record(site, done, deleted=not done.waits_for), as_json)
    if done.waits_for:
        raise ConflictError(
            f"Site {site.short_name!r} is being deleted, but {done.waits_for[0]} is under way.",
            hint="when it has ended, repeat this command, or leave it to s4c__retention",
        )
    note(f"site {site.short_name} is deleted")


def _deletion_record(site: Site, found: SiteDeletion, *, deleted: bool) -> dict[str, Any]:
    rows, files = found.rows, found.files
    return {
        "site": site.short_name,
        "deleted": deleted,
        "seasons": rows.seasons,
        "jobs": rows.jobs,
        "acquisitions": rows.acquisitions,
        "products": rows.products,
        "files": files.files,
        "bytes": files.size_bytes,
        "paths": [str(item.path) for item in files.removable],
        "left_alone": files.kept,
    }


def _print_deletion(record: dict[str, Any], as_json: bool) -> None:
    if not as_json:
        kept = record["left_alone"]
        record = {
            **record,
            "bytes": size(record["bytes"]),
            "paths": f"{len(record['paths'])} in the storage folders",
            "left_alone": [*kept[:5], *([f"and {len(kept) - 5} more"] if len(kept) > 5 else [])],
        }
    print_record(record, as_json=as_json)


def _record(site: Site, tiles: Sequence[SiteTile]) -> dict[str, Any]:
    return {
        "short_name": site.short_name,
        "name": site.name,
        "enabled": site.enabled,
        "area_km2": round(site.area_km2, 3),
        "created_at": site.created_at,
        "tiles_used": _used(tiles),
        "tiles_saved_by_minimal_cover": len(_saved(tiles)),
        "tiles": [
            {
                "tile": tile.tile,
                "epsg": tile.epsg,
                "overlap_km2": round(tile.overlap_km2, 3),
                "selected": tile.selected,
                "redundant": tile.redundant,
            }
            for tile in tiles
        ],
    }


def _used(tiles: Sequence[SiteTile]) -> int:
    return sum(tile.selected for tile in tiles)


def _saved(tiles: Sequence[SiteTile]) -> list[str]:
    return [tile.tile for tile in tiles if tile.selected and tile.redundant]


def _print_tiles(site: str, tiles: Sequence[SiteTile], *, as_json: bool = False) -> None:
    from s4c_lib.cli.output import plain

    print_records([plain(tile) for tile in tiles], _TILE_COLUMNS, as_json=as_json, none="no tile meets the site")
    if saved := _saved(tiles):
        note(
            f"a minimal cover would save {len(saved)} of {_used(tiles)} tiles ({', '.join(saved)}); "
            f"'s4c site tiles {site} --only ...' chooses"
        )
