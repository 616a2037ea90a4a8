"""What a DHuS server says of its products, as sentinelsat hands it over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from s4c_lib.sources.catalogue import Checksum
from s4c_lib.sources.found_products import FoundProduct, footprint_of_wkt
from s4c_lib.sources.model import StorageState
from s4c_lib.sources.stored_address import address_fields, address_text

_SIZE = re.compile(r"\s*([0-9.]+)\s*([KMGT]?)B\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
# hashlib's names of the algorithms that DHuS knows.
_ALGORITHMS = {"md5": "md5", "sha3-256": "sha3_256"}


def found_product(uuid: str, properties: Mapping[str, Any]) -> FoundProduct:
    """One entry of an OpenSearch answer.

    The answer has no field for products on tape; ``ondemand`` is set by servers that fetch a product when it is asked
    for. `DhusCatalogue.locate` asks for the state itself.
    """
    title = str(properties.get("title") or properties.get("identifier") or uuid)
    tile = properties.get("tileid")
    return FoundProduct(
        title=title,
        address=address_text({"file": str(properties.get("filename") or ""), "id": uuid}),
        footprint=footprint_of_wkt(properties.get("footprint")),
        size_bytes=size_of(properties.get("size")),
        sensing_time=_utc(properties.get("beginposition")),
        tiles=(str(tile),) if tile else (),
        relative_orbit=properties.get("relativeorbitnumber"),
        direction=properties.get("orbitdirection"),
        cloud_pct=properties.get("cloudcoverpercentage"),
        published_at=_utc(properties.get("ingestiondate")),
        storage_state=StorageState.OFFLINE
        if str(properties.get("ondemand")).lower() == "true"
        else StorageState.ONLINE,
    )


def parsed_address(address: str) -> tuple[str, str]:
    """UUID and file name of an address.

    Raises
    ------
    SourceError : it was not made by a DHuS catalogue.
    """
    fields = address_fields(address, ("id", "file"), provider="a DHuS server")
    return fields["id"], fields["file"]


def checksum_of(info: Mapping[str, Any]) -> Checksum | None:
    """The checksum of `sentinelsat.SentinelAPI.get_product_odata`, md5 where there are several."""
    for theirs, ours in _ALGORITHMS.items():
        digest = info.get(theirs)
        if digest:
            return Checksum(ours, str(digest).strip().lower())
    return None


def size_of(text: object) -> int | None:
    """Bytes of a rounded size such as ``1.08 GB``: good for planning; the exact one comes with the address."""
    found = _SIZE.fullmatch(str(text))
    if found is None or found[1].count(".") > 1:
        return None
    return round(float(found[1]) * 1024.0 ** _POWERS[found[2].upper()])


def _utc(moment: object) -> datetime | None:
    # sentinelsat gives times without zone; DHuS means UTC.
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None
