"""The schedule rows of operations.md §8: seasons A, B and C as defined there."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.scheduling.dates import Phase, SeasonDates, add_months, days_in_month
from s4c_lib.scheduling.schedules import (
    Anchor,
    CatchupPolicy,
    Kind,
    Schedule,
    as_of,
    catch_up,
    default_policy,
    default_schedule,
    occurrences,
    out_of_season,
    runs,
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def days(texts: str) -> list[date]:
    return [day(text) for text in texts.split()]


A = SeasonDates(day("2019-04-01"), day("2019-06-15"), day("2019-10-31"))
B = SeasonDates(day("2018-10-15"), day("2019-04-01"), day("2019-08-31"))
C = SeasonDates(day("2024-01-31"), day("2024-05-15"), day("2024-09-30"))

DEFAULT_RUNS = {
    # case 1; 06-30 is absent: the end of the first run's own month is not used
    ("A", "s4c_l4a"): "2019-06-15 2019-07-31 2019-08-31 2019-09-30 2019-10-31 2019-11-30",
    # case 2
    ("A", "s4c_l4b"): "2019-05-02 2019-06-30 2019-07-31 2019-08-31 2019-09-30 2019-10-31 2019-11-30",
    # case 6; 10-31 lies beyond the horizon 2024-10-30
    ("C", "s4c_l4b"): "2024-03-02 2024-04-30 2024-05-31 2024-06-30 2024-07-31 2024-08-31 2024-09-30",
    ("C", "s4c_l4a"): "2024-05-15 2024-06-30 2024-07-31 2024-08-31 2024-09-30",
    # case 7
    ("B", "s4c_l4a"): "2019-04-01 2019-05-31 2019-06-30 2019-07-31 2019-08-31 2019-09-30",
    ("B", "s4c_l4b"): (
        "2018-11-15 2018-12-31 2019-01-31 2019-02-28 2019-03-31 2019-04-30 2019-05-31 2019-06-30 2019-07-31 "
        "2019-08-31 2019-09-30"
    ),
}
SEASONS = {"A": A, "B": B, "C": C}


@pytest.mark.parametrize(("season", "processor"), DEFAULT_RUNS)
def test_default_schedules_give_the_dates_of_sen4cap(season: str, processor: str) -> None:
    dates = SEASONS[season]
    schedule = default_schedule(processor, dates)
    assert runs(processor, schedule, dates) == days(DEFAULT_RUNS[season, processor])


def test_a_run_after_the_season_uses_nothing_later_than_its_end() -> None:
    due = occurrences(default_schedule("s4c_l4a", A), A)
    assert as_of(due[-1], A) == day("2019-10-31")
    assert as_of(due[0], A) == day("2019-06-15")


def test_practices_are_due_weekly_and_not_in_the_first_month() -> None:
    """Case 3."""
    schedule = default_schedule("s4c_l4c", A)
    due = occurrences(schedule, A)
    assert (len(due), due[0], due[-1]) == (34, day("2019-04-08"), day("2019-11-25"))
    early = [item for item in due if out_of_season("s4c_l4c", item, A)]
    assert early == days("2019-04-08 2019-04-15 2019-04-22 2019-04-29")
    real = runs("s4c_l4c", schedule, A)
    assert real[0] == day("2019-05-06")
    in_season = [item for item in real if item <= A.end]
    assert (len(in_season), in_season[-1]) == (26, day("2019-10-28"))


def test_a_daily_sweep_covers_the_season_and_its_month_of_grace() -> None:
    """Case 4."""
    due = occurrences(Schedule(Kind.EVERY_N_DAYS, A.start + timedelta(days=1), n_days=1), A)
    assert (len(due), due[0], due[-1]) == (243, day("2019-04-02"), day("2019-11-30"))


def test_month_ends_from_a_truncated_month() -> None:
    """Case 5: Sen4CAP's composite formula, month of the start + 1 month - 1 day."""
    first = add_months(C.start.replace(day=1), 1) - timedelta(days=1)
    due = occurrences(Schedule(Kind.MONTHLY, first, month_day=31), C)
    assert due == days(
        "2024-01-31 2024-02-29 2024-03-31 2024-04-30 2024-05-31 2024-06-30 2024-07-31 2024-08-31 2024-09-30"
    )


def test_once_is_once() -> None:
    """Case 8."""
    assert occurrences(Schedule(Kind.ONCE, day("2019-07-01")), A) == [day("2019-07-01")]
    assert occurrences(Schedule(Kind.ONCE, day("2019-12-01")), A) == []


def test_a_short_month_does_not_make_the_day_drift() -> None:
    """Case 9."""
    season = SeasonDates(day("2024-01-01"), day("2024-02-01"), day("2024-03-31"))
    due = occurrences(Schedule(Kind.MONTHLY, day("2024-01-30"), month_day=30), season)
    assert due == days("2024-01-30 2024-02-29 2024-03-30 2024-04-30")


@pytest.mark.parametrize(
    ("processor", "kept"), [("s4c_l4a", "2019-11-30"), ("s4c_l4b", "2019-11-30"), ("s4c_l4c", "2019-11-25")]
)
def test_a_past_season_keeps_its_last_run_only(processor: str, kept: str) -> None:
    """Case 10."""
    today = day("2024-11-20")
    due = runs(processor, default_schedule(processor, A), A)
    policy = default_policy(A.phase(today))
    assert policy is CatchupPolicy.FINAL_ONLY
    assert catch_up(due, today, policy) == ([day(kept)], due[:-1])
    assert as_of(day(kept), A) == day("2019-10-31")


@pytest.mark.parametrize(
    ("processor", "kept", "following"),
    [("s4c_l4a", "2019-07-31", "2019-08-31"), ("s4c_l4c", "2019-08-05", "2019-08-12")],
)
def test_a_season_made_in_its_middle_keeps_the_latest_missed_run(processor: str, kept: str, following: str) -> None:
    """Case 17."""
    today = day("2019-08-10")
    due = runs(processor, default_schedule(processor, A), A)
    policy = default_policy(A.phase(today))
    assert policy is CatchupPolicy.LATEST_ONLY
    kept_runs, superseded = catch_up(due, today, policy)
    assert kept_runs == [day(kept)]
    assert superseded == [item for item in due if item < day(kept)]
    assert min(item for item in due if item >= today) == day(following)


def test_replay_keeps_every_missed_run_in_order() -> None:
    due = runs("s4c_l4c", default_schedule("s4c_l4c", A), A)
    kept, superseded = catch_up(list(reversed(due)), day("2019-08-10"), CatchupPolicy.REPLAY_ALL)
    assert kept == [item for item in due if item < day("2019-08-10")]
    assert superseded == []


def test_what_is_due_today_is_not_missed() -> None:
    due = days("2019-08-09 2019-08-10 2019-08-11")
    assert catch_up(due, day("2019-08-10"), CatchupPolicy.LATEST_ONLY) == (due[:1], [])


def test_nothing_missed_is_nothing_to_catch_up() -> None:
    for policy in CatchupPolicy:
        assert catch_up([], day("2019-08-10"), policy) == ([], [])
        assert catch_up(days("2019-09-01"), day("2019-08-10"), policy) == ([], [])


def test_moved_season_dates_move_the_schedules_that_follow_them() -> None:
    """Case 21, the dates; the rows are in tests/catalog."""
    moved = SeasonDates(day("2019-04-10"), day("2019-06-15"), day("2019-09-30"))
    assert moved.horizon() == day("2019-10-30")
    l4c = default_schedule("s4c_l4c", A).for_season(moved)
    assert l4c.first_run == day("2019-04-17")
    assert runs("s4c_l4c", l4c, moved)[0] == day("2019-05-15")
    assert default_schedule("s4c_l4b", A).for_season(moved).first_run == day("2019-05-11")
    own = Schedule(Kind.EVERY_N_DAYS, day("2019-05-05"), n_days=14)
    assert own.for_season(moved) == own


def test_nothing_runs_before_a_season_that_begins_later_now() -> None:
    """A schedule of its own stays where it was, its dates too."""
    moved = SeasonDates(day("2019-04-20"), day("2019-06-15"), day("2019-10-31"))
    own = Schedule(Kind.EVERY_N_DAYS, day("2019-04-05"), n_days=14)
    assert runs("s4c_l4a", own, A)[:3] == days("2019-04-05 2019-04-19 2019-05-03")
    assert runs("s4c_l4a", own, moved)[:2] == days("2019-05-03 2019-05-17")
    assert runs("s4c_l4a", Schedule(Kind.ONCE, day("2019-04-05")), moved) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.ONCE, "n_days": 3},
        {"kind": Kind.ONCE, "month_day": 3},
        {"kind": Kind.EVERY_N_DAYS},
        {"kind": Kind.EVERY_N_DAYS, "n_days": 0},
        {"kind": Kind.EVERY_N_DAYS, "n_days": 367},
        {"kind": Kind.EVERY_N_DAYS, "n_days": 7, "month_day": 1},
        {"kind": Kind.MONTHLY},
        {"kind": Kind.MONTHLY, "month_day": 0},
        {"kind": Kind.MONTHLY, "month_day": 32},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Schedule(first_run=day("2019-05-01"), **fields)  # type: ignore[arg-type]


def test_a_processor_without_calendar_is_refused() -> None:
    with pytest.raises(InputError, match="l3b"):
        default_schedule("l3b", A)


def test_rules_are_said_in_words() -> None:
    first = day("2019-05-01")
    assert Schedule(Kind.ONCE, first).describe() == "once on 2019-05-01"
    assert Schedule(Kind.EVERY_N_DAYS, first, n_days=7).describe() == "every 7 days from 2019-05-01"
    assert Schedule(Kind.MONTHLY, first, month_day=31).describe() == "monthly on the last day from 2019-05-01"


calendar = st.dates(date(2015, 1, 1), date(2035, 12, 31))


@st.composite
def seasons(draw: st.DrawFn) -> SeasonDates:
    start = draw(calendar)
    length = draw(st.integers(1, 500))
    return SeasonDates(start, start + timedelta(days=draw(st.integers(0, length))), start + timedelta(days=length))


@st.composite
def schedules(draw: st.DrawFn, season: SeasonDates) -> Schedule:
    first = season.start + timedelta(days=draw(st.integers(0, 560)))
    kind = draw(st.sampled_from(Kind))
    n_days = draw(st.integers(1, 366)) if kind is Kind.EVERY_N_DAYS else None
    month_day = draw(st.integers(1, 31)) if kind is Kind.MONTHLY else None
    return Schedule(kind, first, n_days, month_day)


@given(st.data())
def test_occurrences_ascend_stay_in_the_horizon_and_do_not_drift(data: st.DataObject) -> None:
    season = data.draw(seasons())
    schedule = data.draw(schedules(season))
    grace = data.draw(st.integers(0, 24))
    due = occurrences(schedule, season, grace)
    assert all(earlier < later for earlier, later in pairwise(due))
    assert all(schedule.first_run <= item <= season.horizon(grace) for item in due)
    assert (due[:1] == [schedule.first_run]) is (schedule.first_run <= season.horizon(grace))
    for k, item in enumerate(due):
        match schedule.kind:
            case Kind.EVERY_N_DAYS:
                assert (item - schedule.first_run).days == k * (schedule.n_days or 0)
            case Kind.MONTHLY if k:
                months = (item.year - schedule.first_run.year) * 12 + item.month - schedule.first_run.month
                assert months == k
                assert item.day == min(schedule.month_day or 0, days_in_month(item.year, item.month))
    assert all(as_of(item, season) <= season.end for item in due)


@given(st.data())
def test_catch_up_loses_and_invents_nothing(data: st.DataObject) -> None:
    season = data.draw(seasons())
    due = occurrences(data.draw(schedules(season)), season)
    today = data.draw(calendar)
    for policy in CatchupPolicy:
        kept, superseded = catch_up(due, today, policy)
        assert sorted([*kept, *superseded]) == [item for item in due if item < today]
        assert policy is CatchupPolicy.REPLAY_ALL or len(kept) <= 1


@given(st.data())
def test_a_following_schedule_keeps_its_distance(data: st.DataObject) -> None:
    season, moved = data.draw(seasons()), data.draw(seasons())
    for processor in ("s4c_l4a", "s4c_l4b", "s4c_l4c"):
        before = default_schedule(processor, season)
        after = before.for_season(moved)
        assert after == default_schedule(processor, moved)
        base = (season.mid, moved.mid) if before.anchor is Anchor.MID else (season.start, moved.start)
        assert before.first_run - base[0] == after.first_run - base[1]


def test_months_clamp_to_the_last_day() -> None:
    assert add_months(day("2023-01-31"), 1) == day("2023-02-28")
    assert add_months(day("2024-01-31"), 1) == day("2024-02-29")
    assert add_months(day("2024-03-31"), -1) == day("2024-02-29")
    assert add_months(day("2024-12-15"), 1) == day("2025-01-15")
    assert add_months(day("2024-01-15"), -1) == day("2023-12-15")


@given(calendar, st.integers(-60, 60))
def test_adding_months_hits_the_right_month(start: date, months: int) -> None:
    result = add_months(start, months)
    assert (result.year * 12 + result.month) - (start.year * 12 + start.month) == months
    assert result.day == min(start.day, days_in_month(result.year, result.month))


def test_a_season_is_current_until_its_horizon() -> None:
    assert A.phase(day("2019-03-31")) is Phase.FUTURE
    assert A.phase(A.start) is Phase.CURRENT
    assert A.phase(day("2019-11-30")) is Phase.CURRENT
    assert A.phase(day("2019-12-01")) is Phase.PAST
    assert A.phase(day("2019-12-01"), grace_months=2) is Phase.CURRENT


@pytest.mark.parametrize(
    ("start", "end", "year"),
    [
        ("2019-04-01", "2019-10-31", 2019),
        ("2018-10-15", "2019-08-31", 2019),
        ("2018-05-01", "2019-02-01", 2018),
        # 31 days on either side: the end year
        ("2018-12-01", "2019-01-31", 2019),
    ],
)
def test_the_year_of_a_season_is_that_of_its_longer_part(start: str, end: str, year: int) -> None:
    """spec/README.md D1."""
    assert SeasonDates(day(start), day(start), day(end)).default_year() == year
