"""The mask product ``l2a_msk``: flags of an L2A completed by an external mask (``preprocessing.md`` §2.13).

The statistics read the flags raster of L3B; this product is made only where an external mask (Fmask) is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, WrittenCog, write_cog
from s4c_lib.readers.flags import Flag, flags_with_fmask
from s4c_lib.readers.raster_opening import grid_of_raster, open_raster, single_thread, unreadable

RESOLUTIONS: Final = (10.0, 20.0)  # besides the native one
PROFILE: Final = CogProfile("uint8", (CogBand("flags"),), Flag.NO_DATA, "nearest")

Flags = npt.NDArray[np.uint8]


def mask_name(l2a: str) -> str:
    """Name of the mask product: ``L2A`` becomes ``L2AMSK``.

    Raises
    ------
    InputError : the name has no ``L2A``.
    """
    if "L2A" not in l2a:
        raise InputError(f"'{l2a}' is not the name of an L2A product")
    return l2a.replace("L2A", "L2AMSK", 1)


def nearest(flags: Flags, grid: PixelGrid, to: PixelGrid) -> Flags:
    """Flags on another grid of the same ground: of each pixel the one under its centre.

    Raises
    ------
    InputError : the grids do not cover the same ground.
    """
    if grid.epsg != to.epsg or any(abs(a - b) > 1e-6 for a, b in zip(grid.bounds, to.bounds, strict=True)):
        raise InputError(f"the mask covers {grid.bounds} of EPSG:{grid.epsg}, not {to.bounds} of EPSG:{to.epsg}")
    rows = ((np.arange(to.rows) + 0.5) * to.pixel // grid.pixel).astype(np.int64)
    columns = ((np.arange(to.columns) + 0.5) * to.pixel // grid.pixel).astype(np.int64)
    return np.ascontiguousarray(flags[rows][:, columns])


def read_external_mask(path: Path, grid: PixelGrid) -> Flags:
    """Classes of an Fmask raster on a grid of the same ground.

    Raises
    ------
    ProductCorruptError : not readable. InputError : it covers other ground.
    """
    from rasterio.errors import RasterioError

    with single_thread(), open_raster(str(path)) as raster:
        there = grid_of_raster(raster, str(path))
        try:
            return nearest(raster.read(1).astype(np.uint8), there, grid)
        except RasterioError as error:
            raise unreadable(str(path), error) from error


def write_validity_masks(
    flags: Flags, grid: PixelGrid, name: str, folder: Path, external: Path | None = None
) -> tuple[WrittenCog, ...]:
    """Write ``<name>_<resolution>M.tif`` for the native resolution, 10 m and 20 m.

    Parameters
    ----------
    flags : of the L2A on its native grid. name : of the mask product. external : Fmask raster of the same ground;
        where the L2A says land, it decides.

    Raises
    ------
    InputError : sizes or grounds differ. ProductCorruptError : the external mask is not readable.
    DiskFullError, StorageError : a file could not be written.
    """
    if flags.shape != grid.shape:
        raise InputError(f"flags of {flags.shape} for a grid of {grid.shape} pixels")
    combined = flags if external is None else flags_with_fmask(flags, read_external_mask(external, grid))
    written = []
    for pixel in sorted({grid.pixel, *RESOLUTIONS}):
        there = grid.resized(pixel)
        path = folder / f"{name}_{pixel:g}M.tif"
        written.append(write_cog(path, nearest(combined, grid, there), there, PROFILE))
    return tuple(written)
