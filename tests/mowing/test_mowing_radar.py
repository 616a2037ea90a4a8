"""Jumps of coherence: the acceptance cases, gaps, dates, odd series, and what holds for every series."""

from __future__ import annotations

import math
from datetime import date, timedelta
from statistics import median
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from mowing_radar_cases import FLAT, JUMP, coherence, coherence_matrix, mowing_settings, pairs, shown
from scipy.special import erfinv

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Events
from s4c_lib.mowing.radar import RadarSettings, radar_events
from s4c_lib.statistics.matrices import Series

EVENT = ("2021-05-21T18", "2021-05-27T18")
NAN = math.nan


def told(profile: str, series: Series, vv: Series | None = None, **changes: Any) -> list[tuple[float, str, str]]:
    return shown(radar_events(series, vv, mowing_settings(profile, **changes).radar))


@pytest.mark.parametrize("profile", ["reference", "default"])
@pytest.mark.parametrize(
    ("values", "pixels", "changes", "excess", "expected"),
    [
        pytest.param(FLAT + JUMP, 36, {}, 2.791924, 0.469, id="S1-1"),
        pytest.param(FLAT + JUMP, 4, {}, None, None, id="S1-2"),
        pytest.param(tuple(0.20 + 0.02 * k for k in range(17)), 36, {}, None, None, id="S1-4"),
        pytest.param((0.20, 0.40, 0.25, 0.38, 0.22, 0.41, 0.24, 0.37, 0.23, 0.39, 0.60), 36, {}, None, None, id="S1-5"),
        pytest.param((*FLAT, 0.75, 0.70, 0.62, 0.50, 0.42, 0.36, 0.33), 36, {}, 11.70, 0.5, id="S1-6"),
        pytest.param(FLAT + JUMP, 36, {"s1__pfa": 3e-7}, 3.219508, 0.480, id="S1-7"),
    ],
)
def test_acceptance(
    profile: str, values: tuple[float, ...], pixels: int, changes: dict[str, Any], excess: float | None, expected: Any
) -> None:
    series = coherence(pairs(*values), pixels=pixels)
    events = radar_events(series, None, mowing_settings(profile, **changes).radar)
    assert shown(events) == ([] if expected is None else [(expected, *EVENT)])
    if excess is not None:
        assert events.s1_excess[0] == pytest.approx(excess, abs=5e-3 if excess > 5 else 5e-6)
        assert (events.s1_orbit[0], events.s1_pair[0], events.n[0]) == (44, 10, 1)


def test_s1_3_a_gap_in_the_history() -> None:
    gap = pairs(*FLAT[:7], NAN, *FLAT[8:], *JUMP)
    assert told("reference", coherence(gap)) == []
    events = radar_events(coherence(gap), None, mowing_settings().radar)
    assert shown(events) == [(0.472, *EVENT)]
    assert events.s1_excess[0] == pytest.approx(2.876585, abs=5e-6)
    # each repair is its own switch
    assert told("reference", coherence(gap), repairs=(8,)) == [(0.472, *EVENT)]
    assert told("default", coherence(gap), repairs=(6, 7, 11)) == []


def test_a_gap_too_long_gives_no_history() -> None:
    """45 days (1.5 x 5 x 6) is the oldest a history may reach; with 3 missing it is 48."""
    missing = pairs(*FLAT[:6], NAN, NAN, NAN, FLAT[9], *JUMP)
    assert told("default", coherence(pairs(*FLAT, *[0.31] * 7), missing)) == []
    two = pairs(*FLAT[:7], NAN, NAN, FLAT[9], *JUMP)
    assert len(told("default", coherence(pairs(*FLAT, *[0.31] * 7), two))) == 1


def test_pairs_of_12_days() -> None:
    """Sen4CAP's 6 days end at the pass before the pair, true dates at its first image: the same day, 6 days more."""
    series = coherence(pairs(*FLAT, *JUMP, step=timedelta(days=12)), length=timedelta(days=12))
    assert told("reference", series) == [(0.469, "2021-07-14T18", "2021-07-20T18")]
    assert told("default", series) == [(0.469, "2021-07-08T18", "2021-07-20T18")]
    assert told("reference", series, s1__time_interval_days=12) == told("default", series)


def test_true_dates_after_a_lost_pair() -> None:
    """Pair 9 is lost for all: Sen4CAP ends the interval at pair 8, though pair 10 began 6 days later."""
    lost = {day: value for number, (day, value) in enumerate(pairs(*FLAT, *JUMP).items()) if number != 9}
    assert [one[1:] for one in told("reference", coherence(lost))] == [("2021-05-15T18", "2021-05-21T18")]
    assert [one[1:] for one in told("default", coherence(lost))] == [EVENT]


def test_a_pair_that_does_not_tell_its_first_image() -> None:
    assert told("default", coherence(pairs(*FLAT, *JUMP), length=None)) == [(0.469, *EVENT)]


def test_hour_of_the_orbit() -> None:
    series = coherence(pairs(*FLAT, *JUMP), direction="descending")
    assert told("default", series) == [(0.469, "2021-05-21T06", "2021-05-27T06")]
    assert told("reference", series) == [(0.469, *EVENT)]
    assert told("default", coherence(pairs(*FLAT, *JUMP), direction=None)) == [(0.469, *EVENT)]  # passes at 17:00


def test_vv_raises_what_vh_shows_and_nothing_else() -> None:
    vh = coherence(pairs(*FLAT, *JUMP), pairs(*FLAT, *FLAT[:7]), pairs(*FLAT, *JUMP))
    strong = (*FLAT, 0.75, *JUMP[1:])
    vv = coherence(pairs(*strong), pairs(*strong), pairs(*FLAT, *[0.31] * 7), variable="coherence_vv")
    both = radar_events(vh, vv, mowing_settings().radar)
    assert both.parcel.tolist() == [0, 2]
    assert [one[0] for one in shown(both)] == [0.5, 0.469]
    assert [one[0] for one in told("default", vh)] == [0.469, 0.469]
    with pytest.raises(InputError, match="not of the same parcels"):
        radar_events(vh, coherence(pairs(*strong)), mowing_settings().radar)


@pytest.mark.parametrize("profile", ["reference", "default"])
def test_series_too_thin_give_none(profile: str) -> None:
    empty = coherence_matrix(np.empty(0), np.empty(0), np.empty((2, 0)))
    assert told(profile, empty) == []
    assert told(profile, coherence(pairs(0.9))) == []
    assert told(profile, coherence(pairs(*[NAN] * 12))) == []
    assert told(profile, coherence(pairs(*FLAT[:5]))) == []
    nobody = coherence_matrix(*(np.array(["2021-04-03"], "datetime64[s]"),) * 2, np.empty((0, 1)))
    assert told(profile, nobody) == []


def test_no_pixels_no_event() -> None:
    """Pixel noise of no pixel is endless."""
    assert told("default", coherence(pairs(*FLAT, *JUMP), pixels=0)) == []


def test_a_constant_history_has_some_spread() -> None:
    series = coherence(pairs(*[0.3] * 6))
    assert told("default", series, s1__saturate_sigma=False) == []
    assert len(told("default", coherence(pairs(*[0.3] * 5, 0.301)), s1__saturate_sigma=False)) == 1


def test_two_pairs_with_one_later_image() -> None:
    """Of one day, the pair with more valid pixels counts; of equal ones the shorter."""
    days = [date(2021, 4, 3) + timedelta(days=6 * k) for k in range(11)]
    values = [*FLAT, 0.75]
    for n, expected in (((36, 36), 0.469), ((36, 20), 0.5), ((20, 36), 0.469)):
        time = np.array([*days, days[-1]], "datetime64[s]")
        previous = time - np.timedelta64(6, "D")
        previous[-2] -= np.timedelta64(6, "D")  # as `series_of` sorts them: the longer first
        series = coherence_matrix(time, previous, np.array([[*values, 0.52]], np.float32))
        series.n[0, -2:] = n
        assert [one[0] for one in told("default", series)] == [expected]
    reference = told("reference", series)
    assert reference == [(0.469, *EVENT)]


def test_over_new_year() -> None:
    before, after = (coherence(pairs(*FLAT, *JUMP, first=day)) for day in ("2021-04-03", "2021-11-08"))
    shift = np.datetime64("2021-11-08") - np.datetime64("2021-04-03")
    for profile in ("reference", "default"):
        one, other = (radar_events(series, None, mowing_settings(profile).radar) for series in (before, after))
        assert other.start - one.start == shift
        assert (str(other.start[0])[:10], str(other.end[0])[:10]) == ("2021-12-26", "2022-01-01")
        np.testing.assert_array_equal(one.confidence, other.confidence)


def test_only_pairs_of_the_period_are_tested() -> None:
    series = coherence(pairs(*FLAT, *JUMP))
    radar = mowing_settings().radar
    assert len(radar_events(series, None, radar, first=date(2021, 6, 2), last=date(2021, 6, 2))) == 1
    assert len(radar_events(series, None, radar, first=date(2021, 6, 3))) == 0
    assert len(radar_events(series, None, radar, last=date(2021, 6, 1))) == 0


def slow_events(series: Series, radar: RadarSettings) -> list[tuple[int, int, float]]:
    """Parcel, column, D: one parcel after the other as section 5 says it, in plain Python."""
    k = math.sqrt(2) * float(erfinv(1 - 2 * radar.pfa))
    days = [int(day) for day in series.time.astype("datetime64[D]").astype(int)]
    different = sorted(set(days))
    found = []
    for parcel in range(len(series.parcel_id)):
        best: dict[int, int] = {}
        for column, day in enumerate(days):
            if math.isnan(series.mean[parcel, column]):
                continue
            if day not in best or series.n[parcel, column] >= series.n[parcel, best[day]]:
                best[day] = column
        for number, day in enumerate(different):
            if day not in best:
                continue
            if radar.bridge_gaps:
                steps = np.diff([one for one in different if one <= day][-radar.stat_smpl_n - 1 :]).tolist()
                revisit = median(steps) if steps else radar.time_interval_days
                known = [one for one in different if one < day and one in best][-radar.stat_smpl_n :]
                usable = len(known) == radar.stat_smpl_n and known[0] >= day - 1.5 * radar.stat_smpl_n * revisit
            else:
                known = different[max(number - radar.stat_smpl_n, 0) : number]
                usable = len(known) == radar.stat_smpl_n and all(one in best for one in known)
            if not usable:
                continue
            y = [round(float(series.mean[parcel, best[one]]), 6) for one in known]
            slope, level = np.polyfit(np.array(known) - known[0], y, 1)
            rest = np.array(y) - (level + slope * (np.array(known) - known[0]))
            total = float(series.n_total[parcel, best[day]])
            spread = max(float(rest.std()), math.sqrt(radar.min_cohe_var / total))
            value = round(float(series.mean[parcel, best[day]]), 6)
            excess = (value - (level + slope * (known[-1] - known[0]))) / spread - k
            if excess > 1e-9:
                found.append((parcel, best[day], excess))
    return found


@st.composite
def any_series(draw: st.DrawFn) -> Series:
    columns = draw(st.integers(0, 14))
    steps = draw(st.lists(st.sampled_from([0, 6, 6, 6, 12, 18]), min_size=columns, max_size=columns))
    time = np.datetime64("2021-11-20T05:50:00", "s") + np.cumsum([0, *steps])[:columns] * np.timedelta64(1, "D")
    length = np.arange(columns)[::-1] + 6  # of one day the later column is the shorter pair
    value = st.one_of(st.just(NAN), st.integers(100, 900).map(lambda number: number / 1000))
    parcels = draw(st.integers(1, 4))
    mean = [draw(st.lists(value, min_size=columns, max_size=columns)) for _ in range(parcels)]
    counts = [draw(st.lists(st.sampled_from([9, 30]), min_size=columns, max_size=columns)) for _ in range(parcels)]
    series = coherence_matrix(
        time, time - length * np.timedelta64(1, "D"), np.array(mean).reshape(parcels, columns), 400
    )
    series.n[:] = np.array(counts, np.int32).reshape(parcels, columns)
    return series


@pytest.mark.parametrize("profile", ["reference", "default"])
@settings(deadline=None, max_examples=60)
@given(series=any_series())
def test_as_one_parcel_after_the_other(profile: str, series: Series) -> None:
    radar = mowing_settings(profile, s1__pfa=0.2).radar
    events = radar_events(series, None, radar)
    slow = slow_events(series, radar)
    assert list(zip(events.parcel, events.s1_pair, strict=True)) == [one[:2] for one in slow]
    np.testing.assert_allclose(events.s1_excess, [one[2] for one in slow], rtol=1e-6, atol=1e-7)


@settings(deadline=None, max_examples=30)
@given(series=any_series(), cut=st.integers(0, 14))
def test_later_pairs_change_nothing(series: Series, cut: int) -> None:
    """What a run up to some day finds is what the run over all finds up to that day."""
    if cut >= len(series.time):
        return
    last = series.time[cut].astype("datetime64[D]")
    before = series.time.astype("datetime64[D]") <= last
    radar = mowing_settings(s1__pfa=0.2).radar
    columns: dict[str, npt.NDArray[Any]] = {
        name: getattr(series, name)[..., before]
        for name in ("time", "previous_time", "platform", "mean", "std", "n", "n_total")
    }
    part = Series(series.variable, series.orbit, series.direction, parcel_id=series.parcel_id, **columns)
    early, whole = radar_events(part, None, radar), radar_events(series, None, radar)
    same = whole.take(before[whole.s1_pair]) if len(whole) else whole
    for name in Events.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(early, name), getattr(same, name))
