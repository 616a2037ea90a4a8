import numpy as np
import pytest
import shapely
from geometry_cases import LONLAT, UTM, box, column, in_lonlat
from pyproj import CRS

from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.parcels.coordinate_systems import (
    accuracy_finding,
    box_in_wgs84,
    identify,
    outside_tiles,
    position_finding,
    tiles_finding,
    total_bounds,
)
from s4c_lib.parcels.findings import Severity

RD = CRS.from_epsg(28992)
NETHERLANDS = shapely.box(3.3, 50.7, 7.3, 53.6)
ROMANIA = shapely.box(20.2, 43.6, 29.7, 48.3)
OLD_RD = (
    "+proj=sterea +lat_0=52.15616055555555 +lon_0=5.38763888888889 +k=0.9999079 +x_0=155000 +y_0=463000 "
    "+ellps=bessel +units=m +towgs84=565.2369,50.0087,465.658,-0.406857,0.350733,-1.87035,4.0812 +type=crs"
)
RD_BOUNDS = (100000.0, 400000.0, 140000.0, 450000.0)


def test_esri_spelling_is_identified():
    system, warning = identify(CRS.from_wkt(RD.to_wkt("WKT1_ESRI")))
    assert system.to_epsg() == 28992
    assert warning is None


def test_vertical_part_and_own_transformation_are_left_out():
    assert identify(CRS.from_epsg(7415))[0].to_epsg() == 28992
    assert identify(CRS.from_proj4(OLD_RD))[0].to_epsg() == 28992


def test_unknown_system_is_kept_with_a_warning():
    own = CRS.from_proj4("+proj=tmerc +lat_0=50 +lon_0=4.321 +k=0.9998 +x_0=12345 +ellps=bessel +units=m")
    system, warning = identify(own)
    assert system == own
    assert warning is not None
    assert warning.code == "CRS-02"
    assert warning.severity == Severity.WARNING
    assert "EPSG code" in warning.message


def test_parcels_in_the_site_are_fine():
    assert position_finding(RD_BOUNDS, RD, NETHERLANDS, "NLD") is None


def test_dutch_file_for_a_romanian_site_is_refused_with_coordinates():
    found = position_finding(RD_BOUNDS, RD, ROMANIA, "Oltenia")
    assert found is not None
    assert found.code == "CRS-03"
    assert found.severity == Severity.REFUSED
    assert found.message == (
        "Parcels lie at longitude 4.8796, latitude 51.8128, outside site Oltenia. Wrong projection or wrong file?"
    )


def test_swapped_axes_are_said_so():
    west, south, east, north = 3.5, 51.0, 5.0, 52.0
    found = position_finding((south, west, north, east), LONLAT, NETHERLANDS, "NLD")
    assert found is not None
    assert found.message.endswith("outside site NLD. X and Y look swapped.")
    utm = position_finding((5700000.0, 600000.0, 5750000.0, 650000.0), UTM, NETHERLANDS, "NLD")
    assert utm is not None
    assert "X and Y look swapped." in utm.message


def test_metres_in_a_file_said_to_be_in_degrees():
    found = position_finding(RD_BOUNDS, LONLAT, NETHERLANDS, "NLD")
    assert found is not None
    assert found.message == (
        "Parcels lie at x 120000, y 425000 of WGS 84, outside site NLD. Wrong projection or wrong file?"
    )


def test_single_point_has_a_place_too():
    assert box_in_wgs84((4.0, 52.0, 4.0, 52.0), LONLAT) == shapely.Point(4, 52)


def test_total_bounds_ignores_what_has_no_place():
    assert total_bounds(column(None, shapely.Polygon())) is None
    assert total_bounds(column(None, shapely.box(1, 2, 3, 4), shapely.box(0, 3, 1, 9))) == (0, 2, 3, 9)


@pytest.mark.parametrize("epsg", [32631, 25832, 25833, 3035, 4326, 4258, 3346, 3857])
def test_accurate_systems(epsg):
    assert accuracy_finding(CRS.from_epsg(epsg), None) is None


@pytest.mark.parametrize(
    ("epsg", "text"), [(3003, "Reprojection accuracy is 4 m"), (31700, "Reprojection accuracy is not known")]
)
def test_inaccurate_systems_are_warned_about(epsg, text):
    found = accuracy_finding(CRS.from_epsg(epsg), None)
    assert found is not None
    assert found.code == "CRS-04"
    assert found.severity == Severity.WARNING
    assert found.message.startswith(text)


@pytest.mark.parametrize("epsg", [28992, 31370])
def test_missing_grid_is_named(epsg):
    found = accuracy_finding(CRS.from_epsg(epsg), None)
    if found is None:
        pytest.skip("the grid is installed on this machine")
    assert "install grid " in found.message
    assert ".tif" in found.message


TILES = [tile(name).footprint_wgs84() for name in ("31UFT", "31UGT")]


@pytest.mark.parametrize("crs", [UTM, LONLAT, RD, CRS.from_epsg(3857)], ids=lambda crs: crs.name)
def test_parcels_outside_the_tiles(crs):
    from s4c_lib.parcels.geometry_blocks import reproject

    # 31UFT: 600000..709800 x 5690220..5800020; 31UGT from 699960
    shapes = column(
        box(0, 0, 100),
        box(-60_000, 0, 100),
        shapely.box(599950, 5750000, 600050, 5750100),  # across the border
        shapely.box(750000, 5750000, 750100, 5750100),
        None,
        shapely.box(599800, 5750000, 599900, 5750100),
    )
    outside = outside_tiles(reproject(shapes, UTM, crs), crs, TILES)
    assert outside.tolist() == [False, True, False, False, False, True]


def test_no_tiles_means_outside():
    assert outside_tiles(column(box(0, 0, 100), None), UTM, []).tolist() == [True, False]


@pytest.mark.parametrize(
    ("count", "severity"), [(1, Severity.INFO), (10, Severity.INFO), (11, Severity.WARNING), (201, Severity.REFUSED)]
)
def test_share_outside_the_tiles(count, severity):
    outside = np.zeros(1000, dtype=bool)
    outside[-count:] = True
    found = tiles_finding(outside, np.arange(1, 1001), [f"P{i}" for i in range(1000)])
    assert found is not None
    assert found.code == "CRS-05"
    assert found.severity == severity
    assert found.count == count
    assert f"(first: row {1001 - count})" in found.message
    assert found.examples[0] == f"P{1000 - count}"


def test_all_inside_needs_no_word():
    assert tiles_finding(np.zeros(3, dtype=bool), np.arange(3), ["a", "b", "c"]) is None
    assert in_lonlat(column(None))[0] is None
