"""Pixels of the parcels of a version: counted before it comes into force, kept as index files beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyproj import CRS

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M, Sentinel2Tile
from s4c_lib.parcels.declared import Objects
from s4c_lib.parcels.inner_buffer import BUFFER_10M, BUFFER_20M, locate_parcels, shrink_parcels
from s4c_lib.parcels.pixel_counts import PixelCounts, TileCounts, label_counts, over_tiles, own_counts
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index, content_hash
from s4c_lib.parcels.pixel_index_file import write_pixel_index

_GRIDS = ((10, BUFFER_10M), (20, BUFFER_20M))


@dataclass(frozen=True, slots=True)
class VersionPixels:
    """Pixels of all parcels.

    Parameters
    ----------
    indexes : by name (``31UFS_10m``), of tiles that hold parcels. rows : for ``parcel_pixel``.
    """

    counts: PixelCounts
    indexes: dict[str, PixelIndex]
    rows: pa.Table


def count_pixels(
    new_id: np.ndarray[tuple[int, ...], np.dtype[np.int32]],
    geometry: Objects,
    crs: CRS,
    tiles: Sequence[Sentinel2Tile],
    *,
    profile: str,
    progress: Callable[[str, float], None],
) -> VersionPixels:
    """Count the pixels of parcels on the grids of the tiles.

    Parameters
    ----------
    geometry : valid or repaired polygons in ``crs``; None for parcels that are not processed.
    """
    counted, indexes = [], {}
    rows: list[pa.Table] = []
    for number, tile in enumerate(sorted(tiles)):
        progress("pixels", number / len(tiles))
        grid = PixelGrid(tile.epsg, tile.ulx, tile.uly, 10, TILE_M // 10, TILE_M // 10)
        located = locate_parcels(new_id, geometry, crs, grid)
        if not len(located.parcel_id):
            continue
        found = []
        for metres, buffer_m in _GRIDS:
            own_grid = grid.resized(metres)
            index = build_pixel_index(shrink_parcels(located, buffer_m), own_grid, buffer_m=buffer_m, parcel_set_id=0)
            name = f"{tile.tile_id}_{metres}m"
            indexes[name] = index
            counts = label_counts(index) if profile == "reference" else own_counts(index)
            found.append(counts)
            rows.append(
                pa.table(
                    {
                        "grid": pa.repeat(pa.scalar(name, pa.string()), len(counts.parcel_id)),
                        "new_id": pa.array(counts.parcel_id, pa.int32()),
                        "n": pa.array(counts.n, pa.int32()),
                        "n_shared": pa.array(counts.n_shared, pa.int32()),
                    }
                )
            )
        counted.append(TileCounts(tile.tile_id, located.parcel_id, *found))
    empty = pa.schema([("grid", pa.string()), ("new_id", pa.int32()), ("n", pa.int32()), ("n_shared", pa.int32())])
    together = over_tiles(new_id, counted, add=profile == "reference")
    return VersionPixels(together, indexes, pa.concat_tables([empty.empty_table(), *rows]))


def write_indexes(pixels: VersionPixels, folder: Path, parcel_set_id: int) -> None:
    """Write the index files of a version into its folder; files that are there are replaced one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, index in pixels.indexes.items():
        own = replace(index, parcel_set_id=parcel_set_id)
        write_pixel_index(replace(own, sha256=content_hash(own)), folder / f"{name}.arrow")
