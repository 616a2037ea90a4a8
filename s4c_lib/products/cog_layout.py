"""Header of a Cloud Optimized GeoTIFF: all directories first, then the tiles, the coarsest level before the finer.

The tags of place, system, scale and names are GDAL's own: they are taken from a raster of one pixel that it writes.
Layout: the GDAL "COG" driver page and the TIFF 6.0 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from s4c_lib.errors import InputError
from s4c_lib.products.cog_levels import TILE

# Tells GDAL that it may read a tile together with its length: 4 bytes before it, and its last 4 bytes twice.
_STRUCTURE: Final = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_GHOST: Final = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_STRUCTURE) + _STRUCTURE
_LARGEST: Final = 2**32 - 1

SHORT, LONG = 3, 4
_NEW_SUBFILE, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_LENGTH = 277, 284, 317, 322, 323
_TILE_OFFSETS, _TILE_SIZES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 324, 325, 338, 339
_NO_DATA: Final = 42113
_FROM_GDAL: Final = (33550, 33922, 34735, 34736, 34737, 42112, _NO_DATA)
_TYPE_SIZE: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8, 16: 8}

# Tag -> (type, count, little-endian bytes).
Tags = dict[int, tuple[int, int, bytes]]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the pixels are stored. ``compression``, ``predictor`` : codes of TIFF."""

    dtype: np.dtype[Any]
    samples: int
    compression: int
    predictor: int


def header(shapes: Sequence[tuple[int, int]], encoding: Encoding, taken: Tags, sizes: Sequence[Sequence[int]]) -> bytes:
    """The file up to its first tile.

    Parameters
    ----------
    shapes : of the levels, finest first. taken : tags from `gdal_tags`.
    sizes : of the tiles of each level, row by row, bytes; the tiles follow the header coarsest level first, each with
        4 bytes before and 4 after it.

    Raises
    ------
    InputError : the file would have more than 4 GB, which BIGTIFF=NO cannot hold.
    """
    # The length of the header does not depend on the offsets in it.
    start = len(_with_offsets(shapes, encoding, taken, sizes, [np.zeros(len(tiles), np.int64) for tiles in sizes]))
    offsets: list[Any] = [None] * len(sizes)
    for level in reversed(range(len(sizes))):
        ends = start + np.cumsum(np.asarray(sizes[level], np.int64) + 8)
        offsets[level] = ends - np.asarray(sizes[level], np.int64) - 4
        start = int(ends[-1])
    if start > _LARGEST:
        raise InputError(f"a raster of {start / 1e9:.1f} GB is too large for a TIFF of 4 GB", hint="write fewer bands")
    return _with_offsets(shapes, encoding, taken, sizes, offsets)


def gdal_tags(profile: dict[str, Any], bands: Sequence[tuple[str, float, float, str]], tags: dict[str, str]) -> Tags:
    """Tags of place, system, no-data, band names, scale, offset and unit as GDAL writes them.

    Parameters
    ----------
    profile : of rasterio: crs, transform, dtype, nodata. bands : description, scale, offset, unit of each.
    """
    from rasterio.io import MemoryFile

    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=1, height=1, count=len(bands), photometric="MINISBLACK", **profile
        ) as raster:
            raster.descriptions = tuple(name for name, *_ in bands)
            raster.scales = tuple(scale for _, scale, _, _ in bands)
            raster.offsets = tuple(offset for _, _, offset, _ in bands)
            raster.units = tuple(unit for *_, unit in bands)
            if tags:
                raster.update_tags(**tags)
        return {tag: value for tag, value in _tags_of(bytes(memory.getbuffer())).items() if tag in _FROM_GDAL}


def _tags_of(tiff: bytes) -> Tags:
    """First directory of a little-endian classic TIFF."""
    (directory,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, directory)
    found: Tags = {}
    for number in range(count):
        place = directory + 2 + 12 * number
        tag, kind, values = struct.unpack_from("<HHI", tiff, place)
        size = _TYPE_SIZE.get(kind, 0) * values
        start = place + 8 if size <= 4 else struct.unpack_from("<I", tiff, place + 8)[0]
        found[tag] = kind, values, tiff[start : start + size]
    return found


def _with_offsets(
    shapes: Sequence[tuple[int, int]],
    encoding: Encoding,
    taken: Tags,
    sizes: Sequence[Sequence[int]],
    offsets: Sequence[Any],
) -> bytes:
    content = bytearray(struct.pack("<2sHI", b"II", 42, 8 + len(_GHOST) + len(_GHOST) % 2))
    content += _GHOST + b"\0" * (len(_GHOST) % 2)
    for level, shape in enumerate(shapes):
        tags = _directory(shape, encoding, level > 0)
        tags |= taken if level == 0 else {tag: value for tag, value in taken.items() if tag == _NO_DATA}
        tags[_TILE_OFFSETS] = LONG, len(offsets[level]), np.asarray(offsets[level], "<u4").tobytes()
        tags[_TILE_SIZES] = LONG, len(sizes[level]), np.asarray(sizes[level], "<u4").tobytes()
        _append(content, tags, last=level + 1 == len(shapes))
    return bytes(content)


def _directory(shape: tuple[int, int], encoding: Encoding, overview: bool) -> Tags:
    samples = encoding.samples
    tags: Tags = {
        _WIDTH: _longs(shape[1]),
        _LENGTH: _longs(shape[0]),
        _BITS: _shorts(*[8 * encoding.dtype.itemsize] * samples),
        _COMPRESSION: _shorts(encoding.compression),
        _PHOTOMETRIC: _shorts(1),
        _SAMPLES: _shorts(samples),
        _PLANAR: _shorts(1),
        _TILE_WIDTH: _shorts(TILE),
        _TILE_LENGTH: _shorts(TILE),
        _SAMPLE_FORMAT: _shorts(*[{"u": 1, "i": 2, "f": 3}[encoding.dtype.kind]] * samples),
    }
    if encoding.predictor > 1:
        tags[_PREDICTOR] = _shorts(encoding.predictor)
    if samples > 1:
        tags[_EXTRA_SAMPLES] = _shorts(*[0] * (samples - 1))
    if overview:
        tags[_NEW_SUBFILE] = _longs(1)
    return tags


def _shorts(*values: int) -> tuple[int, int, bytes]:
    return SHORT, len(values), struct.pack(f"<{len(values)}H", *values)


def _longs(*values: int) -> tuple[int, int, bytes]:
    return LONG, len(values), struct.pack(f"<{len(values)}I", *values)


def _append(content: bytearray, tags: Tags, *, last: bool) -> None:
    """A directory, and after it the values that do not fit into its entries."""
    start = len(content)
    directory = bytearray(struct.pack("<H", len(tags)))
    values = bytearray()
    behind = start + 2 + 12 * len(tags) + 4
    for tag, (kind, count, value) in sorted(tags.items()):
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place = struct.pack("<I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
        directory += struct.pack("<HHI", tag, kind, count) + place
    directory += struct.pack("<I", 0 if last else behind + len(values))
    content += directory + values
