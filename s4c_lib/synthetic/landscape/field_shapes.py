"""What becomes of a field within its cell: strips, holes, parts, a margin strip, a tiny plot; then its digitised edge.

Spec: lpis-and-inputs.md section 8.2. All cuts are straight and the fields convex, so the pieces of a field never meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]

GAP_M: Final = (3.6, 5.0)  # between pieces of one field
SMALLEST_M2: Final = 60.0
_WOBBLE_M: Final = 0.25


class Pattern(IntEnum):
    """How a field fills its cell."""

    WHOLE = 0
    STRIPS = 1  # one to three narrow strips beside the rest
    MARGIN_STRIP = 2  # a margin of 3-9 m declared by itself
    HOLE = 3
    AROUND = 4  # two parts, with another field between them
    TRACK = 5  # two parts, a track between them
    TINY = 6  # a plot of some hundred m2 cut from its end


_SHARES: Final = {
    Pattern.STRIPS: 0.08,
    Pattern.MARGIN_STRIP: 0.01,
    Pattern.HOLE: 0.03,
    Pattern.AROUND: 0.01,
    Pattern.TRACK: 0.01,
    Pattern.TINY: 0.02,
}


@dataclass(frozen=True, slots=True)
class Pieces:
    """Fields cut from cells.

    Parameters
    ----------
    shapes : (pieces,) polygons and multipolygons.
    cell : int64 (pieces,), position of the cell, ascending.
    """

    shapes: Shapes
    cell: Ints


def cut_fields(cells: Shapes, along: Floats, rng: np.random.Generator) -> Pieces:
    """Cut each cell into its fields.

    Parameters
    ----------
    cells : (cells,) convex polygons, gaps to the neighbours already taken off.
    along : float64 (cells,), direction of the long side, radians.
    """
    draw = rng.random(len(cells))
    pattern = np.zeros(len(cells), dtype=np.int64)
    edge = 0.0
    for kind, share in _SHARES.items():
        pattern[(draw >= edge) & (draw < edge + share)] = kind
        edge += share
    low, high = _extent(cells, along)
    middle = _extent_of_points(shapely.get_coordinates(shapely.centroid(cells)), along)
    cut = _Cutter(cells, along, low, high)
    shapes: list[Shapes] = []
    owner: list[Ints] = []

    def keep(pieces: Shapes, of: Ints, smallest: float = SMALLEST_M2) -> None:
        good = (shapely.area(pieces) >= smallest) & (shapely.get_type_id(pieces) != 7)
        shapes.append(pieces[good])
        owner.append(of[good])

    whole = np.flatnonzero(pattern == Pattern.WHOLE)
    keep(cells[whole], whole)
    holed = np.flatnonzero(pattern == Pattern.HOLE)
    keep(_with_holes(cells[holed], rng), holed)
    for kind, most, strip in ((Pattern.STRIPS, 3, (6.0, 40.0)), (Pattern.MARGIN_STRIP, 1, (3.0, 9.0))):
        of = np.flatnonzero(pattern == kind)
        start = low[of, 1].copy()
        count = rng.integers(1, most + 1, len(of))
        for number in range(most):
            stop = start + rng.uniform(*strip, len(of))
            fits = (number < count) & (stop + GAP_M[1] + 15 < high[of, 1])
            keep(cut.across(of[fits], start[fits], stop[fits]), of[fits], 200.0)
            start = np.where(fits, stop + rng.uniform(*GAP_M, len(of)), start)
        keep(cut.across(of, start, high[of, 1]), of)
    for kind, part in ((Pattern.AROUND, (0.25, 0.4)), (Pattern.TRACK, (0.35, 0.65))):
        of = np.flatnonzero(pattern == kind)
        length = high[of, 0] - low[of, 0]
        first = low[of, 0] + length * rng.uniform(*part, len(of))
        gap = rng.uniform(*GAP_M, len(of))
        last = first + gap
        if kind == Pattern.AROUND:
            last = np.maximum(low[of, 0] + length * rng.uniform(0.6, 0.75, len(of)), first + gap + 12)
            keep(cut.along(of, first + gap, last), of)
            last = last + gap
        ends = np.array([cut.along(of, low[of, 0], first), cut.along(of, last, high[of, 0])], dtype=object)
        keep(_parts(ends), of)
    of = np.flatnonzero(pattern == Pattern.TINY)
    depth, breadth = rng.uniform(12, 25, len(of)), rng.uniform(8, 20, len(of))
    stop = low[of, 0] + np.maximum(depth, 0.12 * (high[of, 0] - low[of, 0]))
    plot = cut.along(of, stop - depth, stop)
    keep(cut.across(of, middle[of, 1] - breadth / 2, middle[of, 1] + breadth / 2, plot), of)
    keep(cut.along(of, stop + rng.uniform(*GAP_M, len(of)), high[of, 0]), of)
    cell = np.concatenate(owner)
    order = np.argsort(cell, kind="stable")
    return Pieces(np.concatenate(shapes)[order], cell[order])


def digitise(shapes: Shapes, longest_m: float) -> Shapes:
    """Edges as a digitising hand leaves them: vertices every so often, a few decimetres off the line, in whole cm."""
    plain = shapely.segmentize(shapely.simplify(shapes, 1.0), longest_m)

    def wobble(points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        # A function of the place, so that rings stay closed.
        shift = np.column_stack([np.sin(0.091 * x + 1.7 * y), np.sin(1.3 * x - 0.083 * y)])
        return np.asarray(np.round(points + _WOBBLE_M / np.sqrt(2) * shift, 2))

    drawn = shapely.transform(plain, wobble)
    wrong = ~shapely.is_valid(drawn)
    drawn[wrong] = plain[wrong]
    return np.asarray(drawn, dtype=object)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts cells in their own frames: first axis along the fields, second across."""

    cells: Shapes
    angle: Floats
    low: Floats
    high: Floats

    def along(self, of: Ints, start: Floats, stop: Floats) -> Shapes:
        """What lies between two positions along the field."""
        return self._cut(of, start, stop, 0, self.cells[of])

    def across(self, of: Ints, start: Floats, stop: Floats, shapes: Shapes | None = None) -> Shapes:
        """What lies between two positions across the field."""
        return self._cut(of, start, stop, 1, self.cells[of] if shapes is None else shapes)

    def _cut(self, of: Ints, start: Floats, stop: Floats, axis: int, shapes: Shapes) -> Shapes:
        other = 1 - axis
        corners = np.empty((len(of), 4, 2))
        corners[:, (0, 3), axis] = start[:, None]
        corners[:, (1, 2), axis] = np.maximum(stop, start)[:, None]
        corners[:, (0, 1), other] = self.low[of, other, None] - 1
        corners[:, (2, 3), other] = self.high[of, other, None] + 1
        cos, sin = np.cos(self.angle[of])[:, None], np.sin(self.angle[of])[:, None]
        x = corners[..., 0] * cos - corners[..., 1] * sin
        y = corners[..., 0] * sin + corners[..., 1] * cos
        slabs = shapely.polygons(np.stack([x, y], axis=-1))
        return np.asarray(shapely.intersection(shapes, slabs), dtype=object)


def _extent(shapes: Shapes, angle: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest positions in the cells' own frames, two of float64 (cells, 2)."""
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    turned = _extent_of_points(points, angle[owner])
    start = np.searchsorted(owner, np.arange(len(shapes)))
    return np.minimum.reduceat(turned, start), np.maximum.reduceat(turned, start)


def _extent_of_points(points: Floats, angle: Floats) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([points[:, 0] * cos + points[:, 1] * sin, points[:, 1] * cos - points[:, 0] * sin])


def _with_holes(shapes: Shapes, rng: np.random.Generator) -> Shapes:
    """Fields around a pond, a copse or a yard of up to half their width."""
    middle = shapely.centroid(shapes)
    room = shapely.distance(middle, shapely.boundary(shapes))
    hole = shapely.buffer(middle, room * rng.uniform(0.15, 0.5, len(shapes)), quad_segs=2)
    return np.asarray(shapely.difference(shapes, hole), dtype=object)


def _parts(ends: Shapes) -> Shapes:
    """Two rows of pieces as multipolygons; where one is missing, the other alone."""
    both = (shapely.area(ends) >= SMALLEST_M2).all(axis=0)
    joined = np.where(shapely.area(ends[0]) >= shapely.area(ends[1]), ends[0], ends[1])
    pairs = ends[:, both].T.ravel()
    joined[both] = shapely.multipolygons(pairs, indices=np.repeat(np.arange(both.sum()), 2))
    return np.asarray(joined, dtype=object)
