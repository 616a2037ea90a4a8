"""A season from remote catalogues: which is asked, what is fetched, and what becomes of it when a source fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from domain_rows import make_season, make_site, make_source

from s4c_lib.catalog import data_sources, sites, source_state, source_usage
from s4c_lib.catalog.product_addresses import remember_address
from s4c_lib.catalog.query_windows import requery
from s4c_lib.errors import NotFoundError
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.fetch import run_fetch
from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.steps import run_all

LATER = datetime(2025, 2, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRST = "S2B_MSIL2A_20240306T103621_N0510_R051_T31UFS_20240306T150621"

New = Callable[..., Any]


@pytest.mark.parametrize("driver", ["dhus", "eodag"])
def test_a_season_is_found_fetched_and_registered(new_remote: New, small_archive: Path, driver: str) -> None:
    remote = new_remote(small_archive, driver)
    counts = remote.run()
    assert (counts["found"], counts["fetched"], counts["registered"]) == (4, 4, 4), counts
    known = remote.known()
    assert {str(one.state) for one in known.values()} == {"processed"}
    assert all(remote.is_whole(name) for name in known)
    assert {one.fetch_mode for one in known.values()} == {"download"}
    assert not remote.has_work()
    assert set(remote.run().values()) == {0}
    ledger = remote.hub.ledger()
    assert ledger["tokens_in_urls"] == 0
    assert ledger["open_sessions"] == 0, "logged out"
    with remote.database.begin() as connection:
        used = source_usage.requests_on(connection, "hub", LATER.date())
        received = source_usage.bytes_in_days(connection, "hub", today=LATER.date())
    assert used > 4
    assert received == sum(remote.hub.product(name).size_bytes for name in known)


def test_a_late_publication_is_found(new_remote: New, small_archive: Path, tmp_path: Path) -> None:
    """Case 28: sensed on the 6th, published when products of the 11th are there already."""
    remote = new_remote(small_archive)
    remote.hub.faults.withdraw(FIRST, listed=False)
    remote.run(datetime(2024, 3, 12, 8, tzinfo=UTC))
    assert len(remote.products()) == 3
    remote.hub.faults.clear()
    counts = remote.run(datetime(2024, 3, 13, 8, tzinfo=UTC))
    assert (counts["new"], counts["registered"]) == (1, 1)


def test_a_newer_baseline_replaces_the_older_one(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    newer = remote.hub.faults.republish(FIRST, after_searches=0)
    remote.run()
    with remote.database.begin() as connection:
        requery(connection, remote.season.id)
    remote.run()
    assert newer in remote.known()
    wanted = [name for name, one in remote.known().items() if one.relevance == "selected"]
    assert (newer in wanted, FIRST in wanted) == (True, False)
    assert remote.known()[FIRST].relevance_reason == "duplicate"


def test_two_sites_share_one_transfer(new_remote: New, small_archive: Path) -> None:
    """Case 35, over the network."""
    remote = new_remote(small_archive)
    with remote.database.begin() as connection:
        site = make_site(connection, "Beta")
        season = make_season(connection, site, dates=remote.season.dates)
        sites.set_enabled(connection, site, True)
    remote.run()
    context = load_context(remote.database, season.id, today=LATER.date())
    counts = run_all(remote.database, context, owner="beta", clock=lambda: LATER, access=remote.access).counts
    assert (counts["found"], counts["new"], counts["fetched"], counts["shared"]) == (4, 0, 0, 4)
    assert remote.hub.ledger()["by_endpoint"]["download"] == 4


def test_the_first_catalogue_that_answers_serves_a_window(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag", priority=1)
    remote.add_source("mirror", "dhus", priority=2)
    remote.hub.faults.aim("server_error", endpoint="search", times=1, status=500)
    outcome = remote.find()
    assert (outcome.windows_failed, outcome.windows, outcome.found) == (0, 3, 4)
    assert any("hub" in text for text in outcome.warnings)
    sources = {offer["name"] for one in remote.known().values() for offer in one.providers.values()}
    assert "mirror" in sources
    assert "hub" in sources


def test_a_window_fails_only_when_no_catalogue_answers(new_remote: New, small_archive: Path) -> None:
    """It is due again after its pause, out of the database."""
    remote = new_remote(small_archive)
    remote.hub.faults.storm(1.0, kinds=["server_error"], endpoints=["search"])
    first = remote.find()
    assert (first.windows_failed, first.windows) == (3, 0)
    assert len(first.errors) == 3
    failed = [one for one in remote.windows("s2") if one.state == "failed"]
    assert {one.attempts for one in failed} == {1}
    remote.hub.faults.clear()
    assert remote.find(LATER + MINUTE).windows == 0, "still in its pause"
    again = remote.find(LATER + 6 * MINUTE)
    assert (again.windows, again.found) == (3, 4)


def test_a_catalogue_that_asks_to_wait_is_left_alone(new_remote: New, small_archive: Path) -> None:
    """The first window meets a 429 with Retry-After: all are put off, and no try is counted."""
    remote = new_remote(small_archive)
    remote.hub.faults.aim("too_many_requests", endpoint="search", times=1, retry_after=120)
    outcome = remote.find()
    assert (outcome.windows_failed, outcome.windows_put_off) == (0, 3)
    with remote.database.begin() as connection:
        circuit = source_state.circuit(connection, "hub", now=LATER)
    assert circuit is not None
    assert circuit.open_until == LATER + timedelta(seconds=120)
    assert {one.attempts for one in remote.windows("s2")} == {0}
    asked = remote.hub.ledger()["by_endpoint"]["search"]
    assert asked == 1
    assert remote.find(LATER + 6 * MINUTE).found == 4
    with remote.database.begin() as connection:
        assert source_state.circuit(connection, "hub", now=LATER + 6 * MINUTE) is None
        assert [event.opened for event in source_state.source_events(connection, "hub")] == [True, False]


def test_a_refused_account_opens_the_circuit(new_remote: New, small_archive: Path) -> None:
    """Case 33: 15 min, no attempt counted, one alert, nothing asked meanwhile; then all goes well."""
    remote = new_remote(small_archive, "eodag")
    remote.find()
    remote.hub.faults.storm(1.0, kinds=["unauthorized"], endpoints=["token"])
    outcome = remote.fetch()
    assert (outcome.fetched, outcome.failed, outcome.put_back) == (0, 0, 1)
    assert "is not asked before" in (outcome.held_back or "")
    assert {(str(one.state), one.attempts) for one in remote.known().values()} == {("queued", 0)}
    with remote.database.begin() as connection:
        circuit = source_state.circuit(connection, "hub", now=LATER)
        assert circuit is not None
        assert circuit.open_until == LATER + 15 * MINUTE
    asked = remote.hub.ledger()["requests"]
    assert remote.fetch(now=LATER + 14 * MINUTE).held_back
    assert remote.hub.ledger()["requests"] == asked
    remote.hub.faults.clear()
    assert remote.fetch(now=LATER + 16 * MINUTE).fetched == 4
    with remote.database.begin() as connection:
        events = source_state.source_events(connection, "hub")
    assert [event.opened for event in events] == [True, False]


def test_without_an_account_no_product_is_at_fault(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive)
    remote.find()
    with pytest.raises(NotFoundError, match="hub_account"):
        run_fetch(remote.database, remote.context(), "hub", owner="test", clock=lambda: LATER, access=Access())
    assert {(str(one.state), one.attempts) for one in remote.known().values()} == {("queued", 0)}
    outcome = run_all(remote.database, remote.context(), owner="test", clock=lambda: LATER, access=Access())
    assert any("hub_account" in text for text in outcome.warnings)


def test_an_address_that_no_longer_holds_is_looked_up_again(new_remote: New, small_archive: Path) -> None:
    remote = new_remote(small_archive, "eodag")
    remote.find()
    number = remote.known()[FIRST].id
    other = next(one for name, one in remote.known().items() if name != FIRST)
    wrong = "".join(next(iter(other.providers.values()))["address"])
    remote.hub.faults.withdraw(other.source_product_name)
    with remote.database.begin() as connection:
        source = data_sources.get_sources(connection, "hub")[0]
        remember_address(connection, number, source="hub", data_source_id=source.id, address=wrong)
    assert remote.fetch().fetched == 3
    assert remote.is_whole(FIRST)
    assert remote.known()[FIRST].state == "downloaded"
    assert remote.known()[other.source_product_name].reason_code == "gone"


def test_a_linked_product_that_is_gone_is_fetched_from_the_next_source(
    new_remote: New, small_archive: Path, tmp_path: Path
) -> None:
    local = Path(shutil.copytree(small_archive, tmp_path / "mounted"))
    remote = new_remote(small_archive, priority=2)
    with remote.database.begin() as connection:
        make_source(connection, local, name="mounted", satellites=("s2",), mode="symlink")
    remote.find()
    assert {len(one.providers) for one in remote.known().values()} == {2}
    (there,) = local.rglob(f"{FIRST}*")
    shutil.rmtree(there)
    assert remote.run()["registered"] == 4
    modes = {name: one.fetch_mode for name, one in remote.known().items()}
    assert modes.pop(FIRST) == "download"
    assert set(modes.values()) == {"symlink"}
    assert remote.is_whole(FIRST)


def test_the_other_source_is_tried_when_one_fails_for_good(new_remote: New, small_archive: Path) -> None:
    """Case 32: after the last failure one try elsewhere, where the product was never listed; the source is recorded."""
    remote = new_remote(small_archive, "dhus", priority=1)
    remote.set("downloader.max_retries", 0)
    remote.find()
    remote.add_source("second", "eodag", priority=2)
    # DHuS paths only
    for name in remote.known():
        remote.hub.faults.aim("server_error", endpoint="download", product=name, times=1, status=500)
    assert remote.fetch("hub").fetched == 0
    assert remote.fetch("second").fetched == 4
    with remote.database.begin() as connection:
        numbers = {source.id: source.name for source in data_sources.list_sources(connection)}
    assert {numbers[one.data_source_id] for one in remote.known().values()} == {"second"}
    assert all(remote.is_whole(name) for name in remote.known())


def test_a_season_that_comes_to_use_other_kinds_is_searched_again(
    new_remote: New, pristine: Any, tmp_path: Path
) -> None:
    """Catalogues are asked for L2A only; a change to a program that needs L1C makes their windows due again."""
    root = tmp_path / "both"
    for product in pristine.products:
        if ("MSIL2A" in product.name or "MSIL1C" in product.name) and "T31UFS" in product.name:
            target = root / product.path.relative_to(pristine.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if product.path.is_dir() else shutil.copy2)(product.path, target)
    remote = new_remote(root)
    remote.find()
    assert {one.kind for one in remote.known().values()} == {"s2_l2a"}
    assert {tuple(one.asked) for one in remote.windows("s2")} == {("s2_l2a",)}
    remote.set("processor.l2a.s2.implementation", "sen2cor")
    assert remote.has_work()
    remote.find()
    assert {one.kind for one in remote.known().values()} == {"s2_l2a", "s2_l1c"}
    # no program is configured here: known, and left out
    assert {one.relevance_reason for one in remote.known().values() if one.kind == "s2_l1c"} == {"no_executor"}
    assert remote.find().windows == 0


def test_no_account_is_seen_anywhere(
    new_remote: New, small_archive: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    remote = new_remote(small_archive, "eodag")
    remote.hub.faults.aim("server_error", endpoint="download", times=1, status=500)
    remote.hub.faults.aim("unauthorized_midway", endpoint="download", times=1, after=1)
    remote.run()
    out, err = capfd.readouterr()
    tables = _dump(remote)
    for seen in (out, err, caplog.text, tables):
        assert remote.password not in seen
        assert "eyJ" not in seen, "a token"
    assert {str(one.state) for one in remote.known().values()} == {"processed", "failed"}


def _dump(remote: Any) -> str:
    with remote.database.begin() as connection:
        names = connection.exec_driver_sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 's4c' AND table_type = 'BASE TABLE'"
        ).scalars()
        return "\n".join(
            str(row) for name in sorted(names) for row in connection.exec_driver_sql(f"SELECT t.* FROM s4c.{name} t")
        )
