"""Heights as SNAP reads them: one GeoTIFF of our elevation model, on the model's own grid, for the ground wanted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from s4c_lib.preprocessing.elevation.mosaic import Bounds, Mosaic, read_mosaic, survey
from s4c_lib.preprocessing.elevation.rasters import Heights
from s4c_lib.preprocessing.elevation.sources import ElevationSource
from s4c_lib.preprocessing.radar.geoid import Geoid
from s4c_lib.preprocessing.radar.snap_graphs import NO_HEIGHT
from s4c_lib.sources.gdal_threads import single_thread

# Of ground without any height of its own, which is sea.
_SEA_PIXEL_DEG: Final = 0.001
_SEA_PIXEL_M: Final = 90.0
_STRIP: Final = 256


def write_elevation(source: ElevationSource, region: BaseGeometry, path: Path, geoid: Geoid | None = None) -> Path:
    """Write the heights of a region, float32 metres above ``source.geoid``, sea and voids 0.

    The file declares -32768 as no data and holds none: what lies outside it is what has no height.

    Parameters
    ----------
    region : WGS 84, longitude and latitude.
    geoid : added, so that heights are above the ellipsoid, at sea too.

    Raises
    ------
    InputError : the geoid grid is missing or does not cover the region.
    ElevationMissingError : a cell of land has no file. ProductCorruptError : one cannot be read.
    """
    import rasterio

    bounds = _bounds(source, region)
    ground = survey(source, bounds, f"{region.bounds[0]:.2f} {region.bounds[1]:.2f} and north-east of it")
    mosaic = read_mosaic(source, ground, bounds) if ground.files else _sea(source, bounds)
    heights = mosaic.heights if geoid is None else _above_ellipsoid(source, mosaic, geoid)
    rows, columns = heights.shape
    with (
        single_thread(),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=rows,
            width=columns,
            count=1,
            dtype="float32",
            crs=f"EPSG:{source.epsg}",
            transform=rasterio.Affine(mosaic.dx, 0, mosaic.west, 0, -mosaic.dy, mosaic.north),
            nodata=NO_HEIGHT,
        ) as raster,
    ):
        raster.write(heights, 1)
    return path


def _bounds(source: ElevationSource, region: BaseGeometry) -> Bounds:
    west, south, east, north = region.bounds
    if source.geographic:
        return west, south, east, north
    from rasterio.warp import transform_bounds

    left, bottom, right, top = transform_bounds("EPSG:4326", f"EPSG:{source.epsg}", west, south, east, north)
    return left, bottom, right, top


def _sea(source: ElevationSource, bounds: Bounds) -> Mosaic:
    pixel = _SEA_PIXEL_DEG if source.geographic else _SEA_PIXEL_M
    west, south, east, north = bounds
    shape = max(1, math.ceil((north - south) / pixel)), max(1, math.ceil((east - west) / pixel))
    return Mosaic(np.zeros(shape, np.float32), west, north, pixel, pixel)


def _above_ellipsoid(source: ElevationSource, mosaic: Mosaic, geoid: Geoid) -> Heights:
    """Heights with the geoid added, strip by strip."""
    rows, columns = mosaic.heights.shape
    heights = np.empty((rows, columns), np.float32)
    x = mosaic.west + (np.arange(columns) + 0.5) * mosaic.dx
    for first in range(0, rows, _STRIP):
        y = mosaic.north - (np.arange(first, min(rows, first + _STRIP)) + 0.5) * mosaic.dy
        longitude, latitude = np.meshgrid(x, y)
        if not source.geographic:
            longitude, latitude = Transformer.from_crs(source.epsg, 4326, always_xy=True).transform(longitude, latitude)
        heights[first : first + len(y)] = mosaic.heights[first : first + len(y)] + geoid.at(longitude, latitude)
    return heights
