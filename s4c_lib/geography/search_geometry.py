"""A simple shape around an extent, short enough for the query of a catalogue."""

from __future__ import annotations

from typing import Final

import shapely

from s4c_lib.geography.footprint import WORLD

MAX_VERTICES: Final = 200
_FIRST_TOLERANCE_DEG: Final = 0.0005
_GROWTH: Final = 1.5
_LAST_TOLERANCE_DEG: Final = 5.0


def search_geometry(geometry: shapely.MultiPolygon, max_vertices: int = MAX_VERTICES) -> shapely.MultiPolygon:
    """Return a shape that contains the geometry and has at most `max_vertices` vertices.

    The geometry is simplified with a growing tolerance and then widened by that tolerance, so that it still contains
    all of it. What has few vertices already is returned as it is.

    Parameters
    ----------
    geometry : EPSG:4326.
    max_vertices : counted with the closing vertex of every ring.
    """
    if shapely.get_num_coordinates(geometry) <= max_vertices:
        return geometry
    filled = shapely.union_all([shapely.Polygon(part.exterior) for part in geometry.geoms])
    tolerance = _FIRST_TOLERANCE_DEG
    while tolerance <= _LAST_TOLERANCE_DEG:
        # a square join adds one vertex a corner where a round one adds eight and a pointed one may reach far out
        simple = shapely.simplify(filled, tolerance, preserve_topology=True)
        wide = shapely.buffer(simple, tolerance, cap_style="square", join_style="mitre", mitre_limit=2.0)
        outline = shapely.intersection(_without_holes(wide), WORLD)
        if shapely.get_num_coordinates(outline) <= max_vertices and outline.contains(geometry):
            return _multi(outline)
        tolerance *= _GROWTH
    west, south, east, north = geometry.bounds
    return shapely.MultiPolygon([shapely.box(west, south, east, north)])


def _without_holes(geometry: shapely.Geometry) -> shapely.Geometry:
    return shapely.union_all([shapely.Polygon(part.exterior) for part in shapely.get_parts(geometry)])


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    return shapely.MultiPolygon(list(shapely.get_parts(geometry)))
