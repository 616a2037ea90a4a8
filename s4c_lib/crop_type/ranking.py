"""Order in which declarations are worth a look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def review_rank(
    parcel_id: npt.NDArray[np.int64], odds: Floats, chance_wrong: Floats, weight: Floats | None = None
) -> npt.NDArray[np.int32]:
    """Rank parcels by the expected amount that is declared wrongly, int32 (N,), 1 first; ties by parcel number.

    Parameters
    ----------
    odds : of wrong against right, which order parcels whose chances round to the same number.
    chance_wrong : 0-1.
    weight : area in m2, not known or below 0 counting as none; all alike by default.
    """
    expected = odds
    if weight is not None and (weight != weight[:1]).any():
        expected = chance_wrong * np.where(np.isfinite(weight), np.maximum(weight, 0), 0)
    order = np.lexsort((parcel_id, -odds, -expected))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(1, len(order) + 1)
    return rank
