"""Holdings: who farms which parcel, and the identifiers an agency gives both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.streams import Stream, generator

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEDIAN_PARCELS: Final = 9.0
_SIGMA: Final = 0.8  # of the logarithm of a holding's size
_LARGEST: Final = 300.0
_SCATTERED: Final = 0.05  # parcels far from their farm
_NEAREST: Final = 16
_FIRST_NUMBER: Final = 200_100_003
_STEP: Final = 37  # numbers are not consecutive


@dataclass(frozen=True, slots=True)
class Holdings:
    """Who farms what.

    Parameters
    ----------
    holding : int64 (parcels,), 0 and up without gaps.
    number : (holdings,) registration numbers.
    ori_id : (parcels,) holding's number and the parcel's number within it, unique.
    """

    holding: Ints
    number: tuple[str, ...]
    ori_id: tuple[str, ...]

    @property
    def of_parcel(self) -> tuple[str, ...]:
        """Registration number of each parcel's holding."""
        return tuple(self.number[position] for position in self.holding)


def clustered_holdings(places: Floats, seed: int) -> Holdings:
    """Give parcels to farms near them; large farms reach farther, and some parcels lie among other farms' land.

    Parameters
    ----------
    places : float64 (parcels, 2), metres.
    """
    from scipy.spatial import cKDTree

    rng = generator(seed, Stream.HOLDINGS)
    count = len(places)
    sizes = _sizes(count, rng)
    farms = len(sizes)
    yard = places[rng.choice(count, farms, replace=False)] + rng.normal(0, 50, (farms, 2))
    near = min(farms, _NEAREST)
    distance, farm = cKDTree(yard).query(places, k=near)
    distance, farm = np.reshape(distance, (count, near)), np.reshape(farm, (count, near))
    # Land grows with the square of the distance.
    nearest = (distance / np.sqrt(sizes[farm])).argmin(axis=1)
    holding = farm[np.arange(count), nearest].astype(np.int64)
    scattered = rng.choice(count, round(_SCATTERED * count), replace=False)
    holding[scattered] = rng.permutation(holding[scattered])
    return _named(np.unique(holding, return_inverse=True)[1], rng)


def listed_holdings(count: int, rng: np.random.Generator) -> Ints:
    """Farms of parcels without a place: one after the other, int64 (count,)."""
    sizes = np.ceil(_sizes(2 * count, rng)).astype(np.int64)
    while sizes.sum() < count:
        sizes = np.concatenate([sizes, np.ceil(_sizes(count, rng)).astype(np.int64)])
    return np.repeat(np.arange(len(sizes)), sizes)[:count]


def _sizes(count: int, rng: np.random.Generator) -> Floats:
    """Sizes of about as many farms as have ``count`` parcels."""
    mean = MEDIAN_PARCELS * np.exp(_SIGMA**2 / 2)
    drawn = rng.lognormal(np.log(MEDIAN_PARCELS), _SIGMA, max(1, round(count / mean)))
    return np.asarray(np.minimum(drawn, _LARGEST))


def _named(holding: Ints, rng: np.random.Generator) -> Holdings:
    farms = int(holding.max()) + 1
    numbers = _FIRST_NUMBER + _STEP * rng.permutation(farms)
    order = np.argsort(holding, kind="stable")
    first = np.searchsorted(holding[order], np.arange(farms))
    within = np.empty(len(holding), dtype=np.int64)
    within[order] = np.arange(len(holding)) - first[holding[order]] + 1
    names = tuple(str(number) for number in numbers)
    ids = tuple(f"{names[farm]}-{parcel}" for farm, parcel in zip(holding, within, strict=True))
    return Holdings(holding, names, ids)
