"""The folder of a version of the declarations: Parquet tables and the report, there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet
from pyproj import CRS

from s4c_lib.errors import DiskFullError, StorageError, is_disk_full

ROW_GROUP: Final = 65_536

USER_NAMES: Final[Mapping[str, str]] = {
    "new_id": "NewID",
    "hold_id": "HoldID",
    "geom_valid": "GeomValid",
    "area_meters": "Area_meters",
    "shape_ind": "ShapeInd",
    "overlap": "Overlap",
    "duplic": "Duplic",
    "s2_pix": "S2Pix",
    "s1_pix": "S1Pix",
    "inserted_at": "inserted_timestamp",
    "updated_at": "updated_timestamp",
    "geom": "geometry",
}
"""How columns of parcels are called in files, where it differs."""


def version_folder(site_folder: Path, year: int, version: int) -> Path:
    """Return where a version lies: ``{site}/{year}/v{nnn}``."""
    return site_folder / str(year) / f"v{version:03d}"


def write_version_folder(
    target: Path, parcels: pa.Table, crs: CRS, tables: Mapping[str, pa.Table], report: Mapping[str, Any]
) -> None:
    """Write ``declarations.parquet`` (GeoParquet), a Parquet file for each table, and ``report.json``.

    A folder of that name is what an import that failed has left: nothing refers to it, it is replaced.

    Parameters
    ----------
    tables : by file name without suffix, ``attributes`` and ``rejects``.

    Raises
    ------
    DiskFullError, StorageError : nothing is left behind.
    """
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
        partial.chmod(0o755)  # mkdtemp makes it private; others read it
        for name, table in {"declarations": geoparquet(parcels, crs), **tables}.items():
            parquet.write_table(table, partial / f"{name}.parquet", compression="zstd", row_group_size=ROW_GROUP)
        (partial / "report.json").write_text(json.dumps(dict(report), ensure_ascii=False, indent=1) + "\n")
        _sync(partial)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        _discard(partial)
        if is_disk_full(error):
            raise DiskFullError(f"The disk of {target} is full; nothing was kept.", hint="free space") from error
        raise StorageError(f"{target} cannot be written: {error.strerror or error}; nothing was kept.") from error
    except BaseException:
        _discard(partial)
        raise


def remove_version_folder(target: Path) -> None:
    """Remove the folder of a version that does not come into force, if it is there."""
    _discard(target)


def _discard(folder: Path | None) -> None:
    if folder is not None:
        # What cannot be removed is replaced by the next import; the error that brought us here matters more.
        shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Bring files to the disk before the database says that they are there."""
    for path in (*sorted(folder.iterdir()), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def geoparquet(parcels: pa.Table, crs: CRS) -> pa.Table:
    """Return parcels with the column names of files and the metadata of GeoParquet 1.1 (geometry as WKB)."""
    named = parcels.rename_columns([USER_NAMES.get(name, name) for name in parcels.column_names])
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Polygon", "MultiPolygon"],
                "crs": crs.to_json_dict(),
            }
        },
    }
    return named.replace_schema_metadata({**(named.schema.metadata or {}), b"geo": json.dumps(geo).encode()})
