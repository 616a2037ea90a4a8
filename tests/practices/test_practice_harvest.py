"""Weekly series, harvest and tillage: cases A1-A14, X1, X2, T1-T4 of l4c-practices.md section 22."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from practice_cases import ACQUISITIONS, N0, Case, decided, found, observed

from s4c_lib.practices.codes import Flag, Marker, Status

BOTH = pytest.mark.parametrize("profile", ["reference", "default"])
M = "M1 M2 M3 M4 M5"
RESULTS = f"L_WEEK {M} H_WEEK H_W_START H_W_END H_W_S1 M6 M7 M8 M9 M10 C_INDEX S1GAPS H_S1GAPS P_S1GAPS H_W_S1GAPS"
# Week, NDVI, before, after, mean ratio, change, coherence and its rise, M1 to M5.
A1_WEEKS = """
2019-03-25 -   -   300 7 0    .25 0   -FFFF
2019-04-01 300 300 300 7 0    .25 0   FFFFF
2019-04-15 450 300 450 7 0    .25 0   TFFFF
2019-07-08 -   420 240 7 0    .25 0   TTFFF
2019-07-15 -   420 240 9 2    .62 .37 TTTTT
2019-07-22 240 420 240 9 1.33 .62 0   TTTTT
2019-07-29 -   240 210 9 0.67 .62 0   TTTTT
2019-08-05 210 240 210 9 0    .62 0   TTFTT
2019-09-02 -   200 -   9 0    .62 0   TFFTT
2019-10-21 -   200 -   9 0    .62 0   -FFTT
"""
CODES = {"T": Marker.TRUE, "F": Marker.FALSE, "-": Marker.NA}


def applied(decisions: Any, name: str) -> float:
    return round(float(getattr(decisions.applied, name)[0]), 4)


@BOTH
def test_a1_harvest_of_the_base_case(profile: str) -> None:
    decisions, row = decided(Case(), profile)
    assert found(row, RESULTS) == (
        [
            "2019-10-21",
            "NA",
            "FALSE",
            "FALSE",
            "TRUE",
            "TRUE",
            "29",
            "2019-07-15",
            "2019-07-21",
            "2019-07-15",
            "NA",
            "NA",
            "NA",
            "NA",
            "NA",
            "NA",
            "7",
            "0",
            "0",
            "0",
        ]
    )
    assert [row["H_QUALITY"], row["C_QUALITY"], row["S1PIX"]] == ["", "", "20"]
    numbers = "ndvi_threshold ndvi_buffer ratio_mean ratio_deviation ratio_rise ratio_level coherence_level"
    assert [applied(decisions, name) for name in numbers.split()] == [300, 120, 7.8824, 1.0080, 0.3360, 7.5464, 0.52]
    assert decisions.applied.optical_from[0] == np.datetime64("2019-07-08")
    assert decisions.h_markers.tolist() == [[1, 1, 1, 1, 1]]
    # Of 22 July, the first clear image after the week of 15 July.
    assert decisions.h_delay.tolist() == [7]
    assert decisions.n_ndvi_v.tolist() == [10]
    assert decisions.orbit_numbers == (88,)
    assert decisions.orbits.tolist() == [1]


@BOTH
def test_a1_weekly_table(profile: str) -> None:
    decisions, _ = decided(Case(), profile)
    weekly = decisions.weekly.of_row(0)
    for line in A1_WEEKS.split("\n")[1:-1]:
        week, *numbers, markers = line.split()
        at = int(np.flatnonzero(weekly["week"] == np.datetime64(week))[0])
        names = ("ndvi", "before", "after", "ratio_mean", "ratio_change", "coherence_max", "coherence_change")
        expected = [np.nan if number == "-" else float(number) for number in numbers]
        got = [float(weekly[name][at]) for name in names]
        np.testing.assert_allclose(got, expected, atol=1e-9, err_msg=line)
        assert [weekly[f"m{k}"][at] for k in range(1, 6)] == [CODES[one] for one in markers], line
    assert weekly["week"][weekly["harvest"]][0] == np.datetime64("2019-07-15")
    assert len(weekly["week"]) == len({day.isocalendar()[1] for day in ACQUISITIONS})


def early(until: str) -> dict[str, float]:
    return {day: value for day, value in N0.items() if day <= until}


@BOTH
def test_a2_no_image_after_the_harvest(profile: str) -> None:
    decisions, row = decided(Case(ndvi=early("07-07")), profile)
    assert [applied(decisions, name) for name in ("ndvi_threshold", "ndvi_buffer")] == [420, 90]
    assert decisions.applied.optical_from[0] == np.datetime64("2019-07-01")
    assert found(row, "H_WEEK H_W_START H_W_END H_W_S1 H_W_S1GAPS") == [*["NO-HARVEST"] * 3, "2019-07-15", "NR"]
    assert decisions.h_delay.tolist() == [-1]


@BOTH
def test_a3_no_crop(profile: str) -> None:
    _, row = decided(Case(ndvi={day: value * 0.4 for day, value in N0.items()}), profile)
    assert found(row, f"{M} H_WEEK H_W_S1") == ["FALSE", "NR", "NR", "NR", "NR", "NO-HARVEST", "NO-HARVEST"]


def test_a4_too_few_coherence_values() -> None:
    decisions, row = decided(Case(coherence_days=ACQUISITIONS[-15:]))
    assert set(found(row, RESULTS)) == {"NA"}
    assert row["H_QUALITY"] == ""
    assert decisions.status.tolist() == [Status.SHORT_COHE]
    assert found(row, "VEG_START S1PIX") == ["2019-04-01", "20"]
    # Both limits are one number where the second one is repaired.
    decisions, _ = decided(Case(coherence_days=ACQUISITIONS[-15:]), "default")
    assert decisions.status.tolist() == [Status.OK]
    decisions, _ = decided(Case(coherence_days=ACQUISITIONS[-14:]), "default")
    assert decisions.status.tolist() == [Status.SHORT_COHE]


def test_a4b_just_enough_coherence_values() -> None:
    for profile, start in (("reference", "2019-07-22"), ("default", "2019-04-01")):
        decisions, row = decided(Case(coherence_days=ACQUISITIONS[-16:]), profile)
        assert found(row, "VEG_START M1 S1GAPS H_S1GAPS") == [start, "FALSE", "27", "6"]
        assert decisions.applied.veg_week[0] == np.datetime64("2019-07-22")


@BOTH
def test_a5_no_radar_pixels(profile: str) -> None:
    _, row = decided(Case(s1_pix=0), profile)
    assert set(found(row, RESULTS)) == {"NA1"}
    assert row["S1PIX"] == "0"
    assert row["H_QUALITY"] == ""


@BOTH
def test_a6_harvest_of_the_previous_product_is_kept(profile: str) -> None:
    decisions, row = decided(Case(), profile, previous="2019-07-01")
    assert found(row, "H_WEEK H_W_START H_W_S1") == ["27", "2019-07-01", "2019-07-15"]
    assert decisions.flags[0] & Flag.HARVEST_KEPT
    assert decisions.h_current_week[0] == np.datetime64("2019-07-15")


@BOTH
def test_a7_before_the_harvest(profile: str) -> None:
    decisions, row = decided(Case(until="07-08", limit="07-15"), profile)
    assert found(row, f"L_WEEK {M} H_WEEK") == ["2019-07-08", "TRUE", "FALSE", "FALSE", "FALSE", "TRUE", "NO-HARVEST"]
    assert [applied(decisions, name) for name in ("ratio_rise", "ratio_level", "coherence_level")] == [0.2, 7.0, 0.15]


@BOTH
def test_a8_a_gap_before_the_harvest(profile: str) -> None:
    radar = [day for day in ACQUISITIONS if day not in (date(2019, 6, 20), date(2019, 6, 26))]
    decisions, row = decided(Case(radar=radar), profile)
    assert found(row, "H_WEEK S1GAPS H_S1GAPS H_W_S1GAPS H_QUALITY") == ["29", "9", "2", "3", "1"]
    assert [applied(decisions, name) for name in ("ratio_mean", "ratio_deviation")] == [7.9375, 1.0140]


@BOTH
def test_a9_backscatter_never_rises(profile: str) -> None:
    _, row = decided(Case(ratio=(("01-01", 8.0),)), profile)
    assert found(row, "H_WEEK H_W_S1") == ["NO-HARVEST", "NO-HARVEST"]


@BOTH
def test_a10_coherence_never_varies(profile: str) -> None:
    decisions, row = decided(Case(coherence=(("01-01", 0.25),)), profile)
    assert row["H_WEEK"] == "29"
    assert applied(decisions, "coherence_level") == 0.15
    assert (decisions.weekly.m5 == Marker.TRUE).all()
    assert decisions.flags[0] & Flag.M5_FLAT
    assert not decided(Case(), profile)[0].flags[0] & Flag.M5_FLAT


@BOTH
def test_a11_harvest_expected_later(profile: str) -> None:
    _, row = decided(Case(h_start="08-05"), profile)
    assert found(row, "H_WEEK H_W_S1") == ["NO-HARVEST", "NO-HARVEST"]


def test_a12_vegetation_from_new_year() -> None:
    for profile, start in (("reference", "2019-03-04"), ("default", "2019-01-01")):
        _, row = decided(Case(veg_start="01-01"), profile)
        assert found(row, "VEG_START H_WEEK") == [start, "29"]


@BOTH
def test_a13_harvest_expected_before(profile: str) -> None:
    decisions, row = decided(Case(h_end="07-07"), profile)
    assert found(row, "H_WEEK H_W_S1 M1") == ["NO-HARVEST", "NO-HARVEST", "NA"]
    assert applied(decisions, "ndvi_threshold") == 420


def test_a14_the_end_of_harvest_falls_into_a_gap() -> None:
    radar = [day for day in ACQUISITIONS if day not in (date(2019, 7, 2), date(2019, 7, 8))]
    _, row = decided(Case(h_end="07-07", radar=radar))
    assert found(row, "H_WEEK H_W_S1 M1") == ["NO-HARVEST", "2019-07-15", "TRUE"]
    _, row = decided(Case(h_end="07-07", radar=radar), "default")
    assert found(row, "H_WEEK H_W_S1 M1") == ["NO-HARVEST", "NO-HARVEST", "NA"]


def test_x1_two_orbits_on_a_day() -> None:
    case = Case(second=(("01-01", 6.0), ("07-15", 8.0)))
    for profile, highest in (("reference", (7.5, 9.5)), ("default", (7.0, 9.0))):
        decisions, row = decided(case, profile)
        numbers = "ratio_mean", "ratio_deviation", "ratio_level"
        assert [applied(decisions, name) for name in numbers] == [7.3824, 1.0080, 7.0464]
        assert row["H_WEEK"] == "29"
        weekly = decisions.weekly.of_row(0)
        at = [int(np.flatnonzero(weekly["week"] == np.datetime64(day))[0]) for day in ("2019-07-08", "2019-07-15")]
        assert [round(float(weekly["ratio_mean"][k]), 6) for k in at] == [6.5, 8.5]
        assert tuple(round(float(weekly["ratio_max"][k]), 6) for k in at) == highest


def test_x2_pairs_of_twelve_days() -> None:
    decisions, row = decided(Case(radar=ACQUISITIONS[::2]))
    assert len(decisions.weekly) == 20
    assert not decisions.weekly.coherence_change.any()
    assert row["VEG_START"] == "2019-04-08"
    numbers = "ratio_mean", "ratio_deviation", "ratio_rise", "ratio_level"
    assert [applied(decisions, name) for name in numbers] == [7.8, 1.0052, 0.3351, 7.4649]
    names = "H_WEEK H_W_START L_WEEK S1GAPS H_S1GAPS H_W_S1GAPS H_QUALITY"
    assert found(row, names) == ["30", "2019-07-22", "2019-10-14", "21", "8", "4", "1"]
    # A season of pairs of twelve days keeps its rises where the parameter says so.
    decisions, _ = decided(Case(radar=ACQUISITIONS[::2]), "default", coh_change_max_days=12)
    assert decisions.weekly.coherence_change.max() == 0.37


def test_coherence_of_longer_pairs_is_not_compared_with_that_of_shorter() -> None:
    days = ACQUISITIONS
    case = Case()
    series = case.series()
    values = {day: case.at(day, case.coherence) for day in days}
    whole = observed("coherence_vv", 88, values, baseline=6)
    mixed = whole.previous_time.copy()
    mixed[: days.index(date(2019, 7, 14)) + 1] -= np.timedelta64(6, "D")
    assert (whole.time[-1] - whole.previous_time[-1]) == np.timedelta64(6, "D")
    from dataclasses import replace

    from practice_cases import settings

    from s4c_lib.practices.decision import decide

    rises = []
    for one, profile in ((whole, "default"), (replace(whole, previous_time=mixed), "default"),
                         (replace(whole, previous_time=mixed), "reference")):  # fmt: skip
        decisions = decide(
            {**series, ("coherence_vv", 88): one},
            case.rows(),
            settings(profile, "NA", "NLD"),
            as_of=date(2019, 12, 31),
            gap_limit=date(2019, 10, 31),
            tillage=False,
        )
        rises.append(float(decisions.weekly.coherence_change.max()))
    assert rises == [0.37, 0.0, 0.37]


TILLED = Case(coherence=(("01-01", 0.25), ("07-15", 0.80), ("08-12", 0.45)))
LEFT = TILLED.but(coherence=(("01-01", 0.25), ("07-15", 0.80)))
REGROWN = TILLED.but(
    coherence=(("01-01", 0.25), ("07-15", 0.80), ("08-26", 0.45)), ndvi={**early("08-19"), "08-20": 400}
)
TL = "TL_WEEK TL_W_START TL_W_END"


@BOTH
def test_t1_to_t4_tillage(profile: str) -> None:
    decisions, row = decided(TILLED, profile, tillage=True)
    assert found(row, TL) == ["33", "2019-08-12", "2019-08-18"]
    assert [applied(decisions, name) for name in ("coherence_level", "tillage_level")] == [0.70, 0.75]
    assert found(decided(LEFT, profile, tillage=True)[1], TL) == ["NA"] * 3
    assert found(decided(REGROWN, profile, tillage=True)[1], TL) == ["NO-TILLAGE"] * 3
    ended = {"tlmonitoringenddate": date(2019, 8, 5)}
    assert found(decided(TILLED, profile, tillage=True, thresholds=ended)[1], TL) == ["NA"] * 3
    assert "TL_WEEK" not in decided(TILLED, profile)[1]
    assert found(decided(TILLED.but(s1_pix=0), profile, tillage=True)[1], TL) == ["NA1"] * 3


def test_tillage_leaves_the_weekly_markers_alone() -> None:
    """Defect 19."""
    kept, without = decided(TILLED, "default", tillage=True)[0], decided(TILLED, "default")[0]
    assert kept.weekly.m1.tolist() == without.weekly.m1.tolist()
    changed = decided(TILLED, "reference", tillage=True)[0]
    assert changed.weekly.m1.tolist() != without.weekly.m1.tolist()
    assert changed.markers.tolist() == without.markers.tolist()
