"""A product as the hub serves it, and what each catalogue calls its kind."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from s4c_lib.sources.model import Direction
from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedProduct:
    """One product and its bytes.

    Attributes
    ----------
    title : its name as written on disk, without suffixes.
    path, file_name : the file served, and the name it is served under (``<title>.zip``).
    published : when the hub made it available; derived from its name and metadata, never from the clock.
    is_safe : a SAFE folder, whose name has the suffix in OData.
    """

    name: ProductName
    title: str
    path: Path
    file_name: str
    size_bytes: int
    md5: str
    footprint: BaseGeometry
    start: datetime
    end: datetime
    published: datetime
    processed: datetime | None
    tiles: tuple[str, ...] = ()
    relative_orbit: int | None = None
    direction: Direction | None = None
    cloud_pct: float | None = None
    is_safe: bool = False

    @property
    def id(self) -> str:
        """UUID made from the title: the same in every hub."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.title))

    @property
    def etag(self) -> str:
        """Entity tag of its bytes."""
        return f'"{self.md5}"'


@dataclass(frozen=True, slots=True)
class KindWords:
    """How catalogues call one kind of product.

    Attributes
    ----------
    odata_types : values of ``productType``; the first is shown, the others are found as well.
    dhus_type : ``producttype``.
    stac : id of the collection.
    """

    odata_types: tuple[str, ...]
    dhus_type: str
    stac: str


_WORDS = {
    ProductKind.S2_L1C: KindWords(("S2MSI1C",), "S2MSI1C", "sentinel-2-l1c"),
    ProductKind.S2_L2A: KindWords(("S2MSI2A",), "S2MSI2A", "sentinel-2-l2a"),
    ProductKind.MUSCATE_L2A: KindWords(("S2MSI2A_MUSCATE",), "S2MSI2A_MUSCATE", "sentinel-2-muscate"),
    ProductKind.S1_SLC: KindWords(("IW_SLC__1S", "SLC"), "SLC", "sentinel-1-slc"),
    ProductKind.S1_GRD: KindWords(("IW_GRDH_1S", "GRD"), "GRD", "sentinel-1-grd"),
    ProductKind.S1_AMP: KindWords(("S1_L2_AMP",), "S1_L2_AMP", "sentinel-1-l2-amp"),
    ProductKind.S1_COHE: KindWords(("S1_L2_COHE",), "S1_L2_COHE", "sentinel-1-l2-cohe"),
    ProductKind.LANDSAT_L1: KindWords(("L1TP",), "L1TP", "landsat-c2-l1"),
    ProductKind.LANDSAT_L2SP: KindWords(("L2SP",), "L2SP", "landsat-c2-l2"),
    ProductKind.LANDSAT_L2SR: KindWords(("L2SR",), "L2SR", "landsat-c2-l2"),
    ProductKind.LANDSAT_L2A: KindWords(("L2A",), "L2A", "landsat-l2a"),
}
PLATFORM_NAMES = {
    Satellite.SENTINEL1: "Sentinel-1",
    Satellite.SENTINEL2: "Sentinel-2",
    Satellite.LANDSAT8: "Landsat-8",
    Satellite.LANDSAT9: "Landsat-9",
}
"""As DHuS and STAC write them; OData has them in capitals."""


def words_of(kind: ProductKind) -> KindWords:
    """What the catalogues call a kind."""
    return _WORDS[kind]


def platform_letter(name: ProductName) -> str | None:
    """``A`` of ``sentinel-2a``; None where the name does not say which satellite it was."""
    last = name.platform[-1:].upper()
    return last if last.isalpha() and name.platform[-2:-1].isdigit() else None


def iso(moment: datetime) -> str:
    """UTC with milliseconds, as the catalogues write times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
