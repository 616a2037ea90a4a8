"""Everything that can go wrong at the hub, one by one and as a storm."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
import requests
from hub_visitors import Clock, Visitor
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError, NotFoundError
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import product_name
from s4c_lib.synthetic.hub import Hub
from s4c_lib.synthetic.hub.faults import STATUS_KINDS, STORM_KINDS, Faults
from s4c_lib.synthetic.hub.served_product import ServedProduct
from s4c_lib.synthetic.hub.shelf import Shelf


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def product(hub: Hub) -> ServedProduct:
    return next(one for one in hub.products if one.name.kind is ProductKind.S2_L2A)


def test_a_token_is_taken_back_while_the_body_streams(visitor: Visitor, product: ServedProduct) -> None:
    headers = visitor.bearer()
    visitor.hub.faults.aim("unauthorized_midway", product=product.title, share=0.4)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        visitor.fetch(product.title, headers)
    last = visitor.hub.requests[-1]
    assert (last.status, last.fault, last.failed) == (200, "unauthorized_midway", True)
    assert last.bytes_sent == int(product.size_bytes * 0.4)
    assert visitor.fetch(product.title, headers).status_code == 401
    rest = {**visitor.bearer(), "Range": f"bytes={last.bytes_sent}-"}
    assert visitor.fetch(product.title, rest).content == product.path.read_bytes()[last.bytes_sent :]


def test_a_password_is_refused_once_after_it(hub: Hub, product: ServedProduct) -> None:
    address = f"{hub.dhus_url}odata/v1/Products('{product.id}')/$value"
    hub.faults.aim("unauthorized_midway", product=product.title)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(address, auth=("user", "password"), timeout=10)
    states = [requests.get(address, auth=("user", "password"), timeout=10).status_code for _ in range(2)]
    assert states == [401, 200]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("unauthorized", 401), ("not_found", 404), ("unprocessable", 422), ("too_many_requests", 429)],
)
def test_an_answer_is_replaced_as_often_as_it_was_aimed(visitor: Visitor, kind: str, status: int) -> None:
    visitor.hub.faults.aim(kind, endpoint="search", times=2, after=1)
    answers = [visitor.search(top=1) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, status, status, 200]
    assert "Retry-After" not in answers[1].headers
    # Other groups of requests are not concerned.
    visitor.hub.faults.aim(kind, endpoint="search")
    assert visitor.fetch(visitor.hub.products[0].title).status_code == 200


def test_retry_after_is_a_number_or_a_time(visitor: Visitor, make_hub: Callable[..., Hub]) -> None:
    visitor.hub.faults.aim("too_many_requests", retry_after=7)
    assert visitor.search().headers["Retry-After"] == "7"
    visitor.hub.faults.aim("server_error", status=503, retry_after=2.5)
    assert visitor.search().headers["Retry-After"] == "2.5"
    clock = Clock()
    with make_hub(clock=clock) as hub:
        hub.faults.aim("too_many_requests", retry_after=90, as_date=True)
        answer = Visitor(hub).search()
        later = parsedate_to_datetime(answer.headers["Retry-After"])
        assert (later - parsedate_to_datetime(answer.headers["Date"])).total_seconds() == 90


def test_server_errors_come_in_bursts(visitor: Visitor) -> None:
    visitor.hub.faults.aim("server_error", endpoint="token", status=502, times=3)
    form = {"client_id": "cdse-public", "grant_type": "password", "username": "user", "password": "password"}
    states = [requests.post(visitor.hub.token_url, data=form, timeout=10).status_code for _ in range(4)]
    assert states == [502, 502, 502, 200]


def test_a_body_ends_early(visitor: Visitor, product: ServedProduct) -> None:
    visitor.hub.faults.aim("truncated", product=product.title, share=1.0)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="1 more expected"):
        visitor.fetch(product.title)
    assert md5(visitor.fetch(product.title).content) == product.md5
    visitor.hub.faults.aim("truncated", endpoint="search")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        visitor.search()


def test_bytes_are_flipped_and_the_length_is_right(visitor: Visitor, product: ServedProduct) -> None:
    headers = visitor.bearer()
    visitor.hub.faults.aim("flipped_bytes", product=product.title, times=2)
    whole = product.path.read_bytes()
    sent = visitor.fetch(product.title, headers).content
    assert [at for at, (a, b) in enumerate(zip(sent, whole, strict=True)) if a != b] == [len(whole) // 2]
    part = visitor.fetch(product.title, {**headers, "Range": "bytes=5-99"}).content
    assert len(part) == 95
    assert part[1:] == whole[6:100] != part
    assert part[0] != whole[5]


def test_a_connection_is_reset(visitor: Visitor, product: ServedProduct) -> None:
    headers = visitor.bearer()
    visitor.hub.faults.aim("reset", product=product.title, share=0)
    with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
        visitor.fetch(product.title, headers)
    visitor.hub.faults.aim("reset", product=product.title, share=0.5)
    with pytest.raises(requests.exceptions.RequestException):
        visitor.fetch(product.title, headers)
    assert visitor.fetch(product.title, headers).status_code == 200


def test_a_slow_body_arrives_whole(visitor: Visitor, product: ServedProduct) -> None:
    visitor.hub.faults.aim("slow", product=product.title, seconds_per_chunk=0.01, chunk=60_000)
    assert md5(visitor.fetch(product.title).content) == product.md5
    last = visitor.hub.requests[-1]
    assert (last.fault, last.failed, last.bytes_sent) == ("slow", False, product.size_bytes)


def test_a_head_uses_no_fault_up(visitor: Visitor, product: ServedProduct) -> None:
    headers = visitor.bearer()
    visitor.hub.faults.aim("flipped_bytes", product=product.title)
    assert requests.head(visitor.address(product.title), headers=headers, timeout=10).status_code == 200
    assert md5(visitor.fetch(product.title, headers).content) != product.md5


def test_a_wrong_checksum_is_stated_everywhere(visitor: Visitor, product: ServedProduct) -> None:
    hub = visitor.hub
    hub.faults.wrong_checksum(product.title)
    entry = requests.get(visitor.address(product.title).removesuffix("/$value"), timeout=10).json()
    assert entry["Checksum"][0]["Value"] != product.md5
    told = f"{hub.dhus_url}odata/v1/Products('{product.id}')?$format=json"
    dhus = requests.get(told, auth=("user", "password"), timeout=10).json()["d"]
    assert dhus["Checksum"]["Value"].lower() == entry["Checksum"][0]["Value"]
    assert md5(visitor.fetch(product.title).content) == product.md5


def test_an_offline_product_is_online_after_a_time(make_hub: Callable[..., Hub]) -> None:
    clock = Clock()
    with make_hub(clock=clock) as hub:
        visitor = Visitor(hub)
        title = hub.products[0].title
        hub.faults.offline(title, seconds=30)
        headers = visitor.bearer()
        clock.now += 100
        assert visitor.fetch(title, headers).status_code == 422
        order = visitor.address(title).replace("$value", "OData.CSC.Order")
        requests.post(order, headers=headers, timeout=10)
        clock.now += 29
        assert visitor.fetch(title, headers).status_code == 422
        clock.now += 1
        assert visitor.fetch(title, headers).status_code == 200


def test_a_product_is_published_again_with_a_new_baseline(fresh_hub: Hub) -> None:
    visitor = Visitor(fresh_hub)
    old = next(one for one in fresh_hub.products if one.name.kind is ProductKind.S2_L2A)
    title = fresh_hub.faults.republish(old.title, after_searches=2)
    lengths = [len(visitor.search(top=100).json()["value"]) for _ in range(4)]
    assert [length - lengths[0] for length in lengths] == [0, 0, 1, 1]
    new = fresh_hub.product(title)
    assert new.name.datatake == old.name.datatake == product_name(title).datatake
    assert (new.name.baseline or 0) > (old.name.baseline or 0)
    assert new.md5 != old.md5 == fresh_hub.product(old.title).md5
    assert md5(visitor.fetch(title).content) == new.md5
    with pytest.raises(InputError, match="baseline"):
        fresh_hub.faults.republish(next(one.title for one in fresh_hub.products if one.title.startswith("S1")))


def test_a_product_is_withdrawn(visitor: Visitor, product: ServedProduct) -> None:
    hub = visitor.hub
    headers = visitor.bearer()
    hub.faults.withdraw(product.title)
    listed = f"Name eq '{product.title}.SAFE'"
    assert len(visitor.search(filter=listed).json()["value"]) == 1
    assert visitor.fetch(product.title, headers).status_code == 404
    assert product not in hub.products
    hub.faults.withdraw(product.title, listed=False)
    assert visitor.search(filter=listed).json()["value"] == []
    hub.faults.clear()
    assert visitor.fetch(product.title, headers).status_code == 200


def weather(hub: Hub) -> list[tuple[str | None, int, str, int]]:
    """Fetch through a storm, logging in again when refused; what each request met."""
    visitor = Visitor(hub)
    headers = visitor.bearer()
    hub.faults.storm(0.4)
    for number in range(60):
        try:
            state = visitor.fetch(hub.products[number % 5].title, headers).status_code
            headers = visitor.bearer() if state == 401 else headers
        except requests.RequestException:
            continue
    # Answers with tokens differ in length.
    return [
        (one.fault, one.status, one.endpoint, one.bytes_sent if one.endpoint == "download" else 0)
        for one in hub.requests
    ]


def test_a_storm_is_the_same_for_the_same_seed(make_hub: Callable[..., Hub]) -> None:
    met = []
    for seed in (11, 11, 12):
        with make_hub(seed=seed) as hub:
            met.append(weather(hub))
            assert 0.25 < hub.ledger()["failed_share"] < 0.75
    assert met[0] == met[1] != met[2]
    assert {fault for fault, *_ in met[0]} >= {"unauthorized_midway", "too_many_requests", "server_error", "reset"}


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.2, 1.0]))
def test_a_storm_keeps_its_share_and_its_kinds(seed: int, share: float) -> None:
    faults = Faults(Shelf((), clock=lambda: 0.0, cache=None), seed=seed)  # type: ignore[arg-type]
    faults.storm(share)
    drawn = [faults.draw(number, "download", None) for number in range(200)]
    kinds = Counter(one.fault.kind for one in drawn if one is not None)
    assert share - 0.15 <= kinds.total() / 200 <= share + 0.15
    assert set(kinds) <= set(STORM_KINDS)
    elsewhere = {one.fault.kind for number in range(200) if (one := faults.draw(number, "token", None)) is not None}
    assert elsewhere <= STATUS_KINDS | {"truncated", "reset"}
    faults.storm(share, kinds=["not_found"], endpoints=["search"])
    assert all(faults.draw(number, "download", None) is None for number in range(50))
    faults.storm(0)
    assert all(faults.draw(number, "search", None) is None for number in range(50))


def test_faults_are_switched_from_another_process(visitor: Visitor, product: ServedProduct) -> None:
    hub = visitor.hub
    answer = visitor.switch(
        storm={"share": 0.5, "kinds": ["reset"], "endpoints": ["info"]},
        aim=[{"kind": "server_error", "endpoint": "search", "times": 2}],
        offline=[{"product": product.title, "polls": 1}],
        withdraw=[{"product": hub.products[0].title}],
        wrong_checksum=[{"product": product.title}],
    )
    assert answer.status_code == 200
    assert answer.json()["offline"] == answer.json()["wrong_checksum"] == [product.title]
    assert answer.json() == requests.get(f"{hub.url}/_hub/faults", timeout=10).json()
    assert visitor.search().status_code == 503
    cleared = visitor.switch(clear=True).json()
    assert (cleared["storm"], cleared["aim"], cleared["offline"]) == (None, [], [])
    assert visitor.search().status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {"rain": 1},
        {"storm": {"share": 2}},
        {"storm": {}},
        {"storm": {"share": 0.1, "kinds": ["rain"]}},
        {"aim": [{"kind": "rain"}]},
        {"aim": [{"kind": "slow", "endpoint": "kitchen"}]},
        {"aim": [{"kind": "slow", "speed": 5}]},
        {"aim": [{"kind": "flipped_bytes", "endpoint": "token"}]},
        {"aim": [{"kind": "slow", "product": "moon"}]},
        {"offline": [{"product": "moon"}]},
        {"offline": ["moon"]},
    ],
)
def test_unknown_faults_are_refused(visitor: Visitor, document: dict[str, object]) -> None:
    answer = visitor.switch(**document)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_products_are_named_as_they_are_served(hub: Hub, product: ServedProduct) -> None:
    for name in (product.title, product.file_name, product.id):
        assert hub.product(name) is product
    with pytest.raises(NotFoundError):
        hub.faults.withdraw("moon")


def test_the_ledger_counts_for_other_processes(fresh_hub: Hub) -> None:
    visitor = Visitor(fresh_hub)
    visitor.fetch(fresh_hub.products[0].title)
    visitor.search(filter="Mood eq 1")
    counted = requests.get(f"{fresh_hub.url}/_hub/ledger", timeout=10).json()
    assert counted == fresh_hub.ledger()
    assert (counted["requests"], counted["failed"], counted["failed_share"]) == (3, 1, pytest.approx(1 / 3))
    assert counted["by_endpoint"] == {"download": 1, "search": 1, "token": 1}
    assert counted["by_status"] == {"200": 2, "400": 1}
    assert counted["bytes_sent"] > fresh_hub.products[0].size_bytes
    download = fresh_hub.requests[1]
    assert (download.product, download.account, download.method) == (fresh_hub.products[0].title, "user", "GET")
