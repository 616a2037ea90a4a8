"""What every reader asks of a product's metadata."""

from __future__ import annotations

from typing import TypeVar

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile as tile_of

Value = TypeVar("Value")
_AGAIN = "fetch the product again"


def check_same(what: str, found: str | None, wanted: str, where: str) -> None:
    """Refuse metadata that speak of another product.

    Raises
    ------
    ProductCorruptError : names both.
    """
    if found is not None and found.upper() != wanted.upper():
        raise ProductCorruptError(f"{where} is of {what} {found}, not {wanted}", hint=_AGAIN)


def check_on_tile(grid: PixelGrid, tile: str, where: str) -> None:
    """Refuse a grid that does not lie within its Sentinel-2 tile.

    Raises
    ------
    ProductCorruptError : names the tile.
    """
    square = tile_of(tile)
    west, south, east, north = square.bounds
    left, bottom, right, top = grid.bounds
    if grid.epsg != square.epsg or left < west or bottom < south or right > east or top > north:
        raise ProductCorruptError(
            f"{where} places the images at {left:.0f} {top:.0f} of EPSG:{grid.epsg}, outside tile {tile}", hint=_AGAIN
        )


def stated(value: Value | None, name: str, where: str) -> Value:
    """A value that the metadata must have.

    Raises
    ------
    ProductCorruptError : it is absent.
    """
    if value is None:
        raise ProductCorruptError(f"{where} has no {name}", hint=_AGAIN)
    return value
