"""Landsat 8 and 9 names: Collection 1 and 2, and the scene ids used before 2017."""

from __future__ import annotations

import re

from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite, utc

_COLLECTION = re.compile(
    r"L[COT]0(?P<number>[89])_(?P<level>L1TP|L1GS|L1GT|L2SP|L2SR|L2A)_(?P<tile>[0-9]{6})_(?P<date>[0-9]{8})"
    r"_(?P<created>[0-9]{8})_(?P<collection>0[12])_(?P<tier>T1|T2|RT)"
)
_SCENE_ID = re.compile(
    r"L[COT](?P<number>[89])(?P<tile>[0-9]{6})(?P<date>[0-9]{7})(?P<station>[A-Z]{3})(?P<version>[0-9]{2})(?P<l2a>_L2A)?"
)
_KINDS = {
    "L2SP": ProductKind.LANDSAT_L2SP,
    "L2SR": ProductKind.LANDSAT_L2SR,
    "L2A": ProductKind.LANDSAT_L2A,
}


def parse_landsat(name: str) -> ProductName | None:
    """Read an upper-case name without suffix; None when it is not a Landsat 8 or 9 one."""
    if found := _COLLECTION.fullmatch(name):
        sensed, created = utc(found["date"], "%Y%m%d"), utc(found["created"], "%Y%m%d")
        if sensed is None or created is None:
            return None
        return ProductName(
            name=name,
            satellite=Satellite(f"landsat{found['number']}"),
            platform=f"landsat-{found['number']}",
            kind=_KINDS.get(found["level"], ProductKind.LANDSAT_L1),
            sensing_start=sensed,
            sensing_stop=sensed,
            tile=found["tile"],
            collection=int(found["collection"]),
            tier=found["tier"],
            created=created,
            version=found["level"],
            date_only=True,
        )
    if found := _SCENE_ID.fullmatch(name):
        sensed = utc(found["date"], "%Y%j")
        # strptime takes day 366 of any year for the first of the next.
        if sensed is None or f"{sensed:%Y%j}" != found["date"]:
            return None
        return ProductName(
            name=name,
            satellite=Satellite(f"landsat{found['number']}"),
            platform=f"landsat-{found['number']}",
            kind=ProductKind.LANDSAT_L2A if found["l2a"] else ProductKind.LANDSAT_L1,
            sensing_start=sensed,
            sensing_stop=sensed,
            tile=found["tile"],
            version=found["version"],
            date_only=True,
        )
    return None
