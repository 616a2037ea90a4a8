"""Parcel statistics as the images would give them, without making images.

Only moments are drawn: the mean, spread and extremes of the pixels of a parcel come from the distribution of one pixel,
the count of pixels and how neighbours are correlated. A parcel is taken as square and uniform, without mixed pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.radar.coherence import NOISE
from s4c_lib.synthetic.radar.images import TEXTURE_DB
from s4c_lib.synthetic.radar.speckle import (
    CELL_LOOKS,
    COHERENCE_LOOKS,
    NEIGHBOUR,
    WINDOW_OVERLAP,
    Doubles,
    Floats,
    gamma_of,
    inflation,
)

_DECIBEL: Final = 10 / np.log(10)
_NODES: Final = 501
_NEIGHBOURS: Final = (np.array([1, NEIGHBOUR[0]]), np.array([1, NEIGHBOUR[1]]))
# Variances of what is correlated agree as the square.
_SQUARED: Final = (_NEIGHBOURS[0] ** 2, _NEIGHBOURS[1] ** 2)
# Statistics take a smaller sigma nought for no measurement (spec/README.md B5).
LEAST_VALID: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """Statistics over the pixels of each parcel, float32 (parcels, 2), VV and VH; NaN where not defined.

    Parameters
    ----------
    mean, std, least, most : dB for backscatter; ``std`` with n - 1, NaN for one pixel.
    """

    mean: Floats
    std: Floats
    least: Floats
    most: Floats


def observed_backscatter(
    sigma0: Floats, pixels: npt.NDArray[np.int32], rng: np.random.Generator, *, texture_db: float = TEXTURE_DB
) -> PixelStatistics:
    """Statistics in dB of the pixels of parcels, each pixel turned to dB before averaging (spec/README.md B4).

    A pixel is (sigma0 + noise) G - noise with G of `CELL_LOOKS` looks; the mean and variance of its logarithm stand in
    a table. Without noise they would be digamma(looks) - ln(looks), the bias of averaging dB, and trigamma(looks). The
    mean of the logarithms of n independent pixels is distributed like the logarithm of n times the looks.

    Parameters
    ----------
    sigma0 : (parcels, 2) true values, linear.
    pixels : (parcels,) count of 20 m pixels; all is NaN where it is 0.
    """
    count = np.maximum(pixels, 1).astype(np.float32)[:, None]
    table = _backscatter_moments()
    logarithm = np.log(sigma0)
    bias, spread, excess, lost = _looked_up(logarithm, table)
    texture = np.float32((texture_db / _DECIBEL) ** 2)
    total = spread + texture
    grown = inflation(count, _NEIGHBOURS)
    centre = logarithm + bias - texture / 2

    independent = count / grown
    pooled = independent / spread
    pooled_bias, pooled_spread = _log_gamma_moments(pooled)
    wobble = np.log(gamma_of(rng.standard_normal(sigma0.shape, dtype=np.float32), pooled)) - pooled_bias
    mean = centre + wobble * np.sqrt(total / independent / pooled_spread)
    # Sample variance: as that of independent pixels, less what neighbours share; it varies more where tails are long.
    variance = total * (count - grown) / np.maximum(count - 1, 1)
    freedom = np.maximum((count - 1) / inflation(count, _SQUARED) / (2 + excess), 0.5)
    std = np.sqrt(variance * gamma_of(rng.standard_normal(sigma0.shape, dtype=np.float32), freedom))
    low, high = _extreme_normals(count, rng, lost)
    gain = np.sqrt(total / spread)
    least, most = (centre + gain * (_log_pixel(sigma0, normal) - bias) for normal in (low, high))
    return _finished(pixels, *(np.float32(_DECIBEL) * item for item in (mean, std, least, most)))


def observed_coherence(coherence: Floats, pixels: npt.NDArray[np.int32], rng: np.random.Generator) -> PixelStatistics:
    """Statistics of the estimated coherence of the pixels of parcels.

    One estimate has the mean and variance of `coherence_moments`; windows overlap, so a parcel's mean falls off more
    slowly than with the root of its pixels.

    Parameters
    ----------
    coherence : (parcels, 2) true magnitudes.
    pixels : (parcels,) count of 20 m pixels; all is NaN where it is 0.
    """
    count = np.maximum(pixels, 1).astype(np.float32)[:, None]
    centre, spread = _looked_up(coherence, np.stack(coherence_moments()))
    # Amplitudes of strong coherence agree as the windows overlap, of none as its square (Rayleigh).
    strength = 2 * np.float32(COHERENCE_LOOKS) * coherence**2
    weight = strength / (1 + strength)
    rows, columns = WINDOW_OVERLAP
    squared = inflation(count, (rows**2, columns**2))
    grown = weight * inflation(count, (rows, columns)) + (1 - weight) * squared

    independent = count / grown
    wobble = rng.standard_normal(coherence.shape, dtype=np.float32)
    mean = np.asarray(centre + spread / np.sqrt(independent) * wobble, dtype=np.float32)
    variance = spread**2 * (count - grown) / np.maximum(count - 1, 1)
    freedom = np.maximum((count - 1) / squared / 2, 0.5)
    wobble = gamma_of(rng.standard_normal(coherence.shape, dtype=np.float32), freedom)
    std = np.asarray(np.sqrt(variance * wobble), dtype=np.float32)
    # Windows overlap: extremes are those of fewer values (fitted to images; within 0.05).
    low, high = _extreme_normals(np.broadcast_to(0.6 + 0.4 * count, coherence.shape), rng)
    found = _finished(pixels, mean, std, centre + spread * low, centre + spread * high)
    return PixelStatistics(_within(found.mean), found.std, _within(found.least), _within(found.most))


@cache
def coherence_moments(looks: float = COHERENCE_LOOKS) -> tuple[Doubles, Doubles, Doubles]:
    """True coherence, and mean and standard deviation of its estimate from independent looks.

    E(g**m) = Gamma(L) Gamma(1 + m/2) / Gamma(L + m/2) 3F2(1 + m/2, L, L; L + m/2, 1; c**2) (1 - c**2)**L
    (Touzi & Lopes 1996, IEEE TGRS 34, 549-556), the series summed in logarithms.
    """
    from scipy.special import gammaln

    nodes = np.linspace(0, 1, _NODES)
    moments = []
    # (1 - c2)**L and the series outgrow each other near 1; there the estimate is the truth.
    inner = nodes[(nodes > 0) & (nodes < 0.99)]
    order = np.arange(6000)[:, None]
    for power in (1, 2):
        half = power / 2
        front = gammaln(looks) + gammaln(1 + half) - gammaln(looks + half)
        terms = gammaln(1 + half + order) - gammaln(1 + half) + 2 * (gammaln(looks + order) - gammaln(looks))
        terms += gammaln(looks + half) - gammaln(looks + half + order) - 2 * gammaln(1 + order)
        logarithm = terms + 2 * order * np.log(inner) + looks * np.log1p(-(inner**2)) + front
        moments.append(np.concatenate([[np.exp(front)], np.exp(logarithm).sum(axis=0)]))
    known = np.concatenate([[0.0], inner, [1.0]])
    mean = np.interp(nodes, known, np.append(moments[0], 1.0))
    std = np.interp(nodes, known, np.append(np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0)), 0.0))
    return nodes, mean, std


def _looked_up(values: Floats, table: Doubles) -> list[Floats]:
    """Columns 1, ... of a table at values of column 0, whose nodes are evenly spaced; a third of the time of interp."""
    nodes = table[0]
    place = (values - np.float32(nodes[0])) * np.float32((len(nodes) - 1) / (nodes[-1] - nodes[0]))
    place = np.clip(place, 0, len(nodes) - 1)
    left = np.minimum(place.astype(np.int32), len(nodes) - 2)
    share = place - left.astype(np.float32)
    columns = table[1:].astype(np.float32)
    return [column[left] + share * (column[left + 1] - column[left]) for column in columns]


def _log_pixel(sigma0: Floats, normal: Floats) -> Floats:
    """Logarithm of an observed pixel over its true value, from a standard normal variate."""
    ratio = np.float32(NOISE) / sigma0
    value = (1 + ratio) * gamma_of(normal, CELL_LOOKS) - ratio
    return np.asarray(np.log(np.maximum(value, np.float32(LEAST_VALID) / sigma0)), dtype=np.float32)


@cache
def _backscatter_moments() -> Doubles:
    """Table over the true value, float64 (5, nodes).

    Its logarithm; mean, variance and excess kurtosis of `_log_pixel` over valid pixels; share of pixels not valid.
    """
    logarithm = np.linspace(-40, 10, 401) / _DECIBEL
    sigma0 = np.exp(logarithm).astype(np.float32)
    normal = np.linspace(-6, 6, 2401, dtype=np.float32)[:, None]
    value = _log_pixel(sigma0, normal).astype(np.float64)
    density = np.exp(-(normal.astype(np.float64) ** 2) / 2)
    weights = density * (value > np.log(LEAST_VALID / sigma0) + 1e-6)
    lost = 1 - weights.sum(axis=0) / density.sum()
    weights /= weights.sum(axis=0)
    mean = np.sum(weights * value, axis=0)
    apart = value - mean
    variance = np.sum(weights * apart**2, axis=0)
    excess = np.sum(weights * apart**4, axis=0) / variance**2 - 3
    return np.stack([logarithm, mean, variance, excess, lost])


def _log_gamma_moments(looks: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the logarithm of a gamma variate of mean 1: digamma(k) - ln k and trigamma(k).

    Asymptotic series (Abramowitz & Stegun 6.3.18 and 6.4.12), right to 1e-3 from 1.5 looks up and a tenth of the time.
    """
    inverse = 1 / np.maximum(looks, np.float32(1))
    square = inverse * inverse
    mean = -inverse / 2 - square / 12 + square * square / 120
    variance = inverse + square / 2 + inverse * square / 6 - inverse * square * square / 30
    return np.asarray(mean, dtype=np.float32), np.asarray(variance, dtype=np.float32)


def _within(estimate: Floats) -> Floats:
    return np.asarray(np.clip(estimate, 1e-4, 1), dtype=np.float32)


def _extreme_normals(count: Floats, rng: np.random.Generator, lost: Floats | float = 0.0) -> tuple[Floats, Floats]:
    """Least and greatest of ``count`` (parcels, 2 or 1) standard normal values, for each of two bands.

    ``lost`` : share of values, the lowest, that do not count.
    """
    from scipy.special import ndtri, ndtri_exp

    # ln of U ** (1 / n) is that of the probability below the greatest, and mirrored, above the least.
    logarithms = -rng.standard_exponential((2, len(count), 2)) / count
    least = ndtri(lost - (1 - lost) * np.expm1(logarithms[0]))
    return least.astype(np.float32), ndtri_exp(logarithms[1]).astype(np.float32)


def _finished(pixels: npt.NDArray[np.int32], mean: Floats, std: Floats, least: Floats, most: Floats) -> PixelStatistics:
    """Put in what must hold of any n values; NaN where nothing is defined."""
    single, empty = (pixels == 1)[:, None], (pixels < 1)[:, None]
    # Two values lie a mean apart from each other by the root of 2 std; more may lie further out, not closer in.
    reach = std / np.sqrt(np.maximum(pixels, 1).astype(np.float32))[:, None]
    least, most = np.minimum(least, mean - reach), np.maximum(most, mean + reach)
    pair = (pixels == 2)[:, None]
    least, most = np.where(pair, mean - reach, least), np.where(pair, mean + reach, most)
    nothing = np.float32(np.nan)
    return PixelStatistics(
        np.where(empty, nothing, mean).astype(np.float32),
        np.where(empty | single, nothing, std).astype(np.float32),
        np.where(empty, nothing, np.where(single, mean, least)).astype(np.float32),
        np.where(empty, nothing, np.where(single, mean, most)).astype(np.float32),
    )
