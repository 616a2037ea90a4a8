"""Query windows: cases 25 to 28 of operations.md §8."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.query_windows import Window, back_off, span, windows

SEASON = SeasonDates(date(2024, 3, 1), date(2024, 5, 1), date(2024, 9, 30))


def test_optical_windows_begin_before_the_season() -> None:
    """Case 25."""
    whole = span("s2", SEASON, start_offset_months=2, s1_offset_days=12)
    assert whole == Window(date(2024, 1, 1), date(2024, 9, 30))
    slices = windows(whole, 10)
    assert len(slices) == 28
    assert slices[0] == Window(date(2024, 1, 1), date(2024, 1, 10))
    assert slices[-1] == Window(date(2024, 9, 27), date(2024, 9, 30))


@pytest.mark.parametrize(("offset", "start"), [(12, date(2024, 2, 18)), (6, date(2024, 2, 24))])
def test_radar_windows_begin_one_pair_before_the_season(offset: int, start: date) -> None:
    """Case 26."""
    whole = span("s1", SEASON, start_offset_months=2, s1_offset_days=offset)
    assert whole == Window(start, date(2024, 9, 30))
    assert offset != 12 or len(windows(whole, 10)) == 23


def test_a_window_settles_when_late_publications_have_arrived() -> None:
    """Case 27: settle_days 5."""
    past = Window(date(2024, 4, 20), date(2024, 4, 29))
    assert past.settle_at(5) == datetime(2024, 5, 5, tzinfo=UTC)
    assert past.settled(datetime(2024, 5, 5, tzinfo=UTC), 5)
    assert not past.settled(datetime(2024, 5, 4, 23, 59, 59, tzinfo=UTC), 5)
    assert not past.settled(None, 5)
    running = Window(date(2024, 4, 30), date(2024, 5, 9))
    assert running.settle_at(5) == datetime(2024, 5, 15, tzinfo=UTC)
    assert not running.settled(datetime(2024, 5, 10, 7, tzinfo=UTC), 5)
    assert running.eligible(date(2024, 4, 30))
    assert not running.eligible(date(2024, 4, 29))
    # 2024-05-10 08:00, every window searched an hour ago: of case 25's those two are searched again
    slices = windows(span("s2", SEASON, start_offset_months=2, s1_offset_days=12), 10)
    before = datetime(2024, 5, 10, 7, tzinfo=UTC)
    again = [item for item in slices if item.eligible(before.date()) and not item.settled(before, 5)]
    assert again == [running, Window(date(2024, 5, 10), date(2024, 5, 19))]


def test_failures_pause_longer_and_longer() -> None:
    minutes = [back_off(k).total_seconds() / 60 for k in range(1, 11)]
    assert minutes == [5, 10, 20, 40, 80, 160, 320, 360, 360, 360]
    assert back_off(10_000) == timedelta(hours=6)
    assert back_off(0) == timedelta(minutes=5)


@given(start=st.dates(date(2000, 1, 1), date(2040, 1, 1)), length=st.integers(0, 800), step=st.integers(1, 366))
def test_windows_tile_their_span_exactly(start: date, length: int, step: int) -> None:
    whole = Window(start, start + timedelta(days=length))
    slices = windows(whole, step)
    assert slices[0].date_from == whole.date_from
    assert slices[-1].date_to == whole.date_to
    assert all(later.date_from - earlier.date_to == timedelta(days=1) for earlier, later in pairwise(slices))
    lengths = [(item.date_to - item.date_from).days + 1 for item in slices]
    assert all(item == step for item in lengths[:-1])
    assert 1 <= lengths[-1] <= step
