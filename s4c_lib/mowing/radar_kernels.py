"""Compiled loop of the radar detector, a parcel after the other."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

EPSILON: Final = 1e-9
"""An excess counts when it is more than this, so ties are no events; also the least spread a history can have."""

# float32 holds six decimals of a coherence.
_DECIMALS: Final = 1e6


def find_jumps(
    day: Any,
    order: Any,
    oldest: Any,
    length: Any,
    first_day: int,
    values: Any,
    n: Any,
    total: Any,
    first: int,
    last: int,
    history: int,
    bridge: bool,
    quantile: float,
    variance: float,
    found: Any,
    excess: Any,
) -> int:
    """Find the jumps of parcels ``first`` to ``last`` (excluded); returns how many.

    Parameters
    ----------
    day, order : int64 (times,), days since 1970 of the later image, and its number among the different days.
    oldest : int64 (times,), day before which no pair of a history may lie.
    length : int64 (times,), days between the two images of a pair; of one day the shorter of equally good pairs counts.
    first_day : pairs before it are history only.
    values, n, total : float32, int32, int32 (parcels, times).
    bridge : the history may have gaps; else it is of consecutive days.
    variance : of the coherence of one pixel, 0 for none.
    found : int32 (room, 2), filled: parcel, column. There is room for ``times`` a parcel.
    excess : float64 (room,), filled: D.
    """
    count = 0
    times = values.shape[1]
    kept = np.empty(times, np.int64)
    value_of = np.empty(times)
    for p in range(first, last):
        known = 0
        for t in range(times):
            value = np.float64(values[p, t])
            if not np.isfinite(value) or total[p, t] < 1:
                continue
            value = np.rint(value * _DECIMALS) / _DECIMALS
            if known > 0 and day[kept[known - 1]] == day[t]:
                other = kept[known - 1]
                if n[p, t] > n[p, other] or (n[p, t] == n[p, other] and length[t] < length[other]):
                    kept[known - 1], value_of[known - 1] = t, value
                continue
            kept[known], value_of[known] = t, value
            known += 1
        for j in range(history, known):
            t, begin = kept[j], kept[j - history]
            if day[t] < first_day:
                continue
            if (day[begin] < oldest[t]) if bridge else (order[t] - order[begin] != history):
                continue
            x_mean, c_mean = 0.0, 0.0
            for i in range(j - history, j):
                x_mean += day[kept[i]] - day[begin]
                c_mean += value_of[i]
            x_mean /= history
            c_mean /= history
            xx, xc = 0.0, 0.0
            for i in range(j - history, j):
                x = day[kept[i]] - day[begin] - x_mean
                xx += x * x
                xc += x * (value_of[i] - c_mean)
            slope = xc / xx
            squares = 0.0
            for i in range(j - history, j):
                rest = value_of[i] - c_mean - slope * (day[kept[i]] - day[begin] - x_mean)
                squares += rest * rest
            spread = max(np.sqrt(squares / history), np.sqrt(variance / total[p, t]), EPSILON)
            predicted = c_mean + slope * (day[kept[j - 1]] - day[begin] - x_mean)
            above = (value_of[j] - predicted) / spread - quantile
            if above > EPSILON:
                found[count, 0], found[count, 1] = p, t
                excess[count] = above
                count += 1
    return count


def warm_up() -> None:
    """Compile it."""
    days = np.arange(4, dtype=np.int64)
    values, counts = np.zeros((1, 4), np.float32), np.ones((1, 4), np.int32)
    found, excess = np.empty((4, 2), np.int32), np.empty(4)
    compiled(find_jumps)(
        days, days, days, days, 0, values, counts, counts, 0, 1, 3, True, 5.4, 0.024, found, excess
    )  # fmt: skip
