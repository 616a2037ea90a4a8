"""Geometries of the specification's acceptance cases (lpis-and-inputs.md section 10), EPSG:32631."""

import numpy as np
import shapely
from pyproj import CRS

from s4c_lib.parcels.geometry_blocks import reproject

X, Y = 650003.0, 5750003.0
UTM = CRS.from_epsg(32631)
LONLAT = CRS.from_epsg(4326)


def box(x, y, wide, high=None):
    return shapely.box(X + x, Y + y, X + x + wide, Y + y + (wide if high is None else high))


def drawn(*points, holes=()):
    def moved(ring):
        return [(X + x, Y + y) for x, y in ring]

    return shapely.Polygon(moved(points), [moved(hole) for hole in holes])


def column(*shapes):
    result = np.empty(len(shapes), dtype=object)
    result[:] = shapes
    return result


BOW_TIE = drawn((500, 0), (600, 100), (600, 0), (500, 100))
TOUCHING_RING = drawn((700, 0), (800, 0), (800, 100), (750, 100), (760, 50), (740, 50), (750, 100), (700, 100))
GOLDEN = column(
    box(0, 0, 100),
    box(85, 0, 100),
    box(0, 200, 200),
    box(10, 210, 50),
    box(300, 0, 100),
    box(300, 0, 100),
    BOW_TIE,
    TOUCHING_RING,
    box(900, 0, 12, 300),
)

SQUARE = ((0, 0), (100, 0), (100, 100), (0, 100))
HOLE_ON_SHELL = drawn(*SQUARE, holes=[((0, 20), (0, 60), (30, 60), (30, 20))])
SPIKE = drawn((0, 0), (100, 0), (100, 100), (50, 100), (50, 150), (50, 100), (0, 100))
HOLE_OUTSIDE = drawn(*SQUARE, holes=[((200, 0), (250, 0), (250, 50), (200, 50))])


def in_lonlat(shapes):
    return reproject(shapes, UTM, LONLAT)
