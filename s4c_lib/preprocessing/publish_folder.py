"""A published L2A as it stands on disk: read back from its item, and whether it is complete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.preprocessing.site_shares import shares_of
from s4c_lib.readers import published_layout as layout
from s4c_lib.readers.published import read_published

FINGERPRINT: Final = "s4c:source_fingerprint"
QUICKLOOK: Final = "quicklook"  # key of the asset


@dataclass(frozen=True, slots=True, eq=False)
class PublishedL2A:
    """A product in its place.

    Parameters
    ----------
    footprint : longitude and latitude. percentages : of the flags at 20 m over the tile: valid, water, shadow, snow,
        cloud, saturated, nodata. site_percentages : the same over the site within the tile; None without a site.
    quality : what the product's own metadata say. files : path within ``folder``, bytes and SHA-256.
    item : the STAC item. reused : it stood there already.
    """

    name: str
    folder: Path
    item: Mapping[str, Any]
    footprint: BaseGeometry
    percentages: Mapping[str, float]
    site_percentages: Mapping[str, float] | None
    quality: Mapping[str, float]
    quicklook: Path | None
    files: tuple[tuple[str, int, str], ...]
    reused: bool = False


def read_published_folder(
    folder: Path, fingerprint: str | None = None, site_geometry: BaseGeometry | None = None
) -> PublishedL2A | None:
    """A published product as it stands on disk; None when it is incomplete, or of another source or configuration.

    Parameters
    ----------
    fingerprint : of source and configuration; None takes any.
    site_geometry : longitude and latitude; its shares are counted anew, as one folder serves several sites.
    """
    file = folder / layout.item_file(folder.name)
    if not file.is_file():
        return None
    content = file.read_bytes()
    try:
        item = json.loads(content)
        properties, assets = item["properties"], item["assets"]
        complete = all((folder / asset["href"]).stat().st_size == asset["file:size"] for asset in assets.values())
        if not complete or (fingerprint is not None and properties[FINGERPRINT] != fingerprint):
            return None
        files = {asset["href"]: (asset["file:size"], asset["file:checksum"][4:]) for asset in assets.values()}
        files[file.name] = len(content), hashlib.sha256(content).hexdigest()
        names = [key for key in properties if key.startswith("s4c:") and key.endswith("_percentage")]
        tile = {key[len("s4c:") : -len("_percentage")]: properties[key] for key in names}
        geometry = shapely.geometry.shape(item["geometry"])
        quality = properties[layout.QUALITY]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # Whatever is wrong with it, it is published again.
        return None
    site = None if site_geometry is None else _site_shares(folder, site_geometry)
    has_quicklook = QUICKLOOK in assets
    return PublishedL2A(
        name=folder.name,
        folder=folder,
        item=item,
        footprint=geometry,
        percentages=tile,
        site_percentages=site,
        quality=quality,
        quicklook=folder / layout.QUICKLOOK if has_quicklook else None,
        files=tuple((name, size, digest) for name, (size, digest) in sorted(files.items())),
        reused=True,
    )


def _site_shares(folder: Path, site: BaseGeometry) -> Mapping[str, float] | None:
    return shares_of(read_published(folder), site).site
