"""Synthetic calibration parcels of rare classes, SMOTE (spec/l4a-crop-type.md §8).

imbalanced-learn's ``SMOTE`` does not fit: it draws (parcel, neighbour) pairs at random, so some parcels are used often
and others never, it measures distances and interpolates in the same space, and it fails on a class with no more parcels
than neighbours. The neighbour search is scikit-learn's, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.strategies import class_generator

Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Synthetic:
    """Synthetic parcels: each lies between a calibration parcel and one of its nearest neighbours of the same class.

    Parameters
    ----------
    base, neighbour : int64 (S,), rows of the calibration matrix; the same one where a class has a single parcel.
    step : float32 (S,), how far from base to neighbour, in [0, 1).
    class_number : int32 (S,).
    """

    base: Int64
    neighbour: Int64
    step: Floats
    class_number: Int32

    def __len__(self) -> int:
        return len(self.base)

    def values(self, calibration: Floats) -> Floats:
        """Return the features, float32 (S, F), in the units of `calibration` (N, F)."""
        base = calibration[self.base]
        return base + self.step[:, None] * (calibration[self.neighbour] - base)


def oversample(calibration: Floats, class_number: Int32, settings: CropSettings) -> Synthetic:
    """Fill every class up to ``smote-target``; classes that have as many are left as they are.

    Parameters
    ----------
    calibration : float32 (N, F), without missing values, rows in an order that does not depend on chance.
    class_number : int32 (N,).
    """
    target = settings.smote_target
    space = standardised(calibration) if settings.smote_standardise and target > 0 else calibration
    parts = [
        _of_class(space, np.flatnonzero(class_number == number), int(number), settings)
        for number, count in zip(*np.unique(class_number, return_counts=True), strict=True)
        if count < target
    ]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Synthetic(none, none, np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int32))
    return Synthetic(
        np.concatenate([one.base for one in parts]),
        np.concatenate([one.neighbour for one in parts]),
        np.concatenate([one.step for one in parts]),
        np.concatenate([one.class_number for one in parts]),
    )


def standardised(values: Floats) -> Floats:
    """Return z-scores, float32 (N, F'); columns that are the same everywhere are left out."""
    mean = values.mean(axis=0, dtype=np.float64)
    std = values.std(axis=0, dtype=np.float64)
    varies = (std > 0) & (values != values[:1]).any(axis=0)
    scores: Floats = ((values[:, varies] - mean[varies]) / std[varies]).astype(np.float32)
    return scores


def nearest(values: Floats, number: int) -> Int64:
    """Return the nearest other rows of each row, int64 (N, min(number, N - 1)), nearest first, Euclidean, exact."""
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    if len(values) == 1 or values.shape[1] == 0:
        others = np.arange(len(values))[:, None] + np.arange(1, min(number, len(values) - 1) + 1)
        return others % len(values)
    search = NearestNeighbors(n_neighbors=min(number, len(values) - 1), algorithm="brute").fit(values)
    # It would take every core, whatever threads the caller allows.
    with threadpool_limits(limits=1):
        found: Int64 = search.kneighbors(return_distance=False).astype(np.int64)
    return found


def _of_class(space: Floats, members: Int64, number: int, settings: CropSettings) -> Synthetic:
    count, wanted = len(members), settings.smote_target - len(members)
    generator = class_generator(settings.seed, number, "synthetic")
    base = generator.permutation(count)[np.arange(wanted) % count]
    step = generator.random(wanted, dtype=np.float32)
    neighbours = nearest(space[members], settings.smote_k)
    if neighbours.shape[1] == 0:
        neighbour = base
    else:
        neighbour = neighbours[base, generator.integers(0, neighbours.shape[1], wanted)]
    return Synthetic(members[base], members[neighbour], step, np.full(wanted, number, dtype=np.int32))
