"""L3B of a full tile: the kernels against plain numpy, and the whole step against a raw read of the same files.

Run: ``python benchmarks/vegetation.py [--side 10980] [--model-set s4c] [--resolution 10] [--kernels-only] [--json]``

Seconds are of the processor, one thread; kernels are compiled before, files are in the system's cache. The networks of
numpy run on a part and are scaled to the tile: `evaluate` in float32 (folded weights, blocks), and the formula in
float64 as one would first write it. The whole step reads a scene of COGs as a published L2A has them (a quarter without
data, fields of 600 m with noise) and writes NDVI, LAI, FAPAR, FCOVER, flags and quality; it runs in a process of its
own, whose peak memory is reported. A raw read decodes every pixel of the same files once. Targets: l3b-and-markers.md
4.5.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import least_seconds, peak_mb

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.products.cog import CogBand, CogProfile, cog_writer
from s4c_lib.products.l3b import L3bOptions, make_l3b
from s4c_lib.readers.flags import MaskRules, flags_from_scl
from s4c_lib.readers.scene import AngleGrid, Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.vegetation.biophysical import Biophysical, OutputRules
from s4c_lib.vegetation.indices import normalised_difference
from s4c_lib.vegetation.networks import MODEL_SETS, VARIABLES, Network, load_network, model_of

ROWS = 512
TILE_PIXELS = 10_980**2
METRES = {"b03": 10, "b04": 10, "b08": 10, "b05": 20, "b06": 20, "b07": 20, "b8a": 20, "b11": 20, "b12": 20}
TARGETS = {"kernel_s": 10.0, "step_s_10": 45.0, "step_s_20": 12.0, "peak_mb": 1500.0}


def angles_of(grid: PixelGrid) -> AngleGrid:
    """Angles that change over the tile."""
    row, column = np.mgrid[0:23, 0:23] / 22
    cosines = (0.985 + 0.01 * row, 0.75 + 0.02 * column, -0.4 + 0.2 * row * column)
    nodes = (np.asarray(cosine, np.float32) for cosine in cosines)
    return AngleGrid(grid.west, grid.north, 5000.0, *nodes, MeanGeometry(41.0, 160.0, 8.0, 286.0))


def spectra(rng: np.random.Generator, names: tuple[str, ...], shape: tuple[int, int]) -> npt.NDArray[np.int16]:
    """Reflectance x 10000 of (bands, rows, columns): fields with noise."""
    fields = rng.integers(300, 4000, (len(names), -(-shape[0] // 60), -(-shape[1] // 60)), dtype=np.int16)
    whole = fields.repeat(60, axis=1).repeat(60, axis=2)[:, : shape[0], : shape[1]]
    return whole + rng.integers(-60, 60, whole.shape, dtype=np.int16)


def literal(network: Network, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The formula on all pixels at once, as one would first write it."""
    scaled = 2 * (x - network.input_min[:, None]) / (network.input_max - network.input_min)[:, None] - 1
    output = network.output_bias + network.output_weight @ np.tanh(
        network.hidden_bias[:, None] + network.hidden_weight @ scaled
    )
    return 0.5 * (output + 1) * (network.target_max - network.target_min) + network.target_min


def kernels(model_set: str) -> dict[str, float]:
    """Seconds a tile: NDVI, three variables with their quality, and flags; and of numpy for the networks alone."""
    rng = np.random.default_rng(1)
    networks = [load_network(model_of(model_set, "S2A"), variable) for variable in VARIABLES]
    columns = 10_980
    grid = PixelGrid(32631, 600_000, 5_700_000, 10, ROWS, columns)
    ready = Biophysical.of(networks, angles_of(grid), grid)
    names = tuple(dict.fromkeys((*ready.bands, "b04", "b08")))
    numbers = spectra(rng, names, (ROWS, columns))
    classes = rng.choice(np.array([4, 5, 4, 9], np.uint8), (ROWS, columns))
    rules = OutputRules(domain=True)
    red, infrared = numbers[names.index("b04")], numbers[names.index("b08")]

    def fused() -> None:
        flags = flags_from_scl(classes, MaskRules())
        normalised_difference(infrared, red, flags)
        ready.rows(numbers, names, flags, 0, rules)

    fused()  # compiles
    scale = TILE_PIXELS / numbers[0].size
    part = 1_000_000
    inputs = np.empty((len(networks[0].inputs), part))
    inputs[: len(ready.bands)] = numbers[[names.index(band) for band in ready.bands]].reshape(len(ready.bands), -1)[
        :, :part
    ]
    inputs[: len(ready.bands)] /= 10_000
    inputs[len(ready.bands) :] = np.array([[0.99], [0.76], [-0.3]])
    small = inputs.astype(np.float32)
    return {
        "kernel_s": least_seconds(fused) * scale,
        "numpy_float32_s": least_seconds(lambda: [n.evaluate(small) for n in networks]) * TILE_PIXELS / part,
        "numpy_literal_s": least_seconds(lambda: [literal(n, inputs) for n in networks], 1) * TILE_PIXELS / part,
    }


def write_scene(folder: Path, side: int) -> OpticalScene:
    """A scene of COGs: a quarter without data, some cloud."""
    rng = np.random.default_rng(2)
    grid = PixelGrid(32631, 600_000, 5_700_000, 10, side, side)
    bands = {}
    for name, metres in METRES.items():
        own = grid.resized(metres)
        path = folder / f"{name}.tif"
        profile = CogProfile("uint16", (CogBand(name, 1e-4, -0.1),), 0, "average")
        with cog_writer(path, own, profile) as writer:
            for first in range(0, own.rows, ROWS):
                rows = min(ROWS, own.rows - first)
                stored = (spectra(rng, (name,), (rows, own.columns))[0] + 1000).astype(np.uint16)
                stored[:, : own.columns // 4] = 0
                writer.write(first, stored)
        bands[name] = Band(name, Layer(str(path), own), 1e-4, -0.1, 0)
    coarse = grid.resized(20)
    scl = rng.choice(np.array([4, 5, 4, 4, 9], np.uint8), (coarse.rows // 30 + 1, coarse.columns // 30 + 1))
    scl = scl.repeat(30, axis=0).repeat(30, axis=1)[: coarse.rows, : coarse.columns]
    scl[:, : coarse.columns // 4] = 0
    with cog_writer(folder / "scl.tif", coarse, CogProfile("uint8", (CogBand("scl"),), 0, "nearest")) as writer:
        writer.write(0, np.ascontiguousarray(scl))
    return OpticalScene(
        name="S2A_MSIL2A_20210505T105031_N0500_R051_T31UFS_20210505T135242",
        kind=ProductKind.S2_L2A,
        platform="sentinel-2a",
        tile="31UFS",
        sensing_time=datetime(2021, 5, 5, 10, 50, 31, tzinfo=UTC),
        relative_orbit=51,
        direction="descending",
        baseline=500,
        grid=grid,
        bands=bands,
        mask=Mask(MaskKind.SCL, {"scl": Layer(str(folder / "scl.tif"), coarse)}),
        angles=angles_of(grid),
    )


def raw_read(scene: OpticalScene) -> None:
    """Decode every pixel of the scene's files once, in the same row blocks."""
    import rasterio
    from rasterio.windows import Window

    layers = [band.layer for band in scene.bands.values()] + list(scene.mask.layers.values())
    with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=64 * 2**20):
        for layer in layers:
            with rasterio.open(layer.path) as raster:
                for first in range(0, raster.height, ROWS):
                    raster.read(1, window=Window(0, first, raster.width, min(ROWS, raster.height - first)))


def step(scene: OpticalScene, folder: Path, options: L3bOptions) -> None:
    """The whole step."""
    make_l3b(scene, folder, options, site="benchmark", now=datetime(2021, 6, 1, tzinfo=UTC))


def _alone(work: Callable[..., None], arguments: tuple[Any, ...], sender: Any) -> None:
    # Kernels and libraries are loaded first: an installation has them compiled.
    from s4c_lib.vegetation import indices, network_kernel

    network_kernel.warm_up()
    indices.warm_up()
    started, clock = time.process_time(), time.perf_counter()
    work(*arguments)
    sender.send(
        (
            time.process_time() - started,
            time.perf_counter() - clock,
            peak_mb(),
        )
    )


def alone(work: Callable[..., None], *arguments: Any) -> tuple[float, float, float]:
    """Processor seconds, seconds and peak MB of some work in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_alone, args=(work, arguments, sender))
    process.start()
    sender.close()
    found: tuple[float, float, float] = receiver.recv()
    process.join()
    return found


def main() -> None:
    """Measure, print, and end with a line of JSON when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10_980, help="pixels of 10 m on a side")
    parser.add_argument("--model-set", choices=list(MODEL_SETS), default="s4c")
    parser.add_argument("--resolution", type=int, choices=(10, 20), default=10)
    parser.add_argument("--kernels-only", action="store_true")
    parser.add_argument("--json", action="store_true", help="last line: one JSON object")
    given = parser.parse_args()
    result: dict[str, Any] = kernels(given.model_set)
    result["ratio_numpy_float32"] = result["numpy_float32_s"] / result["kernel_s"]
    result["ratio_numpy_literal"] = result["numpy_literal_s"] / result["kernel_s"]
    print(f"{given.model_set}, NDVI, LAI, FAPAR, FCOVER, quality and flags of 120.6 Mpx, in memory")
    print(f"  kernels                    {result['kernel_s']:7.2f} s CPU (target {TARGETS['kernel_s']:.0f})")
    for name, text in (("float32", "numpy, float32 in blocks"), ("literal", "numpy, float64, literal")):
        print(f"  {text:26} {result[f'numpy_{name}_s']:7.2f} s CPU  {result[f'ratio_numpy_{name}']:6.1f} times")
    if not given.kernels_only:
        with tempfile.TemporaryDirectory() as folder:
            scene = write_scene(Path(folder), given.side)
            options = L3bOptions(model_set=given.model_set, resolution=given.resolution)
            read_s, read_wall, _ = alone(raw_read, scene)
            step_s, step_wall, peak = alone(step, scene, Path(folder) / "l3b", options)
            written = sum(path.stat().st_size for path in (Path(folder) / "l3b").rglob("*.tif")) / 1e6
        coarse = given.resolution == 20 or given.model_set == "sl2p_v3_20m"
        target = TARGETS["step_s_20" if coarse else "step_s_10"]
        scaled = target * given.side**2 / TILE_PIXELS
        result |= {
            "side": given.side, "step_s": step_s, "step_wall_s": step_wall, "raw_read_s": read_s,
            "ratio_raw_read": step_s / read_s, "peak_mb": peak, "target_step_s": scaled,
            "target_peak_mb": TARGETS["peak_mb"], "written_mb": written,
        }  # fmt: skip
        print(f"whole step, {given.side} x {given.side} pixels of 10 m, from COG to COG")
        print(f"  make_l3b                   {step_s:7.2f} s CPU ({step_wall:.1f} s; target {scaled:.1f} s CPU)")
        print(
            f"  raw read of its files      {read_s:7.2f} s CPU ({read_wall:.1f} s), {step_s / read_s:.1f} in the step"
        )
        print(
            f"  peak memory                {peak:7.0f} MB (target {TARGETS['peak_mb']:.0f}); {written:.0f} MB written"
        )
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
