"""The definition of a Cloud Optimized GeoTIFF, checked on the bytes of a file (TIFF 6.0; GDAL's COG driver page)."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 12: 8}
_FORMATS = {1: "B", 3: "H", 4: "I", 12: "d"}


@dataclass(frozen=True)
class Directory:
    """One image of the file: where its directory lies, its numeric tags, and its tiles."""

    place: int
    end: int
    tags: dict[int, tuple[float, ...]]

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.tags[257][0]), int(self.tags[256][0])

    @property
    def offsets(self) -> list[int]:
        return [int(offset) for offset in self.tags[324]]

    @property
    def sizes(self) -> list[int]:
        return [int(size) for size in self.tags[325]]


def directories(path: Path) -> list[Directory]:
    """All directories of a little-endian classic TIFF, in the order of the file."""
    content = path.read_bytes()
    order, version, place = struct.unpack_from("<2sHI", content)
    assert (order, version) == (b"II", 42), "not a little-endian classic TIFF"
    found = []
    while place:
        assert place % 2 == 0
        (count,) = struct.unpack_from("<H", content, place)
        tags, end, previous = {}, place + 2 + 12 * count + 4, 0
        for number in range(count):
            tag, kind, values = struct.unpack_from("<HHI", content, place + 2 + 12 * number)
            assert tag > previous, "tags are not in order"
            previous = tag
            size = _SIZES[kind] * values
            start = place + 10 + 12 * number
            if size > 4:
                (start,) = struct.unpack_from("<I", content, start)
                end = max(end, start + size)
            if kind in _FORMATS:
                tags[tag] = struct.unpack_from(f"<{values}{_FORMATS[kind]}", content, start)
        found.append(Directory(place, end, tags))
        (place,) = struct.unpack_from("<I", content, place + 2 + 12 * count)
    return found


def check_cog(path: Path) -> list[Directory]:
    """Assert that a file is a COG: all directories first, overviews halving, tiles of 512, the coarsest first."""
    images, content = directories(path), path.read_bytes()
    full = images[0].shape
    assert content[8:].startswith(b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\nLAYOUT=IFDS_BEFORE_DATA\n")
    assert [image.place for image in images] == sorted(image.place for image in images)
    first_tile = min(min(image.offsets) for image in images)
    assert max(image.end for image in images) <= first_tile - 4
    for number, image in enumerate(images):
        assert image.shape == (-(-full[0] // 2**number), -(-full[1] // 2**number))
        assert image.tags[322] == image.tags[323] == (BLOCK,)
        assert image.tags.get(254, (0,)) == ((1,) if number else (0,))
        rows, columns = (-(-side // BLOCK) for side in image.shape)
        assert len(image.offsets) == len(image.sizes) == rows * columns
        assert image.offsets == sorted(image.offsets)
        for offset, size in zip(image.offsets, image.sizes, strict=True):
            assert struct.unpack_from("<I", content, offset - 4) == (size,)
            assert content[offset + size : offset + size + 4] == content[offset + size - 4 : offset + size]
    assert max(images[-1].shape) <= BLOCK or len(images) == 6, "overviews end before the image fits in a block"
    for finer, coarser in itertools.pairwise(images):
        assert max(coarser.offsets) < min(finer.offsets), "an overview lies behind the finer level"
    assert max(images[0].offsets) + images[0].sizes[-1] + 4 == len(content)
    return images
