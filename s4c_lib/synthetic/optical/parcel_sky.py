"""The same sky for parcels without images: what share of each is seen, and what cloud was not flagged.

Parcels of a chunk are laid at random over the domain of the sky and stay there all season. Clouds, shadows and what the
processor finds of them come from the functions of the images, on coarser pixels; so shares, persistence, misses and
the likeness of neighbours are theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.optical.atmosphere import HAZE_COLOR, make_atmosphere, noise_deviation
from s4c_lib.synthetic.optical.clouds import cloud_domain, seen_through, view_clouds
from s4c_lib.synthetic.optical.random_fields import Floats, smooth_field
from s4c_lib.synthetic.optical.scene_classes import BRIGHT_SOIL, PassSky, detect
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.streams import Stream, generator

PIXEL_M: Final = 60.0
_HAZE_M: Final = 2500.0
_RED, _INFRARED = SURFACE_BANDS.index("B04"), SURFACE_BANDS.index("B08")
_IMAGE_PIXEL_AREA: Final = 100.0  # m2
_FULLY: Final = 1e-3
# Unflagged cloud of coarse pixels has thinner and clear places within; with this share the errors of NDVI are those of
# a sky of 20 m pixels.
_WITHIN_COARSE: Final = 0.75
# Of a square parcel n pixels wide this over n of its light comes from the neighbours (spread of the instrument).
_FROM_NEIGHBOURS, _MOST_FROM_NEIGHBOURS = 0.4, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class ParcelSky:
    """One pass over the parcels of a chunk; every array (parcels,).

    Parameters
    ----------
    valid : float32, share of the parcel that is flagged as clear, 0..1; errors over bright soil not yet made.
    low, cirrus, shade : float32, optical thickness over the valid part that nobody flagged.
    soil_draw : float32, standard normal: the lowest are called cloud where soil is bright.
    haze : float32, standard normal, alike among neighbours.
    """

    flight: OpticalPass
    valid: Floats
    low: Floats
    cirrus: Floats
    shade: Floats
    soil_draw: Floats
    haze: Floats


def parcel_sky(
    passes: Sequence[OpticalPass],
    plan: Sequence[PassSky],
    area_m2: Floats,
    seed: int,
    *,
    chunk: int = 0,
    cell: int = 0,
) -> Iterator[ParcelSky]:
    """Sky over parcels, pass by pass.

    Parameters
    ----------
    plan : of the passes, from `plan_sky` with the weather of the cell.
    area_m2 : (parcels,).
    chunk : places the parcels. cell : number of the site whose weather the plan has; its chunks share one sky.

    Raises
    ------
    InputError
        When there is not one plan for each pass.
    """
    if len(passes) != len(plan):
        raise InputError(f"{len(plan)} skies are planned for {len(passes)} passes")
    side = cloud_domain(0, PIXEL_M)
    rng = generator(seed, Stream.SERIES_OPTICAL, 0, chunk)
    place = rng.uniform(0, side, (2, len(area_m2)))
    half = np.maximum(np.sqrt(area_m2) / PIXEL_M, 1e-3) / 2
    for flight, sky in zip(passes, plan, strict=True):
        layers, patches, haze = _sky_of(flight, sky, seed, cell)
        valid, low, cirrus, shade = _means(layers, place, half)
        seen = np.maximum(valid, np.float32(_FULLY))
        row, column = place.astype(np.int64)
        yield ParcelSky(
            flight,
            np.where(valid > 1 - _FULLY, 1, np.where(valid < _FULLY, 0, valid)).astype(np.float32),
            np.float32(_WITHIN_COARSE) * low / seen,
            np.float32(_WITHIN_COARSE) * cirrus / seen,
            shade / seen,
            patches[row, column],
            haze[row, column],
        )


@lru_cache(maxsize=128)
def _sky_of(flight: OpticalPass, sky: PassSky, seed: int, cell: int) -> tuple[Floats, Floats, Floats]:
    """Sky over a site (1.6 MB), the same for all its chunks: (4, side, side) clear share, low, cirrus and shade of what
    nobody flagged; patches of soil and of haze (side, side).
    """
    side = cloud_domain(0, PIXEL_M)
    day = flight.start.toordinal()
    view = view_clouds(flight, sky.cover, side, PIXEL_M, seed, cell + 1)
    rng = generator(seed, Stream.CLASSIFICATION, day, cell + 1)
    cloud, shadow = detect(view, sky, PIXEL_M, rng)
    clear = (~(cloud | shadow)).astype(np.float32)
    layers = np.stack([clear, view.low * clear, view.cirrus * clear, view.shade * clear])
    patches = smooth_field(rng, (side, side), PIXEL_M, 240.0)
    haze = smooth_field(generator(seed, Stream.HAZE, day, 2, cell + 1), (side, side), PIXEL_M, _HAZE_M)
    return layers, patches, haze


def observe_parcels(
    reflectance: Floats,
    view: ParcelSky,
    sky: PassSky,
    weather: Weather,
    area_m2: Floats,
    seed: int,
    *,
    chunk: int = 0,
    cell: int = 0,
) -> tuple[Floats, Floats]:
    """Mean reflectance of parcels as it would be measured in the images of a pass.

    Parameters
    ----------
    reflectance : (parcels, 12), true means, bands of `SURFACE_BANDS`; of all parcels of the chunk, because each
        borders another.
    view, sky : of the pass.

    Returns
    -------
    observed : float32 (parcels, 12), NaN where nothing of the parcel is seen.
    valid : float32 (parcels,), share of the parcel's pixels that count.
    """
    from scipy.special import ndtri

    air = make_atmosphere(weather, view.flight, seed, cell + 1)
    rng = generator(seed, Stream.SERIES_OPTICAL, 1, chunk, view.flight.start.toordinal())
    red, infrared = reflectance[:, _RED], reflectance[:, _INFRARED]
    bright = (red > BRIGHT_SOIL) & ((infrared - red) < 0.3 * (infrared + red))
    limit = ndtri(np.clip(sky.errors.soil_as_cloud, 1e-9, 1))
    valid = np.where(bright & (view.soil_draw < limit), 0, view.valid).astype(np.float32)
    neighbour = generator(seed, Stream.SERIES_OPTICAL, 2, chunk).permutation(len(reflectance))
    wide = np.sqrt(area_m2 / np.float32(_IMAGE_PIXEL_AREA))
    lent = np.minimum(_FROM_NEIGHBOURS / np.maximum(wide, 1), _MOST_FROM_NEIGHBOURS).astype(np.float32)
    mixed = reflectance + lent[:, None] * (reflectance[neighbour] - reflectance)
    pixels = np.maximum(valid * area_m2 / _IMAGE_PIXEL_AREA, 1)
    observed = np.empty(reflectance.shape, dtype=np.float32)
    uneven = np.float32(air.uneven) * view.haze
    for band in range(len(SURFACE_BANDS)):
        seen = seen_through(mixed[:, band], band, view.low, view.cirrus, view.shade)
        seen = seen * air.gain[band] + air.offset[band] + HAZE_COLOR[band] * uneven
        deviation = noise_deviation(seen, band, view.flight.sun_zenith) / np.sqrt(pixels)
        observed[:, band] = seen + deviation * rng.standard_normal(len(seen), dtype=np.float32)
    observed[valid == 0] = np.nan
    return observed, valid


def _means(layers: Floats, place: npt.NDArray[np.float64], half: npt.NDArray[np.floating]) -> Floats:
    """Means (layers, parcels) over squares around places, in pixels; opposite edges of the layers join."""
    side = layers.shape[1]
    margin = int(np.ceil(half.max())) + 1
    wrapped = np.pad(layers, ((0, 0), (margin, margin), (margin, margin)), mode="wrap").astype(np.float64)
    sums = np.zeros((len(layers), wrapped.shape[1] + 1, wrapped.shape[2] + 1))
    sums[:, 1:, 1:] = wrapped.cumsum(axis=1).cumsum(axis=2)

    def up_to(row: npt.NDArray[np.float64], column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        first, second = row.astype(np.int64), column.astype(np.int64)
        down, right = row - first, column - second
        return np.asarray(
            (1 - down) * ((1 - right) * sums[:, first, second] + right * sums[:, first, second + 1])
            + down * ((1 - right) * sums[:, first + 1, second] + right * sums[:, first + 1, second + 1])
        )

    top, bottom = place[0] + margin - half, place[0] + margin + half
    left, right = place[1] + margin - half, place[1] + margin + half
    total = up_to(bottom, right) - up_to(top, right) - up_to(bottom, left) + up_to(top, left)
    if margin > side:
        raise InputError(
            f"a parcel of {2 * half.max() * PIXEL_M:.0f} m does not fit under a sky of {side * PIXEL_M:.0f} m"
        )
    return np.asarray(total / (2 * half) ** 2, dtype=np.float32)
