"""Position of an elevation model against another by phase correlation (spec §7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import structlog

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.elevation.rasters import Heights
from s4c_lib.preprocessing.elevation.resampling import elevation_on, ground_of
from s4c_lib.preprocessing.elevation.sources import ElevationSource, SourceKind

LIMIT_PX: Final = 0.25
SPACING_M: Final[dict[SourceKind, float]] = {
    SourceKind.COPERNICUS_GLO30: 30.0,
    SourceKind.SRTM_3S: 90.0,
    SourceKind.SRTM_1S: 30.0,
    SourceKind.ASTER_V3: 30.0,
    SourceKind.EU_DEM: 25.0,
}
_WINDOW: Final = 1024
_LEAST_WINDOW: Final = 32
# Relief below this says nothing about position: the models' noise is a few metres.
_LEAST_STD_M: Final = 5.0
# Frequencies that both models carry, cycles a pixel; above them is the noise and the smoothing of each.
_PASS: Final = 0.2
_FINE: Final = 64
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registration:
    """How far one model lies from another.

    Parameters
    ----------
    x_m, y_m : metres east and north.
    pixel : nominal spacing of the model that was checked, metres.
    """

    x_m: float
    y_m: float
    pixel: float

    @property
    def pixels(self) -> float:
        """The larger of both shifts, in pixels of the model, without sign."""
        return max(abs(self.x_m), abs(self.y_m)) / self.pixel

    @property
    def within_limit(self) -> bool:
        """Whether it is less than a quarter of a pixel."""
        return self.pixels < LIMIT_PX


def registration_check(grid: PixelGrid, source: ElevationSource, reference: ElevationSource) -> Registration | None:
    """Compare the position of a model on some ground with that of another, and warn when it differs.

    Parameters
    ----------
    grid : the ground; the middle of it is compared, at most 1024 pixels of the model.

    Returns
    -------
    the shift, or None where the ground is too flat or too small to tell.

    Raises
    ------
    ElevationMissingError, ProductCorruptError : one of the models cannot be read there.
    """
    pixel = SPACING_M[source.kind]
    west, south, east, north = grid.bounds
    columns, rows = (min(_WINDOW, int(side / pixel)) for side in (east - west, north - south))
    if min(rows, columns) < _LEAST_WINDOW:
        return None
    middle = PixelGrid(
        grid.epsg,
        (west + east - columns * pixel) / 2,
        (north + south + rows * pixel) / 2,
        pixel,
        rows,
        columns,
    )
    both = [elevation_on(middle, model, ground=ground_of(middle, model)) for model in (source, reference)]
    if min(float(heights.std()) for heights in both) < _LEAST_STD_M:
        return None
    right, down = shift_between(*both)
    found = Registration(right * pixel, -down * pixel, pixel)
    if not found.within_limit:
        log.warning(
            "elevation_shifted",
            source=source.kind.value,
            reference=reference.kind.value,
            east_m=round(found.x_m, 1),
            north_m=round(found.y_m, 1),
            pixels=round(found.pixels, 2),
        )
    return found


def shift_between(heights: Heights, reference: Heights) -> tuple[float, float]:
    """Shift of one raster against another, by phase correlation refined to 1/64 pixel.

    Parameters
    ----------
    heights, reference : float32 (rows, columns), of one grid.

    Returns
    -------
    right, down : pixels by which what is seen in `reference` lies further right and down in `heights`.
    """
    spectrum = _spectrum(heights) * np.conj(_spectrum(reference))
    rows, columns = heights.shape
    vertical, horizontal = np.fft.fftfreq(rows), np.fft.fftfreq(columns)
    radius = np.hypot(vertical[:, None], horizontal[None, :])
    strength = np.abs(spectrum)
    phase = np.where((radius < _PASS) & (radius > 0) & (strength > 0), spectrum / np.maximum(strength, 1e-30), 0)
    highest = divmod(int(np.argmax(np.fft.ifft2(phase).real)), columns)
    down, right = (float((at + side // 2) % side - side // 2) for at, side in zip(highest, heights.shape, strict=True))
    for span, steps in ((1.5, 24), (0.125, _FINE // 8)):
        # the inverse transform only around the maximum, on a finer grid each time
        y = down + np.linspace(-span, span, 2 * steps + 1)
        x = right + np.linspace(-span, span, 2 * steps + 1)
        surface = (_waves(y, vertical) @ phase @ _waves(x, horizontal).T).real
        i, j = divmod(int(np.argmax(surface)), len(x))
        down, right = float(y[i]), float(x[j])
    return right, down


def _spectrum(heights: Heights) -> Any:
    """Transform of the steepness-free heights, faded out towards the edges, which do not continue each other."""
    rows, columns = heights.shape
    row, column = np.linspace(-1, 1, rows), np.linspace(-1, 1, columns)
    level = heights.astype(np.float64) - heights.mean(dtype=np.float64)
    level -= np.outer(row, np.ones(columns)) * (level * row[:, None]).sum() / ((row**2).sum() * columns)
    level -= np.outer(np.ones(rows), column) * (level * column[None, :]).sum() / ((column**2).sum() * rows)
    return np.fft.fft2(level * np.outer(np.hanning(rows), np.hanning(columns)))


def _waves(at: Any, frequency: Any) -> Any:
    return np.exp(2j * np.pi * np.outer(at, frequency))
