"""S2Pix, S1Pix, shared_pix and the primary tile: the golden set of the specification and its further cases."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.parcels.findings import Severity
from s4c_lib.parcels.inner_buffer import BUFFER_10M, BUFFER_20M, locate_parcels, shrink_parcels
from s4c_lib.parcels.pixel_counts import (
    GridCounts,
    PixelCounts,
    TileCounts,
    label_counts,
    not_monitorable,
    over_tiles,
    own_counts,
)
from s4c_lib.parcels.pixel_index import build_pixel_index

X, Y = 650_003, 5_750_003
UTM = CRS.from_epsg(32631)


def square(side: float, dx: float = 0, dy: float = 0) -> shapely.Polygon:
    return rectangle(side, side, dx, dy)


def rectangle(width: float, height: float, dx: float = 0, dy: float = 0) -> shapely.Polygon:
    return shapely.box(X + dx, Y + dy, X + dx + width, Y + dy + height)


def spiked(dx: float = 700) -> shapely.Polygon:
    ring = [(0, 0), (100, 0), (100, 100), (50, 100), (60, 50), (40, 50), (50, 100), (0, 100)]
    return shapely.Polygon([(X + dx + x, Y + y) for x, y in ring])


def counted(name: str, numbers: list[int], shapes: list[shapely.Geometry], *, reference: bool) -> TileCounts:
    found = tile(name)
    grid = PixelGrid(found.epsg, found.ulx, found.uly, 10, 10980, 10980)
    geometry = np.empty(len(shapes), object)
    geometry[:] = shapes
    parcels = locate_parcels(numbers, geometry, UTM, grid)
    counts = []
    for metres, pixel in ((BUFFER_10M, 10), (BUFFER_20M, 20)):
        shrunk = shrink_parcels(parcels, metres)
        index = build_pixel_index(shrunk, grid.resized(pixel), buffer_m=metres, parcel_set_id=1)
        counts.append(label_counts(index) if reference else own_counts(index))
    return TileCounts(name, parcels.parcel_id, *counts)


GOLDEN = {
    1: square(100),
    2: square(100, 85),
    3: square(200, 0, 200),
    4: square(50, 10, 210),
    5: square(100, 300),
    6: square(100, 300),
    7: shapely.Polygon([(X + 500, Y), (X + 600, Y + 100), (X + 600, Y), (X + 500, Y + 100)]),
    8: spiked(),
    9: rectangle(12, 300, 900),
}


@pytest.mark.parametrize(
    ("reference", "s2", "s1"),
    [
        (True, [72, 81, 345, 16, 0, 81, 0, 0, 0], [16, 16, 77, 4, 0, 16, 0, 0, 0]),
        (False, [81, 81, 361, 16, 81, 81, 0, 70, 0], [16, 16, 81, 4, 16, 16, 0, 12, 0]),
    ],
)
def test_golden_set(reference: bool, s2: list[int], s1: list[int]) -> None:
    """Section 10.1: the bow-tie cannot be repaired, the touching ring only in the default profile."""
    eligible = dict(GOLDEN)
    del eligible[7]
    eligible[8] = shapely.make_valid(eligible[8], method="structure", keep_collapsed=False)
    if reference:
        del eligible[8]
    tiles = [counted("31UFT", list(eligible), list(eligible.values()), reference=reference)]
    counts = over_tiles(list(GOLDEN), tiles, add=reference)
    assert counts.s2_pix.tolist() == s2
    assert counts.s1_pix.tolist() == s1
    assert counts.shared_pix.tolist() == [9, 9, 16, 16, 81, 81, 0, 0, 0]
    assert counts.primary_tile[[0, 8]].tolist() == ["31UFT", "31UFT"]
    assert counts.primary_tile[6] is None


@pytest.mark.parametrize(
    ("shape", "s2", "s1"),
    [
        (square(30), 4, 0),
        (square(50), 16, 1),
        (square(200), 361, 81),
        (rectangle(9, 300), 0, 0),
        (rectangle(22, 300), 29, 0),
        (rectangle(25, 300), 29, 0),
        (square(100).difference(square(30, 30, 30)), 65, 7),
        (shapely.MultiPolygon([square(50), square(50, 100)]), 32, 2),
    ],
)
@pytest.mark.parametrize("reference", [True, False])
def test_isolated_parcels(shape: shapely.Geometry, s2: int, s1: int, reference: bool) -> None:
    """Case 3 of section 10.2."""
    counts = over_tiles([1], [counted("31UFT", [1], [shape], reference=reference)], add=reference)
    assert (counts.s2_pix.tolist(), counts.s1_pix.tolist()) == ([s2], [s1])


@pytest.mark.parametrize(("reference", "s2"), [(True, 162), (False, 81)])
def test_a_parcel_in_two_tiles(reference: bool, s2: int) -> None:
    """Case 11: the ground that 31UET and 31UFT share; of equal tiles the first name is primary."""
    shape = shapely.box(605_003, Y, 605_103, Y + 100)
    tiles = [counted(name, [1], [shape], reference=reference) for name in ("31UFT", "31UET")]
    for order in (tiles, tiles[::-1]):
        counts = over_tiles([1], order, add=reference)
        assert counts.s2_pix.tolist() == [s2]
        assert counts.primary_tile.tolist() == ["31UET"]


def test_a_parcel_across_the_border_of_a_tile_is_whole_in_its_neighbour() -> None:
    """Case A11: the tile with most pixels is primary, and shared pixels are its own."""
    numbers = np.array([5], np.int32)

    def of(name: str, s2: int, shared: int, s1: int) -> TileCounts:
        counts = GridCounts(numbers, np.array([s2], np.int32), np.array([shared], np.int32))
        return TileCounts(name, numbers, counts, replace(counts, n=np.array([s1], np.int32)))

    both = [of("31UFR", 22, 22, 6), of("31UFS", 40, 3, 5)]
    for order in (both, both[::-1]):
        counts = over_tiles([4, 5], order)
        assert counts.primary_tile.tolist() == [None, "31UFS"]
        assert (counts.s2_pix.tolist(), counts.s1_pix.tolist()) == ([0, 40], [0, 6])
        assert counts.shared_pix.tolist() == [0, 3]


def test_counts_come_in_the_order_asked_for() -> None:
    shapes = {3: square(30), 9: square(50, 100), 4: square(200, 300)}
    tiles = [counted("31UFT", list(shapes), list(shapes.values()), reference=False)]
    assert over_tiles([9, 12, 4, 3], tiles).s2_pix.tolist() == [16, 0, 361, 4]


def test_no_tiles_and_no_parcels() -> None:
    alone = over_tiles([1, 2], [])
    assert (alone.s2_pix.tolist(), alone.primary_tile.tolist()) == ([0, 0], [None, None])
    nobody = over_tiles([], [counted("31UFT", [], [], reference=False)])
    assert len(nobody.s2_pix) == len(nobody.primary_tile) == 0


def test_unknown_parcels_and_repeated_tiles_are_refused() -> None:
    one = counted("31UFT", [3], [square(30)], reference=False)
    with pytest.raises(InputError, match="tile 31UFT has parcel 3"):
        over_tiles([1, 2], [one])
    with pytest.raises(InputError, match="31UFT is counted twice"):
        over_tiles([3], [one, one])


def test_parcels_with_too_few_pixels_are_reported() -> None:
    """DECL-37 with their share of the parcels and of the area."""
    counts = PixelCounts(*(np.array(n, np.int32) for n in ([0, 2, 3, 81], [0, 1, 1, 0], [0] * 4)), np.full(4, None))
    area = np.array([1000.0, 1500.0, 2500.0, 5000.0])
    found = not_monitorable(counts, area, np.array([7, 3, 2, 9]), ["A", "B", "C", "D"])
    assert found is not None
    assert (found.code, found.severity, found.count) == ("DECL-37", Severity.INFO, 3)
    assert (found.rows, found.examples) == ((7, 3, 9), ("A", "B", "D"))
    assert "3 of 4 parcels (75.0 %; 0.8 ha, 75.0 % of the area)" in found.message
    assert "fewer than 3 pixels of Sentinel-2 or 1 of Sentinel-1" in found.message
    # a parcel that is no longer declared has no pixels, and is not too small for that
    kept = np.array([False, True, True, True])
    fewer = not_monitorable(counts, area, np.array([7, 3, 2, 9]), ["A", "B", "C", "D"], in_force=kept)
    assert fewer is not None
    assert fewer.examples == ("B", "D")
    assert "2 of 3 parcels (66.7 %; 0.7 ha, 72.2 % of the area)" in fewer.message


def test_nothing_is_reported_when_all_have_enough() -> None:
    enough = PixelCounts(*(np.array([n], np.int32) for n in (3, 1, 0)), np.array(["31UFT"], object))
    assert not_monitorable(enough, np.ones(1), np.ones(1, np.int64), ["A"]) is None
    assert not_monitorable(enough, np.ones(1), np.ones(1, np.int64), ["A"], least_s2=4) is not None
