"""Cloud Optimized GeoTIFFs written row by row (``l3b-and-markers.md`` §2.4, decision C3).

GDAL's COG driver copies a finished raster and reads it once more for each overview level. Here the levels are made
from the rows as they come and every tile is compressed once; what is left to the end is to put the tiles in order.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import DiskFullError, InputError, Sen4capError, StorageError, is_disk_full
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.band_statistics import BandStatistics, Moments
from s4c_lib.products.cog_layout import Encoding, gdal_tags, header
from s4c_lib.products.cog_levels import TILE, Level, Rows, halving, level_shapes

_NONE, _ZSTD = 1, 50000  # TIFF codes of compression
_PLAIN, _HORIZONTAL, _FLOATING = 1, 2, 3  # TIFF codes of predictors
_COPIED: Final = 1 << 22
_DTYPES: Final = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


@dataclass(frozen=True, slots=True)
class CogBand:
    """A band: ``physical value = DN * scale + offset``, in ``unit``."""

    description: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class CogProfile:
    """What a raster holds and how it is stored.

    Parameters
    ----------
    no_data : DN without meaning, left out of averages. overviews : ``average`` for values, ``nearest`` for classes.
    compression_level : of ZSTD; 0 stores the pixels as they are.
    predictor : TIFF's code; None takes 2 for integers, 3 for floats, none for bytes.
    tags : of the whole file.
    """

    dtype: str
    bands: tuple[CogBand, ...]
    no_data: float | None
    overviews: Literal["average", "nearest"]
    compression_level: int = 1
    predictor: int | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES or not self.bands:
            raise InputError(f"a raster of {len(self.bands)} bands of {self.dtype} cannot be written as COG")


@dataclass(frozen=True, slots=True)
class WrittenCog:
    """A finished file. ``statistics`` : of the valid DN of each band."""

    path: Path
    size: int
    sha256: str
    statistics: tuple[BandStatistics, ...]


class CogWriter:
    """Takes the rows of a raster from north to south; see `cog_writer`."""

    def __init__(self, path: Path, grid: PixelGrid, profile: CogProfile) -> None:
        self._path, self._grid, self._profile = path, grid, profile
        self._dtype = np.dtype(profile.dtype)
        self._encoding = _encoding(self._dtype, profile)
        self._codec = pa.Codec("zstd", compression_level=profile.compression_level or 1)
        self._shapes = level_shapes(grid.rows, grid.columns)
        self._sizes: list[list[int]] = [[] for _ in self._shapes]
        self._places: list[list[int]] = [[] for _ in self._shapes]
        self._moments = [Moments(profile.no_data) for _ in profile.bands]
        self._next = 0
        self._written: WrittenCog | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._tiles: BinaryIO
        self._levels = self._make_levels()

    @property
    def written(self) -> WrittenCog:
        """The finished file, once the writer is closed.

        Raises
        ------
        StorageError : it is not finished.
        """
        if self._written is None:
            raise StorageError(f"{self._path} is not finished")
        return self._written

    def __enter__(self) -> Self:
        with disk(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(prefix=f".{self._path.name}.part-", dir=self._path.parent)
            self._tiles = (Path(self._folder.name) / "tiles").open("w+b")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._folder is not None
        try:
            if kind is None:
                self._finish(Path(self._folder.name) / self._path.name)
        finally:
            # On a full disk closing fails once more; the file goes, and the first error is on its way.
            with suppress(OSError):
                self._tiles.close()
            self._folder.cleanup()

    def write(self, first_row: int, block: npt.NDArray[Any]) -> None:
        """Append rows.

        Parameters
        ----------
        first_row : row after the last one written. block : (rows, columns), or (bands, rows, columns), of the dtype.

        Raises
        ------
        InputError : another shape, dtype or place than expected. DiskFullError, StorageError.
        """
        pixels = block[None] if block.ndim == 2 else block
        rows = pixels.shape[1] if pixels.ndim == 3 else 0
        expected = len(self._profile.bands), rows, self._grid.columns
        if pixels.shape != expected or pixels.dtype != self._dtype or not rows:
            raise InputError(f"rows of {self._path} are {block.dtype} {block.shape}, not {self._dtype} {expected}")
        if first_row != self._next or first_row + rows > self._grid.rows:
            raise InputError(f"rows {first_row} to {first_row + rows} of {self._path} come where {self._next} is next")
        for moments, band in zip(self._moments, pixels, strict=True):
            moments.add(band)
        self._levels[0].add(np.moveaxis(pixels, 0, -1))
        self._next += rows

    def _make_levels(self) -> list[Level]:
        fill = 0 if self._profile.no_data is None else self._profile.no_data
        half = halving(self._profile.overviews, self._profile.no_data)
        levels: list[Level] = []
        for number, (_, columns) in reversed(list(enumerate(self._shapes))):
            coarser = levels[0] if levels else None

            def full(_: int, tiles: Rows, level: int = number) -> None:
                self._store(level, tiles)

            levels.insert(0, Level(columns, len(self._profile.bands), self._dtype, fill, full, half, coarser))
        return levels

    def _store(self, level: int, strip: Rows) -> None:
        with disk(self._path):
            for left in range(0, strip.shape[1], TILE):
                encoded = self._encoded(strip[:, left : left + TILE])
                self._places[level].append(self._tiles.tell())
                self._sizes[level].append(len(encoded))
                self._tiles.write(struct.pack("<I", len(encoded)))
                self._tiles.write(encoded)
                self._tiles.write(encoded[-4:])

    def _encoded(self, tile: Rows) -> bytes:
        values = _PREDICTORS[self._encoding.predictor](tile).reshape(-1).view(np.uint8)
        plain = self._encoding.compression == _NONE
        encoded: bytes = values.tobytes() if plain else self._codec.compress(values, asbytes=True)
        return encoded

    def _finish(self, unfinished: Path) -> None:
        if self._next != self._grid.rows:
            raise InputError(f"{self._path} lacks rows from {self._next} of {self._grid.rows} on")
        self._levels[0].finish()
        head = header(self._shapes, self._encoding, self._tags(), self._sizes)
        digest = hashlib.sha256()
        with disk(self._path):
            with unfinished.open("wb") as out:
                for piece in self._ordered(head):
                    digest.update(piece)
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())  # else a crash may leave the new name with old, empty blocks
                size = out.tell()
            unfinished.replace(self._path)
        statistics = tuple(moments.result(self._grid.rows * self._grid.columns) for moments in self._moments)
        self._written = WrittenCog(self._path, size, digest.hexdigest(), statistics)

    def _ordered(self, head: bytes) -> Iterator[bytes]:
        """The file in pieces; tiles that lie side by side are copied together."""
        yield head
        for places, sizes in zip(reversed(self._places), reversed(self._sizes), strict=True):
            start = end = places[0]
            for place, size in zip(places, sizes, strict=True):
                if place != end or end - start >= _COPIED:
                    yield self._piece(start, end)
                    start = place
                end = place + size + 8
            yield self._piece(start, end)

    def _piece(self, start: int, end: int) -> bytes:
        self._tiles.seek(start)
        return self._tiles.read(end - start)

    def _tags(self) -> Any:
        from rasterio import Affine

        grid = self._grid
        profile = {
            "dtype": self._profile.dtype,
            "nodata": self._profile.no_data,
            "crs": f"EPSG:{grid.epsg}",
            "transform": Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
        }
        bands = [(band.description, band.scale, band.offset, band.unit) for band in self._profile.bands]
        return gdal_tags(profile, bands, dict(self._profile.tags))


def cog_writer(path: Path, grid: PixelGrid, profile: CogProfile) -> CogWriter:
    """A writer for ``with``: blocks of 512, overviews by 2 to 32, header first; the same pixels give the same bytes.

    On a clean exit the file is complete on disk and takes the place of an older one; on an error nothing is left.
    Memory: two rows of tiles, whatever the size. Disk: twice the file while it is put in order.

    Raises
    ------
    InputError : rows are missing, or the file would exceed 4 GB. DiskFullError, StorageError : it cannot be written.
    """
    return CogWriter(path, grid, profile)


def write_cog(path: Path, array: npt.NDArray[Any], grid: PixelGrid, profile: CogProfile) -> WrittenCog:
    """Write a raster that is in memory, (rows, columns) or (bands, rows, columns); see `cog_writer`."""
    if array.shape[-2:] != grid.shape:
        raise InputError(f"a raster of {array.shape} for a grid of {grid.shape} pixels")
    with cog_writer(path, grid, profile) as writer:
        for first in range(0, grid.rows, TILE):
            writer.write(first, array[..., first : first + TILE, :])
    return writer.written


def _encoding(dtype: np.dtype[Any], profile: CogProfile) -> Encoding:
    if profile.compression_level == 0:
        return Encoding(dtype, len(profile.bands), _NONE, _PLAIN)
    by_type = _FLOATING if dtype.kind == "f" else _PLAIN if dtype.itemsize == 1 else _HORIZONTAL
    return Encoding(dtype, len(profile.bands), _ZSTD, profile.predictor or by_type)


def _differences(tile: Rows) -> Rows:
    """Predictor 2: every value less the one to its left, wrapping around."""
    out = np.empty_like(tile)
    out[:, 0] = tile[:, 0]
    np.subtract(tile[:, 1:], tile[:, :-1], out=out[:, 1:])
    return out


def _float_differences(tile: Rows) -> Rows:
    """Predictor 3: bytes of a row sorted by significance, then each less the byte ``samples`` before it."""
    rows, columns, samples = tile.shape
    size = tile.dtype.itemsize
    planes = np.ascontiguousarray(tile).view(np.uint8).reshape(rows, columns * samples, size)[..., ::-1]
    row_bytes = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(rows, -1)
    out = row_bytes.copy()
    np.subtract(row_bytes[:, samples:], row_bytes[:, :-samples], out=out[:, samples:])
    return out


_PREDICTORS: Final[dict[int, Callable[[Rows], Rows]]] = {
    _PLAIN: np.ascontiguousarray,
    _HORIZONTAL: _differences,
    _FLOATING: _float_differences,
}


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn failures of the disk under a file into DiskFullError and StorageError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, Sen4capError):
            raise
        if is_disk_full(error) or error.errno == errno.EFBIG:
            raise DiskFullError(f"no space left while writing {path}", hint="free space there and repeat") from error
        raise StorageError(f"{path} cannot be written: {error.strerror or error}", hint="check the folder") from error
