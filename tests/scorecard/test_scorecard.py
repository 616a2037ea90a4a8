"""Figures of the scorecard by hand: what products say against what is known to be true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s4c_lib.catalog.results_l4a import RESULT_COLUMNS as CROPS
from s4c_lib.catalog.results_l4b import EVENT_COLUMNS as EVENTS
from s4c_lib.catalog.results_l4b import RESULT_COLUMNS as MOWN
from s4c_lib.catalog.results_l4c import RESULT_COLUMNS as PRACTICES
from s4c_lib.errors import NotFoundError, ProductCorruptError
from s4c_lib.scorecard.crop_type import UNKNOWN, crop_type_figures
from s4c_lib.scorecard.figures import SHARE, Figure, Scorecard
from s4c_lib.scorecard.leaf_area import leaf_area_figures
from s4c_lib.scorecard.mowing import mowing_figures
from s4c_lib.scorecard.practices import harvest_figures, verdict_figures
from s4c_lib.scorecard.truth import LeafArea, Truth, read_truth
from s4c_lib.statistics.matrices import Series

KINDS = {
    "integer": pa.int32(), "double": pa.float64(), "text": pa.string(), "boolean": pa.bool_(), "date": pa.date32(),
    "moment": pa.timestamp("us", "UTC"), "bigint": pa.int64(),
}  # fmt: skip
LAST = date(2025, 10, 31)
TRUTH_COLUMNS = (
    "parcel_id", "ori_id", "true_crop", "harvest", "catch_crop", "catch_crop_sowing", "catch_crop_emergence",
    "catch_crop_destruction",
)  # fmt: skip
DATES = pa.date32()


def table(columns: Any, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of a result table; what is not given is null."""
    schema = pa.schema([(name, KINDS[kind]) for name, kind in columns.items()])
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows], schema)


def truth_of(rows: Sequence[dict[str, Any]], events: Sequence[tuple[int, str, date]] = ()) -> Truth:
    kinds = {name: pa.string() for name in ("ori_id", "true_crop", "catch_crop")} | {"parcel_id": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, DATES)) for name in TRUTH_COLUMNS])
    filled = [
        {"parcel_id": number, "ori_id": f"P{number}", "true_crop": "233", "catch_crop": "none", **row}
        for number, row in enumerate(rows, start=1)
    ]
    done = pa.table(
        {
            "parcel_id": pa.array([number for number, _, _ in events], pa.int64()),
            "event": pa.array([what for _, what, _ in events], pa.string()),
            "date": pa.array([day for _, _, day in events], DATES),
        }
    )
    return Truth(pa.Table.from_pylist(filled, schema), done, None)


def values(figures: Sequence[Figure]) -> dict[str, tuple[float, int]]:
    return {one.name: (one.value, one.n) for one in figures}


def crop(declared: int, predicted: int, verdict: str, purpose: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "ct_status": "classified", "ct_decl": declared, "ct_pred_1": predicted, "ct_conf_1": 0.9, "verdict": verdict,
        "ct_purpose": purpose, "review_rank": 1, **more,
    }  # fmt: skip


def test_crop_types_and_verdicts_are_judged_by_what_grows_not_by_what_is_declared() -> None:
    rows = [
        crop(1, 1, "confirmed"),
        crop(1, 2, "contradicted"),  # really 2: a wrong declaration found
        crop(2, 1, "contradicted"),  # really 2: right, and contradicted
        crop(2, 2, "confirmed"),  # really 1: wrong, and confirmed
        crop(1, 1, "cannot tell", purpose=1),
        crop(1, 2, "contradicted"),  # nobody knows what grows there
        {"ct_status": "rare_class", "ct_decl": 9},
    ]
    found = values(crop_type_figures(table(CROPS, rows), np.array([1, 2, 2, 1, 1, UNKNOWN, 9], np.int32)))
    assert found["overall_accuracy"] == (0.5, 4)
    assert found["macro_f1"] == (0.5, 4)  # each class: one of two found, one of two right
    assert found["accuracy_all"] == (0.6, 5)
    assert found["wrong_found"] == (0.5, 2)
    assert found["contradicted_wrong"] == (0.5, 2)
    assert found["right_contradicted"] == (pytest.approx(1 / 3), 3)
    assert found["confirmed_wrong"] == (0.5, 2)


def test_without_anything_to_judge_every_figure_is_nan() -> None:
    crops = crop_type_figures(table(CROPS, []), np.empty(0, np.int32))
    none = np.empty(0, np.int64)
    mowing = mowing_figures(table(MOWN, []), table(EVENTS, []), none, none, none.astype("datetime64[D]"))
    truth = truth_of([{}])
    harvest = harvest_figures(table(PRACTICES, []), none, truth, LAST)
    verdicts = verdict_figures("CC", table(PRACTICES, []), none, truth, LAST)
    for one in (*crops, *mowing, *harvest, *verdicts):
        assert math.isnan(one.value), one
        assert one.n == 0, one
        assert one.shown == "-"
    card = Scorecard(tuple(crops), {}, {"s4c_l4b": "no product"})
    assert {one["value"] for one in card.as_json()["figures"]} == {None}


def moment(month: int, day: int) -> datetime:
    return datetime(2025, month, day, 10, 30, tzinfo=UTC)


def event(parcel: int, start: datetime, end: datetime, *, reported: bool = True) -> dict[str, Any]:
    return {"new_id": parcel, "dstart": start, "dend": end, "conf": 0.9, "reported": reported}


def test_mowings_are_found_one_to_one_and_false_ones_count() -> None:
    results = [{"new_id": number, "proc": number != 40} for number in (30, 10, 20, 40)]
    events = [
        event(10, moment(5, 4), moment(5, 8)),  # mown on 6 May: right, its middle
        event(10, moment(5, 5), moment(5, 9)),  # the same again: wrong
        event(20, moment(6, 1), moment(6, 3)),  # mown on 6 June: three days later, still right
        event(20, moment(7, 1), moment(7, 3), reported=False),
        event(30, moment(8, 1), moment(8, 3)),  # never mown
    ]
    row_of = np.array([2, 0, 1, 3])
    row = np.array([0, 1, 1, 3])
    day = np.array(["2025-05-06", "2025-06-06", "2025-07-02", "2025-07-02"], "datetime64[D]")
    found = values(mowing_figures(table(MOWN, results), table(EVENTS, events), row_of, row, day))
    assert found["precision"] == (0.5, 4)
    assert found["recall"] == (pytest.approx(2 / 3), 3)
    assert found["f1"] == (pytest.approx(4 / 7), 7)
    # middle of 4 to 8 May is 6 May 10:30, 1.5 h before noon; of 1 to 3 June it is 4.0625 days before noon of the 6th
    assert found["date_error"] == (pytest.approx((0.0625 + 4.0625) / 2), 2)
    assert found["date_outside"] == (0.5, 2)
    assert found["count_exact"] == (0.0, 3)


def harvested(state: str | None, week: date | None) -> dict[str, Any]:
    return {"h_state": state, "h_w_start": week}


def test_harvest_weeks() -> None:
    rows = [
        harvested("FOUND", date(2025, 7, 14)),  # on the Thursday of that week
        harvested("FOUND", date(2025, 7, 28)),  # two weeks late
        harvested("NOT_FOUND", None),
        harvested("FOUND", date(2025, 8, 4)),  # stands in truth until after the last day
        harvested("NA", None),
        harvested("FOUND", date(2025, 8, 4)),  # of a parcel nobody knows
        harvested(None, None),
    ]
    days = [date(2025, 7, 17), date(2025, 7, 17), date(2025, 8, 1), date(2025, 11, 2), date(2025, 8, 1), None]
    truth = truth_of([{"harvest": day} for day in days])
    found = values(harvest_figures(table(PRACTICES, rows), np.array([0, 1, 2, 3, 4, -1, 5]), truth, LAST))
    assert found["harvest_found"] == (pytest.approx(2 / 3), 3)
    assert found["harvest_error"] == (7.0, 2)
    assert found["harvest_near"] == (0.5, 2)
    assert found["harvest_false"] == (1.0, 1)


def test_a_catch_crop_is_kept_when_it_stands_as_long_as_its_period() -> None:
    period = {"p_start": date(2025, 8, 1), "p_end": date(2025, 9, 25)}  # 56 days
    rows = [{**period, "c_index": verdict} for verdict in ("STRONG", "POOR", "MODERATE", "WEAK", "NR", "STRONG")]
    sown = {"catch_crop": "sown", "catch_crop_sowing": date(2025, 8, 1), "catch_crop_emergence": date(2025, 8, 8)}
    truth = truth_of(
        [
            sown,
            {**sown, "catch_crop_destruction": date(2025, 9, 26)},  # 56 days: kept
            {**sown, "catch_crop_destruction": date(2025, 9, 25)},  # 55 days: too short
            {},  # there is none
            sown,
            {"catch_crop": "undersown", "catch_crop_emergence": date(2025, 7, 1), "harvest": date(2025, 8, 20)},
        ]
    )
    found = values(verdict_figures("CC", table(PRACTICES, rows), np.arange(6), truth, LAST))
    assert found["cc_decided"] == (pytest.approx(5 / 6), 6)
    assert found["cc_kept_agreed"] == (pytest.approx(2 / 3), 3)
    assert found["cc_broken_objected"] == (0.5, 2)


@pytest.mark.parametrize(("practice", "crops"), [("FL", ("6794", "233")), ("NFC", ("258", "233"))])
def test_fallow_and_fixing_crops_are_kept_where_they_grow(practice: str, crops: tuple[str, str]) -> None:
    rows = [{"c_index": verdict} for verdict in ("STRONG", "WEAK", "STRONG", "POOR")]
    truth = truth_of([{"true_crop": code} for code in crops])
    found = values(verdict_figures(practice, table(PRACTICES, rows), np.array([0, 0, 1, 1]), truth, LAST))
    assert found[f"{practice.lower()}_kept_agreed"] == (0.5, 2)
    assert found[f"{practice.lower()}_broken_objected"] == (0.5, 2)


def lai(mean: npt.NDArray[np.float64]) -> Series:
    days: Any = np.array(["2025-05-01T10:46", "2025-05-03T10:46", "2025-05-05T10:46"], "datetime64[s]")
    n = np.full(mean.shape, 20, np.int32)
    return Series(
        "lai", None, None, days, np.full(3, np.datetime64("NaT", "s")), np.full(3, "sentinel-2"), np.array([10, 20]),
        mean.astype(np.float32), mean.astype(np.float32), n, n,
    )  # fmt: skip


def test_leaf_area_counts_on_clear_dates_only() -> None:
    days = [date(2025, 5, day) for day in (1, 2, 3, 4, 5)]
    daily = pa.table({"parcel_id": [1] * 5 + [2] * 5, "date": days * 2, "lai": [1.0, 9, 2, 9, 3, 4, 9, 5, 9, 6]})
    passes = [datetime(2025, 5, day, 10, 47, tzinfo=UTC) for day in (1, 3, 3, 5)]
    clear = pa.table(
        {
            "parcel_id": [1, 1, 1, 1, 2],
            "time": [*passes, passes[0]],
            # on the 3rd one of two passes is cloudy
            "clear_share": [1.0, 1.0, 0.4, 1.0, 1.0],
        }
    )
    series = lai(np.array([[1.5, 5.0, np.nan], [3.5, 5.0, 6.0]]))
    found = values(leaf_area_figures(series, np.array([0, 1]), np.array([1, 2]), LeafArea(daily, clear)))
    assert found["lai_rmse"] == (pytest.approx(0.5), 2)
    assert found["lai_bias"] == (pytest.approx(0.0), 2)
    nobody = values(leaf_area_figures(series, np.array([-1, -1]), np.array([1, 2]), LeafArea(daily, clear)))
    assert nobody["lai_rmse"][1] == 0


def test_identifiers_that_are_not_unique_are_left_out() -> None:
    truth = truth_of([{"ori_id": "A"}, {"ori_id": "B"}, {"ori_id": "B"}, {"ori_id": "C"}])
    assert truth.rows_of(["A", "B", "C", "C", None, "D"]).tolist() == [0, -1, -1, -1, -1, -1]
    assert truth.rows_of([]).tolist() == []


def test_what_comes_after_the_last_day_has_not_happened() -> None:
    truth = truth_of([{"harvest": LAST}, {"harvest": date(2025, 11, 1)}], [(2, "mowing", LAST), (1, "tillage", LAST)])
    assert np.isnat(truth.days("harvest", LAST)).tolist() == [False, True]
    rows, days = truth.mowings(LAST, LAST)
    assert (rows.tolist(), days.tolist()) == ([1], [LAST])


def test_a_folder_that_is_no_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"holds no parcels\.parquet"):
        read_truth(tmp_path)
    (tmp_path / "truth").mkdir()
    pq.write_table(pa.table({"parcel_id": [1]}), tmp_path / "truth" / "parcels.parquet")
    with pytest.raises(ProductCorruptError, match="has no column 'ori_id'"):
        read_truth(tmp_path)
    (tmp_path / "truth" / "parcels.parquet").write_bytes(b"PAR1")
    with pytest.raises(ProductCorruptError, match="cannot be read"):
        read_truth(tmp_path)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0.931, SHARE, "93.1 %"), (2.5, "d", "2.50 d"), (0.25, "", "0.25"), (math.nan, "d", "-")],
)
def test_values_are_shown_with_their_unit(value: float, unit: str, shown: str) -> None:
    assert Figure("s4c_l4b", "x", value, unit, 1, "y").shown == shown
