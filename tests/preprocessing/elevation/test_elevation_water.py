"""Water bodies burned for MAJA."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from elevation_cases import copernicus_cell, grid_at, hgt_cell, positions

from s4c_lib.errors import ElevationMissingError, ProductCorruptError
from s4c_lib.preprocessing.elevation.resampling import ground_of
from s4c_lib.preprocessing.elevation.sources import ElevationSource, elevation_source
from s4c_lib.preprocessing.elevation.water_mask import water_bodies, water_mask

GRID = grid_at(6.4, 50.6, 20, 30, pixel=240)
LAKE = shapely.box(6.41, 50.57, 6.45, 50.59)


def mask_of(source: ElevationSource) -> np.ndarray:
    return water_mask(water_bodies(source, GRID), source, ground_of(GRID, source))


def inside(shape: shapely.Polygon) -> np.ndarray:
    x, y = positions(GRID)
    return np.asarray(shapely.contains_xy(shape, x, y))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "dem"
    folder.mkdir()
    copernicus_cell(folder, 50, 6, rows=400)
    return folder


def test_without_any_water_layer_the_mask_is_empty(model: Path) -> None:
    mask = mask_of(elevation_source("auto", model))
    assert mask.shape == GRID.shape
    assert mask.dtype == np.uint8
    assert not mask.any()


@pytest.mark.parametrize("name", ["e006n50e.shp", "E006N50i.shp", "e006n50f.shp"])
def test_outlines_of_swbd(model: Path, tmp_path: Path, name: str) -> None:
    water = tmp_path / "swbd"
    water.mkdir()
    geopandas.GeoDataFrame(geometry=[LAKE], crs=4326).to_file(water / name)
    geopandas.GeoDataFrame(geometry=[shapely.box(6, 50, 7, 51)], crs=4326).to_file(water / "e007n50e.shp")  # elsewhere
    mask = mask_of(elevation_source("auto", model, water))
    np.testing.assert_array_equal(mask == 1, inside(LAKE))
    assert 0 < mask.sum() < mask.size


def test_the_layer_of_glo_30(model: Path) -> None:
    def classes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where((x > 6.41) & (x < 6.45) & (y > 50.57) & (y < 50.59), 2, 0)

    copernicus_cell(model, 50, 6, classes, rows=3600, layer="WBM", dtype="uint8")
    mask = mask_of(elevation_source("auto", model))
    assert np.count_nonzero((mask == 1) != inside(LAKE)) <= 12  # along the shore: half of the pixel, or its centre
    assert mask.sum() == pytest.approx(inside(LAKE).sum(), rel=0.1)


def test_outlines_that_cannot_be_read_are_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "e006n50e.shp").write_bytes(b"no shapefile")
    with pytest.raises(ProductCorruptError, match=r"e006n50e\.shp"):
        mask_of(elevation_source("auto", model, tmp_path))


def test_the_layer_of_glo_30_serves_another_model_too(model: Path, tmp_path: Path) -> None:
    hgt_cell(tmp_path / "N50E006.hgt", 50, 6)
    water = tmp_path / "water"
    copernicus_cell(water, 50, 6, lambda x, y: np.where(x > 6.43, 1, 0) + 0 * y, layer="WBM", dtype="uint8")
    mask = mask_of(elevation_source("srtm_1s", tmp_path, water))
    assert np.count_nonzero((mask == 1) != (positions(GRID)[0] > 6.43)) <= GRID.rows


def test_cells_taken_for_sea_are_water_to_the_layer_of_glo_30(tmp_path: Path) -> None:
    coast = grid_at(-2.03, 45.6, 20, pixel=240)
    copernicus_cell(tmp_path, 45, -2, lambda x, y: np.where(x > -1.2, 30.0, 0.0) + 0 * y, rows=400)
    copernicus_cell(tmp_path, 45, -2, lambda x, y: np.where(x < -1.2, 1, 0) + 0 * y, layer="WBM", dtype="uint8")
    source = elevation_source("auto", tmp_path)
    assert water_mask(water_bodies(source, coast), source, ground_of(coast, source)).all()


def test_a_folder_of_water_bodies_that_is_not_there(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ElevationMissingError, match="water bodies") as caught:
        elevation_source("auto", model, tmp_path / "none")
    assert caught.value.code == "aux_missing"
