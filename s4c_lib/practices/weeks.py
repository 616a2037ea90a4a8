"""Weeks: numbered, named by their Monday, and their ISO number (l4c-practices.md, notation)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

NO_DAY: Final = -1_000_000
"""Day or week that is not there, in arrays of whole numbers; earlier than any other."""
NO_WEEK: Final = NO_DAY // 7

_MONDAY: Final = 3  # 1970-01-01 was a Thursday
_NAT: Final = np.datetime64("NaT", "D")


def day_numbers(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Days since 1970, `NO_DAY` for NaT."""
    numbers = days.astype("datetime64[D]").astype(np.int64)
    return np.where(np.isnat(days), NO_DAY, numbers)


def week_numbers(days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers of weeks that start on Monday, `NO_WEEK` for `NO_DAY`; ``7 * week - 3`` is the Monday."""
    return np.where(days == NO_DAY, NO_WEEK, (days + _MONDAY) // 7)


def monday_numbers(weeks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Days since 1970 of their Mondays, `NO_DAY` for `NO_WEEK`."""
    return np.where(weeks == NO_WEEK, NO_DAY, weeks * 7 - _MONDAY)


def dates_of(days: npt.NDArray[Any]) -> npt.NDArray[np.datetime64]:
    """datetime64[D] of days since 1970, NaT for `NO_DAY`."""
    return np.where(days == NO_DAY, _NAT, days.astype(np.int64).astype("datetime64[D]"))


def mondays_of(weeks: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """datetime64[D] of the Mondays of weeks, NaT for `NO_WEEK`."""
    return dates_of(monday_numbers(weeks))


def iso_numbers(weeks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """ISO 8601 week numbers, 1 ... 53; 0 for `NO_WEEK`."""
    thursday = (weeks * 7 - _MONDAY + 3).astype("datetime64[D]")
    number = (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7 + 1
    return np.where(weeks == NO_WEEK, 0, number)


def years_of(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Calendar years; of NaT no meaningful number."""
    return days.astype("datetime64[Y]").astype(np.int64) + 1970


def rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """To whole numbers, halves away from zero."""
    return np.trunc(values + np.copysign(0.5, values))
