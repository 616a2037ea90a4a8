"""Rows of a practice table with their parcels, found anew for each run (spec/README.md D2, D8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.findings import Finding
from s4c_lib.parcels.practice_tables import PracticeTable
from s4c_lib.parcels.practice_tables_join import join_practices
from s4c_lib.practices.codes import Status
from s4c_lib.practices.product_tables import UNKNOWN_PIXELS
from s4c_lib.practices.rows import PracticeRows

ARABLE_TO_OTHER: Final = (1, 2, 3, 4)
"""Land covers (LC) that `automatic_table` makes rows for."""

_REASONS: Final = {"geometry": Status.GEOMETRY, "duplicate": Status.DUPLICATE, "overlap": Status.OVERLAP}
_FIRST_LINE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class PracticeParcels:
    """Declared parcels by ascending number; arrays (parcels,).

    Parameters
    ----------
    ori_id_raw : identifier without the suffix of a repeated one; None where there are no suffixes.
    crop : declared code, to tell where the practice table has another; None to tell nothing.
    s1_pix, s2_pix : int32, `UNKNOWN_PIXELS` where nobody counted.
    reason : ``geometry``, ``duplicate``, ``overlap`` or None for a parcel that may be judged.
    """

    parcel_id: npt.NDArray[np.int64]
    ori_id: Objects
    s1_pix: npt.NDArray[np.int32]
    s2_pix: npt.NDArray[np.int32]
    ori_id_raw: Objects | None = None
    crop: Objects | None = None
    reason: Objects | None = None

    def __len__(self) -> int:
        return len(self.parcel_id)


@dataclass(frozen=True, slots=True, eq=False)
class JoinedRows:
    """Rows of a practice table in the order of their parcels, those without one last.

    Parameters
    ----------
    rows : a row without a parcel has a number below 0 and the reason NOT_IN_SERIES.
    findings : of the join. lost : rows without a parcel. repeated : of them, those whose parcel has a row already.
    """

    rows: PracticeRows = field(repr=False)
    findings: tuple[Finding, ...]
    lost: int
    repeated: int


def joined_rows(table: PracticeTable, parcels: PracticeParcels, *, country: str, year: int) -> JoinedRows:
    """Find the parcel of every row: by its identifier, else by the one without suffix where only one parcel has it."""
    joined = join_practices(table, parcels.ori_id, parcels.ori_id_raw, parcels.crop)
    position = joined.position.copy()
    known = np.flatnonzero(position >= 0)
    _, first = np.unique(position[known], return_index=True)
    repeated = np.setdiff1d(known, known[first])
    position[repeated] = -1
    lost = position < 0
    number = np.where(lost, -1 - np.arange(len(table)), _at(parcels.parcel_id, position, 0))
    reason = np.where(lost, int(Status.NOT_IN_SERIES), int(Status.OK)).astype(np.int8)
    if parcels.reason is not None:
        codes = np.array([int(_REASONS.get(str(one), Status.OK)) for one in parcels.reason], np.int8)
        reason = np.where(lost, reason, _at(codes, position, 0)).astype(np.int8)
    order = np.lexsort((np.arange(len(table)), np.where(lost, np.iinfo(np.int64).max, number)))
    count = len(table)
    rows = PracticeRows(
        parcel_id=number.astype(np.int64),
        ori_id=table.field_id,
        country=np.full(count, country, object),
        year=np.full(count, year, np.int32),
        main_crop=table.main_crop,
        practice=table.practice_name,
        p_type=table.p_type,
        veg_start=table.veg_start,
        h_start=table.h_start,
        h_end=table.h_end,
        p_start=table.p_start,
        p_end=table.p_end,
        bad_dates=table.bad_dates,
        s1_pix=_at(parcels.s1_pix, position, UNKNOWN_PIXELS).astype(np.int32),
        s2_pix=_at(parcels.s2_pix, position, UNKNOWN_PIXELS).astype(np.int32),
        reason=reason,
    )
    return JoinedRows(rows.of(order), joined.findings, int(lost.sum()), len(repeated))


def automatic_table(
    parcels: PracticeParcels, land_cover: npt.NDArray[np.int64], first: date, middle: date, last: date
) -> PracticeTable:
    """Table of the practice NA for all parcels of land cover 1 to 4: vegetation and harvest by the season's dates.

    Parameters
    ----------
    land_cover : int64 (parcels,), LC.
    first, middle, last : of the season: VEG_START, H_START, H_END.

    Raises
    ------
    InputError : dates are not in their order.
    """
    if not first <= middle <= last:
        raise InputError(f"A season from {first} to {last} has no middle on {middle}.")
    chosen = np.flatnonzero(np.isin(land_cover, ARABLE_TO_OTHER))
    count = len(chosen)
    nothing = np.full(count, np.datetime64("NaT", "D"))
    days = {name: np.full(count, np.datetime64(day, "D")) for name, day in (("v", first), ("s", middle), ("e", last))}
    crop = np.full(count, None, object) if parcels.crop is None else parcels.crop[chosen]
    return PracticeTable(
        practice="NA",
        line=np.arange(_FIRST_LINE, count + _FIRST_LINE),
        field_id=parcels.ori_id[chosen],
        main_crop=crop,
        veg_start=days["v"],
        h_start=days["s"],
        h_end=days["e"],
        practice_name=np.full(count, "NA", object),
        p_type=np.full(count, None, object),
        p_start=nothing,
        p_end=nothing,
        bad_dates=np.zeros(count, np.bool_),
    )


def _at(values: npt.NDArray[Any], position: npt.NDArray[np.int64], nothing: int) -> npt.NDArray[Any]:
    """Values of parcels by their place; ``nothing`` for rows without one."""
    if not len(values):
        return np.full(len(position), nothing)
    found: npt.NDArray[Any] = np.where(position >= 0, values[np.maximum(position, 0)], nothing)
    return found
