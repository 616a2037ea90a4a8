"""Opening the rasters of an elevation model: nothing is ever written beside them (spec §7.4, read-only source)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.elevation.sources import SourceFile

Heights = npt.NDArray[np.float32]
VOID = -32768
# No side-car files are looked for or made, and one thread serves a task.
GDAL_OPTIONS = {
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_NUM_THREADS": "1",
    "GDAL_CACHEMAX": 64,
}


@contextmanager
def opened(file: SourceFile) -> Iterator[Any]:
    """A raster, open for reading.

    Raises
    ------
    ProductCorruptError : it cannot be opened, or what is read from it within cannot be decoded.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(file.address) as raster:
            yield raster
    except RasterioError as error:
        raise ProductCorruptError(f"{file.path} cannot be read: {error}", hint="fetch the file again") from error


def heights_within(raster: Any, window: Any) -> tuple[Heights, npt.NDArray[np.bool_]]:
    """Heights of a window, 0 in voids, and where they are heights.

    Parameters
    ----------
    raster : an open dataset with one band, metres.
    window : rasterio window inside it.

    Returns
    -------
    heights : float32 (rows, columns), metres; 0 where the file has its no-data, -32768 or NaN (spec §7.4: before
        anything is computed from them).
    measured : bool (rows, columns).
    """
    stored = raster.read(1, window=window)
    measured = stored != VOID
    declared = raster.nodata
    if declared is not None and not np.isnan(declared):
        measured &= stored != stored.dtype.type(declared)
    if stored.dtype.kind == "f":
        measured &= np.isfinite(stored)
    return np.where(measured, stored, 0).astype(np.float32), measured
