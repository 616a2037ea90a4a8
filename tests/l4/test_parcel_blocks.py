"""How the parcels of a run are divided, and which files each part reads."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.catalog.marker_files import MarkerFile
from s4c_lib.l4.declared import Declared
from s4c_lib.l4.parcel_blocks import block_edges, parcel_blocks

TIME = datetime(2024, 5, 1, tzinfo=UTC)


def file(tile: str) -> MarkerFile:
    facts = SimpleNamespace(tile=tile, variable="ndvi", orbit=None, time=TIME)
    return cast("MarkerFile", facts)


def declared(*tiles: str | None) -> Declared:
    """Parcels 1 and up, each mostly on a tile."""
    table = pa.table(
        {"new_id": pa.array(range(1, len(tiles) + 1), pa.int32()), "primary_tile": pa.array(tiles, pa.string())}
    )
    nothing: Any = None
    return Declared(table, nothing, nothing)


def test_a_block_reads_the_files_of_tiles_that_touch_its_own() -> None:
    """31UFS and 31UGS overlap, 33UXQ lies far away."""
    files = [file("31UFS"), file("31UGS"), file("33UXQ"), file("no tile")]
    blocks = list(parcel_blocks(declared("31UFS", "31UFS", "33UXQ", None), files, largest=1))
    assert [block.declared.parcel_id.tolist() for block in blocks] == [[1], [2], [3], [4]]
    assert [block.first for block in blocks] == [0, 1, 2, 3]
    assert [[one.tile for one in block.files] for block in blocks] == [
        ["31UFS", "31UGS", "no tile"],
        ["31UFS", "31UGS", "no tile"],
        ["33UXQ", "no tile"],
        ["31UFS", "31UGS", "33UXQ", "no tile"],
    ]


@given(st.integers(1, 10_000), st.integers(1, 500))
@settings(deadline=None)
def test_blocks_are_whole_even_and_small_enough(count: int, largest: int) -> None:
    edges = block_edges(count, largest)
    sizes = [stop - first for first, stop in pairwise(edges)]
    assert (edges[0], edges[-1]) == (0, count)
    assert 0 < min(sizes) <= max(sizes) <= largest
    assert max(sizes) - min(sizes) <= 1
