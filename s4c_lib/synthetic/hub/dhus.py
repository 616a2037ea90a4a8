"""The Data Hub Software of the former Copernicus hubs: search by Solr, metadata and bytes by OData 1."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import Satellite
from s4c_lib.synthetic.hub.delivery import Delivery
from s4c_lib.synthetic.hub.exchange import Answer, Call, Handler, Route, json_answer, route
from s4c_lib.synthetic.hub.identity import Identity
from s4c_lib.synthetic.hub.served_product import PLATFORM_NAMES, ServedProduct, iso, platform_letter, words_of
from s4c_lib.synthetic.hub.shelf import Shelf
from s4c_lib.synthetic.hub.solr_query import FIELDS, Row, parse_query

ROOT = "/dhus"
_PRODUCT = rf"{ROOT}/odata/v1/Products\('(?P<product>[0-9a-fA-F-]+)'\)"
_VERSION = "2.4.1"
_LOGIN = (
    b"<!doctype html><title>401</title><h1>HTTP Status 401 - Full authentication is required to access this resource"
    b"</h1>"
)


class DhusCatalogue:
    """Answers of a DHuS; every one of them needs basic authentication.

    Parameters
    ----------
    row_limit : rows of one page of a search.
    quota : products of one account on their way from tape.
    clock : Unix seconds, for ``NOW`` in queries.
    """

    def __init__(
        self,
        shelf: Shelf,
        identity: Identity,
        delivery: Delivery,
        base_url: str,
        *,
        row_limit: int,
        quota: int,
        clock: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._identity = identity
        self._delivery = delivery
        self._root = f"{base_url}{ROOT}"
        self._row_limit = row_limit
        self._quota = quota
        self._clock = clock

    def routes(self) -> tuple[Route, ...]:
        """What it answers."""
        file_name = rf"{_PRODUCT}/Attributes\('Filename'\)/Value/\$value"
        return (
            route("search", "GET", rf"{ROOT}/search", self._for_account(self._search)),
            route("info", "GET", rf"{ROOT}/api/stub/version", self._for_account(self._version)),
            route("product", "GET", _PRODUCT, self._for_account(self._product)),
            route("product", "GET", rf"{_PRODUCT}/Online/\$value", self._for_account(self._online)),
            route("product", "GET", file_name, self._for_account(self._file_name)),
            route("download", "GET HEAD", rf"{_PRODUCT}/\$value", self._for_account(self._value)),
        )

    def _for_account(self, handler: Callable[[Call, re.Match[str], str], Answer]) -> Handler:
        def answer(call: Call, found: re.Match[str]) -> Answer:
            account = self._identity.basic(call.headers.get("authorization", ""))
            if account is None:
                headers = {"Content-Type": "text/html", "WWW-Authenticate": 'Basic realm="dhus"'}
                return Answer(401, _LOGIN, headers)
            given = handler(call, found, account)
            return Answer(given.status, given.body, given.headers, account, given.session)

        return answer

    def _version(self, call: Call, found: re.Match[str], account: str) -> Answer:
        return json_answer({"value": _VERSION})

    def _search(self, call: Call, found: re.Match[str], account: str) -> Answer:
        try:
            rows, start = call.count("rows", 10), call.count("start", 0)
            if rows > self._row_limit:
                message = f"Parameter rows: {rows} exceeds the maximum of {self._row_limit}"
                return json_answer({"feed": {"error": {"code": "400", "message": message}}}, 400, cause_message=message)
            predicate = parse_query(call.value("q"), now=datetime.fromtimestamp(self._clock(), UTC))
            order = _order_of(call.value("orderby"))
        except InputError as error:
            return json_answer({"feed": {"error": {"code": "500", "message": error.message}}})
        listed = [product for product in self._shelf.listed() if predicate(_row(product))]
        self._shelf.search_done()
        # Newest first, as DHuS lists them when nothing else is asked for.
        for field, descending in reversed(order or [("beginposition", True)]):
            listed.sort(key=lambda product: _sort_value(product, field), reverse=descending)
        entries = [self._entry(product) for product in listed[start : start + rows]]
        feed: dict[str, Any] = {
            "title": f"Sentinels Scientific Data Hub search results for: {call.value('q')}",
            "opensearch:totalResults": str(len(listed)),
            "opensearch:startIndex": str(start),
            "opensearch:itemsPerPage": str(rows),
        }
        if entries:
            # Translated from XML: a list of one is no list.
            feed["entry"] = entries if len(entries) > 1 else entries[0]
        return json_answer({"feed": feed})

    def _entry(self, product: ServedProduct) -> dict[str, Any]:
        row = _row(product)
        media = f"{self._root}/odata/v1/Products('{product.id}')/$value"
        texts = ["filename", "identifier", "platformname", "producttype", "orbitdirection", "tileid", "processinglevel"]
        texts += ["polarisationmode", "sensoroperationalmode", "platformserialidentifier", "uuid"]
        entry: dict[str, Any] = {
            "title": product.title,
            "link": [
                {"href": media},
                {"rel": "alternative", "href": media.removesuffix("$value")},
            ],
            "id": product.id,
            "summary": f"Date: {iso(product.start)}, Satellite: {row('platformname')}, Size: {_size(product)}",
            "ondemand": "false",
            "date": [
                {"name": name, "content": iso(row(name))} for name in ("ingestiondate", "beginposition", "endposition")
            ],
            "str": [
                *({"name": name, "content": row(name)} for name in texts if row(name) is not None),
                {"name": "size", "content": _size(product)},
                {"name": "footprint", "content": product.footprint.wkt},
                {"name": "gmlfootprint", "content": gml(product.footprint)},
            ],
        }
        numbers = [
            {"name": name, "content": str(row(name))}
            for name in ("orbitnumber", "relativeorbitnumber")
            if row(name) is not None
        ]
        if numbers:
            entry["int"] = numbers if len(numbers) > 1 else numbers[0]
        if product.cloud_pct is not None:
            entry["double"] = {"name": "cloudcoverpercentage", "content": str(product.cloud_pct)}
        return entry

    def _product(self, call: Call, found: re.Match[str], account: str) -> Answer:
        product = self._shelf.listed_of_id(found["product"].lower())
        if product is None:
            return _invalid_key(found["product"])
        uri = f"{self._root}/odata/v1/Products('{product.id}')"
        attributes: dict[str, Any] = {"__deferred": {"uri": f"{uri}/Attributes"}}
        if "Attributes" in {value for key, value in call.query if key == "$expand"}:
            row = _row(product)
            named = {name: row(name) for name in sorted(FIELDS - {"footprint"}) if row(name) is not None}
            attributes = {
                "results": [
                    {"Name": name, "Value": iso(value) if isinstance(value, datetime) else str(value)}
                    for name, value in named.items()
                ]
            }
        entry = {
            "__metadata": {
                "id": uri,
                "uri": uri,
                "type": "DHuS.Product",
                "content_type": "application/octet-stream",
                "media_src": f"{uri}/$value",
            },
            "Id": product.id,
            "Name": product.title,
            "ContentType": "application/octet-stream",
            "ContentLength": str(product.size_bytes),
            "CreationDate": _milliseconds(product.published),
            "IngestionDate": _milliseconds(product.published),
            "ModificationDate": _milliseconds(product.published),
            "Online": self._shelf.is_online(product),
            "OnDemand": False,
            "ContentDate": {"Start": _milliseconds(product.start), "End": _milliseconds(product.end)},
            "Checksum": {"Algorithm": "MD5", "Value": self._shelf.stated_md5(product).upper()},
            "ContentGeometry": gml(product.footprint),
            "Attributes": attributes,
        }
        return json_answer({"d": entry})

    def _online(self, call: Call, found: re.Match[str], account: str) -> Answer:
        product = self._shelf.listed_of_id(found["product"].lower())
        return _invalid_key(found["product"]) if product is None else json_answer(self._shelf.is_online(product))

    def _file_name(self, call: Call, found: re.Match[str], account: str) -> Answer:
        product = self._shelf.listed_of_id(found["product"].lower())
        if product is None:
            return _invalid_key(found["product"])
        return Answer(200, str(_row(product)("filename")).encode(), {"Content-Type": "text/plain"})

    def _value(self, call: Call, found: re.Match[str], account: str) -> Answer:
        product = self._shelf.sent_of_id(found["product"].lower())
        if product is None:
            return _invalid_key(found["product"])
        if self._shelf.is_online(product, look=False):
            return self._delivery.file(product, call)
        if call.method == "GET" and self._shelf.order(product, account, quota=self._quota) is None:
            cause = (
                f"User '{account}' offline products retrieval quota exceeded ({self._quota} fetches max) trying to"
                f" fetch product {product.title} ({product.size_bytes} bytes compressed)"
            )
            return Answer(403, cause.encode(), {"Content-Type": "text/plain", "cause-message": cause})
        return Answer(202, b"", {"cause-message": f"Product {product.title} is being retrieved from the archive"})


def gml(geometry: BaseGeometry) -> str:
    """The outline of the largest part as GML 2, latitude before longitude."""
    largest = max(shapely.get_parts(geometry), key=lambda part: float(part.area))
    corners = " ".join(f"{lat},{lon}" for lon, lat in shapely.get_coordinates(shapely.get_exterior_ring(largest)))
    return (
        '<gml:Polygon srsName="http://www.opengis.net/gml/srs/epsg.xml#4326" xmlns:gml="http://www.opengis.net/gml">'
        f"<gml:outerBoundaryIs><gml:LinearRing><gml:coordinates>{corners}</gml:coordinates></gml:LinearRing>"
        "</gml:outerBoundaryIs></gml:Polygon>"
    )


def _row(product: ServedProduct) -> Row:
    def value(field: str) -> Any:
        name = product.name
        match field:
            case "beginposition":
                return product.start
            case "endposition":
                return product.end
            case "ingestiondate":
                return product.published
            case "footprint":
                return product.footprint
            case "identifier":
                return product.title
            case "uuid":
                return product.id
            case "filename":
                return f"{product.title}.SAFE" if product.is_safe else product.file_name
            case "platformname":
                return PLATFORM_NAMES[name.satellite]
            case "platformserialidentifier":
                letter = platform_letter(name)
                return None if letter is None else f"{PLATFORM_NAMES[name.satellite]}{letter}"
            case "producttype":
                return words_of(name.kind).dhus_type
            case "orbitdirection":
                return None if product.direction is None else product.direction.upper()
            case "orbitnumber":
                return name.absolute_orbit
            case "relativeorbitnumber":
                return product.relative_orbit
            case "cloudcoverpercentage":
                return product.cloud_pct
            case "tileid":
                return name.tile if name.satellite is Satellite.SENTINEL2 else None
            case "polarisationmode":
                return " ".join(name.polarisations) or None
            case "sensoroperationalmode":
                return name.mode
            case "processinglevel":
                return f"Level-{words_of(name.kind).dhus_type[-2:]}" if name.satellite is Satellite.SENTINEL2 else None
        return None

    return value


def _order_of(text: str) -> list[tuple[str, bool]]:
    order = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        field, _, direction = item.partition(" ")
        if field.lower() not in FIELDS - {"footprint"} or direction not in {"", "asc", "desc"}:
            raise InputError(f"Cannot order by {item}", hint="beginposition asc")
        order.append((field.lower(), direction == "desc"))
    return order


def _sort_value(product: ServedProduct, field: str) -> tuple[bool, Any]:
    value = _row(product)(field)
    return (value is not None, 0 if value is None else value)


def _invalid_key(product_id: str) -> Answer:
    value = f"Invalid key ({product_id}) to access Products"
    error = {"code": None, "message": {"lang": "en", "value": value}}
    return json_answer({"error": error}, 404, cause_message=value)


def _milliseconds(moment: datetime) -> str:
    return f"/Date({round(moment.timestamp() * 1000)})/"


def _size(product: ServedProduct) -> str:
    return f"{product.size_bytes / 1024**2:.2f} MB"
