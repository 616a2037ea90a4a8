"""From parcels to what an L2A shows: mixed pixels, texture, sky, instrument, scene classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.crops import Cover
from s4c_lib.synthetic.optical.atmosphere import (
    HAZE_COLOR,
    make_atmosphere,
    noise_deviation,
    spread_blur,
    tile_residual,
)
from s4c_lib.synthetic.optical.clouds import CLOUD_THICKNESS, CloudView, cloud_domain, seen_through, view_clouds
from s4c_lib.synthetic.optical.parcel_reflectance import FACTORS
from s4c_lib.synthetic.optical.random_fields import Floats, smooth_field
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.optical.scene_classes import PassSky, classify, detect
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS
from s4c_lib.synthetic.optical.texture import Texture
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.streams import Stream, generator

_CLASS_M: Final = 20
_HAZE_M: Final = 2500.0
_RED, _INFRARED = SURFACE_BANDS.index("B04"), SURFACE_BANDS.index("B08")


def true_surface(
    fractions: PixelFractions, curves: Floats, texture: Texture, day: int, factors: tuple[float, ...] = FACTORS
) -> dict[str, Floats]:
    """Reflectance of the ground, without sky, correction and instrument.

    Parameters
    ----------
    fractions : objects of the 10 m pixels: parcels in the order of their traits, then the covers.
    curves : (objects, factors, 12) from `parcel_reflectance`, then `cover_reflectance`.
    day : ordinal of the date.

    Returns
    -------
    float32 (rows, columns) of each band at its native pixel.

    Raises
    ------
    InputError
        When an object has no curve, or curves and factors do not fit.
    """
    if curves.shape[1:] != (len(factors), len(SURFACE_BANDS)):
        raise InputError(f"reflectance curves of shape {curves.shape} do not have {len(factors)} factors and 12 bands")
    if fractions.objects.max() >= len(curves):
        raise InputError(f"object {fractions.objects.max()} has no reflectance; there are {len(curves)}")
    nodes = np.asarray(factors, dtype=np.float32)
    wanted = texture.leaf_factor(day).ravel()
    low = np.clip(np.searchsorted(nodes, wanted, side="right") - 1, 0, len(nodes) - 2)
    part = (wanted - nodes[low]) / (nodes[low + 1] - nodes[low])
    pixels = fractions.pixels
    low, part = low[pixels], part[pixels][:, None]
    first = fractions.objects.astype(np.int64) * len(nodes) + low
    flat = np.ascontiguousarray(curves, dtype=np.float32).reshape(-1, len(SURFACE_BANDS))
    entries = flat[first]
    entries += part * (flat[first + 1] - entries)
    whole = np.ascontiguousarray(np.moveaxis(fractions.combine(entries), 2, 0))
    # Patches of soil show where leaves leave it open (share of soil seen: Carlson & Ripley 1997).
    ndvi = (whole[_INFRARED] - whole[_RED]) / np.maximum(whole[_INFRARED] + whole[_RED], np.float32(1e-3))
    covered = np.clip((ndvi - np.float32(0.12)) / np.float32(0.76), 0, 1)
    whole *= 1 + (texture.soil - 1) * (1 - covered) ** 2
    return {name: _mean(band, BAND_METRES[name] // 10) for name, band in zip(SURFACE_BANDS, whole, strict=True)}


def make_scene(
    fractions: PixelFractions,
    parcels: int,
    surface: Mapping[str, Floats],
    weather: Weather,
    flight: OpticalPass,
    sky: PassSky,
    seed: int,
) -> OpticalScene:
    """The window as one pass shows it after atmospheric correction.

    Parameters
    ----------
    fractions : of the 10 m pixels. parcels : their count; the objects after them are the covers, in order.
    surface : from `true_surface`.
    sky : of this pass, from `plan_sky`.
    seed : with the pass it decides everything drawn here.
    """
    grid = fractions.grid
    day = flight.start.toordinal()
    classes_grid = grid.resized(_CLASS_M)
    shape = classes_grid.shape
    side = cloud_domain(max(grid.shape) * grid.pixel, _CLASS_M)
    domain = view_clouds(flight, sky.cover, side, _CLASS_M, seed)
    view = CloudView(*(_part(field, shape) for field in (domain.low, domain.cirrus, domain.shade)))
    views = {20: view, 10: _finer(view), 60: _coarser(view)}
    air = make_atmosphere(weather, flight, seed)
    noise = generator(seed, Stream.OPTICAL_NOISE, day)
    uneven = np.float32(air.uneven) * smooth_field(noise, grid.shape, grid.pixel, _HAZE_M)
    uneven_by = {metres: _mean(uneven, metres // 10) for metres in (10, 20, 60)}

    bands = {}
    for number, name in enumerate(SURFACE_BANDS):
        metres = BAND_METRES[name]
        clouds = views[metres]
        seen = seen_through(surface[name], number, clouds.low, clouds.cirrus, clouds.shade)
        seen = _blurred(seen, spread_blur(metres))
        seen = seen * air.gain[number] + air.offset[number] + HAZE_COLOR[number] * uneven_by[metres]
        deviation = noise_deviation(seen, number, flight.sun_zenith)
        bands[name] = seen + deviation * noise.standard_normal(seen.shape, dtype=np.float32)

    rng = generator(seed, Stream.CLASSIFICATION, day)
    found = detect(view, sky, _CLASS_M, rng)
    red, infrared = _mean(surface["B04"], 2), _mean(surface["B08"], 2)
    is_water = (fractions.objects == parcels + list(Cover).index(Cover.WATER)).astype(np.float32)
    water = _mean(fractions.combine(is_water), 2) > 0.5
    classes, probability = classify(view, found, red, infrared, water, sky.errors, _CLASS_M, rng)
    fine = views[10]
    return OpticalScene(grid, bands, classes, probability, fine.cloud, fine.shadow, air.aerosol, air.water_vapour)


def as_tile(scene: OpticalScene, flight: OpticalPass, tile: str, seed: int) -> OpticalScene:
    """The scene as one tile's product holds it: each tile's atmospheric correction differs a little.

    Parameters
    ----------
    tile : name, for instance ``31UFS``.
    """
    gain, offset = tile_residual(flight, tile, seed)
    bands = {name: scene.bands[name] * gain[k] + offset[k] for k, name in enumerate(SURFACE_BANDS)}
    return replace(scene, bands=bands)


def _mean(values: Floats, times: int) -> Floats:
    if times == 1:
        return values
    rows, columns = (count // times for count in values.shape)
    return np.asarray(values.reshape(rows, times, columns, times).mean(axis=(1, 3)), dtype=np.float32)


def _part(field: Floats, shape: tuple[int, int]) -> Floats:
    return np.ascontiguousarray(field[: shape[0], : shape[1]])


def _finer(view: CloudView) -> CloudView:
    from scipy.ndimage import zoom

    # In logarithms, where clear air and thick cloud lie equally far from the least cloud: edges stay where they are.
    clear = np.float32(CLOUD_THICKNESS / 30)
    finer = []
    for field in _fields(view):
        logs = zoom(np.log(np.maximum(field, clear)), 2, order=1, grid_mode=True, mode="nearest")
        thickness = np.exp(logs)
        finer.append(np.where(thickness > clear * np.float32(1.1), thickness, np.float32(0)))
    return CloudView(*finer)


def _coarser(view: CloudView) -> CloudView:
    return CloudView(*(_mean(field, 3) for field in _fields(view)))


def _fields(view: CloudView) -> tuple[Floats, Floats, Floats]:
    return view.low, view.cirrus, view.shade


def _blurred(values: Floats, kernel: npt.NDArray[np.float64]) -> Floats:
    from scipy.ndimage import correlate1d

    for axis in (0, 1):
        values = correlate1d(values, kernel, axis=axis, mode="nearest")
    return values
