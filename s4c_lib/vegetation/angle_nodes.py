"""Where the pixels of a grid lie between the nodes of an angle grid (l3b-and-markers.md 1.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.scene import AngleGrid

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class NodePlaces:
    """Neighbouring nodes of pixel centres, for bilinear interpolation; beyond the outermost nodes their value holds.

    Parameters
    ----------
    node_row : int64 (rows,), node north of the centre. below : float64 (rows,), share of the way to the next one.
    node_column : int64 (pieces,), node west of the centres in a run of columns.
    piece : int64 (pieces + 1,), columns at which the runs begin, and the end.
    beside : float32 (columns,), share of the way to the next node.
    """

    node_row: Ints
    below: Doubles
    node_column: Ints
    piece: Ints
    beside: npt.NDArray[np.float32]


def node_places(angles: AngleGrid, grid: PixelGrid) -> NodePlaces:
    """Place a grid of pixels among nodes: node (i, j) lies at (west + step j, north - step i)."""
    rows, columns = angles.cos_vza.shape
    node_row, below = _between((angles.north - grid.north) / angles.step, grid.pixel / angles.step, grid.rows, rows)
    column, beside = _between((grid.west - angles.west) / angles.step, grid.pixel / angles.step, grid.columns, columns)
    begins = np.flatnonzero(np.diff(column, prepend=-1))
    return NodePlaces(
        node_row, below, column[begins], np.append(begins, grid.columns).astype(np.int64), beside.astype(np.float32)
    )


def _between(offset: float, pixel: float, pixels: int, nodes: int) -> tuple[Ints, Doubles]:
    place: Doubles = offset + (np.arange(pixels, dtype=np.float64) + 0.5) * pixel
    # A single node has no neighbour: the terms are doubled for it, see `doubled`.
    node = np.clip(np.floor(place), 0, max(nodes - 2, 0)).astype(np.int64)
    return node, np.clip(place - node, 0, 1)


def doubled(nodes: Doubles) -> Doubles:
    """Nodes (rows, columns, ...) with at least two rows and columns, so that each has a neighbour."""
    if nodes.shape[0] == 1:
        nodes = np.repeat(nodes, 2, axis=0)
    return np.repeat(nodes, 2, axis=1) if nodes.shape[1] == 1 else nodes
