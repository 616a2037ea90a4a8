"""Rasters that Sentinel-1 processing leaves: one quantity, polarisation and tile each (``preprocessing.md`` 4.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.footprint import footprint_of
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.radar.executor import MadeRaster, RadarTarget
from s4c_lib.products.cog import CogBand, CogProfile, write_cog

_TIME: Final = "%Y%m%dT%H%M%S"
# Bits of a float32's 23 that are kept: the error, 2^-11 of the value, is below half a unit of the third decimal digit
# whatever the value, and the bits that go are zeros, which compress away.
_KEPT_BITS: Final = 10
_DROPPED_BITS: Final = 23 - _KEPT_BITS

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RasterSubject:
    """What a raster is of, as its name says it.

    Parameters
    ----------
    platform : ``sentinel-1a``.
    polarisation : ``VV`` or ``VH``.
    time : UTC start of the (newer) acquisition; of several slices the first.
    previous_time : of the earlier acquisition of a pair; None makes it backscatter.
    """

    platform: str
    polarisation: str
    relative_orbit: int
    time: datetime
    previous_time: datetime | None = None

    def name_on(self, tile: str) -> str:
        """V2 name: ``S1A_L2_BCK_20200114T070238_VV_096_28RBR``, of a pair ``S1A_L2_COH_<newer>_<earlier>_...``."""
        kind, times = "BCK", [self.time]
        if self.previous_time is not None:
            kind, times = "COH", [self.time, self.previous_time]
        dates = "_".join(time.strftime(_TIME) for time in times)
        letter = self.platform[-1].upper()
        return f"S1{letter}_L2_{kind}_{dates}_{self.polarisation}_{self.relative_orbit:03d}_{tile}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RasterOrigin:
    """How a raster was made, for its tags.

    Parameters
    ----------
    orbit : state vectors used: ``POE``, ``RES`` or ``ANN``, the least precise of all inputs.
    direction : ``ascending`` or ``descending``.
    elevation : model and what its heights are counted from.
    input_ids : names of the products.
    software : program and version.
    more : further tags, ``LOOKS`` or ``WINDOW`` among them; see `pixel_counts`.
    """

    orbit: str
    direction: str
    noise_removed: bool
    rtc: bool
    elevation: str
    input_ids: tuple[str, ...]
    software: str
    more: Mapping[str, str] = field(default_factory=dict)


def pixel_counts(in_range: float, in_azimuth: float) -> str:
    """Return the text of the tags ``LOOKS`` and ``WINDOW``: pixels in range x azimuth, as ``8x2``."""
    return f"{in_range:g}x{in_azimuth:g}"


def write_tile_raster(
    values: Values,
    target: RadarTarget,
    subject: RasterSubject,
    origin: RasterOrigin,
    *,
    quantity: str,
    output_dir: Path,
    min_tile_share: float = 0.05,
    crop: bool = False,
) -> MadeRaster | None:
    """Write one raster as COG ``{output_dir}/{tile}/{YYYY}/{MM}/{DD}/{name}.tif``, complete or not at all.

    Values keep three significant digits (their last 13 bits become 0). A file of that name is replaced.

    Parameters
    ----------
    values : float32 (rows, columns) of the target's grid, linear; 0 is no data, and so is what is negative or not
        finite.
    quantity : ``sigma0``, ``gamma0``, ``amplitude`` or ``coherence``.
    min_tile_share : with fewer valid pixels, as a share of the tile, nothing is written.
    crop : cut to the rows and columns with data.

    Returns
    -------
    The raster; None when the tile is covered to less than ``min_tile_share``, or not at all.

    Raises
    ------
    InputError : the values are not those of the target's grid. DiskFullError, StorageError : it cannot be written.
    """
    if values.dtype != np.float32 or values.shape != target.grid.shape:
        raise InputError(f"{values.dtype} {values.shape} is no raster of tile {target.tile}, {target.grid.shape}")
    valid = np.isfinite(values) & (values > 0)
    share = float(np.count_nonzero(valid)) / valid.size
    if share == 0 or share < min_tile_share:
        return None
    rounded = three_digits(np.where(valid, values, np.float32(0)))
    grid = target.grid
    if crop:
        grid, window = _with_data(grid, valid)
        rounded, valid = np.ascontiguousarray(rounded[window]), valid[window]
    name = subject.name_on(target.tile)
    tags = _tags(subject, origin, quantity)
    profile = CogProfile("float32", (CogBand(quantity),), 0.0, "average", tags=tuple(sorted(tags.items())))
    path = output_dir / target.tile / subject.time.strftime("%Y/%m/%d") / f"{name}.tif"
    written = write_cog(path, rounded, grid, profile)
    return MadeRaster(
        path=written.path,
        name=name,
        tile=target.tile,
        polarisation=subject.polarisation,
        quantity=quantity,
        footprint=footprint_of(valid, grid),
        valid_share=share,
        size_bytes=written.size,
        sha256=written.sha256,
        tags=tags,
    )


def three_digits(values: Values) -> Values:
    """Values with the ten leading bits of their mantissa, rounded half to even; finite float32 of any shape."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    half = np.uint32((1 << (_DROPPED_BITS - 1)) - 1)
    odd = (bits >> np.uint32(_DROPPED_BITS)) & np.uint32(1)
    rounded = (bits + (half + odd)) & np.uint32(0xFFFFFFFF >> _DROPPED_BITS << _DROPPED_BITS)
    return rounded.view(np.float32)


def _with_data(grid: PixelGrid, valid: npt.NDArray[np.bool_]) -> tuple[PixelGrid, tuple[slice, slice]]:
    rows, columns = (np.flatnonzero(valid.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    west, north = grid.west + left * grid.pixel, grid.north - top * grid.pixel
    cut = PixelGrid(grid.epsg, west, north, grid.pixel, bottom - top, right - left)
    return cut, (slice(top, bottom), slice(left, right))


def _tags(subject: RasterSubject, origin: RasterOrigin, quantity: str) -> dict[str, str]:
    times = [subject.time] if subject.previous_time is None else [subject.time, subject.previous_time]
    tags = {
        "QUANTITY": quantity,
        "POL": subject.polarisation,
        "ORBIT": origin.orbit,
        "ORBIT_DIRECTION": origin.direction,
        "REL_ORBIT": str(subject.relative_orbit),
        "PLATFORM": subject.platform,
        "ACQUISITIONS": " ".join(time.strftime(_TIME) for time in times),
        "NOISE_REMOVED": str(origin.noise_removed).lower(),
        "RTC": str(origin.rtc).lower(),
        "DEM": origin.elevation,
        "INPUT_IDS": " ".join(origin.input_ids),
        "SOFTWARE": origin.software,
        **origin.more,
    }
    if subject.previous_time is not None:
        tags["BASELINE_DAYS"] = str((subject.time.date() - subject.previous_time.date()).days)
    return tags
