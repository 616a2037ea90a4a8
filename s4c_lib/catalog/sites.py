"""Sites: an area, its Sentinel-2 tiles, and whether it is served."""

from __future__ import annotations

import difflib
import getpass
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog import query_windows
from s4c_lib.catalog.geometry import bound, geometry_parameter, loaded
from s4c_lib.catalog.vocabulary import SATELLITES
from s4c_lib.errors import ConflictError, InputError, NotFoundError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from s4c_lib.geography.sentinel2_tiles import TileCoverage


@dataclass(frozen=True, slots=True)
class Site:
    """An area that is watched.

    Attributes
    ----------
    geometry : exact extent, MultiPolygon, WGS 84.
    search_geometry : at most 200 vertices, contains ``geometry``; for catalogue queries.
    """

    id: int
    name: str
    short_name: str
    enabled: bool
    area_km2: float
    geometry: BaseGeometry
    search_geometry: BaseGeometry
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SiteTile:
    """A Sentinel-2 tile that meets a site."""

    tile: str
    epsg: int
    ulx: int
    uly: int
    overlap_km2: float
    selected: bool
    redundant: bool


_COLUMNS = "id, name, short_name, enabled, area_km2, geom, geom_search, created_at"


def current_user() -> str:
    """Return the login name, for histories when no other actor is named."""
    try:
        return getpass.getuser()
    except OSError:  # a container user without passwd entry
        return "unknown"


def _site(row: RowMapping) -> Site:
    return Site(
        id=row["id"],
        name=row["name"],
        short_name=row["short_name"],
        enabled=row["enabled"],
        area_km2=row["area_km2"],
        geometry=loaded(row["geom"]),
        search_geometry=loaded(row["geom_search"]),
        created_at=row["created_at"],
    )


def short_names(connection: Connection) -> list[str]:
    """Return the short names of all sites, ascending."""
    return list(connection.execute(text("SELECT short_name FROM s4c.site ORDER BY short_name")).scalars())


def list_sites(connection: Connection) -> list[Site]:
    """Return all sites by short name."""
    rows = connection.execute(text(f"SELECT {_COLUMNS} FROM s4c.site ORDER BY short_name")).mappings()
    return [_site(row) for row in rows]


def get_site(connection: Connection, short_name: str) -> Site:
    """Return the site of a short name.

    Raises
    ------
    NotFoundError : there is none; the hint names the nearest.
    """
    # The name of one site may be the short name of another ("A B" and "a_b"): short names come first.
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.site WHERE short_name = lower(:name) OR lower(name) = lower(:name) "
        "ORDER BY (short_name = lower(:name)) DESC LIMIT 1"
    )
    row = connection.execute(statement, {"name": short_name}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no site {short_name!r}.", hint=_nearest(short_name, short_names(connection)))
    return _site(row)


def _nearest(name: str, known: Sequence[str]) -> str:
    if not known:
        return "no site exists yet; 's4c site add' makes one"
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"sites are {', '.join(known[:10])}"


def add_site(
    connection: Connection,
    *,
    name: str,
    short_name: str,
    geometry: BaseGeometry,
    search_geometry: BaseGeometry,
    area_km2: float,
    tiles: Sequence[TileCoverage],
    actor: str,
) -> Site:
    """Store a new site, disabled, with the tiles that meet it.

    Raises
    ------
    ConflictError : SITE-01, the name is taken (whatever its case).
    """
    taken = connection.execute(text("SELECT name FROM s4c.site WHERE lower(name) = lower(:name)"), {"name": name})
    if taken.scalar_one_or_none() is not None:
        raise ConflictError(f'A site named "{name}" already exists.', code="SITE-01", hint="choose another name")
    statement = text(
        """
        INSERT INTO s4c.site (name, short_name, geom, geom_search, area_km2, created_by)
        VALUES (:name, :short_name, :geom, :geom_search, :area_km2, :actor)
        """
    ).bindparams(geometry_parameter("geom"), geometry_parameter("geom_search"))
    connection.execute(
        statement,
        {
            "name": name,
            "short_name": short_name,
            "geom": bound(geometry),
            "geom_search": bound(search_geometry),
            "area_km2": area_km2,
            "actor": actor,
        },
    )
    site = get_site(connection, short_name)
    store_tiles(connection, site.id, tiles)
    return site


def store_tiles(connection: Connection, site_id: int, tiles: Sequence[TileCoverage]) -> None:
    """Replace the Sentinel-2 tiles of a site."""
    connection.execute(
        text("DELETE FROM s4c.site_tile WHERE site_id = :site_id AND satellite_id = :s2"),
        {"site_id": site_id, "s2": SATELLITES["s2"]},
    )
    statement = text(
        """
        INSERT INTO s4c.site_tile
            (site_id, satellite_id, tile, epsg, ulx, uly, overlap_km2, selected, redundant, footprint)
        VALUES (:site_id, :s2, :tile, :epsg, :ulx, :uly, :overlap_km2, :selected, :redundant, :footprint)
        """
    ).bindparams(geometry_parameter("footprint"))
    rows: list[dict[str, Any]] = [
        {
            "site_id": site_id,
            "s2": SATELLITES["s2"],
            "tile": coverage.tile.tile_id,
            "epsg": coverage.tile.epsg,
            "ulx": coverage.tile.ulx,
            "uly": coverage.tile.uly,
            "overlap_km2": coverage.overlap_km2,
            "selected": coverage.selected,
            "redundant": coverage.redundant,
            "footprint": bound(coverage.tile.footprint_wgs84()),
        }
        for coverage in tiles
    ]
    if rows:
        connection.execute(statement, rows)


def site_tiles(connection: Connection, site_id: int) -> list[SiteTile]:
    """Return the Sentinel-2 tiles that meet a site, selected or not, by name."""
    statement = text(
        """
        SELECT tile, epsg, ulx, uly, overlap_km2, selected, redundant
        FROM s4c.site_tile WHERE site_id = :site_id AND satellite_id = :s2 ORDER BY tile
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "s2": SATELLITES["s2"]}).mappings()
    return [SiteTile(**row) for row in rows]


def restrict_tiles(connection: Connection, site: Site, tiles: Collection[str]) -> None:
    """Select exactly these tiles of a site; only tiles that meet the site can be chosen.

    Raises
    ------
    InputError : a tile does not meet the site, or none is named.
    """
    wanted = {tile.upper().removeprefix("T") for tile in tiles}
    known = {tile.tile for tile in site_tiles(connection, site.id)}
    if not wanted:
        raise InputError("A site needs at least one tile.", hint=f"choose from {', '.join(sorted(known))}")
    if strangers := sorted(wanted - known):
        raise InputError(
            f"Tile {', '.join(strangers)} does not meet site {site.short_name!r}.",
            hint=f"choose from {', '.join(sorted(known))}",
        )
    connection.execute(
        text("UPDATE s4c.site_tile SET selected = tile = ANY(:tiles) WHERE site_id = :site_id AND satellite_id = :s2"),
        {"tiles": sorted(wanted), "site_id": site.id, "s2": SATELLITES["s2"]},
    )
    # what lies on a tile that was not selected is not even recorded
    query_windows.reopen(connection, "s2", site.id)


def set_enabled(connection: Connection, site: Site, enabled: bool) -> Site:
    """Serve a site, or stop serving it.

    Raises
    ------
    ConflictError : enabling a site that has no enabled season.
    """
    if enabled:
        seasons = connection.execute(
            text("SELECT count(*) FROM s4c.season WHERE site_id = :id AND enabled"), {"id": site.id}
        ).scalar_one()
        if seasons == 0:
            raise ConflictError(
                f"Site {site.short_name!r} has no enabled season, so there is nothing to run.",
                hint=f"add one with 's4c season add {site.short_name} NAME START END', then enable the site",
            )
    connection.execute(
        text("UPDATE s4c.site SET enabled = :enabled WHERE id = :id"), {"enabled": enabled, "id": site.id}
    )
    return get_site(connection, site.short_name)
