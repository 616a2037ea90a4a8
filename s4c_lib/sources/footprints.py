"""Footprints in WGS84 (lon, lat) from corner lists, tiles and raster bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import shapely
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import ProductCorruptError

# A raster's edges are curves in lon/lat; this many pieces an edge keep the error far below a tile overlap.
_PIECES_PER_EDGE = 20


def polygon_of_corners(corners: Sequence[tuple[float, float]], where: str) -> BaseGeometry:
    """Polygon of (lon, lat) corners in ring order; cut in two where it crosses the antimeridian.

    Raises
    ------
    ProductCorruptError : fewer than three corners, no area, or a corner that lies nowhere on Earth.
    """
    if len(corners) < 3 or any(abs(lon) > 180 or abs(lat) > 90 for lon, lat in corners):
        raise ProductCorruptError(f"the footprint in {where} is not a polygon on Earth", hint="fetch the product again")
    if max(lon for lon, _ in corners) - min(lon for lon, _ in corners) <= 180:
        polygon: BaseGeometry = shapely.make_valid(Polygon(corners))
    else:
        shifted = shapely.make_valid(Polygon([(lon % 360, lat) for lon, lat in corners]))
        east = shifted.intersection(box(0, -90, 180, 90))
        west = shapely.transform(shifted.intersection(box(180, -90, 360, 90)), lambda xy: xy - [360, 0])
        parts = [part for part in (east, west) if part.area > 0]
        polygon = parts[0] if len(parts) == 1 else MultiPolygon([p for p in parts if isinstance(p, Polygon)])
    if polygon.area == 0:
        raise ProductCorruptError(f"the footprint in {where} has no area", hint="fetch the product again")
    return polygon


def polygon_of_coordinates(written: str, where: str) -> BaseGeometry:
    """Polygon of a SAFE coordinate list: ``lat,lon lat,lon`` (Sentinel-1) or ``lat lon lat lon`` (Sentinel-2)."""
    numbers: list[float] = []
    for part in re.split(r"[,\s]+", written.strip()):
        try:
            numbers.append(float(part))
        except ValueError as error:
            raise ProductCorruptError(
                f"the footprint in {where} holds '{part}', which is no number", hint="fetch the product again"
            ) from error
    if len(numbers) % 2:
        raise ProductCorruptError(f"the footprint in {where} has an odd count of numbers", hint="fetch it again")
    return polygon_of_corners(list(zip(numbers[1::2], numbers[0::2], strict=True)), where)


def polygon_of_tiles(tiles: Iterable[str]) -> BaseGeometry:
    """Union of the squares of Sentinel-2 tiles.

    Raises
    ------
    InputError : a tile id that is none.
    """
    from s4c_lib.geography.sentinel2_tiles import tile

    return shapely.union_all([tile(tile_id).footprint_wgs84() for tile_id in sorted(set(tiles))])


def polygon_of_raster(gdal_path: str, where: str) -> BaseGeometry:
    """Outline of a georeferenced raster, its edges densified before the change to lon/lat.

    Raises
    ------
    ProductCorruptError : it cannot be opened or has no coordinate reference system.
    """
    import rasterio
    from pyproj import CRS, Transformer
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(gdal_path) as raster:
            crs, bounds = raster.crs, raster.bounds
    except RasterioError as error:
        raise ProductCorruptError(
            f"cannot read the header of {where}: {error}", hint="the product may still be arriving"
        ) from error
    if crs is None:
        raise ProductCorruptError(f"{where} has no coordinate reference system", hint="fetch the product again")
    outline = box(*bounds)
    outline = outline.segmentize(max(bounds.right - bounds.left, bounds.top - bounds.bottom) / _PIECES_PER_EDGE)
    to_lonlat = Transformer.from_crs(CRS.from_wkt(crs.to_wkt()), 4326, always_xy=True)
    ring = [to_lonlat.transform(x, y) for x, y in outline.exterior.coords]
    return polygon_of_corners(ring, where)
