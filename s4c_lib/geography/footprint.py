"""Footprints of rasters on the globe (``preprocessing.md`` §2.11)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid

POINTS_AN_EDGE: Final = 21
WORLD: Final = shapely.box(-180, -90, 180, 90)
"""All longitudes and latitudes."""
LEAST_NO_DATA_PERCENT: Final = 5.0  # with less, the footprint is the whole raster
_CELLS: Final = 256  # coarse cells on the longer side; a Sentinel-2 tile's have 430 m
_HALF, _WHOLE = 180.0, 360.0

Mask = npt.NDArray[np.bool_]


def footprint_of(has_data: Mask | None, grid: PixelGrid) -> BaseGeometry:
    """Outline of a raster in longitude and latitude (WGS 84), its edges with 21 points.

    Parameters
    ----------
    has_data : (rows, columns) of the same ground, of any resolution. With more than 5 % without data the outline is
        cut to the area with data, seen in cells of 1/256 of the raster and simplified by one cell; it covers all data.
        Where nothing has data it is that of the whole raster.

    Returns
    -------
    Polygon, or several where the data lie apart or where the raster crosses the antimeridian.
    """
    west, south, east, north = grid.bounds
    ground: BaseGeometry = shapely.box(west, south, east, north)
    if has_data is not None:
        with_data = 100 * np.count_nonzero(has_data)
        if 0 < with_data < (100 - LEAST_NO_DATA_PERCENT) * has_data.size:
            ground = _with_data(grid, has_data).intersection(ground)
    dense = shapely.segmentize(ground, max(east - west, north - south) / (POINTS_AN_EDGE - 1) * (1 + 1e-9))
    return _on_globe(dense, grid.epsg)


def split_at_antimeridian(geometry: BaseGeometry) -> BaseGeometry:
    """Parts west and east of 180 degrees, of a geometry whose longitudes jump by more than half the globe."""
    west, _, east, _ = geometry.bounds
    if east - west <= _HALF:
        return geometry
    unrolled = shapely.transform(geometry, lambda xy: xy + np.where(xy[:, :1] < 0, [_WHOLE, 0], [0, 0]))
    left = unrolled.intersection(shapely.box(0, -90, _HALF, 90))
    right = unrolled.intersection(shapely.box(_HALF, -90, _WHOLE, 90))
    moved = shapely.transform(right, lambda xy: xy - [_WHOLE, 0])
    return shapely.MultiPolygon([*_polygons(left), *_polygons(moved)])


def _on_globe(ground: BaseGeometry, epsg: int) -> BaseGeometry:
    from pyproj import Transformer

    # Longitude first, whatever the authority's order of axes.
    to_globe = Transformer.from_crs(epsg, 4326, always_xy=True)
    return split_at_antimeridian(
        shapely.transform(ground, lambda xy: np.column_stack(to_globe.transform(xy[:, 0], xy[:, 1])))
    )


def _with_data(grid: PixelGrid, has_data: Mask) -> BaseGeometry:
    """Union of the coarse cells with data, without holes, simplified and widened so that it still covers them."""
    from rasterio import Affine
    from rasterio.features import shapes

    step = -(-max(has_data.shape) // _CELLS)
    starts = [np.arange(0, side, step) for side in has_data.shape]
    data = np.logical_or.reduceat(np.logical_or.reduceat(has_data, starts[0], axis=0), starts[1], axis=1)
    side = grid.rows * grid.pixel / has_data.shape[0] * step
    place = Affine(side, 0, grid.west, 0, -side, grid.north)
    found: list[Any] = [shape for shape, _ in shapes(data.astype(np.uint8), mask=data, transform=place)]
    outlines = [shapely.Polygon(shape["coordinates"][0]) for shape in found]
    union: BaseGeometry = shapely.union_all(outlines)
    return union.simplify(side).buffer(side, join_style="mitre").simplify(side / 2)


def _polygons(geometry: BaseGeometry) -> list[shapely.Polygon]:
    parts = geometry.geoms if hasattr(geometry, "geoms") else [geometry]
    return [part for part in parts if isinstance(part, shapely.Polygon) and not part.is_empty]
