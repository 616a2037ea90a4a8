"""Markers M1 to M5 of every week and the harvest they show (l4c-practices.md sections 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.parcels.l4c_configuration_keys import Thresholds
from s4c_lib.practices import weekly_kernels
from s4c_lib.practices.codes import Marker
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weekly import EPSILON, Bools, Floats, Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, rounded

Int8 = npt.NDArray[np.int8]
_SECOND_CROP: Final = "CatchCrop"
_WEEK_AFTER: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Harvest:
    """What the weeks say of the harvest; arrays (rows,) or (rows, weeks).

    Parameters
    ----------
    h_end : last week in which M1 is set.
    vegetation : weeks of V. drop : NDVI fell. has_crop : some week of V had the NDVI of a vegetation cycle.
    m1 ... m5 : int8 codes of `Marker`.
    ndvi_threshold, ndvi_buffer, ndvi_max : T, buf, mx of M2. optical_from : Hopt, a week.
    ratio_mean, ratio_deviation, ratio_rise, ratio_level : mu, sigma, brk of M3, level of M4.
    coherence_max, coherence_level : cmax, A of M5. flat : M5 says nothing.
    radar, optical : s1(w), h(w). radar_week, week : the first of them, `NO_WEEK` for none.
    """

    h_end: Int64
    vegetation: Bools
    drop: Bools
    has_crop: Bools
    m1: Int8
    m2: Int8
    m3: Int8
    m4: Int8
    m5: Int8
    ndvi_threshold: Floats
    ndvi_buffer: Floats
    ndvi_max: Floats
    optical_from: Int64
    ratio_mean: Floats
    ratio_deviation: Floats
    ratio_rise: Floats
    ratio_level: Floats
    coherence_max: Floats
    coherence_level: Floats
    flat: Bools
    radar: Bools
    optical: Bools
    radar_week: Int64
    week: Int64


def find_harvest(series: WeeklySeries, settings: PracticeSettings, *, tillage: bool) -> Harvest:
    """Evaluate every row that has a weekly series; the others come out without crop and harvest."""
    thresholds, weeks, week = settings.thresholds, series.all, series.week
    listed = weeks.listed
    vegetation = listed & _span(series, settings, tillage)
    h_end = _last_of_harvest(series, settings)
    ndvi = np.where(listed, weeks.ndvi, np.nan)
    cycle = ndvi > thresholds.optthrvegcycle + EPSILON
    within = listed & (week >= series.spans.veg[:, None]) & (week <= h_end[:, None])
    grown = np.logical_or.accumulate(cycle & within, axis=1)
    m1 = np.where(within, grown.astype(np.int8), np.int8(Marker.NA))
    has_crop: Any = (vegetation & cycle).any(axis=1)

    drop, threshold, buffer, highest = _loss(ndvi, vegetation, m1, thresholds)
    limit = (threshold + buffer)[:, None]
    searched = listed & (week >= series.spans.h_start[:, None])
    fall = (
        (series.after < limit - EPSILON)
        & (series.before > threshold[:, None] + EPSILON)
        & (series.before > series.after + EPSILON)
    )
    optical_from = _first(week, searched & fall, series.spans.h_start)
    low = (series.after < limit - EPSILON) | (series.before < limit - EPSILON)
    any_drop: Any = drop.any(axis=1)
    m2 = (
        any_drop[:, None]
        & np.isfinite(series.after)
        & low
        & (series.before > thresholds.optthrmin + EPSILON)
        & (week >= optical_from[:, None])
        & (series.before + thresholds.ndvidw > series.after + EPSILON)
        & listed
    )

    cmax, level = _coherence_level(series, thresholds.cohthrabs, thresholds.cohthrbase)
    rise = np.where(listed, weeks.coherence_change, 0.0)
    m5 = listed & ((rise >= thresholds.cohthrbase - EPSILON) | (weeks.coherence_max >= (level[:, None] - EPSILON)))
    mean, deviation = _ratio_spread(series)
    scale = 2.0 if settings.full_db else 1.0
    brk = np.maximum(deviation / thresholds.ampthrbreakden, thresholds.ampthrmin * scale)
    strong = rise > thresholds.cohthrhigh + EPSILON
    m3 = _rising(listed, listed & (series.ratio_change > brk[:, None] + EPSILON), strong)
    bare = mean - (deviation / thresholds.ampthrvalden if thresholds.stddevinampthr else 0.0)
    m4 = listed & ((weeks.ratio_max > bare[:, None] + EPSILON) | (strong & (m1 == Marker.TRUE) & m2 & m3))
    radar = (m1 == Marker.TRUE) & m3 & m4 & m5 & searched & has_crop[:, None]
    optical = radar & m2
    none = np.full(len(has_crop), NO_WEEK)

    def coded(marker: Bools) -> Int8:
        return np.where(has_crop[:, None], marker.astype(np.int8), np.int8(Marker.NR))

    return Harvest(
        h_end=h_end,
        vegetation=vegetation,
        drop=drop,
        has_crop=has_crop,
        m1=m1,
        m2=coded(m2),
        m3=coded(m3),
        m4=coded(m4),
        m5=coded(m5),
        ndvi_threshold=threshold,
        ndvi_buffer=buffer,
        ndvi_max=highest,
        optical_from=optical_from,
        ratio_mean=mean,
        ratio_deviation=deviation,
        ratio_rise=brk,
        ratio_level=bare,
        coherence_max=cmax,
        coherence_level=level,
        flat=_spread(weeks.coherence_max, listed) < thresholds.cohthrbase - EPSILON,
        radar=radar,
        optical=optical,
        radar_week=_first(week, radar, none),
        week=_first(week, optical, none),
    )


def _spread(values: Floats, listed: Bools) -> Floats:
    """Greatest less least value of the listed weeks."""
    highest = np.where(listed, values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(listed, values, np.inf).min(axis=1, initial=np.inf)
    spread: Floats = highest - lowest
    return spread


def _span(series: WeeklySeries, settings: PracticeSettings, tillage: bool) -> Bools:
    """Weeks between the start of vegetation and the end of harvest; a second crop moves the end (defect 4)."""
    spans, thresholds = series.spans, settings.thresholds
    end = spans.h_end.copy()
    main = np.isin(series.rows.p_type.astype(str), (thresholds.catchmain, thresholds.catchcropismain))
    second = (series.rows.practice == _SECOND_CROP) & (spans.p_start != NO_WEEK) & ~main
    sown = spans.p_start + _WEEK_AFTER
    if settings.repaired(4):
        if settings.shorten_veg_weeks:
            end = np.where(second & (spans.veg < spans.p_start), np.minimum(end, sown), end)
    elif not tillage:
        end = np.where(second & (spans.veg < spans.p_start), np.maximum(end, sown), end)
    found: Bools = (series.week >= spans.veg[:, None]) & (series.week <= end[:, None])
    return found


def _last_of_harvest(series: WeeklySeries, settings: PracticeSettings) -> Int64:
    """The week of H_END; where it is not listed the last week (defect 5), or the last one before it."""
    listed, week, spans = series.all.listed, series.week, series.spans
    there = (listed & (week == spans.h_end[:, None])).any(axis=1)
    if not settings.repaired(5):
        return np.where(there, spans.h_end, series.last)
    before = np.where(listed & (week <= spans.h_end[:, None]), week, NO_WEEK).max(axis=1, initial=NO_WEEK)
    return np.where(before == NO_WEEK, spans.veg, before)


def _loss(ndvi: Floats, vegetation: Bools, m1: Int8, thresholds: Thresholds) -> tuple[Bools, Floats, Floats, Floats]:
    """Drops of NDVI, and threshold, buffer and highest NDVI."""
    seen = vegetation & np.isfinite(ndvi)
    drop = np.zeros(ndvi.shape, bool)
    earlier = np.full(len(ndvi), np.nan)
    for w in range(ndvi.shape[1]):
        own = np.where(seen[:, w], ndvi[:, w], np.nan)
        drop[:, w] = (own < earlier) & (own < thresholds.ndviup) & (m1[:, w] != Marker.FALSE)
        earlier = np.where(np.isnan(own), earlier, own)
    least = np.where(drop, ndvi, np.inf).min(axis=1, initial=np.inf)
    below = np.where(seen, ndvi, -np.inf).max(axis=1, initial=-np.inf) < thresholds.ndvidw
    stepped = thresholds.ndvistep * np.ceil(np.where(np.isfinite(least), least, 0) / thresholds.ndvistep - EPSILON)
    threshold = np.select(
        [below | (least < thresholds.ndvidw), np.isfinite(least)], [thresholds.ndvidw, stepped], thresholds.ndviup
    )
    highest = np.where(seen, ndvi, -np.inf).max(axis=1, initial=-np.inf)
    several = (seen & (m1 == Marker.TRUE)).sum(axis=1) > 1
    above = np.where(several, highest, threshold) - threshold
    buffer = np.where(several, np.maximum(rounded(above / thresholds.optthrbufden), 0.0), 0.0)
    return drop, threshold, buffer, np.where(np.isfinite(highest), highest, np.nan)


def _coherence_level(series: WeeklySeries, high: float, base: float) -> tuple[Floats, Floats]:
    """Highest coherence of all, and the level from which coherence is high (A)."""
    lists = series.lists
    there = np.arange(lists.coherence_value.shape[1]) < lists.coherence_count[:, None]
    cmax = np.where(there, lists.coherence_value, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(cmax), cmax, np.nan), tillage_level(cmax, high, base)


def tillage_level(cmax: Floats, high: float, base: float) -> Floats:
    """High coherence: ``high``, or ``base`` below the highest where none reaches that."""
    level: Floats = np.where(cmax < high - EPSILON, cmax - base, high)
    return level


def _ratio_spread(series: WeeklySeries) -> tuple[Floats, Floats]:
    lists, (size, weeks) = series.lists, series.shape
    mean, deviation = np.zeros(size), np.zeros(size)
    compiled(weekly_kernels.spread_of_ratio)(
        series.first_week, weeks, lists.pair_day, lists.pair_ratio, lists.pair_usual, lists.pair_count, mean, deviation
    )
    return mean, deviation


def _rising(listed: Bools, rising: Bools, strong: Bools) -> Bools:
    """M3: the ratio rises, or coherence rises strongly in a week beside one where it does; not at either end."""
    size, weeks = listed.shape
    near = rising.copy()
    for order in (range(weeks), range(weeks - 1, -1, -1)):
        beside = np.zeros(size, bool)
        for w in order:
            near[:, w] |= beside
            beside = np.where(listed[:, w], rising[:, w], beside)
    place = np.arange(weeks)
    first = np.where(listed, place, weeks).min(axis=1, initial=weeks)[:, None]
    last = np.where(listed, place, -1).max(axis=1, initial=-1)[:, None]
    inner = listed & (place > first) & (place < last)
    found: Bools = rising | (inner & strong & near)
    return found


def _first(week: Int64, found: Bools, otherwise: Int64) -> Int64:
    """The first week of each row that is found."""
    place: Any = found.argmax(axis=1) if found.shape[1] else np.zeros(len(found), np.int64)
    return np.where(found.any(axis=1), week[place], otherwise)
