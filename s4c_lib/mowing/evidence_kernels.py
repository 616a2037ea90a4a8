"""Compiled loops that weigh radar and optical evidence for mowing, a parcel after the other.

Evidence is the logarithm of a likelihood ratio, of a parcel just mown to one that was not, of normal distributions: a
measure that is 0 where not mown, with variance ``v``, and ``m`` where mown, with variance ``w``, gives
``(log(v / w) + x² / v - (x - m)² / w) / 2``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

# The correlation of VV and VH errors: the same scatterers, other speckle.
_CORRELATION: Final = 0.5
# Clock differences between the passes of an orbit, days.
_CLOCK: Final = 0.5
# A pass that follows the possible date later than this says nothing, days.
_LONGEST: Final = 13.0
# How long ago an optical observation before mowing may be, days.
_LONGEST_OPTICAL: Final = 40.0

GAP_FIRST, GAP_LAST, PAIR, ORBITS, EVENT_COLUMNS = 0, 1, 2, 3, 4
"""Columns of what `scan_parcels` finds: first and last gap, column of the pair with most evidence, orbits in favour."""


def weigh_pairs(
    first: int,
    last: int,
    starts: Any,
    ends: Any,
    vh: Any,
    vv: Any,
    group: Any,
    level_vh: Any,
    level_vv: Any,
    pixels: Any,
    window: float,
    rise: float,
    rise_spread: float,
    pixel_variance: float,
    spread: float,
    limit: float,
    column: int,
    found: Any,
) -> None:
    """Evidence of each pair of one orbit that the canopy was cut before its first image.

    The mean of the pairs that begin within ``window`` days from there, less the mean of those that end within as many
    days before; in shares of the usual coherence of the pair's date.

    Parameters
    ----------
    starts, ends : float64 (times,), days of the two images.
    vh, vv : float32 (parcels, times), two polarisations in any order, NaN where missing; (0, 0) for one not used.
    group : int64 (parcels,), row in the levels.
    level_vh, level_vv : float64 (groups, times), usual coherence of each pair.
    pixels : int32 (parcels,).
    rise, rise_spread : of coherence by mowing, mean and standard deviation of mowings, as such shares.
    pixel_variance : of the coherence of one pixel.
    spread : of coherence from date to date beyond that, as a share of its level.
    limit : of evidence of one orbit; what is beyond counts by its logarithm, so that more is still more.
    column : of ``found``, where the first pair goes.
    found : float32 (last - first, columns), filled; NaN where nothing can be said.
    """
    times = len(starts)
    number = (1 if vh.shape[0] > 0 else 0) + (1 if vv.shape[0] > 0 else 0)
    noise_of_level = np.zeros(2)
    for polarisation in range(number):
        levels = level_vh if polarisation == 0 and vh.shape[0] > 0 else level_vv
        mean = np.mean(levels)
        noise_of_level[polarisation] = pixel_variance / (mean * mean)
    # Pairs of each window: [after_first, after_last) and [before_first, before_last).
    windows = np.zeros((4, times), np.int64)
    for j in range(times):
        low, high = j, j
        while low > 0 and starts[low - 1] >= starts[j] - _CLOCK:
            low -= 1
        while high < times and starts[high] < starts[j] + window:
            high += 1
        windows[0, j], windows[1, j] = low, high
        high = low
        while high > 0 and ends[high - 1] > starts[j] + _CLOCK:
            high -= 1
        low = high
        while low > 0 and ends[low - 1] > starts[j] - window:
            low -= 1
        windows[2, j], windows[3, j] = low, high
    share = np.empty((2, times))
    for p in range(first, last):
        for polarisation in range(number):
            from_vh = polarisation == 0 and vh.shape[0] > 0
            values = vh if from_vh else vv
            levels = level_vh if from_vh else level_vv
            for t in range(times):
                share[polarisation, t] = values[p, t] / levels[group[p], t]
        count = max(pixels[p], 1)
        for j in range(times):
            total, first_noise, second_noise, used = 0.0, 0.0, 0.0, 0
            for polarisation in range(number):
                above, count_above, below, count_below = 0.0, 0, 0.0, 0
                for k in range(windows[0, j], windows[1, j]):
                    if np.isfinite(share[polarisation, k]):
                        above += share[polarisation, k]
                        count_above += 1
                for k in range(windows[2, j], windows[3, j]):
                    if np.isfinite(share[polarisation, k]):
                        below += share[polarisation, k]
                        count_below += 1
                if count_above == 0 or count_below == 0:
                    continue
                total += above / count_above - below / count_below
                noise = noise_of_level[polarisation] / count + spread * spread
                noise *= 1.0 / count_above + 1.0 / count_below
                used += 1
                if used == 1:
                    first_noise = noise
                else:
                    second_noise = noise
            if used == 0:
                found[p - first, column + j] = np.nan
                continue
            still = first_noise
            if used == 2:  # of the mean of two correlated measures
                still = 0.25 * (first_noise + second_noise + 2 * _CORRELATION * np.sqrt(first_noise * second_noise))
                total /= 2
            mown = still + rise_spread * rise_spread
            if rise_spread > 0:
                # Below this the wider of the two distributions would win again.
                total = max(total, -rise * still / (rise_spread * rise_spread))
            evidence = 0.5 * (np.log(still / mown) + total * total / still - (total - rise) * (total - rise) / mown)
            if evidence > limit:
                evidence = limit + limit * np.log(evidence / limit)
            elif evidence < -limit:
                evidence = -limit - limit * np.log(-evidence / limit)
            found[p - first, column + j] = evidence


def weigh_optical(
    first: int,
    last: int,
    gap_start: Any,
    gap_end: Any,
    days: Any,
    ndvi: Any,
    rejected: Any,
    drop: float,
    recovery: float,
    spread: float,
    spread_growth: float,
    limit: float,
    found: Any,
) -> None:
    """Evidence of the clear observations around each gap between radar passes that it has a mowing.

    Parameters
    ----------
    gap_start, gap_end : float64 (gaps,), days, ascending.
    days : float64 (times,), ascending.
    ndvi : float32 (parcels, times); rejected : uint8 of that shape, 0 where the observation is used.
    drop : of NDVI at mowing; it is made up for within days of ``recovery`` (to 1/e).
    spread, spread_growth : of the difference of two observations that are 0 days apart, and more for each day.
    limit : most that counts.
    found : float32 (last - first, gaps), filled; 0 where nothing is seen.
    """
    gaps, times = len(gap_start), len(days)
    for p in range(first, last):
        before, after = -1, 0
        reached = 0
        for g in range(gaps):
            while reached < times and days[reached] <= gap_start[g]:
                if rejected[p, reached] == 0:
                    before = reached
                reached += 1
            while after < times and (days[after] < gap_end[g] or rejected[p, after] != 0):
                after += 1
            evidence = 0.0
            if before >= 0 and after < times and gap_end[g] - days[before] < _LONGEST_OPTICAL:
                middle = 0.5 * (gap_start[g] + gap_end[g])
                expected = drop * np.exp(-(days[after] - middle) / recovery)
                sigma = spread + spread_growth * (days[after] - days[before])
                fall = np.float64(ndvi[p, before]) - np.float64(ndvi[p, after])
                evidence = expected * (fall - 0.5 * expected) / (sigma * sigma)
            found[p - first, g] = min(max(evidence, -limit), limit)


def scan_parcels(
    first: int,
    last: int,
    evidence: Any,
    optical: Any,
    pair_of_gap: Any,
    gap_start: Any,
    gap_end: Any,
    begin_gap: int,
    end_gap: int,
    least: float,
    apart: float,
    offsets: Any,
    event_start: Any,
    event_end: Any,
    counts: Any,
    found: Any,
    numbers: Any,
    of_event: Any,
    event_numbers: Any,
) -> int:
    """Sum the evidence of all orbits in every gap, take the gaps with most, and look at the optical events.

    Parameters
    ----------
    evidence : float32 (last - first, pairs of all orbits). optical : float32 (last - first, gaps).
    pair_of_gap : int32 (orbits, gaps), column of ``evidence`` of the first pair that begins after the gap; -1: none.
    begin_gap, end_gap : gaps to look at, the second excluded.
    least : sums of radar and optical evidence below it are not reported.
    apart : days, least distance between the middles of two.
    offsets : int64 (parcels + 1,), rows of the optical events of each parcel.
    event_start, event_end : float64 (events,), days.
    counts : int64 (parcels,), filled: how many were found of each.
    found : int32 (room, `EVENT_COLUMNS`), filled. numbers : float64 (room, 2): radar and optical evidence.
    of_event : int32 (events, `EVENT_COLUMNS`), filled: the gap within the event's interval with most radar evidence;
        -1 where no orbit saw it. event_numbers : float64 (events,): that evidence, NaN where there is none.

    Returns
    -------
    int : rows filled.
    """
    gaps, orbits = len(gap_start), pair_of_gap.shape[0]
    radar, seen, free = np.empty(gaps), np.empty(gaps, np.int64), np.empty(gaps, np.bool_)
    best, favour = np.empty(gaps, np.int32), np.empty(gaps, np.int32)
    row = 0
    for p in range(first, last):
        counts[p] = 0
        for g in range(gaps):
            total, number, most, column, positive = 0.0, 0, -np.inf, -1, 0
            for o in range(orbits):
                at = pair_of_gap[o, g]
                if at < 0:
                    continue
                value = np.float64(evidence[p - first, at])
                if not np.isfinite(value):
                    continue
                total += value
                number += 1
                if value > 0:
                    positive += 1
                if value > most:
                    most, column = value, at
            radar[g], seen[g], best[g], favour[g] = total, number, column, positive
            free[g] = begin_gap <= g < end_gap and number > 0
        for e in range(offsets[p], offsets[p + 1]):
            chosen = -1
            for g in range(gaps):
                if seen[g] == 0 or gap_end[g] <= event_start[e] or gap_start[g] >= event_end[e]:
                    continue
                if chosen < 0 or radar[g] > radar[chosen]:
                    chosen = g
            if chosen < 0:
                of_event[e, :] = -1
                event_numbers[e] = np.nan
            else:
                low, high = chosen, chosen
                while low > 0 and seen[low - 1] > 0 and radar[low - 1] == radar[chosen]:
                    low -= 1
                while high + 1 < gaps and seen[high + 1] > 0 and radar[high + 1] == radar[chosen]:
                    high += 1
                of_event[e, 0], of_event[e, 1] = low, high
                of_event[e, 2], of_event[e, 3] = best[chosen], favour[chosen]
                event_numbers[e] = radar[chosen]
        while True:
            chosen = -1
            for g in range(begin_gap, end_gap):
                if free[g] and (
                    chosen < 0 or radar[g] + optical[p - first, g] > radar[chosen] + optical[p - first, chosen]
                ):
                    chosen = g
            if chosen < 0 or radar[chosen] + optical[p - first, chosen] < least:
                break
            # Passes that did not see the parcel split a gap in parts that say the same.
            low, high = chosen, chosen
            while low > begin_gap and free[low - 1] and radar[low - 1] == radar[chosen]:
                low -= 1
            while high + 1 < end_gap and free[high + 1] and radar[high + 1] == radar[chosen]:
                high += 1
            found[row, 0], found[row, 1], found[row, 2], found[row, 3] = low, high, best[chosen], favour[chosen]
            numbers[row, 0], numbers[row, 1] = radar[chosen], optical[p - first, chosen]
            row += 1
            counts[p] += 1
            middle = 0.5 * (gap_start[low] + gap_end[high])
            for g in range(begin_gap, end_gap):
                if abs(0.5 * (gap_start[g] + gap_end[g]) - middle) < apart or low <= g <= high:
                    free[g] = False
    return row


def warm_up() -> None:
    """Call every kernel once."""
    days, values = np.arange(3.0), np.full((1, 3), 0.3, np.float32)
    levels, found = np.full((1, 3), 0.3), np.empty((1, 3), np.float32)
    pixels = np.full(1, 9, np.int32)
    compiled(weigh_pairs)(
        0,
        1,
        days - 1,
        days,
        values,
        values,
        np.zeros(1, np.int64),
        levels,
        levels,
        pixels,
        10.0,
        0.07,
        0.5,
        0.02,
        0.2,
        8.0,
        0,
        found,
    )
    optical = np.empty((1, 2), np.float32)
    gap_start, gap_end = days[:2], days[1:]
    rejected = np.zeros((1, 3), np.uint8)
    compiled(weigh_optical)(0, 1, gap_start, gap_end, days, values, rejected, 0.25, 25.0, 0.05, 0.005, 4.0, optical)
    compiled(scan_parcels)(
        0, 1, found, optical, np.zeros((1, 2), np.int32), gap_start, gap_end, 0, 2, 0.0, 21.0,
        np.array([0, 1]), days[:1], days[1:2], np.empty(1, np.int64), np.empty((2, EVENT_COLUMNS), np.int32),
        np.empty((2, 2)), np.empty((1, EVENT_COLUMNS), np.int32), np.empty(1),
    )  # fmt: skip
