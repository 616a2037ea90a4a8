"""Optical series on regular dates (l4a-crop-type.md 5.1-5.5).

The acquisitions between two dates leave only two traces in what is interpolated: the first and the last valid
observation. So these are kept for each stretch of time; a new acquisition changes one of them and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.temporal import between

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.floating]
Int64 = npt.NDArray[np.int64]

REFLECTANCE: Final = np.float32(10_000)
"""Bands are digital numbers in features: reflectance x 10000."""
_SMALL: Final = 1e-6

# Rows of what is kept of a stretch: day after its begin, mean, std; of the first and of the last observation.
ENDS: Final = 6
NEVER: Final = np.float32(np.nan)


def stretch_ends(acquisitions: Iterable[tuple[int, Floats, Floats]], items: int) -> Floats:
    """First and last valid observation of a stretch of time.

    Parameters
    ----------
    acquisitions : (day, mean, std) by ascending day, one a day; days from the begin of the stretch; mean NaN where
        it is not valid.

    Returns
    -------
    float32 (6, items): day, mean, std of the first, then of the last observation; NaN where there is none.
    """
    ends = np.full((ENDS, items), NEVER, np.float32)
    for day, mean, std in acquisitions:
        there = ~np.isnan(mean)
        new = there & np.isnan(ends[0])
        for row, values in enumerate((np.full(items, day, np.float32), mean, std)):
            np.copyto(ends[row], values, where=new)
            np.copyto(ends[row + 3], values, where=there)
    return ends


@dataclass(frozen=True, slots=True, eq=False)
class OnGrid:
    """A variable on regular dates: float32 (dates, items), NaN where an item has no valid observation at all.

    ``gap_days`` is the distance to the nearest valid observation, int16, -1 where there is none.
    """

    mean: Floats
    std: Floats
    gap_days: npt.NDArray[np.int16]


def on_grid(stretches: Sequence[Floats], grid: Int64) -> OnGrid:
    """Interpolate linearly to each date; constant before the first and after the last observation (AC-03).

    There is no longest gap: cloudy months are bridged (5.4).

    Parameters
    ----------
    stretches : of `stretch_ends`, one from each date to the next; the last has no end.
    grid : int64 (dates,), ascending.
    """
    items = stretches[0].shape[1] if stretches else 0
    shape = len(grid), items
    mean, std, gap = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int16)
    after = [np.full(items, NEVER, np.float32)] * 3
    following = []
    for number in reversed(range(len(grid))):
        ends, there = stretches[number], ~np.isnan(stretches[number][0])
        day = ends[0] + np.float32(grid[number] - grid[0])
        after = [np.where(there, row, old) for row, old in zip((day, ends[1], ends[2]), after, strict=True)]
        following.append(after)
    before = [np.full(items, NEVER, np.float32)] * 3
    for number, (next_day, next_mean, next_std) in enumerate(reversed(following)):
        at = np.float32(grid[number] - grid[0])
        day, old_mean, old_std = before
        # An observation of the date itself is both the last before and the first after.
        mean[number] = np.where(next_day == at, next_mean, between(old_mean, next_mean, day, next_day, at))
        std[number] = np.where(next_day == at, next_std, between(old_std, next_std, day, next_day, at))
        nearest = np.fmin(at - day, next_day - at)
        gap[number] = np.where(np.isnan(nearest), -1, nearest).astype(np.int16)
        ends, there = stretches[number], ~np.isnan(stretches[number][0])
        day = ends[3] + at
        before = [np.where(there, row, old) for row, old in zip((day, ends[4], ends[5]), before, strict=True)]
    return OnGrid(mean, std, gap)


def _normalised_difference(first: Values, second: Values) -> Values:
    """(first - second) / (first + second), 0 where the sum is not above 1e-6 in size (5.5)."""
    total = first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(total) < _SMALL, first.dtype.type(0), (first - second) / total)


def indices(bands: dict[str, Values], *, truncated: bool) -> dict[str, Values]:
    """NDVI, NDWI and brightness of bands as digital numbers, as far as the bands are there (AC-04).

    NDWI is (SWIR - NIR)/(SWIR + NIR): the other way round than usual.

    Parameters
    ----------
    bands : by the label in names: ``b3``, ``b4``, ``b8``, ``b11``; float (dates, items).
    truncated : bands are cut to whole numbers first, towards zero (D-05).
    """
    cut = {label: np.trunc(values) if truncated else values for label, values in bands.items()}
    found: dict[str, Values] = {}
    if {"b4", "b8"} <= cut.keys():
        found["ndvi"] = _normalised_difference(cut["b8"], cut["b4"])
    if {"b8", "b11"} <= cut.keys():
        found["ndwi"] = _normalised_difference(cut["b11"], cut["b8"])
    if {"b3", "b4", "b8", "b11"} <= cut.keys():
        found["brightness"] = np.sqrt(sum(cut[label] ** 2 for label in ("b3", "b4", "b8", "b11")))
    return found


def index_deviations(bands: dict[str, tuple[Values, Values]]) -> dict[str, Values]:
    """Deviations of the indices from (mean, std) of the bands, to first order and as if bands did not covary.

    Only for tables that have no statistics of the index itself.
    """
    found: dict[str, Values] = {}
    for name, pair in (("ndvi", ("b8", "b4")), ("ndwi", ("b11", "b8"))):
        if set(pair) <= bands.keys():
            (first, first_std), (second, second_std) = bands[pair[0]], bands[pair[1]]
            with np.errstate(divide="ignore", invalid="ignore"):
                spread = 2 * np.hypot(second * first_std, first * second_std) / (first + second) ** 2
            found[name] = np.where(np.abs(first + second) < _SMALL, first.dtype.type(0), spread)
    if {"b3", "b4", "b8", "b11"} <= bands.keys():
        four = [bands[label] for label in ("b3", "b4", "b8", "b11")]
        squares = [(mean * std) ** 2 for mean, std in four]
        with np.errstate(divide="ignore", invalid="ignore"):
            found["brightness"] = np.sqrt(sum(squares[1:], squares[0]) / sum(mean**2 for mean, _ in four))
    return found
