"""Raw Sentinel-1 through ingest: SLC by SNAP's double, GRD without any program, down to statistics and readiness."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from derived_season import END, NOW, START, Derived, make_derived
from pyproj import Transformer
from uploaded_rows import declare, give

from s4c_lib.catalog import readiness, s1_pairs
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
from s4c_lib.ingest import radar_task
from s4c_lib.ingest.fetch import run_fetch
from s4c_lib.ingest.query import run_query
from s4c_lib.ingest.steps import derived_step
from s4c_lib.preprocessing.radar.executor import RadarRequest, RadarResult, RadarTarget
from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
from s4c_lib.retention import nightly
from s4c_lib.synthetic.archive_sentinel1 import Pass
from tests.ingest.test_derived_workers import killed
from tests.preprocessing.radar import snap_cases
from tests.preprocessing.radar.synthetic_grd import Scene, uniform, write_grd

# The parcels of `uploaded_rows` lie here, UTM.
TILE, CENTRE = "31UFT", (650_250.0, 5_750_100.0)
SIDE = 1500
# The first before the season.
DATES = [
    ("S1B", datetime(2021, 5, 31, 17, 5, 57, tzinfo=UTC)),
    ("S1A", datetime(2021, 6, 6, 17, 5, 57, tzinfo=UTC)),
]
LEVEL = 0.05


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The outline of the site: a square around the parcels of `uploaded_rows`."""
    folder = tmp_path / "files"
    folder.mkdir()
    to_globe = Transformer.from_crs(32631, 4326, always_xy=True)
    x, y = CENTRE
    corners = [(x - 600, y - 600), (x + 600, y - 600), (x + 600, y + 600), (x - 600, y + 600)]
    area = shapely.Polygon([to_globe.transform(*corner) for corner in corners])
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(area)}
    (folder / "site.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return folder


@pytest.fixture(autouse=True)
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets units make only the pixels around the site: a whole tile takes minutes and has tests of its own."""
    square = sentinel2_tile(TILE)

    def target_on(tile: str, pixel: int) -> RadarTarget:
        west = square.ulx + (CENTRE[0] - square.ulx - SIDE / 2) // 60 * 60
        north = square.uly - (square.uly - CENTRE[1] - SIDE / 2) // 60 * 60
        return RadarTarget(tile, PixelGrid(square.epsg, west, north, pixel, SIDE // pixel, SIDE // pixel))

    monkeypatch.setattr(radar_task, "target_on", target_on)


def new_season(database: Database, files: Path, root: Path, archive: Path, name: str = "Alpha") -> Derived:
    """A site with four declared parcels on an archive."""
    season = make_derived(database, files, root, archive, name, declared=False, tiles=(TILE,))
    with database.begin() as connection:
        declare(connection, season.site.id, root / "lpis" / name, year=2021)
    snap_cases.make_elevation(root / "dem", ((51, 5),))
    season.set("dem.path", str(root / "dem"))
    season.set("processor.l2s1.min.memory", 1)
    return season


@pytest.fixture
def slc(database: Database, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Derived]:
    """A season on SLC products of some dates, with SNAP's double."""
    west, south, east, north = sentinel2_tile(TILE).footprint_wgs84().bounds
    corners = [(west - 0.2, north), (east, north + 0.3), (east + 0.2, south), (west, south - 0.3)]

    def make(behaviour: str = "") -> Derived:
        archive = tmp_path / "archive"
        for platform, start in DATES:
            folder = archive / "Sentinel-1" / "SAR" / "SLC" / f"{start:%Y/%m/%d}"
            snap_cases.make_scene(folder, Pass(platform, start), swaths=("iw1", "iw2", "iw3"), corners=corners)
        snap_cases.snap(tmp_path / "snap", behaviour)
        monkeypatch.setenv("S4C_SNAP_PROGRAM", str(tmp_path / "snap" / "bin" / "gpt"))
        season = new_season(database, files, tmp_path, archive)
        settings = {
            "executor": "snap",
            "pixel.spacing": 30,
            "min.disk": 1,
            "join.amplitude.steps": True,
            "join.coherence.steps": True,
        }
        for key, value in settings.items():
            season.set(f"processor.l2s1.{key}", value)
        return season

    return make


@pytest.fixture
def grd(database: Database, files: Path, tmp_path: Path) -> Callable[..., Derived]:
    """A season on small GRD scenes around the site, processed here."""

    def make(*scenes: Scene) -> Derived:
        archive = tmp_path / "archive"
        for scene in scenes:
            deliver(archive, scene)
        season = new_season(database, files, tmp_path, archive)
        season.set("processor.l2s1.executor", "native-grd")
        # of a scene of 10 km
        season.set("processor.l2s1.min.s2.intersection", 0.0005)
        season.set("dem.heights_are_ellipsoidal", True)
        return season

    return make


def folder_of(archive: Path, scene: Scene) -> Path:
    folder = archive / "Sentinel-1" / "SAR" / "GRD" / f"{scene.start:%Y/%m/%d}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def deliver(archive: Path, scene: Scene) -> Path:
    """A scene in the archive, its files listed in the manifest."""
    # slices with the same pixels would be one
    safe = write_grd(folder_of(archive, scene), scene, uniform(LEVEL * (1.001 if scene.first else 1)))
    streams = [
        f'<dataObject><byteStream><fileLocation href="./{path.relative_to(safe)}"/>'
        f'<checksum checksumName="MD5">{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}</checksum>'
        "</byteStream></dataObject>"
        for path in sorted(safe.rglob("*.*"))
        if path.is_file() and path.name != "manifest.safe"
    ]
    manifest = safe / "manifest.safe"
    listed = manifest.read_text().replace("</xfdu:XFDU>", f"{''.join(streams)}</xfdu:XFDU>")
    manifest.write_text(listed)
    return safe


def scene(**more: Any) -> Scene:
    longitude, latitude = Transformer.from_crs(32631, 4326, always_xy=True).transform(*CENTRE)
    start = datetime(2021, 6, 6, 5, 50, 0, 600_000, tzinfo=UTC)
    return Scene(longitude=longitude, latitude=latitude, start=start, **more)


def slices() -> tuple[Scene, Scene]:
    """Two slices of a pass that meet within the site."""
    first = scene(polarisations=("VV",), lines=470)
    return first, first.next_slice()


def radar_units(season: Derived) -> list[tuple[str, str, str | None]]:
    """(date, unit, state or reason), coherence as ``pair``."""
    rows = season.rows(
        "SELECT to_char(a.sensing_start, 'MMDD') AS day, split_part(u.unit_key, ':', 1) AS key, "
        "u.state::text AS state, u.reason_code "
        "FROM s4c.acquisition_unit u JOIN s4c.acquisition a ON a.id = u.acquisition_id "
        "ORDER BY a.sensing_start, u.unit_key DESC"
    )
    return [(row["day"], row["key"], row["reason_code"] or row["state"]) for row in rows]


def rules(season: Derived, processor: str) -> dict[str, bool]:
    with season.database.begin() as connection:
        values = snapshot(connection, today=NOW.date(), site=season.site, season=season.season)
        verdict = readiness.evaluate(
            connection, season.season, processor, interval_start=START, as_of=END, due=NOW, now=NOW, snapshot=values
        )
    return {rule.rule: rule.ok for rule in verdict.rules}


def test_a_season_of_slc_reaches_readiness(slc: Callable[..., Derived]) -> None:
    season = slc()
    counts = season.run()
    assert (counts["radar"], counts["radar_failed"]) == (3, 0), radar_units(season)
    assert radar_units(season) == [
        ("0531", "single", "done"), ("0531", "pair", "no_previous"),
        ("0606", "single", "done"), ("0606", "pair", "done"),
    ]  # fmt: skip
    assert not season.has_work()
    made = season.products("s1_l2a_cohe")
    assert [one.name for one in made][-1] == "S1A_L2_COH_20210606T170557_20210531T170557_VV_117_31UFT"
    place = season.root / "products" / "s1" / TILE / "2021" / "06" / "06" / f"{made[-1].name}.tif"
    assert Path(made[-1].full_path) == place
    assert (made[-1].metadata["quantity"], made[-1].metadata["pair"]["baseline_days"]) == ("coherence", 6)
    observed = season.observations("coherence_vv").to_pylist()
    assert {(row["time"] - row["previous_time"]).days for row in observed} == {6}
    assert {(row["orbit"], row["direction"], row["platform"]) for row in observed} == {
        (117, "ascending", "sentinel-1a")
    }
    # the pair's own details
    newest = max(season.rows("SELECT id, sensing_start FROM s4c.acquisition"), key=lambda row: row["sensing_start"])
    with season.database.begin() as connection:
        (pair,) = s1_pairs.pairs_of(connection, [newest["id"]])
        extent = s1_pairs.extent_of(connection, pair.current_id, pair.previous_id)
        report = s1_pairs.report(connection, newest["id"], season.site.id)
    assert pair.original_epsg == sentinel2_tile(TILE).epsg
    assert pair.original_extent is not None
    assert extent is not None
    assert extent.covers(season.site.geometry)
    # case 9.5: of two polarisations and one candidate, four products
    assert [(row.unit_key, row.polarisation, row.status) for row in report] == [
        (f"pair:{pair.previous_id}", "VH", "done"), (f"pair:{pair.previous_id}", "VV", "done"),
        ("single", "VH", "done"), ("single", "VV", "done"),
    ]  # fmt: skip
    assert report[0].site_coverage_pct == pytest.approx(100, abs=0.1)
    with season.database.begin() as connection:
        for kind in (Kind.LUT, Kind.L4C_CONFIG):
            give(connection, season.site.id, kind, year=2021)
    season.set("processor.s4c_l4c.practices", ["NA"])
    for processor in ("s4c_l4b", "s4c_l4c"):
        found = rules(season, processor)
        assert {"R1 s1", "R2 s1", "R3 s1", "R4", "R5", "R6"} <= set(found)
        assert all(found.values()), found
    # without statistics it is not ready, and says so of every polarisation
    season.rows_changed("DELETE FROM s4c.marker_file WHERE variable = 'coherence_vh'")
    assert not rules(season, "s4c_l4b")["R3 s1"]


def test_a_bad_pair_has_a_reason_and_the_others_go_on(slc: Callable[..., Derived], tmp_path: Path) -> None:
    season = slc("heap@Coherence")
    season.set("processor.l2s1.polarisations", ["VV"])
    counts = season.run()
    assert (counts["radar"], counts["radar_failed_out_of_memory"]) == (2, 1)
    assert ("0606", "pair", "out_of_memory") in radar_units(season)
    (row,) = season.rows("SELECT log_path FROM s4c.acquisition_unit WHERE state = 'failed'")
    assert Path(row["log_path"]).is_file()
    assert [path.name for path in Path(row["log_path"]).parents[1].iterdir()] == ["log"]
    snap_cases.snap(tmp_path / "snap", "")
    later = NOW + timedelta(days=1)
    assert season.run(later)["radar"] == 1
    assert set(season.acquisitions().values()) == {"processed"}


def test_grd_becomes_statistics_without_a_program(grd: Callable[..., Derived]) -> None:
    season = grd(scene())
    counts = season.run()
    assert (counts["radar"], counts["radar_failed"]) == (1, 0), season.rows("SELECT * FROM s4c.acquisition_unit")
    vv = next(one for one in season.products("s1_l2a_amp") if one.polarisation == "VV")
    assert (vv.direction, vv.relative_orbit, vv.metadata["platform"]) == ("descending", 9, "sentinel-1a")
    rows = season.observations("vv").to_pylist()
    assert rows
    assert np.mean([row["mean"] for row in rows]) == pytest.approx(10 * np.log10(LEVEL), abs=0.05)
    assert {row["previous_time"] for row in rows} == {None}
    assert {(row["orbit"], row["direction"]) for row in rows} == {(9, "descending")}
    assert rules(season, "s4c_l4b")["R3 s1"]
    assert not season.has_work()


def test_whatever_a_raster_holds_the_store_has_decibels(grd: Callable[..., Derived]) -> None:
    """A raster made here is replaced by ones of known values; a pixel of 1e-6 and less does not count."""
    season = grd(scene(polarisations=("VV",)))
    context = season.context()
    season.run()
    (product,) = season.products("s1_l2a_amp")
    step = derived_step("statistics")
    for quantity, value, nothing in (("gamma0", 0.05, 1e-6), ("amplitude", 0.2236, 5e-4), ("sigma0", 500, 0)):
        kind = np.uint16 if quantity == "sigma0" else np.float32
        with rasterio.open(product.full_path) as raster:
            tags = {**raster.tags(), "QUANTITY": quantity}
            keys = ("width", "height", "count", "crs", "transform", "nodata")
            profile = {key: raster.profile[key] for key in keys}
        pixels = np.full((profile["height"], profile["width"]), value, kind)
        pixels[:, ::3] = nothing
        Path(product.full_path).unlink()
        with rasterio.open(product.full_path, "w", driver="GTiff", dtype=kind, **profile) as raster:
            raster.write(pixels, 1)
            raster.update_tags(**tags)
        season.rows_changed("DELETE FROM s4c.marker_file")
        assert step.plan(season.database, context, now=NOW) == 1
        step.run(season.database, context, owner="w", job_id=None, clock=lambda: NOW)
        rows = season.observations("vv").to_pylist()
        assert {round(row["mean"], 2) for row in rows} == {-13.01}, quantity
        assert all(row["n"] < row["n_total"] for row in rows if row["n_total"] > 4)


def test_slices_of_a_pass_are_one_raster_and_a_late_one_is_put_in(grd: Callable[..., Derived]) -> None:
    first, second = slices()
    season = grd(second)
    assert season.run()["radar"] == 1
    (alone,) = season.products("s1_l2a_amp")
    deliver(season.archive, first)
    season.rows_changed("UPDATE s4c.query_window SET state = 'pending', last_success = NULL")
    assert season.run()["radar"] == 1
    (together,) = season.products("s1_l2a_amp")
    assert together.metadata["made_of"] == [first.name.removesuffix(".SAFE"), second.name.removesuffix(".SAFE")]
    assert together.name != alone.name, "it has the name of the first slice"
    assert {unit[2] for unit in radar_units(season)} == {"done", "joined"}
    assert set(season.acquisitions().values()) == {"processed"}
    assert not season.has_work()
    assert {one.product_id for one in season.markers("vv")} == {together.id}
    assert rules(season, "s4c_l4a")["R3 s1"]
    # what was replaced goes with the night's cleaning; the season is long over, so what is in force is told to stay
    season.set("retention.s1.action", "none")
    for path in (season.root / "products").rglob("*"):
        os.utime(path, (0, 0))
    later = datetime.now(UTC) + timedelta(days=90)
    nightly.apply(season.database, now=later)
    assert not Path(alone.full_path).exists()
    assert Path(together.full_path).is_file()


def test_a_slice_that_comes_while_its_neighbour_is_made_is_put_in(
    grd: Callable[..., Derived], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = slices()
    season = grd(second)
    step = derived_step("radar")
    run, begun = NativeGrdExecutor.run, []

    def late(executor: NativeGrdExecutor, request: RadarRequest) -> RadarResult:
        begun.append(len(request.current))
        if len(begun) == 1:
            # another worker fetches the other slice, and leaves it to this one
            deliver(season.archive, first)
            season.rows_changed("UPDATE s4c.query_window SET state = 'pending', last_success = NULL")
            run_query(season.database, season.context(), now=NOW, actor="other")
            run_fetch(season.database, season.context(), "archive_of_alpha", owner="other", clock=lambda: NOW)
            assert step.plan(season.database, season.context(), now=NOW) == 1
            step.run(season.database, season.context(), owner="other", job_id=None, clock=lambda: NOW)
            assert {unit[2] for unit in radar_units(season)} == {"processing", "joined"}
        return run(executor, request)

    monkeypatch.setattr(NativeGrdExecutor, "run", late)
    season.run()
    (together,) = season.products("s1_l2a_amp")
    assert together.metadata["made_of"] == [first.name.removesuffix(".SAFE"), second.name.removesuffix(".SAFE")]
    assert begun == [1, 2]
    assert not season.has_work()


def test_a_slice_that_cannot_be_read_costs_its_neighbour_nothing(grd: Callable[..., Derived]) -> None:
    first, second = slices()
    season = grd(first, second)
    for path in (folder_of(season.archive, second) / second.name).rglob("calibration-*.xml"):
        path.write_text(path.read_text().replace("sigmaNought", "nothing"))
    counts = season.run()
    assert (counts["radar"], counts["radar_failed_input_corrupt"]) == (1, 1), radar_units(season)
    (made,) = season.products("s1_l2a_amp")
    assert made.metadata["made_of"] == [first.name.removesuffix(".SAFE")]
    assert sorted(unit[2] or "" for unit in radar_units(season)) == ["done", "input_corrupt"]


def test_50_a_worker_killed_in_mid_unit_changes_nothing(grd: Callable[..., Derived]) -> None:
    season = grd(scene(polarisations=("VV",)))
    context = season.context()
    run_query(season.database, context, now=NOW, actor="test")
    run_fetch(season.database, context, "archive_of_alpha", owner="test", clock=lambda: NOW)
    killed(season, "radar", 3)
    assert radar_units(season) == [("0606", "single", "processing")]
    step = derived_step("radar")
    lease = timedelta(seconds=float(context.parameters["lease.seconds"]))
    assert step.plan(season.database, context, now=NOW + lease - timedelta(seconds=1)) == 0
    assert step.plan(season.database, context, now=NOW + lease + timedelta(seconds=1)) == 1
    (unit,) = season.rows("SELECT state::text AS state, attempts FROM s4c.acquisition_unit")
    assert unit == {"state": "pending", "attempts": 0}
    assert season.products("s1_l2a_amp") == []
    season.run(NOW + timedelta(hours=1))
    assert len(season.products("s1_l2a_amp")) == 1
    assert not list((season.root / "scratch").rglob("*.tif"))


def test_a_site_that_comes_later_gets_what_is_there(grd: Callable[..., Derived]) -> None:
    season = grd(scene(polarisations=("VV",)))
    season.run()
    other = new_season(season.database, season.files, season.root, season.archive, "Beta")
    counts = other.run()
    assert counts["radar"] == 0
    assert [one.id for one in other.products("s1_l2a_amp")] == [one.id for one in season.products("s1_l2a_amp")]
    assert other.markers("vv")


def test_a_parameter_that_was_forgotten_is_set_and_the_next_run_goes_on(grd: Callable[..., Derived]) -> None:
    """Nobody has to name hundreds of acquisitions that failed for want of a geoid."""
    season = grd(scene(polarisations=("VV",)))
    season.set("dem.heights_are_ellipsoidal", False)
    assert season.run()["radar_failed_config"] == 1
    assert set(season.acquisitions().values()) == {"processing_failed"}
    assert not season.has_work(), "nothing has changed"
    season.set("dem.heights_are_ellipsoidal", True)
    assert season.has_work()
    assert season.run()["radar"] == 1
    assert set(season.acquisitions().values()) == {"processed"}


def test_files_that_went_are_fetched_again(grd: Callable[..., Derived]) -> None:
    only = scene(polarisations=("VV",))
    season = grd(only)
    context = season.context()
    season.run()
    season.rows_changed("DELETE FROM s4c.product")
    season.rows_changed("UPDATE s4c.acquisition_unit SET state = 'pending', product_id = NULL")
    hidden = shutil.move(folder_of(season.archive, only) / only.name, season.root / "hidden")
    step = derived_step("radar")
    step.run(season.database, context, owner="w", job_id=None, clock=lambda: NOW)
    assert set(season.acquisitions().values()) == {"queued"}
    shutil.move(hidden, folder_of(season.archive, only) / only.name)
    assert season.run()["radar"] == 1
