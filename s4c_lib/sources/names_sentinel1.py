"""Sentinel-1 names: SLC and GRD scenes, ready-made level 2 (Sen4CAP V1 and V2, own rasters), with the orbit formula."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from s4c_lib.sources.product_kinds import ProductKind, ProductName, Satellite, utc

OWN: Final = "OWN"
"""Version of the names of rasters that a sidecar describes."""
_TIME = r"[0-9]{8}T[0-9]{6}"
_SCENE = re.compile(
    r"(?P<sat>S1[A-D])_(?P<mode>IW|EW|S[1-6])_(?P<type>SLC|GRD)(?P<resolution>[FHM_])_(?P<level>[0-2])[AS]"
    rf"(?P<polarisation>SH|SV|DH|DV)_(?P<start>{_TIME})_(?P<stop>{_TIME})_(?P<orbit>[0-9]{{6}})"
    r"_(?P<datatake>[0-9A-F]{6})_(?P<crc>[0-9A-F]{4})(?:_COG)?"
)
_V1 = re.compile(
    rf"SEN4CAP_L2A_S(?P<site>[0-9]+)_V(?P<first>{_TIME})_(?P<second>{_TIME})_(?P<polarisation>VV|VH|HH|HV)"
    r"_(?P<orbit>[0-9]{3})_(?:.+_)?(?P<type>AMP|COHE)"
)
_LEVEL2 = (
    rf"(?P<sat>S1[A-D])_L2_(?:BCK_(?P<date>{_TIME})|COH_(?P<first>{_TIME})_(?P<second>{_TIME}))"
    r"_(?P<polarisation>VV|VH|HH|HV)_(?P<orbit>[0-9]{3})"
)
_TILE = r"_(?P<tile>[0-9]{2}[A-Z]{3})"
_V2 = re.compile(_LEVEL2 + _TILE)
# Of a raster that a sidecar describes: the file itself may be called anything.
_OWN = re.compile(rf"{_LEVEL2}(?:{_TILE})?_OWN")
_POLARISATIONS = {"SH": ("HH",), "SV": ("VV",), "DH": ("HH", "HV"), "DV": ("VV", "VH")}
# Offset of the absolute orbit counter (preprocessing.md §3.1); the one of 1C is not verified, 1D's is not known.
_ORBIT_OFFSET = {"sentinel-1a": 73, "sentinel-1b": 27, "sentinel-1c": 172}
_ORBITS_PER_CYCLE = 175


def relative_orbit(platform: str, absolute_orbit: int) -> int | None:
    """Relative orbit 1..175 of a Sentinel-1 absolute orbit; None for a platform whose offset is not known.

    Before a product is on disk only: its manifest says the number itself.
    """
    offset = _ORBIT_OFFSET.get(platform)
    return None if offset is None else (absolute_orbit - offset) % _ORBITS_PER_CYCLE + 1


def parse_sentinel1(name: str) -> ProductName | None:
    """Read an upper-case name without suffix; None when it is not a Sentinel-1 one."""
    for pattern, build in (
        (_SCENE, _scene),
        (_V1, _version1),
        (_V2, _version2),
        (_OWN, _own),
    ):
        if found := pattern.fullmatch(name):
            return build(name, found)
    return None


def _scene(name: str, found: re.Match[str]) -> ProductName | None:
    start, stop = utc(found["start"]), utc(found["stop"])
    # An SLC has no resolution class: the letter is an underscore, which makes the double one.
    if start is None or stop is None or (found["type"] == "SLC") != (found["resolution"] == "_"):
        return None
    platform = f"sentinel-{found['sat'][1:].lower()}"
    absolute = int(found["orbit"])
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL1,
        platform=platform,
        kind=ProductKind.S1_SLC if found["type"] == "SLC" else ProductKind.S1_GRD,
        sensing_start=start,
        sensing_stop=stop,
        relative_orbit=relative_orbit(platform, absolute),
        absolute_orbit=absolute,
        mode=found["mode"],
        polarisations=_POLARISATIONS[found["polarisation"]],
        datatake=f"{found['sat']}_{found['datatake']}",
    )


def _version1(name: str, found: re.Match[str]) -> ProductName | None:
    first, second = utc(found["first"]), utc(found["second"])
    if first is None or second is None:
        return None
    later, earlier = max(first, second), min(first, second)
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL1,
        platform="sentinel-1",
        kind=ProductKind.S1_AMP if found["type"] == "AMP" else ProductKind.S1_COHE,
        sensing_start=later,
        sensing_stop=later,
        previous_time=earlier,
        relative_orbit=int(found["orbit"]),
        polarisations=(found["polarisation"],),
        site_id=int(found["site"]),
        version="V1",
    )


def _version2(name: str, found: re.Match[str]) -> ProductName | None:
    coherence = found["date"] is None
    times = [utc(found[group]) for group in (("first", "second") if coherence else ("date",))]
    known = [time for time in times if time is not None]
    if len(known) != len(times):
        return None
    return ProductName(
        name=name,
        satellite=Satellite.SENTINEL1,
        platform=f"sentinel-{found['sat'][1:].lower()}",
        kind=ProductKind.S1_COHE if coherence else ProductKind.S1_AMP,
        sensing_start=max(known),
        sensing_stop=max(known),
        previous_time=min(known) if coherence else None,
        tile=found["tile"],
        relative_orbit=int(found["orbit"]),
        polarisations=(found["polarisation"],),
        version="V2",
    )


def _own(name: str, found: re.Match[str]) -> ProductName | None:
    parsed = _version2(name, found)
    return None if parsed is None else replace(parsed, version=OWN)
