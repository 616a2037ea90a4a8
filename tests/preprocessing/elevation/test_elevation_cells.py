"""Names of the cells of each elevation model (acceptance case 9.9)."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s4c_lib.preprocessing.elevation import cells
from s4c_lib.preprocessing.elevation.cells import Cell, cell_of, cells_within


def test_srtm_3s_of_the_acceptance_case() -> None:
    assert cells.srtm_3s_name(cell_of(6.5, 50.9, 5)) == "srtm_38_02"


@pytest.mark.parametrize(
    ("longitude", "latitude", "name"),
    [
        (0, 0, "N00E000"),
        (-0.1, -0.1, "S01W001"),
        (6.5, 50.9, "N50E006"),
        (-0.0, 0.5, "N00E000"),
        (179.9, -89.9, "S90E179"),
        (-180, 10, "N10W180"),
        (180, 10, "N10W180"),
    ],
)
def test_a_cell_of_one_degree_is_named_by_the_floor_of_its_corner(longitude: float, latitude: float, name: str) -> None:
    assert cells.one_degree_name(cell_of(longitude, latitude, 1)) == name


def test_other_models() -> None:
    assert cells.copernicus_name(cell_of(6.5, 50.9, 1)) == "Copernicus_DSM_COG_10_N50_00_E006_00_DEM"
    assert cells.eu_dem_name(cell_of(4_321_000, 3_210_000, 1_000_000)) == "eu_dem_v11_E40N30"
    assert cells.water_name(cell_of(-3.5, 50.9, 1)) == "w004n50"


@given(st.floats(-179.999, 179.999), st.floats(-59.999, 59.999))
def test_srtm_3s_is_the_formula_of_the_specification(longitude: float, latitude: float) -> None:
    # on the edge of two cells, which hold the same heights there, the formula takes the southern one
    assume(min(abs(v / 5 - round(v / 5)) for v in (longitude, latitude)) > 1e-9)
    x, y = math.floor((longitude + 180) / 5) + 1, math.floor((60 - latitude) / 5) + 1
    assert cells.srtm_3s_name(cell_of(longitude, latitude, 5)) == f"srtm_{x:02d}_{y:02d}"


@given(st.floats(-180, 180), st.floats(-89, 89), st.floats(0, 3), st.floats(0, 3))
def test_the_cells_of_a_rectangle_hold_each_of_its_corners(x: float, y: float, width: float, height: float) -> None:
    found = set(cells_within((x, y, x + width, y + height), 1))
    for corner in ((x, y), (x + width, y), (x, y + height), (x + width, y + height)):
        assert cell_of(*corner, 1) in found


def test_cells_beyond_180_degrees_have_the_name_they_wrap_to() -> None:
    assert [cells.one_degree_name(c) for c in cells_within((179.5, -17.5, 180.5, -17.5), 1)] == ["S18E179", "S18W180"]
    assert cells.one_degree_name(Cell(-18, -181)) == "S18E179"
    assert cells.srtm_3s_name(Cell(0, 36)) == "srtm_01_12"
