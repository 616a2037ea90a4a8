"""Long arrays of geometries, worked on in blocks: bounded memory, and a second core where GEOS leaves Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer

from s4c_lib.parcels.declared import Objects

Floats = npt.NDArray[np.float64]
Result = TypeVar("Result")

BLOCK: Final = 20_000
THREADS: Final = 2
_POLYGON, _MULTIPOLYGON = 3, 6


def in_blocks(
    work: Callable[[slice], Result], count: int, *, block: int = BLOCK, threads: int = THREADS
) -> list[Result]:
    """Results of ``work`` on consecutive slices of ``range(count)``, in their order."""
    edges = [*range(0, count, block), count]
    slices = [slice(start, stop) for start, stop in pairwise(edges)]
    if threads < 2 or len(slices) < 2:
        return [work(part) for part in slices]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, slices))


def filled(work: Callable[[slice], npt.NDArray[Any]], count: int, dtype: npt.DTypeLike, **how: int) -> npt.NDArray[Any]:
    """One array (count,) from the blocks' arrays."""
    result = np.empty(count, dtype=dtype)

    def put(part: slice) -> None:
        result[part] = work(part)

    in_blocks(put, count, **how)
    return result


def coordinate_change(source: CRS, target: CRS) -> Callable[[Floats], Floats]:
    """Function from coordinates (vertices, 2) in one system to the other, x before y; infinite where it fails."""
    transformer = Transformer.from_crs(source, target, always_xy=True)

    def change(coordinates: Floats) -> Floats:
        return np.column_stack(transformer.transform(coordinates[:, 0], coordinates[:, 1]))

    return change


def reproject(geometry: Objects, source: CRS, target: CRS, *, threads: int = THREADS) -> Objects:
    """Geometries in another system, x before y; None stays None.

    Vertices that the target system cannot express become infinite: the geometry is then not valid.
    """
    if source.equals(target, ignore_axis_order=True):
        return geometry
    change = coordinate_change(source, target)
    return filled(lambda part: shapely.transform(geometry[part], change), len(geometry), object, threads=threads)


def is_polygonal(geometry: Objects) -> npt.NDArray[np.bool_]:
    """Whether each is a polygon or multipolygon that is not empty."""
    kind = shapely.get_type_id(geometry)
    return np.asarray(((kind == _POLYGON) | (kind == _MULTIPOLYGON)) & ~shapely.is_empty(geometry))


def only(geometry: Objects, kept: npt.NDArray[np.bool_]) -> Objects:
    """A copy with None where they are not kept."""
    result = geometry.copy()
    result[~kept] = None
    return result


def as_multipolygons(geometry: Objects, *, threads: int = THREADS) -> Objects:
    """The same with polygons as multipolygons of one part; empty ones become None."""

    def promote(part: slice) -> Objects:
        block = geometry[part]
        result = block.copy()
        result[shapely.is_missing(block) | shapely.is_empty(block)] = None
        single = np.flatnonzero(shapely.get_type_id(result) == _POLYGON)
        result[single] = shapely.multipolygons(result[single], indices=np.arange(len(single)))
        return result

    return filled(promote, len(geometry), object, threads=threads)
