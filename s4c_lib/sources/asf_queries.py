"""Search options of asf_search for our queries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, Final

import shapely
from shapely.geometry import Polygon, box
from shapely.geometry.polygon import orient

from s4c_lib.geography.footprint import WORLD
from s4c_lib.sources.model import Query
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.search_area import search_parts

LEVELS: Final[Mapping[ProductKind, tuple[str, ...]]] = {
    ProductKind.S1_SLC: ("SLC",),
    # High resolution, two polarisations and one; the medium one is not made over land.
    ProductKind.S1_GRD: ("GRD_HD", "GRD_HS"),
}
PLATFORM: Final = "SENTINEL-1"
_BEAM_MODE: Final = "IW"
_CORNERS_DEG: Final = 0.001
_WIDEST_DEG: Final = 5.0


def searches(query: Query) -> Iterator[dict[str, Any]]:
    """Keywords of `asf_search.ASFSearchOptions`, one set for each kind and part of the area."""
    for kind in sorted(query.kinds & LEVELS.keys()):
        keywords: dict[str, Any] = {
            "platform": [PLATFORM],
            "processingLevel": list(LEVELS[kind]),
            "beamMode": [_BEAM_MODE],
            "start": datetime.combine(query.date_from, time.min, tzinfo=UTC),
            "end": datetime.combine(query.date_to, time(23, 59, 59), tzinfo=UTC),
        }
        if query.geometry is None:
            yield keywords
            continue
        for part in search_parts(query.geometry):
            yield {**keywords, "intersectsWith": _for_a_sphere(part).wkt}


def _for_a_sphere(part: Polygon) -> Polygon:
    """Widen a part for a catalogue that joins corners by great circles, counter-clockwise as it wants them.

    A great circle leaves the parallel through its ends by up to w²/8 · sin φ cos φ, at most w²/16 (w: its width). The
    first metres make up for asf_search, which takes corners away that change less than 0.0004 degrees.
    """
    west, _, east, _ = part.bounds
    margin = _CORNERS_DEG + min(math.degrees(math.radians(east - west) ** 2 / 16), _WIDEST_DEG)
    wide = shapely.intersection(shapely.buffer(part, margin, join_style="mitre", mitre_limit=2.0), WORLD)
    outline = wide if isinstance(wide, Polygon) else box(*wide.bounds)
    return orient(Polygon(outline.exterior), 1.0)
