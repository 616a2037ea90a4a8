"""Parcels of a version into PostGIS and back, as Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_copy import BATCH_ROWS, copy_errors, copy_in, copy_out
from s4c_lib.errors import InputError

if TYPE_CHECKING:
    from s4c_lib.catalog.parcel_sets import ParcelSet

PARCEL_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "hold_id": "integer",
    "ori_id": "text",
    "ori_id_raw": "text",
    "ori_hold": "text",
    "ori_crop": "text",
    "geom": "geometry",
    "geom_valid": "boolean",
    "geom_repaired": "boolean",
    "n_parts": "integer",
    "area_meters": "double",
    "shape_ind": "double",
    "overlap": "boolean",
    "overlap_amount": "double",
    "duplic": "boolean",
    "duplic_group": "integer",
    "s2_pix": "integer",
    "s1_pix": "integer",
    "shared_pix": "integer",
    "primary_tile": "text",
    "declared_area": "double",
    "is_deleted": "boolean",
    "change": "text",
    "geom_change_ratio": "double",
    "inserted_at": "moment",
    "updated_at": "moment",
    "src_row": "bigint",
    "attrs": "json",
}
"""Columns of a parcel and their kinds (`parcel_copy.COLUMN_TYPES`); ``geom`` is WKB in the set's own system."""

PIXEL_COLUMNS: Final[Mapping[str, str]] = {
    "grid": "text",
    "new_id": "integer",
    "n": "integer",
    "n_shared": "integer",
}
"""Columns of ``parcel_pixel``."""

LUT_COLUMNS: Final[Mapping[str, str]] = {
    "ctnum": "integer",
    "ct": "text",
    "lc": "integer",
    "ctnuml4a": "integer",
    "ctl4a": "text",
    "ctnumdiv": "integer",
    "ctdiv": "text",
    "eaa": "boolean",
    "al": "boolean",
    "pgrass": "boolean",
    "tgrass": "boolean",
    "fallow": "boolean",
    "cwater": "boolean",
}
_OPTIONAL: Final = (
    "hold_id", "s2_pix", "s1_pix", "shared_pix", "primary_tile", "declared_area", "change", "geom_change_ratio",
    "src_row", "attrs",
)  # fmt: skip
_SRID_FLAG: Final = 0x20
_HEAD_BYTES: Final = 5


def store_parcels(connection: Connection, parcel_set: ParcelSet, parcels: pa.Table) -> None:
    """Fill the table of a version, index it, and attach it to ``parcel``.

    Readers of other versions never wait: the table is made on its own, and attaching takes a lock that lets them
    read.

    Raises
    ------
    InputError : a column is missing, or the database refuses a row.
    DatabaseUnavailableError, StorageError : the server went away; its disk is full.
    """
    site_id, year, number = parcel_set.site_id, parcel_set.year, parcel_set.id
    table = connection.execute(
        text("SELECT s4c.parcel_table(:site_id, :year, :version)"),
        {"site_id": site_id, "year": year, "version": parcel_set.version},
    ).scalar_one()
    # All parts of these statements are whole numbers. The check spares attaching a scan.
    connection.execute(
        text(
            f"""
            CREATE TABLE s4c.{table} (
                LIKE s4c.parcel INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
                CONSTRAINT of_one_set CHECK (site_id = {site_id} AND year = {year} AND parcel_set_id = {number})
            )
            """
        )
    )
    rows = _with_keys(parcels, site_id, year, number, parcel_set.srid)
    kinds = {"site_id": "bigint", "year": "integer", "parcel_set_id": "bigint", **PARCEL_COLUMNS}
    copy_in(connection, table, rows, kinds, freeze=True)
    with copy_errors(f"table {table}"):
        for statement in (
            f"ALTER TABLE s4c.{table} ADD PRIMARY KEY (new_id, parcel_set_id, year, site_id)",
            f"ALTER TABLE s4c.{table} ADD UNIQUE (ori_id, parcel_set_id, year, site_id)",
            f"CREATE INDEX ON s4c.{table} USING gist (geom)",
            f"ANALYZE s4c.{table}",
        ):
            _execute(connection, statement)
    _ensure_partitions(connection, site_id, year)
    connection.execute(
        text(f"ALTER TABLE s4c.parcel_{site_id}_{year} ATTACH PARTITION s4c.{table} FOR VALUES IN ({number})")
    )


def store_pixels(connection: Connection, set_id: int, pixels: pa.Table) -> None:
    """Store the pixels of each parcel on each grid, with `PIXEL_COLUMNS`, beside the parcels of a version."""
    table = f"parcel_pixel_{set_id}"
    check = f"CONSTRAINT of_one_set CHECK (parcel_set_id = {set_id})"
    connection.execute(text(f"CREATE TABLE s4c.{table} (LIKE s4c.parcel_pixel, {check})"))
    rows = pixels.append_column("parcel_set_id", pa.repeat(pa.scalar(set_id, pa.int64()), len(pixels)))
    copy_in(connection, table, rows, {"parcel_set_id": "bigint", **PIXEL_COLUMNS}, freeze=True)
    with copy_errors(f"table {table}"):
        _execute(connection, f"ALTER TABLE s4c.{table} ADD PRIMARY KEY (new_id, grid, parcel_set_id)")
        _execute(connection, f"ANALYZE s4c.{table}")
    connection.execute(text(f"ALTER TABLE s4c.parcel_pixel ATTACH PARTITION s4c.{table} FOR VALUES IN ({set_id})"))


def _execute(connection: Connection, statement: str) -> None:
    # by the driver, whose errors tell a broken rule from a lost connection
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(statement)


def _ensure_partitions(connection: Connection, site_id: int, year: int) -> None:
    # Two years of a site may be imported at the same time, and both may be the first.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('s4c parcel partitions', 0))"))
    for parent, table, column, value in (
        ("parcel", f"parcel_{site_id}", "year", site_id),
        (f"parcel_{site_id}", f"parcel_{site_id}_{year}", "parcel_set_id", year),
    ):
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": f"s4c.{table}"}).scalar_one() is None:
            # CREATE TABLE ... PARTITION OF would make every reader of the parent wait.
            connection.execute(
                text(
                    f"CREATE TABLE s4c.{table} (LIKE s4c.parcel INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
                    f"PARTITION BY LIST ({column})"
                )
            )
            connection.execute(text(f"ALTER TABLE s4c.{parent} ATTACH PARTITION s4c.{table} FOR VALUES IN ({value})"))


def _with_keys(parcels: pa.Table, site_id: int, year: int, number: int, srid: int) -> pa.Table:
    missing = [name for name in PARCEL_COLUMNS if name not in parcels.column_names and name not in _OPTIONAL]
    if missing:
        raise InputError(f"The table of parcels lacks the columns {', '.join(missing)}.")
    count = len(parcels)
    columns: dict[str, Any] = {
        "site_id": pa.repeat(pa.scalar(site_id, pa.int64()), count),
        "year": pa.repeat(pa.scalar(year, pa.int32()), count),
        "parcel_set_id": pa.repeat(pa.scalar(number, pa.int64()), count),
    }
    for name in PARCEL_COLUMNS:
        columns[name] = parcels[name] if name in parcels.column_names else pa.nulls(count)
    columns["geom"] = with_srid(parcels["geom"], srid)
    return pa.table(columns)


def with_srid(wkb: Any, srid: int) -> Any:
    """Return WKB as EWKB: the flag and the number go behind the five bytes of byte order and type.

    Parameters
    ----------
    wkb : binary array or chunked array, null where there is no geometry.
    """
    pieces = pa.table({"wkb": wkb}).to_batches(max_chunksize=BATCH_ROWS)
    return pa.chunked_array([_with_srid(piece.column(0).cast(pa.binary()), srid) for piece in pieces], pa.binary())


def _with_srid(wkb: Any, srid: int) -> Any:
    offsets = np.frombuffer(wkb.buffers()[1], np.int32)[wkb.offset : wkb.offset + len(wkb) + 1].astype(np.int64)
    present = wkb.is_valid().to_numpy(zero_copy_only=False)
    starts = (offsets[:-1] - offsets[0])[present]
    content = np.frombuffer(wkb.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]].copy()
    if (np.diff(offsets)[present] < _HEAD_BYTES).any():
        raise InputError("The geometry of parcels is no WKB: a value is too short.")
    little = content[starts] == 1
    # the byte of the type that holds the highest bits
    flags = starts + np.where(little, 4, 1)
    if (content[flags] & _SRID_FLAG).any():
        raise InputError("The geometry of parcels comes with an SRID.", hint="give WKB without one")
    content[flags] |= _SRID_FLAG
    number = np.frombuffer(srid.to_bytes(4, "little"), np.uint8)
    numbers = np.where(little[:, None], number, number[::-1])
    longer = np.insert(content, np.repeat(starts + _HEAD_BYTES, 4), numbers.ravel())
    places = (offsets - offsets[0]) + 4 * np.concatenate([[0], np.cumsum(present)])
    valid = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(
        pa.binary(), len(wkb), [valid, pa.py_buffer(places.astype(np.int32)), pa.py_buffer(longer)]
    )


def read_parcels(
    connection: Connection,
    parcel_set: ParcelSet,
    columns: Sequence[str] | None = None,
    *,
    lut_version: int | None = None,
    processor: str | None = None,
    with_deleted: bool = False,
) -> pa.Table:
    """Return the parcels of a version by ascending number.

    Parameters
    ----------
    columns : of `PARCEL_COLUMNS`; all by default. Without ``geom`` it is ten times as fast.
    lut_version : upload of a crop code table whose columns (`LUT_COLUMNS`) are added, null where a crop is unknown.
    processor : adds ``reason``, why it leaves the parcel out whatever its parameters (null: it does not).
    """
    names = list(PARCEL_COLUMNS if columns is None else columns)
    if unknown := [name for name in names if name not in PARCEL_COLUMNS]:
        raise InputError(f"Parcels have no column {unknown[0]!r}.", hint=f"choose from {', '.join(PARCEL_COLUMNS)}")
    kinds = {name: PARCEL_COLUMNS[name] for name in names}
    selected = ["encode(ST_AsBinary(p.geom), 'hex')" if name == "geom" else f"p.{name}" for name in names]
    joins = ""
    if lut_version is not None:
        kinds |= LUT_COLUMNS
        selected += [f"l.{name}" for name in LUT_COLUMNS]
        joins += " LEFT JOIN s4c.crop_lut l ON l.auxdata_version_id = %(lut)s AND l.ori_crop = p.ori_crop"
    if processor is not None:
        kinds["reason"] = "text"
        selected.append(
            "s4c.why_not_eligible(%(processor)s, p.is_deleted, p.geom_valid, p.geom_repaired, p.duplic, p.overlap)"
        )
    query = f"""
        SELECT {", ".join(selected)} FROM s4c.parcel p{joins}
        WHERE p.site_id = %(site)s AND p.year = %(year)s AND p.parcel_set_id = %(set)s
          {"" if with_deleted else "AND NOT p.is_deleted"}
        ORDER BY p.new_id
    """
    values: dict[str, int | str] = {"site": parcel_set.site_id, "year": parcel_set.year, "set": parcel_set.id}
    values |= {"lut": lut_version or 0, "processor": processor or ""}
    return copy_out(connection, query, values, kinds)
