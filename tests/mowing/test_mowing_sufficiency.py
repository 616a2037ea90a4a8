"""Where one cannot tell whether a parcel was mown."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mowing_optical_cases import of_matrix, series, settings, spaced

from s4c_lib.mowing.optical import screen
from s4c_lib.mowing.sufficiency import CannotTell, Sufficiency, sufficiency

FIRST, LAST = date(2021, 5, 1), date(2021, 9, 27)  # 150 days, five months


def judged(values: dict[date, float], **changes: float) -> Sufficiency:
    chosen = settings("default", **changes)
    data = series(values)
    return sufficiency(data, screen(data, chosen), FIRST, LAST, chosen)


def test_a_full_series_can_tell() -> None:
    found = judged(spaced("2021-05-01", *[0.8] * 30))
    assert (found.clear_dates[0], found.longest_gap_d[0], found.reasons[0]) == (30, 4, "")


def test_a_gap_is_told() -> None:
    """Clear to 05-31 and again from 08-04: 64 days from 06-01 to 08-03."""
    found = judged(spaced("2021-05-01", *[0.8] * 7) | spaced("2021-08-04", *[0.8] * 11))
    assert (found.clear_dates[0], found.longest_gap_d[0]) == (18, 64)
    assert found.cannot_tell[0] == CannotTell.LONG_GAP
    assert judged(spaced("2021-05-01", *[0.8] * 7) | spaced("2021-08-04", *[0.8] * 11), max_gap_d=64).reasons[0] == ""


def test_few_clear_dates() -> None:
    """1.1 a month for five months are 5.5."""
    days = ("2021-05-01", "2021-05-25", "2021-06-25", "2021-07-20", "2021-08-20", "2021-09-20")
    six = {date.fromisoformat(day): 0.8 for day in days}
    assert judged(six).reasons[0] == ""
    five = {day: value for day, value in six.items() if day != date(2021, 6, 25)}
    assert judged(five).reasons[0] == "few_clear_dates"


def test_an_event_takes_three_dates_however_short_the_period() -> None:
    """Six days; two dates would do by the month."""
    last = date(2021, 5, 6)
    chosen = settings("default")
    for count, reason in ((2, "few_clear_dates"), (3, "")):
        data = series(spaced("2021-05-01", *[0.8] * count, step=timedelta(days=2)))
        assert sufficiency(data, screen(data, chosen), FIRST, last, chosen).reasons[0] == reason
        sen4cap = settings("reference")
        assert sufficiency(data, screen(data, sen4cap), FIRST, last, sen4cap).reasons[0] == "", "it does not ask"


def test_clouds_and_days_outside_the_period_do_not_count() -> None:
    """30 dates from 05-01 to 09-23, two of them clouds: no clear date from 06-06 to 06-14."""
    values = spaced("2021-04-01", *[0.8] * 40)
    values[date(2021, 6, 10)] = 0.02
    values[date(2021, 6, 20)] = 0.3
    found = judged(values)
    assert (found.clear_dates[0], found.longest_gap_d[0]) == (28, 9)


def test_no_observation_at_all() -> None:
    found = judged({date(2021, 6, 1): np.nan})
    assert (found.clear_dates[0], found.longest_gap_d[0], found.reasons[0]) == (0, 150, "few_clear_dates")


@given(st.lists(st.booleans(), min_size=150, max_size=150))
def test_the_longest_gap_as_counted_day_by_day(clear: list[bool]) -> None:
    days = np.datetime64("2021-05-01", "s") + np.arange(150) * np.timedelta64(86_400, "s")
    data = of_matrix(days, np.where(clear, 0.8, np.nan)[None])
    chosen = settings("reference")
    found = sufficiency(data, screen(data, chosen), FIRST, LAST, chosen)
    runs = "".join("x" if one else "." for one in clear).split("x")
    assert found.longest_gap_d[0] == max(len(run) for run in runs)
    assert found.clear_dates[0] == sum(clear)
