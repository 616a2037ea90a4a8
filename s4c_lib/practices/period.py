"""Period of a declared practice, and which rows are evaluated (l4c-practices.md sections 9 and 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from s4c_lib.practices.codes import Marker
from s4c_lib.practices.harvest import Harvest
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weekly import EPSILON, Bools, Floats, Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_DAY, NO_WEEK, day_numbers, monday_numbers, week_numbers

_LEAST_MARGIN: Final = 10.0  # NDVI x 1000


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """Practice period by row, days since 1970, `NO_DAY` for none.

    Parameters
    ----------
    asked : rows whose practice is evaluated. computed : the period was not given.
    bare_min, bare_max, bare_limit : mn, mx, lim of a computed period, NaN where it did not come to that.
    breaks : (rows, weeks), the weeks ``br``.
    """

    asked: Bools
    begin: Int64
    end: Int64
    computed: Bools
    bare_min: Floats
    bare_max: Floats
    bare_limit: Floats
    breaks: Bools

    @property
    def first_week(self) -> Int64:
        """Week of the first day."""
        return week_numbers(self.begin)


def declared_period(series: WeeklySeries, settings: PracticeSettings) -> Period:
    """The period as declared; a practice other than a catch crop needs its end too."""
    rows, size = series.rows, len(series.rows)
    begin, end = day_numbers(rows.p_start), day_numbers(rows.p_end)
    asked = series.evaluated & (begin != NO_DAY) & (rows.practice.astype(str) != "NA")
    if settings.practice == "NA":
        asked[:] = False
    elif settings.practice != "CC":
        asked &= end != NO_DAY
    nothing = np.full(size, np.nan)
    return Period(
        asked, np.where(asked, begin, NO_DAY), np.where(asked, end, NO_DAY), np.zeros(size, bool),
        nothing, nothing, nothing, np.zeros(series.shape, bool),
    )  # fmt: skip


def catch_crop_period(
    series: WeeklySeries, settings: PracticeSettings, harvest: Harvest, harvest_week: Int64
) -> Period:
    """The declared period; where its end is missing, one of fixed length after the main crop has gone.

    Parameters
    ----------
    harvest_week : H_W_START that holds, `NO_WEEK` for no harvest.
    """
    declared = declared_period(series, settings)
    thresholds, week = settings.thresholds, series.week
    open_ended = declared.asked & (declared.end == NO_DAY)
    latest = declared.begin
    latest_week = week_numbers(latest)[:, None]
    length = thresholds.catchperiod
    given = thresholds.catchperiodstart
    earliest = NO_DAY if given is None else int(np.datetime64(given, "D").astype(np.int64))
    earliest_week = NO_WEEK if given is None else int(week_numbers(np.array([earliest]))[0])
    harvested = harvest_week != NO_WEEK

    optical = np.where(harvest.optical & (week <= latest_week), week, NO_WEEK).max(axis=1, initial=NO_WEEK)
    after_harvest = monday_numbers(np.where(optical != NO_WEEK, optical, harvest_week))
    start = np.where(harvested, after_harvest, latest)
    candidate = np.maximum(start, earliest)
    enough = open_ended & (monday_numbers(series.last) - candidate >= length - 1)

    monday = monday_numbers(week)
    inside = series.all.listed & (monday >= candidate[:, None]) & (monday <= (latest + length - 1)[:, None])
    seen = inside & np.isfinite(series.all.ndvi)
    any_seen = seen.any(axis=1)
    highest = np.where(seen, series.all.ndvi, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(seen, series.all.ndvi, np.inf).min(axis=1, initial=np.inf)
    upper, lower = thresholds.efandviup, thresholds.efandvidw
    highest, lowest = np.where(any_seen, highest, lower), np.where(any_seen, lowest, lower)
    lowest = np.maximum(lowest, lower)
    lowest = np.where(lowest > (upper if settings.repaired(14) else thresholds.ndviup), upper, lowest)
    limit = lowest + np.maximum(_LEAST_MARGIN, (highest - lowest) * thresholds.catchproportion)

    loss = harvest.m2 == Marker.TRUE
    first_loss = np.where(loss.any(axis=1), week[loss.argmax(axis=1)], NO_WEEK)
    gone = np.where(harvested, harvest_week, first_loss)
    since = np.where(gone != NO_WEEK, monday_numbers(gone), candidate)
    breaks = (
        enough[:, None]
        & series.all.listed
        & (series.after < limit[:, None] - EPSILON)
        & (week <= latest_week)
        & (week >= earliest_week)
        & (monday >= since[:, None])
        & (harvest.m3 == Marker.TRUE)
        & (harvest.m5 == Marker.TRUE)
    )
    chosen = np.where(breaks.any(axis=1), _last_before_pause(breaks, monday, length), since)
    begin = np.maximum(np.where(enough, chosen, latest), earliest)
    weighed = np.where(enough, 1.0, np.nan)
    return Period(
        declared.asked,
        np.where(open_ended, begin, declared.begin),
        np.where(open_ended, begin + length - 1, declared.end),
        open_ended,
        lowest * weighed,
        highest * weighed,
        limit * weighed,
        breaks,
    )


def _last_before_pause(breaks: Bools, monday: Int64, length: int) -> Int64:
    """The last break that no other one follows for ``length`` days; without such a pause the last of all."""
    last = np.where(breaks, monday, NO_DAY).max(axis=1, initial=NO_DAY)
    paused = np.full(len(breaks), NO_DAY)
    earlier = np.full(len(breaks), NO_DAY)
    for w in range(len(monday)):
        pause = breaks[:, w] & (earlier != NO_DAY) & (monday[w] - earlier >= length)
        paused = np.where(pause, earlier, paused)
        earlier = np.where(breaks[:, w], monday[w], earlier)
    return np.where(paused != NO_DAY, paused, last)
