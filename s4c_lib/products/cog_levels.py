"""Levels of an image pyramid that are filled by row blocks: each keeps no more than one row of tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled

TILE: Final = 512
_MOST_OVERVIEWS: Final = 5  # by 2, 4, 8, 16, 32

Rows = npt.NDArray[Any]
Sink = Callable[[int, Rows], None]


def level_shapes(rows: int, columns: int) -> list[tuple[int, int]]:
    """Shapes of the image and its overviews: halved, rounded up, until one tile holds all, at most by 32."""
    shapes = [(rows, columns)]
    while max(shapes[-1]) > TILE and len(shapes) <= _MOST_OVERVIEWS:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes


class Level:
    """One level: takes rows, hands on full rows of tiles, and half of their rows to the next level.

    Parameters
    ----------
    columns, samples : of the level; a row of tiles is (512, columns padded to whole tiles, samples).
    fill : value of the padding.
    full : called with the number of the row of tiles and its pixels, which it must not keep.
    half : makes the rows of the next level, (rows / 2 rounded up, columns / 2 rounded up, samples).
    """

    def __init__(
        self,
        columns: int,
        samples: int,
        dtype: np.dtype[Any],
        fill: float,
        full: Sink,
        half: Callable[[Rows], Rows],
        coarser: Level | None,
    ) -> None:
        self._columns, self._fill = columns, fill
        self._tiles = np.full((TILE, -(-columns // TILE) * TILE, samples), fill, dtype)
        self._filled = self._strip = 0
        self._full, self._half, self._coarser = full, half, coarser

    def add(self, rows: Rows) -> None:
        """Append rows, (rows, columns, samples)."""
        start = 0
        while start < len(rows):
            count = min(TILE - self._filled, len(rows) - start)
            self._tiles[self._filled : self._filled + count, : self._columns] = rows[start : start + count]
            self._filled += count
            start += count
            if self._filled == TILE:
                self._hand_on()

    def finish(self) -> None:
        """Hand on the last rows, and so of every coarser level."""
        if self._filled:
            self._tiles[self._filled :] = self._fill
            self._hand_on()
        if self._coarser is not None:
            self._coarser.finish()

    def _hand_on(self) -> None:
        self._full(self._strip, self._tiles)
        if self._coarser is not None:
            self._coarser.add(self._half(self._tiles[: self._filled, : self._columns]))
        self._strip += 1
        self._filled = 0


def halving(kind: Literal["average", "nearest"], no_data: float | None) -> Callable[[Rows], Rows]:
    """How a level is made from the finer one.

    ``average`` : mean of the valid pixels of 2 x 2 (integers rounded, halves up); ``nearest`` : the upper left one.
    """
    if kind == "nearest":
        return lambda rows: rows[::2, ::2]

    def half(rows: Rows) -> Rows:
        out = np.empty((-(-rows.shape[0] // 2), -(-rows.shape[1] // 2), rows.shape[2]), rows.dtype)
        if rows.dtype.kind == "f":
            compiled(_average_floats)(rows, np.nan if no_data is None else float(no_data), out)
        else:
            compiled(_average_integers)(rows, no_data is not None, int(no_data or 0), out)
        return out

    return half


def _average_integers(rows: Any, has_no_data: bool, no_data: int, out: Any) -> None:
    height, width, samples = rows.shape
    for i in range(out.shape[0]):
        top = 2 * i
        bottom = min(top + 1, height - 1)
        for j in range(out.shape[1]):
            left = 2 * j
            right = min(left + 1, width - 1)
            for k in range(samples):
                a, b = np.int64(rows[top, left, k]), np.int64(rows[top, right, k])
                c, d = np.int64(rows[bottom, left, k]), np.int64(rows[bottom, right, k])
                if not has_no_data or (a != no_data and b != no_data and c != no_data and d != no_data):
                    # A pixel repeated at the odd last row or column leaves the mean as it is.
                    out[i, j, k] = (a + b + c + d + 2) >> 2
                    continue
                count = total = np.int64(0)
                for value in (a, b, c, d):
                    if value != no_data:
                        total += value
                        count += 1
                out[i, j, k] = no_data if count == 0 else (2 * total + count) // (2 * count)


def _average_floats(rows: Any, no_data: float, out: Any) -> None:
    height, width, samples = rows.shape
    for i in range(out.shape[0]):
        top = 2 * i
        bottom = min(top + 1, height - 1)
        for j in range(out.shape[1]):
            left = 2 * j
            right = min(left + 1, width - 1)
            for k in range(samples):
                count, total = 0, 0.0
                for value in (rows[top, left, k], rows[top, right, k], rows[bottom, left, k], rows[bottom, right, k]):
                    if value == value and value != no_data:
                        total += value
                        count += 1
                out[i, j, k] = no_data if count == 0 else total / count


def warm_up() -> None:
    """Compile all of them for the types of rasters with averaged overviews, or load what is compiled."""
    for kind in (np.uint8, np.int16, np.uint16, np.float32):
        tiles = np.zeros((2, TILE, 1), kind)
        for rows in (tiles, tiles[:, :2]):  # of a whole row of tiles, and of one that is padded
            halving("average", None)(rows)
