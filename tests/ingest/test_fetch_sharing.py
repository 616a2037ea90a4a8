"""Fetching for several at once and from several sources: what sites share, and which source is asked."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from domain_rows import count, make_season, make_site, make_source

from s4c_lib.catalog import data_sources, sites
from s4c_lib.ingest import fetch, query
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.steps import run_all
from tests.ingest.fetching import FIRST, LATER, New, clock, find, run_fetch


def second_site(ingest: Any) -> tuple[Any, Any]:
    with ingest.database.begin() as connection:
        site = make_site(connection, "Beta")
        season = make_season(connection, site, dates=ingest.season.dates)
        return sites.set_enabled(connection, site, True), season


def test_two_sites_share_what_both_need(new_ingest: New, small_archive: Path) -> None:
    """Case 35: one row, one transfer, two memberships, one product."""
    ingest = new_ingest(small_archive)
    _, season = second_site(ingest)
    assert ingest.run()["fetched"] == 4
    context = load_context(ingest.database, season.id, today=LATER.date())
    counts = run_all(ingest.database, context, owner="beta", clock=clock).counts
    assert (counts["new"], counts["queued"], counts["fetched"], counts["registered"]) == (0, 0, 0, 0)
    assert counts["shared"] == 4
    with ingest.database.begin() as connection:
        tables = ("acquisition", "site_acquisition", "acquisition_unit", "product", "product_site")
        assert [count(connection, table) for table in tables] == [4, 8, 4, 4, 8]
    assert set(run_all(ingest.database, context, owner="beta", clock=clock).counts.values()) == {0}


def test_two_sites_at_once_fetch_each_product_once(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    _, season = second_site(ingest)
    contexts = [load_context(ingest.database, number, today=LATER.date()) for number in (ingest.season.id, season.id)]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(
            pool.map(lambda context: run_all(ingest.database, context, owner=context.site.name, clock=clock), contexts)
        )
    # what one registered while the other was past that step is shared by the next run
    for context in contexts:
        run_all(ingest.database, context, owner="again", clock=clock)
    assert sum(outcome.counts["fetched"] for outcome in outcomes) == 4
    with ingest.database.begin() as connection:
        tables = ("acquisition", "site_acquisition", "acquisition_unit", "product", "product_site")
        assert [count(connection, table) for table in tables] == [4, 8, 4, 4, 8]
        downloads = connection.exec_driver_sql(
            "SELECT count(*) FROM s4c.acquisition_event WHERE to_state = 'downloading'"
        )
        assert downloads.scalar_one() == 4


def test_workers_at_one_source_share_its_queue(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    chunks = fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=3)
    assert chunks == [2, 1, 1]

    def work(limit: int) -> int:
        return run_fetch(ingest, limit=limit)["fetched"]

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, chunks)) == chunks
    assert fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=3) == []


def test_a_source_of_the_same_name_of_another_site_is_not_used(new_ingest: New, small_archive: Path) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    with ingest.database.begin() as connection:
        other = make_site(connection, "Beta")
        added = make_source(connection, Path("/elsewhere"), satellites=("s2",), site=other)
    (own,) = [one for one in added if one.site == "beta"]
    number = ingest.acquisition(FIRST).id
    ingest.execute(
        f"UPDATE s4c.acquisition SET data_source_id = {own.id}, "
        f"providers = jsonb_build_object('{own.id}', providers -> data_source_id::text) WHERE id = {number}"
    )
    assert run_fetch(ingest)["fetched"] == 3
    assert ingest.acquisition(FIRST).state == "queued"


def test_a_product_comes_from_another_source_when_its_own_is_switched_off(
    new_ingest: New, small_archive: Path, tmp_path: Path
) -> None:
    ingest = new_ingest(small_archive)
    find(ingest)
    shutil.copytree(small_archive, tmp_path / "mirror")
    with ingest.database.begin() as connection:
        make_source(connection, tmp_path / "mirror", name="mirror", satellites=("s2",))
        data_sources.set_source(connection, "archive", {"enabled": False})
    assert ingest.run()["registered"] == 4


def test_another_source_is_asked_when_one_is_switched_off_later(
    new_ingest: New, small_archive: Path, tmp_path: Path
) -> None:
    """It was there all along, but the first by priority was to supply the products; the windows are settled."""
    ingest = new_ingest(small_archive)
    shutil.copytree(small_archive, tmp_path / "mirror")
    with ingest.database.begin() as connection:
        make_source(connection, tmp_path / "mirror", name="mirror", satellites=("s2",))
    find(ingest)
    with ingest.database.begin() as connection:
        data_sources.set_source(connection, "archive", {"enabled": False})
    assert ingest.has_work()
    assert ingest.run()["registered"] == 4


def test_a_source_switched_off_has_nothing_to_fetch(new_ingest: New, small_archive: Path) -> None:
    """Its tasks are still there."""
    ingest = new_ingest(small_archive)
    find(ingest)
    with ingest.database.begin() as connection:
        data_sources.set_source(connection, "archive", {"enabled": False})
    assert fetch.plan_chunks(ingest.database, ingest.context(), "archive", slots=2) == []
    assert set(run_fetch(ingest).values()) == {0}
    with ingest.database.begin() as connection:
        data_sources.set_source(connection, "archive", {"enabled": True})
    assert ingest.run()["registered"] == 4


@pytest.mark.parametrize("name", ["own", "archive"])
def test_a_product_that_another_sites_source_listed_last_comes_from_ones_own(
    new_ingest: New, small_archive: Path, tmp_path: Path, name: str
) -> None:
    """The other site is switched off before it fetched anything; its source may even be called the same."""
    ingest = new_ingest(small_archive)
    other, season = second_site(ingest)
    shutil.copytree(small_archive, tmp_path / "own")
    with ingest.database.begin() as connection:
        make_source(connection, tmp_path / "own", name=name, satellites=("s2",), site=other)
    find(ingest)
    context = load_context(ingest.database, season.id, today=LATER.date())
    query.run_query(ingest.database, context, now=LATER, actor="beta")
    with ingest.database.begin() as connection:
        sites.set_enabled(connection, other, False)
    assert ingest.has_work()
    assert ingest.run()["registered"] == 4
    assert not ingest.has_work()
