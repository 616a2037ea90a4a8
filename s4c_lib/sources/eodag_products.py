"""What eodag returns of a product, in our words; and the address under which the product is found again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import SourceError
from s4c_lib.geography.footprint import WORLD
from s4c_lib.sources.catalogue import Checksum
from s4c_lib.sources.credentials import without_secrets
from s4c_lib.sources.eodag_provider import CHECKSUMS_PROPERTY, FILE_PROPERTY
from s4c_lib.sources.found_products import FoundProduct, file_name_of, footprint_of_geojson
from s4c_lib.sources.metadata_files import utc_time
from s4c_lib.sources.model import StorageState
from s4c_lib.sources.product_kinds import ProductName
from s4c_lib.sources.product_names import bare_name, parse_product_name
from s4c_lib.sources.stored_address import address_text

_ONLINE: Final = "succeeded"
_ARCHIVE: Final = re.compile(r"\.(zip|tar|tgz|tar\.gz|tif|tiff)$", re.IGNORECASE)
# Where a product's own name may stand; catalogues of assets call their items otherwise.
_NAME_PROPERTIES: Final = ("title", "id", "s2:product_uri", FILE_PROPERTY)
_BAND_GROUP: Final = re.compile(r"_(SR|ST)$")
_CHECKSUM_ORDER: Final = ("md5", "sha256", "sha512", "sha1", "sha3_256")
_MULTIHASHES: Final = {"d50110": ("md5", 32), "1220": ("sha256", 64), "1340": ("sha512", 128), "1114": ("sha1", 40)}


@dataclass(frozen=True, slots=True)
class EodagAddress:
    """What is needed to fetch or order a product that a search found; free of secrets.

    Attributes
    ----------
    id : the provider's own.
    url : None where nothing can be fetched over HTTP in one piece.
    order : where to ask for a product on tape.
    file : name under which the product is kept.
    checksum : ``md5:`` and hex digits.
    """

    id: str
    collection: str
    url: str | None = None
    order: str | None = None
    file: str = ""
    checksum: str | None = None

    def text(self) -> str:
        """Compact JSON, the same for equal addresses."""
        return address_text({key: value for key, value in asdict(self).items() if value})

    @classmethod
    def read(cls, text: str) -> EodagAddress:
        """Read what `text` wrote.

        Raises
        ------
        SourceError : it is something else.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise SourceError(
                "the stored address of a product is not one of an eodag source",
                hint="search again: the source was another one when the product was found",
            ) from error

    @property
    def stated_checksum(self) -> Checksum | None:
        """The checksum, in parts."""
        if self.checksum is None:
            return None
        algorithm, _, digest = self.checksum.partition(":")
        return Checksum(algorithm, digest)


def found_product(product: Any) -> FoundProduct:
    """Read an ``eodag.api.product.EOProduct``."""
    told: Mapping[str, Any] = product.properties
    title, name = _title(told)
    asset = _archive_asset(product)
    url = _fetchable(told.get("eodag:download_link") or asset.get("href"))
    size = _whole(told.get("file:size")) or _whole(asset.get("file:size"))
    sensed = utc_time(told.get("start_datetime")) or utc_time(told.get("datetime"))
    published = utc_time(told.get("published"))
    address = EodagAddress(
        id=str(told.get("uid") or told.get("id") or title),
        collection=str(product.collection or ""),
        url=url,
        order=_fetchable(told.get("eodag:order_link")),
        file=_file_name(name, _text(told.get(FILE_PROPERTY)), url) if name is not None else "",
        checksum=_checksum(told, asset),
    )
    return FoundProduct(
        title=title,
        address=address.text(),
        footprint=_footprint(product.geometry),
        size_bytes=size,
        sensing_time=sensed,
        tiles=_tiles(told),
        relative_orbit=_whole(told.get("sat:relative_orbit")),
        direction=_text(told.get("sat:orbit_state")),
        cloud_pct=_percent(told.get("eo:cloud_cover")),
        created=utc_time(told.get("processing:datetime")),
        # GEODES gives the time of sensing here.
        published_at=published if published is not None and (sensed is None or published > sensed) else None,
        storage_state=StorageState.ONLINE if told.get("order:status", _ONLINE) == _ONLINE else StorageState.OFFLINE,
    )


def _title(told: Mapping[str, Any]) -> tuple[str, ProductName | None]:
    written = [text for key in _NAME_PROPERTIES if (text := _text(told.get(key)))]
    for text in written:
        for form in (text, _BAND_GROUP.sub("", bare_name(text))):
            name = parse_product_name(form)
            if name is not None:
                return form, name
    return (written[0] if written else "a product without a name"), None


def _archive_asset(product: Any) -> Mapping[str, Any]:
    """The one asset that is the whole product; empty where a product comes in pieces."""
    archives = [
        asset for asset in product.assets.values() if _ARCHIVE.search(urlsplit(str(asset.get("href", ""))).path)
    ]
    return archives[0] if len(archives) == 1 and len(_data(product)) == 1 else {}


def _data(product: Any) -> list[Mapping[str, Any]]:
    pictures = ("thumbnail", "overview", "metadata")
    return [asset for asset in product.assets.values() if not set(asset.get("roles") or ()) & set(pictures)]


def _fetchable(link: Any) -> str | None:
    """The link, unless it is none for HTTP or holds a secret: addresses are stored."""
    if not isinstance(link, str) or urlsplit(link).scheme not in ("http", "https"):
        return None
    return link if without_secrets(link) == link else None


def _file_name(name: ProductName, listed: str | None, url: str | None) -> str:
    for text in (listed, urlsplit(url).path if url else None):
        if text and _ARCHIVE.search(text):
            return file_name_of(name, text)
    return file_name_of(name, listed or "")


def _footprint(geometry: BaseGeometry) -> BaseGeometry | None:
    # eodag takes the world for a product without a footprint.
    return None if geometry.is_empty or geometry.equals(WORLD) else footprint_of_geojson(mapping(geometry))


def _tiles(told: Mapping[str, Any]) -> tuple[str, ...]:
    grid = _text(told.get("grid:code")) or ""
    return (grid.removeprefix("MGRS-"),) if grid.startswith("MGRS-") else ()


def _checksum(told: Mapping[str, Any], asset: Mapping[str, Any]) -> str | None:
    stated: dict[str, str] = {}
    for entry in told.get(CHECKSUMS_PROPERTY) or ():
        if isinstance(entry, Mapping):
            algorithm = str(entry.get("Algorithm", "")).lower().replace("-", "_")
            stated[algorithm.replace("sha_", "sha")] = str(entry.get("Value", "")).lower()
    for value in (told.get("file:checksum"), asset.get("file:checksum")):
        parts = _parts(value)
        if parts is not None:
            stated.setdefault(*parts)
    for algorithm in _CHECKSUM_ORDER:
        digest = stated.get(algorithm, "")
        if len(digest) == 2 * hashlib.new(algorithm).digest_size and re.fullmatch("[0-9a-f]+", digest):
            return f"{algorithm}:{digest}"
    return None


def _parts(value: Any) -> tuple[str, str] | None:
    """Algorithm and digits of a multihash, or of bare MD5."""
    if not isinstance(value, str):
        return None
    digits = value.lower()
    for prefix, (algorithm, length) in _MULTIHASHES.items():
        if digits.startswith(prefix) and len(digits) == len(prefix) + length:
            return algorithm, digits.removeprefix(prefix)
    return ("md5", digits) if len(digits) == 32 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    try:
        number = int(float(value))
    except (TypeError, ValueError):
        return None
    return number if number > 0 else None


def _percent(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= 100 else None
