"""The pixel index of a version of the parcels on any grid: read where it lies, built where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import Geometries, locate_parcels, shrink_parcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.parcels.pixel_index_file import read_pixel_index, write_pixel_index

log = structlog.get_logger(__name__)

_KEPT: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class ParcelOutlines:
    """Parcels of a version that take part in statistics.

    Parameters
    ----------
    parcel_id : int (parcels,). geometry : valid polygons (parcels,) in ``crs``.
    """

    parcel_id: npt.NDArray[np.int64]
    geometry: Geometries
    crs: CRS


class PixelIndexes:
    """Indexes of one version of the parcels, by grid and inner buffer.

    Parameters
    ----------
    parcel_set_id : number of the version, 0 for parcels of a file.
    outlines : gives the parcels; called once, when an index has to be built.
    folder : where index files lie and new ones are put; None keeps them in memory only.
    """

    def __init__(self, parcel_set_id: int, outlines: Callable[[], ParcelOutlines], folder: Path | None = None) -> None:
        self.parcel_set_id = parcel_set_id
        self.folder = folder
        self._load = outlines
        self._outlines: ParcelOutlines | None = None
        self._kept: dict[tuple[PixelGrid, float], PixelIndex] = {}

    def on(self, grid: PixelGrid, buffer_m: float, *, tile: str | None = None) -> PixelIndex:
        """Return the index on a grid.

        Parameters
        ----------
        tile : whose full grid this may be; the import of declarations has written those.
        """
        key = (grid, float(buffer_m))
        if key not in self._kept:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self._stored(grid, buffer_m, tile) or self._built(grid, buffer_m)
        return self._kept[key]

    def _stored(self, grid: PixelGrid, buffer_m: float, tile: str | None) -> PixelIndex | None:
        if self.folder is None:
            return None
        names = [file_name(grid, buffer_m)] + ([] if tile is None else [f"{tile}_{grid.pixel:.0f}m.arrow"])
        for name in names:
            path = self.folder / name
            if not path.is_file():
                continue
            try:
                index = read_pixel_index(path)
            except InputError as error:
                # of another release, or damaged: it is built anew from the parcels
                log.warning("pixel index not used", file=str(path), error=error.one_line)
                continue
            if (index.grid, index.buffer_m, index.parcel_set_id) == (grid, float(buffer_m), self.parcel_set_id):
                return index
        return None

    def _built(self, grid: PixelGrid, buffer_m: float) -> PixelIndex:
        if self._outlines is None:
            self._outlines = self._load()
        parcels = self._outlines
        located = locate_parcels(parcels.parcel_id, parcels.geometry, parcels.crs, grid)
        shrunk = shrink_parcels(located, buffer_m, threads=1) if buffer_m else located
        index = build_pixel_index(shrunk, grid, buffer_m=buffer_m, parcel_set_id=self.parcel_set_id)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_pixel_index(index, self.folder / file_name(grid, buffer_m))
        log.info("pixel index built", parcels=len(index), pixels=index.pixels, epsg=grid.epsg, pixel=grid.pixel)
        return index


def file_name(grid: PixelGrid, buffer_m: float) -> str:
    """Name of the index file of any grid."""
    place = f"{grid.epsg}_{grid.west:g}_{grid.north:g}_{grid.rows}x{grid.columns}"
    return f"{place}_{grid.pixel:g}m_buffer{buffer_m:g}m.arrow"
