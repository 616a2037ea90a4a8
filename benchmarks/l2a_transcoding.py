"""Publishing a full Sentinel-2 L2A tile as COG: CPU seconds and memory, against a raw read of the same files.

Run: ``python benchmarks/l2a_transcoding.py [--rows 10980] [--bands b02 b05] [--json]``

A product is made in JPEG 2000 first (lossless, tiles of 1024 pixels as in ESA's), of noisy fields. Decoding cannot be
avoided; the ratio says what publication adds: compression, overviews, reading the copies back, quicklook and checks.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from measuring import highest_memory, spent
from rasterio.windows import Window

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.publish import PublishOptions, publish_l2a
from s4c_lib.readers.raster_opening import single_thread
from s4c_lib.readers.scene import AngleGrid, Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.product_kinds import ProductKind

LIMIT_MB = 1500
NAME = "S2A_MSIL2A_20220603T105031_N0510_R051_T31UFS_20220603T152031"
FINE = ("b02", "b03", "b04", "b08")


def fields(side: int, seed: int) -> np.ndarray:
    """DN of fields of 20 pixels with noise, the first eighth of the columns without data."""
    rng = np.random.default_rng(seed)
    means = rng.integers(1200, 4500, (-(-side // 20), -(-side // 20))).astype(np.uint16)
    values = np.kron(means, np.ones((20, 20), np.uint16))[:side, :side]
    values += rng.integers(0, 120, values.shape, np.uint16)
    values[:, : side // 8] = 0
    return values


def written(path: Path, values: np.ndarray, grid: PixelGrid) -> Layer:
    """A lossless JP2."""
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        height=grid.rows,
        width=grid.columns,
        count=1,
        dtype=values.dtype,
        crs=f"EPSG:{grid.epsg}",
        transform=rasterio.Affine(grid.pixel, 0, grid.west, 0, -grid.pixel, grid.north),
        QUALITY="100",
        REVERSIBLE="YES",
        BLOCKXSIZE="1024",
        BLOCKYSIZE="1024",
    ) as raster:
        raster.write(values, 1)
    return Layer(str(path), grid)


def product(folder: Path, rows: int, names: list[str]) -> OpticalScene:
    """A scene of JP2 files."""
    fine = PixelGrid(32631, 600_000, 5_700_000, 10, rows, rows)
    bands = {}
    for number, name in enumerate(names):
        grid = fine if name in FINE else fine.resized(20)
        layer = written(folder / f"{name}.jp2", fields(grid.rows, number), grid)
        bands[name] = Band(name, layer, 1e-4, -0.1, 0)
    coarse = fine.resized(20)
    classes = np.where(fields(coarse.rows, 99) > 4000, 9, 4).astype(np.uint8)
    classes[:, : coarse.columns // 8] = 0
    scl = written(folder / "scl.jp2", classes, coarse)
    nodes = np.full((23, 23), 0.9, np.float32)
    mean = MeanGeometry(30, 150, 8, 287)
    return OpticalScene(
        name=NAME,
        kind=ProductKind.S2_L2A,
        platform="sentinel-2a",
        tile="31UFS",
        sensing_time=datetime(2022, 6, 3, 10, 50, 31, tzinfo=UTC),
        relative_orbit=51,
        direction="descending",
        baseline=510,
        grid=fine,
        bands=bands,
        mask=Mask(MaskKind.SCL, {"scl": scl}),
        angles=AngleGrid(fine.west, fine.north, 5000, nodes, nodes, nodes, mean),
    )


def raw_read(scene: OpticalScene) -> None:
    """Decode every raster once, in rows of tiles, one thread."""
    layers = [*(band.layer for band in scene.bands.values()), *scene.mask.layers.values()]
    for layer in layers:
        with single_thread(), rasterio.open(layer.path) as raster:
            for first in range(0, raster.height, 1024):
                raster.read(1, window=Window(0, first, raster.width, min(1024, raster.height - first)))


def main() -> None:
    """Make a product, read it raw, publish it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10980)
    parser.add_argument("--bands", nargs="+", default=list(PublishOptions().keep_bands))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report: dict[str, Any] = {"bands": len(options.bands), "rows": options.rows}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "source").mkdir()
        scene = product(folder / "source", options.rows, options.bands)
        small = product_of_small(folder)
        publish_l2a(small, folder / "small" / NAME, PublishOptions())  # compiles, or loads what is compiled
        report["raw_read_cpu_s"] = round(spent(lambda: raw_read(scene))[0], 1)
        with highest_memory() as memory:
            seconds, _ = spent(lambda: publish_l2a(scene, folder / "l2a" / NAME, PublishOptions()))
        report["memory_mb"] = round(memory[0])
        report["publish_cpu_s"] = round(seconds, 1)
        report["ratio_raw_read"] = round(report["publish_cpu_s"] / report["raw_read_cpu_s"], 2)
        report["added_cpu_s"] = round(report["publish_cpu_s"] - report["raw_read_cpu_s"], 1)
        report["published_mb"] = round(sum(file.stat().st_size for file in (folder / "l2a" / NAME).iterdir()) / 1e6)
        report["memory_within_limit"] = report["memory_mb"] <= LIMIT_MB
    for key, value in report.items():
        print(f"{key:24} {value}")
    if options.json:
        print(json.dumps(report))


def product_of_small(folder: Path) -> OpticalScene:
    """A product of one tile of pixels, to warm up."""
    (folder / "warm").mkdir()
    return product(folder / "warm", 1020, ["b02", "b03", "b04"])


if __name__ == "__main__":
    main()
