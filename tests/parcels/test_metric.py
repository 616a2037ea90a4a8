import numpy as np
import pytest
import shapely
from geometry_cases import LONLAT, UTM, box, column, drawn, in_lonlat
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from s4c_lib.parcels.geometry_blocks import as_multipolygons, in_blocks, reproject
from s4c_lib.parcels.metric import (
    box_centres,
    equal_area_crs,
    geodesic,
    in_zone_of_each,
    planar,
    projected,
    shape_index,
    utm_epsg,
)

LAEA = CRS.from_epsg(3035)
HOLED = drawn((0, 0), (100, 0), (100, 100), (0, 100), holes=[((35, 35), (35, 65), (65, 65), (65, 35))])
TWO = shapely.MultiPolygon([box(300, 0, 50), box(400, 0, 50)])


def test_circle_square_and_strip():
    circle = shapely.Point(650000, 5750000).buffer(100, quad_segs=200)
    index = shape_index(planar(column(circle, box(0, 0, 100), box(0, 0, 12, 300), None), UTM))
    assert index[:3] == pytest.approx([1, 1.1284, 2.9338], abs=5e-5)
    assert np.isnan(index[3])


@pytest.mark.parametrize("source", ["utm", "degrees"])
def test_projected_equals_building_the_geometries_anew(source):
    shapes, crs = column(HOLED, None, TWO, box(0, 0, 30), shapely.Polygon()), UTM
    if source == "degrees":
        shapes, crs = in_lonlat(shapes), LONLAT
    built = reproject(shapes, crs, LAEA)
    measures = projected(shapes, crs, LAEA)
    assert measures.area == pytest.approx(np.nan_to_num(shapely.area(built)), rel=1e-9)
    assert measures.perimeter == pytest.approx(np.nan_to_num(shapely.length(built)), rel=1e-9)


def test_hole_is_taken_off_whichever_way_its_ring_runs():
    for turned in (HOLED, shapely.reverse(HOLED)):
        assert projected(column(turned), UTM, CRS.from_epsg(32632)).area == pytest.approx(
            geodesic(in_lonlat(column(turned))).area, rel=5e-3
        )


def test_geodesic_hectare_with_hole_and_parts():
    measures = geodesic(in_lonlat(column(box(0, 0, 100), HOLED, TWO, None)))
    assert measures.area == pytest.approx(np.array([10000, 9100, 5000, 0]) * 1.000247, rel=1e-5)
    assert measures.perimeter == pytest.approx(np.array([400, 520, 400, 0]) * 1.000247**0.5, rel=1e-5)


def test_blocks_change_nothing():
    rng = np.random.default_rng(2)
    shapes = column(*(box(*place, 30) for place in rng.uniform(0, 1e4, (50_001, 2))))
    one = projected(shapes, UTM, LAEA, threads=1)
    two = projected(shapes, UTM, LAEA, threads=2)
    assert (one.area == two.area).all()
    assert (one.area[-3:] == projected(shapes[-3:], UTM, LAEA).area).all()


def test_feet_become_metres():
    feet = CRS.from_epsg(2272)  # US survey feet
    assert planar(column(shapely.box(2e6, 2e5, 2e6 + 100, 2e5 + 100)), feet).area == pytest.approx([929.03], abs=0.01)


def test_metric_system_of_a_place():
    assert equal_area_crs(5.2, 51.9).to_epsg() == 3035
    manaus = equal_area_crs(-60.0, -3.0)
    assert manaus.coordinate_operation.params[0].value == -3.0


def test_zone_of_each_parcel():
    longitude = np.array([5.9, 6.1, -179.9, 179.9, 180.0, np.nan])
    latitude = np.array([52.0, 52.0, -10.0, 10.0, 10.0, 52.0])
    assert utm_epsg(longitude, latitude).tolist() == [32631, 32632, 32701, 32660, 32601, 0]


def test_shape_index_is_that_of_each_parcels_own_zone():
    shapes = reproject(column(box(0, 0, 12, 300), box(120_000, 0, 12, 300), None), UTM, LAEA)
    longitude, _ = box_centres(shapes, LAEA)
    assert longitude[0] < 6 < longitude[1] or longitude[1] < 6
    index = shape_index(in_zone_of_each(shapes, LAEA))
    assert index[:2] == pytest.approx([2.9338, 2.9338], abs=2e-4)


def test_promotion_keeps_parts_and_drops_empty_ones():
    result = as_multipolygons(column(HOLED, TWO, None, shapely.Polygon(), shapely.MultiPolygon()))
    assert shapely.get_num_geometries(result[:2]).tolist() == [1, 2]
    assert [shape.geom_type for shape in result[:2]] == ["MultiPolygon", "MultiPolygon"]
    assert [shape is None for shape in result] == [False, False, True, True, True]
    assert shapely.get_num_interior_rings(shapely.get_geometry(result[0], 0)) == 1


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 3))
def test_blocks_cover_every_row_once(count, block, threads):
    parts = in_blocks(lambda part: list(range(part.start, part.stop)), count, block=block, threads=threads)
    assert [row for part in parts for row in part] == list(range(count))


@settings(max_examples=30, deadline=None)
@given(st.floats(10, 400), st.floats(10, 400), st.floats(-3, 3), st.floats(-3, 3))
def test_equal_area_agrees_with_the_ellipsoid(wide, high, east, north):
    shapes = column(box(east * 50_000, north * 100_000, wide, high))
    assert projected(shapes, UTM, LAEA).area == pytest.approx(geodesic(in_lonlat(shapes)).area, rel=1e-5)
