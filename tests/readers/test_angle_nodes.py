"""Angles: case A7 of l3b-and-markers.md, nodes that are missing, and real metadata."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.readers.angles import (
    angle_grid,
    angles_of_metadata,
    constant_angle_grid,
    cos_relative_azimuth,
    mean_direction,
)
from s4c_lib.readers.scene import MeanGeometry
from s4c_lib.readers.sentinel2_safe import read_safe_metadata
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.product_tree import ProductTree

REAL = Path(__file__).parents[3] / "shared/data/sentinel2_metadata"
TILE_GRID = PixelGrid(32631, 600000, 5700000, 10, 10980, 10980)
MEAN = MeanGeometry(30.0, 160.3, 8.0, 286.5)


def test_a7_relative_azimuth() -> None:
    assert cos_relative_azimuth(160.3, 286.5) == pytest.approx(-0.590606, abs=1e-6)
    constant = constant_angle_grid(TILE_GRID, MEAN)
    assert constant.cos_raa.shape == (23, 23)
    assert constant.cos_raa == pytest.approx(np.full((23, 23), -0.590606), abs=1e-6)
    assert constant.cos_sza[0, 0] == pytest.approx(np.cos(np.radians(30)))
    assert (constant.west, constant.north, constant.step) == (600000, 5700000, 5000)


def test_a7_azimuths_average_across_north() -> None:
    zenith, azimuth = mean_direction([[5.0], [5.0]], [[359.0], [1.0]])
    assert azimuth[0] % 360 == pytest.approx(0, abs=1e-9)
    assert 4.99 < zenith[0] <= 5


@given(st.lists(st.tuples(st.floats(0.1, 60), st.floats(0, 359.9)), min_size=1, max_size=6))
def test_unknown_directions_do_not_count(directions: list[tuple[float, float]]) -> None:
    zeniths, azimuths = [zenith for zenith, _ in directions], [azimuth for _, azimuth in directions]
    known = mean_direction(zeniths, azimuths)
    more = mean_direction([*zeniths, np.nan, 5.0], [*azimuths, 7.0, np.nan])
    assert more[0] == pytest.approx(known[0])
    assert np.cos(np.radians(more[1] - known[1])) == pytest.approx(1)
    single = mean_direction(zeniths[:1], azimuths[:1])
    assert single[0] == pytest.approx(zeniths[0])


def test_missing_nodes_take_the_nearest() -> None:
    zenith = np.array([[np.nan, 10.0, np.nan], [np.nan, np.nan, 20.0]])
    azimuth = np.array([[np.nan, 100.0, 5.0], [np.nan, np.nan, 200.0]])
    sun = np.full((2, 3), 30.0), np.full((2, 3), 160.0)
    grid = angle_grid(0, 0, 5000, sun, (zenith, azimuth), MEAN)
    vza = np.degrees(np.arccos(grid.cos_vza.astype(float)))
    assert vza[:, 0] == pytest.approx([10, 10], abs=1e-3)
    assert vza[1, 2] == pytest.approx(20, abs=1e-3)
    assert grid.cos_raa[0, 0] == pytest.approx(np.cos(np.radians(60)), abs=1e-6)
    for layer in (grid.cos_vza, grid.cos_sza, grid.cos_raa):
        assert layer.dtype == np.float32
        assert np.isfinite(layer).all()


def test_an_unreadable_or_uneven_grid_is_refused() -> None:
    for rows in ("<VALUES>1 2</VALUES><VALUES>1</VALUES>", "<VALUES>1 x</VALUES>", ""):
        part = f"<COL_STEP>5000</COL_STEP><ROW_STEP>5000</ROW_STEP><Values_List>{rows}</Values_List>"
        element = ElementTree.fromstring(f"<g><Zenith>{part}</Zenith><Azimuth>{part}</Azimuth></g>")
        with pytest.raises(ProductCorruptError, match="doc"):
            angles_of_metadata(
                TILE_GRID, sun_grid=element, view_grids=[], sun_means=[], view_means=[(8.0, 100.0)], where="doc"
            )


def test_no_angles_at_all_are_refused() -> None:
    with pytest.raises(ProductCorruptError, match="view angles"):
        angles_of_metadata(
            TILE_GRID, sun_grid=None, view_grids=[], sun_means=[(30.0, 150.0)], view_means=[], where="doc"
        )


@pytest.mark.parametrize(
    ("name", "offset", "orbit", "direction"),
    [
        ("S2A_MSIL2A_20230821T221941_N0509_R029_T01KAB_20230822T021825.SAFE", -1000, 29, "descending"),
        ("S2B_MSIL2A_20191228T210519_N0212_R071_T01CCV_20201003T104658.SAFE", 0, 71, "descending"),
        ("S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE", -1000, 25, "ascending"),
    ],
)
def test_real_metadata(name: str, offset: int, orbit: int, direction: str) -> None:
    if not REAL.is_dir():
        pytest.skip("the real metadata documents are not here")
    parsed = product_name(name)
    metadata = read_safe_metadata(ProductTree(REAL / name), parsed)
    square = tile(parsed.tile or "")
    assert metadata.grids[10] == PixelGrid(square.epsg, square.ulx, square.uly, 10, 10980, 10980)
    assert metadata.grids[20].shape == (5490, 5490)
    assert set(metadata.offsets.values()) == {offset}
    assert metadata.quantification == 10000
    assert (metadata.platform, metadata.baseline) == (parsed.platform, parsed.baseline)
    assert (metadata.relative_orbit, metadata.direction) == (orbit, direction)
    assert {"cloudy_pixel_percentage", "nodata_pixel_percentage", "dark_features_percentage"} <= metadata.quality.keys()
    for layer in (metadata.angles.cos_vza, metadata.angles.cos_sza, metadata.angles.cos_raa):
        assert layer.shape == (23, 23)
        assert np.isfinite(layer).all()
    assert metadata.angles.cos_vza.min() > np.cos(np.radians(13))
    middle = np.degrees(np.arccos(metadata.angles.cos_sza[11, 11]))
    assert middle == pytest.approx(metadata.angles.mean.sun_zenith, abs=0.5)
