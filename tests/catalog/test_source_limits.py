"""How a source stands and what it allows: circuit, rate, quotas, connections, logins."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

from domain_rows import NOW, make_acquisition, make_enabled, make_remote, make_season, make_source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from s4c_lib.catalog import data_sources, source_state, source_usage, transfers
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.transfer_faults import FaultClass
from s4c_lib.errors import SourceError, SourceRefusedError, SourceThrottledError
from s4c_lib.scheduling.dates import SeasonDates

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ALWAYS = {"date_from": datetime(2000, 1, 1, tzinfo=UTC), "date_to": datetime(2100, 1, 1, tzinfo=UTC)}
_numbers = itertools.count()


def fault(connection: Connection, error: SourceError, now: datetime) -> source_state.Circuit | None:
    return source_state.record_fault(connection, "cdse", error, circuit_minutes=15, now=now)


def open_minutes(connection: Connection, now: datetime) -> float:
    found = source_state.circuit(connection, "cdse", now=now)
    return 0.0 if found is None else (found.open_until - now) / MINUTE


def test_a_source_that_says_how_long_is_left_alone_that_long(connection: Connection) -> None:
    fault(connection, SourceThrottledError("429", retry_after=90), NOW)
    assert open_minutes(connection, NOW) == 1.5
    # the shorter wish of another transfer does not shorten it
    fault(connection, SourceThrottledError("429", retry_after=1), NOW + MINUTE / 2)
    assert open_minutes(connection, NOW + MINUTE / 2) == 1
    assert open_minutes(connection, NOW + 1.5 * MINUTE) == 0


def test_one_that_does_not_say_is_left_alone_longer_and_longer(connection: Connection) -> None:
    now, waited = NOW, []
    for _ in range(7):
        # four transfers meet it at once
        for _ in range(4):
            fault(connection, SourceThrottledError("429"), now)
        waited.append(open_minutes(connection, now))
        now += timedelta(minutes=waited[-1])
    assert waited == [1, 2, 4, 8, 16, 30, 30]
    assert source_state.close_circuit(connection, "cdse", now=now)
    fault(connection, SourceThrottledError("429"), now)
    assert open_minutes(connection, now) == 1


def test_operators_are_told_once_until_it_answers_again(connection: Connection) -> None:
    refused = SourceRefusedError("cdse refuses the account")
    opened = [fault(connection, refused, NOW + minutes * MINUTE) for minutes in (0, 5, 20, 40)]
    assert [None if item is None else item.newly_opened for item in opened] == [True, False, False, False]
    assert open_minutes(connection, NOW + 40 * MINUTE) == 15
    # what was under way when it refused and succeeds now proves nothing
    assert not source_state.close_circuit(connection, "cdse", now=NOW + 41 * MINUTE)
    assert open_minutes(connection, NOW + 41 * MINUTE) == 14
    assert source_state.close_circuit(connection, "cdse", now=NOW + 55 * MINUTE)
    assert not source_state.close_circuit(connection, "cdse", now=NOW + 56 * MINUTE)
    told = source_state.source_events(connection, "cdse")
    assert [(event.at, event.opened, event.reason) for event in told] == [
        (NOW, True, "refused"),
        (NOW + 55 * MINUTE, False, "refused"),
    ]
    again = fault(connection, refused, NOW + 60 * MINUTE)
    assert again is not None
    assert again.newly_opened
    assert source_state.close_circuit(connection, "cdse", now=NOW + 61 * MINUTE, by_hand=True)
    assert open_minutes(connection, NOW + 61 * MINUTE) == 0


def test_other_faults_leave_the_circuit_closed(connection: Connection) -> None:
    assert fault(connection, SourceError("503"), NOW) is None
    assert open_minutes(connection, NOW) == 0
    assert source_state.source_events(connection, "cdse") == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.integers(1, 600),
    steps=st.lists(st.floats(0, 30), min_size=1, max_size=25),
)
def test_no_minute_has_more_requests_than_allowed(connection: Connection, per_minute: int, steps: list[float]) -> None:
    name = f"s{next(_numbers)}"
    now, sent = NOW, []
    for step in steps:
        now += timedelta(seconds=step)
        wait = source_state.reserve_request(connection, name, per_minute=per_minute, now=now)
        assert wait >= 0
        sent.append((now - NOW).total_seconds() + wait)
    assert sent == sorted(sent)
    for first in sent:
        # microseconds are what the database keeps
        assert sum(first <= moment < first + 60 - 1e-3 for moment in sent) <= per_minute
    assert source_state.reserve_request(connection, name, per_minute=None, now=now) == 0


def test_one_poll_in_an_interval_among_all(connection: Connection) -> None:
    asked = [
        source_state.may_poll(connection, "cdse", every_seconds=60, now=NOW + timedelta(seconds=seconds))
        for seconds in (0, 0, 59, 60, 61, 130)
    ]
    assert asked == [True, False, False, True, False, True]
    assert source_state.may_poll(connection, "other", every_seconds=60, now=NOW)


def claim(connection: Connection, site_id: int, now: datetime = NOW, *names: str) -> Acquisition | None:
    found = data_sources.list_sources(connection)
    numbers = [item.id for item in found]
    chosen = [item.id for item in found if not names or item.name in names]
    return transfers.claim(connection, site_id, chosen, usable=numbers, owner="w", now=now, lease_seconds=20, **ALWAYS)


def test_the_bytes_of_thirty_days_are_counted_with_what_is_to_come(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection, quota={"bytes_per_30_days": 10_000})
    for index in range(4):
        make_acquisition(connection, site, f"P{index}", state="queued")  # 1000 bytes each
    today = NOW.date()
    source_usage.record(connection, "cdse", day=today - 30 * DAY, bytes_received=50_000)
    source_usage.record(connection, "cdse", day=today - 29 * DAY, bytes_received=5_000, requests=2, transfers=1)
    source_usage.record(connection, "cdse", day=today, bytes_received=2_500, requests=1)
    source_usage.record(connection, "cdse", day=today, bytes_received=500, requests=4, transfers=1)
    assert source_usage.bytes_in_days(connection, "cdse", today=today) == 8_000
    assert source_usage.requests_on(connection, "cdse", today) == 5
    assert [claim(connection, site.id) is not None for _ in range(4)] == [True, True, False, False]
    reason = transfers.held_back(connection, "cdse", NOW)
    assert reason is not None
    assert "quota" in reason
    # a day later the first of them no longer counts
    assert claim(connection, site.id, NOW + DAY) is not None


def test_a_quota_without_room_for_the_next_product_is_said(connection: Connection) -> None:
    """It is never used to the last byte, and silence would look as if nothing waited."""
    site, _ = make_enabled(connection)
    make_remote(connection, quota={"bytes_per_30_days": 2_500_000})
    source_usage.record(connection, "cdse", day=NOW.date(), bytes_received=2_000_000)
    assert transfers.over_quota(connection, "cdse", NOW) is None
    make_acquisition(connection, site, "P0", state="queued")  # 1000 bytes
    assert transfers.over_quota(connection, "cdse", NOW) is None, "it has room"
    other, _ = make_enabled(connection, "Beta")
    large = make_acquisition(connection, other, "P1", state="queued")
    connection.execute(text("UPDATE s4c.acquisition SET size_bytes = 700000 WHERE id = :id"), {"id": large})
    told = transfers.over_quota(connection, "cdse", NOW)
    assert told == "cdse: 2.0 MB of its quota of 2.5 MB in 30 days are used, the next product has 700.0 kB"
    # what one site may not have does not hold the other back
    assert claim(connection, other.id) is None
    assert claim(connection, site.id) is not None
    assert "1.0 kB are on their way" in str(transfers.over_quota(connection, "cdse", NOW))


def test_a_past_season_waits_for_the_current_one(connection: Connection) -> None:
    """Case 30: an earlier season added to a site that runs."""
    site, _ = make_enabled(connection)
    earlier = SeasonDates(NOW.date() - 400 * DAY, NOW.date() - 300 * DAY, NOW.date() - 200 * DAY)
    make_season(connection, site, "2023", earlier)
    make_source(connection, satellites=("s2",))
    sensed = {
        "OLD": NOW - 300 * DAY,
        "NEW": NOW - 5 * DAY,
        "NEWER": NOW - 2 * DAY,
        "OLDER": NOW - 350 * DAY,
    }
    for name, moment in sensed.items():
        make_acquisition(connection, site, name, state="queued", sensed=moment)
    connection.execute(text("UPDATE s4c.season SET enabled = true"))
    taken = [claim(connection, site.id) for _ in range(4)]
    assert [None if item is None else item.source_product_name for item in taken] == ["NEW", "NEWER", "OLDER", "OLD"]


def test_sites_share_one_transfer_and_the_connections(connection: Connection) -> None:
    """Case 35 for a remote source: one row, one transfer, two memberships."""
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    make_remote(connection, connections=1)
    for name in ("SHARED", "SECOND"):
        number = make_acquisition(connection, site, name, state="queued")
        assert number == make_acquisition(connection, other, name)
    held = claim(connection, site.id)
    assert held is not None
    # its connection is in use, whoever asks
    assert claim(connection, other.id) is None
    assert "1 of 1 connections" in str(transfers.held_back(connection, "cdse", NOW))
    transfers.complete(
        connection, held.id, owner="w", full_path="/x", fetch_mode="download", size_bytes=1, checksum="content:0"
    )
    second = claim(connection, other.id)
    assert second is not None
    assert second.id != held.id
    transfers.fail(
        connection,
        second.id,
        owner="w",
        outcome=FaultClass.FINAL,
        reason="x",
        error="x",
        now=NOW,
        max_retries=0,
        retry_interval=MINUTE,
    )
    assert claim(connection, site.id) is None
    assert transfers.in_progress(connection) == (0, 0)


WORKER = """
import sys
from datetime import UTC, datetime
from s4c_lib.catalog import transfers
from s4c_lib.catalog.database import Database
database, site, owner = Database(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
sources = [int(sys.argv[4])]
always = dict(date_from=datetime(2000, 1, 1, tzinfo=UTC), date_to=datetime(2100, 1, 1, tzinfo=UTC))
most = done = 0
while True:
    with database.begin() as connection:
        held = transfers.claim(connection, site, sources, usable=sources, owner=owner, now=datetime.now(UTC),
                               lease_seconds=60, **always)
        left, _ = transfers.queued(connection, site, sources, usable=sources, **always)
    if held is None:
        if left == 0:
            break
        continue
    # the first is held until another process has one too
    while True:
        with database.begin() as connection:
            most = max(most, transfers.in_progress(connection, "cdse")[0])
        if most > 1:
            break
    with database.begin() as connection:
        transfers.complete(connection, held.id, owner=owner, full_path="/x", fetch_mode="download", size_bytes=1,
                           checksum="content:0")
    done += 1
print(most, done)
"""


def test_processes_never_use_more_connections_than_allowed(database: Database) -> None:
    """As many as allowed are used at times, and never one more."""
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        source = make_remote(connection, connections=2)[0]
        for index in range(40):
            make_acquisition(connection, site, f"P{index:02}", state="queued", source=source)
    arguments = [database.url, str(site.id)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), *arguments, f"w{index}", str(source.id)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(3)
    ]
    outputs = [process.communicate(timeout=60) for process in workers]
    assert [process.returncode for process in workers] == [0] * 3, outputs
    found = [tuple(int(word) for word in out.split()) for out, _ in outputs]
    assert sum(done for _, done in found) == 40
    assert max(most for most, _ in found) == 2


def test_logins_are_counted_and_those_of_the_dead_come_back(connection: Connection) -> None:
    make_remote(connection, quota={"sessions": 2})

    def begin(owner: str, seconds: float = 0) -> bool:
        now = NOW + timedelta(seconds=seconds)
        return source_usage.begin_session(connection, "cdse", owner=owner, now=now, lease_seconds=60)

    assert [begin("a"), begin("b"), begin("c")] == [True, True, False]
    assert begin("a", 30)
    source_usage.end_session(connection, "cdse", owner="b")
    assert begin("c", 30)
    assert not begin("d", 89)
    assert begin("d", 91)


def test_limits_of_a_name_are_the_narrowest_of_its_rows(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_remote(connection, satellites=("s1", "s2"), quota={"orders": 9, "requests_per_minute": 1.5})
    make_remote(connection, satellites=("s2",), site=site, connections=6, quota={"orders": 4, "sessions": 3})
    assert source_usage.limits(connection, "cdse") == source_usage.SourceLimits(
        connections=6, orders=4, sessions=3, requests_per_minute=1.5
    )
    data_sources.set_source(connection, "cdse", {"quota": {"orders": None, "sessions": 7}})
    assert source_usage.limits(connection, "cdse") == source_usage.SourceLimits(
        connections=6, sessions=7, requests_per_minute=1.5
    )
    assert claim(connection, site.id) is None
    make_acquisition(connection, site, "P", state="queued")
    assert claim(connection, site.id) is not None
