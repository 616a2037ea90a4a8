"""Products on tape: operations.md §3.5, the database side of case 34."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain_rows import ACTOR, NOW, make_acquisition, make_enabled, make_remote, make_source, states
from sqlalchemy import Connection

from s4c_lib.catalog import data_sources, source_state, staging, transfers
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import get_acquisition
from s4c_lib.errors import SourceRefusedError

HOUR = timedelta(hours=1)
ALWAYS = {"date_from": datetime(2000, 1, 1, tzinfo=UTC), "date_to": datetime(2100, 1, 1, tzinfo=UTC)}


def numbers_of(connection: Connection) -> list[int]:
    return [item.id for item in data_sources.list_sources(connection)]


def order(connection: Connection, site_id: int, now: datetime = NOW, **more: Any) -> list[int]:
    sources = numbers_of(connection)
    found = staging.order_batch(connection, site_id, sources, usable=sources, now=now, actor=ACTOR, **ALWAYS, **more)
    assert all(item.state is AcquisitionState.STAGING for item in found)
    return [item.id for item in found]


def claim(connection: Connection, site_id: int) -> int | None:
    sources = numbers_of(connection)
    found = transfers.claim(
        connection, site_id, sources, usable=sources, owner="w", now=NOW, lease_seconds=20, **ALWAYS
    )
    return None if found is None else found.id


def fill(connection: Connection, site: Any, *, offline: int, online: int = 0) -> list[int]:
    """Queued acquisitions, oldest first: those on tape, then those online."""
    return [
        make_acquisition(
            connection,
            site,
            f"P{index:02}",
            state="queued",
            sensed=NOW - timedelta(days=60 - index),
            storage_state="offline" if index < offline else "online",
        )
        for index in range(offline + online)
    ]


def test_all_on_tape_are_ordered_at_once_and_hold_no_connection(connection: Connection) -> None:
    """Case 34: 40 offline, 10 online, order quota 50, 4 slots."""
    site, _ = make_enabled(connection)
    make_remote(connection, quota={"orders": 50})
    made = fill(connection, site, offline=40, online=10)
    sources = numbers_of(connection)
    assert staging.to_order(connection, site.id, sources, usable=sources, **ALWAYS) == 40
    assert transfers.queued(connection, site.id, sources, usable=sources, **ALWAYS) == (10, 10_000)
    assert order(connection, site.id) == made[:40]
    staging.confirm(connection, made[:40], now=NOW)
    assert staging.waiting(connection, site.id, sources) == 40
    # four transfers start, and they are of those online
    assert [claim(connection, site.id) for _ in range(5)] == [*made[40:44], None]
    assert order(connection, site.id) == []
    # two come online: each can be claimed at once, before younger ones
    assert staging.to_queue(connection, [made[3], made[7]], actor=ACTOR) == 2
    transfers.complete(
        connection, made[40], owner="w", full_path="/x", fetch_mode="download", size_bytes=1, checksum="content:0"
    )
    assert claim(connection, site.id) == made[3]
    assert staging.waiting(connection, site.id, sources) == 38
    assert [item.id for item in staging.list_staging(connection, "cdse")] == [
        number for number in made[:40] if number not in {made[3], made[7]}
    ]
    assert staging.to_queue(connection, [made[3], made[7]], actor=ACTOR) == 0


def test_no_more_are_ordered_than_the_quota_allows_over_all_sites(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    make_remote(connection, quota={"orders": 5})
    made = fill(connection, site, offline=7)
    late = make_acquisition(connection, other, "BETA", state="queued", storage_state="offline")
    assert order(connection, site.id, limit=3) == made[:3]
    assert order(connection, site.id) == made[3:5]
    assert order(connection, other.id) == []
    staging.to_queue(connection, made[:1], actor=ACTOR)
    assert order(connection, other.id) == [late]


def test_what_a_dead_worker_took_is_ordered_again(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection, quota={"orders": 3})
    made = fill(connection, site, offline=3)
    order(connection, site.id)
    staging.confirm(connection, made[:1], now=NOW)
    assert order(connection, site.id, NOW + timedelta(minutes=9)) == []
    assert order(connection, site.id, NOW + timedelta(minutes=10)) == made[1:]
    assert order(connection, site.id, NOW + timedelta(minutes=11)) == []


def test_a_source_that_does_not_answer_or_has_no_room_gets_its_orders_later(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection)
    made = fill(connection, site, offline=3)
    order(connection, site.id)
    staging.not_ordered(connection, made[:1], actor=ACTOR)
    staging.put_off(connection, made[1:2], error="quota exceeded", now=NOW, retry_interval=HOUR, actor=ACTOR)
    assert states(connection) == {"P00": "queued", "P01": "failed", "P02": "staging"}
    refused = get_acquisition(connection, made[1])
    assert (refused.attempts, refused.last_error, refused.reason_code) == (0, "quota exceeded", "offline")
    due = refused.next_attempt_at
    assert due is not None
    assert transfers.requeue_failed(connection, site.id, due, actor=ACTOR) == 1
    assert claim(connection, site.id) is None
    refusal = SourceRefusedError("401")
    source_state.record_fault(connection, "cdse", refusal, circuit_minutes=15, now=NOW)
    assert order(connection, site.id) == []
    assert order(connection, site.id, NOW + timedelta(minutes=15), lost_after_seconds=9e9) == made[:2]


def test_a_product_whose_order_is_refused_again_and_again_is_given_up(connection: Connection) -> None:
    """Withdrawn while it lay on tape, say: it must not wait for ever."""
    site, _ = make_enabled(connection)
    make_remote(connection)
    (number,) = fill(connection, site, offline=1)
    now, tried = NOW, []
    while get_acquisition(connection, number).state is not AcquisitionState.ABORTED:
        assert order(connection, site.id, now) == [number]
        staging.refused(
            connection, number, error="no such product", now=now, max_retries=2, retry_interval=HOUR, actor=ACTOR
        )
        tried.append(now)
        now = get_acquisition(connection, number).next_attempt_at or now
        transfers.requeue_failed(connection, site.id, now, actor=ACTOR)
    assert len(tried) == 3
    assert get_acquisition(connection, number).attempts == 3


def test_what_does_not_come_online_counts_as_a_failed_transfer(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection)
    (number,) = fill(connection, site, offline=1)

    def overdue(now: datetime) -> int:
        return staging.overdue(
            connection, "cdse", max_hours=48, now=now, max_retries=1, retry_interval=HOUR, actor=ACTOR
        )

    order(connection, site.id)
    staging.confirm(connection, [number], now=NOW)
    assert overdue(NOW + 48 * HOUR) == 0
    assert overdue(NOW + 49 * HOUR) == 1
    late = get_acquisition(connection, number)
    assert (late.state, late.attempts, late.reason_code) == ("failed", 1, "offline")
    assert "within 48 h" in str(late.last_error)
    again = NOW + 60 * HOUR
    transfers.requeue_failed(connection, site.id, again, actor=ACTOR)
    assert order(connection, site.id, again) == [number]
    assert overdue(again + 49 * HOUR) == 1
    assert get_acquisition(connection, number).state is AcquisitionState.ABORTED


def test_a_product_on_tape_and_in_an_archive_is_taken_from_the_archive(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    remote = make_remote(connection)[0]
    number = make_acquisition(connection, site, "BOTH", state="queued", source=remote, storage_state="offline")
    archive = make_source(connection, satellites=("s2",))[0]
    make_acquisition(connection, site, "BOTH", source=archive, storage_state="online")
    assert order(connection, site.id) == []
    assert claim(connection, site.id) == number
    assert get_acquisition(connection, number).data_source_id == archive.id


def test_what_was_ordered_from_a_source_that_is_switched_off_goes_to_another(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    first, second = make_remote(connection, "first")[0], make_remote(connection, "second", priority=2)[0]
    for source in (second, first):
        number = make_acquisition(connection, site, "P", source=source, storage_state="offline")
    transition(connection, [number], AcquisitionState.QUEUED, actor=ACTOR)
    assert order(connection, site.id) == [number]
    assert transfers.expire(connection, NOW) == 0
    assert get_acquisition(connection, number).state is AcquisitionState.STAGING
    data_sources.set_source(connection, "first", {"enabled": False})
    transfers.expire(connection, NOW)
    taken = transfers.claim(
        connection, site.id, [second.id], usable=[second.id], owner="w", now=NOW, lease_seconds=20, **ALWAYS
    )
    assert taken is not None
    assert (taken.id, taken.data_source_id) == (number, second.id)
