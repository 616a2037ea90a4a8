"""What differs within parcels: leaf area along the rows and in patches, and patches of soil.

Standard deviations within fields: leaf area 8-12 % between pixels of 10 m (Duveiller et al. 2011 for wheat; yield maps
show the same, Pringle et al. 2003), soil brightness about 6 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.optical.random_fields import Floats, smooth_field
from s4c_lib.synthetic.streams import Stream, generator

LEAST_LEAF_SPREAD, MOST_LEAF_SPREAD = 0.08, 0.12
SOIL_SPREAD: Final = 0.06
# Tramlines and passes of the spreader lie 24-36 m apart; they stand out weaker than the soil's patches.
_STREAK_M, _STREAK_SHARE = 27.0, 0.35
_PATCH_M, _FINE_M = 120.0, 25.0
# Share of the variance that is drawn anew on every date.
_CHANGING_SHARE: Final = 0.10
_LEAST, _MOST = 0.6, 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """Fixed for the season.

    Parameters
    ----------
    leaf : float32 (rows, columns), deviation of leaf area, mean 0 and variance 1.
    spread : float32 (rows, columns), its standard deviation, relative.
    soil : float32 (rows, columns), multiplies the reflectance of soil.
    seed : of the part that changes.
    """

    leaf: Floats
    spread: Floats
    soil: Floats
    seed: int

    def leaf_factor(self, day: int) -> Floats:
        """Leaf area of each pixel relative to its parcel's mean on a day (ordinal), float32 (rows, columns)."""
        rng = generator(self.seed, Stream.TEXTURE, 1, day)
        anew = rng.standard_normal(self.leaf.shape, dtype=np.float32)
        mixed = np.float32(np.sqrt(1 - _CHANGING_SHARE)) * self.leaf + np.float32(np.sqrt(_CHANGING_SHARE)) * anew
        return np.clip(1 + self.spread * mixed, _LEAST, _MOST)


def make_texture(grid: PixelGrid, main_object: npt.NDArray[np.int32], row_angle: Floats, seed: int) -> Texture:
    """Texture of a window.

    Parameters
    ----------
    grid : at 10 m.
    main_object : int32 (rows, columns), object with most of each pixel.
    row_angle : (objects,), direction of the rows, degrees clockwise from north; NaN for ground without rows.

    Raises
    ------
    InputError
        When an object has no row angle, or the shapes differ.
    """
    if main_object.shape != grid.shape:
        raise InputError(f"objects of {main_object.shape} pixels do not lie on a grid of {grid.shape}")
    if main_object.max() >= len(row_angle):
        raise InputError(f"object {main_object.max()} has no row angle; there are {len(row_angle)}")
    rng = generator(seed, Stream.TEXTURE, 0)
    patches = smooth_field(rng, grid.shape, grid.pixel, _PATCH_M)
    fine = smooth_field(rng, grid.shape, grid.pixel, _FINE_M)
    soil = smooth_field(rng, grid.shape, grid.pixel, _PATCH_M * 0.8)
    across = _streaks(rng, grid, main_object, np.radians(np.nan_to_num(row_angle)))
    across = np.where(np.isnan(row_angle)[main_object], fine, across)
    leaf = np.sqrt(_STREAK_SHARE) * across + np.sqrt(1 - _STREAK_SHARE) * (
        np.sqrt(0.65) * patches + np.sqrt(0.35) * fine
    )
    spread = rng.uniform(LEAST_LEAF_SPREAD, MOST_LEAF_SPREAD, len(row_angle)).astype(np.float32)
    # Poor soil is bright and bears less.
    bright = 0.8 * soil - 0.6 * patches
    return Texture(
        leaf.astype(np.float32),
        spread[main_object],
        np.clip(1 + np.float32(SOIL_SPREAD) * bright, 0.75, 1.25).astype(np.float32),
        seed,
    )


def _streaks(rng: np.random.Generator, grid: PixelGrid, main_object: npt.NDArray[np.int32], angle: Floats) -> Floats:
    """Noise that runs along the rows of each parcel, variance 1."""
    side = max(grid.shape) * grid.pixel
    steps = int(4 * side / _STREAK_M)
    noise = rng.standard_normal(steps).astype(np.float32)
    offset = rng.uniform(0, steps, len(angle))
    south, east = np.indices(grid.shape, dtype=np.float32) * np.float32(grid.pixel)
    across = east * np.cos(angle)[main_object] + south * np.sin(angle)[main_object]
    place = across / _STREAK_M * 2 + offset[main_object]
    low = np.floor(place)
    part = (place - low).astype(np.float32)
    first = low.astype(np.int64)
    mixed = (1 - part) * noise[first % steps] + part * noise[(first + 1) % steps]
    return np.asarray(mixed / np.sqrt((1 - part) ** 2 + part**2), dtype=np.float32)
