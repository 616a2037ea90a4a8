"""Mowing periods and detection settings of six countries (l4b-grassland-mowing.md sections 7 and 9.1)."""

from __future__ import annotations

from datetime import date
from typing import Final

from s4c_lib.errors import NotFoundError
from s4c_lib.parameters.model import Value
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.parcels.l4b_configuration_keys import PREFIX

COUNTRIES: Final = ("CZE", "ESP", "FRA", "LTU", "NLD", "ROU")
# Crop codes; first and last day as month and day; a last day before the first is one of the next year.
_PERIODS: Final[dict[str, tuple[tuple[str, tuple[int, int], tuple[int, int]], ...]]] = {
    "CZE": (("315 350 3001 40115", (4, 1), (7, 31)),),
    "LTU": (
        ("GPZ DGP GPA", (4, 1), (7, 31)),
        ("EPT", (5, 1), (10, 30)),
        ("MNP", (7, 1), (10, 1)),
        ("SPT", (7, 15), (10, 15)),
        ("5PT-2", (7, 15), (3, 1)),
        ("MNS", (8, 1), (10, 1)),
    ),
    "NLD": (
        (
            "265 331 336 266 332 333 334 370 372 383 1921 3506 3509 3512 3513 3519 3522 3523 3805 3807 3808",
            (4, 1),
            (10, 31),
        ),
    ),
    "ESP": (("2 85", (4, 1), (10, 31)),),
    "ROU": (("450 603 604 605 606 607 608 609 610 611 612 660 661 662 663 671", (5, 1), (10, 31)),),
    "FRA": (("BRH BRO CRA FLO FET GFP PAT PCL PPH PRL PTR RGA SPH", (4, 1), (10, 31)),),
}
_NAMES: Final = ("decreasing_abs_th", "increasing_rate_th", "high_abs_th", "low_abs_th")
_OPTICAL: Final = {
    "CZE": (0.12, 0.05, 0.72, 0.4),
    "FRA": (0.12, 0.05, 0.72, 0.4),
    "LTU": (0.12, 0.06, 0.75, 0.5),
    "NLD": (0.12, 0.9, 0.75, 0.5),
    "ESP": (0.15, 0.9, 0.75, 0.5),
    "ROU": (0.15, 0.9, 0.75, 0.5),
}


def preset(country: str, year: int) -> L4bConfiguration:
    """A country's mowing periods (mown at least once, rule 0) and optical thresholds.

    Raises
    ------
    NotFoundError : no preset for the country.
    """
    code = country.upper()
    if code not in COUNTRIES:
        raise NotFoundError(f"There is no L4B preset for {country}.", hint=f"there are {', '.join(COUNTRIES)}")
    settings: dict[str, Value] = {
        f"{PREFIX}.s2.{name}": value for name, value in zip(_NAMES, _OPTICAL[code], strict=True)
    }
    periods = tuple(
        MowingPeriod(crop, date(year, *first), date(year + (last < first), *last), 0)
        for crops, first, last in _PERIODS[code]
        for crop in crops.split()
    )
    return L4bConfiguration(year, settings=settings, compliance=periods)
