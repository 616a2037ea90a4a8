"""Sentinel-2 tiles: computed from their names, and chosen for a site.

Nothing is downloaded: a tile is a square of 109 800 m whose corner follows from its MGRS square (`mgrs`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography import mgrs
from s4c_lib.geography.footprint import WORLD

TILE_M: Final = mgrs.TILE_M
REDUNDANT_SHARE: Final = 0.999
_EDGE_M: Final = 10_000.0
_EDGE_DEG: Final = 0.1
_KM_PER_DEG: Final = 111.32

Coordinates = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, order=True)
class Sentinel2Tile:
    """A tile of the Sentinel-2 grid.

    Parameters
    ----------
    tile_id : five characters, without the T of product names (``31TCJ``).
    epsg : 326zz or 327zz, WGS 84 / UTM.
    ulx, uly : upper-left corner, metres in that zone.
    """

    tile_id: str
    epsg: int
    ulx: int
    uly: int

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """West, south, east, north in metres of the tile's zone."""
        return self.ulx, self.uly - TILE_M, self.ulx + TILE_M, self.uly

    def footprint_utm(self) -> shapely.Polygon:
        """The square in the tile's own zone."""
        return shapely.box(*self.bounds)

    def footprint_wgs84(self) -> shapely.Polygon | shapely.MultiPolygon:
        """Footprint in EPSG:4326 (lon, lat), edges densified to 10 km; in two parts where it crosses 180 degrees."""
        corners = shapely.get_coordinates(shapely.segmentize(self.footprint_utm(), _EDGE_M))
        longitude, latitude = _transformer(self.epsg, "EPSG:4326").transform(corners[:, 0], corners[:, 1])
        if longitude.max() - longitude.min() <= 180:
            return shapely.Polygon(np.column_stack([longitude, latitude]))
        eastern = np.where(longitude < 0, longitude + 360, longitude)
        halves = (
            shapely.intersection(shapely.Polygon(np.column_stack([eastern + turn, latitude])), WORLD)
            for turn in (0, -360)
        )
        return shapely.MultiPolygon([half for half in halves if isinstance(half, shapely.Polygon)])


@dataclass(frozen=True, slots=True)
class TileCoverage:
    """A tile that meets the site.

    Parameters
    ----------
    tile : the tile.
    overlap_km2 : true area of the site inside it.
    selected : used by default.
    redundant : what it has of the site is covered by the other selected tiles; it stays selected all the same.
    """

    tile: Sentinel2Tile
    overlap_km2: float
    selected: bool
    redundant: bool


def tile(tile_id: str) -> Sentinel2Tile:
    """Tile of a name, with or without the leading T, in either case.

    Every square of MGRS is accepted, also the few that Sentinel-2 leaves out at zone borders.

    Raises
    ------
    InputError
        When there is no such square.
    """
    return _of(mgrs.square(tile_id.strip().upper()))


def tiles_intersecting(geometry_wgs84: BaseGeometry) -> list[Sentinel2Tile]:
    """Tiles of the Sentinel-2 grid whose footprint meets the geometry (lon, lat), by name."""
    if geometry_wgs84.is_empty:
        return []
    dense = shapely.segmentize(geometry_wgs84, _EDGE_DEG)
    found: list[Sentinel2Tile] = []
    for zone in range(1, 61):
        for in_zone in _parts_near(dense, zone):
            squares = [s for s in _squares_within(zone, in_zone.bounds) if mgrs.in_sentinel2_grid(s)]
            shapely.prepare(in_zone)
            boxes = shapely.box(*np.array([s.tile_bounds for s in squares], dtype=float).reshape(-1, 4).T)
            hits = shapely.intersects(in_zone, boxes)
            found += [_of(s) for s, hit in zip(squares, hits, strict=True) if hit]
    return sorted(set(found))


def select_tiles(
    geometry_wgs84: BaseGeometry, min_overlap_km2: float, restrict_to: Sequence[str] | None = None
) -> list[TileCoverage]:
    """Tiles that meet a site, with the area they share, which are used and which could be left out.

    Parameters
    ----------
    geometry_wgs84 : polygons, lon/lat.
    min_overlap_km2 : least shared area to be selected; 0 selects every overlap that is not empty.
    restrict_to : only these may be selected; None means all.

    Returns
    -------
    list of TileCoverage, by name; a tile below the least area is listed, not selected.

    Raises
    ------
    InputError
        When a tile of `restrict_to` does not exist or does not meet the site.
    """
    tiles = tiles_intersecting(geometry_wgs84)
    allowed = None if restrict_to is None else {tile(name) for name in restrict_to}
    if allowed is not None:
        tiles = sorted({*tiles, *allowed})
    if not tiles:
        return []
    to_equal_area = _equal_area(geometry_wgs84)
    site = _project(shapely.segmentize(geometry_wgs84, _EDGE_DEG), 4326, to_equal_area)
    site = site if site.is_valid else shapely.make_valid(site, method="structure", keep_collapsed=False)
    squares = np.array(
        [_project(shapely.segmentize(t.footprint_utm(), _EDGE_M), t.epsg, to_equal_area) for t in tiles], dtype=object
    )
    shapely.prepare(site)
    parts = shapely.intersection(site, squares)
    overlaps = shapely.area(parts) / 1e6
    if allowed is not None:
        outside = [t.tile_id for t, meets in zip(tiles, shapely.intersects(site, squares), strict=True) if not meets]
        if outside:
            raise InputError(
                f"These tiles do not meet the site: {', '.join(outside)}.", hint="Remove them from the list of tiles."
            )
    selected = [
        bool(overlap > 0 and overlap >= min_overlap_km2) and (allowed is None or t in allowed)
        for t, overlap in zip(tiles, overlaps, strict=True)
    ]
    redundant = _redundant(parts, squares, overlaps, selected)
    return [
        TileCoverage(t, float(overlap), chosen, i in redundant)
        for i, (t, overlap, chosen) in enumerate(zip(tiles, overlaps, selected, strict=True))
    ]


def _redundant(
    parts: Geometries,
    squares: Geometries,
    overlaps: Coordinates,
    selected: Sequence[bool],
) -> set[int]:
    """Positions of the tiles that can go, smallest overlap first, each judged against those still there."""
    kept = {i for i, chosen in enumerate(selected) if chosen}
    tree = shapely.STRtree(squares)
    dropped: set[int] = set()
    for i in sorted(kept, key=lambda position: (overlaps[position], position)):
        others = [int(j) for j in tree.query(parts[i], predicate="intersects") if j != i and int(j) in kept]
        covered = shapely.area(shapely.intersection(parts[i], shapely.union_all(squares[others]))) / 1e6
        if covered >= REDUNDANT_SHARE * overlaps[i]:
            kept.remove(i)
            dropped.add(i)
    return dropped


@lru_cache(maxsize=8192)
def _of(square: mgrs.Square) -> Sentinel2Tile:
    west, _, _, north = square.tile_bounds
    south = square.row < 0
    return Sentinel2Tile(
        tile_id=square.name,
        epsg=(32700 if south else 32600) + square.zone,
        ulx=west,
        uly=north + (mgrs.FALSE_NORTHING_M if south else 0),
    )


def _parts_near(dense: BaseGeometry, zone: int) -> Iterator[BaseGeometry]:
    """The part of a geometry that tiles of the zone can reach, in its UTM coordinates with signed northing."""
    west, south, east, north = dense.bounds
    # A tile reaches at most one square and its overlap beyond the border of its zone, which lies 6 degrees away
    # from the central meridian off Norway and Svalbard.
    reach = (TILE_M + 10_000) / 1000 / (_KM_PER_DEG * math.cos(math.radians(min(84.7, max(abs(south), abs(north))))))
    half = (6.0 if 31 <= zone <= 37 else 3.0) + reach
    for turn in (-360, 0, 360):
        meridian = mgrs.central_meridian(zone) + turn
        if east < meridian - half or west > meridian + half:
            continue
        clipped = shapely.clip_by_rect(dense, meridian - half, -84.7, meridian + half, 84.7)
        if not clipped.is_empty:
            # densified again: clipping adds long edges along the window, and they bend in UTM
            yield shapely.transform(shapely.segmentize(clipped, _EDGE_DEG), partial(_to_zone, meridian))


def _to_zone(meridian: float, coordinates: Coordinates) -> Coordinates:
    return np.column_stack(mgrs.from_offset(coordinates[:, 0] - meridian, coordinates[:, 1]))


def _squares_within(zone: int, bounds: tuple[float, float, float, float]) -> list[mgrs.Square]:
    west, south, east, north = (value / mgrs.SQUARE_M for value in bounds)
    # a tile reaches 9.8 km further east and south than its square, and up to 60 m west and north
    columns = range(max(1, math.floor(west - 0.1)), min(8, math.floor(east + 0.001)) + 1)
    rows = range(max(mgrs.ROWS[0], math.floor(south - 0.001)), min(mgrs.ROWS[-1], math.floor(north + 0.1)) + 1)
    return [mgrs.Square(zone, column, row) for column in columns for row in rows]


def _equal_area(geometry: BaseGeometry) -> str:
    west, south, east, north = geometry.bounds
    return f"+proj=laea +lat_0={(south + north) / 2:.3f} +lon_0={(west + east) / 2:.3f} +datum=WGS84 +units=m"


@lru_cache(maxsize=128)
def _transformer(source: int | str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def _project(geometry: BaseGeometry, source: int, target: str) -> BaseGeometry:
    def change(coordinates: Coordinates) -> Coordinates:
        return np.column_stack(_transformer(source, target).transform(coordinates[:, 0], coordinates[:, 1]))

    return shapely.transform(geometry, change)
