"""Names of features as Sen4CAP writes them (l4a-crop-type.md 6.5), and the families they belong to.

A name says everything about a column: period, orbit, polarisation, temporal statistic, statistic over the pixels.
Columns are bound by it everywhere and never by position (D-12).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

# Label in a name -> variable of the observation table, in the order of the columns.
MAIN: Final = {
    "b3": "b03",
    "b4": "b04",
    "b8": "b08",
    "b11": "b11",
    "ndvi": "ndvi",
    "ndwi": "ndwi",
    "brightness": "brightness_l4a",
}
RED_EDGE: Final = {"b5": "b05", "b6": "b06", "b7": "b07", "b12": "b12"}
DIRECTIONS: Final = {"ASC": "ascending", "DESC": "descending"}
POLARISATIONS: Final = ("VV", "VH")
RATIO: Final = "RATIO"
STATISTICS: Final = ("MEAN", "DEV")

OPT_MAIN: Final = "opt_main"
OPT_RE: Final = "opt_re"
SAR_MAIN: Final = "sar_main"
SAR_TEMP: Final = "sar_temp"
FURTHER: Final = "further"
"""What is in none of Sen4CAP's tables: variables that users bring."""
TABLES: Final = (OPT_MAIN, OPT_RE, SAR_MAIN, SAR_TEMP, FURTHER)

_OPTICAL: Final = re.compile(r"XX_\d{4}_\d\d_\d\d_(s[12])_(mean|dev)_(\w+)")
_RADAR: Final = re.compile(
    r"XX_(?:(?P<period>[WM])\d{6}|(?P<season>S))_(?:(?P<direction>ASC|DESC)_)?(?P<polarisation>VV|VH|RATIO)_"
    r"(?P<kind>BCK|COHE)(?:_(?P<temporal>MEAN|CVAR|MIN))?_(?:MEAN|DEV)"
)


def optical_name(day: date, statistic: str, label: str, sensor: str = "s2") -> str:
    """``XX_2020_03_13_s2_mean_ndvi``; ``statistic`` is MEAN or DEV."""
    return f"XX_{day:%Y_%m_%d}_{sensor}_{statistic.lower()}_{label}"


def backscatter_name(period: str, direction: str, polarisation: str, statistic: str, temporal: str = "") -> str:
    """``XX_W202015_ASC_VV_BCK_MEAN``, with a temporal statistic ``XX_M202003_ASC_RATIO_BCK_CVAR_MEAN``."""
    return "_".join(part for part in ("XX", period, direction, polarisation, "BCK", temporal, statistic) if part)


def coherence_name(period: str, polarisation: str, statistic: str, *, direction: str = "", temporal: str = "") -> str:
    """``XX_W202015_ASC_VV_COHE_MEAN``, ``XX_M202004_VH_COHE_MIN_MEAN`` or ``XX_S_VV_COHE_MEAN``."""
    return "_".join(part for part in ("XX", period, direction, polarisation, "COHE", temporal, statistic) if part)


def family_of(name: str) -> str:
    """What a column belongs to, as ``opt_main``, ``W_ASC_VV_BCK``, ``M_VH_COHE``, ``S_VV_COHE``.

    A parcel has all columns of a family or, when it has no observation for it, none. Names of others are their own
    family.
    """
    optical = _OPTICAL.fullmatch(name)
    if optical is not None:
        return f"{optical_table(optical[3])}_{optical[3]}"
    radar = _RADAR.fullmatch(name)
    if radar is None:
        return name
    parts = (radar["period"] or radar["season"], radar["direction"], radar["polarisation"], radar["kind"])
    return "_".join(part for part in parts if part)


def optical_table(label: str) -> str:
    """The table of an optical column with this label."""
    if label in MAIN:
        return OPT_MAIN
    return OPT_RE if label in RED_EDGE else FURTHER


def table_of(name: str) -> str:
    """The table of Sen4CAP that a column stands in, or ``further``."""
    optical = _OPTICAL.fullmatch(name)
    if optical is not None:
        return optical_table(optical[3]) if optical[1] == "s2" else FURTHER
    radar = _RADAR.fullmatch(name)
    if radar is None:
        return FURTHER
    return SAR_MAIN if radar["period"] == "W" else SAR_TEMP
