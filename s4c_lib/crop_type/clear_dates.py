"""How far the optical dates of a parcel are from what was seen clearly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.feature_table import FeatureTable


def mean_gap_days(features: FeatureTable, parcel_id: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean days from the regular dates to the nearest clear one, float64 (P,), as `judgement.judge` takes.

    NaN for parcels without features and where distances are not known, infinite for a parcel never seen clearly.
    """
    result = np.full(len(parcel_id), np.nan)
    if features.gap_days is None or not features.gap_days.size:
        return result
    gaps = np.where((features.gap_days < 0).any(axis=1), np.inf, features.gap_days.mean(axis=1, dtype=np.float64))
    at = np.minimum(np.searchsorted(features.parcel_id, parcel_id), len(features.parcel_id) - 1)
    known = features.parcel_id[at] == parcel_id
    result[known] = gaps[at[known]]
    return result
