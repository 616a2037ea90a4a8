"""Rasters of a product copied to COG without changing a pixel; each is decoded once and the copy is read back."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import StorageError
from s4c_lib.products.cog import CogBand, CogProfile, WrittenCog, cog_writer
from s4c_lib.readers.raster_opening import make_room, open_layer, single_thread, unreadable
from s4c_lib.readers.scene import Layer

# JPEG 2000 of Sentinel-2 comes in tiles of 640 or 1024 rows: whole rows of tiles are decoded once.
_ROWS: Final = 512
_ROWS_AT_ONCE: Final = 2048

Told = Callable[[int], None]
"""Called with the pixels just copied."""


@dataclass(frozen=True, slots=True)
class CopiedRaster:
    """A verified copy."""

    written: WrittenCog
    profile: CogProfile


def copy_layer(
    layer: Layer,
    target: Path,
    band: CogBand,
    *,
    no_data: float | None,
    overviews: Literal["average", "nearest"],
    compression_level: int = 1,
    told: Told | None = None,
) -> CopiedRaster:
    """Copy one band of a file to a COG of its own, DN unchanged, and compare the copy with it.

    Size, coordinate system and place are compared with the metadata's before, and of the copy with both after; the
    pixels by their CRC-32. Memory: one row of the source's tiles.

    Raises
    ------
    ProductCorruptError : not readable to its end, or not where or what the metadata say.
    DiskFullError, StorageError : the copy cannot be written, or differs.
    """
    checksum = 0
    with single_thread(), open_layer(layer) as source:
        dtype = str(source.dtypes[layer.index - 1])
        profile = CogProfile(dtype, (band,), no_data, overviews, compression_level)
        rows = _rows_at_once(source.block_shapes[layer.index - 1][0])
        make_room(2 * rows * source.width * np.dtype(dtype).itemsize)
        with cog_writer(target, layer.grid, profile) as writer:
            for first, values in _strips(source, layer, rows):
                checksum = zlib.crc32(values.data, checksum)
                writer.write(first, values)
                if told is not None:
                    told(values.size)
    _compare(Layer(str(target), layer.grid), checksum, dtype)
    return CopiedRaster(writer.written, profile)


def _strips(source: Any, layer: Layer, rows: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    for first in range(0, source.height, rows):
        window = Window(0, first, source.width, min(rows, source.height - first))
        try:
            values = source.read(layer.index, window=window)
        except RasterioError as error:
            raise unreadable(layer.path, error) from error
        yield first, values


def _compare(copy: Layer, checksum: int, dtype: str) -> None:
    found = 0
    with single_thread(), open_layer(copy) as raster:
        for _, values in _strips(raster, copy, _ROWS):
            found = zlib.crc32(values.data, found)
        written = str(raster.dtypes[0])
    if found != checksum or written != dtype:
        raise StorageError(f"{copy.path} differs from what was copied to it", hint="check the disk, then try again")


def _rows_at_once(block: int) -> int:
    """Whole rows of the source's blocks, some 512 lines of them."""
    return min(_ROWS_AT_ONCE, -(-_ROWS // block) * block)
