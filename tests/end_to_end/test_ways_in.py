"""Airflow's ways in: schedule, backfill, trigger, a killed task, a site disabled in the middle."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from s4c_lib.catalog import seasons, sites
from s4c_lib.errors import InputError
from s4c_lib.manifest import read_manifest
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.synthetic.archive import make_archive
from tests.end_to_end.running_stack import EXTENT, PAST, REPOSITORY, Stack, until

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


def s4c(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as its user would."""
    command = [sys.executable, "-m", "s4c_lib.cli.main", *arguments]
    environment = {**os.environ, **stack.env}
    return subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


def test_a_past_season_is_backfilled_from_the_command_line_and_by_rest(stack: Stack, archive: Path) -> None:
    # three runs instead of six
    site, season = stack.add_season("past", PAST, archive=archive, interval_days=122)
    dag = stack.wait_for_dag("past__season__ingest")
    assert {tag["name"] for tag in dag["tags"]} == {"past", "season", "ingest"}
    assert not dag["is_paused"]

    answer = s4c(stack, "season", "backfill", "past", "season", "--processor", "ingest", "--wait")
    assert answer.returncode == 0, answer.stderr

    ended = stack.jobs_of(season, "ingest")
    assert {job.start_type for job in ended} == {"backfill"}
    assert {str(job.state) for job in ended} <= {"succeeded", "skipped"}
    with stack.database.begin() as connection:
        states = dict(
            connection.execute(
                text(
                    "SELECT a.state::text, count(*) FROM s4c.acquisition a JOIN s4c.site_acquisition m "
                    "ON m.acquisition_id = a.id WHERE m.site_id = :id GROUP BY 1"
                ),
                {"id": site.id},
            ).all()
        )
        products = connection.execute(
            text("SELECT count(*) FROM s4c.product_site WHERE site_id = :id"), {"id": site.id}
        ).scalar_one()
    # the half-copied products were given up, everything else is either used or ignored with a reason
    assert set(states) == {"processed", "ignored", "aborted"}
    assert products == states["processed"] > 50

    # Again through REST: every run has a reason to do nothing, and says so without being green work.
    first, last = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    dates = stack.api.preview_backfill("past__season__ingest", first, last, reprocess="completed")
    assert len(dates) == len(ended)
    # Airflow closes the first backfill within the minute, and takes no second one before
    until(lambda: not stack.api.backfills("past__season__ingest", active=True), "the first backfill is closed", 90)
    stack.api.create_backfill("past__season__ingest", first, last, reprocess="completed")
    until(lambda: not stack.api.backfills("past__season__ingest", active=True), "the second backfill ends", 180)
    again = stack.jobs_of(season, "ingest")
    assert {(str(job.state), job.reason) for job in again} == {("skipped", "no_work")}
    assert set(stack.task_states("past__season__ingest", again[0].airflow_run_id or "").values()) == {"skipped"}


def test_a_product_run_without_input_is_skipped_with_the_reason(stack: Stack, archive: Path) -> None:
    with stack.database.begin() as connection:
        season = seasons.get_season(connection, sites.get_site(connection, "past"), "season")
    answer = s4c(stack, "season", "backfill", "past", "season", "--processor", "s4c_l4c", "--wait")
    assert answer.returncode == 0, answer.stderr
    (job,) = stack.jobs_of(season, "s4c_l4c")  # final_only: the last occurrence
    assert (str(job.state), job.reason, job.as_of) == ("skipped", "no_inputs", PAST.end)
    assert "l3b" in (job.detail or "")
    states = stack.task_states("past__season__l4c_practices", job.airflow_run_id or "")
    assert set(states.values()) == {"skipped"}


def test_a_triggered_run_takes_its_parameters_and_refuses_wrong_ones(stack: Stack) -> None:
    dag_id = "past__season__ingest"
    with pytest.raises(InputError, match=r"s9"):
        stack.api.trigger(dag_id, {"satellites": ["s9"]})
    with pytest.raises(InputError, match=r"400 is greater than the maximum of 100"):
        stack.api.trigger(dag_id, {"settings": {"downloader.max_retries": 400}})
    with pytest.raises(InputError, match=r"no\.such\.key"):
        stack.api.trigger(dag_id, {"settings": {"no.such.key": 1}})

    run_id = stack.api.trigger(
        dag_id,
        {"satellites": ["s2"], "requery": True, "settings": {"downloader.max_retries": 3}},
    )
    assert stack.wait_for_run(dag_id, run_id) == "success"
    job = stack.job_of(run_id)
    assert job is not None
    assert job.start_type == "manual"
    assert job.config_snapshot["downloader.max_retries"] == 3
    assert job.params["satellites"] == ["s2"]
    assert job.counts["windows"] == 25  # 245 days of Sentinel-2 in slices of ten


def test_a_current_season_is_scheduled_by_airflow(stack: Stack) -> None:
    today = datetime.now(UTC).date()
    dates = SeasonDates(today - timedelta(days=40), today - timedelta(days=5), today + timedelta(days=100))
    root = stack.folder / "current_archive"
    tile = "31UFS"
    make_archive(root, seed=8, start=dates.start, end=today, tiles=[tile], faults=False)
    _, season = stack.add_season("current", dates, archive=root)
    stack.wait_for_dag("current__season__ingest")
    until(lambda: [job for job in stack.jobs_of(season, "ingest") if job.ended], "the scheduler starts an ingest", 120)
    (job,) = stack.jobs_of(season, "ingest")
    assert (job.start_type, str(job.state)) == ("scheduled", "succeeded")
    # enabled in its middle: the first run takes every window that has begun, not only yesterday's
    assert job.counts["windows"] >= 10
    assert job.counts["registered"] > 5


def test_two_runs_of_one_processor_take_turns(stack: Stack, archive: Path) -> None:
    """A backfill run and a run by hand at once: one lock keeps them apart, and both end well."""
    _, season = stack.add_season("turns", PAST, archive=archive, mode="copy")
    dag_id = "turns__season__ingest"
    stack.wait_for_dag(dag_id)
    first = datetime(2025, 2, 1, tzinfo=UTC)
    stack.api.create_backfill(dag_id, first, first + timedelta(days=60), reprocess="none")
    run_id = stack.api.trigger(dag_id, {})
    most = 0

    def all_ended() -> bool:
        nonlocal most
        found = stack.jobs_of(season, "ingest")
        most = max(most, sum(str(job.state) == "running" for job in found))
        return len(found) == 2 and all(job.ended for job in found)

    until(all_ended, "both runs end", 150)
    assert most == 1
    found = stack.jobs_of(season, "ingest")
    assert {job.start_type for job in found} == {"backfill", "manual"}
    assert {str(job.state) for job in found} <= {"succeeded", "skipped"}
    assert stack.wait_for_run(dag_id, run_id) == "success"
    started = sorted(((job.started_at, job.ended_at) for job in found if job.started_at), key=str)
    for (_, ended), (began, _) in itertools.pairwise(started):
        assert ended is not None
        assert began is not None
        assert ended <= began


def test_a_task_killed_in_mid_transfer_is_retried_and_loses_nothing(stack: Stack, archive: Path) -> None:
    site, season = stack.add_season("killed", PAST, archive=archive, mode="copy")
    dag_id = "killed__season__ingest"
    # Other sites have fetched this archive already; this one must fetch for itself.
    with stack.database.begin() as connection:
        connection.execute(text("DELETE FROM s4c.acquisition"))
    stack.wait_for_dag(dag_id)
    run_id = stack.api.trigger(dag_id, {})
    killed = _kill_a_fetcher(stack)
    assert stack.wait_for_run(dag_id, run_id, 180) == "success"
    job = stack.job_of(run_id)
    assert job is not None
    assert str(job.state) == "succeeded"
    with stack.database.begin() as connection:
        states = dict(
            connection.execute(
                text(
                    "SELECT a.state::text, count(*) FROM s4c.acquisition a JOIN s4c.site_acquisition m "
                    "ON m.acquisition_id = a.id WHERE m.site_id = :id AND m.relevance = 'selected' GROUP BY 1"
                ),
                {"id": site.id},
            ).all()
        )
        attempts = connection.execute(
            text("SELECT attempts, state::text FROM s4c.acquisition WHERE id = :id"), {"id": killed}
        ).one()
        given_back = connection.execute(
            text("SELECT count(*) FROM s4c.acquisition_event WHERE acquisition_id = :id AND reason = 'task_died'"),
            {"id": killed},
        ).scalar_one()
    assert set(states) == {"processed", "aborted"}
    assert states["aborted"] == 2  # the two half-copied products of the archive
    assert (attempts.attempts, attempts.state) == (0, "processed")
    assert given_back == 1
    assert season.enabled


def _kill_a_fetcher(stack: Stack) -> int:
    """Kill a worker, with a signal it cannot catch, while it holds an acquisition; returns the acquisition."""
    query = text("SELECT id, lease_owner FROM s4c.acquisition WHERE state = 'downloading' ORDER BY id LIMIT 1")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with stack.database.begin() as connection:
            held = connection.execute(query).one_or_none()
        if held is None:
            time.sleep(0.002)
            continue
        pid = int(held.lease_owner.rsplit(":", 1)[1])
        os.kill(pid, signal.SIGSTOP)
        with stack.database.begin() as connection:
            still = connection.execute(
                text("SELECT id FROM s4c.acquisition WHERE state = 'downloading' AND lease_owner = :owner"),
                {"owner": held.lease_owner},
            ).scalar_one_or_none()
        if still is not None:
            os.kill(pid, signal.SIGKILL)
            return int(still)
        os.kill(pid, signal.SIGCONT)
    pytest.fail("no worker was caught with an acquisition in its hands")


def test_a_run_whose_work_failed_is_red_in_airflow_and_failed_in_the_database(stack: Stack) -> None:
    """Its last task records the failure; were that the run's whole result, Airflow would show it green."""
    root = stack.folder / "unmounted"
    (root / "something").mkdir(parents=True)
    stack.add_season("broken", PAST, archive=root)
    dag_id = "broken__season__ingest"
    stack.wait_for_dag(dag_id)
    root.rename(stack.folder / "elsewhere")
    run_id = stack.api.trigger(dag_id, {})
    assert stack.wait_for_run(dag_id, run_id) == "failed"
    states = stack.task_states(dag_id, run_id)
    assert (states["open"], states["query"], states["close"]) == ("success", "failed", "failed")
    job = stack.job_of(run_id)
    assert job is not None
    assert (str(job.state), job.reason) == ("failed", "task_failed")
    assert "query" in (job.detail or "")


def test_a_disabled_site_keeps_its_dags_until_their_runs_end_and_a_deleted_season_ends_them(
    stack: Stack, archive: Path
) -> None:
    dates = SeasonDates(date(2024, 3, 1), date(2024, 6, 15), date(2024, 10, 31))
    site, season = stack.add_season("stopped", dates, archive=archive)
    dag_id = "stopped__season__l4c_practices"
    stack.wait_for_dag(dag_id)
    due = datetime(2024, 11, 18, tzinfo=UTC)
    stack.api.create_backfill(dag_id, due - timedelta(days=6), due, reprocess="none")
    # nothing was ingested, so the run waits: it is in flight while the site is disabled
    until(
        lambda: [job for job in stack.jobs_of(season, "s4c_l4c") if str(job.state) == "waiting_inputs"],
        "the run waits for its inputs",
    )
    with stack.database.begin() as connection:
        sites.set_enabled(connection, site, False)
    stack.synchronise()
    kept = {entry.dag_id: entry for entry in read_manifest(stack.settings.manifest_path).dags}
    assert not kept[dag_id].enabled
    assert "stopped__season__ingest" not in kept  # it has no run, so it leaves at once
    until(lambda: all(job.ended for job in stack.jobs_of(season, "s4c_l4c")), "the run in flight ends", 90)
    (job,) = stack.jobs_of(season, "s4c_l4c")
    assert (str(job.state), job.reason) == ("skipped", "disabled")
    until(lambda: not stack.api.has_active_runs(dag_id), "Airflow ends the run")
    stack.synchronise()
    assert dag_id not in {entry.dag_id for entry in read_manifest(stack.settings.manifest_path).dags}
    # deleted while a run waits and another one is to follow it: both end, and then the season is gone
    with stack.database.begin() as connection:
        sites.set_enabled(connection, site, True)
    stack.synchronise()
    stack.wait_for_dag(dag_id)
    runs = [stack.api.trigger(dag_id, {})]
    until(
        lambda: [job for job in stack.jobs_of(season, "s4c_l4c") if str(job.state) == "waiting_inputs"],
        "the run waits for its inputs",
    )
    runs.append(stack.api.trigger(dag_id, {}))
    answer = s4c(stack, "season", "delete", "stopped", "season", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert {stack.api.run_state(dag_id, run_id) for run_id in runs} == {"failed"}
    with stack.database.begin() as connection:
        assert seasons.list_seasons(connection, site.id) == []
    assert dag_id not in {entry.dag_id for entry in read_manifest(stack.settings.manifest_path).dags}
    until(lambda: dag_id not in stack.api.dag_ids(), "the DAG disappears", 90)


def test_twenty_four_deferred_runs_of_one_backfill_all_end_well(stack: Stack, archive: Path) -> None:
    site, season = stack.add_season("many", PAST, archive=archive)
    assert EXTENT.equals(site.geometry)
    dag_id = "many__season__l4c_practices"
    stack.wait_for_dag(dag_id)
    entry = next(item for item in read_manifest(stack.settings.manifest_path).dags if item.dag_id == dag_id)
    dues = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in entry.dates[:24]]
    stack.api.create_backfill(dag_id, dues[0], dues[-1], reprocess="none", max_active_runs=24)
    # Nothing is ingested yet: every run finds its inputs missing and defers.
    until(
        lambda: sum(str(job.state) == "waiting_inputs" for job in stack.jobs_of(season, "s4c_l4c")) == 24,
        "24 runs wait",
        150,
    )
    ingest = stack.api.trigger("many__season__ingest", {})
    assert stack.wait_for_run("many__season__ingest", ingest, 120) == "success"
    until(lambda: all(job.ended for job in stack.jobs_of(season, "s4c_l4c")), "24 runs end", 240)
    ended = stack.jobs_of(season, "s4c_l4c")
    assert len(ended) == 24
    assert {(str(job.state), job.reason) for job in ended} == {("skipped", "no_inputs")}
    runs = stack.api.backfill_runs(dag_id, dues[0], dues[-1])
    until(
        lambda: set(stack.api.backfill_runs(dag_id, dues[0], dues[-1]).values()) == {"success"},
        "Airflow closes the 24 runs",
        60,
    )
    assert len(runs) == 24
    # in order: a run ends only after every earlier as-of date has ended (rule R5)
    by_date = sorted(ended, key=lambda job: job.as_of)
    ends = [job.ended_at for job in by_date]
    assert ends == sorted(ends, key=str)
