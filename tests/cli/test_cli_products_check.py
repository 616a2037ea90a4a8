"""``s4c products check``, and leaving out what is processed: files that went are made again, a date goes and comes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from derived_rows import optical
from derived_season import (
    CLEAR_DAYS,
    Derived,
    NewDerived,
    new_derived,
    part_of,
    products_in,
    season_files,
)
from domain_rows import make_acquisition, make_enabled, make_source
from uploaded_rows import new_set

from s4c_lib.catalog.database import Database
from s4c_lib.product_check import presence
from tests.cli.conftest import Run

__all__ = ["new_derived", "season_files"]


@pytest.fixture
def season(new_derived: NewDerived, season_files: Path, tmp_path: Path) -> Derived:
    """Two optical dates and one radar date of a site, ingested down to statistics."""
    archive = part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"], CLEAR_DAYS)
    found = new_derived(part_of(season_files / "archive", archive, ["_BCK_"], [3]))
    found.run()
    return found


def contents(season: Derived) -> dict[tuple[str, str], str]:
    """Checksum of each file of statistics in force, by product's name and variable."""
    names = {row["id"]: row["name"] for row in season.rows("SELECT id, name FROM s4c.product")}
    return {(names[one.product_id], one.variable): one.sha256 for one in season.markers()}


def faults(found: Iterable[dict[str, str]]) -> set[tuple[str, str, str]]:
    return {(one["what"], one["type"], one["fault"]) for one in found}


def test_what_went_is_made_again_and_what_is_hazy_left_out(s4c: Run, season: Derived, tmp_path: Path) -> None:
    """One ingest serves both."""
    _files_went(s4c, season, tmp_path)
    _a_date_is_left_out_after_it_was_processed_and_taken_back(s4c, season)


def _files_went(s4c: Run, season: Derived, tmp_path: Path) -> None:
    check = ("products", "check", "alpha", "2021")
    assert "everything is there" in s4c(*check, "--deep").err
    before = contents(season)
    first, second = season.products("l3b")
    l2a = next(one for one in season.products("l2a") if one.acquisition_id == second.acquisition_id)
    cut = next(Path(one.path) for one in season.markers("ndvi") if one.product_id == second.id)
    raster = products_in(season.archive, "_BCK_")[0]
    Path(first.full_path).rename(tmp_path / "taken away")
    Path(l2a.full_path).rename(tmp_path / "taken away too")
    raster = raster.rename(tmp_path / raster.name)
    cut.write_bytes(cut.read_bytes()[:-20])

    found = s4c(*check, "--json", code=1).json
    assert faults(found["findings"]) == {
        ("product", "l3b", "missing"),
        ("product", "l2a", "missing"),
        ("product", "s1_l2a_amp", "missing"),
        ("statistics", "ndvi", "wrong size"),
    }
    (doctor,) = [one for one in s4c("doctor", "--json", code=1).json if one["check"] == "product files"]
    assert doctor["verdict"] == "BROKEN"
    assert doctor["what"].startswith("3 of 6 products in force are gone")
    assert contents(season) == before, "nothing is changed without --repair"

    told = s4c(*check, "--repair", "--json", code=1).json
    assert (told["found"], told["repaired"]) == (4, 3)
    (left,) = [one for one in told["findings"] if not one["repaired"]]
    assert left["type"] == "s1_l2a_amp"
    assert left["remedy"].startswith("gone from its source too: put it back at")
    (event,) = s4c("products", "show", l2a.id, "--json").json["events"]
    assert (event["actor"], event["action"]) == ("tester", "made_again")
    assert "is gone" in event["reason"]

    assert season.has_work()
    counts = season.run()
    assert (counts["l2a"], counts["l3b"], counts["statistics"]) == (1, 1, 2)
    (same,) = [one for one in season.products("l2a") if one.acquisition_id == second.acquisition_id]
    assert (same.id, same.removed_at) == (l2a.id, None), "what was made of it stays"
    raster.rename(next(Path(one["path"]) for one in told["findings"] if one["type"] == "s1_l2a_amp"))
    assert "everything is there" in s4c(*check, "--deep").err
    assert contents(season).keys() == before.keys()
    kept = {key: digest for key, digest in contents(season).items() if key[0] != first.name}
    assert kept.items() <= before.items(), "the same statistics of what was not made anew"


def _a_date_is_left_out_after_it_was_processed_and_taken_back(s4c: Run, season: Derived) -> None:
    before = contents(season)
    hazy, clear = season.products("l2a")
    s4c("acquisitions", "ignore", hazy.acquisition_id, "--reason", "haze that no mask finds")
    assert [one.acquisition_id for one in season.products("l3b")] == [clear.acquisition_id]
    without = contents(season)
    assert without.keys() < before.keys(), "L4 runs read other files now, so that none is skipped"
    assert not season.has_work(), "nobody makes it again"
    told = s4c("acquisitions", "explain", hazy.acquisition_id, "--json").json
    assert "haze that no mask finds" in told["happened"]
    why = [one["product_type"] for one in told["products"] if one["reason"] == "haze that no mask finds"]
    assert sorted(why) == ["l2a", "l3b"]

    said = s4c("acquisitions", "retry", hazy.acquisition_id).out
    assert "1 acquisitions are used again" in said
    counts = season.run()
    assert (counts["fetched"], counts["l2a"], counts["l3b"], counts["statistics"]) == (0, 0, 0, 2)
    assert contents(season) == before

    # its files went meanwhile: it is fetched and made again
    s4c("acquisitions", "ignore", hazy.acquisition_id, "--reason", "haze after all")
    Path(hazy.full_path).rename(season.root / "the hazy one")
    assert "1 acquisitions are tried again" in s4c("acquisitions", "retry", hazy.acquisition_id).out
    counts = season.run()
    assert (counts["fetched"], counts["l2a"], counts["l3b"], counts["statistics"]) == (1, 1, 1, 2)
    assert contents(season).keys() == before.keys()


def test_what_is_worked_on_and_raw_radar_cannot_be_left_out(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        make_source(connection)
        new_set(connection, site.id)
        l2a, _ = optical(connection, season, "HAZY", l3b=None)
        busy = connection.exec_driver_sql(
            "INSERT INTO s4c.derivation (site_id, processor_id, product_id, tile, config_hash, state, lease_owner, "
            f"lease_until) VALUES ({site.id}, 3, {l2a}, '31UFS', 'h', 'processing', 'x', now()) RETURNING id"
        ).scalar_one()
        number = connection.exec_driver_sql(f"SELECT acquisition_id FROM s4c.product WHERE id = {l2a}").scalar_one()
        raw = make_acquisition(connection, site, "SLC", state="processed", satellite="s1")
        connection.exec_driver_sql(f"UPDATE s4c.acquisition SET kind = 's1_slc' WHERE id = {raw}")
    ignore = ("acquisitions", "ignore", "--reason", "bad")
    assert "is being made" in s4c(*ignore, number, code=None).err
    assert "together with other acquisitions" in s4c(*ignore, raw, code=None).err
    with database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE s4c.derivation SET state = 'pending', lease_owner = NULL, lease_until = NULL"
        )
    s4c(*ignore, number)
    with database.begin() as connection:
        assert not connection.exec_driver_sql(f"SELECT 1 FROM s4c.derivation WHERE id = {busy}").all(), (
            "planned no more"
        )


def test_nothing_is_repaired_while_a_disk_is_away_unless_it_is_lost(s4c: Run, database: Database, folder: Path) -> None:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        make_source(connection)
        new_set(connection, site.id)
        _, vegetation = optical(connection, season, "SEEN", variables=())
        connection.exec_driver_sql(
            f"UPDATE s4c.product SET full_path = '{folder}/products/l3b/' || name WHERE id = {vegetation}"
        )
        connection.exec_driver_sql(
            "UPDATE s4c.product SET removed_at = now(), removed_because = 'retention.l2a: 90 days' "
            "WHERE product_type_id = 1"
        )
    (folder / "products").mkdir()
    s4c("config", "set", "storage.products_path", folder / "products")
    check = ("products", "check", "alpha", "--repair", "--json")
    assert "mount the disk" in s4c(*check, code=None).err
    (only,) = s4c(*check, "--lost", code=1).json["findings"]
    assert (only["type"], only["repaired"]) == ("l3b", False), "what retention removed is not missing"
    assert "was removed (retention.l2a: 90 days): 's4c acquisitions retry" in only["remedy"]


def test_presence_of_many_products_looks_at_a_part_of_the_folders(folder: Path) -> None:
    for month in range(6):
        for number in range(3):
            (folder / str(month) / str(number)).mkdir(parents=True)
    paths = [f"{folder}/{month}/{number}" for month in range(6) for number in range(4)]
    found = presence(paths, most_folders=100)
    assert (found.total, found.looked_at, len(found.gone)) == (24, 24, 6)
    part = presence(paths, most_folders=2)
    assert (part.total, part.looked_at, len(part.gone)) == (24, 8, 2)
