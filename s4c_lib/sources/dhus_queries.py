"""Queries of the OpenSearch interface of DHuS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

from s4c_lib.errors import InputError
from s4c_lib.sources.model import Query
from s4c_lib.sources.product_kinds import ProductKind, Satellite
from s4c_lib.sources.search_area import area_text, search_parts

_TYPES: Mapping[ProductKind, tuple[str, ...]] = {
    # S2MSI2Ap: the pilot production of 2017 and 2018.
    ProductKind.S2_L1C: ("S2MSI1C",),
    ProductKind.S2_L2A: ("S2MSI2A", "S2MSI2Ap"),
    ProductKind.S1_SLC: ("SLC",),
    ProductKind.S1_GRD: ("GRD",),
    ProductKind.LANDSAT_L1: ("L1TP",),
    ProductKind.LANDSAT_L2SP: ("L2SP",),
}
PLATFORMS: Mapping[Satellite, str] = {
    Satellite.SENTINEL1: "Sentinel-1",
    Satellite.SENTINEL2: "Sentinel-2",
    Satellite.LANDSAT8: "Landsat-8",
    Satellite.LANDSAT9: "Landsat-9",
}


def product_types(params: Mapping[str, Any]) -> dict[ProductKind, tuple[str, ...]]:
    """``producttype`` of each kind: ESA's own, changed and extended by ``params["product_types"]``.

    Raises
    ------
    InputError : a kind that there is not.
    """
    types = dict(_TYPES)
    for kind, words in dict(params.get("product_types") or {}).items():
        if kind not in {known.value for known in ProductKind}:
            known = ", ".join(sorted(item.value for item in ProductKind))
            raise InputError(f"product_types of the source names the kind '{kind}'", hint=f"kinds are {known}")
        types[ProductKind(kind)] = (words,) if isinstance(words, str) else tuple(words)
    return types


def queries(query: Query, types: Mapping[ProductKind, tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """Keywords of `sentinelsat.SentinelAPI.query`, one set for each part of the area; none for kinds not offered.

    A product fits when its time meets the window at all: pair products begin days before the day they count for.
    """
    wanted = {word for kind in query.kinds for word in types.get(kind, ())}
    if not wanted:
        return
    keywords: dict[str, Any] = {
        "platformname": PLATFORMS[query.satellite],
        "producttype": wanted,
        "beginposition": (None, datetime.combine(query.date_to, time(23, 59, 59), tzinfo=UTC)),
        "endposition": (datetime.combine(query.date_from, time.min, tzinfo=UTC), None),
    }
    if query.geometry is None:
        yield keywords
        return
    for part in search_parts(query.geometry):
        yield {**keywords, "area": area_text(part)}
