"""Rasters are valid Cloud Optimized GeoTIFFs, exact, the same on every run, and complete or absent."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from cog_structure import check_cog, directories
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

from s4c_lib.errors import DiskFullError, InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, cog_writer, write_cog
from s4c_lib.products.cog_levels import halving

NDVI = CogProfile("int16", (CogBand("NDVI", 0.001, 0.0, "1"),), -10000, "average")
FLAGS = CogProfile("uint8", (CogBand("flags"),), 255, "nearest")


def grid_of(rows: int, columns: int, pixel: float = 10) -> PixelGrid:
    return PixelGrid(32631, 600_000, 5_700_000, pixel, rows, columns)


def noise(rows: int, columns: int, dtype: str = "int16", bands: int | None = None) -> np.ndarray:
    rng = np.random.default_rng(7)
    shape = (rows, columns) if bands is None else (bands, rows, columns)
    values = rng.normal(0, 1000, shape) if np.dtype(dtype).kind == "f" else rng.integers(0, 200, shape)
    values[..., : rows // 4, : columns // 3] = -10000 if dtype in ("int16", "float32") else 255
    return values.astype(dtype)


def test_a17_container(tmp_path: Path) -> None:
    """A17: header first, 512 tiles, overviews 2..32, scale 0.001, no-data -10000, CRS and transform of the grid."""
    path, values = tmp_path / "ndvi.tif", noise(1700, 1500)
    write_cog(path, values, grid_of(1700, 1500), NDVI)
    images = check_cog(path)
    assert [image.shape for image in images] == [(1700, 1500), (850, 750), (425, 375)]
    with rasterio.open(path) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.profile["compress"] == "zstd"
        assert raster.block_shapes == [(512, 512)]
        assert raster.crs.to_epsg() == 32631
        assert raster.transform == rasterio.Affine(10, 0, 600_000, 0, -10, 5_700_000)
        assert (raster.nodata, raster.scales, raster.offsets) == (-10000, (0.001,), (0,))
        assert (raster.descriptions, raster.units) == (("NDVI",), ("1",))
        np.testing.assert_array_equal(raster.read(1), values)


def test_overviews_reach_32() -> None:
    from s4c_lib.products.cog_levels import level_shapes

    assert level_shapes(10980, 10980)[1:] == [(5490, 5490), (2745, 2745), (1373, 1373), (687, 687), (344, 344)]
    assert level_shapes(512, 512) == [(512, 512)]
    assert len(level_shapes(100_000, 600)) == 6


def test_first_block_of_rows_lies_where_gdal_says(tmp_path: Path) -> None:
    path = tmp_path / "flags.tif"
    write_cog(path, noise(600, 1100, "uint8"), grid_of(600, 1100), FLAGS)
    with rasterio.open(path) as raster:
        places = [int(raster.get_tag_item(f"BLOCK_OFFSET_{x}_0", "TIFF", bidx=1)) for x in range(3)]
        overview = int(raster.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=0))
    assert places == directories(path)[0].offsets[:3]
    assert overview == directories(path)[1].offsets[0] < places[0]


@pytest.mark.parametrize(
    ("dtype", "bands", "no_data", "predictor"),
    [
        ("uint8", None, 255, 1),
        ("uint8", 3, 255, 1),
        ("uint16", None, 0, 2),
        ("int16", 2, -10000, 2),
        ("int32", None, None, 2),
        ("float32", 3, float("nan"), 3),
        ("float32", None, -10000, 3),
        ("float64", 2, None, 3),
    ],
)
@pytest.mark.parametrize("level", [0, 1])
def test_every_type_comes_back_exactly(
    tmp_path: Path, dtype: str, bands: int | None, no_data: float | None, predictor: int, level: int
) -> None:
    values = noise(530, 700, dtype, bands)
    names = tuple(CogBand(f"band {number}") for number in range(bands or 1))
    profile = CogProfile(dtype, names, no_data, "nearest", compression_level=level)
    path = tmp_path / "raster.tif"
    write_cog(path, values, grid_of(530, 700), profile)
    images = check_cog(path)
    assert images[0].tags.get(317, (1,)) == ((predictor if level else 1),)
    with rasterio.open(path) as raster:
        np.testing.assert_array_equal(raster.read() if bands else raster.read(1), values)
        assert raster.descriptions == tuple(band.description for band in names)


def test_average_ignores_no_data_by_hand() -> None:
    nd = -10000
    rows = np.array([[1, 2, nd, nd, 7], [3, 5, 4, nd, nd], [nd, -3, -4, 1, 2]], np.int16)[..., None]
    # (1+2+3+5)/4 = 2.75; 4 alone; 7 alone; -3 alone; (-4+1)/2 = -1.5 rounds up; 2.
    expected = [[3, 4, 7], [-3, -1, 2]]
    assert halving("average", nd)(rows)[..., 0].tolist() == expected
    assert halving("average", np.nan)(np.where(rows == nd, np.nan, rows).astype(np.float32))[..., 0].tolist() == [
        [2.75, 4, 7],
        [-3, -1.5, 2],
    ]
    assert halving("nearest", nd)(rows)[..., 0].tolist() == [[1, nd, 7], [nd, -4, 2]]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_average_is_the_rounded_mean(rows: int, columns: int, seed: int, gaps: bool) -> None:
    values = np.random.default_rng(seed).integers(-32768, 32767, (rows, columns, 1)).astype(np.int16)
    no_data = int(values[0, 0, 0]) if gaps else None
    half = halving("average", no_data)(values)
    assert half.shape == (-(-rows // 2), -(-columns // 2), 1)
    for i in range(half.shape[0]):
        for j in range(half.shape[1]):
            window = values[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel().astype(int)
            valid = [v for v in window if v != no_data]
            assert half[i, j, 0] == (np.floor(np.mean(valid) + 0.5) if valid else no_data)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=4), st.integers(1, 1100))
def test_rows_may_come_in_any_portions(
    tmp_path_factory: pytest.TempPathFactory, heights: list[int], width: int
) -> None:
    folder = tmp_path_factory.mktemp("portions")
    values = noise(sum(heights), width)
    grid = grid_of(*values.shape)
    whole = write_cog(folder / "whole.tif", values, grid, NDVI)
    with cog_writer(folder / "portions.tif", grid, NDVI) as writer:
        first = 0
        for height in heights:
            writer.write(first, values[first : first + height])
            first += height
    assert writer.written.sha256 == whole.sha256
    assert (folder / "portions.tif").read_bytes() == (folder / "whole.tif").read_bytes()
    check_cog(folder / "whole.tif")


def test_what_is_known_of_the_file_is_true(tmp_path: Path) -> None:
    import hashlib

    values = noise(600, 700)
    written = write_cog(tmp_path / "a.tif", values, grid_of(600, 700), NDVI)
    content = (tmp_path / "a.tif").read_bytes()
    assert (written.size, written.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    valid = values[values != -10000]
    found = written.statistics[0]
    assert (found.minimum, found.maximum, found.count) == (valid.min(), valid.max(), valid.size)
    assert found.mean == pytest.approx(valid.mean(), rel=1e-12)
    assert found.stddev == pytest.approx(valid.std(), rel=1e-12)
    assert found.valid_percent == pytest.approx(100 * valid.size / values.size)


def test_statistics_of_large_integers(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(-(2**31), 2**31 - 1, (50, 3000)).astype(np.int32)
    values[0] = 0
    profile = CogProfile("int32", (CogBand("x"),), 0, "nearest")
    found = write_cog(tmp_path / "a.tif", values, grid_of(50, 3000), profile).statistics[0]
    valid = values[values != 0].astype(np.float64)
    assert (found.mean, found.stddev) == (pytest.approx(valid.mean()), pytest.approx(valid.std()))


def test_statistics_of_floats_ignore_nan(tmp_path: Path) -> None:
    values = noise(20, 30, "float32")
    values[3] = np.nan
    profile = CogProfile("float32", (CogBand("x"),), float("nan"), "average")
    found = write_cog(tmp_path / "a.tif", values, grid_of(20, 30), profile).statistics[0]
    assert found.mean == pytest.approx(np.nanmean(values.astype(float)), rel=1e-12)
    assert found.stddev == pytest.approx(np.nanstd(values.astype(float)), rel=1e-12)
    assert found.count == 19 * 30


def test_a_raster_without_valid_pixels_stays_empty_in_all_levels(tmp_path: Path) -> None:
    empty = write_cog(tmp_path / "a.tif", np.full((700, 700), -10000, np.int16), grid_of(700, 700), NDVI)
    assert (empty.statistics[0].count, empty.statistics[0].valid_percent) == (0, 0)
    assert np.isnan(empty.statistics[0].mean)
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as raster:
        assert (raster.read(1) == -10000).all()


def test_wrong_rows_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    grid, path = grid_of(10, 10), tmp_path / "a.tif"
    for first, block in (
        (0, np.zeros((5, 9), np.int16)),
        (0, np.zeros((5, 10), np.int32)),
        (1, np.zeros((5, 10), np.int16)),
        (0, np.zeros((11, 10), np.int16)),
        (0, np.zeros((2, 5, 10), np.int16)),
    ):
        with pytest.raises(InputError), cog_writer(path, grid, NDVI) as writer:
            writer.write(first, block)
    with pytest.raises(InputError, match="lacks rows from 5 of 10"), cog_writer(path, grid, NDVI) as writer:
        writer.write(0, np.zeros((5, 10), np.int16))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rewrite_keeps_the_older_file(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", noise(100, 100)
    write_cog(path, values, grid_of(100, 100), NDVI)
    before = path.read_bytes()

    def interrupted() -> None:
        with cog_writer(path, grid_of(100, 100), NDVI) as writer:
            writer.write(0, values[:50])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_bytes() == before


def test_disk_full_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: both make the write itself fail."""
    program = f"""
import resource, signal, sys
import numpy as np
from pathlib import Path
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.errors import DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, {resource.RLIM_INFINITY}))
values = np.random.default_rng(1).integers(0, 9999, (1100, 1100)).astype(np.int16)
profile = CogProfile("int16", (CogBand("x"),), -10000, "nearest")
try:
    write_cog(Path({str(tmp_path / "a.tif")!r}), values, PixelGrid(32631, 0, 0, 10, 1100, 1100), profile)
except DiskFullError as error:
    sys.exit(17)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 17, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert DiskFullError("x").retryable


def test_windows_and_overviews_read_by_gdal(tmp_path: Path) -> None:
    values = noise(1100, 1300, "uint8")
    write_cog(tmp_path / "flags.tif", values, grid_of(1100, 1300), FLAGS)
    with rasterio.open(tmp_path / "flags.tif") as raster:
        assert raster.overviews(1) == [2, 4]
        np.testing.assert_array_equal(raster.read(1, window=Window(500, 500, 600, 40)), values[500:540, 500:1100])
    with rasterio.open(tmp_path / "flags.tif", overview_level=1) as raster:
        np.testing.assert_array_equal(raster.read(1), values[::4, ::4])
