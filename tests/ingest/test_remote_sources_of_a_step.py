"""What the sources of one step do to each other and to their providers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely

from s4c_lib.catalog import source_state
from s4c_lib.catalog.data_sources import set_source
from s4c_lib.catalog.query_windows import requery
from s4c_lib.errors import SourceThrottledError
from s4c_lib.ingest.query import run_query
from s4c_lib.ingest.remote import Access, RemoteSources
from s4c_lib.ingest.staging import look_after
from s4c_lib.ingest.steps import nothing_to_do, run_all
from s4c_lib.sources.eodag_search import EodagSearch, Slice

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
New = Callable[..., Any]


def circuit(remote: Any, name: str = "hub", now: datetime = LATER) -> source_state.Circuit | None:
    with remote.database.begin() as connection:
        return source_state.circuit(connection, name, now=now)


def look(remote: Any, minute: int) -> Any:
    now = LATER + minute * MINUTE
    return look_after(
        remote.database, remote.context(now), "hub", access=remote.access, clock=lambda: now, actor="test"
    )


def test_what_is_on_order_is_asked_for_where_it_lies(
    new_remote: New, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of all that was sensed on Earth in those days is thousands of pages at a real provider."""
    asked: list[Slice] = []
    search = EodagSearch.products

    def noted(self: EodagSearch, one: Slice) -> Any:
        asked.append(one)
        return search(self, one)

    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=9)
    remote.find()
    monkeypatch.setattr(EodagSearch, "products", noted)
    look(remote, 0)
    look(remote, 2)
    assert asked, "it was polled"
    whole = shapely.union_all([one.footprint for one in remote.hub.products])
    for one in asked:
        assert one.area is not None
        assert one.area.area <= 2 * shapely.envelope(whole).area


def test_a_source_without_its_account_does_not_end_a_run_that_waits(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    outcome = run_all(
        remote.database,
        remote.context(),
        owner="test",
        clock=lambda: LATER,
        access=Access(),
        wait=lambda seconds, text: pytest.fail(f"nothing comes by itself: {text}"),
    )
    assert any("hub_account" in text for text in outcome.warnings)
    assert {str(one.state) for one in remote.known().values()} == {"queued"}


def test_a_catalogue_that_is_not_set_up_hinders_no_other(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, priority=2)
    remote.add_source("broken", "eodag", params={"collections": {"s2_l2a": "NO_SUCH"}}, priority=1)
    outcome = run_query(remote.database, remote.context(), now=LATER, actor="test", access=remote.access)
    assert (outcome.windows, outcome.windows_failed, outcome.found) == (3, 0, 4)
    assert any("broken" in text and "NO_SUCH" in text for text in outcome.warnings)


def test_a_wish_to_wait_is_heeded_whatever_was_asked(new_remote: New, small_archive: Path) -> None:
    """A broken transfer makes us ask whether the product went to tape: that answer counts like any other."""
    remote = new_remote(small_archive, "eodag")
    remote.find()
    remote.hub.faults.aim("server_error", endpoint="download", times=1, status=500)
    remote.hub.faults.aim("too_many_requests", endpoint="search", times=1, retry_after=600)
    outcome = remote.fetch(limit=1)
    assert (outcome.failed, outcome.fetched) == (1, 0)
    held = circuit(remote)
    assert held is not None
    assert held.open_until == LATER + timedelta(seconds=600)


def test_an_answer_after_a_pause_ends_it_for_all(new_remote: New, small_archive: Path) -> None:
    """Also where this process had answers before, and another one met the wish to wait."""
    remote = new_remote(small_archive)
    source = remote.context().sources["s2"][0]
    clock = [LATER]
    with RemoteSources(remote.database, remote.context().parameters, remote.access, clock=lambda: clock[0]) as opened:
        with opened.heeded(source):
            pass
        with remote.database.begin() as connection:
            source_state.record_fault(
                connection, "hub", SourceThrottledError("wait", retry_after=60), circuit_minutes=15, now=LATER
            )
        clock[0] = LATER + 2 * MINUTE
        with opened.heeded(source):
            pass
    with remote.database.begin() as connection:
        assert [event.opened for event in source_state.source_events(connection, "hub")] == [True, False]


def test_orders_taken_before_a_fault_stand_and_the_rest_follow_at_the_next_look(
    new_remote: New, small_archive: Path
) -> None:
    remote = new_remote(small_archive, "eodag")
    for one in remote.hub.products:
        remote.hub.faults.offline(one.name.name, polls=100)
    remote.find()
    remote.hub.faults.aim("server_error", endpoint="order", times=1, after=2, status=500)

    left = look(remote, 0)
    assert (left.staging, left.to_order) == (2, 2)
    left = look(remote, 1)
    assert (left.staging, left.to_order) == (4, 0)
    placed = [one.product for one in remote.hub.requests if one.endpoint == "order" and one.status == 201]
    assert len(placed) == len(set(placed)) == 4


def test_a_short_wish_to_wait_only_delays_a_search(new_remote: New, small_archive: Path) -> None:
    """A past season has no other run that would search the rest."""
    remote = new_remote(small_archive)
    clock = [LATER]
    waits: list[float] = []

    def wait(seconds: float, text: str) -> None:
        assert "ask to wait" in text
        waits.append(seconds)
        clock[0] += timedelta(seconds=seconds)

    def search(wait: Any) -> Any:
        return run_query(
            remote.database,
            remote.context(),
            now=clock[0],
            actor="test",
            access=remote.access,
            clock=lambda: clock[0],
            wait=wait,
        )

    remote.hub.faults.aim("too_many_requests", endpoint="search", times=1, retry_after=120)
    outcome = search(wait)
    assert (outcome.windows, outcome.windows_failed, outcome.windows_put_off, outcome.found) == (3, 0, 0, 4)
    assert waits == [120]
    # an hour is not waited for, and the season does not look finished meanwhile
    with remote.database.begin() as connection:
        requery(connection, remote.season.id)
    remote.hub.faults.aim("too_many_requests", endpoint="search", times=1, retry_after=3600)
    outcome = search(wait)
    assert (outcome.windows, outcome.windows_put_off, waits) == (0, 3, [120])
    assert "3 query windows" in nothing_to_do(remote.database, remote.context(), clock[0])


def test_a_quota_of_bytes_that_is_used_up_is_said(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    most = max(one.size_bytes for one in remote.hub.products)
    with remote.database.begin() as connection:
        set_source(connection, "hub", {"quota": {"bytes_per_30_days": int(1.5 * most)}})
    remote.find()
    outcome = remote.fetch()
    assert outcome.fetched == 1
    assert "quota" in (outcome.held_back or "")
