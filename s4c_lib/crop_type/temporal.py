"""Temporal statistics of series, NaN where there is no value (l4a-crop-type.md 5.4, 6.1, 6.2).

Arrays are (times, items), times first: an item is a parcel, or a pixel. One time after the other is added to all items,
so a result does not depend on how many items there are at once.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


def mean_over_time(values: Values) -> Float64:
    """Mean of the values there are, float64 (items,) (AC-08)."""
    total, count = np.zeros(values.shape[1]), np.zeros(values.shape[1], np.int32)
    for row in values:
        there = ~np.isnan(row)
        np.add(total, row, out=total, where=there)
        count += there
    return _ratio(total, count)


def std_over_time(values: Values) -> Float64:
    """Population standard deviation, 0 of a single value, float64 (items,) (AC-10)."""
    middle = mean_over_time(values)
    total, count = np.zeros(values.shape[1]), np.zeros(values.shape[1], np.int32)
    for row in values:
        there = ~np.isnan(row)
        np.add(total, (row - middle) ** 2, out=total, where=there)
        count += there
    return np.sqrt(_ratio(total, count))


def variation_over_time(values: Values, middle: Float64 | None = None) -> Float64:
    """Coefficient of variation: population standard deviation / mean (CVAR, AC-09)."""
    return _ratio(std_over_time(values), mean_over_time(values) if middle is None else middle)


def low_quantile(values: Values, p: float = 0.1) -> Float64:
    """Sen4CAP's quantile of few values (MIN, AC-10), float64 (items,).

    Of n values, ascending: the least for n < 10; else v[l] + (n p - l)(v[l + 1] - v[l]) with l = floor(n p), counted
    from 1. A percentile that interpolates over the whole range gives more.
    """
    ordered = np.sort(values.astype(np.float64), axis=0)  # NaN last
    n = (~np.isnan(ordered)).sum(axis=0)
    found = ordered[0].copy() if len(ordered) else np.full(values.shape[1], np.nan)
    for count in range(10, len(ordered) + 1):
        where = n == count
        if where.any():
            h = count * p
            low = math.floor(h + 1e-9)  # 0.1 * 30 is a little less than 3
            part = max(h - low, 0.0)
            here = ordered[:, where]
            found[where] = here[low - 1] + part * (here[low] - here[low - 1])
    return found


def paired_ratio(numerator: Values, denominator: Values) -> Values:
    """Quotient of arrays of the same times (AC-11); NaN where one is missing or the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.float32(np.nan), numerator / denominator)


def ratio_deviation(ratio: Values, numerator: tuple[Values, Values], denominator: tuple[Values, Values]) -> Values:
    """Standard deviation of a quotient from (mean, std) of both, to first order and as if they did not covary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return ratio * np.hypot(numerator[1] / numerator[0], denominator[1] / denominator[0])


def fill_gaps(values: Values, position: npt.ArrayLike, *, count: Values | None = None) -> Values:
    """Fill gaps between times linearly, and with the nearest value before the first and after the last (6.4, AC-12).

    Parameters
    ----------
    values : float (times, items).
    position : (times,), ascending: weeks or months; the numbers 0, 1, 2 … for Sen4CAP's own rule (D-09).
    count : numbers of pixels; where given, the result is of them, rounded half up.

    Returns
    -------
    float (times, items), NaN only where an item has no value at all.
    """
    at = np.asarray(position, np.float64)
    source = values if count is None else np.where(np.isnan(values), np.nan, count)
    filled = source.copy()
    if not np.isnan(source).any():
        return filled
    following, following_at = _next_values(source, at)
    previous, previous_at = np.full(source.shape[1], np.nan, source.dtype), np.full(source.shape[1], np.nan)
    for time, row in enumerate(source):
        gap = np.isnan(row)
        if gap.any():
            filled[time] = np.where(
                gap, between(previous, following[time], previous_at, following_at[time], at[time]), row
            )
        previous = np.where(gap, previous, row)
        previous_at = np.where(gap, previous_at, at[time])
    return filled if count is None else np.floor(filled + 0.5)


def between(before: Values, after: Values, before_at: Values, after_at: Values, at: float | np.float32) -> Values:
    """The value at a time, linearly between two, or the only one there is (NaN: none)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = ((at - before_at) / (after_at - before_at)).astype(before.dtype)
        value = before + (after - before) * share
    value = np.where(np.isnan(before), after, value)
    return np.where(np.isnan(after) | (after_at == before_at), np.where(np.isnan(before), after, before), value)


def _next_values(values: Values, at: Float64) -> tuple[list[Values], list[Float64]]:
    """For each time the next value that is there, of this time or later, and its position."""
    following: list[Values] = []
    following_at: list[Float64] = []
    value, place = np.full(values.shape[1], np.nan, values.dtype), np.full(values.shape[1], np.nan)
    for time in reversed(range(len(values))):
        there = ~np.isnan(values[time])
        value, place = np.where(there, values[time], value), np.where(there, at[time], place)
        following.append(value)
        following_at.append(place)
    return following[::-1], following_at[::-1]


def _ratio(total: Values, count: npt.NDArray[np.integer | np.floating]) -> Float64:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Float64 = np.where(count == 0, np.nan, total / count)
    return found
