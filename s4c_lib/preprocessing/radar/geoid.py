"""Heights of a geoid above the WGS 84 ellipsoid, read from a grid file (``preprocessing.md`` 4.4, 7.5).

Elevation models count heights from a geoid (EGM2008, EGM96), a satellite's position is known to the ellipsoid: the
difference, up to 100 m, would move pixels as far. No grid is looked up on a network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.readers.raster_opening import open_raster, single_thread, unreadable

Floats = npt.NDArray[np.float64]
WHERE_FROM: Final = (
    "set dem.geoid_path to a grid: us_nga_egm08_25.tif (EGM2008; 'pyproj sync --file us_nga_egm08_25' fetches it), or "
    "egm96_15.gtx (EGM96; Debian's package proj-data has it in /usr/share/proj)"
)
_LARGEST_M: Final = 150.0  # no geoid is further from the ellipsoid
_MODELS: Final = {"EGM2008": r"egm(20)?08", "EGM96": r"egm(19)?96"}


@dataclass(frozen=True, slots=True)
class Geoid:
    """A geoid grid: GTX, GeoTIFF or anything else GDAL reads, in degrees of longitude and latitude."""

    path: Path

    @property
    def model(self) -> str | None:
        """``EGM2008`` or ``EGM96`` by the file's name; None where it tells neither."""
        found = [model for model, pattern in _MODELS.items() if re.search(pattern, self.path.name.lower())]
        return found[0] if len(found) == 1 else None

    def at(self, longitude: Floats, latitude: Floats) -> Floats:
        """Height of the geoid above the ellipsoid, metres, bilinear; degrees, longitudes of any turn.

        Raises
        ------
        InputError : the file does not exist, is no geoid, or does not cover the place.
        ProductCorruptError : it is damaged.
        """
        from rasterio.errors import RasterioError
        from rasterio.windows import Window

        if not self.path.is_file():
            raise InputError(f"the geoid grid {self.path} does not exist", hint=WHERE_FROM)
        with single_thread(), open_raster(str(self.path)) as raster:
            dx, dy = raster.transform.a, -raster.transform.e
            whole = round(360 / dx) if dx > 0 else 0
            if dx <= 0 or dy <= 0 or raster.transform.b or raster.transform.d:
                raise InputError(f"{self.path} is no grid of longitude and latitude", hint=WHERE_FROM)
            down = (raster.transform.f - latitude) / dy - 0.5
            across = (longitude - raster.transform.c) / dx - 0.5
            if raster.width >= whole - 1:  # it goes around the Earth
                across = across % whole
            top, bottom = int(np.floor(down.min())), int(np.floor(down.max())) + 1
            reach = raster.width if raster.width >= whole else raster.width - 1
            if top < -1 or bottom > raster.height or across.min() < -0.5 or across.max() > reach:
                raise InputError(
                    f"the geoid grid {self.path} does not reach latitudes {latitude.min():.2f} to "
                    f"{latitude.max():.2f}, longitudes {longitude.min():.2f} to {longitude.max():.2f}",
                    hint=WHERE_FROM,
                )
            first, last = max(top, 0), min(bottom, raster.height - 1)
            try:
                heights = raster.read(1, window=Window(0, first, raster.width, last - first + 1)).astype(float)
            except RasterioError as error:
                raise unreadable(str(self.path), error) from error
        if not np.isfinite(heights).all() or np.abs(heights).max() > _LARGEST_M:
            raise InputError(f"{self.path} holds values that are no heights of a geoid", hint=WHERE_FROM)
        return _bilinear(heights, down - first, across, min(whole, heights.shape[1]))


def _bilinear(heights: Floats, down: Floats, across: Floats, around: int) -> Floats:
    """Values between nodes; columns begin again after ``around``."""
    row = np.clip(down, 0, heights.shape[0] - 1)
    top = np.minimum(np.floor(row).astype(np.intp), max(heights.shape[0] - 2, 0))
    left = np.floor(across).astype(np.intp)
    bottom = np.minimum(top + 1, heights.shape[0] - 1)
    left, right = left % around, (left + 1) % around
    t, u = row - top, across - np.floor(across)
    upper = heights[top, left] * (1 - u) + heights[top, right] * u
    lower = heights[bottom, left] * (1 - u) + heights[bottom, right] * u
    return np.asarray(upper * (1 - t) + lower * t)
