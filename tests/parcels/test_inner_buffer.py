"""Parcels of a tile in its own system, and what is left of them inside their rim."""

import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import locate_parcels, shrink_parcels

GRID = PixelGrid(32631, 600_000, 5_800_020, 10, 10980, 10980)
UTM = CRS.from_epsg(32631)
X, Y = 650_003, 5_750_003


def shapes(*given: object) -> np.ndarray:
    found = np.empty(len(given), object)
    found[:] = given
    return found


def reprojected(shape: shapely.Geometry, epsg: int) -> shapely.Geometry:
    to = Transformer.from_crs(32631, epsg, always_xy=True)
    return shapely.transform(shape, lambda p: np.column_stack(to.transform(p[:, 0], p[:, 1])))


def test_shrinks_by_metres_with_round_joins() -> None:
    notched = shapely.Polygon([(0, 0), (100, 0), (100, 40), (60, 40), (60, 100), (0, 100)])
    moved = shapely.transform(notched, lambda p: p + np.array([X, Y]))
    square = shapely.box(X + 200, Y, X + 300, Y + 100)
    left = shrink_parcels(locate_parcels([1, 2], shapes(moved, square), UTM, GRID), 5.0)
    assert left.geometry[1].area == pytest.approx(90 * 90)
    # Round the inner corner the rim is an arc of 8 chords, not a corner.
    chords = 8 * 0.5 * 25 * np.sin(np.pi / 16)
    assert left.geometry[0].area == pytest.approx(90 * 30 + 50 * 60 + (25 - chords) * 1.0, abs=0.01)
    assert shapely.get_num_coordinates(left.geometry[0]) == 5 + 9 + 1


def test_a_parcel_of_which_nothing_is_left_is_dropped() -> None:
    parcels = locate_parcels(
        [7, 3], shapes(shapely.box(X, Y, X + 9, Y + 300), shapely.box(X, Y, X + 22, Y + 300)), UTM, GRID
    )
    assert parcels.parcel_id.tolist() == [3, 7]
    assert shrink_parcels(parcels, 5.0).parcel_id.tolist() == [3]
    assert shrink_parcels(parcels, 10.0).parcel_id.tolist() == [3]
    assert shrink_parcels(parcels, 11.5).parcel_id.tolist() == []
    assert shrink_parcels(parcels, 0.0).parcel_id.tolist() == [3, 7]


def test_threads_change_nothing() -> None:
    corners = np.random.default_rng(1).uniform((X - 10_000, Y - 60_000), (X + 40_000, Y - 10_000), (12_000, 2))
    boxes = shapely.box(*corners.T, *(corners + np.array([80, 60])).T)
    parcels = locate_parcels(np.arange(12_000) + 1, boxes, UTM, GRID)
    one, three = (shrink_parcels(parcels, 5.0, threads=n) for n in (1, 3))
    assert (one.parcel_id == three.parcel_id).all()
    assert (one.geometry == three.geometry).all()


@pytest.mark.parametrize("epsg", [4326, 3035, 32632, 2154])
def test_only_parcels_of_the_tile_are_taken_and_they_keep_their_place(epsg: int) -> None:
    _, south, east, north = GRID.bounds
    inside = shapely.box(X, Y, X + 100, Y + 100)
    across = shapely.box(east - 50, south - 50, east + 50, south + 50)
    beside = shapely.box(east + 5, Y, east + 105, Y + 100)
    far = shapely.box(X, north + 200_000, X + 100, north + 200_100)
    given = shapes(
        reprojected(far, epsg), None, *(reprojected(s, epsg) for s in (inside, beside, across)), shapely.Polygon()
    )
    found = locate_parcels([1, 2, 9, 4, 5, 6], given, CRS.from_epsg(epsg), GRID)
    assert found.parcel_id.tolist() == [5, 9]
    assert shapely.hausdorff_distance(found.geometry[1], inside) < 0.001
    assert shapely.hausdorff_distance(found.geometry[0], across) < 0.001


def test_axis_order_of_the_system_does_not_matter() -> None:
    """EPSG:3035 says north first; files have east first."""
    square = shapely.box(X, Y, X + 100, Y + 100)
    found = locate_parcels([1], shapes(reprojected(square, 3035)), CRS.from_wkt(CRS.from_epsg(3035).to_wkt()), GRID)
    assert shapely.hausdorff_distance(found.geometry[0], square) < 0.001


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1, 1], "parcel number 1 is given to several parcels"),
        ([0, 1], "from 0 to 1"),
        ([1, 2**31], "from 1 to 2147483648"),
        ([1], "1 parcel numbers for 2 geometries"),
    ],
)
def test_wrong_numbers_are_refused(numbers: list[int], message: str) -> None:
    square = shapely.box(X, Y, X + 100, Y + 100)
    with pytest.raises(InputError, match=message):
        locate_parcels(numbers, shapes(square, square), UTM, GRID)


def test_a_negative_rim_is_refused() -> None:
    with pytest.raises(InputError, match="-5"):
        shrink_parcels(locate_parcels([], shapes(), UTM, GRID), -5)


def test_no_parcels() -> None:
    for crs in (UTM, CRS.from_epsg(3035)):
        assert len(shrink_parcels(locate_parcels([], shapes(), crs, GRID), 5.0)) == 0


def test_a_system_without_the_place_is_told() -> None:
    """Ground far outside a local system has no coordinates there."""
    south = PixelGrid(32719, 600_000, 5_000_020, 10, 100, 100)
    square = shapely.box(0, 0, 100, 100)
    gnomonic = CRS.from_proj4("+proj=gnom +lat_0=50 +lon_0=110 +datum=WGS84")
    with pytest.raises(InputError, match=r"has no place|cannot be reprojected"):
        locate_parcels([1], shapes(square), gnomonic, south)
