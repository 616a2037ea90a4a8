"""The area of a search in pieces whose text is short enough for an address, together containing the whole area."""

from __future__ import annotations

from typing import Final

import shapely
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography.footprint import WORLD
from s4c_lib.geography.search_geometry import search_geometry

LONGEST_TEXT: Final = 1500
"""Characters of well-known text: eodag cuts corners off what is longer than 1600, and products are lost there."""

_DECIMALS: Final = 4
# Rounding to four decimals moves a corner by up to 0.00005 degrees in each direction.
_ROUNDING_DEG: Final = 0.0001
_MOST_PARTS: Final = 8
_VERTICES: Final = (80, 60, 40, 20, 12)


def search_parts(geometry: BaseGeometry, longest_text: int = LONGEST_TEXT) -> tuple[Polygon, ...]:
    """Return polygons that together contain the geometry, by their western and southern edge.

    Providers refuse or ignore multipolygons, so each part is asked for by itself. Small parts close to each other come
    as one; an area of more than eight parts comes as its convex hull. Corners have four decimals.

    Parameters
    ----------
    geometry : EPSG:4326, with an area.
    longest_text : of a part's well-known text, in characters.

    Raises
    ------
    InputError : the geometry has no area.
    """
    polygons = [Polygon(part.exterior) for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    if not polygons or sum(part.area for part in polygons) == 0:
        raise InputError("the area to search in is empty", hint="give the site a polygon")
    filled = _polygons(shapely.union_all(polygons))
    if len(filled) > _MOST_PARTS:
        # Neighbours grow together before the hull of all is taken.
        filled = _polygons(shapely.buffer(MultiPolygon(filled), 0.1, join_style="mitre"))
    if len(filled) > _MOST_PARTS:
        filled = _polygons(shapely.convex_hull(MultiPolygon(filled)))
    parts = {_short(part, longest_text) for part in filled}
    return tuple(sorted(parts, key=lambda part: (part.bounds, part.wkt)))


def area_text(part: Polygon) -> str:
    """Well-known text with the decimals that eodag writes."""
    return str(shapely.to_wkt(part, rounding_precision=_DECIMALS, trim=False))


def _short(part: Polygon, longest_text: int) -> Polygon:
    for vertices in _VERTICES:
        simple = _polygons(search_geometry(MultiPolygon([part]), vertices))
        if len(simple) > 1:
            simple = _polygons(shapely.convex_hull(MultiPolygon(simple)))
        wide = shapely.buffer(simple[0], _ROUNDING_DEG, join_style="mitre", mitre_limit=2.0)
        rounded = _rounded(shapely.intersection(wide, WORLD))
        if rounded is not None and len(area_text(rounded)) <= longest_text and rounded.contains(part):
            return rounded
    west, south, east, north = part.bounds
    return box(
        max(west - _ROUNDING_DEG, -180),
        max(south - _ROUNDING_DEG, -90),
        min(east + _ROUNDING_DEG, 180),
        min(north + _ROUNDING_DEG, 90),
    )


def _rounded(geometry: BaseGeometry) -> Polygon | None:
    on_grid = _polygons(shapely.set_precision(geometry, 10.0**-_DECIMALS))
    return Polygon(on_grid[0].exterior) if len(on_grid) == 1 else None


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
