"""L4B as a whole: what is looked at, what is found, and that history, order and parts do not matter."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from mowing_optical_cases import of_matrix, spaced
from mowing_optical_cases import series as ndvi
from mowing_radar_cases import (
    FLAT,
    JUMP,
    coherence,
    coherence_matrix,
    mowing_settings,
    pairs,
    seen_by,
    shown,
    values,
)

from s4c_lib.errors import InputError
from s4c_lib.mowing import detection
from s4c_lib.mowing.detection import Mowing, MowingParcels, detect
from s4c_lib.mowing.events import Events
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parcels.l4b_configuration import L4bConfiguration
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod
from s4c_lib.statistics.matrices import Key, Series, series_of
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA

FIRST, LAST = date(2021, 4, 1), date(2021, 10, 31)
S2_1 = spaced("2021-05-01", 0.80, 0.82, 0.83, 0.84, 0.84, 0.55, 0.60, 0.65, 0.70, 0.74, 0.78, 0.80)
LEVEL = spaced("2021-05-01", *[0.80] * 12)
BOTH = pairs(*FLAT, *JUMP)
QUIET = pairs(*FLAT, *[0.31] * 7)
PERIOD = MowingPeriod("A", date(2021, 5, 1), date(2021, 7, 31), 0)
CASES = L4bConfiguration(2021, compliance=(PERIOD,))


def parcels(*numbers: int, crop: Any = None, **more: Any) -> MowingParcels:
    return MowingParcels(np.array(numbers, np.int64), ["A"] * len(numbers) if crop is None else crop, **more)


def season(orbits: tuple[int, ...] = (44,)) -> dict[Key, Series]:
    """Parcel 1 is mown for both missions, 2 for radar, 3 for nobody."""
    radar: dict[Key, Series] = {("coherence_vh", orbit): coherence(BOTH, BOTH, QUIET, orbit=orbit) for orbit in orbits}
    return {("ndvi", None): ndvi(S2_1, LEVEL, LEVEL), **radar}


def run(series: dict[Key, Series], asked: MowingParcels, profile: str = "reference", **changes: Any) -> Mowing:
    return detect(series, asked, mowing_settings(profile, CASES, **changes), FIRST, LAST)


def same(one: Mowing, other: Mowing) -> None:
    for field in fields(Events):
        np.testing.assert_array_equal(getattr(one.events, field.name), getattr(other.events, field.name), field.name)
    for field in fields(Mowing):
        if field.name not in ("events", "candidates"):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


def test_missions_sy_3() -> None:
    """S2 alone leaves no S1, S1 alone no S2."""
    asked = parcels(1, 2, 3)
    both = run(season((44, 95)), asked)
    assert [(int(at), mission) for at, mission in zip(both.events.parcel, seen_by(both.events), strict=True)] == [
        (0, "S2/S1"),
        (1, "S1"),
    ]
    assert both.events.confidence[0] == pytest.approx(0.846, abs=1e-9)  # F-3, rounded as written
    assert (both.mow_n.tolist(), both.compl.tolist()) == ([1, 1, 0], [1, 1, 2])
    optical = run(season(), asked, input_product_types="S2")
    assert (shown(optical.events), seen_by(optical.events)) == ([(0.633, "2021-05-21T10", "2021-05-26T10")], ["S2"])
    assert optical.n_pairs.tolist() == [0, 0, 0]
    radar = run(season(), asked, input_product_types="S1")
    assert seen_by(radar.events) == ["S1", "S1"]
    assert (radar.n_clear.tolist(), radar.max_gap_d.tolist()) == ([0, 0, 0], [-1, -1, -1])


def test_each_parcel_tells_what_it_is_based_on() -> None:
    found = run(season((44, 95)), parcels(1, 2, 3))
    assert found.status_names.tolist() == ["processed"] * 3
    assert found.n_clear.tolist() == [12, 12, 12]
    assert found.n_pairs.tolist() == [34, 34, 34]
    assert found.max_gap_d.tolist() == [128] * 3  # 06-26 to 10-31; before the first there are 30 days
    event = found.events
    assert (event.s2_before[0], event.s2_low[0], event.s2_after[0]) == (4, 5, 6)
    assert (event.s1_orbit[0], event.s1_pair[0], event.n[0]) == (44, 10, 3)


def test_why_a_parcel_has_no_result() -> None:
    """Not in any series; too small by the observations; too small by the declaration; masked away; unusable shape."""
    small = coherence(*[QUIET] * 5, pixels=[36, 1, 36, 36, 36])
    small.mean[2] = np.nan
    unseen = replace(small, parcel_id=np.arange(11, 16))
    asked = parcels(
        11, 12, 13, 14, 99, 98,
        crop=["A"] * 6,
        s1_pix=np.array([9, 9, 9, 9, 9, 1], np.int32),
        eligible=np.array([1, 1, 1, 0, 1, 1], bool),
    )  # fmt: skip
    found = run({("coherence_vh", 44): unseen}, asked, min_pixels_s1=2)
    assert found.status_names.tolist() == [
        "processed", "min_pixels", "no_observation", "geometry", "no_observation", "min_pixels",
    ]  # fmt: skip
    assert found.covered.tolist() == [True, False, True, False, False, False]
    assert found.compl.tolist() == [2, 0, 2, 0, 0, 0]  # C-2 and C-10
    assert found.max_gap_d.tolist() == [214] * 6


def test_an_ineligible_parcel_has_no_events() -> None:
    found = run(season(), parcels(1, 2, 3, eligible=np.array([False, True, True])))
    assert (found.events.parcel.tolist(), found.mow_n.tolist()) == ([1], [0, 1, 0])


def test_crop_codes_and_confidence_to_report() -> None:
    found = run(season(), parcels(1, 2, 3, crop=["A", "Z", None]), min_conf=0.6)
    assert found.compl.tolist() == [1, -1, -1]
    assert (len(found.events), found.reported.tolist(), found.mow_n.tolist()) == (2, [True, False], [1, 0, 0])
    weak = run(season(), parcels(1, 2, 3), min_conf=0.6)
    assert weak.compl.tolist() == [1, 2, 2]  # what is not reported is not judged


def test_orbits_of_the_configuration() -> None:
    """Others are left out, below 100 too, and the direction is theirs."""
    told = replace(CASES, orbits=((44, "descending"),))
    found = detect(season((44, 95)), parcels(2), mowing_settings("default", told), FIRST, LAST)
    assert shown(found.events) == [(0.469, "2021-05-21T06", "2021-05-27T06")]
    assert found.n_pairs.tolist() == [17]
    none = detect(
        season((44, 95)),
        parcels(2),
        mowing_settings("default", replace(CASES, orbits=((8, "ascending"),))),
        FIRST,
        LAST,
    )
    assert (len(none.events), none.n_pairs.tolist()) == (0, [0])


def test_orbits_are_fused_in_ascending_order() -> None:
    series = season((95, 8))
    found = run({key: series[key] for key in reversed(series)}, parcels(2))
    assert (found.events.s1_orbit.tolist(), found.events.n.tolist()) == ([8], [2])


def test_an_orbit_without_number_and_polarisations() -> None:
    vv = coherence(pairs(*FLAT, 0.75), orbit=None, variable="coherence_vv")
    series: dict[Key, Series] = {
        ("coherence_vh", None): coherence(pairs(*FLAT, JUMP[0]), orbit=None),
        ("coherence_vv", None): vv,
    }
    plain = run(series, parcels(1), "default")
    raised = run(series, parcels(1), "default", s1__pol_types=("VV", "VH"))
    alone = run(series, parcels(1), "default", s1__pol_types=("VV",))
    assert [round(float(one.events.confidence[0]), 3) for one in (plain, raised, alone)] == [0.469, 0.5, 0.5]
    assert plain.events.s1_orbit.tolist() == [-1]
    assert len(run({("coherence_vv", None): vv}, parcels(1), "default", s1__pol_types=("VV", "VH")).events) == 0


def test_vv_alone_is_enough_where_all_orbits_are_weighed_together() -> None:
    """And a second polarisation may lack pairs of the first."""
    changes: dict[str, Any] = {"s1__all_orbits": True, "s1__pol_types": ("VH", "VV")}
    vh, vv = coherence(BOTH), coherence(dict(list(BOTH.items())[3:]), variable="coherence_vv")
    shorter = run({("coherence_vh", 44): vh, ("coherence_vv", 44): vv}, parcels(1), "default", **changes)
    alone = run({("coherence_vv", 44): vv}, parcels(1), "default", **changes)
    assert (shorter.n_pairs.tolist(), alone.n_pairs.tolist()) == ([17], [14])
    assert (
        [str(end)[:10] for end in shorter.events.end] == [str(end)[:10] for end in alone.events.end] == ["2021-05-27"]
    )


def test_only_the_period_counts() -> None:
    series, asked, told = season(), parcels(1), mowing_settings("reference", CASES)
    whole = detect(series, asked, told, date(2021, 5, 21), date(2021, 6, 2))
    assert (seen_by(whole.events), whole.n_clear.tolist(), whole.n_pairs.tolist()) == (["S2/S1"], [3], [3])
    # the drop waits for 05-31, the jump for 06-02
    assert len(detect(series, asked, told, date(2021, 5, 21), date(2021, 5, 30)).events) == 0
    assert seen_by(detect(series, asked, told, date(2021, 5, 21), date(2021, 6, 1)).events) == ["S2"]
    # both end before it
    assert len(detect(series, asked, told, date(2021, 5, 28), date(2021, 6, 30)).events) == 0
    late = mowing_settings("reference", CASES, s1_s2_startdate_diff=7)
    assert seen_by(detect(series, asked, late, date(2021, 5, 21), date(2021, 6, 30)).events) == ["S2"]
    with pytest.raises(InputError, match="ends on 2021-04-01"):
        detect(series, asked, told, date(2021, 5, 1), date(2021, 4, 1))


def test_history_of_12_day_series() -> None:
    """Sen4CAP looks 30 days back, which holds three pairs; the default looks back as far as five need."""
    twelve = timedelta(days=12)
    series: dict[Key, Series] = {
        ("coherence_vh", 44): coherence(pairs(*FLAT, *JUMP, step=twelve), length=twelve)  # 10: 2021-08-01
    }
    asked, first = parcels(1), date(2021, 7, 20)
    assert len(detect(series, asked, mowing_settings("reference"), first, LAST).events) == 0
    assert len(detect(series, asked, mowing_settings("default"), first, LAST).events) == 1


def test_landsat_is_no_sentinel_2() -> None:
    series = ndvi(S2_1)
    for platform, events in (("sentinel-2b", 1), ("", 1), ("landsat-8", 0)):
        told = replace(series, platform=np.full(len(series.time), platform))
        assert len(run({("ndvi", None): told}, parcels(1)).events) == events
    mixed = replace(series, platform=np.array(["landsat-8", *["sentinel-2a"] * 11]))
    found = run({("ndvi", None): mixed}, parcels(1))
    assert (found.events.s2_low.tolist(), found.n_clear.tolist()) == ([5], [11])  # columns of the series given


def test_candidates_for_a_picture() -> None:
    found = detect(
        season((44, 95)), parcels(1, 2), mowing_settings("reference", CASES), FIRST, LAST, keep_candidates=True
    )
    assert found.candidates is not None
    assert found.candidates.parcel.tolist() == [0, 0, 0, 1, 1]
    assert run(season(), parcels(1)).candidates is None


def test_no_parcels_no_series_bad_parcels() -> None:
    nobody = run(season(), parcels())
    assert (len(nobody.events), len(nobody.compl), len(nobody.status)) == (0, 0, 0)
    nothing = run({}, parcels(5))
    assert (nothing.status_names.tolist(), nothing.compl.tolist()) == (["no_observation"], [0])
    with pytest.raises(InputError, match="parcel 7 is asked about twice"):
        run(season(), parcels(7, 3, 7))
    with pytest.raises(InputError, match="s2_pix has 1 values for 2 parcels"):
        run(season(), parcels(1, 2, s2_pix=np.ones(1, np.int32)))


def rows(variable: str, series: dict[date, float], **more: Any) -> list[dict[str, Any]]:
    told: dict[str, Any] = dict.fromkeys(OBSERVATION_SCHEMA.names)
    told |= {"parcel_id": 1, "variable": variable, "n": 30, "n_total": 30} | more
    return [told | {"time": datetime(day.year, day.month, day.day, 10, 30), "mean": v} for day, v in series.items()]


def test_s2_12_the_same_drop_in_two_tiles() -> None:
    """Seen twice it is counted once: Sen4CAP fuses it with itself to 0.816."""
    lists = [rows("ndvi", S2_1, tile=tile, platform="sentinel-2a", n=n) for tile, n in (("33UXP", 30), ("33UYP", 20))]
    table = pa.Table.from_pylist(lists[0][::-1] + lists[1], OBSERVATION_SCHEMA)
    told = mowing_settings("reference", CASES)
    series = series_of(table, ["ndvi"], enough=told.enough_optical)
    event = detect(series, parcels(1), told, FIRST, LAST).events
    assert (shown(event), event.n.tolist()) == ([(0.633, "2021-05-21T10", "2021-05-26T10")], [1])


def test_observations_of_too_few_pixels_do_not_count() -> None:
    """Half of the parcel in ``default``, any in ``reference``; 3 pixels of Sentinel-2 in both."""
    few = pa.Table.from_pylist(rows("ndvi", S2_1, n=14, platform="sentinel-2a"), OBSERVATION_SCHEMA)
    small = pa.Table.from_pylist(rows("ndvi", S2_1, n=2, n_total=2, platform="sentinel-2a"), OBSERVATION_SCHEMA)
    found = {}
    for profile in ("reference", "default"):
        told = mowing_settings(profile, CASES)
        for name, table in (("few", few), ("small", small)):
            series = series_of(table, ["ndvi"], enough=told.enough_optical)
            result = detect(series, parcels(1), told, FIRST, LAST)
            found[profile, name] = (result.status_names[0], len(result.events), int(result.compl[0]))
    assert found["reference", "few"] == ("processed", 1, 1)
    assert found["default", "few"] == ("no_observation", 0, 2)  # looked at, as proc = 1
    assert found["reference", "small"] == found["default", "small"] == ("min_pixels", 0, 0)


@st.composite
def any_season(draw: st.DrawFn) -> dict[Key, Series]:
    """Four parcels, optical and two orbits, with gaps, over New Year."""
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    start = np.datetime64("2021-10-01T10:30:00", "s")

    def matrix(columns: int, low: float, high: float) -> np.ndarray[Any, Any]:
        mean = np.round(seed.uniform(low, high, (4, columns)), 3)
        mean[seed.random(mean.shape) < 0.2] = np.nan
        return mean

    time = start + np.sort(seed.integers(0, 180, 30)) * np.timedelta64(1, "D")
    found: dict[Key, Series] = {("ndvi", None): of_matrix(time, matrix(30, 0.05, 0.95))}
    for orbit in (8, 131):
        passes = start + (orbit % 5 + 6 * np.arange(-6, 30)) * np.timedelta64(1, "D")
        cohe = matrix(36, 0.2, 0.35)
        cohe[seed.random(cohe.shape) < 0.1] = 0.8
        found["coherence_vh", orbit] = coherence_matrix(
            passes, passes - np.timedelta64(6, "D"), cohe, 200, orbit, "descending"
        )
    return found


ASKED = MowingParcels(np.arange(1, 5), ["A", "B", None, "A"])
WINTER = (date(2021, 10, 1), date(2022, 3, 31))
RULES = L4bConfiguration(2021, compliance=(MowingPeriod("A", date(2021, 10, 1), date(2022, 1, 31), 1),))


def rules(profile: str) -> MowingSettings:
    together = {"s1__all_orbits": True, "s1__min_parcels": 2} if profile == "together" else {}
    return MowingSettings.of(values("default" if together else profile, s1__pfa=1e-3, **together), RULES)


@pytest.mark.parametrize("profile", ["reference", "default", "together"])
@settings(deadline=None, max_examples=8)
@given(series=any_season(), order=st.permutations(range(4)), size=st.integers(1, 3))
def test_order_and_parts_do_not_matter(profile: str, series: dict[Key, Series], order: list[int], size: int) -> None:
    whole = detect(series, ASKED, rules(profile), *WINTER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "_PARCELS_AT_ONCE", size)
        same(whole, detect(series, ASKED, rules(profile), *WINTER))
    shuffled = MowingParcels(ASKED.parcel_id[order], [ASKED.crop[at] for at in order])
    other = detect(series, shuffled, rules(profile), *WINTER)
    place = np.argsort(order)
    back = replace(other.events, parcel=np.asarray(order)[other.events.parcel]).in_order()
    arrays = {
        field.name: getattr(other, field.name)[place]
        for field in fields(Mowing)
        if field.name not in ("events", "candidates", "reported")
    }
    same(whole, replace(other, events=back, reported=back.confidence >= rules(profile).min_conf, **arrays))


@pytest.mark.parametrize("profile", ["reference", "default", "together"])
@settings(deadline=None, max_examples=2)
@given(series=any_season())
def test_history_does_not_matter_sy_2(profile: str, series: dict[Key, Series]) -> None:
    """Cut at every date: a run up to it finds what a run over all that was there by then finds, whatever came since."""
    told = rules(profile)
    for day in np.arange(np.datetime64(WINTER[0]), np.datetime64(WINTER[1]), 5):
        until = day.astype(object)
        by_then = {key: _until(one, day) for key, one in series.items()}
        same(detect(by_then, ASKED, told, WINTER[0], until), detect(series, ASKED, told, WINTER[0], until))
    same(detect(series, ASKED, told, *WINTER), detect(series, ASKED, told, *WINTER))


def _until(series: Series, day: np.datetime64) -> Series:
    count = int((series.time.astype("datetime64[D]") <= day).sum())
    names = ("time", "previous_time", "platform", "mean", "std", "n", "n_total")
    return replace(series, **{name: getattr(series, name)[..., :count] for name in names})
