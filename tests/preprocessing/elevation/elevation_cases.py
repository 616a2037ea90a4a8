"""Small elevation models with the names of real ones, of a surface that is known everywhere."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import Affine

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.elevation.cells import Cell, copernicus_name

Surface = Callable[[Any, Any], Any]


def hills(longitude: Any, latitude: Any) -> Any:
    """Smooth hills of some kilometres between 150 and 650 m."""
    return 400 + 150 * np.sin(180 * np.asarray(longitude)) * np.cos(150 * np.asarray(latitude)) + 0 * longitude


def write_raster(path: Path, values: Any, west: float, north: float, dx: float, dy: float, **profile: Any) -> None:
    """A GeoTIFF of values from an outer corner on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"crs": "EPSG:4326", "dtype": values.dtype.name, "compress": "deflate"} | profile
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        transform=Affine(dx, 0, west, 0, -dy, north),
        **given,
    ) as raster:
        raster.write(values, 1)


def copernicus_cell(
    folder: Path,
    latitude: int,
    longitude: int,
    surface: Surface = hills,
    rows: int = 1200,
    columns: int | None = None,
    layer: str = "DEM",
    dtype: str = "float32",
    **profile: Any,
) -> Path:
    """A cell of GLO-30: its first pixel is centred on its north-western corner, the last row and column lack."""
    columns = columns or rows
    dx, dy = 1 / columns, 1 / rows
    x, y = longitude + np.arange(columns) * dx, latitude + 1 - np.arange(rows) * dy
    values = np.broadcast_to(surface(x[None, :], y[:, None]), (rows, columns)).astype(dtype)
    path = folder / f"{copernicus_name(Cell(latitude, longitude), layer)}.tif"
    write_raster(path, values, longitude - dx / 2, latitude + 1 + dy / 2, dx, dy, **profile)
    return path


def hgt_cell(path: Path, latitude: int, longitude: int, surface: Surface = hills, zipped: bool = False) -> None:
    """A cell of SRTM in its raw form, here of 3": 1201 x 1201 nodes, on the edges too, big-endian."""
    x, y = longitude + np.arange(1201) / 1200, latitude + 1 - np.arange(1201) / 1200
    values = np.rint(np.broadcast_to(surface(x[None, :], y[:, None]), (1201, 1201))).astype(">i2")
    if zipped:
        inner = path.name.split(".")[0] + ".hgt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(inner, values.tobytes())
    else:
        path.write_bytes(values.tobytes())


def positions(grid: PixelGrid, epsg: int = 4326) -> tuple[Any, Any]:
    """Coordinates of the pixel centres."""
    x = grid.west + (np.arange(grid.columns) + 0.5) * grid.pixel
    y = grid.north - (np.arange(grid.rows) + 0.5) * grid.pixel
    return Transformer.from_crs(grid.epsg, epsg, always_xy=True).transform(*np.meshgrid(x, y))


def grid_at(
    longitude: float, latitude: float, rows: int = 240, columns: int | None = None, pixel: float = 10
) -> PixelGrid:
    """A grid in its UTM zone whose upper-left corner lies about there, on whole pixels of 240 m."""
    epsg = (32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) + 1
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    return PixelGrid(epsg, 240 * round(x / 240), 240 * round(y / 240), pixel, rows, columns or rows)
