"""The numbers behind the names: satellites, processors, product types (Sen4CAP's own ids, spec operations.md §1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from s4c_lib import processors

SATELLITES = {"s2": 1, "l8": 2, "s1": 3, "l9": 4}
SATELLITE_OF_NAME = {"sentinel2": "s2", "landsat8": "l8", "sentinel1": "s1", "landsat9": "l9"}

PROCESSORS = {
    "l2a": 1,
    "l3b": 3,
    "l2s1": 7,
    "lpis": 8,
    **{one.name: one.number for one in processors.PROCESSORS.values()},
    "s4c_mdb1": 14,
    "l2a_msk": 15,
    "ingest": 100,
}

PRODUCT_TYPES = {
    "l2a": 1,
    "l3b": 3,
    "l1c": 7,
    "s1_l2a_amp": 10,
    "s1_l2a_cohe": 11,
    **{one.product_type: one.product_type_number for one in processors.PROCESSORS.values()},
    "lpis": 14,
    "l2a_msk": 26,
}

# Landsat 9 shares the switches, windows and sources of Landsat 8.
SEARCH_GROUPS = {"s1": (3,), "s2": (1,), "l8": (2, 4)}
SEARCHED_SATELLITES = tuple(SEARCH_GROUPS)


def satellite_numbers(names: Sequence[str]) -> list[int]:
    """Return the satellite ids of search groups (``l8``: Landsat 8 and 9) or single satellites (``l9``)."""
    return sorted({number for name in names for number in SEARCH_GROUPS.get(name, (SATELLITES[name],))})


def processor_name(number: int) -> str:
    """Return the short name of a processor id."""
    return next(name for name, value in PROCESSORS.items() if value == number)


def satellite_name(number: int) -> str:
    """Return the short name (``s2``) of a satellite id."""
    return next(name for name, value in SATELLITES.items() if value == number)
