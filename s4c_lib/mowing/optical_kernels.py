"""Compiled loops of the optical detector, a parcel after the other.

``days`` is int64 (times,), ascending; ``values`` float32 (parcels, times), NaN where missing; ``n`` int32 and
``rejected`` uint8 of that shape, the latter 0 where the observation is used.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

EPSILON: Final = 1e-9
"""A test counts as met when it is met by more than this, so ties are no events (section 4)."""

PLACES: Final = 6
MEASURES: Final = 4

_USED, _MISSING, _CORRUPTED, _CLOUD, _SAME_DAY = 0, 1, 2, 3, 4
# float32 holds six decimals of an NDVI: without its noise 0.80 - 0.68 is 0.12, as written.
_DECIMALS: Final = 1e6
# Neighbours further apart than this do not tell noise from growth; fewer triples than that tell no median.
_NEIGHBOURS_DAYS, _ENOUGH_TRIPLES = 20, 5
_AS_DEVIATION: Final = 1.4826


def screen_parcels(
    days: Any,
    values: Any,
    n: Any,
    corrupted_th: float,
    max_growth: float,
    noise: float,
    growth_days: int,
    rejected: Any,
) -> None:
    """Fill ``rejected`` with the codes of `Rejection`.

    Parameters
    ----------
    max_growth, noise, growth_days : an observation is a cloud's when NDVI was higher by more than ``noise`` within
        twice these days before, and rises within these days after by more than ``max_growth`` a day and ``noise``.
    """
    parcels, times = values.shape
    column = np.empty(times, np.int64)
    day = np.empty(times, np.int64)
    value = np.empty(times, np.float64)
    for p in range(parcels):
        count = 0
        for t in range(times):
            here = np.rint(np.float64(values[p, t]) * _DECIMALS) / _DECIMALS
            if not np.isfinite(here):
                rejected[p, t] = _MISSING
                continue
            if here < corrupted_th:
                rejected[p, t] = _CORRUPTED
                continue
            rejected[p, t] = _USED
            if count > 0 and day[count - 1] == days[t]:
                kept = column[count - 1]
                if n[p, t] <= n[p, kept]:
                    rejected[p, t] = _SAME_DAY
                    continue
                rejected[p, kept] = _SAME_DAY
                count -= 1
            column[count], day[count], value[count] = t, days[t], here
            count += 1
        for i in range(1, count - 1):
            j = i + 1
            while j < count and day[j] - day[i] <= growth_days:
                if value[j] - value[i] > max_growth * (day[j] - day[i]) + noise + EPSILON:
                    break
                j += 1
            if j == count or day[j] - day[i] > growth_days:
                continue
            k = i - 1
            while k >= 0 and day[i] - day[k] <= 2 * growth_days:
                if value[k] - value[i] > noise + EPSILON:
                    rejected[p, column[i]] = _CLOUD
                    break
                k -= 1


def find_falls(
    days: Any,
    values: Any,
    rejected: Any,
    first: int,
    last: int,
    decreasing_abs_th: float,
    decreasing_rate_th: float,
    increasing_rate_th: float,
    high_abs_th: float,
    low_abs_th: float,
    min_step: float,
    noise_factor: float,
    days_before: int,
    days_after: int,
    start_share: float,
    end_share: float,
    growing: Any,
    places: Any,
    measures: Any,
) -> int:
    """Find the falls of parcels ``first`` to ``last`` (excluded); returns how many.

    From each step down of two neighbours a fall reaches back to the highest observation at most ``days_before`` older
    than the upper one, and on to the lowest at most ``days_after`` younger than the lower one.

    Parameters
    ----------
    noise_factor : a fall is larger than this many times the noise of the parcel's series: the median absolute
        difference of an observation from the line between its neighbours, as a standard deviation.
    start_share, end_share : the interval begins at the last observation before which no more than the first of these
        shares of the fall is lost, and ends at the first at which the second is.
    growing : bool (times,), whether a fall whose low is there may be the parcel's largest.
    places : int32 (room, PLACES), filled: parcel, columns of top, low, the one after low, start and end of the
        interval. There is room for ``times`` a parcel.
    measures : float64 (room, MEASURES), filled: NDVI at the top and low, D, fall as a share of the parcel's largest.
    """
    times = values.shape[1]
    column = np.empty(times, np.int64)
    day = np.empty(times, np.int64)
    value = np.empty(times, np.float64)
    beside = np.empty(times, np.float64)
    found = 0
    for p in range(first, last):
        count = 0
        for t in range(times):
            if rejected[p, t] == _USED:
                column[count], day[count] = t, days[t]
                value[count] = np.rint(np.float64(values[p, t]) * _DECIMALS) / _DECIMALS
                count += 1
        least = 0.0
        if noise_factor > 0:
            triples = 0
            for i in range(1, count - 1):
                if day[i + 1] - day[i - 1] <= _NEIGHBOURS_DAYS:
                    on = (day[i] - day[i - 1]) / (day[i + 1] - day[i - 1])
                    line = value[i - 1] + on * (value[i + 1] - value[i - 1])
                    beside[triples] = abs(value[i] - line) / np.sqrt(1 + on * on + (1 - on) * (1 - on))
                    triples += 1
            if triples >= _ENOUGH_TRIPLES:
                least = noise_factor * _AS_DEVIATION * np.median(beside[:triples])
        begin = found
        largest = 0.0
        for j in range(1, count - 1):
            upper = j - 1
            if value[upper] - value[j] <= min_step + EPSILON:
                continue
            top, low = upper, j
            k = upper - 1
            while k >= 0 and day[upper] - day[k] <= days_before:
                if value[k] > value[top]:
                    top = k
                k -= 1
            k = j + 1
            while k < count - 1 and day[k] - day[j] <= days_after:
                if value[k] < value[low]:
                    low = k
                k += 1
            v0, v1, v2 = value[top], value[low], value[low + 1]
            drop = (v0 - v1 - decreasing_abs_th) / v1
            if not (
                drop > EPSILON
                and v0 - v1 > least
                and (v1 - v0) / (day[low] - day[top]) < decreasing_rate_th - EPSILON
                and (v2 - v1) / (day[low + 1] - day[low]) < increasing_rate_th - EPSILON
                and v1 < high_abs_th - EPSILON
                and v0 > low_abs_th + EPSILON
            ):
                continue
            if growing[column[low]]:
                largest = max(largest, v0 - v1)
            end = top + 1
            while value[end] > v0 - end_share * (v0 - v1) + EPSILON:
                end += 1
            start = end - 1
            while value[start] < v0 - start_share * (v0 - v1) - EPSILON:
                start -= 1
            if found > begin and places[found - 1, 4] == column[start] and places[found - 1, 5] == column[end]:
                found -= 1  # the same interval by another step of it: that with the larger fall counts
                if measures[found, 0] - measures[found, 1] >= v0 - v1:
                    found += 1
                    continue
            places[found, 0], places[found, 1], places[found, 2] = p, column[top], column[low]
            places[found, 3], places[found, 4], places[found, 5] = column[low + 1], column[start], column[end]
            measures[found, 0], measures[found, 1], measures[found, 2] = v0, v1, drop
            found += 1
        for at in range(begin, found):
            fall = measures[at, 0] - measures[at, 1]
            measures[at, 3] = fall / max(fall, largest)
    return found


def keep_apart(parcel: Any, start: Any, end: Any, confidence: Any, keep: Any) -> None:
    """Of events of one parcel that overlap keep the most confident, of equals the first: bool (events,), filled.

    Parameters
    ----------
    parcel : int32 (events,), those of one parcel beside each other.
    start, end : int64 (events,), days.
    """
    begin = 0
    while begin < len(parcel):
        stop = begin
        while stop < len(parcel) and parcel[stop] == parcel[begin]:
            keep[stop] = False
            stop += 1
        order = begin + np.argsort(-confidence[begin:stop], kind="mergesort")
        for i in order:
            free = True
            for k in range(begin, stop):
                if keep[k] and max(start[i], start[k]) < min(end[i], end[k]):
                    free = False
                    break
            keep[i] = free
        begin = stop


def warm_up() -> None:
    """Compile the kernels."""
    days = np.arange(3)
    values = np.array([[0.8, 0.5, 0.5]], np.float32)
    rejected = np.empty((1, 3), np.uint8)
    places, measures = np.empty((3, PLACES), np.int32), np.empty((3, MEASURES))
    compiled(screen_parcels)(days, values, np.ones((1, 3), np.int32), 0.1, 0.03, 0.05, 12, rejected)
    numbers = (0.12, -1e-6, 0.05, 0.75, 0.5, 0.0, 3.0, 0, 0, 0.25, 0.75)
    compiled(find_falls)(days, values, rejected, 0, 1, *numbers, np.ones(3, np.bool_), places, measures)
    compiled(keep_apart)(np.zeros(1, np.int32), days[:1], days[1:2], np.ones(1), np.ones(1, np.bool_))
