"""The executor native-grd on products whose every pixel is known: position, decibels, slices, orbits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.radar.executor import RadarTarget
from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
from s4c_lib.readers.radar_raster import read_radar_raster
from tests.preprocessing.elevation.elevation_cases import copernicus_cell, hills, write_raster
from tests.preprocessing.radar.grd_cases import (
    TILE,
    TO_GLOBE,
    Desk,
    found_near,
    grid_around,
    pixels,
    scene_of,
    spots,
)
from tests.preprocessing.radar.synthetic_grd import Scene, orbit_file, points, uniform, write_grd

LEVEL = 0.05
SCENE = Scene(polarisations=("VV",))


@pytest.fixture(scope="module")
def elevation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glo30")
    copernicus_cell(folder, 42, 12, hills, rows=1800)
    return folder


@pytest.fixture
def desk(elevation: Path, tmp_path: Path) -> Desk:
    return Desk(elevation, tmp_path)


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both polarisations of one sigma nought everywhere."""
    return write_grd(tmp_path_factory.mktemp("even"), Scene(), uniform(LEVEL))


def targets(grid: Any, count: int, lift: float = 0.0) -> tuple[Any, list[tuple[float, float]]]:
    """Places on the map and where each lies in the image, ``lift`` metres above the model's heights."""
    places = spots(grid, count)
    longitude, latitude = TO_GLOBE.transform(places[:, 0], places[:, 1])
    heights = hills(longitude, latitude) + lift
    return places, [SCENE.image_of(*point) for point in zip(longitude, latitude, heights, strict=True)]


@pytest.mark.parametrize(("pixel", "size"), [(20.0, 300), (10.0, 500), (15.0, 400)])
def test_points_of_the_ground_come_out_where_they_are(desk: Desk, pixel: float, size: int) -> None:
    grid = grid_around(SCENE, pixel, size)
    places, inside = targets(grid, 9)
    values = desk.values(write_grd(desk.folder, SCENE, points(inside)), grid=grid)
    off = np.array([found_near(values, grid, place, reach=round(80 / pixel)) for place in places])
    assert np.abs(off).max() < 0.1


def test_heights_above_a_geoid_are_raised_by_it(desk: Desk) -> None:
    grid = grid_around(SCENE)
    places, inside = targets(grid, 4, lift=48.0)
    geoid = desk.folder / "egm2008_here.tif"
    write_raster(geoid, np.full((6, 6), 48, "float32"), 9.5, 45.5, 1, 1)
    safe = write_grd(desk.folder, SCENE, points(inside))
    raster = desk.made(safe, grid=grid, heights_are_ellipsoidal=False, geoid_path=geoid)
    off = np.array([found_near(pixels(raster), grid, place) for place in places])
    assert np.abs(off).max() < 0.1
    assert raster.tags["DEM"] == "copernicus_glo30 above EGM2008"
    # and without it they would be 48 / tan(incidence) metres off, some 3 pixels
    assert np.abs(found_near(desk.values(safe, grid=grid), grid, places[0], reach=6)).max() > 1.5


@pytest.mark.parametrize(
    ("quantity", "expected"), [("sigma0", LEVEL), ("gamma0", LEVEL / 0.9**2), ("amplitude", LEVEL**0.5)]
)
def test_one_sigma_nought_comes_back_to_a_hundredth_of_a_decibel(
    desk: Desk, even: Path, quantity: str, expected: float
) -> None:
    values = desk.values(even, quantity=quantity)
    inner = values[values > 0]
    assert len(inner) > 0.95 * values.size
    off = 10 * np.log10(inner / expected)
    assert abs(np.median(off)) < 0.01
    assert abs(10 * np.log10(inner.mean() / expected)) < 0.01
    assert np.percentile(np.abs(off), 99) < 0.05


def test_without_noise_there_is_none_to_remove(desk: Desk) -> None:
    safe = write_grd(desk.folder, replace(SCENE, noise=0.0), uniform(LEVEL))
    for removed in (True, False):
        values = desk.values(safe, remove_noise=removed)
        assert abs(10 * np.log10(values[values > 0].mean() / LEVEL)) < 0.01


def test_noise_that_is_not_removed_stays_and_is_told(desk: Desk, even: Path) -> None:
    raster = desk.made(even, remove_noise=False)
    values = pixels(raster)
    # Noise of 2000 to 2600 times 0.9 to 1.2, over A squared.
    added = values[values > 0].mean() - LEVEL
    assert 1800 / 480**2 < added < 2900 / 450**2
    assert raster.tags["NOISE_REMOVED"] == "false"


def test_ground_darker_than_the_noise_is_the_least_value_not_no_data(desk: Desk) -> None:
    values = desk.values(write_grd(desk.folder, replace(SCENE, noise=2000.0), uniform(-0.004)))
    inner = values[100:200, 100:200]
    assert (inner > 0).all()
    assert inner.min() == pytest.approx(1e-7, rel=1e-3)


def test_a_raster_says_what_it_is(desk: Desk, even: Path) -> None:
    result = desk.run(even, polarisations=("VV", "VH"))
    vv, vh = result.rasters
    assert vv.name == f"S1A_L2_BCK_20210502T055000_VV_009_{TILE}"
    assert vv.path == desk.folder / "out" / TILE / "2021" / "05" / "02" / f"{vv.name}.tif"
    read = read_radar_raster(vv.path)
    assert (read.quantity, read.variable, read.platform, read.direction, read.orbit) == (
        "sigma0",
        "vv",
        "sentinel-1a",
        "descending",
        9,
    )
    assert read.warnings == ()
    assert vh.tags["POL"] == "VH"
    assert vv.tags["LOOKS"] == "2x2"
    assert vv.tags["INPUT_IDS"] == scene_of(even).name.name
    assert vv.size_bytes == vv.path.stat().st_size
    assert vv.valid_share == pytest.approx((pixels(vv) > 0).mean())
    assert {path.name for path in (desk.folder / "out").rglob("*") if path.is_file()} == {
        vv.path.name,
        vh.path.name,
    }


def test_an_archive_gives_the_same_bytes_as_the_folder(desk: Desk, even: Path) -> None:
    archive = shutil.make_archive(str(desk.folder / even.name.removesuffix(".SAFE")), "zip", even.parent, even.name)
    assert desk.made(Path(archive)).sha256 == desk.made(even).sha256


def test_slices_of_a_datatake_join_without_a_seam(desk: Desk) -> None:
    second = SCENE.next_slice()
    safes = [write_grd(desk.folder, scene, uniform(LEVEL)) for scene in (second, SCENE)]
    # the first slice ends 4.5 km south of the middle
    grid = grid_around(SCENE, size=150, north=-4500, east=-900)
    values = desk.values(*safes, grid=grid)
    assert (values > 0).all()
    assert np.abs(10 * np.log10(values / LEVEL)).max() < 0.1
    alone = [desk.values(safe, grid=grid) > 0 for safe in safes]
    assert all(0.2 < seen.mean() < 0.8 for seen in alone)


def test_where_slices_overlap_the_newer_one_wins(desk: Desk) -> None:
    first = write_grd(desk.folder, SCENE, uniform(LEVEL))
    again = 400 * SCENE.line_seconds
    second = SCENE.next_slice()
    early = replace(second, start=second.start - (second.start - SCENE.start) * 400 / 900, first=second.first - again)
    newer = write_grd(desk.folder, early, uniform(4 * LEVEL))
    values = desk.values(first, newer, grid=grid_around(SCENE, size=200, north=-2000))
    only_first = desk.values(first, grid=grid_around(SCENE, size=200, north=-2000))
    only_newer = desk.values(newer, grid=grid_around(SCENE, size=200, north=-2000))
    both = (only_first > 0) & (only_newer > 0)
    assert both.mean() > 0.2
    assert (values[both] == only_newer[both]).all()
    alone = (only_first > 0) & (only_newer == 0)
    assert (values[alone] == only_first[alone]).all()


def test_a_precise_orbit_is_used_and_preferred(desk: Desk) -> None:
    grid = grid_around(SCENE)
    places, inside = targets(grid, 4)
    safe = write_grd(desk.folder, SCENE, points(inside))
    orbits = desk.folder / "orbits"
    orbits.mkdir()
    orbit_file(orbits, SCENE, kind="RES")
    assert desk.made(safe, grid=grid, orbit_path=orbits).tags["ORBIT"] == "RES"
    precise = orbit_file(orbits, SCENE, late=3 * SCENE.line_seconds)
    result = desk.run(safe, grid=grid, orbit_path=orbits, require_orbit=True)
    [raster] = result.rasters
    assert raster.tags["ORBIT"] == "POE"
    assert not any("orbit" in warning for warning in result.warnings)
    # A satellite that is three lines of 10 m late on its way to 190 degrees finds everything that far back.
    down, across = found_near(pixels(raster), grid, places[0], reach=6)
    assert (down, across) == pytest.approx((-1.48, 0.26), abs=0.15)
    given = desk.made(scene_of(safe, precise), grid=grid)
    assert given.sha256 == raster.sha256


def test_without_an_orbit_file_the_annotations_own_is_used_with_a_warning(desk: Desk, even: Path) -> None:
    result = desk.run(even)
    assert result.rasters[0].tags["ORBIT"] == "ANN"
    assert any("no orbit file" in warning for warning in result.warnings)


def test_a_manifest_that_contradicts_the_orbit_formula_is_believed_with_a_warning(desk: Desk) -> None:
    result = desk.run(write_grd(desk.folder, replace(SCENE, relative_orbit=10), uniform(LEVEL)))
    assert result.rasters[0].tags["REL_ORBIT"] == "10"
    assert any("10 by its manifest, 9 by the formula" in warning for warning in result.warnings)


def test_noise_before_ipf_2_50_is_left_in_and_told(desk: Desk) -> None:
    old = replace(SCENE, ipf="002.43", blocks=(), samples=2600)
    result = desk.run(write_grd(desk.folder, old, uniform(LEVEL)))
    assert result.rasters[0].tags["NOISE_REMOVED"] == "false"
    assert any("before IPF 2.50" in warning for warning in result.warnings)


def test_noise_vectors_of_ipf_2_60_are_subtracted_and_the_sides_are_cut(desk: Desk) -> None:
    old = replace(SCENE, ipf="002.60", blocks=(), samples=2600)
    values = desk.values(write_grd(desk.folder, old, uniform(LEVEL)))
    inner = values[values > 0]
    assert abs(10 * np.log10(inner.mean() / LEVEL)) < 0.01
    # 600 of 2600 samples are left, 6 km on a map of 6 km that is turned against them
    assert 0.6 < (values > 0).mean() < 0.98


def test_several_tiles_are_made_of_one_reading(desk: Desk, even: Path) -> None:
    request = desk.request(even)
    other = RadarTarget("33TTH", grid_around(SCENE, size=100, east=500))
    far = RadarTarget("33TWG", grid_around(SCENE, size=100, east=200_000))
    result = NativeGrdExecutor().run(replace(request, targets=(*request.targets, other, far)))
    assert [raster.tile for raster in result.rasters] == [TILE, "33TTH"]


def test_a_tile_that_is_hardly_covered_gives_nothing(desk: Desk, even: Path) -> None:
    grid = grid_around(SCENE, size=300, east=6500)
    share = desk.made(even, grid=grid).valid_share
    assert 0 < share < 0.5
    result = desk.run(even, grid=grid, min_tile_share=share + 0.01)
    assert result.status is ExecutorStatus.DONE
    assert result.rasters == ()
    assert "covered" in result.text


def test_pixels_without_data_stay_without(desk: Desk) -> None:
    values = desk.values(write_grd(desk.folder, replace(SCENE, zeros=(0, 0, 500, 0)), uniform(LEVEL)))
    with_data = values > 0
    assert 0.3 < with_data.mean() < 0.7
    assert np.abs(10 * np.log10(values[with_data] / LEVEL)).max() < 0.25


def test_values_keep_three_digits_and_compress(desk: Desk, even: Path) -> None:
    raster = desk.made(even)
    bits = pixels(raster).view(np.uint32)
    assert (bits & 0x1FFF == 0).all()
    with rasterio.open(raster.path) as opened:
        assert opened.compression.name == "zstd"
        assert opened.nodata == 0
        assert opened.overviews(1) == []  # a raster of 300 pixels needs none
