"""Crop diversification from and to files: ``CropType.csv`` and ``CropType_LUT.csv``, ours or Sen4CAP's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.crop_type.diversification import Diversification
from s4c_lib.crop_type.diversification_parcels import NONE, HoldingParcels, Ints, flags_of
from s4c_lib.errors import InputError
from s4c_lib.l4.crop_type_tables import DIVERSIFICATION, DIVERSIFICATION_HOLDINGS, write_csv
from s4c_lib.l4.files_by_hand import content_of
from s4c_lib.parcels.canonical import canonical_strings
from s4c_lib.parcels.crop_lut import CropLut, read_crop_lut
from s4c_lib.parcels.delimited_text import DelimitedTable, read_delimited

_WHOLE: Final = ("NewID", "S2Pix", "S1Pix", "LC", "CTnumDIV", "CT_decl", "CT_pred_1", "CT_pred_2")
_FLAGS: Final = ("GeomValid", "Duplic", "Overlap")
_SHARES: Final = ("Area_meters", "CT_conf_1", "CT_conf_2")
REQUIRED: Final = (*_WHOLE, *_FLAGS, *_SHARES, "HoldID")
"""Columns of ``CropType.csv``; `Ori_crop`, which Sen4CAP does not write, may be there too."""
_CROP: Final = "Ori_crop"
_EMPTY: Final = ("", "NA", "NaN", "nan", "null", "None")
_TRUE: Final = ("1", "true", "t", "yes", "1.0")
_FALSE: Final = ("0", "false", "f", "no", "0.0")


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """Holdings by their place: int64 numbers stand for identifiers as the user writes them.

    Attributes
    ----------
    place : int64 (parcels,), `NONE` where a parcel has none. names : string or int64 array (holdings,).
    """

    place: Ints
    names: pa.Array

    @classmethod
    def of(cls, identifiers: Any) -> Holdings:
        """Number holdings by a column of identifiers, text or null; as numbers when all are whole numbers."""
        texts = pa.chunked_array([identifiers]) if isinstance(identifiers, pa.Array) else identifiers
        distinct = pc.unique(texts.drop_null()).cast(pa.string())
        whole = _whole_or_none(distinct)
        order = pc.array_sort_indices(distinct if whole is None else whole)
        names = (distinct if whole is None else whole).take(order)
        found = pc.index_in(texts, value_set=distinct.take(order))
        return cls(pc.fill_null(found, NONE).to_numpy().astype(np.int64), names)

    def named(self, result: Diversification) -> Diversification:
        """Return the tables with the identifiers in place of the numbers."""
        return replace(
            result,
            parcel_table=self._named(result.parcel_table),
            holding_table=self._named(result.holding_table),
        )

    def places(self, identifiers: pa.Array) -> tuple[Ints, list[str]]:
        """Return the numbers of holdings, and the identifiers that are none of them."""
        known = self.names.cast(pa.string())
        found = pc.index_in(identifiers, value_set=known)
        missing = identifiers.filter(pc.is_null(found)).to_pylist()
        return found.drop_null().to_numpy().astype(np.int64), missing

    def _named(self, table: pa.Table) -> pa.Table:
        at = table.column_names.index("HoldID")
        return table.set_column(at, "HoldID", self.names.take(table["HoldID"].combine_chunks()))


def _whole_or_none(texts: pa.Array) -> pa.Array | None:
    """Return whole numbers, None when some text is none or stands for the number of another."""
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if numbers.cast(pa.string()).equals(texts) else None


def read_lut_file(path: Path) -> CropLut:
    """Read a crop code table.

    Raises
    ------
    NotFoundError, StorageError, InputError : it is not there, cannot be read, or is refused; with the code.
    """
    table, report = read_crop_lut(content_of(path, "crop code table"), path.name)
    if table is None:
        first = report.findings[0]
        more = f" (and {len(report.findings) - 1} more findings)" if len(report.findings) > 1 else ""
        raise InputError(
            f"{path}: {' '.join(first.message.split())}{more}", hint="'s4c lut import --help' lists the columns"
        )
    return table


def read_crop_type_table(path: Path, lut: CropLut) -> tuple[HoldingParcels, Holdings]:
    """Read ``CropType.csv``.

    Without ``Ori_crop`` the flags of a parcel are those of the codes with its ``CTnumDIV``, ``LC`` and ``CTnumL4A``.

    Raises
    ------
    InputError : a column is missing, a value cannot be read, a parcel comes twice, or the flags of a parcel cannot be
        told because the codes of its group differ in them.
    """
    try:
        table = read_delimited(content_of(path, "table of crop types"), (*REQUIRED, _CROP))
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from error
    if missing := table.missing(REQUIRED):
        raise InputError(f"{path}: {table.missing_message(missing)}", hint="give CropType.csv of an L4A product")
    whole = {name: _numbers(table, name, path, pa.int64()) for name in _WHOLE}
    shares = {name: _numbers(table, name, path, pa.float64()) for name in _SHARES}
    flags = {name: _truths(table, name, path) for name in _FLAGS}
    numbers = whole["NewID"]
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) and (values[0] == NONE or counts.max() > 1):
        problem = "a row has no NewID" if values[0] == NONE else f"NewID {values[counts.argmax()]} comes twice"
        raise InputError(f"{path}: {problem}.", hint="each parcel has one row and a number")
    if np.isnan(shares["Area_meters"]).any():
        at = int(np.flatnonzero(np.isnan(shares["Area_meters"]))[0])
        raise InputError(f"{path}: parcel {numbers[at]} (line {table.line[at]}) has no Area_meters.")
    holdings = Holdings.of(canonical_strings(_texts(table, "HoldID")))
    parcels = HoldingParcels(
        new_id=numbers,
        holding=holdings.place,
        area_m2=shares["Area_meters"],
        geom_valid=flags["GeomValid"],
        duplic=flags["Duplic"],
        overlap=flags["Overlap"],
        s2_pix=whole["S2Pix"],
        s1_pix=whole["S1Pix"],
        lc=whole["LC"],
        crop=_rows_of_crops(table, whole, lut, path),
        ct_decl=whole["CT_decl"],
        ct_pred_1=whole["CT_pred_1"],
        ct_conf_1=shares["CT_conf_1"],
        ct_pred_2=whole["CT_pred_2"],
        ct_conf_2=shares["CT_conf_2"],
    )
    return parcels, holdings


def read_organic(path: Path, holdings: Holdings) -> tuple[Ints, list[str]]:
    """Read the holdings that are exempt because they are certified organic: a column ``HoldID``.

    Returns
    -------
    Their numbers, and the identifiers that no parcel has.
    """
    try:
        table = read_delimited(content_of(path, "list of organic holdings"), ("HoldID",))
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from error
    if missing := table.missing(("HoldID",)):
        raise InputError(f"{path}: {table.missing_message(missing)}")
    return holdings.places(canonical_strings(_texts(table, "HoldID")).drop_null())


def write_diversification(folder: Path, result: Diversification) -> list[Path]:
    """Write the table of parcels and the table of holdings; return where.

    Raises
    ------
    DiskFullError, StorageError : a file cannot be written.
    """
    paths = [folder / DIVERSIFICATION, folder / DIVERSIFICATION_HOLDINGS]
    for path, table in zip(paths, (result.parcel_table, result.holding_table), strict=True):
        write_csv(path, table)
    return paths


def _texts(table: DelimitedTable, name: str) -> pa.Array:
    """Return a column of text, trimmed, null where it is empty."""
    column = table.columns[name]
    texts = pc.utf8_trim_whitespace(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    return pc.if_else(pc.is_in(texts, value_set=pa.array(_EMPTY)), pa.scalar(None, pa.string()), texts)


def _numbers(table: DelimitedTable, name: str, path: Path, kind: Any) -> npt.NDArray[Any]:
    """Return a column of numbers, `NONE` or NaN where it is empty."""
    try:
        found = _texts(table, name).cast(pa.float64())
        if kind == pa.int64():
            return pc.fill_null(found.cast(pa.int64()), NONE).to_numpy()  # type: ignore[no-any-return]
        return pc.fill_null(found, np.nan).to_numpy()  # type: ignore[no-any-return]
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path}: column {name} cannot be read: {' '.join(str(error).split())}", hint="give numbers"
        ) from error


def _truths(table: DelimitedTable, name: str, path: Path) -> npt.NDArray[np.bool_]:
    texts = pc.utf8_lower(_texts(table, name))
    true = pc.fill_null(pc.is_in(texts, value_set=pa.array(_TRUE)), False).to_numpy(zero_copy_only=False)
    false = pc.fill_null(pc.is_in(texts, value_set=pa.array(_FALSE)), False).to_numpy(zero_copy_only=False)
    if not (true | false).all():
        at = int(np.flatnonzero(~(true | false))[0])
        raise InputError(
            f"{path}: {name} of line {table.line[at]} is {texts[at].as_py() or 'empty'}.", hint="write 0 or 1"
        )
    found: npt.NDArray[np.bool_] = true
    return found


def _rows_of_crops(table: DelimitedTable, whole: dict[str, Any], lut: CropLut, path: Path) -> Ints:
    """Return the row of the declared crop of each parcel in the crop table, `NONE` where there is none."""
    if _CROP in table.columns:
        return lut.positions(canonical_strings(_texts(table, _CROP), na_is_value=True).to_pylist())
    keys = np.stack([whole["CTnumDIV"], whole["LC"], whole["CT_decl"]])
    distinct, place = np.unique(keys, axis=1, return_inverse=True)
    rows = [_row_of_group(*group, lut=lut, path=path) for group in distinct.T.tolist()]
    found: Ints = np.array(rows, np.int64)[place]
    return found


def _row_of_group(number: int, land_cover: int, declared: int, *, lut: CropLut, path: Path) -> int:
    candidates = lut.ctnumdiv == number
    if land_cover != NONE:
        candidates &= lut.lc == land_cover
    if declared != NONE:
        candidates &= lut.ctnuml4a == declared
    rows = np.flatnonzero(candidates)
    if not len(rows):
        return NONE
    differing = [name for name, flag in flags_of(lut).items() if flag[rows].any() != flag[rows].all()]
    if differing:
        raise InputError(
            f"{path} has no column {_CROP}, and the crop codes of CTnumDIV {number} differ in {', '.join(differing)}: "
            "the flags of a parcel cannot be told.",
            hint="add the declared code as column Ori_crop, or give such codes different CTnumDIV",
        )
    return int(rows[0])
