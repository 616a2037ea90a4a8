"""Coherence pairs: partner, roles, baseline, and what becomes of an acquisition without partner (case 9.5, OPS 39)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.preprocessing.radar.ground_share import share_of
from s4c_lib.preprocessing.radar.pairs import (
    PartnerSearch,
    RadarPass,
    baseline_of,
    candidates_of,
    drop_duplicate_slices,
    partner_search,
)
from s4c_lib.sources.model import Direction

SCENE = shapely.box(4, 50, 6, 52)
ORBITS = {"sentinel-1a": 41314, "sentinel-1b": 29893, "sentinel-1c": 288}


def acquired(
    number: int,
    platform: str,
    day: str,
    *,
    footprint: shapely.Polygon = SCENE,
    orbit: int = 117,
    direction: Direction = Direction.ASCENDING,
) -> RadarPass:
    start = datetime.fromisoformat(f"{day}T17:05:57+00:00")
    return RadarPass(number, f"{platform} {day} {number}", platform, start, orbit, direction, footprint)


A = acquired(1, "sentinel-1b", "2021-12-05")
B = acquired(2, "sentinel-1a", "2021-12-11")
C = acquired(3, "sentinel-1b", "2021-12-17")
D = acquired(4, "sentinel-1a", "2021-12-23")
E = acquired(5, "sentinel-1a", "2022-01-04")
SERIES = [A, B, C, D, E]


def western(share: float) -> shapely.Polygon:
    """The western part of the scene."""
    return shapely.box(2, 50, 4 + 2 * share, 52)


@pytest.mark.parametrize(
    ("current", "previous", "days"), [(A, None, 6), (B, A, 6), (C, B, 6), (D, C, 6), (E, D, 12)], ids="abcde"
)
def test_case_9_5_products_a_to_e(current: RadarPass, previous: RadarPass | None, days: int) -> None:
    pairs = candidates_of(current, SERIES)
    assert [pair.previous for pair in pairs] == ([] if previous is None else [previous])
    assert all(pair.current is current and pair.share == pytest.approx(1) for pair in pairs)
    assert [pair.baseline_days for pair in pairs] == [days] * len(pairs)
    # Nothing is known before a: the platforms in service, two then, say what to expect.
    assert baseline_of(current, SERIES) == days


def test_case_9_5_two_slices_make_two_pairs_the_larger_first() -> None:
    small = acquired(21, "sentinel-1a", "2021-12-11", footprint=western(0.38))
    large = acquired(22, "sentinel-1a", "2021-12-11", footprint=shapely.box(4.76, 50, 8, 52))
    pairs = candidates_of(C, [small, large])
    assert [pair.previous.id for pair in pairs] == [22, 21]
    assert [pair.share for pair in pairs] == pytest.approx([0.62, 0.38], abs=1e-6)


@pytest.mark.parametrize(("share", "taken"), [(0.049, False), (0.05, True), (0.04, False)])
def test_case_9_5_overlap_of_the_newer(share: float, taken: bool) -> None:
    """4.9 % is ignored, 5.0 % taken; measured on the newer: a huge older scene is no better for its size."""
    assert bool(candidates_of(C, [replace(B, footprint=western(share))])) is taken
    wide = replace(B, footprint=shapely.box(-20, 50, 4 + 2 * share, 52))
    assert bool(candidates_of(C, [wide])) is taken


def test_overlap_is_measured_on_the_ellipsoid() -> None:
    """Half the degrees of latitude are 36 % of the ground in the north; against the closed form of the zone's area."""

    def zone(latitude: float) -> float:
        e, s = 0.0818191908426215, math.sin(math.radians(latitude))
        return s / (1 - (e * s) ** 2) + math.atanh(e * s) / e

    expected = (zone(80) - zone(65)) / (zone(80) - zone(50))
    assert share_of(shapely.box(0, 50, 1, 80), shapely.box(0, 65, 1, 80)) == pytest.approx(expected, abs=1e-5)
    assert expected == pytest.approx(0.359, abs=1e-3)
    assert share_of(SCENE, shapely.box(10, 50, 12, 52)) == 0
    assert share_of(SCENE, shapely.box(6, 50, 8, 52)) == 0  # touching is not covering


def test_overlap_across_180_degrees() -> None:
    across = shapely.MultiPolygon([shapely.box(179, 50, 180, 52), shapely.box(-180, 50, -179.5, 52)])
    assert share_of(across, shapely.box(179, 50, 180, 52)) == pytest.approx(2 / 3, abs=1e-6)


def test_case_9_5_other_orbit_or_direction_is_ignored() -> None:
    assert candidates_of(C, [replace(B, relative_orbit=15)]) == []
    assert candidates_of(C, [replace(B, direction=Direction.DESCENDING)]) == []


@pytest.mark.parametrize(
    ("baseline", "age", "taken"),
    [(6, 5, True), (6, 7, True), (6, 4, False), (6, 8, False), (12, 11, True), (12, 13, True), (12, 10, False)],
)
def test_case_9_5_one_day_of_tolerance(baseline: int, age: int, taken: bool) -> None:
    other = replace(B, start=C.start - timedelta(days=age))
    assert bool(candidates_of(C, [other], baseline=6 if baseline == 6 else 12)) is taken


def test_days_are_counted_between_dates() -> None:
    """23:59 and 00:01 five days and two minutes later are six days apart."""
    late = replace(B, start=datetime(2021, 12, 11, 23, 59, tzinfo=UTC))
    early = replace(C, start=datetime(2021, 12, 17, 0, 1, tzinfo=UTC))
    assert candidates_of(early, [late])[0].baseline_days == 6


def test_case_9_5_a_later_acquisition_is_never_taken() -> None:
    assert candidates_of(B, [C], baseline=6) == []
    assert candidates_of(B, SERIES, baseline=12) == []


def test_operations_case_39() -> None:
    """Days 0, 6, 12 with overlap 0.9: 6 pairs with 0, 12 with 6; without day 6 there is no pair at six days."""
    ninety = western(0.9)
    zero, six, twelve = (
        acquired(number, platform, day, footprint=SCENE if number == 3 else ninety)
        for number, (platform, day) in enumerate(
            [("sentinel-1a", "2021-06-01"), ("sentinel-1b", "2021-06-07"), ("sentinel-1a", "2021-06-13")], 1
        )
    )
    assert [pair.previous for pair in candidates_of(six, [zero, six, twelve], baseline=6)] == [zero]
    assert [pair.previous for pair in candidates_of(twelve, [zero, six, twelve], baseline=6)] == [six]
    assert candidates_of(twelve, [zero, twelve], baseline=6) == []
    assert candidates_of(twelve, [replace(six, footprint=western(0.04))], baseline=6) == []


def test_a_day_lost_by_one_platform_falls_back_to_twelve_and_is_tagged() -> None:
    pairs = candidates_of(D, [A, B, D])
    assert [(pair.previous, pair.baseline_days, pair.expected_days) for pair in pairs] == [(B, 12, 12)]


@pytest.mark.parametrize(
    ("platform", "day", "expected"),
    [
        ("sentinel-1a", "2016-05-01", 12),
        ("sentinel-1a", "2021-12-23", 6),
        ("sentinel-1a", "2021-12-24", 12),
        ("sentinel-1a", "2024-06-01", 12),
        ("sentinel-1c", "2025-06-01", 6),
    ],
)
def test_platforms_in_service_decide_where_nothing_else_is_known(platform: str, day: str, expected: int) -> None:
    assert baseline_of(acquired(1, platform, day), []) == expected


def test_acquisitions_overrule_the_table_of_platforms() -> None:
    """1A alone on an orbit although two platforms flew; two that flew although the table knows only one then."""
    alone = [acquired(1, "sentinel-1a", "2019-06-01"), acquired(2, "sentinel-1a", "2019-06-13")]
    assert baseline_of(alone[1], alone) == 12
    early = [acquired(1, "sentinel-1c", "2025-02-01"), acquired(2, "sentinel-1a", "2025-02-07")]
    assert [pair.baseline_days for pair in candidates_of(early[1], early)] == [6]


def test_another_frame_of_the_orbit_does_not_serve_this_ground() -> None:
    elsewhere = replace(C, footprint=shapely.box(4, 40, 6, 42))
    assert [pair.previous for pair in candidates_of(D, [B, elsewhere])] == [B]


def test_a_baseline_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="7"):
        candidates_of(C, [B], baseline=7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("baseline", "days", "state"),
    [
        (6, 16.9, PartnerSearch.WAITING),
        (6, 17.0, PartnerSearch.LATE),
        (6, 47.0, PartnerSearch.LATE),
        (6, 47.1, PartnerSearch.OVER),
        (12, 28.9, PartnerSearch.WAITING),
        (12, 29.0, PartnerSearch.LATE),
        (12, 59.5, PartnerSearch.OVER),
    ],
)
def test_waiting_for_a_partner(baseline: int, days: float, state: PartnerSearch) -> None:
    """Twice the baseline and five days; then thirty days in which a late partner is still taken (OPS 3.4, case 14)."""
    midnight = E.start.replace(hour=0, minute=0, second=0)
    assert partner_search(E.start, midnight + timedelta(days=days), baseline_days=baseline) is state


def test_a_late_partner_makes_the_pair() -> None:
    assert candidates_of(C, [C]) == []
    assert [pair.previous for pair in candidates_of(C, [C, B])] == [B]


def test_duplicate_slices() -> None:
    """The same measurements, or another processing of one start and orbit: the one processed last is kept."""
    first = replace(B, absolute_orbit=40964, created=datetime(2021, 12, 12, tzinfo=UTC), checksum="aa")
    again = replace(first, id=12, name="reprocessed", created=datetime(2022, 5, 1, tzinfo=UTC), checksum="bb")
    copy = replace(C, id=13, name="copy", checksum="bb", created=datetime(2021, 1, 1, tzinfo=UTC))
    other = replace(D, checksum=None)
    kept, dropped = drop_duplicate_slices([first, copy, other, again])
    assert [item.id for item in kept] == [12, other.id]
    assert dropped == {first.id: 12, 13: 12}
    neighbour = replace(first, id=14, start=first.start + timedelta(seconds=25), checksum="cc")
    assert [item.id for item in drop_duplicate_slices([neighbour, first])[0]] == [first.id, 14]


platforms = st.sampled_from(["sentinel-1a", "sentinel-1b", "sentinel-1c"])
passes = st.builds(
    lambda number, platform, day, orbit, west, width: replace(
        acquired(number, platform, "2022-01-01", orbit=orbit, footprint=shapely.box(west, 50, west + width, 51)),
        start=datetime(2022, 1, 1, 17, tzinfo=UTC) + timedelta(days=day),
    ),
    st.integers(1, 10**6),
    platforms,
    st.integers(0, 40),
    st.sampled_from([15, 117]),
    st.floats(4, 6),
    st.floats(0.5, 3),
)


@settings(max_examples=40)
@given(st.lists(passes, min_size=1, max_size=12), st.sampled_from(["auto", 6, 12]))
def test_what_holds_for_every_pair(series: list[RadarPass], baseline: str) -> None:
    current = series[0]
    pairs = candidates_of(current, series, baseline=baseline)  # type: ignore[arg-type]
    for pair in pairs:
        assert pair.previous.start < current.start
        assert pair.previous.relative_orbit == current.relative_orbit
        assert abs(pair.baseline_days - pair.expected_days) <= 1
        assert 0.05 <= pair.share + 1e-6 <= 1 + 2e-6
        assert pair.expected_days in (6, 12)
    assert len({pair.expected_days for pair in pairs}) <= 1
    assert [pair.share for pair in pairs] == sorted((pair.share for pair in pairs), reverse=True)
    shuffled = candidates_of(current, series[::-1], baseline=baseline)  # type: ignore[arg-type]
    assert {pair.previous.id for pair in shuffled} == {pair.previous.id for pair in pairs}
