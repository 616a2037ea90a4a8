"""Parcels drawn twice (lpis-and-inputs.md 3.6).

A parcel is compared by a fingerprint of 128 bits. In ``default`` it is a sum over the edges, each taken without
direction, of coordinates rounded to 1 m: the same whatever vertex a ring starts at, whichever way it runs and in
whatever order the parts come, without sorting anything. In ``reference`` the order of the vertices counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.geometry_blocks import THREADS, Floats, filled
from s4c_lib.parcels.repair import Profile

ROUNDED_M: Final = 1.0
_SEEDS: Final = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)

Bits = npt.NDArray[np.uint64]


def duplicate_groups(
    geometry: Objects, *, profile: Profile, unit: float = 1.0, threads: int = THREADS
) -> npt.NDArray[np.int32]:
    """Groups of parcels with the same geometry.

    Parameters
    ----------
    geometry : polygons or multipolygons (parcels,) in one system; None takes no part.
    profile : ``default`` compares coordinates rounded to 1 m whatever the order of vertices and parts; ``reference``
        compares all digits and the order.
    unit : metres per unit of the system, for the rounding.

    Returns
    -------
    int32 (parcels,), 0 for a parcel alone, else the number of its group, 1 and up from the south-west; groups do not
    depend on the order of the parcels.
    """
    print_of = _exact if profile == "reference" else _rounded
    step = ROUNDED_M / unit
    marks: Bits = filled(lambda part: print_of(geometry[part], step), len(geometry), (np.uint64, 2), threads=threads)
    taking_part = np.flatnonzero(~(shapely.is_missing(geometry) | shapely.is_empty(geometry)))
    _, kind, size = np.unique(marks[taking_part], axis=0, return_inverse=True, return_counts=True)
    kind = kind.reshape(-1)
    twice = size[kind] > 1
    rows, kind = taking_part[twice], kind[twice]
    result = np.zeros(len(geometry), dtype=np.int32)
    result[rows] = _numbered(geometry[rows], marks[rows], kind)
    return result


def _numbered(geometry: Objects, marks: Bits, kind: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """Number of each group by its south-west corner, so that another order of the rows gives the same numbers."""
    west, south, _, _ = shapely.bounds(geometry).T
    order = np.lexsort((marks[:, 1], marks[:, 0], south, west))
    first_seen: dict[int, int] = {}
    for group in kind[order]:
        first_seen.setdefault(int(group), len(first_seen) + 1)
    return np.array([first_seen[int(group)] for group in kind], dtype=np.int32)


def _rounded(geometry: Objects, step: float) -> Bits:
    """Fingerprints (parcels, 2) of the undirected edges between rounded vertices."""
    parts, row = shapely.get_parts(geometry, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    grid = np.rint(coordinates / step) + 0.0  # no negative zero
    x, y = grid.T
    follows = ring[1:] == ring[:-1]
    moves = follows & ((x[1:] != x[:-1]) | (y[1:] != y[:-1]))
    owner = row[part[ring[:-1][moves]]]
    corner = np.nan_to_num(np.rint(shapely.bounds(geometry)[:, :2] / step)) + 0.0
    result = np.empty((len(geometry), 2), dtype=np.uint64)
    for column, seed in enumerate(_SEEDS):
        vertex = _mixed(x, y, seed)
        start, end = vertex[:-1][moves], vertex[1:][moves]
        edge = _scrambled((start + end) ^ _scrambled(start ^ end))
        # the corner tells parcels apart that are smaller than the rounding and have no edge left
        result[:, column] = _summed(edge, owner, len(geometry)) + _mixed(corner[:, 0], corner[:, 1], ~seed)
    return result


def _exact(geometry: Objects, step: float) -> Bits:
    """Fingerprints (parcels, 2) of the vertices in their order, with all digits."""
    parts, row = shapely.get_parts(geometry, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    owner = row[part[ring]]
    # a hole and a part both begin a ring: which of them it is belongs to the geometry
    hole = np.append(False, part[1:] == part[:-1])[: len(part)]
    place = _position(owner) * 2 + hole[ring]
    x, y = (coordinates + 0.0).T
    result = np.empty((len(geometry), 2), dtype=np.uint64)
    for column, seed in enumerate(_SEEDS):
        vertex = _scrambled(_mixed(x, y, seed) ^ _scrambled(place.astype(np.uint64) + np.uint64(seed)))
        result[:, column] = _summed(vertex, owner, len(geometry))
    return result


def _position(owner: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number of each vertex within its geometry; owners are ascending."""
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])[: len(owner)])
    count = np.diff(np.append(first, len(owner)))
    return np.arange(len(owner)) - np.repeat(first, count)


def _summed(values: Bits, owner: npt.NDArray[np.int64], count: int) -> Bits:
    """Sum modulo 2**64 over the values of each geometry; owners are ascending."""
    running = np.append(np.uint64(0), np.cumsum(values, dtype=np.uint64))
    edges = np.searchsorted(owner, np.arange(count + 1))
    return np.diff(running[edges])


def _mixed(x: Floats, y: Floats, seed: int) -> Bits:
    """Hash of a pair of numbers."""
    salt = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
    return _scrambled(
        _scrambled(np.ascontiguousarray(x).view(np.uint64) + salt) ^ np.ascontiguousarray(y).view(np.uint64)
    )


def _scrambled(values: Bits) -> Bits:
    """The finaliser of SplitMix64 (Steele et al. 2014): every bit of the result depends on every bit given."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
