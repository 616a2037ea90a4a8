"""How unusual a parcel is among those declared alike (conformal p-values by class)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def share_as_unusual(score: Floats, declared: Positions, fewest: int) -> Floats:
    """Return the share of the parcels of the same declared class, itself included, whose score is not below its own.

    Of parcels that are alike (exchangeable), at most the share alpha gets a value of at most alpha, whatever the score
    is and however well it was calibrated (Vovk et al. 2005, *Algorithmic Learning in a Random World*: Mondrian
    predictors). Wrong declarations, mostly the most unusual ones, raise the values of the right ones.

    Parameters
    ----------
    score : float64 (N,), high is unusual; equal scores get the larger share.
    declared : int64 (N,).
    fewest : classes with fewer parcels are taken together.

    Returns
    -------
    float64 (N,), in (0, 1].
    """
    sizes = np.bincount(declared) if len(declared) else np.empty(0, np.int64)
    pooled = np.where(sizes[declared] < fewest, -1, declared)
    result: Floats = np.empty(len(score), np.float64)
    for group in np.unique(pooled):
        members = np.flatnonzero(pooled == group)
        ascending = np.sort(score[members])
        below = np.searchsorted(ascending, score[members], side="left")
        result[members] = (len(members) - below) / len(members)
    return result
