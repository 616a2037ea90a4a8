"""Labels and bins of the periods of L4A."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from s4c_lib.crop_type.feature_names import (
    backscatter_name,
    coherence_name,
    family_of,
    optical_name,
    table_of,
)
from s4c_lib.crop_type.periods import (
    date_grid,
    date_of,
    day_number,
    month_label,
    month_of_week,
    week_label,
    week_of,
)


@pytest.mark.parametrize(
    ("day", "label"),
    [
        ("2020-01-01", "W202001"),
        ("2020-01-05", "W202001"),
        ("2020-01-06", "W202001"),
        ("2020-03-01", "W202008"),
        ("2020-03-02", "W202009"),
        ("2020-12-31", "W202052"),
        ("2018-12-31", "W201852"),
        ("2019-01-06", "W201901"),
        ("2024-12-30", "W202452"),
    ],
)
def test_ac_01_week_label(day: str, label: str) -> None:
    assert week_label(week_of(date.fromisoformat(day))) == label


def test_ac_02_optical_grid() -> None:
    grid = date_grid(day_number(date(2020, 3, 3)), day_number(date(2020, 4, 7)), 10)
    assert [str(date_of(day)) for day in grid] == ["2020-03-03", "2020-03-13", "2020-03-23", "2020-04-02"]


def test_weeks_in_groups_take_the_label_of_the_first() -> None:
    days = [date(2020, 1, 1), date(2020, 1, 13), date(2020, 1, 20), date(2020, 12, 31)]
    assert [week_label(week_of(day, 2)) for day in days] == ["W202001", "W202001", "W202003", "W202051"]


def test_a_week_belongs_to_the_month_of_its_monday() -> None:
    # 2 March 2020 is a Monday, 1 March the end of the week of 24 February.
    assert month_label(month_of_week(week_of(date(2020, 3, 2)))) == "M202003"
    assert month_label(month_of_week(week_of(date(2020, 3, 1)))) == "M202002"
    # In 2021 the first Monday is 4 January, in 2019 the 7th: week 1 is of January all the same.
    assert [month_label(month_of_week(week_of(date(year, 1, 2)))) for year in (2019, 2021)] == ["M201901", "M202101"]
    assert month_label(month_of_week(week_of(date(2020, 4, 6)), 2)) == "M202003"


@hypothesis_settings(deadline=None)
@given(st.dates(date(2015, 1, 1), date(2035, 12, 31)))
def test_a_monday_starts_a_new_week_unless_the_year_has_no_more(day: date) -> None:
    week, before = week_of(day), week_of(day - timedelta(days=1))
    if week != before:
        # Weeks follow each other, and but for the first of January they begin on a Monday.
        assert week == before + 1
        assert day.weekday() == 0 or (day.month, day.day) == (1, 1)
    elif day.weekday() == 0:
        assert (day.month == 1 and day.day <= 7) or (day.month == 12 and day.day >= 29)
    months = {month_of_week(week), 12 * day.year + day.month - 1}
    assert max(months) - min(months) <= 1


def test_names_as_sen4cap_writes_them_and_their_families() -> None:
    names = [
        optical_name(date(2020, 3, 13), "MEAN", "ndvi"),
        optical_name(date(2020, 3, 13), "DEV", "b12"),
        backscatter_name("W202015", "ASC", "VV", "MEAN"),
        backscatter_name("M202003", "ASC", "RATIO", "DEV", "CVAR"),
        coherence_name("M202004", "VH", "MEAN", temporal="MIN"),
        coherence_name("S", "VV", "MEAN"),
        coherence_name("W202015", "VH", "DEV", direction="DESC"),
    ]
    assert names == [
        "XX_2020_03_13_s2_mean_ndvi",
        "XX_2020_03_13_s2_dev_b12",
        "XX_W202015_ASC_VV_BCK_MEAN",
        "XX_M202003_ASC_RATIO_BCK_CVAR_DEV",
        "XX_M202004_VH_COHE_MIN_MEAN",
        "XX_S_VV_COHE_MEAN",
        "XX_W202015_DESC_VH_COHE_DEV",
    ]
    assert [table_of(name) for name in names] == [
        "opt_main", "opt_re", "sar_main", "sar_temp", "sar_temp", "sar_temp", "sar_main",
    ]  # fmt: skip
    assert family_of("XX_W202015_ASC_VV_BCK_DEV") == family_of("XX_W202016_ASC_VV_BCK_MEAN") == "W_ASC_VV_BCK"
    assert [family_of(name) for name in ("XX_M202003_VV_COHE_MIN_MEAN", "mine", "XX_M202004_VV_COHE_MEAN_DEV")] == [
        "M_VV_COHE", "mine", "M_VV_COHE",
    ]  # fmt: skip
