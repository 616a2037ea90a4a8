"""The metric by which mowing detection is judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Events, make_events, no_events
from s4c_lib.mowing.reliability import reliability, wilson
from s4c_lib.mowing.validation import (
    Score,
    Truths,
    bootstrap,
    count_error,
    match,
    one_to_one_score,
    reference_score,
    timing,
)


def events(*rows: tuple[int, str, str]) -> Events:
    """Optical events: parcel row, start and end."""
    return make_events(
        parcel=[row[0] for row in rows],
        start=np.array([row[1] for row in rows], "datetime64[s]"),
        end=np.array([row[2] for row in rows], "datetime64[s]"),
        confidence=np.full(len(rows), 0.7),
        missions=np.ones(len(rows)),
        n=np.ones(len(rows)),
    )


def truths(parcels: int, *rows: tuple[int, str]) -> Truths:
    return Truths.of(parcels, [row[0] for row in rows], np.array([row[1] for row in rows], "datetime64[D]"))


class TestReferenceMetric:
    @pytest.mark.parametrize(
        ("start", "end", "right"),
        [
            ("2021-05-20T10:30", "2021-05-25T10:30", True),
            # The window of 05-10 ± 3 d is from 05-07 00:00 to 05-13 23:59:59, its ends excluded.
            ("2021-05-02T10:30", "2021-05-07T00:00", False),
            ("2021-05-02T10:30", "2021-05-07T00:01", True),
            ("2021-05-13T23:59:59", "2021-05-18T10:30", False),
            ("2021-05-13T23:59:58", "2021-05-18T10:30", True),
        ],
    )
    def test_tolerance_is_days_around_the_whole_true_day(self, start: str, end: str, right: bool) -> None:
        known = truths(1, (0, "2021-05-10"), (0, "2021-05-22"))
        found = match(events((0, start, end)), known)
        assert found.detection_right.tolist() == [right]

    def test_tolerances_are_of_either_side(self) -> None:
        known = truths(1, (0, "2021-05-10"))
        early = events((0, "2021-05-01T10:30", "2021-05-05T10:30"))
        late = events((0, "2021-05-16T10:30", "2021-05-20T10:30"))
        assert reference_score(match(early, known, backward_days=10, forward_days=0)) == Score(1, 0, 0)
        assert reference_score(match(late, known, backward_days=10, forward_days=0)) == Score(0, 1, 1)
        assert reference_score(match(late, known, backward_days=0, forward_days=10)) == Score(1, 0, 0)

    def test_two_detections_may_count_for_one_truth_but_not_one_to_one(self) -> None:
        known = truths(2, (0, "2021-05-10"), (0, "2021-08-01"), (1, "2021-05-10"))
        found = match(
            events(
                (0, "2021-05-04T10:30", "2021-05-09T10:30"),
                (0, "2021-05-09T10:30", "2021-05-14T10:30"),
                (1, "2021-07-04T10:30", "2021-07-09T10:30"),
            ),
            known,
        )
        assert reference_score(found) == Score(2, 1, 2)
        assert one_to_one_score(found) == Score(1, 2, 2)
        assert reference_score(found).precision == pytest.approx(2 / 3)
        assert reference_score(found).recall == pytest.approx(0.5)
        assert reference_score(found).f1 == pytest.approx(4 / 7)

    def test_a_truth_of_another_parcel_does_not_count(self) -> None:
        found = match(events((0, "2021-05-04", "2021-05-09")), truths(2, (1, "2021-05-06")))
        assert reference_score(found) == Score(0, 1, 1)

    def test_detections_after_the_end_of_validation_are_not_judged(self) -> None:
        found = match(
            events((0, "2021-05-04", "2021-05-09"), (0, "2021-11-04", "2021-11-09")),
            truths(1, (0, "2021-05-06")),
            until=np.datetime64("2021-10-31T23:59:59"),
        )
        assert found.judged.tolist() == [0]
        assert reference_score(found) == Score(1, 0, 0)

    def test_without_detections_there_is_no_precision(self) -> None:
        score = reference_score(match(no_events(), truths(1, (0, "2021-05-06"))))
        assert score == Score(0, 0, 1)
        assert np.isnan(score.precision)
        assert score.recall == score.f1 == 0

    def test_rows_outside_the_parcels_are_refused(self) -> None:
        with pytest.raises(InputError, match="truth"):
            truths(1, (1, "2021-05-06"))
        with pytest.raises(InputError, match="event"):
            match(events((3, "2021-05-04", "2021-05-09")), truths(1))


class TestOneToOne:
    def test_a_long_interval_leaves_the_truth_that_a_short_one_needs(self) -> None:
        # The long one meets both truths, the short one only the first.
        known = truths(1, (0, "2021-05-10"), (0, "2021-06-10"))
        found = match(events((0, "2021-05-08", "2021-06-12"), (0, "2021-05-09", "2021-05-12")), known, backward_days=0)
        assert one_to_one_score(found) == Score(2, 0, 0)
        assert dict(zip(found.pair_truth.tolist(), found.pair_detection.tolist(), strict=True)) == {0: 1, 1: 0}

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(1, 40)), max_size=12),
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90)), max_size=10),
        st.integers(0, 12),
    )
    def test_no_matching_has_more_pairs(
        self, detected: list[tuple[int, int, int]], known: list[tuple[int, int]], tolerance: int
    ) -> None:
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import maximum_bipartite_matching

        origin = np.datetime64("2021-04-01T10:30:00")
        found = events(
            *(
                (parcel, str(origin + np.timedelta64(begin, "D")), str(origin + np.timedelta64(begin + length, "D")))
                for parcel, begin, length in detected
            )
        )
        dates = truths(3, *((parcel, str(np.datetime64("2021-04-01") + day)) for parcel, day in known))
        matches = match(found, dates, backward_days=tolerance, forward_days=tolerance)
        wide, second = np.timedelta64(86400 * tolerance, "s"), np.timedelta64(86399, "s")
        day: Any = dates.day.astype("datetime64[s]")
        meets = (
            (found.parcel[:, None] == dates.parcel)
            & (found.start[:, None] < day + wide + second)
            & (found.end[:, None] > day - wide)
        ).reshape(len(found), len(dates))
        assert matches.detection_right.tolist() == meets.any(axis=1).tolist()
        assert matches.truth_found.tolist() == meets.any(axis=0).tolist()
        best = 0
        if meets.size:
            best = int((maximum_bipartite_matching(csr_matrix(meets), perm_type="column") >= 0).sum())
        assert len(matches.pair_truth) == best
        assert len(set(matches.pair_detection.tolist())) == len(set(matches.pair_truth.tolist())) == best
        assert meets[matches.pair_detection, matches.pair_truth].all()


class TestDates:
    def test_delay_and_distance_by_hand(self) -> None:
        known = truths(2, (0, "2021-05-10"), (1, "2021-05-10"))
        found = events((0, "2021-05-08T12:00", "2021-05-12T12:00"), (1, "2021-05-12T12:00", "2021-05-14T12:00"))
        dates = timing(found, known, match(found, known))
        assert (dates.delay_median, dates.delay_mean) == (3.0, 3.0)
        # Noon of the day is within the first and two days before the second.
        assert (dates.outside_mean, dates.outside_share) == (1.0, 0.5)
        assert (dates.middle_mean, dates.length_median) == (1.5, 3.0)

    def test_counts_by_hand(self) -> None:
        known = truths(4, (0, "2021-05-10"), (1, "2021-05-10"), (1, "2021-07-10"))
        found = events((0, "2021-05-08", "2021-05-12"), (2, "2021-05-08", "2021-05-12"))
        error = count_error(known, found, match(found, known))
        assert (error.mean_absolute, error.exact) == (0.75, 0.5)

    def test_without_pairs_dates_are_undefined(self) -> None:
        known = truths(1, (0, "2021-05-10"))
        assert np.isnan(timing(no_events(), known, match(no_events(), known)).delay_mean)


class TestReliability:
    def test_bins_by_hand(self) -> None:
        table = reliability([0.5, 0.55, 0.9, 1.0], [True, False, True, True])
        assert table.low.tolist() == [0.5, 0.9]
        assert table.n.tolist() == [2, 2]
        assert table.right.tolist() == [1, 2]
        assert table.confidence == pytest.approx([0.525, 0.95])
        assert table.share.tolist() == [0.5, 1.0]
        assert table.error == pytest.approx((0.025 + 0.05) / 2)

    def test_wilson_of_a_textbook_case(self) -> None:
        # 8 of 10: (0.8 + 0.19207 ± 1.96 sqrt(0.016 + 0.0096)) / 1.38415
        low, high = wilson(8, 10)
        assert float(low) == pytest.approx(0.4902, abs=1e-4)
        assert float(high) == pytest.approx(0.9433, abs=1e-4)

    def test_no_events(self) -> None:
        assert np.isnan(reliability([], []).error)

    @pytest.mark.parametrize("wrong", [1.2, -0.1, float("nan")])
    def test_what_is_no_confidence_is_refused(self, wrong: float) -> None:
        with pytest.raises(InputError):
            reliability([wrong], [True])


class TestBootstrap:
    def sample(self, parcels: int = 400) -> tuple[Events, Truths]:
        """Every parcel has one truth; a third is found, and as many are invented."""
        rng = np.random.default_rng(3)
        day = np.datetime64("2021-05-10")
        shift = np.where(rng.random(parcels) < 1 / 2, 0, 60)
        start = (day - 2 + shift).astype("datetime64[s]")
        found = make_events(
            parcel=np.arange(parcels),
            start=start,
            end=start + np.timedelta64(4, "D"),
            confidence=np.full(parcels, 0.7),
            missions=np.ones(parcels),
            n=np.ones(parcels),
        )
        return found, Truths.of(parcels, np.arange(parcels), np.full(parcels, day))

    @pytest.mark.parametrize("one_to_one", [False, True])
    def test_width_is_that_of_the_binomial(self, one_to_one: bool) -> None:
        found, known = self.sample()
        matches = match(found, known)
        score = reference_score(matches)
        interval = bootstrap(found, known, matches, rng=np.random.default_rng(1), one_to_one=one_to_one)["precision"]
        assert interval.low < score.precision < interval.high
        expected = 2 * 1.96 * np.sqrt(score.precision * (1 - score.precision) / 400)
        assert interval.high - interval.low == pytest.approx(expected, rel=0.1)

    def test_what_is_drawn_as_one_gives_wider_intervals(self) -> None:
        found, known = self.sample()
        matches = match(found, known)
        right: Any = matches.detection_right
        # Groups of 20 that are all right or all wrong.
        groups = np.argsort(np.argsort(right, kind="stable")) // 20
        apart = bootstrap(found, known, matches, rng=np.random.default_rng(1))["f1"]
        together = bootstrap(found, known, matches, rng=np.random.default_rng(1), groups=groups)["f1"]
        assert together.high - together.low > 3 * (apart.high - apart.low)

    def test_same_seed_same_interval(self) -> None:
        found, known = self.sample(50)
        matches = match(found, known)
        first, second = (bootstrap(found, known, matches, rng=np.random.default_rng(5)) for _ in range(2))
        assert first == second

    def test_nothing_detected(self) -> None:
        known = truths(3, (0, "2021-05-10"))
        found = bootstrap(no_events(), known, match(no_events(), known), rng=np.random.default_rng(1), samples=20)
        assert np.isnan(found["precision"].low)
        assert found["recall"].high == 0
