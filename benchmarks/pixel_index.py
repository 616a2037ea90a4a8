"""Pixel index of a tile: seconds and memory, against GDAL's rasterize and against the limit of 5 s for 100 000 parcels.

Run: ``python benchmarks/pixel_index.py [--parcels 100000] [--file declarations.gpkg]``

Without a file, fields are made of 1.8 ha on average with 19 vertices, some of them with a pond in them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import shapely
from measuring import highest_memory, peak_mb
from pyproj import CRS
from rasterio import Affine
from rasterio.features import rasterize

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import (
    BUFFER_10M,
    BUFFER_20M,
    Geometries,
    LocatedParcels,
    locate_parcels,
    shrink_parcels,
)
from s4c_lib.parcels.label_raster import label_raster
from s4c_lib.parcels.label_raster_file import write_label_raster
from s4c_lib.parcels.pixel_counts import own_counts
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.parcels.pixel_index_file import read_pixel_index, write_pixel_index

LIMIT_S = 5.0
VERTICES = 19
TILE = PixelGrid(32631, 600_000, 5_800_020, 10, 10980, 10980)
T = TypeVar("T")


def fields(count: int, seed: int = 1) -> Geometries:
    """Ragged fields, one in each cell of a tile; cells of 1.8 ha leave the rest of the tile empty."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    cell = min(150.0, 109_000 / side)
    column, row = np.arange(count) % side, np.arange(count) // side
    centre = np.column_stack([TILE.west + 400 + cell * (column + 0.5), TILE.north - 400 - cell * (row + 0.5)])
    angle = np.linspace(0, 2 * np.pi, VERTICES - 1, endpoint=False)
    radius = cell * rng.uniform(0.44, 0.56, (count, VERTICES - 1))
    rings = centre[:, None] + radius[..., None] * np.column_stack([np.cos(angle), np.sin(angle)])
    shapes = shapely.polygons(np.concatenate([rings, rings[:, :1]], axis=1))
    ponds = slice(0, count, 50)
    shapes[ponds] = shapely.difference(shapes[ponds], shapely.buffer(shapely.points(centre[ponds]), 12))
    return shapes


def read(file: Path) -> tuple[Geometries, CRS]:
    """All polygons of a file."""
    import geopandas

    frame = geopandas.read_file(file, columns=[])
    shapes = frame.geometry.to_numpy()
    return shapes[np.isin(shapely.get_type_id(shapes), (3, 6)) & shapely.is_valid(shapes)], CRS(frame.crs)


def timed(name: str, work: Callable[[], T]) -> tuple[T, float]:
    """Result and seconds; one line is printed."""
    processor, started = time.process_time(), time.perf_counter()
    with highest_memory() as memory:
        result = work()
    seconds = time.perf_counter() - started
    print(f"  {name:38} {seconds:7.2f} s  (processor {time.process_time() - processor:6.2f} s)  +{memory[0]:5.0f} MB")
    return result, seconds


def index_of(parcels: LocatedParcels, grid: PixelGrid, buffer_m: float) -> tuple[PixelIndex, LocatedParcels, float]:
    """Index with its parts timed."""
    shrunk, buffering = timed(f"inner buffer of {buffer_m:.0f} m", lambda: shrink_parcels(parcels, buffer_m))
    index, filling = timed("pixels", lambda: build_pixel_index(shrunk, grid, buffer_m=buffer_m, parcel_set_id=1))
    return index, shrunk, buffering + filling


def on_grid(parcels: LocatedParcels, grid: PixelGrid, buffer_m: float, locating: float) -> None:
    """Print the steps of one grid; ``locating`` are the seconds spent before."""
    print(f"{grid.rows} x {grid.columns} pixels of {grid.pixel:.0f} m")
    index, shrunk, building = index_of(parcels, grid, buffer_m)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "index.arrow"
        _, writing = timed("written", lambda: write_pixel_index(index, file))
        _, opening = timed("opened", lambda: read_pixel_index(file))
        size = file.stat().st_size / 1e6
        counts, _ = timed("own and shared pixels counted", lambda: own_counts(index))
        labels, _ = timed("label raster", lambda: label_raster(index))
        cog = Path(folder) / "labels.tif"
        timed("label raster written (COG)", lambda: write_label_raster(labels, grid, cog))
        print(f"  {cog.stat().st_size / 1e6:.1f} MB of label raster")
    place = Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    pairs = list(zip(shrunk.geometry, shrunk.parcel_id.tolist(), strict=True))
    peer, burning = timed(
        "rasterio.features.rasterize",
        lambda: rasterize(pairs, grid.shape, transform=place, dtype="int32"),
    )
    differing = np.count_nonzero(peer != labels)
    total, limit = locating + building + writing, LIMIT_S * len(parcels) / 100_000
    print(f"  {len(index)} parcels with pixels, {index.pixels} pixels, {counts.n_shared.sum()} of them shared")
    print(f"  {len(index.start)} runs, {size:.1f} MB; single pixels would take {index.pixels * 4 / 1e6:.1f} MB")
    print(f"  differing from GDAL: {differing} pixels (centres on an edge); opened in {1000 * opening:.0f} ms")
    filling = timed("pixels, once more", lambda: build_pixel_index(shrunk, grid, buffer_m=0, parcel_set_id=1))[1]
    print(f"  ratio to rasterize: {burning / filling:.1f} times faster")
    print(f"  reprojection, buffer, pixels and file: {total:.2f} s; limit {limit:.1f} s: {total / limit:.0%} of it")


def main() -> None:
    """Print the steps of both grids, the ratio to rasterize, and what opening and checking cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    shapes, crs = read(options.file) if options.file else (fields(options.parcels), CRS.from_epsg(TILE.epsg))
    print(f"{len(shapes)} parcels, {shapely.get_num_coordinates(shapes).mean():.1f} vertices")
    warm_up()
    numbers = np.arange(1, len(shapes) + 1)
    parcels, locating = timed("in the tile's system", lambda: locate_parcels(numbers, shapes, crs, TILE))
    for grid, buffer_m in ((TILE, BUFFER_10M), (TILE.resized(20), BUFFER_20M)):
        on_grid(parcels, grid, buffer_m, locating)
    print(f"peak memory of the process: {peak_mb():.0f} MB")


def warm_up() -> None:
    """Compile, or load what is compiled; an installation does it once."""
    window = PixelGrid(TILE.epsg, TILE.west, TILE.north, 10, 50, 50)
    box = shapely.box(TILE.west, TILE.north - 300, TILE.west + 300, TILE.north)
    parcels = LocatedParcels(TILE.epsg, np.array([1], np.int32), np.array([box], object))

    def all_kernels() -> None:
        index = build_pixel_index(parcels, window, buffer_m=0, parcel_set_id=1)
        own_counts(index)
        label_raster(index)

    timed("compiling (or loading it)", all_kernels)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=PendingDeprecationWarning)
    main()
