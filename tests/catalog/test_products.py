from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from domain_rows import NOW, count, make_acquisition, make_enabled, make_job
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, products
from s4c_lib.catalog.database import Database
from s4c_lib.errors import NotFoundError

NEW = products.NewProduct(
    product_type="s4c_l4a",
    processor="s4c_l4a",
    name="S4C_L4A_alpha_2024_20240301_20240531_0badcafe",
    full_path="/products/a",
    acquired_at=NOW,
    software_version="0.1",
    config_hash="h1",
    input_fingerprint="f1",
    files=(products.ProductFile("ct.csv", 10, "aa"), products.ProductFile("ct.gpkg", 20, "bb")),
)


def versions(connection: Connection) -> list[tuple[int, str]]:
    rows = connection.execute(text("SELECT version, state FROM s4c.product ORDER BY version"))
    return [(row.version, row.state) for row in rows]


def test_a_product_is_registered_with_its_files_and_inputs(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    parent = products.register(connection, replace(NEW, name="PARENT"), [site.id])
    child = products.register(connection, replace(NEW, inputs=(parent, parent)), [site.id, site.id])
    assert products.inputs_of(connection, child) == [parent]
    assert products.files_of(connection, child) == list(NEW.files)
    found = products.get_product(connection, child)
    assert (found.name, found.version, found.state, found.acquired_at) == (NEW.name, 1, "active", NOW)
    assert [one.name for one in products.list_products(connection, site.id)] == ["PARENT", NEW.name]
    with pytest.raises(NotFoundError):
        products.get_product(connection, 10**9)


def test_the_same_product_is_registered_once(connection: Connection) -> None:
    """operations.md case 19: same inputs, same product."""
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    first = products.register(connection, NEW, [site.id])
    assert products.register(connection, NEW, [site.id, other.id]) == first
    assert versions(connection) == [(1, "active")]
    assert [one.id for one in products.list_products(connection, other.id)] == [first]


@pytest.mark.parametrize("changed", [{"config_hash": "h2"}, {"input_fingerprint": "f2"}, {"full_path": "/products/b"}])
def test_another_making_is_another_version(connection: Connection, changed: dict[str, str]) -> None:
    site, _ = make_enabled(connection)
    first = products.register(connection, NEW, [site.id])
    second = products.register(connection, replace(NEW, **changed), [site.id])  # type: ignore[arg-type]
    assert second != first
    assert versions(connection) == [(1, "superseded"), (2, "active")]
    assert [one.version for one in products.list_products(connection, site.id)] == [2]
    assert products.files_of(connection, first), "the superseded version stays until retention removes it"


def test_products_are_found_by_type_and_time(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    for day in (3, 1, 2):
        moment = datetime(2024, 5, day, tzinfo=UTC)
        products.register(connection, replace(NEW, name=f"D{day}", acquired_at=moment), [site.id])
    products.register(connection, replace(NEW, name="L3B", product_type="l3b", processor="l3b"), [site.id])
    found = products.list_products(
        connection,
        site.id,
        product_type="s4c_l4a",
        date_from=datetime(2024, 5, 2, tzinfo=UTC),
        date_to=datetime(2024, 5, 3, tzinfo=UTC),
    )
    assert [one.name for one in found] == ["D2"]
    assert [one.name for one in products.list_products(connection, site.id, product_type="s4c_l4a")] == [
        "D1",
        "D2",
        "D3",
    ]


def test_products_are_found_by_tile_orbit_satellite_and_job(connection: Connection) -> None:
    site, season = make_enabled(connection)
    job = make_job(connection, season, "k").id
    optical = replace(NEW, product_type="l2a", processor="l2a", job_id=None)
    for new in (
        replace(optical, name="A", satellite="s2", tiles=("31UFS",), relative_orbit=51),
        replace(optical, name="B", satellite="s2", tiles=("31UGS",), relative_orbit=8),
        replace(optical, name="C", satellite="l9", tiles=("198024",)),
        replace(NEW, name="D", job_id=job, tiles=("31UFS", "31UGS"), satellite=None, relative_orbit=None),
    ):
        products.register(connection, new, [site.id])

    def listed(**which: Any) -> str:
        return "".join(sorted(one.name for one in products.list_products(connection, site.id, **which)))

    assert listed(tiles=["31UFS"]) == "AD"
    assert listed(tiles=["31UFS", "198024"]) == "ACD"
    assert listed(orbits=[51, 8]) == "AB"
    assert listed(satellites=["l8"]) == "C"
    assert listed(satellites=["s2"], tiles=["31UGS"]) == "B"
    assert listed(job_id=job) == "D"
    assert listed(job_id=job + 1) == ""


def test_registrations_at_once_keep_versions_consecutive(database: Database) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)

    def register(number: int) -> int:
        with database.begin() as connection:
            return products.register(connection, replace(NEW, input_fingerprint=f"f{number % 6}"), [site.id])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(register, range(12)))
    with database.begin() as connection:
        found = versions(connection)
    assert [version for version, _ in found] == list(range(1, len(found) + 1))
    assert len(found) >= 6
    assert [state for _, state in found] == ["superseded"] * (len(found) - 1) + ["active"]


def test_identical_registrations_at_once_make_one_product(database: Database) -> None:
    with database.begin() as connection:
        sites = [make_enabled(connection, name)[0].id for name in ("Alpha", "Beta", "Gamma", "Delta")]

    def register(site_id: int) -> int:
        with database.begin() as connection:
            return products.register(connection, NEW, [site_id])

    with ThreadPoolExecutor(4) as pool:
        numbers = set(pool.map(register, sites))
    assert len(numbers) == 1
    with database.begin() as connection:
        assert count(connection, "product_site") == 4


def test_a_failed_registration_leaves_the_old_version_in_force(database: Database) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        products.register(connection, NEW, [site.id])
    broken = replace(NEW, config_hash="h2", files=(NEW.files[0], NEW.files[0]))
    with pytest.raises(Exception, match="product_file_pkey"), database.begin() as connection:
        products.register(connection, broken, [site.id])
    with database.begin() as connection:
        assert versions(connection) == [(1, "active")]


def test_what_was_made_for_one_site_serves_another(connection: Connection) -> None:
    """Case 35, the rows; the whole way is in tests/ingest."""
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    third, _ = make_enabled(connection, "Gamma")
    number = make_acquisition(connection, site, "SHARED", state="processed")
    assert make_acquisition(connection, other, "SHARED") == number
    make_acquisition(connection, third, "SHARED")
    acquisitions.set_membership(connection, third.id, number, tiles=[], overlap_ratio=0.1, ignored_because="other_tile")
    products.register(connection, replace(NEW, product_type="l2a", processor="l2a", acquisition_id=number), [site.id])
    assert products.sites_using(connection, number) == [site.id, other.id]
    assert products.share_with_site(connection, other.id) == 1
    assert products.share_with_site(connection, other.id) == 0
    assert products.share_with_site(connection, third.id) == 0
    assert (count(connection, "acquisition"), count(connection, "site_acquisition")) == (1, 3)


def test_what_all_sites_leave_out_is_not_fetched_until_one_wants_it(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    number = make_acquisition(connection, site, "PRODUCT")

    def decide(site_id: int, reason: str | None) -> str:
        acquisitions.set_membership(connection, site_id, number, tiles=[], overlap_ratio=None, ignored_because=reason)
        acquisitions.settle_selection(connection, site_id, actor="x")
        return str(acquisitions.get_acquisition(connection, number).state)

    assert decide(site.id, "cloud") == "ignored"
    assert acquisitions.get_acquisition(connection, number).reason_code == "cloud"
    assert decide(other.id, None) == "queued"
    assert decide(other.id, "other_tile") == "ignored"
    assert decide(site.id, None) == "queued"


def test_of_two_processings_of_a_datatake_the_newer_is_used(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    old = make_acquisition(connection, site, "N0400", baseline=400)
    new = make_acquisition(connection, site, "N0510", baseline=510)
    make_acquisition(connection, site, "OTHER TILE", baseline=400, tiles=("31UGS",))
    assert acquisitions.ignore_duplicates(connection, site.id) == [old]
    assert acquisitions.ignore_duplicates(connection, site.id) == []
    # the newer one turns out to be unwanted: the older one takes its place again
    acquisitions.set_relevance(connection, site.id, new, "cloud")
    assert acquisitions.ignore_duplicates(connection, site.id) == [old]
    assert products.sites_using(connection, old) == [site.id]


def test_listing_a_product_again_refreshes_it_and_keeps_its_state(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="queued", cloud_pct=10.0)
    again = make_acquisition(connection, site, "PRODUCT", state="discovered", cloud_pct=35.0)
    assert again == number
    found = acquisitions.get_acquisition(connection, number)
    assert (found.state, found.cloud_pct) == ("queued", 35.0)
    assert len(acquisitions.events(connection, number)) == 2
    assert acquisitions.get_by_name(connection, "PRODUCT").id == number
    with pytest.raises(NotFoundError):
        acquisitions.get_by_name(connection, "NOTHING")


@pytest.mark.parametrize("first_wants", [True, False])
def test_of_two_sites_that_settle_at_once_the_second_sees_the_first(database: Database, first_wants: bool) -> None:
    """One site leaves the product out while the other comes to want it, each before the other has committed."""
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        other, _ = make_enabled(connection, "Beta")
        number = make_acquisition(connection, site, "PRODUCT", state="queued")
        acquisitions.set_membership(connection, other.id, number, tiles=[], overlap_ratio=None, ignored_because="cloud")
    reasons = {site.id: "cloud", other.id: None}
    first, second = (other.id, site.id) if first_wants else (site.id, other.id)

    def settle(site_id: int) -> None:
        with database.begin() as connection:
            acquisitions.set_relevance(connection, site_id, number, reasons[site_id])
            acquisitions.settle_selection(connection, site_id, actor="x")

    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as connection:
            acquisitions.set_relevance(connection, first, number, reasons[first])
            acquisitions.settle_selection(connection, first, actor="x")
            late = pool.submit(settle, second)
            while not late.done():
                with database.begin() as watching:
                    if watching.execute(waiting).scalar_one():
                        break
        late.result(timeout=30)
    with database.begin() as connection:
        assert acquisitions.get_acquisition(connection, number).state == "queued"


def test_acquisitions_are_found_by_tile_and_orbit(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_acquisition(connection, site, "A", relative_orbit=51)
    make_acquisition(connection, site, "B", tiles=("31UGS",), relative_orbit=8)
    make_acquisition(connection, site, "RADAR", satellite="s1", tiles=(), relative_orbit=88)

    def listed(**which: Any) -> list[str]:
        found = acquisitions.list_acquisitions(connection, site.id, **which)
        return [one.source_product_name for one in found]

    assert listed(tiles=["31UFS"]) == ["A", "RADAR"], "what lies over a tile of the site counts"
    assert listed(tiles=["31TCJ"]) == []
    assert listed(orbits=[8, 88]) == ["B", "RADAR"]
    assert listed(tiles=["31UGS"], orbits=[8]) == ["B"]


def test_both_landsats_are_listed_together(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    make_acquisition(connection, site, "L8", satellite="l8")
    number = make_acquisition(connection, site, "L9", satellite="l8")
    connection.execute(text("UPDATE s4c.acquisition SET satellite_id = 4 WHERE id = :id"), {"id": number})
    make_acquisition(connection, site, "S2")

    def listed(*satellites: str) -> list[str]:
        found = acquisitions.list_acquisitions(connection, site.id, satellites=satellites)
        return [one.source_product_name for one in found]

    assert listed("l8") == ["L8", "L9"]
    assert listed("l9") == ["L9"]
    assert listed("s2", "l8") == ["L8", "L9", "S2"]
