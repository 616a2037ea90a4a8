"""Which collection of which eodag provider holds which products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from s4c_lib.errors import InputError
from s4c_lib.sources.product_kinds import ProductKind

_SENTINEL: Final = {
    ProductKind.S1_SLC: "S1_SAR_SLC",
    ProductKind.S1_GRD: "S1_SAR_GRD",
    ProductKind.S2_L1C: "S2_MSI_L1C",
    ProductKind.S2_L2A: "S2_MSI_L2A",
}

_KNOWN: Final[Mapping[str, Mapping[ProductKind, str]]] = MappingProxyType(
    {
        "cop_dataspace": _SENTINEL,
        "creodias": _SENTINEL,
        "geodes": {
            ProductKind.S1_SLC: "S1_SAR_SLC",
            ProductKind.S1_GRD: "S1_SAR_GRD",
            ProductKind.S2_L1C: "S2_MSI_L1C",
            ProductKind.MUSCATE_L2A: "S2_MSI_L2A_MAJA",
        },
        # The cloud-optimised L2A of Earth Search names the product it was made from.
        "earth_search": {
            ProductKind.S1_GRD: "S1_SAR_GRD",
            ProductKind.S2_L1C: "S2_MSI_L1C",
            ProductKind.S2_L2A: "S2_MSI_L2A_COG",
            ProductKind.LANDSAT_L2SP: "LANDSAT_C2L2",
            ProductKind.LANDSAT_L2SR: "LANDSAT_C2L2",
        },
        "usgs_satapi_aws": {
            ProductKind.LANDSAT_L1: "LANDSAT_C2L1",
            ProductKind.LANDSAT_L2SP: "LANDSAT_C2L2_SR",
            ProductKind.LANDSAT_L2SR: "LANDSAT_C2L2_SR",
        },
        "usgs": {
            ProductKind.LANDSAT_L1: "LANDSAT_C2L1",
            ProductKind.LANDSAT_L2SP: "LANDSAT_C2L2",
            ProductKind.LANDSAT_L2SR: "LANDSAT_C2L2",
        },
    }
)

# What eodag calls the collections, whoever offers them; of Sentinel-1 level 2 it knows none, a definition may.
_ANYWHERE: Final = {
    **_SENTINEL,
    ProductKind.S1_AMP: "S1_L2_AMP",
    ProductKind.S1_COHE: "S1_L2_COHE",
    ProductKind.MUSCATE_L2A: "S2_MSI_L2A_MAJA",
    ProductKind.LANDSAT_L1: "LANDSAT_C2L1",
    ProductKind.LANDSAT_L2SP: "LANDSAT_C2L2",
    ProductKind.LANDSAT_L2SR: "LANDSAT_C2L2",
}


def known_collections(provider: str) -> Mapping[ProductKind, str]:
    """Collections by kind that are known of a provider; none of one that is not listed here."""
    return _KNOWN.get(provider, {})


def collections_of(provider: str, given: Mapping[str, str], offered: Iterable[str]) -> dict[ProductKind, str]:
    """Collections to search, by kind: of those offered, what is known of the provider, else eodag's usual names.

    Parameters
    ----------
    given : kind to collection, as the data source is configured; goes before all else.
    offered : collections that the provider's definition has.

    Raises
    ------
    InputError : a kind that there is not, or a collection that the provider does not have.
    """
    has = frozenset(offered)
    usual = {**_ANYWHERE, **known_collections(provider)}
    chosen = {kind: collection for kind, collection in usual.items() if collection in has}
    for key, collection in sorted(given.items()):
        try:
            kind = ProductKind(key)
        except ValueError:
            raise InputError(
                f"collections of provider {provider}: '{key}' is no kind of product",
                hint=f"one of {', '.join(ProductKind)}",
            ) from None
        if collection not in has:
            raise InputError(
                f"provider {provider} has no collection '{collection}'",
                hint=f"one of {', '.join(sorted(has))}" if has else "define it under products",
            )
        chosen[kind] = collection
    return chosen
