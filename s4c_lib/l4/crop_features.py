"""Features of a run on disk: ``features.parquet`` of the product, and a matrix the forest can work on.

A million parcels of a thousand features are 4 GB: they are computed and written block by block, and the matrix is a
file that is mapped into memory and goes at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.crop_type.clear_dates import mean_gap_days
from s4c_lib.crop_type.feature_table import FeatureTable, PreparedFeatures
from s4c_lib.crop_type.marker_tables import marker_columns, marker_name, marker_tables
from s4c_lib.progress import Progress, silent

FEATURES: Final = "features.parquet"
BLOCK: Final = 20_000
"""Parcels computed at a time: 80 MB of a thousand features."""
_IDENTIFIER: Final = "NewID"


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """Features of all parcels.

    Attributes
    ----------
    table : its values are a memory map.
    gap_days : float64 (parcels,), `clear_dates.mean_gap_days`.
    """

    table: FeatureTable
    gap_days: npt.NDArray[np.float64]


@contextmanager
def stored_features(
    prepared: PreparedFeatures,
    folder: Path,
    *,
    markers: Callable[[str], str] | None = None,
    progress: Progress = silent,
) -> Iterator[StoredFeatures]:
    """Write ``features.parquet`` and, if wanted, the marker files into a folder; give the features while it is open.

    Parameters
    ----------
    markers : name of the file of each marker table, without extension; None writes none.

    Raises
    ------
    OSError : a file cannot be written; InputError : a parcel number does not fit the marker files.
    """
    import pyarrow.parquet as pq

    count, names = len(prepared.parcel_id), prepared.names
    schema = pa.schema(
        [pa.field(_IDENTIFIER, pa.int64(), nullable=False), *(pa.field(name, pa.float32()) for name in names)]
    )
    gap_days = np.full(count, np.nan)
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix=".features-", dir=folder))
        values: Any = np.lib.format.open_memmap(
            Path(place) / "values.npy", mode="w+", dtype=np.float32, shape=(count, len(names))
        )
        with ExitStack() as files:
            parquet = files.enter_context(
                pq.ParquetWriter(folder / FEATURES, schema, compression="zstd", compression_level=3)
            )
            tables = {
                table: files.enter_context(_MarkerFile(folder, markers(table)))
                for table in (marker_columns(names) if markers else {})
                if markers
            }
            done = 0
            for block in prepared.blocks(BLOCK):
                rows = slice(done, done + len(block.parcel_id))
                values[rows] = block.values
                gap_days[rows] = mean_gap_days(block, block.parcel_id)
                arrays = [pa.array(block.parcel_id), *(_column(block.values[:, at]) for at in range(len(names)))]
                parquet.write_table(pa.table(arrays, schema=schema))
                for table, content in (marker_tables(block) if tables else {}).items():
                    tables[table].write(content)
                done = rows.stop
                progress(done, count, f"features: {len(names)} a parcel")
        whole = FeatureTable(prepared.parcel_id, names, values, prepared.dates, None, prepared.missing_sensor)
        yield StoredFeatures(whole, gap_days)


def _column(values: npt.NDArray[np.float32]) -> pa.Array:
    return pa.array(np.ascontiguousarray(values), from_pandas=True)


class _MarkerFile:
    """An Arrow file with a record batch for each block, and beside it where the parcels of each batch are.

    The index holds three big-endian int32 for each batch: its number, first and last ``NewID``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.ipc"
        self._index: BinaryIO = (folder / f"{name}.ipc.idx").open("wb")
        self._writer: Any = None
        self._batches = 0

    def __enter__(self) -> _MarkerFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._index.close()

    def write(self, table: pa.Table) -> None:
        """Add parcels, which are not empty and ascend."""
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), table.schema)
        for batch in table.combine_chunks().to_batches():
            numbers = batch.column(0).to_numpy()
            self._writer.write_batch(batch)
            entry = np.array([self._batches, numbers[0], numbers[-1]], ">i4")
            self._index.write(entry.tobytes())
            self._batches += 1


def marker_names(first: date, last: date, made_at: datetime) -> Callable[[str], str]:
    """Return what names the file of a marker table."""
    return lambda table: marker_name(table, first, last, made_at)
