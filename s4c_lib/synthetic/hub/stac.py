"""The same products as a STAC API 1.0, with search by GET and POST and pages by token."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

import shapely

from s4c_lib.errors import InputError
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.product_kinds import Satellite
from s4c_lib.synthetic.hub.cql2 import Predicate, Row, among, intersecting, parse_cql2, parse_query
from s4c_lib.synthetic.hub.delivery import Delivery
from s4c_lib.synthetic.hub.exchange import Answer, Call, Route, json_answer, route
from s4c_lib.synthetic.hub.served_product import ServedProduct, iso, words_of
from s4c_lib.synthetic.hub.shelf import Shelf

ROOT = "/stac"
_VERSION = "1.0.0"
_CONFORMS = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#query",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
)
_LIMIT, _MOST = 10, 1000
_ASKED = frozenset(
    {
        "bbox",
        "collections",
        "datetime",
        "fields",
        "filter",
        "filter-crs",
        "filter-lang",
        "ids",
        "intersects",
        "limit",
        "query",
        "sortby",
        "token",
    }
)
_MULTIHASH_MD5 = "d50110"


class StacCatalogue:
    """Answers of the STAC API.

    Parameters
    ----------
    open_assets : assets need no token.
    """

    def __init__(self, shelf: Shelf, delivery: Delivery, base_url: str, *, open_assets: bool) -> None:
        self._shelf = shelf
        self._delivery = delivery
        self._root = f"{base_url}{ROOT}"
        self._open_assets = open_assets

    def routes(self) -> tuple[Route, ...]:
        """What it answers."""
        one = rf"{ROOT}/collections/(?P<collection>[\w-]+)"
        return (
            route("info", "GET", rf"{ROOT}/?", self._landing),
            route("info", "GET", rf"{ROOT}/conformance", self._conformance),
            route("info", "GET", rf"{ROOT}/collections", self._collections),
            route("info", "GET", rf"(?:{ROOT}|{one})/queryables", self._queryables),
            route("info", "GET", one, self._collection),
            route("product", "GET", rf"{one}/items/(?P<name>[\w.-]+)", self._item),
            route("search", "GET POST", rf"{ROOT}/search", self._search),
            route("download", "GET HEAD", rf"{ROOT}/assets/(?P<file>[\w.-]+)", self._asset),
        )

    def _landing(self, call: Call, found: re.Match[str]) -> Answer:
        links = [
            {"rel": "self", "type": "application/json", "href": self._root},
            {"rel": "root", "type": "application/json", "href": self._root},
            {"rel": "conformance", "type": "application/json", "href": f"{self._root}/conformance"},
            {"rel": "data", "type": "application/json", "href": f"{self._root}/collections"},
            {"rel": "search", "type": "application/geo+json", "href": f"{self._root}/search", "method": "GET"},
            {"rel": "search", "type": "application/geo+json", "href": f"{self._root}/search", "method": "POST"},
        ]
        landing = {"type": "Catalog", "id": "hub", "title": "Synthetic season", "stac_version": _VERSION}
        return json_answer(
            {**landing, "description": "Products that were never observed", "conformsTo": _CONFORMS, "links": links}
        )

    def _conformance(self, call: Call, found: re.Match[str]) -> Answer:
        return json_answer({"conformsTo": _CONFORMS})

    def _collections(self, call: Call, found: re.Match[str]) -> Answer:
        return json_answer(
            {
                "collections": [self._described(name, products) for name, products in self._by_collection().items()],
                "links": [{"rel": "self", "type": "application/json", "href": f"{self._root}/collections"}],
            }
        )

    def _collection(self, call: Call, found: re.Match[str]) -> Answer:
        products = self._by_collection().get(found["collection"])
        return (
            _error(404, "Collection not found")
            if not products
            else json_answer(self._described(found["collection"], products))
        )

    def _queryables(self, call: Call, found: re.Match[str]) -> Answer:
        names = {"eo:cloud_cover": "number", "grid:code": "string", "sat:relative_orbit": "integer"}
        return json_answer(
            {
                "$schema": "https://json-schema.org/draft/2019-09/schema",
                "type": "object",
                "properties": {name: {"title": name, "type": kind} for name, kind in names.items()},
            }
        )

    def _item(self, call: Call, found: re.Match[str]) -> Answer:
        for product in self._by_collection().get(found["collection"], ()):
            if product.title == found["name"]:
                return _geojson(self._feature(product))
        return _error(404, "Item not found")

    def _search(self, call: Call, found: re.Match[str]) -> Answer:
        try:
            asked = call.json() if call.method == "POST" else _of_url(call)
            predicate = _predicate(asked)
            limit = _limit(asked)
            start = _start(asked)
            order = _order(asked.get("sortby"))
        except InputError as error:
            return _error(400, error.message)
        listed = [product for product in self._shelf.listed() if predicate(_row(product))]
        self._shelf.search_done()
        for name, descending in reversed(order):
            listed.sort(key=lambda product: _sort_value(product, name), reverse=descending)
        links: list[dict[str, Any]] = [{"rel": "root", "type": "application/json", "href": self._root}]
        if start + limit < len(listed):
            links.append(self._next(call, asked, f"next:{start + limit}"))
        page = [self._feature(product) for product in listed[start : start + limit]]
        return _geojson(
            {
                "type": "FeatureCollection",
                "features": page,
                "links": links,
                "numberMatched": len(listed),
                "numberReturned": len(page),
            }
        )

    def _next(self, call: Call, asked: dict[str, Any], token: str) -> dict[str, Any]:
        link = {"rel": "next", "type": "application/geo+json", "href": f"{self._root}/search", "method": call.method}
        if call.method == "POST":
            return {**link, "merge": False, "body": {**asked, "token": token}}
        query = [(key, value) for key, value in call.query if key != "token"] + [("token", token)]
        return {**link, "href": f"{link['href']}?" + "&".join(f"{key}={quote(value)}" for key, value in query)}

    def _asset(self, call: Call, found: re.Match[str]) -> Answer:
        product = next((one for one in self._shelf.products() if one.file_name == found["file"]), None)
        if product is None:
            return _error(404, "Asset not found")
        if self._open_assets and self._shelf.is_online(product, look=False):
            return self._delivery.file(product, call)
        return self._delivery.to_bearer(call, product.id)

    def _by_collection(self) -> dict[str, list[ServedProduct]]:
        found: dict[str, list[ServedProduct]] = {}
        for product in self._shelf.listed():
            found.setdefault(words_of(product.name.kind).stac, []).append(product)
        return dict(sorted(found.items()))

    def _described(self, name: str, products: list[ServedProduct]) -> dict[str, Any]:
        bounds = [float(value) for value in shapely.total_bounds([product.footprint for product in products])]
        times = [iso(min(product.start for product in products)), iso(max(product.end for product in products))]
        href = f"{self._root}/collections/{name}"
        return {
            "type": "Collection",
            "id": name,
            "stac_version": _VERSION,
            "title": name,
            "description": f"Synthetic products of {name}",
            "license": "proprietary",
            "extent": {"spatial": {"bbox": [bounds]}, "temporal": {"interval": [times]}},
            "links": [
                {"rel": "self", "type": "application/json", "href": href},
                {"rel": "root", "type": "application/json", "href": self._root},
            ],
        }

    def _feature(self, product: ServedProduct) -> dict[str, Any]:
        collection = words_of(product.name.kind).stac
        online = self._shelf.is_online(product)
        asset = {
            "href": f"{self._root}/assets/{product.file_name}",
            "type": "application/zip" if product.file_name.endswith(".zip") else "application/octet-stream",
            "roles": ["data"],
            "file:size": product.size_bytes,
            "file:checksum": f"{_MULTIHASH_MD5}{self._shelf.stated_md5(product)}",
            "storage:tier": "online" if online else "offline",
        }
        return {
            "type": "Feature",
            "stac_version": _VERSION,
            "stac_extensions": [],
            "id": product.title,
            "collection": collection,
            "geometry": product.footprint.__geo_interface__,
            "bbox": list(product.footprint.bounds),
            "properties": _properties(product) | {"storage:tier": asset["storage:tier"]},
            "assets": {"product": asset},
            "links": [
                {"rel": "self", "href": f"{self._root}/collections/{collection}/items/{product.title}"},
                {"rel": "collection", "href": f"{self._root}/collections/{collection}"},
                {"rel": "root", "href": self._root},
            ],
        }


def _properties(product: ServedProduct) -> dict[str, Any]:
    name = product.name
    properties: dict[str, Any] = {
        "datetime": iso(product.start),
        "start_datetime": iso(product.start),
        "end_datetime": iso(product.end),
        "created": iso(product.published),
        "updated": iso(product.published),
        "published": iso(product.published),
        "platform": name.platform,
        "constellation": name.satellite.value.replace("sentinel", "sentinel-"),
        "instruments": ["sar" if name.satellite is Satellite.SENTINEL1 else "msi"],
        "product:type": words_of(name.kind).odata_types[0],
    }
    if product.cloud_pct is not None:
        properties["eo:cloud_cover"] = product.cloud_pct
    if product.relative_orbit is not None:
        properties["sat:relative_orbit"] = product.relative_orbit
    if name.absolute_orbit is not None:
        properties["sat:absolute_orbit"] = name.absolute_orbit
    if product.direction is not None:
        properties["sat:orbit_state"] = product.direction.value
    if name.satellite is Satellite.SENTINEL2:
        properties["grid:code"] = f"MGRS-{name.tile or product.tiles[0]}"
    if name.polarisations:
        properties["sar:polarizations"] = list(name.polarisations)
    if product.processed is not None:
        properties["processing:datetime"] = iso(product.processed)
    return properties


def _row(product: ServedProduct) -> Row:
    def value(name: str) -> Any:
        match name:
            case "id":
                return product.title
            case "collection":
                return words_of(product.name.kind).stac
            case "geometry":
                return product.footprint
            case "interval":
                return product.start, product.end
        return _properties(product).get(name.removeprefix("properties."))

    return value


def _predicate(asked: dict[str, Any]) -> Predicate:
    unknown = sorted(set(asked) - _ASKED)
    if unknown:
        raise InputError(f"Filter not understood: {unknown[0]}", hint=f"one of {', '.join(sorted(_ASKED))}")
    parts: list[Predicate] = []
    for name, of in (("collections", "collection"), ("ids", "id")):
        if asked.get(name):
            parts.append(among(of, asked[name]))
    if asked.get("bbox"):
        numbers = [float(number) for number in asked["bbox"]]
        if len(numbers) not in {4, 6}:
            raise InputError("Filter not understood: bbox", hint="west, south, east, north")
        half = len(numbers) // 2
        area = shapely.box(numbers[0], numbers[1], numbers[half], numbers[half + 1])
        parts.append(intersecting(area.__geo_interface__))
    if asked.get("intersects"):
        parts.append(intersecting(asked["intersects"]))
    if asked.get("datetime"):
        parts.append(_during(str(asked["datetime"])))
    if asked.get("query"):
        parts.append(parse_query(asked["query"]))
    if asked.get("filter"):
        parts.append(parse_cql2(asked["filter"]))
    return lambda row: all(part(row) for part in parts)


def _during(text: str) -> Predicate:
    first, mark, last = text.partition("/")
    begin, end = _bound(first), _bound(last if mark else first)

    def holds(row: Row) -> bool:
        start, stop = row("interval")
        return (begin is None or stop >= begin) and (end is None or start <= end)

    return holds


def _bound(text: str) -> datetime | None:
    if text in {"", ".."}:
        return None
    moment = utc_time(text)
    if moment is None:
        raise InputError(f"Filter not understood: datetime {text}", hint="2024-03-01T00:00:00Z/2024-03-31T23:59:59Z")
    return moment


def _of_url(call: Call) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for name, value in call.query:
        if name in {"bbox", "collections", "ids"}:
            asked[name] = [item for item in value.split(",") if item]
        elif name in {"intersects", "query", "filter"}:
            try:
                asked[name] = json.loads(value)
            except ValueError as error:
                raise InputError(f"Filter not understood: {name} is no JSON", hint="CQL2 in JSON") from error
        elif name == "sortby":
            asked[name] = [
                {"field": item.lstrip("+-"), "direction": "desc" if item.startswith("-") else "asc"}
                for item in value.replace(" ", "+").split(",")
            ]
        else:
            asked[name] = value
    return asked


def _limit(asked: dict[str, Any]) -> int:
    text = str(asked.get("limit", _LIMIT))
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise InputError(f"limit {text} is not between 1 and {_MOST}", hint=f"at most {_MOST}")
    return int(text)


def _start(asked: dict[str, Any]) -> int:
    kind, _, number = str(asked.get("token") or "next:0").partition(":")
    if kind != "next" or not number.isdecimal():
        raise InputError("the token is not one of this hub", hint="follow the link next")
    return int(number)


def _order(sortby: Any) -> list[tuple[str, bool]]:
    order = []
    for item in sortby or ():
        if not isinstance(item, dict) or "field" not in item:
            raise InputError("Filter not understood: sortby", hint='[{"field": "datetime", "direction": "asc"}]')
        order.append((str(item["field"]), item.get("direction") == "desc"))
    return order


def _sort_value(product: ServedProduct, name: str) -> tuple[bool, Any]:
    value = _row(product)(name)
    return (value is not None, "" if value is None else value)


def _geojson(document: dict[str, Any]) -> Answer:
    answer = json_answer(document)
    return Answer(200, answer.body, {"Content-Type": "application/geo+json"})


def _error(status: int, message: str) -> Answer:
    return json_answer(
        {"code": "NotFoundError" if status == 404 else "RequestValidationError", "description": message}, status
    )
