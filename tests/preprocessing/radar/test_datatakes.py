"""Slices of one datatake: who owns a tile, which slices it needs, and how long an absent one is waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.preprocessing.radar.datatakes import datatakes, tile_owners
from s4c_lib.preprocessing.radar.ground_share import share_of
from s4c_lib.preprocessing.radar.pairs import RadarPass
from s4c_lib.sources.model import Direction

START = datetime(2022, 1, 4, 17, 5, 57, tzinfo=UTC)
SOON, LATER = START + timedelta(hours=3), START + timedelta(days=2, seconds=30)
TILES = {"31UFS": shapely.box(4, 50, 5, 51), "31UFT": shapely.box(4, 51, 5, 52)}


def piece(number: int, south: float, north: float, **changes: object) -> RadarPass:
    """A slice of the pass over both tiles."""
    whole = RadarPass(
        number,
        f"slice {number}",
        "sentinel-1a",
        START + timedelta(seconds=25 * number),
        117,
        Direction.ASCENDING,
        shapely.box(3, south, 7, north),
        absolute_orbit=41314,
        datatake="04E951",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_slices_are_gathered_by_platform_and_datatake() -> None:
    first, second = piece(1, 50, 51), piece(2, 51, 52)
    other = piece(3, 50, 51, datatake="04E952")
    twin = piece(4, 50, 51, platform="sentinel-1c")
    assert datatakes([second, twin, other, first]) == [(first, second), (other,), (twin,)]


def test_without_a_datatake_the_orbit_and_the_day_tell() -> None:
    slices = [piece(number, 50, 51, datatake=None) for number in (1, 2)]
    again = piece(3, 50, 51, datatake=None, start=START + timedelta(days=12), absolute_orbit=41489)
    assert datatakes([*slices, again]) == [tuple(slices), (again,)]


def test_the_slice_that_covers_most_of_a_tile_owns_it() -> None:
    first, second = piece(1, 49, 50.4), piece(2, 50.4, 52)
    found = {ownership.tile: ownership for ownership in tile_owners([second, first], TILES, SOON)}
    assert found["31UFS"].owner is second
    assert found["31UFS"].slices == (first, second)
    assert found["31UFT"].slices == (second,)
    assert found["31UFT"].owner is second


def test_of_equal_slices_the_earliest_owns() -> None:
    first, second = piece(1, 49, 52), piece(2, 49, 52)
    assert tile_owners([second, first], TILES, SOON)[0].owner is first


@pytest.mark.parametrize(("covered", "made"), [(0.049, False), (0.051, True)])
def test_a_tile_that_is_hardly_covered_is_left_out(covered: float, made: bool) -> None:
    """All slices together count: two of 2.5 % make 5 %."""
    half = covered / 2
    slices = [piece(1, 49, 50 + half), piece(2, 50 + half, 50 + covered)]
    tiles = [ownership.tile for ownership in tile_owners(slices, {"31UFS": TILES["31UFS"]}, SOON)]
    assert tiles == (["31UFS"] if made else [])


def test_an_absent_slice_is_waited_for_two_days_and_then_done_without() -> None:
    here, absent = piece(1, 49, 50.4), piece(2, 50.4, 52, on_disk=False)
    waiting = tile_owners([here, absent], TILES, SOON)[0]
    assert (waiting.owner, waiting.absent) == (absent, (absent,))
    assert waiting.waits_until == absent.start + timedelta(days=2)
    made = tile_owners([here, absent], TILES, LATER + timedelta(minutes=1))
    assert [(item.tile, item.owner, item.slices, item.waits_until) for item in made] == [("31UFS", here, (here,), None)]
    assert made[0].absent == (absent,)


def test_a_slice_that_does_not_meet_the_tile_is_not_waited_for() -> None:
    here, absent = piece(1, 49, 51), piece(2, 51, 52, on_disk=False)
    found = tile_owners([here, absent], TILES, SOON)
    assert [(item.tile, item.waits_until is None) for item in found] == [("31UFS", True), ("31UFT", False)]


def test_nothing_on_disk_makes_nothing_once_the_time_is_up() -> None:
    absent = piece(1, 49, 52, on_disk=False)
    assert tile_owners([absent], TILES, LATER + timedelta(days=1)) == []
    assert len(tile_owners([absent], TILES, SOON)) == 2


cuts = st.lists(st.tuples(st.floats(48, 53), st.floats(0.1, 2), st.booleans()), min_size=1, max_size=5)


@settings(max_examples=40)
@given(cuts, st.floats(0, 4))
def test_every_tile_has_one_owner_that_covers_most(cuts: list[tuple[float, float, bool]], days: float) -> None:
    slices = [
        piece(number, south, south + height, on_disk=here) for number, (south, height, here) in enumerate(cuts, 1)
    ]
    found = tile_owners(slices, TILES, START + timedelta(days=days))
    assert len({item.tile for item in found}) == len(found)
    for item in found:
        shares = {part.id: share_of(TILES[item.tile], part.footprint) for part in item.slices}
        assert shares[item.owner.id] == max(shares.values())
        assert all(part.on_disk for part in item.slices) or item.waits_until is not None
        assert item.waits_until is None or item.waits_until > START + timedelta(days=days)
    assert all(item.owner in item.slices for item in found)
