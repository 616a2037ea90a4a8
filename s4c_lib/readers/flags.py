"""Status flags of pixels: what the masks of each format say, as one raster (l3b-and-markers.md 1.2).

The first test that holds decides: no data, cloud, shadow, water, snow, saturation, else land.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.flag_kernels import coarsen, count, widen

Flags = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.integer[Any]]
_Table = npt.NDArray[np.uint8]


class Flag(IntEnum):
    """Value of a pixel of the flag raster (uint8)."""

    LAND = 0
    WATER = 1
    SHADOW = 2
    SNOW = 3
    CLOUD = 4
    SATURATED = 5
    NO_DATA = 255


@dataclass(frozen=True, slots=True)
class MaskRules:
    """What the parameters ``processor.l2a.mask.*`` say.

    Parameters
    ----------
    shadow_flag : flag of cloud shadow: 2, or 4 as in Sen4CAP. dark_area_flag : of scene class 2, the same two.
    use_topographic : relief shadow, hidden and low-sun pixels of MAJA become shadow.
    water_is_valid, snow_is_valid : such pixels become land.
    dilate_px : cloud and shadow are widened by this many pixels of the flag raster.
    """

    shadow_flag: int = Flag.SHADOW
    dark_area_flag: int = Flag.SHADOW
    use_topographic: bool = False
    water_is_valid: bool = False
    snow_is_valid: bool = False
    dilate_px: int = 0

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> MaskRules:
        """Read the rules from resolved parameters."""
        prefix = "processor.l2a.mask"
        return cls(
            shadow_flag=Flag.CLOUD if parameters["profile"] == "reference" else Flag.SHADOW,
            dark_area_flag=int(parameters[f"{prefix}.dark_area_flag"]),
            use_topographic=bool(parameters[f"{prefix}.use_topographic"]),
            water_is_valid=bool(parameters[f"{prefix}.water_is_valid"]),
            snow_is_valid=bool(parameters[f"{prefix}.snow_is_valid"]),
            dilate_px=int(parameters[f"{prefix}.dilate_px"]),
        )


# Bits of MG2 (MAJA), of QA_PIXEL and of QA_RADSAT (Landsat Collection 2; bands 2 to 7).
_MG2_WATER, _MG2_CLOUD, _MG2_SNOW, _MG2_SHADOW, _MG2_RELIEF = 1, 2, 4, 8, 16 | 32 | 64 | 128
_QA_FILL, _QA_CLOUD, _QA_SHADOW, _QA_SNOW, _QA_WATER = 1, 2 | 4 | 8, 16, 32, 128
_RADSAT_USED: Final = 0b0111_1110
# The order of the tests, last first: of several pixels the one that fails first speaks for all.
_BY_RANK = (Flag.LAND, Flag.SATURATED, Flag.SNOW, Flag.WATER, Flag.SHADOW, Flag.CLOUD, Flag.NO_DATA)


def flags_from_scl(scl: Integers, rules: MaskRules) -> Flags:
    """Flags of a Sentinel-2 scene classification; values above 11 are no data."""
    table = np.full(256, Flag.NO_DATA, dtype=np.uint8)
    water = Flag.LAND if rules.water_is_valid else Flag.WATER
    snow = Flag.LAND if rules.snow_is_valid else Flag.SNOW
    cloud = Flag.CLOUD
    table[1:12] = (
        Flag.SATURATED,
        rules.dark_area_flag,
        rules.shadow_flag,
        Flag.LAND,
        Flag.LAND,
        water,
        cloud,
        cloud,
        cloud,
        cloud,
        snow,
    )
    return _looked_up(table, np.asarray(scl))


def flags_from_muscate(mg2: Integers, edg: Integers, sat: Integers, rules: MaskRules) -> Flags:
    """Flags of MAJA's masks of one resolution.

    Parameters
    ----------
    mg2 : bits. edg : not 0 outside the image. sat : not 0 where any band is saturated.

    Notes
    -----
    A test that the rules take away is not made: saturated water stays invalid where water is valid.
    """
    values = np.arange(256)
    table = np.zeros(256, dtype=np.uint8)
    # Later assignments overrule: the tests in reverse order.
    if not rules.snow_is_valid:
        table[(values & _MG2_SNOW) != 0] = Flag.SNOW
    if not rules.water_is_valid:
        table[(values & _MG2_WATER) != 0] = Flag.WATER
    if rules.use_topographic:
        table[(values & _MG2_RELIEF) != 0] = Flag.SHADOW
    table[(values & _MG2_SHADOW) != 0] = rules.shadow_flag
    table[(values & _MG2_CLOUD) != 0] = Flag.CLOUD
    flags = _looked_up(table, np.asarray(mg2))
    flags[(flags == Flag.LAND) & (np.asarray(sat) != 0)] = Flag.SATURATED
    flags[np.asarray(edg) != 0] = Flag.NO_DATA
    return flags


def flags_from_landsat(qa_pixel: Integers, qa_radsat: Integers, rules: MaskRules) -> Flags:
    """Flags of Landsat Collection 2; bit 6 ("clear") is never looked at (preprocessing.md 6).

    Shadow is 2 under both profiles: Sen4CAP reads no Collection 2 and there is nothing to compare with.
    """
    values = np.arange(65536)
    table = np.zeros(65536, dtype=np.uint8)
    if not rules.snow_is_valid:
        table[(values & _QA_SNOW) != 0] = Flag.SNOW
    if not rules.water_is_valid:
        table[(values & _QA_WATER) != 0] = Flag.WATER
    table[(values & _QA_SHADOW) != 0] = Flag.SHADOW
    table[(values & _QA_CLOUD) != 0] = Flag.CLOUD
    table[(values & _QA_FILL) != 0] = Flag.NO_DATA
    flags = _looked_up(table, np.asarray(qa_pixel))
    flags[(flags == Flag.LAND) & ((np.asarray(qa_radsat) & _RADSAT_USED) != 0)] = Flag.SATURATED
    return flags


def flags_from_flags(flags: Integers, rules: MaskRules) -> Flags:
    """Flags that are flags already, after the rules on water and snow; values that are none are no data."""
    table = np.full(256, Flag.NO_DATA, dtype=np.uint8)
    for flag in Flag:
        table[flag] = flag
    if rules.water_is_valid:
        table[Flag.WATER] = Flag.LAND
    if rules.snow_is_valid:
        table[Flag.SNOW] = Flag.LAND
    return _looked_up(table, np.asarray(flags))


def dilated(flags: Flags, px: int) -> Flags:
    """Flags with cloud and shadow widened by a square of ``px`` pixels to each side.

    Cloud covers all but no data; shadow covers all but no data and cloud. The array given stays as it is.
    """
    widened = np.array(flags, dtype=np.uint8, order="C")
    if px > 0 and widened.size:
        compiled(widen)(widened, px, int(Flag.CLOUD), int(Flag.SHADOW), int(Flag.NO_DATA))
    return widened


def coarsened(flags: Flags, factor: int) -> Flags:
    """Flags of blocks of factor x factor pixels: of its pixels the one whose test comes first."""
    rank = np.zeros(256, dtype=np.uint8)
    rank[list(_BY_RANK)] = np.arange(len(_BY_RANK), dtype=np.uint8)
    out = np.empty((flags.shape[0] // factor, flags.shape[1] // factor), dtype=np.uint8)
    compiled(coarsen)(np.ascontiguousarray(flags), factor, rank, out)
    return out


def flag_shares(flags: Flags) -> dict[str, float]:
    """Share of the pixels with each flag, %, by lower-case name (``land`` is what is valid, ``no_data``).

    All are 0 for an empty array.
    """
    counts = np.zeros(256, dtype=np.int64)
    compiled(count)(np.ascontiguousarray(np.atleast_2d(flags)), counts)
    return {flag.name.lower(): 100.0 * int(counts[flag]) / max(1, flags.size) for flag in Flag}


def _looked_up(table: _Table, values: Integers) -> Flags:
    last = np.iinfo(np.uint8 if len(table) == 256 else np.uint16).max
    if np.iinfo(values.dtype).max > last:
        values = np.clip(values, 0, last)
    return np.take(table, values)
