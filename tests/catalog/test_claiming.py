"""Many workers at once: nothing is held twice, and a killed worker costs nothing but time."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from domain_rows import ACTOR, NOW, make_acquisition, make_enabled, make_source, states
from sqlalchemy import Connection, text

from s4c_lib.catalog import sites, transfers, unit_claims, units
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import events, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.transfer_faults import FaultClass
from s4c_lib.errors import LeaseLostError

ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
PROLOGUE = """
import sys, time
from datetime import UTC, datetime
from s4c_lib.catalog import transfers, unit_claims, units
from s4c_lib.catalog.database import Database
database, site, owner = Database(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
always = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
now = datetime(2024, 6, 10, 8, tzinfo=UTC)

def claim_acquisition():
    with database.begin() as connection:
        sources = [int(number) for number in sys.argv[4].split(",")]
        return transfers.claim(connection, site, sources, usable=sources, owner=owner, now=now, lease_seconds=20,
                               date_from=always[0], date_to=always[1])

def claim_unit():
    with database.begin() as connection:
        found = unit_claims.claim(connection, "l2a", site, owner=owner, now=now, lease_seconds=20)
        return found[0] if found else None
"""


def worker(database: Database, site: int, owner: str, sources: Sequence[int], body: str) -> subprocess.Popen[str]:
    """A process of its own that runs the body after the prologue."""
    script = textwrap.dedent(PROLOGUE) + textwrap.dedent(body)
    numbers = ",".join(str(number) for number in sources)
    command = [sys.executable, "-c", script, database.url, str(site), owner, numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def claim(connection: Connection, site: int, owner: str, now: datetime = NOW) -> int | None:
    sources = list(connection.execute(text("SELECT id FROM s4c.data_source")).scalars())
    found = transfers.claim(
        connection,
        site,
        sources,
        usable=sources,
        owner=owner,
        now=now,
        lease_seconds=20,
        date_from=ALWAYS[0],
        date_to=ALWAYS[1],
    )
    return None if found is None else found.id


@pytest.mark.parametrize("what", ["claim_acquisition", "claim_unit"])
def test_processes_never_hold_one_thing_twice(database: Database, what: str) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        source = make_source(connection)[1]
        for index in range(40):
            state = "queued" if what == "claim_acquisition" else "downloaded"
            number = make_acquisition(connection, site, f"P{index:02}", state=state, source=source)
            if what == "claim_unit":
                units.ensure_units(connection, number, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    # all begin together, and none is so fast that the others come too late
    begin = time.time() + 4
    body = (
        f"import time\ntime.sleep(max(0, {begin} - time.time()))\n"
        f"while (held := {what}()) is not None:\n    print(held.id, flush=True)\n    time.sleep(0.03)\n"
    )
    workers = [worker(database, site.id, f"worker {index}", [source.id], body) for index in range(4)]
    outputs = [process.communicate(timeout=60) for process in workers]
    assert [process.returncode for process in workers] == [0] * 4, [error for _, error in outputs]
    held = [int(line) for out, _ in outputs for line in out.split()]
    assert len(held) == len(set(held)) == 40
    assert sum(bool(out) for out, _ in outputs) > 1
    with database.begin() as connection:
        table = "acquisition" if what == "claim_acquisition" else "acquisition_unit"
        attempts = connection.execute(text(f"SELECT DISTINCT attempts FROM s4c.{table}")).scalars()
        assert list(attempts) == [1]


def test_threads_share_the_units_of_one_acquisition(database: Database) -> None:
    """All roll up the same acquisition: they must wait for each other, not fail."""
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        number = make_acquisition(connection, site, "MANY TILES", state="downloaded")
        keys = [f"T{index:02}" for index in range(30)]
        units.ensure_units(connection, number, keys, processor="l2a", config_hash="h", max_attempts=3)

    def work(owner: str) -> list[str]:
        done = []
        while True:
            with database.begin() as connection:
                found = unit_claims.claim(connection, "l2a", site.id, owner=owner, now=NOW, lease_seconds=20)
            if not found:
                return done
            with database.begin() as connection:
                units.finish(connection, found[0].id, owner=owner, product_id=None)
            done.append(found[0].unit_key)

    with ThreadPoolExecutor(4) as pool:
        worked = [key for done in pool.map(work, ["a", "b", "c", "d"]) for key in done]
    assert sorted(worked) == keys
    with database.begin() as connection:
        assert get_acquisition(connection, number).state is AcquisitionState.PROCESSED


@pytest.mark.parametrize("what", ["claim_acquisition", "claim_unit"])
def test_a_killed_worker_costs_no_attempt(database: Database, what: str) -> None:
    """Case 50: SIGKILL while the lease is held."""
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        source = make_source(connection)[1]
        state = "queued" if what == "claim_acquisition" else "downloaded"
        number = make_acquisition(connection, site, "PRODUCT", state=state, source=source)
        units.ensure_units(connection, number, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    body = f"print({what}().id, flush=True)\ntime.sleep(600)\n"
    process = worker(database, site.id, "doomed", [source.id], body)
    assert process.stdout is not None
    held = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()

    def expire(seconds: float) -> int:
        now = NOW + timedelta(seconds=seconds)
        with database.begin() as connection:
            return (transfers if what == "claim_acquisition" else unit_claims).expire(connection, now)

    assert expire(19) == 0
    assert expire(21) == 1
    with database.begin() as connection:
        if what == "claim_acquisition":
            acquisition = get_acquisition(connection, held)
            assert (acquisition.state, acquisition.attempts) == ("queued", 0)
            assert events(connection, held)[-1].reason == "lease_expired"
            assert claim(connection, site.id, "next") == held
            assert get_acquisition(connection, held).attempts == 1
        else:
            (unit,) = units.units_of(connection, number)
            assert (unit.state, unit.attempts, unit.lease_owner) == ("pending", 0, None)
            (again,) = unit_claims.claim(connection, "l2a", site.id, owner="next", now=NOW, lease_seconds=20)
            assert (again.id, again.attempts) == (held, 1)


def test_who_lost_the_lease_can_record_nothing(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="queued")
    assert claim(connection, site.id, "first") == number
    transfers.expire(connection, NOW + timedelta(seconds=21))
    assert claim(connection, site.id, "second", NOW + timedelta(seconds=21)) == number
    with pytest.raises(LeaseLostError):
        transfers.extend_lease(connection, number, "first", NOW + timedelta(hours=1))
    with pytest.raises(LeaseLostError):
        finish(connection, number, "first")
    with pytest.raises(LeaseLostError):
        fail(connection, number, "first")
    assert get_acquisition(connection, number).state is AcquisitionState.DOWNLOADING
    finish(connection, number, "second")
    with pytest.raises(LeaseLostError):
        finish(connection, 10**9, "second")


def test_who_lost_a_unit_can_record_nothing(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="downloaded")
    units.ensure_units(connection, number, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    (unit,) = unit_claims.claim(connection, "l2a", site.id, owner="first", now=NOW, lease_seconds=20)
    units.heartbeat(connection, unit.id, owner="first", until=NOW + timedelta(seconds=40))
    assert unit_claims.expire(connection, NOW + timedelta(seconds=39)) == 0
    assert unit_claims.expire(connection, NOW + timedelta(seconds=41)) == 1
    unit_claims.claim(connection, "l2a", site.id, owner="second", now=NOW, lease_seconds=20)
    with pytest.raises(LeaseLostError):
        units.heartbeat(connection, unit.id, owner="first", until=NOW)
    with pytest.raises(LeaseLostError):
        units.finish(connection, unit.id, owner="first", product_id=None)
    with pytest.raises(LeaseLostError):
        unit_claims.claim_of(connection, number, owner="third", until=NOW)


def finish(connection: Connection, number: int, owner: str) -> None:
    transfers.complete(
        connection, number, owner=owner, full_path="/x", fetch_mode="copy", size_bytes=1, checksum="content:0"
    )


def fail(connection: Connection, number: int, owner: str) -> AcquisitionState:
    return transfers.fail(
        connection,
        number,
        owner=owner,
        outcome=FaultClass.TRANSIENT,
        reason="storage",
        error="it failed",
        now=NOW,
        max_retries=3,
        retry_interval=timedelta(minutes=60),
    )


def test_the_oldest_goes_first_and_nothing_of_others_is_taken(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    make_source(connection, name="only_beta", site=other, satellites=("s2",))
    for day in (7, 3, 5):
        make_acquisition(connection, site, f"DAY{day}", state="queued", sensed=datetime(2024, 5, day, 10, tzinfo=UTC))
    make_acquisition(connection, other, "BETA", state="queued")
    taken = [claim(connection, site.id, "worker") for _ in range(4)]
    names = [None if number is None else get_acquisition(connection, number).source_product_name for number in taken]
    assert names == ["DAY3", "DAY5", "DAY7", None]
    assert (
        transfers.claim(
            connection,
            other.id,
            [10**9],
            usable=[10**9],
            owner="w",
            now=NOW,
            lease_seconds=9,
            date_from=ALWAYS[0],
            date_to=ALWAYS[1],
        )
        is None
    )


def roll_up_case(connection: Connection, outcomes: Sequence[str]) -> str:
    """Three attempts a unit; `failed` fails once, `exhausted` three times, `final` at once for good."""
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="downloaded")
    keys = [f"{index}{outcome}" for index, outcome in enumerate(outcomes)]
    units.ensure_units(connection, number, keys, processor="l2a", config_hash="h", max_attempts=3)
    while found := unit_claims.claim(connection, "l2a", site.id, owner=ACTOR, now=NOW, lease_seconds=9):
        (unit,) = found
        outcome = unit.unit_key[1:]
        if outcome == "done":
            units.finish(connection, unit.id, owner=ACTOR, product_id=None)
            continue
        later = NOW + timedelta(hours=6) if outcome == "failed" else None
        units.fail(
            connection,
            unit.id,
            owner=ACTOR,
            reason="exec_nonzero",
            error="1",
            retryable=outcome != "final",
            next_attempt_at=later,
        )
    return str(get_acquisition(connection, number).state)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        # operations.md case 37
        (("done", "failed"), "processing"),
        (("done", "exhausted"), "processed"),
        (("final", "final"), "processing_failed"),
        # preprocessing.md 9.10
        (("done", "exhausted", "done"), "processed"),
        (("exhausted", "exhausted", "exhausted"), "processing_failed"),
        (("final",), "processing_failed"),
    ],
)
def test_an_acquisition_is_what_its_units_are(connection: Connection, outcomes: tuple[str, ...], state: str) -> None:
    assert roll_up_case(connection, outcomes) == state


def test_units_of_a_disabled_site_are_left_alone(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="downloaded")
    units.ensure_units(connection, number, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    site = sites.set_enabled(connection, site, False)
    assert unit_claims.claim(connection, "l2a", site.id, owner=ACTOR, now=NOW, lease_seconds=9) == []
    assert states(connection) == {"PRODUCT": "downloaded"}


def test_a_unit_on_pause_comes_back_before_new_ones(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    early = make_acquisition(connection, site, "EARLY", state="downloaded", sensed=datetime(2024, 5, 1, tzinfo=UTC))
    late = make_acquisition(connection, site, "LATE", state="downloaded", sensed=datetime(2024, 5, 9, tzinfo=UTC))
    for number in (early, late):
        units.ensure_units(connection, number, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    first, second = unit_claims.claim(connection, "l2a", site.id, owner=ACTOR, now=NOW, lease_seconds=9, limit=2)
    due = NOW + timedelta(hours=6)
    for unit in (first, second):
        units.fail(connection, unit.id, owner=ACTOR, reason="x", error="x", retryable=True, next_attempt_at=due)
    new = make_acquisition(connection, site, "NEW", state="downloaded", sensed=datetime(2024, 4, 1, tzinfo=UTC))
    units.ensure_units(connection, new, ["T"], processor="l2a", config_hash="h", max_attempts=3)
    order = [
        found[0].acquisition_id
        for found in (
            unit_claims.claim(connection, "l2a", site.id, owner=ACTOR, now=due, lease_seconds=9) for _ in range(3)
        )
    ]
    assert order == [early, late, new]


def test_units_exist_once_for_a_configuration(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="downloaded")
    for config in ("h", "h", "other"):
        units.ensure_units(connection, number, ["A", "B"], processor="l2a", config_hash=config, max_attempts=3)
    assert [(unit.unit_key, unit.config_hash) for unit in units.units_of(connection, number)] == [
        ("A", "h"),
        ("A", "other"),
        ("B", "h"),
        ("B", "other"),
    ]


def test_each_product_has_one_supplier_among_the_sources_that_can_be_used(connection: Connection) -> None:
    """The one that listed it last, else the first by priority; what cannot be used is as if it were not there."""
    site, _ = make_enabled(connection)
    first, second, third = (
        make_source(connection, name=name, satellites=("s2",))[0] for name in ("first", "second", "third")
    )
    for source in (first, second):
        number = make_acquisition(
            connection, site, "PRODUCT", state="queued" if source is first else "discovered", source=source
        )
    usable: list[int]

    def supplied_by(sources: list[int]) -> tuple[int, int | None]:
        """What waits at the sources, and the source of what is taken from them; it is given back."""
        dates = {"date_from": ALWAYS[0], "date_to": ALWAYS[1]}
        waiting, _ = transfers.queued(connection, site.id, sources, usable=usable, **dates)
        taken = transfers.claim(
            connection, site.id, sources, usable=usable, owner="w", now=NOW, lease_seconds=9, **dates
        )
        transfers.give_back(connection, "w")
        connection.execute(text("UPDATE s4c.acquisition SET data_source_id = :id"), {"id": second.id})
        return waiting, None if taken is None else taken.data_source_id

    usable = [third.id, first.id, second.id]
    assert supplied_by([first.id, third.id]) == (0, None)
    assert supplied_by([second.id]) == (1, second.id)
    usable = [third.id, first.id]
    assert supplied_by([second.id, third.id]) == (0, None)
    assert supplied_by([first.id]) == (1, first.id)
    usable = [third.id]
    assert supplied_by([third.id]) == (0, None)
    connection.execute(text("DELETE FROM s4c.data_source WHERE id = :id"), {"id": second.id})
    usable = [first.id]
    assert get_acquisition(connection, number).data_source_id is None
    claimed = claim(connection, site.id, "w")
    assert claimed == number
    assert get_acquisition(connection, number).data_source_id == first.id
