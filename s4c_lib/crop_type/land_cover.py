"""Land cover classes of the crop table (LC) that a run classifies (spec/l4a-crop-type.md §4, D-04)."""

from __future__ import annotations

from typing import Final

from s4c_lib.errors import ParameterError

ALL_LAND_COVER: Final = frozenset(range(6))
"""0 other natural areas, 1 annual crop, 2 permanent crop, 3 grassland, 4 fallow land, 5 greenhouse and nursery."""


def monitored_land_cover(text: str) -> frozenset[int]:
    """Read the parameter ``lc``: distinct digits 0 to 5 in any order, or ``All``.

    Raises
    ------
    ParameterError : empty, another character, or a digit twice.
    """
    wanted = text.strip()
    if wanted.casefold() == "all":
        return ALL_LAND_COVER
    found = frozenset(wanted)
    if not wanted or len(found) != len(wanted) or not found <= set("012345"):
        raise ParameterError(
            f"processor.s4c_l4a.lc is {text!r}, which names no land cover classes.",
            hint="digits 0 to 5, each once, such as 1234; or All",
        )
    return frozenset(int(digit) for digit in found)
