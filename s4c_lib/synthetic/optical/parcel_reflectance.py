"""Reflectance of parcels and of the ground between them on one day, before pixels, sky and sensor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy
from s4c_lib.synthetic.crops import CROPS, Cover, Growth, ParcelTraits
from s4c_lib.synthetic.optical.canopy_reflectance import PlantState, ReflectanceTable
from s4c_lib.synthetic.optical.leaves import LeafKind, ground_weights, kinds_of_crops
from s4c_lib.synthetic.optical.spectral_response import SURFACE_BANDS

Floats = npt.NDArray[np.float32]

# Leaf area of places within a parcel, relative to its mean: nodes between which images interpolate.
FACTORS: Final = (0.6, 0.8, 1.0, 1.2, 1.4)


# Trees in rows are darker than a turbid layer of their leaf area (grass and trees together), because crowns shade one
# another and the grass: visible and infrared.
_ORCHARD_LIT: Final = (0.80, 0.88)
# Forest is darker than a turbid layer of the same leaf area, because crowns shade one another (Rautiainen & Stenberg
# 2005; Schlerf & Atzberger 2006).
_FOREST_LIT: Final = (0.62, 0.72)
_VISIBLE: Final = np.array([band < "B05" for band in SURFACE_BANDS])

# Roofs, roads and gardens mixed at 10 m; water with some sediment; rough values of spectral libraries
# (Herold et al. 2004 for towns, Ruddick et al. 2006 for turbid water).
_BUILT_UP: Final = np.array(
    [0.105, 0.115, 0.130, 0.140, 0.160, 0.195, 0.210, 0.220, 0.225, 0.230, 0.235, 0.200], dtype=np.float32
)
_WATER: Final = np.array(
    [0.030, 0.034, 0.045, 0.030, 0.027, 0.014, 0.014, 0.012, 0.010, 0.009, 0.004, 0.003], dtype=np.float32
)


def parcel_reflectance(
    traits: ParcelTraits, canopy: Canopy, day: date, table: ReflectanceTable, factors: Sequence[float] = FACTORS
) -> Floats:
    """Reflectance of parcels on a day.

    Parameters
    ----------
    canopy : of the parcels of ``traits``.
    factors : multiply the leaf area, for what differs within a parcel.

    Returns
    -------
    float32 (parcels, factors, 12), bands of `SURFACE_BANDS`.

    Raises
    ------
    InputError
        When the canopy has another number of parcels, or no such day.
    """
    if len(traits) != len(canopy.green_lai):
        raise InputError(f"{len(traits)} parcels have a canopy of {len(canopy.green_lai)}")
    seen = table.reflectance(_plants(canopy, day, kinds_of_crops()[traits.crop]), factors)
    orchard = np.array([crop.growth == Growth.ORCHARD for crop in CROPS])[traits.crop]
    seen[orchard] *= _by_light(_ORCHARD_LIT)
    return seen


def cover_reflectance(canopy: Canopy, day: date, table: ReflectanceTable, factors: Sequence[float] = FACTORS) -> Floats:
    """Reflectance of undeclared ground on a day.

    Parameters
    ----------
    canopy : one row for each `Cover`, in their order; the rows of towns and water are not used.

    Returns
    -------
    float32 (covers, factors, 12), bands of `SURFACE_BANDS`.

    Raises
    ------
    InputError
        When the canopy has another number of rows, or no such day.
    """
    covers = list(Cover)
    if len(canopy.green_lai) != len(covers):
        raise InputError(f"{len(canopy.green_lai)} rows are not the {len(covers)} covers")
    kinds = np.array([int(LeafKind.BROAD if cover == Cover.FOREST else LeafKind.GRASS) for cover in covers])
    seen = table.reflectance(_plants(canopy, day, kinds), factors)
    # Here the factors stand for other ground, not for leaves: crowns and their shadows, roofs and streets, ripples.
    apart = (np.asarray(factors, dtype=np.float32) - 1)[:, None]
    seen[covers.index(Cover.FOREST)] *= _by_light(_FOREST_LIT) * (1 + np.float32(0.9) * apart)
    seen[covers.index(Cover.BUILT_UP)] = _BUILT_UP * np.maximum(1 + 2.5 * apart, 0.2)
    seen[covers.index(Cover.WATER)] = _WATER * (1 + 0.5 * apart)
    return seen


def _plants(canopy: Canopy, day: date, kinds: npt.NDArray[np.int64]) -> PlantState:
    at = _column(canopy, day)
    return PlantState(
        kinds,
        canopy.green_lai[:, at],
        canopy.brown_lai[:, at],
        canopy.chlorophyll[:, at],
        canopy.leaf_angle[:, at],
        ground_weights(canopy.soil_brightness[:, at], canopy.soil_wetness[:, at], canopy.residue[:, at]),
    )


def _by_light(lit: tuple[float, float]) -> Floats:
    return np.where(_VISIBLE, np.float32(lit[0]), np.float32(lit[1]))


def _column(canopy: Canopy, day: date) -> int:
    at = canopy.index(day)
    if not 0 <= at < canopy.days:
        raise InputError(f"{day} is not among the {canopy.days} days from {canopy.first_day}")
    return at
