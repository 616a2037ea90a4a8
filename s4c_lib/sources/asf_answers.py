"""What ASF says of its products, as asf_search hands it over."""

from __future__ import annotations

from typing import Any

from s4c_lib.errors import SourceError
from s4c_lib.sources.catalogue import Checksum
from s4c_lib.sources.found_products import FoundProduct, footprint_of_geojson
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.stored_address import address_fields, address_text


def found_product(product: Any) -> FoundProduct:
    """One `asf_search.ASFProduct`. Nothing at ASF lies on tape."""
    properties = product.properties
    md5 = properties.get("md5sum")
    url = {"url": str(properties.get("url") or "")}
    return FoundProduct(
        title=str(properties.get("sceneName") or properties.get("fileID")),
        address=address_text({**url, "md5": md5.lower()} if isinstance(md5, str) and md5 else url),
        footprint=footprint_of_geojson(product.geometry),
        size_bytes=_whole(properties.get("bytes")),
        sensing_time=utc_time(properties.get("startTime")),
        relative_orbit=_whole(properties.get("pathNumber")),
        direction=properties.get("flightDirection"),
        created=utc_time(properties.get("processingDate")),
        # The day a product came in; the revision date of the record may be years later.
        published_at=utc_time(product.umm_get(product.umm, "ProviderDates", ("Type", "Insert"), "Date")),
    )


def parsed_address(address: str) -> tuple[str, Checksum | None]:
    """Where the bytes are and their checksum, as far as ASF tells it.

    Raises
    ------
    SourceError : it was not made by an ASF catalogue, or holds no address of the web.
    """
    fields = address_fields(address, ("url",), provider="ASF")
    url, md5 = fields["url"], fields.get("md5")
    if not url.startswith(("https://", "http://")):
        raise SourceError(f"ASF gives no address for it that can be fetched ('{url[:80]}')", hint="query it again")
    return url, Checksum("md5", md5) if md5 else None


def _whole(number: object) -> int | None:
    return int(number) if isinstance(number, int | float) else None
