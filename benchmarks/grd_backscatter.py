"""GRD to sigma nought on one full Sentinel-2 tile at 20 m: seconds and memory, against sarsen's own geocoding.

Run: ``python benchmarks/grd_backscatter.py --product S1B_IW_GRDH_...SAFE [--tile 33TUG] [--json]``

The product's annotation is real; its measurement is replaced, in a copy, by speckle where the tile lies, stored as ESA
stores it (rows, not compressed). The elevation model is made: hills, at the spacing of GLO-30. Ours counts everything
from the product to the COG: reading, heights, geoid-free geocoding, calibration, noise, averaging, writing.
sarsen (terrain_correction with linear interpolation; beta nought, no noise, no averaging; heights given on the grid)
would take many minutes and gigabytes, so it gets a part of the tile: what a run on 100 x 100 pixels takes is counted
once, the rest is scaled to the tile's pixels. Seconds are of the processor, and of the clock; kernels are compiled
before, files are in the system's cache.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from measuring import highest_memory
from rasterio import Affine
from rasterio.windows import Window

from s4c_lib import kernel_cache
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import TILE_M
from s4c_lib.geography.sentinel2_tiles import tile as sentinel2_tile
from s4c_lib.preprocessing.elevation.cells import Cell, cells_within, copernicus_name
from s4c_lib.preprocessing.elevation.resampling import elevation_on, geographic_bounds
from s4c_lib.preprocessing.elevation.sources import ElevationSource, elevation_source
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarRequest, RadarScene, RadarTarget
from s4c_lib.preprocessing.radar.geocoding import ground_nodes, image_frame
from s4c_lib.preprocessing.radar.grd_backscatter import see
from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
from s4c_lib.preprocessing.radar.native_settings import NativeOptions
from s4c_lib.preprocessing.radar.orbits import fitted
from s4c_lib.preprocessing.radar.safe_product import open_radar_product

PIXEL_M = 20
FIXED = 100
Seconds = tuple[float, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--product", type=Path, required=True, help="a GRD whose annotation is used")
    parser.add_argument("--tile", default="33TUG", help="a tile that it sees")
    parser.add_argument("--sarsen-pixels", type=int, default=1000, help="side of the part that sarsen gets")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    kernel_cache.compile_all()
    square = sentinel2_tile(options.tile)
    side = TILE_M // PIXEL_M
    grid = PixelGrid(square.epsg, square.ulx, square.uly, PIXEL_M, side, side)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        elevation = hills(folder / "glo30", grid)
        safe = speckled(options.product, folder, grid, elevation)
        with highest_memory() as memory:
            ours, raster = taken(lambda: run(safe, folder, RadarTarget(options.tile, grid), elevation))
        print(f"{raster.valid_share:.0%} of {options.tile} seen, {raster.size_bytes / 1e6:.0f} MB of COG")
        print(f"native-grd  {ours[0]:8.1f} s CPU {ours[1]:8.1f} s clock {memory[0]:8.0f} MB")
        fixed, _ = taken(lambda: by_sarsen(safe, folder, part(grid, FIXED), elevation))
        with highest_memory() as theirs_memory:
            some, _ = taken(lambda: by_sarsen(safe, folder, part(grid, options.sarsen_pixels), elevation))
        scale = (side**2 - FIXED**2) / (options.sarsen_pixels**2 - FIXED**2)
        cpu, clock = (once + (more - once) * scale for once, more in zip(fixed, some, strict=True))
        print(
            f"sarsen      {cpu:8.1f} s CPU {clock:8.1f} s clock {theirs_memory[0]:8.0f} MB "
            f"(scaled from {options.sarsen_pixels} x {options.sarsen_pixels} pixels: {some[0]:.1f} s; its memory is of "
            "that part)"
        )
        print(f"ours over sarsen alone: {ours[0] / cpu:.3f} of the CPU seconds, {ours[1] / clock:.3f} of the clock")
    if options.json:
        figures = {
            "tile_pixels": side**2,
            "cpu_s": round(ours[0], 2),
            "clock_s": round(ours[1], 2),
            "peak_mb": round(memory[0]),
            "sarsen_cpu_s_scaled": round(cpu, 1),
            "sarsen_clock_s_scaled": round(clock, 1),
            "sarsen_pixels": options.sarsen_pixels**2,
            "sarsen_part_peak_mb": round(theirs_memory[0]),
            "cpu_ratio": round(ours[0] / cpu, 4),
            "clock_ratio": round(ours[1] / clock, 4),
        }
        print(json.dumps(figures))


def taken(work: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Seconds of the processor and of the clock, and the result."""
    cpu, clock = time.process_time(), time.perf_counter()
    result = work()
    return (time.process_time() - cpu, time.perf_counter() - clock), result


def part(grid: PixelGrid, side: int) -> PixelGrid:
    """The middle of a grid."""
    first = (grid.rows - side) // 2 * grid.pixel
    return PixelGrid(grid.epsg, grid.west + first, grid.north - first, grid.pixel, side, side)


def hills(folder: Path, grid: PixelGrid) -> ElevationSource:
    """Cells of an elevation model below a grid, 3600 x 3600 heights each."""
    folder.mkdir()
    west, south, east, north = geographic_bounds(grid)
    step = 1 / 3600
    for cell in cells_within((west - 0.1, south - 0.1, east + 0.1, north + 0.1), 1):
        x, y = cell.column + np.arange(3600) * step, cell.row + 1 - np.arange(3600) * step
        heights = (400 + 300 * np.sin(90 * x)[None, :] * np.cos(80 * y)[:, None]).astype("float32")
        place = Affine(step, 0, cell.column - step / 2, 0, -step, cell.row + 1 + step / 2)
        path = folder / f"{copernicus_name(Cell(cell.row, cell.column))}.tif"
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:4326", "tiled": True}
        with rasterio.open(path, "w", height=3600, width=3600, transform=place, **profile) as raster:
            raster.write(heights, 1)
    return elevation_source("copernicus_glo30", folder)


def speckled(product: Path, folder: Path, grid: PixelGrid, elevation: ElevationSource) -> Path:
    """A copy of a product with speckle where the tile lies in its first image."""
    safe = folder / product.name
    shutil.copytree(product, safe, copy_function=shutil.copyfile)
    for path in (safe, *safe.rglob("*")):
        path.chmod(0o755)
    opened = open_radar_product(safe)
    image = opened.images[0]
    annotation = opened.annotation(image)
    frame = image_frame(annotation, fitted(annotation.orbit, "annotation"))
    seen = see(frame, ground_nodes(grid, None), elevation_on(grid, elevation), lambda: None)
    first, last = max(int(np.nanmin(seen.line)) - 30, 0), min(int(np.nanmax(seen.line)) + 30, annotation.geometry.lines)
    measurement = Path(opened.measurement(image))
    measurement.unlink()
    rng = np.random.default_rng(1)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "SPARSE_OK": True, "blockysize": 1}
    height, width = annotation.geometry.lines, annotation.geometry.samples
    with (
        warnings.catch_warnings(action="ignore"),
        rasterio.open(measurement, "w", height=height, width=width, **profile) as raster,
    ):
        for line in range(first, last, 500):
            rows = min(500, last - line)
            values = 160 * np.sqrt(rng.standard_gamma(4.4, (rows, width), dtype=np.float32) / 4.4)
            raster.write(np.clip(values, 1, 65535).astype(np.uint16), 1, window=Window(0, line, width, rows))
    return safe


def run(safe: Path, folder: Path, target: RadarTarget, elevation: ElevationSource) -> Any:
    """Our executor, one polarisation."""
    opened = open_radar_product(safe)
    options = NativeOptions(
        heights_are_ellipsoidal=True, pixel_spacing=PIXEL_M, polarisations=(opened.images[0].polarisation,)
    )
    result = NativeGrdExecutor().run(
        RadarRequest(
            job=RadarJob.BACKSCATTER,
            current=(RadarScene(safe, opened.name),),
            previous=(),
            targets=(target,),
            elevation=elevation,
            work_dir=folder / "work",
            output_dir=folder / "out",
            options=options,
            now=datetime.now(UTC),
        )
    )
    if not result.rasters:
        raise SystemExit(f"nothing was made: {result.text}")
    return result.rasters[0]


def by_sarsen(safe: Path, folder: Path, grid: PixelGrid, elevation: ElevationSource) -> None:
    """Geocode a part of the tile with sarsen."""
    import sarsen

    model = folder / "part.tif"
    place = Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": f"EPSG:{grid.epsg}", "transform": place}
    with rasterio.open(model, "w", height=grid.rows, width=grid.columns, **profile) as raster:
        raster.write(elevation_on(grid, elevation), 1)
    opened = open_radar_product(safe)
    image = opened.images[0]
    with warnings.catch_warnings(action="ignore"):
        product = sarsen.Sentinel1SarProduct(str(safe), measurement_group=f"{image.swath}/{image.polarisation}")
        sarsen.terrain_correction(
            product, dem_urlpath=str(model), output_urlpath=str(folder / "gtc.tif"), interp_method="linear"
        )


if __name__ == "__main__":
    main()
