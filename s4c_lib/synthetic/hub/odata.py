"""The catalogue of the Copernicus Data Space: OData 4 with its limits, its download and an order of what is on tape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from s4c_lib.errors import InputError, SourceRefusedError
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.synthetic.hub.delivery import Delivery
from s4c_lib.synthetic.hub.exchange import Answer, Call, Route, json_answer, route
from s4c_lib.synthetic.hub.identity import Identity
from s4c_lib.synthetic.hub.odata_filter import Row, parse_filter
from s4c_lib.synthetic.hub.served_product import PLATFORM_NAMES, ServedProduct, iso, platform_letter, words_of
from s4c_lib.synthetic.hub.shelf import Order, Shelf

ROOT = "/odata/v1"
_PRODUCT = rf"{ROOT}/Products\((?P<product>[0-9a-fA-F-]+)\)"
_DEFAULT_TOP = 20
_SORTED = ("ContentDate/Start", "ContentDate/End", "PublicationDate", "ModificationDate")
_OWN_COLLECTIONS = (ProductKind.S1_AMP, ProductKind.S1_COHE)


class ODataCatalogue:
    """Answers of the catalogue.

    Parameters
    ----------
    top_limit, skip_limit : beyond them it answers 422.
    order_quota : products of one account on their way from tape; None for no limit.
    """

    def __init__(
        self,
        shelf: Shelf,
        identity: Identity,
        delivery: Delivery,
        base_url: str,
        *,
        top_limit: int,
        skip_limit: int,
        order_quota: int | None,
    ) -> None:
        self._shelf = shelf
        self._identity = identity
        self._delivery = delivery
        self._base_url = base_url
        self._top_limit = top_limit
        self._skip_limit = skip_limit
        self._order_quota = order_quota

    def routes(self) -> tuple[Route, ...]:
        """What it answers."""
        return (
            route("search", "GET", f"{ROOT}/Products", self._search),
            route("product", "GET", _PRODUCT, self._product),
            route("download", "GET HEAD", rf"{_PRODUCT}/\$value", self._value),
            route("order", "POST", rf"{_PRODUCT}/OData\.CSC\.Order", self._order),
            route("order", "GET", rf"{ROOT}/Orders\((?P<order>[0-9a-f-]+)\)", self._order_state),
        )

    def _search(self, call: Call, found: re.Match[str]) -> Answer:
        try:
            top = call.count("$top", _DEFAULT_TOP)
            skip = call.count("$skip", 0)
            text = call.value("$filter")
            predicate = parse_filter(text) if text else None
            order = _order_of(call.value("$orderby"))
        except InputError as error:
            return _error(400, error.message, call)
        for name, value, limit in (("$top", top, self._top_limit), ("$skip", skip, self._skip_limit)):
            if value > limit:
                return _beyond(name, value, limit)
        listed = [
            product for product in self._shelf.listed() if predicate is None or predicate(_row(product, self._shelf))
        ]
        self._shelf.search_done()
        for path, descending in reversed(order):
            listed.sort(key=lambda product: _value(product, path), reverse=descending)
        expanded = {value for key, value in call.query if key == "$expand"}
        page = listed[skip : skip + top]
        document: dict[str, Any] = {"@odata.context": "$metadata#Products"}
        if call.value("$count").lower() == "true":
            document["@odata.count"] = len(listed)
        document["value"] = [self._entry(product, expanded) for product in page]
        if skip + top < len(listed) and top > 0:
            query = [(key, value) for key, value in call.query if key != "$skip"] + [("$skip", str(skip + top))]
            # Encoded throughout, dollar signs as well, as the Data Space writes it: clients take it to pieces.
            document["@odata.nextLink"] = f"{self._base_url}{call.path}?{urlencode(query)}"
        return json_answer(document)

    def _product(self, call: Call, found: re.Match[str]) -> Answer:
        product = self._shelf.listed_of_id(found["product"].lower())
        if product is None:
            return _error(404, "Product not found", call)
        expanded = {value for key, value in call.query if key == "$expand"}
        return json_answer({"@odata.context": "$metadata#Products/$entity", **self._entry(product, expanded)})

    def _value(self, call: Call, found: re.Match[str]) -> Answer:
        return self._delivery.to_bearer(call, found["product"].lower())

    def _order(self, call: Call, found: re.Match[str]) -> Answer:
        try:
            bearer = self._identity.check(call.token)
        except SourceRefusedError as error:
            return _error(401, error.message, call)
        product = self._shelf.sent_of_id(found["product"].lower())
        if product is None:
            return _error(404, "Product not found", call)
        order = self._shelf.order(product, bearer.account, quota=self._order_quota)
        if order is None:
            return _error(429, f"Number of concurrent orders exceeded: {self._order_quota}", call)
        return json_answer(self._order_entry(order, "queued"), 201)

    def _order_state(self, call: Call, found: re.Match[str]) -> Answer:
        try:
            self._identity.check(call.token)
        except SourceRefusedError as error:
            return _error(401, error.message, call)
        order = self._shelf.order_of_id(found["order"])
        if order is None:
            return _error(404, "Order not found", call)
        state = "completed" if self._shelf.is_online(order.product) else "running"
        return json_answer(self._order_entry(order, state))

    def _order_entry(self, order: Order, state: str) -> dict[str, Any]:
        return {
            "@odata.context": "$metadata#Orders/$entity",
            "Id": order.id,
            "Status": state,
            "StatusMessage": f"request is {state}",
            "ProductId": order.product.id,
            "ProductName": order.product.title,
            "SubmissionDate": iso(datetime.fromtimestamp(order.at, UTC)),
        }

    def _entry(self, product: ServedProduct, expanded: set[str]) -> dict[str, Any]:
        published = iso(product.published)
        entry: dict[str, Any] = {
            "@odata.mediaContentType": "application/octet-stream",
            "Id": product.id,
            "Name": odata_name(product),
            "ContentType": "application/octet-stream",
            "ContentLength": product.size_bytes,
            "OriginDate": published,
            "PublicationDate": published,
            "ModificationDate": published,
            "Online": self._shelf.is_online(product),
            "EvictionDate": "9999-12-31T23:59:59.999999Z",
            "S3Path": f"/eodata/{_collection(product)}/{product.start:%Y/%m/%d}/{odata_name(product)}",
            "Checksum": [
                {"Value": self._shelf.stated_md5(product), "Algorithm": "MD5", "ChecksumDate": published},
            ],
            "ContentDate": {"Start": iso(product.start), "End": iso(product.end)},
            "Footprint": f"geography'SRID=4326;{product.footprint.wkt}'",
            "GeoFootprint": product.footprint.__geo_interface__,
        }
        if "Attributes" in expanded:
            entry["Attributes"] = [
                {
                    "@odata.type": f"#OData.CSC.{kind}Attribute",
                    "Name": name,
                    "Value": value,
                    "ValueType": kind,
                }
                for name, value, kind in _attributes(product)
            ]
        if "Assets" in expanded:
            entry["Assets"] = []
        return entry


def odata_name(product: ServedProduct) -> str:
    """The name with the suffix that the catalogue shows."""
    if product.is_safe:
        return f"{product.title}.SAFE"
    return product.file_name if product.file_name.endswith((".tif", ".tiff")) else product.title


def _collection(product: ServedProduct) -> str:
    # Derived products are collections of their own there, as the Data Space's mosaics are.
    if product.name.kind in _OWN_COLLECTIONS:
        return words_of(product.name.kind).odata_types[0]
    # Both Landsats are one collection, as they are at USGS.
    return "LANDSAT" if _platform(product).startswith("LANDSAT") else _platform(product)


def _platform(product: ServedProduct) -> str:
    return PLATFORM_NAMES[product.name.satellite].upper()


def _row(product: ServedProduct, shelf: Shelf) -> Row:
    def value(path: str) -> Any:
        if path == "Attributes":
            shown = [(name, content) for name, content, _ in _attributes(product)]
            also = [("productType", word) for word in words_of(product.name.kind).odata_types[1:]]
            return [_attribute_row(name, content) for name, content in (*shown, *also)]
        if path == "Online":
            return shelf.is_online(product, look=False)
        return _value(product, path)

    return value


def _attribute_row(name: str, content: Any) -> Row:
    return lambda path: name if path == "Name" else content


def _value(product: ServedProduct, path: str) -> Any:
    match path:
        case "Collection/Name":
            return _collection(product)
        case "Name":
            return odata_name(product)
        case "Id":
            return product.id
        case "ContentLength":
            return float(product.size_bytes)
        case "ContentDate/Start":
            return product.start
        case "ContentDate/End":
            return product.end
        case "Footprint":
            return product.footprint
    return product.published


def _attributes(product: ServedProduct) -> Iterator[tuple[str, Any, str]]:
    name = product.name
    yield "origin", "ESA", "String"
    yield "productType", words_of(name.kind).odata_types[0], "String"
    yield "platformShortName", _platform(product), "String"
    letter = platform_letter(name)
    if letter is not None:
        yield "platformSerialIdentifier", letter, "String"
    yield "beginningDateTime", iso(product.start), "DateTimeOffset"
    yield "endingDateTime", iso(product.end), "DateTimeOffset"
    if product.processed is not None:
        yield "processingDate", iso(product.processed), "DateTimeOffset"
    if product.relative_orbit is not None:
        yield "relativeOrbitNumber", product.relative_orbit, "Integer"
    if name.absolute_orbit is not None:
        yield "orbitNumber", name.absolute_orbit, "Integer"
    if product.direction is not None:
        yield "orbitDirection", product.direction.upper(), "String"
    if name.satellite is Satellite.SENTINEL2:
        yield "instrumentShortName", "MSI", "String"
        yield "processingLevel", words_of(name.kind).odata_types[0], "String"
        yield "tileId", name.tile or product.tiles[0], "String"
        if name.baseline is not None:
            yield "processorVersion", f"{name.baseline // 100:02d}.{name.baseline % 100:02d}", "String"
    elif name.satellite is Satellite.SENTINEL1:
        yield "instrumentShortName", "SAR", "String"
        yield "processingLevel", "LEVEL2" if name.kind in _OWN_COLLECTIONS else "LEVEL1", "String"
        yield "swathIdentifier", name.mode or "IW", "String"
        yield "polarisationChannels", "&".join(name.polarisations), "String"
    if product.cloud_pct is not None:
        yield "cloudCover", product.cloud_pct, "Double"


def _order_of(text: str) -> list[tuple[str, bool]]:
    order = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        path, _, direction = item.partition(" ")
        if path not in _SORTED or direction.strip().lower() not in {"", "asc", "desc"}:
            raise InputError(f"Invalid field or construct: $orderby {item}", hint="order by ContentDate/Start asc")
        order.append((path, direction.strip().lower() == "desc"))
    return order


def _error(status: int, message: str, call: Call) -> Answer:
    detail: Any = {"message": message, "request_id": f"{call.number:032x}"}
    return json_answer({"detail": detail}, status)


def _beyond(name: str, value: int, limit: int) -> Answer:
    message = f"Input should be less than or equal to {limit}"
    fault = {
        "type": "less_than_equal",
        "loc": ["query", name],
        "msg": message,
        "input": str(value),
        "ctx": {"le": limit},
    }
    return json_answer({"detail": [fault]}, 422)
