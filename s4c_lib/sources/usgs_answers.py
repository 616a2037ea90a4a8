"""What M2M says of scenes, of the bundles they come in, and of downloads being prepared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from s4c_lib.sources.catalogue import Checksum
from s4c_lib.sources.found_products import FoundProduct, footprint_of_geojson
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.stored_address import address_fields, address_text

# Landsat 8 and 9, Collection 2.
DATASETS: Final[Mapping[ProductKind, str]] = {
    ProductKind.LANDSAT_L1: "landsat_ot_c2_l1",
    ProductKind.LANDSAT_L2SP: "landsat_ot_c2_l2",
    ProductKind.LANDSAT_L2SR: "landsat_ot_c2_l2",
}
# Packed while it is sent: no size known before, and a transfer that broke off begins anew.
_PACKED_ON_DEMAND: Final = "ls_zip"
_BUNDLE: Final = "product bundle"
_DAY_OF_YEAR: Final = re.compile(r"(\d{4}):(\d{3}):(\d{2}):(\d{2}):(\d{2})(\.\d{1,6})?\d*")
# The strongest that M2M was seen to state; its cksum is no checksum that a forger or a bad disk need fear.
_ALGORITHMS: Final = {"sha512sum": "sha512", "sha256sum": "sha256", "md5sum": "md5"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A scene's files as one tar, as M2M offers it.

    Attributes
    ----------
    scene : entity id of the scene.
    name : product's name.
    product : id under which the bundle is asked for.
    size_bytes : as stated; of a bundle that is packed when it is asked for, about right at best.
    """

    scene: str
    name: str
    product: str
    available: bool
    packed_on_demand: bool
    size_bytes: int | None
    checksum: Checksum | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One download that was asked for.

    Attributes
    ----------
    scene : entity id; empty where the answer does not repeat it, as is the name.
    product_name : in words, ``Landsat Collection 2 Level-2 Product Bundle``; empty where the answer does not say it.
    url : with a signature: whoever knows it can fetch the file. Of no use while the download is being prepared.
    """

    scene: str
    name: str
    product_name: str
    url: str = field(repr=False)
    checksum: Checksum | None


def parsed_address(address: str) -> tuple[str, str]:
    """Dataset and entity id of an address.

    Raises
    ------
    SourceError : it was not made by a USGS catalogue.
    """
    fields = address_fields(address, ("dataset", "scene"), provider="the USGS")
    return fields["dataset"], fields["scene"]


def found_product(dataset: str, scene: Mapping[str, Any]) -> FoundProduct:
    """One scene of an answer to ``scene-search`` or ``scene-metadata``.

    The time of sensing is among the full metadata only; without it the day is all that is known.
    """
    cloud = _number(scene.get("cloudCover"))
    return FoundProduct(
        title=str(scene["displayId"]),
        address=address_text({"dataset": dataset, "scene": str(scene["entityId"])}),
        footprint=footprint_of_geojson(scene.get("spatialCoverage"))
        or footprint_of_geojson(scene.get("spatialBounds")),
        sensing_time=_sensing_time(scene.get("metadata") or []),
        # -1 where the cover was not computed
        cloud_pct=cloud if cloud is not None and cloud >= 0 else None,
        published_at=utc_time(scene.get("publishDate")),
    )


def bundles(options: Iterable[Mapping[str, Any]]) -> dict[str, Bundle]:
    """The best bundle of each product in an answer to ``download-options``, by product name.

    One that can be had now goes before one that cannot, and a file that lies there before one packed on demand.
    """
    best: dict[str, Bundle] = {}
    for option in options:
        bundle = _bundle(option)
        if bundle is not None and (bundle.name not in best or _rank(bundle) < _rank(best[bundle.name])):
            best[bundle.name] = bundle
    return best


def deliveries(items: object) -> Iterator[Delivery]:
    """The entries of one of the lists of ``download-request`` and ``download-retrieve``."""
    for item in items if isinstance(items, list) else []:
        yield Delivery(
            scene=str(item.get("entityId") or ""),
            name=str(item.get("displayId") or "").upper(),
            product_name=str(item.get("productName") or ""),
            url=str(item.get("url") or ""),
            checksum=checksum_of(item.get("checksum_values") or item.get("checksum")),
        )


def is_delivery_of(delivery: Delivery, name: str) -> bool:
    """Whether a download in the queue is the bundle of this product, not one of its bands or pictures."""
    return delivery.name == name and (not delivery.product_name or _BUNDLE in delivery.product_name.lower())


def refusals(answer: Mapping[str, Any]) -> dict[str, str]:
    """Why single downloads of a request were refused, by entity id; those said without one under the empty text."""
    said: dict[str, str] = {}
    for item in answer.get("failed") or []:
        if isinstance(item, Mapping):
            text = " ".join(str(item.get("errorMessage") or item.get("errorCode") or "refused").split())
            said[str(item.get("entityId") or "")] = text
        else:
            said[""] = " ".join(str(item).split())
    return said


def checksum_of(stated: object) -> Checksum | None:
    """The strongest of the stated checksums that can be compared."""
    values: dict[str, str] = {}
    for item in stated if isinstance(stated, list) else []:
        values[str(item.get("id"))] = str(item.get("value") or "").strip().lower()
    for theirs, ours in _ALGORITHMS.items():
        if values.get(theirs):
            return Checksum(ours, values[theirs])
    return None


def _bundle(option: Mapping[str, Any]) -> Bundle | None:
    system = str(option.get("downloadSystem") or "")
    if _BUNDLE not in str(option.get("productName") or "").lower() or system == "folder" or not option.get("id"):
        return None
    return Bundle(
        scene=str(option["entityId"]),
        name=str(option.get("displayId") or "").upper(),
        product=str(option["id"]),
        # documented as Y and N, sent as a truth value
        available=str(option.get("available")).upper() in {"TRUE", "Y"},
        packed_on_demand=system == _PACKED_ON_DEMAND,
        size_bytes=int(_number(option.get("filesize")) or 0) or None,
        checksum=checksum_of(option.get("checksum")),
    )


def _rank(bundle: Bundle) -> tuple[bool, bool, str]:
    return not bundle.available, bundle.packed_on_demand, bundle.product


def _sensing_time(metadata: Iterable[Mapping[str, Any]]) -> datetime | None:
    """The beginning of sensing, written as a date or with the day of the year (``2020:366:15:30:11.3340210``)."""
    written = next((str(item.get("value")) for item in metadata if item.get("fieldName") == "Start Time"), "")
    found = _DAY_OF_YEAR.fullmatch(written)
    if found is None:
        return utc_time(written)
    year, day, hour, minute, second = (int(text) for text in found.groups()[:5])
    start = datetime(year, 1, 1, tzinfo=UTC)
    return start + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second + float(found[6] or 0))


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None
