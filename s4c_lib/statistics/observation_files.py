"""Observations from files that users bring: Parquet or CSV with the columns of the table (design, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.errors import InputError, NotFoundError, StorageError
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA, QUARTILES, RADAR_VARIABLES

# Local time at which the satellites pass, near enough to UTC where Sen4CAP is used.
OPTICAL_PASS: Final = timedelta(hours=10, minutes=30)
RADAR_PASS: Final = timedelta(hours=18)

#: Pixels a parcel is taken to have where a file says nothing of them: a hectare of Sentinel-2.
ASSUMED_PIXELS: Final = 100

_NEEDED: Final = ("parcel_id", "time", "variable", "mean")
_COUNTS: Final = ("n", "n_total")
_TIMES: Final = ("time", "previous_time")
_DATE_LENGTH: Final = len("2021-05-02")
_DELIMITERS: Final = ",;\t"


def read_observation_file(path: Path, variables: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet or CSV file of observations; a bare date means 10:30 for optical variables, 18:00 for radar.

    Columns are found by name in any order, others are left out. Needed are parcel_id, time, variable and mean; the
    rest is null where the file has none. Of n and n_total one stands for the other; where both are missing a parcel is
    taken to have `ASSUMED_PIXELS`, all valid where there is a mean.

    Parameters
    ----------
    variables : the others are left out; all by default.

    Returns
    -------
    pa.Table : of `OBSERVATION_SCHEMA`, and of ``p25``, ``p50``, ``p75`` where the file has them.

    Raises
    ------
    NotFoundError, StorageError : the file is not there or cannot be read.
    InputError : a column is missing or a value cannot be understood.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no file of observations {path}")
    try:
        table = _csv(path) if path.suffix.lower() in (".csv", ".txt", ".tsv") else _parquet(path, variables)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} cannot be read as a table of observations: {error}") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    rows = as_observations(table, path)
    return rows if variables is None else rows.filter(_among(rows.column("variable"), variables))


def as_observations(table: pa.Table, path: Path) -> pa.Table:
    """Columns of the observation table by name, cast to its types; ``path`` is where the table is from.

    Raises
    ------
    InputError : a column is missing or cannot be cast.
    """
    lacking = [name for name in _NEEDED if name not in table.column_names]
    if lacking:
        raise InputError(f"{path} has no column {', '.join(lacking)}", hint=f"needed: {', '.join(_NEEDED)}")
    variable = pc.utf8_lower(_cast(table.column("variable"), pa.string(), path, "variable"))
    counts = _counts(table, path)
    columns, fields = [], []
    for field in (*OBSERVATION_SCHEMA, *(pa.field(name, pa.float32()) for name in QUARTILES)):
        if field.name == "variable":
            column = variable
        elif field.name in counts:
            column = counts[field.name]
        elif field.name not in table.column_names:
            if field.name in QUARTILES:
                continue
            column = pa.nulls(table.num_rows, field.type)
        elif field.name in _TIMES:
            column = _moments(table.column(field.name), variable, path, field.name)
        else:
            column = _cast(table.column(field.name), field.type, path, field.name)
        if not field.nullable and column.null_count:
            raise InputError(f"{path}: {column.null_count} rows have no {field.name}")
        if pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
        columns.append(column)
        fields.append(field)
    return pa.table(columns, schema=pa.schema(fields))


def _counts(table: pa.Table, path: Path) -> dict[str, Any]:
    """Valid pixels and pixels in all."""
    there = [name for name in _COUNTS if name in table.column_names]
    given = [_cast(table.column(name), pa.int32(), path, name) for name in there]
    mean = table.column("mean").cast(pa.float64(), safe=False)
    seen = pc.fill_null(pc.invert(pc.is_nan(mean)), False)
    some = pc.coalesce(*given, pa.chunked_array([pa.repeat(pa.scalar(ASSUMED_PIXELS, pa.int32()), table.num_rows)]))
    own = dict(zip(there, given, strict=True))
    n_total = pc.coalesce(own["n_total"], some) if "n_total" in own else some
    valid = pc.if_else(seen, n_total, pa.scalar(0, pa.int32()))
    return {"n": pc.coalesce(own["n"], valid) if "n" in own else valid, "n_total": n_total}


def _among(variable: Any, variables: Sequence[str]) -> Any:
    return pc.is_in(pc.utf8_lower(variable.cast(pa.string())), value_set=pa.array(list(variables), pa.string()))


def _csv(path: Path) -> pa.Table:
    from pyarrow import csv

    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    delimiter = max(_DELIMITERS, key=header.count)
    there = [name.strip().strip('"') for name in header.rstrip("\r\n").split(delimiter)]
    kinds = {field.name: pa.string() if field.name in _TIMES else field.type for field in OBSERVATION_SCHEMA}
    kinds |= dict.fromkeys(QUARTILES, pa.float32())
    kinds = {name: kind for name, kind in kinds.items() if name in there}
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(
            column_types=kinds, include_columns=list(kinds), strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


def _parquet(path: Path, variables: Sequence[str] | None) -> pa.Table:
    """Rows of a file; of some variables only, if the others can be told, a row group at a time."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, memory_map=True)
    names = file.schema_arrow.names
    wanted = [name for name in (*OBSERVATION_SCHEMA.names, *QUARTILES) if name in names]
    if variables is None or "variable" not in names or not file.num_row_groups:
        return file.read(columns=wanted, use_threads=False)
    groups = (file.read_row_group(at, columns=wanted, use_threads=False) for at in range(file.num_row_groups))
    return pa.concat_tables([rows.filter(_among(rows.column("variable"), variables)) for rows in groups])


def _cast(column: pa.ChunkedArray, kind: pa.DataType, path: Path, name: str) -> pa.ChunkedArray:
    try:
        # Floats may lose digits, whole numbers not.
        return column.cast(kind, safe=not pa.types.is_floating(kind))
    except pa.ArrowException as error:
        raise InputError(f"{path}: column {name} cannot be read as {kind}: {error}") from error


def _moments(column: pa.ChunkedArray, variable: pa.ChunkedArray, path: Path, name: str) -> pa.ChunkedArray:
    """Times of any kind as UTC seconds; times without a zone are UTC."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    stamp = OBSERVATION_SCHEMA.field(name).type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("s", tz=kind.tz), safe=False).cast(stamp)
    if pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"{path}: column {name} is {kind}, not a time or a date")
    encoded = pc.dictionary_encode(column.cast(pa.string()).combine_chunks())
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    moments = [_moment(text.as_py(), path, name) for text in encoded.dictionary]
    at = pc.fill_null(encoded.indices, 0).to_numpy().astype(np.int64)
    seconds = np.array([second for second, _ in moments] or [0], np.int64)[at]
    bare = np.array([is_bare for _, is_bare in moments] or [False], np.bool_)[at]
    radar = pc.is_in(variable, value_set=pa.array(RADAR_VARIABLES)).to_numpy()
    hours = np.where(radar, RADAR_PASS.total_seconds(), OPTICAL_PASS.total_seconds()).astype(np.int64)
    found: Any = pa.array(seconds + np.where(bare, hours, 0), mask=encoded.is_null().to_numpy(zero_copy_only=False))
    return pa.chunked_array([found.cast(stamp)])


def _moment(text: str, path: Path, name: str) -> tuple[int, bool]:
    """Seconds since 1970, and whether it is a bare date."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(
            f"{path}: {name} {text!r} is no date or time", hint="as 2021-05-02 or 2021-05-02T10:46:12Z"
        ) from (error)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()), len(text.strip()) <= _DATE_LENGTH
