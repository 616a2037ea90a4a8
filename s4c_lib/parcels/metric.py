"""Area, perimeter and shape index of parcels, and the system they are measured in (lpis-and-inputs.md 3.3, 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Geod

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.geometry_blocks import (
    THREADS,
    Floats,
    coordinate_change,
    filled,
    in_blocks,
    is_polygonal,
    only,
)

EUROPE: Final = 3035
WGS84: Final = 4326


@dataclass(frozen=True, slots=True)
class Measures:
    """Size of geometries; arrays (parcels,).

    Parameters
    ----------
    area : square units of the system, 0 where there is no polygon.
    perimeter : units of the system, holes counted.
    """

    area: Floats
    perimeter: Floats


def shape_index(measures: Measures) -> Floats:
    """ShapeInd = P / (2 sqrt(pi A)): 1 for a circle, 1.1284 for a square; NaN where the area is 0."""
    area = np.where(measures.area > 0, measures.area, np.nan)
    return np.asarray(measures.perimeter / (2 * np.sqrt(np.pi * area)))


def in_europe(longitude: float, latitude: float) -> bool:
    """Whether a place lies in the area of use of EPSG:3035."""
    area = CRS.from_epsg(EUROPE).area_of_use
    return area is not None and area.west <= longitude <= area.east and area.south <= latitude <= area.north


def equal_area_crs(longitude: float, latitude: float) -> CRS:
    """EPSG:3035 in its area of use, elsewhere a Lambert azimuthal equal-area system centred on the place."""
    if in_europe(longitude, latitude):
        return CRS.from_epsg(EUROPE)
    return CRS.from_proj4(f"+proj=laea +lat_0={latitude:.2f} +lon_0={longitude:.2f} +datum=WGS84 +units=m")


def utm_epsg(longitude: Floats, latitude: Floats) -> npt.NDArray[np.int64]:
    """EPSG code of the regular UTM zone of places; 0 where a coordinate is not finite."""
    known = np.isfinite(longitude) & np.isfinite(latitude)
    zone = np.floor((np.where(known, longitude, 0.0) + 180) / 6).astype(np.int64) % 60 + 1
    return np.where(known, zone + np.where(latitude < 0, 32700, 32600), 0)


def is_utm(crs: CRS) -> bool:
    """Whether a system is UTM."""
    return crs.utm_zone is not None


def metres_per_unit(crs: CRS) -> float:
    """Length of a unit of a projected system."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def box_centres(geometry: Objects, crs: CRS) -> tuple[Floats, Floats]:
    """Longitude and latitude of the middle of each bounding box; NaN where there is none."""
    west, south, east, north = shapely.bounds(geometry).T
    middle = np.column_stack([(west + east) / 2, (south + north) / 2])
    if not crs.equals(CRS.from_epsg(WGS84), ignore_axis_order=True):
        middle = coordinate_change(crs, CRS.from_epsg(WGS84))(middle)
    middle[~np.isfinite(middle).all(axis=1)] = np.nan
    return middle[:, 0], middle[:, 1]


def planar(geometry: Objects, crs: CRS, *, threads: int = THREADS) -> Measures:
    """Area and perimeter in a projected layer's own plane, in metres."""
    factor = metres_per_unit(crs)
    rows = len(geometry)

    def area_of(part: slice) -> Floats:
        return np.nan_to_num(shapely.area(_polygons(geometry[part])))

    def perimeter_of(part: slice) -> Floats:
        return np.nan_to_num(shapely.length(_polygons(geometry[part])))

    area = filled(area_of, rows, np.float64, threads=threads)
    perimeter = filled(perimeter_of, rows, np.float64, threads=threads)
    return Measures(area * factor**2, perimeter * factor)


def projected(geometry: Objects, source: CRS, target: CRS, *, threads: int = THREADS) -> Measures:
    """Area and perimeter in another projected system, in metres, without building the geometries anew."""
    if source.equals(target, ignore_axis_order=True):
        return planar(geometry, source, threads=threads)
    change, factor = coordinate_change(source, target), metres_per_unit(target)

    def measure(part: slice) -> tuple[Floats, Floats]:
        rings = _Rings.of(geometry[part])
        area, length = rings.shoelace(change(rings.coordinates))
        return rings.areas(area * factor**2), rings.sums(length * factor)

    return _joined(in_blocks(measure, len(geometry), threads=threads))


def in_zone_of_each(geometry: Objects, crs: CRS, *, threads: int = THREADS) -> Measures:
    """Area and perimeter in UTM: the layer's own zone when it is UTM, else the zone of each parcel."""
    if is_utm(crs):
        return planar(geometry, crs, threads=threads)
    zones = utm_epsg(*box_centres(geometry, crs))
    area, perimeter = np.zeros(len(geometry)), np.zeros(len(geometry))
    for zone in np.unique(zones[zones > 0]):
        rows = np.flatnonzero(zones == zone)
        measured = projected(geometry[rows], crs, CRS.from_epsg(int(zone)), threads=threads)
        area[rows], perimeter[rows] = measured.area, measured.perimeter
    return Measures(area, perimeter)


def geodesic(geometry: Objects, *, threads: int = THREADS) -> Measures:
    """Area and perimeter on the WGS 84 ellipsoid of polygons in longitude and latitude, metres."""
    ellipsoid = Geod(ellps="WGS84")

    def measure(part: slice) -> tuple[Floats, Floats]:
        rings = _Rings.of(geometry[part])
        edges = np.append(rings.starts, len(rings.coordinates))
        area, length = np.empty(len(rings.starts)), np.empty(len(rings.starts))
        for ring, (start, stop) in enumerate(pairwise(edges)):
            points = rings.coordinates[start:stop]
            area[ring], length[ring] = ellipsoid.polygon_area_perimeter(points[:, 0], points[:, 1])
        return rings.areas(np.abs(area)), rings.sums(length)

    return _joined(in_blocks(measure, len(geometry), threads=threads))


@dataclass(frozen=True, slots=True)
class _Rings:
    """All rings of a block of geometries.

    Parameters
    ----------
    coordinates : float64 (vertices, 2). ring : int64 (vertices,), ring of each vertex. starts : first vertex of each.
    row : int64 (rings,), geometry of each ring. sign : float64 (rings,), 1 for a shell, -1 for a hole.
    """

    rows: int
    coordinates: Floats
    ring: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    sign: Floats

    @classmethod
    def of(cls, geometry: Objects) -> _Rings:
        parts, row = shapely.get_parts(_polygons(geometry), return_index=True)
        solid = ~shapely.is_empty(parts)
        parts, row = parts[solid], row[solid]
        rings, part = shapely.get_rings(parts, return_index=True)
        coordinates, ring = shapely.get_coordinates(rings, return_index=True)
        shell = np.append(True, part[1:] != part[:-1])[: len(part)]
        starts = np.flatnonzero(np.append(True, ring[1:] != ring[:-1])[: len(ring)])
        return cls(len(geometry), coordinates, ring, starts, row[part], np.where(shell, 1.0, -1.0))

    def shoelace(self, coordinates: Floats) -> tuple[Floats, Floats]:
        """Area (rings,) without sign and length of each ring."""
        if not len(self.ring):
            return np.zeros(0), np.zeros(0)
        # relative to the ring's first vertex: the products stay small, nothing is lost to cancellation
        known = np.where(np.isfinite(coordinates), coordinates, np.nan)
        x, y = (known - known[self.starts][self.ring]).T
        inside = self.ring[1:] == self.ring[:-1]
        cross = np.where(inside, x[:-1] * y[1:] - x[1:] * y[:-1], 0.0)
        length = np.where(inside, np.hypot(np.diff(x), np.diff(y)), 0.0)
        count = len(self.starts)
        twice = np.bincount(self.ring[:-1], cross, minlength=count)
        return np.abs(twice) / 2, np.asarray(np.bincount(self.ring[:-1], length, minlength=count), dtype=np.float64)

    def areas(self, area: Floats) -> Floats:
        """Shells less holes, by geometry; 0 where it is not finite."""
        return self.sums(self.sign * area)

    def sums(self, values: Floats) -> Floats:
        """Sum over the rings of each geometry; 0 where it is not finite."""
        total = np.bincount(self.row, values, minlength=self.rows)
        return np.where(np.isfinite(total), total, 0.0)


def _polygons(geometry: Objects) -> Objects:
    """The geometries with all that is no polygon as None."""
    return only(geometry, is_polygonal(geometry))


def _joined(blocks: list[tuple[Floats, Floats]]) -> Measures:
    if not blocks:
        return Measures(np.zeros(0), np.zeros(0))
    area, perimeter = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return Measures(area, perimeter)
