"""Writing a full tile as Cloud Optimized GeoTIFF: CPU seconds and memory, against GDAL's COG driver.

Run: ``python benchmarks/cog_writing.py [--rows 10980] [--json]``

Kernels are compiled before, by a small raster. GDAL's driver runs once, ours ``--repeats`` times, of which the least
counts. The target of a whole L3B step is 45 CPU s for four such value rasters and two flag rasters.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from measuring import highest_memory, least_seconds

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, write_cog

NO_DATA = -10000


def picture(side: int) -> npt.NDArray[np.int16]:
    """Fields with noise, a quarter without data."""
    rng = np.random.default_rng(1)
    fields = rng.integers(300, 4000, (-(-side // 20), -(-side // 20))).astype(np.int16)
    values = np.kron(fields, np.ones((20, 20), np.int16))[:side, :side]
    values += rng.integers(-100, 100, values.shape, np.int16)
    values[:, : side // 4] = NO_DATA
    return values


def classes(values: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Flags: no data, some clouds."""
    flags = np.where(values > 3500, 4, 0).astype(np.uint8)
    flags[values == NO_DATA] = 255
    return flags


def by_gdal(path: Path, values: npt.NDArray[Any], grid: PixelGrid, profile: CogProfile) -> None:
    """The same raster by the COG driver, one thread."""
    with rasterio.open(
        path,
        "w",
        driver="COG",
        height=grid.rows,
        width=grid.columns,
        count=1,
        dtype=profile.dtype,
        crs=f"EPSG:{grid.epsg}",
        transform=rasterio.Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
        nodata=profile.no_data,
        compress="ZSTD",
        level=1,
        predictor="NO" if profile.dtype == "uint8" else "YES",
        blocksize=512,
        overview_resampling=profile.overviews.upper(),
        num_threads=1,
        bigtiff="NO",
    ) as raster:
        raster.write(values, 1)


def main() -> None:
    """Measure both writers on one value raster and one flag raster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10980)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    grid = PixelGrid(32631, 600_000, 5_800_020, 10, options.rows, options.rows)
    values = picture(options.rows)
    flags = classes(values)
    cases = {
        "int16": (values, CogProfile("int16", (CogBand("NDVI", 0.001),), NO_DATA, "average")),
        "flags": (flags, CogProfile("uint8", (CogBand("flags"),), 255, "nearest")),
    }
    report: dict[str, float] = {"megapixels": round(values.size / 1e6, 1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raster.tif"
        write_cog(path, values[:1024, :1024].copy(), PixelGrid(32631, 0, 0, 10, 1024, 1024), cases["int16"][1])
        for name, (pixels, profile) in cases.items():
            mine = least_seconds(
                lambda pixels=pixels, profile=profile: write_cog(path, pixels, grid, profile), options.repeats
            )
            report[f"{name}_cpu_s"] = round(mine, 2)
            report[f"{name}_mb"] = round(path.stat().st_size / 1e6, 1)
        with highest_memory() as memory:
            write_cog(path, values, grid, cases["int16"][1])
        report["memory_mb"] = round(memory[0])
        for name, (pixels, profile) in cases.items():
            gdal = least_seconds(lambda pixels=pixels, profile=profile: by_gdal(path, pixels, grid, profile), 1)
            report[f"{name}_gdal_cpu_s"] = round(gdal, 2)
            report[f"{name}_gdal_mb"] = round(path.stat().st_size / 1e6, 1)
            report[f"ratio_gdal_cog_{name}"] = round(gdal / report[f"{name}_cpu_s"], 1)
    for key, value in report.items():
        print(f"{key:24} {value}")
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
