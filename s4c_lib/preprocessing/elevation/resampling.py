"""Heights on a raster's grid: the entry for MAJA's layers and for the geocoding of Sentinel-1 (spec §4.4, §7.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.elevation import resampling_kernels as kernels
from s4c_lib.preprocessing.elevation.mosaic import Bounds, Survey, read_mosaic, survey
from s4c_lib.preprocessing.elevation.rasters import Heights
from s4c_lib.preprocessing.elevation.sources import ElevationSource

Method = Literal["cubic", "bilinear", "nearest"]
_METHODS: Final[dict[Method, int]] = {"nearest": 0, "bilinear": 1, "cubic": 2}
# Positions are exact at nodes this far apart and linear between them: the error, d² tan(latitude) / 8R, is 2 cm at
# 70 degrees, a thousandth of a pixel of GLO-30.
_NODE_M: Final = 640.0
_STRIP: Final = 2048
_MARGIN_PX: Final = 4
_M_PER_DEG: Final = 111_320.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A grid with the files that cover it.

    Parameters
    ----------
    grid : where heights are wanted.
    survey : files and sea below it.
    """

    grid: PixelGrid
    survey: Survey


def ground_of(grid: PixelGrid, source: ElevationSource) -> Ground:
    """Find the files below a grid.

    Raises
    ------
    ElevationMissingError : land without a file, or SRTM beyond 60 degrees.
    ProductCorruptError : a file cannot be read.
    """
    what = f"EPSG:{grid.epsg} {grid.west:.0f} {grid.north:.0f}, {grid.rows} x {grid.columns} pixels of {grid.pixel:g} m"
    x, y = _positions(grid, source.epsg, max(1, int(_NODE_M / grid.pixel)))
    return Ground(grid, survey(source, (x.min(), y.min(), x.max(), y.max()), what))


def elevation_on(
    grid: PixelGrid, source: ElevationSource, *, method: Method = "cubic", ground: Ground | None = None
) -> Heights:
    """Heights at the pixel centres of a grid.

    Cubic is the convolution with a = -0.5 (Catmull-Rom) that GDAL has too. Where a pixel is more than one and a half
    of the model's, its height is the mean of samples that are no further apart than the model's own (never with
    ``nearest``). Sea and voids are 0 before anything is interpolated, so that a coast keeps its pixels.

    Parameters
    ----------
    grid : any UTM or other metric grid.
    method : cubic, bilinear or nearest.
    ground : what `ground_of` found, to save a second search; of this grid, or a larger one.

    Returns
    -------
    float32 (rows, columns), metres above ``source.geoid``; never no-data.

    Raises
    ------
    ElevationMissingError : land without a file, or SRTM beyond 60 degrees.
    ProductCorruptError : a file cannot be read.
    """
    found = (ground or ground_of(grid, source)).survey
    heights = np.zeros(grid.shape, np.float32)
    if not found.files:
        return heights
    parts = 1 if method == "nearest" else _samples_along_a_side(grid, source, found)
    for first in range(0, grid.rows, max(1, _STRIP // parts)):
        rows = min(grid.rows - first, max(1, _STRIP // parts))
        strip = PixelGrid(
            grid.epsg,
            grid.west,
            grid.north - first * grid.pixel,
            grid.pixel / parts,
            rows * parts,
            grid.columns * parts,
        )
        samples = heights[first : first + rows] if parts == 1 else np.empty(strip.shape, np.float32)
        _sample(strip, source, found, method, samples)
        if parts > 1:
            cut = samples.reshape(rows, parts, grid.columns, parts)
            heights[first : first + rows] = cut.mean(axis=(1, 3), dtype=np.float64)
    return heights


def geographic_bounds(grid: PixelGrid) -> Bounds:
    """West, south, east, north of the pixel centres in degrees; east may pass 180."""
    x, y = _positions(grid, 4326, max(1, int(_NODE_M / grid.pixel)))
    return x.min(), y.min(), x.max(), y.max()


def _samples_along_a_side(grid: PixelGrid, source: ElevationSource, found: Survey) -> int:
    spacing_m = found.spacing[1] * (_M_PER_DEG if source.geographic else 1.0)
    ratio = grid.pixel / spacing_m
    return math.ceil(ratio) if ratio > 1.5 else 1


def _sample(grid: PixelGrid, source: ElevationSource, found: Survey, method: Method, out: Heights) -> None:
    step = max(1, int(_NODE_M / grid.pixel))
    x, y = _positions(grid, source.epsg, step)
    margin_x, margin_y = _MARGIN_PX * found.spacing[0], _MARGIN_PX * found.spacing[1]
    bounds: Bounds = (x.min() - margin_x, y.min() - margin_y, x.max() + margin_x, y.max() + margin_y)
    mosaic = read_mosaic(source, found, bounds)
    across = (x - mosaic.west) / mosaic.dx - 0.5
    down = (mosaic.north - y) / mosaic.dy - 0.5
    compiled(kernels.sample)(mosaic.heights, across, down, step, _METHODS[method], out)


def _positions(grid: PixelGrid, epsg: int, step: int) -> tuple[Any, Any]:
    """Coordinates in system `epsg` of every `step`-th pixel centre; longitudes do not jump within the grid.

    Returns
    -------
    x, y : float64 (nodes down, nodes across); the last node lies at or beyond the last pixel.
    """
    from pyproj import Transformer

    transformer = Transformer.from_crs(grid.epsg, epsg, always_xy=True)
    column = np.arange(0, grid.columns + step, step) + 0.5
    row = np.arange(0, grid.rows + step, step) + 0.5
    easting, northing = np.meshgrid(grid.west + column * grid.pixel, grid.north - row * grid.pixel)
    x, y = transformer.transform(easting, northing)
    if epsg == 4326:
        x = (x - x[0, 0] + 180) % 360 - 180 + x[0, 0]
    return x, y
