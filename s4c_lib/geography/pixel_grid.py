"""A raster's grid as one value: it travels with the array."""

from __future__ import annotations

from dataclasses import dataclass

from s4c_lib.errors import InputError


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """A north-up grid of square pixels.

    Parameters
    ----------
    epsg : projected system, metres.
    west, north : outer corner of the upper-left pixel, metres.
    pixel : side of a pixel, metres.
    rows, columns : shape of the array.
    """

    epsg: int
    west: float
    north: float
    pixel: float
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or self.pixel <= 0:
            raise InputError(f"a grid of {self.rows} x {self.columns} pixels of {self.pixel} m does not exist")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, metres."""
        return (
            self.west,
            self.north - self.rows * self.pixel,
            self.west + self.columns * self.pixel,
            self.north,
        )

    def resized(self, pixel: float) -> PixelGrid:
        """The same ground with another pixel, which must divide it exactly.

        Raises
        ------
        InputError : the side of the grid is no whole number of the new pixels.
        """
        rows, columns = self.rows * self.pixel / pixel, self.columns * self.pixel / pixel
        if rows != int(rows) or columns != int(columns):
            raise InputError(f"{self.rows} x {self.columns} pixels of {self.pixel} m hold no whole pixels of {pixel} m")
        return PixelGrid(self.epsg, self.west, self.north, pixel, int(rows), int(columns))
