"""Whether a cell that an elevation model lacks is sea, or land whose file is missing (spec §7.1, §7.4).

Models leave the cells of the open sea out, and an incomplete archive looks the same. What is known is asked in turn:

1. ``ocean_cells.txt`` in the folder of the model, the user's own word: cells named there are sea;
2. ``tileList.txt``, which comes with GLO-30 and names every cell there is: named, it is land and its file is missing;
3. the neighbours: sea does not begin exactly on the edge of a cell, so a neighbour with heights on the common edge
   shows land;
4. a coarse outline of the continents (`land_cells.txt`): what it calls land is never taken for sea, and a cell without
   any neighbour must lie more than a cell away from land.

Where the answers leave it open the cell is called missing: an alert is cheaper than parcels corrected at 0 m.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np

from s4c_lib.preprocessing.elevation.cells import Cell, wrapped
from s4c_lib.preprocessing.elevation.rasters import heights_within, opened
from s4c_lib.preprocessing.elevation.sources import ElevationSource, SourceFile

SEA_LIST: Final = "ocean_cells.txt"
CELL_LIST: Final = "tileList.txt"
# A pier or a stray height on the common edge is no coast.
_LAND_SHARE: Final = 0.01
_SIDES: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))


def is_sea(source: ElevationSource, cell: Cell) -> bool:
    """Whether a cell without a file is known to be sea.

    Raises
    ------
    ProductCorruptError : the file of a neighbour cannot be read.
    """
    name = source.name(cell)
    if name in _listed(source, SEA_LIST):
        return True
    cells = _listed(source, CELL_LIST)
    if name in cells:
        return False
    neighbours = [(step, file) for step in _SIDES if (file := source.file(_beside(cell, step))) is not None]
    if any(_land_on_edge(file, step) for step, file in neighbours):
        return False
    if cells:
        return True
    if not source.geographic:
        return bool(neighbours)
    reach = 0 if neighbours else 1
    return not _near_land(cell, int(source.cell_size), reach)


def _listed(source: ElevationSource, list_name: str) -> frozenset[str]:
    path = source.path / list_name
    if not path.is_file():
        return frozenset()
    lines = path.read_text(encoding="utf-8").split()
    return frozenset(line.split("/")[-1].removesuffix(".tif").removesuffix(".TIF") for line in lines)


def _beside(cell: Cell, step: tuple[int, int]) -> Cell:
    return Cell(cell.row + step[0], cell.column + step[1])


def _land_on_edge(file: SourceFile, step: tuple[int, int]) -> bool:
    """Whether a neighbour in direction `step` (north, east) has land on the edge towards the cell in question."""
    from rasterio.windows import Window

    with opened(file) as raster:
        north, east = step
        if north:
            edge = Window(0, raster.height - 1 if north > 0 else 0, raster.width, 1)
        else:
            edge = Window(0 if east > 0 else raster.width - 1, 0, 1, raster.height)
        heights, measured = heights_within(raster, edge)
    land = measured & (heights != 0)
    return bool(np.count_nonzero(land) > _LAND_SHARE * land.size)


def _near_land(cell: Cell, size: int, reach: int) -> bool:
    rows = range(cell.row * size - reach, (cell.row + 1) * size + reach)
    columns = range(cell.column * size - reach, (cell.column + 1) * size + reach)
    return any((row, wrapped(column, 1)) in _land() for row in rows for column in columns)


@cache
def _land() -> frozenset[tuple[int, int]]:
    """Latitude and longitude of the south-western corners of the cells with land."""
    found: set[tuple[int, int]] = set()
    for line in files(__package__).joinpath("land_cells.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        row, runs = line.split(": ")
        for run in runs.split():
            first, _, last = run.partition("..")
            found.update((int(row), column) for column in range(int(first), int(last or first) + 1))
    return frozenset(found)
