"""Pixels of parcels: centre rule, own pixels for each parcel, the same as GDAL burns."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.features import rasterize

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import LocatedParcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index

SMALL = PixelGrid(32631, 0, 60, 10, 6, 6)
WINDOW = PixelGrid(32631, 600_000, 5_800_020, 10, 40, 50)


def indexed(shapes: list[shapely.Geometry], grid: PixelGrid, numbers: list[int] | None = None) -> PixelIndex:
    geometry = np.empty(len(shapes), object)
    geometry[:] = shapes
    parcel_id = np.array(numbers or range(1, len(shapes) + 1), np.int32)
    return build_pixel_index(LocatedParcels(grid.epsg, parcel_id, geometry), grid, buffer_m=0, parcel_set_id=1)


def burnt(shape: shapely.Geometry, grid: PixelGrid) -> set[int]:
    transform = Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    return set(np.flatnonzero(rasterize([(shape, 1)], grid.shape, transform=transform)).tolist())


def test_pixel_set_and_statistics_of_the_spec() -> None:
    """Case A8."""
    index = indexed([shapely.Polygon([(12, 57), (49, 52), (44, 14), (14, 21)])], SMALL)
    rows = {0: (1, 2), 1: (1, 2, 3, 4), 2: (1, 2, 3, 4), 3: (1, 2, 3, 4)}
    assert index.pixels_of(1).tolist() == [6 * row + column for row, columns in rows.items() for column in columns]
    assert index.count.tolist() == [14]
    values = np.array(
        [
            [600, 610, 620, -10000, 640, 650],
            [700, 710, 0, 730, 740, 750],
            *([low + 10 * k for k in range(6)] for low in (500, 400, 300, 200)),
        ]
    ).ravel()
    flags = np.zeros(36)
    flags[[6 * 1 + 1, 6 * 2 + 3]] = 4, 1
    pixels = index.pixels_of(1)
    valid = values[pixels][(flags[pixels] == 0) & (values[pixels] != -10000)]
    assert (len(valid), valid.mean(), valid.min(), valid.max()) == (12, 497.5, 0, 740)
    assert valid.std(ddof=1) == pytest.approx(193.537640, abs=1e-6)
    assert np.percentile(valid, [25, 50, 75]).tolist() == [427.5, 515, 612.5]


def test_overlapping_parcels_each_have_all_their_pixels() -> None:
    """Case A15: identical polygons with different numbers."""
    square = shapely.box(11, 11, 49, 49)
    index = indexed([square, square, shapely.box(21, 21, 39, 39)], SMALL, [4, 8, 15])
    assert index.pixels_of(4).tolist() == index.pixels_of(8).tolist()
    assert index.count.tolist() == [16, 16, 4]


def test_holes_are_out_and_parts_are_pooled() -> None:
    ring = shapely.box(0, 0, 60, 60).difference(shapely.box(21, 21, 49, 39))
    both = shapely.MultiPolygon([shapely.box(1, 1, 9, 9), shapely.box(51, 51, 59, 59)])
    index = indexed([ring, both], SMALL)
    assert index.count.tolist() == [30, 2]
    assert index.pixels_of(2).tolist() == [5, 30]
    assert set(range(36)) - set(index.pixels_of(1).tolist()) == burnt(shapely.box(21, 21, 49, 39), SMALL)


def test_parcels_without_a_pixel_are_not_there() -> None:
    index = indexed([shapely.box(1, 1, 4, 4), shapely.box(1, 1, 9, 9), shapely.box(-90, -90, -10, -10)], SMALL)
    assert index.parcel_id.tolist() == [2]
    assert index.pixels_of(1).tolist() == index.pixels_of(3).tolist() == index.pixels_of(99).tolist() == []


def test_a_centre_on_a_shared_edge_belongs_to_exactly_one_side() -> None:
    """Edges through centres, straight and slanted, of squares without gap: no pixel twice, none lost."""
    middle = shapely.Point(25, 35)
    corners = [(5, 5), (55, 5), (55, 55), (5, 55), (5, 5)]
    triangles = [shapely.Polygon([a, b, middle]) for a, b in pairwise(corners)]
    index = indexed(triangles, SMALL)
    assert index.count.sum() == len(set(index.flat()[1].tolist())) == 25
    # The upper and the left edge have their centres, the lower and the right one do not.
    assert index.flat()[1].min() == 0
    assert not {35, 30, 5} & set(index.flat()[1].tolist())


def test_parcels_across_the_border_of_the_window_are_cut() -> None:
    index = indexed([shapely.box(-1000, 21, 1000, 39), shapely.box(41, -500, 49, 500)], SMALL)
    assert index.pixels_of(1).tolist() == list(range(12, 24))
    assert index.pixels_of(2).tolist() == list(range(4, 36, 6))


def test_runs_rows_and_single_pixels_tell_the_same() -> None:
    wide, two = (
        shapely.box(1, 1, 59, 19),
        shapely.MultiPolygon([shapely.box(1, 41, 19, 59), shapely.box(31, 41, 59, 59)]),
    )
    index = indexed([wide, two], SMALL)
    assert index.offsets.tolist() == [0, 2, 6]
    assert index.start.tolist() == [24, 30, 0, 3, 6, 9]
    assert index.length.tolist() == [6, 6, 2, 3, 2, 3]
    offsets, pixels = index.flat()
    assert offsets.tolist() == [0, 12, 22]
    assert pixels.tolist() == index.pixels_of(1).tolist() + index.pixels_of(2).tolist()
    assert index.pixels == 22


def test_part_of_an_index_is_the_index_of_those_parcels() -> None:
    shapes = [shapely.box(1 + 10 * k, 1, 29 + 10 * k, 59) for k in range(4)]
    part = indexed(shapes, SMALL).select([3, 1, 77])
    alone = indexed([shapes[0], shapes[2]], SMALL, [1, 3])
    assert part.sha256 == alone.sha256
    assert part.pixels_of(3).tolist() == alone.pixels_of(3).tolist()


def test_the_hash_tells_indexes_apart() -> None:
    square = shapely.box(11, 11, 49, 49)
    one = indexed([square], SMALL)
    assert one.sha256 == indexed([square], SMALL).sha256
    assert one.sha256 != indexed([square], SMALL, [2]).sha256
    assert one.sha256 != indexed([shapely.box(11, 11, 59, 49)], SMALL).sha256
    assert one.sha256 != indexed([square], PixelGrid(32632, 0, 60, 10, 6, 6)).sha256


def test_nothing_can_be_changed() -> None:
    index = indexed([shapely.box(11, 11, 49, 49)], SMALL)
    with pytest.raises(ValueError, match="read-only"):
        index.start[0] = 5


def test_no_parcels() -> None:
    index = indexed([], SMALL)
    assert len(index) == index.pixels == 0
    assert index.offsets.tolist() == [0]
    assert [len(array) for array in index.flat()] == [1, 0]


def test_another_system_is_refused() -> None:
    parcels = LocatedParcels(32632, np.array([1], np.int32), np.array([shapely.box(0, 0, 9, 9)], object))
    with pytest.raises(InputError, match="EPSG:32632 on a grid in EPSG:32631"):
        build_pixel_index(parcels, SMALL, buffer_m=5, parcel_set_id=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_coordinates_out_of_range_are_refused(value: float) -> None:
    shape = shapely.set_coordinates(shapely.box(0, 0, 9, 9), [[0, 0], [value, 0], [20, 20], [0, 9], [0, 0]])
    with pytest.raises(InputError, match="out of range"):
        indexed([shape], SMALL)


@pytest.mark.parametrize(("rows", "columns"), [(2, 70_000), (60_000, 60_000)])
def test_too_large_a_grid_is_refused(rows: int, columns: int) -> None:
    with pytest.raises(InputError, match="too large"):
        indexed([shapely.box(0, 0, 9, 9)], PixelGrid(32631, 0, 60, 10, rows, columns))


# Odd thousandths keep vertices off the centres; edges through a centre are left to each program.
metres = st.integers(-60, 460).map(lambda n: n + 0.123)


@st.composite
def parcel(draw: st.DrawFn) -> shapely.Geometry:
    """Valid polygons of any shape and size: spikes, holes, several parts, partly outside the window."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        points = draw(st.lists(st.tuples(metres, metres), min_size=3, max_size=9, unique=True))
        x, y = np.array(points).T
        scale = draw(st.sampled_from([1.0, 1.0, 0.06]))
        ring = np.column_stack([600_000 + x * scale, 5_800_020 - y * scale])
        parts.append(shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False))
    whole = shapely.union_all(parts)
    if draw(st.booleans()):
        centre = draw(st.tuples(metres, metres))
        whole = whole.difference(
            shapely.Point(600_000 + centre[0], 5_800_020 - centre[1]).buffer(draw(st.integers(3, 80)))
        )
    flat = [part for part in shapely.get_parts(whole) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(flat)


def centres_on_edges(shape: shapely.Geometry, pixels: set[int], grid: PixelGrid) -> bool:
    points = [
        (grid.west + (p % grid.columns + 0.5) * grid.pixel, grid.north - (p // grid.columns + 0.5) * grid.pixel)
        for p in pixels
    ]
    return bool((shapely.distance(shapely.points(points), shape.boundary) < 1e-6).all())


@given(st.lists(parcel(), min_size=1, max_size=4))
def test_same_pixels_as_gdal(shapes: list[shapely.Geometry]) -> None:
    index = indexed(shapes, WINDOW)
    for number, shape in enumerate(shapes, start=1):
        own = index.pixels_of(number)
        assert (np.diff(own) > 0).all()
        differing = set(own.tolist()) ^ (burnt(shape, WINDOW) if not shape.is_empty else set())
        assert not differing or centres_on_edges(shape, differing, WINDOW)


@given(parcel())
def test_same_pixels_as_point_in_polygon(shape: shapely.Geometry) -> None:
    grid = WINDOW.resized(20)
    rows, columns = np.divmod(np.arange(grid.rows * grid.columns), grid.columns)
    x, y = grid.west + (columns + 0.5) * grid.pixel, grid.north - (rows + 0.5) * grid.pixel
    inside = set(np.flatnonzero(shapely.contains_xy(shape, x, y)).tolist())
    differing = inside ^ set(indexed([shape], grid).pixels_of(1).tolist())
    assert not differing or centres_on_edges(shape, differing, grid)
