"""What a failed transfer leads to: operations.md §3.5, cases 31 to 33."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from domain_rows import ACTOR, NOW, make_acquisition, make_enabled, make_remote, make_source, states
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, data_sources, source_state, staging, transfers
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import Acquisition, events, get_acquisition
from s4c_lib.catalog.transfer_faults import JITTER, LONGEST_DELAY, FaultClass, fault_of, jittered, retry_delay
from s4c_lib.errors import (
    DiskFullError,
    InputError,
    NotFoundError,
    ProductCorruptError,
    ProductGoneError,
    ProductOfflineError,
    Sen4capError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    StorageError,
    TransitionError,
)

HOUR = timedelta(hours=1)
ALWAYS = {"date_from": datetime(2000, 1, 1, tzinfo=UTC), "date_to": datetime(2100, 1, 1, tzinfo=UTC)}


def usable(connection: Connection) -> list[int]:
    """All sources that may be fetched from, by priority."""
    found = data_sources.list_sources(connection)
    return [item.id for item in found if item.enabled and item.can_download]


def claim(connection: Connection, site_id: int, now: datetime = NOW) -> Acquisition | None:
    numbers = usable(connection)
    return transfers.claim(
        connection, site_id, numbers, usable=numbers, owner="worker", now=now, lease_seconds=20, **ALWAYS
    )


def fail(connection: Connection, number: int, outcome: FaultClass, now: datetime = NOW) -> AcquisitionState:
    return transfers.fail(
        connection,
        number,
        owner="worker",
        outcome=outcome,
        reason="refused" if outcome is FaultClass.REFUSED else "source",
        error="it failed",
        now=now,
        max_retries=3,
        retry_interval=HOUR,
        usable=usable(connection),
    )


def tries(connection: Connection, site_id: int, number: int, outcome: FaultClass) -> list[tuple[datetime, str]]:
    """Let every try fail until the acquisition is given up: when each was, and at which source."""
    names = {item.id: item.name for item in data_sources.list_sources(connection)}
    now, tried = NOW, []
    while (held := claim(connection, site_id, now)) is not None:
        tried.append((now, names[held.data_source_id or 0]))
        after = fail(connection, number, outcome, now)
        if after is AcquisitionState.ABORTED:
            break
        if after is AcquisitionState.FAILED:
            due = get_acquisition(connection, number).next_attempt_at
            assert due is not None
            assert transfers.requeue_failed(connection, site_id, due - timedelta(seconds=1), actor=ACTOR) == 0
            assert transfers.requeue_failed(connection, site_id, due, actor=ACTOR) == 1
            now = due
    return tried


def pauses(tried: list[tuple[datetime, str]]) -> list[float]:
    return [(later[0] - earlier[0]) / HOUR for earlier, later in itertools.pairwise(tried)]


def test_a_failing_transfer_is_tried_later_and_later_then_given_up(connection: Connection) -> None:
    """Case 31: tries at t0, +1 h, +3 h, +7 h before jitter; the fourth failure ends it."""
    assert [retry_delay(k, HOUR) / HOUR for k in range(1, 7)] == [1, 2, 4, 8, 12, 12]
    site, _ = make_enabled(connection)
    make_remote(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="queued")
    tried = tries(connection, site.id, number, FaultClass.TRANSIENT)
    assert pauses(tried) == pytest.approx([1, 2, 4], rel=JITTER)
    assert pauses(tried) != [1, 2, 4]
    given_up = get_acquisition(connection, number)
    assert (given_up.state, given_up.attempts, given_up.last_error) == ("aborted", 4, "it failed")
    transfers.force_retry(connection, [number], actor="operator")
    again = get_acquisition(connection, number)
    assert (again.state, again.attempts) == ("queued", 0)


def test_after_all_tries_another_source_has_one(connection: Connection) -> None:
    """Case 32: once; when that works, the source is recorded."""
    site, _ = make_enabled(connection)
    first, second = make_remote(connection, "first"), make_remote(connection, "second", priority=2)
    make_remote(connection, "third", priority=3)
    number = make_acquisition(connection, site, "PRODUCT", state="queued", source=first[0])
    tried = tries(connection, site.id, number, FaultClass.TRANSIENT)
    assert [name for _, name in tried] == ["first"] * 4 + ["second"]
    # the other source is asked at once
    assert tried[-1][0] == tried[-2][0]
    assert get_acquisition(connection, number).state is AcquisitionState.ABORTED

    transfers.force_retry(connection, [number], actor="operator")
    for later in (0, 2, 5, 10):
        transfers.requeue_failed(connection, site.id, NOW + later * HOUR, actor=ACTOR)
        held = claim(connection, site.id, NOW + later * HOUR)
        assert held is not None
        fail(connection, number, FaultClass.TRANSIENT, NOW + later * HOUR)
    # a search that lists it anew at the first source does not take the turn of the second
    acquisitions.discover(
        connection,
        acquisitions.NewAcquisition("s2", "PRODUCT", "s2_l2a", "sentinel-2a", NOW, site.geometry),
        source="first",
        address="x",
        data_source_id=first[0].id,
        actor=ACTOR,
    )
    assert claim(connection, site.id, NOW + 10 * HOUR) is not None
    transfers.complete(
        connection, number, owner="worker", full_path="/x", fetch_mode="download", size_bytes=1, checksum="content:0"
    )
    done = get_acquisition(connection, number)
    assert (done.state, done.data_source_id, done.attempts) == ("downloaded", second[0].id, 0)


def test_an_archive_is_a_second_source_only_for_what_it_lists(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    first = make_remote(connection, "first")[0]
    archive = make_source(connection, satellites=("s2",))[0]
    data_sources.set_source(connection, "first", {"priority": 1})
    listed = make_acquisition(connection, site, "LISTED", state="queued", source=archive)
    for name in ("LISTED", "OTHER"):
        make_acquisition(connection, site, name, state="discovered" if name == "LISTED" else "queued", source=first)
    assert claim(connection, site.id) is not None
    assert claim(connection, site.id) is not None
    assert fail(connection, listed, FaultClass.GONE) is AcquisitionState.QUEUED
    other = acquisitions.get_by_name(connection, "OTHER").id
    assert fail(connection, other, FaultClass.GONE) is AcquisitionState.FAILED
    held = claim(connection, site.id)
    assert held is not None
    assert (held.id, held.data_source_id) == (listed, archive.id)


def test_what_is_gone_is_asked_of_all_three_times_a_day_apart(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    first = make_remote(connection, "first")[0]
    make_remote(connection, "second", priority=2)
    number = make_acquisition(connection, site, "WITHDRAWN", state="queued", source=first)
    tried = tries(connection, site.id, number, FaultClass.GONE)
    assert [name for _, name in tried] == ["first", "second"] * 3
    assert pauses(tried) == pytest.approx([0, 24, 0, 24, 0], rel=JITTER)
    assert get_acquisition(connection, number).state is AcquisitionState.ABORTED


def test_a_refused_account_is_no_fault_of_the_product(connection: Connection) -> None:
    """Case 33: the circuit is open for 15 min, attempts unchanged, one alert."""
    site, _ = make_enabled(connection)
    make_remote(connection)
    numbers = [make_acquisition(connection, site, f"P{index}", state="queued") for index in range(3)]
    for _ in numbers[:2]:
        claim(connection, site.id)
    refused = SourceRefusedError("cdse answers 401")
    for number in numbers[:2]:
        assert fail(connection, number, fault_of(refused)) is AcquisitionState.QUEUED
        source_state.record_fault(connection, "cdse", refused, circuit_minutes=15, now=NOW)
    assert [get_acquisition(connection, number).attempts for number in numbers] == [0, 0, 0]
    assert [event.opened for event in source_state.source_events(connection, "cdse")] == [True]
    before = NOW + timedelta(minutes=15) - timedelta(seconds=1)
    assert claim(connection, site.id, before) is None
    held_back = transfers.held_back(connection, "cdse", before)
    assert held_back is not None
    assert "2024-06-10 08:15:00Z" in held_back
    assert claim(connection, site.id, NOW + timedelta(minutes=15)) is not None
    assert set(states(connection).values()) == {"queued", "downloading"}


def test_a_product_that_the_account_may_not_have_does_not_hold_up_the_others(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection)
    forbidden, other = (
        make_acquisition(connection, site, name, state="queued", sensed=NOW - timedelta(days=days))
        for name, days in (("OLDER", 9), ("NEWER", 8))
    )
    first = claim(connection, site.id)
    assert first is not None
    assert first.id == forbidden
    fail(connection, forbidden, FaultClass.REFUSED)
    transfers_in_turn = [claim(connection, site.id), claim(connection, site.id)]
    assert [None if one is None else one.id for one in transfers_in_turn] == [other, forbidden]


def test_what_lies_on_tape_again_after_its_order_was_filled_counts_as_failed(connection: Connection) -> None:
    """A source that says it is online and then that it is not is not asked in circles."""
    site, _ = make_enabled(connection)
    make_remote(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="queued", storage_state="offline")
    sources = usable(connection)
    staging.order_batch(connection, site.id, sources, usable=sources, now=NOW, actor=ACTOR, **ALWAYS)
    staging.confirm(connection, [number], now=NOW)
    staging.to_queue(connection, [number], actor=ACTOR)
    claim(connection, site.id)
    assert fail(connection, number, FaultClass.OFFLINE) is AcquisitionState.FAILED
    failed = get_acquisition(connection, number)
    assert (failed.attempts, failed.storage_state) == (1, "offline")
    # and it is ordered once more when its pause is over
    transfers.requeue_failed(connection, site.id, NOW + 2 * HOUR, actor=ACTOR)
    assert staging.to_order(connection, site.id, sources, usable=sources, **ALWAYS) == 1


@pytest.mark.parametrize("outcome", [FaultClass.DISK, FaultClass.THROTTLED, FaultClass.OFFLINE])
def test_what_is_not_the_products_fault_takes_no_attempt(connection: Connection, outcome: FaultClass) -> None:
    """Case 36 for the disk: attempts unchanged."""
    site, _ = make_enabled(connection)
    make_remote(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="queued")
    claim(connection, site.id)
    assert fail(connection, number, outcome) is AcquisitionState.QUEUED
    assert get_acquisition(connection, number).attempts == 0
    # what lies on tape is ordered before it is claimed again
    assert (claim(connection, site.id) is None) == (outcome is FaultClass.OFFLINE)


def test_what_cannot_heal_is_given_up_at_once(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection)
    make_remote(connection, "second", priority=2)
    number = make_acquisition(connection, site, "PRODUCT", state="queued")
    claim(connection, site.id)
    assert fail(connection, number, FaultClass.FINAL) is AcquisitionState.ABORTED


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (SourceError("x"), "transient"),
        (StorageError("x"), "transient"),
        (SourceThrottledError("x", retry_after=5), "throttled"),
        (SourceRefusedError("x"), "refused"),
        (ProductGoneError("x"), "gone"),
        (ProductOfflineError("x"), "offline"),
        (ProductCorruptError("x"), "corrupt"),
        (DiskFullError("x"), "disk"),
        (NotFoundError("x"), "refused"),
        (InputError("x"), "final"),
    ],
)
def test_each_error_counts_as_its_class(error: Sen4capError, fault: str) -> None:
    assert fault_of(error) == fault


@given(
    minutes=st.floats(0.01, 1440),
    failures=st.integers(1, 200),
    number=st.integers(1, 10**9),
    attempt=st.integers(0, 99),
)
def test_pauses_grow_to_twelve_hours_and_stay_near(minutes: float, failures: int, number: int, attempt: int) -> None:
    interval = timedelta(minutes=minutes)
    delay, longer = retry_delay(failures, interval), retry_delay(failures + 1, interval)
    assert min(interval, LONGEST_DELAY) <= delay <= longer <= LONGEST_DELAY
    real = jittered(delay, number, attempt)
    assert abs(real - delay) <= delay * JITTER + timedelta(microseconds=1)
    assert real == jittered(delay, number, attempt)


def test_products_that_failed_together_come_back_spread_out() -> None:
    real = [jittered(HOUR, number, 1) / HOUR for number in range(1, 501)]
    assert min(real) < 0.91
    assert max(real) > 1.09
    assert sum(real) / len(real) == pytest.approx(1, abs=0.01)


def test_what_an_operator_left_out_stays_out_until_asked_for(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    source = make_remote(connection)[0]
    number = make_acquisition(connection, site, "PRODUCT", state="queued")
    transfers.ignore_by_hand(connection, [number], actor="operator", why="stripes all over")
    acquisitions.settle_selection(connection, site.id, actor=ACTOR)
    ignored = get_acquisition(connection, number)
    assert (ignored.state, ignored.reason_code, ignored.last_error) == ("ignored", "by_hand", "stripes all over")
    assert events(connection, number)[-1].actor == "operator"
    left = {"satellites": ["s2"], "usable": [source.id], "now": NOW, **ALWAYS}
    assert not transfers.anything_left(connection, site.id, **left)
    transfers.force_retry(connection, [number], actor="operator")
    assert transfers.anything_left(connection, site.id, **left)
    assert get_acquisition(connection, number).state is AcquisitionState.QUEUED
    busy = make_acquisition(connection, site, "BUSY", state="processing")
    with pytest.raises(TransitionError):
        transfers.ignore_by_hand(connection, [busy], actor="operator", why="late")


@pytest.mark.parametrize("how", ["gone", "by_hand"])
def test_an_older_baseline_is_used_when_the_newer_cannot_be(connection: Connection, how: str) -> None:
    """Republished with a new baseline, then withdrawn, or left out by an operator."""
    site, _ = make_enabled(connection)
    make_remote(connection)
    for baseline in (400, 510):
        make_acquisition(connection, site, f"N0{baseline}", baseline=baseline, relative_orbit=8)

    def settle() -> dict[str, str]:
        acquisitions.ignore_duplicates(connection, site.id)
        acquisitions.settle_selection(connection, site.id, actor=ACTOR)
        return states(connection)

    assert settle() == {"N0400": "ignored", "N0510": "queued"}
    newer = acquisitions.get_by_name(connection, "N0510").id
    if how == "gone":
        connection.execute(text("UPDATE s4c.acquisition SET gone_rounds = 2 WHERE id = :id"), {"id": newer})
        assert claim(connection, site.id) is not None
        transfers.fail(
            connection,
            newer,
            owner="worker",
            outcome=FaultClass.GONE,
            reason="gone",
            error="404",
            now=NOW,
            max_retries=3,
            retry_interval=HOUR,
        )
    else:
        transfers.ignore_by_hand(connection, [newer], actor="operator", why="stripes")
    assert settle() == {"N0400": "queued", "N0510": "aborted" if how == "gone" else "ignored"}
    transfers.force_retry(connection, [newer], actor="operator")
    assert settle() == {"N0400": "ignored", "N0510": "queued"}
