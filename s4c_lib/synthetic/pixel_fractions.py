"""Which share of each pixel belongs to which parcel: mixed pixels at borders come out right by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from shapely.geometry.base import BaseGeometry

from s4c_lib.geography.pixel_grid import PixelGrid

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PixelFractions:
    """Shares of objects in pixels, sparse by pixel.

    Parameters
    ----------
    grid : the pixels, row by row.
    start : int64 (pixels + 1,), first entry of each pixel.
    objects : int32 (entries,), object of an entry, ascending within a pixel.
    shares : float32 (entries,); the shares of a pixel sum to 1.
    """

    grid: PixelGrid
    start: npt.NDArray[np.int64]
    objects: npt.NDArray[np.int32]
    shares: Floats

    @property
    def pixels(self) -> npt.NDArray[np.int64]:
        """Pixel of each entry (entries,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def combine(self, entries: Floats) -> Floats:
        """Mean over the objects of each pixel, weighted by share.

        Parameters
        ----------
        entries : (entries,) or (entries, bands), a value for each object within each pixel.

        Returns
        -------
        float32 (rows, columns) or (rows, columns, bands).
        """
        weighted = entries * (self.shares if entries.ndim == 1 else self.shares[:, None])
        sums = np.add.reduceat(weighted, self.start[:-1], axis=0)
        return np.asarray(sums.reshape(self.grid.shape + entries.shape[1:]), dtype=np.float32)

    def main_object(self) -> npt.NDArray[np.int32]:
        """Object with the largest share of each pixel, int32 (rows, columns)."""
        order = np.lexsort((-self.shares, self.pixels))
        return np.asarray(self.objects[order[self.start[:-1]]].reshape(self.grid.shape))


def pixel_fractions(
    grid: PixelGrid, shapes: Sequence[BaseGeometry], objects: npt.NDArray[np.int32], background: int, *, fine: int = 5
) -> PixelFractions:
    """Shares of shapes in the pixels of a grid, from their centres on a grid ``fine`` times finer.

    Parameters
    ----------
    shapes : in the grid's system; a later shape covers an earlier one.
    objects : int32 (shapes,), object number of each shape.
    background : object of ground without a shape.
    """
    from rasterio import Affine
    from rasterio.features import rasterize

    finer = grid.resized(grid.pixel / fine)
    labels = rasterize(
        zip(shapes, (int(number) for number in objects), strict=True),
        out_shape=finer.shape,
        transform=Affine(finer.pixel, 0, finer.west, 0, -finer.pixel, finer.north),
        fill=background,
        dtype="int32",
    )
    pixel = np.arange(grid.rows * grid.columns, dtype=np.int64).reshape(grid.shape)
    key = np.repeat(np.repeat(pixel, fine, axis=0), fine, axis=1).ravel() << 32 | labels.ravel().astype(np.int64)
    entries, counts = np.unique(key, return_counts=True)
    owner = entries >> 32
    start = np.searchsorted(owner, np.arange(pixel.size + 1))
    return PixelFractions(
        grid,
        start.astype(np.int64),
        (entries & 0xFFFFFFFF).astype(np.int32),
        (counts / fine**2).astype(np.float32),
    )
