"""Compiled loop of the networks: int16 reflectance in, int16 variables and their quality bytes out, in one walk.

A row of pixels is cut into pieces that lie between two columns of angle nodes. There the share of the three cosines in
a hidden unit is a straight line, because a bilinear value of cosines goes into the unit linearly: the kernel
interpolates that share, not the cosines, and needs no raster of angles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.scene import NO_DATA

# Slots for bands in a piece: the largest network takes nine. Unused ones hold zeros, which keeps the loop over
# pixels free of a loop over bands, so that it is vectorised.
BAND_SLOTS = 9
HIDDEN = 5
# Pixels of a piece: its bands (36 kB) stay in the cache closest to the core.
_PIECE = 1024

# Minimax fit of tanh(x) = x P(x^2) / Q(x^2) on 0..7.9, where 1 - tanh is 2.7e-7; all coefficients are positive, so
# float32 keeps it: 4e-7 everywhere.
_END = np.float32(7.9)
_P0, _P1, _P2, _P3, _P4 = (
    np.float32(value)
    for value in (9.99999974e-01, 1.34444408e-01, 3.57168283e-03, 2.19031914e-05, 1.52593429e-08)
)  # fmt: skip
_Q1, _Q2, _Q3, _Q4 = (np.float32(value) for value in (4.67777629e-01, 2.61643631e-02, 3.41172119e-04, 8.53041545e-07))
_ONE = np.float32(1)
_THOUSAND = np.float32(1000)
_WIDEST = np.float32(32_000)


def network_rows(
    reflectance: Any,
    used: Any,
    lowest: Any,
    highest: Any,
    flags: Any,
    is_masked: Any,
    node_row: Any,
    below: Any,
    piece: Any,
    node_column: Any,
    beside: Any,
    node_terms: Any,
    weight: Any,
    output_weight: Any,
    output_bias: Any,
    limits: Any,
    limit_numbers: Any,
    clip: bool,
    truncate: bool,
    domain: bool,
    values: Any,
    quality: Any,
) -> None:
    """Evaluate the networks of all variables on some rows.

    Parameters
    ----------
    reflectance : int16 (bands, rows, columns), x 10000, `NO_DATA` where there is none.
    used : int64 (inputs,), band of each input. lowest, highest : int32 (variables, inputs), domain box x 10000.
    flags : uint8 (rows, columns). is_masked : bool (256,), flags that become no data.
    node_row, below : int64 and float64 (rows,), node above the pixel centre, and how far on to the next, 0..1.
    piece, node_column : int64 (pieces + 1,) and (pieces,), columns of pixels with the same node to their left.
    beside : float32 (columns,), how far on to the next node, 0..1.
    node_terms : float64 (node rows, node columns, variables x 5), bias and cosines in each hidden unit.
    weight : float32 (variables x 5, BAND_SLOTS), on x 10000. output_weight : float32 (variables x 5,).
    output_bias : float32 (variables,).
    limits : float32 (variables, 4), least and most valid, and the same with the tolerance.
    limit_numbers : int16 (variables, 2), what the first two are encoded as.
    clip : clip all values to the valid range, else those beyond the tolerance only.
    truncate : cut decimals off, else round. domain : set bit 0.
    values, quality : int16 and uint8 (variables, rows, columns), filled.
    """
    variables = len(output_bias)
    inputs = len(used)
    x = np.zeros((BAND_SLOTS, _PIECE), np.float32)
    result = np.empty(_PIECE, np.float32)
    missing = np.empty(_PIECE, np.bool_)
    outside = np.zeros(_PIECE, np.uint8)
    for row in range(flags.shape[0]):
        upper = node_row[row]
        down = below[row]
        for part in range(len(node_column)):
            left = node_column[part]
            for first in range(piece[part], piece[part + 1], _PIECE):
                last = min(first + _PIECE, piece[part + 1])
                count = last - first
                flag = flags[row, first:last]
                gap = missing[:count]
                valid = 0
                for p in range(count):
                    gap[p] = is_masked[flag[p]]
                for i in range(inputs):
                    numbers = reflectance[used[i], row, first:last]
                    slot = x[i, :count]
                    for p in range(count):
                        gap[p] |= numbers[p] == NO_DATA
                        slot[p] = numbers[p]
                for p in range(count):
                    valid += not gap[p]
                if valid == 0:
                    values[:, row, first:last] = NO_DATA
                    quality[:, row, first:last] = 128
                    continue
                step = beside[first:last]
                x0, x1, x2 = x[0, :count], x[1, :count], x[2, :count]
                x3, x4, x5 = x[3, :count], x[4, :count], x[5, :count]
                x6, x7, x8 = x[6, :count], x[7, :count], x[8, :count]
                for variable in range(variables):
                    y = result[:count]
                    y[:] = output_bias[variable]
                    for unit in range(variable * HIDDEN, (variable + 1) * HIDDEN):
                        corners = node_terms[upper : upper + 2, left : left + 2, unit]
                        here = corners[0, 0] + down * (corners[1, 0] - corners[0, 0])
                        there = corners[0, 1] + down * (corners[1, 1] - corners[0, 1])
                        base = np.float32(here)
                        slope = np.float32(there - here)
                        w0, w1, w2 = weight[unit, 0], weight[unit, 1], weight[unit, 2]
                        w3, w4, w5 = weight[unit, 3], weight[unit, 4], weight[unit, 5]
                        w6, w7, w8 = weight[unit, 6], weight[unit, 7], weight[unit, 8]
                        out = output_weight[unit]
                        for p in range(count):
                            s = (
                                base
                                + slope * step[p]
                                + (w0 * x0[p] + w1 * x1[p] + w2 * x2[p])
                                + (w3 * x3[p] + w4 * x4[p] + w5 * x5[p])
                                + (w6 * x6[p] + w7 * x7[p] + w8 * x8[p])
                            )
                            s = min(max(s, -_END), _END)
                            z = s * s
                            top = (((_P4 * z + _P3) * z + _P2) * z + _P1) * z + _P0
                            bottom = (((_Q4 * z + _Q3) * z + _Q2) * z + _Q1) * z + _ONE
                            y[p] += out * s * top / bottom
                    if domain:
                        outside[:count] = 0
                        for i in range(inputs):
                            numbers = reflectance[used[i], row, first:last]
                            low, high = lowest[variable, i], highest[variable, i]
                            for p in range(count):
                                outside[p] |= (numbers[p] < low) | (numbers[p] > high)
                    least, most = limits[variable, 0], limits[variable, 1]
                    too_low, too_high = limits[variable, 2], limits[variable, 3]
                    least_number, most_number = limit_numbers[variable, 0], limit_numbers[variable, 1]
                    cut_low = least if clip else too_low
                    cut_high = most if clip else too_high
                    written = values[variable, row, first:last]
                    bits = quality[variable, row, first:last]
                    for p in range(count):
                        v = y[p]
                        # Beyond this a limit is written whatever the number; an integer of 16 bits must not overflow.
                        scaled = min(max(v * _THOUSAND, -_WIDEST), _WIDEST)
                        number = np.int16(np.trunc(scaled) if truncate else np.rint(scaled))
                        is_low, is_high = v < cut_low, v > cut_high
                        number = least_number if is_low else number
                        number = most_number if is_high else number
                        byte = (
                            outside[p]
                            | np.uint8(is_low) << 1
                            | np.uint8(is_high) << 2
                            | np.uint8(v < too_low) << 3
                            | np.uint8(v > too_high) << 4
                        )
                        written[p] = NO_DATA if gap[p] else number
                        bits[p] = 128 if gap[p] else byte


def warm_up() -> None:
    """Compile it, or load what is compiled."""
    weight, one = np.zeros((HIDDEN, BAND_SLOTS), np.float32), np.zeros(1, np.float32)
    box, row = np.zeros((1, 1), np.int32), np.zeros(1, np.int64)
    nodes = row, np.zeros(1), np.array([0, 1]), row, one, np.zeros((2, 2, HIDDEN))
    layers = weight, weight[:, 0].copy(), one, np.zeros((1, 4), np.float32), np.zeros((1, 2), np.int16)
    flags, numbers = np.zeros((1, 1), np.uint8), np.zeros((1, 1, 1), np.int16)
    filled = np.empty((1, 1, 1), np.int16), np.empty((1, 1, 1), np.uint8)
    masked = np.zeros(256, np.bool_)
    compiled(network_rows)(numbers, row, box, box, flags, masked, *nodes, *layers, True, False, False, *filled)
