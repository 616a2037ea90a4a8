"""How much the images of Sentinel-1 fluctuate, and over what distance: the numbers images and statistics share.

**Backscatter.** A GRDH of IW has pixels of 10 m, a resolution of 20 x 22 m (range, azimuth) and 4.4 equivalent looks
(ESA, Sentinel-1 Product Definition S1-RS-MDA-52-7440). A cell of 20 m is the mean of 2 x 2 of its pixels
(preprocessing.md 4.7). Intensities x apart are correlated as the squared impulse response, sinc2(x / resolution), so
the mean has less than 4 times the looks: `CELL_LOOKS` = 4.4 x 1.35 x 1.42 = 8.5; neighbouring cells still share some.

**Coherence.** The estimate averages 20 x 5 samples (range, azimuth), 80 x 70 m of ground, of which about 48 are
independent (preprocessing.md 4.6: 40 to 60). Over cells of 20 m the window is `WINDOW_COLUMNS` x `WINDOW_ROWS`.

Range runs along columns (west-east) and azimuth along rows; the true orbit is turned by about 12 degrees.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

GRD_LOOKS: Final = 4.4
GRD_PIXEL: Final = 10.0
RESOLUTION: Final = (22.0, 20.0)  # azimuth (rows), range (columns), metres
COHERENCE_LOOKS: Final = 48.0
# Weights of the cells the estimation window covers: 3.5 rows (70 m), 4 columns (80 m).
WINDOW_ROWS: Final = np.array([0.25, 1, 1, 1, 0.25])
WINDOW_COLUMNS: Final = np.array([0.5, 1, 1, 1, 0.5])


def _cell_statistics(resolution: float) -> tuple[float, float, float]:
    """Looks gained by averaging two pixels; correlation of neighbouring cells; share of a cell's power seen in it."""
    apart = np.sinc(GRD_PIXEL * np.arange(4) / resolution) ** 2
    gain = 2 / (1 + apart[1])
    neighbour = (apart[1] + 2 * apart[2] + apart[3]) / (2 * (1 + apart[1]))
    x = np.arange(-1000.5, 1000) / 10
    response = np.sinc(x / resolution) ** 2
    cell = 2 * GRD_PIXEL
    own = np.sum(response * np.clip(1 - np.abs(x) / cell, 0, None)) / np.sum(response)
    return float(gain), float(neighbour), float(own)


_ROWS, _COLUMNS = _cell_statistics(RESOLUTION[0]), _cell_statistics(RESOLUTION[1])
CELL_LOOKS: Final = GRD_LOOKS * _ROWS[0] * _COLUMNS[0]
# Correlation of the intensity of neighbouring cells, and share of a cell's signal that comes from it: rows, columns.
NEIGHBOUR: Final = (_ROWS[1], _COLUMNS[1])
OWN_SHARE: Final = (_ROWS[2], _COLUMNS[2])
# Sharing between windows shifted by 0, 1, ... cells: rows, columns.
WINDOW_OVERLAP: Final = tuple(
    np.correlate(window, window, "full")[len(window) - 1 :] / np.sum(window**2)
    for window in (WINDOW_ROWS, WINDOW_COLUMNS)
)
# Looks of one cell, such that the weighted mean over the window has COHERENCE_LOOKS.
COHERENCE_CELL_LOOKS: Final = COHERENCE_LOOKS * float(
    np.prod([np.sum(window**2) / np.sum(window) ** 2 for window in (WINDOW_ROWS, WINDOW_COLUMNS)])
)


def gamma_of(normal: Floats, looks: Floats | float) -> Floats:
    """Gamma variates of mean 1 and ``looks`` looks from standard normal ones (Wilson & Hilferty 1931, PNAS 17, 684).

    Mean, variance and skewness are right to 1 % from 2 looks up; the order of the normal variates is kept.
    """
    ninth = np.asarray(1 / (9 * np.asarray(looks, dtype=np.float32)), dtype=np.float32)
    root = np.maximum(1 - ninth + np.sqrt(ninth) * normal, np.float32(1e-3))
    return np.asarray(root * root * root, dtype=np.float32)


def inflation(pixels: Floats, correlations: tuple[Doubles, Doubles]) -> Floats:
    """Variance of the mean over a square of pixels, as a multiple of that of independent ones.

    Parameters
    ----------
    pixels : count of pixels, 1 and up.
    correlations : of pixels 0, 1, ... apart along rows and along columns.
    """
    side = np.sqrt(np.maximum(pixels, 1)).astype(np.float32)
    total = np.ones_like(side)
    for along in correlations:
        sums = np.ones_like(side)
        for lag, value in enumerate(along[1:], start=1):
            sums += np.float32(2 * value) * np.maximum(1 - lag / side, 0)
        total *= sums
    # Few pixels are no square: they agree at most as two neighbours do.
    closest = np.float32(max(along[1] for along in correlations))
    return np.asarray(np.minimum(total, 1 + (pixels - 1) * closest), dtype=np.float32)
