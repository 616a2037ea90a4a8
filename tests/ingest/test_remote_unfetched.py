"""What a run leaves unfetched is said, by the job, the ledger and who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from s4c_lib.catalog import data_sources, source_state
from s4c_lib.catalog.jobs import add_counts, get_job
from s4c_lib.errors import SourceRefusedError
from s4c_lib.ingest.fetch_all import fetch_all
from s4c_lib.ingest.unfetched import unfetched
from s4c_lib.runs import RunRequest, close_run, open_run
from tests.ingest.test_remote_ledger import ledger

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
New = Callable[..., Any]


def job(remote: Any, key: str) -> int:
    request = RunRequest(remote.site.short_name, remote.season.short_name, "ingest", key, "manual", "test")
    opening = open_run(remote.database, request, now=LATER)
    assert opening.status == "started", opening.text
    return opening.job_id


def end(remote: Any, number: int, counts: dict[str, int]) -> Any:
    with remote.database.begin() as connection:
        add_counts(connection, number, counts)
    close_run(remote.database, number, failed_tasks={}, unfetched=unfetched(remote.database, number, now=LATER))
    with remote.database.begin() as connection:
        return get_job(connection, number)


def test_a_run_in_vain_has_failed_and_one_that_brought_something_says_what_it_left(
    new_remote: New, small_archive: Path
) -> None:
    remote = new_remote(small_archive)
    first = job(remote, "in vain")
    remote.find()
    with remote.database.begin() as connection:
        refusal = SourceRefusedError("hub answers 401 Unauthorized")
        source_state.record_fault(connection, "hub", refusal, circuit_minutes=15, now=LATER)
    found = end(remote, first, remote.fetch().counts())
    assert (str(found.state), found.reason) == ("failed", "not_fetched")
    assert found.detail.startswith("4 of 4 acquisitions are not fetched: hub is not asked before 2025-02-01 08:15:00Z")
    with remote.database.begin() as connection:
        source_state.close_circuit(connection, "hub", now=LATER, by_hand=True)
    second = job(remote, "in part")
    outcome = remote.fetch(limit=3)
    with remote.database.begin() as connection:
        source_state.record_fault(connection, "hub", refusal, circuit_minutes=15, now=LATER)
    found = end(remote, second, outcome.counts())
    assert str(found.state) == "succeeded"
    assert found.detail.startswith("1 of 4 acquisitions are not fetched: hub")
    with remote.database.begin() as connection:
        source_state.close_circuit(connection, "hub", now=LATER, by_hand=True)
    third = job(remote, "whole")
    found = end(remote, third, remote.fetch().counts())
    assert (str(found.state), found.detail) == ("succeeded", None)


def test_a_quota_without_room_is_no_failure_and_is_said_everywhere(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    number = job(remote, "quota")
    remote.find()
    sizes = sorted(remote.hub.product(name).size_bytes for name in remote.known())
    with remote.database.begin() as connection:
        data_sources.set_source(connection, "hub", {"quota": {"bytes_per_30_days": sizes[-1] + sizes[0] // 2}})
    outcome = remote.fetch()
    assert outcome.fetched == 1
    assert "of its quota of" in (outcome.held_back or "")
    found = end(remote, number, outcome.counts())
    assert str(found.state) == "succeeded"
    assert "3 of 4 acquisitions are not fetched" in found.detail
    assert "of its quota of" in found.detail
    waiting = [row.next for row in ledger(remote).values() if row.state == "queued"]
    assert len(waiting) == 3
    assert all("room in the quota again" in text and "the next product has" in text for text in waiting)


def test_who_waits_is_told_what_is_left_after_the_fetches(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    taped = min(remote.known())
    remote.hub.faults.offline(taped, seconds=1e6)
    now, texts = [LATER], []

    def wait(seconds: float, text: str) -> None:
        texts.append(text)
        now[0] += timedelta(seconds=seconds)
        if len(texts) > 1:
            remote.hub.faults.clear()

    remote.hub.faults.aim("too_many_requests", endpoint="download", times=1, retry_after=30)
    fetched = fetch_all(
        remote.database,
        remote.context(),
        owner="test",
        clock=lambda: now[0],
        access=remote.access,
        wait=wait,
        phase=lambda _: nullcontext(),
    )
    assert fetched.counts["fetched"] == 4
    assert not [text for text in texts if "is not asked" not in text and not text.startswith("hub: 0 queued")], texts
