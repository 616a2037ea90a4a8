"""Linear discriminant analysis that speaks beside the forest (Friedman 1989, Regularized Discriminant Analysis).

A forest looks at one feature at a time. A crop that differs a little on every date, as crops of few parcels do that
look like a frequent one, it finds late or never; a weighted sum of all features finds it. Both are averaged.

Backscatter is taken in decibels. Its ratios are then differences of features, and what is summarised over months or the
season repeats the weeks: a sum gains nothing from either but noise, and the forest has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

SHRINKAGE: Final = 0.5
"""How far the covariance goes towards that of independent features: there may be more features than parcels."""
TEMPERATURE: Final = 4.0
"""Logarithms of probabilities are divided by it: neighbouring dates say the same, and are not as many witnesses."""
_BLOCK: Final = 4096
_SMALLEST: Final = np.float32(1e-6)
"""Of backscatter, -60 dB: below any noise."""
_REPEATS: Final = re.compile(r"XX_(?:M\d{6}|S)_.*|XX_W\d{6}_.*_RATIO_BCK_\w+")
_DECIBELS: Final = re.compile(r"XX_W\d{6}_\w+_BCK_MEAN")


@dataclass(frozen=True, slots=True, eq=False)
class LinearFeatures:
    """The features that a sum is made of.

    Parameters
    ----------
    columns : int64 (K,), of all features. decibels : bool (K,), taken as 10 log10.
    """

    columns: npt.NDArray[np.int64]
    decibels: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, names: Sequence[str]) -> LinearFeatures:
        """Choose by name; where nothing would be left, all of them."""
        kept = [at for at, name in enumerate(names) if not _REPEATS.fullmatch(name)] or list(range(len(names)))
        decibels = [_DECIBELS.fullmatch(names[at]) is not None for at in kept]
        return cls(np.array(kept, np.int64), np.array(decibels, np.bool_))

    def taken(self, values: Floats) -> Floats:
        """Return them of all features (N, F), float32 (N, K)."""
        found: Floats = np.ascontiguousarray(values[:, self.columns])
        found[:, self.decibels] = 10 * np.log10(np.maximum(found[:, self.decibels], _SMALLEST))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """A linear function of the features for each class; its probabilities are the softmax of them.

    Parameters
    ----------
    features : those it looks at.
    centre : float64 (K,), mean of the calibration parcels.
    weights : float64 (C, K). offset : float64 (C,).
    share : of these probabilities in the average with the forest's, in (0, 1].
    """

    features: LinearFeatures
    centre: Doubles
    weights: Doubles
    offset: Doubles
    share: float

    def probabilities(self, values: Floats) -> Doubles:
        """Return float64 (N, C) of complete features (N, F); what is said of a row does not depend on the others."""
        # A matrix product by BLAS adds up a row in an order that depends on how many rows there are.
        score = np.einsum("nf,cf->nc", self.features.taken(values) - self.centre, self.weights) + self.offset
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        result: Doubles = odds / odds.sum(axis=1, keepdims=True)
        return result

    def averaged(self, frequencies: Doubles, values: Floats) -> Doubles:
        """Average the forest's class frequencies (N, C) with the probabilities of the same rows."""
        result: Doubles = (1 - self.share) * frequencies + self.share * self.probabilities(values)
        return result


def discriminant(
    calibration: Floats, label: Int32, prior: Doubles, share: float, names: Sequence[str] = ()
) -> Discriminant:
    """Learn from calibration parcels.

    The covariance within classes, of features scaled to variance 1, is averaged with its mean variance on all features.

    Parameters
    ----------
    calibration : float32 (N, F), without missing values.
    label : int32 (N,), 0 to C - 1; each class has a parcel.
    prior : (C,), how frequent the classes are among all that the forest learns from, synthetic parcels too.
    names : of the features; without them all are taken as they are.
    """
    from threadpoolctl import threadpool_limits

    features = LinearFeatures.of(names or [""] * calibration.shape[1])
    calibration = features.taken(calibration)
    count, size = len(prior), calibration.shape[1]
    centre = calibration.mean(axis=0, dtype=np.float64)
    scale = calibration.std(axis=0, dtype=np.float64)
    # Rounding gives columns that are the same everywhere a deviation, and would make them count.
    scale[(scale == 0) | (calibration == calibration[:1]).all(axis=0)] = np.inf
    middle = np.stack([calibration[label == one].mean(axis=0, dtype=np.float64) for one in range(count)])
    middle = (middle - centre) / scale
    within = np.zeros((size, size))
    # As many threads as there are cores would give other last digits elsewhere, and take what others were promised.
    with threadpool_limits(limits=1):
        for begin in range(0, len(calibration), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            apart = (calibration[rows] - centre) / scale - middle[label[rows]]
            within += apart.T @ apart
        within /= max(len(calibration) - count, 1)
        variance = float(np.trace(within)) / max(size, 1)
        within *= 1 - SHRINKAGE
        # Parcels that are all alike within their classes: distances count as they are.
        within[np.diag_indices(size)] += SHRINKAGE * variance if variance > 0 else 1.0
        weights = np.linalg.solve(within, middle.T).T
    offset = np.log(prior / prior.sum()) - 0.5 * (weights * middle).sum(axis=1)
    weights = np.ascontiguousarray(weights / scale / TEMPERATURE)
    return Discriminant(features, centre, weights, offset / TEMPERATURE, share)
