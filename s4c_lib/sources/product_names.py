"""The one reader of product names, and what follows from a name alone."""

from __future__ import annotations

import re

from s4c_lib.errors import InputError
from s4c_lib.sources.names_landsat import parse_landsat
from s4c_lib.sources.names_sentinel1 import parse_sentinel1, relative_orbit
from s4c_lib.sources.names_sentinel2 import granule_tile, parse_sentinel2
from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite

__all__ = [
    "ProductKind",
    "ProductName",
    "Satellite",
    "bare_name",
    "granule_tile",
    "l2a_name",
    "parse_product_name",
    "product_name",
    "relative_orbit",
]

_SUFFIX = re.compile(r"\.(SAFE|ZIP|TAR|TAR\.GZ|TGZ|TIF|TIFF)$", re.IGNORECASE)
_RASTER_KINDS = (ProductKind.S1_AMP, ProductKind.S1_COHE)


def bare_name(name: str) -> str:
    """Return the name without the suffixes of folders and archives (``X.SAFE.zip`` -> ``X``)."""
    while found := _SUFFIX.search(name):
        name = name[: found.start()]
    return name


def parse_product_name(name: str) -> ProductName | None:
    """Read a product name, in either case, with or without suffix; None when it is no known product's.

    Examples
    --------
    >>> parse_product_name("S2A_MSIL2A_20200205T100211_N0214_R122_T33UVQ_20200205T114355.SAFE").tile
    '33UVQ'
    """
    # Only ASCII: str.upper() would turn some other letters into ones the patterns accept.
    if not name.isascii():
        return None
    bare = bare_name(name).upper()
    for parse in (parse_sentinel2, parse_sentinel1, parse_landsat):
        parsed = parse(bare)
        if parsed is not None:
            is_raster = name.lower().endswith((".tif", ".tiff"))
            return None if is_raster and parsed.kind not in _RASTER_KINDS else parsed
    return None


def product_name(name: str) -> ProductName:
    """Read a product name.

    Raises
    ------
    InputError : the name is no known product's.
    """
    parsed = parse_product_name(name)
    if parsed is None:
        raise InputError(
            f"'{name}' is not the name of a Sentinel-1, Sentinel-2 or Landsat 8/9 product",
            hint="give the product's own name, as the provider wrote it",
        )
    return parsed


def l2a_name(name: str) -> str:
    """Name of the L2A product made from an L1 one; a suffix such as ``.SAFE`` is kept.

    Raises
    ------
    InputError : the name is not that of a Sentinel-2 L1C or Landsat level-1 product.
    """
    parsed = product_name(name)
    if parsed.kind is ProductKind.S2_L1C:
        return re.sub("MSIL1C", "MSIL2A", name, count=1, flags=re.IGNORECASE)
    if parsed.kind is ProductKind.LANDSAT_L1:
        if parsed.collection is not None:
            return re.sub(r"_L1[A-Z]{2}_", "_L2A_", name, count=1, flags=re.IGNORECASE)
        bare = bare_name(name)
        return f"{bare}_L2A{name[len(bare) :]}"
    raise InputError(
        f"{parsed.name} is not a level-1 product of Sentinel-2 or Landsat", hint="only an L1 name has an L2A name"
    )
