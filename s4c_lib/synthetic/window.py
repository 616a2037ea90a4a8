"""Where a synthetic season lies: a window on the grid of real tiles, and what of it each tile shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyproj import Transformer

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.geography.sentinel2_tiles import tile as tile_of

PIXEL_M = 10
# 10, 20 and 60 m pixels all fit into it.
CELL_M = 60
LONGEST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Window:
    """The ground of a season.

    Parameters
    ----------
    grid : the whole window at 10 m.
    tiles : with the part of the window each covers, in the order of their names.
    longitude, latitude : of the centre, degrees.
    """

    grid: PixelGrid
    tiles: tuple[tuple[Sentinel2Tile, PixelGrid], ...]
    longitude: float
    latitude: float


def window_of(tiles: Sequence[str], size_m: int) -> Window:
    """Window of ``size_m`` in the middle of the ground the tiles share; a tile shows what lies within its square.

    Raises
    ------
    InputError : no tile, tiles of two zones, tiles that share no ground, a size that is no whole number of 60 m cells
        or reaches beyond the tiles.
    """
    squares = [tile_of(name) for name in sorted(set(tiles))]
    if not squares:
        raise InputError("a season needs at least one tile", hint="--tiles 31UFS,31UFT")
    if size_m <= 0 or size_m % CELL_M:
        nearest = max(CELL_M, round(size_m / CELL_M) * CELL_M)
        raise InputError(f"a window of {size_m} m is no whole number of 60 m cells", hint=f"--size {nearest}")
    zones = {square.epsg for square in squares}
    if len(zones) > 1:
        raise InputError(
            f"{', '.join(square.tile_id for square in squares)} lie in {len(zones)} UTM zones",
            hint="choose tiles of one zone",
        )
    west = max(square.bounds[0] for square in squares)
    south = max(square.bounds[1] for square in squares)
    east = min(square.bounds[2] for square in squares)
    north = min(square.bounds[3] for square in squares)
    if west >= east or south >= north:
        raise InputError(
            f"{', '.join(square.tile_id for square in squares)} share no ground", hint="choose neighbouring tiles"
        )
    # Corners of tiles lie on multiples of 20 m; the cells of 60 m are counted from the first tile's corner.
    first = squares[0]
    left = first.ulx + _whole((west + east - size_m) / 2 - first.ulx)
    top = first.uly - _whole(first.uly - (south + north + size_m) / 2)
    pixels = size_m // PIXEL_M
    grid = PixelGrid(first.epsg, left, top, PIXEL_M, pixels, pixels)
    parts = tuple((square, _part(grid, square)) for square in squares)
    if sum(part.rows * part.columns for _, part in parts) < pixels**2:
        raise InputError(
            f"a window of {size_m} m reaches beyond {', '.join(square.tile_id for square in squares)}",
            hint="choose a smaller --size or more tiles",
        )
    centre = left + size_m / 2, top - size_m / 2
    longitude, latitude = Transformer.from_crs(first.epsg, 4326, always_xy=True).transform(*centre)
    return Window(grid, parts, float(longitude), float(latitude))


def check_dates(start: date, end: date) -> None:
    """Check the first and last day of a season.

    Raises
    ------
    InputError : reversed, or longer than crops of one season can fill.
    """
    if end < start:
        raise InputError(f"the season ends on {end}, before it starts on {start}", hint="swap --start and --end")
    if (end - start).days > LONGEST_DAYS:
        raise InputError(
            f"{start} to {end} are more than {LONGEST_DAYS} days: one season holds one harvest",
            hint="make one season a year",
        )


def _whole(distance: float) -> int:
    return round(distance / CELL_M) * CELL_M


def _part(grid: PixelGrid, square: Sentinel2Tile) -> PixelGrid:
    """What of the window lies in a tile, in whole cells of the tile's own 60 m grid."""
    west, south, east, north = grid.bounds
    left = square.ulx + -(-max(west - square.ulx, 0) // CELL_M) * CELL_M
    top = square.uly - -(-max(square.uly - north, 0) // CELL_M) * CELL_M
    columns = int((min(east, square.bounds[2]) - left) // CELL_M)
    rows = int((top - max(south, square.bounds[1])) // CELL_M)
    if columns < 1 or rows < 1:
        raise InputError(f"the window holds no whole cell of tile {square.tile_id}", hint="choose a larger --size")
    if (left - west) % CELL_M or (north - top) % CELL_M:
        raise InputError(f"the 60 m grid of tile {square.tile_id} does not coincide with its neighbours'")
    cells = CELL_M // PIXEL_M
    return PixelGrid(grid.epsg, left, top, PIXEL_M, rows * cells, columns * cells)
