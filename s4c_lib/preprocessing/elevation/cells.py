"""Cells: the squares in which elevation models are delivered, and how each model names them (spec §7.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

SRTM_3S_SIZE = 5
EU_DEM_SIZE_M = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A square of one model's division of the world.

    Parameters
    ----------
    row, column : its southern and western edge, counted in cells from the origin of the model's coordinates
        (for cells of one degree: floor of latitude and longitude). A column beyond 180 degrees is the one it wraps to.
    """

    row: int
    column: int


def cell_of(x: float, y: float, size: float) -> Cell:
    """The cell that holds a point; its southern and western edges belong to it.

    Parameters
    ----------
    x, y : longitude and latitude in degrees, or easting and northing in metres.
    size : side of a cell in the same unit.
    """
    return Cell(math.floor(y / size), math.floor(x / size))


def cells_within(bounds: tuple[float, float, float, float], size: float) -> Iterator[Cell]:
    """Cells that a rectangle (west, south, east, north) touches, by row and column."""
    first, last = cell_of(bounds[0], bounds[1], size), cell_of(bounds[2], bounds[3], size)
    for row in range(first.row, last.row + 1):
        for column in range(first.column, last.column + 1):
            yield Cell(row, column)


def wrapped(column: int, size: int) -> int:
    """Column of a geographic cell between 180 West and 180 East."""
    turn = 360 // size
    return (column + turn // 2) % turn - turn // 2


def one_degree_name(cell: Cell) -> str:
    """``N50E006`` for the south-western corner of a cell of one degree; 0 is North and East."""
    latitude, longitude = _marked(cell)
    return f"{latitude}{longitude}"


def copernicus_name(cell: Cell, layer: str = "DEM") -> str:
    """``Copernicus_DSM_COG_10_N50_00_E006_00_DEM``; the water layer is WBM."""
    latitude, longitude = _marked(cell)
    return f"Copernicus_DSM_COG_10_{latitude}_00_{longitude}_00_{layer}"


def srtm_3s_name(cell: Cell) -> str:
    """``srtm_38_02``: columns of 5 degrees from 180 West, rows of 5 degrees southwards from 60 North, both from 1.

    The row of the cell that holds latitude phi is floor((60 - phi) / 5) + 1; on the edge between two cells both hold
    the same heights, and the northern one is meant here.
    """
    columns, rows = 180 // SRTM_3S_SIZE, 60 // SRTM_3S_SIZE
    return f"srtm_{wrapped(cell.column, SRTM_3S_SIZE) + columns + 1:02d}_{rows - cell.row:02d}"


def eu_dem_name(cell: Cell) -> str:
    """``eu_dem_v11_E40N30``: hundreds of kilometres of the south-western corner in EPSG:3035."""
    return f"eu_dem_v11_E{10 * cell.column:02d}N{10 * cell.row:02d}"


def water_name(cell: Cell) -> str:
    """``e006n50``: beginning of the names of SWBD's shapefiles, which one letter of the continent follows."""
    latitude, longitude = _marked(cell)
    return f"{longitude}{latitude}".lower()


def _marked(cell: Cell) -> tuple[str, str]:
    longitude = wrapped(cell.column, 1)
    return (
        f"{'N' if cell.row >= 0 else 'S'}{abs(cell.row):02d}",
        f"{'E' if longitude >= 0 else 'W'}{abs(longitude):03d}",
    )
