"""From a delivered file to parcels in force, on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from s4c_lib.catalog import auxdata
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.parcel_sets import active_set, list_sets
from s4c_lib.catalog.parcel_sets_rows import read_parcels
from s4c_lib.catalog.sites import Site, get_site
from s4c_lib.errors import ConflictError
from s4c_lib.parcels.checking import CheckOptions
from s4c_lib.parcels.identity import Mode
from s4c_lib.parcels.pixel_index_file import read_pixel_index
from s4c_lib.synthetic.window import window_of
from s4c_lib.uploads.declarations import ImportOutcome, ImportRequest, import_declarations
from tests.synthetic_delivery import MAPPING, TILES, add_kempen

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def site(database: Database) -> Site:
    with database.begin() as connection:
        return get_site(connection, add_kempen(connection).short_name)


@pytest.fixture
def importing(database: Database, site: Site, tmp_path: Path) -> Callable[..., ImportOutcome]:
    def run(path: Path, *, mode: Mode = Mode.UPDATE, dry_run: bool = False, **options: object) -> ImportOutcome:
        request = ImportRequest(path, MAPPING, 2021, mode, CheckOptions(**options))  # type: ignore[arg-type]
        return import_declarations(
            database, site, request, storage=tmp_path / "lpis", actor="test", now=NOW, dry_run=dry_run
        )

    return run


def test_every_row_is_accounted_for_and_every_fault_found(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path
) -> None:
    truth = json.loads((delivered / "declarations_truth.json").read_text())
    outcome = importing(delivered / "declarations.zip")

    report = outcome.report
    assert not report.refused
    assert report.rows == report.accepted + report.set_aside
    assert outcome.changed
    with database.begin() as connection:
        current = active_set(connection, site.id, 2021)
        assert current is not None
        rows = read_parcels(connection, current)
    assert len(rows) == report.accepted
    rejects = pq.read_table(Path(current.folder) / "rejects.parquet")
    assert len(rejects) == report.set_aside
    assert set(rejects["code"].to_pylist()) <= {"DECL-21", "DECL-22"}
    attributes = pq.read_table(Path(current.folder) / "attributes.parquet")
    assert len(attributes) == report.accepted
    assert {"FUNCTIONEE", "PLAATS", "NAAM"} <= set(attributes.column_names)
    # Every code that the generator expects of this format is reported.
    expected = {code for fault in truth["faults"] for code in fault.get("codes", {}).get("shapefile", [])} - {"DECL-40"}
    found = {item.code for item in report.findings}
    assert expected <= found, expected - found


def test_the_same_file_again_changes_nothing(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path
) -> None:
    first = importing(delivered / "declarations.gpkg")
    again = importing(delivered / "declarations.gpkg")

    assert first.changed
    assert not again.changed
    assert first.parcel_set is not None
    assert again.parcel_set is not None
    assert again.parcel_set.id == first.parcel_set.id
    assert again.report.as_dict()["rows"] == first.report.rows
    with database.begin() as connection:
        assert len(list_sets(connection, site.id)) == 1


def test_the_second_delivery_keeps_numbers_and_says_what_changed(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path
) -> None:
    importing(delivered / "declarations.gpkg")
    with database.begin() as connection:
        before = active_set(connection, site.id, 2021)
        assert before is not None
        numbers = dict(
            zip(*(read_parcels(connection, before)[name].to_pylist() for name in ("ori_id", "new_id")), strict=True)
        )
    outcome = importing(delivered / "declarations_v2.gpkg")

    assert outcome.parcel_set is not None
    assert outcome.parcel_set.version == 2
    changes = outcome.report.facts["changes"]
    assert changes["new"] > 0
    assert changes["deleted"] > 0
    assert changes["attribute"] > 0
    assert changes["unchanged"] > 100
    with database.begin() as connection:
        rows = read_parcels(connection, outcome.parcel_set, with_deleted=True)
    after = dict(zip(rows["ori_id"].to_pylist(), rows["new_id"].to_pylist(), strict=True))
    assert all(after[name] == number for name, number in numbers.items())


def test_incremental_leaves_the_others_and_counts_overlaps_with_them(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path, tmp_path: Path
) -> None:
    import geopandas as gpd

    first = importing(delivered / "declarations.gpkg")
    assert first.parcel_set is not None
    with database.begin() as connection:
        rows = read_parcels(connection, first.parcel_set)
    plain = next(
        number
        for number, row in enumerate(rows.select(["geom_valid", "overlap", "area_meters"]).to_pylist())
        if row["geom_valid"] and not row["overlap"] and row["area_meters"] > 5000
    )
    shape = shapely.from_wkb(rows["geom"][plain].as_py())
    frame = gpd.GeoDataFrame(
        {"FUNCTIONEE": ["new-1"], "GRONDBEDEK": ["265"], "FakeBRSnr": ["h"]},
        geometry=[shape],
        crs=first.parcel_set.srid,
    )
    frame.to_file(tmp_path / "one.gpkg")
    outcome = importing(tmp_path / "one.gpkg", mode=Mode.INCREMENTAL)

    assert outcome.parcel_set is not None
    with database.begin() as connection:
        after = read_parcels(connection, outcome.parcel_set)
    assert len(after) == len(rows) + 1
    by_name = {row["ori_id"]: row for row in after.select(["ori_id", "overlap", "duplic"]).to_pylist()}
    assert by_name["new-1"]["duplic"]
    assert by_name[rows["ori_id"][plain].as_py()]["overlap"]


def test_a_refused_file_leaves_what_is_in_force(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path, tmp_path: Path
) -> None:
    importing(delivered / "declarations.gpkg")
    elsewhere = tmp_path / "elsewhere.gpkg"
    import geopandas as gpd

    frame = gpd.read_file(delivered / "declarations_v2.gpkg")
    frame.geometry = frame.geometry.translate(500_000, 200_000)
    frame.to_file(elsewhere)
    outcome = importing(elsewhere)

    assert outcome.report.refused
    assert outcome.report.of("CRS-03") is not None
    assert outcome.parcel_set is None
    assert outcome.report_page is not None
    assert "CRS-03" in outcome.report_page.read_text()
    assert outcome.version is not None
    assert outcome.version.state is auxdata.State.REJECTED
    with database.begin() as connection:
        current = active_set(connection, site.id, 2021)
    assert current is not None
    assert current.version == 1


def test_a_file_that_is_no_archive_is_refused_with_its_code(
    importing: Callable[..., ImportOutcome], tmp_path: Path
) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 this is not a zip")
    outcome = importing(tmp_path / "broken.zip")

    assert outcome.report.refused
    assert [item.code for item in outcome.report.findings] == ["ZIP-01"]


def test_a_dry_run_reports_and_stores_nothing(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, delivered: Path, tmp_path: Path
) -> None:
    outcome = importing(delivered / "declarations.gpkg", dry_run=True)

    assert outcome.report.facts["changes"]["new"] == outcome.report.accepted
    assert outcome.report.of("DECL-37") is not None
    assert not (tmp_path / "lpis").exists()
    with database.begin() as connection:
        assert list_sets(connection, site.id) == []
        assert auxdata.list_versions(connection, site.id) == []


def test_pixels_are_counted_and_their_index_is_kept(
    importing: Callable[..., ImportOutcome], database: Database, delivered: Path
) -> None:
    outcome = importing(delivered / "declarations.gpkg")

    assert outcome.parcel_set is not None
    index = read_pixel_index(Path(outcome.parcel_set.folder) / "pixels" / "31UFS_10m.arrow", verify=True)
    assert index.parcel_set_id == outcome.parcel_set.id
    with database.begin() as connection:
        rows = read_parcels(connection, outcome.parcel_set)
    counts = dict(zip(rows["new_id"].to_pylist(), rows["s2_pix"].to_pylist(), strict=True))
    assert sum(counts.values()) > 10_000
    assert all(
        counts[number] >= count for number, count in zip(index.parcel_id.tolist(), index.count.tolist(), strict=True)
    )
    areas = np.array(rows["area_meters"].to_pylist())
    pixels = np.array(rows["s2_pix"].to_pylist())
    assert np.corrcoef(areas[areas < 2e5], pixels[areas < 2e5])[0, 1] > 0.97


def test_two_imports_at_a_time_do_not_mix(
    importing: Callable[..., ImportOutcome],
    database: Database,
    site: Site,
    delivered: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from s4c_lib.catalog.parcel_sets import import_lock
    from s4c_lib.uploads import declarations

    monkeypatch.setattr(declarations, "LOCK_WAIT_SECONDS", 0.2)
    with import_lock(database, site.id, 2021, wait_seconds=1), pytest.raises(ConflictError, match="Another import"):
        importing(delivered / "declarations.gpkg")


def test_a_rule_for_codes_is_applied_where_it_was_asked_for(
    importing: Callable[..., ImportOutcome], database: Database, site: Site, tmp_path: Path
) -> None:
    import geopandas as gpd

    from s4c_lib.parcels.crop_lut import read_crop_lut

    lut = b"Ori_crop,CTnum,CT,LC,EAA,AL,PGrass,TGrass,Fallow,Cwater\n046,1,Avena,1,1,1,0,0,0,0\n"
    table, _ = read_crop_lut(lut, "lut.csv")
    assert table is not None
    with database.begin() as connection:
        version, _ = auxdata.upload(
            connection, site.id, auxdata.Kind.LUT, 2021, file_name="lut.csv", content=lut, parameters={}, actor="test"
        )
        auxdata.start_validation(connection, version.id, actor="test")
        auxdata.activate(connection, version.id, report={}, parsed=table.as_dict(), actor="test")
    box = shapely.box(*window_of(TILES, 600).grid.bounds)
    frame = gpd.GeoDataFrame(
        {"FUNCTIONEE": ["a"], "GRONDBEDEK": [46.0], "FakeBRSnr": ["h"]}, geometry=[box], crs="EPSG:32631"
    )
    frame.to_file(tmp_path / "one.gpkg")

    without = importing(tmp_path / "one.gpkg", dry_run=True)
    assert without.report.of("DECL-40") is not None
    outcome = importing(tmp_path / "one.gpkg", code_normalisation="strip_zeros")
    assert outcome.parcel_set is not None
    with database.begin() as connection:
        assert read_parcels(connection, outcome.parcel_set)["ori_crop"].to_pylist() == ["046"]
