"""Status flags of pixels: what the masks of each format say, as one raster (l3b-and-markers.md 1.2).

The first test that holds decides: no data, cloud, shadow, water, snow, saturation, else land.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


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
