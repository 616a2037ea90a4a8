"""Which pixels of a grid each parcel has: built once, walked by every statistic (l3b-and-markers.md 3.3, 3.8).

Pixels are kept as runs along rows: first pixel (int32) and length (uint16), 6 bytes for a run instead of 4 for a pixel.
For 100 000 fields of 1.5 ha that is a fifth of the size (12 MB instead of 60) to read, copy and keep; a statistic over
runs takes as long as one over single pixels (0.08 s for 15 million of them), and the runs of a block of rows are
found by their first pixel. Every parcel has all its pixels, also those that others have.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.kernel_cache import compiled
from s4c_lib.parcels import pixel_index_kernels as kernels
from s4c_lib.parcels.inner_buffer import Geometries, LocatedParcels

# Of what is computed, stamped into the file: another way of choosing pixels is another version.
ALGORITHM: Final = 1
_CHUNK: Final = 50_000
_FARTHEST_M: Final = 1e8
_MOST_COLUMNS: Final = np.iinfo(np.uint16).max
_MOST_PIXELS: Final = np.iinfo(np.int32).max

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Uint16 = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class PixelIndex:
    """Pixels of the parcels of a set on a grid; the arrays are read-only and may lie in a mapped file.

    Parameters
    ----------
    grid : of the rasters it serves.
    buffer_m : what was taken off the parcels, metres.
    parcel_set_id : version of the declarations.
    parcel_id : int32 (parcels,), ascending; parcels without a pixel are not there.
    count : int32 (parcels,), pixels of each, at least 1 (``n_total`` of the statistics).
    offsets : int64 (parcels + 1,), runs of each parcel.
    start : int32 (runs,), row-major number of the first pixel of a run, ascending within a parcel.
    length : uint16 (runs,), pixels of a run; a run ends with its row at the latest.
    sha256 : of all that.
    """

    grid: PixelGrid
    buffer_m: float
    parcel_set_id: int
    parcel_id: Int32
    count: Int32
    offsets: Int64
    start: Int32
    length: Uint16
    sha256: str

    def __len__(self) -> int:
        return len(self.parcel_id)

    @property
    def pixels(self) -> int:
        """Pixels of all parcels, shared ones counted with each."""
        return int(self.count.sum(dtype=np.int64))

    def pixels_of(self, parcel_id: int) -> Int32:
        """Row-major numbers of a parcel's pixels, ascending; none for a parcel that is not there."""
        at = int(np.searchsorted(self.parcel_id, parcel_id))
        if at == len(self) or self.parcel_id[at] != parcel_id:
            return np.empty(0, np.int32)
        runs = slice(self.offsets[at], self.offsets[at + 1])
        return _spread(self.start[runs], self.length[runs])

    def flat(self) -> tuple[Int64, Int32]:
        """All pixels one by one: offsets int64 (parcels + 1,) and row-major numbers int32 (pixels,)."""
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(self.count, out=offsets[1:])
        return offsets, _spread(self.start, self.length)

    def select(self, parcel_id: npt.ArrayLike) -> PixelIndex:
        """The index of some parcels only, such as those with new borders; numbers without pixels add nothing."""
        there = np.isin(self.parcel_id, np.asarray(parcel_id))
        runs = np.diff(self.offsets)
        kept = np.repeat(there, runs)
        return _index(
            self.grid,
            self.buffer_m,
            self.parcel_set_id,
            self.parcel_id[there],
            runs[there],
            self.start[kept],
            self.length[kept],
        )


def build_pixel_index(shrunk: LocatedParcels, grid: PixelGrid, *, buffer_m: float, parcel_set_id: int) -> PixelIndex:
    """Find the pixels whose centre lies in a parcel: inside the exterior rings and outside the holes.

    A centre exactly on an edge belongs to the parcel right of or below the edge, so that of two parcels that share an
    edge exactly one has it.

    Parameters
    ----------
    shrunk : parcels in the system of the grid, after the inner buffer.
    buffer_m : what was taken off them, kept with the index.

    Raises
    ------
    InputError : the parcels are in another system or out of all range, or the grid is too large.
    """
    if shrunk.epsg != grid.epsg:
        raise InputError(f"parcels in EPSG:{shrunk.epsg} on a grid in EPSG:{grid.epsg}", hint="locate them first")
    if grid.columns > _MOST_COLUMNS or grid.rows * grid.columns > _MOST_PIXELS:
        raise InputError(f"a grid of {grid.rows} x {grid.columns} pixels is too large for a pixel index")
    parts = [_runs(part, grid) for part in _chunks(shrunk.geometry)]
    runs = np.concatenate([part[0] for part in parts])
    some = runs > 0
    return _index(
        grid,
        float(buffer_m),
        parcel_set_id,
        shrunk.parcel_id[some],
        runs[some],
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


def content_hash(index: PixelIndex) -> str:
    """SHA-256 of what an index holds, newly computed."""
    digest = hashlib.sha256(json.dumps(description(index), sort_keys=True).encode())
    for array in (index.parcel_id, index.count, index.offsets, index.start, index.length):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def description(index: PixelIndex) -> dict[str, Any]:
    """What an index is of, as plain values."""
    return {
        "algorithm": ALGORITHM,
        "grid": asdict(index.grid),
        "buffer_m": index.buffer_m,
        "parcel_set_id": index.parcel_set_id,
        "parcels": len(index),
        "runs": len(index.start),
        "pixels": index.pixels,
    }


def _index(
    grid: PixelGrid, buffer_m: float, parcel_set_id: int, parcel_id: Int32, runs: Int64, start: Int32, length: Uint16
) -> PixelIndex:
    offsets = np.zeros(len(parcel_id) + 1, np.int64)
    np.cumsum(runs, out=offsets[1:])
    count = np.empty(len(parcel_id), np.int32)
    for array in (parcel_id, offsets, start, length):
        array.setflags(write=False)
    compiled(kernels.count_pixels)(offsets, length, count)
    count.setflags(write=False)
    index = PixelIndex(grid, buffer_m, parcel_set_id, parcel_id, count, offsets, start, length, "")
    return replace(index, sha256=content_hash(index))


def _chunks(shapes: Geometries) -> Iterator[Geometries]:
    """Parts of a size that keeps the vertices of half a million parcels out of memory; one part at least."""
    for first in range(0, max(len(shapes), 1), _CHUNK):
        yield shapes[first : first + _CHUNK]


def _runs(shapes: Geometries, grid: PixelGrid) -> tuple[Int64, Int32, Uint16]:
    """Count of runs of each shape, and start and length of all runs."""
    parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    points = shapely.get_coordinates(rings)
    if not (np.abs(points) < _FARTHEST_M).all():  # also when they are not numbers; nothing compiled checks again
        raise InputError(f"coordinates of a parcel are out of range in EPSG:{grid.epsg}", hint="check its geometry")
    x = (points[:, 0] - grid.west) / grid.pixel
    y = (grid.north - points[:, 1]) / grid.pixel
    ring_ends = _ends(shapely.get_num_coordinates(rings))
    parcel_ends = _ends(np.bincount(shape_of_part[part_of_ring], minlength=len(shapes)))
    crossings, first, last = (np.empty(len(shapes), np.int64) for _ in range(3))
    compiled(kernels.count_crossings)(x, y, ring_ends, parcel_ends, grid.rows, crossings, first, last)
    room = int(crossings.sum()) // 2
    start, length, runs = np.empty(room, np.int32), np.empty(room, np.uint16), np.empty(len(shapes), np.int64)
    made = compiled(kernels.fill_runs)(
        x, y, ring_ends, parcel_ends, grid.columns, crossings, first, last, start, length, runs
    )
    return runs, start[:made], length[:made]


def _ends(counts: npt.NDArray[Any]) -> Int64:
    ends = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    return ends


def _spread(start: Int32, length: Uint16) -> Int32:
    """Numbers of the pixels of runs."""
    ends = np.cumsum(length, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    pixels: Int32 = np.arange(total, dtype=np.int32)
    pixels += np.repeat((start - (ends - length)).astype(np.int32), length)
    return pixels
