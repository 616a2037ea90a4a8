"""Backfills from the command line, against a server that answers as Airflow does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from s4c_lib.airflow_api import AirflowApi
from s4c_lib.catalog.database import Database
from s4c_lib.cli.backfill import PlannedBackfill, follow
from s4c_lib.cli.demo import wait_for_earlier
from s4c_lib.runs import RunRequest, close_run, fail_run, open_run
from tests.cli.airflow_hub import Hub
from tests.cli.conftest import Answer, Run

FAST = ("--poll", "0.1")


@pytest.fixture
def hub(airflow: Hub) -> Hub:
    return airflow


def test_a_past_season_runs_ingest_and_the_last_date_of_each_product(
    hub: Hub, s4c: Run, season: tuple[str, str]
) -> None:
    answer = s4c("season", "backfill", *season, "--json")
    plans = {item["processor"]: item for item in answer.json}
    assert list(plans) == ["ingest", "s4c_l4a", "s4c_l4b", "s4c_l4c"]
    # acceptance case 10 of operations.md
    assert plans["s4c_l4a"]["runs"] == ["2019-11-30"]
    assert plans["s4c_l4b"]["runs"] == ["2019-11-30"]
    assert plans["s4c_l4c"]["runs"] == ["2019-11-25"]
    assert plans["s4c_l4c"]["policy"] == "final_only"
    assert len(plans["s4c_l4c"]["left_out"]) == 29
    ingest = plans["ingest"]["runs"]
    assert ingest[0] == "2019-03-20"  # twelve days of radar before the season
    assert len(ingest) == 5  # intervals of 60 days until the month after the end is over
    assert len(hub.backfills) == 4
    assert hub.backfills[0]["dag_id"] == "test_land__2019__ingest"
    assert hub.backfills[1]["from_date"] == hub.backfills[1]["to_date"] == "2019-11-30T00:00:00+00:00"


def test_replay_all_runs_every_date_of_every_product_in_order(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    products = ("--processor", "l4a", "--processor", "l4b", "--processor", "l4c")
    latest = s4c("season", "backfill", *season, *products, "--policy", "latest_only", "--dry-run", "--json").json
    # in a season that is over the latest date due is the last one
    assert [plan["runs"] for plan in latest] == [["2019-11-30"], ["2019-11-30"], ["2019-11-25"]]
    plans = s4c("season", "backfill", *season, *products, "--policy", "replay_all", "--json").json
    assert [len(plan["runs"]) for plan in plans] == [6, 7, 30]
    assert [plan["runs"][0] for plan in plans] == ["2019-06-15", "2019-05-02", "2019-05-06"]
    for plan in plans:
        mine = [run["logical_date"][:10] for run in hub.runs if run["dag_id"] == plan["dag_id"]]
        assert mine == plan["runs"] == sorted(mine)


def test_a_dry_run_creates_nothing(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    answer = s4c("season", "backfill", *season, "--dry-run")
    assert "test_land__2019__l4a_crop_type" in answer.out
    assert "nothing was created" in answer.err
    assert hub.backfills == []


def test_waiting_starts_the_products_after_the_ingest_and_ends_with_a_table(
    hub: Hub, s4c: Run, season: tuple[str, str]
) -> None:
    order: list[str] = []

    def on_run(dag_id: str, run_id: str, day: datetime) -> str:
        order.append(dag_id.split("__")[-1])
        return "success"

    hub.on_run = on_run
    answer = s4c("season", "backfill", *season, "--processor", "ingest", "--processor", "l4b", "--wait", *FAST)
    assert order == ["ingest"] * 5 + ["l4b_mowing"]
    created = [index for index, item in enumerate(hub.requests) if item == "POST /api/v2/backfills"]
    assert len(created) == 2
    assert answer.err.count("runs ended: 5 of 5, 5 success\n") == 1
    assert "runs ended: 1 of 1, 1 success\n" in answer.err
    assert "asking Airflow: test_land__2019__l4b_mowing: 1 run\n" in answer.err
    assert answer.out.count("success") == 6


@pytest.fixture
def domain_jobs(database: Database, season: tuple[str, str]) -> Callable[[str], Callable[[str, str, datetime], str]]:
    """Make the runs of the hub open and close real jobs, as the tasks of the DAGs do."""

    def ending(how: str) -> Callable[[str, str, datetime], str]:
        def on_run(dag_id: str, run_id: str, day: datetime) -> str:
            request = RunRequest(
                site=season[0],
                season=season[1],
                processor="ingest" if dag_id.endswith("ingest") else "s4c_l4c",
                key=run_id,
                start_type="backfill",
                requested_by="admin",
                occurrence=(day + timedelta(days=60)).date() if dag_id.endswith("ingest") else day.date(),
                airflow_dag_id=dag_id,
                airflow_run_id=run_id,
            )
            opening = open_run(database, request, now=datetime.now(UTC))
            if opening.status == "started" and how == "failed":
                fail_run(database, opening.job_id, "the archive is away", "source")
            elif opening.status == "started":
                close_run(database, opening.job_id, failed_tasks={})
            return how

        return on_run

    return ending


def test_a_failed_ingest_stops_the_backfill_and_says_why(
    hub: Hub, s4c: Run, season: tuple[str, str], domain_jobs: Callable[..., Callable[..., str]], folder: Path
) -> None:
    (folder / "archive").mkdir()
    s4c("source", "add", "archive", "--satellite", "s2", "--root", folder / "archive")
    hub.on_run = domain_jobs("failed")
    answer = s4c("season", "backfill", *season, "--wait", *FAST, code=1)
    assert len(hub.backfills) == 1
    assert "ingest did not succeed, so the products were not started" in answer.err
    assert "the archive is away" in answer.out
    assert answer.out.count("failed") >= 5


def test_a_run_that_waits_for_its_inputs_says_for_what(
    hub: Hub, s4c: Run, season: tuple[str, str], domain_jobs: Callable[..., Callable[..., str]]
) -> None:
    hub.on_run = domain_jobs("success")
    answer = s4c("season", "backfill", *season, "--processor", "l4c", "--wait", *FAST)
    (line,) = [line for line in answer.err.splitlines() if "1 running" in line]
    assert "s4c_l4c waits: s1: " in line
    assert "query window" in line
    assert "waiting_inputs" in answer.out


def one_line(answer: Answer) -> str:
    (line,) = [line for line in answer.err.splitlines() if line.startswith("s4c: ")]
    return line


def test_a_paused_dag_is_refused_before_anything_is_created(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    hub.paused.add("test_land__2019__l4c_practices")
    line = one_line(s4c("season", "backfill", *season, code=2))
    assert "test_land__2019__l4c_practices is paused" in line
    assert "queued in silence" in line
    assert hub.backfills == []


def test_a_backfill_under_way_is_reported(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    s4c("season", "backfill", *season, "--processor", "l4a")
    line = one_line(s4c("season", "backfill", *season, "--processor", "l4a", code=2))
    assert "Backfill 1 of test_land__2019__l4a_crop_type (2019-11-30 to 2019-11-30) is under way" in line


def test_a_backfill_that_was_interrupted_goes_on(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    """Whoever waited is gone (Ctrl-C, a restart), Airflow goes on with the ingest."""
    s4c("season", "backfill", *season, "--processor", "ingest")
    both = ("season", "backfill", *season, "--processor", "ingest", "--processor", "l4b")
    assert "the same command with --wait follows it" in one_line(s4c(*both, code=2))
    assert "is under way" in one_line(s4c(*both, "--wait", "--reprocess", "failed", code=2)), "that is another backfill"
    order: list[str] = []

    def on_run(dag_id: str, run_id: str, day: datetime) -> str:
        order.append(dag_id.split("__")[-1])
        return "success"

    hub.on_run = on_run
    answer = s4c(*both, "--wait", *FAST)
    assert re.search("backfill 1 of test_land__2019__ingest is under way: [1-5] runs left", answer.err)
    assert order.pop() == "l4b_mowing"
    assert set(order) <= {"ingest"}
    assert len(hub.backfills) == 2
    assert {run["state"] for run in hub.runs} == {"success"}
    assert len(hub.runs) == 6
    s4c(*both, "--wait", code=3)


def test_repeating_a_backfill_has_nothing_to_do_unless_asked_to_reprocess(
    hub: Hub, s4c: Run, season: tuple[str, str], environment: dict[str, str]
) -> None:
    once = ("season", "backfill", *season, "--processor", "l4a", "--wait", *FAST)
    s4c(*once)
    line = one_line(s4c(*once, code=3))
    assert "The only run of this backfill has succeeded already" in line
    assert "--reprocess completed" in line
    # nor is it waited for when Airflow has not closed the first one yet
    hub.backfills[0]["completed_at"], hub.closes = None, False
    answer = s4c(*once, "--reprocess", "failed", code=3)
    assert "has succeeded already" in answer.err
    assert "waiting" not in answer.err
    with AirflowApi(environment["S4C_AIRFLOW_URL"], "admin", "secret") as api:
        assert not wait_for_earlier(api, [hub.backfills[0]["dag_id"]], sleep=lambda _: setattr(hub, "closes", True))
    s4c(*once, "--reprocess", "completed")
    assert len(hub.runs) == 1
    assert len(hub.backfills) == 2


def test_an_earlier_failure_of_another_date_does_not_count(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    hub.on_run = lambda dag, run, day: "failed" if day.date() == date(2019, 7, 31) else "success"
    once = ("season", "backfill", *season, "--processor", "l4a", "--wait", *FAST, "--policy", "replay_all")
    s4c(*once, code=1)
    line = one_line(s4c(*once, code=3))
    assert "Every run of this backfill exists already: 1 failed, 5 success. (--reprocess failed repeats" in line
    hub.on_run = lambda dag, run, day: "success"
    answer = s4c(*once, "--reprocess", "failed")
    assert answer.out.count("success") == 1


def test_a_run_of_minutes_gives_signs_of_life(
    hub: Hub, s4c: Run, season: tuple[str, str], environment: dict[str, str]
) -> None:
    s4c("season", "backfill", *season, "--processor", "l4a")
    hub.on_run = lambda dag, run, day: "running"
    day = datetime(2019, 11, 30, tzinfo=UTC)
    plan = PlannedBackfill("s4c_l4a", hub.backfills[0]["dag_id"], day, day, "final_only", dates=[day.isoformat()])
    said: list[tuple[int, int, str]] = []
    now = count(0.0, 40.0)
    with AirflowApi(environment["S4C_AIRFLOW_URL"], "admin", "secret") as api:
        follow(
            api,
            [plan],
            lambda *step: said.append(step),
            waiting_for=lambda processor, run: "",
            poll=0,
            sleep=lambda _: None,
            clock=lambda: next(now),
        )
    assert said == [
        (0, 1, "1 running"),
        (0, 1, "s4c_l4a of 2019-11-30 running for 40 s: 2 compute"),
        (1, 1, "1 success"),
    ]


def test_a_dag_that_airflow_has_not_read_yet_is_waited_for(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    hub.hide_looks = 1
    answer = s4c("season", "backfill", *season, "--processor", "l4a")
    assert "waiting until Airflow is ready for a backfill of test_land__2019__l4a_crop_type" in answer.err
    hub.hide_looks = 10_000
    line = one_line(s4c("season", "backfill", *season, "--processor", "l4b", "--patience", "0.3", code=1))
    assert "Airflow does not know test_land__2019__l4b_mowing" in line
    assert "s4c doctor" in line


def test_what_is_disabled_is_refused_with_the_command_that_enables_it(
    hub: Hub, s4c: Run, season: tuple[str, str]
) -> None:
    s4c("season", "processors", *season, "--off", "l4c")
    line = one_line(s4c("season", "backfill", *season, "--processor", "l4c", code=2))
    assert "s4c season processors test_land 2019 --on s4c_l4c" in line
    s4c("season", "disable", *season)
    assert "s4c season enable test_land 2019" in one_line(s4c("season", "backfill", *season, code=2))
    s4c("season", "enable", *season)
    s4c("site", "disable", season[0])
    assert "s4c site enable test_land" in one_line(s4c("season", "backfill", *season, code=2))
    assert hub.backfills == []


def test_the_latest_date_counts_in_a_current_season(hub: Hub, s4c: Run, site: str) -> None:
    today = datetime.now(UTC).date()
    start, end = today - timedelta(days=100), today + timedelta(days=100)
    s4c("season", "add", site, "now", start, end, "--processor", "l4c")
    s4c("site", "enable", site)
    (plan,) = s4c("season", "backfill", site, "now", "--processor", "l4c", "--dry-run", "--json").json
    assert plan["policy"] == "latest_only"
    (run,) = plan["runs"]
    assert today - timedelta(days=7) < date.fromisoformat(run) <= today
    s4c("season", "backfill", site, "now", "--processor", "l4c", "--policy", "final_only", code=3)


def test_airflow_away_or_without_user_is_one_line(s4c: Run, season: tuple[str, str]) -> None:
    assert "does not answer" in one_line(s4c("season", "backfill", *season, code=1))
    answer = s4c("season", "backfill", *season, code=2, S4C_AIRFLOW_PASSWORD=None)
    assert "set S4C_AIRFLOW_URL, S4C_AIRFLOW_USERNAME and S4C_AIRFLOW_PASSWORD" in one_line(answer)


def test_a_wrong_password_is_one_line(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    answer = s4c("season", "backfill", *season, code=1, S4C_AIRFLOW_PASSWORD="wrong")
    assert "refuses user 'admin'" in one_line(answer)


def test_a_server_that_is_not_airflow_hinders_no_change(hub: Hub, s4c: Run, season: tuple[str, str]) -> None:
    hub.health = {}
    s4c("site", "disable", season[0], S4C_AIRFLOW_URL="http://127.0.0.1:9")
    assert not s4c("site", "show", season[0], "--json").json["enabled"]


def test_exporting_makes_the_pools(hub: Hub, s4c: Run, season: tuple[str, str], folder: Path) -> None:
    (folder / "archive").mkdir()
    s4c("source", "add", "archive", "--satellite", "s2", "--root", folder / "archive", "--connections", "3")
    assert hub.pools["ds_archive"] == 3
    answer = s4c("dags", "export")
    assert "5 DAGs in" in answer.out
    assert "pools made or confirmed" in answer.err
