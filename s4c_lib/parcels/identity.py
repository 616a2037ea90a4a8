"""Parcel and holding numbers across deliveries, and what a new delivery changes (lpis-and-inputs.md section 3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from s4c_lib.errors import InputError
from s4c_lib.parcels.declared import Objects

UNCHANGED_BELOW: Final = 1e-6
MINOR_BELOW: Final = 0.05
LARGEST_NUMBER: Final = 2**31 - 1
"""Numbers are values of an Int32 raster."""


class Mode(StrEnum):
    """What a delivery says about the parcels it does not name."""

    UPDATE = "update"  # they are deleted
    INCREMENTAL = "incremental"  # nothing
    REPLACE = "replace"  # they are deleted, and nothing but their number and last outline is kept


class Change(StrEnum):
    """What a delivery did to a parcel. The order is that of the codes in `NextVersion.change`."""

    NEW = "new"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    ATTRIBUTE = "attribute"  # crop or holding only
    MINOR = "minor"  # outline, by less than 5 % of the area
    MAJOR = "major"


CHANGES: Final = tuple(Change)
STILL_DELETED: Final = -1
"""Code of a parcel that was deleted before and stays so."""


@dataclass(frozen=True, slots=True, eq=False)
class ParcelRows:
    """What is compared between deliveries; arrays (parcels,).

    Parameters
    ----------
    ori_id : str, unique. ori_hold, ori_crop : str or None.
    geometry : shapely or None; in one coordinate system for both sides of a comparison.
    """

    ori_id: Objects
    ori_hold: Objects
    ori_crop: Objects
    geometry: Objects

    def __len__(self) -> int:
        return len(self.ori_id)


@dataclass(frozen=True, slots=True, eq=False)
class KnownParcels:
    """The version in force with its deleted parcels: every number ever given in a site and year.

    Parameters
    ----------
    new_id, is_deleted : int32 and bool (parcels,).
    """

    rows: ParcelRows
    new_id: npt.NDArray[np.int32]
    is_deleted: npt.NDArray[np.bool_]

    @classmethod
    def none(cls) -> KnownParcels:
        """Before the first import."""
        nothing = np.empty(0, object)
        return cls(ParcelRows(nothing, nothing, nothing, nothing), np.empty(0, np.int32), np.empty(0, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class NextVersion:
    """The parcels of the version a delivery leads to, by ascending number; arrays (parcels,).

    Parameters
    ----------
    new_id : int32. row : place in the delivery, -1 where the parcel is carried over. known : place in the version in
        force, -1 where there was none.
    is_deleted : bool.
    change : int8, place in `CHANGES`, or `STILL_DELETED`.
    geom_change_ratio : float64, area of the symmetric difference to that of the union; NaN without two outlines to
        compare.
    """

    new_id: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    is_deleted: npt.NDArray[np.bool_]
    change: npt.NDArray[np.int8]
    geom_change_ratio: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.new_id)

    def counts(self) -> dict[str, int]:
        """Parcels of each class, in the order of `Change`."""
        found = np.bincount(self.change[self.change >= 0], minlength=len(CHANGES))
        return {str(name): int(number) for name, number in zip(CHANGES, found, strict=True)}

    @property
    def change_names(self) -> Objects:
        """The class of each parcel by name, None where it stays deleted."""
        return np.array([*CHANGES, None], object)[self.change]


def assign_numbers(
    names: Objects,
    known_names: Objects,
    known_numbers: npt.NDArray[np.int32],
    *,
    offset: int = 0,
) -> npt.NDArray[np.int32]:
    """Number names: known ones keep theirs, new ones get the highest + their rank by bytes + the offset.

    Parameters
    ----------
    names : str or None (rows,), repeated ones get one number and None gets 0.
    known_names, known_numbers : every name ever numbered here, so that no number is given twice.
    offset : ``parcel-id-offset`` or ``holding-id-offset``.

    Returns
    -------
    int32 (rows,).

    Raises
    ------
    InputError : the numbers would leave the range of int32, or the offset is negative.
    """
    if offset < 0:
        raise InputError(f"The offset of numbers is {offset}.", hint="give 0 or more")
    column = pa.array(names, pa.string())
    known = _places(column, known_names)
    fresh = pc.drop_null(pc.unique(column.filter(pa.array(known < 0))))
    # Arrow compares strings by their UTF-8 bytes ("C" collation), whatever the locale.
    fresh = fresh.take(pc.sort_indices(fresh))
    highest = int(known_numbers.max()) if len(known_numbers) else 0
    if len(fresh) and highest + offset + len(fresh) > LARGEST_NUMBER:
        raise InputError(
            f"{len(fresh)} new numbers after {highest} with offset {offset} exceed {LARGEST_NUMBER}.",
            hint="choose a smaller offset",
        )
    numbers = np.zeros(len(names), np.int64)
    numbers[known >= 0] = known_numbers[known[known >= 0]]
    ranks = pc.fill_null(pc.index_in(column, value_set=fresh), -1).to_numpy()
    numbers[ranks >= 0] = highest + offset + 1 + ranks[ranks >= 0]
    return numbers.astype(np.int32)


def _places(column: Any, among: Objects) -> npt.NDArray[np.int64]:
    """Place of each string among others, -1 where it is missing or null; int64 (rows,)."""
    if not len(among):
        return np.full(len(column), -1, np.int64)
    found = pc.index_in(column, value_set=pa.array(among, pa.string()), skip_nulls=True)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def next_version(delivery: ParcelRows, known: KnownParcels, mode: Mode, *, offset: int = 0) -> NextVersion:
    """Number the parcels of a delivery, add those it does not name, and say what changed.

    A deleted parcel that is delivered again keeps its number and counts as new: nothing was extracted meanwhile.

    Parameters
    ----------
    delivery : rows of the file that are kept.
    offset : ``parcel-id-offset``.

    Raises
    ------
    InputError : an identifier occurs twice in the delivery, or the numbers run out.
    """
    ids = pa.array(delivery.ori_id, pa.string())
    _refuse_repeated(ids)
    new_id = assign_numbers(delivery.ori_id, known.rows.ori_id, known.new_id, offset=offset)
    known_of_row = _places(ids, known.rows.ori_id)
    change, ratio = _changes(delivery, known, known_of_row)
    absent = np.ones(len(known.new_id), np.bool_)
    absent[known_of_row[known_of_row >= 0]] = False
    carried = np.flatnonzero(absent)
    was_deleted = known.is_deleted[carried]
    now_deleted = was_deleted | (mode is not Mode.INCREMENTAL)
    carried_change = np.where(
        was_deleted,
        STILL_DELETED,
        np.where(now_deleted, CHANGES.index(Change.DELETED), CHANGES.index(Change.UNCHANGED)),
    )
    numbers = np.concatenate([new_id, known.new_id[carried]])
    order = np.argsort(numbers, kind="stable")
    return NextVersion(
        new_id=numbers[order],
        row=np.concatenate([np.arange(len(delivery)), np.full(len(carried), -1)])[order],
        known=np.concatenate([known_of_row, carried])[order],
        is_deleted=np.concatenate([np.zeros(len(delivery), np.bool_), now_deleted])[order],
        change=np.concatenate([change, carried_change]).astype(np.int8)[order],
        geom_change_ratio=np.concatenate([ratio, np.full(len(carried), np.nan)])[order],
    )


def assembled(version: NextVersion, delivered: pa.Table, known: pa.Table, now: datetime) -> pa.Table:
    """Rows of the next version: those delivered, and those carried over as they were, with their class.

    What depends on other parcels (overlaps, duplicates) is to be computed again over the rows not deleted.

    Parameters
    ----------
    delivered : columns of each row of the delivery, in its order.
    known : the same columns and ``inserted_at``, ``updated_at`` of the version in force; 0 rows at the first import.
    now : moment of the import, UTC.

    Returns
    -------
    Table of the columns of ``delivered`` and ``new_id, is_deleted, change, geom_change_ratio, inserted_at,
    updated_at``, by ascending number.
    """
    own = ("new_id", "is_deleted", "change", "geom_change_ratio", "inserted_at", "updated_at")
    names = [name for name in delivered.column_names if name not in own]
    both = pa.concat_tables([delivered.select(names), known.select(names).cast(delivered.select(names).schema)])
    rows = both.take(pa.array(np.where(version.row >= 0, version.row, len(delivered) + version.known)))
    place = pa.array(version.known, mask=version.known < 0)
    moment = pa.scalar(now, pa.timestamp("us", "UTC"))
    touched = ~np.isin(version.change, [CHANGES.index(Change.UNCHANGED), STILL_DELETED])
    updated = pc.fill_null(known["updated_at"].take(place), moment)
    ratio = pa.array(version.geom_change_ratio, mask=np.isnan(version.geom_change_ratio))
    for name, column in {
        "new_id": pa.array(version.new_id),
        "is_deleted": pa.array(version.is_deleted),
        "change": pa.array(version.change_names, pa.string()),
        "geom_change_ratio": ratio,
        "inserted_at": pc.fill_null(known["inserted_at"].take(place), moment),
        "updated_at": pc.if_else(pa.array(touched), moment, updated),
    }.items():
        rows = rows.append_column(name, column)
    return rows


def _refuse_repeated(ids: Any) -> None:
    counted = pc.value_counts(ids)
    repeated = counted.filter(pc.greater(counted.field("counts"), 1)).field("values").to_pylist()
    if ids.null_count or repeated:
        what = f"Parcel identifier {repeated[0]!r} occurs twice" if repeated else "A parcel has no identifier"
        raise InputError(f"{what} after suffixes were given.", hint="this is a defect of the import; report it")


def _changes(
    delivery: ParcelRows, known: KnownParcels, known_of_row: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Class and ratio of each delivered row."""
    change = np.full(len(delivery), CHANGES.index(Change.NEW), np.int8)
    ratio = np.full(len(delivery), np.nan)
    rows = np.flatnonzero(known_of_row >= 0)
    if not len(rows):
        return change, ratio
    before = known_of_row[rows]
    ratio[rows] = geom_change_ratio(known.rows.geometry[before], delivery.geometry[rows])
    other_words = (known.rows.ori_crop[before] != delivery.ori_crop[rows]) | (
        known.rows.ori_hold[before] != delivery.ori_hold[rows]
    )
    classes = np.select(
        [ratio[rows] >= MINOR_BELOW, ratio[rows] >= UNCHANGED_BELOW, other_words.astype(np.bool_)],
        [CHANGES.index(Change.MAJOR), CHANGES.index(Change.MINOR), CHANGES.index(Change.ATTRIBUTE)],
        CHANGES.index(Change.UNCHANGED),
    )
    back = known.is_deleted[before]
    change[rows[~back]] = classes[~back]
    return change, ratio


def geom_change_ratio(before: Objects, after: Objects) -> npt.NDArray[np.float64]:
    """Area of the symmetric difference to the area of the union, for pairs of polygons.

    Parameters
    ----------
    before, after : shapely or None (pairs,), in one coordinate system.

    Returns
    -------
    float64 (pairs,), unitless, 0 for the same outline (two missing ones too) to 1 for disjoint ones.
    """
    ratio = np.zeros(len(before))
    # Nearly all parcels of a second delivery are the same to the last bit: seconds instead of a minute a million.
    both_empty = (shapely.is_missing(before) | shapely.is_empty(before)) & (
        shapely.is_missing(after) | shapely.is_empty(after)
    )
    pairs = np.flatnonzero(~(shapely.equals_identical(before, after) | both_empty))
    old, new = _made_valid(before[pairs]), _made_valid(after[pairs])
    shared = np.nan_to_num(shapely.area(shapely.intersection(old, new)))
    areas = np.nan_to_num(shapely.area(old)) + np.nan_to_num(shapely.area(new))
    union = areas - shared
    # Both without area: the outlines differ, so something else than an area was drawn.
    ratio[pairs] = np.divide(union - shared, union, out=np.ones(len(pairs)), where=union > 0)
    return np.clip(ratio, 0.0, 1.0)


def _made_valid(geometries: Objects) -> Objects:
    result = geometries.copy()
    wrong = np.flatnonzero(~shapely.is_missing(result) & ~shapely.is_valid(result))
    result[wrong] = shapely.make_valid(result[wrong], method="structure", keep_collapsed=False)
    return result
