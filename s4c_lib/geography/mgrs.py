"""The 100 km squares of the Military Grid Reference System, as Sentinel-2 uses them.

Northings are signed here (negative south of the equator); the false northing is added where a coordinate leaves.
Which squares Sentinel-2 has, and by which letter, is not written down in its documents. The rules below are inferred
from names of published products at zone and band borders. They give 56 910 tiles where ESA's grid has 56 686; the
difference is not explained, so `in_sentinel2_grid` may list a tile that has no products.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from s4c_lib.errors import InputError

SQUARE_M: Final = 100_000
TILE_M: Final = 109_800
FALSE_NORTHING_M: Final = 10_000_000
CENTRAL_EASTING_M: Final = 500_000

BANDS: Final = "CDEFGHJKLMNPQRSTUVWX"
COLUMN_SETS: Final = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3; the first letter is column 1
ROW_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUV"
ROWS: Final = range(-93, 94)
_NAME: Final = re.compile(r"T?(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_HINT: Final = "Tile names look like 31TCJ or T31TCJ."
_SAMPLES: Final = 41
_TOUCH_DEG: Final = 1e-9  # a square that only touches its zone counts: the squares 31VED to 31VEK exist

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Square:
    """One 100 km square: eastings [column, column + 1) and signed northings (row, row + 1], in units of 100 km."""

    zone: int
    column: int
    row: int

    @property
    def tile_bounds(self) -> tuple[int, int, int, int]:
        """Corners of its Sentinel-2 tile, signed northings: west, south, east, north.

        The upper-left corner is the square's own, moved outwards to a multiple of 60 m so that the grids of 10, 20
        and 60 m share it. South of the equator the multiple is counted from the equator (01KAB: 8 200 000, 01CCV:
        2 000 020, as in their metadata), not from the false origin.
        """
        west = self.column * SQUARE_M // 60 * 60
        north = -(-(self.row + 1) * SQUARE_M // 60) * 60
        return west, north - TILE_M, west + TILE_M, north

    @property
    def name(self) -> str:
        """Name without the leading T. The band letter is that of the square's centre: 19KEP, 51QUG, 13SFR."""
        _, latitude = to_offset(np.array([(self.column + 0.5) * SQUARE_M]), np.array([(self.row + 0.5) * SQUARE_M]))
        band = BANDS[int(np.clip((latitude[0] + 80) // 8, 0, len(BANDS) - 1))]
        letter = ROW_LETTERS[(self.row + (5 if self.zone % 2 == 0 else 0)) % len(ROW_LETTERS)]
        return f"{self.zone:02d}{band}{COLUMN_SETS[self.zone % 3][self.column - 1]}{letter}"


def square(name: str) -> Square:
    """Square of a name such as ``31TCJ`` or ``T31TCJ``.

    Raises
    ------
    InputError
        When it is no such name, or no square of that name touches its zone.
    """
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match[1]) <= 60:
        raise InputError(
            f'"{name}" is not the name of a Sentinel-2 tile.', hint="Tile names look like 31TCJ or T31TCJ."
        )
    zone = int(match[1])
    column = COLUMN_SETS[zone % 3].find(match[3]) + 1
    letter = (ROW_LETTERS.index(match[4]) - (5 if zone % 2 == 0 else 0)) % len(ROW_LETTERS)
    same_letters = [Square(zone, column, row) for row in ROWS if row % len(ROW_LETTERS) == letter] if column else []
    for candidate in same_letters:
        if candidate.name == name.removeprefix("T") and touches_zone(candidate):
            return candidate
    # 13RFR is a mistake for 13SFR: the square lies in both bands, and Sentinel-2 names it by one
    wanted = BANDS.index(match[2])
    nearby = [s.name for s in same_letters if touches_zone(s) and abs(BANDS.index(s.name[2]) - wanted) == 1]
    hint = f"Did you mean {nearby[0]}?" if nearby else _HINT
    raise InputError(f'There is no Sentinel-2 tile "{name}".', hint=hint)


@lru_cache(maxsize=1)
def _utm() -> Transformer:
    # All zones have the same shape, so zone 31 (central meridian 3 E) serves for offsets from any central meridian.
    return Transformer.from_crs(4326, 32631, always_xy=True)


def to_offset(easting: Floats, northing: Floats) -> tuple[Floats, Floats]:
    """Degrees east of the central meridian, and latitude, of UTM coordinates with signed northing."""
    longitude, latitude = _utm().transform(easting, northing, direction="INVERSE")
    return longitude - 3.0, latitude


def from_offset(offset: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Easting and signed northing; the inverse of `to_offset`."""
    easting, northing = _utm().transform(offset + 3.0, latitude)
    return easting, northing


def central_meridian(zone: int) -> int:
    """Longitude of the zone's central meridian, degrees."""
    return 6 * zone - 183


def zone_limits(zone: int, latitude: Floats) -> tuple[Floats, Floats]:
    """West and east border of a zone as offsets from its central meridian, degrees; NaN where it does not exist.

    Zone 32 reaches west to 3 E off Norway (band V); around Svalbard (band X) zones 31, 33, 35 and 37 take the place
    of 32, 34 and 36.
    """
    west = np.full(latitude.shape, -3.0)
    east = np.full(latitude.shape, 3.0)
    norway = (latitude >= 56) & (latitude < 64)
    svalbard = latitude >= 72
    if zone == 31:
        east[norway] = 0.0
        east[svalbard] = 6.0
    elif zone == 32:
        west[norway] = -6.0
    elif zone in (33, 35):
        west[svalbard], east[svalbard] = -6.0, 6.0
    elif zone == 37:
        west[svalbard] = -6.0
    if zone in (32, 34, 36):
        west[svalbard] = east[svalbard] = np.nan
    return west, east


def _grid(bounds: tuple[float, float, float, float]) -> tuple[Floats, Floats]:
    x, y = np.meshgrid(np.linspace(bounds[0], bounds[2], _SAMPLES), np.linspace(bounds[1], bounds[3], _SAMPLES))
    return x.ravel(), y.ravel()


@lru_cache(maxsize=8192)
def touches_zone(square: Square) -> bool:
    """Whether any of the square lies in its zone (MGRS itself asks no more)."""
    if not 1 <= square.column <= 8 or square.row not in ROWS:
        return False
    west, south = square.column * SQUARE_M, square.row * SQUARE_M
    offset, latitude = to_offset(*_grid((west, south, west + SQUARE_M, south + SQUARE_M)))
    left, right = zone_limits(square.zone, latitude)
    return bool(((offset > left - _TOUCH_DEG) & (offset < right + _TOUCH_DEG)).any())


@lru_cache(maxsize=8192)
def in_sentinel2_grid(square: Square) -> bool:
    """Whether Sentinel-2 makes a tile of this square.

    Squares cut by the western border of their zone are left out where the tiles of the zone to the west already
    cover what the tile has inside the zone: 31TBG exists, 31TBH and 32UKC do not. Zone 1 keeps all (01KAB, 01UBT).
    """
    if not touches_zone(square):
        return False
    if square.zone == 1 or square.column >= CENTRAL_EASTING_M // SQUARE_M:
        return True
    x, y = _grid(square.tile_bounds)
    offset, latitude = to_offset(x, y)
    left, right = zone_limits(square.zone, latitude)
    if not (offset < left).any():
        return True
    inside = (offset >= left) & (offset <= right)
    offset, latitude = offset[inside], latitude[inside]
    covered = np.zeros(offset.shape, dtype=np.bool_)
    for step in (1, 2):  # two zones to the west only around Svalbard, where every other zone is missing
        if step == 2 and square.zone not in (33, 35, 37):
            continue
        east, north = from_offset(offset + 6.0 * step, latitude)
        for neighbour in _eastern_squares(square.zone - step, square.row):
            x0, y0, x1, y1 = neighbour.tile_bounds
            covered |= (east >= x0) & (east <= x1) & (north >= y0) & (north <= y1)
    return not bool(covered.all())


def _eastern_squares(zone: int, row: int) -> list[Square]:
    columns = range(CENTRAL_EASTING_M // SQUARE_M, 9)
    squares = (Square(zone, column, near) for near in (row - 1, row, row + 1) for column in columns)
    return [s for s in squares if touches_zone(s)]
