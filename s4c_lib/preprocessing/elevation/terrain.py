"""Slope and aspect of heights, stored as hundredths of a radian (spec §7.2)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.elevation.rasters import Heights

Layer = npt.NDArray[np.int16]
# Less than 0.1 mm a metre is the rounding of float32, not a slope with a direction.
FLAT: Final = 1e-4


def slope_and_aspect(heights: Heights, pixel: float) -> tuple[Layer, Layer]:
    """Slope and aspect by Horn's weighted differences (1981) of the eight neighbours.

    Parameters
    ----------
    heights : float32 (rows + 2, columns + 2), metres: the pixels wanted and one more on each side.
    pixel : side of a pixel, metres.

    Returns
    -------
    slope : int16 (rows, columns), 0 to 157 hundredths of a radian from the horizontal.
    aspect : int16 (rows, columns), 0 to 628 hundredths of a radian from north over east, of the direction downhill;
        0 where it is flat.
    """
    shape = heights.shape[0] - 2, heights.shape[1] - 2
    slope, aspect = np.empty(shape, np.int16), np.empty(shape, np.int16)
    compiled(horn)(heights, np.float32(1 / (8 * pixel)), np.float32(FLAT**2), slope, aspect)
    return slope, aspect


def horn(heights: Any, scale: Any, flat: Any, slope: Any, aspect: Any) -> None:
    """Fill slope and aspect, hundredths of a radian.

    Parameters
    ----------
    heights : float32 (rows + 2, columns + 2).
    scale : 1 / (8 pixel).
    flat : square of the gradient below which there is no aspect.
    """
    hundred, turn, half = np.float32(100), np.float32(2 * np.pi), np.float32(0.5)
    for i in range(slope.shape[0]):
        a, b, c = heights[i], heights[i + 1], heights[i + 2]
        for j in range(slope.shape[1]):
            two = np.float32(2)
            east = ((a[j + 2] + two * b[j + 2] + c[j + 2]) - (a[j] + two * b[j] + c[j])) * scale
            north = ((a[j] + two * a[j + 1] + a[j + 2]) - (c[j] + two * c[j + 1] + c[j + 2])) * scale
            square = east * east + north * north
            if square < flat:
                slope[i, j] = 0
                aspect[i, j] = 0
                continue
            slope[i, j] = np.int16(np.arctan(np.sqrt(square)) * hundred + half)
            angle = np.arctan2(-east, -north)
            if angle < 0:
                angle += turn
            aspect[i, j] = np.int16(angle * hundred + half)


def warm_up() -> None:
    """Compile it, or load what is compiled."""
    slope_and_aspect(np.zeros((3, 3), np.float32), 10)
