"""Blocks of parcels whose series fit into memory, each with the files of statistics that may hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.l4.declared import Declared

if TYPE_CHECKING:
    from s4c_lib.catalog.marker_files import MarkerFile

_BUDGET: Final = 1_200_000_000  # bytes
_BYTES: Final = 32  # a value of a series: mean, std and two counts, and a turned copy of some of them
_SMALLEST: Final = 5_000
_LARGEST: Final = 200_000


@dataclass(frozen=True, slots=True)
class ParcelBlock:
    """Consecutive parcels.

    Parameters
    ----------
    declared : some of the parcels of the run. first : row of the first of them. files : with observations of them.
    """

    declared: Declared = field(repr=False)
    first: int
    files: tuple[MarkerFile, ...] = field(repr=False)


def parcel_blocks(declared: Declared, files: Sequence[MarkerFile], *, largest: int = _LARGEST) -> Iterator[ParcelBlock]:
    """Split the parcels of a run.

    The files of a block are those of tiles that touch a tile of its parcels (``primary_tile``); a parcel without one,
    or a tile that is none of MGRS, takes all.

    Parameters
    ----------
    largest : parcels of a block at most; fewer where there are many passes.
    """
    passes = len({(file.variable, file.orbit, file.time) for file in files})
    size = max(_SMALLEST, min(largest, _BUDGET // (_BYTES * max(passes, 1))))
    size = min(size, largest)
    names = declared.texts("primary_tile")
    for first, stop in pairwise(block_edges(len(declared), size)):
        own = set(names[first:stop])
        near = {name for name in {file.tile for file in files} if _may_hold(name, own)}
        part = Declared(declared.parcels.slice(first, stop - first), declared.parcel_set, declared.run)
        yield ParcelBlock(part, first, tuple(file for file in files if file.tile in near))


def block_edges(count: int, largest: int) -> list[int]:
    """Where blocks of about the same size begin, and the end: a small last one would be judged on little company.

    >>> block_edges(10, 4)
    [0, 3, 6, 10]
    """
    blocks = max(1, -(-count // largest))
    return [count * number // blocks for number in range(blocks + 1)]


def _may_hold(name: str, own: set[Any]) -> bool:
    if None in own or name in own:
        return True
    square = _square(name)
    others = [_square(other) for other in sorted(own)]
    return square is None or any(other is None or square.intersects(other) for other in others)


@cache
def _square(name: str) -> Any:
    """Footprint of a tile, WGS 84; None for a name that is no tile."""
    try:
        return tile(name).footprint_wgs84()
    except InputError:
        return None
