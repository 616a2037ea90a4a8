"""What is measured of L4C: cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.practices.codes import Found, Verdict
from s4c_lib.practices.validation import (
    HarvestScore,
    harvest_score,
    intervals,
    tillage_score,
    verdict_score,
)


def days(*texts: str) -> np.ndarray:
    return np.array([text or "NaT" for text in texts], "datetime64[D]")


def codes(*values: int) -> np.ndarray:
    return np.array(values, np.int8)


def test_harvest_weeks_against_days_by_hand() -> None:
    # Mondays 12, 19, 26 July 2021. Errors from Thursday: 15-14 = +1, 15-25 = -10, 29-14 = +15.
    score = harvest_score(
        codes(Found.FOUND, Found.FOUND, Found.FOUND, Found.NOT_FOUND, Found.FOUND, Found.NOT_FOUND, Found.NA),
        days("2021-07-12", "2021-07-12", "2021-07-26", "", "2021-08-02", "", ""),
        days("2021-07-14", "2021-07-25", "2021-07-14", "2021-07-14", "", "", "2021-07-14"),
    )
    assert score == HarvestScore(
        rows=7, evaluated=6, true=4, found=3, near=2, false=1, median=1.0, absolute=pytest.approx(26 / 3)
    )
    assert score.rates == {
        "median": 1.0,
        "absolute": pytest.approx(26 / 3),
        "near": pytest.approx(2 / 3),
        "near_of_true": 0.5,
        "missed": 0.25,
        "false": 0.5,
    }


@pytest.mark.parametrize(("day", "near"), [("2021-07-05", 1), ("2021-07-04", 0), ("2021-07-25", 1), ("2021-07-26", 0)])
def test_one_week_off_counts_calendar_weeks(day: str, near: int) -> None:
    """The weeks beside the one of 12 July, from Monday to Sunday."""
    assert harvest_score(codes(Found.FOUND), days("2021-07-12"), days(day)).near == near


def test_nothing_found_has_no_error() -> None:
    score = harvest_score(codes(Found.NA1, Found.NOT_FOUND), days("", ""), days("2021-07-14", ""))
    assert (score.evaluated, score.true, score.found) == (1, 0, 0)
    assert all(math.isnan(score.rates[name]) for name in ("median", "absolute", "near", "missed"))
    assert score.rates["false"] == 0


def test_verdicts_against_practices_by_hand() -> None:
    verdicts = [Verdict.STRONG, Verdict.MODERATE, Verdict.MODERATE, Verdict.WEAK, Verdict.POOR, Verdict.POOR]
    undecided = [Verdict.NR, Verdict.NA, Verdict.NA1, Verdict.NR]
    kept = np.array([True, True, False, True, False, False, True, True, False, False])
    score = verdict_score(codes(*verdicts, *undecided), kept)
    assert (score.agreed_kept, score.agreed_broken, score.objected_kept, score.objected_broken) == (2, 1, 1, 2)
    assert score.rates == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "objection_precision": pytest.approx(2 / 3),
        "objection_recall": pytest.approx(2 / 3),
        "not_relevant": 0.2,
        "not_evaluated": 0.2,
    }


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(Verdict)), st.booleans()), max_size=30))
def test_every_row_has_one_place(rows: list[tuple[Verdict, bool]]) -> None:
    score = verdict_score(codes(*(verdict for verdict, _ in rows)), np.array([kept for _, kept in rows], np.bool_))
    assert score.rows == len(rows)
    assert score.agreement.tp + score.objection.fn == sum(
        verdict in (Verdict.STRONG, Verdict.MODERATE) for verdict, _ in rows
    )


def test_tillage_against_days_by_hand() -> None:
    # right and in time; right, five weeks late; false; missed; harvest not found, tilled; not harvested; not evaluated
    harvest = codes(*[Found.FOUND] * 4, Found.NOT_FOUND, Found.FOUND, Found.NA)
    score = tillage_score(
        harvest,
        codes(Found.FOUND, Found.FOUND, Found.FOUND, Found.NOT_FOUND, Found.NA, Found.FOUND, Found.NA),
        days("2021-08-16", "2021-09-20", "2021-08-16", "", "", "2021-08-16", ""),
        days(*["2021-08-02"] * 5, "", "2021-08-02"),
        days("2021-08-30", "2021-08-18", "", "2021-08-18", "2021-08-18", "2021-08-18", "2021-08-18"),
    )
    counted = (score.rows, score.true, score.found, score.right, score.in_time, score.reached, score.true_reached)
    assert counted == (5, 4, 3, 2, 1, 4, 3)
    assert score.rates["precision"] == pytest.approx(2 / 3)
    assert score.rates["recall"] == 0.5
    assert score.rates["recall_reached"] == pytest.approx(2 / 3)
    assert score.rates["precision_in_time"] == pytest.approx(1 / 3)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="1, 2"):
        verdict_score(codes(Verdict.POOR, Verdict.POOR), np.array([True]))


def share_of_ones(values: np.ndarray):
    return lambda rows: {"share": float(values[rows].mean())}


def test_intervals_are_those_of_the_binomial_where_rows_are_alike() -> None:
    values = np.repeat([0.0, 1.0], 200)
    found = intervals(share_of_ones(values), np.zeros(400, np.int64), rng=np.random.default_rng(1), samples=2000)
    half = 1.96 * math.sqrt(0.25 / 400)
    assert found["share"].low == pytest.approx(0.5 - half, abs=0.006)
    assert found["share"].high == pytest.approx(0.5 + half, abs=0.006)


def test_intervals_know_that_series_differ() -> None:
    """Three series that are all 0, 0 and 1: drawn again, all of one kind is as usual as not."""
    groups = np.repeat([0, 1, 2], 100)
    found = intervals(share_of_ones((groups == 2) * 1.0), groups, rng=np.random.default_rng(1), samples=400)
    assert (found["share"].low, found["share"].high) == (0.0, 1.0)


def test_intervals_leave_out_draws_without_a_figure_and_repeat_themselves() -> None:
    def one(rows: np.ndarray) -> dict[str, float]:
        return {"never": math.nan, "known": float(rows.mean())}

    groups = np.zeros(20, np.int64)
    first, second = (intervals(one, groups, rng=np.random.default_rng(7), samples=20) for _ in range(2))
    assert math.isnan(first["never"].low)
    assert first["known"] == second["known"]
    assert first["known"].low < first["known"].high


def test_intervals_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="0 rows"):
        intervals(lambda rows: {}, np.empty(0, np.int64), rng=np.random.default_rng(1))
