"""Loops over flag rasters, compiled: widening, coarsening, counting."""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.kernel_cache import compiled


def widen(flags: Any, radius: int, cloud: int, shadow: int, no_data: int) -> None:
    """Widen cloud and shadow in place by a square of ``radius`` pixels: uint8 (rows, columns).

    Cloud covers everything but no data, shadow everything but no data and cloud. Bits of a pixel of ``reach``: 1 cloud
    and 2 shadow within reach along the row, 4 and 8 the same along the column of these.
    """
    rows, columns = flags.shape
    reach = np.zeros((rows, columns), dtype=np.uint8)
    for row in range(rows):
        last_cloud, last_shadow = -radius - 1, -radius - 1
        for column in range(columns):
            value = flags[row, column]
            if value == cloud:
                last_cloud = column
            elif value == shadow:
                last_shadow = column
            bits = np.uint8(0)
            if column - last_cloud <= radius:
                bits |= np.uint8(1)
            if column - last_shadow <= radius:
                bits |= np.uint8(2)
            reach[row, column] = bits
        last_cloud, last_shadow = columns + radius, columns + radius
        for column in range(columns - 1, -1, -1):
            value = flags[row, column]
            if value == cloud:
                last_cloud = column
            elif value == shadow:
                last_shadow = column
            if last_cloud - column <= radius:
                reach[row, column] |= np.uint8(1)
            if last_shadow - column <= radius:
                reach[row, column] |= np.uint8(2)
    cloud_left = np.zeros(columns, dtype=np.int16)
    shadow_left = np.zeros(columns, dtype=np.int16)
    span = np.int16(radius + 1)
    for row in range(rows):
        for column in range(columns):
            bits = reach[row, column]
            cloud_left[column] = span if bits & 1 else max(cloud_left[column] - 1, 0)
            shadow_left[column] = span if bits & 2 else max(shadow_left[column] - 1, 0)
            if cloud_left[column] > 0:
                bits |= np.uint8(4)
            if shadow_left[column] > 0:
                bits |= np.uint8(8)
            reach[row, column] = bits
    cloud_left[:] = 0
    shadow_left[:] = 0
    for row in range(rows - 1, -1, -1):
        for column in range(columns):
            bits = reach[row, column]
            cloud_left[column] = span if bits & 1 else max(cloud_left[column] - 1, 0)
            shadow_left[column] = span if bits & 2 else max(shadow_left[column] - 1, 0)
            value = flags[row, column]
            if value == no_data:
                continue
            if bits & 4 or cloud_left[column] > 0:
                flags[row, column] = cloud
            elif bits & 8 or shadow_left[column] > 0:
                flags[row, column] = shadow


def coarsen(flags: Any, factor: int, rank: Any, out: Any) -> None:
    """Each block of factor x factor pixels becomes its flag of the highest rank (256 values)."""
    rows, columns = out.shape
    for row in range(rows):
        for column in range(columns):
            best = flags[row * factor, column * factor]
            for i in range(factor):
                for j in range(factor):
                    value = flags[row * factor + i, column * factor + j]
                    if rank[value] > rank[best]:
                        best = value
            out[row, column] = best


def count(flags: Any, counts: Any) -> None:
    """Add the number of pixels of each value to ``counts`` (256)."""
    rows, columns = flags.shape
    for row in range(rows):
        for column in range(columns):
            counts[flags[row, column]] += 1


def warm_up() -> None:
    """Compile all of them, or load what is compiled."""
    flags = np.zeros((2, 2), np.uint8)
    compiled(widen)(flags, 1, 4, 2, 255)
    compiled(coarsen)(flags, 2, np.zeros(256, np.uint8), np.empty((1, 1), np.uint8))
    compiled(count)(flags, np.zeros(256, np.int64))
