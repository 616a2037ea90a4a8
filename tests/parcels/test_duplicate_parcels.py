import numpy as np
import pytest
import shapely
from geometry_cases import box, column, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.parcels.duplicates import duplicate_groups

RING = [(0, 0), (120, 10), (100, 90), (40, 120), (-20, 60)]
HOLE = [(20, 20), (20, 40), (40, 40), (40, 20)]


def groups(*shapes, profile="default", **how):
    return duplicate_groups(column(*shapes), profile=profile, **how).tolist()


def turned(steps, points=RING):
    return [*points[steps:], *points[:steps]]


def test_same_vertices_in_the_same_order():
    for profile in ("default", "reference"):
        assert groups(drawn(*RING), box(300, 0, 50), drawn(*RING), profile=profile) == [1, 0, 1]


@pytest.mark.parametrize(
    "other",
    [
        drawn(*turned(2), holes=[HOLE]),
        drawn(*RING[::-1], holes=[HOLE]),
        drawn(*RING, holes=[turned(1, HOLE)]),
        drawn(*RING, holes=[HOLE[::-1]]),
        shapely.MultiPolygon([drawn(*turned(3)[::-1], holes=[HOLE])]),
    ],
    ids=["start", "direction", "start of hole", "direction of hole", "all"],
)
def test_order_of_vertices_counts_in_reference_only(other):
    first = drawn(*RING, holes=[HOLE])
    assert groups(first, other) == [1, 1]
    assert groups(first, other, profile="reference") == [0, 0]


def test_polygon_and_multipolygon_of_one_part_are_the_same():
    for profile in ("default", "reference"):
        assert groups(drawn(*RING), shapely.MultiPolygon([drawn(*RING)]), profile=profile) == [1, 1]


def test_order_of_parts():
    parts = [box(0, 0, 50), box(100, 0, 60), box(200, 0, 50)]
    shapes = (shapely.MultiPolygon(parts), shapely.MultiPolygon(parts[::-1]))
    assert groups(*shapes) == [1, 1]
    assert groups(*shapes, profile="reference") == [0, 0]


def test_rounded_to_the_metre():
    near, far = box(0.3, -0.3, 100), box(0.7, 0, 100)
    assert groups(box(0, 0, 100), near, far) == [1, 1, 0]
    assert groups(box(0, 0, 100), near, profile="reference") == [0, 0]


def test_rounding_in_feet():
    feet = 0.3048
    # two feet apart are 0.6 m: another metre; half a foot is not
    shapes = [shapely.box(x, 0, 900, 900) for x in (0.0, 1.0, 3.0)]
    assert groups(*shapes, unit=feet) == [1, 1, 0]


def test_hole_matters():
    assert groups(drawn(*RING), drawn(*RING, holes=[HOLE])) == [0, 0]
    same_vertices = (
        shapely.MultiPolygon([box(0, 0, 100), box(200, 0, 10)]),
        drawn((0, 0), (100, 0), (100, 100), (0, 100), holes=[((200, 0), (210, 0), (210, 10), (200, 10))]),
    )
    assert groups(*same_vertices, profile="reference") == [0, 0]


def test_none_and_empty_are_no_duplicates_of_each_other():
    for profile in ("default", "reference"):
        assert groups(None, None, shapely.Polygon(), shapely.Polygon(), profile=profile) == [0, 0, 0, 0]
    assert groups() == []


def test_parcels_smaller_than_the_rounding_are_told_apart_by_place():
    assert groups(box(0, 0, 0.2), box(10, 0, 0.2), box(10.1, 0, 0.2)) == [0, 1, 1]


def test_more_than_two_and_several_groups_are_numbered_from_the_south_west():
    shapes = [box(500, 0, 50), box(0, 0, 50), box(500, 0, 50), box(0, 0, 50), box(0, 0, 50), box(0, 300, 50)]
    assert groups(*shapes) == [2, 1, 2, 1, 1, 0]


def test_negative_zero_is_zero():
    one = shapely.Polygon([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)])
    other = shapely.Polygon([(-0.0, -0.0), (10.0, -0.0), (10.0, 10.0), (-0.0, 10.0)])
    for profile in ("default", "reference"):
        assert groups(one, other, profile=profile) == [1, 1]


points = st.tuples(st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(points, min_size=3, max_size=5, unique=True), min_size=2, max_size=12))
def test_same_groups_as_comparing_normalised_geometries(rings):
    shapes = column(*(drawn(*ring) for ring in rings))
    shapes = shapes[shapely.is_valid(shapes)]
    rounded = shapely.transform(shapes, np.rint)
    for profile, compared in (("default", shapely.normalize(rounded)), ("reference", shapes)):
        text = shapely.to_wkb(compared)
        found = duplicate_groups(shapes, profile=profile)
        same = text[:, None] == text[None, :]
        assert ((found > 0) == (same.sum(axis=1) > 1)).all()
        expected = same & (found > 0)[:, None] & (found > 0)[None, :]
        assert (((found[:, None] == found[None, :]) & (found > 0)[:, None]) == expected).all()


def test_random_polygons_have_no_false_duplicates():
    rng = np.random.default_rng(4)
    shapes = column(*(box(x, y, w, h) for x, y, w, h in rng.integers(1, 10_000, (60_000, 4))))
    text = shapely.to_wkb(shapely.normalize(shapely.transform(shapes, np.rint)))
    _, index, count = np.unique(text.astype("S"), return_inverse=True, return_counts=True)
    assert ((duplicate_groups(shapes, profile="default") > 0) == (count[index] > 1)).all()
