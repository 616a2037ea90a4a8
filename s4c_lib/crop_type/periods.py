"""Periods of features: optical dates, weeks, months, and how they are labelled (l4a-crop-type.md 5.1, 6.1, 6.2).

Days are integers since 1970-01-01. Weeks and months are integers too, one more for the next one, so that differences
are distances in time: a week is ``52 * year + number - 1``, a month ``12 * year + number - 1``.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

EPOCH: Final = date(1970, 1, 1)
WEEKS: Final = 52
MONTHS: Final = 12


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def date_of(day: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(day))


def date_grid(first: int, last: int, step: int) -> Int64:
    """Days first, first + step, … not after last (AC-02)."""
    return np.arange(first, last + 1, step, dtype=np.int64)


def week_of(day: date, bin_weeks: int = 1) -> int:
    """The week a day is in, of several weeks the first.

    Weeks start on Monday; the days before the first Monday are in week 1, those of a 53rd week in week 52 (AC-01).
    """
    number = min(max(int(day.strftime("%W")), 1), WEEKS)
    return WEEKS * day.year + (number - 1) // bin_weeks * bin_weeks


def week_label(week: int) -> str:
    """``W{year}{week}``.

    >>> week_label(52 * 2020 + 14)
    'W202015'
    """
    return f"W{week // WEEKS}{week % WEEKS + 1:02d}"


def month_of_week(week: int, bin_months: int = 1) -> int:
    """The month of the Monday that starts a week, of several months the first; week 1 starts on 1 January."""
    year, number = week // WEEKS, week % WEEKS + 1
    start = date(year, 1, 1)
    if number > 1:
        start += timedelta(days=(-start.weekday()) % 7 + 7 * (number - 1))
    return MONTHS * year + (start.month - 1) // bin_months * bin_months


def month_label(month: int) -> str:
    """``M{year}{month}``.

    >>> month_label(12 * 2020 + 2)
    'M202003'
    """
    return f"M{month // MONTHS}{month % MONTHS + 1:02d}"
