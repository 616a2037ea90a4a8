"""Sentinel-2 names: compact SAFE, the multi-tile SAFE before 2016-12, MUSCATE (MAJA) directories, granules."""

from __future__ import annotations

import re

from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite, utc

_TIME = r"[0-9]{8}T[0-9]{6}"
_TILE = r"[0-9]{2}[A-Z]{3}"
_COMPACT = re.compile(
    rf"(?P<sat>S2[A-D])_MSIL(?P<level>1C|2A)_(?P<start>{_TIME})_N(?P<baseline>[0-9]{{4}})_R(?P<orbit>[0-9]{{3}})"
    rf"_T(?P<tile>{_TILE})_(?P<discriminator>{_TIME})"
)
_MULTI_TILE = re.compile(
    rf"(?P<sat>S2[A-D])_[A-Z0-9]{{4}}_PRD_MSIL(?P<level>1C|2A)_(?P<centre>[A-Z0-9_]{{4}})_(?P<created>{_TIME})"
    rf"_R(?P<orbit>[0-9]{{3}})_V(?P<start>{_TIME})_(?P<stop>{_TIME})"
)
_MUSCATE = re.compile(
    rf"SENTINEL2(?P<unit>[A-D])_(?P<time>[0-9]{{8}}-[0-9]{{6}}-[0-9]{{3}})_L2A_T(?P<tile>{_TILE})_[CHD]"
    r"_V(?P<version>[0-9]+(?:-[0-9]+)*)"
)
_GRANULE_COMPACT = re.compile(rf"L(?:1C|2A)_T(?P<tile>{_TILE})_A(?P<orbit>[0-9]{{6}})_{_TIME}")
_GRANULE_OLD = re.compile(
    rf"S2[A-D]_[A-Z0-9]{{4}}_MSI_L(?:1C|2A)_TL_.*_A(?P<orbit>[0-9]{{6}})_T(?P<tile>{_TILE})_N[0-9]{{2}}\.[0-9]{{2}}"
)


def parse_sentinel2(name: str) -> ProductName | None:
    """Read an upper-case name without suffix; None when it is not a Sentinel-2 one."""
    for pattern, build in ((_COMPACT, _compact), (_MULTI_TILE, _multi_tile), (_MUSCATE, _muscate)):
        if found := pattern.fullmatch(name):
            return build(name, found)
    return None


def granule_tile(name: str) -> str | None:
    """MGRS tile of a directory below ``GRANULE``; None when it is no granule."""
    upper = name.upper()
    found = _GRANULE_COMPACT.fullmatch(upper) or _GRANULE_OLD.fullmatch(upper)
    return found["tile"] if found else None


def _kind(level: str) -> ProductKind:
    return ProductKind.S2_L1C if level == "1C" else ProductKind.S2_L2A


def _platform(sat: str) -> str:
    return f"sentinel-2{sat[-1].lower()}"


def _compact(name: str, found: re.Match[str]) -> ProductName | None:
    start, discriminator = utc(found["start"]), utc(found["discriminator"])
    if start is None or discriminator is None:
        return None
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL2,
        platform=_platform(found["sat"]),
        kind=_kind(found["level"]),
        sensing_start=start,
        sensing_stop=start,
        tile=found["tile"],
        relative_orbit=int(found["orbit"]),
        baseline=int(found["baseline"]),
        datatake=f"{found['sat']}_{found['start']}",
        # The discriminator is either the generation or a later sensing time; only its order matters here.
        created=discriminator,
    )


def _multi_tile(name: str, found: re.Match[str]) -> ProductName | None:
    start, stop, created = utc(found["start"]), utc(found["stop"]), utc(found["created"])
    if start is None or stop is None or created is None:
        return None
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL2,
        platform=_platform(found["sat"]),
        kind=_kind(found["level"]),
        sensing_start=start,
        sensing_stop=stop,
        relative_orbit=int(found["orbit"]),
        datatake=f"{found['sat']}_{found['start']}",
        created=created,
    )


def _muscate(name: str, found: re.Match[str]) -> ProductName | None:
    # %f takes the three digits of milliseconds as they are written.
    start = utc(found["time"], "%Y%m%d-%H%M%S-%f")
    if start is None:
        return None
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL2,
        platform=_platform(found["unit"]),
        kind=ProductKind.MUSCATE_L2A,
        sensing_start=start,
        sensing_stop=start,
        tile=found["tile"],
        version=found["version"].replace("-", "."),
    )
