"""The hub's OData catalogue, asked by hand and by eodag."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from hub_visitors import Visitor
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.synthetic.hub import Hub, HubLimits
from s4c_lib.synthetic.hub.odata_filter import parse_filter

SITE = "POLYGON ((4.5 50.6, 4.8 50.6, 4.8 50.8, 4.5 50.8, 4.5 50.6))"
FAR = "POLYGON ((14.5 50.6, 14.8 50.6, 14.8 50.8, 14.5 50.8, 14.5 50.6))"
COLLECTIONS = {
    "S2_MSI_L2A": ProductKind.S2_L2A,
    "S2_MSI_L2A_MAJA": ProductKind.MUSCATE_L2A,
    "S1_SAR_SLC": ProductKind.S1_SLC,
    "S1_L2_COHE": ProductKind.S1_COHE,
    "LANDSAT_C2L2": ProductKind.LANDSAT_L2SP,
}


def attribute(kind: str, name: str, test: str) -> str:
    value = f"att/OData.CSC.{kind}Attribute/Value {test}"
    return f"Attributes/OData.CSC.{kind}Attribute/any(att:att/Name eq '{name}' and {value})"


def titles(hub: Hub, *kinds: ProductKind) -> set[str]:
    return {product.title for product in hub.products if product.name.kind in kinds}


def found(answer: requests.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {entry["Name"].removesuffix(".SAFE").removesuffix(".tif") for entry in answer.json()["value"]}


def test_filters_find_what_they_say(hub: Hub, visitor: Visitor) -> None:
    l2a = titles(hub, ProductKind.S2_L2A)
    type_l2a = attribute("String", "productType", "eq 'S2MSI2A'")
    of_tile = attribute("String", "tileId", "eq '31UFS'")
    for text, expected in {
        type_l2a: l2a,
        f"Collection/Name eq 'SENTINEL-2' and {type_l2a}": l2a,
        f"Collection/Name eq 'SENTINEL-1' and {type_l2a}": set(),
        attribute("String", "productType", "eq 'SLC'"): titles(hub, ProductKind.S1_SLC),
        "contains(Name,'_MSIL2A_')": l2a,
        "startswith(Name,'S2') and not contains(Name,'MSIL2A')": titles(hub, ProductKind.S2_L1C),
        f"{type_l2a} and OData.CSC.Intersects(area=geography'SRID=4326;{SITE}')": l2a,
        f"{type_l2a} and OData.CSC.Intersects(area=geography'SRID=4326;{FAR}')": set(),
        f"{type_l2a} and {of_tile}": l2a,
        f"{type_l2a} and {attribute('Integer', 'relativeOrbitNumber', 'eq 51')}": l2a,
        f"{type_l2a} and {attribute('Double', 'cloudCover', 'le 50.0')}": {
            one.title for one in hub.products if one.title in l2a and (one.cloud_pct or 0) <= 50
        },
        f"{type_l2a} and (contains(Name,'S2A_') or contains(Name,'S2B_'))": l2a,
        f"Id in ('{hub.products[0].id}','{hub.products[1].id}')": {one.title for one in hub.products[:2]},
        f"Id eq {hub.products[2].id}": {hub.products[2].title},
        "Online eq false": set(),
    }.items():
        assert found(visitor.search(filter=text, top=100)) == expected, text


@given(first=st.integers(-2, 18), days=st.integers(0, 18))
def test_dates_are_compared_as_moments(first: int, days: int) -> None:
    begin = datetime.fromisoformat("2024-03-01T00:00:00+00:00") + timedelta(days=first)
    end = begin + timedelta(days=days)
    predicate = parse_filter(
        f"ContentDate/Start ge {begin:%Y-%m-%dT%H:%M:%S}.000Z and ContentDate/Start lt {end:%Y-%m-%dT%H:%M:%S}Z"
    )
    for day in range(20):
        moment = datetime.fromisoformat("2024-03-01T10:36:21+00:00") + timedelta(days=day)
        assert predicate(lambda path, moment=moment: moment) == (begin <= moment < end)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Mood eq 'good'", "Mood"),
        ("Name like 'x'", "like"),
        ("Name eq", "end"),
        ("tolower(Name) eq 'x'", "tolower"),
        ("(Name eq 'x'", "end"),
        ("Name eq 'x' Name eq 'y'", "Name"),
        ("OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((1 2')", "POLYGON((1 2"),
        ("OData.CSC.Intersects(area=geography'SRID=3857;POINT(1 2)')", "SRID=3857"),
        ("Attributes/OData.CSC.StringAttribute/any(att:att/Colour eq 'x')", "att/Colour"),
        ("ContentDate/Start gt 2024-13-01T00:00:00Z", "2024-13-01"),
        ("Name eq #", "#"),
    ],
)
def test_what_is_not_understood_is_named(visitor: Visitor, text: str, named: str) -> None:
    with pytest.raises(InputError, match="construct"):
        parse_filter(text)
    answer = visitor.search(filter=text)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]["message"]


def test_pages_join_without_gap(hub: Hub, visitor: Visitor) -> None:
    first = visitor.search(top=7, count="True", orderby="ContentDate/Start desc").json()
    assert first["@odata.count"] == len(hub.products)
    entries, link = list(first["value"]), first.get("@odata.nextLink")
    while link:
        page = requests.get(link, timeout=10).json()
        entries += page["value"]
        link = page.get("@odata.nextLink")
    assert sorted(entry["Id"] for entry in entries) == sorted(product.id for product in hub.products)
    starts = [entry["ContentDate"]["Start"] for entry in entries]
    assert starts == sorted(starts, reverse=True)


def test_paging_ends_where_the_data_space_ends_it(make_hub: Callable[..., Hub]) -> None:
    with make_hub(limits=HubLimits(top_limit=10, skip_limit=20)) as hub:
        visitor = Visitor(hub)
        assert visitor.search(top=10, skip=20).status_code == 200
        for parameters, name in (({"top": 11}, "$top"), ({"top": 10, "skip": 21}, "$skip")):
            answer = visitor.search(**parameters)
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["loc"] == ["query", name]
        assert visitor.search(top="many").status_code == 400
        assert visitor.search(orderby="Mood").status_code == 400


def test_a_single_product_is_found_by_its_id(hub: Hub, visitor: Visitor) -> None:
    product = hub.products[0]
    entry = requests.get(visitor.address(product.title).removesuffix("/$value"), timeout=10).json()
    assert entry["Checksum"][0] == {
        "Value": product.md5,
        "Algorithm": "MD5",
        "ChecksumDate": entry["PublicationDate"],
    }
    assert entry["ContentLength"] == product.size_bytes
    absent = f"{hub.url}/odata/v1/Products(00000000-0000-0000-0000-000000000000)"
    assert requests.get(absent, timeout=10).status_code == 404
    assert requests.get(f"{hub.url}/odata/v2/Products", timeout=10).status_code == 404
    assert requests.post(f"{hub.url}/odata/v1/Products", timeout=10).status_code == 405


def test_an_order_runs_until_it_is_complete(hub: Hub, visitor: Visitor) -> None:
    product = hub.products[0]
    hub.faults.offline(product.title, polls=2)
    headers = visitor.bearer()
    assert found(visitor.search(filter="Online eq false")) == {product.title}
    assert visitor.fetch(product.title, headers).status_code == 422
    address = visitor.address(product.title).replace("$value", "OData.CSC.Order")
    assert requests.post(address, timeout=10).status_code == 401
    order = requests.post(address, headers=headers, timeout=10)
    assert (order.status_code, order.json()["Status"]) == (201, "queued")
    assert requests.post(address, headers=headers, timeout=10).json()["Id"] == order.json()["Id"]
    state = f"{hub.url}/odata/v1/Orders({order.json()['Id']})"
    answers = [requests.get(state, headers=headers, timeout=10).json()["Status"] for _ in range(2)]
    assert answers == ["running", "completed"]
    assert visitor.fetch(product.title, headers).status_code == 200


def test_orders_are_limited(make_hub: Callable[..., Hub]) -> None:
    clock = iter(range(1_800_000_000, 1_900_000_000, 10)).__next__
    with make_hub(limits=HubLimits(order_quota=1), clock=clock) as hub:
        visitor = Visitor(hub)
        headers = visitor.bearer()
        one, two = hub.products[:2]
        for product in (one, two):
            hub.faults.offline(product.title, polls=1)
        addresses = [visitor.address(product.title).replace("$value", "OData.CSC.Order") for product in (one, two)]
        answers = [requests.post(address, headers=headers, timeout=10).status_code for address in addresses]
        assert answers == [201, 429]
        requests.get(visitor.address(one.title).removesuffix("/$value"), timeout=10)
        assert requests.post(addresses[1], headers=headers, timeout=10).status_code == 201


def test_eodag_finds_every_kind(gateway: Any, hub: Hub) -> None:
    for collection, kind in COLLECTIONS.items():
        page = gateway.search(
            provider="cop_dataspace",
            collection=collection,
            start="2024-03-01",
            end="2024-04-01",
            geom=SITE,
            limit=2,
            raise_errors=True,
        )
        names = {product.properties["title"] for product in page}
        for more in page.next_page(update=False):
            names |= {product.properties["title"] for product in more}
        assert names == titles(hub, kind), collection


def test_eodag_reads_what_it_needs(gateway: Any, hub: Hub) -> None:
    wanted = next(one for one in hub.products if one.name.kind is ProductKind.S2_L2A)
    hub.faults.offline(wanted.title, polls=1)
    day = {"start": f"{wanted.start:%Y-%m-%d}", "end": f"{wanted.end + timedelta(days=1):%Y-%m-%d}"}
    page = gateway.search(provider="cop_dataspace", collection="S2_MSI_L2A", raise_errors=True, **day)
    [product] = [one for one in page if one.properties["title"] == wanted.title]
    told = product.properties
    assert (told["file:size"], told["file:checksum"]) == (wanted.size_bytes, wanted.md5)
    assert (told["eo:cloud_cover"], told["sat:relative_orbit"]) == (wanted.cloud_pct, 51)
    assert (told["sat:orbit_state"], told["grid:code"]) == ("descending", "MGRS-31UFS")
    assert told["order:status"] == "orderable"
    assert product.geometry.equals_exact(wanted.footprint, 1e-9)
    auth = product.downloader_auth.authenticate()
    product.downloader._order(product, auth)
    product.downloader._order_status(product, auth)
    assert product.properties["order:status"] == "succeeded"
