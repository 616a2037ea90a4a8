"""The mask product: case 9.2 (last row) and its three resolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.validity_mask import PROFILE, mask_name, nearest, write_validity_masks
from s4c_lib.products.cog import write_cog

GRID = PixelGrid(32631, 600_000, 5_700_000, 10, 60, 40)


def test_case_9_2_fmask_decides_where_the_l2a_says_land(tmp_path: Path) -> None:
    flags = np.zeros(GRID.shape, np.uint8)
    fmask = np.zeros(GRID.shape, np.uint8)
    pairs = [((0, 4), 4), ((3, 4), 3), ((0, 0), 0), ((0, 255), 255)]
    for row, ((flag, value), _) in enumerate(pairs):
        flags[2 * row : 2 * row + 2], fmask[2 * row : 2 * row + 2] = flag, value
    write_cog(tmp_path / "x_Fmask4_10m.tif", fmask, GRID, PROFILE)
    written = write_validity_masks(flags, GRID, "S2A_MSIL2AMSK_x", tmp_path, tmp_path / "x_Fmask4_10m.tif")
    assert [file.path.name for file in written] == ["S2A_MSIL2AMSK_x_10M.tif", "S2A_MSIL2AMSK_x_20M.tif"]
    for file, step in zip(written, (2, 1), strict=True):
        with rasterio.open(file.path) as raster:
            values = raster.read(1)
            assert raster.nodata == 255
            assert raster.transform.a == 20 / step
        assert [values[step * row, 0] for row in range(4)] == [expected for _, expected in pairs]


def test_coarser_fmask_and_no_fmask(tmp_path: Path) -> None:
    flags = np.random.default_rng(1).choice(np.array([0, 1, 4, 255], np.uint8), GRID.shape)
    alone = write_validity_masks(flags, GRID, "a_L2AMSK", tmp_path)
    with rasterio.open(alone[0].path) as raster:
        np.testing.assert_array_equal(raster.read(1), flags)
    coarse = GRID.resized(20)
    write_cog(tmp_path / "fmask_20m.tif", np.full(coarse.shape, 2, np.uint8), coarse, PROFILE)
    with_fmask = write_validity_masks(flags, GRID, "b_L2AMSK", tmp_path, tmp_path / "fmask_20m.tif")
    with rasterio.open(with_fmask[0].path) as raster:
        np.testing.assert_array_equal(raster.read(1), np.where(flags == 0, 2, flags))


def test_native_landsat_pixels_get_a_third_file(tmp_path: Path) -> None:
    grid = PixelGrid(32631, 600_000, 5_700_000, 30, 20, 20)
    flags = np.arange(400, dtype=np.uint8).reshape(20, 20) % 5
    written = write_validity_masks(flags.astype(np.uint8), grid, "LC09_L2AMSK", tmp_path)
    assert [file.path.name[-7:] for file in written] == ["10M.tif", "20M.tif", "30M.tif"]
    with rasterio.open(written[0].path) as raster:
        np.testing.assert_array_equal(raster.read(1), np.repeat(np.repeat(flags, 3, 0), 3, 1))


def test_names_and_grounds() -> None:
    name = "S2A_MSIL2A_20220603T105031_N0400_R051_T31UFS_20220603T130000"
    assert mask_name(name) == name.replace("MSIL2A", "MSIL2AMSK")
    with pytest.raises(InputError, match="not the name of an L2A"):
        mask_name("S2A_MSIL1C")
    elsewhere = PixelGrid(32631, 600_010, 5_700_000, 10, 60, 40)
    with pytest.raises(InputError, match="covers"):
        nearest(np.zeros(GRID.shape, np.uint8), GRID, elsewhere)


def test_a_damaged_external_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "fmask.tif").write_bytes(b"II*\0 nothing")
    with pytest.raises(ProductCorruptError, match=r"fmask\.tif"):
        write_validity_masks(np.zeros(GRID.shape, np.uint8), GRID, "x_L2AMSK", tmp_path, tmp_path / "fmask.tif")
