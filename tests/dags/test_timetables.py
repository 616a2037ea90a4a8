"""The timetables of seasons, asked as Airflow's scheduler and its backfills ask them."""

from __future__ import annotations

import itertools
from datetime import date

import pendulum
import pytest
from airflow.timetables.base import DagRunInfo, TimeRestriction

from s4c_airflow.timetables import IngestTimetable, SeasonTimetable
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.schedules import default_schedule, runs

SEASON_A = SeasonDates(date(2019, 4, 1), date(2019, 6, 15), date(2019, 10, 31))


def timetable_of(processor: str, past: bool = False) -> SeasonTimetable:
    schedule = default_schedule(processor, SEASON_A)
    dates = [day.isoformat() for day in runs(processor, schedule, SEASON_A)]
    return SeasonTimetable(dates, schedule.describe(), past)


def asked_by_backfill(timetable: SeasonTimetable | IngestTimetable) -> list[DagRunInfo]:
    restriction = TimeRestriction(pendulum.datetime(2014, 1, 1), pendulum.datetime(2100, 1, 1), catchup=True)
    found: list[DagRunInfo] = []
    while True:
        last = found[-1].data_interval if found else None
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            return found
        found.append(info)


def asked_by_scheduler(timetable: SeasonTimetable | IngestTimetable, last: DagRunInfo | None) -> DagRunInfo | None:
    restriction = TimeRestriction(pendulum.datetime(2014, 1, 1), None, catchup=False)
    return timetable.next_dagrun_info(
        last_automated_data_interval=last.data_interval if last else None, restriction=restriction
    )


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        ("s4c_l4a", ["2019-06-15", "2019-07-31", "2019-08-31", "2019-09-30", "2019-10-31", "2019-11-30"]),
        (
            "s4c_l4b",
            ["2019-05-02", "2019-06-30", "2019-07-31", "2019-08-31", "2019-09-30", "2019-10-31", "2019-11-30"],
        ),
    ],
)
def test_a_backfill_finds_every_occurrence_in_order(processor: str, expected: list[str]) -> None:
    """operations.md cases 1 and 2."""
    found = asked_by_backfill(timetable_of(processor, past=True))
    assert [info.logical_date.date().isoformat() for info in found] == expected  # type: ignore[union-attr]
    assert all(info.run_after == info.data_interval.end for info in found)


def test_practices_run_weekly_from_the_first_day_that_means_something() -> None:
    """operations.md case 3: 34 occurrences, the four before 1 May are no runs."""
    found = asked_by_backfill(timetable_of("s4c_l4c"))
    days = [info.logical_date.date() for info in found]  # type: ignore[union-attr]
    assert len(days) == 30
    assert days[0] == date(2019, 5, 6)
    assert max(day for day in days if day <= SEASON_A.end) == date(2019, 10, 28)


def test_the_scheduler_takes_only_the_latest_missed_occurrence_and_then_goes_on() -> None:
    """operations.md case 17: a season enabled on 10 August."""
    timetable = timetable_of("s4c_l4a")
    with pendulum.travel_to(pendulum.datetime(2019, 8, 10), freeze=True):
        first = asked_by_scheduler(timetable, None)
        assert first is not None
        assert first.logical_date == pendulum.datetime(2019, 7, 31)
        second = asked_by_scheduler(timetable, first)
        assert second is not None
        assert second.logical_date == pendulum.datetime(2019, 8, 31)
        assert second.run_after > pendulum.now("UTC")


def test_after_three_weeks_of_silence_only_the_latest_occurrence_runs() -> None:
    """operations.md case 22."""
    timetable = timetable_of("s4c_l4c")
    earlier = asked_by_backfill(timetable)[0]
    with pendulum.travel_to(pendulum.datetime(2019, 6, 1), freeze=True):
        info = asked_by_scheduler(timetable, earlier)
    assert info is not None
    assert info.logical_date == pendulum.datetime(2019, 5, 27)


def test_a_past_season_is_never_scheduled_by_itself() -> None:
    assert asked_by_scheduler(timetable_of("s4c_l4a", past=True), None) is None


def test_nothing_follows_the_last_occurrence() -> None:
    timetable = timetable_of("s4c_l4a")
    assert asked_by_scheduler(timetable, asked_by_backfill(timetable)[-1]) is None


def test_ingest_intervals_tile_the_span_and_run_at_their_end() -> None:
    found = asked_by_backfill(IngestTimetable("2025-02-17", "2025-12-01", 60, "every 60 days", past=True))
    assert found[0].data_interval.start == pendulum.datetime(2025, 2, 17)
    assert found[-1].data_interval.end == pendulum.datetime(2025, 12, 1)
    for earlier, later in itertools.pairwise(found):
        assert earlier.data_interval.end == later.data_interval.start
    assert all(info.run_after == info.data_interval.end for info in found)


def test_a_daily_ingest_starts_with_the_last_complete_day() -> None:
    timetable = IngestTimetable("2025-02-17", "2025-12-01", 1, "daily")
    with pendulum.travel_to(pendulum.datetime(2025, 6, 10, 13), freeze=True):
        info = asked_by_scheduler(timetable, None)
    assert info is not None
    assert info.data_interval.end == pendulum.datetime(2025, 6, 10)


@pytest.mark.parametrize(
    "timetable",
    [
        timetable_of("s4c_l4b", past=True),
        timetable_of("s4c_l4c"),
        IngestTimetable("2025-02-17", "2025-12-01", 60, "every 60 days", past=True),
    ],
)
def test_a_timetable_survives_serialisation(timetable: SeasonTimetable | IngestTimetable) -> None:
    again = type(timetable).deserialize(timetable.serialize())
    assert asked_by_backfill(again) == asked_by_backfill(timetable)
    assert again.summary == timetable.summary
    assert again.past == timetable.past


def test_a_run_by_hand_has_the_moment_as_its_interval() -> None:
    moment = pendulum.datetime(2026, 11, 21, 9, 30)
    assert timetable_of("s4c_l4a").infer_manual_data_interval(run_after=moment).end == moment
