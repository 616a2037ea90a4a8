"""Declarations in force as the export service takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.parcel_sets import ParcelSet
from s4c_lib.catalog.parcel_sets_files import USER_NAMES
from s4c_lib.catalog.parcel_sets_rows import PARCEL_COLUMNS, read_parcels
from s4c_lib.errors import InputError
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.products.export_model import ExportFrame, Format, Provenance

_NAMES = {
    "gpkg": Format.GEOPACKAGE,
    "geopackage": Format.GEOPACKAGE,
    "shp": Format.SHAPEFILE,
    "shapefile": Format.SHAPEFILE,
    "parquet": Format.GEOPARQUET,
    "geoparquet": Format.GEOPARQUET,
    "fgb": Format.FLATGEOBUF,
    "flatgeobuf": Format.FLATGEOBUF,
    "csv": Format.CSV,
}
_SHOWN = tuple(name for name in PARCEL_COLUMNS if name not in {"attrs"})


def named_formats(names: Sequence[str]) -> tuple[Format, ...]:
    """Formats by the names people use.

    Raises
    ------
    InputError : a name that is none.
    """
    for name in names:
        if name.lower() not in _NAMES:
            raise InputError(f"There is no format {name!r}.", hint="gpkg, shapefile, geoparquet, flatgeobuf or csv")
    return tuple(dict.fromkeys(_NAMES[name.lower()] for name in names))


def declarations_frame(
    connection: Connection, parcel_set: ParcelSet, site: str, now: datetime, *, attributes: bool
) -> ExportFrame:
    """A version of declarations with its crop codes and, when asked for, the agency's own columns."""
    rows = read_parcels(connection, parcel_set, _SHOWN)
    lut = auxdata.active_version(connection, parcel_set.site_id, auxdata.Kind.LUT, parcel_set.year)
    table = None if lut is None else CropLut.from_dict(auxdata.parsed_of(connection, lut.id))
    own = pq.read_table(Path(parcel_set.folder) / "attributes.parquet") if attributes else None
    return ExportFrame(
        rows.rename_columns([USER_NAMES.get(name, name) for name in rows.column_names]),
        Provenance(
            site=site,
            year=parcel_set.year,
            created_at=now,
            licence="declarations of the paying agency; not for publication without its consent",
            software=f"sen4cap-airflow {version('sen4cap-airflow')}",
            versions={"declarations": f"v{parcel_set.version}"} | ({} if lut is None else {"lut": f"upload {lut.id}"}),
        ),
        crs=parcel_set.crs_wkt,
        attributes=own,
        lut=None if table is None else pa.table(table.as_dict()["columns"]),
    )
