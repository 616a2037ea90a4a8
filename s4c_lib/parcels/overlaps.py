"""How much of each parcel lies under others (lpis-and-inputs.md 3.6).

The specification shrinks every parcel by 0.25 m so that neighbours which only touch never reach the intersection,
the dear step. Asking GEOS directly whether the interiors meet costs about as much where fields touch, a third where
ditches and roads lie between them, and is exact: no thin overlap is lost and no parcel is too narrow to be shrunk.
``benchmarks/declaration_geometry.py`` compares both with the plain way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.geometry_blocks import BLOCK, THREADS, Floats, in_blocks

TOLERANCE: Final = 1e-7
"""Share of a parcel by which an amount must pass the threshold: what reprojecting its vertices may add."""
_INTERIORS_MEET: Final = "T********"


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of parcels that share ground; arrays (pairs,), and (parcels,) for the amount.

    Parameters
    ----------
    one, other : int64, positions, ``one < other``, by ascending ``one`` and ``other``.
    shared : area both have, square units of the system.
    area : float64 (parcels,), own area, square units; 0 for None.
    amount : sum of what a parcel shares with each other one, as a share of its own area; may exceed 1.
    """

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    shared: Floats
    area: Floats
    amount: Floats

    def above(self, threshold: float) -> npt.NDArray[np.bool_]:
        """Parcels of which more than ``threshold`` lies under others (strict), bool (parcels,)."""
        return self.amount > threshold + TOLERANCE


def overlaps(geometry: Objects, *, block: int = BLOCK, threads: int = THREADS) -> Overlaps:
    """Overlaps within a set of parcels.

    Parameters
    ----------
    geometry : valid polygons or multipolygons (parcels,) in one planar system; None takes no part.
    block : parcels worked on at a time, which bounds the memory.
    """
    tree = shapely.STRtree(geometry)
    found = in_blocks(lambda part: _pairs(tree, geometry, part), len(geometry), block=block, threads=threads)
    one, other = (np.concatenate([item[i] for item in found] or [np.zeros(0, dtype=np.int64)]) for i in (0, 1))
    shared = np.concatenate([item[2] for item in found] or [np.zeros(0)])
    order = np.lexsort((other, one))
    one, other, shared = one[order], other[order], shared[order]
    total = np.bincount(one, shared, minlength=len(geometry)) + np.bincount(other, shared, minlength=len(geometry))
    area = np.nan_to_num(shapely.area(geometry))
    amount = np.divide(total, area, out=np.zeros(len(geometry)), where=area > 0)
    return Overlaps(one, other, shared, area, amount)


def _pairs(
    tree: shapely.STRtree, geometry: Objects, part: slice
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Pairs whose smaller position lies in the block, and the area each shares."""
    # copies: a prepared geometry must not be shared by threads, and one object may stand in several rows
    block = shapely.force_2d(geometry[part])
    one, other = tree.query(block)
    kept = one + part.start < other
    one, other = one[kept], other[kept]
    shapely.prepare(block)
    # the cheaper question first: many boxes meet over a ditch or a road
    near = shapely.intersects(block[one], geometry[other])
    one, other = one[near], other[near]
    meet = shapely.relate_pattern(block[one], geometry[other], _INTERIORS_MEET)
    one, other = one[meet], other[meet]
    shared = shapely.area(shapely.intersection(block[one], geometry[other]))
    return one + part.start, other, shared
