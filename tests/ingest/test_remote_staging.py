"""Products on tape: ordered all at once, looked after without a slot, fetched when they are online."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from s4c_lib.catalog import sites, staging
from s4c_lib.ingest.staging import look_after, standing
from s4c_lib.ingest.steps import run_all

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
New = Callable[..., Any]


def look(remote: Any, now: datetime = LATER) -> Any:
    return look_after(
        remote.database, remote.context(now), "hub", access=remote.access, clock=lambda: now, actor="test"
    )


def states(remote: Any) -> list[str]:
    return sorted(str(one.state) for one in remote.known().values())


@pytest.mark.parametrize("driver", ["eodag", "dhus"])
def test_all_that_lies_on_tape_is_ordered_before_anything_is_waited_for(
    new_remote: New, small_archive: Path, driver: str
) -> None:
    """Case 34: three on tape, one online; three orders at once, the one online is fetched, each as it comes."""
    params = {"ask_online": True} if driver == "dhus" else {}
    remote = new_remote(small_archive, driver, quota={"orders": 50}, params=params)
    names = sorted(one.name.name for one in remote.hub.products)
    for polls, name in enumerate(names[1:], start=1):
        remote.hub.faults.offline(name, polls=polls)
    remote.find()
    left = look(remote)
    assert (left.queued, left.staging, left.to_order) == (1, 3, 0)
    assert states(remote) == ["queued", "staging", "staging", "staging"]
    assert remote.fetch().fetched == 1
    assert remote.fetch().held_back is None, "nothing is queued: no slot is needed"
    fetched = [1]
    for minute in range(1, 6):
        look(remote, LATER + minute * MINUTE)
        fetched.append(remote.fetch(now=LATER + minute * MINUTE).fetched)
    assert sum(fetched) == 4
    assert max(fetched) <= 2
    assert all(remote.is_whole(name) for name in names)
    orders = [one for one in remote.hub.requests if one.endpoint == "order"]
    first_bytes = min(one.number for one in remote.hub.requests if one.endpoint == "download" and one.status == 200)
    if driver == "eodag":
        placed = [one.number for one in orders if one.method == "POST"]
        assert len(placed) == 3
        assert max(placed) < first_bytes
    assert {one.attempts for one in remote.known().values()} == {0}


def test_orders_keep_to_the_quota_and_go_on_as_places_come_free(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag", quota={"orders": 1})
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=1)
    remote.find()
    left = look(remote)
    assert (left.staging, left.to_order) == (1, 3)
    for minute in range(1, 12):
        look(remote, LATER + minute * MINUTE)
        assert states(remote).count("staging") <= 1
        remote.fetch(now=LATER + minute * MINUTE)
    assert states(remote) == ["downloaded"] * 4


def test_of_a_disabled_site_nothing_more_is_ordered_nor_waited_for(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag", quota={"orders": 1})
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=1)
    remote.find()
    assert look(remote).worth_waiting
    with remote.database.begin() as connection:
        sites.set_enabled(connection, remote.site, False)
    assert not look(remote, LATER).worth_waiting, "what is on its way would not be taken"
    for minute in range(1, 4):
        left = look(remote, LATER + minute * MINUTE)
    assert (left.queued, left.staging, left.to_order) == (1, 0, 3)
    assert not left.can_fetch


def test_one_asks_in_each_interval_whoever_waits(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, seconds=3600)
    remote.find()
    look(remote)
    before = len(remote.hub.requests)
    look(remote, LATER + timedelta(seconds=61))
    asked = len(remote.hub.requests) - before
    assert asked > 0
    for second in (62, 80, 120):
        look(remote, LATER + timedelta(seconds=second))
    assert len(remote.hub.requests) - before == asked
    look(remote, LATER + timedelta(seconds=125))
    assert len(remote.hub.requests) - before > asked


def test_what_never_comes_online_counts_as_a_failed_transfer(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    remote.set("staging.max_hours", 1)
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, seconds=1e6)
    remote.find()
    look(remote)
    look(remote, LATER + 2 * HOUR)
    assert {(str(one.state), one.reason_code, one.attempts) for one in remote.known().values()} == {
        ("failed", "offline", 1)
    }
    assert not standing(remote.database, remote.context(), "hub", now=LATER).worth_waiting


def test_a_source_that_does_not_answer_leaves_the_orders_for_later(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name)
    remote.find()
    remote.hub.faults.storm(1.0, kinds=["server_error"], endpoints=["order", "token", "product", "search"])
    left = look(remote)
    assert (left.staging, left.to_order) == (0, 4)
    assert states(remote) == ["queued"] * 4
    remote.hub.faults.storm(0)
    left = look(remote, LATER + HOUR)
    assert (left.staging, left.to_order) == (4, 0)


def test_a_product_that_went_to_tape_after_the_search_is_ordered(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    remote.find()
    name = sorted(remote.known())[0]
    remote.hub.faults.offline(name, polls=1)
    outcome = remote.fetch()
    assert (outcome.fetched, outcome.put_back, outcome.failed) == (3, 1, 0)
    assert remote.known()[name].storage_state == "offline"
    assert look(remote).staging == 1
    look(remote, LATER + 2 * MINUTE)
    assert remote.fetch(now=LATER + 2 * MINUTE).fetched == 1


def test_a_whole_ingest_waits_when_asked_to(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=2)
    said: list[str] = []
    now = [LATER]

    def wait(seconds: float, text: str) -> None:
        said.append(text)
        now[0] += timedelta(seconds=seconds)

    left = remote.ingest()
    assert (left.counts["fetched"], said) == (0, [])
    assert remote.has_work(), "the next run looks after them"
    outcome = run_all(
        remote.database,
        remote.context(),
        owner="test",
        clock=lambda: now[0],
        access=remote.access,
        wait=wait,
    )
    assert outcome.counts["registered"] == 4
    assert said
    assert "being brought online" in said[0]


def test_a_worker_killed_while_it_orders_loses_nothing(new_remote: New, small_archive: Path) -> None:
    """SIGKILL between taking the products in hand and the provider's answer: they are ordered again later."""
    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=1)
    remote.find()
    remote.hub.faults.aim("slow", endpoint="token", times=5, seconds_per_chunk=2.0, chunk=1)
    script = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime
        from s4c_lib.catalog.database import Database
        from s4c_lib.ingest.context import load_context
        from s4c_lib.ingest.remote import Access
        from s4c_lib.ingest.staging import look_after
        from s4c_lib.sources.credentials import Credentials
        now = datetime(2025, 2, 1, 8, tzinfo=UTC)
        database = Database(sys.argv[1])
        context = load_context(database, int(sys.argv[2]), today=now.date())
        access = Access(lambda _: Credentials("user", sys.argv[3]))
        look_after(database, context, "hub", access=access, clock=lambda: now, actor="doomed")
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, remote.database.url, str(remote.season.id), remote.password],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and states(remote).count("staging") < 4:
        time.sleep(0.02)
    process.kill()
    _, errors = process.communicate()
    assert states(remote) == ["staging"] * 4, errors.decode()
    remote.hub.faults.clear()
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=1)
    with remote.database.begin() as connection:
        assert len(staging.list_staging(connection, "hub")) == 4
    for minutes in (1, 11, 13, 15):
        now = LATER + minutes * MINUTE
        look(remote, now)
        remote.fetch(now=now)
    assert states(remote) == ["downloaded"] * 4
