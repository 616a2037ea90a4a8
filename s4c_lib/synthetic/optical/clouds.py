"""Clouds over a window: how much on each date, where, how thick, how high; and their shadows.

Cover over a few kilometres is U-shaped: mostly clear or mostly overcast (a beta distribution, Falls 1974). Fields have
Kolmogorov's spectrum, as measured in clouds of all kinds (Cahalan & Joseph 1989; Davis et al. 1997); cutting one at a
level gives clouds whose sizes follow a power law (Wood & Field 2011) with thin edges. The domain is larger than the
window, its edges join, and wind moves it: passes minutes apart agree, different days do not. Clouds of a layer have one
height; sun and satellite see them displaced from the ground below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.optical.random_fields import Floats, power_law_field
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.streams import Stream, generator

DEFAULT_CLOUDINESS: Final = 0.55
# Thickness from which a pixel counts as cloud; around it lies a thinner halo.
CLOUD_THICKNESS: Final = 0.3
# Shadows from which the ground is visibly darker.
SHADOW_THICKNESS: Final = 1.0
LEAST_DOMAIN_M: Final = 15_360.0

_BETA_SUM: Final = 0.9
# A season's mean is drawn towards what was asked, by this many standard deviations of weather at most.
_LARGEST_SHIFT: Final = 0.4
_SLOPE: Final = 8 / 3
# Evaporation rounds off what is smaller.
_EDGE_M: Final = 120.0
_REFERENCE: Final = time(10, 30)

# Reflectance of endlessly thick cloud: water absorbs little, ice more in the short-wave infrared
# (Nakajima & King 1990; King et al. 2004).
_THICK_LOW: Final = np.array([0.95, 0.95, 0.94, 0.94, 0.94, 0.94, 0.94, 0.93, 0.93, 0.90, 0.68, 0.50])
_THICK_CIRRUS: Final = np.array([0.95, 0.95, 0.94, 0.94, 0.94, 0.94, 0.94, 0.93, 0.93, 0.90, 0.40, 0.32])
# Share of light that comes from the sky rather than the sun on a clear day.
_SKY_LIGHT: Final = np.array([0.42, 0.36, 0.27, 0.21, 0.19, 0.17, 0.15, 0.14, 0.13, 0.11, 0.05, 0.03])


@dataclass(frozen=True, slots=True, eq=False)
class CloudView:
    """Clouds as one pass sees them; optical thickness, float32 (rows, columns).

    Parameters
    ----------
    low, cirrus : of the cloud in the line of sight. shade : of what stands before the sun.
    """

    low: Floats
    cirrus: Floats
    shade: Floats

    @property
    def cloud(self) -> npt.NDArray[np.bool_]:
        """Truth: cloud in the line of sight."""
        return np.asarray(np.maximum(self.low, self.cirrus) >= CLOUD_THICKNESS)

    @property
    def shadow(self) -> npt.NDArray[np.bool_]:
        """Truth: ground in shadow, not hidden by cloud."""
        return np.asarray((self.shade >= SHADOW_THICKNESS) & ~self.cloud)


def cloud_cover(weather: Weather, passes: Sequence[OpticalPass], cloudiness: float = DEFAULT_CLOUDINESS) -> Floats:
    """Share of the sky under cloud at each pass, float32 (passes,).

    Parameters
    ----------
    cloudiness : mean wanted, 0..1; the weather of the passes moves it when they are few. 0 and 1 are exact, what lies
        within 0.02 of them is taken as 0.02 from them.

    Raises
    ------
    InputError
        When the cloudiness is no share.
    """
    from scipy.stats import beta, norm

    if not 0 <= cloudiness <= 1:
        raise InputError(f"cloudiness is a share, not {cloudiness}", hint="give 0 to 1")
    if cloudiness in (0, 1):
        return np.full(len(passes), cloudiness, dtype=np.float32)
    cloudiness = min(max(cloudiness, 0.02), 0.98)
    latent = np.array([float(weather.overcast[weather.index(flight.start.date())]) for flight in passes])

    def cover(shift: float) -> npt.NDArray[np.float64]:
        shape = _BETA_SUM * cloudiness, _BETA_SUM * (1 - cloudiness)
        return np.asarray(beta.ppf(norm.cdf(latent + shift), *shape))

    low, high = -_LARGEST_SHIFT, _LARGEST_SHIFT
    for _ in range(20 if len(passes) else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if cover(middle).mean() < cloudiness else (low, middle)
    return cover((low + high) / 2).astype(np.float32)


def cloud_domain(extent_m: float, pixel_m: float) -> int:
    """Pixels of a side of the domain for a window of an extent."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(int(np.ceil(max(LEAST_DOMAIN_M, 1.5 * extent_m) / pixel_m)), real=True))


def view_clouds(flight: OpticalPass, cover: float, side: int, pixel_m: float, seed: int, cell: int = 0) -> CloudView:
    """Clouds of one pass over the whole domain.

    Parameters
    ----------
    cover : of the date, from `cloud_cover`.
    side, pixel_m : of the domain, from `cloud_domain`.
    cell : number of the site; each has a sky of its own.
    """
    rng = generator(seed, Stream.CLOUDS, flight.start.toordinal(), cell)
    # A third of the days has much cirrus.
    cirrus_cover = float(cover) * (rng.uniform(0.1, 0.6) if rng.random() < 0.35 else 0.03)
    low_cover = (float(cover) - cirrus_cover) / (1 - cirrus_cover)
    # Broken cloud is made of small clouds, overcast of wide sheets.
    outer = rng.uniform(1500, 4500) + 9000 * low_cover**2
    low_height = rng.uniform(700, 2300)
    high_height = rng.uniform(7500, 10500)
    bearing, speed = rng.uniform(0, 2 * np.pi), rng.uniform(3, 12)
    low = _above(power_law_field(rng, side, pixel_m, outer, _SLOPE, _EDGE_M), low_cover)
    high = _above(power_law_field(rng, side, pixel_m, 12_000.0, 3.0), cirrus_cover)
    thick = np.float32(rng.uniform(7, 16))
    low = _thickness(low, thick, 1.2, 0.07)
    high = _thickness(high, np.float32(0.9), 1.0, 0.25)

    seconds = _seconds_after_reference(flight.start)
    drift = seconds * speed * np.array([np.sin(bearing), np.cos(bearing)])
    to_sensor = _slant(flight.view_zenith, flight.view_azimuth)
    to_sun = _slant(flight.sun_zenith, flight.sun_azimuth)

    def at(field: Floats, slant: npt.NDArray[np.float64], height: float, wind: float) -> Floats:
        east, north = (height * slant - wind * drift) / pixel_m
        return np.roll(field, (round(float(north)), -round(float(east))), axis=(0, 1))

    return CloudView(
        at(low, to_sensor, low_height, 1.0),
        at(high, to_sensor, high_height, 2.0),
        at(low, to_sun, low_height, 1.0) + at(high, to_sun, high_height, 2.0),
    )


def seen_through(surface: Floats, band: int, low: Floats, cirrus: Floats, shade: Floats) -> Floats:
    """Reflectance of a band with cloud before and above it, as a correction for clear sky leaves it.

    Cloud reflects ``0.13 t / (1 + 0.13 t)`` of its thickness t (Lacis & Hansen 1974) and lets the rest pass, down and
    up. In shadow, sunlight is replaced by what the cloud lets through; light of the sky stays.

    Parameters
    ----------
    surface : clear reflectance. band : position in `SURFACE_BANDS`. low, cirrus, shade : as in `CloudView`.
    """
    sky = np.float32(_SKY_LIGHT[band])
    lit = sky + (1 - sky) / (1 + np.float32(0.13) * shade)
    seen = surface * lit
    for thickness, bright in ((low, _THICK_LOW[band]), (cirrus, _THICK_CIRRUS[band])):
        passed = 1 / (1 + np.float32(0.13) * thickness)
        # Under thick cloud the ground is dark already by the cloud's own shadow.
        seen = seen * passed * np.sqrt(passed) + np.float32(bright) * (1 - passed)
    return np.asarray(seen, dtype=np.float32)


def _above(field: Floats, cover: float) -> Floats:
    """Excess of a field over the level that ``cover`` of it exceeds."""
    from scipy.special import ndtri

    level = float(np.quantile(field, 1 - cover))
    # Beyond the field's own ends the level goes on, so that a full cover has no thin spots and an empty one no halo.
    if not 0.002 < cover < 0.998:
        expected = float(ndtri(np.clip(1 - cover, 1e-6, 1 - 1e-6)))
        level = min(level, expected) if cover > 0.5 else max(level, expected)
    return field - np.float32(level)


def _thickness(excess: Floats, thick: np.float32, power: float, halo: float) -> Floats:
    inside = CLOUD_THICKNESS + thick * np.maximum(excess, 0) ** np.float32(power)
    outside = CLOUD_THICKNESS * np.exp(np.minimum(excess, 0) / np.float32(halo))
    return np.where(excess >= 0, inside, np.where(outside > 0.01, outside, 0)).astype(np.float32)


def _slant(zenith: float, azimuth: float) -> npt.NDArray[np.float64]:
    """Metres east and north for each metre up."""
    towards = np.radians(azimuth)
    return np.asarray(np.tan(np.radians(zenith)) * np.array([np.sin(towards), np.cos(towards)]))


def _seconds_after_reference(start: datetime) -> float:
    zoned = start if start.tzinfo else start.replace(tzinfo=UTC)
    return (zoned - datetime.combine(zoned.date(), _REFERENCE, tzinfo=UTC)).total_seconds()
