"""Short ways to uploads in force and parcels, for tests of the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS
from sqlalchemy import Connection, text

from s4c_lib.catalog import auxdata, parcel_sets
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.parcel_sets import NewParcelSet, ParcelSet
from s4c_lib.catalog.seasons import Season
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.identity import KnownParcels, Mode, ParcelRows, assembled, assign_numbers, next_version

ACTOR = "tester"
UTM31 = CRS.from_epsg(32631)
MAPPING = ColumnMapping(parcel_id=("id",), crop="crop", holding=("hold",))
NOW = datetime(2024, 6, 1, 8, tzinfo=UTC)
LUT = {
    "columns": {
        "Ori_crop": ["265", "233", "259"],
        "CTnum": [1, 2, 3],
        "CT": ["Grass", "Wheat", "Maize"],
        "LC": [3, 1, 1],
        "CTnumL4A": [1, 2, 3],
        "CTL4A": ["Grass", "Wheat", "Maize"],
        "CTnumDIV": [1, 2, 3],
        "CTDIV": ["Grass", "Wheat", "Maize"],
        "EAA": [True, True, True],
        "AL": [False, True, True],
        "PGrass": [True, False, False],
        "TGrass": [False, False, False],
        "Fallow": [False, False, False],
        "Cwater": [False, False, False],
    }
}
# identifier, holding, crop, west edge, size
Field = tuple[str, str | None, str | None, float, float]
FIELDS: tuple[Field, ...] = (
    ("P1", "H1", "265", 0, 100),
    ("P2", "H1", "259", 100, 100),
    ("P3", "H2", "233", 200, 200),
    ("P4", "H2", "233", 400, 50),
)


def objects(values: Sequence[Any]) -> Any:
    result = np.empty(len(values), object)
    result[:] = list(values)
    return result


def outline(west: float, size: float) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(650003 + west, 5750003, 650003 + west + size, 5750003 + size)])


def parcel_rows(fields: Sequence[Field]) -> ParcelRows:
    return ParcelRows(
        objects([item[0] for item in fields]),
        objects([item[1] for item in fields]),
        objects([item[2] for item in fields]),
        objects([outline(item[3], item[4]) for item in fields]),
    )


def delivered(rows: ParcelRows, hold_id: Any) -> pa.Table:
    """The columns of a delivery, as checks that find nothing would fill them."""
    count = len(rows)
    no, zero = np.zeros(count, np.bool_), np.zeros(count)
    return pa.table(
        {
            "hold_id": pa.array(hold_id, pa.int32(), mask=hold_id == 0),
            "ori_id": pa.array(rows.ori_id, pa.string()),
            "ori_id_raw": pa.array([str(name).split("-")[0] for name in rows.ori_id], pa.string()),
            "ori_hold": pa.array(rows.ori_hold, pa.string()),
            "ori_crop": pa.array(rows.ori_crop, pa.string()),
            "geom": pa.array(shapely.to_wkb(rows.geometry), pa.binary()),
            "geom_valid": pa.array(~no),
            "geom_repaired": pa.array(no),
            "n_parts": pa.array(np.ones(count, np.int32)),
            "area_meters": pa.array(shapely.area(rows.geometry)),
            "shape_ind": pa.array(np.full(count, 1.1284)),
            "overlap": pa.array(no),
            "overlap_amount": pa.array(zero),
            "duplic": pa.array(no),
            "duplic_group": pa.array(zero.astype(np.int32)),
            "src_row": pa.array(np.arange(1, count + 1)),
        }
    )


def upload_declarations(connection: Connection, site_id: int, content: bytes, year: int = 2024) -> int:
    version, _ = auxdata.upload(
        connection,
        site_id,
        Kind.DECLARATIONS,
        year,
        file_name="declarations.zip",
        content=content,
        parameters={"mode": "update"},
        actor=ACTOR,
    )
    return auxdata.start_validation(connection, version.id, actor=ACTOR).id


def new_set(
    connection: Connection,
    site_id: int,
    fields: Sequence[Field] = FIELDS,
    *,
    mode: Mode = Mode.UPDATE,
    year: int = 2024,
    content: bytes | None = None,
    now: datetime = NOW,
) -> NewParcelSet:
    """Do what an import does between reading a file and putting it in force."""
    upload = upload_declarations(connection, site_id, content or repr((fields, mode)).encode(), year)
    current, known_rows = parcel_sets.read_known(connection, site_id, year)
    known = parcel_sets.known_parcels(known_rows) if current else KnownParcels.none()
    rows = parcel_rows(fields)
    version = next_version(rows, known, mode)
    holdings = parcel_sets.known_holdings(connection, site_id, year)
    names = holdings["ori_hold"].to_numpy() if len(holdings) else np.empty(0, object)
    hold_id = assign_numbers(rows.ori_hold, names, holdings["hold_id"].to_numpy())
    return NewParcelSet(
        site_id=site_id,
        year=year,
        auxdata_version_id=upload,
        base_id=None if current is None else current.id,
        mode=mode,
        crs=UTM31,
        mapping=MAPPING,
        profile="default",
        counts=version.counts(),
        report={"rows": len(rows)},
        parcels=assembled(version, delivered(rows, hold_id), known_rows, now),
        tables={"attributes": pa.table({"src_row": [1], "BEZEICHNUNG": ["Äcker"]})},
    )


def declare(
    connection: Connection, site_id: int, folder: Path, fields: Sequence[Field] = FIELDS, **more: Any
) -> ParcelSet:
    """Put declarations in force."""
    return parcel_sets.activate(connection, new_set(connection, site_id, fields, **more), folder, actor=ACTOR)


def give(connection: Connection, site_id: int, kind: Kind, content: bytes = b"x", year: int = 2024) -> int:
    """Put an upload other than declarations in force."""
    version, _ = auxdata.upload(
        connection, site_id, kind, year, file_name=f"{kind}.csv", content=content, parameters={}, actor=ACTOR
    )
    auxdata.start_validation(connection, version.id, actor=ACTOR)
    parsed = LUT if kind is Kind.LUT else {}
    return auxdata.activate(connection, version.id, report={"rows": 3}, parsed=parsed, actor=ACTOR).id


def give_everything(connection: Connection, season: Season, folder: Path) -> ParcelSet:
    """All that any L4 run asks of users (rule R4)."""
    for kind in (Kind.LUT, Kind.L4C_CONFIG):
        give(connection, season.site_id, kind, year=season.year)
    return declare(connection, season.site_id, folder, year=season.year)


def parcel_tables(connection: Connection) -> list[str]:
    """Names of the tables that hold the parcels of a version."""
    statement = text(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 's4c' AND c.relname LIKE 'parcel\\_%\\_v%' AND c.relkind = 'r' ORDER BY 1"
    )
    return list(connection.execute(statement).scalars())
