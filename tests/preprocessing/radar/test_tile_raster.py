"""Rasters of Sentinel-1 processing: names, tags, rounding, cropping, what is not written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.radar.executor import MadeRaster, RadarTarget
from s4c_lib.preprocessing.radar.tile_raster import RasterOrigin, RasterSubject, three_digits, write_tile_raster
from s4c_lib.readers.radar_raster import read_radar_raster
from s4c_lib.sources.product_names import parse_product_name

GRID = PixelGrid(32628, 200_000, 3_100_000, 20, 60, 80)
TARGET = RadarTarget("28RBR", GRID)
NEWER, OLDER = datetime(2020, 1, 14, 7, 2, 38, tzinfo=UTC), datetime(2020, 1, 8, 7, 1, 56, tzinfo=UTC)
BACKSCATTER = RasterSubject("sentinel-1a", "VV", 96, NEWER)
PAIR = RasterSubject("sentinel-1a", "VV", 96, NEWER, OLDER)
ORIGIN = RasterOrigin(
    orbit="POE",
    direction="ascending",
    noise_removed=True,
    rtc=False,
    elevation="copernicus_glo30 above EGM2008",
    input_ids=("S1A_X", "S1A_Y"),
    software="test 1",
    more={"LOOKS": "2x2"},
)


def half() -> np.ndarray:
    values = np.zeros(GRID.shape, np.float32)
    values[10:40, 20:60] = 0.1234567
    return values


def made(folder: Path, values: np.ndarray, subject: RasterSubject = BACKSCATTER, **given: object) -> MadeRaster | None:
    options = {"quantity": "sigma0", "output_dir": folder} | given
    return write_tile_raster(values, TARGET, subject, ORIGIN, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "quantity", "name"),
    [
        (BACKSCATTER, "sigma0", "S1A_L2_BCK_20200114T070238_VV_096_28RBR"),
        (PAIR, "coherence", "S1A_L2_COH_20200114T070238_20200108T070156_VV_096_28RBR"),
    ],
)
def test_names_are_those_that_are_read(tmp_path: Path, subject: RasterSubject, quantity: str, name: str) -> None:
    raster = made(tmp_path, half(), subject, quantity=quantity)
    assert raster is not None
    assert raster.name == name
    assert raster.path == tmp_path / "28RBR" / "2020" / "01" / "14" / f"{name}.tif"
    parsed = parse_product_name(raster.name)
    assert parsed is not None
    assert (parsed.tile, parsed.relative_orbit, parsed.polarisations) == ("28RBR", 96, ("VV",))
    assert (parsed.sensing_start, parsed.previous_time) == (NEWER, subject.previous_time)
    read = read_radar_raster(raster.path)
    assert (read.quantity, read.direction, read.platform, read.warnings) == (quantity, "ascending", "sentinel-1a", ())


def test_tags_say_how_it_was_made(tmp_path: Path) -> None:
    raster = made(tmp_path, half(), PAIR, quantity="coherence")
    assert raster is not None
    with rasterio.open(raster.path) as opened:
        tags = opened.tags()
        assert opened.nodata == 0
        assert opened.dtypes == ("float32",)
    assert raster.tags.items() <= tags.items()
    assert raster.tags == {
        "QUANTITY": "coherence",
        "POL": "VV",
        "ORBIT": "POE",
        "ORBIT_DIRECTION": "ascending",
        "REL_ORBIT": "96",
        "PLATFORM": "sentinel-1a",
        "ACQUISITIONS": "20200114T070238 20200108T070156",
        "BASELINE_DAYS": "6",
        "NOISE_REMOVED": "true",
        "RTC": "false",
        "DEM": "copernicus_glo30 above EGM2008",
        "INPUT_IDS": "S1A_X S1A_Y",
        "SOFTWARE": "test 1",
        "LOOKS": "2x2",
    }


def test_share_and_footprint_are_of_valid_pixels(tmp_path: Path) -> None:
    raster = made(tmp_path, half())
    assert raster is not None
    assert raster.valid_share == 30 * 40 / (60 * 80)
    west, south, east, north = raster.footprint.bounds
    with rasterio.open(raster.path) as opened:
        x0, y0, x1, y1 = rasterio.warp.transform_bounds(opened.crs, 4326, *opened.bounds)
    assert x0 < west < east < x1
    assert y0 < south < north < y1


@pytest.mark.parametrize("share", [0.26, 1.0])
def test_below_the_least_share_nothing_is_written(tmp_path: Path, share: float) -> None:
    assert made(tmp_path, half(), min_tile_share=share) is None
    assert list(tmp_path.iterdir()) == []
    assert made(tmp_path, half(), min_tile_share=0.25) is not None


def test_a_raster_without_data_is_not_written(tmp_path: Path) -> None:
    assert made(tmp_path, np.zeros(GRID.shape, np.float32), min_tile_share=0.0) is None


def test_what_is_negative_or_not_finite_is_no_data(tmp_path: Path) -> None:
    values = half()
    values[10, 20], values[11, 20], values[12, 20] = np.nan, -1, np.inf
    raster = made(tmp_path, values)
    assert raster is not None
    with rasterio.open(raster.path) as opened:
        assert opened.read(1)[10:14, 20].tolist() == [0, 0, 0, pytest.approx(0.1234567, rel=5e-4)]


def test_a_cropped_raster_keeps_its_pixels_in_place(tmp_path: Path) -> None:
    raster = made(tmp_path, half(), crop=True)
    assert raster is not None
    with rasterio.open(raster.path) as opened:
        assert opened.shape == (30, 40)
        assert (opened.transform.c, opened.transform.f) == (200_000 + 20 * 20, 3_100_000 - 10 * 20)
        assert (opened.read(1) > 0).all()
    assert raster.valid_share == 0.25


@pytest.mark.parametrize("values", [np.ones((3, 3), np.float32), np.ones(GRID.shape, np.float64)])
def test_another_grid_or_type_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(InputError, match="28RBR"):
        made(tmp_path, values)


def test_the_same_pixels_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (made(tmp_path / name, half()) for name in "ab")
    assert one is not None
    assert other is not None
    assert one.sha256 == other.sha256
    assert one.path.read_bytes() == other.path.read_bytes()


@given(st.floats(2**-100, 2**100, width=32))
def test_rounding_keeps_three_digits_of_any_value(value: float) -> None:
    rounded = float(three_digits(np.array([value], np.float32))[0])
    # Half a unit of the third digit of a number that begins with 999 is 0.0005 of it.
    assert abs(rounded - value) <= 0.0005 * value
    assert float(three_digits(np.array([rounded], np.float32))[0]) == rounded
