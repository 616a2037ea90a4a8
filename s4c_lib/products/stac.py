"""STAC 1.1 items of raster products (``l3b-and-markers.md`` §2.4): one for each acquisition and tile.

Field names are those of the extension versions pinned in `EXTENSIONS`; DN statistics are of the stored values, before
scale and offset.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.band_statistics import BandStatistics
from s4c_lib.products.cog import CogProfile, WrittenCog, disk
from s4c_lib.readers.flags import Flag, flag_shares
from s4c_lib.readers.scene import MeanGeometry

if TYPE_CHECKING:
    import pystac

_AT: Final = "https://stac-extensions.github.io"
EXTENSIONS: Final[Mapping[str, str]] = {
    "classification": f"{_AT}/classification/v2.0.0/schema.json",
    "eo": f"{_AT}/eo/v2.0.0/schema.json",
    "file": f"{_AT}/file/v2.1.0/schema.json",
    "grid": f"{_AT}/grid/v1.1.0/schema.json",
    "processing": f"{_AT}/processing/v1.2.0/schema.json",
    "proj": f"{_AT}/projection/v2.0.0/schema.json",
    "raster": f"{_AT}/raster/v2.0.0/schema.json",
    "sat": f"{_AT}/sat/v1.0.0/schema.json",
    "view": f"{_AT}/view/v1.0.0/schema.json",
}
COG_TYPE: Final = "image/tiff; application=geotiff; profile=cloud-optimized"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".tif": COG_TYPE,
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".xml": "application/xml",
    ".json": "application/json",
    ".txt": "text/plain",
}
_SHA256_MULTIHASH: Final = "1220"  # code of SHA-256, and 32 bytes
_INSTRUMENTS: Final = {"sentinel-2": ["msi"], "landsat": ["oli", "tirs"]}
_DECIMALS: Final = 6  # a tenth of a metre
_NAMES: Final[Mapping[Flag, tuple[str, str]]] = {
    Flag.LAND: ("land", "clear land: valid"),
    Flag.WATER: ("water", "open water"),
    Flag.SHADOW: ("shadow", "cloud shadow or dark area"),
    Flag.SNOW: ("snow", "snow or ice"),
    Flag.CLOUD: ("cloud", "cloud or cirrus"),
    Flag.SATURATED: ("saturated", "saturated or defective"),
    Flag.NO_DATA: ("nodata", "not observed"),
}


@dataclass(frozen=True, slots=True)
class ItemAsset:
    """One file of an item.

    Parameters
    ----------
    href : relative to the item. size : bytes. sha256 : hexadecimal. fields : further fields of the asset.
    bands : of a raster, as STAC's band objects.
    """

    href: str
    size: int
    sha256: str
    title: str
    roles: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    bands: tuple[Mapping[str, Any], ...] = ()


def file_asset(path: Path, title: str, roles: tuple[str, ...]) -> ItemAsset:
    """Describe a small file that is no raster, such as a picture; it is read whole."""
    content = path.read_bytes()
    return ItemAsset(path.name, len(content), hashlib.sha256(content).hexdigest(), title, roles)


@dataclass(frozen=True, slots=True)
class ItemDescription:
    """What an item says.

    Parameters
    ----------
    geometry : longitude and latitude, WGS 84; two parts where it crosses the antimeridian.
    grid : the finest of its rasters. tile : MGRS without T, or Landsat path and row.
    level : ``L2`` or ``L3``. software : name -> version. derived_from : addresses of the sources' items.
    properties : further ones, of any extension; they win.
    created : when the product was made, UTC; None leaves it out.
    """

    id: str
    collection: str
    geometry: BaseGeometry
    time: datetime
    platform: str
    tile: str
    grid: PixelGrid
    level: str
    software: Mapping[str, str]
    assets: Mapping[str, ItemAsset]
    lineage: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    derived_from: Sequence[str] = ()
    created: datetime | None = None


def build_item(described: ItemDescription) -> pystac.Item:
    """Make the item; the extensions it lists are those whose fields it has.

    Raises
    ------
    InputError : a time without zone, or an empty footprint.
    """
    import pystac

    if described.time.tzinfo is None or described.geometry.is_empty:
        raise InputError(f"item {described.id} has no UTC time or no footprint")
    geometry = shapely.set_precision(described.geometry, 10**-_DECIMALS)
    item = pystac.Item(
        id=described.id,
        geometry=_lists(shapely.geometry.mapping(shapely.normalize(geometry))),
        bbox=_bbox(geometry),
        datetime=described.time.astimezone(UTC),
        properties={**_standard_properties(described), **described.properties},
    )
    # Without a collection document beside it: one site's collection is made by the catalogue.
    item.collection_id = described.collection
    item.add_link(pystac.Link("collection", described.collection, "application/json"))
    for address in described.derived_from:
        item.add_link(pystac.Link("derived_from", address, "application/geo+json"))
    for key, asset in described.assets.items():
        item.add_asset(key, _asset(asset))
    item.stac_extensions = _used_extensions(item.to_dict(include_self_link=False))
    return item


def item_document(item: pystac.Item) -> dict[str, Any]:
    """The item as JSON values, the same on every run; links stay as they were given."""
    document: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    return document


def item_bytes(document: Mapping[str, Any]) -> bytes:
    """UTF-8 text of an item, keys sorted; NaN is refused."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_item(document: Mapping[str, Any], path: Path) -> None:
    """Write an item; a file of this name is replaced as a whole.

    Raises
    ------
    DiskFullError, StorageError : it could not be written.
    """
    write_whole(path, item_bytes(document))


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file to a name beside it, flush it and rename it.

    Raises
    ------
    DiskFullError, StorageError : it could not be written; nothing is left.
    """
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.part-", dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            with unfinished.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(path)


def cog_asset(
    written: WrittenCog,
    profile: CogProfile,
    *,
    title: str,
    roles: tuple[str, ...] = ("data",),
    fields: Mapping[str, Any] | None = None,
    band_fields: Sequence[Mapping[str, Any]] | None = None,
) -> ItemAsset:
    """The asset of a raster that was just written: type, no-data, scale, unit and statistics of each band.

    Parameters
    ----------
    fields : further ones of the asset. band_fields : further ones of each band, in order.
    """
    further = band_fields or [{}] * len(profile.bands)
    bands = []
    for band, statistics, more in zip(profile.bands, written.statistics, further, strict=True):
        described: dict[str, Any] = {"name": band.description, "data_type": profile.dtype}
        if profile.no_data is not None:
            described["nodata"] = "nan" if math.isnan(profile.no_data) else _plain(profile.no_data)
        if (band.scale, band.offset) != (1, 0):
            described |= {"raster:scale": band.scale, "raster:offset": band.offset}
        if band.unit:
            described["unit"] = band.unit
        bands.append({**described, **_statistics(statistics), **more})
    return ItemAsset(written.path.name, written.size, written.sha256, title, roles, fields or {}, tuple(bands))


def multihash(sha256: str) -> str:
    """A SHA-256 as the file extension writes it: ``1220`` and the digest."""
    return f"{_SHA256_MULTIHASH}{sha256}"


def grid_fields(grid: PixelGrid) -> dict[str, Any]:
    """A grid in the words of the projection extension."""
    return {
        "proj:code": f"EPSG:{grid.epsg}",
        "proj:shape": [grid.rows, grid.columns],
        "proj:transform": [grid.pixel, 0.0, grid.west, 0.0, -grid.pixel, grid.north],
        "proj:bbox": list(grid.bounds),
    }


def view_fields(mean: MeanGeometry) -> dict[str, float]:
    """Mean sun and view angles in the words of the view extension."""
    return {
        "view:sun_elevation": round(90 - mean.sun_zenith, _DECIMALS),
        "view:sun_azimuth": round(mean.sun_azimuth % 360, _DECIMALS),
        "view:off_nadir": round(mean.view_zenith, _DECIMALS),
        "view:azimuth": round(mean.view_azimuth % 360, _DECIMALS),
    }


def flag_classes() -> list[dict[str, Any]]:
    """``classification:classes`` of a flags raster."""
    return [
        {"value": int(flag), "name": name, "description": text, **({"nodata": True} if flag is Flag.NO_DATA else {})}
        for flag, (name, text) in _NAMES.items()
    ]


def flag_percentages(flags: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Share of the pixels with each flag, %, ``valid`` for land and ``nodata``; they add up to 100."""
    shares = flag_shares(flags)
    return {"valid" if flag is Flag.LAND else name: shares[flag.name.lower()] for flag, (name, _) in _NAMES.items()}


def percentage_fields(percentages: Mapping[str, float], prefix: str = "s4c:") -> dict[str, float]:
    """Percentages as properties ``s4c:valid_percentage``, …; rounded to four digits."""
    return {f"{prefix}{name}_percentage": round(value, 4) for name, value in percentages.items()}


def _standard_properties(described: ItemDescription) -> dict[str, Any]:
    family = "landsat" if described.platform.startswith("landsat") else described.platform.rstrip("abcd")
    code = f"WRS2-{described.tile}" if described.tile.isdigit() else f"MGRS-{described.tile}"
    properties = {
        "platform": described.platform,
        "constellation": family,
        "instruments": _INSTRUMENTS.get(family, []),
        "gsd": _plain(described.grid.pixel),
        "grid:code": code,
        "processing:level": described.level,
        "processing:software": dict(sorted(described.software.items())),
        **grid_fields(described.grid),
    }
    if described.lineage:
        properties["processing:lineage"] = described.lineage
    if described.created is not None:
        stamp = f"{described.created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        properties |= {"created": stamp, "updated": stamp}
    return properties


def _asset(asset: ItemAsset) -> pystac.Asset:
    import pystac

    fields: dict[str, Any] = {"file:size": asset.size, "file:checksum": multihash(asset.sha256), **asset.fields}
    if asset.bands:
        fields["bands"] = [dict(band) for band in asset.bands]
    media_type = MEDIA_TYPES.get(Path(asset.href).suffix.lower(), "application/octet-stream")
    return pystac.Asset(asset.href, asset.title, None, media_type, list(asset.roles), fields)


def _used_extensions(document: Any) -> list[str]:
    prefixes: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            prefixes.update(key.split(":", 1)[0] for key in value if ":" in key)
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect({"properties": document["properties"], "assets": document["assets"]})
    return [EXTENSIONS[name] for name in sorted(prefixes & set(EXTENSIONS))]


def _statistics(found: BandStatistics) -> dict[str, Any]:
    if not found.count:
        return {"statistics": {"valid_percent": 0.0}}
    return {
        "statistics": {
            "minimum": found.minimum,
            "maximum": found.maximum,
            "mean": found.mean,
            "stddev": found.stddev,
            "valid_percent": found.valid_percent,
            "count": found.count,
        }
    }


def _bbox(geometry: BaseGeometry) -> list[float]:
    """West, south, east, north; west is the larger one where the parts meet at the antimeridian (RFC 7946, 5.2)."""
    west, south, east, north = geometry.bounds
    if (west, east) == (-180, 180) and isinstance(geometry, shapely.MultiPolygon):
        west = min(part.bounds[0] for part in geometry.geoms if part.bounds[2] == 180)
        east = max(part.bounds[2] for part in geometry.geoms if part.bounds[0] == -180)
    return [west, south, east, north]


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _plain(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value
