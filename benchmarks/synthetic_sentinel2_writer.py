"""Sentinel-2 products of a season's window: CPU seconds and bytes of each, against plain GeoTIFFs of the same arrays.

Run: ``python benchmarks/synthetic_sentinel2_writer.py [--pixels 510] [--repeat 5]``
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.muscate import muscate_files
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_images import l2a_arrays
from s4c_lib.synthetic.products.sentinel2_safe import l1c_files, l2a_files, l2a_images

BASELINE = 500


def fields_and_cloud(pixels: int) -> OpticalScene:
    """Fields of 100 to 300 m with texture and sensor noise, a quarter under cloud."""
    rng = np.random.default_rng(1)
    grid = PixelGrid(32631, 652320, 5697660, 10, pixels, pixels)
    lines = np.cumsum(rng.integers(10, 30, pixels))
    row, column = np.searchsorted(lines, np.arange(pixels)), np.searchsorted(lines, np.arange(pixels)[::-1])
    fields = row[:, np.newaxis] * 61 + column
    classes = np.full(grid.resized(20).shape, 4, dtype=np.uint8)
    classes[: classes.shape[0] // 4] = 9
    bands = {}
    for band, metres in BAND_METRES.items():
        level = rng.uniform(0.03, 0.4, fields.max() + 1)
        step = metres // 10
        fine = level[fields]
        coarse = fine.reshape(pixels // step, step, pixels // step, step).mean(axis=(1, 3))
        noisy = coarse * (1 + rng.normal(0, 0.04, coarse.shape)) + rng.normal(0, 0.003, coarse.shape)
        noisy[: noisy.shape[0] // 4] += 0.5 + rng.normal(0, 0.05, noisy[: noisy.shape[0] // 4].shape)
        bands[band] = noisy.astype(np.float32)
    empty = np.zeros(grid.shape, dtype=np.bool_)
    return OpticalScene(grid, bands, classes, (classes == 9).astype(np.uint8) * 80, empty, empty, 0.12, 2.0)


def write_plain(folder: Path, arrays: Mapping[tuple[str, int], npt.NDArray[Any]], grid: PixelGrid) -> int:
    """The same arrays as uncompressed GeoTIFFs, without metadata; bytes written."""
    folder.mkdir()
    for (layer, metres), array in arrays.items():
        planes = array[np.newaxis] if array.ndim == 2 else array
        with rasterio.open(
            folder / f"{layer}_{metres}.tif",
            "w",
            driver="GTiff",
            count=planes.shape[0],
            height=planes.shape[1],
            width=planes.shape[2],
            dtype=planes.dtype.name,
            crs=f"EPSG:{grid.epsg}",
            transform=rasterio.Affine(metres, 0, grid.west, 0, -metres, grid.north),
        ) as raster:
            raster.write(planes)
    return sum(path.stat().st_size for path in folder.iterdir())


def measured(make: Callable[[Path], int], repeat: int) -> tuple[float, int]:
    """CPU seconds of the fastest of some runs after a first one, and bytes."""
    seconds, size = [], 0
    for _ in range(repeat + 1):
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            size = make(Path(folder))
            seconds.append(time.process_time() - started)
    return min(seconds[1:]), size


def main() -> None:
    """Print one line a product."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=510)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    scene = fields_and_cloud(options.pixels)
    flight = OpticalPass(datetime(2021, 6, 3, 10, 50, 31, tzinfo=UTC), "S2A", 51, 31071, 30.0, 152.0, 8.9, 287.0)
    here, neighbour = tile("31UFS"), tile("31UFT")
    arrays = l2a_arrays(scene, BASELINE)

    def product(name: str, files: Mapping[str, bytes], folder: Path) -> int:
        write_product(folder, name, files)
        return sum(len(content) for content in files.values())

    def two_tiles(folder: Path) -> int:
        images = l2a_images(scene, BASELINE)
        return sum(product(*l2a_files(scene, flight, square, BASELINE, images), folder) for square in (here, neighbour))

    plain, plain_size = measured(lambda folder: write_plain(folder / "plain", arrays, scene.grid), options.repeat)
    print(f"{'plain GeoTIFF of the L2A arrays':34s} {plain:6.3f} s {plain_size / 1e6:6.2f} MB")
    ways: dict[str, Callable[[Path], int]] = {
        "L2A SAFE": lambda folder: product(*l2a_files(scene, flight, here, BASELINE), folder),
        "L2A SAFE, two tiles, same ground": two_tiles,
        "L1C SAFE": lambda folder: product(*l1c_files(scene, flight, here, BASELINE), folder),
        "MUSCATE L2A": lambda folder: product(*muscate_files(scene, flight, here), folder),
    }
    for name, make in ways.items():
        seconds, size = measured(make, options.repeat)
        print(
            f"{name:34s} {seconds:6.3f} s {size / 1e6:6.2f} MB"
            f"  {seconds / plain:5.1f} x the time, {size / plain_size:4.2f} x the bytes"
        )


if __name__ == "__main__":
    main()
