"""Names and units of the columns of Sen4CAP's marker database (l3b-and-markers.md 3.1 and 3.5, case A13)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from s4c_lib.statistics.observation_table import FURTHER_INDICES, OPTICAL_INDICES, RADAR_VARIABLES

# Column of the observation table -> name in the column, in the order the reference writes them.
STATISTICS: Final = {
    "mean": "mean",
    "std": "stdev",
    "min": "min",
    "max": "max",
    "p50": "median",
    "p25": "p25",
    "p75": "p75",
    "n": "valid_pixels_cnt",
}
# Written whatever is asked for.
ALWAYS: Final = ("mean", "std")
_L3B: Final = (*OPTICAL_INDICES, *FURTHER_INDICES)
_L3B_SCALE: Final = 1000.0
_BAND_SCALE: Final = 10_000.0
# The reference takes 10 log10 of an amplitude: half the decibels of its power (B3).
_BACKSCATTER_SCALE: Final = 0.5


def is_band(variable: str) -> bool:
    """Whether a variable is a reflectance band, whose columns name the tile."""
    return variable[:1] == "b" and variable[1:2].isdigit()


def type_part(variable: str, orbit: int | None, tile: str | None) -> str | None:
    """What a column says of the variable, such as ``NDVI``, ``AMP_VV_088`` or ``L2A_31UFS_B4``.

    Zeros of a band are taken out as there (``b02`` is ``B2``, and ``b10`` is ``B1``). None for what the reference does
    not know.
    """
    if variable in _L3B:
        return variable.upper()
    if is_band(variable):
        return f"L2A_{tile or ''}_{variable.upper().replace('0', '')}"
    if variable in RADAR_VARIABLES:
        kind = "COHE" if variable.startswith("coherence") else "AMP"
        return f"{kind}_{variable[-2:].upper()}_{orbit or 0:03d}"
    return None


def column_name(time: datetime, statistic: str, part: str) -> str:
    """``{date}_{statistic}_{type}``; the day is that of UTC.

    Parameters
    ----------
    statistic : column of the observation table. part : of `type_part`.
    """
    return f"{time.astimezone(UTC):%Y%m%d}_{STATISTICS[statistic]}_{part}"


def scale_of(variable: str, statistic: str) -> float:
    """What a value of the store is multiplied by: digital numbers for optical variables, half the decibels."""
    if statistic == "n":
        return 1.0
    if variable in _L3B:
        return _L3B_SCALE
    if is_band(variable):
        return _BAND_SCALE
    return _BACKSCATTER_SCALE if variable in ("vv", "vh") else 1.0


def wanted_statistics(chosen: Collection[str]) -> tuple[str, ...]:
    """Mean and deviation and what is chosen, in the order of the reference."""
    return tuple(name for name in STATISTICS if name in ALWAYS or name in chosen)


def product_name(kind: str, site_id: int, first: datetime, last: datetime, created: datetime) -> str:
    """``SEN4CAP_MDB1_S{site}_V{first}_{last}_{created}``; ``kind`` is ``MDB1`` or ``MDB2``."""
    stamps = (f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}" for moment in (first, last, created))
    return f"SEN4CAP_{kind}_S{site_id}_V{'_'.join(stamps)}"
