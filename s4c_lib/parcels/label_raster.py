"""Label rasters: one parcel number for each pixel, for maps and for the counts that Sen4CAP made of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.kernel_cache import compiled
from s4c_lib.parcels import pixel_index_kernels as kernels
from s4c_lib.parcels.pixel_index import PixelIndex

Int32 = npt.NDArray[np.int32]
NODATA: Final = 0


def label_raster(index: PixelIndex, area_m2: npt.NDArray[np.float64] | None = None) -> Int32:
    """Burn the parcels of an index into a raster; where several have a pixel, the last one stays.

    Parameters
    ----------
    area_m2 : (parcels of the index,), declared to burn the largest first, then by number, so that small parcels stay
        (``default``); None to burn by number (``reference``).

    Returns
    -------
    int32 (rows, columns), ``parcel_id``, 0 where there is none.
    """
    order = np.arange(len(index))
    if area_m2 is not None:
        if np.shape(area_m2) != (len(index),):
            raise InputError(f"{np.size(area_m2)} areas for the {len(index)} parcels of the pixel index")
        order = np.argsort(-np.asarray(area_m2, dtype=np.float64), kind="stable")
    labels = np.full(index.grid.rows * index.grid.columns, NODATA, np.int32)
    compiled(kernels.burn)(order, index.parcel_id, index.offsets, index.start, index.length, labels)
    return labels.reshape(index.grid.shape)


def labelled_pixels(index: PixelIndex, labels: Int32) -> Int32:
    """Count the pixels that each parcel of an index has in a label raster of it, int32 (parcels of the index,)."""
    if labels.shape != index.grid.shape:
        raise InputError(f"a label raster of {labels.shape} for a pixel index of {index.grid.shape} pixels")
    count = np.empty(len(index), np.int32)
    compiled(kernels.count_labelled)(
        index.parcel_id, index.offsets, index.start, index.length, labels.reshape(-1), count
    )
    return count
