"""Claims on derived work: one worker each, on a lease, taken back from the dead, opened again when work is missing."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from derived_rows import make_product
from domain_rows import ACTOR, NOW, make_acquisition, make_enabled
from sqlalchemy import Connection, text

from s4c_lib.catalog import derivations, sites, unit_claims, units
from s4c_lib.catalog.acquisitions import get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import Derivation, WorkKey
from s4c_lib.catalog.missing_products import Piece
from s4c_lib.errors import LeaseLostError, NotFoundError
from tests.lane_rules import LaneUnit, may_start

HOUR = timedelta(hours=1)
DAYS = [datetime(2024, 5, day, 10, 36, tzinfo=UTC) for day in range(1, 13)]


def made_pieces(connection: Connection, count: int = 4) -> tuple[WorkKey, list[Piece]]:
    site, season = make_enabled(connection)
    found = []
    for number, day in enumerate(DAYS[:count]):
        product = make_product(connection, season, f"L2A_{number}", "l2a", sensed=day)
        found.append(Piece(day, product, "31UFS"))
    return WorkKey(site.id, "l3b", "hash"), found


def claim(connection: Connection, key: WorkKey, owner: str = "one", now: datetime = NOW) -> Derivation | None:
    return derivations.claim(connection, key, owner=owner, now=now, lease_seconds=60)


def planned(connection: Connection, key: WorkKey, pieces: list[Piece], now: datetime = NOW) -> int:
    return derivations.plan(connection, key, pieces, max_attempts=3, now=now)


def states(connection: Connection, key: WorkKey) -> list[tuple[str, int]]:
    return [(one.state, one.attempts) for one in derivations.list_derivations(connection, key)]


def test_the_oldest_product_comes_first_and_one_to_be_tried_again_before_it(connection: Connection) -> None:
    key, pieces = made_pieces(connection)
    assert planned(connection, key, pieces[::-1]) == 4
    first, second = claim(connection, key), claim(connection, key)
    assert (first.product_id, second.product_id) == (pieces[0].product_id, pieces[1].product_id)  # type: ignore[union-attr]
    derivations.fail(
        connection,
        second.id,  # type: ignore[union-attr]
        owner="one",
        reason="internal",
        error="x",
        retryable=True,
        next_attempt_at=NOW + HOUR,
    )
    assert claim(connection, key).product_id == pieces[2].product_id  # type: ignore[union-attr]
    assert claim(connection, key, now=NOW + HOUR).product_id == pieces[1].product_id  # type: ignore[union-attr]


def test_planning_again_changes_nothing_that_goes_on_and_drops_what_is_not_wanted(connection: Connection) -> None:
    key, pieces = made_pieces(connection)
    planned(connection, key, pieces)
    held = claim(connection, key)
    assert held is not None
    assert planned(connection, key, pieces[:3]) == 2
    assert states(connection, key) == [("processing", 1), ("pending", 0), ("pending", 0)]
    derivations.finish(connection, held.id, owner="one", output_product_id=None)
    # done and not missing: it stays so; done and yet missing: it is opened again
    assert planned(connection, key, pieces[1:3]) == 2
    assert states(connection, key)[0] == ("done", 1)
    assert planned(connection, key, pieces[:3]) == 3
    assert states(connection, key)[0] == ("pending", 0)


def test_a_season_leaves_alone_what_another_of_the_site_gave_up(connection: Connection) -> None:
    """Forgotten, it would count as missing again, and a past season with no ingest of its own would wait for ever."""
    every, pieces = made_pieces(connection)
    early = replace(every, sensed=(DAYS[0], DAYS[2]))
    late = replace(every, sensed=(DAYS[2], DAYS[4]))
    assert planned(connection, early, pieces[:2]) == 2
    held = claim(connection, early)
    assert held is not None
    derivations.fail(
        connection, held.id, owner="one", reason="corrupt", error="x", retryable=False, next_attempt_at=None
    )
    assert planned(connection, late, pieces[2:]) == 2
    assert [(one.state, one.product_id) for one in derivations.list_derivations(connection, early)] == [
        ("failed", pieces[0].product_id), ("pending", pieces[1].product_id),
    ]  # fmt: skip
    taken = [claim(connection, late), claim(connection, late), claim(connection, late)]
    assert [one and one.product_id for one in taken] == [pieces[2].product_id, pieces[3].product_id, None]


def test_kinds_of_work_do_not_mix(connection: Connection) -> None:
    key, pieces = made_pieces(connection, 1)
    other = WorkKey(key.site_id, "l3b", "other hash")
    planned(connection, key, pieces)
    assert claim(connection, other) is None
    assert planned(connection, other, pieces) == 1
    assert planned(connection, key, []) == 0
    assert states(connection, other) == [("pending", 0)]


def test_tries_are_counted_to_the_last_and_some_reasons_end_at_once(connection: Connection) -> None:
    key, pieces = made_pieces(connection, 2)
    planned(connection, key, pieces)
    for attempt in (1, 2, 3):
        held = claim(connection, key)
        assert held is not None
        assert (held.product_id, held.attempts) == (pieces[0].product_id, attempt)
        derivations.fail(
            connection, held.id, owner="one", reason="internal", error="x", retryable=True, next_attempt_at=None
        )
    held = claim(connection, key)
    assert held is not None
    assert held.product_id == pieces[1].product_id
    derivations.fail(
        connection, held.id, owner="one", reason="config", error="x", retryable=False, next_attempt_at=None
    )
    assert claim(connection, key, now=NOW + 1000 * HOUR) is None
    assert planned(connection, key, pieces, NOW + 1000 * HOUR) == 0
    assert states(connection, key) == [("failed", 3), ("failed", 1)]


def test_what_a_dead_worker_held_comes_back_and_its_try_is_not_counted(connection: Connection) -> None:
    key, pieces = made_pieces(connection, 2)
    planned(connection, key, pieces)
    held = claim(connection, key, "job 1 statistics[0] host:1")
    other = claim(connection, key, "job 1 statistics[10] host:2")
    assert held is not None
    assert other is not None
    assert derivations.expire(connection, NOW + timedelta(seconds=59)) == 0
    derivations.extend_lease(connection, held.id, owner=held.lease_owner or "", until=NOW + HOUR)
    assert derivations.expire(connection, NOW + timedelta(seconds=61)) == 1
    assert states(connection, key) == [("processing", 1), ("pending", 0)]
    for lost in (
        lambda: derivations.extend_lease(connection, other.id, owner=other.lease_owner or "", until=NOW),
        lambda: derivations.finish(connection, other.id, owner=other.lease_owner or "", output_product_id=None),
    ):
        with pytest.raises(LeaseLostError, match="no longer held"):
            lost()
    assert derivations.give_back(connection, "job 1 statistics[1] ") == 0
    assert derivations.give_back(connection, "job 1 statistics[0] ") == 1
    assert states(connection, key) == [("pending", 0), ("pending", 0)]


def test_a_piece_goes_with_its_product(connection: Connection) -> None:
    key, pieces = made_pieces(connection, 1)
    planned(connection, key, pieces)
    held = claim(connection, key)
    assert held is not None
    assert derivations.get(connection, held.id).lease_owner == "one"
    connection.execute(text("DELETE FROM s4c.product"))
    with pytest.raises(LeaseLostError):
        derivations.finish(connection, held.id, owner="one", output_product_id=None)
    with pytest.raises(NotFoundError):
        derivations.get(connection, held.id)


def test_workers_never_hold_one_piece(database: Database) -> None:
    with database.begin() as connection:
        key, pieces = made_pieces(connection, 12)
        planned(connection, key, pieces)

    def work(name: str) -> list[int]:
        taken = []
        while True:
            with database.begin() as connection:
                held = claim(connection, key, name)
            if held is None:
                return taken
            taken.append(held.id)
            with database.begin() as connection:
                derivations.finish(connection, held.id, owner=name, output_product_id=None)

    with ThreadPoolExecutor(4) as pool:
        taken = [number for found in pool.map(work, "abcd") for number in found]
    assert len(taken) == len(set(taken)) == 12
    with database.begin() as connection:
        assert states(connection, key) == [("done", 1)] * 12


# --- lanes of the preprocess step: as the pure rules have it ---------------------------------------------------------


class Lane:
    """Tiles of a site, of one orbit unless said otherwise, that MAJA is to work on."""

    def __init__(self, connection: Connection, executor: str | None = "maja") -> None:
        self.connection = connection
        self.executor = executor
        self.site, _ = make_enabled(connection)
        self.units: list[LaneUnit] = []

    def add(self, day: datetime, state: str = "pending", attempts: int = 0, retryable: bool = True, orbit: int = 8,
            tile: str = "31UFS") -> int:  # fmt: skip
        acquisition = make_acquisition(
            self.connection,
            self.site,
            f"L1C_{len(self.units)}_{day:%d}_{orbit}_{tile}_{random.random()}",
            state="downloaded",
            sensed=day,
            relative_orbit=orbit,
            tiles=(tile,),
        )
        units.ensure_units(
            self.connection,
            acquisition,
            [tile],
            processor="l2a",
            config_hash="h",
            max_attempts=3,
            executor=self.executor,
        )
        (made,) = units.units_of(self.connection, acquisition)
        lease = {"owner": ACTOR, "until": NOW + HOUR} if state == "processing" else {"owner": None, "until": None}
        self.connection.execute(
            text(
                "UPDATE s4c.acquisition_unit SET state = CAST(:state AS s4c.unit_state), attempts = :attempts, "
                "retryable = :retryable, lease_owner = :owner, lease_until = :until WHERE id = :id"
            ),
            {"state": state, "attempts": attempts, "retryable": retryable, "id": made.id, **lease},
        )
        self.units.append(LaneUnit(f"{made.id:09}", day, state, retryable, attempts, 3))
        return made.id

    def state(self, number: int, state: str, attempts: int = 1, retryable: bool = True) -> None:
        self.connection.execute(
            text(
                "UPDATE s4c.acquisition_unit SET state = CAST(:state AS s4c.unit_state), attempts = :attempts, "
                "retryable = :retryable, lease_owner = NULL, lease_until = NULL WHERE id = :id"
            ),
            {"state": state, "attempts": attempts, "retryable": retryable, "id": number},
        )

    def due(self) -> int:
        return unit_claims.due_count(self.connection, "l2a", self.site.id, now=NOW)

    def claim(self, limit: int = 1) -> list[int]:
        found = unit_claims.claim(
            self.connection, "l2a", self.site.id, owner="w", now=NOW, lease_seconds=60, limit=limit
        )
        return [one.id for one in found]


@pytest.mark.parametrize("seed", range(12))
def test_what_may_start_in_a_lane_is_what_the_rules_say(connection: Connection, seed: int) -> None:
    rng = random.Random(seed)
    lane = Lane(connection)
    for _ in range(rng.randint(2, 7)):
        state = rng.choice(
            ["pending", "pending", "failed", "failed", "done", "processing" if seed % 3 == 0 else "done"]
        )
        # some of one moment: two processings of a date
        lane.add(rng.choice(DAYS[:5]), state, rng.randint(1, 3) if state == "failed" else 0, rng.random() < 0.7)
    allowed = {int(unit.key) for unit in lane.units if may_start(unit, lane.units)}
    assert len(allowed) <= 1
    assert lane.due() == len(allowed)
    assert set(lane.claim(limit=10)) == allowed


def test_lanes_are_told_by_orbit_and_tile(connection: Connection) -> None:
    lane = Lane(connection)
    first = [lane.add(DAYS[0]), lane.add(DAYS[0], orbit=51), lane.add(DAYS[0], tile="31UGS")]
    for orbit, tile in ((8, "31UFS"), (51, "31UFS"), (8, "31UGS")):
        lane.add(DAYS[3], orbit=orbit, tile=tile)
    assert lane.due() == 3
    assert sorted(lane.claim(limit=10)) == sorted(first)
    assert unit_claims.due_in_lanes(connection, "l2a", lane.site.id, now=NOW) == [1, 1, 1]


def test_9_10_a_chain_of_maja_goes_on_date_by_date(connection: Connection) -> None:
    lane = Lane(connection)
    one, two = lane.add(DAYS[0]), lane.add(DAYS[4])
    assert lane.claim() == [one]
    assert lane.claim() == [], "t2 waits while t1 is processing"
    lane.state(one, "failed")
    assert lane.claim() == [one], "t1 fails retryable: t2 still waits"
    lane.state(one, "failed", attempts=3)
    assert lane.claim() == [two], "t1 final: t2 runs"


def test_9_10_dates_of_sen2cor_run_side_by_side(connection: Connection) -> None:
    lane = Lane(connection, "sen2cor")
    numbers = [lane.add(DAYS[0]), lane.add(DAYS[4])]
    assert lane.due() == 2
    assert lane.claim(limit=2) == numbers
    assert unit_claims.due_in_lanes(connection, "l2a", lane.site.id, now=NOW) == []


def test_ready_made_products_do_not_stand_in_a_lane(connection: Connection) -> None:
    """Another site may use ESA's L2A of the same orbit and tile."""
    lane = Lane(connection)
    wanted = lane.add(DAYS[4])
    lane.executor = None
    lane.add(DAYS[0], "processing")
    assert lane.claim() == [wanted]


@pytest.mark.parametrize("why", ["left out", "other site disabled", "cannot be fetched", "other season"])
def test_what_nobody_works_on_holds_no_lane_up(connection: Connection, why: str) -> None:
    lane = Lane(connection)
    one, two = lane.add(DAYS[0]), lane.add(DAYS[4])
    assert lane.due() == 1
    acquisition = connection.execute(
        text("SELECT acquisition_id FROM s4c.acquisition_unit WHERE id = :id"), {"id": one}
    ).scalar_one()
    if why == "left out":
        connection.execute(
            text("UPDATE s4c.site_acquisition SET relevance = 'ignored', reason = 'cloud' WHERE acquisition_id = :id"),
            {"id": acquisition},
        )
    elif why == "other site disabled":
        beta, _ = make_enabled(connection, "Beta")
        connection.execute(
            text("UPDATE s4c.site_acquisition SET site_id = :site WHERE acquisition_id = :id"),
            {"site": beta.id, "id": acquisition},
        )
        assert lane.claim() == [], "the other site will make it"
        sites.set_enabled(connection, beta, False)
    elif why == "cannot be fetched":
        connection.execute(text("UPDATE s4c.acquisition SET state = 'aborted' WHERE id = :id"), {"id": acquisition})
    sensed = (DAYS[2], DAYS[11]) if why == "other season" else None
    found = unit_claims.claim(connection, "l2a", lane.site.id, owner="w", now=NOW, lease_seconds=60, sensed=sensed)
    assert [unit.id for unit in found] == [two]


def test_a_tile_put_off_at_its_last_try_does_not_end_the_acquisition(connection: Connection) -> None:
    lane = Lane(connection)
    number = lane.add(DAYS[0], "failed", attempts=2)
    (held,) = unit_claims.claim(connection, "l2a", lane.site.id, owner="w", now=NOW, lease_seconds=60)
    assert held.attempts == held.max_attempts == 3
    units.postpone(connection, number, owner="w", reason="no_previous", error="waits", until=NOW + HOUR)
    assert get_acquisition(connection, held.acquisition_id).state == "processing"
    (after,) = units.units_of(connection, held.acquisition_id)
    assert (after.state, after.attempts, after.terminal) == ("failed", 2, False)
    assert unit_claims.claim(connection, "l2a", lane.site.id, owner="w", now=NOW, lease_seconds=60) == []
    again = unit_claims.claim(connection, "l2a", lane.site.id, owner="w", now=NOW + HOUR, lease_seconds=60)
    assert [unit.id for unit in again] == [number]
