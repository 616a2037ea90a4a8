"""What the atmosphere and the instrument add to the reflectance of the ground.

Errors that atmospheric correction leaves: 0.005 plus 5 % at most in clear scenes, most in the blue
(Vermote & Kotchenova 2008; Doxani et al. 2018, ACIX). Instrument: Drusch et al. (2012); Gascon et al. (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.optical.random_fields import Floats
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.streams import Stream, generator

_CENTRES: Final = np.array([443, 493, 560, 665, 704, 741, 783, 833, 865, 945, 1614, 2202])
# Haze scatters short waves most (Angstrom exponent 1.3).
HAZE_COLOR: Final = ((_CENTRES / 493.0) ** -1.3).astype(np.float32)
_CLEAR_AEROSOL, _AEROSOL_SPREAD = 0.13, 0.55
_OFFSET_SPREAD: Final = 0.003  # in the blue, in clear air
_GAIN_SPREAD: Final = 0.012
# Reference radiance, W/m2/sr/um, and signal over noise there (Drusch et al. 2012, table 1), sun's irradiance.
_REFERENCE: Final = np.array([129, 128, 128, 108, 74.5, 68, 67, 103, 52.5, 9, 4, 1.5])
_SIGNAL_TO_NOISE: Final = np.array([129, 154, 168, 142, 117, 89, 105, 174, 72, 114, 100, 100])
_IRRADIANCE: Final = np.array([1885, 1960, 1823, 1512, 1425, 1288, 1162, 1042, 955, 813, 246, 85])
# What crosses the atmosphere down and up on a clear day.
_TRANSMITTED: Final = np.array([0.62, 0.68, 0.75, 0.83, 0.84, 0.87, 0.88, 0.87, 0.91, 0.45, 0.92, 0.88])


@dataclass(frozen=True, slots=True, eq=False)
class Atmosphere:
    """The air of one date and what its correction leaves.

    Parameters
    ----------
    aerosol : optical thickness at 550 nm. water_vapour : cm.
    offset : float32 (bands,), added to reflectance. gain : float32 (bands,), multiplies it.
    uneven : standard deviation over the window of what haze adds in the blue.
    """

    aerosol: float
    water_vapour: float
    offset: Floats
    gain: Floats
    uneven: float


def make_atmosphere(weather: Weather, flight: OpticalPass, seed: int, cell: int = 0) -> Atmosphere:
    """Air of a pass."""
    rng = generator(seed, Stream.HAZE, flight.start.toordinal(), cell)
    temperature = float(weather.temperature[weather.index(flight.start.date())])
    aerosol = float(np.clip(_CLEAR_AEROSOL * np.exp(_AEROSOL_SPREAD * rng.standard_normal()), 0.03, 0.6))
    vapour = float(np.clip((0.65 + 0.085 * temperature) * np.exp(0.2 * rng.standard_normal()), 0.3, 4.5))
    haze = (_OFFSET_SPREAD + 0.012 * aerosol) * rng.standard_normal()
    gain = _GAIN_SPREAD * (0.8 * rng.standard_normal() + 0.6 * rng.standard_normal(len(SURFACE_BANDS)))
    return Atmosphere(
        round(aerosol, 3),
        round(vapour, 3),
        (haze * HAZE_COLOR + 0.0008 * rng.standard_normal(len(SURFACE_BANDS))).astype(np.float32),
        (1 + gain).astype(np.float32),
        0.001 + 0.006 * aerosol,
    )


def tile_residual(flight: OpticalPass, tile: str, seed: int) -> tuple[Floats, Floats]:
    """Gain and offset (bands,) by which one tile's correction differs: processors correct tile by tile.

    Neighbouring tiles of one datatake differ by a few thousandths (Doxani et al. 2018).
    """
    rng = generator(seed, Stream.HAZE, flight.start.toordinal(), 1, *tile.encode("ascii"))
    gain = 1 + 0.004 * rng.standard_normal() + 0.002 * rng.standard_normal(len(SURFACE_BANDS))
    return gain.astype(np.float32), (0.0012 * rng.standard_normal() * HAZE_COLOR).astype(np.float32)


def noise_deviation(reflectance: Floats, band: int, sun_zenith: float) -> Floats:
    """Standard deviation of the instrument's noise in surface reflectance.

    Half of its variance at the reference radiance is the detector's, half grows with the light.

    Parameters
    ----------
    band : position in `SURFACE_BANDS`.
    """
    scale = np.pi / (_IRRADIANCE[band] * np.cos(np.radians(sun_zenith)))
    at_reference = scale * _REFERENCE[band]
    deviation = at_reference / _SIGNAL_TO_NOISE[band] / _TRANSMITTED[band]
    light = np.maximum(reflectance, 0) * np.float32(_TRANSMITTED[band] / at_reference)
    return np.asarray(np.float32(deviation) * np.sqrt(np.float32(0.5) + np.float32(0.5) * light), dtype=np.float32)


def spread_blur(metres: int) -> npt.NDArray[np.float64]:
    """Weights of a pixel and its two neighbours that lower a pixel's own response to the instrument's.

    The modulation at half the sampling frequency is 0.64 for a square pixel and 0.26 (10 m) to 0.35 (20 and 60 m) for
    the instrument (Gascon et al. 2017, within the specified 0.15-0.45).
    """
    wanted = (0.26 if metres == 10 else 0.35) / (2 / np.pi)
    # A kernel (s, 1 - 2s, s) passes 1 - 4s of the highest frequency.
    side = (1 - wanted) / 4
    return np.array([side, 1 - 2 * side, side])
