"""Statistics of one full tile per parcel: seconds and memory from the COG to the Parquet file, against the limits.

Run: ``python benchmarks/parcel_statistics.py [--parcels 100000] [--json]``

Peers are exactextract (which weighs pixels by their share in the parcel) and rasterstats, in the same call and on the
same raster; they would take minutes, so they get the first part of the parcels, as they lie row by row from the north,
and their seconds are scaled to all. Ours count everything: reading values and flags, statistics, rows, writing. All
seconds are of the processor; files are in the system's cache, kernels are compiled before; ours and numpy are the least
of three runs, the other peers run once.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import rasterio
from exactextract import exact_extract
from measuring import highest_memory, least_seconds
from pixel_index import TILE, fields
from pyproj import CRS
from rasterstats import zonal_stats

from s4c_lib import kernel_cache
from s4c_lib.parcels.inner_buffer import BUFFER_10M, LocatedParcels, locate_parcels, shrink_parcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.statistics.parcel_statistics import ParcelStatistics, rows_to_keep, statistics_of
from s4c_lib.statistics.store import Source, write_statistics

LIMIT_S, LIMIT_QUARTILES_S, LIMIT_MB, LIMIT_COUNTRY_S = 1.5, 2.5, 1500, 420
NO_DATA = -10_000
COUNTRY_RASTERS = 70 * 4
STATISTICS = ["count", "mean", "stdev", "min", "max"]
SOURCE = Source(
    variable="ndvi",
    family="l3b",
    unit="1",
    time=datetime(2021, 5, 2, 10, 46, 12, tzinfo=UTC),
    previous_time=None,
    platform="sentinel-2a",
    tile="31UFS",
    orbit=None,
    direction=None,
    product_id=1,
    item_id="benchmark",
    parcel_set_id=1,
    buffer_m=BUFFER_10M,
    resolution=10,
    config_hash="0",
)


def rasters(folder: Path) -> tuple[Path, Path]:
    """NDVI x 1000 with a quarter of no data, and flags with clouds, as COG."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(-100, 950, (TILE.rows // 30, TILE.columns // 30), dtype=np.int16)
    values = np.kron(coarse, np.ones((30, 30), np.int16)) + rng.integers(-40, 40, TILE.shape, dtype=np.int16)
    values[:, -TILE.columns // 4 :] = NO_DATA
    clouds = rng.random((TILE.rows // 60, TILE.columns // 60)) < 0.2
    flags = np.kron(clouds, np.ones((60, 60), np.bool_)).astype(np.uint8) * 4
    profile = {"driver": "COG", "compress": "ZSTD", "blocksize": 512, "height": TILE.rows, "width": TILE.columns}
    profile |= {"count": 1, "crs": f"EPSG:{TILE.epsg}", "overviews": "NONE"}
    profile["transform"] = rasterio.Affine(TILE.pixel, 0, TILE.west, 0, -TILE.pixel, TILE.north)
    paths = folder / "ndvi.tif", folder / "flags.tif"
    options = ({"dtype": "int16", "nodata": NO_DATA, "predictor": 2, "level": 1}, {"dtype": "uint8", "level": 1})
    for path, array, more in zip(paths, (values, flags), options, strict=True):
        with rasterio.open(path, "w", **profile, **more) as out:
            out.write(array, 1)
    return paths


def read(path: Path) -> npt.NDArray[Any]:
    """The band of a raster."""
    with rasterio.open(path) as raster:
        return raster.read(1)


def step(index: PixelIndex, paths: tuple[Path, Path], root: Path, quartiles: bool) -> ParcelStatistics:
    """What a task does for one raster."""
    values, flags = (read(path) for path in paths)
    found = statistics_of(index, values, scale=0.001, no_data=NO_DATA, land=flags, quartiles=quartiles)
    kept = rows_to_keep(found, 1, 0.0)
    write_statistics(root, "benchmark", "2021", SOURCE, kept)
    return kept


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--exactextract-parcels", type=int, default=20_000)
    parser.add_argument("--rasterstats-parcels", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    kernel_cache.compile_all()
    numbers = np.arange(1, options.parcels + 1)
    shapes = fields(options.parcels)
    parcels = shrink_parcels(locate_parcels(numbers, shapes, CRS.from_epsg(TILE.epsg), TILE), BUFFER_10M)
    building = least_seconds(lambda: index_of(parcels), 1)
    index = index_of(parcels)
    print(f"{len(index)} parcels, {index.pixels} of {TILE.rows * TILE.columns} pixels in them; index {building:.2f} s")
    with tempfile.TemporaryDirectory() as temporary, rasterio.Env(GDAL_NUM_THREADS=1):
        root = Path(temporary)
        paths = rasters(root)
        alone, numpy_seconds = in_memory(index, paths)
        reading = least_seconds(lambda: [read(path) for path in paths])
        whole = least_seconds(lambda: step(index, paths, root, False))
        with_quartiles = least_seconds(lambda: step(index, paths, root, True))
        before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
        with highest_memory() as memory:
            kept = step(index, paths, root, True)
        peak = before + memory[0]  # the rasters were made in this process, so its own record says nothing
        exact, share, differing = exactextract_seconds(parcels, paths[0], options.exactextract_parcels)
        stats = rasterstats_seconds(parcels, paths[0], options.rasterstats_parcels)
    print(f"reading both COGs            {reading:6.2f} s CPU")
    print(f"statistics alone             {alone[0]:6.2f} s, with quartiles {alone[1]:.2f} s")
    print(f"the same by numpy reduceat   {numpy_seconds:6.2f} s, {numpy_seconds / alone[0]:.0f} times as long")
    print(f"COG to Parquet               {whole:6.2f} s, limit {LIMIT_S} s; {len(kept)} rows")
    print(f"COG to Parquet, quartiles    {with_quartiles:6.2f} s, limit {LIMIT_QUARTILES_S} s")
    country = whole * COUNTRY_RASTERS
    print(f"a country of 70 tiles, 4 rasters {country:6.0f} s, limit {LIMIT_COUNTRY_S} s")
    print(f"memory of a step             {memory[0]:6.0f} MB more, {peak:.0f} in all; limit {LIMIT_MB} MB")
    print(
        f"exactextract                 {exact:6.1f} s for all, scaled from {share} parcels: {exact / whole:.0f} times"
    )
    print(f"  95th percentile of the difference of means (it weighs border pixels): {differing:.3f} NDVI")
    share = options.rasterstats_parcels
    print(
        f"rasterstats                  {stats:6.1f} s for all, scaled from {share} parcels: {stats / whole:.0f} times"
    )
    if options.json:
        figures = {
            "parcels": len(index),
            "pixels": index.pixels,
            "cpu_s": round(whole, 3),
            "limit_s": LIMIT_S,
            "cpu_s_quartiles": round(with_quartiles, 3),
            "limit_s_quartiles": LIMIT_QUARTILES_S,
            "cpu_s_statistics": round(alone[0], 3),
            "cpu_s_reading": round(reading, 3),
            "cpu_s_country": round(country),
            "ratio_exactextract": round(exact / whole, 1),
            "ratio_rasterstats": round(stats / whole, 1),
            "ratio_numpy": round(numpy_seconds / alone[0], 1),
            "peak_mb": round(peak),
            "limit_mb": LIMIT_MB,
        }
        print(json.dumps(figures))


def in_memory(index: PixelIndex, paths: tuple[Path, Path]) -> tuple[tuple[float, float], float]:
    """Seconds of the statistics alone, without and with quartiles, and of numpy for the former."""
    values, flags = (read(path) for path in paths)

    def ours(ranked: bool) -> float:
        return least_seconds(lambda: statistics_of(index, values, no_data=NO_DATA, land=flags, quartiles=ranked))

    offsets, pixels = index.flat()  # listed once, as whoever works so would keep them
    return (ours(False), ours(True)), least_seconds(lambda: by_numpy(offsets, pixels, values, flags))


def index_of(parcels: LocatedParcels) -> PixelIndex:
    """Pixels of shrunk parcels."""
    return build_pixel_index(parcels, TILE, buffer_m=BUFFER_10M, parcel_set_id=1)


def by_numpy(
    offsets: npt.NDArray[Any], pixels: npt.NDArray[Any], values: npt.NDArray[Any], flags: npt.NDArray[Any]
) -> Any:
    """Count, sums, minimum and maximum of the same pixels without compiled loops."""
    found = values.reshape(-1)[pixels].astype(np.int64)
    valid = (flags.reshape(-1)[pixels] == 0) & (found != NO_DATA)
    starts = offsets[:-1]
    zeroed = np.where(valid, found, 0)
    sums = [np.add.reduceat(one, starts) for one in (valid.astype(np.int64), zeroed, zeroed * zeroed)]
    return (
        *sums,
        np.minimum.reduceat(np.where(valid, found, 1 << 40), starts),
        np.maximum.reduceat(np.where(valid, found, -(1 << 40)), starts),
    )


def exactextract_seconds(parcels: LocatedParcels, path: Path, count: int) -> tuple[float, int, float]:
    """Seconds for all parcels, count it was run on, 95th percentile of the difference of means without masks."""
    share = min(count, len(parcels))
    frame = geopandas.GeoDataFrame(
        {"parcel": parcels.parcel_id[:share]}, geometry=parcels.geometry[:share], crs=TILE.epsg
    )
    before = time.process_time()
    found = exact_extract(
        path, frame, STATISTICS, include_cols=["parcel"], strategy="raster-sequential", output="pandas"
    )
    seconds = time.process_time() - before
    ours = statistics_of(index_of(parcels), read(path), no_data=NO_DATA)
    mean = dict(zip(ours.parcel_id.tolist(), ours.mean.tolist(), strict=True))
    differences = [
        abs(value - mean.get(number, np.nan))
        for number, value in zip(found["parcel"].astype(int), found["mean"], strict=True)
    ]
    return seconds * len(parcels) / share, share, float(np.nanpercentile(differences, 95)) / 1000


def rasterstats_seconds(parcels: LocatedParcels, path: Path, count: int) -> float:
    """Seconds for all parcels."""
    share = min(count, len(parcels))
    before = time.process_time()
    zonal_stats(list(parcels.geometry[:share]), str(path), stats=["count", "mean", "std", "min", "max"], nodata=NO_DATA)
    return (time.process_time() - before) * len(parcels) / share


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
