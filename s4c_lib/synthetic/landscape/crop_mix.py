"""Which crops a farm grows, and which crop is declared for which other by mistake."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, INDEX_OF_CODE, Growth, LandCover

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GUARANTEED: Final = 3  # parcels of every crop
GUARANTEED_FROM: Final = 300  # parcels
_CONCENTRATION: Final = 12.0  # of a farm's mix about that of its type
_ROUNDS: Final = 12
_SMALL_M2: Final = 5000.0
# Share of each crop grown by dairy, arable, mixed and fruit farms.
_TYPES: Final[dict[Growth, tuple[float, float, float, float]]] = {
    Growth.GRASSLAND: (0.75, 0.03, 0.18, 0.04),
    Growth.ROUGH_GRASS: (0.6, 0.1, 0.25, 0.05),
    Growth.MAIZE: (0.7, 0.05, 0.25, 0.0),
    Growth.FALLOW: (0.2, 0.5, 0.25, 0.05),
    Growth.LUCERNE: (0.4, 0.3, 0.3, 0.0),
    Growth.ORCHARD: (0.0, 0.05, 0.1, 0.85),
}
_FIELD_CROPS: Final = (0.05, 0.65, 0.3, 0.0)
# Seed of potatoes costs more than a corner of land; what a tiny plot or a strip carries is grass or nothing.
_ON_SMALL: Final = {Growth.GRASSLAND: 1.0, Growth.ROUGH_GRASS: 1.5, Growth.FALLOW: 2.0, Growth.ORCHARD: 0.5}
_CONFUSED: Final = (
    ("265", "266", 6.0),
    ("265", "331", 4.0),
    ("331", "332", 3.0),
    ("266", "383", 2.0),
    ("266", "258", 2.0),
    ("265", "6794", 2.0),
    ("259", "266", 3.0),
    ("259", "2014", 2.0),
    ("259", "256", 2.0),
    ("233", "235", 5.0),
    ("233", "236", 4.0),
    ("235", "236", 4.0),
    ("2014", "2017", 3.0),
    ("2014", "256", 3.0),
    ("256", "262", 2.0),
    ("242", "258", 1.0),
    ("1922", "233", 2.0),
)


def draw_crops(holding: Ints, area_m2: Floats, rng: np.random.Generator) -> Ints:
    """True crop of each parcel, position in `CROPS`: farms of four types, each with a mix of its own.

    The crops take their shares of the whole as exactly as whole parcels allow; from 300 parcels on, each has some.
    """
    count = len(holding)
    share = np.array([crop.share for crop in CROPS])
    share /= share.sum()
    grown = np.array([_TYPES.get(crop.growth, _FIELD_CROPS) for crop in CROPS]) * share[:, None]
    farms = int(holding.max()) + 1
    of_farm = rng.choice(grown.shape[1], farms, p=grown.sum(axis=0) / grown.sum())
    mix = (grown / grown.sum(axis=0)).T[of_farm]
    mix = rng.standard_gamma(_CONCENTRATION * mix + 1e-3) + 1e-4 * share
    small = np.array([_ON_SMALL.get(crop.growth, 0.0) for crop in CROPS])
    size = np.clip(area_m2 / _SMALL_M2, 0.02, 1.0)[:, None]
    chance = (mix / mix.sum(axis=1, keepdims=True))[holding] * (size + (1 - size) * small)
    # Fitting rows to one parcel and columns to the shares keeps the farms' mixes and the country's.
    for _ in range(_ROUNDS):
        chance *= share * count / np.maximum(chance.sum(axis=0), 1e-12)
        chance /= chance.sum(axis=1, keepdims=True)
    chance = np.cumsum(chance, axis=1)
    drawn = (chance < rng.random((count, 1)) * chance[:, -1:]).sum(axis=1).astype(np.int64)
    return _guaranteed(drawn, area_m2, rng) if count >= GUARANTEED_FROM else drawn


def confuse(crop: Ints, rng: np.random.Generator) -> Ints:
    """A wrong crop for each, by how easily the two are taken for each other."""
    chance = np.cumsum(_confusion()[crop], axis=1)
    return np.asarray((chance < rng.random((len(crop), 1)) * chance[:, -1:]).sum(axis=1), dtype=np.int64)


def _guaranteed(crop: Ints, area_m2: Floats, rng: np.random.Generator) -> Ints:
    """Some parcels of every crop, taken from crops that have many; of a size that a satellite sees."""
    roomy = area_m2 > np.median(area_m2)
    for rare in range(len(CROPS)):
        held = np.bincount(crop, minlength=len(CROPS))
        missing = GUARANTEED - int(held[rare])
        if missing > 0:
            crop[rng.choice(np.flatnonzero(roomy & (crop == held.argmax())), missing, replace=False)] = rare
    return crop


def _confusion() -> Floats:
    cover = np.array([crop.land_cover for crop in CROPS])
    same = cover[:, None] == cover
    weight = np.where(same, 0.3, 0.05)
    weight[:, cover == LandCover.PERMANENT] = 0.02
    for one, other, value in _CONFUSED:
        first, second = INDEX_OF_CODE[one], INDEX_OF_CODE[other]
        weight[first, second] = weight[second, first] = value
    np.fill_diagonal(weight, 0.0)
    return np.asarray(weight)
