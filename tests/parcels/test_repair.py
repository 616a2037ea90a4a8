import numpy as np
import pytest
import shapely
from geometry_cases import BOW_TIE, HOLE_ON_SHELL, HOLE_OUTSIDE, SPIKE, TOUCHING_RING, box, column

from s4c_lib.parcels.repair import polygons_of, repair


@pytest.mark.parametrize(
    ("shape", "area"), [(HOLE_ON_SHELL, 8800), (SPIKE, 10000), (TOUCHING_RING, 9500)], ids=["hole", "spike", "ring"]
)
def test_repaired_within_five_percent(shape, area):
    result = repair(column(shape, box(0, 0, 10)), profile="default")
    assert result.repaired.tolist() == [True, False]
    assert result.valid.tolist() == [False, True]
    assert result.geometry[0].geom_type in ("Polygon", "MultiPolygon")
    assert result.geometry[0].is_valid
    assert result.geometry[0].area == pytest.approx(area)


def test_spike_becomes_a_plain_polygon():
    assert repair(column(SPIKE), profile="default").geometry[0].geom_type == "Polygon"


@pytest.mark.parametrize(("shape", "area"), [(BOW_TIE, 5000), (HOLE_OUTSIDE, 12500)], ids=["bow-tie", "hole outside"])
def test_not_repairable_keeps_its_outline_and_is_measured_all_the_same(shape, area):
    result = repair(column(shape), profile="default")
    assert not result.repaired[0]
    assert not result.usable[0]
    assert result.geometry[0] is shape
    assert result.measured[0].area == pytest.approx(area)


def test_nothing_is_left_of_a_line_drawn_as_a_polygon():
    flat = shapely.Polygon([(0, 0), (10, 0), (5, 0), (0, 0)])
    result = repair(column(flat), profile="default")
    assert not result.repaired[0]
    assert result.measured[0] is None
    assert result.geometry[0] is flat


def test_reference_repairs_nothing():
    shapes = column(HOLE_ON_SHELL, SPIKE, BOW_TIE, None)
    result = repair(shapes, profile="reference")
    assert not result.repaired.any()
    assert all(one is other for one, other in zip(result.geometry, shapes, strict=True))
    # the area of PostGIS: its method fills a hole that lies on the shell
    assert shapely.area(result.measured[:3]) == pytest.approx([10000, 10000, 5000])


def test_the_input_is_left_alone():
    shapes = column(SPIKE, None)
    repair(shapes, profile="default")
    assert shapes[0] is SPIKE


def test_coordinates_that_are_no_numbers_are_not_repairable():
    broken = shapely.Polygon([(0, 0), (np.inf, 0), (1, 1), (0, 0)])
    result = repair(column(broken, SPIKE), profile="default")
    assert result.repaired.tolist() == [False, True]
    assert result.measured[0] is None


def test_polygons_of_a_collection():
    mixed = shapely.GeometryCollection([box(0, 0, 10), shapely.Point(0, 0), shapely.MultiPolygon([box(20, 0, 10)])])
    line = shapely.LineString([(0, 0), (1, 1)])
    result = polygons_of(column(mixed, line, None, box(0, 0, 1)))
    assert shapely.get_num_geometries(result[0]) == 2
    assert result[1] is None
    assert result[2] is None
    assert result[3].geom_type == "Polygon"
