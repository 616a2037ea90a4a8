"""Fetching when things go wrong: killed workers, full disks, files that vanish."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from domain_rows import make_acquisition, make_job

from s4c_lib.catalog import acquisitions, query_windows, transfers
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.jobs import JobState, finish
from s4c_lib.errors import DiskFullError, InputError
from s4c_lib.ingest import fetch, register
from s4c_lib.ingest.preprocess import run_preprocess
from s4c_lib.ingest.steps import has_work, run_all
from tests.ingest.fetching import FIRST, LATER, New, clock, find, run_fetch, same_tree

HOUR = timedelta(hours=1)
# The first pause after a failure, with the 10 % by which it may be longer.
PAUSE = HOUR * 1.1


def test_a_killed_fetch_is_continued_and_costs_no_attempt(new_ingest: New, small_archive: Path) -> None:
    """SIGKILL in mid-copy, in a process of its own."""
    ingest = new_ingest(small_archive)
    (source,) = small_archive.rglob(f"*{FIRST}*.SAFE")
    for other in small_archive.rglob("*.SAFE"):
        if other != source:
            shutil.rmtree(other)
    big = source / "HTML" / "large.bin"
    big.parent.mkdir()
    with big.open("wb") as stream:
        stream.truncate(300_000_000)
    script = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime
        from s4c_lib.catalog.database import Database
        from s4c_lib.ingest.context import load_context
        from s4c_lib.ingest.steps import run_all
        now = datetime(2025, 2, 1, 8, tzinfo=UTC)
        database = Database(sys.argv[1])
        run_all(database, load_context(database, int(sys.argv[2]), today=now.date()), owner="doomed", clock=lambda: now)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, ingest.database.url, str(ingest.season.id)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    part = ingest.downloads / "s2" / ".part"
    while process.poll() is None:
        if any(path.stat().st_size > 4_000_000 for path in part.glob("*/*/HTML/*")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    held = ingest.acquisition(FIRST)
    assert (held.state, held.attempts) == ("downloading", 1)
    begun = [path for path in part.rglob("*") if path.is_file()]
    assert begun

    assert ingest.run(LATER + timedelta(minutes=29))["fetched"] == 0, "the lease still holds"
    assert ingest.has_work(LATER + timedelta(minutes=31))
    # everything but the large file had been copied before or is copied once
    counts = ingest.run(LATER + timedelta(minutes=31))
    assert (counts["fetched"], counts["registered"]) == (1, 1)
    done = ingest.acquisition(FIRST)
    assert done.state == "processed"
    assert same_tree(source, Path(done.full_path or ""))
    assert list(part.iterdir()) == []
    with ingest.database.begin() as connection:
        life = [event.reason for event in acquisitions.events(connection, done.id) if event.reason]
    assert life == ["lease_expired"]


def test_a_long_transfer_keeps_its_lease(new_ingest: New, small_archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat runs beside the copy: the lease is always ahead of the clock."""
    ingest = new_ingest(small_archive)
    ingest.set("lease.seconds", 5)
    find(ingest)
    slow = threading.Event()
    real = fetch.fetch_local
    seen: list[datetime] = []

    def patient(*arguments: Any) -> Any:
        # longer than the lease: three heartbeats of a second each must come through
        while len(seen) < 3 and not slow.wait(0.3):
            with ingest.database.begin() as connection:
                statement = "SELECT lease_until FROM s4c.acquisition WHERE state = 'downloading'"
                until = connection.exec_driver_sql(statement).scalar_one()
            if not seen or until > seen[-1]:
                seen.append(until)
        return real(*arguments)

    monkeypatch.setattr(fetch, "fetch_local", patient)
    fetch.run_fetch(
        ingest.database, ingest.context(), "archive", owner="slow", limit=1, clock=lambda: datetime.now(UTC)
    )
    assert len(seen) == 3
    assert len([one for one in ingest.known().values() if one.state == "downloaded"]) == 1


def test_who_lost_its_lease_goes_on_with_the_next(
    new_ingest: New, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    real = fetch.fetch_local
    taken: list[str] = []

    def robbed(source: Path, *arguments: Any) -> Any:
        result = real(source, *arguments)
        if not taken:
            taken.append(source.name)
            with ingest.database.begin() as connection:
                transfers.expire(connection, LATER + HOUR)
        return result

    monkeypatch.setattr(fetch, "fetch_local", robbed)
    counts = run_fetch(ingest)
    assert counts["fetched"] == 4, "three others, and the lost one when its turn came again"
    assert {str(one.state) for one in ingest.known().values()} == {"downloaded"}


def test_a_disk_that_is_nearly_full_holds_everything_back(new_ingest: New, small_archive: Path) -> None:
    """Case 36."""
    ingest = new_ingest(small_archive)
    ingest.set("storage.min_free_gb", 1_000_000)
    with pytest.raises(DiskFullError, match=r"storage\.min_free_gb"):
        ingest.run()
    assert {(str(one.state), one.attempts) for one in ingest.known().values()} == {("queued", 0)}
    assert not list(ingest.downloads.rglob("*"))
    ingest.set("storage.min_free_gb", 0)
    assert ingest.run()["registered"] == 4


def test_a_disk_that_is_nearly_full_holds_pre_processing_back_too(new_ingest: New, small_archive: Path) -> None:
    """Case 36: nothing is written, no try is counted, and it goes on by itself."""
    ingest = new_ingest(small_archive)
    find(ingest)
    run_fetch(ingest)
    register.run_register(ingest.database, ingest.context(), owner="test", job_id=None, clock=clock)
    ingest.set("processor.l2a.optical.cog-tiffs", True)
    ingest.set("storage.min_free_gb", 1_000_000)
    with pytest.raises(DiskFullError, match=r"storage\.min_free_gb"):
        run_preprocess(ingest.database, ingest.context(), owner="test", job_id=None, clock=clock)
    with ingest.database.begin() as connection:
        units = connection.exec_driver_sql("SELECT DISTINCT state::text, attempts FROM s4c.acquisition_unit").all()
    assert [tuple(unit) for unit in units] == [("pending", 0)]
    ingest.set("storage.min_free_gb", 0)
    ingest.set("processor.l2a.optical.cog-tiffs", False)
    assert run_preprocess(ingest.database, ingest.context(), owner="test", job_id=None, clock=clock).made == 4


def test_links_need_no_room(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive, "symlink")
    ingest.set("storage.min_free_gb", 1_000_000)
    assert ingest.run()["registered"] == 4


def test_a_product_removed_after_its_transfer_is_fetched_again(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    assert run_fetch(ingest)["fetched"] == 4
    gone = ingest.acquisition(FIRST)
    shutil.rmtree(gone.full_path or "")
    register.run_register(ingest.database, ingest.context(), owner="test", job_id=None, clock=clock)
    outcome = run_preprocess(ingest.database, ingest.context(), owner="test", job_id=None, clock=clock)
    assert (outcome.made, outcome.reasons) == (3, {"input_missing": 1})
    again = ingest.acquisition(FIRST)
    assert (again.state, again.reason_code) == ("queued", "input_missing")
    assert ingest.has_work()
    assert ingest.run()["registered"] == 1
    assert len(ingest.products()) == 4


@pytest.mark.parametrize("mode", ["copy", "symlink", "check"])
def test_a_product_deleted_from_the_archive_before_its_transfer(
    new_ingest: New, small_archive: Path, tmp_path: Path, mode: str
) -> None:
    ingest = new_ingest(small_archive, mode)
    find(ingest)
    (source,) = small_archive.rglob(f"*{FIRST}*.SAFE")
    hidden = Path(shutil.move(source, tmp_path / source.name))
    counts = run_fetch(ingest)
    assert (counts["fetched"], counts["fetch_failed"]) == (3, 1)
    failed = ingest.acquisition(FIRST)
    assert failed.state == "failed"
    assert source.name in (failed.last_error or "")
    assert failed.next_attempt_at is not None
    assert abs(failed.next_attempt_at - LATER - HOUR) <= 0.1 * HOUR
    shutil.move(hidden, source)
    assert ingest.run(LATER + PAUSE)["registered"] == 4


def test_a_link_whose_target_goes_is_made_anew_when_it_is_back(
    new_ingest: New, small_archive: Path, tmp_path: Path
) -> None:
    ingest = new_ingest(small_archive, "symlink")
    find(ingest)
    run_fetch(ingest)
    (source,) = small_archive.rglob(f"*{FIRST}*.SAFE")
    hidden = Path(shutil.move(source, tmp_path / source.name))
    counts = ingest.run()
    assert (counts["registered"], counts["gone"]) == (3, 1)
    assert ingest.run()["fetch_failed"] == 1
    shutil.move(hidden, source)
    assert ingest.run(LATER + PAUSE)["registered"] == 1


def test_products_that_fail_are_given_up_in_the_end(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    ingest.set("downloader.max_retries", 2)
    find(ingest)
    (source,) = small_archive.rglob(f"*{FIRST}*.SAFE")
    shutil.rmtree(source)
    tries = []
    for pauses in (0, 1, 2, 3, 4, 5, 6, 7, 8):
        counts = ingest.run(LATER + pauses * PAUSE)
        if counts["fetch_failed"]:
            tries.append(pauses)
    assert tries == [0, 1, 3]
    assert (ingest.acquisition(FIRST).state, ingest.acquisition(FIRST).attempts) == ("aborted", 3)
    assert not ingest.has_work(LATER + 30 * HOUR)


def test_a_real_product_in_the_place_of_a_link_is_not_replaced(new_ingest: New, small_archive: Path) -> None:
    """No retry helps there: it is given up at once and says what to do."""
    ingest = new_ingest(small_archive, "symlink")
    (source,) = small_archive.rglob(f"*{FIRST}*.SAFE")
    shutil.copytree(source, ingest.downloads / "s2" / source.name)
    assert ingest.run()["given_up"] == 1
    kept = ingest.acquisition(FIRST)
    assert (kept.state, "delete it" in (kept.last_error or "")) == ("aborted", True)


def test_chunks_hold_about_the_wanted_work(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    for target, chunks in ((7200, [4]), (1, [4])):
        ingest.set("chunk.target_seconds", target)
        assert fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=1) == chunks
    ingest.execute("UPDATE s4c.acquisition SET size_bytes = 100000000")
    assert fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=1) == [1, 1, 1, 1]
    ingest.set("chunk.max_count", 3)
    assert fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=1) == [2, 1, 1]


def test_a_run_for_some_satellites_leaves_the_others(new_ingest: New, small_archive: Path) -> None:
    """Sources of one name exist for every satellite: what waits for another satellite is not touched."""
    ingest = new_ingest(small_archive)
    with ingest.database.begin() as connection:
        make_acquisition(
            connection, ingest.site, "RADAR", satellite="s1", state="queued", sensed=datetime(2024, 3, 1, tzinfo=UTC)
        )
        job = make_job(connection, ingest.season, "manual", processor="ingest")
        connection.exec_driver_sql('UPDATE s4c.job SET params = \'{"satellites": ["s2"]}\'')
    context = ingest.context(job_id=job.id)
    assert context.satellites == ("s2",)
    counts = run_all(ingest.database, context, owner="test", clock=clock).counts
    assert (counts["fetched"], counts["windows"]) == (4, 3)
    assert (ingest.acquisition("RADAR").state, ingest.acquisition("RADAR").attempts) == ("queued", 0)
    # what waits for another satellite is no work for a run of these
    assert not has_work(ingest.database, context, LATER)
    assert ingest.has_work()
    ingest.execute("UPDATE s4c.acquisition SET state = 'downloaded' WHERE source_product_name = 'RADAR'")
    assert not has_work(ingest.database, context, LATER)
    with ingest.database.begin() as connection:
        finish(connection, job.id, JobState.SUCCEEDED)


def test_an_unknown_source_is_refused(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    with pytest.raises(InputError, match="nowhere"):
        fetch.run_fetch(ingest.database, ingest.context(), "nowhere", owner="test", clock=clock)


def test_downloads_switched_off_are_not_searched(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    with ingest.database.begin() as connection:
        set_value(connection, "downloader.s2.enabled", False, actor="x", site=ingest.site)
    assert ingest.context().satellites == ("s1", "l8")
    ingest.run()
    assert ingest.windows("s2") == []
    with ingest.database.begin() as connection:
        set_value(connection, "downloader.s2.enabled", True, actor="x", site=ingest.site)
    assert ingest.run()["registered"] == 4


def test_asked_to_search_again_it_does(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    ingest.run()
    with ingest.database.begin() as connection:
        assert query_windows.requery(connection, ingest.season.id, "s2") == 3
    counts = ingest.run()
    assert (counts["windows"], counts["found"], counts["new"], counts["fetched"]) == (3, 4, 0, 0)
