"""Weeks without radar, and what they say of the quality of a result (l4c-practices.md section 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.codes import Marker
from s4c_lib.practices.weekly import Bools, Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_DAY, NO_WEEK, monday_numbers

Int32 = npt.NDArray[np.int32]
_BEFORE_HARVEST: Final = 35  # days
_MANY: Final = 2
_EVER: Final = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """S1GAPS, H_S1GAPS, P_S1GAPS, H_W_S1GAPS by row (weeks, or NR); and whether they make the verdict uncertain."""

    season: Int32
    harvest_period: Int32
    practice_period: Int32
    harvest: Int32
    practice_uncertain: Bools


def count_gaps(series: WeeklySeries, h_end: Int64, harvest_week: Int64, limit: Int64) -> Gaps:
    """Count between 1 January of the year of VEG_START, the listed weeks, and the last day of acquisitions.

    Parameters
    ----------
    h_end : last week in which harvest was looked for, not always that of H_END (defect 5).
    limit : int64 (rows,), the last day of acquisitions.
    """
    spans, size = series.spans, len(series.rows)
    everywhere = np.full(size, -_EVER), np.full(size, _EVER)
    harvested = harvest_week != NO_WEEK
    monday = monday_numbers(harvest_week)
    planned = (spans.p_start != NO_WEEK) & (spans.p_end != NO_WEEK)
    bounds = (
        everywhere,
        (monday_numbers(spans.h_start), monday_numbers(h_end)),
        (monday_numbers(spans.p_start), monday_numbers(spans.p_end)),
        (monday - _BEFORE_HARVEST, monday),
    )
    counts = [np.zeros(size, np.int64) for _ in bounds]
    year = (spans.year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    before = np.where(series.evaluated, year, NO_DAY)
    mondays = monday_numbers(series.week)
    for w in range(len(mondays) + 1):
        ends = w == len(mondays)
        now = series.evaluated if ends else series.all.listed[:, w]
        day = limit if ends else np.full(size, mondays[w])
        for which, (first, last) in enumerate(bounds):
            days = np.minimum(day, last) - np.maximum(before, first)
            apart = now & (days > 7) & (day >= first) & (before <= last)
            weeks = days // 7 - (0 if which == len(bounds) - 1 else 1)
            counts[which] += np.where(apart, weeks, 0)
        before = np.where(now, day, before)
    season, harvest_period, practice_period, harvest = counts
    practice_period = np.where(planned, practice_period, 0)
    return Gaps(
        season.astype(np.int32),
        harvest_period.astype(np.int32),
        practice_period.astype(np.int32),
        np.where(harvested, harvest, Marker.NR).astype(np.int32),
        practice_period >= _MANY,
    )
