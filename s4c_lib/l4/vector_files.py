"""Vector files of L4 products: declared columns and result columns as GeoPackage, and as Shapefile for GIS of old.

They go through the export (`products.export`), which checks, names and writes in batches. The same inputs give the same
bytes: files bear the last date of the run, not the time of writing.
"""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.errors import InputError
from s4c_lib.products.export import export_parcels
from s4c_lib.products.export_model import (
    ColumnNote,
    ExportFrame,
    ExportOptions,
    ExportSummary,
    Format,
    Provenance,
    ResultTable,
)
from s4c_lib.products.export_stream import storage_error
from s4c_lib.products.shapefile_names import LENGTH, short_names
from s4c_lib.progress import Progress, silent
from s4c_lib.scheduling.dates import midnight
from s4c_lib.season_run import SeasonRun

SOFTWARE: Final = "sen4cap-airflow"
LICENCE: Final = "declarations of the paying agency; not for publication without its consent"
#: What a product is first shown by, of the columns its result has.
SHOWN_BY: Final = ("CT_pred_1_name", "mow_n", "C_INDEX")
_DBF_DATE: Final = 1  # where a dBASE file has year, month and day of its last change


def provenance(run: SeasonRun, parameters: Mapping[str, str] | None = None) -> Provenance:
    """What the files of a run say about themselves."""
    versions = {str(kind): f"upload {number}" for kind, number in run.uploads.items() if kind != Kind.DECLARATIONS}
    return Provenance(
        site=run.site.short_name,
        year=run.parcel_set.year,
        created_at=midnight(run.as_of),
        licence=LICENCE,
        software=f"{SOFTWARE} {version(SOFTWARE)}",
        versions={"declarations": f"v{run.parcel_set.version}", **versions},
        parameters={"profile": str(run.snapshot["profile"]), **(parameters or {})},
    )


def write_geopackage(
    folder: Path,
    stem: str,
    declared: pa.Table,
    crs: Any,
    result: ResultTable,
    origin: Provenance,
    *,
    own: pa.Table | None = None,
    tables: Mapping[str, pa.Table] | None = None,
    progress: Progress = silent,
) -> ExportSummary:
    """Write ``{stem}.gpkg``: one layer, named as the result, of the declared parcels that have a row in it.

    Parameters
    ----------
    declared : ``NewID``, declared columns and ``geometry`` as WKB (`l4.declared.with_outlines`).
    crs : of the outlines, as pyproj understands it.
    result : a row for each parcel, or several told apart by its key; its columns keep their names.
    own : the agency's own columns, by ``NewID``.
    tables : further tables without outlines, by name.

    Raises
    ------
    InputError : a column cannot be written. StorageError, DiskFullError : the file cannot be written.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError

    frame = ExportFrame(declared, origin, crs=crs, attributes=own, results=(result,))
    shown_by = next((name for name in SHOWN_BY if name in result.table.column_names), "")
    options = ExportOptions((Format.GEOPACKAGE,), name=stem, attributes=own is not None, shown_by=shown_by)
    summary = export_parcels(frame, folder, options, progress)
    path = folder / f"{stem}.gpkg"
    for name, table in (tables or {}).items():
        try:
            pyogrio.write_arrow(table, path, layer=name, driver="GPKG", layer_options={"FID": "row_id"})
        except (DataLayerError, DataSourceError, FieldError, RuntimeError) as error:
            raise storage_error(path, error) from error
    with closing(sqlite3.connect(path)) as database, database:
        # GDAL writes the time of its own clock
        database.execute("UPDATE gpkg_contents SET last_change = ?", (f"{origin.created[:-1]}.000Z",))
    return summary


def write_shapefile(
    folder: Path,
    stem: str,
    parcels: pa.Table,
    crs: Any,
    origin: Provenance,
    *,
    names: Mapping[str, str] | None = None,
    notes: Mapping[str, ColumnNote] | None = None,
    zipped: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write ``{stem}.shp`` with its side files, or all of them as ``{stem}_shp.zip``.

    Parameters
    ----------
    parcels : ``NewID``, all columns as they are to be written, and ``geometry`` as WKB.
    names : Shapefile name of columns, of at most ten characters; others are shortened by rule. Those that differ are
        listed in ``{stem}_columns.csv``.

    Returns
    -------
    What was written, the ``.shp`` (or the archive) first.

    Raises
    ------
    InputError : a name does not fit, or too many columns. StorageError, DiskFullError : it cannot be written.
    """
    renamed = dict(names or {})
    columns = [name for name in parcels.column_names if name != "geometry"]
    wanted = [renamed.get(name, name) for name in columns]
    if unfit := [name for name in renamed.values() if len(name) > LENGTH or short_names([name])[name] != name]:
        raise InputError(f"{unfit[0]!r} cannot name a column of a Shapefile.", hint=f"{LENGTH} letters, digits or _")
    table = parcels.select([*columns, "geometry"]).rename_columns([*wanted, "geometry"])
    frame = ExportFrame(table, origin, crs=crs)
    options = ExportOptions(formats=(Format.SHAPEFILE,), name=stem)
    with tempfile.TemporaryDirectory(prefix=".shapefile-", dir=folder) as place:
        export_parcels(frame, Path(place), options, progress)
        archive = Path(place) / f"{stem}_shp.zip"
        if zipped:
            return [archive.replace(folder / archive.name)]
        with zipfile.ZipFile(archive) as content:
            members = [name for name in content.namelist() if not name.endswith("_about.json")]
            content.extractall(place, members)
        for name in members:
            if name.endswith(".dbf"):
                _stamp(Path(place) / name, origin)
        paths = [(Path(place) / name).replace(folder / name) for name in members]
    return sorted(paths, key=lambda path: (path.suffix != ".shp", path.name))


def _stamp(path: Path, origin: Provenance) -> None:
    """Put the date of the product where GDAL wrote today's."""
    day = origin.created_at
    with path.open("r+b") as file:
        file.seek(_DBF_DATE)
        file.write(bytes([day.year - 1900, day.month, day.day]))


def result_table(
    run: SeasonRun, name: str, table: pa.Table, notes: Mapping[str, ColumnNote], *, key: str | None = None
) -> ResultTable:
    """The results of a run as the export takes them; ``name`` becomes that of the layer."""
    versions = {str(kind): str(number) for kind, number in sorted(run.uploads.items())}
    return ResultTable(name, f"{run.fingerprint[:8]}", table, key, notes, run.as_of, versions)


def paths_of(summaries: Sequence[ExportSummary]) -> list[Path]:
    """Files of several exports."""
    return [item.path for summary in summaries for item in summary.files]
