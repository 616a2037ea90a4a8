"""Tables of any length as one file for other programs: CSV, Arrow IPC or Parquet, written piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa

from s4c_lib.parcels.pixel_index_file import whole_file


class TableFormat(StrEnum):
    """Format of a file, which is its suffix too."""

    CSV = "csv"
    IPC = "ipc"
    PARQUET = "parquet"


def write_table_file(path: Path, kind: TableFormat, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write tables one after the other; returns the number of rows.

    Raises
    ------
    DiskFullError, StorageError : it could not be written; a file of before stays.
    """
    rows = 0
    with whole_file(path) as unfinished, _WRITERS[kind](str(unfinished), schema) as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _csv(path: str, schema: pa.Schema) -> Any:
    from pyarrow import csv

    return csv.CSVWriter(path, schema, write_options=csv.WriteOptions(quoting_style="needed"))


def _parquet(path: str, schema: pa.Schema) -> Any:
    from pyarrow import parquet

    return parquet.ParquetWriter(path, schema, compression="zstd")


_WRITERS: dict[TableFormat, Callable[[str, pa.Schema], Any]] = {
    TableFormat.CSV: _csv,
    TableFormat.IPC: pa.ipc.new_file,
    TableFormat.PARQUET: _parquet,
}
