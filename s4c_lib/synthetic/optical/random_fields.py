"""Random fields with a power-law spectrum, on a domain whose edges join."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def power_law_field(
    rng: np.random.Generator, side: int, pixel_m: float, outer_m: float, slope: float, inner_m: float = 0.0
) -> Floats:
    """Gaussian field of mean 0 and variance 1.

    Parameters
    ----------
    side : pixels; opposite edges join.
    outer_m : length above which the field holds no more variance.
    inner_m : smaller detail is smoothed away.
    slope : of the two-dimensional spectrum, ``power ~ wave_number ** -slope``; 8/3 is Kolmogorov's, 0 white noise.

    Returns
    -------
    float32 (side, side).
    """
    from scipy import fft

    rows = np.fft.fftfreq(side, pixel_m)[:, None]
    columns = np.fft.rfftfreq(side, pixel_m)[None]
    amplitude = (1 / outer_m**2 + rows**2 + columns**2) ** (-slope / 4)
    amplitude *= np.exp(-np.pi * (inner_m / 2) ** 2 * (rows**2 + columns**2))
    amplitude[0, 0] = 0
    spectrum = fft.rfft2(rng.standard_normal((side, side), dtype=np.float32)) * amplitude.astype(np.float32)
    field = fft.irfft2(spectrum, (side, side))
    return np.asarray(field / np.float32(field.std()), dtype=np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], pixel_m: float, length_m: float) -> Floats:
    """Gaussian field of mean 0 and variance 1 whose correlation falls over about ``length_m``, float32 ``shape``."""
    from scipy.ndimage import gaussian_filter, zoom

    # Drawn as coarse as its length allows: four nodes to a length.
    step = max(int(length_m / pixel_m / 4), 1)
    coarse = tuple(count // step + 4 for count in shape)
    sigma = length_m / pixel_m / step / 2
    field = gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), sigma, mode="wrap")
    # The filter's energy: 1 / (4 pi sigma^2), less than one pixel wide it keeps more.
    kernel = gaussian_filter(np.eye(1, 65, 32, dtype=np.float64)[0], sigma, mode="wrap")
    field /= np.float32((kernel**2).sum())
    if step > 1:
        field = zoom(field, step, order=1, grid_mode=True, mode="nearest")
    return np.ascontiguousarray(field[: shape[0], : shape[1]])
