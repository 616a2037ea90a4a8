"""``s4c acquisitions explain`` of a radar acquisition: its pairs with partner, intersection and baseline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from domain_rows import make_acquisition, make_enabled, make_source
from sqlalchemy import text

from s4c_lib.catalog import products, units
from s4c_lib.catalog.database import Database
from tests.cli.conftest import Run


def test_the_partner_of_a_pair_is_told_by_name(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"), satellites=("s1",))
        older, newer = (
            make_acquisition(connection, site, name, satellite="s1", state="downloaded", sensed=moment)
            for name, moment in (
                ("OLDER", datetime(2024, 5, 6, 17, tzinfo=UTC)),
                ("NEWER", datetime(2024, 5, 12, 17, tzinfo=UTC)),
            )
        )
        connection.execute(
            text(
                "INSERT INTO s4c.s1_pair (current_id, previous_id, relative_orbit, intersection_pct, baseline_days) "
                "VALUES (:newer, :older, 117, 62.345, 6)"
            ),
            {"newer": newer, "older": older},
        )
        keys = ["single", f"pair:{older}"]
        units.ensure_units(connection, newer, keys, processor="l2s1", config_hash="h", max_attempts=3)
    told = s4c("acquisitions", "explain", newer).out
    pair = next(line for line in told.splitlines() if f"pair:{older}" in line)
    assert [part in pair for part in ("OLDER", "downloaded", "62.3 %", "6 d")] == [True] * 4, told
    (detail,) = s4c("acquisitions", "explain", newer, "--json").json["pairs"]
    assert (detail["previous"], detail["baseline_days"]) == ("OLDER", 6)
    assert "partner" not in s4c("acquisitions", "explain", older).out


def test_a_failed_pair_beside_good_backscatter_says_what_was_wrong_and_is_tried_again(
    s4c: Run, database: Database
) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"), satellites=("s1",))
        moment = datetime(2024, 5, 12, 17, tzinfo=UTC)
        number = make_acquisition(connection, site, "NEWER", satellite="s1", state="downloaded", sensed=moment)
        units.ensure_units(connection, number, ["single", "pair:1"], processor="l2s1", config_hash="h", max_attempts=3)
        connection.execute(
            text(
                "UPDATE s4c.acquisition_unit SET state = 'failed', retryable = false, reason_code = 'dem_missing', "
                "failed_reason = 'no file of N42E012' WHERE unit_key = 'pair:1'"
            )
        )
        connection.execute(text("UPDATE s4c.acquisition_unit SET state = 'done' WHERE unit_key = 'single'"))
        units.roll_up(connection, number, actor="test")
    told = s4c("acquisitions", "explain", number)
    assert "no file of N42E012" in told.out
    assert s4c("acquisitions", "explain", number, "--json").json["state"] == "processed"
    s4c("acquisitions", "retry", number)
    again = s4c("acquisitions", "explain", number, "--json").json
    assert again["state"] == "processing"
    assert [unit["state"] for unit in again["units"]] == ["pending", "done"]
    assert again["faults"] == []
    s4c("acquisitions", "retry", number, code=2)


def test_the_rasters_of_an_acquisition_are_told_with_what_they_cover_of_the_site(s4c: Run, database: Database) -> None:
    name = "S1A_L2_BCK_20240512T170000_VV_117_31UFS"
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"), satellites=("s1",))
        moment = datetime(2024, 5, 12, 17, tzinfo=UTC)
        number = make_acquisition(connection, site, "NEWER", satellite="s1", state="downloaded", sensed=moment)
        connection.execute(text("UPDATE s4c.acquisition SET kind = 's1_grd'"))
        units.ensure_units(connection, number, ["single"], processor="l2s1", config_hash="h", max_attempts=3)
        west, south, east, north = site.geometry.bounds
        assert site.geometry.area == pytest.approx((east - west) * (north - south))
        made = products.NewProduct(
            product_type="s1_l2a_amp",
            processor="l2s1",
            satellite="s1",
            name=name,
            full_path="/products/x.tif",
            acquired_at=moment,
            acquisition_id=number,
            tiles=("31UFS",),
            polarisation="VV",
            footprint=shapely.box(west, south, (west + east) / 2, north),
            software_version="1",
            config_hash="h",
        )
        products.register(connection, made, [site.id])
    told = s4c("acquisitions", "explain", number).out
    line = next(line for line in told.splitlines() if name in line)
    assert "single" in line
    assert "50.0 %" in line
    (raster,) = s4c("acquisitions", "explain", number, "--json").json["rasters"]
    assert (raster["site"], raster["polarisation"], raster["l2_product"]) == (site.short_name, "VV", name)
