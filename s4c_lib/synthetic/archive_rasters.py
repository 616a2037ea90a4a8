"""Small real rasters for made-up products: a window of a tile, true georeference, content fixed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.products.raster_files import geotiff, jpeg2000

# Pixels along a window of 1200 m in the middle of a tile, by their size in metres: a season stays small.
PIXELS = {10: 120, 20: 60, 60: 20}
_WINDOW_AT_M = 54_000

Array = npt.NDArray[np.generic]


def smooth_field(rng: np.random.Generator, pixels: int) -> npt.NDArray[np.float64]:
    """A field-like pattern in 0..1, float64 (pixels, pixels), the same for one state of ``rng``."""
    waves = rng.uniform(2, 9, size=(4, 2))
    phases = rng.uniform(0, 2 * np.pi, size=4)
    y, x = np.mgrid[0:pixels, 0:pixels] / pixels
    total = sum(np.sin(wave[0] * x + wave[1] * y + phase) for wave, phase in zip(waves, phases, strict=True))
    return np.asarray((total + 4) / 8, dtype=np.float64)


def window_grid(tile: Sentinel2Tile, metres: int) -> PixelGrid:
    """Grid of the window of a tile, on the tile's own pixels of that size."""
    pixels = PIXELS[metres]
    return PixelGrid(tile.epsg, tile.ulx + _WINDOW_AT_M, tile.uly - _WINDOW_AT_M, metres, pixels, pixels)


def placed_raster(
    array: Array,
    *,
    driver: str,
    epsg: int,
    corner: tuple[float, float],
    pixel: float,
    nodata: float | None = None,
    tags: dict[str, str] | None = None,
) -> bytes:
    """Bytes of a north-up raster with its upper-left corner at ``corner`` (metres)."""
    grid = PixelGrid(epsg, corner[0], corner[1], pixel, *array.shape)
    return jpeg2000(array, grid) if driver == "JP2OpenJPEG" else geotiff(array, grid, nodata=nodata, tags=tags)


def radar_raster(array: Array, corners: Sequence[tuple[float, float]]) -> bytes:
    """Bytes of a TIFF in radar geometry, tied to the ground by the four corners of its footprint (lon, lat)."""
    from rasterio.control import GroundControlPoint
    from rasterio.io import MemoryFile

    rows, columns = array.shape
    places = ((0, 0), (0, columns), (rows, columns), (rows, 0))
    points = [
        GroundControlPoint(row=row, col=column, x=lon, y=lat, z=0)
        for (row, column), (lon, lat) in zip(places, corners, strict=True)
    ]
    complex_data = np.iscomplexobj(array)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=rows,
            width=columns,
            count=1,
            dtype="complex_int16" if complex_data else array.dtype.name,
            gcps=points,
            crs="EPSG:4326",
        ) as raster:
            raster.write(array, 1)
        return bytes(memory.read())
