"""Parcels of a tile, in the tile's own system and shrunk: what pixels are counted in (lpis-and-inputs.md 3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid

BUFFER_10M: Final = 5.0  # metres taken off on grids of 10 m, and on those of 20 m
BUFFER_20M: Final = 10.0
_SEGMENTS: Final = 8  # of a quarter circle, as PostGIS and Sen4CAP draw it
_CHUNK: Final = 5000
_EDGE_POINTS: Final = 21
_SPARE: Final = 1e-3

Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class LocatedParcels:
    """Parcels in the system of a grid.

    Parameters
    ----------
    parcel_id : int32 (parcels,), ascending, each once.
    geometry : polygons or multipolygons (parcels,) in ``epsg``, metres.
    """

    epsg: int
    parcel_id: npt.NDArray[np.int32]
    geometry: Geometries

    def __len__(self) -> int:
        return len(self.parcel_id)


def locate_parcels(parcel_id: npt.ArrayLike, geometry: Geometries, crs: CRS, grid: PixelGrid) -> LocatedParcels:
    """Parcels that meet the ground of a grid, in its system, by ascending number.

    Parameters
    ----------
    parcel_id : (rows,), above 0, each once, in any order.
    geometry : (rows,), valid or repaired polygons in ``crs``; rows of None or empty ones meet nothing.
    crs : x is taken to be east (longitude), as files have it.

    Raises
    ------
    InputError : a number is repeated or out of range, or a parcel has no place in the system of the grid.
    """
    numbers = _numbers(parcel_id, len(geometry))
    target = CRS.from_epsg(grid.epsg)
    order = np.argsort(numbers, kind="stable")
    if not crs.equals(target, ignore_axis_order=True):
        to_grid = Transformer.from_crs(crs, target, always_xy=True)
        order = order[_near(geometry[order], to_grid, grid)]
        shapes = _reprojected(numbers[order], geometry[order], to_grid, grid)
    else:
        shapes = geometry[order]
    met = shapely.intersects(shapes, shapely.box(*grid.bounds))
    return LocatedParcels(grid.epsg, numbers[order][met], shapes[met])


def shrink_parcels(parcels: LocatedParcels, metres: float, *, threads: int = 2) -> LocatedParcels:
    """Take a rim off each parcel, with round joins; parcels of which nothing is left are not in the result.

    Parameters
    ----------
    metres : width of the rim, 0 or more; 0 leaves the parcels as they are.
    threads : GEOS works outside Python's lock, so that two take half the time.
    """
    if metres < 0:
        raise InputError(f"an inner buffer of {metres} m does not exist", hint="give 0 or more metres")
    shapes = parcels.geometry
    if metres > 0:
        shapes = _by_chunks(lambda part: shapely.buffer(part, -metres, quad_segs=_SEGMENTS), shapes, threads)
    left = ~shapely.is_empty(shapes)
    return LocatedParcels(parcels.epsg, parcels.parcel_id[left], shapes[left])


def _numbers(parcel_id: npt.ArrayLike, rows: int) -> npt.NDArray[np.int32]:
    given = np.asarray(parcel_id)
    if given.shape != (rows,):
        raise InputError(f"{given.size} parcel numbers for {rows} geometries")
    if rows and (given.min() < 1 or given.max() > np.iinfo(np.int32).max):
        raise InputError(f"parcel numbers from {given.min()} to {given.max()}: they must be 1 to 2147483647")
    numbers: npt.NDArray[np.int32] = given.astype(np.int32)
    found, times = np.unique(numbers, return_counts=True)
    if len(found) < rows:
        raise InputError(f"parcel number {found[times > 1][0]} is given to several parcels")
    return numbers


def _near(shapes: Geometries, to_grid: Transformer, grid: PixelGrid) -> npt.NDArray[np.intp]:
    """Positions of the shapes whose box meets the grid's ground; the others need no reprojection."""
    try:
        west, south, east, north = to_grid.transform_bounds(
            *grid.bounds, densify_pts=_EDGE_POINTS, direction="INVERSE", errcheck=True
        )
    except ProjError as error:
        raise InputError(
            f"ground in EPSG:{grid.epsg} at {grid.bounds} has no place in the system of the declarations",
            hint="check the coordinate system of the declarations",
        ) from error
    # Edges bend between the points they were taken at.
    spare = _SPARE * (north - south)
    west, south, east, north = west - spare, south - spare, east + spare, north + spare
    boxes = shapely.bounds(shapes)
    in_height = (boxes[:, 1] <= north) & (boxes[:, 3] >= south)
    if west <= east:
        in_width = (boxes[:, 0] <= east) & (boxes[:, 2] >= west)
    else:  # longitudes across 180 degrees
        in_width = (boxes[:, 0] <= east) | (boxes[:, 2] >= west)
    return np.flatnonzero(in_height & in_width)


def _reprojected(
    numbers: npt.NDArray[np.int32], shapes: Geometries, to_grid: Transformer, grid: PixelGrid
) -> Geometries:
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    points[:, 0], points[:, 1] = to_grid.transform(points[:, 0], points[:, 1])
    lost = ~np.isfinite(points).all(axis=1)
    if lost.any():
        raise InputError(
            f"parcel {numbers[owner[lost.argmax()]]} cannot be reprojected to EPSG:{grid.epsg}",
            hint="check the coordinate system of the declarations",
        )
    moved: Geometries = shapely.set_coordinates(shapes, points)
    return moved


def _by_chunks(work: Callable[[Geometries], Geometries], shapes: Geometries, threads: int) -> Geometries:
    def chunks() -> Iterator[Geometries]:
        for first in range(0, len(shapes), _CHUNK):
            yield shapes[first : first + _CHUNK]

    if threads <= 1 or len(shapes) <= _CHUNK:
        return work(shapes)
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, chunks())))
