"""Batches on their way into a GDAL file: progress, and errors that keep their message."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from s4c_lib.errors import DiskFullError, StorageError, is_disk_full
from s4c_lib.products.export_columns import GEOMETRY
from s4c_lib.products.export_rows import Layer
from s4c_lib.progress import Progress

_NEARLY_FULL: Final = 1 << 20


def counted(batches: Iterator[pa.RecordBatch], total: int, progress: Progress, label: str) -> Iterator[pa.RecordBatch]:
    """Batches as they are, with progress after each."""
    done = 0
    for batch in batches:
        yield batch
        done += batch.num_rows
        progress(done, total, label)


def write_vector(
    path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch], layer: Layer, driver: str, **options: Any
) -> None:
    """Write one layer through GDAL, a batch at a time.

    Raises
    ------
    StorageError : the file cannot be written; or whatever error the making of a batch raised.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError

    failed: list[Exception] = []

    def kept() -> Iterator[pa.RecordBatch]:
        # An error inside an Arrow stream reaches GDAL without its message: keep it.
        try:
            yield from batches
        except Exception as error:
            failed.append(error)
            raise

    try:
        pyogrio.write_arrow(
            pa.RecordBatchReader.from_batches(schema, kept()),
            path,
            # A Shapefile is named by its file; a name of its own would make a folder of it.
            layer=None if driver == "ESRI Shapefile" else layer.name,
            driver=driver,
            geometry_name=GEOMETRY,
            geometry_type="MultiPolygon",
            crs=layer.crs.to_wkt(),
            **options,
        )
    except (DataLayerError, DataSourceError, FieldError, RuntimeError) as error:
        if failed:
            raise failed[0] from error
        raise storage_error(path, error) from error


def storage_error(path: Path, error: Exception) -> StorageError:
    """Say which file could not be written, and whether the disk is full."""
    text = str(error)
    # GDAL seldom says why a write failed; a full disk shows in what is left.
    full = path.parent.is_dir() and shutil.disk_usage(path.parent).free < _NEARLY_FULL
    if full or (isinstance(error, OSError) and is_disk_full(error)):
        return DiskFullError(f"No space is left to write {path.name}.", hint="free some, or export fewer columns")
    return StorageError(f"{path.name} cannot be written: {text}", hint="check the folder and the free space")
