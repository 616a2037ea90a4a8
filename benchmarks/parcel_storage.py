"""Parcels into PostGIS and back: seconds and memory, against the figures of the specification and against INSERT.

Run: ``python benchmarks/parcel_storage.py [--parcels 500000]``. Brings its own PostgreSQL, which ends with it.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2.extras
import pyarrow as pa
import shapely
from measuring import peak_mb
from pyarrow import csv
from pyproj import CRS
from sqlalchemy import Connection, text

from deploy.local_stack.postgres import private_postgres
from s4c_lib.catalog import auxdata, parcel_sets
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.migrations import migrate
from s4c_lib.catalog.parcel_copy import COLUMN_TYPES, copy_in
from s4c_lib.catalog.parcel_sets import NewParcelSet
from s4c_lib.catalog.parcel_sets_rows import PARCEL_COLUMNS, read_parcels, store_pixels
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.identity import KnownParcels, Mode, ParcelRows, assembled, next_version
from s4c_lib.settings import MIGRATIONS

NOW = datetime(2024, 6, 1, 8, tzinfo=UTC)
VERTICES = 18  # and the closing one: 19, as in the specification
SPEC_COPY_S, SPEC_INDEX_S, TARGET_S_PER_MILLION = 1.0, 1.1, 15.0


def outlines(count: int, shift: float = 0.0) -> Any:
    """Fields of about 1.8 ha with 19 vertices on a grid."""
    side = int(np.ceil(np.sqrt(count)))
    place = np.arange(count)
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    x = 600_000 + 160.0 * (place % side)[:, None] + 75 * np.cos(angle) + shift
    y = 5_700_000 + 160.0 * (place // side)[:, None] + 75 * np.sin(angle)
    corners = np.stack([x, y], axis=2)
    rings = np.concatenate([corners, corners[:, :1]], axis=1)
    polygons = shapely.polygons(rings)
    return shapely.multipolygons(polygons, indices=np.arange(count))


def rows(count: int) -> ParcelRows:
    """Identifiers, holdings and crops as an agency writes them."""
    numbers = np.arange(count)
    ids = np.array([f"31{n:08d}-1" for n in numbers], object)
    holdings = np.array([f"H{n // 9:07d}" for n in numbers], object)
    crops = np.array(["265", "259", "266", "233", "256"], object)[numbers % 5]
    return ParcelRows(ids, holdings, crops, outlines(count))


def columns(parcels: ParcelRows) -> pa.Table:
    """All columns of a delivery."""
    count = len(parcels)
    no = pa.array(np.zeros(count, np.bool_))
    area = shapely.area(parcels.geometry)
    whole = pa.array(np.ones(count, np.int32))
    return pa.table(
        {
            "hold_id": pa.array((np.arange(count) // 9 + 1).astype(np.int32)),
            "ori_id": pa.array(parcels.ori_id, pa.string()),
            "ori_id_raw": pa.array(parcels.ori_id, pa.string()),
            "ori_hold": pa.array(parcels.ori_hold, pa.string()),
            "ori_crop": pa.array(parcels.ori_crop, pa.string()),
            "geom": pa.array(shapely.to_wkb(parcels.geometry), pa.binary()),
            "geom_valid": pa.array(np.ones(count, np.bool_)),
            "geom_repaired": no,
            "n_parts": whole,
            "area_meters": pa.array(area),
            "shape_ind": pa.array(shapely.length(parcels.geometry) / (2 * np.sqrt(np.pi * area))),
            "overlap": no,
            "overlap_amount": pa.array(np.zeros(count)),
            "duplic": no,
            "duplic_group": pa.array(np.zeros(count, np.int32)),
            "s2_pix": pa.array(np.full(count, 140, np.int32)),
            "s1_pix": pa.array(np.full(count, 25, np.int32)),
            "primary_tile": pa.array(["31UFT"] * count),
            "src_row": pa.array(np.arange(1, count + 1)),
        }
    )


def timed(what: str, work: Callable[[], Any]) -> tuple[float, Any]:
    """Run, print the seconds, return them and the result."""
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    peak = peak_mb()
    print(f"  {what}: {seconds:.2f} s (peak of the process so far {peak:.0f} MB)", flush=True)
    return seconds, result


def new_set(connection: Connection, site: int, parcels: pa.Table, base: int | None, name: bytes) -> NewParcelSet:
    """A version ready to come into force."""
    version, _ = auxdata.upload(
        connection, site, auxdata.Kind.DECLARATIONS, 2024, file_name="x", content=name, parameters={}, actor="x"
    )
    auxdata.start_validation(connection, version.id, actor="x")
    attributes = parcels.select(["src_row", "ori_id", "ori_hold", "ori_crop", "area_meters"])
    mapping = ColumnMapping(parcel_id=("id",), crop="crop")
    return NewParcelSet(
        site, 2024, version.id, base, Mode.UPDATE, CRS.from_epsg(32631), mapping, "default", {}, {}, parcels,
        {"attributes": attributes},
    )  # fmt: skip


def whole_import(database: Database, site: int, count: int, folder: Path) -> None:
    """A first import and a second delivery with 2 % of changes, step by step."""
    print(f"{count} parcels of 19 vertices")
    delivery = rows(count)
    table = columns(delivery)
    _, first = timed("identity of a first import", lambda: next_version(delivery, KnownParcels.none(), Mode.UPDATE))
    with database.begin() as connection:
        _, known = parcel_sets.read_known(connection, site, 2024)
        ready = assembled(first, table, known, NOW)
        new = new_set(connection, site, ready, None, b"1")
        seconds, made = timed(
            "into force: Parquet, COPY, indexes, switch",
            lambda: parcel_sets.activate(connection, new, folder, actor="x"),
        )
    print(f"  target of section 9: {TARGET_S_PER_MILLION:g} s a million; ours: {seconds * 1e6 / count:.1f} s")
    with database.begin() as connection:
        plain = [name for name in PARCEL_COLUMNS if name not in {"geom", "attrs"}]
        timed("read back, all columns but the geometry", lambda: read_parcels(connection, made, plain))
        timed(
            "read back, number, codes and pixels",
            lambda: read_parcels(connection, made, ["new_id", "ori_crop", "s1_pix"]),
        )
        _, (_, known_rows) = timed("read back, everything", lambda: parcel_sets.read_known(connection, site, 2024))
    moved = delivery.geometry.copy()
    moved[::50] = outlines(count, 2.0)[::50]
    again = ParcelRows(delivery.ori_id, delivery.ori_hold, delivery.ori_crop, moved)
    _, known_parcels = timed("known parcels from rows", lambda: parcel_sets.known_parcels(known_rows))
    _, second = timed("identity and change classes, 2 % moved", lambda: next_version(again, known_parcels, Mode.UPDATE))
    print(f"  {second.counts()}")


def parts(database: Database, count: int) -> None:
    """COPY and indexes alone, and other ways to the same rows."""
    table = columns(rows(count))
    ready = assembled(
        next_version(rows(count), KnownParcels.none(), Mode.UPDATE), table, empty(),
        NOW,
    )  # fmt: skip
    flat = pa.table({name: ready[name] for name in PARCEL_COLUMNS if name in ready.column_names})
    kinds = {name: kind for name, kind in PARCEL_COLUMNS.items() if name in flat.column_names}
    with database.begin() as connection:
        like = "LIKE s4c.parcel INCLUDING DEFAULTS"
        for name in ("bare_binary", "bare_csv", "bare_insert"):
            connection.execute(text(f"CREATE TABLE s4c.{name} ({like})"))
            for key in ("site_id", "year", "parcel_set_id"):
                connection.execute(text(f"ALTER TABLE s4c.{name} ALTER {key} SET DEFAULT 1"))
    print(f"ways to store {count} parcels, without indexes")
    with database.begin() as connection:
        binary, _ = timed("COPY binary", lambda: copy_in(connection, "bare_binary", flat, kinds, freeze=False))
    with database.begin() as connection:
        as_text, _ = timed("COPY csv", lambda: copy_csv(connection, "bare_csv", flat))
    few = flat.slice(0, min(count, 20_000))
    with database.begin() as connection:
        slow, _ = timed(f"INSERT of {len(few)} by execute_values", lambda: insert(connection, "bare_insert", few))
    per_row = slow / len(few)
    print(f"  binary against csv: {as_text / binary:.1f} times faster; against INSERT: {per_row * count / binary:.0f}")
    print(f"  specification, COPY alone (geometry as bytea): {SPEC_COPY_S * count / 500_000:.2f} s on an idle machine")
    with database.begin() as connection:
        for what, statement in (
            ("primary key", "ALTER TABLE s4c.bare_binary ADD PRIMARY KEY (new_id, parcel_set_id, year, site_id)"),
            ("unique identifier", "ALTER TABLE s4c.bare_binary ADD UNIQUE (ori_id, parcel_set_id, year, site_id)"),
            ("GiST", "CREATE INDEX ON s4c.bare_binary USING gist (geom)"),
            ("ANALYZE", "ANALYZE s4c.bare_binary"),
        ):
            timed(what, lambda statement=statement: connection.execute(text(statement)))
        print(f"  specification, primary key and two indexes: {SPEC_INDEX_S * count / 500_000:.2f} s")
        size = connection.execute(text("SELECT pg_total_relation_size('s4c.bare_binary') / 1e6")).scalar_one()
        print(f"  table with indexes: {size:.0f} MB")
        change = "UPDATE s4c.bare_binary SET s2_pix = s2_pix + 1"
        update, _ = timed("pixel counts by one UPDATE", lambda: connection.execute(text(change)))
        pixels = pa.table({"new_id": flat["new_id"], "n": flat["s2_pix"], "n_shared": flat["s2_pix"]})
        pixels = pixels.append_column("grid", pa.array(["31UFT 10"] * count))
        side, _ = timed("pixel counts to the side table", lambda: store_pixels(connection, 999_999, pixels))
        print(f"  side table against UPDATE: {update / side:.1f} times faster")
        connection.rollback()


def empty() -> pa.Table:
    """No known rows."""
    return pa.table({name: pa.array([], COLUMN_TYPES[kind]) for name, kind in PARCEL_COLUMNS.items()})


def copy_csv(connection: Connection, name: str, table: pa.Table) -> None:
    """The same rows as text, as fast as Arrow writes it."""
    place = table.column_names.index("geom")
    hexed = pa.array([item.hex() for item in table["geom"].to_pylist()])
    sink = io.BytesIO()
    csv.write_csv(table.set_column(place, "geom", hexed), sink, csv.WriteOptions(include_header=False))
    sink.seek(0)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.copy_expert(f"COPY s4c.{name} ({', '.join(table.column_names)}) FROM STDIN (FORMAT csv)", sink, 1 << 20)


def insert(connection: Connection, name: str, table: pa.Table) -> None:
    """The same rows by INSERT, a thousand a statement."""
    place = table.column_names.index("geom")
    hexed = pa.array([item.hex() for item in table["geom"].to_pylist()])
    values = [tuple(row.values()) for row in table.set_column(place, "geom", hexed).to_pylist()]
    driver: Any = connection.connection.driver_connection
    template = ", ".join(f"%s::{sql_type(column)}" for column in table.column_names)
    with driver.cursor() as cursor:
        statement = f"INSERT INTO s4c.{name} ({', '.join(table.column_names)}) VALUES %s"
        psycopg2.extras.execute_values(cursor, statement, values, f"({template})", page_size=1000)


def sql_type(column: str) -> str:
    """SQL type of a column."""
    kind = "s4c.parcel_change" if column == "change" else PARCEL_COLUMNS[column]
    return {"double": "double precision", "moment": "timestamptz", "json": "jsonb"}.get(kind, kind)


def main() -> None:
    """Print each step, its seconds, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=500_000)
    count = parser.parse_args().parcels
    with tempfile.TemporaryDirectory() as folder, private_postgres(Path(folder) / "pg", say=print) as server:
        database = Database(server.url_for("postgres"))
        migrate(database, MIGRATIONS)
        with database.begin() as connection:
            statement = text(
                "INSERT INTO s4c.site (name, short_name, geom, geom_search, area_km2, created_by) "
                "SELECT 'B', 'b', g, g, 1, 'x' FROM (SELECT ST_Multi(ST_MakeEnvelope(3, 50, 4, 51, 4326)) AS g) a "
                "RETURNING id"
            )
            site = connection.execute(statement).scalar_one()
        parts(database, min(count, 100_000))
        whole_import(database, site, count, Path(folder) / "files")
        database.engine.dispose()


if __name__ == "__main__":
    main()
