"""The field pattern of a country: fields, and the ground that nobody farms, on a window of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.crops import Cover
from s4c_lib.synthetic.landscape.cells import divide
from s4c_lib.synthetic.landscape.field_shapes import cut_fields, digitise
from s4c_lib.synthetic.streams import Stream, generator

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]
Covers = tuple[tuple[Cover, BaseGeometry], ...]

COVER_SHARE: Final = 0.25
SMALLEST_MEAN_M2: Final = 2000.0
_TOLERANCE: Final = 0.04  # of the ground left to covers
_CELL: Final = 1.42  # first guess of a cell's size, in fields: some are cut, some are scraps at roads
_INSET_M: Final = (1.8, 3.7)  # two of them are a gap
_SMALLEST_CELL_M2: Final = 700.0
_ROUNDEST: Final = 0.3  # 4 pi A / P2 below which a cell is a sliver of the division
_EDGE_M: Final = 35.0  # between vertices, for fields of the area below
_EDGE_AREA_M2: Final = 15_000.0
_NUCLEI_PER_KM2: Final = 1.2
# Kind, share of the nuclei, relative radius.
_KINDS: Final = ((Cover.FOREST, 0.5, 1.2), (Cover.BUILT_UP, 0.38, 0.8), (Cover.WATER, 0.12, 0.6))
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class FieldPattern:
    """Fields and covers.

    Parameters
    ----------
    shapes : (fields,) valid, disjoint polygons and multipolygons, block by block.
    row_angle : float64 (fields,), direction of the rows, degrees clockwise from north, 0..180.
    covers : forests, villages and lakes; disjoint from each other and from the fields.
    """

    shapes: Shapes
    row_angle: Floats
    covers: Covers


def field_pattern(grid: PixelGrid, count: int, seed: int) -> FieldPattern:
    """Draw exactly ``count`` fields on about three quarters of a window.

    Raises
    ------
    InputError : the window is too small for so many fields.
    """
    if count < 1:
        raise InputError(f"a landscape of {count} parcels does not exist", hint="ask for one or more")
    west, south, east, north = grid.bounds
    ground = (east - west) * (north - south)
    too_small = InputError(
        f"a window of {east - west:.0f} m x {north - south:.0f} m is too small for {count} parcels",
        hint=f"enlarge it to {_side(count)} m or ask for fewer parcels",
    )
    if ground * (1 - COVER_SHARE) / count < SMALLEST_MEAN_M2:
        raise too_small
    rng = generator(seed, Stream.FIELDS)
    cell_m2 = ground * (1 - COVER_SHARE) / count * _CELL
    best: _Attempt | None = None
    for _ in range(_ATTEMPTS):
        attempt = _attempt(grid, count, cell_m2, rng)
        if attempt is None:
            cell_m2 *= 0.75  # too few fields: smaller ones
            continue
        if best is None or abs(attempt.excess) < abs(best.excess):
            best = attempt
        if abs(attempt.excess) <= _TOLERANCE:
            break
        cell_m2 *= (1 - COVER_SHARE) / (1 - COVER_SHARE + attempt.excess)
    if best is None:
        raise too_small
    edge = float(_EDGE_M * np.sqrt(shapely.area(best.shapes).mean() / _EDGE_AREA_M2))
    return FieldPattern(digitise(best.shapes, edge), np.mod(90 - np.degrees(best.along), 180), best.covers)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A division of the ground; ``excess`` is the share of it that is farmed too much."""

    shapes: Shapes
    along: Floats
    covers: Covers
    excess: float


def _attempt(grid: PixelGrid, count: int, cell_m2: float, rng: np.random.Generator) -> _Attempt | None:
    """Divide the ground into cells and choose ``count`` fields; None when it holds fewer."""
    cells = divide(grid.bounds, cell_m2, rng)
    usable = _inset(cells.shapes, rng)
    roomy = np.flatnonzero(~shapely.is_empty(usable))
    if not len(roomy):
        return None
    pieces = cut_fields(usable[roomy], cells.along[roomy], rng)
    score, nucleus = _distance_to_covers(grid, cells.shapes, rng)
    chosen = _choose(pieces.cell, score[roomy], count)
    if chosen is None:
        return None
    farmed = np.zeros(len(cells.shapes), dtype=bool)
    farmed[roomy[np.unique(pieces.cell[chosen])]] = True
    free = np.flatnonzero(~farmed)
    west, south, east, north = grid.bounds
    share = float(shapely.area(cells.shapes[farmed]).sum()) / ((east - west) * (north - south))
    return _Attempt(
        pieces.shapes[chosen],
        cells.along[roomy[pieces.cell[chosen]]],
        _covers(cells.shapes[free], nucleus[free]),
        share - (1 - COVER_SHARE),
    )


def _side(count: int) -> int:
    """Side of a window that holds so many fields, in whole 60 m."""
    return int(np.ceil(np.sqrt(count * 1.25 * SMALLEST_MEAN_M2 / (1 - COVER_SHARE)) / 60) * 60)


def _inset(cells: Shapes, rng: np.random.Generator) -> Shapes:
    """Cells less their half of the gaps to the neighbours; empty where nothing worth a field is left."""
    inner = shapely.buffer(cells, -rng.uniform(*_INSET_M, len(cells)), join_style="mitre")
    area, length = shapely.area(inner), shapely.length(inner)
    poor = area < np.maximum(_SMALLEST_CELL_M2, _ROUNDEST * length**2 / (4 * np.pi))
    inner[poor] = shapely.Polygon()
    return np.asarray(inner, dtype=object)


def _distance_to_covers(grid: PixelGrid, cells: Shapes, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """How far each cell is from the nearest forest, village or lake, in radii of it, and which one that is."""
    from scipy.spatial import cKDTree

    west, south, east, north = grid.bounds
    count = max(len(_KINDS), round((east - west) * (north - south) / 1e6 * _NUCLEI_PER_KM2))
    centre = rng.uniform((west, south), (east, north), (count, 2))
    kind = _kinds(np.arange(count))
    radius = rng.lognormal(0, 0.4, count) * np.array([size for _, _, size in _KINDS])[kind]
    cell = shapely.get_coordinates(shapely.centroid(cells))
    near = min(count, 8)
    distance, nucleus = cKDTree(centre).query(cell, k=near)
    relative = np.asarray(distance).reshape(len(cell), near) / radius[np.asarray(nucleus).reshape(len(cell), near)]
    first = relative.argmin(axis=1)
    rows = np.arange(len(cell))
    return relative[rows, first], np.asarray(nucleus).reshape(len(cell), near)[rows, first]


def _choose(cell: Ints, score: Floats, count: int) -> Ints | None:
    """Exactly ``count`` pieces, whole cells of them, the farthest from any cover; None when there are too few."""
    fields = np.bincount(cell, minlength=len(score))
    order = np.argsort(-score, kind="stable")
    total = np.cumsum(fields[order])
    full = int(np.searchsorted(total, count, side="right"))
    missing = count - (int(total[full - 1]) if full else 0)
    singles = [number for number in order[full:] if fields[number] == 1][:missing] if missing else []
    if len(singles) < missing:
        return None
    taken = np.zeros(len(score), dtype=bool)
    taken[order[:full]] = True
    taken[singles] = True
    return np.flatnonzero(taken[cell])


def _kinds(nucleus: Ints) -> Ints:
    """Kind of each nucleus: the first three are one of each, the others follow the shares."""
    edges = np.cumsum([share for _, share, _ in _KINDS])
    # A low-discrepancy sequence: the kinds keep their shares in any window.
    drawn = np.searchsorted(edges, np.mod(0.3 + nucleus * 0.6180339887498949, 1.0))
    return np.where(nucleus < len(_KINDS), nucleus, np.minimum(drawn, len(_KINDS) - 1))


def _covers(cells: Shapes, nucleus: Ints) -> Covers:
    """Free cells joined, one cover a nucleus."""
    order = np.argsort(nucleus, kind="stable")
    numbers, start = np.unique(nucleus[order], return_index=True)
    groups = np.split(cells[order], start[1:])
    return tuple(
        (_KINDS[kind][0], shapely.union_all(group)) for kind, group in zip(_kinds(numbers), groups, strict=False)
    )
