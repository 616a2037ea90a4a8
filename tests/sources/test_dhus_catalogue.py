"""DHuS through sentinelsat, against the fake hub."""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from hashlib import md5
from typing import Any

import pytest
import requests
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import (
    DatabaseUnavailableError,
    InputError,
    ProductGoneError,
    ProductOfflineError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
)
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.credentials import Credentials
from s4c_lib.sources.dhus_answers import checksum_of, parsed_address, size_of
from s4c_lib.sources.dhus_catalogue import DhusCatalogue
from s4c_lib.sources.dhus_queries import product_types, queries
from s4c_lib.sources.model import Query, StorageState
from s4c_lib.sources.product_names import ProductKind, Satellite, product_name
from s4c_lib.synthetic.archive import ArchiveSummary
from s4c_lib.synthetic.hub import Hub, HubLimits

USER, PASSWORD = "farmer", "pä55word/ł"
BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
L1C = frozenset({ProductKind.S2_L1C})
QUERY = Query(Satellite.SENTINEL2, L1C, date(2024, 3, 1), date(2024, 4, 15))
TYPES = {"s1_amp": "S1_L2_AMP", "s1_cohe": ["S1_L2_COHE"]}

# sentinelsat reads OData times in a way that later Pythons announce to end.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")

Open = Callable[..., DhusCatalogue]


@pytest.fixture(scope="module")
def served(made_archive: ArchiveSummary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    cache = tmp_path_factory.mktemp("dhus")
    with Hub(made_archive.root, seed=1, accounts={USER: PASSWORD}, cache=cache, limits=HubLimits(lta_quota=3)) as hub:
        yield hub


@pytest.fixture
def hub(served: Hub) -> Iterator[Hub]:
    served.faults.clear()
    yield served
    served.faults.clear()


@pytest.fixture
def opened(hub: Hub) -> Iterator[Open]:
    made: list[DhusCatalogue] = []

    def open_one(
        satellite: str = "s2",
        credentials: Credentials | None = None,
        params: dict[str, Any] | None = None,
        **options: Any,
    ) -> DhusCatalogue:
        account = Credentials(USER, PASSWORD) if credentials is None else credentials
        facts = {"api_url": hub.dhus_url, **(params or {})}
        made.append(DhusCatalogue("mirror", satellite, facts, account, CatalogueOptions(**options)))
        return made[-1]

    yield open_one
    for catalogue in made:
        catalogue.close()


def _asked(hub: Hub, before: int = 0) -> list[Any]:
    return list(hub.requests)[before:]


def test_search_finds_what_the_hub_serves(opened: Open, hub: Hub) -> None:
    result = opened().search(QUERY)
    served = [item for item in hub.products if item.name.kind is ProductKind.S2_L1C]
    newest = {(item.name.tile, item.name.sensing_start) for item in served}
    assert len(result.candidates) == len(newest) > 3
    assert {item.code for item in result.rejected} <= {"superseded", "duplicate"}
    by_name = {item.name.name: item for item in served}
    for candidate in result.candidates:
        told = by_name[candidate.name.name]
        assert candidate.footprint.equals_exact(told.footprint, 1e-6)
        assert candidate.size_bytes == pytest.approx(told.size_bytes, abs=6_000)
        assert (candidate.tiles, candidate.relative_orbit) == (told.tiles, told.relative_orbit)
        assert (candidate.direction, candidate.cloud_pct) == (told.direction, told.cloud_pct)
        assert candidate.published_at is not None
        assert abs(candidate.published_at - told.published) < timedelta(seconds=1)


def test_pages_are_read_to_the_end_and_pass_the_gate(opened: Open, hub: Hub) -> None:
    whole = opened().search(QUERY)
    before = len(hub.requests)
    passed: list[float] = []
    slow = opened(page_size=3, gate=lambda: passed.append(time.monotonic()), page_delay_seconds=0.05)
    assert slow.search(QUERY) == whole
    listed = len(whole.candidates) + len(whole.rejected)
    assert listed > 3
    assert len(passed) == len(_asked(hub, before)) == -(-listed // 3)
    assert passed[1] - passed[0] >= 0.05


def test_a_closed_gate_is_not_blamed_on_the_provider(opened: Open, hub: Hub) -> None:
    def closed() -> None:
        raise DatabaseUnavailableError("no database")

    before = len(hub.requests)
    with pytest.raises(DatabaseUnavailableError):
        opened(gate=closed).search(QUERY)
    assert _asked(hub, before) == []


def test_pair_products_count_for_their_later_day(opened: Open, hub: Hub) -> None:
    pairs = [item.name for item in hub.products if item.name.kind is ProductKind.S1_COHE]
    wanted = pairs[len(pairs) // 2]
    query = Query(Satellite.SENTINEL1, frozenset({ProductKind.S1_COHE}), wanted.product_date, wanted.product_date)
    found = opened("s1", params={"product_types": TYPES}).search(query)
    assert wanted.name in {item.name.name for item in found.candidates}
    assert {item.name.product_date for item in found.candidates} == {wanted.product_date}


def test_kinds_the_server_does_not_have_cost_no_request(opened: Open, hub: Hub) -> None:
    before = len(hub.requests)
    query = Query(Satellite.SENTINEL1, frozenset({ProductKind.S1_COHE}), date(2024, 3, 1), date(2024, 3, 2))
    assert opened("s1").search(query).candidates == ()
    assert _asked(hub, before) == []


def test_search_by_a_ragged_area_finds_what_meets_it(opened: Open, hub: Hub) -> None:
    everything = opened().search(QUERY).candidates
    middle = everything[0].footprint.centroid
    ragged = _ragged(middle.x, middle.y)
    result = opened().search(Query(QUERY.satellite, L1C, QUERY.date_from, QUERY.date_to, ragged))
    assert {item.name.name for item in result.candidates} == {
        item.name.name for item in everything if item.footprint.intersects(ragged)
    }
    assert result.candidates


def test_queries_are_short_enough_for_dhus() -> None:
    from sentinelsat import SentinelAPI

    site = shapely.union_all([_ragged(4.5, 50.5), _ragged(7.5, 49.5), box(9, 48, 9.1, 48.1)])
    kinds = frozenset({ProductKind.S2_L1C, ProductKind.S2_L2A})
    made = list(
        queries(Query(Satellite.SENTINEL2, kinds, date(2024, 3, 1), date(2024, 3, 10), site), product_types({}))
    )
    assert all(SentinelAPI.check_query_length(SentinelAPI.format_query(**keywords)) < 1 for keywords in made)
    asked = shapely.union_all([shapely.from_wkt(keywords["area"]) for keywords in made])
    assert asked.contains(site)


def test_locate_gives_address_account_and_checksum(opened: Open, hub: Hub) -> None:
    catalogue = opened()
    candidate = catalogue.search(QUERY).candidates[0]
    download = catalogue.locate(candidate)
    told = hub.product(candidate.name.name)
    assert download.url.startswith(hub.dhus_url)
    assert "@" not in download.url
    assert PASSWORD not in repr(download)
    assert download.headers == {"Authorization": BASIC}
    assert download.hosts == {hub.url.partition("://")[2]}
    assert (download.file_name, download.size_bytes) == (f"{candidate.name.name}.zip", told.size_bytes)
    answer = requests.get(download.url, headers=dict(download.headers), timeout=10)
    assert download.checksum is not None
    assert (download.checksum.algorithm, download.checksum.digest) == ("md5", md5(answer.content).hexdigest())


def test_single_files_keep_their_suffix(opened: Open, hub: Hub) -> None:
    catalogue = opened("s1", params={"product_types": TYPES})
    kinds = frozenset({ProductKind.S1_AMP})
    candidate = catalogue.search(Query(Satellite.SENTINEL1, kinds, QUERY.date_from, QUERY.date_to)).candidates[0]
    assert catalogue.locate(candidate).file_name.endswith(".tif")


def test_find_knows_the_product_and_its_state(opened: Open, hub: Hub) -> None:
    catalogue = opened()
    name = catalogue.search(QUERY).candidates[0].name
    hub.faults.offline(name.name)
    found = catalogue.find(name)
    assert found is not None
    assert (found.name, found.storage_state) == (name, StorageState.OFFLINE)
    assert catalogue.find(product_name(name.name.replace(name.tile or "", "01CCV"))) is None


def test_products_on_tape_are_ordered_polled_and_located(opened: Open, hub: Hub) -> None:
    catalogue = opened(params={"ask_online": True})
    names = [item.name.name for item in opened().search(QUERY).candidates[:2]]
    for name in names:
        hub.faults.offline(name, polls=2)
    found = {item.name.name: item for item in catalogue.search(QUERY).candidates}
    states = {name: item.storage_state for name, item in found.items()}
    assert {name for name, state in states.items() if state is StorageState.OFFLINE} == set(names)
    tape = [found[name] for name in names]
    with pytest.raises(ProductOfflineError, match="lies on tape"):
        catalogue.locate(tape[0])
    assert catalogue.order(tape) == {}
    polls = [catalogue.storage_states(tape) for _ in range(4)]
    assert set(polls[0]) == set(names)
    assert set(polls[-1].values()) == {StorageState.ONLINE}
    assert catalogue.locate(tape[0]).size_bytes == hub.product(names[0]).size_bytes


def test_a_used_up_quota_ends_the_orders_and_those_taken_are_told(opened: Open, hub: Hub) -> None:
    catalogue = opened()
    tape = list(catalogue.search(QUERY).candidates[:6])
    for item in tape:
        hub.faults.offline(item.name.name, seconds=3600)
    before = len(hub.requests)
    taken: list[str] = []
    with pytest.raises(SourceThrottledError, match="quota exceeded"):
        catalogue.order(tape, taken.append)
    assert taken == [item.name.name for item in tape[:3]]
    assert len(_asked(hub, before)) == 4


def test_what_is_gone_is_said_of_the_product(opened: Open, hub: Hub) -> None:
    catalogue = opened()
    gone, there = catalogue.search(QUERY).candidates[:2]
    hub.faults.withdraw(gone.name.name, listed=False)
    with pytest.raises(ProductGoneError, match=f"mirror: cannot look up {gone.name.name}"):
        catalogue.locate(gone)
    assert catalogue.storage_states([gone, there]) == {there.name.name: StorageState.ONLINE}
    assert list(catalogue.order([gone, there])) == [gone.name.name]


@pytest.mark.parametrize(
    ("fault", "options", "expected"),
    [
        ("too_many_requests", {"retry_after": 33}, SourceThrottledError),
        ("too_many_requests", {"retry_after": 33, "as_date": True}, SourceThrottledError),
        ("server_error", {"status": 503, "retry_after": 33}, SourceThrottledError),
        ("server_error", {"status": 500}, SourceError),
        ("unauthorized", {}, SourceRefusedError),
        ("reset", {}, SourceError),
        ("truncated", {}, SourceError),
    ],
)
def test_faults_are_ours_at_once(
    opened: Open, hub: Hub, fault: str, options: dict[str, Any], expected: type[SourceError]
) -> None:
    one = opened().search(QUERY).candidates[0]
    hub.faults.offline(one.name.name)
    asks: list[Callable[[DhusCatalogue], object]] = [lambda c: c.search(QUERY), lambda c: c.locate(one)]
    if fault not in ("reset", "truncated"):  # an order has no body that could break
        asks += [lambda c: c.order([one]), lambda c: c.storage_states([one])]
    for ask in asks:
        hub.faults.aim(fault, times=1, **options)
        before = len(hub.requests)
        with pytest.raises(SourceError, match="mirror: cannot ") as caught:
            ask(opened())
        assert type(caught.value) is expected
        if isinstance(caught.value, SourceThrottledError):
            assert caught.value.retry_after == pytest.approx(33, abs=1.5)
        assert len(_asked(hub, before)) == 1


def test_silence_ends_after_the_time_given(hub: Hub) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dhus/"
        catalogue = DhusCatalogue("mirror", "s2", {"api_url": url}, None, CatalogueOptions(timeout_seconds=0.2))
        with pytest.raises(SourceError, match=r"mirror: cannot search: 127\.0\.0\.1 did not answer in time"):
            catalogue.search(QUERY)
        catalogue.close()


def test_health_in_a_line(opened: Open, hub: Hub) -> None:
    report = opened().health()
    assert report.ok
    assert "products of Sentinel-2 listed" in report.text
    refused = opened(credentials=Credentials(USER, "wrong-pass")).health()
    assert not refused.ok
    assert "HTTP 401" in refused.text
    assert "wrong-pass" not in refused.text
    page = DhusCatalogue("mirror", "s2", {"api_url": f"{hub.url}/stac/"}, None, CatalogueOptions())
    assert not page.health().ok
    page.close()


def test_nothing_secret_in_urls_logs_or_addresses(opened: Open, hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        catalogue = opened()
        candidate = catalogue.search(QUERY).candidates[0]
        catalogue.locate(candidate)
        hub.faults.aim("server_error", times=1, status=500)
        with pytest.raises(SourceError):
            catalogue.order([candidate])
    assert caplog.records
    for secret in (PASSWORD, BASIC.partition(" ")[2]):
        assert secret not in caplog.text
        assert secret not in candidate.address
    assert hub.ledger()["tokens_in_urls"] == 0


def test_nothing_is_sent_at_construction(opened: Open, hub: Hub) -> None:
    before = len(hub.requests)
    opened().close()
    assert _asked(hub, before) == []


@pytest.mark.parametrize("url", ["", "dhus.example.org", "https://user:pw@dhus.example.org/dhus"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="api_url") as caught:
        DhusCatalogue("mirror", "s2", {"api_url": url}, None, CatalogueOptions())
    assert "pw" not in caught.value.one_line


def test_unknown_words_in_the_configuration_are_refused() -> None:
    with pytest.raises(InputError, match="no satellite 's3'"):
        DhusCatalogue("mirror", "s3", {"api_url": "https://dhus.example.org"}, None, CatalogueOptions())
    with pytest.raises(InputError, match="kind 's2_l9'"):
        product_types({"product_types": {"s2_l9": "X"}})


@pytest.mark.parametrize("address", ["", "/data/S2A.SAFE", '{"url": "x"}', "[1]"])
def test_addresses_of_other_sources_are_refused(address: str) -> None:
    with pytest.raises(SourceError, match="no address of a DHuS"):
        parsed_address(address)


def test_sizes_and_checksums_as_dhus_writes_them() -> None:
    assert size_of("1.08 GB") == round(1.08 * 1024**3)
    assert size_of("7 B") == 7
    assert size_of("1.2.3 GB") is size_of(None) is size_of("big") is None
    assert checksum_of({"sha3-256": "AB"}) is not None
    assert checksum_of({"sha1": "AB"}) is None


def _ragged(lon: float, lat: float) -> BaseGeometry:
    """A star of 400 corners, half a degree wide."""
    import math

    corners = [
        (lon + radius * math.cos(turn), lat + radius * math.sin(turn))
        for step in range(400)
        for turn in [2 * math.pi * step / 400]
        for radius in [0.25 if step % 2 else 0.2]
    ]
    return shapely.Polygon(corners)
