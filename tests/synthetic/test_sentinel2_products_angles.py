"""Angle grids: at the centre they give the pass's values, around it they vary as those of real products do."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
import sentinel2_scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.sources.metadata_files import elements, parse_xml, text
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.angle_grids import AngleGrids, angle_grids
from s4c_lib.synthetic.products.sentinel2_bands import BAND_NAMES
from s4c_lib.synthetic.products.sentinel2_safe import l2a_files

FLIGHT, TILE = sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE
WINDOW = PixelGrid(32631, 652320, 5697660, 10, 510, 510)
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "sentinel2_metadata"

Grid = npt.NDArray[np.float64]


def unit(zenith: Grid, azimuth: Grid) -> Grid:
    """Unit vectors (3, ...) east, north, up of directions in degrees."""
    z, a = np.radians(zenith), np.radians(azimuth)
    return np.stack([np.sin(z) * np.sin(a), np.sin(z) * np.cos(a), np.cos(z)])


def at_centre(values: Grid) -> Grid:
    """Bilinear value at the centre of the window, half a node and 1 % from the corner."""
    part = WINDOW.rows * WINDOW.pixel / 2 / 5000
    row, column = int(part), int(part)
    f = part - row
    near = values[..., row : row + 2, column : column + 2]
    weights = np.outer([1 - f, f], [1 - f, f])
    return np.asarray((near * weights).sum(axis=(-2, -1)))


def mean_view(angles: AngleGrids) -> Grid:
    """Mean unit vector of bands and detectors at every node (3, 23, 23), as the reader forms it."""
    vectors = np.stack([unit(view.zenith, view.azimuth) for view in angles.views])
    return np.asarray(np.nanmean(vectors, axis=0))


def between(first: Grid, second: Grid) -> float:
    """Angle between two vectors, degrees."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@settings(max_examples=40, deadline=None)
@given(st.floats(20, 75), st.floats(90, 200), st.floats(0.1, 11.5), st.sampled_from([105.0, 285.0]))
def test_the_pass_is_met_at_the_centre(sun_zenith: float, sun_azimuth: float, zenith: float, azimuth: float) -> None:
    flight = OpticalPass(FLIGHT.start, "S2B", 8, 22000, sun_zenith, sun_azimuth, zenith, azimuth)
    angles = angle_grids(flight, WINDOW)
    assert at_centre(angles.sun_zenith) == pytest.approx(sun_zenith, abs=0.01)
    assert at_centre(angles.sun_azimuth) == pytest.approx(sun_azimuth, abs=0.01)
    truth = unit(np.array(zenith), np.array(azimuth))
    assert between(at_centre(mean_view(angles)), truth) < 0.05
    assert not np.isnan(mean_view(angles)).any()
    means = np.stack([unit(np.array(a), np.array(b)) for a, b in angles.mean_views.values()]).mean(axis=0)
    assert between(means, truth) < 0.05


def test_bands_and_detectors_look_slightly_apart() -> None:
    west_of_track = OpticalPass(FLIGHT.start, "S2B", 8, 22000, 30.0, 150.0, 8.9, 105.0)
    angles = angle_grids(west_of_track, WINDOW)
    assert {view.band for view in angles.views} == set(BAND_NAMES)
    detectors = sorted({view.detector for view in angles.views})
    # 110 km by 110 km of a slanting swath of 290 km seen by 12 detectors
    assert 5 <= len(detectors) <= 7
    assert detectors == list(range(detectors[0], detectors[-1] + 1))
    corner = {view.band: (view.zenith[0, 0], view.azimuth[0, 0]) for view in angles.views if view.zenith[0, 0] > 0}
    assert len(corner) == 13
    apart = between(unit(*map(np.array, corner["B02"])), unit(*map(np.array, corner["B09"])))
    assert apart == pytest.approx(1.4, abs=0.1)


def test_the_sun_sinks_northwards_and_the_view_changes_across_the_track() -> None:
    angles = angle_grids(FLIGHT, WINDOW)
    # one degree of latitude is 111 km; the sun stands 28 degrees off south
    assert angles.sun_zenith[22, 0] - angles.sun_zenith[0, 0] == pytest.approx(
        -0.99 * np.cos(np.radians(27.7)), abs=0.06
    )
    view = np.degrees(np.arccos(mean_view(angles)[2]))
    # the satellite stands in the west: 100 km further east it is seen 6 to 7 degrees lower
    assert 5.5 < view[0, 20] - view[0, 0] < 7.5
    assert abs(view[20, 0] - view[0, 0]) < 2.5


def real_grid(parent: ElementTree.Element, name: str) -> Grid:
    grid = next(elements(parent, name))
    return np.array([[float(v) for v in str(row.text).split()] for row in elements(grid, "VALUES")])


@pytest.mark.parametrize("product", ["S2A_MSIL1C_20210908", "S2A_MSIL2A_20230821"])
def test_real_products_vary_alike(product: str) -> None:
    documents = sorted(REAL.glob(f"{product}*/GRANULE/*/MTD_TL.xml"))
    if not documents:
        pytest.skip("the real metadata are not on this machine")
    root = parse_xml(documents[0].read_bytes(), product)
    sun = next(elements(root, "Sun_Angles_Grid"))
    zenith, azimuth = real_grid(sun, "Zenith"), real_grid(sun, "Azimuth")
    views = [
        unit(real_grid(grid, "Zenith"), real_grid(grid, "Azimuth"))
        for grid in elements(root, "Viewing_Incidence_Angles_Grids")
    ]
    stack = np.stack(views)
    count = (~np.isnan(stack)).sum(axis=0)
    real = np.where(count > 0, np.nansum(stack, axis=0) / np.maximum(count, 1), np.nan)
    place = next(elements(root, "Geoposition"))
    epsg = int(str(text(root, "HORIZONTAL_CS_CODE")).removeprefix("EPSG:"))
    seen = ~np.isnan(real).any(axis=0)
    rows, columns = np.nonzero(seen)
    nearest = np.argmin(np.hypot(rows - 11, columns - 11))
    row, column = int(rows[nearest]), int(columns[nearest])
    # a window whose centre is that node, and whose corner is a node too
    west = float(str(text(place, "ULX"))) + 5000 * (column - 11)
    north = float(str(text(place, "ULY"))) - 5000 * (row - 11)
    window = PixelGrid(epsg, west, north, 10, 11000, 11000)
    x, y, z = real[:, row, column]
    flight = OpticalPass(
        FLIGHT.start,
        "S2A",
        1,
        1,
        float(zenith[row, column]),
        float(azimuth[row, column]),
        float(np.degrees(np.arccos(z / np.sqrt(x * x + y * y + z * z)))),
        float(np.degrees(np.arctan2(x, y))) % 360,
    )
    angles = angle_grids(flight, window)
    there = np.s_[max(0, row - 11) : 23 + min(0, row - 11), max(0, column - 11) : 23 + min(0, column - 11)]
    ours = np.s_[max(0, 11 - row) : 23 + min(0, 11 - row), max(0, 11 - column) : 23 + min(0, 11 - column)]
    assert np.abs(angles.sun_zenith[ours] - zenith[there]).max() < 0.1
    assert np.abs(angles.sun_azimuth[ours] - azimuth[there]).max() < 0.3
    apart = np.degrees(np.arccos(np.clip((mean_view(angles)[:, *ours] * real[:, *there]).sum(axis=0), -1, 1)))
    # what is left is the fore and aft look of odd and even detectors
    assert np.nanmedian(apart[seen[there]]) < 1.5


def test_the_document_holds_the_grids() -> None:
    _, files = l2a_files(sentinel2_scenes.scene(), FLIGHT, TILE, 500)
    path = next(path for path in files if path.endswith("MTD_TL.xml"))
    root = parse_xml(files[path], path)
    sun = next(elements(root, "Sun_Angles_Grid"))
    assert real_grid(sun, "Zenith").shape == (23, 23)
    grids = list(elements(root, "Viewing_Incidence_Angles_Grids"))
    assert {int(grid.attrib["bandId"]) for grid in grids} == set(range(13))
    expected = angle_grids(FLIGHT, sentinel2_scenes.scene().grid)
    written = real_grid(grids[0], "Zenith")
    np.testing.assert_allclose(written, expected.views[0].zenith, atol=1e-4)
    means = [float(str(text(mean, "ZENITH_ANGLE"))) for mean in elements(root, "Mean_Viewing_Incidence_Angle")]
    assert np.mean(means) == pytest.approx(FLIGHT.view_zenith, abs=0.05)
    assert float(str(text(next(elements(root, "Mean_Sun_Angle")), "ZENITH_ANGLE"))) == FLIGHT.sun_zenith
