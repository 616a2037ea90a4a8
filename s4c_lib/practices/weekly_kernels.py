"""Compiled loops over parcels: observations to lists, and lists to weeks (l4c-practices.md section 6)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled
from s4c_lib.practices.weeks import NO_DAY

# What float32 holds: six decimals of NDVI (three of NDVI x 1000) and of coherence, five of decibels.
_NDVI_DECIMALS: Final = 1e3
_COHERENCE_DECIMALS: Final = 1e6
_DB_DECIMALS: Final = 1e5
_EPSILON: Final = 1e-8
_NO_DAY: Final = NO_DAY


def collect_ratios(
    vv_day: Any,
    vv_orbit: Any,
    vv: Any,
    vv_std: Any,
    vh_day: Any,
    vh_orbit: Any,
    vh: Any,
    vh_std: Any,
    first_day: Any,
    last_day: Any,
    scale: float,
    outlier: float,
    one_orbit: bool,
    day: Any,
    ratio: Any,
    usual: Any,
    count: Any,
) -> None:
    """List the pairs of VV and VH of a day.

    Parameters
    ----------
    vv_day, vv_orbit, vv, vv_std : as `Observed`, ascending by day; dB of sigma0. vh… : the same.
    first_day, last_day : int64 (parcels,), observations outside do not count.
    scale : from dB to the scale of the thresholds. outlier : VV above it is one, in that scale.
    one_orbit : pairs are of one orbit; else all of a day, but for exact repetitions (repair 3).
    day, ratio, usual : int32, float64, bool (parcels, room), filled: day, VV - VH, VV is no outlier.
    count : int32 (parcels,), filled.
    """
    for p in range(vv.shape[0]):
        found = 0
        begin = 0
        for i in range(vv_day.shape[0]):
            if vv_day[i] < first_day[p] or vv_day[i] > last_day[p] or not np.isfinite(vv[p, i]):
                continue
            while begin < vh_day.shape[0] and vh_day[begin] < vv_day[i]:
                begin += 1
            repeated = False
            if not one_orbit:
                k = i - 1
                while k >= 0 and vv_day[k] == vv_day[i] and not repeated:
                    same = vv_std[p, k] == vv_std[p, i] or (np.isnan(vv_std[p, k]) and np.isnan(vv_std[p, i]))
                    repeated = vv[p, k] == vv[p, i] and same
                    k -= 1
            if repeated:
                continue
            own = np.rint(np.float64(vv[p, i]) * _DB_DECIMALS) / _DB_DECIMALS * scale
            j = begin
            while j < vh_day.shape[0] and vh_day[j] == vv_day[i]:
                wanted = np.isfinite(vh[p, j]) and (not one_orbit or vh_orbit[j] == vv_orbit[i])
                if wanted and not one_orbit:
                    k = j - 1
                    while k >= 0 and vh_day[k] == vh_day[j] and wanted:
                        same = vh_std[p, k] == vh_std[p, j] or (np.isnan(vh_std[p, k]) and np.isnan(vh_std[p, j]))
                        wanted = not (vh[p, k] == vh[p, j] and same)
                        k -= 1
                if wanted:
                    other = np.rint(np.float64(vh[p, j]) * _DB_DECIMALS) / _DB_DECIMALS * scale
                    day[p, found] = vv_day[i]
                    ratio[p, found] = own - other
                    usual[p, found] = own <= outlier + _EPSILON
                    found += 1
                j += 1
        count[p] = found


def collect_coherence(
    in_day: Any,
    orbit: Any,
    baseline: Any,
    mean: Any,
    std: Any,
    orbits: int,
    first_day: Any,
    last_day: Any,
    pair_days: int,
    same_baseline: bool,
    day: Any,
    value: Any,
    change: Any,
    count: Any,
    most: Any,
    seen: Any,
) -> None:
    """List the coherence of all orbits with its rise since the value before of the same orbit.

    Parameters
    ----------
    in_day ... std : as `Observed`, ascending by day. orbits : how many there are.
    pair_days : values that lie further apart have no rise; nor have, with ``same_baseline``, those of pairs whose
        images lie apart differently.
    day, value, change : int32, float64, float64 (parcels, room), filled, without exact repetitions.
    count, most : int32 (parcels,), filled: values, and values of the orbit that has most.
    seen : uint32 (parcels,), filled: bit of each orbit that has a value.
    """
    before = np.empty(orbits)
    before_day = np.empty(orbits, np.int64)
    before_length = np.empty(orbits, np.int64)
    values = np.empty(orbits, np.int64)
    for p in range(mean.shape[0]):
        before_day[:] = _NO_DAY
        values[:] = 0
        found = 0
        bits = 0
        for i in range(in_day.shape[0]):
            if in_day[i] < first_day[p] or in_day[i] > last_day[p] or not np.isfinite(mean[p, i]):
                continue
            o = orbit[i]
            own = np.rint(np.float64(mean[p, i]) * _COHERENCE_DECIMALS) / _COHERENCE_DECIMALS
            rise = 0.0
            if before_day[o] != _NO_DAY and in_day[i] - before_day[o] <= pair_days:
                known = baseline[i] != _NO_DAY and before_length[o] != _NO_DAY
                if not (same_baseline and known and baseline[i] != before_length[o]):
                    rise = max(0.0, own - before[o])
            before[o], before_day[o], before_length[o] = own, in_day[i], baseline[i]
            values[o] += 1
            bits |= 1 << min(o, 31)
            repeated = False
            k = i - 1
            while k >= 0 and in_day[k] == in_day[i] and not repeated:
                same = std[p, k] == std[p, i] or (np.isnan(std[p, k]) and np.isnan(std[p, i]))
                repeated = mean[p, k] == mean[p, i] and same
                k -= 1
            if not repeated:
                day[p, found] = in_day[i]
                value[p, found] = own
                change[p, found] = rise
                found += 1
        count[p] = found
        most[p] = values.max() if orbits else 0
        seen[p] = bits


def collect_ndvi(in_day: Any, mean: Any, first_day: Any, last_day: Any, day: Any, value: Any, count: Any) -> None:
    """List the NDVI.

    Parameters
    ----------
    in_day, mean : as `Observed`.
    day, value : int32, float64 (parcels, room), filled: NDVI x 1000. count : int32 (parcels,), filled.
    """
    for p in range(mean.shape[0]):
        found = 0
        for i in range(in_day.shape[0]):
            if in_day[i] >= first_day[p] and in_day[i] <= last_day[p] and np.isfinite(mean[p, i]):
                day[p, found] = in_day[i]
                value[p, found] = np.rint(np.float64(mean[p, i]) * 1000 * _NDVI_DECIMALS) / _NDVI_DECIMALS
                found += 1
        count[p] = found


def group(
    first_week: int,
    begin: Any,
    end: Any,
    ratio_days: int,
    pair_day: Any,
    pair_ratio: Any,
    pair_count: Any,
    coherence_day: Any,
    coherence_value: Any,
    coherence_change: Any,
    coherence_count: Any,
    ndvi_day: Any,
    ndvi_value: Any,
    ndvi_count: Any,
    ratio_mean: Any,
    ratio_max: Any,
    coherence_max: Any,
    coherence_rise: Any,
    ndvi: Any,
) -> None:
    """Weekly values of the observations from ``begin`` to ``end``; NaN for a week without.

    Parameters
    ----------
    first_week : number of the first week of the matrices.
    begin, end : int64 (parcels,), days; both count. ratio_days : the ratio counts so many days longer.
    pair_day ... ndvi_count : lists of the other kernels here.
    ratio_mean ... ndvi : float64 (parcels, weeks), filled: mean and maximum (not below 0) of the ratio, maximum of
        coherence (not below 0) and of its rise (three decimals), mean of NDVI x 1000 (whole number).
    """
    weeks = ndvi.shape[1]
    number = np.empty(weeks, np.int64)
    for p in range(ndvi.shape[0]):
        ratio_mean[p, :] = np.nan
        ratio_max[p, :] = np.nan
        coherence_max[p, :] = np.nan
        coherence_rise[p, :] = np.nan
        ndvi[p, :] = np.nan
        if begin[p] > end[p]:
            continue
        number[:] = 0
        for i in range(pair_count[p]):
            if pair_day[p, i] < begin[p] or pair_day[p, i] > end[p] + ratio_days:
                continue
            w = (pair_day[p, i] + 3) // 7 - first_week
            if number[w] == 0:
                ratio_mean[p, w] = 0.0
                ratio_max[p, w] = 0.0
            number[w] += 1
            ratio_mean[p, w] += pair_ratio[p, i]
            ratio_max[p, w] = max(ratio_max[p, w], pair_ratio[p, i])
        for w in range(weeks):
            if number[w] > 0:
                ratio_mean[p, w] /= number[w]
        for i in range(coherence_count[p]):
            if coherence_day[p, i] < begin[p] or coherence_day[p, i] > end[p]:
                continue
            w = (coherence_day[p, i] + 3) // 7 - first_week
            if np.isnan(coherence_max[p, w]):
                coherence_max[p, w] = 0.0
                coherence_rise[p, w] = 0.0
            coherence_max[p, w] = max(coherence_max[p, w], coherence_value[p, i])
            coherence_rise[p, w] = max(coherence_rise[p, w], coherence_change[p, i])
        number[:] = 0
        for i in range(ndvi_count[p]):
            if ndvi_day[p, i] < begin[p] or ndvi_day[p, i] > end[p]:
                continue
            w = (ndvi_day[p, i] + 3) // 7 - first_week
            if number[w] == 0:
                ndvi[p, w] = 0.0
            number[w] += 1
            ndvi[p, w] += ndvi_value[p, i]
        for w in range(weeks):
            if not np.isnan(coherence_rise[p, w]):
                coherence_rise[p, w] = np.floor(coherence_rise[p, w] * 1000 + 0.5 + _EPSILON) / 1000
            if number[w] > 0:
                mean = ndvi[p, w] / number[w]
                ndvi[p, w] = np.floor(abs(mean) + 0.5 + _EPSILON) * (1.0 if mean >= 0 else -1.0)


def spread_of_ratio(
    first_week: int, weeks: int, day: Any, ratio: Any, usual: Any, count: Any, mean: Any, deviation: Any
) -> None:
    """Mean and sample deviation of the weekly mean ratios without outliers (M3); 0 with fewer than two weeks.

    Parameters
    ----------
    first_week, weeks : the weeks there are. day, ratio, usual, count : list of `collect_ratios`.
    mean, deviation : float64 (parcels,), filled.
    """
    total = np.empty(weeks)
    number = np.empty(weeks, np.int64)
    for p in range(mean.shape[0]):
        total[:] = 0.0
        number[:] = 0
        for i in range(count[p]):
            if usual[p, i]:
                w = (day[p, i] + 3) // 7 - first_week
                total[w] += ratio[p, i]
                number[w] += 1
        known = 0
        middle = 0.0
        for w in range(weeks):
            if number[w] > 0:
                total[w] /= number[w]
                middle += total[w]
                known += 1
        mean[p] = 0.0
        deviation[p] = 0.0
        if known < 2:
            continue
        middle /= known
        squares = 0.0
        for w in range(weeks):
            if number[w] > 0:
                squares += (total[w] - middle) ** 2
        mean[p] = middle
        deviation[p] = np.sqrt(squares / (known - 1))


def warm_up() -> None:
    """Compile them all."""
    wide, whole = np.zeros(1, np.int64), np.zeros(1, np.int64)
    values = np.zeros((1, 1), np.float32)
    day, real, yes = np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.zeros((1, 1), np.bool_)
    count, most, seen = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint32)
    one = wide, wide, values, values
    compiled(collect_ratios)(*one, *one, whole, whole, 0.5, -3.0, True, day, real, yes, count)
    compiled(collect_coherence)(
        wide, wide, wide, values, values, 1, whole, whole, 6, True, day, real, real.copy(), count, most, seen
    )  # fmt: skip
    compiled(collect_ndvi)(wide, values, whole, whole, day, real, count)
    weekly = tuple(np.zeros((1, 1)) for _ in range(5))
    compiled(group)(
        0, whole, whole, 7, day, real, count, day, real, real, count, day, real, count, *weekly
    )  # fmt: skip
    compiled(spread_of_ratio)(0, 1, day, real, yes, count, np.zeros(1), np.zeros(1))
