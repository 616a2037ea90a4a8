"""What ASF says of its products, as asf_search hands it over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from s4c_lib.errors import SourceError
from s4c_lib.sources.catalogue import Checksum
from s4c_lib.sources.found_products import FoundProduct, footprint_of_geojson


def found_product(product: Any) -> FoundProduct:
    """One `asf_search.ASFProduct`. Nothing at ASF lies on tape."""
    properties = product.properties
    return FoundProduct(
        title=str(properties.get("sceneName") or properties.get("fileID")),
        address=address_of(str(properties.get("url") or ""), properties.get("md5sum")),
        footprint=footprint_of_geojson(product.geometry),
        size_bytes=_whole(properties.get("bytes")),
        sensing_time=_utc(properties.get("startTime")),
        relative_orbit=_whole(properties.get("pathNumber")),
        direction=properties.get("flightDirection"),
        created=_utc(properties.get("processingDate")),
        # The day a product came in; the revision date of the record may be years later.
        published_at=_utc(product.umm_get(product.umm, "ProviderDates", ("Type", "Insert"), "Date")),
    )


def address_of(url: str, md5: object) -> str:
    """Text that `parsed_address` understands; holds no secret."""
    fields = {"md5": str(md5).lower(), "url": url} if isinstance(md5, str) and md5 else {"url": url}
    return json.dumps(fields, separators=(",", ":"), sort_keys=True)


def parsed_address(address: str) -> tuple[str, Checksum | None]:
    """Where the bytes are and their checksum, as far as ASF tells it.

    Raises
    ------
    SourceError : it was not made by an ASF catalogue, or holds no address of the web.
    """
    try:
        fields = json.loads(address)
        url, md5 = str(fields["url"]), fields.get("md5")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(
            f"'{address[:80]}' is no address of ASF", hint="query the window again: the source was changed"
        ) from error
    if not url.startswith(("https://", "http://")):
        raise SourceError(f"ASF gives no address for it that can be fetched ('{url[:80]}')", hint="query it again")
    return url, Checksum("md5", str(md5)) if md5 else None


def _whole(number: object) -> int | None:
    return int(number) if isinstance(number, int | float) else None


def _utc(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
