"""The hub's STAC API: read by pystac, searched by eodag and by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pystac
import pytest
import requests
from hub_visitors import Visitor

from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.synthetic.hub import Hub
from s4c_lib.synthetic.hub.served_product import iso

SITE = {"type": "Polygon", "coordinates": [[[4.5, 50.6], [4.8, 50.6], [4.8, 50.8], [4.5, 50.8], [4.5, 50.6]]]}
FAR = {"type": "Point", "coordinates": [14.5, 50.6]}


def titles(hub: Hub, kind: ProductKind) -> set[str]:
    return {product.title for product in hub.products if product.name.kind is kind}


def search(hub: Hub, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{hub.stac_url}/search", json={"limit": 100, **body}, timeout=10)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def found(page: dict[str, Any]) -> set[str]:
    return {feature["id"] for feature in page["features"]}


def compared(sign: str, name: str, value: Any) -> dict[str, Any]:
    return {"op": sign, "args": [{"property": name}, value]}


def test_items_are_stac(hub: Hub) -> None:
    for feature in search(hub)["features"]:
        item = pystac.Item.from_dict(feature)
        product = hub.product(item.id)
        assert item.properties["datetime"] == iso(product.start)
        asset = item.assets["product"]
        assert asset.extra_fields["file:size"] == product.size_bytes
        assert asset.extra_fields["file:checksum"] == f"d50110{product.md5}"
    landing = requests.get(hub.stac_url, timeout=10).json()
    assert {link["rel"] for link in landing["links"]} >= {"self", "data", "search", "conformance"}
    listed = requests.get(f"{hub.stac_url}/collections", timeout=10).json()["collections"]
    assert [pystac.Collection.from_dict(one).id for one in listed] == sorted(one["id"] for one in listed)
    for name in ("collections/sentinel-2-l2a", "collections/sentinel-2-l2a/queryables", "conformance"):
        assert requests.get(f"{hub.stac_url}/{name}", timeout=10).status_code == 200
    one = hub.products[0]
    assert requests.get(f"{hub.stac_url}/collections/sentinel-2-l1c/items/{one.title}", timeout=10).json()["id"]
    for absent in ("collections/moon", "collections/sentinel-2-l1c/items/moon", "assets/moon.zip"):
        assert requests.get(f"{hub.stac_url}/{absent}", timeout=10).status_code == 404


def test_searches_find_what_they_say(hub: Hub) -> None:
    l2a = titles(hub, ProductKind.S2_L2A)
    clear = {one.title for one in hub.products if one.title in l2a and (one.cloud_pct or 0) <= 50}
    one = min(l2a)
    both = [compared("=", "collection", "sentinel-2-l2a"), compared("like", "id", "%N0510%")]
    newest_l2a = {"op": "and", "args": both}
    of_l2a = {"collections": ["sentinel-2-l2a"]}
    for body, expected in (
        (of_l2a, l2a),
        ({**of_l2a, "intersects": SITE}, l2a),
        ({**of_l2a, "intersects": FAR}, set()),
        ({**of_l2a, "bbox": [4.5, 50.6, 4.8, 50.8]}, l2a),
        ({**of_l2a, "bbox": [14, 50, 0, 15, 51, 9]}, set()),
        ({**of_l2a, "datetime": "2024-03-01T00:00:00Z/2024-03-01T23:59:59Z"}, {one}),
        ({**of_l2a, "datetime": "2024-04-01T00:00:00Z/.."}, set()),
        ({"ids": [one]}, {one}),
        ({**of_l2a, "query": {"eo:cloud_cover": {"lte": 50}, "grid:code": {"eq": "MGRS-31UFS"}}}, clear),
        ({**of_l2a, "query": {"platform": {"in": ["sentinel-9"]}}}, set()),
        ({"query": {"id": {"startsWith": "S2"}, "collection": {"eq": "sentinel-2-l2a"}}}, l2a),
        ({**of_l2a, "filter": compared("<=", "eo:cloud_cover", 50)}, clear),
        ({**of_l2a, "filter": {"op": "not", "args": [compared("<=", "eo:cloud_cover", 50)]}}, l2a - clear),
        ({"filter": newest_l2a}, {title for title in l2a if "N0510" in title}),
        ({"filter": compared("in", "id", [one, "moon"])}, {one}),
        ({**of_l2a, "filter": compared("s_intersects", "geometry", FAR)}, set()),
        ({**of_l2a, "filter": compared("<", "datetime", {"timestamp": "2024-03-02T00:00:00Z"})}, {one}),
        ({**of_l2a, "filter": {"op": "between", "args": [{"property": "eo:cloud_cover"}, 0, 50]}}, clear),
    ):
        assert found(search(hub, **body)) == expected, body


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"mood": "good"}, "mood"),
        ({"filter": {"op": "t_during", "args": [{"property": "datetime"}, 1]}}, "t_during"),
        ({"filter": "eo:cloud_cover < 5"}, "eo:cloud_cover"),
        ({"query": {"id": {"near": 5}}}, "near"),
        ({"intersects": {"type": "Circle"}}, "Circle"),
        ({"datetime": "yesterday"}, "yesterday"),
        ({"limit": 5000}, "5000"),
        ({"token": "page:9"}, "token"),
        ({"sortby": ["datetime"]}, "sortby"),
    ],
)
def test_what_is_not_understood_is_named(hub: Hub, body: dict[str, Any], named: str) -> None:
    answer = requests.post(f"{hub.stac_url}/search", data=json.dumps(body), timeout=10)
    assert answer.status_code == 400
    assert named in answer.json()["description"]


def test_pages_follow_their_links(hub: Hub) -> None:
    body = {"limit": 6, "sortby": [{"field": "datetime", "direction": "desc"}]}
    page = search(hub, **body)
    features = list(page["features"])
    while links := [link for link in page["links"] if link["rel"] == "next"]:
        page = requests.request(links[0]["method"], links[0]["href"], json=links[0]["body"], timeout=10).json()
        features += page["features"]
    moments = [feature["properties"]["datetime"] for feature in features]
    assert moments == sorted(moments, reverse=True)
    query = {"limit": "6", "sortby": "-datetime", "collections": "", "datetime": "2024-03-01T00:00:00Z/.."}
    page = requests.get(f"{hub.stac_url}/search", params=query, timeout=10).json()
    by_get = list(page["features"])
    while links := [link for link in page["links"] if link["rel"] == "next"]:
        page = requests.get(links[0]["href"], timeout=10).json()
        by_get += page["features"]
    assert {one["id"] for one in by_get} == {one["id"] for one in features} == {one.title for one in hub.products}
    assert len(by_get) == len(features) == page["numberMatched"]


def test_a_page_mark_is_no_secret(fresh_hub: Hub) -> None:
    requests.get(f"{fresh_hub.stac_url}/search", params={"token": "next:3"}, timeout=10)
    assert fresh_hub.ledger()["tokens_in_urls"] == 0


def test_assets_need_a_token_unless_they_are_open(hub: Hub, visitor: Visitor, make_hub: Callable[..., Hub]) -> None:
    product = hub.products[0]
    address = f"{hub.stac_url}/assets/{product.file_name}"
    assert requests.get(address, timeout=10).status_code == 401
    content = requests.get(address, headers=visitor.bearer(), timeout=10).content
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == product.md5
    hub.faults.offline(product.title)
    [feature] = search(hub, ids=[product.title])["features"]
    assert feature["assets"]["product"]["storage:tier"] == "offline"
    with make_hub(open_assets=True) as open_hub:
        assert requests.get(f"{open_hub.stac_url}/assets/{product.file_name}", timeout=10).content == content


def test_eodag_searches_it_as_any_stac_api(gateway: Any, hub: Hub) -> None:
    gateway.add_provider(
        "hub",
        f"{hub.stac_url}/search",
        products={"S2_MSI_L2A": {"_collection": "sentinel-2-l2a"}},
        search={"discover_metadata": {"auto_discovery": False}, "discover_queryables": {"fetch_url": None}},
    )
    page = gateway.search(
        provider="hub",
        collection="S2_MSI_L2A",
        start="2024-03-01",
        end="2024-04-01",
        geom={"lonmin": 4.5, "latmin": 50.6, "lonmax": 4.8, "latmax": 50.8},
        limit=2,
        raise_errors=True,
    )
    names = {product.properties["id"] for product in page}
    for more in page.next_page(update=False):
        names |= {product.properties["id"] for product in more}
    assert names == titles(hub, ProductKind.S2_L2A)
