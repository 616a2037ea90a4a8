"""What a night removes, and above all what it leaves."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from derived_rows import make_product
from domain_rows import make_acquisition, make_enabled
from sqlalchemy import text
from uploaded_rows import FIELDS, declare

from s4c_lib.catalog import histories, marker_files, products, retention_rows, site_deletion, units
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.marker_files import NewMarkerFile
from s4c_lib.catalog.products import NewProduct
from s4c_lib.catalog.sites import get_site
from s4c_lib.retention import nightly
from s4c_lib.retention.stored_files import remove_stored
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, write_statistics

# Rows are stamped by the database with the present; nights of these tests come later.
TODAY = datetime.now(UTC)
SENSED = datetime(2024, 5, 6, 10, 36, tzinfo=UTC)
Place = SimpleNamespace


def night(database: Database, days: float) -> dict[str, int]:
    """The counts of a night so many days from now that are not 0."""
    counts = nightly.apply(database, now=TODAY + timedelta(days=days)).counts()
    return {name: number for name, number in counts.items() if number}


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        for key, folder in (("storage.products_path", "products"), ("downloader.s2.write-dir", "downloads")):
            set_value(connection, key, str(tmp_path / folder), actor="tester")
        parcel_set = declare(connection, site.id, tmp_path / "products" / "alpha" / "lpis")
    return Place(site=site, season=season, parcel_set=parcel_set, root=tmp_path / "products")


def folder_of(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "a.tif").write_bytes(b"x")
    return path


def l2a(database: Database, place: Place, name: str, *, at: Path | None = None, **more: object) -> int:
    """A product in a folder that exists; one of the same name is superseded."""
    path = at or place.root / "l2a" / name
    if not path.exists():
        folder_of(path)
    new = NewProduct("l2a", "l2a", name, str(path), SENSED, "1", str(more.pop("config_hash", "h")), satellite="s2")
    with database.begin() as connection:
        return products.register(connection, replace(new, **more), [place.site.id])  # type: ignore[arg-type]


def put(database: Database, place: Place, product: int, value: float, *, set_id: int | None = None) -> Path:
    """A file of the statistics store in force."""
    number = set_id or place.parcel_set.id
    source = Source(
        "ndvi", "l3b", "1", SENSED, None, "sentinel-2a", "31UFS", None, None, product, "P", number, 5, 10, "h"
    )
    ones = np.ones(1, np.float32)
    found = ParcelStatistics(
        np.ones(1, np.int64), *(np.ones(1, np.int32),) * 3, ones * np.float32(value), ones, ones, ones
    )
    stored = write_statistics(place.root, "alpha", "2024", source, found)
    names = [name for name in NewMarkerFile.__dataclass_fields__ if name in Source.__dataclass_fields__]
    row = NewMarkerFile(
        site_id=place.site.id,
        path=str(stored.path),
        n_rows=1,
        sha256=stored.sha256,
        **{name: getattr(source, name) for name in names},
    )
    with database.begin() as connection:
        marker_files.put_in_force(connection, [row])
    return stored.path


def count(database: Database, table: str) -> int:
    with database.begin() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM s4c.{table}")).scalar_one())


def test_replaced_statistics_stay_a_week_for_runs_in_progress(database: Database, place: Place) -> None:
    product = l2a(database, place, "A")
    old, new = put(database, place, product, 0.25), put(database, place, product, 0.5)
    assert night(database, 6.9) == {}
    assert old.exists()
    assert night(database, 7.1) == {"marker_files": 1}
    assert (old.exists(), new.exists(), count(database, "marker_file")) == (False, True, 1)
    assert night(database, 8) == {}


def test_a_file_that_came_into_force_again_stays(database: Database, place: Place) -> None:
    product = l2a(database, place, "A")
    first = put(database, place, product, 0.25)
    second = put(database, place, product, 0.5)
    assert put(database, place, product, 0.25) == first
    assert night(database, 8) == {"marker_files": 1}
    assert (first.exists(), second.exists()) == (True, False)


def test_a_file_without_a_row_goes_after_a_day(database: Database, place: Place) -> None:
    named = put(database, place, l2a(database, place, "A"), 0.25)
    lost = named.with_name("17_lai_0123456789abcdef.parquet")
    lost.write_bytes(b"x")
    unfinished = folder_of(named.with_name(f".{named.name}.part-abc"))
    assert night(database, 0.9) == {}
    assert night(database, 1.1) == {"orphans": 2}
    assert (named.exists(), lost.exists(), unfinished.exists()) == (True, False, False)


def test_a_store_that_was_moved_is_not_taken_for_orphans(database: Database, place: Place, tmp_path: Path) -> None:
    put(database, place, l2a(database, place, "A"), 0.25)
    place.root.rename(tmp_path / "new disk")
    with database.begin() as connection:
        set_value(connection, "storage.products_path", str(tmp_path / "new disk"), actor="tester")
    assert night(database, 5) == {}
    assert len(list((tmp_path / "new disk" / "markers").rglob("*.parquet"))) == 1


def test_superseded_products_go_with_their_folders_after_a_month(database: Database, place: Place) -> None:
    l2a(database, place, "A")
    l2a(database, place, "A", at=place.root / "elsewhere" / "A", config_hash="other")
    assert night(database, 29.9) == {}
    assert night(database, 30.1) == {"products": 1}
    assert not (place.root / "l2a" / "A").exists()
    assert (place.root / "elsewhere" / "A" / "a.tif").exists()
    assert count(database, "product") == 1


def test_a_product_that_was_made_anew_in_its_place_keeps_the_folder(database: Database, place: Place) -> None:
    l2a(database, place, "A")
    l2a(database, place, "A", config_hash="other")
    assert night(database, 31) == {"products": 1}
    assert (place.root / "l2a" / "A" / "a.tif").exists()
    assert count(database, "product") == 1


def test_what_something_refers_to_stays(database: Database, place: Place) -> None:
    old = l2a(database, place, "A")
    with database.begin() as connection:
        child = make_product(connection, place.season, "B", "l3b", inputs=[old])
    l2a(database, place, "A", at=place.root / "elsewhere" / "A", config_hash="other")
    assert night(database, 31) == {}
    assert (place.root / "l2a" / "A").exists()
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE id = :id"), {"id": child})
    assert night(database, 31) == {"products": 1}


def test_superseded_products_wait_for_their_statistics(database: Database, place: Place) -> None:
    file = put(database, place, l2a(database, place, "A"), 0.25)
    l2a(database, place, "A", at=place.root / "elsewhere" / "A", config_hash="other")
    assert night(database, 31) == {"marker_files": 1, "products": 1}
    assert not file.exists()


def test_downloads_are_never_removed_with_a_product(database: Database, place: Place) -> None:
    download = folder_of(place.root.parent / "downloads" / "S2A.SAFE")
    l2a(database, place, "S2A", at=download)
    l2a(database, place, "S2A", at=place.root / "l2a" / "S2A", config_hash="other")
    with database.begin() as connection:
        number = make_acquisition(connection, place.site, "S2A")
        values = {"path": str(download), "id": number}
        connection.execute(text("UPDATE s4c.acquisition SET full_path = :path WHERE id = :id"), values)
    assert night(database, 31) == {"products": 1}
    assert (download / "a.tif").exists()


def test_paths_outside_the_storage_folders_and_behind_links_are_left_alone(
    database: Database, place: Place, tmp_path: Path
) -> None:
    precious = folder_of(tmp_path / "precious" / "thesis")
    (place.root / "way_out").symlink_to(precious.parent)
    for number, path in enumerate((precious, place.root / "way_out" / "thesis", place.root / ".." / "precious")):
        l2a(database, place, f"A{number}", at=path)
        l2a(database, place, f"A{number}", config_hash="other")
    assert night(database, 31) == {"left_alone": 3}
    assert (precious / "a.tif").exists()
    assert count(database, "product") == 6


def test_a_folder_that_cannot_be_removed_stops_nothing(
    database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A", "B"):
        l2a(database, place, name)
        l2a(database, place, name, at=place.root / "elsewhere" / name, config_hash="other")
    broken = place.root / "l2a" / "A"

    def breaking(path: Path) -> bool:
        if path == broken:  # no real disk breaks to order
            raise OSError(5, "Input/output error", str(path))
        return real(path)

    real = remove_stored
    with monkeypatch.context() as patch:
        patch.setattr("s4c_lib.retention.tidying.remove_stored", breaking)
        assert night(database, 31) == {"products": 1, "failed": 1}
    assert (broken.exists(), count(database, "product")) == (True, 3)
    assert night(database, 31) == {"products": 1}


def test_native_products_go_when_no_date_can_start_from_them(database: Database, place: Place) -> None:
    natives = {}
    for days, orbit in ((0, 8), (30, 8), (61, 8), (0, 51), (60, 51)):
        name = f"D{days}_{orbit}"
        natives[name] = folder_of(place.root / "l2a" / "native" / name)
        l2a(
            database,
            place,
            name,
            acquired_at=SENSED + timedelta(days=days),
            relative_orbit=orbit,
            tiles=("31UFS",),
            metadata={"executor": "maja", "native": str(natives[name])},
        )
    assert night(database, 2) == {"native_products": 1}
    assert [name for name, path in natives.items() if not path.exists()] == ["D0_8"]
    assert (place.root / "l2a" / "D0_8").exists(), "the published product stays"
    assert night(database, 3) == {}


def test_elevation_of_a_tile_is_kept_in_its_newest_form(database: Database, place: Place) -> None:
    cache = place.root / "auxiliary" / "elevation"
    ages = {
        "S2_31UFS_0000000000000000": 90,
        "S2_31UFS_1111111111111111": 40,
        "S2_31UFS_2222222222222222": 10,
        "S2_31UGS_0000000000000000": 400,
        "L8_198025_0000000000000000": 400,
        "something else": 400,
    }
    for name, age in ages.items():
        moment = (TODAY - timedelta(days=age)).timestamp()
        os.utime(folder_of(cache / name), (moment, moment))
    # the second was the newest until ten days ago
    assert night(database, 0) == {"elevation_folders": 1}
    assert sorted(path.name for path in cache.iterdir()) == sorted(name for name, age in ages.items() if age != 90)


def test_versions_of_the_declarations_go_with_their_folder_and_statistics(database: Database, place: Place) -> None:
    product = l2a(database, place, "A")
    first, later = place.parcel_set, []
    file = put(database, place, product, 0.25)
    for size in (90, 80):
        with database.begin() as connection:
            fields = (*FIELDS[:3], (*FIELDS[3][:4], size))
            later.append(declare(connection, place.site.id, Path(first.folder).parents[1], fields))
    current = put(database, place, product, 0.5, set_id=later[-1].id)
    assert night(database, 2) == {"parcel_sets": 1}
    assert [Path(one.folder).exists() for one in (first, *later)] == [False, True, True]
    assert file.exists(), "a run in progress may read it"
    assert night(database, 7.5) == {"marker_files": 1}
    assert (file.exists(), current.exists()) == (False, True)


def test_the_store_of_a_site_goes_with_it(database: Database, place: Place) -> None:
    put(database, place, l2a(database, place, "A"), 0.25)
    with database.begin() as connection:
        site = get_site(connection, "alpha")
        planned = site_deletion.plan(connection, site)
        assert str(place.root / "markers" / "site=alpha") in planned.product_paths
        assert not any(path.endswith(".parquet") for path in planned.product_paths)
        site_deletion.delete(connection, site, actor="tester")
    assert count(database, "marker_file") == 0


def test_what_failed_work_left_goes_after_a_week_and_its_logs_after_a_quarter(
    database: Database, place: Place, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch" / "l2a" / "units"
    precious = folder_of(tmp_path / "precious")
    with database.begin() as connection:
        set_value(connection, "general.scratch-path", str(tmp_path / "scratch/{processor}/{job_id}"), actor="tester")
        numbers = [make_acquisition(connection, place.site, name, state="processing") for name in ("A", "B")]
        for number in numbers:
            units.ensure_units(connection, number, ["31UFS"], processor="l2a", config_hash="h", max_attempts=3)
    left, busy = (folder_of(scratch / "alpha" / f"{number}_31UFS_1") for number in numbers)
    (left / "input").symlink_to(precious)
    told = scratch / "alpha" / "logs" / f"{numbers[0]}_31UFS_0_maja.log"
    told.parent.mkdir()
    told.write_text("no such file")
    partial = folder_of(place.root / "alpha" / "l4a" / ".S4C_L4A.partial-xyz")
    foreign = [folder_of(scratch / "alpha" / "notes"), folder_of(scratch / "nobody" / "1_31UFS_1")]
    with database.begin() as connection:
        connection.execute(
            text("UPDATE s4c.acquisition_unit SET state = 'failed', log_path = :log WHERE acquisition_id = :id"),
            {"id": numbers[0], "log": str(told)},
        )
        connection.execute(
            text(
                "UPDATE s4c.acquisition_unit SET state = 'processing', lease_owner = 'job 1', lease_until = :until "
                "WHERE acquisition_id = :id"
            ),
            {"id": numbers[1], "until": TODAY + timedelta(days=91.5)},
        )

    def still() -> list[bool]:
        return [path.exists() for path in (left, busy, told, partial)]

    assert (night(database, 6.9), still()) == ({}, [True] * 4)
    shown = nightly.unneeded(database, now=TODAY + timedelta(days=8))
    assert sorted((one.kind, one.path, one.files) for one in shown) == [("scratch", partial, 1), ("scratch", left, 2)]
    assert still() == [True] * 4
    assert (night(database, 8), still()) == ({"scratch": 2}, [False, True, True, False])
    assert night(database, 91) == {"logs": 1}
    with database.begin() as connection:
        assert retention_rows.logs_of_units(connection) == []
    assert (night(database, 92), still()) == ({"scratch": 1}, [False] * 4)
    assert all(path.exists() for path in (precious / "a.tif", *foreign))


def test_histories_go_when_they_are_old_enough_and_tombstones_stay(database: Database, place: Place) -> None:
    with database.begin() as connection:
        make_acquisition(connection, place.site, "A", state="queued")
        connection.execute(
            text(
                "INSERT INTO s4c.season_deletion (site, short_name, name, deleted_by, removed) "
                "VALUES ('alpha', 'old', 'Old', 'tester', '{}')"
            )
        )
        before = sum(histories.rows_before(connection, TODAY + timedelta(days=1)).values())
    assert before > 0
    assert night(database, 1824) == {}
    shown = nightly.unneeded(database, now=TODAY + timedelta(days=1826))
    assert sum(one.count for one in shown if one.path is None) == before
    assert night(database, 1826)["history_rows"] == before
    assert (count(database, "config_change"), count(database, "season_deletion")) == (0, 1)
