"""The ledger: for every acquisition what happened, why, and what happens next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from s4c_lib.catalog import transfers
from s4c_lib.ingest.ledger import LedgerRow, ledger_lines, season_ledger
from s4c_lib.ingest.staging import look_after

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
New = Callable[..., Any]


def ledger(remote: Any, now: datetime = LATER) -> dict[str, LedgerRow]:
    first, stop = remote.context().sensing_range()
    with remote.database.begin() as connection:
        rows = season_ledger(connection, remote.site.id, date_from=first, date_to=stop, now=now)
    return {row.product: row for row in rows}


def test_each_story_is_told(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    names = sorted(product.name.name for product in remote.hub.products)
    taped, broken, withdrawn, whole = names
    remote.hub.faults.offline(taped, seconds=1e6)
    remote.hub.faults.aim("truncated", endpoint="download", product=broken, times=9)
    remote.hub.faults.withdraw(withdrawn)
    remote.find()
    look_after(remote.database, remote.context(), "hub", access=remote.access, clock=lambda: LATER, actor="test")
    remote.run()
    told = ledger(remote)
    assert told[taped].state == "staging"
    assert told[taped].staging_since == LATER
    assert "ordered from the tape of hub" in told[taped].happened
    assert (told[broken].state, told[broken].tries) == ("failed", 1)
    assert told[broken].next_attempt is not None
    assert "tried again after" in told[broken].next
    assert (told[withdrawn].state, told[withdrawn].reason) == ("failed", "gone")
    assert "no longer has it" in told[withdrawn].happened
    assert (told[whole].state, told[whole].next) == ("processed", "nothing: it is ready to use")
    assert {row.source for row in told.values()} == {"hub"}

    lines = ledger_lines(list(told.values()), everything="COMMAND")
    assert lines[0] == "4 acquisitions of the season"
    assert any("3 of them failed or wait" in line for line in lines)
    assert not any(whole in line for line in lines), "only what a person may have to look at"
    short = ledger_lines(list(told.values()), everything="COMMAND", most=1)
    assert short[-1] == "... and 2 more: COMMAND"


def test_a_pause_of_the_source_is_told(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    remote.hub.faults.aim("too_many_requests", endpoint="download", times=1, retry_after=600)
    remote.fetch()
    waiting = ledger(remote)
    assert {row.circuit_until for row in waiting.values()} == {LATER + timedelta(seconds=600)}
    assert all("asked to wait" in row.next for row in waiting.values())
    assert {row.circuit_until for row in ledger(remote, LATER + timedelta(hours=1)).values()} == {None}


def test_what_an_operator_leaves_out_stays_out_until_it_is_retried(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    name, one = next(iter(sorted(remote.known().items())))
    with remote.database.begin() as connection:
        transfers.ignore_by_hand(connection, [one.id], actor="anna", why="haze")
    assert remote.run()["fetched"] == 3
    assert not remote.has_work()
    row = ledger(remote)[name]
    assert (row.state, row.reason) == ("ignored", "by_hand")
    assert "haze" in row.happened
    assert f"'s4c acquisitions retry {one.id}'" in row.next
    with remote.database.begin() as connection:
        transfers.force_retry(connection, [one.id], actor="anna")
    assert remote.run()["registered"] == 1
