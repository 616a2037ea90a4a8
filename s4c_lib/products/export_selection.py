"""Which parcels an export holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError
from s4c_lib.products.export_columns import GEOMETRY
from s4c_lib.products.export_geometry import bounds
from s4c_lib.products.export_model import ExportFilter, ResultTable
from s4c_lib.products.export_rows import Rows, positions, taken

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sources:
    """The tables of an export and how their rows belong together.

    Parameters
    ----------
    lut_rows, attribute_rows : row of the crop table and of the own attributes for each parcel; -1 for none.
    result_rows : for each product, the parcel of each of its rows; -1 for an unknown one.
    """

    declarations: pa.Table
    lut: pa.Table | None
    lut_rows: Rows
    attributes: pa.Table | None
    attribute_rows: Rows
    results: tuple[ResultTable, ...]
    result_rows: tuple[Rows, ...]


def link(
    declarations: pa.Table, lut: pa.Table | None, attributes: pa.Table | None, results: Sequence[ResultTable]
) -> Sources:
    """Find the rows that belong together.

    Raises
    ------
    InputError : for a missing or ambiguous key, naming table and column.
    """
    ids = _ids(declarations, "the declarations")
    _unique(ids, declarations, (), "the declarations")
    none = np.full(declarations.num_rows, -1, dtype=np.int64)
    lut_rows = attribute_rows = none
    if lut is not None:
        key = column_like(lut, "Ori_crop")
        if key is None or "ori_crop" not in declarations.column_names:
            raise InputError("The crop table cannot be joined.", hint="it needs Ori_crop, the declarations ori_crop")
        lut_rows = positions(declarations["ori_crop"].cast(pa.string()), lut[key].cast(pa.string()))
    if attributes is not None:
        key = attribute_key(declarations, attributes)
        attribute_rows = positions(declarations[key].cast(pa.int64()), attributes[key].cast(pa.int64()))
    result_rows = []
    for result in results:
        what = f"the results of {result.name} ({result.product_id})"
        found = _ids(result.table, what)
        if result.key is not None and result.key not in result.table.column_names:
            raise InputError(f'Column "{result.key}" is missing in {what}.', hint="it tells rows of a parcel apart")
        _unique(found, result.table, () if result.key is None else (result.key,), what)
        result_rows.append(positions(found, ids))
    return Sources(declarations, lut, lut_rows, attributes, attribute_rows, tuple(results), tuple(result_rows))


def select(sources: Sources, wanted: ExportFilter, batch: int) -> tuple[Mask, Mapping[str, int]]:
    """Parcels that fit, and how many do not and why."""
    parcels = sources.declarations
    keep = np.ones(parcels.num_rows, dtype=np.bool_)
    left_out: dict[str, int] = {}
    if not wanted.deleted and "is_deleted" in parcels.column_names:
        keep &= ~_flags(parcels["is_deleted"])
        left_out["deleted"] = int((~keep).sum())
    fits = keep.copy()
    for name, values in (("ori_crop", wanted.crops), ("ori_hold", wanted.holdings), ("primary_tile", wanted.tiles)):
        if values:
            fits &= _is_in(_needed(parcels, name, "the declarations").cast(pa.string()), list(values))
    for name, numbers in (("CTnumL4A", wanted.groups), ("LC", wanted.land_cover)):
        if numbers:
            fits &= _is_in(_lut_values(sources, name), list(numbers))
    if wanted.decisions:
        fits &= _with_decision(sources, wanted.decisions)
    if wanted.bbox is not None:
        fits &= _touching(parcels[GEOMETRY], fits, wanted.bbox, batch)
    if wanted != ExportFilter(deleted=wanted.deleted):
        left_out["filter"] = int((keep & ~fits).sum())
    return fits, left_out


def column_like(table: pa.Table, name: str) -> str | None:
    """Name of a column without regard to case."""
    return next((item for item in table.column_names if item.lower() == name.lower()), None)


def attribute_key(declarations: pa.Table, attributes: pa.Table) -> str:
    """Column that joins the own attributes; an agency may have a column ``NewID`` of its own."""
    for name in ("src_row", "NewID"):
        if name in declarations.column_names and name in attributes.column_names:
            return name
    raise InputError("The own attributes cannot be joined.", hint="both tables need src_row or NewID")


def decided(result: ResultTable, decisions: Sequence[str]) -> Mask:
    """Rows of a product with one of the decisions; none where the product has no such column."""
    name = column_like(result.table, "decision")
    if name is None:
        return np.zeros(result.table.num_rows, dtype=np.bool_)
    return _is_in(result.table[name].cast(pa.string()), list(decisions))


def _with_decision(sources: Sources, decisions: Sequence[str]) -> Mask:
    if not any(column_like(item.table, "decision") for item in sources.results):
        raise InputError('No product of the export has a column "decision".', hint="leave the filter out")
    found = np.zeros(sources.declarations.num_rows, dtype=np.bool_)
    for result, rows in zip(sources.results, sources.result_rows, strict=True):
        found[rows[decided(result, decisions) & (rows >= 0)]] = True
    return found


def _lut_values(sources: Sources, name: str) -> pa.Array:
    """Values of a crop table's column for each parcel, or those the declarations bring themselves."""
    if sources.lut is not None and (column := column_like(sources.lut, name)) is not None:
        return taken(sources.lut[column], sources.lut_rows)
    return _needed(sources.declarations, name, "the declarations and the crop table")


def _touching(wkb: pa.ChunkedArray, among: Mask, box: tuple[float, float, float, float], batch: int) -> Mask:
    west, south, east, north = box
    if not (west < east and south < north):
        raise InputError(f"The box {box} is empty.", hint="give west, south, east, north")
    touching = np.zeros(len(among), dtype=np.bool_)
    candidates = np.flatnonzero(among)
    for first in range(0, len(candidates), batch):
        rows = candidates[first : first + batch]
        found = bounds(taken(wkb, rows))
        # Comparisons with NaN are false: a parcel without outline is nowhere.
        inside = (found[:, 0] <= east) & (found[:, 2] >= west) & (found[:, 1] <= north) & (found[:, 3] >= south)
        touching[rows] = inside
    return touching


def _ids(table: pa.Table, what: str) -> pa.ChunkedArray:
    ids = _needed(table, "NewID", what).cast(pa.int64())
    if ids.null_count:
        raise InputError(f"{ids.null_count} rows of {what} have no NewID.", hint="each row belongs to a parcel")
    return ids


def _unique(ids: pa.ChunkedArray, table: pa.Table, keys: tuple[str, ...], what: str) -> None:
    numbers = ids.to_numpy()
    codes = [numbers, *(_codes(table[key]) for key in keys)]
    order = np.lexsort(codes[::-1])
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for code in codes:
        same &= np.diff(code[order]) == 0
    if same.any():
        number = int(numbers[order[:-1][same]].min())
        key = " and ".join(("NewID", *keys))
        raise InputError(f"NewID {number} has several rows in {what}.", hint=f"there must be one row for each {key}")


def _codes(values: pa.ChunkedArray) -> Rows:
    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    # Ranks, so that rows can also be sorted by them.
    names = encoded.dictionary.to_pylist()
    rank = np.argsort(np.argsort(np.array([item or "" for item in names], dtype=object), kind="stable"), kind="stable")
    return np.asarray(rank, dtype=np.int64)[encoded.indices.to_numpy()] if names else np.zeros(0, dtype=np.int64)


def key_ranks(result: ResultTable) -> Rows:
    """Rank of each row's key value in alphabetical order; all 0 without a key."""
    if result.key is None:
        return np.zeros(result.table.num_rows, dtype=np.int64)
    return _codes(result.table[result.key])


def _needed(table: pa.Table, name: str, what: str) -> Any:
    if name not in table.column_names:
        raise InputError(f'Column "{name}" is missing in {what}.', hint=f"found: {', '.join(table.column_names)}")
    return table[name]


def _is_in(values: Any, among: list[Any]) -> Mask:
    wanted = pa.array(among).cast(values.type) if among else pa.array([], values.type)
    return _flags(pc.is_in(values, value_set=wanted))


def _flags(values: Any) -> Mask:
    found: Mask = pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(np.bool_)
    return found
