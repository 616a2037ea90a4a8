"""Images of one pass at 20 m: mixed pixels, texture, speckle, and the estimate of coherence with its window."""

from __future__ import annotations

from typing import Final

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.radar.coherence import NOISE
from s4c_lib.synthetic.radar.speckle import (
    CELL_LOOKS,
    COHERENCE_CELL_LOOKS,
    NEIGHBOUR,
    OWN_SHARE,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
    Doubles,
    Floats,
    gamma_of,
)

PIXEL_M: Final = 20.0
TEXTURE_DB: Final = 0.5
# Below it statistics take a value for no measurement (spec/README.md B5); zero is no data.
LEAST_SIGMA0: Final = 1e-7


def field_texture(grid: PixelGrid, rng: np.random.Generator) -> Floats:
    """What differs within fields all season: power gain of mean 1 and 0.5 dB, smooth over 3 cells.

    Returns
    -------
    float32 (rows, columns, 2), VV and VH, alike in most of it.
    """
    common = _smooth(rng.standard_normal((*grid.shape, 1), dtype=np.float32))
    own = _smooth(rng.standard_normal((*grid.shape, 2), dtype=np.float32))
    decibels = TEXTURE_DB * (np.sqrt(0.7) * common + np.sqrt(0.3) * own)
    spread = TEXTURE_DB * np.log(10) / 10
    return np.asarray(10 ** (decibels / 10) / np.exp(spread**2 / 2), dtype=np.float32)


def backscatter_image(
    fractions: PixelFractions, sigma0: Floats, rng: np.random.Generator, texture: Floats | None = None
) -> Floats:
    """Image of sigma nought as a 20 m product holds it, noise floor subtracted.

    Parameters
    ----------
    fractions : objects of the 20 m pixels.
    sigma0 : (objects, 2) true values, linear, VV and VH.
    texture : `field_texture`, the same on all dates.

    Returns
    -------
    float32 (rows, columns, 2), linear, above zero.
    """
    _check(fractions, sigma0)
    power = fractions.combine(sigma0[fractions.objects])
    if texture is not None:
        power = power * texture
    # The response is wider than a cell: part of what a cell shows lies beside it.
    for axis in (0, 1):
        own = OWN_SHARE[axis]
        power = _filtered(power, np.array([(1 - own) / 2, own, (1 - own) / 2]), axis)
    normal = rng.standard_normal(power.shape, dtype=np.float32)
    for axis in (0, 1):
        normal = _filtered(normal, _correlating(NEIGHBOUR[axis]), axis, mode="wrap")
    noise = np.float32(NOISE)
    observed = (power + noise) * gamma_of(normal, CELL_LOOKS) - noise
    return np.asarray(np.maximum(observed, np.float32(LEAST_SIGMA0)), dtype=np.float32)


def coherence_image(
    fractions: PixelFractions, coherence: Floats, previous: Floats, current: Floats, rng: np.random.Generator
) -> Floats:
    """Image of the estimated coherence, with its bias and noise.

    Each cell gets a sample covariance matrix of complex Gaussian echoes (Bartlett's decomposition of the complex
    Wishart distribution; Goodman 1963, Annals of Mathematical Statistics 34, 152-177) with the powers and coherence of
    what lies in it; the matrices are averaged over the window. Bright neighbours weigh in, low values come out too
    high, and neighbouring estimates agree, all as in real products.

    Parameters
    ----------
    fractions : objects of the 20 m pixels.
    coherence : (objects, 2) true values of VV and VH, noise included.
    previous, current : (objects, 2) true sigma nought of the two passes, linear.

    Returns
    -------
    float32 (rows, columns, 2), 1e-4..1.
    """
    for values in (coherence, previous, current):
        _check(fractions, values)
    noise = np.float32(NOISE)
    first = fractions.combine((previous + noise)[fractions.objects])
    second = fractions.combine((current + noise)[fractions.objects])
    both = np.sqrt((previous + noise) * (current + noise)) * coherence
    gamma = np.clip(fractions.combine(both[fractions.objects]) / np.sqrt(first * second), 0, 1)

    shape = gamma.shape
    # Squared diagonal and lower entry of the Bartlett factor.
    one = rng.standard_gamma(COHERENCE_CELL_LOOKS, shape, dtype=np.float32)
    two = rng.standard_gamma(COHERENCE_CELL_LOOKS - 1, shape, dtype=np.float32)
    real, imaginary = np.float32(np.sqrt(0.5)) * rng.standard_normal((2, *shape), dtype=np.float32)
    rest = np.sqrt(1 - gamma * gamma)
    cross_real = gamma * one + rest * np.sqrt(one) * real
    cross_imaginary = rest * np.sqrt(one) * imaginary
    other = gamma * (2 * cross_real - gamma * one) + rest * rest * (real**2 + imaginary**2 + two)

    amplitude = np.sqrt(first * second)
    sums = np.stack([first * one, second * other, amplitude * cross_real, amplitude * cross_imaginary])
    for axis, window in ((1, WINDOW_ROWS), (2, WINDOW_COLUMNS)):
        sums = _filtered(sums, window, axis)
    estimate = np.sqrt((sums[2] ** 2 + sums[3] ** 2) / (sums[0] * sums[1]))
    return np.asarray(np.clip(estimate, 1e-4, 1), dtype=np.float32)


def _check(fractions: PixelFractions, values: Floats) -> None:
    needed = int(fractions.objects.max()) + 1
    if fractions.grid.pixel != PIXEL_M or values.ndim != 2 or len(values) < needed:
        raise InputError(
            f"a radar image needs values of {needed} objects on a {PIXEL_M:.0f} m grid, "
            f"not {values.shape} on {fractions.grid.pixel:.0f} m"
        )


def _filtered(values: Floats, weights: Doubles, axis: int, mode: str = "nearest") -> Floats:
    from scipy.ndimage import correlate1d

    return np.asarray(correlate1d(values, weights, axis=axis, mode=mode), dtype=np.float32)


def _smooth(normal: Floats) -> Floats:
    weights = np.array([0.25, 0.75, 1, 0.75, 0.25])
    weights /= np.sqrt(np.sum(weights**2))
    return _filtered(_filtered(normal, weights, 0, "wrap"), weights, 1, "wrap")


def _correlating(neighbour: float) -> Doubles:
    """Weights that give independent normal values the wanted correlation with their neighbours, variance kept."""
    side = (1 - np.sqrt(1 - 2 * neighbour**2)) / (2 * neighbour)
    weights = np.array([side, 1, side])
    return np.asarray(weights / np.sqrt(np.sum(weights**2)))
