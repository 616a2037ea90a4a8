"""Slope, aspect and the coarser layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.elevation import resampling_kernels as kernels
from s4c_lib.preprocessing.elevation.layers import coarse_grid, padded, resolutions
from s4c_lib.preprocessing.elevation.terrain import slope_and_aspect


def plane(downhill_deg: float, slope_deg: float, pixel: float = 10, size: int = 7) -> np.ndarray:
    """A plane that falls in a direction (from north over east)."""
    row, column = np.mgrid[:size, :size]
    towards = np.radians(downhill_deg)
    along = column * pixel * np.sin(towards) - row * pixel * np.cos(towards)
    return np.asarray(1000 - along * np.tan(np.radians(slope_deg)), np.float32)


@pytest.mark.parametrize(("direction", "stored"), [(90, 157), (180, 314), (270, 471), (45, 79), (0, 0)])
def test_slope_45_is_79_and_aspects_are_hundredths_of_a_radian(direction: float, stored: int) -> None:
    slope, aspect = slope_and_aspect(plane(direction, 45), 10)
    assert slope.shape == (5, 5)
    assert slope.dtype == aspect.dtype == np.int16
    assert np.all(slope == 79)
    assert np.all((aspect == stored) | ((direction == 0) & (aspect == 628)))


def test_flat_ground_has_neither() -> None:
    slope, aspect = slope_and_aspect(np.full((9, 9), 812.3, np.float32), 10)
    assert not slope.any()
    assert not aspect.any()


@given(st.floats(1, 359), st.floats(1, 85), st.sampled_from([10.0, 20.0, 30.0, 240.0]))
def test_any_plane(direction: float, steepness: float, pixel: float) -> None:
    slope, aspect = slope_and_aspect(plane(direction, steepness, pixel), pixel)
    assert np.abs(slope - 100 * np.radians(steepness)).max() <= 0.6
    assert np.abs(aspect - 100 * np.radians(direction)).max() <= 1.0


def test_horn_by_hand() -> None:
    heights = np.array([[10, 20, 30], [10, 15, 40], [0, 5, 10]], np.float32)
    # east: (30 + 80 + 10 - 10 - 20 - 0) / 80 = 9/8; north: (10 + 40 + 30 - 0 - 10 - 10) / 80 = 3/4
    slope, aspect = slope_and_aspect(heights, 10)
    assert slope.item() == round(100 * np.arctan(np.hypot(9 / 8, 3 / 4)))
    assert aspect.item() == round(100 * (np.arctan2(-9 / 8, -3 / 4) + 2 * np.pi))


@pytest.mark.parametrize("factor", [2, 24, 8])
def test_coarser_heights_do_not_drift(factor: int) -> None:
    pad = 2 * factor
    row, column = np.mgrid[: 6 * factor + 2 * pad, : 6 * factor + 2 * pad]
    heights = (3.0 * column - 2.0 * row).astype(np.float32)
    out = np.empty((8, 8), np.float32)
    compiled(kernels.coarser)(heights, pad, factor, 1, out)
    centre = pad + (np.arange(8) - 1 + 0.5) * factor - 0.5
    np.testing.assert_allclose(out, 3 * centre[None, :] - 2 * centre[:, None], rtol=1e-5)


def test_coarser_heights_are_those_of_gdal() -> None:
    heights = np.random.default_rng(1).normal(300, 80, (96, 96)).astype(np.float32)
    expected = np.zeros((48, 48), np.float32)
    reproject(
        heights,
        expected,
        src_transform=Affine(10, 0, 0, 0, -10, 0),
        dst_transform=Affine(20, 0, 0, 0, -20, 0),
        src_crs="EPSG:32631",
        dst_crs="EPSG:32631",
        resampling=Resampling.bilinear,
    )
    out = np.empty((48, 48), np.float32)
    compiled(kernels.coarser)(heights, 0, 2, 0, out)
    np.testing.assert_allclose(out[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-5)


def test_the_grids_of_a_whole_tile_share_their_corner() -> None:
    tile = PixelGrid(32631, 600_000, 5_700_000, 10, 10980, 10980)
    shapes = [(r.heights, r.grid.shape, r.grid.pixel) for r in resolutions(tile)]
    assert shapes == [("ALT_R1", (10980, 10980), 10), ("ALT_R2", (5490, 5490), 20), ("ALC", (458, 458), 240)]
    assert {(r.grid.west, r.grid.north) for r in resolutions(tile)} == {(600_000, 5_700_000)}
    other = PixelGrid(32631, 600_015, 5_700_015, 30, 80, 80)
    assert coarse_grid(other).shape == (10, 10)
    assert padded(other)[1] == 16
