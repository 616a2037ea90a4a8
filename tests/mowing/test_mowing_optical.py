"""Drops of NDVI: the acceptance cases of Sen4CAP's method, and what holds for every series."""

from __future__ import annotations

from datetime import date, timedelta

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from mowing_optical_cases import of_matrix, series, settings, spaced, told

from s4c_lib.mowing.optical import Rejection, optical_events, screen

S2_1 = (0.80, 0.82, 0.83, 0.84, 0.84, 0.55, 0.60, 0.65, 0.70, 0.74, 0.78, 0.80)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(spaced("2021-05-01", *S2_1), [(0.633, "2021-05-21", "2021-05-26")], id="S2-1"),
        pytest.param(spaced("2021-05-01", 0.80, 0.84, 0.45, 0.80, 0.82, 0.83), [], id="S2-2a"),
        pytest.param(
            spaced("2021-05-01", 0.80, 0.84, 0.45, 0.69, 0.75, 0.80), [(0.726, "2021-05-06", "2021-05-11")], id="S2-2b"
        ),
        pytest.param(
            spaced("2021-05-01", 0.80, 0.84) | spaced("2021-06-20", 0.50, 0.55, 0.60),
            [(0.678, "2021-05-21", "2021-06-20")],
            id="S2-3",
        ),
        pytest.param(spaced("2021-05-01", 0.88, 0.90, 0.76, 0.78, 0.80), [], id="S2-4a"),
        pytest.param(
            spaced("2021-05-01", 0.88, 0.90, 0.74, 0.76, 0.80), [(0.526, "2021-05-06", "2021-05-11")], id="S2-4b"
        ),
        pytest.param(spaced("2021-05-01", 0.48, 0.50, 0.30, 0.33, 0.36), [], id="S2-4c"),
        pytest.param(
            spaced("2021-05-01", 0.48, 0.51, 0.30, 0.33, 0.36), [(0.630, "2021-05-06", "2021-05-11")], id="S2-4d"
        ),
        pytest.param(spaced("2021-05-01", 0.84, 0.84, 0.74, 0.63, 0.55, 0.56, 0.60), [], id="S2-5"),
        pytest.param(spaced("2021-05-01", 0.80, 0.82, 0.84, 0.84, 0.50), [], id="S2-6"),
        pytest.param(
            spaced("2021-05-01", 0.84, 0.08, 0.52, 0.56, 0.60), [(0.660, "2021-05-01", "2021-05-11")], id="S2-7"
        ),
        pytest.param(spaced("2021-05-01", 0.84, 0.72, 0.70), [], id="S2-10"),
        pytest.param(spaced("2021-05-01", 0.80, 0.68, 0.66), [], id="S2-10 where float32 is above the tie"),
        pytest.param(spaced("2021-12-08", *S2_1), [(0.633, "2021-12-28", "2022-01-02")], id="S2-13"),
    ],
)
def test_acceptance(values: dict[date, float], expected: list[tuple[float, str, str]]) -> None:
    assert told(optical_events(series(values), settings())) == expected


def test_an_event_tells_its_observations() -> None:
    event = optical_events(series(spaced("2021-05-01", *S2_1)), settings())
    assert (event.s2_before[0], event.s2_low[0], event.s2_after[0]) == (4, 5, 6)
    assert (event.s2_v0[0], event.s2_v1[0]) == (0.84, 0.55)
    assert event.s2_drop[0] == pytest.approx((0.84 - 0.55 - 0.12) / 0.55)
    assert str(event.start[0]) == "2021-05-21T10:30:00"
    assert str(event.end[0]) == "2021-05-26T10:30:00"
    assert event.n[0] == 1


def fall(low: float) -> list[float]:
    """Eight dates of S2-8: the low one, three of growth, a plateau."""
    return [low, low + 0.03, low + 0.08, low + 0.14, low + 0.20, *[max(0.70, low + 0.20)] * 3, 0.82]


def test_case_s2_8_all_five_are_candidates() -> None:
    parts = [[0.82] * 3, fall(0.60), fall(0.50), fall(0.40), fall(0.55), fall(0.45)]
    found = optical_events(series(spaced("2021-04-01", *[value for part in parts for value in part])), settings())
    assert told(found) == [
        (0.577, "2021-04-11", "2021-04-16"),
        (0.665, "2021-05-26", "2021-05-31"),
        (0.764, "2021-07-10", "2021-07-15"),
        (0.619, "2021-08-24", "2021-08-29"),
        (0.713, "2021-10-08", "2021-10-13"),
    ]


def test_case_s2_9_both_are_candidates() -> None:
    values = [0.82] * 8 + [0.60, 0.62, 0.66, 0.70, 0.76, 0.78, 0.80, 0.45, 0.48, 0.52, 0.60, 0.68, 0.74, 0.78, 0.82]
    found = optical_events(series(spaced("2021-04-01", *values)), settings())
    assert told(found) == [(0.577, "2021-05-06", "2021-05-11"), (0.700, "2021-06-10", "2021-06-15")]


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_case_s2_11_a_season_cut_anywhere_ends_as_the_whole(profile: str) -> None:
    """Statistics are kept, not events: the run to the end is the same whatever ran before it."""
    whole = spaced("2021-04-01", *[0.82] * 6, *S2_1)
    chosen = settings(profile)
    before = optical_events(series({day: value for day, value in whole.items() if day <= date(2021, 6, 25)}), chosen)
    after = optical_events(series(whole), chosen)
    assert told(before)[0][1:] == told(after)[0][1:] == ("2021-05-21", "2021-05-26")


def test_of_one_day_the_fuller_observation_counts() -> None:
    """S2-12 in its other form: two passes of one day are one observation, not two."""
    days = np.array(["2021-05-01", "2021-05-06", "2021-05-11", "2021-05-11", "2021-05-16"], "datetime64[s]")
    values = np.array([[0.84, 0.84, 0.80, 0.50, 0.55], [0.84, 0.84, 0.80, 0.50, 0.55]])
    both = of_matrix(days, values, np.array([[30, 30, 10, 30, 30], [30, 30, 30, 10, 30]]))
    assert screen(both, settings()).rejected.tolist() == [[0, 0, 4, 0, 0], [0, 0, 0, 4, 0]]
    events = optical_events(both, settings())
    assert events.parcel.tolist() == [0]
    assert told(events) == [(0.678, "2021-05-06", "2021-05-11")]


def test_screening_names_why() -> None:
    judged = screen(series(spaced("2021-05-01", 0.84, 0.05, np.nan, 0.1)), settings())
    assert judged.rejected.tolist() == [[Rejection.USED, Rejection.CORRUPTED, Rejection.MISSING, Rejection.USED]]


@pytest.mark.parametrize("profile", ["reference", "default"])
@pytest.mark.parametrize("values", [{}, {date(2021, 5, 1): 0.8}, spaced("2021-05-01", *[np.nan] * 9)])
def test_nothing_to_see_is_no_event(profile: str, values: dict[date, float]) -> None:
    assert len(optical_events(series(values), settings(profile))) == 0


def slowly(days: list[int], values: list[float]) -> list[tuple[int, int]]:
    """The method of section 4, word by word, for one parcel."""
    chosen = settings()
    kept = [(day, value) for day, value in zip(days, values, strict=True) if value >= chosen.corrupted_th]
    found = []
    for (t0, v0), (t1, v1), (t2, v2) in zip(kept, kept[1:], kept[2:], strict=False):
        drop = (v0 - v1 - chosen.decreasing_abs_th) / v1
        slow = (v2 - v1) / (t2 - t1) < chosen.increasing_rate_th - 1e-9
        if drop > 1e-9 and slow and v1 < chosen.high_abs_th - 1e-9 and v0 > chosen.low_abs_th + 1e-9:
            found.append((max(t0, t1 - chosen.no_mowing_after_det), t1))
    return found


@given(
    st.lists(st.lists(st.one_of(st.just(None), st.integers(0, 100)), min_size=12, max_size=12), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=12, max_size=12),
)
@hypothesis.settings(max_examples=50)
def test_all_parcels_at_once_as_each_alone(parcels: list[list[int | None]], steps: list[int]) -> None:
    days = np.cumsum(steps)
    values = np.array([[np.nan if value is None else value / 100 for value in parcel] for parcel in parcels])
    start = np.datetime64("2021-01-01", "D")
    found = optical_events(of_matrix((start + days).astype("datetime64[s]"), values), settings())
    for row in range(len(parcels)):
        there = np.isfinite(values[row])
        mine = found.take(found.parcel == row)
        got = [
            (int((a - start).astype(int)), int((b - start).astype(int)))
            for a, b in zip(mine.start.astype("datetime64[D]"), mine.end.astype("datetime64[D]"), strict=True)
        ]
        assert got == slowly(days[there].tolist(), values[row][there].tolist())


def test_parcels_beyond_one_portion_keep_their_numbers() -> None:
    days = np.datetime64("2021-05-01", "s") + np.arange(4) * np.timedelta64(timedelta(days=5))
    values = np.full((5000, 4), 0.8)
    values[4999, 2:] = 0.5
    assert optical_events(of_matrix(days, values), settings()).parcel.tolist() == [4999]


def cleared(*values: float) -> list[int]:
    return [int(code) for code in screen(series(spaced("2021-06-01", *values)), settings("default")).rejected[0]]


def test_a_low_date_from_which_ndvi_rises_faster_than_grass_is_a_cloud() -> None:
    """0.45 to 0.80 in five days is 0.35; grass and noise allow 5 x 0.03 + 0.05 = 0.20."""
    assert cleared(0.80, 0.82, 0.45, 0.80, 0.82) == [0, 0, Rejection.CLOUD, 0, 0]


def test_haze_of_two_dates_is_seen_as_one_cloud() -> None:
    assert cleared(0.82, 0.44, 0.45, 0.81, 0.82) == [0, Rejection.CLOUD, Rejection.CLOUD, 0, 0]


def test_the_cloud_over_a_mown_meadow_goes_and_the_mowing_stays() -> None:
    values = spaced("2021-06-01", 0.84, 0.84, 0.30, 0.55, 0.58, 0.62)
    events = optical_events(series(values), settings("default"))
    assert [one[1:] for one in told(events)] == [("2021-06-06", "2021-06-16")]
    assert (events.s2_before[0], events.s2_low[0], events.s2_after[0]) == (1, 3, 4)


@pytest.mark.parametrize("growth", [0.01, 0.02, 0.03])
def test_regrowth_is_no_cloud(growth: float) -> None:
    values = [0.84, 0.84, 0.50, *(0.50 + growth * 5 * step for step in range(1, 5))]
    assert not any(cleared(*values))


def test_spring_growth_is_no_cloud() -> None:
    """Nothing higher came before, so nothing was lowered."""
    assert not any(cleared(0.30, 0.32, 0.60, 0.84, 0.84))


def test_a_fall_over_several_dates_is_one_event_of_its_steep_part() -> None:
    """S2-5: no step is 0.12. The fall is 0.84 to 0.55: a quarter is lost below 0.7675, three quarters at 0.6225."""
    values = spaced("2021-05-01", 0.84, 0.84, 0.74, 0.63, 0.55, 0.56, 0.60)
    events = optical_events(series(values), settings("default"))
    assert [one[1:] for one in told(events)] == [("2021-05-06", "2021-05-21")]
    assert (events.s2_v0[0], events.s2_v1[0]) == (0.84, 0.55)
    assert events.s2_drop[0] == pytest.approx((0.84 - 0.55 - 0.08) / 0.55)


def test_the_calibrated_confidence_by_hand() -> None:
    """Two falls of 0.30 and 0.18, the second 0.6 of the first: log odds 0 + 10 x 0.18 + 2 x ln 0.6 = 0.778."""
    values = spaced("2021-05-01", 0.85, 0.85, 0.55, 0.60, 0.70, 0.78, 0.80, 0.80, 0.62, 0.62, 0.64)
    chosen = settings("default", conf_constant=0.0, conf_drop=10.0, conf_share=2.0, conf_autumn=-3.0)
    confidence = optical_events(series(values), chosen).confidence
    assert confidence == pytest.approx([1 / (1 + np.exp(-3.0)), 1 / (1 + np.exp(-0.77834875))])


@pytest.mark.parametrize(
    ("low", "months"),
    [("2021-07-20", 0.0), ("2021-10-01", 0.0), ("2021-10-16", 0.5), ("2021-12-30", 3.0), ("2022-01-08", 3.3)],
)
def test_a_fall_in_autumn_needs_more_evidence(low: str, months: float) -> None:
    first = (date.fromisoformat(low) - timedelta(days=10)).isoformat()
    chosen = settings("default", conf_constant=0.0, conf_drop=10.0, conf_autumn=-1.0, min_confidence=0.0)
    events = optical_events(series(spaced(first, 0.80, 0.80, 0.60, 0.62)), chosen)
    assert events.confidence == pytest.approx([1 / (1 + np.exp(months - 2.0))])


@pytest.mark.parametrize(("factor", "events"), [(3.3, 1), (3.5, 0)])
def test_a_fall_stands_out_from_the_noise_of_its_series(factor: float, events: int) -> None:
    """Every date but those beside the fall is 0.04 off the line of its neighbours: 1.4826 x 0.04 / sqrt(1.5) = 0.0484.

    The fall, from 0.82 to 0.658, is 3.35 times that.
    """
    values = spaced("2021-05-01", *[0.82, 0.78] * 8, 0.698, 0.658, *[0.698, 0.658] * 6)
    found = optical_events(series(values), settings("default", noise_factor=factor, min_step=0.0, min_confidence=0.0))
    assert len(found) == events


def test_snow_does_not_make_a_mowing_small() -> None:
    """The fall to snow in December is twice that of the mowing; a fall as large in August would count against it."""
    mowing = spaced("2021-06-01", 0.85, 0.85, 0.60, 0.62, 0.68, 0.74, 0.80, 0.82)
    after = [0.82, 0.82, 0.30, 0.30, 0.30]
    alone, winter, summer = (
        optical_events(series(mowing | other), settings("default", min_confidence=0.0)).confidence[0]
        for other in ({}, spaced("2021-12-01", *after), spaced("2021-08-10", *after))
    )
    assert alone == winter > summer


def test_unsure_candidates_are_left_out() -> None:
    values = series(spaced("2021-05-01", *S2_1))
    sure = float(optical_events(values, settings("default")).confidence[0])
    assert len(optical_events(values, settings("default", min_confidence=sure - 0.001))) == 1
    assert len(optical_events(values, settings("default", min_confidence=sure + 0.001))) == 0


@pytest.mark.parametrize("profile", ["reference", "default"])
@given(
    values=st.lists(st.one_of(st.just(np.nan), st.integers(5, 95)), min_size=3, max_size=25),
    steps=st.lists(st.integers(0, 30), min_size=25, max_size=25),
)
@hypothesis.settings(max_examples=50)
def test_events_of_a_parcel_never_overlap_and_hold_their_observations(
    profile: str, values: list[float], steps: list[int]
) -> None:
    days = np.datetime64("2021-03-01", "D") + np.cumsum(steps[: len(values)])
    chosen = settings(profile)
    data = of_matrix(days.astype("datetime64[s]"), np.array([values]) / 100)
    judged, events = screen(data, chosen), optical_events(data, chosen)
    assert (events.end[:-1] <= events.start[1:]).all()
    assert (events.start < events.end).all()
    assert (events.end - events.start <= np.timedelta64(30, "D")).all()
    assert ((events.s2_before < events.s2_low) & (events.s2_low < events.s2_after)).all()
    assert judged.used[0][np.concatenate([events.s2_before, events.s2_low, events.s2_after])].all()
    assert (events.s2_v0 - events.s2_v1 > chosen.decreasing_abs_th).all()
    assert ((events.confidence > 0) & (events.confidence < 1)).all()


@given(st.lists(st.integers(5, 95), min_size=4, max_size=25), st.permutations(range(4)))
@hypothesis.settings(max_examples=50)
def test_a_parcel_does_not_depend_on_the_others(values: list[int], order: list[int]) -> None:
    days = np.datetime64("2021-03-01", "s") + np.arange(len(values)) * np.timedelta64(timedelta(days=6))
    shifted = np.array([np.roll(values, by) for by in range(4)]) / 100
    together = optical_events(of_matrix(days, shifted[order]), settings("default"))
    for place, row in enumerate(order):
        alone = optical_events(of_matrix(days, shifted[row : row + 1]), settings("default"))
        assert told(together.take(together.parcel == place)) == told(alone)
