"""Heights of several cells as one array on one lattice, sea and voids 0 (spec §7.2, §7.4)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from s4c_lib.errors import ElevationMissingError
from s4c_lib.preprocessing.elevation.cells import Cell, cells_within, wrapped
from s4c_lib.preprocessing.elevation.ocean import CELL_LIST, SEA_LIST, is_sea
from s4c_lib.preprocessing.elevation.rasters import Heights, heights_within, opened
from s4c_lib.preprocessing.elevation.sources import SRTM_LIMIT_DEG, ElevationSource, SourceFile

Bounds = tuple[float, float, float, float]
# Two lattices are one when their nodes agree to a fiftieth of a pixel (0.6 m of GLO-30).
_SAME_NODE: Final = 0.02
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Survey:
    """What a model has of some ground.

    Parameters
    ----------
    files : of the cells that are there.
    sea : cells taken for sea.
    spacing : finest distance of the heights, x and y, in the model's unit; zeros when all is sea.
    """

    files: Mapping[Cell, SourceFile]
    sea: tuple[Cell, ...]
    spacing: tuple[float, float]

    @classmethod
    def of(cls, files: Mapping[Cell, SourceFile], sea: Iterable[Cell] = ()) -> Survey:
        """A survey of known files.

        Raises
        ------
        ProductCorruptError : a file cannot be read.
        """
        spacings = []
        for file in files.values():
            with opened(file) as raster:
                spacings.append((raster.transform.a, -raster.transform.e))
        spacing = (min(s[0] for s in spacings), min(s[1] for s in spacings)) if spacings else (0.0, 0.0)
        return cls(files, tuple(sorted(sea)), spacing)

    @property
    def version(self) -> str:
        """Digest of names, sizes and times of the files, and of what is taken for sea."""
        digest = hashlib.sha256(repr(self.sea).encode())
        for cell in sorted(self.files):
            path = self.files[cell].path
            state = path.stat()
            digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """Heights in the coordinates of a model.

    Parameters
    ----------
    heights : float32 (rows, columns), metres above the model's geoid; 0 at sea and in voids, never no-data.
    west, north : outer corner of the upper-left pixel.
    dx, dy : pixel, both positive.
    """

    heights: Heights
    west: float
    north: float
    dx: float
    dy: float


def survey(source: ElevationSource, bounds: Bounds, what: str) -> Survey:
    """Find the files of some ground.

    Parameters
    ----------
    bounds : west, south, east, north in the model's coordinates; longitudes may pass 180 degrees.
    what : what the ground is, for messages.

    Raises
    ------
    ElevationMissingError : a cell of land has no file; or SRTM is asked beyond 60 degrees.
    ProductCorruptError : a file cannot be read.
    """
    if source.geographic:
        source.check_latitude(bounds[1], bounds[3], what)
        bounds = (bounds[0], max(bounds[1], -90), bounds[2], min(bounds[3], 90 - _TINY))
        if source.kind.startswith("srtm"):
            bounds = (*bounds[:3], min(bounds[3], SRTM_LIMIT_DEG - _TINY))
    wanted = list(cells_within(bounds, source.cell_size))
    found = {cell: file for cell in wanted if (file := source.file(cell)) is not None}
    absent = [cell for cell in wanted if cell not in found]
    sea = [cell for cell in absent if is_sea(source, cell)]
    if missing := [cell for cell in absent if cell not in sea]:
        names = ", ".join(source.name(cell) for cell in missing)
        raise ElevationMissingError(
            f"{what}: heights of land are missing in {source.path}: {names}",
            hint=f"fetch them; cells that are sea may be listed in {SEA_LIST} there, all that exist in {CELL_LIST}",
        )
    return Survey.of(found, sea)


def read_mosaic(source: ElevationSource, ground: Survey, bounds: Bounds) -> Mosaic:
    """Read the heights of a rectangle, whole pixels around it.

    Cells with another spacing (GLO-30 widens its longitudes at 50, 60, 70, 80 and 85 degrees) are brought to the finest
    one by linear interpolation between their own nodes, across their common edges.

    Raises
    ------
    ProductCorruptError : a file cannot be read.
    """
    dx, dy = ground.spacing
    east_px, north_px = source.registration_offset
    # The lattice is placed by the first file of the finest spacing; the offset moves it as a whole.
    first = _finest(source, ground)
    shift_x, shift_y = east_px * dx, north_px * dy
    left = math.floor((bounds[0] - shift_x - first[0]) / dx)
    top = math.floor((first[1] - (bounds[3] - shift_y)) / dy)
    columns = math.ceil((bounds[2] - shift_x - first[0]) / dx) - left
    rows = math.ceil((first[1] - (bounds[1] - shift_y)) / dy) - top
    west, north = first[0] + left * dx, first[1] - top * dy
    heights = np.zeros((rows, columns), np.float32)
    lattice = Mosaic(heights, west, north, dx, dy)
    others: dict[tuple[float, ...], list[_Piece]] = {}
    same: list[_Piece] = []
    for cell in sorted(ground.files):
        piece = _piece(source, cell, ground.files[cell], lattice)
        if piece is None:
            continue
        key = piece.lattice_key(dx, dy, west, north)
        same.append(piece) if key is None else others.setdefault(key, []).append(piece)
    for key in sorted(others):
        _paste_resampled(others[key], lattice)
    for piece in same:
        _paste(piece, lattice)
    return Mosaic(heights, west + shift_x, north + shift_y, dx, dy)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A window of one file."""

    heights: Heights
    measured: Any
    west: float
    north: float
    dx: float
    dy: float
    cell: Bounds  # ground that belongs to the cell

    def lattice_key(self, dx: float, dy: float, west: float, north: float) -> tuple[float, ...] | None:
        """None when the nodes are those of the lattice, else what lattice it is."""
        across, down = (self.west - west) / dx, (north - self.north) / dy
        fits = max(abs(across - round(across)), abs(down - round(down))) < _SAME_NODE
        stretch = abs(self.dx / dx - 1) * self.heights.shape[1], abs(self.dy / dy - 1) * self.heights.shape[0]
        if fits and max(stretch) < _SAME_NODE:
            return None
        return (
            round(self.dx, 12),
            round(self.dy, 12),
            round(self.west / self.dx % 1, 1),
            round(self.north / self.dy % 1, 1),
        )


def _finest(source: ElevationSource, ground: Survey) -> tuple[float, float]:
    """Outer corner of the first file with the finest spacing, on the side of the world where it is wanted."""
    for cell in sorted(ground.files):
        with opened(ground.files[cell]) as raster:
            if raster.transform.a == ground.spacing[0]:
                return raster.transform.c + _turns(source, cell), raster.transform.f
    raise AssertionError("a survey takes its spacing from one of its files")


def _turns(source: ElevationSource, cell: Cell) -> float:
    """Degrees between a cell's place and the one written in its file, when it was reached across 180 degrees."""
    if not source.geographic:
        return 0.0
    size = int(source.cell_size)
    return float((cell.column - wrapped(cell.column, size)) * size)


def _piece(source: ElevationSource, cell: Cell, file: SourceFile, lattice: Mosaic) -> _Piece | None:
    """The part of a file within the lattice and two pixels around it, None when there is none."""
    from rasterio.windows import Window

    rows, columns = lattice.heights.shape
    with opened(file) as raster:
        dx, dy = raster.transform.a, -raster.transform.e
        west, north = raster.transform.c + _turns(source, cell), raster.transform.f
        left = max(0, round((lattice.west - west) / dx) - 2)
        top = max(0, round((north - lattice.north) / dy) - 2)
        right = min(raster.width, round((lattice.west + columns * lattice.dx - west) / dx) + 2)
        bottom = min(raster.height, round((north - lattice.north + rows * lattice.dy) / dy) + 2)
        if right <= left or bottom <= top:
            return None
        heights, measured = heights_within(raster, Window(left, top, right - left, bottom - top))
    size = source.cell_size
    square = (cell.column * size, cell.row * size, (cell.column + 1) * size, (cell.row + 1) * size)
    return _Piece(heights, measured, west + left * dx, north - top * dy, dx, dy, square)


def _paste(piece: _Piece, lattice: Mosaic) -> None:
    """Lay a piece of the lattice's own nodes into it; a void leaves what a neighbour's common edge gave."""
    top, left = round((lattice.north - piece.north) / lattice.dy), round((piece.west - lattice.west) / lattice.dx)
    rows, columns = lattice.heights.shape
    height, width = piece.heights.shape
    into = slice(max(0, top), min(rows, top + height)), slice(max(0, left), min(columns, left + width))
    part = tuple(slice(s.start - shift, s.stop - shift) for s, shift in zip(into, (top, left), strict=True))
    if all(s.stop > s.start for s in into):
        np.copyto(lattice.heights[into], piece.heights[part], where=piece.measured[part])


def _paste_resampled(pieces: list[_Piece], lattice: Mosaic) -> None:
    """Interpolate pieces of another lattice, joined first so that there is no seam between them."""
    dx, dy = pieces[0].dx, pieces[0].dy
    west, north = min(p.west for p in pieces), max(p.north for p in pieces)
    columns = max(round((p.west - west) / dx) + p.heights.shape[1] for p in pieces)
    rows = max(round((north - p.north) / dy) + p.heights.shape[0] for p in pieces)
    joined = Mosaic(np.zeros((rows, columns), np.float32), west, north, dx, dy)
    for piece in pieces:
        _paste(piece, joined)
    x = lattice.west + (np.arange(lattice.heights.shape[1]) + 0.5) * lattice.dx
    y = lattice.north - (np.arange(lattice.heights.shape[0]) + 0.5) * lattice.dy
    for piece in pieces:
        # A node on the common edge of two cells belongs to the northern and the western one, as GLO-30 has it.
        column = np.flatnonzero((x >= piece.cell[0] - _TINY) & (x < piece.cell[2] - _TINY))
        row = np.flatnonzero((y > piece.cell[1] + _TINY) & (y <= piece.cell[3] + _TINY))
        if len(column) and len(row):
            across, down = (x[column] - west) / dx - 0.5, (north - y[row]) / dy - 0.5
            block = _linear(_linear(joined.heights, down, 0), across, 1)
            lattice.heights[row[0] : row[-1] + 1, column[0] : column[-1] + 1] = block


def _linear(values: Heights, at: Any, axis: int) -> Heights:
    """Values between the nodes of one axis; beyond the outermost node, that node's."""
    last = values.shape[axis] - 1
    clipped = np.clip(at, 0, last)
    low = np.minimum(np.floor(clipped).astype(np.intp), max(last - 1, 0))
    share = (clipped - low).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    below, above = np.take(values, low, axis), np.take(values, np.minimum(low + 1, last), axis)
    result: Heights = below + share * (above - below)
    return result
