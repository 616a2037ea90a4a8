"""Parcels that cannot be evaluated, odd series, and the repairs that other cases do not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as rounds
from hypothesis import strategies as st
from practice_cases import ACQUISITIONS, NC, Case, decided, found, observed, on, rows_of_sen4cap, settings

from benchmarks.practices_loop import critical
from benchmarks.practices_season import season
from s4c_lib.errors import InputError
from s4c_lib.practices.codes import Status
from s4c_lib.practices.decision import decide
from s4c_lib.practices.decisions import Decisions
from s4c_lib.practices.evidence import critical_values
from s4c_lib.practices.product_tables import MadeOf, result_table
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.sen4cap_table import COLUMNS, TILLAGE_COLUMNS, write_sen4cap_csv
from s4c_lib.practices.series import Columns, median_pair_days, practice_series
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weeks import day_numbers, iso_numbers, mondays_of, week_numbers
from s4c_lib.statistics.matrices import Key, Series

BOTH = pytest.mark.parametrize("profile", ["reference", "default"])
RESULTS = [name for name in COLUMNS[12:] if name not in ("S1PIX", "H_QUALITY", "C_QUALITY")]


def run(
    series: dict[Key, Series], rows: PracticeRows, told: PracticeSettings, **options: Any
) -> tuple[Decisions, list[dict[str, str]]]:
    ends = {"as_of": date(2019, 12, 31), "gap_limit": date(2019, 10, 31), "tillage": False}
    decisions = decide(series, rows, told, **{**ends, **options})
    return decisions, rows_of_sen4cap(rows, decisions)


def without(*keys: Key) -> Callable[[dict[Key, Series]], dict[Key, Series]]:
    return lambda series: {key: one for key, one in series.items() if key not in keys}


def one_coherence(series: dict[Key, Series]) -> dict[Key, Series]:
    return {**series, ("coherence_vv", 88): observed("coherence_vv", 88, {ACQUISITIONS[0]: 0.3})}


def coherence_of_another_year(series: dict[Key, Series]) -> dict[Key, Series]:
    days = [date(2019, 10, 28) + timedelta(days=k) for k in range(20)]
    return {**series, ("coherence_vv", 88): observed("coherence_vv", 88, dict.fromkeys(days, 0.3))}


def other_days(series: dict[Key, Series]) -> dict[Key, Series]:
    return {**series, ("vh", 88): observed("vh", 88, {day + timedelta(days=1): -38.0 for day in ACQUISITIONS})}


LACKS: dict[str, tuple[Callable[[dict[Key, Series]], dict[Key, Series]], Status]] = {
    "nothing at all": (lambda series: {}, Status.NOT_IN_SERIES),
    "no backscatter": (without(("vv", 88), ("vh", 88)), Status.NO_AMP),
    "one polarisation": (without(("vh", 88)), Status.NO_AMP),
    "polarisations of other days": (other_days, Status.NO_AMP),
    "no coherence": (without(("coherence_vv", 88)), Status.NO_COHE),
    "one coherence value": (one_coherence, Status.SHORT_COHE),
    "NDVI only": (without(("vv", 88), ("vh", 88), ("coherence_vv", 88)), Status.NO_AMP),
    "no NDVI": (without(("ndvi", None)), Status.NO_NDVI),
    "no common week": (coherence_of_another_year, Status.NO_COMMON_WEEK),
}


@BOTH
@pytest.mark.parametrize("what", LACKS)
def test_a_parcel_that_lacks_something(what: str, profile: str) -> None:
    spoil, status = LACKS[what]
    case = Case()
    decisions, (row,) = run(spoil(case.series()), case.rows(), settings(profile, "NA", "NLD"))
    assert decisions.status.tolist() == [status]
    assert {row[name] for name in RESULTS} == {"NA"}
    assert [row["H_QUALITY"], row["C_QUALITY"], row["S1PIX"], row["VEG_START"]] == ["", "", "20", "2019-04-01"]
    assert len(decisions.weekly) == 0


@BOTH
def test_reasons_and_their_order(profile: str) -> None:
    """Dates, then Sentinel-1 pixels, then what is known of the parcel, then Sentinel-2 pixels."""
    case, told = Case(), settings(profile, "NA", "NLD", s2_pix_min=51)
    rows = case.rows()

    def status(**changes: Any) -> int:
        return int(run(case.series(), replace(rows, **changes), told)[0].status[0])

    assert status() == Status.NO_S2PIX
    geometry = np.array([Status.GEOMETRY], np.int8)
    assert status(reason=geometry) == Status.GEOMETRY
    none = np.zeros(1, np.int32)
    assert status(reason=geometry, s1_pix=none) == Status.NO_S1PIX
    assert status(bad_dates=np.array([True]), s1_pix=none) == Status.BAD_DATES
    nat = np.array(["NaT"], "datetime64[D]")
    for name in ("veg_start", "h_start", "h_end"):
        assert status(**{name: nat}) == Status.BAD_DATES


@BOTH
def test_a_row_with_bad_dates_is_written_with_what_it_has(profile: str) -> None:
    _, row = decided(Case(practice="CC", country="CZE", h_start=None, p_start="08-12", p_end="10-06"), profile)
    assert found(row, "VEG_START H_START P_START P_END C_INDEX") == [
        "2019-04-01",
        "NA",
        "2019-08-12",
        "2019-10-06",
        "NA",
    ]


@BOTH
def test_reversed_dates_that_reach_the_kernel_are_evaluated(profile: str) -> None:
    """The reader of practice tables marks them; the kernel never tests their order (decision D3)."""
    decisions, row = decided(Case(h_start="09-01", h_end="07-01", veg_start="10-01"), profile)
    assert decisions.status.tolist() == [Status.OK]
    assert found(row, "M1 H_WEEK H_S1GAPS") == ["FALSE", "NO-HARVEST", "0"]


def test_a_parcel_has_one_row_in_a_table() -> None:
    rows = Case().rows()
    with pytest.raises(InputError, match="parcel 1 has 2 rows"):
        rows.of(np.array([0, 0]))
    with pytest.raises(InputError, match="p_type has 0 values for 1 practice rows"):
        replace(rows, p_type=np.empty(0, object))


def test_no_rows(tmp_path: Path) -> None:
    case = Case()
    decisions, table = run(case.series(), case.rows().of(slice(0, 0)), settings("default", "CC", "NLD"), tillage=True)
    assert len(decisions) == 0
    assert table == []
    empty = result_table(decisions, case.rows().of(slice(0, 0)), MadeOf(on("12-31")))
    assert write_sen4cap_csv(tmp_path / "results.csv", [empty], tillage=True) == 0
    assert (tmp_path / "results.csv").read_text() == ";".join(COLUMNS + TILLAGE_COLUMNS) + "\n"


def test_texts_of_the_result_file(tmp_path: Path) -> None:
    case = Case()
    rows = replace(case.rows(), ori_id=np.array(['a;"b"'], object), main_crop=np.array([None], object))
    decisions, (row,) = run(case.series(), rows, settings("reference", "NA", "NLD"))
    assert [row["ORIG_ID"], row["MAIN_CROP"], row["P_TYPE"]] == ['a;"b"', "NA", "NA"]
    write_sen4cap_csv(tmp_path / "results.csv", [result_table(decisions, rows, MadeOf(on("12-31")))], tillage=False)
    line = (tmp_path / "results.csv").read_text().splitlines()[1]
    assert line.startswith('1;"a;""b""";NLD;2019;NA;2019-04-01;2019-06-03;2019-10-15;NA;NA;NA;NA;2019-10-21;NA;FALSE')
    assert line.endswith(";NA;20;7;0;0;0;;")


@BOTH
@pytest.mark.parametrize("practice", ["CC", "FL", "NFC"])
def test_both_scales_of_backscatter_decide_alike(practice: str, profile: str) -> None:
    """Thresholds are doubled where the ratio is in whole decibels."""
    series, rows = season(40, 3, practice, "CZE", images=40)
    half, whole = (
        run(series, rows, settings(profile, practice, "CZE", amp_scale=scale), gap_limit=date(2019, 12, 31))
        for scale in ("half_db", "db")
    )
    assert half[1] == whole[1]
    np.testing.assert_allclose(2 * half[0].applied.ratio_rise, whole[0].applied.ratio_rise)
    np.testing.assert_allclose(2 * half[0].weekly.ratio_change, whole[0].weekly.ratio_change, atol=1e-9)


@rounds(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_parcel_is_decided_alike_in_any_company(seed: int) -> None:
    series, rows = season(12, seed, "CC", "NLD", images=30)
    told = settings("default", "CC", "NLD")
    whole = run(series, rows, told)[1]
    order = np.random.default_rng(seed).permutation(12)[:5]
    assert run(series, rows.of(order), told)[1] == [whole[number] for number in order]


def test_blocks_of_rows_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    series, rows = season(30, 5, "CC", "NLD", images=30)
    told = settings("default", "CC", "NLD")
    whole = decide(series, rows, told, as_of=on("12-31"), gap_limit=on("12-31"), tillage=True)
    monkeypatch.setattr("s4c_lib.practices.decision.BLOCK", 7)
    done: list[tuple[int, int]] = []
    parts = decide(
        series, rows, told, as_of=on("12-31"), gap_limit=on("12-31"), tillage=True,
        progress=lambda number, total: done.append((number, total)),
    )  # fmt: skip
    assert done == [(7, 30), (14, 30), (21, 30), (28, 30), (30, 30)]
    assert rows_of_sen4cap(rows, parts) == rows_of_sen4cap(rows, whole)
    for name in ("row", "week", "ndvi", "m3", "pres"):
        np.testing.assert_array_equal(getattr(parts.weekly, name), getattr(whole.weekly, name))
    np.testing.assert_array_equal(parts.applied.ratio_level, whole.applied.ratio_level)
    assert whole.weekly.of_row(29)["week"].tolist() == whole.weekly.week[whole.weekly.row == 29].tolist()


def test_observations_after_the_date_of_the_run_do_not_count() -> None:
    case = Case()
    told = settings("default", "NA", "NLD")
    early = run(case.series(), case.rows(), told, as_of=date(2019, 7, 8))[1]
    assert early == run(case.but(until="07-08").series(), case.rows(), told)[1]


def test_observations_of_other_years() -> None:
    """Defect 2: the reference takes all; repaired, those from 1 January or the season's start on."""
    old = [date(2018, 11, 4) + timedelta(days=6 * k) for k in range(20)]
    case = Case(radar=(*old, *ACQUISITIONS), ratio=(("2018-01-01", 3.0), ("01-01", 7.0), ("07-15", 9.0)))
    case = case.but(coherence=(("2018-01-01", 0.25), ("07-15", 0.62)))
    assert decided(case)[0].weekly.week[0] == np.datetime64("2018-10-29")
    assert decided(case, "default")[0].weekly.week[0] == np.datetime64("2018-12-31")
    series, rows, told = case.series(), case.rows(), settings("default", "NA", "NLD")
    longer = run(series, rows, told, season_start=date(2018, 12, 1))[0]
    assert longer.weekly.week[0] == np.datetime64("2018-12-03")


def winter(profile: str) -> Decisions:
    """A catch crop over New Year whose ratio rises from December to January."""
    case = Case(
        practice="CC", country="CZE", p_type="CatchCropIsMain", p_start="11-25", p_end="2020-01-19",
        radar=[date(2019, 3, 4) + timedelta(days=6 * k) for k in range(60)],
        ndvi=NC | {"12-01": 540, "2020-01-12": 540}, until="2020-02-28",
        ratio=(("01-01", 7.0), ("07-15", 9.0), ("12-16", 7.0), ("12-23", 7.4), ("2020-01-01", 7.9),
               ("2020-01-06", 8.2)),
        coherence=(("01-01", 0.25), ("07-15", 0.62), ("09-02", 0.3)),
    )  # fmt: skip
    return run(case.series(), case.rows(), settings(profile, "CC", "CZE"), as_of=date(2020, 2, 28))[0]


def test_weeks_are_neighbours_across_new_year() -> None:
    """Defect 13: by their ISO numbers week 1 is far from week 52."""
    marks = {}
    for profile in ("reference", "default"):
        weekly = winter(profile).weekly.of_row(0)
        at = int(np.flatnonzero(weekly["week"] == np.datetime64("2019-12-30"))[0])
        marks[profile] = int(weekly["no_ratio_loss"][at])
    assert marks == {"reference": 1, "default": 0}


def test_upper_limit_of_bare_land() -> None:
    """Defect 14: the lowest NDVI is compared with NDVIUP (500) and replaced by EFANDVIUP (400)."""
    case = Case(
        practice="CC", country="NLD", p_type="CatchCropIsMain", p_start="10-15",
        ndvi={"04-03": 300, "05-08": 650, "06-12": 760, "07-22": 450, "08-06": 450, "09-05": 460, "10-05": 470},
        radar=[date(2019, 3, 4) + timedelta(days=6 * k) for k in range(50)],
    )  # fmt: skip
    assert decided(case)[0].applied.bare_ndvi_min.tolist() == [450]
    assert decided(case, "default")[0].applied.bare_ndvi_min.tolist() == [400]


def test_of_several_passes_on_a_day_the_one_with_most_pixels_counts() -> None:
    morning = observed("ndvi", None, {on("05-08"): 0.3, on("05-18"): 0.5}, n=[10, 10])
    noon = replace(
        observed("ndvi", None, {on("05-08"): 0.6, on("05-18"): 0.7}, n=[20, 5]),
        time=morning.time + np.timedelta64(60, "m"),
    )
    both = {
        name: np.concatenate([getattr(morning, name), getattr(noon, name)], axis=-1)[..., [0, 2, 1, 3]]
        for name in ("time", "previous_time", "platform", "mean", "std", "n", "n_total")
    }
    read = Columns({("ndvi", None): replace(morning, **both)}, "ndvi", ()).of(np.array([1, 2]))
    assert len(read.day) == 2
    np.testing.assert_allclose(read.mean, [[0.6, 0.5], [np.nan, np.nan]], rtol=1e-6)


def test_days_between_the_images_of_pairs() -> None:
    assert median_pair_days(Case().series()) == 6
    assert median_pair_days(Case(radar=ACQUISITIONS[::2]).series()) == 12
    told = {("coherence_vv", 88): observed("coherence_vv", 88, dict.fromkeys(ACQUISITIONS, 0.3), baseline=12)}
    assert median_pair_days(told) == 12
    assert median_pair_days({}) is None


def test_series_of_a_table_of_observations() -> None:
    """Two valid pixels make an observation; for radar they are more than a tenth of the parcel."""
    found_pixels = [("ndvi", 2, 50), ("ndvi", 1, 1), ("vv", 5, 50), ("vv", 6, 50)]
    names, n, total = (list(column) for column in zip(*found_pixels, strict=True))
    times = [np.datetime64("2019-05-01T10:00", "us") + np.timedelta64(k, "D") for k in range(4)]
    table = pa.table(
        {
            "parcel_id": pa.array([7] * 4, pa.int64()),
            "time": pa.array(times),
            "variable": names,
            "mean": pa.array([0.5] * 4, pa.float32()),
            "std": pa.array([0.1] * 4, pa.float32()),
            "n": pa.array(n, pa.int32()),
            "n_total": pa.array(total, pa.int32()),
            "platform": ["sentinel"] * 4,
            "tile": ["31UFT"] * 4,
            "orbit": pa.array([None, None, 88, 88], pa.int16()),
            "direction": pa.array([None, None, "ascending", "ascending"]),
            "previous_time": pa.array([None] * 4, pa.timestamp("us")),
            "product_id": pa.array([1, 2, 3, 4], pa.int64()),
        }
    )
    series = practice_series(table)
    assert np.isfinite(series["ndvi", None].mean).tolist() == [[True, False]]
    assert np.isfinite(series["vv", 88].mean).tolist() == [[False, True]]


def test_a_practice_must_be_known() -> None:
    with pytest.raises(InputError, match='"XX" is not a practice'):
        settings("default", "XX", "NLD")


def test_settings_of_the_profiles() -> None:
    reference, default = settings("reference", "NA", "NLD"), settings("default", "NA", "NLD")
    assert reference.repairs == frozenset()
    assert default.repairs == frozenset((2, 3, 4, 5, 6, 8, 11, 13, 14, 19))
    assert (reference.min_pooled, default.min_pooled) == (16, 15)
    assert (reference.same_baseline, default.same_baseline) == (False, True)


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)))
def test_weeks_start_on_monday_and_have_iso_numbers(day: date) -> None:
    week = week_numbers(day_numbers(np.array([day], "datetime64[D]")))
    assert mondays_of(week).tolist() == [day - timedelta(days=day.weekday())]
    assert iso_numbers(week).tolist() == [day.isocalendar()[1]]


def test_critical_values_of_a_slope() -> None:
    """Tables of F(1, n) at 5 %."""
    np.testing.assert_allclose(critical_values(12)[[3, 4, 12]], [161.448, 18.513, 4.965], atol=5e-4)
    assert np.isinf(critical_values(12)[:3]).all()
    wanted = [critical(number) for number in range(3, 400)]
    np.testing.assert_allclose(critical_values(399)[3:], wanted, rtol=1e-12)
