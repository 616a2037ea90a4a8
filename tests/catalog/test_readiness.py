"""When a run may start: rules R1, R2, R4, R5 and R6 (operations.md §2.6 and cases 11 to 13, 16, 29 and 47).

R3 has a file of its own, test_readiness_derived.py.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from derived_rows import optical
from domain_rows import ACTOR, DATES, make_acquisition, make_enabled, make_job, make_source
from sqlalchemy import Connection, text
from uploaded_rows import declare, give, give_everything

from s4c_lib.catalog import jobs, query_windows, readiness
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.config_values import set_value, snapshot
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.readiness import Readiness
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.catalog.waivers import add_waiver
from s4c_lib.scheduling.dates import midnight
from s4c_lib.scheduling.query_windows import span, windows

PAST = datetime(2025, 2, 1, 8, tzinfo=UTC)


def store(connection: Connection, season: Season, *satellites: str) -> None:
    make_source(connection)  # a source that comes later makes every window due again
    for satellite in satellites:
        whole = span(satellite, season.dates, start_offset_months=0, s1_offset_days=12)
        query_windows.store_windows(connection, season.id, satellite, windows(whole, 10))


def search(connection: Connection, season: Season, satellite: str, at: datetime, most: int | None = None) -> None:
    """Search windows that have begun with success, at a moment."""
    for window in query_windows.list_windows(connection, season.id, satellite)[:most]:
        if window.window.eligible(at.date()):
            query_windows.start(connection, window.id, at)
            query_windows.succeed(connection, window.id, now=at, result_count=0, rejected=[])


def judge(
    connection: Connection,
    season: Season,
    *,
    processor: str = "s4c_l4c",
    as_of: date = DATES.end,
    due: datetime = PAST,
    now: datetime = PAST,
    **values: object,
) -> Readiness:
    settings = snapshot(connection, today=now.date(), season=season, job_values=values)
    return readiness.evaluate(
        connection,
        season,
        processor,
        interval_start=season.dates.start,
        as_of=as_of,
        due=due,
        now=now,
        snapshot=settings,
    )


def failing(verdict: Readiness) -> list[str]:
    return [rule.rule for rule in verdict.rules if not rule.ok]


def ready_for_all(connection: Connection, folder: Path) -> tuple[Site, Season]:
    """A site and season with all that users give."""
    site, season = make_enabled(connection)
    give_everything(connection, season, folder)
    return site, season


@pytest.fixture
def searched(connection: Connection, tmp_path: Path) -> tuple[Site, Season]:
    """A past season all of whose windows are settled, without any acquisition."""
    site, season = ready_for_all(connection, tmp_path)
    store(connection, season, "s1", "s2")
    search(connection, season, "s1", PAST)
    search(connection, season, "s2", PAST)
    return site, season


def test_a_season_nobody_searched_is_not_ready(connection: Connection, tmp_path: Path) -> None:
    _, season = ready_for_all(connection, tmp_path)
    verdict = judge(connection, season)
    assert not verdict.ready
    assert failing(verdict) == ["R1 s1", "R1 s2"]
    assert "ingest has not run" in verdict.reason


def test_three_windows_of_many_are_not_enough(connection: Connection, tmp_path: Path) -> None:
    """Case 11: all products of the windows searched are processed, no other rows exist."""
    _, season = ready_for_all(connection, tmp_path)
    store(connection, season, "s1", "s2")
    search(connection, season, "s1", PAST)
    search(connection, season, "s2", PAST, most=3)
    optical(connection, season, "PRODUCT", sensed=datetime(2024, 3, 5, tzinfo=UTC))
    verdict = judge(connection, season)
    assert (verdict.ready, failing(verdict)) == (False, ["R1 s2"])
    (rule,) = [rule for rule in verdict.rules if rule.rule == "R1 s2"]
    assert (rule.count, rule.blocking[0]) == (19, "2024-03-31..2024-04-09")
    search(connection, season, "s2", PAST)
    assert judge(connection, season).ready


def test_a_search_before_late_publications_does_not_count_in_a_past_season(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    _, season = searched
    last = query_windows.list_windows(connection, season.id, "s2")[-1]
    early = last.window.settle_at(5) - timedelta(seconds=1)
    query_windows.succeed(connection, last.id, now=early, result_count=0, rejected=[])
    assert failing(judge(connection, season)) == ["R1 s2"]


def test_a_prolonged_season_waits_for_its_new_days(connection: Connection, searched: tuple[Site, Season]) -> None:
    """No window covers them yet: every window there is may be settled all the same."""
    _, season = searched
    verdict = judge(connection, season, as_of=DATES.end + timedelta(days=20))
    assert failing(verdict) == ["R1 s1", "R1 s2"]
    assert "2024-10-01..2024-10-20" in verdict.reason


def test_a_failed_acquisition_is_waited_for_until_it_is_given_up(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    """Case 12."""
    site, season = searched
    for index in range(19):
        optical(connection, season, f"GOOD{index}")
    number = make_acquisition(connection, site, "BAD", state="failed")
    verdict = judge(connection, season)
    assert failing(verdict) == ["R2 s2"]
    assert "BAD (failed)" in str(verdict.as_json())
    transition(connection, [number], AcquisitionState.ABORTED, actor=ACTOR)
    verdict = judge(connection, season)
    assert verdict.ready, "1 of 20 is 5 %, the limit"
    make_acquisition(connection, site, "WORSE", state="aborted")
    assert failing(judge(connection, season)) == ["R6"]
    add_waiver(connection, season, "s4c_l4c", acquisition="BAD", reason="never mind", actor="operator")
    assert judge(connection, season).ready
    assert not judge(connection, season, processor="s4c_l4a").ready, "the waiver is for one processor"


@pytest.mark.parametrize("state", AcquisitionState)
def test_only_what_has_an_end_lets_a_run_start(
    connection: Connection, searched: tuple[Site, Season], state: AcquisitionState
) -> None:
    site, season = searched
    make_acquisition(connection, site, "PRODUCT", state=state)
    rules = failing(judge(connection, season))
    assert ("R2 s2" in rules) is (state not in {"processed", "aborted", "ignored", "processing_failed"})
    assert ("R6" in rules) is (state in {"aborted", "processing_failed"})


def test_radar_still_in_work_holds_back_those_who_read_it(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    """Case 13."""
    site, season = searched
    optical(connection, season, "S2")
    make_acquisition(connection, site, "S1", satellite="s1", state="processing")
    assert failing(judge(connection, season, processor="s4c_l4c")) == ["R2 s1"]
    assert failing(judge(connection, season, processor="s4c_l4b")) == ["R2 s1"]
    only_optical = {"processor.s4c_l4b.input_product_types": "S2"}
    assert judge(connection, season, processor="s4c_l4b", **only_optical).ready
    assert judge(connection, season, processor="s4c_l4a", **{"processor.s4c_l4a.mode": "s2-only"}).ready


def test_acquisitions_before_the_interval_count_for_radar_pairs_only(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    site, season = searched
    before = midnight(season.dates.start) - timedelta(days=1)
    make_acquisition(connection, site, "S2 BEFORE", state="queued", sensed=before)
    assert judge(connection, season).ready
    make_acquisition(connection, site, "S1 BEFORE", satellite="s1", state="queued", sensed=before)
    assert failing(judge(connection, season)) == ["R2 s1"]


def test_nobody_waits_for_what_is_left_out_switched_off_or_of_another_site(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    site, season = searched
    other, _ = make_enabled(connection, "Beta")
    make_acquisition(connection, other, "OF BETA", state="queued")
    make_acquisition(connection, site, "LANDSAT", satellite="l8", state="queued")
    number = make_acquisition(connection, site, "CLOUDY", state="queued")
    connection.execute(
        text("UPDATE s4c.site_acquisition SET relevance = 'ignored', reason = 'cloud' WHERE acquisition_id = :n"),
        {"n": number},
    )
    assert judge(connection, season).ready
    make_acquisition(connection, site, "S1", satellite="s1", state="queued")
    set_value(connection, "s1.enabled", False, actor="x", site=site)
    settings = snapshot(connection, today=PAST.date(), season=season)
    assert readiness.required_satellites("s4c_l4c", settings) == ("s2",)
    assert judge(connection, season).ready


def test_a_current_season_goes_on_with_what_it_has_after_its_deadline(connection: Connection, tmp_path: Path) -> None:
    """Case 16: due 2024-06-10, one product stuck; starts on 2024-06-15 with incomplete inputs."""
    site, season = ready_for_all(connection, tmp_path)
    store(connection, season, "s1", "s2")
    due = datetime(2024, 6, 10, tzinfo=UTC)
    day = timedelta(days=1)
    for satellite in ("s1", "s2"):
        search(connection, season, satellite, due + 2 * day)
    make_acquisition(connection, site, "STUCK", state="queued")

    def at(moment: datetime) -> Readiness:
        return judge(connection, season, as_of=due.date(), due=due, now=moment)

    waiting = at(due + 5 * day - timedelta(seconds=1))
    assert (waiting.ready, waiting.deadline, failing(waiting)) == (False, due + 5 * day, ["R2 s2"])
    overdue = at(due + 5 * day)
    assert (overdue.ready, overdue.complete) == (True, False)
    # what users give and the order of runs have no deadline
    connection.execute(text("UPDATE s4c.season SET year = 2023"))
    without = at(due + 30 * day)
    assert (without.ready, without.complete, failing(without)) == (False, False, ["R2 s2", "R4"])
    connection.execute(text("UPDATE s4c.season SET year = 2024"))
    make_job(connection, season, "earlier", processor="s4c_l4c", as_of=date(2024, 5, 31))
    assert not at(due + 30 * day).ready


def test_a_current_season_trusts_a_search_after_the_publication_lag(connection: Connection, tmp_path: Path) -> None:
    _, season = ready_for_all(connection, tmp_path)
    store(connection, season, "s1", "s2")
    as_of = date(2024, 6, 10)
    for moment, ready in ((datetime(2024, 6, 11, 23, tzinfo=UTC), False), (datetime(2024, 6, 12, tzinfo=UTC), True)):
        for satellite in ("s1", "s2"):
            search(connection, season, satellite, moment)
        verdict = judge(connection, season, as_of=as_of, due=midnight(as_of), now=moment)
        assert verdict.ready is ready, verdict.reason


def test_a_past_season_has_no_deadline(connection: Connection, searched: tuple[Site, Season]) -> None:
    site, season = searched
    make_acquisition(connection, site, "STUCK", state="queued")
    verdict = judge(connection, season, due=PAST, now=PAST + timedelta(days=400))
    assert (verdict.ready, verdict.deadline) == (False, None)


def test_months_of_grace_decide_whether_a_season_is_past(connection: Connection, searched: tuple[Site, Season]) -> None:
    _, season = searched
    late = datetime(2024, 11, 15, tzinfo=UTC)
    assert judge(connection, season, now=late).deadline is None
    set_value(connection, "schedule.grace_months", 3, actor="x", season=season)
    assert judge(connection, season, now=late).deadline is not None


def test_a_failing_window_pauses_and_holds_back_what_contains_it(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    """Case 29: three failures, next try after 20 min; other windows are not affected."""
    _, season = searched
    stored = query_windows.list_windows(connection, season.id, "s2")
    twelfth = stored[11]
    connection.execute(text("UPDATE s4c.query_window SET last_success = NULL WHERE id = :id"), {"id": twelfth.id})
    now = PAST
    for minutes in (5, 10, 20):
        query_windows.start(connection, twelfth.id, now)
        query_windows.fail(connection, twelfth.id, now=now, error="the archive does not answer")
        (found,) = [one for one in query_windows.list_windows(connection, season.id, "s2") if one.id == twelfth.id]
        assert found.next_attempt_at == now + timedelta(minutes=minutes)

        def due(moment: datetime) -> list[int]:
            found = query_windows.due_windows(connection, season.id, "s2", now=moment, settle_days=5, before=None)
            return [one.id for one in found]

        assert due(now + timedelta(minutes=minutes) - timedelta(seconds=1)) == []
        now += timedelta(minutes=minutes)
        assert due(now) == [twelfth.id]
    assert (found.attempts, found.error) == (3, "the archive does not answer")
    assert failing(judge(connection, season)) == ["R1 s2"]
    assert judge(connection, season, as_of=twelfth.window.date_from - timedelta(days=1)).ready
    query_windows.start(connection, twelfth.id, now)
    query_windows.succeed(connection, twelfth.id, now=now, result_count=0, rejected=[])
    assert judge(connection, season).ready


def test_runs_go_in_the_order_of_their_dates(connection: Connection, searched: tuple[Site, Season]) -> None:
    """Rule R5."""
    _, season = searched
    job = make_job(connection, season, "may", processor="s4c_l4c", as_of=date(2024, 5, 31))
    verdict = judge(connection, season, as_of=date(2024, 6, 30))
    assert failing(verdict) == ["R5"]
    assert f"job {job.id} as of 2024-05-31 (submitted)" in verdict.reason
    assert verdict.complete
    jobs.finish(connection, job.id, JobState.SUCCEEDED)
    assert judge(connection, season, as_of=date(2024, 6, 30)).reason == "everything is there"


def given(connection: Connection, season: Season, processor: str, **values: object) -> readiness.RuleResult:
    (rule,) = [one for one in judge(connection, season, processor=processor, **values).rules if one.rule == "R4"]
    return rule


def test_what_users_have_not_given_is_listed_with_the_command_that_takes_it(
    connection: Connection, tmp_path: Path
) -> None:
    """Rule R4, case 47."""
    site, season = make_enabled(connection)
    for processor in ("s4c_l4a", "s4c_l4b"):
        rule = given(connection, season, processor)
        assert (rule.ok, rule.count) == (False, 2)
        assert rule.text == (
            "missing: declarations of 2024 ('s4c declarations import'), crop code table of 2024 ('s4c lut import')"
        )
    rule = given(connection, season, "s4c_l4c")
    assert rule.blocking[2] == "L4C configuration of 2024 ('s4c config import')"
    give(connection, site.id, Kind.LUT, year=2023)
    assert given(connection, season, "s4c_l4a").count == 2, "of another year"
    give(connection, site.id, Kind.LUT)
    declare(connection, site.id, tmp_path)
    for processor in ("s4c_l4a", "s4c_l4b"):
        assert given(connection, season, processor).text == "everything a user gives is there"
    assert given(connection, season, "s4c_l4c").count == 1
    give(connection, site.id, Kind.L4C_CONFIG)
    assert given(connection, season, "s4c_l4c").ok, "the table of NA is made from the declarations"


def test_one_usable_practice_is_enough(connection: Connection, searched: tuple[Site, Season]) -> None:
    """D12: the others are skipped, and named."""
    site, season = searched
    practices, own_na = "processor.s4c_l4c.practices", "processor.s4c_l4c.auto_na_table"
    rule = given(connection, season, "s4c_l4c", **{practices: ["CC", "FL"]})
    assert rule.text == "missing: a practice table of 2024 for CC, FL ('s4c practices import')"
    rule = given(connection, season, "s4c_l4c", **{practices: ["NA"], own_na: False})
    assert not rule.ok
    give(connection, site.id, Kind.PRACTICES_CC)
    rule = given(connection, season, "s4c_l4c", **{practices: ["CC", "FL", "NA"], own_na: False})
    assert rule.ok
    assert rule.text.endswith("no table for practice FL, NA, which is skipped")
    assert given(connection, season, "s4c_l4c", **{practices: ["CC"]}).text == "everything a user gives is there"


def test_declarations_count_when_their_parcels_are_in_force(
    connection: Connection, searched: tuple[Site, Season]
) -> None:
    _, season = searched
    assert given(connection, season, "s4c_l4a").ok
    connection.execute(text("UPDATE s4c.parcel_set SET state = 'superseded'"))
    assert given(connection, season, "s4c_l4a").count == 1
