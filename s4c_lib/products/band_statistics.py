"""Moments of a band, gathered from row blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Statistics of the valid DN of a band; NaN when none is valid.

    Parameters
    ----------
    stddev : over all valid pixels (divided by n). valid_percent : of all pixels.
    """

    minimum: float
    maximum: float
    mean: float
    stddev: float
    valid_percent: float
    count: int


class Moments:
    """Collects minimum, maximum, sum and sum of squares of blocks."""

    def __init__(self, no_data: float | None) -> None:
        self._no_data = no_data
        self._count = 0
        self._least, self._most = math.inf, -math.inf
        self._mean = self._deviation = 0.0  # Chan et al. 1979: blocks are merged without loss of digits

    def add(self, block: npt.NDArray[Any]) -> None:
        """Take the pixels of a block, (rows, columns)."""
        if block.dtype.kind == "f" or block.dtype.itemsize > 2:  # squares of 32 bits do not fit into 64-bit sums
            no_data = np.nan if self._no_data is None else float(self._no_data)
            found = compiled(_moments_of_floats)(block, no_data)
        else:
            found = compiled(_moments_of_integers)(block, self._no_data is not None, int(self._no_data or 0))
        count, least, most, mean, deviation = found
        if not count:
            return
        self._least, self._most = min(self._least, least), max(self._most, most)
        total = self._count + count
        shift = mean - self._mean
        self._deviation += deviation + shift * shift * self._count * count / total
        self._mean += shift * count / total
        self._count = total

    def result(self, pixels: int) -> BandStatistics:
        """Statistics, of a band of so many pixels in all."""
        if not self._count:
            return BandStatistics(math.nan, math.nan, math.nan, math.nan, 0.0, 0)
        stddev = math.sqrt(max(self._deviation, 0.0) / self._count)
        share = 100 * self._count / pixels
        return BandStatistics(float(self._least), float(self._most), self._mean, stddev, share, self._count)


def _moments_of_integers(block: Any, has_no_data: bool, no_data: int) -> tuple[Any, ...]:
    count: Any = 0
    least, most = np.int64(2**62), np.int64(-(2**62))
    mean = deviation = 0.0
    for i in range(block.shape[0]):
        # Sums of one row are exact in 64 bits for 16-bit values; rows are merged in double precision.
        valid, total, square = np.int64(0), np.int64(0), np.int64(0)
        for j in range(block.shape[1]):
            value = np.int64(block[i, j])
            good = np.int64(not has_no_data or value != no_data)
            valid += good
            total += good * value
            square += good * value * value
            least = min(least, value if good else least)
            most = max(most, value if good else most)
        if valid == 0:
            continue
        row_mean = total / valid
        shift = row_mean - mean
        both = count + valid
        deviation += square - total * row_mean + shift * shift * count * valid / both
        mean += shift * valid / both
        count = both
    return count, least, most, mean, deviation


def _moments_of_floats(block: Any, no_data: float) -> tuple[int, float, float, float, float]:
    count = 0
    least, most = np.inf, -np.inf
    mean = deviation = 0.0
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            value = np.float64(block[i, j])
            if value != value or value == no_data:
                continue
            count += 1
            shift = value - mean
            mean += shift / count
            deviation += shift * (value - mean)
            least, most = min(least, value), max(most, value)
    return count, least, most, mean, deviation


def warm_up() -> None:
    """Compile all of them for the types of rasters that are written, or load what is compiled."""
    for kind in (np.uint8, np.int16, np.uint16, np.float32):
        Moments(None).add(np.zeros((1, 1), kind))
