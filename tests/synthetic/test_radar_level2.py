from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from radar_cases import evening

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.sources.product_names import product_name
from s4c_lib.synthetic.radar.images import LEAST_SIGMA0
from s4c_lib.synthetic.radar.level2 import RadarScene, geotiff, parity_files, significant, tile_files

NOW, BEFORE = evening(18, "S1A"), evening(12, "S1B")
GRID = PixelGrid(32631, 652320, 5697660, 20, 60, 90)
SOUTH = PixelGrid(32631, 652320, 5697660 - 20 * 20, 20, 40, 90)


def scene(grid: PixelGrid = GRID, *, paired: bool = True) -> RadarScene:
    rng = np.random.default_rng(5)
    backscatter = rng.gamma(8, 0.01, (*grid.shape, 2)).astype(np.float32)
    coherence = rng.uniform(0.05, 0.95, (*grid.shape, 2)).astype(np.float32)
    return RadarScene(grid, NOW, backscatter, BEFORE, coherence) if paired else RadarScene(grid, NOW, backscatter)


def written(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


def test_names_are_read_back_by_the_sources() -> None:
    default = [product_name(name) for name in tile_files(scene(), "31UFT", GRID)]
    parity = [product_name(name) for name in parity_files(scene(), 1)]
    for names in (default, parity):
        assert [(name.kind.value, name.polarisations) for name in names] == [
            ("s1_amp", ("VV",)), ("s1_cohe", ("VV",)), ("s1_amp", ("VH",)), ("s1_cohe", ("VH",)),
        ]  # fmt: skip
        for name in names:
            assert name.sensing_start.replace(tzinfo=None) == NOW.start
            assert name.relative_orbit == 88
    assert {name.tile for name in default} == {"31UFT"}
    assert default[1].previous_time is not None
    assert default[1].previous_time.replace(tzinfo=None) == BEFORE.start
    assert "S1A_L2_BCK_20210319T172436_VV_088_31UFT.tif" in tile_files(scene(), "31UFT", GRID)
    assert "SEN4CAP_L2A_S1_V20210319T172436_20210313T172436_VH_088_COHE.tif" in parity_files(scene(), 1)


def test_pixels_are_those_of_the_simulation_on_the_tiles_grid(tmp_path: Path) -> None:
    square = tile("31UFT")
    files = written(tmp_path, tile_files(scene(), "31UFT", SOUTH))
    assert len(files) == 4
    for name, path in files.items():
        with rasterio.open(path) as raster:
            assert raster.crs.to_epsg() == square.epsg
            assert raster.res == (20, 20)
            assert raster.bounds[:2] == (652320, 5697660 - 1200)
            assert (raster.bounds.left - square.ulx) % 20 == (square.uly - raster.bounds.top) % 20 == 0
            assert raster.dtypes == ("float32",)
            assert raster.nodata == 0
            values = raster.read(1)
        source = scene().coherence if "_COH_" in name else scene().backscatter
        assert source is not None
        expected = source[20:, :, 0 if "_VV_" in name else 1]
        # Three significant digits: at most half of the third.
        np.testing.assert_allclose(values, expected, rtol=5.1e-3)
        np.testing.assert_array_equal(values, significant(expected))


def test_tags_say_what_the_values_are(tmp_path: Path) -> None:
    files = written(tmp_path, tile_files(scene(), "31UFT", GRID))
    tags = {}
    for name, path in files.items():
        with rasterio.open(path) as raster:
            tags[name[7:10] + name.split("_")[-3]] = raster.tags()
    assert set(tags) == {"BCKVV", "BCKVH", "COHVV", "COHVH"}
    backscatter, coherence = tags["BCKVV"], tags["COHVH"]
    assert backscatter["QUANTITY"] == "sigma0"
    assert backscatter["ACQUISITION"] == "20210319T172436"
    assert backscatter["LOOKS"] == "8.5"
    assert coherence["QUANTITY"] == "coherence"
    assert coherence["ACQUISITIONS"] == "20210319T172436,20210313T172436"
    assert coherence["BASELINE_DAYS"] == "6"
    assert coherence["WINDOW"] == "20x5"
    for item in tags.values():
        assert item["ORBIT_DIRECTION"] == "ASCENDING"
        assert item["REL_ORBIT"] == "88"
        assert item["PLATFORM"] == "S1A"
        assert {"POL", "ORBIT", "NOISE_REMOVED", "RTC", "DEM", "SOFTWARE"} <= set(item)


def test_the_first_pass_of_an_orbit_has_no_coherence_and_in_parity_nothing() -> None:
    alone = scene(paired=False)
    assert {name[7:10] for name in tile_files(alone, "31UFT", GRID)} == {"BCK"}
    assert parity_files(alone, 1) == {}


def test_parity_is_the_root_on_the_european_grid(tmp_path: Path) -> None:
    even = RadarScene(
        GRID, NOW, np.full((*GRID.shape, 2), 0.09, np.float32), BEFORE, np.full((*GRID.shape, 2), 0.4, np.float32)
    )
    for name, path in written(tmp_path, parity_files(even, 3)).items():
        with rasterio.open(path) as raster:
            assert raster.crs.to_epsg() == 3035
            assert raster.res == (20, 20)
            assert raster.nodata == 0
            assert raster.tags()["QUANTITY"] == ("amplitude" if "AMP" in name else "coherence")
            values = raster.read(1)
        inside = values[values > 0]
        assert inside == pytest.approx(0.3 if "AMP" in name else 0.4, rel=1e-5)
        # The window stands aslant on the other grid: its ground is all there, the corners outside are no data.
        assert inside.size == pytest.approx(GRID.rows * GRID.columns, rel=0.02)
        assert values[0, 0] == values[-1, -1] == 0


def test_parity_lies_where_the_window_lies(tmp_path: Path) -> None:
    spot = np.full((*GRID.shape, 2), 0.01, np.float32)
    spot[30:33, 50:53] = 1
    both = RadarScene(GRID, NOW, spot, BEFORE, np.full_like(spot, 0.5))
    files = written(tmp_path, parity_files(both, 1))
    with rasterio.open(next(path for name, path in files.items() if "VV" in name and "AMP" in name)) as raster:
        row, column = np.argwhere(raster.read(1) > 0.9).mean(axis=0)
        x, y = raster.xy(row, column)
        (east,), (north,) = rasterio.warp.transform("EPSG:3035", "EPSG:32631", [x], [y])
    assert (east, north) == pytest.approx((GRID.west + 51.5 * 20, GRID.north - 31.5 * 20), abs=10)


@pytest.mark.parametrize("side", [90, 300, 600])
def test_files_are_cloud_optimised_and_the_same_every_time(tmp_path: Path, side: int) -> None:
    grid = PixelGrid(32631, 652320, 5697660, 20, side, side)
    values = scene(grid, paired=False).backscatter[..., 0]
    content = geotiff(values, grid, {"QUANTITY": "sigma0"})
    assert content == geotiff(values, grid, {"QUANTITY": "sigma0"})
    (tmp_path / "a.tif").write_bytes(content)
    with rasterio.open(tmp_path / "a.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), values)
        assert raster.compression.name == "deflate"
        assert raster.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR") in (None, "3")
        assert raster.block_shapes[0][1] == min(side, 256)
        assert bool(raster.overviews(1)) == (side > 512)


def test_rounding_keeps_three_digits_and_no_data() -> None:
    values = np.array([0, 0.123456, 0.0012345, 12.3456, LEAST_SIGMA0], np.float32)
    assert significant(values) == pytest.approx([0, 0.123, 0.00123, 12.3, 1e-7], rel=1e-6)
    rounded = np.random.default_rng(1).gamma(8, 0.01, 50_000).astype(np.float32)
    assert len(np.unique(significant(rounded))) < 3000


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="does not lie on the pixels"):
        tile_files(scene(), "31UFT", PixelGrid(32631, 652330, 5697660, 20, 10, 10))
    with pytest.raises(InputError, match="does not lie on the pixels"):
        tile_files(scene(), "31UFT", PixelGrid(32631, 652320, 5697660, 20, 61, 10))
    with pytest.raises(InputError, match="does not fit a grid"):
        RadarScene(SOUTH, NOW, scene().backscatter)
    with pytest.raises(InputError, match="come together"):
        RadarScene(GRID, NOW, scene().backscatter, BEFORE)
