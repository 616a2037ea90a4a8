"""What became of every date a product is due (operations.md cases 3, 8, 10, 17, 18 and 22)."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from domain_rows import make_enabled, make_job
from sqlalchemy import Connection, text

from s4c_lib.catalog import jobs, seasons
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.jobs import JobState, SkipReason
from s4c_lib.catalog.occurrences import Occurrence, list_occurrences
from s4c_lib.catalog.seasons import Season, season_by_id, season_processors
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.schedules import CatchupPolicy, Kind, Schedule

A = SeasonDates(date(2019, 4, 1), date(2019, 6, 15), date(2019, 10, 31))


@pytest.fixture
def season(connection: Connection) -> Season:
    return make_enabled(connection, dates=A)[1]


def of(connection: Connection, season: Season, processor: str, today: str) -> list[Occurrence]:
    entry = next(item for item in season_processors(connection, season.id) if item.processor == processor)
    return list_occurrences(connection, season, entry, today=date.fromisoformat(today))


def had_run(connection: Connection, season: Season, processor: str, due: str, state: JobState, reason: str = "") -> int:
    day = date.fromisoformat(due)
    job = make_job(connection, season, f"run {due} {state}", processor=processor, as_of=min(day, A.end))
    connection.execute(
        text(
            "UPDATE s4c.job SET start_type = 'backfill', params = jsonb_build_object('occurrence', CAST(:due AS text)) "
            "WHERE id = :id"
        ),
        {"due": due, "id": job.id},
    )
    if state in jobs.ENDED:
        jobs.finish(connection, job.id, state, reason=reason or None)
    return job.id


@pytest.mark.parametrize(
    ("processor", "kept", "superseded", "too_early"),
    [("s4c_l4a", "2019-11-30", 5, 0), ("s4c_l4b", "2019-11-30", 6, 0), ("s4c_l4c", "2019-11-25", 29, 4)],
)
def test_of_a_past_season_one_date_is_kept(
    connection: Connection, season: Season, processor: str, kept: str, superseded: int, too_early: int
) -> None:
    """Case 10: created on 2024-11-20; the others are superseded, and are shown so without a job for each."""
    found = of(connection, season, processor, "2024-11-20")
    assert Counter((item.state, item.reason) for item in found) == Counter(
        {("due", None): 1, ("skipped", "superseded"): superseded, ("skipped", "out_of_season"): too_early}
    )
    (one,) = [item for item in found if item.state == "due"]
    assert (one.due.isoformat(), one.as_of) == (kept, A.end)
    assert jobs.list_jobs(connection) == []


@pytest.mark.parametrize(
    ("processor", "kept", "upcoming"),
    [("s4c_l4a", "2019-07-31", "2019-08-31"), ("s4c_l4c", "2019-08-05", "2019-08-12")],
)
def test_a_season_enabled_in_its_middle_keeps_the_latest_date(
    connection: Connection, season: Season, processor: str, kept: str, upcoming: str
) -> None:
    """Case 17: today is 2019-08-10."""
    found = [item for item in of(connection, season, processor, "2019-08-10") if item.reason != "out_of_season"]
    states = [(item.state, item.reason) for item in found]
    last = next(index for index, item in enumerate(found) if item.state == "due")
    assert found[last].due.isoformat() == kept
    assert set(states[:last]) == {("skipped", "superseded")}
    assert set(states[last + 1 :]) == {("planned", None)}
    assert found[last + 1].due.isoformat() == upcoming


def test_dates_that_had_a_run_say_how_it_ended(connection: Connection, season: Season) -> None:
    """Case 22: disabled after June and enabled again; the dates in between had no run."""
    first = had_run(connection, season, "s4c_l4a", "2019-06-15", JobState.SUCCEEDED)
    latest = had_run(connection, season, "s4c_l4a", "2019-10-31", JobState.SKIPPED, SkipReason.SAME_INPUTS)
    found = {item.due.isoformat(): item for item in of(connection, season, "s4c_l4a", "2019-11-05")}
    assert (found["2019-06-15"].state, found["2019-06-15"].job_id) == ("succeeded", first)
    for day in ("2019-07-31", "2019-08-31", "2019-09-30"):
        assert (found[day].state, found[day].reason) == ("skipped", "superseded")
    assert (found["2019-10-31"].reason, found["2019-10-31"].job_id) == ("same_inputs", latest)
    assert found["2019-11-30"].state == "planned"


@pytest.mark.parametrize("where", ["season", "parameter"])
def test_replay_all_drops_no_date(connection: Connection, season: Season, where: str) -> None:
    """Case 18, the dates; their order is rule R5. What a backfill runs without being told more is shown as due."""
    if where == "season":
        connection.execute(text("UPDATE s4c.season SET catchup_policy = 'replay_all'"))
        season = season_by_id(connection, season.id)
        assert season.catchup_policy is CatchupPolicy.REPLAY_ALL
    else:
        set_value(connection, "backfill.policy", "replay_all", actor="anna", season=season)
    had_run(connection, season, "s4c_l4c", "2019-05-13", JobState.SUBMITTED)
    found = [item for item in of(connection, season, "s4c_l4c", "2024-11-20") if item.reason != "out_of_season"]
    assert len(found) == 30
    assert found[0].due.isoformat() == "2019-05-06"
    assert Counter(item.state for item in found) == Counter({"due": 29, "submitted": 1})


def test_a_run_by_hand_takes_no_date_of_the_schedule(connection: Connection, season: Season) -> None:
    make_job(connection, season, "by hand", as_of=A.end)
    assert all(item.job_id is None for item in of(connection, season, "s4c_l4a", "2024-11-20"))


def test_a_schedule_of_one_date_is_done_when_it_ran(connection: Connection, season: Season) -> None:
    """Case 8: exactly one run, never planned again."""
    seasons.set_schedule(connection, season, "s4c_l4a", Schedule(Kind.ONCE, date(2019, 7, 1)))
    (before,) = of(connection, season, "s4c_l4a", "2019-07-02")
    assert (before.due.isoformat(), before.state) == ("2019-07-01", "due")
    job = had_run(connection, season, "s4c_l4a", "2019-07-01", JobState.SUCCEEDED)
    for today in ("2019-07-02", "2019-11-30", "2024-11-20"):
        (one,) = of(connection, season, "s4c_l4a", today)
        assert (one.due.isoformat(), one.state, one.job_id) == ("2019-07-01", "succeeded", job)
