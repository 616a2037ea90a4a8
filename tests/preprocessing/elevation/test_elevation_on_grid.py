"""Heights on a grid: position, interpolation, seams, voids, the south and the date line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from elevation_cases import copernicus_cell, grid_at, hills, positions, write_raster
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.preprocessing.elevation import resampling_kernels as kernels
from s4c_lib.preprocessing.elevation.resampling import elevation_on, ground_of
from s4c_lib.preprocessing.elevation.sources import elevation_source

ROME = Path(__file__).parents[4] / "shared/data/sentinel1_safe/Rome-30m-DEM.tif"


def weights(method: str, part: Any) -> list[Any]:
    """Weights of the nodes -1, 0, 1, 2 at a distance from node 0: Keys (1981) with a = -1/2 for cubic."""
    if method == "nearest":
        return [0 * part, np.where(part < 0.5, 1, 0), np.where(part < 0.5, 0, 1), 0 * part]
    if method == "bilinear":
        return [0 * part, 1 - part, part, 0 * part]
    near, far = lambda d: 1.5 * d**3 - 2.5 * d**2 + 1, lambda d: -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return [far(1 + part), near(part), near(1 - part), far(2 - part)]


@pytest.mark.parametrize("method", ["cubic", "bilinear", "nearest"])
def test_it_is_the_interpolation_at_the_exact_position_of_every_pixel(tmp_path: Path, method: Any) -> None:
    def rough(x: Any, y: Any) -> Any:
        return hills(x, y) + 40 * np.sin(9000 * x + 7000 * y)

    path = copernicus_cell(tmp_path, 50, 6, rough, 1800)
    grid = grid_at(6.4, 50.6, 300, 400)
    with rasterio.open(path) as raster:
        values, place = raster.read(1).astype(np.float64), raster.transform
    x, y = positions(grid)
    across, down = (x - place.c) / place.a - 0.5, (y - place.f) / place.e - 0.5
    column, row = np.floor(across).astype(int), np.floor(down).astype(int)
    expected = np.zeros(grid.shape)
    for i, share in enumerate(weights(method, down - row)):
        for j, part in enumerate(weights(method, across - column)):
            expected += share * part * values[row - 1 + i, column - 1 + j]
    found = elevation_on(grid, elevation_source("auto", tmp_path), method=method)
    assert found.dtype == np.float32
    if method == "nearest":
        assert (np.abs(found - expected) > 1e-3).mean() < 0.001  # half way between two nodes, to 1 cm
    else:
        np.testing.assert_allclose(found, expected, atol=0.03)


def test_it_is_what_gdal_gives(tmp_path: Path) -> None:
    path = copernicus_cell(tmp_path, 50, 6)
    grid = grid_at(6.4, 50.6, 300, 400)
    expected = np.zeros(grid.shape, np.float32)
    with rasterio.open(path) as raster:
        reproject(
            rasterio.band(raster, 1),
            expected,
            dst_transform=Affine(10, 0, grid.west, 0, -10, grid.north),
            dst_crs=f"EPSG:{grid.epsg}",
            resampling=Resampling.cubic,
        )
    # GDAL's own positions are right to an eighth of a pixel
    np.testing.assert_allclose(elevation_on(grid, elevation_source("auto", tmp_path)), expected, atol=0.3)


def test_cubic_and_bilinear_of_a_case_computed_by_hand() -> None:
    heights = np.array([[0, 0, 0, 0], [0, 16, 32, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    # at (row 1, column 1.5): bilinear (16 + 32) / 2; cubic weights at a half are -1/16, 9/16, 9/16, -1/16
    across, down = np.full((2, 2), 1.5), np.full((2, 2), 1.0)
    out = np.empty((1, 1), np.float32)
    compiled(kernels.sample)(heights, across, down, 1, 1, out)
    assert out[0, 0] == 24
    compiled(kernels.sample)(heights, across, down, 1, 2, out)
    assert out[0, 0] == 27


@given(st.floats(-500, 8000), st.floats(0, 6), st.floats(0, 6), st.sampled_from([0, 1, 2]))
def test_level_ground_stays_level_however_it_is_sampled(height: float, x: float, y: float, method: int) -> None:
    heights = np.full((6, 6), height, np.float32)
    out = np.empty((2, 2), np.float32)
    compiled(kernels.sample)(heights, np.full((2, 2), x), np.full((2, 2), y), 2, method, out)
    np.testing.assert_allclose(out, np.float32(height), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("longitude", "latitude"), [(6.98, 50.01), (5.99, 50.005), (17.99, -33.99), (-0.01, 0.01)])
def test_there_is_no_seam_where_four_cells_meet_and_their_spacing_changes(
    tmp_path: Path, longitude: float, latitude: float
) -> None:
    west, south = int(np.floor(longitude)), int(np.floor(latitude))
    for row in (south - 1, south):
        for column in (west, west + 1):
            # as GLO-30 does at 50 degrees: longitudes 1.5 times wider to the north
            copernicus_cell(tmp_path, row, column, columns=800 if row >= 50 else 1200)
    grid = grid_at(longitude, latitude, 300)
    np.testing.assert_allclose(
        elevation_on(grid, elevation_source("auto", tmp_path)), hills(*positions(grid)), atol=1.5
    )


def test_a_grid_across_180_degrees(tmp_path: Path) -> None:
    waves = lambda x, y: 300 + 100 * np.sin(np.radians(3600 * x)) * np.cos(150 * y)  # noqa: E731  (period 0.1 degree)
    copernicus_cell(tmp_path, -18, 179, waves)
    copernicus_cell(tmp_path, -18, -180, waves)
    grid = grid_at(179.99, -17.5, 200, 400)
    found = elevation_on(grid, elevation_source("auto", tmp_path))
    np.testing.assert_allclose(found, waves(*positions(grid)), atol=1)


def test_strips_and_a_part_of_the_ground_give_the_same_heights(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 50, 6)
    source = elevation_source("auto", tmp_path)
    tall = grid_at(6.4, 50.9, 2300, 40)
    whole = elevation_on(tall, source)
    part = PixelGrid(tall.epsg, tall.west, tall.north - 20_000, 10, 300, 40)
    np.testing.assert_allclose(elevation_on(part, source, ground=ground_of(tall, source)), whole[2000:], atol=0.01)


def test_voids_are_zero_before_anything_is_interpolated(tmp_path: Path) -> None:
    for row, void in ((50, -32768), (49, -9999)):

        def surface(x: np.ndarray, y: np.ndarray, void: int = void) -> np.ndarray:
            return np.where((abs(x - 6.405) < 0.005) & (abs(y - round(50.0) - 0.002) < 2), void, 120) + 0 * y

        copernicus_cell(tmp_path, row, 6, surface, dtype="int16", nodata=-9999 if void == -9999 else None)
    found = elevation_on(grid_at(6.39, 50.01, 300), elevation_source("auto", tmp_path))
    # of undershoot there is what the cubic kernel makes at a step of 120 m, never of one of 33 km
    assert found.min() > -20
    assert found.max() < 140
    assert np.count_nonzero(np.abs(found) < 1) > 5000


def test_a_pixel_much_larger_than_the_models_is_a_mean(tmp_path: Path) -> None:
    stripes = lambda x, y: np.where(np.rint(x * 1200) % 2, 0.0, 200.0) + 0 * y  # noqa: E731
    copernicus_cell(tmp_path, 50, 6, stripes)
    grid = grid_at(6.4, 50.6, 20, 20, pixel=1200)
    found = elevation_on(grid, elevation_source("auto", tmp_path))
    np.testing.assert_allclose(found, 100, atol=6)


def test_the_real_model_of_rome(tmp_path: Path) -> None:
    if not ROME.is_file():
        pytest.skip(f"{ROME} is absent")
    with rasterio.open(ROME) as raster:
        values, place = raster.read(1), raster.transform
    write_raster(tmp_path / "Copernicus_DSM_COG_10_N41_00_E012_00_DEM.tif", values, place.c, place.f, place.a, -place.e)
    grid = grid_at(12.47, 41.98, 300)
    found = elevation_on(grid, elevation_source("auto", tmp_path), method="bilinear")
    x, y = positions(grid)
    nearest = values[((place.f - y) / -place.e).astype(int), ((x - place.c) / place.a).astype(int)]
    assert abs((found - nearest).mean()) < 0.05
    assert np.corrcoef(found.ravel(), nearest.ravel())[0, 1] > 0.98
