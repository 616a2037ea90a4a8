"""Elevation of a whole Sentinel-2 tile for MAJA: CPU seconds and peak memory, against GDAL's warp and numpy's gradient.

Run: ``python benchmarks/elevation.py [--tile 31UDQ] [--folder KEEP] [--json]``

The elevation model is made up, in cells of GLO-30 at their real size; the tile lies across 50 degrees, where their
spacing changes. The peer merges the cells, warps them to 10 m (cubic), that to 20 and 240 m (bilinear), and writes the
same layers with `numpy.gradient`; each runs in a process of its own, once the kernels are compiled.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from measuring import peak_mb
from rasterio import Affine
from rasterio.merge import merge
from rasterio.warp import Resampling, reproject

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.preprocessing.elevation.cells import Cell, cells_within, copernicus_name
from s4c_lib.preprocessing.elevation.maja_folder import maja_elevation
from s4c_lib.preprocessing.elevation.resampling import elevation_on, geographic_bounds
from s4c_lib.preprocessing.elevation.sources import elevation_source

MEMORY_LIMIT_MB = 1500
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ground(longitude: Any, latitude: Any) -> Any:
    """Hills on three scales, metres."""
    broad = 300 * np.sin(40 * longitude) * np.cos(50 * latitude)
    return 500 + broad + 60 * np.sin(500 * longitude + 300 * latitude) + 8 * np.sin(6000 * longitude - 4000 * latitude)


def write_cell(folder: Path, cell: Cell) -> None:
    """A cell of GLO-30."""
    path = folder / f"{copernicus_name(cell)}.tif"
    if path.is_file():
        return
    columns = 3600 if abs(cell.row + 0.5) < 50 else 2400
    dx, dy = 1 / columns, 1 / 3600
    x, y = cell.column + np.arange(columns) * dx, cell.row + 1 - np.arange(3600) * dy
    profile = {"dtype": "float32", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=columns,
        height=3600,
        count=1,
        crs="EPSG:4326",
        transform=Affine(dx, 0, cell.column - dx / 2, 0, -dy, cell.row + 1 + dy / 2),
        zlevel=1,
        predictor=3,
        **profile,
    ) as raster:
        raster.write(ground(x[None, :], y[:, None]).astype(np.float32), 1)


def tile_grid(tile_id: str) -> PixelGrid:
    """The 10 m grid of a tile."""
    square = tile(tile_id)
    return PixelGrid(square.epsg, square.ulx, square.uly, 10, 10980, 10980)


def ours(model: Path, out: Path, tile_id: str) -> None:
    """Everything: search, layers, header."""
    maja_elevation(tile(tile_id), elevation_source("auto", model), out, now=NOW)


def ours_heights(model: Path, out: Path, tile_id: str) -> None:
    """The 10 m heights alone."""
    elevation_on(tile_grid(tile_id), elevation_source("auto", model))


def gdal_heights(model: Path, out: Path, tile_id: str) -> Any:
    """The 10 m heights by merging and GDAL's cubic warp."""
    grid = tile_grid(tile_id)
    merged, place = merge(sorted(model.glob("*.tif")), bounds=geographic_bounds(padded(grid)))
    heights = np.zeros(grid.shape, np.float32)
    reproject(
        merged[0],
        heights,
        src_transform=place,
        src_crs="EPSG:4326",
        dst_transform=Affine(10, 0, grid.west, 0, -10, grid.north),
        dst_crs=f"EPSG:{grid.epsg}",
        resampling=Resampling.cubic,
        num_threads=1,
    )
    return heights


def padded(grid: PixelGrid) -> PixelGrid:
    """Room for the kernel."""
    return PixelGrid(grid.epsg, grid.west - 500, grid.north + 500, 10, grid.rows + 100, grid.columns + 100)


def peer(model: Path, out: Path, tile_id: str) -> None:
    """The layers with GDAL and numpy, as one would first write them."""
    grid = tile_grid(tile_id)
    finest = gdal_heights(model, out, tile_id)
    for factor in (1, 2, 24):
        pixel, side = 10 * factor, math.floor(10980 / factor + 0.5)
        place = Affine(pixel, 0, grid.west, 0, -pixel, grid.north)
        heights = finest
        if factor > 1:
            heights = np.zeros((side, side), np.float32)
            reproject(
                finest,
                heights,
                src_transform=Affine(10, 0, grid.west, 0, -10, grid.north),
                dst_transform=place,
                src_crs=f"EPSG:{grid.epsg}",
                dst_crs=f"EPSG:{grid.epsg}",
                resampling=Resampling.bilinear,
            )
        down, right = np.gradient(heights, pixel)
        slope = np.rint(100 * np.arctan(np.hypot(down, right)))
        aspect = np.rint(100 * (np.arctan2(-right, down) % np.float32(2 * np.pi)))
        for name, values in (("ALT", np.rint(heights)), ("SLP", slope), ("ASP", aspect)):
            with rasterio.open(
                out / f"{name}_{pixel}.TIF",
                "w",
                driver="GTiff",
                width=side,
                height=side,
                count=1,
                dtype="int16",
                crs=f"EPSG:{grid.epsg}",
                transform=place,
                tiled=True,
                blockxsize=512,
                blockysize=512,
                compress="deflate",
                zlevel=1,
                predictor=2,
            ) as raster:
                raster.write(values.astype(np.int16), 1)


def measured(work: Callable[[Path, Path, str], Any], model: Path, tile_id: str) -> tuple[float, float, float]:
    """CPU seconds, seconds and peak MB of a piece of work in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(work, model, tile_id, sender))
    child.start()
    found: tuple[float, float, float] = receiver.recv()
    child.join()
    return found


def _run(work: Callable[[Path, Path, str], Any], model: Path, tile_id: str, sender: Any) -> None:
    with tempfile.TemporaryDirectory() as out:
        processor, started = time.process_time(), time.perf_counter()
        work(model, Path(out), tile_id)
        spent = time.process_time() - processor, time.perf_counter() - started
    sender.send((*spent, peak_mb()))


def main() -> None:
    """Make the model, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tile", default="31UDQ")
    parser.add_argument("--folder", type=Path, help="where the made-up cells are kept")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        model = options.folder or Path(temporary)
        model.mkdir(parents=True, exist_ok=True)
        for cell in cells_within(geographic_bounds(padded(tile_grid(options.tile))), 1):
            write_cell(model, cell)
        measured(ours_heights, model, options.tile)  # compiles what is not compiled
        results = {
            "layers, ours": measured(ours, model, options.tile),
            "layers, GDAL and numpy": measured(peer, model, options.tile),
            "10 m heights, ours": measured(ours_heights, model, options.tile),
            "10 m heights, GDAL": measured(gdal_heights, model, options.tile),
        }
    for name, (processor, seconds, memory) in results.items():
        print(f"  {name:26} {processor:6.1f} s CPU  {seconds:6.1f} s  peak {memory:5.0f} MB")
    all_, other = results["layers, ours"], results["layers, GDAL and numpy"]
    heights, gdal = results["10 m heights, ours"], results["10 m heights, GDAL"]
    print(f"  {other[0] / all_[0]:.1f} times faster than GDAL and numpy; heights {gdal[0] / heights[0]:.1f} times")
    print(f"  peak memory {all_[2]:.0f} MB, limit {MEMORY_LIMIT_MB} MB")
    if options.json:
        figures = {
            "tile": options.tile,
            "cpu_s": round(all_[0], 2),
            "cpu_s_gdal_numpy": round(other[0], 2),
            "ratio_gdal_numpy": round(other[0] / all_[0], 2),
            "ratio_gdal_warp": round(gdal[0] / heights[0], 2),
            "peak_mb": round(all_[2]),
            "peak_mb_gdal_numpy": round(other[2]),
            "limit_mb": MEMORY_LIMIT_MB,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
