"""A label raster as a Cloud Optimized GeoTIFF (decision C3)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.label_raster import NODATA
from s4c_lib.parcels.pixel_index_file import whole_file

# Numbers of parcels cannot be averaged: overviews take one of them.
_PROFILE: Final = {
    "driver": "COG",
    "compress": "ZSTD",
    "level": 1,
    "predictor": "STANDARD",
    "blocksize": 512,
    "overview_resampling": "NEAREST",
    "overview_compress": "ZSTD",
    "num_threads": 1,
    "bigtiff": "IF_SAFER",
}


def write_label_raster(labels: npt.NDArray[np.int32], grid: PixelGrid, path: Path) -> None:
    """Write a label raster; a file of this name is replaced as a whole.

    Raises
    ------
    InputError : the array is not of the grid's shape.
    DiskFullError, StorageError : it could not be written.
    """
    import rasterio

    if labels.shape != grid.shape:
        raise InputError(f"a label raster of {labels.shape} for a grid of {grid.shape} pixels")
    place = rasterio.Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    with (
        whole_file(path) as unfinished,
        rasterio.open(
            unfinished,
            "w",
            height=grid.rows,
            width=grid.columns,
            count=1,
            dtype="int32",
            crs=f"EPSG:{grid.epsg}",
            transform=place,
            nodata=NODATA,
            **_PROFILE,
        ) as raster,
    ):
        raster.write(labels, 1)
