"""Catch crops, fallow land and nitrogen-fixing crops: cases C, F and N of l4c-practices.md section 22."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from practice_cases import ACQUISITIONS, N0, NC, Case, decided, found

from s4c_lib.practices.codes import Flag, Marker, Rule, Verdict

BOTH = pytest.mark.parametrize("profile", ["reference", "default"])
M = "M6 M7 M8 M9 M10"
WORDS = {"T": "TRUE", "F": "FALSE", "-": "NA", "R": "NR"}

C1 = Case(
    practice="CC",
    country="CZE",
    p_type="CatchCrop_1",
    p_start="08-12",
    p_end="10-06",
    ndvi=NC,
    ratio=(("01-01", 7.0), ("07-15", 9.0), ("09-09", 8.6), ("09-23", 8.2), ("10-07", 7.8)),
    coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-02", 0.50), ("09-16", 0.40)),
)
PLOUGHED = C1.but(
    ndvi={day: value for day, value in NC.items() if day <= "09-15"} | {"09-25": 220, "10-05": 200},
    ratio=(("01-01", 7.0), ("07-15", 9.0), ("09-09", 8.2), ("09-16", 9.2), ("09-23", 10.0)),
    coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-02", 0.40), ("09-23", 0.75)),
)
C6 = C1.but(ndvi={day: max(value, 520) for day, value in NC.items()})
C9 = C1.but(
    p_start="10-15",
    p_end=None,
    radar=tuple(date(2019, 3, 4) + timedelta(days=6 * k) for k in range(50)),
    ndvi=NC | {"10-30": 540, "11-20": 520, "12-10": 500},
)
C10 = C9.but(
    ratio=(("01-01", 7.0), ("07-15", 9.0), ("08-19", 9.6), ("09-09", 8.6), ("10-07", 7.8)),
    coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-16", 0.40)),
)
IN_PERIOD = [day for day in ACQUISITIONS if not date(2019, 8, 12) <= day <= date(2019, 10, 6)]
CATCH_CROPS = {
    "C1": (C1, "", "TTTTT", "STRONG"),
    "C2": (PLOUGHED, "", "TFFFF", "POOR"),
    "C3": (C1.but(ndvi={d: v for d, v in NC.items() if d <= "08-06"}), "", "---TT", "MODERATE"),
    "C4": (C1.but(until="09-22", limit="09-29"), "", "TTTTT", "NR"),
    "C5": (C1.but(until="08-11", limit="08-18"), "", "RRRRR", "NR"),
    "C6": (C6, "", "RRRRR", "POOR"),
    "C7": (C6.but(p_type="CatchCropIsMain"), "", "TTTTT", "STRONG"),
    "C8": (C1.but(p_start="07-08", p_end="09-01"), "", "RRRRR", "POOR"),
    "C9": (C9, "NLD", "TFTTT", "MODERATE"),
    "C10": (C10, "NLD", "TTTTT", "STRONG"),
    "C12": (C1.but(until="10-06", limit="10-13"), "", "TTTTT", "NR"),
    "C13": (C1.but(until="10-13", limit="10-20"), "", "TTTTT", "STRONG"),
    "C14": (C1.but(ndvi=NC | {"09-05": 180}), "", "TFFTT", "WEAK"),
    "C15": (C1.but(h_end="07-21"), "", "TTTTT", "STRONG"),
}


@BOTH
@pytest.mark.parametrize("name", CATCH_CROPS)
def test_catch_crops(name: str, profile: str) -> None:
    case, config, markers, verdict = CATCH_CROPS[name]
    _, row = decided(case, profile, config=config)
    assert found(row, f"{M} C_INDEX") == [*(WORDS[one] for one in markers), verdict]
    if name in ("C6", "C7"):
        assert found(row, "H_WEEK H_W_S1") == ["NO-HARVEST", "2019-07-15"]
    elif (name, profile) != ("C15", "default"):
        assert row["H_WEEK"] == "29"


@BOTH
def test_c1_thresholds_and_weekly_table(profile: str) -> None:
    decisions, _ = decided(C1, profile)
    assert round(float(decisions.applied.ratio_rise[0]), 4) == 0.2900
    assert round(float(decisions.applied.ratio_level[0]), 4) == 7.4159
    weekly = decisions.weekly.of_row(0)
    names = "pres", "grow", "no_ndvi_loss", "no_ratio_loss", "no_coherence_loss"
    for line in (
        "08-12 - ---", "08-19 260 FF--T", "08-26 - ---T", "09-02 380 TTTTT", "09-09 460 TTTTT", "09-16 - ---T",
        "09-23 520 TTTTT", "09-30 540 TTT-T",
    ):  # fmt: skip
        day, ndvi, signs = line.split()
        at = int(np.flatnonzero(weekly["week"] == np.datetime64(f"2019-{day}"))[0])
        got = "".join({1: "T", 0: "F", -1: "-"}[int(weekly[name][at])] for name in names)
        if ndvi == "-":
            assert np.isnan(weekly["ndvi"][at])
            assert got[:3] == "---"
            assert got[3] == signs[-1]
        else:
            assert (weekly["ndvi"][at], got) == (float(ndvi), signs)
    assert decisions.rule.tolist() == [Rule.CC_MARKERS]
    assert decisions.applied.false_markers.tolist() == [0]


@BOTH
def test_c9_and_c10_computed_period(profile: str) -> None:
    decisions, row = decided(C9, profile, config="NLD")
    assert found(row, "P_START P_END P_S1GAPS") == ["2019-07-29", "2019-09-22", "0"]
    breaks = decisions.weekly.week[decisions.weekly.break_week]
    assert breaks.tolist() == [date(2019, 7, 15), date(2019, 7, 22), date(2019, 7, 29)]
    assert decisions.flags[0] & Flag.PERIOD_COMPUTED
    assert found(decided(C10, profile, config="NLD")[1], "P_START P_END") == ["2019-08-26", "2019-10-20"]


def test_c11_no_observation_in_the_period() -> None:
    case = C1.but(radar=IN_PERIOD)
    decisions, row = decided(case)
    assert found(row, f"{M} C_INDEX C_QUALITY P_S1GAPS") == [*["NA"] * 4, "TRUE", "MODERATE", "1", "6"]
    decisions, row = decided(case, "default")
    assert row["C_INDEX"] == "NR"
    assert decisions.flags[0] & Flag.NO_EVIDENCE
    assert decisions.preliminary.tolist() == [Verdict.NR]


def test_c15_a_catch_crop_widens_the_search_for_the_harvest() -> None:
    case = C1.but(h_end="07-21")
    assert decided(case)[0].applied.ndvi_threshold.tolist() == [300]
    # Repaired (defect 4), no drop below 300 belongs to the weeks of the main crop.
    assert decided(case, "default")[0].applied.ndvi_threshold.tolist() != [300]
    shorter, _ = decided(C1, "default", cc_shorten_veg_weeks=True)
    assert shorter.weekly.week[shorter.weekly.vegetation].max() == np.datetime64("2019-08-19")


FALLOW = Case(practice="FL", country="ESP", h_start="04-01", p_start="02-01", p_end="06-30")
BARE = {"ndvi": dict.fromkeys(N0, 180), "ratio": (("01-01", 9.0),), "coherence": (("01-01", 0.70),)}
GREEN = {"ratio": (("01-01", 7.0),), "coherence": (("01-01", 0.25),)}
F3 = FALLOW.but(
    ndvi={"04-03": 300, "04-18": 520, "05-08": 650, "05-28": 240, "06-12": 210, "06-27": 200, "07-07": 200},
    ratio=(("01-01", 7.0), ("05-20", 9.0)),
    coherence=(("01-01", 0.25), ("05-20", 0.62)),
)
UHOM = FALLOW.but(country="CZE", p_type="UHOM", p_start="04-01", p_end="07-15", h_end="09-22")
MOWN = {
    "04-08": 420, "04-28": 600, "05-18": 700, "06-07": 720, "06-27": 700, "07-17": 690, "07-28": 420, "08-16": 560,
    "09-05": 650,
}  # fmt: skip
F6 = UHOM.but(ndvi=MOWN, **GREEN)
PDJ = FALLOW.but(country="LTU", p_type="PDJ", p_start="04-01", p_end="06-30")
FALLOWS = {
    "F1": (FALLOW.but(**BARE), {"M6": "FALSE", "C_INDEX": "STRONG", "P_S1GAPS": "4", "C_QUALITY": "1"}),
    "F2": (FALLOW, {"M6": "TRUE", "C_INDEX": "MODERATE"}),
    "F3": (F3, {"H_WEEK": "21", "C_INDEX": "WEAK"}),
    "F4": (FALLOW.but(ndvi=dict.fromkeys(N0, 550), **GREEN), {"H_WEEK": "NO-HARVEST", "C_INDEX": "MODERATE"}),
    "F6": (F6, {"M6": "TRUE", "M8": "FALSE", "C_INDEX": "STRONG"}),
    "F7": (F6.but(ndvi={d: max(v, 690) for d, v in MOWN.items()}), {"M8": "TRUE", "C_INDEX": "MODERATE"}),
    "F8": (UHOM.but(**BARE), {"M6": "FALSE", "C_INDEX": "POOR"}),
    "F9": (PDJ.but(**BARE), {"M6": "NR", "M10": "FALSE", "C_INDEX": "STRONG"}),
    "F10": (PDJ.but(ndvi=MOWN, **GREEN), {"M10": "TRUE", "C_INDEX": "WEAK"}),
    "F11": (
        PDJ.but(p_type="PDZ", p_end="09-01"),
        {"H_WEEK": "29", "M6": "TRUE", "M10": "TRUE", "C_INDEX": "STRONG"},
    ),
}


@BOTH
@pytest.mark.parametrize("name", FALLOWS)
def test_fallow(name: str, profile: str) -> None:
    case, expected = FALLOWS[name]
    decisions, row = decided(case, profile)
    assert {column: row[column] for column in expected} == expected
    threshold = {"F2": (200, 97), "F3": (200, 75)}.get(name)
    if threshold:
        assert (decisions.applied.ndvi_threshold[0], decisions.applied.ndvi_buffer[0]) == threshold


def test_f5_no_ndvi_in_the_period() -> None:
    case = FALLOW.but(ndvi={day: value for day, value in N0.items() if day >= "07-02"})
    assert found(decided(case)[1], "M6 C_INDEX") == ["NA", "STRONG"]
    decisions, row = decided(case, "default")
    assert found(row, "M6 C_INDEX") == ["NA", "NR"]
    assert decisions.flags[0] & Flag.NO_EVIDENCE
    assert decisions.rule.tolist() == [Rule.NO_EVIDENCE]


@BOTH
def test_worked_black_fallow_has_no_harvest(profile: str) -> None:
    """The soil is worked, so what looked like a harvest was none; tillage is not looked for."""
    case = PDJ.but(coherence=(("01-01", 0.25), ("05-13", 0.9)), ndvi=F3.ndvi, ratio=(("01-01", 7.0), ("05-20", 9.0)))
    green = case.but(p_type="PDZ")
    assert decided(green, profile, tillage=True)[1]["H_W_S1"] == "2019-05-13"
    decisions, row = decided(case, profile, tillage=True)
    assert found(row, "M10 C_INDEX H_WEEK H_W_S1 H_W_S1GAPS TL_WEEK") == [
        "FALSE", "STRONG", "NO-HARVEST", "2019-05-13", "NR", "NA",
    ]  # fmt: skip
    assert decisions.flags[0] & Flag.HARVEST_ERASED


@BOTH
def test_other_fallow_of_lithuania_is_not_judged(profile: str) -> None:
    """F10 of the decisions."""
    decisions, row = decided(PDJ.but(p_type=None), profile)
    assert found(row, f"{M} C_INDEX") == ["TRUE", "NR", "NR", "NR", "TRUE", "NA"]
    assert decisions.rule.tolist() == [Rule.FL_OTHER_TYPE]


@BOTH
def test_italian_window_without_harvest(profile: str) -> None:
    """WEAK until FLMARKSTARTDATE only; without the date never."""
    case = F3.but(country="ITA", veg_start="03-01", h_start="04-01")
    assert decided(case, profile)[1]["C_INDEX"] == "MODERATE"  # the preset ends on 31 March
    later = {"flmarkstartdate": date(2019, 5, 31)}
    assert decided(case, profile, thresholds=later)[1]["C_INDEX"] == "WEAK"
    assert decided(case, profile, thresholds={"flmarkstartdate": None})[1]["C_INDEX"] == "MODERATE"


NFC = Case(practice="NFC", country="ESP", h_start="04-15", p_start="03-01", p_end="08-31")
ROU = NFC.but(country="ROU", h_start="04-01", p_start="04-01", p_end="07-28")
CZE = NFC.but(country="CZE", p_start="06-01", p_end="07-15")
CROPS = {
    "N1": (ROU, "TRUE", "WEAK"),
    "N2": (ROU.but(p_end="06-30"), "TRUE", "STRONG"),
    "N3": (NFC, "TRUE", "STRONG"),
    "N4": (NFC.but(**BARE), "FALSE", "POOR"),
    "N5": (CZE, "TRUE", "WEAK"),
    "N6": (CZE.but(p_end="07-07"), "TRUE", "STRONG"),
    "N7": (ROU.but(p_end="04-10", ndvi={d: v for d, v in N0.items() if d >= "04-13"}), "NA", "NR"),
}


@BOTH
@pytest.mark.parametrize("name", CROPS)
def test_nitrogen_fixing_crops(name: str, profile: str) -> None:
    case, m6, verdict = CROPS[name]
    _, row = decided(case, profile)
    assert found(row, f"{M} C_INDEX") == [m6, *["NR"] * 4, verdict]


@BOTH
def test_a_practice_without_a_period_is_not_evaluated(profile: str) -> None:
    _, row = decided(NFC.but(p_start=None), profile)
    assert found(row, f"{M} C_INDEX P_START P_END H_WEEK") == [*["NA"] * 8, "29"]
    _, row = decided(NFC.but(p_end=None), profile)
    assert found(row, f"{M} C_INDEX P_START P_END") == ["NA"] * 8


@BOTH
def test_an_open_period_has_no_verdict_yet(profile: str) -> None:
    decisions, row = decided(ROU.but(p_end="10-22"), profile)
    assert found(row, "M6 C_INDEX") == ["TRUE", "NR"]
    assert decisions.preliminary.tolist() == [Verdict.WEAK]
    _, row = decided(ROU.but(p_end="10-21"), profile)
    assert row["C_INDEX"] == "WEAK"


def slope_case(*ratios: float) -> Case:
    """Ratios of 4 September and then every six days; before them as the first one."""
    days = [date(2019, 9, 4) + timedelta(days=6 * k) for k in range(6)]
    steps = [("01-01", ratios[0]), *((f"{day:%m-%d}", ratio) for day, ratio in zip(days, ratios, strict=True))]
    before = [date(2019, 9, 4) - timedelta(days=6 * k) for k in range(29, 0, -1)]
    return C1.but(p_type="CatchCropIsMain", p_start="09-04", p_end="10-04", radar=[*before, *days], ratio=tuple(steps))


def no_ratio_loss(case: Case, **thresholds: float) -> int:
    """In the week of 16 September, within two weeks of which all six lie."""
    decisions, _ = decided(case, thresholds=thresholds)
    weekly = decisions.weekly.of_row(0)
    at = int(np.flatnonzero(weekly["week"] == np.datetime64("2019-09-16"))[0])
    return int(weekly["no_ratio_loss"][at])


def test_slope_of_the_ratio() -> None:
    """A steady rise is a loss of vegetation, a scattered one is none (slope 0.0343 and 0.0152 a day)."""
    steady, scattered = slope_case(8.0, 8.2, 8.5, 8.6, 8.9, 9.0), slope_case(8.0, 8.9, 7.6, 9.2, 8.1, 8.8)
    for threshold in (0.03, 0.01):
        assert no_ratio_loss(steady, efaampthr=threshold) == Marker.FALSE
    assert no_ratio_loss(steady, efaampthr=0.04) == Marker.TRUE
    assert no_ratio_loss(scattered, efaampthr=0.01) == Marker.TRUE
