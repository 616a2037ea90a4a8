"""Ground divided into cells: blocks of land between roads, and in each block elongated cells side by side.

Spec: lpis-and-inputs.md section 8.1. Cells are Voronoi polygons of jittered seeds in a space compressed along one
axis; how regular the seeds are, how long the cells and which way they lie changes from block to block, from the
regular strips of reclaimed land to the irregular fields of old hedgerow country.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

BLOCK_M: Final = 2000.0
_CELLS_PER_BLOCK: Final = 12.0
_JITTER: Final = (0.06, 0.42)  # of a cell, regular and irregular land; 0.42 is the spec's
_ASPECT: Final = (1.9, 3.6)  # about the spec's 2.2
_TURN_DEGREES: Final = 20.0
_ACROSS: Final = 0.35  # share of the blocks whose fields lie across
_SQUARE: Final = 1.3  # how much less regular land is compressed
_THINNED: Final = 0.1  # share of the seeds left out: their neighbours grow larger
_SIZE_SIGMA: Final = 0.25  # of the logarithm of a block's mean cell
_ROAD_M: Final = (2.5, 6.0)  # half of a road with its verges


@dataclass(frozen=True, slots=True)
class Cells:
    """Convex cells in no particular order.

    Parameters
    ----------
    shapes : (cells,) polygons.
    along : float64 (cells,), direction of the long side, radians counter-clockwise from east.
    """

    shapes: Shapes
    along: Floats


def divide(bounds: tuple[float, float, float, float], cell_m2: float, rng: np.random.Generator) -> Cells:
    """Divide a rectangle into cells of a mean size.

    Parameters
    ----------
    bounds : west, south, east, north, metres.
    cell_m2 : mean area of a cell, m2.
    """
    size = max(BLOCK_M, float(np.sqrt(_CELLS_PER_BLOCK * cell_m2)))
    base = rng.uniform(0, np.pi)
    shapes, along = [], []
    for block in _blocks(bounds, size, rng):
        angle = base + np.radians(rng.uniform(-_TURN_DEGREES, _TURN_DEGREES))
        angle += np.pi / 2 if rng.random() < _ACROSS else 0.0
        area = cell_m2 * rng.lognormal(-(_SIZE_SIGMA**2) / 2, _SIZE_SIGMA) * (1 - _THINNED)
        cells = _cells_of_block(block, area, angle, rng)
        shapes.append(cells)
        along.append(np.full(len(cells), angle))
    return Cells(np.concatenate(shapes), np.concatenate(along))


def _blocks(
    bounds: tuple[float, float, float, float], size: float, rng: np.random.Generator
) -> Iterator[shapely.Geometry]:
    """Blocks of land between roads, within the rectangle."""
    west, south, east, north = bounds
    columns, rows = int((east - west) / size) + 5, int((north - south) / size) + 5
    x, y = np.meshgrid(np.arange(columns) - 2.0, np.arange(rows) - 2.0)
    seeds = np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(0.15, 0.85, (columns * rows, 2))
    blocks = _voronoi(seeds * size + (west, south))
    blocks = shapely.buffer(blocks, -rng.uniform(*_ROAD_M, len(blocks)), join_style="mitre")
    # Wobbled edges must stay inside the rectangle.
    clipped = shapely.intersection(blocks, shapely.box(west + 2, south + 2, east - 2, north - 2))
    yield from clipped[shapely.area(clipped) > 0]


def _cells_of_block(block: shapely.Geometry, area: float, angle: float, rng: np.random.Generator) -> Shapes:
    """Cells of a block: jittered seeds in tiers, some left out."""
    aspect = rng.uniform(*_ASPECT)
    regular = np.sqrt(rng.random())
    jitter = _JITTER[0] + (1 - regular) * (_JITTER[1] - _JITTER[0])
    # Seeds of regular land are compressed less: ends of fields then stand square to their sides.
    stretch = np.array([1 + _SQUARE * regular, 1.0])
    width = np.sqrt(area / aspect)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # In the block's own frame a cell is 1 x 1: x along the fields, y across.
    scale = np.array([width * aspect, width])
    corners = shapely.get_coordinates(block) @ turn.T / scale
    low, high = np.floor(corners.min(axis=0)) - 3, np.ceil(corners.max(axis=0)) + 3
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    # Fields lie side by side in tiers with common ends; the sides of two tiers do not meet.
    y = y + rng.uniform(0, 1, (1, x.shape[1]))
    seeds = np.column_stack([x.ravel(), y.ravel()])
    seeds += rng.uniform(-jitter, jitter, seeds.shape) / stretch
    seeds = seeds[rng.random(len(seeds)) >= _THINNED]
    cells = _voronoi(seeds * stretch)
    cells = shapely.set_coordinates(cells, shapely.get_coordinates(cells) / stretch * scale @ turn)
    shapely.prepare(block)
    cells = cells[shapely.intersects(block, cells)]
    crossing = ~shapely.contains_properly(block, cells)
    cells[crossing] = shapely.intersection(cells[crossing], block)
    return cells[shapely.area(cells) > 0]


def _voronoi(seeds: Floats) -> Shapes:
    """Bounded Voronoi polygons of points."""
    from scipy.spatial import Voronoi

    diagram = Voronoi(seeds)
    regions = [diagram.regions[number] for number in diagram.point_region]
    sizes = np.array([len(region) for region in regions])
    vertices = np.concatenate([np.asarray(region, dtype=np.int64) for region in regions])
    owner = np.repeat(np.arange(len(regions)), sizes)
    open_regions = np.zeros(len(regions), dtype=bool)
    open_regions[owner[vertices < 0]] = True
    bounded = np.flatnonzero((sizes > 2) & ~open_regions)
    rank = np.full(len(regions), -1)
    rank[bounded] = np.arange(len(bounded))
    keep = rank[owner] >= 0
    rings = shapely.linearrings(diagram.vertices[vertices[keep]], indices=rank[owner[keep]])
    return np.asarray(shapely.polygons(rings), dtype=object)
