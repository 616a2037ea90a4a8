"""The parcel table beside a file of observations (design, section 5): CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError, NotFoundError, ProductCorruptError, StorageError
from s4c_lib.parcels.canonical import canonical_strings
from s4c_lib.parcels.delimited_text import read_delimited

NAMES: Final = {
    "parcel_id": ("parcel_id", "NewID"),
    "ori_id": ("ori_id",),
    "crop": ("crop", "ori_crop"),
    "holding": ("holding", "ori_hold"),
    "Area_meters": ("Area_meters", "Area_meter"),
    "S2Pix": ("S2Pix",),
    "S1Pix": ("S1Pix",),
}
"""Columns of the table, and the names they may have in a file, in any case; the first that is there is read."""

SCHEMA: Final = pa.schema(
    [
        pa.field("parcel_id", pa.int64(), nullable=False),
        ("ori_id", pa.string()),
        ("crop", pa.string()),
        ("holding", pa.string()),
        ("Area_meters", pa.float64()),
        ("S2Pix", pa.int32()),
        ("S1Pix", pa.int32()),
    ]
)
_TEXTS: Final = ("ori_id", "crop", "holding")
_DELIMITED: Final = (".csv", ".txt", ".tsv")


def read_parcel_table(path: Path) -> pa.Table:
    """Read a parcel table; columns are found by name, others are left out.

    Returns
    -------
    pa.Table : of `SCHEMA`, by ascending number; columns the file does not have are null. Codes and identifiers are
        canonical text (`parcels.canonical`).

    Raises
    ------
    NotFoundError, StorageError : the file is not there or cannot be read.
    InputError : there is no parcel_id, a number is repeated or below 1, or a value cannot be understood.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no parcel table {path}")
    wanted = [name for names in NAMES.values() for name in names]
    try:
        if path.suffix.lower() in _DELIMITED:
            there = dict(read_delimited(path.read_bytes(), wanted).columns)
        else:
            there = _parquet(path, wanted)
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from error
    except pa.ArrowInvalid as error:
        raise ProductCorruptError(f"{path} is no Parquet file: {error}", hint="give CSV or Parquet") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    columns: dict[str, Any] = {}
    for name, known in NAMES.items():
        found = next((there[one] for one in known if one in there), None)
        columns[name] = None if found is None else _typed(found, name, path)
    numbers = columns["parcel_id"]
    if numbers is None:
        raise InputError(f"{path} has no column parcel_id.", hint="it holds the number of each parcel; NewID will do")
    _check(numbers, path)
    rows = len(numbers)
    filled = [pa.nulls(rows, field.type) if columns[field.name] is None else columns[field.name] for field in SCHEMA]
    return pa.table(filled, schema=SCHEMA).take(pc.array_sort_indices(numbers))


def _parquet(path: Path, wanted: list[str]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, memory_map=True)
    names = {name.casefold(): name for name in reversed(file.schema_arrow.names)}
    chosen = {name: names[name.casefold()] for name in wanted if name.casefold() in names}
    table = file.read(columns=sorted(set(chosen.values())), use_threads=False)
    return {name: table.column(there) for name, there in chosen.items()}


def _typed(values: Any, name: str, path: Path) -> Any:
    """Texts canonical; numbers from numbers or from text."""
    column = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if name in _TEXTS:
        return canonical_strings(column, na_is_value=name == "crop")
    kind = SCHEMA.field(name).type
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column.cast(pa.string()))
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    try:
        return column.cast(pa.float64()).cast(kind)
    except pa.ArrowException as error:
        raise InputError(
            f"{path}: column {name} cannot be read: {' '.join(str(error).split())}", hint="give numbers"
        ) from error


def _check(numbers: pa.Array, path: Path) -> None:
    if numbers.null_count:
        raise InputError(f"{path}: {numbers.null_count} rows have no parcel_id.")
    values = np.sort(numbers.to_numpy())
    if len(values) and values[0] < 1:
        raise InputError(f"{path}: parcel_id {values[0]} is below 1.")
    repeated = np.unique(values[:-1][np.diff(values) == 0])
    if len(repeated):
        raise InputError(
            f"{path}: parcel_id {repeated[0]} occurs more than once ({len(repeated)} numbers do).",
            hint="each parcel has one row",
        )
