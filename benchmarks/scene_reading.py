"""Reading a published L2A tile: nine bands and flags at 10 m through `ScenePixels`, against a raw read of the files.

Run: ``python benchmarks/scene_reading.py [--rows 10980] [--json]``

The raw read is rasterio reading each file whole, at its own resolution, and doing nothing with it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from measuring import highest_memory, spent
from rasterio import Affine

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers import published_layout as layout
from s4c_lib.readers.angles import constant_angle_grid
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.readers.sentinel2_safe import NATIVE
from s4c_lib.sources.product_kinds import ProductKind

NAME = "S2A_MSIL2A_20220603T105031_N0400_R051_T31UFS_20220603T180000"
BANDS = ("b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b11", "b12")
BLOCK = 512


def picture(rows: int, seed: int) -> npt.NDArray[np.uint16]:
    """DN of a noisy image; a quarter of it is no data."""
    rng = np.random.default_rng(seed)
    small = rng.integers(1300, 5000, (rows // 30 + 1, rows // 30 + 1)).repeat(30, 0).repeat(30, 1)[:rows, :rows]
    values = (small + rng.integers(0, 64, (rows, rows))).astype(np.uint16)
    values[:, -rows // 4 :] = 0
    return values


def write(path: Path, values: npt.NDArray[np.generic], grid: PixelGrid) -> None:
    """A raster as publication makes it, without overviews, which are not read here."""
    planes = values if values.ndim == 3 else values[np.newaxis]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=grid.rows,
        width=grid.columns,
        count=len(planes),
        dtype=planes.dtype.name,
        crs=f"EPSG:{grid.epsg}",
        transform=Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        compress="zstd",
        zstd_level=1,
        predictor=2 if planes.dtype.kind == "u" and planes.itemsize == 2 else 1,
    ) as raster:
        raster.write(planes)


def publish(root: Path, rows: int) -> Path:
    """A published folder of ``rows`` x ``rows`` pixels of 10 m."""
    folder = root / NAME
    folder.mkdir()
    grid = PixelGrid(32631, 600_000, 5_700_000, 10, rows, rows)
    coarse = grid.resized(20)
    place = {10: grid, 20: coarse}
    bands = {
        name: Band(name, Layer(str(folder / layout.raster_file(NAME, name)), place[NATIVE[name]]), 1e-4, -0.1, 0)
        for name in BANDS
    }
    scl = Layer(str(folder / layout.raster_file(NAME, "scl")), coarse)
    for number, (name, band) in enumerate(bands.items()):
        write(Path(band.layer.path), picture(band.layer.grid.rows, number), place[NATIVE[name]])
    write(Path(scl.path), (picture(coarse.rows, 99) % 12).astype(np.uint8), coarse)
    scene = OpticalScene(
        NAME, ProductKind.S2_L2A, "sentinel-2a", "31UFS", datetime(2022, 6, 3, 10, 50, 31, tzinfo=UTC), 51,
        "descending", 400, grid, bands, Mask(MaskKind.SCL, {"scl": scl}),
        constant_angle_grid(grid, MeanGeometry(30.0, 150.0, 5.0, 280.0)),
    )  # fmt: skip
    nodes = layout.angle_raster_grid(scene.angles, grid.epsg)
    file = layout.raster_file(NAME, layout.ANGLES)
    write(folder / file, np.stack([scene.angles.cos_vza, scene.angles.cos_sza, scene.angles.cos_raa]), nodes)
    assets = {
        name: {"href": f"./{path}", **layout.band_fields(bands[name])}
        for name, path in layout.band_files(scene).items()
    }
    assets["scl"] = {"href": f"./{layout.raster_file(NAME, 'scl')}", **layout.mask_fields(scl)}
    assets[layout.ANGLES] = {"href": f"./{file}", **layout.grid_fields(nodes)}
    item = {"type": "Feature", "id": NAME, "properties": layout.item_properties(scene), "assets": assets}
    (folder / layout.item_file(NAME)).write_text(json.dumps(item))
    return folder


def through_scene(folder: Path) -> None:
    """Everything an L3B needs, block by block."""
    with open_pixels(read_scene(folder)) as pixels:
        pixels.flags()
        for first in range(0, pixels.grid.rows, BLOCK):
            pixels.rows(BANDS, first, min(first + BLOCK, pixels.grid.rows))


def bands_only(folder: Path) -> None:
    """The blocks without the flags."""
    with open_pixels(read_scene(folder)) as pixels:
        for first in range(0, pixels.grid.rows, BLOCK):
            pixels.rows(BANDS, first, min(first + BLOCK, pixels.grid.rows))


def raw(folder: Path) -> None:
    """The same files, whole."""
    with rasterio.Env(GDAL_NUM_THREADS="1"):
        for key in (*BANDS, "scl"):
            with rasterio.open(folder / layout.raster_file(NAME, key)) as raster:
                raster.read(1)


def measure(work: Callable[[Path], None], folder: Path, repeats: int) -> tuple[float, float]:
    """Least CPU seconds, highest MB."""
    seconds, memory = [], []
    for _ in range(repeats):
        with highest_memory() as found:
            seconds.append(spent(lambda: work(folder))[0])
        memory.append(found[0])
    return min(seconds), max(memory)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10980, help="of the 10 m bands, even")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as small:
        through_scene(publish(Path(small), 120))  # compiles the kernels
        folder = publish(Path(root), options.rows)
        results = {
            name: measure(work, folder, options.repeats)
            for name, work in (("bands and flags", through_scene), ("bands alone", bands_only), ("raw read", raw))
        }
    reference = results["raw read"][0]
    for name, (seconds, peak) in results.items():
        print(f"{name:16} {seconds:6.2f} s CPU  ratio {seconds / reference:4.2f}  {peak:6.0f} MB")
    if options.json:
        print(
            json.dumps(
                {
                    "rows": options.rows,
                    "seconds": round(results["bands and flags"][0], 3),
                    "seconds_bands": round(results["bands alone"][0], 3),
                    "seconds_raw": round(reference, 3),
                    "ratio_raw": round(results["bands and flags"][0] / reference, 3),
                    "peak_mb": round(results["bands and flags"][1]),
                    "peak_mb_bands": round(results["bands alone"][1]),
                }
            )
        )


if __name__ == "__main__":
    main()
