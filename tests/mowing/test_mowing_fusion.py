"""Fusion and selection: the acceptance cases, and the rules one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from mowing_optical_cases import series as ndvi
from mowing_optical_cases import spaced
from mowing_radar_cases import FLAT, JUMP, coherence, mowing_settings, pairs, seen_by, shown

from s4c_lib.mowing.events import Events, Mission, joined, make_events, no_events
from s4c_lib.mowing.fusion import FusionSettings, combine
from s4c_lib.mowing.optical import optical_events
from s4c_lib.mowing.radar import radar_events

S2_1 = spaced("2021-05-01", 0.80, 0.82, 0.83, 0.84, 0.84, 0.55, 0.60, 0.65, 0.70, 0.74, 0.78, 0.80)
LOW = {0.60: "04-16", 0.50: "05-31", 0.40: "07-15", 0.55: "08-29", 0.45: "10-13"}
PROFILES = pytest.mark.parametrize("profile", ["reference", "default"])
DAY = np.datetime64("2021-04-01T10:30:00", "s")

# (parcel, confidence, first day, last day)
Told = tuple[int, float, int, int]


def drops(*events: Told) -> Events:
    return _made(events, Mission.S2, s2_before=0, s2_low=1, s2_after=2, s2_v0=0.8, s2_v1=0.5, s2_drop=0.36)


def jumps(orbit: int, *events: Told) -> Events:
    return _made(events, Mission.S1, s1_orbit=orbit, s1_pair=7, s1_excess=1.5)


def _made(events: Sequence[Told], mission: Mission, **evidence: Any) -> Events:
    columns = np.array(events, float).reshape(-1, 4).T
    start, end = (DAY + (days * 24).astype("timedelta64[h]") for days in columns[2:])
    size = len(events)
    return make_events(
        parcel=columns[0],
        start=start,
        end=end,
        confidence=columns[1],
        missions=np.full(size, mission),
        n=np.ones(size),
        **{name: np.full(size, value) for name, value in evidence.items()},
    )


def days(events: Events) -> list[tuple[float, float]]:
    """Start and end as days since the first."""
    hours = ((events.start - DAY).astype(float) / 86400, (events.end - DAY).astype(float) / 86400)
    return list(zip(*(part.tolist() for part in hours), strict=True))


def s1_1(orbit: int) -> Events:
    first = "2021-04-03" if orbit == 44 else "2021-04-01"
    return radar_events(
        coherence(pairs(*FLAT, *JUMP, first=first), orbit=orbit), None, mowing_settings("reference").radar
    )


def f(profile: str, optical: bool, *orbits: int) -> Events:
    told = mowing_settings(profile)
    drop = optical_events(ndvi(S2_1), mowing_settings("reference").optical) if optical else None
    return combine(drop, [s1_1(orbit) for orbit in orbits], told.fusion)


@PROFILES
def test_f_1_both_missions(profile: str) -> None:
    event = f(profile, True, 44)
    assert shown(event) == [(0.783, "2021-05-21T10", "2021-05-26T10")]
    assert seen_by(event) == ["S2/S1"]
    assert (event.s2_low[0], event.s1_orbit[0], event.s1_pair[0], event.n[0]) == (5, 44, 10, 2)
    assert event.s2_drop[0] == pytest.approx(0.30909, abs=1e-5)


@PROFILES
def test_f_2_two_orbits(profile: str) -> None:
    event = f(profile, False, 44, 95)
    assert (event.confidence[0], seen_by(event), event.n[0]) == (0.5, ["S1"], 2)
    assert shown(event) in (
        [(0.5, "2021-05-19T18", "2021-05-25T18")],
        [(0.5, "2021-05-21T18", "2021-05-27T18")],
    )
    assert (event.s2_low[0], event.s1_orbit[0]) == (-1, 44)
    assert np.isnan(event.s2_drop[0])


@PROFILES
def test_f_3_both_missions_and_two_orbits(profile: str) -> None:
    event = f(profile, True, 44, 95)
    assert shown(event) == [(0.846, "2021-05-21T10", "2021-05-26T10")]
    assert (seen_by(event), event.n[0]) == (["S2/S1"], 3)


def test_f_4_confidence() -> None:
    event = combine(drops((0, 0.6, 0, 5)), [jumps(44, (0, 0.3, 2, 8))], FusionSettings())
    assert event.confidence[0] == pytest.approx(0.745455, abs=5e-7)
    assert days(event) == [(0, 5)]
    stepwise = combine(drops((0, 0.6, 0, 5)), [jumps(44, (0, 0.3, 2, 8))], FusionSettings(stepwise=True))
    assert stepwise.confidence[0] == 0.745


def test_f_5_ends_of_radar_events() -> None:
    near = combine(None, [jumps(44, (0, 0.3, 0, 6), (0, 0.4, 27, 33))], FusionSettings())
    assert near.confidence.tolist() == [0.4]
    far = combine(None, [jumps(44, (0, 0.3, 0, 6), (0, 0.4, 28, 34))], FusionSettings())
    assert far.confidence.tolist() == [0.3, 0.4]


def test_outer_span_of_optical_events() -> None:
    """S2-9: 40 days from the start of one to the end of the other; 45 are enough."""
    assert days(combine(drops((0, 0.577, 0, 5), (0, 0.700, 35, 40)), [], FusionSettings())) == [(35, 40)]
    assert len(combine(drops((0, 0.577, 0, 5), (0, 0.700, 40, 45)), [], FusionSettings())) == 2
    assert len(combine(drops((0, 0.577, 0, 5), (0, 0.700, 35, 40)), [], FusionSettings(optical_days=40))) == 2


def test_s2_8_four_at_most_in_reference() -> None:
    values: dict[Any, float] = spaced("2021-04-01", *[0.82] * 43)
    for low, day in LOW.items():
        recovery = [low, low + 0.03, low + 0.08, low + 0.14, low + 0.20, *[max(0.70, low + 0.20)] * 3]
        values |= spaced(f"2021-{day}", *recovery)
    candidates = optical_events(ndvi(values), mowing_settings("reference").optical)
    every = [0.577, 0.665, 0.764, 0.619, 0.713]
    assert [one[0] for one in shown(candidates)] == every
    assert [one[0] for one in shown(combine(candidates, [], FusionSettings()))] == every
    four = combine(candidates, [], mowing_settings("reference").fusion)
    assert [(one[0], one[1][5:10], one[2][5:10]) for one in shown(four)] == [
        (0.665, "05-26", "05-31"),
        (0.764, "07-10", "07-15"),
        (0.619, "08-24", "08-29"),
        (0.713, "10-08", "10-13"),
    ]


def test_interval_of_the_more_confident_or_what_both_have() -> None:
    drop, jump = drops((0, 0.55, 0, 20)), jumps(44, (0, 0.45, 15, 25))
    surer = jumps(95, (0, 0.50, 8, 14))
    assert days(combine(drop, [jump], FusionSettings())) == [(0, 20)]
    assert days(combine(drop, [jump], FusionSettings(intersection=True))) == [(15, 20)]
    assert days(combine(None, [jumps(44, (0, 0.2, 0, 20)), jumps(95, (0, 0.3, 8, 14))], FusionSettings())) == [(8, 14)]
    # what touches does not overlap
    assert len(combine(drop, [jumps(44, (0, 0.45, 20, 26))], FusionSettings(radar_days=0))) == 2
    assert days(combine(drop, [surer], FusionSettings(intersection=True))) == [(8, 14)]


def test_ties_go_to_the_earlier_and_in_reference_to_the_later() -> None:
    equal = drops((0, 0.6, 0, 5), (0, 0.6, 10, 15))
    assert days(combine(equal, [], FusionSettings())) == [(0, 5)]
    assert days(combine(equal, [], FusionSettings(stepwise=True))) == [(10, 15)]


def test_rounding_decides_near_ties_in_reference() -> None:
    """0.4994 and 0.4992 are both 0.499 by the time the second orbit comes."""
    first, second = jumps(44, (0, 0.4994, 0, 6)), jumps(95, (0, 0.4992, 10, 16))
    assert days(combine(None, [first, second], FusionSettings())) == [(0, 6)]
    assert days(combine(None, [first, second], FusionSettings(stepwise=True))) == [(10, 16)]
    nearer = jumps(95, (0, 0.49905, 10, 16))
    assert days(combine(None, [jumps(44, (0, 0.4991, 0, 6)), nearer], FusionSettings(stepwise=True))) == [(10, 16)]
    assert days(combine(None, [jumps(44, (0, 0.4991, 0, 6)), nearer], FusionSettings())) == [(0, 6)]


def test_radar_selects_anew_where_it_says_something() -> None:
    """Two drops 47 days apart in all, their ends 22: radar's rule would keep one."""
    drop = drops((0, 0.6, 0, 25), (0, 0.7, 27, 47))
    elsewhere, nothing = jumps(44, (0, 0.4, 100, 106)), jumps(44, (1, 0.4, 100, 106))
    assert len(combine(drop, [], FusionSettings())) == 2
    assert days(combine(drop, [elsewhere], FusionSettings())) == [(27, 47), (100, 106)]
    own = combine(drop, [nothing], FusionSettings())
    assert days(own.take(own.parcel == 0)) == [(0, 25), (27, 47)]
    stepwise = combine(drop, [nothing], FusionSettings(stepwise=True))
    assert days(stepwise.take(stepwise.parcel == 0)) == [(27, 47)]


def test_an_event_over_two_others() -> None:
    """Both fused events have the interval of one jump; the surer one stays."""
    event = combine(None, [jumps(44, (0, 0.2, 0, 6), (0, 0.25, 40, 46)), jumps(95, (0, 0.3, 3, 43))], FusionSettings())
    assert days(event) == [(3, 43)]
    assert (event.confidence[0], event.n[0], event.s1_orbit[0]) == (
        pytest.approx(1 - 1 / (1 / 0.7 + 1 / 0.75), abs=1),
        2,
        95,
    )
    assert event.confidence[0] == 0.5


def test_many_events_overlapping_many() -> None:
    """Fusion makes more than there were; all fit."""
    drop = drops(*((0, 0.5 + 0.001 * k, 0, 100) for k in range(60)))
    jump = jumps(44, *((0, 0.1 + 0.001 * k, 0, 100) for k in range(60)))
    wide = FusionSettings(optical_days=0, radar_days=0)
    every = combine(drop, [jump], wide)
    assert len(every) == 3600
    assert every.confidence.max() == pytest.approx(1 - 1 / (1 / (1 - 0.559) + 1 / (1 - 0.159)))
    assert len(combine(drop, [jump], FusionSettings())) == 1


def test_nothing_comes_of_nothing() -> None:
    assert len(combine(None, [], FusionSettings())) == 0
    assert len(combine(no_events(), [no_events()], FusionSettings())) == 0


# One parcel after the other as section 6 says it, in plain Python.
Made = tuple[float, float, float, str]


def slow_combine(passes: Sequence[tuple[Events, bool]], rules: FusionSettings) -> list[tuple[int, Made]]:
    parcels = sorted({int(parcel) for part, _ in passes for parcel in part.parcel})
    return [(parcel, event) for parcel in parcels for event in _slow_parcel(parcel, passes, rules)]


def _slow_parcel(parcel: int, passes: Sequence[tuple[Events, bool]], rules: FusionSettings) -> list[Made]:
    old: list[Made] = []
    for part, by_end in passes:
        own = part.take(part.parcel == parcel)
        new = [
            (float(c), *when, mission) for c, when, mission in zip(own.confidence, days(own), seen_by(own), strict=True)
        ]
        if not new and not rules.stepwise:
            continue
        met = [(n, o) for n in new for o in old if max(n[1], o[1]) < min(n[2], o[2])]
        both: list[Made] = []
        for n, o in met:
            mission = o[3] if n[3] in o[3] else f"{o[3]}/{n[3]}"
            confidence = 1 - 1 / (1 / (1 - n[0]) + 1 / (1 - o[0]))
            low, high = n[1:3] if n[0] > o[0] else o[1:3]
            if rules.intersection:
                low, high = max(n[1], o[1]), min(n[2], o[2])
            both.append((min(confidence, 0.5) if mission == "S1" else confidence, low, high, mission))
        both += [n for n in new if not any(n is one for one, _ in met)]
        both += [o for o in old if not any(o is one for _, one in met)]
        if rules.stepwise:
            both.sort(reverse=True)
        else:
            both.sort(key=lambda one: one[3], reverse=True)
            both.sort(key=lambda one: (-one[0], one[1], one[2]))
        kept: list[Made] = []
        for one in both:
            apart = [
                abs(one[2] - other[2]) >= rules.radar_days
                if by_end
                else max(one[2] - other[1], other[2] - one[1]) >= rules.optical_days
                for other in kept
            ]
            if all(apart):
                kept.append(one)
        kept = kept[: rules.max_events or None]
        old = [(round(one[0], 3) if rules.stepwise else one[0], *one[1:]) for one in kept]
    return sorted(old, key=lambda one: (one[1], one[2]))


@st.composite
def some_events(draw: st.DrawFn, low: float, most: int) -> list[Told]:
    event = st.tuples(
        st.integers(0, 2),
        st.sampled_from([low, low + 0.1, low + 0.1003, low + 0.2, low + 0.3333]),
        st.integers(0, 120),
        st.integers(1, 30),
    )
    return [(p, c, a, a + length) for p, c, a, length in draw(st.lists(event, max_size=most))]


@settings(deadline=None, max_examples=150)
@given(
    optical=some_events(0.5, 8),
    radar=st.lists(some_events(0.01, 6), max_size=3),
    rules=st.builds(
        FusionSettings,
        max_events=st.sampled_from([0, 2]),
        intersection=st.booleans(),
        stepwise=st.booleans(),
    ),
)
def test_as_one_parcel_after_the_other(optical: list[Told], radar: list[list[Told]], rules: FusionSettings) -> None:
    orbits = [jumps(number + 1, *part) for number, part in enumerate(radar)]
    events = combine(drops(*optical), orbits, rules)
    slow = slow_combine([(drops(*optical), False), *((part, True) for part in orbits)], rules)
    expected = [(parcel, *event[1:]) for parcel, event in slow]
    assert [
        (int(parcel), *when, mission)
        for parcel, when, mission in zip(events.parcel, days(events), seen_by(events), strict=True)
    ] == expected
    np.testing.assert_allclose(events.confidence, [event[0] for _, event in slow], rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(optical=some_events(0.5, 8), radar=some_events(0.01, 8), order=st.randoms(use_true_random=False))
def test_order_and_neighbours_do_not_matter(optical: list[Told], radar: list[Told], order: Any) -> None:
    whole = combine(drops(*optical), [jumps(44, *radar)], FusionSettings())
    parts = []
    for parcel in range(3):
        own = [[one for one in events if one[0] == parcel] for events in (optical, radar)]
        for events in own:
            order.shuffle(events)
        parts.append(combine(drops(*own[0]), [jumps(44, *own[1])], FusionSettings()))
    apart = joined(parts)
    for field in fields(Events):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(apart, field.name))
