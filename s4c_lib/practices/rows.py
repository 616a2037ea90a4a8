"""Rows of a practice table with what is known of their parcels (l4c-practices.md sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError

Days = npt.NDArray[np.datetime64]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class PracticeRows:
    """A row for every row of a practice table: aligned arrays (rows,).

    Parameters
    ----------
    parcel_id : int64, NewID. A row whose parcel no series has gets STATUS NOT_IN_SERIES.
    ori_id, country, main_crop, practice, p_type : str or None, as in the table; PRACTICE is ``NA``, ``CatchCrop`` ...
    year : int32, reported.
    veg_start, h_start, h_end, p_start, p_end : datetime64[D], NaT where there is none.
    bad_dates : bool, the row's dates cannot be used.
    s1_pix, s2_pix : int32, pixels of the parcel.
    reason : int8, a `Status` known before, such as GEOMETRY; OK for none.

    Raises
    ------
    InputError : a parcel occurs twice; arrays of different lengths.
    """

    parcel_id: npt.NDArray[np.int64]
    ori_id: Texts
    country: Texts
    year: npt.NDArray[np.int32]
    main_crop: Texts
    practice: Texts
    p_type: Texts
    veg_start: Days
    h_start: Days
    h_end: Days
    p_start: Days
    p_end: Days
    bad_dates: npt.NDArray[np.bool_]
    s1_pix: npt.NDArray[np.int32]
    s2_pix: npt.NDArray[np.int32]
    reason: npt.NDArray[np.int8]

    def __post_init__(self) -> None:
        for one in fields(self):
            if len(getattr(self, one.name)) != len(self.parcel_id):
                raise InputError(f"{one.name} has {len(getattr(self, one.name))} values for {len(self)} practice rows")
        numbers, times = np.unique(self.parcel_id, return_counts=True)
        if (times > 1).any():
            raise InputError(
                f"parcel {numbers[times > 1][0]} has {times[times > 1][0]} rows in one practice table",
                hint="keep one row for a parcel and practice",
            )

    def __len__(self) -> int:
        return len(self.parcel_id)

    def of(self, choice: slice | npt.NDArray[Any]) -> PracticeRows:
        """Some of the rows."""
        return replace(self, **{one.name: getattr(self, one.name)[choice] for one in fields(self)})
