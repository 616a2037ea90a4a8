"""What the pictures of a synthetic season share: marks of the events of the truth, titles."""

from __future__ import annotations

from typing import Final

from s4c_lib.chart_style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from s4c_lib.synthetic.crops import CROPS, ParcelTraits, Regime

RAIN: Final = "#9CC3E6"

# Colour, line and word of each event of the truth.
EVENTS: Final[dict[str, tuple[str, str, str]]] = {
    "sowing": (ORANGE, "-", "sowing"),
    "emergence": (GREEN, ":", "emergence"),
    "senescence": (GREY, ":", "senescence"),
    "harvest": (VERMILION, "-", "harvest"),
    "mowing": (VERMILION, "--", "mowing"),
    "grazing": (PURPLE, ":", "grazing"),
    "cultivation": (BLACK, "-.", "cultivation"),
    "ploughing": (BLACK, "-", "ploughing"),
    "catch_crop_sowing": (BLUE, "-", "catch crop sown"),
    "catch_crop_emergence": (BLUE, ":", "catch crop up"),
    "catch_crop_destruction": (BLUE, "-.", "catch crop ended"),
}


def parcel_title(traits: ParcelTraits, position: int, ori_id: str) -> str:
    """Crop, code, use and parcel."""
    crop = CROPS[traits.crop[position]]
    regime = Regime(int(traits.regime[position]))
    use = "" if regime == Regime.NONE else f", {regime.name.lower()} use"
    area = float(traits.area_m2[position]) / 1e4
    return f"{crop.english.capitalize()} ({crop.code}){use} · parcel {ori_id}, {area:.1f} ha"
