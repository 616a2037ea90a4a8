"""The picture ``mosaic.jpg`` of an L2A: natural colours with a gamma (``preprocessing.md`` §2.11)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.products.stac import write_whole
from s4c_lib.products.thumbnail import encoded, read_small
from s4c_lib.readers.scene import Band

COLOURS: Final = ("b04", "b03", "b02")  # red, green, blue
WIDTH: Final = 1000
_BRIGHTEST: Final = 0.30
_GAMMA: Final = 1.8
_QUALITY: Final = 90


def shades(reflectance: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Byte for reflectance: ``255 (clip(rho, 0, 0.30) / 0.30)^(1 / 1.8)``, rounded."""
    share = np.clip(reflectance, 0, _BRIGHTEST) / _BRIGHTEST
    shade: npt.NDArray[np.uint8] = np.rint(255 * share ** (1 / _GAMMA)).astype(np.uint8)
    return shade


def write_quicklook(files: Mapping[str, Path], bands: Mapping[str, Band], target: Path) -> None:
    """Draw red, green and blue as JPEG 1000 pixels wide (a smaller raster in its own size); no-data is black.

    Parameters
    ----------
    files : COG of each of the three bands, with the source's DN. bands : scale and offset of their DN.

    Raises
    ------
    DiskFullError, StorageError : it could not be written.
    """
    channels, observed = [], []
    for name in COLOURS:
        values, here = read_small(files[name], WIDTH, by_width=True)
        channels.append(shades(values * bands[name].scale + bands[name].offset))
        observed.append(here)
    picture = np.stack(channels) * np.all(observed, axis=0).astype(np.uint8)
    write_whole(target, encoded(picture, "JPEG", quality=_QUALITY))
