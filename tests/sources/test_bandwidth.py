from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.sources.bandwidth import Bandwidth
from s4c_lib.sources.transfer_limits import Pace, TransferLimits


class Clock:
    """Time passes by waiting only, and by what the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(
    rate=st.floats(1e3, 1e9),
    takes=st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 2)), min_size=1, max_size=30),
)
def test_from_any_moment_on_no_more_comes_than_the_limit_allows(rate: float, takes: list[tuple[int, float]]) -> None:
    clock = Clock()
    bandwidth = Bandwidth(rate, clock=clock, sleep=clock.sleep)
    came: list[tuple[float, int]] = []
    for count, idle in takes:
        clock.now += idle
        before = clock.now
        assert bandwidth.take(count) == pytest.approx(clock.now - before, abs=1e-6)
        came.append((clock.now, count))
    for first, (start, _) in enumerate(came):
        # What came after a moment, until any later one; half a second's may be saved up.
        total = 0
        for moment, count in came[first + 1 :]:
            total += count
            assert total <= rate * (moment - start + 0.5) * (1 + 1e-6) + 1


def test_an_unused_second_is_not_saved_up() -> None:
    clock = Clock()
    bandwidth = Bandwidth(1000, clock=clock, sleep=clock.sleep)
    clock.now = 3600
    assert bandwidth.take(500) == 0
    assert bandwidth.take(500) == pytest.approx(0.5)


def test_two_transfers_share_the_limit() -> None:
    clock = Clock()
    bandwidth = Bandwidth(1000, clock=clock, sleep=clock.sleep)
    for _ in range(10):
        bandwidth.take(250)
        bandwidth.take(250)
    assert clock.now == pytest.approx(4.5)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_bandwidth_that_moves_nothing_is_refused(rate: float) -> None:
    with pytest.raises(InputError):
        Bandwidth(rate)


@pytest.mark.parametrize("limit", ["timeout_seconds", "connect_seconds", "stall_seconds", "slow_window_seconds"])
def test_a_limit_of_no_time_is_refused(limit: str) -> None:
    with pytest.raises(InputError, match=limit):
        TransferLimits(**{limit: 0})


def test_the_pace_is_judged_by_the_window_and_not_by_a_pause() -> None:
    pace = Pace(TransferLimits(slowest_bytes_per_second=1000, slow_window_seconds=60), 0.0)
    assert pace.too_slow(50, 1) is None  # a pause shorter than the window
    assert pace.too_slow(61, 61_000) is None
    assert pace.too_slow(120, 10_000) is None  # the next window is not over
    assert pace.too_slow(122, 100) == pytest.approx(10_100 / 61)


def test_waiting_of_our_own_is_no_slowness() -> None:
    pace = Pace(TransferLimits(slowest_bytes_per_second=1000, slow_window_seconds=60), 0.0)
    for minute in range(1, 11):
        assert pace.too_slow(60.0 * minute, 10_000, held=55) is None
