"""Loops of the resampling of heights; compiled by `s4c_lib.kernel_cache.compiled`."""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled


def sample(heights: Any, across: Any, down: Any, step: int, method: int, out: Any) -> None:
    """Heights at positions that are given every `step` pixels and linear between.

    Parameters
    ----------
    heights : float32 (rows, columns); node (0, 0) is the centre of its first pixel, and what lies outside repeats
        the edge.
    across, down : float64 (nodes down, nodes across), column and row in `heights` of every `step`-th pixel of `out`.
    method : 0 nearest, 1 bilinear, 2 cubic (a = -0.5).
    out : float32 (rows, columns), filled.
    """
    last_row, last_column = heights.shape[0] - 1, heights.shape[1] - 1
    for i in range(out.shape[0]):
        node = i // step
        share = (i - node * step) / step
        for block in range(across.shape[1] - 1):
            left_x = across[node, block] * (1 - share) + across[node + 1, block] * share
            right_x = across[node, block + 1] * (1 - share) + across[node + 1, block + 1] * share
            left_y = down[node, block] * (1 - share) + down[node + 1, block] * share
            right_y = down[node, block + 1] * (1 - share) + down[node + 1, block + 1] * share
            first = block * step
            stop = min(first + step, out.shape[1])
            for j in range(first, stop):
                part = (j - first) / step
                x = left_x + (right_x - left_x) * part
                y = left_y + (right_y - left_y) * part
                if method == 0:
                    row = min(max(int(np.floor(y + 0.5)), 0), last_row)
                    column = min(max(int(np.floor(x + 0.5)), 0), last_column)
                    out[i, j] = heights[row, column]
                    continue
                row, column = int(np.floor(y)), int(np.floor(x))
                t, u = np.float32(y - row), np.float32(x - column)
                if method == 1:
                    top, bottom = min(max(row, 0), last_row), min(max(row + 1, 0), last_row)
                    west, east = min(max(column, 0), last_column), min(max(column + 1, 0), last_column)
                    upper = heights[top, west] + u * (heights[top, east] - heights[top, west])
                    lower = heights[bottom, west] + u * (heights[bottom, east] - heights[bottom, west])
                    out[i, j] = upper + t * (lower - upper)
                    continue
                half, three, five = np.float32(0.5), np.float32(1.5), np.float32(2.5)
                one, two = np.float32(1), np.float32(2)
                u0 = ((-half * u + one) * u - half) * u
                u1 = (three * u - five) * u * u + one
                u2 = ((-three * u + two) * u + half) * u
                u3 = (half * u - half) * u * u
                t0 = ((-half * t + one) * t - half) * t
                t1 = (three * t - five) * t * t + one
                t2 = ((-three * t + two) * t + half) * t
                t3 = (half * t - half) * t * t
                if row < 1 or column < 1 or row > last_row - 2 or column > last_column - 2:
                    total = np.float32(0)
                    for k in range(4):
                        r = min(max(row - 1 + k, 0), last_row)
                        c0, c1 = min(max(column - 1, 0), last_column), min(max(column, 0), last_column)
                        c2, c3 = min(max(column + 1, 0), last_column), min(max(column + 2, 0), last_column)
                        line = u0 * heights[r, c0] + u1 * heights[r, c1] + u2 * heights[r, c2] + u3 * heights[r, c3]
                        total += line * (t0 if k == 0 else t1 if k == 1 else t2 if k == 2 else t3)
                    out[i, j] = total
                    continue
                c = column
                a = heights[row - 1]
                b = heights[row]
                d = heights[row + 1]
                e = heights[row + 2]
                out[i, j] = (
                    t0 * (u0 * a[c - 1] + u1 * a[c] + u2 * a[c + 1] + u3 * a[c + 2])
                    + t1 * (u0 * b[c - 1] + u1 * b[c] + u2 * b[c + 1] + u3 * b[c + 2])
                    + t2 * (u0 * d[c - 1] + u1 * d[c] + u2 * d[c + 1] + u3 * d[c + 2])
                    + t3 * (u0 * e[c - 1] + u1 * e[c] + u2 * e[c + 1] + u3 * e[c + 2])
                )


def coarser(heights: Any, pad: int, factor: int, ring: int, out: Any) -> None:
    """Bilinear heights on a grid with pixels `factor` times larger, from the same corner.

    Each is the mean of the heights around its centre under a triangle that reaches one large pixel to either side,
    what GDAL computes too; the weights are symmetric about the centre, hence no drift.

    Parameters
    ----------
    heights : float32 (rows, columns), of a grid with `pad` more pixels on each side.
    ring : pixels of `out` beyond the corner on each side; at most ``pad / factor - 0.5``.
    out : float32 (rows, columns), filled.
    """
    line = np.empty(heights.shape[1], np.float64)
    for i in range(out.shape[0]):
        centre = pad + (i - ring + 0.5) * factor - 0.5
        first, stop = int(np.floor(centre - factor)) + 1, int(np.ceil(centre + factor))
        line[:] = 0.0
        total = 0.0
        for p in range(max(first, 0), min(stop, heights.shape[0])):
            weight = 1 - abs(p - centre) / factor
            total += weight
            for j in range(heights.shape[1]):
                line[j] += weight * heights[p, j]
        for j in range(out.shape[1]):
            middle = pad + (j - ring + 0.5) * factor - 0.5
            left, right = int(np.floor(middle - factor)) + 1, int(np.ceil(middle + factor))
            value, shares = 0.0, 0.0
            for p in range(max(left, 0), min(right, heights.shape[1])):
                weight = 1 - abs(p - middle) / factor
                shares += weight
                value += weight * line[p]
            out[i, j] = value / (shares * total)


def warm_up() -> None:
    """Compile all of them, or load what is compiled."""
    heights, nodes = np.zeros((4, 4), np.float32), np.zeros((2, 2))
    compiled(sample)(heights, nodes, nodes, 1, 2, np.empty((1, 1), np.float32))
    compiled(coarser)(heights, 1, 2, 0, np.empty((1, 1), np.float32))
