"""Footprints: the whole raster, or the part with data, as longitude and latitude."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from s4c_lib.geography.footprint import footprint_of, split_at_antimeridian
from s4c_lib.geography.pixel_grid import PixelGrid

TILE = PixelGrid(32631, 600_000, 5_800_020, 10, 10980, 10980)


def test_longitude_comes_first_and_edges_have_21_points() -> None:
    outline = footprint_of(None, TILE)
    west, south, east, north = outline.bounds
    assert (west, south) == (pytest.approx(4.436, abs=0.01), pytest.approx(51.324, abs=0.01))
    assert (east, north) == (pytest.approx(6.07, abs=0.03), pytest.approx(52.35, abs=0.01))
    assert shapely.get_num_coordinates(outline) == 4 * 20 + 1
    assert outline.is_valid


def test_a_few_pixels_without_data_do_not_change_it() -> None:
    has_data = np.ones((549, 549), np.bool_)
    has_data[:27] = False  # 4.9 %
    assert footprint_of(has_data, TILE).equals(footprint_of(None, TILE))
    has_data[:28] = False  # 5.1 %
    assert footprint_of(has_data, TILE).area < 0.97 * footprint_of(None, TILE).area


def test_a_slanted_swath_is_followed() -> None:
    rows, columns = np.mgrid[:549, :549]
    has_data = columns > 100 + rows * 0.3
    outline = footprint_of(has_data, TILE)
    share = outline.area / footprint_of(None, TILE).area
    assert share == pytest.approx(has_data.mean(), abs=0.02)
    assert shapely.get_num_coordinates(outline) < 150


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_every_pixel_with_data_is_inside(seed: int, blobs: int) -> None:
    rng = np.random.default_rng(seed)
    has_data = np.zeros((300, 300), np.bool_)
    for _ in range(blobs):
        row, column = rng.integers(0, 280, 2)
        height, width = rng.integers(5, 150, 2)
        has_data[row : row + height, column : column + width] = True
    grid = PixelGrid(32631, 600_000, 5_800_020, 20, 300, 300)
    outline = footprint_of(has_data, grid)
    rows, columns = np.nonzero(has_data)
    to_globe = Transformer.from_crs(32631, 4326, always_xy=True)
    places = to_globe.transform(grid.west + 20 * (columns + 0.5), grid.north - 20 * (rows + 0.5))
    shapely.prepare(outline)
    assert shapely.contains_xy(outline, *places).all()


def test_nothing_with_data_gives_the_whole_raster() -> None:
    assert footprint_of(np.zeros((50, 50), np.bool_), TILE).equals(footprint_of(None, TILE))


def test_rasters_across_the_antimeridian_have_two_parts() -> None:
    grid = PixelGrid(32601, 300_000, 7_200_000, 10, 10980, 10980)  # zone 1 starts at 180 degrees
    outline = footprint_of(None, grid)
    assert isinstance(outline, shapely.MultiPolygon)
    assert outline.is_valid
    bounds = sorted(part.bounds for part in outline.geoms)
    assert bounds[0][0] == -180
    assert bounds[1][2] == 180
    assert sum(part.bounds[2] - part.bounds[0] for part in outline.geoms) < 4
    box = shapely.box(1, 2, 3, 4)
    assert split_at_antimeridian(box) is box
