"""A cell without a file: sea, or land that is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from elevation_cases import copernicus_cell, grid_at, hgt_cell

from s4c_lib.errors import ElevationMissingError
from s4c_lib.preprocessing.elevation.resampling import elevation_on, ground_of
from s4c_lib.preprocessing.elevation.sources import elevation_source

# Western France: land to the east of about 1.2 West, sea to its west.
COAST = grid_at(-2.01, 45.6, 240)


def land_from(edge: float):  # type: ignore[no-untyped-def]
    return lambda x, y: np.where(x > edge, 30.0, 0.0) + 0 * y


def test_the_open_sea_without_any_file_is_zero(tmp_path: Path) -> None:
    grid = grid_at(-30.5, 45.6)
    heights = elevation_on(grid, elevation_source("copernicus_glo30", tmp_path))
    assert heights.shape == grid.shape
    assert not heights.any()


def test_land_without_any_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ElevationMissingError, match="Copernicus_DSM_COG_10_N50_00_E006_00_DEM") as caught:
        elevation_on(grid_at(6.4, 50.6), elevation_source("copernicus_glo30", tmp_path))
    assert caught.value.retryable
    assert "ocean_cells.txt" in caught.value.hint


@pytest.mark.parametrize(("longitude", "latitude"), [(14.4, 35.9), (-25.6, 37.8), (55.5, -21.1), (-16.5, 28.3)])
def test_the_islands_of_the_union_are_land(tmp_path: Path, longitude: float, latitude: float) -> None:
    with pytest.raises(ElevationMissingError):
        elevation_on(grid_at(longitude, latitude), elevation_source("copernicus_glo30", tmp_path))


def test_a_cell_beside_one_that_ends_in_the_sea_is_sea(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 45, -2, land_from(-1.2))
    found = ground_of(COAST, source := elevation_source("auto", tmp_path))
    assert [source.name(cell) for cell in found.survey.sea] == ["Copernicus_DSM_COG_10_N45_00_W003_00_DEM"]
    assert not elevation_on(COAST, source, ground=found).any()


def test_a_cell_beside_one_with_land_on_the_common_edge_is_missing(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 45, -2, land_from(-5))
    with pytest.raises(ElevationMissingError, match="N45_00_W003"):
        elevation_on(COAST, elevation_source("auto", tmp_path))


def test_voids_on_the_common_edge_are_sea(tmp_path: Path) -> None:
    hgt_cell(tmp_path / "N45W002.hgt", 45, -2, lambda x, y: np.where(x > -1.2, 30, -32768) + 0 * y)
    assert not elevation_on(COAST, elevation_source("auto", tmp_path)).any()


def test_what_the_outline_calls_land_is_not_sea_for_a_flat_edge(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 50, 6, lambda x, y: 0 * x * y)
    with pytest.raises(ElevationMissingError, match="E007"):
        elevation_on(grid_at(6.99, 50.6), elevation_source("auto", tmp_path))


def test_the_list_that_comes_with_the_model_decides(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 45, -2, land_from(-1.2))
    names = [f"Copernicus_DSM_COG_10_N45_00_W00{column}_00_DEM" for column in (2, 3)]
    (tmp_path / "tileList.txt").write_text("\n".join(names))
    with pytest.raises(ElevationMissingError, match="W003"):
        elevation_on(COAST, elevation_source("auto", tmp_path))
    (tmp_path / "tileList.txt").write_text(names[0])
    assert not elevation_on(COAST, elevation_source("auto", tmp_path)).any()


def test_a_cell_that_the_list_lacks_is_no_sea_when_its_neighbour_shows_land(tmp_path: Path) -> None:
    # what the model withholds for some countries
    copernicus_cell(tmp_path, 40, 45)
    (tmp_path / "tileList.txt").write_text("Copernicus_DSM_COG_10_N40_00_E045_00_DEM")
    with pytest.raises(ElevationMissingError, match="E046"):
        elevation_on(grid_at(45.99, 40.6), elevation_source("auto", tmp_path))


def test_the_users_word_is_the_last(tmp_path: Path) -> None:
    (tmp_path / "ocean_cells.txt").write_text("N50E006\n")
    assert not elevation_on(grid_at(6.4, 50.6), elevation_source("srtm_1s", tmp_path)).any()
