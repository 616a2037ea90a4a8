"""Small grids, parcels and files that the tests of statistics share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parcels.inner_buffer import LocatedParcels
from s4c_lib.parcels.pixel_index import PixelIndex, build_pixel_index
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, StoredFile, write_statistics

SMALL = PixelGrid(32631, 0, 60, 10, 6, 6)
MAY = datetime(2021, 5, 2, 10, 46, 12, tzinfo=UTC)
NDVI = Source(
    variable="ndvi",
    family="l3b",
    unit="1",
    time=MAY,
    previous_time=None,
    platform="sentinel-2a",
    tile="31UFS",
    orbit=None,
    direction=None,
    product_id=17,
    item_id="S4C_L3B_S2A_20210502T104612_T31UFS_0123abcd",
    parcel_set_id=3,
    buffer_m=5.0,
    resolution=10.0,
    config_hash="c0ffee",
)
VV = replace(NDVI, variable="vv", family="s1amp", unit="dB", platform="sentinel-1a", orbit=88, direction="ascending")


def indexed(shapes: list[shapely.Geometry], grid: PixelGrid = SMALL, numbers: list[int] | None = None) -> PixelIndex:
    geometry = np.empty(len(shapes), object)
    geometry[:] = shapes
    parcel_id = np.array(numbers or range(1, len(shapes) + 1), np.int32)
    return build_pixel_index(LocatedParcels(grid.epsg, parcel_id, geometry), grid, buffer_m=0, parcel_set_id=1)


def row_of(count: int) -> PixelIndex:
    """One parcel of ``count`` pixels in a grid of one row."""
    return indexed([shapely.box(0, 0, 10 * count, 10)], PixelGrid(32631, 0, 10, 10, 1, count))


def statistics(
    parcels: list[int], means: list[float], n: list[int] | None = None, n_total: list[int] | None = None, **more: Any
) -> ParcelStatistics:
    mean = np.array(means, np.float32)
    counts = np.array(n or [10] * len(parcels), np.int32)
    totals = counts if n_total is None else np.array(n_total, np.int32)
    none = np.zeros_like(counts)
    return ParcelStatistics(
        np.array(parcels, np.int64), counts, none, totals, mean, mean * np.float32(0.1), mean - 1, mean + 1, **more
    )


def stored(root: Path, found: ParcelStatistics, source: Source = NDVI, **facts: Any) -> StoredFile:
    return write_statistics(root, "demo", "2021", replace(source, **facts), found)


def by_reduceat(
    index: PixelIndex, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[np.float64]]:
    """The same statistics by numpy alone, on pixels listed one by one; ``valid`` as the raster."""
    offsets, pixels = index.flat()
    starts = offsets[:-1]
    there = valid.reshape(-1)[pixels]
    numbers = np.where(there, values.reshape(-1)[pixels].astype(np.float64), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.add.reduceat(there.astype(np.int64), starts)
        mean = np.add.reduceat(numbers, starts) / n
        off = np.where(there, numbers - np.repeat(mean, np.diff(offsets)), 0)
        std = np.sqrt(np.add.reduceat(off * off, starts) / (n - 1))
    least = np.minimum.reduceat(np.where(there, numbers, np.inf), starts)
    most = np.maximum.reduceat(np.where(there, numbers, -np.inf), starts)
    some = n > 0
    return {
        "n": n,
        "mean": np.where(some, mean, np.nan),
        "std": np.where(n > 1, std, np.nan),
        "least": np.where(some, least, np.nan),
        "most": np.where(some, most, np.nan),
    }
