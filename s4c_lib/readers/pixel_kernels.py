"""Loops over rows of reflectance, compiled: DN to reflectance x 10000, replication, means."""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled

LEAST, MOST = -9_999, 32_767  # of a valid pixel; -10000 is no data


def shift(numbers: Any, no_data: int, added: int, empty: int, out: Any) -> None:
    """``out = numbers + added``, ``empty`` where the number is ``no_data``; both may be the same memory."""
    rows, columns = numbers.shape
    for row in range(rows):
        for column in range(columns):
            number = np.int32(numbers[row, column])
            value = min(max(number + np.int32(added), np.int32(LEAST)), np.int32(MOST))
            out[row, column] = np.int16(empty) if number == no_data else np.int16(value)


def scale(numbers: Any, no_data: int, factor: float, added: float, empty: int, out: Any) -> None:
    """``out = rint(numbers * factor + added)``; otherwise as `shift`."""
    rows, columns = numbers.shape
    for row in range(rows):
        for column in range(columns):
            number = numbers[row, column]
            value = min(max(np.rint(number * factor + added), float(LEAST)), float(MOST))
            out[row, column] = np.int16(empty) if number == no_data else np.int16(value)


def replicate(coarse: Any, factor: int, skipped: int, out: Any) -> None:
    """Every pixel factor x factor times; ``skipped`` rows of the result are left out at the top."""
    rows, columns = out.shape
    filled = -1
    for row in range(rows):
        source = (row + skipped) // factor
        if source == filled:
            out[row] = out[row - 1]
            continue
        filled = source
        if factor == 2:
            for column in range(columns // 2):
                value = coarse[source, column]
                out[row, 2 * column] = value
                out[row, 2 * column + 1] = value
        else:
            for column in range(columns):
                out[row, column] = coarse[source, column // factor]


def cubic(coarse: Any, factor: int, skipped: int, weights: Any, empty: int, out: Any) -> None:
    """Cubic convolution onto pixels factor x factor times as fine; ``empty`` where the pixel around has no value.

    Neighbours without a value, and those beyond the edge, are left out and the other weights scaled up.

    Parameters
    ----------
    skipped : rows of the result that ``coarse`` reaches above its first row.
    weights : float64 (factor, 4), of the pixels -2 ... +1 from the one right of or below the centre, by phase.
    """
    rows, columns = out.shape
    high, wide = coarse.shape
    for row in range(rows):
        source_row = (row + skipped) // factor
        phase_row = (row + skipped) % factor
        top = source_row - 2 if 2 * phase_row + 1 < factor else source_row - 1
        for column in range(columns):
            source = column // factor
            if coarse[source_row, source] == empty:
                out[row, column] = np.int16(empty)
                continue
            phase = column % factor
            left = source - 2 if 2 * phase + 1 < factor else source - 1
            total, weight = 0.0, 0.0
            for i in range(4):
                if top + i < 0 or top + i >= high:
                    continue
                for j in range(4):
                    if left + j < 0 or left + j >= wide:
                        continue
                    value = coarse[top + i, left + j]
                    if value != empty:
                        own = weights[phase_row, i] * weights[phase, j]
                        total += own * value
                        weight += own
            found = np.rint(total / weight)
            out[row, column] = np.int16(min(max(found, float(LEAST)), float(MOST)))


def average(fine: Any, factor: int, empty: int, out: Any) -> None:
    """Mean of the valid pixels of each block of factor x factor, rounded; ``empty`` where none is valid."""
    rows, columns = out.shape
    for row in range(rows):
        for column in range(columns):
            total, valid = 0, 0
            for i in range(factor):
                for j in range(factor):
                    value = fine[row * factor + i, column * factor + j]
                    if value != empty:
                        total += value
                        valid += 1
            out[row, column] = np.int16(np.rint(total / valid)) if valid else np.int16(empty)


def warm_up() -> None:
    """Compile all of them for the types of the products that are read, or load what is compiled."""
    for kind in (np.int16, np.uint16):
        numbers = np.zeros((1, 1), kind)
        compiled(shift)(numbers, 0, 0, 0, numbers.view(np.int16))
        compiled(scale)(numbers, 0, 1.0, 0.0, 0, numbers.view(np.int16))
    for coarse in (np.zeros((1, 1), np.int16), np.zeros((1, 1), np.uint8)):  # reflectance, flags
        compiled(replicate)(coarse, 2, 0, np.empty((2, 2), coarse.dtype))
    compiled(cubic)(np.zeros((1, 1), np.int16), 2, 0, np.ones((2, 4)), -1, np.empty((2, 2), np.int16))
    compiled(average)(np.zeros((2, 2), np.int16), 2, 0, np.empty((1, 1), np.int16))
