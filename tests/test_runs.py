"""The life of a run, whoever starts it: scheduled, backfilled, by hand or from the command line."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from derived_rows import make_product
from domain_rows import DATES, make_acquisition, make_enabled, make_source
from sqlalchemy import Connection
from uploaded_rows import give_everything

from s4c_lib import runs
from s4c_lib.catalog import derivations, jobs, products, query_windows, seasons, sites
from s4c_lib.catalog.config_values import set_value, snapshot
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import WorkKey
from s4c_lib.catalog.job_liveness import sign_of_life
from s4c_lib.catalog.jobs import Job, JobState
from s4c_lib.catalog.missing_products import Piece
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import ConflictError, InputError, NotFoundError, ParameterError
from s4c_lib.processors import required_types
from s4c_lib.runs import RunRequest, may_start, open_run
from s4c_lib.scheduling.query_windows import span, windows

NOW = datetime(2025, 2, 1, 8, tzinfo=UTC)
L4A = RunRequest("alpha", "2024", "s4c_l4a", "run 1", "backfill", "anna", occurrence=date(2024, 10, 31))
INGEST = RunRequest("alpha", "2024", "ingest", "ingest 1", "scheduled", "airflow", occurrence=date(2025, 2, 1))


@pytest.fixture
def season(database: Database, tmp_path: Path) -> Season:
    """A past season with an archive nobody has searched."""
    (tmp_path / "archive" / "something").mkdir(parents=True)
    with database.begin() as connection:
        site, season = make_enabled(connection)
        give_everything(connection, season, tmp_path / "declarations")
        make_source(connection, tmp_path / "archive")
        assert site.enabled
    return season


def settle(database: Database, season: Season) -> None:
    with database.begin() as connection:
        for satellite in ("s1", "s2", "l8"):
            whole = span(satellite, season.dates, start_offset_months=0, s1_offset_days=12)
            query_windows.store_windows(connection, season.id, satellite, windows(whole, 10))
        for window in query_windows.list_windows(connection, season.id):
            query_windows.start(connection, window.id, NOW)
            query_windows.succeed(connection, window.id, now=NOW, result_count=0, rejected=[])


def supply(connection: Connection, season: Season, *types: str) -> None:
    for name in types:
        new = products.NewProduct(
            product_type=name,
            processor={"l3b": "l3b"}.get(name, "l2s1"),
            name=name,
            full_path=f"/products/{name}",
            acquired_at=datetime(2024, 5, 6, tzinfo=UTC),
            software_version="1",
            config_hash="h",
        )
        products.register(connection, new, [season.site_id])


def job_of(database: Database, number: int) -> Job:
    with database.begin() as connection:
        return jobs.get_job(connection, number)


def test_a_run_waits_for_its_inputs_then_starts(database: Database, season: Season) -> None:
    opening = open_run(database, L4A, now=NOW)
    assert opening.status == "waiting"
    assert "ingest has not run" in opening.text
    waiting = job_of(database, opening.job_id)
    assert (waiting.state, waiting.as_of, waiting.interval_start) == ("waiting_inputs", DATES.end, DATES.start)
    assert waiting.readiness is not None
    assert not waiting.readiness["ready"]
    assert may_start(database, opening.job_id, now=NOW) == (False, opening.text)

    settle(database, season)
    with database.begin() as connection:
        supply(connection, season, "l3b", "s1_l2a_amp")
    assert may_start(database, opening.job_id, now=NOW)[0]
    again = open_run(database, L4A, now=NOW)
    assert (again.status, again.job_id) == ("started", opening.job_id)
    assert open_run(database, L4A, now=NOW).status == "started", "a repeated task goes on"
    started = job_of(database, opening.job_id)
    assert (started.state, started.inputs_complete) == ("running", True)
    assert runs.close_run(database, opening.job_id, failed_tasks={}).state is JobState.SUCCEEDED


def test_a_run_without_input_is_skipped_and_names_what_is_missing(database: Database, season: Season) -> None:
    """Case 20 with spec/README.md E1."""
    settle(database, season)
    opening = open_run(database, replace(L4A, processor="s4c_l4c"), now=NOW)
    assert opening.status == "skipped"
    job = job_of(database, opening.job_id)
    assert (job.state, job.reason) == ("skipped", "no_inputs")
    assert "l3b, s1_l2a_amp, s1_l2a_cohe" in (job.detail or "")
    with database.begin() as connection:
        supply(connection, season, "s1_l2a_amp")
    opening = open_run(database, L4A, now=NOW)
    assert "no product of type l3b between" in opening.text


def test_of_a_scheduled_and_a_backfill_run_one_waits(database: Database, season: Season) -> None:
    settle(database, season)
    with database.begin() as connection:
        supply(connection, season, "l3b", "s1_l2a_amp")
    requests = [replace(L4A, key=f"run {index}", start_type="manual") for index in range(4)]
    openings: list[runs.Opening] = []
    threads = [
        threading.Thread(target=lambda one=one: openings.append(open_run(database, one, now=NOW))) for one in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(opening.status for opening in openings) == ["started", "waiting", "waiting", "waiting"]
    holder = next(opening.job_id for opening in openings if opening.status == "started")
    waiting = [opening for opening in openings if opening.status == "waiting"]
    assert {opening.holder.id for opening in waiting if opening.holder} == {holder}
    assert not may_start(database, waiting[0].job_id, now=NOW)[0]
    assert runs.close_run(database, holder, failed_tasks={"compute": "failed"}).detail == "tasks: compute (failed)"
    assert may_start(database, waiting[0].job_id, now=NOW)[0]


def test_what_is_disabled_does_not_run(database: Database, season: Season) -> None:
    with database.begin() as connection:
        seasons.set_processor(connection, season, "s4c_l4a", enabled=False)
    opening = open_run(database, L4A, now=NOW)
    assert opening.text.startswith("skipped(disabled)")
    assert open_run(database, replace(L4A, processor="s4c_l4b"), now=NOW).status == "waiting"
    with database.begin() as connection:
        sites.set_enabled(connection, sites.get_site(connection, "alpha"), False)
    assert open_run(database, INGEST, now=NOW).text.startswith("skipped(disabled)")
    assert open_run(database, replace(L4A, processor="s4c_l4b"), now=NOW).status == "skipped"


def test_an_ingest_without_work_is_skipped(database: Database, season: Season) -> None:
    settle(database, season)
    opening = open_run(database, INGEST, now=NOW)
    assert opening.text.startswith("skipped(no_work)")
    asked = replace(INGEST, key="by hand", start_type="manual", occurrence=None, options={"requery": True})
    opening = open_run(database, asked, now=NOW)
    assert opening.status == "started"
    later = open_run(database, replace(INGEST, key="ingest 2"), now=NOW)
    assert later.status == "skipped", "nothing to do needs no lock"
    runs.close_run(database, opening.job_id, failed_tasks={})
    with database.begin() as connection:
        query_windows.requery(connection, season.id)
    assert open_run(database, replace(INGEST, key="ingest 3"), now=NOW).status == "started"
    assert open_run(database, replace(INGEST, key="ingest 4"), now=NOW).status == "waiting"


def test_an_ingest_without_sources_says_so(database: Database) -> None:
    with database.begin() as connection:
        make_enabled(connection)
    opening = open_run(database, INGEST, now=NOW)
    assert "none has a data source" in opening.text


def test_a_run_of_a_past_season_gives_up_waiting_in_the_end(database: Database, season: Season) -> None:
    with database.begin() as connection:
        set_value(connection, "readiness.timeout_days", 10, actor="x", season=season)
    opening = open_run(database, L4A, now=NOW)
    begun = job_of(database, opening.job_id).submitted_at
    assert not may_start(database, opening.job_id, now=begun + timedelta(days=9))[0]
    assert may_start(database, opening.job_id, now=begun + timedelta(days=11)) == (True, "waited too long")
    with pytest.raises(ConflictError, match="has waited 10 days"):
        open_run(database, L4A, now=begun + timedelta(days=11))
    failed = runs.fail_request(database, L4A, ConflictError("it waited"))
    assert failed is not None
    assert (failed.state, failed.reason, failed.detail) == ("failed", "conflict", "it waited")
    assert open_run(database, L4A, now=NOW).status == "waiting", "started again, it waits anew"


def test_a_current_season_runs_on_what_it_has_and_says_so(database: Database, season: Season) -> None:
    now = datetime(2024, 6, 20, tzinfo=UTC)
    with database.begin() as connection:
        supply(connection, season, "l3b", "s1_l2a_amp")
    request = replace(L4A, occurrence=date(2024, 6, 10), start_type="scheduled")
    assert open_run(database, request, now=datetime(2024, 6, 14, tzinfo=UTC)).status == "waiting"
    opening = open_run(database, request, now=now)
    job = job_of(database, opening.job_id)
    assert (opening.status, job.inputs_complete, job.as_of) == ("started", False, date(2024, 6, 10))
    assert job.readiness is not None
    assert [rule["rule"] for rule in job.readiness["rules"] if not rule["ok"]] == ["R1 s1", "R1 s2"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"options": {"as_of": "tomorrow"}}, InputError),
        ({"options": {"as_off": "2024-06-01"}}, InputError),
        ({"options": {"without_waiting": "false"}}, InputError),
        ({"options": {"as_of": "2024-12-31"}}, InputError),
        ({"options": {"interval_start": "2024-05-02", "as_of": "2024-05-01"}}, InputError),
        ({"options": {"interval_start": "2024-01-01"}}, InputError),
        ({"settings": {"processor.s4c_l4a.num-trees": 0}}, ParameterError),
        ({"settings": {"downloader.orbits": [8]}}, InputError),
        ({"settings": {"no.such.key": 1}}, ParameterError),
        ({"season": "1999"}, NotFoundError),
        ({"site": "nowhere"}, NotFoundError),
    ],
)
def test_wrong_requests_are_refused(
    database: Database, season: Season, wrong: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        open_run(database, replace(L4A, **wrong), now=NOW)  # type: ignore[arg-type]
    with database.begin() as connection:
        assert jobs.list_jobs(connection) == []


def test_values_of_one_run_count_for_it_alone(database: Database, season: Season) -> None:
    """Case 41."""
    settings = {"PROCESSOR.S4C_L4A.NUM-TREES": "500"}
    opening = open_run(database, replace(L4A, settings=settings, options={"as_of": "2024-05-31"}), now=NOW)
    job = job_of(database, opening.job_id)
    assert job.config_snapshot["processor.s4c_l4a.num-trees"] == 500
    assert job.params["settings"] == {"processor.s4c_l4a.num-trees": 500}
    assert job.as_of == date(2024, 5, 31)
    other = job_of(database, open_run(database, replace(L4A, key="run 2"), now=NOW).job_id)
    assert other.config_snapshot["processor.s4c_l4a.num-trees"] == 300
    assert other.config_hash != job.config_hash


def test_a_run_airflow_lost_gives_its_lock_back(database: Database, season: Season) -> None:
    """Case 43."""
    first = open_run(database, INGEST, now=NOW)
    assert open_run(database, replace(INGEST, key="ingest 2"), now=NOW).status == "waiting"
    with database.begin() as connection:
        key = WorkKey(season.site_id, "l3b", "h")
        l2a = make_product(connection, season, "L2A", "l2a")
        derivations.plan(connection, key, [Piece(NOW, l2a, "31UFS")], max_attempts=3, now=NOW)
        owner = f"job {first.job_id} vegetation[0] host:1"
        assert derivations.claim(connection, key, owner=owner, now=NOW, lease_seconds=1800) is not None
    assert not runs.release_lost(database, first.job_id, "running")
    assert runs.release_lost(database, first.job_id, None)
    with database.begin() as connection:
        (piece,) = derivations.list_derivations(connection, key)
    assert (piece.state, piece.attempts) == ("pending", 0), "the next run need not wait for its lease to end"
    assert not runs.release_lost(database, first.job_id, None)
    lost = job_of(database, first.job_id)
    assert (lost.state, lost.reason) == ("failed", "lost")
    assert open_run(database, replace(INGEST, key="ingest 2"), now=NOW).status == "started"


def test_each_processor_asks_for_what_its_settings_need(database: Database, season: Season) -> None:
    def types(processor: str, **values: object) -> tuple[tuple[str, ...], ...]:
        with database.begin() as connection:
            settings = snapshot(connection, today=NOW.date(), season=season, job_values=values)
        return required_types(processor, settings)

    mode, inputs = "processor.s4c_l4a.mode", "processor.s4c_l4b.input_product_types"
    assert types("s4c_l4a") == (("l3b",), ("s1_l2a_amp",))
    assert types("s4c_l4a", **{"processor.s4c_l4a.allow_missing_sensor": True}) == (("l3b", "s1_l2a_amp"),)
    assert types("s4c_l4a", **{mode: "s1-only"}) == (("s1_l2a_amp",),)
    assert types("s4c_l4a", **{mode: "s2-only"}) == (("l3b",),)
    assert types("s4c_l4b") == (("l3b", "s1_l2a_cohe"),)
    assert types("s4c_l4b", **{inputs: "S1"}) == (("s1_l2a_cohe",),)
    assert types("s4c_l4b", **{inputs: "S2"}) == (("l3b",),)
    assert types("s4c_l4c") == (("l3b",), ("s1_l2a_amp",), ("s1_l2a_cohe",))


def test_waiting_acquisitions_hold_a_run_back_with_their_names(database: Database, season: Season) -> None:
    settle(database, season)
    with database.begin() as connection:
        site = sites.get_site(connection, "alpha")
        make_acquisition(connection, site, "STUCK", state="queued")
    opening = open_run(database, L4A, now=NOW)
    assert opening.text == "s2: 1 acquisitions not ready"
    assert "STUCK (queued)" in str(job_of(database, opening.job_id).readiness)


def test_an_operator_has_a_run_start_on_what_is_there(database: Database, season: Season) -> None:
    """operations.md 2.6: nothing was searched, and no deadline comes; what users give is still wanted."""
    with database.begin() as connection:
        supply(connection, season, "l3b", "s1_l2a_amp")
    by_hand = replace(L4A, key="by hand", start_type="manual", occurrence=None, options={"as_of": "2024-08-31"})
    assert open_run(database, by_hand, now=NOW).status == "waiting"
    forced = replace(by_hand, key="at once", options={**by_hand.options, "without_waiting": True})
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE s4c.season SET year = 2023")
    assert "declarations of 2023" in open_run(database, forced, now=NOW).text
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE s4c.season SET year = 2024")
    opening = open_run(database, forced, now=NOW)
    job = job_of(database, opening.job_id)
    assert (opening.status, job.inputs_complete, job.params["without_waiting"]) == ("started", False, True)


def test_the_last_scheduled_run_keeps_its_deadline_when_the_season_has_passed(
    database: Database, season: Season
) -> None:
    """Due on the horizon itself: the next day the season is past, and the run must not wait for ever."""
    with database.begin() as connection:
        supply(connection, season, "l3b", "s1_l2a_amp")
    horizon = season.dates.horizon()
    request = replace(L4A, occurrence=horizon, start_type="scheduled")
    due = datetime(horizon.year, horizon.month, horizon.day, 1, tzinfo=UTC)
    assert open_run(database, request, now=due).status == "waiting"
    assert open_run(database, request, now=due + timedelta(days=6)).status == "started"


def test_a_run_that_never_started_is_not_closed_as_succeeded(database: Database, season: Season) -> None:
    """Somebody marked its first task successful by hand while it waited."""
    opening = open_run(database, L4A, now=NOW)
    assert opening.status == "waiting"
    job = runs.close_run(database, opening.job_id, failed_tasks={})
    assert (job.state, job.reason) == (JobState.FAILED, "not_started")


def test_a_command_line_run_that_died_gives_its_lock_back_to_airflow(database: Database, season: Season) -> None:
    by_hand = replace(INGEST, key="command line 1", start_type="command_line", occurrence=None)
    held = open_run(database, by_hand, now=NOW)
    assert held.status == "started"
    waiting = open_run(database, INGEST, now=datetime.now(UTC))
    assert waiting.status == "waiting"
    assert waiting.holder is not None
    later = datetime.now(UTC) + timedelta(seconds=10)
    with sign_of_life(database, held.job_id):
        assert not may_start(database, waiting.job_id, now=later)[0]
        assert not runs.release_dead(database, waiting.holder, now=later)
    assert may_start(database, waiting.job_id, now=later)[0]
    assert runs.release_dead(database, waiting.holder, now=later)
    assert job_of(database, held.job_id).reason == "lost"
    assert open_run(database, INGEST, now=NOW).status == "started"


def test_a_satellite_that_is_not_searched_is_not_waited_for(database: Database, season: Season) -> None:
    settle(database, season)
    with database.begin() as connection:
        query_windows.requery(connection, season.id, "s1")
        supply(connection, season, "l3b", "s1_l2a_amp")
    assert open_run(database, L4A, now=NOW).status == "waiting"
    with database.begin() as connection:
        site = sites.get_site(connection, season.site)
        set_value(connection, "downloader.s1.enabled", False, actor="anna", site=site)
    assert open_run(database, L4A, now=NOW).status == "started"
