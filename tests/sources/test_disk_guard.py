"""The disk guard: operations.md §3.5, case 36."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import DiskFullError
from s4c_lib.sources.disk_guard import DiskState, disk_usage, disk_verdict

GB = 1_000_000_000
LIMITS = {"min_free_gb": 200.0, "soft_free_pct": 10.0, "hard_free_pct": 5.0}


def test_what_is_to_come_is_said_only_where_it_is_known() -> None:
    def said(coming: float) -> str:
        return disk_verdict(place="/data", free_bytes=GB, total_bytes=100 * GB, expected_bytes=coming, **LIMITS).text

    assert "to come" not in said(0)
    assert "and 1.2 GB are to come" in said(1.2 * GB)


@pytest.mark.parametrize(
    ("free", "total", "coming", "state", "said"),
    [
        (1000, 4000, 0, "clear", ""),
        # what is under way and to come counts
        (1000, 4000, 800, "clear", ""),
        (1000, 4000, 801, "paused", "storage.min_free_gb"),
        (199, 1000, 0, "paused", "storage.min_free_gb"),
        (399, 4000, 0, "low", "storage.soft_free_pct"),
        (400, 4000, 0, "clear", ""),
        # below the hard limit, though 200 GB would stay free
        (499, 10_000, 0, "paused", "storage.hard_free_pct"),
        (0, 0, 0, "paused", "storage.min_free_gb"),
    ],
)
def test_a_disk_is_judged_with_what_is_to_come(free: int, total: int, coming: int, state: str, said: str) -> None:
    """Case 36."""
    halves = {"in_flight_bytes": coming * GB / 2, "expected_bytes": coming * GB / 2}
    verdict = disk_verdict(place="/data", free_bytes=free * GB, total_bytes=total * GB, **halves, **LIMITS)
    assert verdict.state == state
    assert said in verdict.text
    if state == "paused":
        with pytest.raises(DiskFullError, match="/data") as raised:
            verdict.enforce()
        assert "by itself" in raised.value.hint
    else:
        verdict.enforce()


@given(
    free=st.integers(0, 10_000), more=st.integers(0, 10_000), coming=st.integers(0, 5000), later=st.integers(0, 5000)
)
def test_more_room_is_never_worse_and_more_work_never_better(free: int, more: int, coming: int, later: int) -> None:
    order = [DiskState.PAUSED, DiskState.LOW, DiskState.CLEAR]

    def rank(free: int, coming: int) -> int:
        verdict = disk_verdict(
            place="/", free_bytes=free * GB, total_bytes=20_000 * GB, expected_bytes=coming * GB, **LIMITS
        )
        return order.index(verdict.state)

    assert rank(free, coming + later) <= rank(free, coming) <= rank(free + more, coming)


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_above_it(tmp_path: Path) -> None:
    place, free, total = disk_usage(tmp_path / "a" / "b")
    assert place == str(tmp_path)
    assert 0 < free < total
