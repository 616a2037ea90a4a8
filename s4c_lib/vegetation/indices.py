"""NDVI, NDWI and brightness of row blocks (l3b-and-markers.md 1.3)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.readers.flags import Flag
from s4c_lib.readers.scene import NO_DATA, Int16

Flags = npt.NDArray[np.uint8]

RATIO_SCALE: Final = 0.001
BRIGHTNESS_SCALE: Final = 0.0001
_LAND: Final = int(Flag.LAND)


def normalised_difference(
    first: Int16, second: Int16, flags: Flags, *, truncate: bool = False, keep_negative: bool = True
) -> Int16:
    """(first - second) / (first + second), encoded.

    Parameters
    ----------
    first, second : int16 (rows, columns), reflectance x 10000; NDVI: b08, b04; NDWI (Gao 1996): b08, b11.
    flags : uint8 (rows, columns); only land carries values.
    truncate : decimals are cut off, as Sen4CAP does; else rounded to the nearest, halves to even.
    keep_negative : else values of -0.0001 and below become no data, as Sen4CAP makes them.

    Returns
    -------
    int16 (rows, columns) : x 1000, clipped to -1000..1000; NO_DATA where an input has none or the sum is not positive.
    """
    values = np.empty(flags.shape, np.int16)
    compiled(_difference_rows)(first, second, flags, truncate, keep_negative, values)
    return values


def brightness(red: Int16, green: Int16, flags: Flags, *, truncate: bool = False) -> Int16:
    """sqrt((red^2 + green^2) / 2) in the numbers of its inputs: reflectance x 10000.

    Parameters and masking as `normalised_difference`.
    """
    values = np.empty(flags.shape, np.int16)
    compiled(_brightness_rows)(red, green, flags, truncate, values)
    return values


# The quotient of two small integers in float64 is never on the wrong side of a whole or half number: what is
# rounded or cut off is the true value.
def _difference_rows(a: Any, b: Any, flags: Any, truncate: bool, keep_negative: bool, values: Any) -> None:
    for row in range(flags.shape[0]):
        x, y, flag, written = a[row], b[row], flags[row], values[row]
        for p in range(len(written)):
            total = np.int32(x[p]) + np.int32(y[p])
            difference = np.int32(x[p]) - np.int32(y[p])
            good = (flag[p] == _LAND) & (x[p] != NO_DATA) & (y[p] != NO_DATA) & (total > 0)
            quotient = 1000.0 * difference / (total if total > 0 else 1)
            value = min(max(quotient, -1000.0), 1000.0)
            good &= keep_negative | (value > -0.1)
            number = np.int16(np.trunc(value) if truncate else np.rint(value))
            written[p] = number if good else NO_DATA


def _brightness_rows(a: Any, b: Any, flags: Any, truncate: bool, values: Any) -> None:
    for row in range(flags.shape[0]):
        x, y, flag, written = a[row], b[row], flags[row], values[row]
        for p in range(len(written)):
            red, green = np.float64(x[p]), np.float64(y[p])
            value = np.sqrt((red * red + green * green) / 2)
            good = (flag[p] == _LAND) & (x[p] != NO_DATA) & (y[p] != NO_DATA)
            number = np.int16(np.trunc(value) if truncate else np.rint(value))
            written[p] = number if good else NO_DATA


def warm_up() -> None:
    """Compile them, or load what is compiled."""
    pixel, flags = np.ones((1, 1), np.int16), np.zeros((1, 1), np.uint8)
    normalised_difference(pixel, pixel, flags)
    brightness(pixel, pixel, flags)
