"""eodag against the fake hub, which speaks as the Copernicus Data Space does."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests
from shapely.geometry import box

from s4c_lib.errors import ProductOfflineError, SourceError, SourceRefusedError, SourceThrottledError
from s4c_lib.sources.catalogue import CatalogueOptions
from s4c_lib.sources.eodag_catalogue import EodagCatalogue
from s4c_lib.sources.model import Candidate, StorageState
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.synthetic.hub import Hub
from tests.sources.eodag_hub import (
    ACCOUNT,
    END,
    PASSWORD,
    START,
    Open,
    everything,
    first,
    hub,
    known,
    opened,
    searches,
    start,
    steady_hub,
)

__all__ = ["hub", "known", "opened", "start", "steady_hub"]


def names(found: object) -> list[str]:
    return sorted(candidate.name.name for candidate in found.candidates)


def served(hub: Hub, *kinds: ProductKind) -> list[str]:
    known = [product.name for product in hub.products]
    return sorted(name.name for name in known if name.kind in kinds and START <= name.product_date <= END)


@pytest.mark.parametrize(
    ("satellite", "of", "kinds"),
    [
        ("s2", Satellite.SENTINEL2, (ProductKind.S2_L1C, ProductKind.S2_L2A)),
        ("s1", Satellite.SENTINEL1, (ProductKind.S1_SLC, ProductKind.S1_GRD)),
    ],
)
def test_all_products_of_the_hub_are_found(
    hub: Hub, opened: Open, satellite: str, of: Satellite, kinds: tuple[ProductKind, ...]
) -> None:
    found = opened(hub, satellite).search(everything(of, frozenset(kinds)))
    superseded = [item.name.name for item in found.rejected if item.code == "superseded" and item.name is not None]
    assert names(found)
    assert sorted(names(found) + superseded) == served(hub, *kinds)
    for candidate in found.candidates:
        product = hub.product(candidate.name.name)
        assert candidate.size_bytes == product.size_bytes
        assert candidate.footprint.area > 0
        assert candidate.relative_orbit is not None
        assert candidate.direction is not None
        assert candidate.published_at is not None
        assert candidate.storage_state is StorageState.ONLINE
        assert json.loads(candidate.address)["id"] == product.id
        if satellite == "s2":
            assert (candidate.tiles, candidate.cloud_pct is not None) == ((candidate.name.tile,), True)


def test_days_site_and_tiles_restrict(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub)
    whole = catalogue.search(everything())
    day = whole.candidates[0].name.product_date
    assert names(catalogue.search(everything(start=day, end=day))) == sorted(
        item.name.name for item in whole.candidates if item.name.product_date == day
    )
    assert not catalogue.search(everything(geometry=box(20, 40, 21, 41))).candidates
    inside = [item for item in whole.candidates if item.tiles == ("31UFS",)]
    site, here = inside[0].footprint.centroid.buffer(0.05), sorted(item.name.name for item in inside)
    assert 0 < len(here) < len(whole.candidates)
    assert names(catalogue.search(everything(geometry=site))) == here
    assert names(catalogue.search(everything(geometry=site, tiles=frozenset({"T31UFS"})))) == here
    before = searches(hub)
    assert not catalogue.search(everything(geometry=site, tiles=frozenset({"33UVQ"}))).candidates
    assert searches(hub) == before, "a tile that does not meet the site needs no request"


def test_pages_are_read_to_the_end_and_each_passes_the_gate(hub: Hub, opened: Open) -> None:
    before, passed = searches(hub), list[int]()
    catalogue = opened(hub, page_size=2, gate=lambda: passed.append(1))
    found = catalogue.search(everything())
    assert len(passed) == searches(hub) - before
    assert len(passed) >= len(found.candidates) // 2
    assert names(found) == names(opened(hub).search(everything()))


def test_a_limit_to_paging_loses_nothing(hub: Hub, start: Callable[..., Hub], opened: Open) -> None:
    """The Data Space leaves out the link to the next page at its limit, and answers 422 beyond it."""
    whole = names(opened(hub).search(everything()))
    limited = start(skip_limit=3)
    assert names(opened(limited, page_size=2).search(everything())) == whole
    assert any(request.status == 422 for request in limited.requests)


def test_a_product_is_found_by_name_with_its_state_of_now(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub)
    candidate = first(catalogue)
    assert catalogue.find(candidate.name) == candidate
    hub.faults.offline(candidate.name.name, polls=100)
    found = catalogue.find(candidate.name)
    assert found is not None
    assert found.storage_state is StorageState.OFFLINE
    hub.faults.withdraw(candidate.name.name, listed=False)
    assert catalogue.find(candidate.name) is None


def test_a_product_is_located_with_its_token_in_a_header(hub: Hub, opened: Open) -> None:
    candidate = first(catalogue := opened(hub))
    download = catalogue.locate(candidate)
    product = hub.product(candidate.name.name)
    assert "?" not in download.url
    assert download.headers["Authorization"].startswith("Bearer ")
    assert (download.file_name, download.size_bytes) == (f"{candidate.name.name}.zip", product.size_bytes)
    assert download.checksum is not None
    assert (download.checksum.algorithm, download.checksum.digest) == ("md5", product.md5)
    answer = requests.get(download.url, headers=download.headers, timeout=10)
    assert hashlib.md5(answer.content).hexdigest() == product.md5
    assert download.hosts == frozenset({hub.url.removeprefix("http://")})
    assert hub.ledger()["tokens_in_urls"] == 0


def test_products_on_tape_are_ordered_and_come(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub)
    online = catalogue.search(everything()).candidates
    for candidate in online[:3]:
        hub.faults.offline(candidate.name.name, polls=2)
    on_tape = [item for item in catalogue.search(everything()).candidates if item.storage_state is StorageState.OFFLINE]
    assert names_of(on_tape) == names_of(online[:3])
    with pytest.raises(ProductOfflineError):
        catalogue.locate(on_tape[0])
    assert catalogue.order(on_tape) == {}
    before = searches(hub)
    for _ in range(5):
        states = catalogue.storage_states(on_tape)
        if set(states.values()) == {StorageState.ONLINE}:
            break
    assert states == dict.fromkeys(names_of(on_tape), StorageState.ONLINE)
    assert searches(hub) - before <= 3 * 2, "products are asked for together"


def names_of(candidates: object) -> list[str]:
    return [candidate.name.name for candidate in candidates]


def test_a_used_up_quota_of_orders_ends_them_and_those_taken_are_told(start: Callable[..., Hub], opened: Open) -> None:
    hub = start(order_quota=2)
    catalogue = opened(hub)
    wanted = catalogue.search(everything()).candidates[:4]
    for candidate in wanted:
        hub.faults.offline(candidate.name.name, polls=1000)
    on_tape = [item for item in catalogue.search(everything()).candidates if item.storage_state is StorageState.OFFLINE]
    taken: list[str] = []
    with pytest.raises(SourceThrottledError):
        catalogue.order(on_tape, taken.append)
    assert taken == names_of(on_tape[:2])


def test_what_fails_after_a_new_token_is_told_as_what_it_is(hub: Hub, opened: Open) -> None:
    """The refusal of the old token must not stand before the wish to wait that came with the new one."""
    catalogue = opened(hub)
    candidate = first(catalogue)
    hub.faults.offline(candidate.name.name, polls=1000)
    hub.faults.aim("unauthorized", endpoint="order", times=1)
    hub.faults.aim("too_many_requests", endpoint="order", times=1, retry_after=77)
    with pytest.raises(SourceThrottledError) as caught:
        catalogue.order([candidate])
    assert caught.value.retry_after == 77


def test_a_withdrawn_product_cannot_be_ordered_and_the_others_can(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub)
    gone, there = catalogue.search(everything()).candidates[:2]
    hub.faults.offline(there.name.name, polls=1)
    hub.faults.withdraw(gone.name.name)
    refused = catalogue.order([gone, there])
    assert list(refused) == [gone.name.name]
    assert "404" in refused[gone.name.name]


def test_without_an_address_for_orders_the_first_byte_is_asked_for(hub: Hub) -> None:
    """As GEODES stages what is asked for; the Data Space does not, and says so."""
    definition = hub.eodag_definition()
    del definition["search"]["metadata_mapping"]["eodag:order_link"]
    params = {"provider": "cop_dataspace", "definition": definition}
    catalogue = EodagCatalogue("hub", "s2", params, ACCOUNT, CatalogueOptions())
    candidates = catalogue.search(everything()).candidates[:2]
    catalogue.locate(candidates[1])
    hub.faults.offline(candidates[0].name.name)
    before = hub.ledger()["bytes_sent"]
    refused = catalogue.order(candidates)
    assert hub.ledger()["bytes_sent"] - before < 500
    assert list(refused) == [candidates[0].name.name], "the other one is there already"
    assert "no way to order it" in refused[candidates[0].name.name]
    catalogue.close()


@pytest.mark.parametrize(
    ("kind", "options", "error", "seconds"),
    [
        ("too_many_requests", {"retry_after": 1234}, SourceThrottledError, 1234),
        ("too_many_requests", {"retry_after": 600, "as_date": True}, SourceThrottledError, 600),
        ("too_many_requests", {"retry_after": None}, SourceThrottledError, None),
        ("server_error", {"status": 503, "retry_after": 77}, SourceThrottledError, 77),
        ("server_error", {"status": 503}, SourceError, None),
        ("unauthorized", {}, SourceRefusedError, None),
        ("not_found", {}, SourceError, None),
        ("reset", {}, SourceError, None),
        ("truncated", {}, SourceError, None),
        ("unprocessable", {}, SourceError, None),
    ],
)
@pytest.mark.parametrize("endpoint", ["search", "token"])
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_faults_arrive_as_they_are_after_one_request(
    hub: Hub,
    known: Candidate,
    opened: Open,
    endpoint: str,
    kind: str,
    options: dict[str, object],
    error: type[SourceError],
    seconds: float | None,
) -> None:
    catalogue = opened(hub)
    day = known.name.product_date
    query = everything(kinds=frozenset({known.name.kind}), start=day, end=day)
    act = (lambda: catalogue.search(query)) if endpoint == "search" else (lambda: catalogue.locate(known))
    hub.faults.aim(kind, endpoint=endpoint, times=10, **options)
    before = sum(request.endpoint == endpoint for request in hub.requests)
    with pytest.raises(SourceError) as caught:
        act()
    asked = sum(request.endpoint == endpoint for request in hub.requests) - before
    hub.faults.clear()
    assert asked == 1
    if error is SourceError and endpoint == "search":
        assert type(caught.value) is SourceError
    assert isinstance(caught.value, error)
    if isinstance(caught.value, SourceThrottledError):
        assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=2))
    assert "\n" not in str(caught.value)
    assert known in catalogue.search(query).candidates
    assert catalogue.locate(known).headers
    if kind == "truncated":
        # The library leaves the broken connection to the collector: here, not in the middle of another test.
        del caught
        gc.collect()


def test_an_answer_that_does_not_come_is_given_up(hub: Hub, opened: Open) -> None:
    hub.faults.aim("slow", endpoint="search", times=1, seconds_per_chunk=3, chunk=16)
    with pytest.raises(SourceError, match="did not answer in time"):
        opened(hub, timeout_seconds=0.3).search(everything())


def test_a_hub_that_is_away_is_a_fault_of_the_source(start: Callable[..., Hub], opened: Open) -> None:
    hub = start()
    catalogue = opened(hub)
    candidate = first(catalogue)
    catalogue.locate(candidate)
    hub.__exit__(None, None, None)
    with pytest.raises(SourceError, match="refuses connections"):
        catalogue.search(everything())
    health = catalogue.health()
    assert (health.ok, "\n" in health.text) == (False, False)
    catalogue.close()
    with pytest.raises(SourceError):
        catalogue.locate(candidate)


def test_a_product_published_anew_takes_the_place_of_the_old_one(hub: Hub, opened: Open) -> None:
    catalogue = opened(hub)
    old = first(catalogue)
    new = hub.faults.republish(old.name.name, after_searches=0)
    found = catalogue.search(everything(start=old.name.product_date, end=old.name.product_date))
    assert new in names(found)
    assert old.name.name in {item.name.name for item in found.rejected if item.code == "superseded"}


def test_health_says_in_a_line_what_works(hub: Hub, opened: Open) -> None:
    before = len(hub.requests)
    report = opened(hub).health()
    assert (report.ok, report.source) == (True, "hub")
    assert "takes the account" in report.text
    assert len(hub.requests) - before <= 4, "search, and to log in: endpoints, token, key"
    without = opened(hub, credentials=None).health()
    assert without.ok
    assert "needs an account" in without.text


def test_no_secret_is_seen_anywhere(hub: Hub, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    catalogue = opened(hub)
    found = catalogue.search(everything())
    hub.faults.offline(found.candidates[0].name.name, polls=1)
    catalogue.order(catalogue.search(everything()).candidates[:1])
    headers = [catalogue.locate(found.candidates[1], renew=renew).headers for renew in (False, True)]
    secrets = [*catalogue._login.secrets(), *(text["Authorization"].removeprefix("Bearer ") for text in headers)]
    hub.faults.aim("server_error", endpoint="token", times=5, status=500)
    with pytest.raises(SourceError) as caught:
        catalogue.locate(found.candidates[1], renew=True)
    seen = [caplog.text, str(caught.value), repr(caught.value), repr(catalogue.__dict__), repr(found)]
    seen += [str(request) for request in hub.requests]
    for secret in (PASSWORD, *secrets):
        assert secret
        assert not any(secret in text for text in seen)
    assert hub.ledger()["tokens_in_urls"] == 0


def test_a_window_asks_no_more_days_than_it_is_given(hub: Hub, opened: Open) -> None:
    day = START + timedelta(days=40)
    assert not opened(hub).search(everything(start=day, end=day)).candidates


@pytest.mark.filterwarnings("ignore:Using `Fields:DeprecationWarning")  # eodag's spelling of a wildcard
def test_a_stac_api_is_searched_and_fetched_from(hub: Hub, opened: Open) -> None:
    """A provider that eodag does not know, by its whole definition; products are single assets with multihashes."""
    definition = {
        "search": {"type": "StacSearch", "api_endpoint": f"{hub.stac_url}/search"},
        "products": {"S2_MSI_L2A": {"_collection": "sentinel-2-l2a"}, "S2_MSI_L1C": {"_collection": "sentinel-2-l1c"}},
        "download": {"type": "HTTPDownload"},
        "auth": {
            "type": "KeycloakOIDCPasswordAuth",
            "client_id": "cdse-public",
            "client_secret": None,
            "token_provision": "qs",
            "token_qs_key": "token",
            "allowed_audiences": ["CLOUDFERRO_PUBLIC"],
            **hub.eodag_definition()["auth"],
        },
    }
    params, before = {"provider": "national_mirror", "definition": definition}, hub.ledger()["open_sessions"]
    catalogue = EodagCatalogue("mirror", "s2", params, ACCOUNT, CatalogueOptions(page_size=2))
    found = catalogue.search(everything())
    assert names(found) == names(opened(hub).search(everything()))
    for candidate in (found.candidates[0], catalogue.find(found.candidates[0].name)):
        assert candidate is not None
        product = hub.product(candidate.name.name)
        download = catalogue.locate(candidate)
        assert (download.size_bytes, download.file_name) == (product.size_bytes, product.file_name)
        assert download.checksum is not None
        assert download.checksum.digest == product.md5
        assert requests.head(download.url, headers=download.headers, timeout=5).status_code == 200
    hub.faults.aim("too_many_requests", endpoint="search", times=9, retry_after=321)
    with pytest.raises(SourceThrottledError) as caught:
        catalogue.search(everything())
    assert caught.value.retry_after == 321
    catalogue.close()
    assert hub.ledger()["open_sessions"] == before
    assert hub.ledger()["tokens_in_urls"] == 0


def test_in_a_storm_a_search_gives_everything_or_fails(start: Callable[..., Hub], opened: Open) -> None:
    hub = start()
    catalogue = opened(hub, page_size=3)
    whole = names(catalogue.search(everything()))
    hub.faults.storm(0.3, kinds=["unprocessable", "server_error", "too_many_requests", "truncated", "reset"])
    outcomes: list[bool] = []
    while len(outcomes) < 12 or len(set(outcomes)) == 1:
        try:
            found = catalogue.search(everything())
        except SourceError:
            outcomes.append(False)
        else:
            outcomes.append(True)
            assert names(found) == whole
        assert len(outcomes) < 100
