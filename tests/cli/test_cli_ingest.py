"""Ingest by hand on a small archive, and everything that can be seen of it."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from s4c_lib.catalog.database import Database
from s4c_lib.runs import RunRequest, close_run, open_run
from tests.cli.conftest import Run

Ready = tuple[str, str]


@pytest.fixture
def ingested(s4c: Run, ready_season: Ready) -> Ready:
    """The season with everything fetched and registered."""
    s4c("ingest", *ready_season)
    return ready_season


def test_an_ingest_searches_fetches_registers_and_closes_its_job(s4c: Run, ready_season: Ready, folder: Path) -> None:
    answer = s4c("ingest", *ready_season, "--json")
    counts = answer.json
    assert counts["state"] == "succeeded"
    assert counts["windows"] == 13
    assert counts["fetched"] == counts["registered"] == 20
    assert counts["fetch_failed"] == 2  # the two faults of the archive that only a fetch can see
    assert "search: 13 of 13" in answer.err
    assert "fetch archive:" in answer.err
    links = list((folder / "downloads").rglob("*"))
    assert len([path for path in links if path.is_symlink()]) == 20
    (job,) = s4c("jobs", "list", "--json").json
    assert (job["start_type"], job["state"], job["counts"]["registered"]) == ("command_line", "succeeded", 20)
    assert s4c("products", "list", ready_season[0], "--type", "l2a", "--json").json[0]["tiles"]


def test_a_second_ingest_has_nothing_to_do(s4c: Run, ingested: Ready) -> None:
    answer = s4c("ingest", *ingested, code=3)
    assert "skipped(no_work)" in answer.err
    (first, second) = s4c("jobs", "list", "--json").json[::-1]
    assert (first["state"], second["state"], second["reason"]) == ("succeeded", "skipped", "no_work")
    s4c("ingest", *ingested, "--requery")


def test_without_a_source_there_is_nothing_to_do(s4c: Run, season: Ready) -> None:
    assert "source" in s4c("ingest", *season, code=3).err


def test_one_satellite_only(s4c: Run, ready_season: Ready) -> None:
    s4c("ingest", *ready_season, "--satellite", "l8")
    listed = s4c("acquisitions", "list", *ready_season, "--json").json
    assert {item["satellite"] for item in listed} == {"l8"}


def test_an_archive_that_is_gone_fails_the_job(s4c: Run, ready_season: Ready, folder: Path) -> None:
    s4c("source", "set", "archive", "--root", folder / "gone")
    answer = s4c("ingest", *ready_season, code=1)
    assert answer.err.splitlines()[-1].startswith("s4c: No query window could be searched.")
    (job,) = s4c("jobs", "list", "--state", "failed", "--json").json
    problems = s4c("status", "--json").json["problems"]
    assert any(f"job {job['id']} (ingest) failed" in problem for problem in problems)
    assert any("13 query windows failed" in problem for problem in problems)
    s4c("jobs", "acknowledge", job["id"])
    assert "is acknowledged by tester" in s4c("jobs", "acknowledge", job["id"]).out
    assert not any("failed: task_failed" in problem for problem in s4c("status", "--json").json["problems"])


def test_a_run_of_airflow_holds_the_lock(s4c: Run, ready_season: Ready, database: Database) -> None:
    request = RunRequest(
        site=ready_season[0],
        season=ready_season[1],
        processor="ingest",
        key="manual__1",
        start_type="manual",
        requested_by="admin",
        airflow_dag_id="test_land__2024__ingest",
        airflow_run_id="manual__1",
    )
    opening = open_run(database, request, now=datetime.now(UTC))
    assert opening.status == "started"
    answer = s4c("ingest", *ready_season, code=2)
    assert f"job {opening.job_id} (manual) of this processor and season is running".lower() in answer.err.lower()
    states = {item["state"] for item in s4c("jobs", "list", "--json").json}
    assert states == {"running", "cancelled"}
    close_run(database, opening.job_id, failed_tasks={})
    s4c("ingest", *ready_season)


@contextmanager
def running_ingest(environment: dict[str, str], ready_season: Ready) -> Iterator[subprocess.Popen[str]]:
    """Start an ingest as a process of its own and wait until it fetches."""
    command = [sys.executable, "-m", "s4c_lib.cli.main", "ingest", *ready_season]
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fetch archive: 1"):
                break
        try:
            yield process
        finally:
            process.kill()  # also one that is stopped: leaving the block waits for its end


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_closes_the_job_and_gives_back_what_it_held(
    s4c: Run, ready_season: Ready, environment: dict[str, str], database: Database, how: signal.Signals
) -> None:
    s4c("source", "set", "archive", "--mode", "copy")
    with running_ingest(environment, ready_season) as process:
        process.send_signal(how)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(timeout=30) == 1
    assert "The ingest was stopped; job 1 is closed as failed." in said
    (job,) = s4c("jobs", "list", "--json").json
    assert (job["state"], job["reason"]) == ("failed", "interrupted")
    with database.begin() as connection:
        held = connection.execute(text("SELECT count(*) FROM s4c.acquisition WHERE state = 'downloading'"))
        assert held.scalar_one() == 0
    assert s4c("ingest", *ready_season, "--json").json["state"] == "succeeded"


def test_a_killed_ingest_does_not_lock_the_season_for_ever(
    s4c: Run, ready_season: Ready, environment: dict[str, str]
) -> None:
    with running_ingest(environment, ready_season) as process:
        process.send_signal(signal.SIGSTOP)
        assert "Job 1 (command_line)" in s4c("ingest", *ready_season, code=2).err
        process.kill()
        process.wait(timeout=30)
    time.sleep(2.2)
    answer = s4c("ingest", *ready_season, "--requery")
    assert "job 1 was left by a process that died; it is closed as lost" in answer.err
    states = [(item["state"], item["reason"]) for item in s4c("jobs", "list", "--json").json]
    assert states == [("succeeded", None), ("cancelled", "locked"), ("failed", "lost")]


def test_acquisitions_are_listed_with_reason_and_what_happens_next(s4c: Run, ingested: Ready) -> None:
    used = s4c("acquisitions", "list", *ingested, "--json").json
    assert {item["state"] for item in used} == {"processed", "failed"}
    assert all(item["next"] for item in used)
    failed = s4c("acquisitions", "list", *ingested, "--state", "failed", "--json").json
    assert len(failed) == 2
    assert failed[0]["reason"] == "input_corrupt"
    assert failed[0]["next"].startswith("tried again after 20")
    ignored = s4c("acquisitions", "list", *ingested, "--ignored", "--json").json
    assert {item["reason"] for item in ignored} == {"no_executor", "not_wanted"}
    assert all(item["next"].startswith("left out: ") for item in ignored)
    only = s4c("acquisitions", "list", *ingested, "--satellite", "l8", "--json").json
    assert {item["satellite"] for item in only} == {"l8"}
    assert "choose from discovered" in s4c("acquisitions", "list", *ingested, "--state", "lost", code=2).err


def test_what_was_rejected_in_the_archive_is_listed(s4c: Run, ingested: Ready) -> None:
    rejected = s4c("acquisitions", "list", *ingested, "--rejected", "--json").json
    assert {"dangling_link", "not_a_product", "outside_site", "superseded"} <= {item["reason"] for item in rejected}


def test_lists_come_as_csv_too(s4c: Run, ingested: Ready) -> None:
    rows = list(csv.DictReader(io.StringIO(s4c("acquisitions", "list", *ingested, "--csv").out)))
    assert len(rows) == 22
    assert rows[0]["state"] == "processed"
    empty = s4c("acquisitions", "list", *ingested, "--state", "aborted", "--csv").out
    assert empty.startswith("id,satellite")


def test_an_acquisition_tells_its_story(s4c: Run, ingested: Ready) -> None:
    item = s4c("acquisitions", "list", *ingested, "--satellite", "s2", "--json").json[0]
    told = s4c("acquisitions", "explain", item["id"], "--json").json
    assert [event["to_state"] for event in told["events"]] == [
        "discovered",
        "queued",
        "downloading",
        "downloaded",
        "processing",
        "processed",
    ]
    assert told["sites"][0]["relevance"] == "selected"
    assert told["units"][0]["unit_key"] == "31UFS"
    by_name = s4c("acquisitions", "explain", item["name"])
    assert "history" in by_name.out
    assert "units" in by_name.out
    broken = s4c("acquisitions", "list", *ingested, "--state", "failed", "--json").json[0]
    page = s4c("acquisitions", "explain", broken["id"]).out
    assert page.count(broken["error"]) == 1
    assert "in 1 try: " in page
    assert "There is no acquisition" in s4c("acquisitions", "explain", "999999", code=2).err
    assert "There is no acquisition named 'S2X'" in s4c("acquisitions", "explain", "S2X", code=2).err


def test_retrying_takes_all_or_none(s4c: Run, ingested: Ready) -> None:
    failed = [item["id"] for item in s4c("acquisitions", "list", *ingested, "--state", "failed", "--json").json]
    done = s4c("acquisitions", "list", *ingested, "--state", "processed", "--json").json[0]["id"]
    ignored = s4c("acquisitions", "list", *ingested, "--ignored", "--json").json[0]["id"]
    assert "is processed, there is nothing to try again" in s4c("acquisitions", "retry", *failed, done, code=2).err
    assert "is left out by its sites" in s4c("acquisitions", "retry", ignored, code=2).err
    assert len(s4c("acquisitions", "list", *ingested, "--state", "failed", "--json").json) == 2
    s4c("acquisitions", "retry", *failed)
    assert len(s4c("acquisitions", "list", *ingested, "--state", "queued", "--json").json) == 2


def test_failed_pre_processing_is_tried_again(s4c: Run, ingested: Ready, database: Database) -> None:
    item = s4c("acquisitions", "list", *ingested, "--satellite", "s2", "--json").json[0]["id"]
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.acquisition SET state = 'processing_failed' WHERE id = :id"), {"id": item})
        connection.execute(
            text("UPDATE s4c.acquisition_unit SET state = 'failed', attempts = 3 WHERE acquisition_id = :id"),
            {"id": item},
        )
    assert "tries again" in s4c("acquisitions", "explain", item, "--json").json["next"]
    s4c("acquisitions", "retry", item)
    assert s4c("ingest", *ingested, "--json").json["registered"] == 1
    assert s4c("acquisitions", "explain", item, "--json").json["state"] == "processed"


def test_an_l3b_that_was_given_up_is_tried_again(s4c: Run, ingested: Ready, database: Database) -> None:
    item = s4c("acquisitions", "list", *ingested, "--state", "processed", "--satellite", "s2", "--json").json[0]["id"]
    s4c("config", "set", "processor.l3b.lai.tiles_filter", "31UFS")
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO s4c.derivation (site_id, processor_id, product_id, tile, config_hash, state, attempts, "
                "retryable, reason_code) SELECT x.site_id, 3, p.id, '31UFS', 'h', 'failed', 3, false, 'internal' "
                "FROM s4c.product p JOIN s4c.product_site x ON x.product_id = p.id WHERE p.acquisition_id = :id"
            ),
            {"id": item},
        )
    s4c("acquisitions", "retry", item)
    with database.begin() as connection:
        state = connection.execute(text("SELECT state::text, attempts, retryable FROM s4c.derivation")).one()
    assert tuple(state) == ("pending", 0, True)
    assert "nothing to try again" in s4c("acquisitions", "retry", item, code=2).err


def test_products_are_filtered_and_shown(s4c: Run, ingested: Ready) -> None:
    site = ingested[0]
    everything = s4c("products", "list", site, "--json").json
    assert len(everything) == 20
    early = s4c("products", "list", site, "--from", "2024-03-01", "--to", "2024-03-01", "--json").json
    assert {item["acquired_at"][:10] for item in early} == {"2024-03-01"}
    assert "choose from l1c, l2a" in s4c("products", "list", site, "--type", "l9", code=2).err
    number = everything[0]["id"]
    assert s4c("products", "show", number, "--json").json["name"] == everything[0]["name"]
    assert everything[0]["full_path"] in s4c("products", "show", number).out
    assert "There is no product 9999" in s4c("products", "show", "9999", code=2).err


def test_jobs_are_filtered_and_shown_with_their_parameters(s4c: Run, ingested: Ready) -> None:
    site, season = ingested
    assert len(s4c("jobs", "list", "--site", site, "--season", season, "--processor", "ingest", "--json").json) == 1
    assert s4c("jobs", "list", "--processor", "l4a", "--json").json == []
    assert "choose from submitted" in s4c("jobs", "list", "--state", "lost", code=2).err
    shown = s4c("jobs", "show", "1", "--json").json
    assert shown["config_snapshot"]["storage.min_free_gb"] == 0
    assert shown["counts"]["fetched"] == 20
    page = s4c("jobs", "show", "1").out
    assert "storage.min_free_gb" in page
    (counts,) = [line.split(maxsplit=1)[1] for line in page.splitlines() if line.startswith("counts ")]
    names = [text.split()[0] for text in counts.split(", ")]
    assert [name for name in ("windows", "found", "new", "fetched", "registered") if name in names] == [
        name for name in names if name in {"windows", "found", "new", "fetched", "registered"}
    ]
    assert names[0] == "windows"
    assert " 0" not in counts
    assert "only a failed job is acknowledged" in s4c("jobs", "acknowledge", "1", code=1).err
    assert "There is no job 99" in s4c("jobs", "show", "99", code=2).err


def test_one_screen_says_what_stands_where(s4c: Run, ingested: Ready) -> None:
    (row,) = s4c("status", "--json").json["seasons"]
    assert (row["windows"], row["windows_searched"], row["windows_due"]) == (13, 13, 0)
    assert row["acquisitions"] == {"failed": 2, "ignored": 11, "processed": 20}
    screen = s4c("status").out
    assert "13 of 13, 0 due" in screen
    assert "last jobs" in screen


def test_problems_come_first(s4c: Run, site: str) -> None:
    assert s4c("status").out.startswith("! site test_land has no season: s4c season add test_land")
    s4c("season", "add", site, "2019", "2019-04-01", "2019-10-31")
    s4c("site", "enable", site)
    assert "! test_land 2019: s1, s2, l8 has no data source: s4c source add" in s4c("status").out


def test_an_empty_system_says_how_to_start(s4c: Run) -> None:
    assert "start with: s4c site add NAME FILE" in s4c("status").err
