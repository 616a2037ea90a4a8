"""A geoid from a grid file: interpolation, longitudes around the globe, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s4c_lib.errors import InputError
from s4c_lib.preprocessing.radar.geoid import Geoid
from tests.preprocessing.elevation.elevation_cases import write_raster

STEP = 1.0


def wave(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    return 40 * np.cos(np.radians(longitude)) + 0.2 * latitude


@pytest.fixture(params=["from -180", "from 0", "with both meridians"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A grid of the whole Earth as it is found: columns from 180 West or from Greenwich, the last column repeated."""
    west = 0.0 if request.param == "from 0" else -180.0
    columns = 361 if request.param == "with both meridians" else 360
    x, y = west + np.arange(columns) * STEP, 90 - np.arange(181) * STEP
    path = tmp_path / "egm96_test.tif"
    write_raster(path, wave(x[None, :], y[:, None]).astype("float32"), west - STEP / 2, 90 + STEP / 2, STEP, STEP)
    return path


@pytest.mark.parametrize("longitude", [-179.7, -180.3, -0.4, 0.0, 12.34, 179.6, 180.4, 371.2])
def test_any_longitude_is_found(whole: Path, longitude: float) -> None:
    latitude = np.array([41.0, 41.5, -89.9])
    found = Geoid(whole).at(np.full(3, longitude), latitude)
    assert found == pytest.approx(wave(np.full(3, longitude), latitude), abs=0.004)  # of the wave between nodes


def test_between_nodes_it_is_bilinear(whole: Path) -> None:
    corners = wave(np.array([12.0, 13, 12, 13]), np.array([41.0, 41, 42, 42]))
    found = Geoid(whole).at(np.array([12.25]), np.array([41.75]))
    assert found == pytest.approx(corners @ [0.75 * 0.25, 0.25 * 0.25, 0.75 * 0.75, 0.25 * 0.75], abs=1e-4)


def test_a_regional_grid_says_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "region.tif"
    write_raster(path, np.full((5, 5), 40, "float32"), 9.5, 45.5, 1, 1)
    assert Geoid(path).at(np.array([12.0]), np.array([43.0])) == pytest.approx([40])
    with pytest.raises(InputError, match="does not reach"):
        Geoid(path).at(np.array([20.0]), np.array([43.0]))
    with pytest.raises(InputError, match="does not reach"):
        Geoid(path).at(np.array([12.0]), np.array([50.0]))


def test_a_missing_grid_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Geoid(tmp_path / "egm96_15.gtx").at(np.array([12.0]), np.array([43.0]))
    assert "dem.geoid_path" in caught.value.hint
    assert "proj-data" in caught.value.hint


def test_a_raster_that_is_no_geoid_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heights.tif"
    write_raster(path, np.full((5, 5), 900, "float32"), 9.5, 45.5, 1, 1)
    with pytest.raises(InputError, match="no heights of a geoid"):
        Geoid(path).at(np.array([12.0]), np.array([43.0]))


@pytest.mark.parametrize(
    ("name", "model"),
    [("egm96_15.gtx", "EGM96"), ("us_nga_egm08_25.tif", "EGM2008"), ("EGM2008-5.tif", "EGM2008"), ("x.tif", None)],
)
def test_the_model_is_read_from_the_name(name: str, model: str | None) -> None:
    assert Geoid(Path(name)).model == model


def test_debians_egm96_at_a_known_place() -> None:
    path = Path("/usr/share/proj/egm96_15.gtx")
    if not path.is_file():
        pytest.skip("Debian's proj-data is not installed")
    # Under Rome the geoid is some 48.6 m above the ellipsoid.
    assert Geoid(path).at(np.array([12.5]), np.array([41.9]))[0] == pytest.approx(48.6, abs=0.5)
