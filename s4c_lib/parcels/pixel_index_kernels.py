"""Compiled loops of the pixel index: filling polygons by rows, and walking over the runs of pixels it is made of.

Each function is compiled at its first use and kept by numba; a compiled function calls no other one of this module.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled


def count_crossings(x: Any, y: Any, rings: Any, parcels: Any, rows: int, crossings: Any, first: Any, last: Any) -> None:
    """Count how often the edges of each parcel cross a line of pixel centres.

    Parameters
    ----------
    x, y : float64 (vertices,), columns and rows of the grid, fractions included.
    rings : int64 (rings + 1,), vertices of each ring. parcels : int64 (parcels + 1,), rings of each parcel.
    crossings, first, last : int64 (parcels,), filled: the count, and the rows that are crossed (``last`` excluded).
    """
    for parcel in range(len(parcels) - 1):
        total, low, high = 0, rows, 0
        for ring in range(parcels[parcel], parcels[parcel + 1]):
            for k in range(rings[ring], rings[ring + 1] - 1):
                # A centre on the upper end counts, one on the lower end does not: no vertex is crossed twice.
                top = max(ceil(max(min(y[k], y[k + 1]), -1.0) - 0.5), 0)
                bottom = min(ceil(min(max(y[k], y[k + 1]), rows + 1.0) - 0.5), rows)
                if bottom > top:
                    total += bottom - top
                    low, high = min(low, top), max(high, bottom)
        crossings[parcel], first[parcel], last[parcel] = total, low, high


def fill_runs(
    x: Any,
    y: Any,
    rings: Any,
    parcels: Any,
    columns: int,
    crossings: Any,
    first: Any,
    last: Any,
    start: Any,
    length: Any,
    runs: Any,
) -> int:
    """Fill each parcel, all its rings together, by the even-odd rule; a pixel is in when its centre is.

    Parameters
    ----------
    x, y, rings, parcels, crossings, first, last : of `count_crossings`.
    start, length : (half of all crossings,), filled from the front with runs of pixels (row-major).
    runs : int64 (parcels,), filled with the count of runs of each parcel.

    Returns
    -------
    int : count of all runs.
    """
    most, tallest = 0, 0
    for parcel in range(len(runs)):
        most = max(most, crossings[parcel])
        tallest = max(tallest, last[parcel] - first[parcel])
    at = np.empty(most, np.float64)
    ends = np.empty(tallest + 1, np.int64)
    made = 0
    for parcel in range(len(runs)):
        before = made
        runs[parcel] = 0
        if crossings[parcel] == 0:
            continue
        low, height = first[parcel], last[parcel] - first[parcel]
        ends[: height + 1] = 0
        for ring in range(parcels[parcel], parcels[parcel + 1]):
            for k in range(rings[ring], rings[ring + 1] - 1):
                top = max(ceil(max(min(y[k], y[k + 1]), low - 1.0) - 0.5), low)
                bottom = min(ceil(min(max(y[k], y[k + 1]), low + height + 1.0) - 0.5), low + height)
                for row in range(top, bottom):
                    ends[row - low + 1] += 1
        for row in range(height):
            ends[row + 1] += ends[row]
        for ring in range(parcels[parcel], parcels[parcel + 1]):
            for k in range(rings[ring], rings[ring + 1] - 1):
                # From the upper end whatever way the ring runs: parcels on both sides of an edge see the same edge.
                upper, lower = (k, k + 1) if y[k] < y[k + 1] else (k + 1, k)
                top = max(ceil(max(y[upper], low - 1.0) - 0.5), low)
                bottom = min(ceil(min(y[lower], low + height + 1.0) - 0.5), low + height)
                if bottom > top:
                    slope = (x[lower] - x[upper]) / (y[lower] - y[upper])
                    for row in range(top, bottom):
                        at[ends[row - low]] = x[upper] + (row + 0.5 - y[upper]) * slope
                        ends[row - low] += 1
        begin = 0
        for row in range(height):  # ends[row] has moved on to where the next row begins
            end = ends[row]
            if end == begin + 2:
                if at[begin] > at[begin + 1]:
                    at[begin], at[begin + 1] = at[begin + 1], at[begin]
            else:
                at[begin:end].sort()
            previous = -1
            for k in range(begin, end - 1, 2):
                left = ceil(min(max(at[k], 0.0), columns + 1.0) - 0.5)
                right = min(ceil(min(max(at[k + 1], 0.0), columns + 1.0) - 0.5), columns)
                if right <= left:
                    continue
                if left == previous:
                    length[made - 1] += right - left
                else:
                    start[made] = (low + row) * columns + left
                    length[made] = right - left
                    made += 1
                previous = right
            begin = end
        runs[parcel] = made - before
    return made


def count_pixels(offsets: Any, length: Any, count: Any) -> None:
    """Fill ``count`` (parcels,) with the pixels of each parcel."""
    for parcel in range(len(count)):
        total = 0
        for run in range(offsets[parcel], offsets[parcel + 1]):
            total += length[run]
        count[parcel] = total


def count_shared(offsets: Any, start: Any, length: Any, claims: Any, shared: Any) -> None:
    """Fill ``shared`` (parcels,) with the pixels that another parcel has too.

    Parameters
    ----------
    claims : uint8 (pixels of the grid,), 0; room to count in.
    """
    for run in range(len(start)):
        for pixel in range(start[run], start[run] + length[run]):
            if claims[pixel] < 2:
                claims[pixel] += 1
    for parcel in range(len(shared)):
        total = 0
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + length[run]):
                total += claims[pixel] > 1
        shared[parcel] = total


def burn(order: Any, parcel_id: Any, offsets: Any, start: Any, length: Any, labels: Any) -> None:
    """Write the number of each parcel into its pixels of ``labels`` (pixels of the grid,), the last one stays."""
    for k in range(len(order)):
        parcel = order[k]
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + length[run]):
                labels[pixel] = parcel_id[parcel]


def count_labelled(parcel_id: Any, offsets: Any, start: Any, length: Any, labels: Any, count: Any) -> None:
    """Fill ``count`` (parcels,) with the pixels of each parcel that still have its number."""
    for parcel in range(len(count)):
        total = 0
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + length[run]):
                total += labels[pixel] == parcel_id[parcel]
        count[parcel] = total


def warm_up() -> None:
    """Compile all of them, or load what is compiled."""
    x, y = np.array([0.0, 2.0, 2.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0, 2.0, 0.0])
    rings, parcels = np.array([0, 5], np.int64), np.array([0, 1], np.int64)
    crossings, first, last, runs = (np.zeros(1, np.int64) for _ in range(4))
    compiled(count_crossings)(x, y, rings, parcels, 2, crossings, first, last)
    start, length = np.zeros(2, np.int32), np.zeros(2, np.uint16)
    compiled(fill_runs)(x, y, rings, parcels, 2, crossings, first, last, start, length, runs)
    offsets, parcel_id, order = np.array([0, 2], np.int64), np.array([1], np.int32), np.array([0], np.int64)
    for array in (offsets, start, length, parcel_id):  # as an index has them, and numba makes a difference
        array.setflags(write=False)
    count, claims, labels = np.zeros(1, np.int32), np.zeros(4, np.uint8), np.zeros(4, np.int32)
    compiled(count_pixels)(offsets, length, count)
    compiled(count_shared)(offsets, start, length, claims, count)
    compiled(burn)(order, parcel_id, offsets, start, length, labels)
    compiled(count_labelled)(parcel_id, offsets, start, length, labels, count)
