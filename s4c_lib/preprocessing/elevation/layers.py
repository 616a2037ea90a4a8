"""The elevation layers of a grid, computed in strips: heights, slope and aspect at each resolution (spec §7.2).

Everything comes from heights in float32 on the finest grid and a margin around it: slope and aspect are computed at
each resolution itself and have true neighbours at the edges, and no layer inherits the rounding of another.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.elevation import resampling_kernels as kernels
from s4c_lib.preprocessing.elevation.header import ElevationStatistics
from s4c_lib.preprocessing.elevation.rasters import GDAL_OPTIONS, Heights
from s4c_lib.preprocessing.elevation.terrain import slope_and_aspect

COARSE_M: Final = 240.0
_STRIP: Final = 512
# Any GDAL that MAJA was built with reads these.
_PROFILE: Final[dict[str, Any]] = {
    "driver": "GTiff",
    "count": 1,
    "tiled": True,
    "blockxsize": 512,
    "blockysize": 512,
    "compress": "DEFLATE",
    "zlevel": 1,
    "bigtiff": "NO",
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """One resolution of a tile's elevation.

    Parameters
    ----------
    grid : its grid.
    factor : its pixel in pixels of the finest grid.
    heights, slope, aspect : names of its layers.
    """

    grid: PixelGrid
    factor: int
    heights: str
    slope: str
    aspect: str


def resolutions(grid: PixelGrid) -> tuple[Resolution, ...]:
    """Layers that MAJA wants: 10, 20 and 240 m.

    Parameters
    ----------
    grid : of the finest layer; 240 m must be a multiple of its pixel.
    """
    coarse = Resolution(coarse_grid(grid), round(COARSE_M / grid.pixel), "ALC", "SLC", "ASC")
    return (
        Resolution(grid, 1, "ALT_R1", "SLP_R1", "ASP_R1"),
        Resolution(_enlarged(grid, 2), 2, "ALT_R2", "SLP_R2", "ASP_R2"),
        coarse,
    )


def coarse_grid(grid: PixelGrid) -> PixelGrid:
    """The grid of 240 m from the same corner: 458 x 458 pixels for a Sentinel-2 tile, the last ones half beyond it."""
    return _enlarged(grid, round(COARSE_M / grid.pixel))


def padded(grid: PixelGrid) -> tuple[PixelGrid, int]:
    """The finest grid with the margin that all layers need, two of the coarsest pixels, and that margin in pixels."""
    pad = 2 * round(COARSE_M / grid.pixel)
    return PixelGrid(
        grid.epsg,
        grid.west - pad * grid.pixel,
        grid.north + pad * grid.pixel,
        grid.pixel,
        grid.rows + 2 * pad,
        grid.columns + 2 * pad,
    ), pad


def write_layers(
    heights: Heights,
    pad: int,
    wanted: tuple[Resolution, ...],
    place: Callable[[str], Path],
    alive: Callable[[], None],
) -> ElevationStatistics:
    """Write heights (metres), slope and aspect (hundredths of a radian) of each resolution as int16 GeoTIFF.

    Parameters
    ----------
    heights : float32, of the finest grid and `pad` more pixels on each side.
    place : path of a layer.
    alive : called between strips.

    Returns
    -------
    statistics of the finest heights as stored.
    """
    statistics: ElevationStatistics | None = None
    for resolution in wanted:
        grid = resolution.grid
        if resolution.factor == 1:
            ring, edge = heights, pad - 1
        else:
            # One more pixel on each side: the neighbours of the outermost ones.
            ring, edge = np.empty((grid.rows + 2, grid.columns + 2), np.float32), 0
            compiled(kernels.coarser)(heights, pad, resolution.factor, 1, ring)
        names = resolution.heights, resolution.slope, resolution.aspect
        sums = _Sums()
        with (
            _written(place(names[0]), grid) as altitude,
            _written(place(names[1]), grid) as slope,
            _written(place(names[2]), grid) as aspect,
        ):
            for first in range(0, grid.rows, _STRIP):
                rows = min(_STRIP, grid.rows - first)
                block = ring[edge + first : edge + first + rows + 2, edge : edge + grid.columns + 2]
                whole = np.rint(block[1:-1, 1:-1]).astype(np.int16)
                steep, towards = slope_and_aspect(np.ascontiguousarray(block), grid.pixel)
                for target, values in ((altitude, whole), (slope, steep), (aspect, towards)):
                    target(values, first)
                sums.add(whole)
                alive()
        statistics = statistics or sums.result()
    assert statistics is not None  # there is always the finest
    return statistics


def write_mask(mask: Any, grid: PixelGrid, path: Path) -> None:
    """Write the water mask, uint8."""
    with _written(path, grid, "uint8") as target:
        target(mask, 0)


@dataclass(slots=True)
class _Sums:
    count: int = 0
    total: int = 0
    squares: int = 0
    least: int = 2**15
    greatest: int = -(2**15)

    def add(self, values: Any) -> None:
        """Whole numbers, so that the sums are exact whatever the strips."""
        self.count += values.size
        self.total += int(values.sum(dtype=np.int64))
        wide = values.astype(np.int32)
        self.squares += int((wide * wide).sum(dtype=np.int64))
        self.least = min(self.least, int(values.min()))
        self.greatest = max(self.greatest, int(values.max()))

    def result(self) -> ElevationStatistics:
        mean = self.total / self.count
        spread = math.sqrt(max(0, self.count * self.squares - self.total**2)) / self.count
        return ElevationStatistics(float(self.least), float(self.greatest), mean, spread)


def _enlarged(grid: PixelGrid, factor: int) -> PixelGrid:
    """Pixels `factor` times larger from the same corner; a last one is kept when half of it or more is inside."""
    rows, columns = (max(1, math.floor(side / factor + 0.5)) for side in grid.shape)
    return PixelGrid(grid.epsg, grid.west, grid.north, grid.pixel * factor, rows, columns)


@contextmanager
def _written(path: Path, grid: PixelGrid, dtype: str = "int16") -> Iterator[Callable[[Any, int], None]]:
    """A raster to which strips are written from a row on; on disk for good when the context ends.

    It is built in memory and written by Python: GDAL reports no error when the last blocks, which it writes while
    closing a file, find the disk full.
    """
    import rasterio
    from rasterio import Affine
    from rasterio.io import MemoryFile
    from rasterio.windows import Window

    profile = _PROFILE | {
        "dtype": dtype,
        "predictor": 2 if dtype == "int16" else 1,
        "width": grid.columns,
        "height": grid.rows,
        "crs": f"EPSG:{grid.epsg}",
        "transform": Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
    }
    with rasterio.Env(**GDAL_OPTIONS), MemoryFile() as built:
        with built.open(**profile) as raster:

            def write(values: Any, first: int) -> None:
                raster.write(values, 1, window=Window(0, first, values.shape[1], values.shape[0]))

            yield write
        with path.open("xb") as stream:
            stream.write(built.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
