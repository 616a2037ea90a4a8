"""What L4A needs of each pixel beyond the bands (spec/README.md 2.4, B14; l4a-crop-type.md 5.5)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

SCALE: Final = 10_000


def ndwi(nir: Int16, swir: Int16, no_data: int = -10_000) -> Floats:
    """(NIR - SWIR1) / (NIR + SWIR1) of b08 and b11, reflectance x 10000 of any shape; 0 where the sum is 0.

    A negative reflectance would give values beyond -1 and 1 that spoil a mean; they become -1 and 1, as in L3B.

    Returns
    -------
    float32, unitless, NaN where one of the bands has no value, and where the sum is negative: the ratio's sign would
    be the wrong one.
    """
    total = nir.astype(np.float32) + swir
    difference = nir.astype(np.float32) - swir
    found: Floats = np.divide(difference, total, out=np.zeros_like(total), where=total != 0)
    np.clip(found, -1, 1, out=found)
    found[(nir == no_data) | (swir == no_data) | (total < 0)] = np.nan
    return found


def brightness_l4a(green: Int16, red: Int16, nir: Int16, swir: Int16, no_data: int = -10_000) -> Floats:
    """sqrt(b03^2 + b04^2 + b08^2 + b11^2), reflectance x 10000 of any shape.

    Returns
    -------
    float32, reflectance, NaN where one of the bands has no value.
    """
    squares: npt.NDArray[Any] = np.zeros(green.shape, np.float32)
    missing = np.zeros(green.shape, np.bool_)
    for band in (green, red, nir, swir):
        reflectance = band.astype(np.float32)
        squares += reflectance * reflectance
        missing |= band == no_data
    found: Floats = np.sqrt(squares) / np.float32(SCALE)
    found[missing] = np.nan
    return found
