"""The elevation folder for MAJA: names, layers, header, cache, and what goes wrong."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import xml.etree.ElementTree as Xml
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from elevation_cases import copernicus_cell, grid_at, hgt_cell, hills, positions
from rasterio import Affine
from structlog.testing import capture_logs

from s4c_lib.errors import ElevationMissingError, ProductCorruptError, StorageError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile, tile
from s4c_lib.preprocessing.elevation import resampling_kernels, terrain
from s4c_lib.preprocessing.elevation.maja_folder import maja_elevation
from s4c_lib.preprocessing.elevation.sources import elevation_source

NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
LATER = datetime(2026, 6, 1, 10, tzinfo=UTC)
TILE = tile("32ULB")
NAME = "S2_TEST_AUX_REFDE2_32ULB_20260501_0001"
CFI = "{http://eop-cfi.esa.int/CFI}"


def window_of(square: Sentinel2Tile, size: int = 480) -> PixelGrid:
    """The middle of a tile, 10 m."""
    return PixelGrid(square.epsg, square.ulx + 50_400, square.uly - 50_400, 10, size, size)


GRID = window_of(TILE)
LONGITUDE, LATITUDE = (float(v.mean()) for v in positions(GRID))


def layers(folder: Path) -> dict[str, tuple[Any, Any]]:
    """Array and transform of each layer by name."""
    found = {}
    for path in sorted(folder.glob("*.DBL.DIR/*")):
        with rasterio.open(path) as raster:
            found[path.stem.split("_0001_")[1]] = raster.read(1), raster.transform
    return found


@pytest.fixture(scope="module")
def two_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dem")
    for longitude in (6, 7):
        copernicus_cell(folder, 50, longitude)
    return folder


@pytest.fixture
def model(two_cells: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_cells, tmp_path / "dem"))


def test_the_folder_is_named_and_filled_as_maja_wants_it(model: Path, tmp_path: Path) -> None:
    made = maja_elevation(TILE, elevation_source("auto", model), tmp_path / "cache", now=NOW, grid=GRID)
    assert sorted(entry.name for entry in made.iterdir()) == [f"{NAME}.DBL.DIR", f"{NAME}.HDR"]
    found = layers(made)
    assert set(found) == {
        *("ALT_R1", "ALT_R2", "ALC", "SLP_R1", "SLP_R2", "SLC", "ASP_R1", "ASP_R2", "ASC", "MSK"),
    }
    assert (made / f"{NAME}.DBL.DIR" / "S2_TEST_AUX_REFDE2_32ULB_0001_ALT_R1.TIF").is_file()
    for names, pixel, side in (
        (("ALT_R1", "SLP_R1", "ASP_R1"), 10, 480),
        (("ALT_R2", "SLP_R2", "ASP_R2"), 20, 240),
        (("ALC", "SLC", "ASC", "MSK"), 240, 20),
    ):
        for name in names:
            values, place = found[name]
            assert values.shape == (side, side)
            assert values.dtype == (np.uint8 if name == "MSK" else np.int16)
            assert place == Affine(pixel, 0, GRID.west, 0, -pixel, GRID.north)


def test_heights_slope_and_aspect_are_those_of_the_ground_at_every_resolution(model: Path, tmp_path: Path) -> None:
    found = layers(maja_elevation(TILE, elevation_source("auto", model), tmp_path / "cache", now=NOW, grid=GRID))
    for heights, slope, aspect, pixel in (
        ("ALT_R1", "SLP_R1", "ASP_R1", 10),
        ("ALT_R2", "SLP_R2", "ASP_R2", 20),
        ("ALC", "SLC", "ASC", 240),
    ):
        grid = GRID.resized(pixel)
        beyond = PixelGrid(grid.epsg, grid.west - 5, grid.north + 5, pixel, grid.rows, grid.columns)
        east = PixelGrid(grid.epsg, grid.west + 5, grid.north + 5, pixel, grid.rows, grid.columns)
        south = PixelGrid(grid.epsg, grid.west - 5, grid.north - 5, pixel, grid.rows, grid.columns)
        to_east = (hills(*positions(east)) - hills(*positions(beyond))) / 10
        to_south = (hills(*positions(south)) - hills(*positions(beyond))) / 10
        tolerance = 1 if pixel < 240 else 15
        np.testing.assert_allclose(found[heights][0], hills(*positions(grid)), atol=tolerance)
        steep = np.hypot(to_east, to_south)
        np.testing.assert_allclose(found[slope][0] / 100, np.arctan(steep), atol=0.015 if pixel < 240 else 0.05)
        towards = np.arctan2(-to_east, to_south) % (2 * np.pi)
        turn = np.abs((found[aspect][0] / 100 - towards + np.pi) % (2 * np.pi) - np.pi)
        assert np.quantile(turn[steep > 0.1], 0.95) < (0.08 if pixel < 240 else 0.3)


def test_the_header_tells_place_statistics_and_files(model: Path, tmp_path: Path) -> None:
    made = maja_elevation(TILE, elevation_source("auto", model), tmp_path / "cache", now=NOW, grid=GRID)
    root = Xml.parse(made / f"{NAME}.HDR").getroot()
    values = layers(made)["ALT_R1"][0]

    def text(tag: str) -> str:
        return root.findtext(f".//{CFI}{tag}") or ""

    assert root.tag == f"{CFI}Earth_Explorer_Header"
    assert (text("File_Name"), text("File_Type"), text("Code")) == (NAME, "AUX_REFDE2", "EPSG:32632")
    assert (text("X"), text("Y")) == (str(GRID.west), str(GRID.north))
    assert (text("Lines"), text("Columns"), text("Creation_Date")) == ("480", "480", "UTC=2026-05-01T10:00:00")
    files = [element.text or "" for element in root.iter(f"{CFI}Relative_File_Path")]
    assert sorted(files) == sorted(str(path.relative_to(made)) for path in made.glob("*.DBL.DIR/*"))
    mean, std = (float(text(f"{what}_Over_L2_Coverage")) for what in ("Mean_Altitude", "Altitude_Standard_Deviation"))
    assert (mean, std) == pytest.approx((values.mean(), values.std()), abs=1e-5)
    extremes = re.match(r"least (\S+) m, greatest (\S+) m", root.findtext(f".//{CFI}DEM_Information/{CFI}Comment", ""))
    assert extremes is not None
    assert [float(one) for one in extremes.groups()] == [values.min(), values.max()]
    assert "copernicus_glo30, EGM2008; cells taken for sea: none" in text("Comment")


def test_a_sea_tile_is_zero_everywhere_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "dem").mkdir()
    square = tile("26TKQ")  # the middle of the Atlantic
    made = maja_elevation(
        square, elevation_source("copernicus_glo30", tmp_path / "dem"), tmp_path, now=NOW, grid=window_of(square)
    )
    found = layers(made)
    assert len(found) == 10
    assert not any(values.any() for values, _ in found.values())
    assert "least 0 m, greatest 0 m" in next(made.glob("*.HDR")).read_text()


def test_a_void_is_zero_before_the_slope(tmp_path: Path) -> None:
    def pit(x: Any, y: Any) -> Any:
        return np.where(np.hypot(x - LONGITUDE, 1.5 * (y - LATITUDE)) < 0.008, -32768, 120) + 0 * y

    copernicus_cell(tmp_path, int(LATITUDE), int(LONGITUDE), pit, dtype="int16")
    found = layers(maja_elevation(TILE, elevation_source("auto", tmp_path), tmp_path / "c", now=NOW, grid=GRID))
    heights, slope = found["ALT_R1"][0], found["SLP_R1"][0]
    assert heights[238:242, 238:242].max() == 0
    assert not slope[238:242, 238:242].any()
    # a step of 120 m over one pixel of 3", not one of 33 km
    assert 100 < slope.max() < 125
    assert heights.min() > -20  # what the cubic kernel makes of the step


def test_a_tile_of_the_south(tmp_path: Path) -> None:
    square = tile("34HBH")
    grid = window_of(square, 240)
    assert grid.epsg == 32734
    x, y = (float(v.mean()) for v in positions(grid))
    copernicus_cell(tmp_path, int(np.floor(y)), int(np.floor(x)))
    found = layers(maja_elevation(square, elevation_source("auto", tmp_path), tmp_path / "c", now=NOW, grid=grid))
    np.testing.assert_allclose(found["ALT_R1"][0], hills(*positions(grid)), atol=1)


def test_a_folder_that_is_there_is_used_again_until_its_input_changes(model: Path, tmp_path: Path) -> None:
    def make(now: datetime, **options: Any) -> Path:
        return maja_elevation(TILE, elevation_source("auto", model, **options), tmp_path / "c", now=now, grid=GRID)

    first = make(NOW)
    assert make(LATER) == first
    assert [entry.name for entry in first.glob("*.HDR")] == [f"{NAME}.HDR"]
    assert make(LATER, registration_offset=(0.5, 0.5)) != first
    water = tmp_path / "water"
    water.mkdir()
    assert make(LATER, water_path=water) == first
    os.utime(model / "Copernicus_DSM_COG_10_N50_00_E006_00_DEM.tif", (1, 1))
    assert make(LATER) != first
    other = maja_elevation(TILE, elevation_source("auto", model), tmp_path / "c", now=NOW, grid=window_of(TILE, 240))
    assert other != first
    assert not [entry for entry in (tmp_path / "c").iterdir() if entry.name.startswith(".")]


def test_the_model_is_never_written_to(model: Path, tmp_path: Path) -> None:
    hgt_cell(model / "N50E006.SRTMGL1.hgt.zip", 50, 6, zipped=True)

    def state() -> list[tuple[str, int, str]]:
        return [
            (path.name, path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(model.rglob("*"))
        ]

    before = state()
    model.chmod(0o555)
    try:
        for kind in ("copernicus_glo30", "srtm_1s"):
            grid = GRID if kind.startswith("c") else grid_at(6.4, 50.6)
            source = elevation_source(kind, model)
            maja_elevation(TILE, source, tmp_path / "cache", now=NOW, grid=grid, reference=source)
    finally:
        model.chmod(0o755)
    assert state() == before


def test_missing_land_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "dem").mkdir()
    source = elevation_source("srtm_1s", tmp_path / "dem")
    with pytest.raises(ElevationMissingError):
        maja_elevation(TILE, source, tmp_path / "cache", now=NOW, grid=GRID)
    assert not (tmp_path / "cache").exists()


def test_an_undeclared_no_data_value_is_found(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, int(LATITUDE), int(LONGITUDE), lambda x, y: np.where(x > LONGITUDE, 1e20, 3.0) + 0 * y)
    with pytest.raises(ProductCorruptError, match="heights from"):
        maja_elevation(TILE, elevation_source("auto", tmp_path), tmp_path / "c", now=NOW, grid=GRID)
    assert not list((tmp_path / "c").iterdir())


def test_a_cache_that_cannot_be_written(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        maja_elevation(TILE, elevation_source("auto", model), tmp_path / "file", now=NOW, grid=GRID)


@pytest.mark.parametrize("limit", [20_000, 72_000])  # in the middle of a raster; in the last blocks of the largest
def test_a_file_that_stops_growing_is_an_error_and_leaves_nothing(model: Path, tmp_path: Path, limit: int) -> None:
    resampling_kernels.warm_up()  # what is compiled is written to a file, which is larger
    terrain.warm_up()
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, was[1]))
    try:
        with pytest.raises(StorageError):
            maja_elevation(TILE, elevation_source("auto", model), tmp_path / "c", now=NOW, grid=GRID)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
    assert not list((tmp_path / "c").iterdir())


def test_a_model_that_lies_off_the_reference_is_used_with_a_warning_and_a_note(tmp_path: Path) -> None:
    rough = np.cumsum(np.cumsum(np.random.default_rng(2).normal(0, 4, (1200, 1200)), 0), 1)

    def surface(x: Any, y: Any) -> Any:
        return rough[np.rint((51 - y) * 1200).astype(int) % 1200, np.rint((x % 1) * 1200).astype(int) % 1200] / 10

    for longitude in (6, 7):
        copernicus_cell(tmp_path, 50, longitude, surface)
    right = elevation_source("auto", tmp_path)
    off = elevation_source("auto", tmp_path, registration_offset=(0.0, 1.0))
    with capture_logs() as logs:
        grid = window_of(TILE, 1200)
        made = maja_elevation(TILE, off, tmp_path / "cache", now=NOW, grid=grid, reference=right)
    (warning,) = (log for log in logs if log["log_level"] == "warning")
    assert warning["event"] == "elevation_shifted"
    assert warning["north_m"] == pytest.approx(92.7, abs=15)
    assert "position against copernicus_glo30" in next(made.glob("*.HDR")).read_text()
