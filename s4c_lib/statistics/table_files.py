"""Tables of any length as one file for other programs: CSV, Arrow IPC or Parquet, written piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from s4c_lib.parcels.pixel_index_file import whole_file


def write_table_file(path: Path, kind: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Write tables one after the other; returns the number of rows.

    Parameters
    ----------
    kind : ``csv``, ``ipc`` or ``parquet``.

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


_WRITERS: Final[Mapping[str, Callable[[str, pa.Schema], Any]]] = {
    "csv": _csv,
    "ipc": pa.ipc.new_file,
    "parquet": _parquet,
}
