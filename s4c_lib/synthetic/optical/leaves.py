"""Leaves and ground under them: PROSPECT parameters by kind of plant, spectra of soil and straw.

Leaves: PROSPECT-D (Feret et al. 2017) through the package `prosail`. Structure, dry matter and water within the ranges
measured for the crops: Jacquemoud & Baret (1990), Haboudane et al. (2004), Vohland et al. (2010), Botha et al. (2010);
the same ranges train SL2P (Weiss & Baret 2016). Carotenoids are a quarter of chlorophyll (there; Feret et al. 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Growth

Doubles = npt.NDArray[np.float64]


class LeafKind(IntEnum):
    """Kinds of leaves with spectra of their own."""

    GRASS = 0
    BROAD = 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """PROSPECT parameters that do not change in a season.

    Parameters
    ----------
    structure : N, count of layers. dry_matter, water : g/cm2.
    brown : brown pigments of green leaves. hot_spot : leaf size over canopy height, for 4SAIL.
    """

    structure: float
    dry_matter: float
    water: float
    brown: float
    hot_spot: float


LEAVES: Final[dict[LeafKind, Leaf]] = {
    LeafKind.GRASS: Leaf(1.45, 0.0050, 0.0150, 0.0, 0.15),
    LeafKind.BROAD: Leaf(1.60, 0.0050, 0.0170, 0.0, 0.20),
}
# Dead leaves and straw standing: hardly any chlorophyll or water, brown pigments (Jacquemoud & Baret 1990 C_brown).
DEAD_CHLOROPHYLL, DEAD_CAROTENOIDS, DEAD_LEAF = 0.4, 2.0, Leaf(2.0, 0.0090, 0.0030, 0.5, 0.15)
# Litter is a pile of dead leaves with gaps and shadows between: reflectance of the pile, by this share.
LITTER_LIGHT: Final = 0.68

_GRASSES: Final = frozenset(
    {
        Growth.WINTER_WHEAT, Growth.WINTER_BARLEY, Growth.SPRING_BARLEY, Growth.MAIZE, Growth.ONION, Growth.GRASS_SEED,
        Growth.GRASSLAND, Growth.ROUGH_GRASS, Growth.FALLOW,
    }
)  # fmt: skip


def leaf_kind(growth: Growth) -> LeafKind:
    """Leaves of a crop."""
    return LeafKind.GRASS if growth in _GRASSES else LeafKind.BROAD


def kinds_of_crops() -> npt.NDArray[np.int64]:
    """`LeafKind` of each crop, in the order of `CROPS`."""
    return np.array([int(leaf_kind(crop.growth)) for crop in CROPS])


def green_leaf(kind: LeafKind, chlorophyll: float) -> tuple[Doubles, Doubles]:
    """Reflectance and transmittance of a green leaf, float64 (2101,), 400-2500 nm."""
    from prosail import run_prospect

    leaf = LEAVES[kind]
    _, reflectance, transmittance = run_prospect(
        leaf.structure, chlorophyll, chlorophyll / 4, leaf.brown, leaf.water, leaf.dry_matter
    )
    return reflectance, transmittance


@cache
def dead_leaf() -> tuple[Doubles, Doubles]:
    """Reflectance and transmittance of a dead leaf, float64 (2101,), 400-2500 nm."""
    from prosail import run_prospect

    leaf = DEAD_LEAF
    _, reflectance, transmittance = run_prospect(
        leaf.structure, DEAD_CHLOROPHYLL, DEAD_CAROTENOIDS, leaf.brown, leaf.water, leaf.dry_matter
    )
    return reflectance, transmittance


@cache
def ground_spectra() -> Doubles:
    """Reflectance of dry soil, wet soil and litter, float64 (3, 2101), 400-2500 nm.

    Soils are those of PROSAIL (Verhoef & Bach 2007). Litter is an endless pile of dead leaves (Stokes 1862), darkened
    by its shadows; at 490, 665, 865, 1610 and 2200 nm near the wheat straw of Daughtry (2001) and Nagler et al. (2003).
    """
    from prosail import spectral_lib

    r, t = dead_leaf()
    root = np.sqrt((1 + r + t) * (1 + r - t) * (1 - r + t) * (1 - r - t))
    pile = 2 * r / (1 + r**2 - t**2 + root)
    return np.stack([spectral_lib.soil.rsoil1, spectral_lib.soil.rsoil2, LITTER_LIGHT * pile])


# Soil shows between the two ends of PROSAIL: air-dry sandy loam and nearly saturated.
_DRY_AT_MOST, _DRY_AT_LEAST = 0.62, 0.13
# Water darkens most while little of it is there (Lobell & Asner 2002).
_DARKENING = 2.5
_WET_LITTER = 0.30
# Humous sand and loam of the low countries are darker than the soils of PROSAIL (Stoner & Baumgardner 1981).
_SOIL_LIGHT = 0.78


def ground_weights(
    brightness: npt.ArrayLike, wetness: npt.ArrayLike, residue: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Weights of `ground_spectra` that give the ground's reflectance.

    Parameters
    ----------
    brightness : of a mean soil 1; in a `Canopy` it holds the shadows between clods. wetness, residue : 0..1.

    Returns
    -------
    float32 (..., 3).
    """
    light, wet, litter = np.broadcast_arrays(brightness, wetness, residue)
    wet, litter = np.clip(wet, 0.0, 1.0), np.clip(litter, 0.0, 1.0)
    drop = np.expm1(-_DARKENING * wet) / np.expm1(-_DARKENING)
    dry = _DRY_AT_MOST - (_DRY_AT_MOST - _DRY_AT_LEAST) * drop
    soil = (1 - litter) * light * _SOIL_LIGHT
    return np.stack([soil * dry, soil * (1 - dry), litter * (1 - _WET_LITTER * wet)], axis=-1).astype(np.float32)
