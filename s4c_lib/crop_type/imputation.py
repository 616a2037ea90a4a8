"""Missing features: who has too few, and what takes their place (spec/l4a-crop-type.md §6.4, AC-23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

LARGEST_MISSING_SHARE: Final = 0.5
_OPTICAL: Final = "_s2_"
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Imputation:
    """Medians of the calibration parcels, which stand in for missing features.

    Parameters
    ----------
    medians : float32 (F,), 0 for a feature no calibration parcel has: no tree can have learnt from it.
    """

    medians: Floats

    @classmethod
    def of(cls, calibration: Floats) -> Imputation:
        """Take the medians of a matrix (N, F) with missing values."""
        missing = ~np.isfinite(calibration)
        medians = np.zeros(calibration.shape[1], dtype=np.float32)
        gaps = missing.any(axis=0)
        if len(calibration):
            medians[~gaps] = np.median(calibration[:, ~gaps], axis=0)
        for column in np.flatnonzero(gaps & ~missing.all(axis=0)):
            medians[column] = np.median(calibration[~missing[:, column], column])
        return cls(medians)

    def filled(self, values: Floats) -> Floats:
        """Return a copy without missing values, float32 (N, F), row-major."""
        return np.where(np.isfinite(values), values, self.medians)


@dataclass(frozen=True, slots=True, eq=False)
class Completeness:
    """What is missing of each parcel.

    Parameters
    ----------
    enough : bool (P,), at most half of the features missing, and seen by Sentinel-2 when that gives features.
    gaps : bool (P,), some feature missing.
    """

    enough: Bools
    gaps: Bools


def completeness(values: Floats, names: Sequence[str]) -> Completeness:
    """Look for missing features, block by block; values float32 (P, F), may be memory-mapped.

    A parcel never seen free of clouds is not classified whatever radar says (AC-23): optical medians of other crops
    would speak for it.
    """
    optical = np.array([_OPTICAL in name for name in names], dtype=np.bool_)
    enough, gaps = np.zeros(len(values), dtype=np.bool_), np.zeros(len(values), dtype=np.bool_)
    for begin in range(0, len(values), _BLOCK):
        missing = ~np.isfinite(values[begin : begin + _BLOCK])
        number = missing.sum(axis=1)
        unseen = missing[:, optical].all(axis=1) if optical.any() else np.zeros(len(missing), dtype=np.bool_)
        gaps[begin : begin + _BLOCK] = number > 0
        enough[begin : begin + _BLOCK] = (number <= LARGEST_MISSING_SHARE * len(names)) & ~unseen
    if not len(names):
        enough[:] = False
    return Completeness(enough, gaps)
