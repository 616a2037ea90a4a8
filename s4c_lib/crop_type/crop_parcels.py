"""Declared parcels as the crop type learning sees them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError

UNKNOWN: Final = -1
NOT_COUNTED: Final = np.iinfo(np.int32).max
"""Pixels of a parcel when nobody counted: enough for every rule, and shown as unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class CropParcels:
    """Parcels of a declaration, all of them; one an index of every column.

    Parameters
    ----------
    parcel_id : int64 (P,), unique.
    class_number : int32 (P,), CTnumL4A of the declared crop, -1 where the crop table has none.
    land_cover : int8 (P,), LC of the declared crop, -1 unknown.
    s2_pix, s1_pix : int32 (P,), pixels in the shrunk parcel, or NOT_COUNTED.
    reason : object (P,), why a parcel cannot be classified whatever its observations (``geometry``, ``duplicate``,
        ``overlap``, ``no_lut``), None where nothing speaks against it.
    holding : object (P,), identifier of the holding, None where not known; or None for all.
    area : float64 (P,), m2; or None when not known.
    tile : object (P,), tile the parcel lies in, for accuracy by tile; or None.

    Raises
    ------
    InputError : the columns are not of one length, or a parcel occurs twice.
    """

    parcel_id: npt.NDArray[np.int64]
    class_number: npt.NDArray[np.int32]
    land_cover: npt.NDArray[np.int8]
    s2_pix: npt.NDArray[np.int32]
    s1_pix: npt.NDArray[np.int32]
    reason: npt.NDArray[np.object_]
    holding: npt.NDArray[np.object_] | None = None
    area: npt.NDArray[np.float64] | None = None
    tile: npt.NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            column = getattr(self, item.name)
            if column is not None and len(column) != len(self.parcel_id):
                raise InputError(
                    f"Parcels: column {item.name} has {len(column)} values for {len(self.parcel_id)} parcels."
                )
        identifiers, counts = np.unique(self.parcel_id, return_counts=True)
        if (counts > 1).any():
            raise InputError(f"Parcels: parcel {identifiers[counts > 1][0]} occurs more than once.")

    def __len__(self) -> int:
        return len(self.parcel_id)

    def take(self, rows: npt.ArrayLike) -> CropParcels:
        """Return the chosen ones in the given order; rows as numpy takes them (positions or a mask)."""
        chosen = np.asarray(rows)
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        taken: dict[str, Any] = {name: None if column is None else column[chosen] for name, column in columns.items()}
        return CropParcels(**taken)
