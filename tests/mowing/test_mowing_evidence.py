"""Radar evidence of all orbits, weighed with the optical series."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.mowing import evidence as module
from s4c_lib.mowing import evidence_kernels as kernels
from s4c_lib.mowing.events import Events, Mission, joined, make_events
from s4c_lib.mowing.evidence import EvidenceSettings, Orbit, evidence_events, usual_coherence
from s4c_lib.mowing.screening import Screening
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.statistics.matrices import Series

FIRST = np.datetime64("2021-05-01T17:00:00")
DAY = np.timedelta64(1, "D")
PAIRS = 12


def rules(profile: str = "default", **changed: Any) -> EvidenceSettings:
    given = {"profile": profile}
    found = MowingSettings.of(resolve(Layers(season=given), phase="current").values).evidence
    assert found is not None
    return replace(found, **changed)


def coherence(
    values: npt.ArrayLike, orbit: int = 44, *, later_hours: int = 0, step: int = 6, pixels: int = 36, name: str = "vh"
) -> Series:
    """Pairs of ``step`` days, the first from 2021-05-01 to 05-07 at 17:00, or so many hours later."""
    mean = np.atleast_2d(np.asarray(values, np.float32))
    parcels, times = mean.shape
    previous: Any = FIRST + np.timedelta64(later_hours, "h") + np.arange(times) * step * DAY
    count = np.where(np.isfinite(mean), pixels, 0).astype(np.int32)
    return Series(
        f"coherence_{name}", orbit, "ascending", previous + step * DAY, previous, np.full(times, "sentinel-1a"),
        np.arange(1, parcels + 1), mean, np.full_like(mean, np.nan), count, np.full_like(count, pixels),
    )  # fmt: skip


def ndvi(observed: dict[str, float], parcels: int = 1) -> tuple[Series, Screening]:
    days: Any = np.array(list(observed), "datetime64[D]").astype("datetime64[s]") + np.timedelta64(630, "m")
    mean = np.tile(np.array(list(observed.values()), np.float32), (parcels, 1))
    count = np.full(mean.shape, 99, np.int32)
    none = np.full(len(days), np.datetime64("NaT", "s"))
    series = Series(
        "ndvi", None, None, days, none, np.full(len(days), "sentinel-2a"), np.arange(1, parcels + 1), mean,
        np.full_like(mean, np.nan), count, count,
    )  # fmt: skip
    return series, Screening(np.zeros(mean.shape, np.uint8))


def mown(at: int = 6, *, before: float = 0.25, after: float = 0.45, times: int = PAIRS) -> npt.NDArray[np.float32]:
    """Coherence that rises with pair ``at`` and falls back within four."""
    values = np.full(times, before, np.float32)
    fall = after - (after - before) * np.arange(4) / 4
    values[at : at + 4] = fall[: max(0, times - at)]
    return values


def weighed(
    orbits: list[Orbit],
    optical: Events | None = None,
    clear: tuple[Series, Screening] | None = None,
    **changed: Any,
) -> Events:
    told = rules(**{"min_parcels": 10**6, "spread_alone": 0.2, **changed})
    usual = [usual_coherence(one, told) for one in orbits]
    series, screening = clear or (None, None)
    return evidence_events(optical, series, screening, orbits, usual, told)


def drop(start: str, end: str, confidence: float = 0.7) -> Events:
    return make_events(
        parcel=[0],
        start=np.array([start], "datetime64[s]"),
        end=np.array([end], "datetime64[s]"),
        confidence=[confidence],
        missions=[Mission.S2],
        s2_before=[1],
        s2_low=[2],
        s2_after=[3],
        s2_v0=[0.8],
        s2_v1=[0.5],
        s2_drop=[0.4],
        n=[1],
    )


class TestOneOrbit:
    # Two pairs of 0.5 after two of 0.3: a rise of 2/3 of the usual 0.3. Variance of one pair 0.024 / 36 / 0.09 + 0.04.
    VARIANCE = 0.024 / 36 / 0.09 + 0.04

    def pairs(self, *, both: bool, rise_spread: float) -> npt.NDArray[np.float32]:
        values, none = np.array([[0.3, 0.3, 0.3, 0.5, 0.5]], np.float32), np.empty((0, 0), np.float32)
        level, days, found = np.full((1, 5), 0.3), np.arange(5.0) * 6, np.empty((1, 5), np.float32)
        kernels.weigh_pairs(
            0, 1, days, days + 6, values, values if both else none, np.zeros(1, np.int64), level, level,
            np.array([36]), 10.0, 0.6, rise_spread, 0.024, 0.2, 1000.0, 0, found,
        )  # fmt: skip
        row: npt.NDArray[np.float32] = found[0]
        return row

    def test_evidence_by_hand(self) -> None:
        found = self.pairs(both=False, rise_spread=0.0)
        assert found[3] == pytest.approx(0.6 * (2 / 3 - 0.3) / self.VARIANCE, rel=1e-5)
        assert np.isnan(found[0])
        # Two pairs after one, and no rise.
        assert found[1] == pytest.approx(0.6 * -0.3 / (self.VARIANCE * 1.5), rel=1e-5)

    def test_evidence_is_the_ratio_of_two_normal_densities(self) -> None:
        found = self.pairs(both=False, rise_spread=0.3)
        for at, rise, variance in ((3, 2 / 3, self.VARIANCE), (1, 0.0, self.VARIANCE * 1.5)):
            mown, still = NormalDist(0.6, np.sqrt(variance + 0.09)), NormalDist(0, np.sqrt(variance))
            assert found[at] == pytest.approx(np.log(mown.pdf(rise) / still.pdf(rise)), rel=1e-5)

    def test_a_second_polarisation_counts_less_than_another_date(self) -> None:
        # The errors of both correlate by 0.5: the variance of their mean is three quarters of that of one.
        found = self.pairs(both=True, rise_spread=0.0)
        assert found[3] == pytest.approx(0.6 * (2 / 3 - 0.3) / (self.VARIANCE * 0.75), rel=1e-5)

    def test_the_further_coherence_falls_the_less_it_looks_like_mowing(self) -> None:
        rises = np.linspace(-0.25, 0.6, 40)
        values = np.full((40, 4), 0.3, np.float32)
        values[:, 2:] += rises[:, None].astype(np.float32)
        level, days, found = np.full((1, 4), 0.3), np.arange(4.0) * 6, np.empty((40, 4), np.float32)
        kernels.weigh_pairs(
            0, 40, days, days + 6, values, np.empty((0, 0), np.float32), np.zeros(40, np.int64), level, level,
            np.full(40, 36), 10.0, 0.6, 0.3, 0.024, 0.2, 4.0, 0, found,
        )  # fmt: skip
        assert (np.diff(found[:, 2]) >= 0).all()
        assert found[0, 2] < -1
        assert found[-1, 2] > 4

    def test_mowing_lies_before_the_first_image_of_the_pair(self) -> None:
        events = weighed([Orbit(coherence(mown(6)))])
        assert len(events) == 1
        # Pair 6 is of 06-06 and 06-12; the pass before its first image is that of 05-31.
        assert str(events.start[0]) == "2021-05-31T17:00:00"
        assert str(events.end[0]) == "2021-06-06T17:00:00"
        assert (events.s1_orbit[0], events.s1_pair[0], events.n[0]) == (44, 6, 1)
        assert events.missions[0] == Mission.S1
        assert events.confidence[0] > 0.5

    def test_less_evidence_in_a_small_parcel(self) -> None:
        confidence = [
            weighed([Orbit(coherence(mown(), pixels=pixels))], least_confidence=0.0).confidence.max()
            for pixels in (200, 36, 9, 2)
        ]
        assert confidence == sorted(confidence, reverse=True)
        assert confidence[0] > 0.9
        assert confidence[-1] < 0.5

    @pytest.mark.parametrize("values", [np.full(PAIRS, 0.3), np.linspace(0.4, 0.2, PAIRS), np.full(PAIRS, np.nan)])
    def test_no_rise_no_event(self, values: npt.NDArray[np.float64]) -> None:
        assert len(weighed([Orbit(coherence(values))])) == 0

    @pytest.mark.parametrize("times", [1, 2])
    def test_too_few_pairs(self, times: int) -> None:
        assert len(weighed([Orbit(coherence(np.full(times, 0.4)))])) == 0

    def test_no_pair_at_all_leaves_the_optical_events(self) -> None:
        found = weighed([Orbit(coherence(np.empty((1, 0))))], drop("2021-05-31T10:30", "2021-06-05T10:30"))
        assert found.confidence.tolist() == [0.7]

    def test_a_missing_pair_does_not_hide_what_the_next_one_shows(self) -> None:
        values = mown()
        values[6] = np.nan
        events = weighed([Orbit(coherence(values))])
        assert len(events) == 1
        assert events.end[0] <= np.datetime64("2021-06-12T17:00:00")

    def test_pairs_whose_first_image_is_not_told(self) -> None:
        told = coherence(mown())
        bare = replace(told, previous_time=np.full(PAIRS, np.datetime64("NaT", "s")))
        first, second = (weighed([Orbit(one)]) for one in (told, bare))
        assert first.start.tolist() == second.start.tolist()
        assert first.confidence.tolist() == second.confidence.tolist()

    def test_a_longer_pair_of_the_same_day_changes_no_date(self) -> None:
        one = coherence(np.insert(mown(), 7, 0.2))
        previous, time = (np.insert(times, 7, times[7]) for times in (one.previous_time[:-1], one.time[:-1]))
        previous[7] -= 6 * DAY
        events = weighed([Orbit(replace(one, previous_time=previous, time=time))])
        assert (str(events.start[0]), str(events.end[0])) == ("2021-05-31T17:00:00", "2021-06-06T17:00:00")


class TestOrbits:
    def test_the_date_is_between_passes_of_either_orbit(self) -> None:
        # The second orbit passes 60 h later: mown after its pass of 06-03 05:00 and before that of 06-06 17:00.
        events = weighed([Orbit(coherence(mown(6))), Orbit(coherence(mown(6), 95, later_hours=60))])
        assert str(events.start[0]) == "2021-06-03T05:00:00"
        assert str(events.end[0]) == "2021-06-06T17:00:00"
        assert events.n[0] == 2

    def test_evidence_of_orbits_adds_up(self) -> None:
        one = weighed([Orbit(coherence(mown()))])
        both = weighed([Orbit(coherence(mown())), Orbit(coherence(mown(), 95, later_hours=60))])
        assert both.s1_excess[0] == pytest.approx(2 * one.s1_excess[0], rel=1e-5)
        assert both.confidence[0] > one.confidence[0]

    def test_an_orbit_that_sees_nothing_speaks_against_it(self) -> None:
        one = weighed([Orbit(coherence(mown()))], least_confidence=0.0)
        against = weighed(
            [Orbit(coherence(mown())), Orbit(coherence(np.full(PAIRS, 0.3), 95, later_hours=60))],
            least_confidence=0.0,
        )
        assert against.confidence.max() < one.confidence.max()

    def test_an_orbit_without_the_parcel_says_nothing_and_splits_no_date(self) -> None:
        one = weighed([Orbit(coherence(mown()))])
        other = Orbit(coherence(np.full(PAIRS, np.nan), 95, later_hours=60))
        both = weighed([Orbit(coherence(mown())), other])
        for name in ("start", "end", "confidence", "s1_pair", "n"):
            assert getattr(one, name).tolist() == getattr(both, name).tolist()


class TestWeather:
    def season(self, parcels: int) -> Series:
        """All parcels are the same but for noise; rain from pair 4 to 5 lowers all, the first is mown at 6."""
        rng = np.random.default_rng(2)
        values = np.clip(0.3 + rng.normal(0, 0.01, (parcels, PAIRS)), 0, 1)
        values[0] = mown(6, before=0.3, after=0.5)
        values[:, 4:6] *= 0.5
        return coherence(values)

    def test_what_happens_to_all_parcels_alike_is_weather(self) -> None:
        told = rules()
        orbit = Orbit(self.season(40))
        usual = usual_coherence(orbit, told)
        assert usual.driving[0, 5] < 0.6 * usual.driving[0, 3]
        assert usual.spread == told.spread
        events = evidence_events(None, None, None, [orbit], [usual], told)
        assert events.parcel.tolist() == [0]

    def test_weather_is_that_of_the_neighbours(self) -> None:
        # It rains on two thirds of the country: against the median of all, the others would seem to be mown.
        values = np.clip(0.3 + np.random.default_rng(2).normal(0, 0.01, (90, PAIRS)), 0, 1)
        values[30:, 4:6] *= 0.5
        orbit = Orbit(coherence(values))
        found = {}
        for neighbours in (30, 90):
            told = rules(trend_parcels=neighbours)
            usual = usual_coherence(orbit, told)
            found[neighbours] = evidence_events(None, None, None, [orbit], [usual], told).parcel.tolist()
        assert found == {30: [], 90: list(range(30))}

    def test_too_few_parcels_cannot_tell_weather(self) -> None:
        told = rules()
        usual = usual_coherence(Orbit(self.season(5)), told)
        assert len(np.unique(usual.driving)) == 1
        assert usual.spread == told.spread_alone


CLEAR_BEFORE = {"2021-05-25": 0.8, "2021-05-31": 0.82}


class TestOpticalSeries:
    def test_a_clear_series_without_a_drop_speaks_against_it(self) -> None:
        orbit = Orbit(coherence(mown()))
        alone = weighed([orbit])
        clear = weighed([orbit], None, ndvi({**CLEAR_BEFORE, "2021-06-08": 0.82, "2021-06-13": 0.83}))
        assert alone.confidence[0] > 0.9
        assert clear.confidence[0] < 0.7

    def test_a_drop_speaks_for_it(self) -> None:
        orbit = Orbit(coherence(mown(after=0.40)))
        alone = weighed([orbit], least_confidence=0.0)
        drop = weighed([orbit], None, ndvi({**CLEAR_BEFORE, "2021-06-08": 0.55, "2021-06-13": 0.6}))
        assert drop.confidence.max() > alone.confidence.max()
        assert drop.missions.tolist() == [Mission.S1]

    def test_radar_decides_where_the_optical_series_has_a_gap(self) -> None:
        orbit = Orbit(coherence(mown()))
        alone = weighed([orbit])
        cloudy = weighed([orbit], None, ndvi({"2021-04-20": 0.8, "2021-07-15": 0.82}))
        assert cloudy.confidence[0] == pytest.approx(alone.confidence[0], abs=0.04)

    def test_rejected_observations_say_nothing(self) -> None:
        orbit = Orbit(coherence(mown()))
        series, screening = ndvi({**CLEAR_BEFORE, "2021-06-08": 0.82})
        rejected = Screening(np.array([[0, 0, 3]], np.uint8))
        assert len(weighed([orbit], None, (series, rejected))) == 1
        assert weighed([orbit], None, (series, screening), least_confidence=0).confidence[0] < 0.5

    def test_radar_supports_an_optical_event_and_narrows_its_dates(self) -> None:
        orbits = [Orbit(coherence(mown()))]
        events = weighed(orbits, drop("2021-05-25T10:30", "2021-06-09T10:30"))
        assert len(events) == 1
        assert events.confidence[0] > 0.9
        assert (str(events.start[0]), str(events.end[0])) == ("2021-05-31T17:00:00", "2021-06-06T17:00:00")
        assert events.missions[0] == Mission.S1 | Mission.S2
        assert (events.n[0], events.s1_pair[0], events.s2_low[0]) == (2, 6, 2)

    def test_one_mowing_is_one_event_however_many_drops_lie_about_it(self) -> None:
        orbits = [Orbit(coherence(mown()))]
        first, second = drop("2021-05-25T10:30", "2021-06-02T10:30"), drop("2021-06-02T10:30", "2021-06-09T10:30", 0.8)
        events = weighed(orbits, joined([first, second]))
        # The radar event goes with the surer of the two drops.
        assert len(events) == 2
        assert events.end.tolist() == [first.end[0].item(), np.datetime64("2021-06-06T17:00:00").item()]
        assert np.argmax(events.confidence) == 1

    def test_radar_that_sees_nothing_lowers_it_within_bounds(self) -> None:
        flat = [Orbit(coherence(np.full(PAIRS, 0.3), orbit, pixels=900)) for orbit in (1, 2, 3, 4)]
        told = rules()
        before = drop("2021-05-25T10:30", "2021-06-09T10:30", confidence=0.95)
        events = weighed(flat, before)
        assert 0.3 < events.confidence[0] < 0.75
        assert events.missions[0] == Mission.S2
        assert (events.start[0], events.end[0]) == (before.start[0], before.end[0])
        # Were every mowing seen by radar, it would be out of the question.
        assert weighed(flat, before, unseen_share=0.0).confidence[0] < 0.1
        assert told.unseen_share > 0

    def test_an_event_that_no_pass_reaches_stays_as_it_is(self) -> None:
        events = weighed([Orbit(coherence(mown()))], drop("2021-09-25T10:30", "2021-09-30T10:30"))
        late = events.take(events.s2_low >= 0)
        assert late.confidence.tolist() == [0.7]
        assert np.isnan(late.s1_excess[0])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 7), shift=st.integers(-400, 400))
def test_parts_and_dates_do_not_matter(seed: int, size: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.clip(rng.normal(0.3, 0.12, (2, 7, PAIRS)), 0, 1).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    orbits = [Orbit(coherence(values[0])), Orbit(coherence(values[1], 95, later_hours=60))]
    whole = weighed(orbits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PARCELS_AT_ONCE", size)
        parts = weighed(orbits)
    moved = weighed(
        [
            Orbit(
                replace(
                    one.driving,
                    time=one.driving.time + shift * DAY,
                    previous_time=one.driving.previous_time + shift * DAY,
                )
            )
            for one in orbits
        ]
    )
    for name in ("parcel", "start", "end", "confidence", "s1_orbit", "s1_pair", "s1_excess", "n"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert np.array_equal(whole.start + shift * DAY, moved.start)
    assert np.array_equal(whole.confidence, moved.confidence)


def test_sen4cap_has_each_orbit_detect_by_itself() -> None:
    values = resolve(Layers(season={"profile": "reference"}), phase="current").values
    assert MowingSettings.of(values).evidence is None
