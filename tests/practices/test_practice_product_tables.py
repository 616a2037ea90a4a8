"""What is written about decisions: typed rows, Sen4CAP's texts, weeks, markers, the trace in words and its picture."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from practice_cases import N0, NC, Case, configuration, decided

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.parcels.practice_tables import PracticeTable
from s4c_lib.practices.codes import Flag, Rule, Status, Verdict
from s4c_lib.practices.picture import PracticePicture, draw_practice
from s4c_lib.practices.practice_parcels import PracticeParcels, automatic_table, joined_rows
from s4c_lib.practices.product_tables import (
    RESULT_NOTES,
    UNKNOWN_PIXELS,
    WEEKLY_NOTES,
    MadeOf,
    marker_table,
    result_table,
    weekly_table,
)
from s4c_lib.practices.sen4cap_table import sen4cap_table
from s4c_lib.practices.trace import as_read, trace
from s4c_lib.practices.trace_words import FLAG_WORDS, RULE_WORDS, STATUS_WORDS, VERDICT_WORDS

MADE = MadeOf(date(2019, 10, 31), 7, 8)
CATCH_CROP = Case(
    practice="CC", country="CZE", p_type="CatchCrop_1", p_start="08-12", p_end="10-06", ndvi=NC,
    ratio=(("01-01", 7.0), ("07-15", 9.0), ("09-09", 8.6), ("09-23", 8.2), ("10-07", 7.8)),
    coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-02", 0.50), ("09-16", 0.40)),
)  # fmt: skip
PLOUGHED = CATCH_CROP.but(
    ndvi={**{day: value for day, value in NC.items() if day <= "09-15"}, "09-25": 220, "10-05": 200},
    ratio=(("01-01", 7.0), ("07-15", 9.0), ("09-09", 8.2), ("09-16", 9.2), ("09-23", 10.0)),
    coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-02", 0.40), ("09-23", 0.75)),
)
WORKED = (("01-01", 0.25), ("05-13", 0.75), ("05-27", 0.25), ("07-15", 0.75))
BLACK = Case(practice="FL", country="LTU", p_type="PDJ", p_start="04-01", p_end="08-15", coherence=WORKED)
CASES = {
    "A1": Case(), "A2": Case(ndvi={day: value for day, value in N0.items() if day <= "07-07"}),
    "A3": Case(ndvi={day: 0.4 * value for day, value in N0.items()}), "A5": Case(s1_pix=0),
    "bad dates": Case(veg_start=None), "C1": CATCH_CROP, "C2": PLOUGHED, "C4": CATCH_CROP.but(until="09-22"),
    "computed": CATCH_CROP.but(country="NLD", p_start="10-15", p_end=None),
    "F2": Case(practice="FL", country="ESP", h_start="04-01", p_start="02-01", p_end="06-30"),
    "F5": Case(
        practice="FL", country="ESP", h_start="04-01", p_start="02-01", p_end="06-30",
        ndvi={day: value for day, value in N0.items() if day >= "07-02"},
    ),
    "black": BLACK, "black, bare": BLACK.but(ndvi=dict.fromkeys(N0, 180)),
    "N1": Case(practice="NFC", country="ROU", h_start="04-01", p_start="04-01", p_end="07-28"),
    "N1, bare": Case(
        practice="NFC", country="ROU", p_start="04-01", p_end="07-28", ndvi=dict.fromkeys(N0, 180)
    ),
}  # fmt: skip


def tables(case: Case, profile: str = "default", **more: Any) -> tuple[pa.Table, pa.Table]:
    decisions, _ = decided(case, profile, **more)
    return result_table(decisions, case.rows(), MADE), weekly_table(decisions, case.rows())


def traced(case: Case, **more: Any) -> dict[str, Any]:
    results, weekly = tables(case, **more)
    (one,) = trace(results, weekly, 1, configuration(case.country).thresholds)
    return one


def said(case: Case, **more: Any) -> str:
    return "\n".join(traced(case, **more)["sentences"])


@pytest.mark.parametrize("tillage", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_typed_row_says_in_sen4caps_words_what_was_decided(name: str, tillage: bool) -> None:
    for profile in ("reference", "default"):
        decisions, texts = decided(CASES[name], profile, tillage=tillage)
        typed = result_table(decisions, CASES[name].rows(), MADE)
        assert typed.column_names == list(RESULT_NOTES)
        assert sen4cap_table(typed, tillage=tillage).to_pylist() == [texts]


def test_rows_are_typed_and_say_what_they_were_made_of() -> None:
    results, weekly = tables(CATCH_CROP)
    (row,) = results.to_pylist()
    assert (row["P_START"], row["H_W_END"], row["H_WEEK"]) == (date(2019, 8, 12), date(2019, 7, 21), 29)
    assert (row["C_INDEX"], row["RULE"], row["M9"], row["P_S1GAPS"]) == ("STRONG", "CC_MARKERS", 1, 0)
    assert (row["CONFIG_ID"], row["PRACTICE_TABLE_ID"], row["AS_OF"]) == (7, 8, date(2019, 10, 31))
    assert (row["H_SOURCE"], row["H_CURRENT"], row["TL_STATE"]) == ("current", date(2019, 7, 15), None)
    assert [round(row[name], 4) for name in ("BRK", "LEVEL")] == [0.29, 7.4159]
    assert weekly.column_names == list(WEEKLY_NOTES)
    shown = {one["WEEK"]: one for one in weekly.to_pylist()}
    week = shown[date(2019, 9, 23)]
    assert [week[name] for name in ("NDVI", "PRES", "GROW", "NOL", "ANOL", "CNOL")] == [520, 1, 1, 1, 1, 1]
    assert shown[date(2019, 8, 12)]["PRES"] == -1


def test_a_kept_harvest_says_where_it_is_from() -> None:
    """A6 of the specification."""
    decisions, _ = decided(Case(), "default", previous="2019-07-01")
    (row,) = result_table(decisions, Case().rows(), MADE).to_pylist()
    assert (row["H_SOURCE"], row["H_W_START"], row["H_CURRENT"]) == (
        "previous", date(2019, 7, 1), date(2019, 7, 15),
    )  # fmt: skip
    assert row["FLAGS"] == "HARVEST_KEPT"


def test_pieces_of_a_table_join_whatever_they_hold() -> None:
    pieces = [tables(case) for case in CASES.values()]
    assert len(pa.concat_tables([one[0] for one in pieces])) == len(CASES)
    assert pa.concat_tables([one[1] for one in pieces]).column_names == list(WEEKLY_NOTES)


def test_markers_by_week_are_wide_and_empty_where_nothing_was_seen() -> None:
    _, weekly = tables(Case())
    weeks = [date(2019, 7, 15), date(2019, 7, 22), date(2025, 1, 6)]
    wide = marker_table(weekly, np.array([1, 5], np.int64), weeks)
    assert wide.column_names == ["NewID", *(f"{day:%Y%m%d}_M{one}" for day in weeks for one in range(1, 6))]
    assert {str(column.type) for column in wide.columns[1:]} == {"int8"}
    first, second = wide.to_pylist()
    assert [first[f"20190715_M{one}"] for one in range(1, 6)] == [1, 1, 1, 1, 1]
    assert first["20250106_M1"] is None
    assert set(second.values()) == {5, None}


def test_the_trace_names_the_weeks_that_failed_a_catch_crop() -> None:
    """C2 of the specification: ploughed in the week of 23 September."""
    words = said(PLOUGHED)
    assert "C_INDEX POOR" in words
    assert "M8 FALSE: NDVI is lost, in the weeks of 2019-09-23 (NDVI 0.220)" in words
    assert "M10 FALSE: coherence shows a loss of vegetation, in the weeks of 2019-09-23 (coherence 0.75" in words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("A2", "It lacks M2 (NDVI is lost around this week)."),
        ("A3", "NDVI never rose above 0.350 in the vegetation season (the highest is 0.312): no crop was seen"),
        ("A5", "No result (NO_S1PIX): the parcel has too few Sentinel-1 pixels to be seen by radar."),
        ("bad dates", "No result (BAD_DATES): the dates in the practice table are missing"),
        ("C4", "The period is still open; so far it would be STRONG."),
        ("F2", "Vegetation was seen, and harvested outside the period in which the land has to lie fallow."),
        ("F5", "No harvest was found: without a crop none is looked for."),
        ("black", "A harvest was seen in the week of 2019-07-15.\n"),
        ("black", "The harvest that was seen is not reported"),
        ("black", "M10 FALSE: coherence shows a loss of vegetation (nine weeks in a row"),
        ("N1", "The crop was harvested inside the period in which it has to stand."),
        ("N1, bare", "M6 FALSE: no vegetation in the practice period (NDVI never reached 0.350)."),
    ],
)
def test_the_trace_says_what_is_missing(name: str, words: str) -> None:
    assert words in said(CASES[name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("F5", ("came nearest", "no observation in the period that")),
        ("black", ("No harvest was found",)),
        ("black, bare", ("is not reported", "A harvest was seen")),
    ],
)
def test_the_trace_does_not_say_what_no_rule_looked_at(name: str, words: tuple[str, ...]) -> None:
    text = said(CASES[name])
    assert not [one for one in words if one in text]


def test_the_trace_tells_why_tillage_is_not_known() -> None:
    """T2 of the specification, and a season without harvest."""
    after = "after the harvest coherence was not seen to fall from a high level"
    assert after in said(Case(coherence=(("01-01", 0.25), ("07-15", 0.80))), tillage=True)
    assert "it is looked for after a harvest, and there is none" in said(CASES["A2"], tillage=True)


def test_the_trace_says_what_a_computed_period_starts_with() -> None:
    """C9 of the specification: in a bare week; and where CATCHPERIODSTART is later."""
    late = tuple(date(2019, 3, 4) + timedelta(days=6 * k) for k in range(50))
    case = CASES["computed"].but(radar=late, ndvi={**NC, "10-30": 540, "11-20": 520, "12-10": 500})
    assert "It starts in a week of NDVI below 0.380, bare land by an NDVI between 0.300 and 0.540" in said(case)
    may = "The practice period is 2019-08-01 to 2019-09-25, computed.\nIt starts on the first day on which it may"
    assert may in said(case.but(country="ROU"))
    gone = "so it starts when the main crop was gone"
    assert gone in said(case.but(country="CZE", p_start="07-01"))


def test_the_trace_tells_when_soil_was_worked() -> None:
    """T1 of the specification."""
    case = Case(coherence=(("01-01", 0.25), ("07-15", 0.80), ("08-12", 0.45)))
    assert "Tillage in week 33, from 2019-08-12" in said(case, tillage=True)


def test_every_state_rule_flag_and_verdict_has_words() -> None:
    assert set(STATUS_WORDS) == {one.name for one in Status if one is not Status.OK}
    assert set(RULE_WORDS) == {one.name for one in Rule}
    assert set(FLAG_WORDS) == {str(one.name) for one in Flag}
    assert set(VERDICT_WORDS) == {one.name for one in Verdict}


def test_a_parcel_without_a_row_has_no_trace() -> None:
    results, weekly = tables(Case())
    with pytest.raises(NotFoundError, match="Parcel 2 has no row"):
        trace(results, weekly, 2, configuration("NLD").thresholds)


@pytest.mark.parametrize("name", ["A1", "A5", "computed"])
def test_the_picture_is_made_of_the_trace_and_always_the_same(tmp_path: Path, name: str) -> None:
    row, weeks, thresholds = as_read(traced(CASES[name], tillage=name == "A1"))
    truth = [date(2019, 7, 16)] if name == "A1" else []
    for file in ("one.png", "other.png"):
        draw_practice(PracticePicture(row, weeks, thresholds, truth), tmp_path / file)
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "other.png").read_bytes()
    assert content.startswith(b"\x89PNG")


def given(ids: list[str]) -> PracticeTable:
    count = len(ids)
    days = np.full(count, np.datetime64("2019-06-03"))
    nothing, names = np.full(count, np.datetime64("NaT", "D")), np.full(count, None, object)
    field_id = np.array(ids, object)
    return PracticeTable(
        "NA", np.arange(2, count + 2), field_id, names, days, days, days, np.full(count, "NA", object), names, nothing,
        nothing, np.zeros(count, np.bool_),
    )  # fmt: skip


PARCELS = PracticeParcels(
    parcel_id=np.array([3, 5, 8, 9], np.int64),
    ori_id=np.array(["b-A", "a", "c", "d"], object),
    s1_pix=np.array([4, UNKNOWN_PIXELS, 6, 7], np.int32),
    s2_pix=np.array([40, 50, 60, 70], np.int32),
    ori_id_raw=np.array(["b", "a", "c", "d"], object),
    reason=np.array([None, "geometry", "overlap", "duplicate"], object),
)


def test_rows_come_by_parcel_and_those_without_one_last() -> None:
    joined = joined_rows(given(["zz", "c", "b", "a", "b-A", "d"]), PARCELS, country="NLD", year=2019)
    assert joined.rows.parcel_id.tolist()[:4] == [3, 5, 8, 9]
    assert (joined.rows.parcel_id[4:] < 0).all()
    assert joined.rows.ori_id.tolist() == ["b", "a", "c", "d", "zz", "b-A"]
    reasons = [Status.OK, Status.GEOMETRY, Status.OVERLAP, Status.DUPLICATE, Status.NOT_IN_SERIES, Status.NOT_IN_SERIES]
    assert joined.rows.reason.tolist() == reasons
    assert joined.rows.s1_pix.tolist()[:3] == [4, UNKNOWN_PIXELS, 6]
    assert (joined.lost, joined.repeated) == (2, 1)
    assert "1 parcels not found, e.g. zz" in joined.findings[0].message


def test_the_table_nobody_gave_has_the_dates_of_the_season() -> None:
    first, middle, last = date(2019, 3, 1), date(2019, 6, 1), date(2019, 10, 31)
    table = automatic_table(PARCELS, np.array([1, 5, 4, -1]), first, middle, last)
    assert table.field_id.tolist() == ["b-A", "c"]
    assert (table.veg_start[0], table.h_start[0], table.h_end[1]) == (first, middle, last)
    with pytest.raises(InputError, match="has no middle"):
        automatic_table(PARCELS, np.ones(4, np.int64), first, last + timedelta(days=1), last)
