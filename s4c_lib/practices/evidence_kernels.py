"""Compiled loop over parcels: weekly signs of a crop in the practice period (l4c-practices.md section 9)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

_EPSILON: Final = 1e-8
_NA: Final = -1


def weekly_signs(
    first_week: int,
    week_label: Any,
    label_distance: Any,
    begin: Any,
    end: Any,
    pair_day: Any,
    pair_ratio: Any,
    pair_count: Any,
    ratio: Any,
    coherence_max: Any,
    coherence_rise: Any,
    ndvi: Any,
    least: float,
    upper: float,
    lower: float,
    step: float,
    growing: float,
    slope_limit: float,
    critical: Any,
    rise_limit: float,
    high: float,
    pres: Any,
    grow: Any,
    no_ndvi_loss: Any,
    no_ratio_loss: Any,
    no_coherence_loss: Any,
    threshold: Any,
) -> None:
    """Say for each week what speaks for a crop.

    Parameters
    ----------
    first_week : number of the first week of the matrices.
    week_label : int64 (weeks,), number by which weeks are told apart and compared: ISO number, or running number.
    label_distance : int64 (weeks, weeks), between them.
    begin, end : int64 (parcels,), days of the period. pair_… : list of ratios, of which those until ``end`` + 7 count.
    ratio ... ndvi : float64 (parcels, weeks), weekly values in the period.
    least : NDVI of vegetation. upper, lower, step : of the loss threshold. growing : least NDVI of growth.
    slope_limit : of the ratio, a day. critical : float64 (room,), F below which a slope is no trend, by the number of
        pairs. rise_limit, high : of coherence.
    pres ... no_coherence_loss : int8 (parcels, weeks), filled with codes of `Marker`.
    threshold : float64 (parcels,), filled: NDVI threshold of the last week with NDVI.
    """
    weeks = ndvi.shape[1]
    near = np.zeros(weeks, np.bool_)
    for p in range(ndvi.shape[0]):
        pres[p, :] = _NA
        grow[p, :] = _NA
        no_ndvi_loss[p, :] = _NA
        no_ratio_loss[p, :] = _NA
        no_coherence_loss[p, :] = _NA
        threshold[p] = np.nan
        first, last = -1, -1
        for w in range(weeks):
            if not (np.isnan(ratio[p, w]) or np.isnan(coherence_max[p, w])):
                if first < 0:
                    first = w
                last = w
        if first < 0:
            continue
        start = 0
        while start < pair_count[p] and pair_day[p, start] < begin[p]:
            start += 1
        stop = start
        while stop < pair_count[p] and pair_day[p, stop] <= end[p] + 7:
            stop += 1
        before = np.nan
        all_low, any_low, least_drop = True, False, np.inf
        for w in range(first, last + 1):
            if np.isnan(ratio[p, w]) or np.isnan(coherence_max[p, w]):
                continue
            lost = coherence_rise[p, w] >= rise_limit - _EPSILON or coherence_max[p, w] >= high - _EPSILON
            no_coherence_loss[p, w] = 0 if lost else 1
            own = ndvi[p, w]
            if not np.isnan(own):
                known = not np.isnan(before)
                fell = known and own < before and own < upper
                green = own >= least - _EPSILON
                pres[p, w] = 1 if green else 0
                grow[p, w] = 1 if (green or (known and not fell)) and own >= growing - _EPSILON else 0
                all_low = all_low and own < lower
                if fell:
                    any_low = any_low or own < lower
                    least_drop = min(least_drop, own)
                limit = upper
                if all_low or any_low:
                    limit = lower
                elif least_drop < np.inf:
                    limit = step * np.ceil(least_drop / step - _EPSILON)
                threshold[p] = limit
                if known:
                    no_ndvi_loss[p, w] = 0 if fell and own <= limit + _EPSILON else 1
                before = own
            if w in (first, last):
                continue
            number, different = 0, 0
            day_mean, ratio_mean = 0.0, 0.0
            smallest, largest = np.inf, -np.inf
            near[:] = False
            for i in range(start, stop):
                v = (pair_day[p, i] + 3) // 7 - first_week
                if label_distance[v, w] > 2:
                    continue
                if not near[v]:
                    seen = False
                    for u in range(weeks):
                        if near[u] and week_label[u] == week_label[v]:
                            seen = True
                    if not seen:
                        different += 1
                    near[v] = True
                number += 1
                day_mean += pair_day[p, i]
                ratio_mean += pair_ratio[p, i]
                smallest = min(smallest, pair_ratio[p, i])
                largest = max(largest, pair_ratio[p, i])
            # A ratio that does not vary has no test of its slope: unknown, as in the weekly table of case C1 (the text
            # of section 9 has TRUE; no verdict depends on it).
            if different < 3 or largest - smallest < _EPSILON:
                continue
            day_mean /= number
            ratio_mean /= number
            xx, xy, yy = 0.0, 0.0, 0.0
            for i in range(start, stop):
                v = (pair_day[p, i] + 3) // 7 - first_week
                if near[v]:
                    x = pair_day[p, i] - day_mean
                    y = pair_ratio[p, i] - ratio_mean
                    xx += x * x
                    xy += x * y
                    yy += y * y
            slope = xy / xx
            rest = max(yy - slope * xy, 0.0)
            trend = slope * xy * (number - 2) > critical[number] * rest
            no_ratio_loss[p, w] = 0 if slope >= slope_limit - _EPSILON and trend else 1


def warm_up() -> None:
    """Compile it."""
    week, days, count = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int32)
    values = np.zeros((1, 1))
    marks = tuple(np.zeros((1, 1), np.int8) for _ in range(5))
    compiled(weekly_signs)(
        0, week, np.zeros((1, 1), np.int64), days, days, np.zeros((1, 1), np.int32), values, count,
        values, values, values, values, 325.0, 400.0, 300.0, 5.0, 300.0, 0.01, np.zeros(3), 0.2, 0.7, *marks,
        np.zeros(1),
    )  # fmt: skip
