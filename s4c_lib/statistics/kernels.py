"""Compiled loops over the pixels of parcels: counts, sums and quartiles of each (l3b-and-markers.md 3.3, 4.1).

All take the runs of a pixel index: ``offsets`` int64 (parcels + 1,), ``start`` int32 and ``length`` uint16 (runs,);
``values`` and ``flags`` as one row (pixels,), flags with ``masked`` only. A pixel with another flag than 0 is not
visited. Results are rows of ``found`` float64 (4, parcels): mean, std (n - 1), least, most; and of ``quartiles``
float64 (3, parcels), or (0, 0) when they are not wanted. What is not defined is left as it is (NaN).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from s4c_lib.kernel_cache import compiled

INTEGERS: Final = (np.int16, np.uint16, np.uint8)
FLOATS: Final = (np.float32, np.float64)
# Beyond every value of those integers.
FURTHEST: Final = 1 << 40


def walk_integers(
    offsets: Any,
    start: Any,
    length: Any,
    values: Any,
    flags: Any,
    masked: bool,
    no_data: int,
    zero: bool,
    n: Any,
    invalid: Any,
    found: Any,
) -> None:
    """Statistics of integers by exact sums; ``zero``: that value is no data too."""
    for parcel in range(len(n)):
        count, without = 0, 0
        total: Any = 0
        squares: Any = 0
        least: Any = FURTHEST
        most: Any = -FURTHEST
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + np.int64(length[run])):
                if masked and flags[pixel] != 0:
                    continue
                value: Any = np.int64(values[pixel])
                if value == no_data or (zero and value == 0):
                    without += 1
                    continue
                count += 1
                total += value
                squares += value * value
                least = min(least, value)
                most = max(most, value)
        n[parcel], invalid[parcel] = count, without
        if count > 0:
            # About the whole part of the mean all sums stay whole numbers: equal values have exactly no deviation.
            middle = total // count
            rest = total - count * middle
            about = squares - 2 * middle * total + count * middle * middle
            found[0, parcel] = total / count
            found[2, parcel], found[3, parcel] = least, most
            if count > 1:
                found[1, parcel] = np.sqrt((about - rest * (rest / count)) / (count - 1))


def rank_integers(
    offsets: Any,
    start: Any,
    length: Any,
    values: Any,
    flags: Any,
    masked: bool,
    no_data: int,
    zero: bool,
    n: Any,
    room: Any,
    quartiles: Any,
) -> None:
    """Quartiles of integers; ``n`` as `walk_integers` leaves it, ``room`` (most pixels of a parcel,) of their type."""
    for parcel in range(len(n)):
        count = 0
        if n[parcel] == 0:
            continue
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + np.int64(length[run])):
                if masked and flags[pixel] != 0:
                    continue
                value = values[pixel]
                if value == no_data or (zero and value == 0):
                    continue
                room[count] = value
                count += 1
        room[:count].sort()
        for k in range(3):
            at = 0.25 * (k + 1) * (count - 1)
            low = int(at)
            high = min(low + 1, count - 1)
            below, above = np.float64(room[low]), np.float64(room[high])
            quartiles[k, parcel] = below + (at - low) * (above - below)


def walk_floats(
    offsets: Any,
    start: Any,
    length: Any,
    values: Any,
    flags: Any,
    masked: bool,
    no_data: float,
    zero: bool,
    scale: float,
    offset: float,
    above: float,
    at_most: float,
    decibels: float,
    n: Any,
    invalid: Any,
    room: Any,
    found: Any,
    quartiles: Any,
) -> None:
    """Statistics in two passes over the values of a parcel.

    Parameters
    ----------
    above, at_most : a value, after scale and offset, is valid when above the one and not above the other.
    decibels : 0, or each value becomes this times its logarithm of base 10.
    room : float64 (most pixels of a parcel,).
    """
    ranked = len(quartiles) > 0
    for parcel in range(len(n)):
        count, without = 0, 0
        total = 0.0
        for run in range(offsets[parcel], offsets[parcel + 1]):
            for pixel in range(start[run], start[run] + np.int64(length[run])):
                if masked and flags[pixel] != 0:
                    continue
                raw = np.float64(values[pixel])
                value = raw * scale + offset
                # Not a number fails every comparison.
                if raw == no_data or (zero and raw == 0) or not (value > above and value <= at_most):
                    without += 1
                    continue
                if decibels != 0:
                    value = decibels * np.log10(value)
                room[count] = value
                total += value
                count += 1
        n[parcel], invalid[parcel] = count, without
        if count == 0:
            continue
        mean = total / count
        squares, drift = 0.0, 0.0
        least, most = room[0], room[0]
        for k in range(count):
            off = room[k] - mean
            squares += off * off
            drift += off
            least = min(least, room[k])
            most = max(most, room[k])
        mean += drift / count
        found[0, parcel], found[2, parcel], found[3, parcel] = mean, least, most
        if count > 1:
            found[1, parcel] = np.sqrt(max(squares - drift * drift / count, 0.0) / (count - 1))
        if ranked:
            room[:count].sort()
            for k in range(3):
                at = 0.25 * (k + 1) * (count - 1)
                low = int(at)
                high = min(low + 1, count - 1)
                quartiles[k, parcel] = room[low] + (at - low) * (room[high] - room[low])


def warm_up() -> None:
    """Compile all of them for every type of values, or load what is compiled."""
    offsets, start, length = np.array([0, 1], np.int64), np.zeros(1, np.int32), np.ones(1, np.uint16)
    flags, n, invalid = np.zeros(1, np.uint8), np.zeros(1, np.int32), np.zeros(1, np.int32)
    found, quartiles = np.zeros((4, 1)), np.zeros((3, 1))
    for array in (offsets, start, length, flags):
        array.setflags(write=False)
    for kind in (*INTEGERS, *FLOATS):
        values: Any = np.ones(1, kind)
        values.setflags(write=False)
        runs = (offsets, start, length, values, flags, False)
        if kind in INTEGERS:
            compiled(walk_integers)(*runs, 0, False, n, invalid, found)
            compiled(rank_integers)(*runs, 0, False, n, np.empty(1, kind), quartiles)
        limits = (0.0, False, 1.0, 0.0, 0.0, 2.0, 0.0)
        compiled(walk_floats)(*runs, *limits, n, invalid, np.empty(1), found, quartiles)
