"""Images of a Sentinel-2 granule: a scene as digital numbers at every resolution, encoded once for all tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.products.raster_files import jpeg2000
from s4c_lib.synthetic.products.sentinel2_bands import NATIVE_METRES
from s4c_lib.synthetic.products.sentinel2_product import added_to_numbers

# Layers of an L2A of baseline 05.xx at each resolution, in the order of the product's list of images.
L2A_LAYERS = {
    10: ("B02", "B03", "B04", "B08", "TCI", "AOT", "WVP"),
    20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12", "TCI", "AOT", "WVP", "SCL"),
    60: (
        "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12", "TCI", "AOT", "WVP", "SCL",
    ),
}  # fmt: skip
RESOLUTIONS = (10, 20, 60)
_SCALE = 10000
_AUXILIARY_SCALE = 1000
# Reflectance shown as 255 in the true-colour image (ESA, Sentinel-2 products specification: 2000 at L2A, 3558 at L1C).
_WHITE = {"L2A": 0.2, "L1C": 0.3558}
_TRUE_COLOUR = ("B04", "B03", "B02")
_SNOW = 11

Numbers = npt.NDArray[np.uint16]
Reflectance = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class GranuleImages:
    """Encoded images of a granule, without the names that a tile gives them.

    Parameters
    ----------
    grids : what the resolution of the name (10, 20, 60) means on the ground.
    layers : (layer, resolution) -> JP2. masks : name in ``QI_DATA`` without suffix -> JP2.
    class_pct : share of each class of the scene classification among the pixels with data, %; class 0 of all pixels.
    aerosol, water_vapour : means of the granule.
    """

    grids: Mapping[int, PixelGrid]
    layers: Mapping[tuple[str, int], bytes]
    masks: Mapping[str, bytes]
    class_pct: tuple[float, ...]
    aerosol: float
    water_vapour: float


def digital_numbers(reflectance: Reflectance, baseline: int, empty: npt.NDArray[np.bool_] | None = None) -> Numbers:
    """Reflectance as uint16: rounded x 10000 plus the baseline's constant, within 1 to 65535.

    NaN and what ``empty`` marks become 0, no data.
    """
    numbers = np.rint(reflectance * _SCALE) + added_to_numbers(baseline)
    missing = np.isnan(numbers)
    if empty is not None:
        missing |= empty
    return np.where(missing, 0, np.clip(numbers, 1, 65535)).astype(np.uint16)


def l2a_arrays(scene: OpticalScene, baseline: int) -> dict[tuple[str, int], npt.NDArray[Any]]:
    """Every layer of an L2A: (layer, resolution) -> uint16 or uint8 (rows, columns), TCI uint8 (3, rows, columns).

    A band coarser than the resolution is repeated, a finer one averaged as reflectance; the classification at 60 m
    is that of the middle pixel.
    """
    arrays: dict[tuple[str, int], npt.NDArray[Any]] = {}
    for metres, layers in L2A_LAYERS.items():
        empty = no_data(scene, metres)
        for layer in layers:
            if layer in BAND_METRES:
                values = at_resolution(scene.bands[layer], BAND_METRES[layer], metres)
                arrays[layer, metres] = digital_numbers(values, baseline, empty)
        red_green_blue = np.stack([arrays[band, metres] for band in _TRUE_COLOUR])
        arrays["TCI", metres] = true_colour(red_green_blue, baseline, "L2A")
        for layer, value in (("AOT", scene.aerosol), ("WVP", scene.water_vapour)):
            arrays[layer, metres] = np.where(empty, 0, round(value * _AUXILIARY_SCALE)).astype(np.uint16)
    arrays["SCL", 20] = scene.scene_class
    arrays["SCL", 60] = np.ascontiguousarray(scene.scene_class[1::3, 1::3])
    return arrays


def l2a_masks(scene: OpticalScene) -> dict[str, npt.NDArray[np.uint8]]:
    """Probabilities of cloud and snow, %: name without suffix -> uint8 (rows, columns)."""
    snow = np.where(scene.scene_class == _SNOW, 100, 0).astype(np.uint8)
    return {
        f"{name}_{metres}m": np.rint(at_resolution(values.astype(np.float32), 20, metres)).astype(np.uint8)
        for name, values in (("MSK_CLDPRB", scene.cloud_probability), ("MSK_SNWPRB", snow))
        for metres in (20, 60)
    }


def l1c_arrays(
    scene: OpticalScene, bands: Mapping[str, Reflectance], baseline: int
) -> dict[tuple[str, int], npt.NDArray[Any]]:
    """Every image of an L1C from the scene's reflectances above the atmosphere, at native resolution; TCI at 10 m."""
    empty = {metres: no_data(scene, metres) for metres in RESOLUTIONS}
    arrays: dict[tuple[str, int], npt.NDArray[Any]] = {
        (band, metres): digital_numbers(bands[band], baseline, empty[metres]) for band, metres in NATIVE_METRES.items()
    }
    red_green_blue = np.stack([arrays[band, 10] for band in _TRUE_COLOUR])
    arrays["TCI", 10] = true_colour(red_green_blue, baseline, "L1C")
    return arrays


def cloud_classes(scene: OpticalScene) -> npt.NDArray[np.uint8]:
    """``MSK_CLASSI`` of an L1C: opaque cloud, cirrus and snow as 1, uint8 (3, rows, columns) at 60 m."""
    middle = scene.scene_class[1::3, 1::3]
    return np.stack([np.isin(middle, (8, 9)), middle == 10, middle == _SNOW]).astype(np.uint8)


def encoded(
    scene: OpticalScene, arrays: Mapping[tuple[str, int], npt.NDArray[Any]], masks: Mapping[str, npt.NDArray[Any]]
) -> GranuleImages:
    """Encode the layers and masks of a scene."""
    grids = {metres: scene.grid.resized(metres) for metres in RESOLUTIONS}
    return GranuleImages(
        grids=grids,
        layers={(layer, metres): jpeg2000(array, grids[metres]) for (layer, metres), array in arrays.items()},
        masks={name: jpeg2000(array, grids[20 if name.endswith("20m") else 60]) for name, array in masks.items()},
        class_pct=class_shares(scene.scene_class),
        aerosol=scene.aerosol,
        water_vapour=scene.water_vapour,
    )


def class_shares(scene_class: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    """Share of classes 0 to 11, %; class 0 of all pixels, the others of those with data."""
    counts = np.bincount(scene_class.ravel(), minlength=12)[:12]
    with_data = max(1, int(counts[1:].sum()))
    return (100 * counts[0] / scene_class.size, *(100 * count / with_data for count in counts[1:]))


def at_resolution(array: npt.NDArray[Any], native: int, metres: int) -> npt.NDArray[Any]:
    """Bring a band to another resolution: means of whole blocks, or repeated pixels (20 m is 3 of 60 m)."""
    if metres > native:
        factor = metres // native
        rows, columns = array.shape
        return np.asarray(array.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3)))
    if metres < native:
        factor = native // metres
        return np.repeat(np.repeat(array, factor, axis=0), factor, axis=1)
    return array


def no_data(scene: OpticalScene, metres: int) -> npt.NDArray[np.bool_]:
    """Pixels of a resolution whose ground the scene classification calls no data (class 0)."""
    empty = scene.scene_class == 0
    return np.asarray(at_resolution(empty, 20, metres) > 0)


def true_colour(red_green_blue: Numbers, baseline: int, level: str) -> npt.NDArray[np.uint8]:
    """Digital numbers (3, rows, columns) as bytes 1 to 255; 0 stays no data."""
    white = _WHITE[level] * _SCALE
    stretched = np.rint((red_green_blue.astype(np.float32) - added_to_numbers(baseline)) * (255 / white))
    return np.where(red_green_blue == 0, 0, np.clip(stretched, 1, 255)).astype(np.uint8)
