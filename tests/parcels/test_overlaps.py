import numpy as np
import pytest
import shapely
from geometry_cases import box, column, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.parcels.overlaps import overlaps


def plain(shapes):
    """Amounts from all pairs that an STRtree reports, both ways round."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one != other], other[one != other]
    shared = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    return np.bincount(one, shared, minlength=len(shapes)) / shapely.area(shapes)


def assert_as_plain(shapes, threshold=0.1, **how):
    found, expected = overlaps(shapes, **how), plain(shapes)
    assert found.amount == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert (found.above(threshold) == (expected > threshold + 1e-7)).all()


@pytest.mark.parametrize(("shift", "amount", "flag"), [(95, 0.05, False), (90, 0.10, False), (85, 0.15, True)])
def test_threshold_is_strict(shift, amount, flag):
    found = overlaps(column(box(0, 0, 100), box(shift, 0, 100)))
    assert found.amount == pytest.approx([amount, amount])
    assert found.above(0.1).tolist() == [flag, flag]


def test_shares_of_several_neighbours_add_up():
    found = overlaps(column(box(0, 0, 100), box(94, 0, 100), box(-94, 0, 100)))
    assert found.amount == pytest.approx([0.12, 0.06, 0.06])
    assert found.above(0.1).tolist() == [True, False, False]


def test_small_parcel_inside_a_large_one_is_flagged_alone():
    found = overlaps(column(box(0, 0, 200), box(10, 10, 50)))
    assert found.amount == pytest.approx([0.0625, 1.0])
    assert found.above(0.1).tolist() == [False, True]


def test_amount_may_exceed_one():
    assert overlaps(column(*[box(0, 0, 100)] * 3)).amount == pytest.approx([2, 2, 2])


def test_neighbours_that_touch_share_nothing():
    found = overlaps(column(box(0, 0, 100), box(100, 0, 100), box(0, 100, 200), box(50, -10, 10)))
    assert len(found.one) == 0
    assert found.amount.tolist() == [0, 0, 0, 0]


def test_thin_overlap_of_thin_parcels_is_found():
    """Two strips of 0.4 m that share half their width: shrinking them by 0.25 m would leave nothing."""
    found = overlaps(column(box(0, 0, 0.4, 300), box(0.2, 0, 0.4, 300), box(0.5, 0, 100, 300)))
    assert found.amount[:2] == pytest.approx([0.5, 0.75], rel=1e-6)
    assert found.above(0.1).tolist() == [True, True, False]


def test_none_and_empty_take_no_part():
    found = overlaps(column(None, box(0, 0, 100), shapely.Polygon(), box(50, 0, 100), None))
    assert list(zip(found.one, found.other, strict=True)) == [(1, 3)]
    assert found.amount == pytest.approx([0, 0.5, 0, 0.5, 0])


def test_empty_set():
    assert len(overlaps(np.empty(0, dtype=object)).amount) == 0
    assert overlaps(column(None)).amount.tolist() == [0]


def test_one_object_in_several_rows_on_two_threads():
    shape = box(0, 0, 100)
    found = overlaps(column(*[shape] * 200), block=3, threads=2)
    assert found.amount == pytest.approx(np.full(200, 199.0))


def test_holes_and_parts():
    ring = shapely.difference(box(0, 0, 100), box(20, 20, 60))
    inside = box(20, 20, 60)
    parts = shapely.MultiPolygon([box(-5, 0, 10), box(50, 40, 10)])
    assert_as_plain(column(ring, inside, parts))
    assert overlaps(column(ring, inside)).amount.tolist() == [0, 0]


@st.composite
def parcels(draw):
    """Boxes, triangles and strips on a grid of 1 or 0.1 m, so that many touch, contain or repeat each other."""
    shapes = []
    step = draw(st.sampled_from([1.0, 0.1, 0.07]))
    for _ in range(draw(st.integers(1, 16))):
        x, y = draw(st.integers(0, 40)) * step, draw(st.integers(0, 40)) * step
        wide, high = draw(st.integers(1, 25)) * step, draw(st.integers(1, 25)) * step
        kind = draw(st.sampled_from(["box", "triangle", "diamond"]))
        if kind == "box":
            shapes.append(box(x, y, wide, high))
        elif kind == "triangle":
            shapes.append(drawn((x, y), (x + wide, y), (x, y + high)))
        else:
            corners = [(x, y - high), (x + wide, y), (x, y + high), (x - wide, y)]
            shapes.append(drawn(*corners))
    return column(*shapes)


@settings(max_examples=150, deadline=None)
@given(parcels(), st.sampled_from([0.001, 0.1, 0.25]))
def test_same_amounts_and_flags_as_the_plain_way(shapes, threshold):
    assert_as_plain(shapes, threshold, block=4)


@settings(max_examples=60, deadline=None)
@given(parcels())
def test_what_two_parcels_share_is_the_same_from_both_sides(shapes):
    found = overlaps(shapes)
    back = overlaps(shapes[::-1])
    last = len(shapes) - 1
    pairs = {(one, other): area for one, other, area in zip(found.one, found.other, found.shared, strict=True)}
    mirrored = {
        (last - other, last - one): area for one, other, area in zip(back.one, back.other, back.shared, strict=True)
    }
    assert mirrored.keys() == pairs.keys()
    for pair, area in pairs.items():
        assert mirrored[pair] == pytest.approx(area, rel=1e-9, abs=1e-9)
    total = found.amount * found.area
    assert total.sum() == pytest.approx(2 * found.shared.sum(), rel=1e-9)


def test_twenty_thousand_parcels_with_touching_neighbours_and_sloppy_borders():
    rng = np.random.default_rng(7)
    side = 145
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    seeds = (grid + rng.uniform(-0.42, 0.42, grid.shape)) * 134.0
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds)))
    cells = cells[shapely.area(cells) < 1e5]
    cells = shapely.transform(cells, lambda points: points + np.array([650000.0, 5700000.0]))
    # drawn to the centimetre, so that neighbours overlap by slivers; some drawn too wide, some moved, some repeated
    kind = rng.choice(5, len(cells), p=[0.5, 0.3, 0.1, 0.07, 0.03])
    cells[kind == 1] = shapely.transform(cells[kind == 1], lambda points: np.round(points, 2))
    cells[kind == 2] = shapely.buffer(cells[kind == 2], 0.2, join_style="mitre")
    cells[kind == 3] = shapely.buffer(cells[kind == 3], rng.uniform(0, 6, (kind == 3).sum()), join_style="mitre")
    moved = shapely.transform(cells[kind == 4], lambda points: points + np.array([15.0, 5.0]))
    shapes = np.concatenate([cells, moved, cells[kind == 4][:100]])
    shapes = shapes[rng.permutation(len(shapes))]
    assert len(shapes) > 20_000
    assert shapely.is_valid(shapes).all()
    assert_as_plain(shapes, block=3000)
    assert overlaps(shapes).above(0.1).sum() > 500
