"""Parcels and features for tests of the crop type learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.feature_table import FeatureTable


def parcels(class_number: Any, **columns: Any) -> CropParcels:
    """Parcels 1, 2, 3...: large, arable and sound but for the given columns."""
    size = len(class_number)
    filled: dict[str, Any] = {
        "parcel_id": np.arange(1, size + 1),
        "land_cover": np.ones(size),
        "s2_pix": np.full(size, 100),
        "s1_pix": np.full(size, 25),
        "reason": np.full(size, None, dtype=object),
    } | columns
    return CropParcels(
        parcel_id=np.asarray(filled["parcel_id"], dtype=np.int64),
        class_number=np.asarray(class_number, dtype=np.int32),
        land_cover=np.asarray(filled["land_cover"], dtype=np.int8),
        s2_pix=np.asarray(filled["s2_pix"], dtype=np.int32),
        s1_pix=np.asarray(filled["s1_pix"], dtype=np.int32),
        reason=np.asarray(filled["reason"], dtype=object),
        holding=filled.get("holding"),
        area=filled.get("area"),
        tile=filled.get("tile"),
    )


def table(values: Any, parcel_id: Any = None, names: tuple[str, ...] = ()) -> FeatureTable:
    """Features of parcels 1, 2, 3..., or of the given ones."""
    matrix = np.ascontiguousarray(values, dtype=np.float32)
    identifiers = np.arange(1, len(matrix) + 1) if parcel_id is None else parcel_id
    return FeatureTable(
        parcel_id=np.asarray(identifiers, dtype=np.int64),
        names=names or tuple(f"feature_{column}" for column in range(matrix.shape[1])),
        values=matrix,
    )
