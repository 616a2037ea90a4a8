"""Compliance with mowing periods: the acceptance cases, rules and periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from s4c_lib.errors import InputError
from s4c_lib.mowing.compliance import compliance
from s4c_lib.mowing.events import Events, Mission, make_events
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod

SPRING, LATE = ("2021-05-21", "2021-05-26"), ("2021-08-24", "2021-08-29")


def period(code: str, first: str, last: str, rule: int = 0) -> MowingPeriod:
    return MowingPeriod(code, date.fromisoformat(first), date.fromisoformat(last), rule)


PERIODS = (
    period("A", "2021-05-01", "2021-07-31"),
    period("B", "2021-05-01", "2021-07-31", 1),
    period("D", "2021-06-01", "2021-07-31"),
    period("E", "2021-05-26", "2021-07-31"),
    period("N", "2021-05-01", "2021-07-31", 2),
)


def mown(*parcels: Sequence[tuple[str, str]], hour: int = 10) -> Events:
    rows = [(parcel, *event) for parcel, events in enumerate(parcels) for event in events]
    ends = np.array([row[1:] for row in rows], "datetime64[s]").reshape(-1, 2) + np.timedelta64(hour, "h")
    size = len(rows)
    return make_events(
        parcel=[row[0] for row in rows],
        start=ends[:, 0],
        end=ends[:, 1],
        confidence=np.full(size, 0.6),
        missions=np.full(size, Mission.S2),
        n=np.ones(size),
    )


@pytest.mark.parametrize("last_day_counts", [True, False])
@pytest.mark.parametrize(
    ("code", "events", "expected"),
    [
        pytest.param("A", [SPRING], 1, id="C-1"),
        pytest.param("A", [], 2, id="C-2"),
        pytest.param("D", [SPRING], 2, id="C-3"),
        pytest.param("B", [SPRING, LATE], 3, id="C-4"),
        pytest.param("B", [SPRING], 1, id="C-5"),
        pytest.param("B", [LATE], 2, id="C-6"),
        pytest.param("Z", [SPRING], -1, id="C-7"),
        pytest.param("A", [SPRING, LATE], 1, id="C-8"),
        pytest.param("E", [SPRING], 1, id="C-9"),
        pytest.param("N", [], 1, id="rule 2, none"),
        pytest.param("N", [LATE], 1, id="rule 2, none in the period"),
        pytest.param("N", [LATE, SPRING], 2, id="rule 2, one in the period"),
        pytest.param("B", [], 2, id="rule 1, none"),
        pytest.param(None, [SPRING], -1, id="no crop"),
    ],
)
def test_acceptance(code: str | None, events: list[tuple[str, str]], expected: int, last_day_counts: bool) -> None:
    covered = np.array([True])
    assert compliance(mown(events), covered, [code], PERIODS, last_day_counts=last_day_counts).tolist() == [expected]


def test_c_10_a_parcel_nobody_looked_at() -> None:
    """C-10, and C-7 comes first."""
    codes = ["A", "B", "N", "Z"]
    assert compliance(mown(), np.zeros(4, bool), codes, PERIODS).tolist() == [0, 0, 0, -1]


def test_the_last_day() -> None:
    """Begins at 10:00 on the last day of the period."""
    last = mown([("2021-07-31", "2021-08-05")])
    one = np.array([True])
    assert compliance(last, one, ["A"], PERIODS).tolist() == [1]
    assert compliance(last, one, ["A"], PERIODS, last_day_counts=False).tolist() == [2]
    after = mown([("2021-08-01", "2021-08-05")], hour=0)
    assert compliance(after, one, ["A"], PERIODS).tolist() == [2]


@pytest.mark.parametrize(
    ("rule", "expected"),
    # events: in the first, in the second, in both (they overlap), between the periods, in and between, none
    [(0, [1, 1, 1, 2, 1, 2]), (1, [1, 1, 1, 2, 3, 2]), (2, [2, 2, 2, 1, 2, 1])],
)
def test_several_periods_are_one_with_gaps(rule: int, expected: list[int]) -> None:
    periods = (
        period("A", "2021-05-01", "2021-05-31", rule),
        period("A", "2021-05-20", "2021-06-10", rule),
        period("A", "2021-09-01", "2021-09-30", rule),
    )
    between = ("2021-07-01", "2021-07-06")
    events = mown(
        [("2021-05-02", "2021-05-05")], [("2021-09-02", "2021-09-05")], [SPRING], [between], [SPRING, between], []
    )
    assert compliance(events, np.ones(6, bool), ["A"] * 6, periods).tolist() == expected


def test_over_new_year() -> None:
    winter = (period("A", "2021-07-15", "2022-03-01", 1),)
    events = mown([("2021-12-28", "2022-01-02")], [("2022-03-02", "2022-03-09")])
    assert compliance(events, np.ones(2, bool), ["A", "A"], winter).tolist() == [1, 2]


def test_codes_are_compared_as_text() -> None:
    periods = (period("046", "2021-05-01", "2021-07-31"), period("315", "2021-05-01", "2021-07-31"))
    events = mown(*[[SPRING]] * 4)
    covered = np.ones(4, bool)
    assert compliance(events, covered, ["046", "46", " 315 ", "315"], periods).tolist() == [1, -1, 1, 1]
    assert compliance(events, covered, np.array([315, 46, 315, 1]), periods).tolist() == [1, -1, 1, -1]
    assert compliance(events, covered, pa.chunked_array([["046"], [None, "315", "x"]]), periods).tolist() == [
        1, -1, 1, -1,
    ]  # fmt: skip


def test_without_periods_nothing_is_judged() -> None:
    assert compliance(mown([SPRING], []), np.ones(2, bool), ["A", None], ()).tolist() == [-1, -1]
    assert compliance(mown(), np.ones(0, bool), [], PERIODS).tolist() == []


def test_periods_that_contradict_each_other() -> None:
    both = (period("A", "2021-05-01", "2021-05-31"), period("A", "2021-09-01", "2021-09-30", 1))
    with pytest.raises(InputError, match="crop code A has the rules 0 and 1"):
        compliance(mown(), np.ones(1, bool), ["A"], both)
    with pytest.raises(InputError, match="unknown rule 7"):
        compliance(mown(), np.ones(1, bool), ["A"], (period("A", "2021-05-01", "2021-05-31", 7),))
    with pytest.raises(InputError, match="1 crop codes for 2 parcels"):
        compliance(mown(), np.ones(2, bool), ["A"], PERIODS)
