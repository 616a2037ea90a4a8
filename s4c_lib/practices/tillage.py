"""Tillage after harvest (l4c-practices.md section 13)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.codes import Found, Marker
from s4c_lib.practices.harvest import Harvest, tillage_level
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weekly import EPSILON, Floats, Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, monday_numbers

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Tillage:
    """Tillage by row: int8 code of `Found`, week (`NO_WEEK` for none), A_t (NaN where nothing was looked for).

    Parameters
    ----------
    m1, m5 : int8 (rows, weeks), as Sen4CAP leaves them in the weekly file (defect 19): of each week that was looked
        at, whether NDVI is that of a vegetation cycle and whether coherence is high.
    """

    state: Int8
    week: Int64
    level: Floats
    m1: Int8
    m5: Int8


def find_tillage(series: WeeklySeries, settings: PracticeSettings, harvest: Harvest, harvest_week: Int64) -> Tillage:
    """The first week after the harvest in which coherence, high before, is so no more; regrowth ends the search."""
    thresholds, weeks = settings.thresholds, series.all
    size = len(series.rows)
    level = tillage_level(harvest.coherence_max, thresholds.tlcohthrabs, thresholds.tlcohthrbase)
    at_harvest = weeks.listed & (series.week == harvest_week[:, None])
    searching = at_harvest.any(axis=1)
    asked = searching.copy()
    high = (at_harvest & (harvest.m5 == Marker.TRUE)).any(axis=1)
    state = np.full(size, Found.NA, np.int8)
    found = np.full(size, NO_WEEK)
    end = thresholds.tlmonitoringenddate
    until = None if end is None else int(np.datetime64(end, "D").astype(np.int64))
    m1, m5 = harvest.m1.copy(), harvest.m5.copy()
    for w in range(len(series.week)):
        if until is not None and monday_numbers(series.week[w : w + 1])[0] > until:
            break
        now = searching & weeks.listed[:, w] & (series.week[w] > harvest_week)
        green = weeks.ndvi[:, w] > thresholds.optthrvegcycle + EPSILON
        state[now & green] = Found.NOT_FOUND
        m1[now, w] = green[now]
        searching &= ~(now & green)
        now &= searching
        still = (weeks.coherence_change[:, w] >= thresholds.tlcohthrbase - EPSILON) | (
            weeks.coherence_max[:, w] >= level - EPSILON
        )
        m5[now, w] = still[now]
        tilled = now & high & ~still
        state[tilled] = Found.FOUND
        found[tilled] = series.week[w]
        searching &= ~tilled
        high = np.where(now, still, high)
    return Tillage(state, found, np.where(asked, level, np.nan), m1, m5)
