"""Versions of declarations: whole or not at all, numbers kept, old versions there while they are used."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pytest
import shapely
from domain_rows import make_job, make_season, make_site
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import Connection, text
from uploaded_rows import ACTOR, FIELDS, NOW, Field, declare, give, new_set, objects, outline, parcel_tables

from s4c_lib.catalog import auxdata, jobs, parcel_sets, practice_rows, site_deletion
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.parcel_copy import copy_in, copy_out
from s4c_lib.catalog.parcel_sets import SetState
from s4c_lib.catalog.parcel_sets_rows import PARCEL_COLUMNS, read_parcels, with_srid
from s4c_lib.errors import ConflictError, DatabaseUnavailableError, InputError
from s4c_lib.parcels import practice_tables
from s4c_lib.parcels.identity import Mode
from s4c_lib.parcels.practice_tables_join import join_practices

LATER = NOW + timedelta(days=20)


def numbers(connection: Connection, parcel_set: parcel_sets.ParcelSet) -> dict[str, int]:
    found = read_parcels(connection, parcel_set, ["ori_id", "new_id"])
    return dict(zip(found["ori_id"].to_pylist(), found["new_id"].to_pylist(), strict=True))


def test_a_first_import_is_read_back_as_it_was_given(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    new = new_set(connection, site.id, content=b"one")
    made = parcel_sets.activate(connection, new, tmp_path, actor=ACTOR)
    assert parcel_sets.active_set(connection, site.id, 2024) == made
    assert (made.version, made.srid, made.mapping["parcel_id"], made.counts["new"]) == (1, 32631, ["id"], 4)
    read = read_parcels(connection, made)
    assert read.column_names == list(PARCEL_COLUMNS)
    for name in new.parcels.column_names:
        assert read[name].to_pylist() == new.parcels[name].to_pylist(), name
    assert shapely.area(shapely.from_wkb(read["geom"].to_pylist())).tolist() == [10000, 10000, 40000, 2500]
    stored = text("SELECT DISTINCT ST_SRID(geom), GeometryType(geom) FROM s4c.parcel")
    assert list(connection.execute(stored)) == [(32631, "MULTIPOLYGON")]


def test_everything_delivered_lies_in_the_folder_of_the_version(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    made = declare(connection, site.id, tmp_path / "alpha")
    folder = tmp_path / "alpha" / "2024" / "v001"
    assert Path(made.folder) == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "attributes.parquet",
        "declarations.parquet",
        "report.json",
    ]
    assert parquet.read_table(folder / "attributes.parquet")["BEZEICHNUNG"].to_pylist() == ["Äcker"]
    frame = gpd.read_parquet(folder / "declarations.parquet")
    assert frame["NewID"].tolist() == [1, 2, 3, 4]
    assert (frame.crs.to_epsg(), frame.geometry.iloc[0]) == (32631, outline(0, 100))


def test_words_of_any_kind_survive(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    odd = ['a"b', "c,d", "e\\f", "g\nh", "ŽÄ'β", "\\N", "t", " "]
    fields: list[Field] = [
        (name, None, None if number % 2 else name, number * 20.0, 10) for number, name in enumerate(odd)
    ]
    made = declare(connection, site.id, tmp_path, fields)
    read = read_parcels(connection, made, ["ori_id", "ori_crop", "ori_hold", "hold_id"]).to_pylist()
    assert {row["ori_id"]: row["ori_crop"] for row in read} == {item[0]: item[2] for item in fields}
    assert {(row["ori_hold"], row["hold_id"]) for row in read} == {(None, None)}


def test_numbers_live_through_deliveries_of_all_modes(connection: Connection, tmp_path: Path) -> None:
    """Cases 8 and 9."""
    site = make_site(connection)
    first = declare(connection, site.id, tmp_path)
    second_fields = (FIELDS[0], ("P2", "H1", "233", 100, 100), FIELDS[2], ("P9", "H3", "233", 600, 50))
    second = declare(connection, site.id, tmp_path, second_fields, now=LATER)
    rows = {row["ori_id"]: row for row in read_parcels(connection, second, with_deleted=True).to_pylist()}
    assert {name: row["new_id"] for name, row in rows.items()} == {"P1": 1, "P2": 2, "P3": 3, "P4": 4, "P9": 5}
    assert {name: row["change"] for name, row in rows.items()} == {
        "P1": "unchanged", "P2": "attribute", "P3": "unchanged", "P4": "deleted", "P9": "new",
    }  # fmt: skip
    assert [name for name, row in rows.items() if row["is_deleted"]] == ["P4"]
    assert (rows["P1"]["updated_at"], rows["P2"]["updated_at"]) == (NOW, LATER)
    assert (rows["P2"]["inserted_at"], rows["P9"]["inserted_at"]) == (NOW, LATER)
    assert rows["P9"]["hold_id"] == 3
    third = declare(connection, site.id, tmp_path, [("P10", "H1", "265", 800, 30)], mode=Mode.INCREMENTAL)
    assert numbers(connection, third) == {"P1": 1, "P2": 2, "P3": 3, "P9": 5, "P10": 6}
    last = declare(
        connection, site.id, tmp_path, [("P10", "H1", "265", 800, 30), FIELDS[0]], mode=Mode.REPLACE, content=b"4"
    )
    assert numbers(connection, last) == {"P1": 1, "P10": 6}
    assert len(read_parcels(connection, last, ["new_id"], with_deleted=True)) == 6
    # what earlier products say of their parcels still means the same ones
    assert numbers(connection, parcel_sets.get_set(connection, first.id)) == {"P1": 1, "P2": 2, "P3": 3, "P4": 4}
    states = [(item.version, item.state, item.base_id) for item in parcel_sets.list_sets(connection, site.id)]
    assert states == [
        (4, "active", third.id),
        (3, "superseded", second.id),
        (2, "superseded", first.id),
        (1, "superseded", None),
    ]


def test_a_holding_that_comes_back_has_its_number(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    declare(connection, site.id, tmp_path)
    declare(connection, site.id, tmp_path, [("P1", "H9", "265", 0, 100)])
    made = declare(connection, site.id, tmp_path, [("P1", "H2", "265", 0, 100), ("P7", "H3", "265", 700, 10)])
    rows = read_parcels(connection, made, ["ori_hold", "hold_id"]).to_pylist()
    assert rows == [{"ori_hold": "H2", "hold_id": 2}, {"ori_hold": "H3", "hold_id": 4}]


def test_the_same_upload_again_is_the_version_there_is(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    new = new_set(connection, site.id)
    made = parcel_sets.activate(connection, new, tmp_path, actor=ACTOR)
    assert parcel_sets.activate(connection, new, tmp_path, actor="another") == made
    assert parcel_tables(connection) == [f"parcel_{site.id}_2024_v001"]


def test_an_import_against_an_older_version_is_refused(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    declare(connection, site.id, tmp_path)
    slow = new_set(connection, site.id, FIELDS[:3])
    quick = declare(connection, site.id, tmp_path, FIELDS[:2])
    with pytest.raises(ConflictError, match="were replaced while"):
        parcel_sets.activate(connection, slow, tmp_path, actor=ACTOR)
    assert parcel_sets.active_set(connection, site.id, 2024) == quick


def test_codes_and_eligibility_come_with_the_parcels(connection: Connection, tmp_path: Path) -> None:
    """D8: geometry or repaired for all; duplicates and overlaps are left out by L4A alone."""
    site = make_site(connection)
    fields: list[Field] = [(f"P{n}", "H", "265" if n else "999", n * 100.0, 50) for n in range(6)]
    new = new_set(connection, site.id, fields)
    flags = {
        "geom_valid": [True, False, False, True, True, True],
        "geom_repaired": [False, True, False, False, False, False],
        "duplic": [False, False, False, True, False, False],
        "overlap": [False, False, False, True, True, False],
        "is_deleted": [False, False, False, False, False, True],
    }
    parcels = new.parcels
    for name, values in flags.items():
        parcels = parcels.set_column(parcels.column_names.index(name), name, pa.array(values))
    made = parcel_sets.activate(connection, dataclasses.replace(new, parcels=parcels), tmp_path, actor=ACTOR)
    lut = give(connection, site.id, Kind.LUT)
    rows = read_parcels(
        connection, made, ["new_id", "ori_crop"], lut_version=lut, processor="s4c_l4a", with_deleted=True
    )
    assert rows["reason"].to_pylist() == [None, None, "geometry", "duplicate", "overlap", "deleted"]
    assert rows["lc"].to_pylist() == [None, 3, 3, 3, 3, 3]
    assert rows["pgrass"].to_pylist()[:2] == [None, True]
    for processor in ("s4c_l4b", "s4c_l4c"):
        rows = read_parcels(connection, made, ["new_id"], processor=processor)
        assert rows["reason"].to_pylist() == [None, None, "geometry", None, None]
    view = text("SELECT new_id, reason FROM s4c.parcel_eligible WHERE processor = 's4c_l4a' ORDER BY new_id")
    assert [row.reason for row in connection.execute(view)] == [
        None, None, "geometry", "duplicate", "overlap", "deleted",
    ]  # fmt: skip
    named = text('SELECT site, year, "NewID", "CTnum", "LC" FROM s4c.declaration ORDER BY "NewID" LIMIT 2')
    assert list(connection.execute(named)) == [("alpha", 2024, 1, None, None), ("alpha", 2024, 2, 1, 3)]


def test_versions_nobody_needs_go_and_those_in_use_stay(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    season = make_season(connection, site)
    sets = [declare(connection, site.id, tmp_path, FIELDS[: 1 + n % 4], content=bytes([n])) for n in range(5)]
    open_job, ended_job = (make_job(connection, season, key) for key in ("open", "ended"))
    parcel_sets.record_use(connection, sets[0].id, job_id=open_job.id)
    parcel_sets.record_use(connection, sets[1].id, job_id=ended_job.id)
    jobs.finish(connection, ended_job.id, JobState.SUCCEEDED)
    removed = parcel_sets.remove_unused(connection, site.id, 2024)
    assert [(item.version, item.state) for item in removed] == [(2, "removed"), (3, "removed")]
    assert parcel_tables(connection) == [f"parcel_{site.id}_2024_v00{n}" for n in (1, 4, 5)]
    with pytest.raises(ConflictError, match="not there any more"):
        parcel_sets.record_use(connection, sets[1].id, job_id=open_job.id)
    jobs.finish(connection, open_job.id, JobState.FAILED, reason="lost")
    assert [item.version for item in parcel_sets.remove_unused(connection, site.id, 2024)] == [1]
    assert parcel_sets.remove_unused(connection, site.id, 2024) == []
    # its number is not given again
    assert declare(connection, site.id, tmp_path, content=b"new").version == 6


def test_a_site_takes_its_uploads_parcels_and_folders_with_it(connection: Connection, tmp_path: Path) -> None:
    site, other = make_site(connection), make_site(connection, "Beta")
    made = declare(connection, site.id, tmp_path / "alpha")
    kept = declare(connection, other.id, tmp_path / "beta")
    give(connection, site.id, Kind.LUT)
    file = tmp_path / "uploaded.zip"
    file.write_bytes(b"zip")
    auxdata.upload(
        connection, site.id, Kind.DECLARATIONS, 2023, file_name="u.zip", content=file, parameters={}, actor=ACTOR
    )
    planned = site_deletion.plan(connection, site)
    assert (planned.uploads, planned.parcel_sets) == (3, 1)
    assert planned.product_paths == (made.folder, str(file))
    assert site_deletion.delete(connection, site, actor="boss") == planned
    assert parcel_tables(connection) == [f"parcel_{other.id}_2024_v001"]
    for table in ("auxdata_version", "parcel_set"):
        assert connection.execute(text(f"SELECT count(*) FROM s4c.{table}")).scalar_one() == 1
    assert len(read_parcels(connection, kept)) == 4
    assert connection.execute(text("SELECT removed FROM s4c.site_deletion")).scalar_one()["parcel_sets"] == 1


def test_practice_rows_find_their_parcels_when_these_come(connection: Connection, tmp_path: Path) -> None:
    """Cases 23 and 24: the table may come first; a row is joined by identifier, or by the one without suffix."""
    site = make_site(connection)
    version = give(connection, site.id, Kind.PRACTICES_CC)
    lines = "".join(f"{name},265,2019-05-20,2019-06-03,2019-10-15,CatchCrop,CatchCrop_1,2019-10-15,NA\n"
                    for name in ("P1", "P5", "P5-B", "P6", "P8"))  # fmt: skip
    header = "FIELD_ID,MAIN_CROP,VEG_START,H_START,H_END,PRACTICE,P_TYPE,P_START,P_END\n"
    table, _ = practice_tables.read_practice_table((header + lines).encode(), "cc.csv", "CC", year=2019)
    assert table is not None
    for _ in range(2):  # validated again
        practice_rows.store_practice_table(connection, version, table)
    stored = practice_rows.read_practice_table(connection, version, "CC")
    for name in type(table).__dataclass_fields__:
        assert str(getattr(stored, name)) == str(getattr(table, name)), name
    assert stored.p_start[0] == np.datetime64("2019-10-15")
    assert np.isnat(stored.p_end[0])
    fields: list[Field] = [
        ("P1", "H", "265", 0, 10), ("P5-A", "H", "1", 20, 10), ("P5-B", "H", "2", 40, 10), ("P6-A", "H", "3", 60, 10),
        ("P8", "H", "1", 80, 10),
    ]  # fmt: skip
    declare(connection, site.id, tmp_path, fields)
    made = declare(connection, site.id, tmp_path, fields[:4])
    parcels = read_parcels(connection, made, ["ori_id", "ori_id_raw", "new_id"])
    found = join_practices(stored, parcels["ori_id"].to_numpy(), parcels["ori_id_raw"].to_numpy())
    assert found.position.tolist() == [0, -1, 2, 3, -1], "P5 is ambiguous, P8 is deleted"
    twice = dataclasses.replace(table, field_id=objects(["P1"] * 5))
    with pytest.raises(InputError, match="l4c_practice"):
        practice_rows.store_practice_table(connection, version, twice)


def test_pixels_go_with_their_version(connection: Connection, tmp_path: Path) -> None:
    site = make_site(connection)
    counted = pa.table({"grid": ["31UFT 10", "31UFT 20"], "new_id": [1, 1], "n": [81, 16], "n_shared": [9, 0]})
    new = dataclasses.replace(new_set(connection, site.id), pixels=counted)
    parcel_sets.activate(connection, new, tmp_path, actor=ACTOR)
    rows = connection.execute(text("SELECT grid, new_id, n, n_shared FROM s4c.parcel_pixel ORDER BY 1"))
    assert list(rows) == [("31UFT 10", 1, 81, 9), ("31UFT 20", 1, 16, 0)]
    site_deletion.delete(connection, site, actor="boss")
    assert connection.execute(text("SELECT count(*) FROM s4c.parcel_pixel")).scalar_one() == 0


@given(st.lists(st.sampled_from([None, "<", ">"]), max_size=12), st.integers(0, 5), st.integers(0, 999_999))
def test_the_number_of_the_system_goes_into_the_geometry(orders: list[str | None], skipped: int, srid: int) -> None:
    """Of either byte order, with gaps, and from the middle of an array."""
    shapes = [None if order is None else outline(place, 10) for place, order in enumerate(orders)]
    wkb = [
        None if shape is None else shapely.to_wkb(shape, byte_order=int(order == "<"))
        for shape, order in zip(shapes, orders, strict=True)
    ]
    longer = with_srid(pa.array(wkb, pa.binary()).slice(skipped), srid).to_pylist()
    assert len(longer) == max(0, len(wkb) - skipped)
    for item, shape in zip(longer, shapes[skipped:], strict=True):
        read = shapely.from_wkb(item)
        assert read == shape
        assert shape is None or shapely.get_srid(read) == srid


def test_geometry_that_brings_its_own_number_is_refused() -> None:
    own = shapely.to_wkb(shapely.set_srid(outline(0, 1), 3035), include_srid=True)
    with pytest.raises(InputError, match="comes with an SRID"):
        with_srid(pa.array([own]), 32631)
    with pytest.raises(InputError, match="too short"):
        with_srid(pa.array([b"\1"]), 32631)


def test_a_parcel_without_geometry_is_kept(connection: Connection, tmp_path: Path) -> None:
    """DECL-30: imported, not valid."""
    site = make_site(connection)
    new = new_set(connection, site.id)
    place = new.parcels.column_names.index("geom")
    geometry = [None, *new.parcels["geom"].to_pylist()[1:]]
    parcels = new.parcels.set_column(place, "geom", pa.array(geometry, pa.binary()))
    made = parcel_sets.activate(connection, dataclasses.replace(new, parcels=parcels), tmp_path, actor=ACTOR)
    assert read_parcels(connection, made, ["geom"])["geom"].to_pylist() == geometry


def test_columns_of_another_type_are_named(connection: Connection) -> None:
    kinds = {"site_id": "bigint", "year": "integer", "hold_id": "integer", "ori_hold": "text"}
    with pytest.raises(InputError, match="lack the columns year, hold_id, ori_hold"):
        copy_in(connection, "holding", pa.table({"site_id": [1]}), kinds, freeze=False)
    odd = pa.table({"site_id": [1], "year": ["soon"], "hold_id": [1], "ori_hold": ["H"]})
    with pytest.raises(InputError, match="another type"):
        copy_in(connection, "holding", odd, kinds, freeze=False)


def test_moments_days_and_json_come_back_as_they_went(connection: Connection) -> None:
    connection.execute(text("CREATE TEMP TABLE t (a int)"))
    connection.execute(text("CREATE TABLE s4c.odd (moment timestamptz, day date, doc jsonb, flag boolean, n bigint)"))
    rows = pa.table(
        {
            "moment": pa.array([NOW, None, NOW.replace(year=1969, microsecond=123456)], pa.timestamp("us", "UTC")),
            "day": pa.array([date(1999, 12, 31), date(2000, 2, 29), None]),
            "doc": ['{"a": "x"}', None, "[1]"],
            "flag": [True, False, None],
            "n": pa.array([None, 2**40, -1], pa.int64()),
        }
    )
    kinds = {"moment": "moment", "day": "date", "doc": "json", "flag": "boolean", "n": "bigint"}
    copy_in(connection, "odd", rows, kinds, freeze=False)
    read = copy_out(connection, "SELECT * FROM s4c.odd", {}, kinds)
    assert read.to_pylist() == rows.to_pylist()


def test_a_server_that_goes_away_is_said_to_be_away(database: Database) -> None:
    connection = database.engine.connect()
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with database.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    with pytest.raises(DatabaseUnavailableError) as raised:
        parcel_sets.known_holdings(connection, 1, 2024)
    assert raised.value.retryable
    connection.invalidate()
    connection.close()


def test_states_are_those_of_the_database(connection: Connection) -> None:
    for enum, name in ((SetState, "parcel_set_state"), (Mode, "import_mode")):
        stored = connection.execute(text(f"SELECT unnest(enum_range(NULL::s4c.{name}))::text")).scalars()
        assert set(stored) == {str(item) for item in enum}
