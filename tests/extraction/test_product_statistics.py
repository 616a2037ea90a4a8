"""Statistics of the rasters of products against numpy, which finds the pixels of a parcel one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.extraction.by_hand import extract, write_table
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes
from s4c_lib.extraction.product_statistics import band_statistics, l3b_statistics
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parameters import Snapshot
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.readers.angles import constant_angle_grid
from s4c_lib.readers.flags import MaskRules
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.scene import Band, Layer, Mask, MaskKind, MeanGeometry, OpticalScene
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.source import source_of
from s4c_lib.statistics.wanted import StatisticsOptions, WantedVariable, wanted_variables

FINE = PixelGrid(32631, 600_000, 5_700_000, 10, 60, 84)
NUMBERS = np.array([4, 9])
SHAPES = np.array(
    [
        shapely.Point(600_300, 5_699_700).buffer(160),
        shapely.Polygon([(600_500, 5_699_900), (600_790, 5_699_850), (600_700, 5_699_420), (600_480, 5_699_500)]),
    ],
    object,
)
EXTENT = ParcelOutlines(NUMBERS, SHAPES, CRS.from_epsg(32631))
VALUES = CogProfile("int16", (CogBand("ndvi", 0.001),), -10_000, "average")
FLAGS = CogProfile("uint8", (CogBand("flags"),), 255, "nearest")


def indexes() -> PixelIndexes:
    return PixelIndexes(0, lambda: EXTENT)


def parameters(given: Mapping[str, Any] | None = None) -> Snapshot:
    return resolve(Layers(season=dict(given or {})), phase="current")


def by_numpy(
    values: npt.NDArray[Any], valid: npt.NDArray[np.bool_], grid: PixelGrid, buffer_m: float
) -> dict[str, list[float]]:
    """Statistics of the pixels whose centre lies in a shrunk parcel."""
    row, column = np.mgrid[0 : grid.rows, 0 : grid.columns]
    x, y = grid.west + (column + 0.5) * grid.pixel, grid.north - (row + 0.5) * grid.pixel
    inside = [shapely.contains_xy(shape.buffer(-buffer_m, quad_segs=8), x, y) for shape in SHAPES]
    some = [values[pixels & valid].astype(np.float64) for pixels in inside]
    return {
        "n": [len(one) for one in some],
        "n_total": [int(pixels.sum()) for pixels in inside],
        "mean": [one.mean() for one in some],
        "std": [one.std(ddof=1) for one in some],
    }


def assert_same(found: ParcelStatistics, expected: dict[str, list[float]]) -> None:
    assert found.parcel_id.tolist() == NUMBERS.tolist()
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-5)


def l3b(folder: Path, grid: PixelGrid) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], dict[str, Path]]:
    rng = np.random.default_rng(7)
    values = rng.integers(-200, 950, grid.shape, dtype=np.int16)
    values[rng.random(grid.shape) < 0.1] = -10_000
    flags = rng.choice(np.array([0, 1, 4, 255], np.uint8), grid.shape, p=[0.7, 0.1, 0.1, 0.1])
    paths = {"ndvi": folder / "ndvi.tif", "flags": folder / "flags.tif"}
    write_cog(paths["ndvi"], values, grid, VALUES)
    write_cog(paths["flags"], flags, grid, FLAGS)
    return values, flags, paths


@pytest.mark.parametrize(("pixel", "buffer_m"), [(10, 5), (20, 10), (30, 15)])
def test_l3b_is_counted_with_the_buffer_of_its_own_grid(pixel: int, buffer_m: float, tmp_path: Path) -> None:
    """Decision B10; the parameters say 10 m, the product may have been made with others."""
    grid = FINE.resized(pixel)
    values, flags, paths = l3b(tmp_path, grid)
    given = parameters().values
    wanted = wanted_variables(given, (), "l3b", "sentinel-2a")[:1]
    options = StatisticsOptions.of(given)
    (found,) = l3b_statistics(paths, paths["flags"], "31UFS", wanted, indexes(), options)
    assert (found.wanted.pixel, found.wanted.buffer_m, found.grid) == (pixel, buffer_m, grid)
    expected = by_numpy(values * 0.001, (flags == 0) & (values != -10_000), grid, buffer_m)
    assert_same(found.statistics, expected)


def test_rasters_of_other_size_and_variables_without_raster_are_refused(tmp_path: Path) -> None:
    _, _, paths = l3b(tmp_path, FINE)
    options = StatisticsOptions.of(parameters().values)
    with pytest.raises(InputError, match="no raster of lai"):
        list(
            l3b_statistics(paths, paths["flags"], "31UFS", [WantedVariable("lai", "l3b", 10, 5.0)], indexes(), options)
        )
    write_cog(paths["flags"], np.zeros(FINE.resized(20).shape, np.uint8), FINE.resized(20), FLAGS)
    with pytest.raises(ProductCorruptError, match="differ in size"):
        list(
            l3b_statistics(paths, paths["flags"], "31UFS", [WantedVariable("ndvi", "l3b", 10, 5.0)], indexes(), options)
        )


def test_bands_are_reflectance_of_land_and_formulas_are_per_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    coarse = FINE.resized(20)
    numbers, bands = {}, {}
    for name, grid in {"b08": FINE, "b11": coarse, "b05": coarse}.items():
        stored = rng.integers(1100, 5000, grid.shape).astype(np.uint16)
        stored[rng.random(grid.shape) < 0.05] = 0
        path = tmp_path / f"{name}.tif"
        write_cog(path, stored, grid, CogProfile("uint16", (CogBand(name, 1e-4, -0.1),), 0, "average"))
        numbers[name], bands[name] = stored, Band(name, Layer(str(path), grid), 1e-4, -0.1, 0)
    classes = rng.choice(np.array([4, 5, 6, 9], np.uint8), coarse.shape, p=[0.4, 0.4, 0.1, 0.1])
    write_cog(tmp_path / "scl.tif", classes, coarse, FLAGS)
    scene = OpticalScene(
        "S2A_MSIL2A_20210505T105031_N0500_R051_T31UFS_20210505T135242", ProductKind.S2_L2A, "sentinel-2a", "31UFS",
        datetime(2021, 5, 5, 10, 50, 31, tzinfo=UTC), 51, "descending", 500, FINE, bands,
        Mask(MaskKind.SCL, {"scl": Layer(str(tmp_path / "scl.tif"), coarse)}),
        constant_angle_grid(FINE, MeanGeometry(41.0, 160.0, 8.0, 286.0)),
    )  # fmt: skip
    wanted = [
        WantedVariable(name, "l2a", pixel, pixel / 2)
        for name, pixel in (("b08", 10), ("b11", 10), ("ndwi", 10), ("b05", 20))
    ]
    options = StatisticsOptions.of(parameters().values)
    found = {
        one.wanted.variable: one.statistics for one in band_statistics(scene, MaskRules(), wanted, indexes(), options)
    }
    land = np.isin(classes, [4, 5])
    fine_land = land.repeat(2, axis=0).repeat(2, axis=1)
    near, swir = numbers["b08"], numbers["b11"].repeat(2, axis=0).repeat(2, axis=1)
    # on the finer grid by cubic convolution (tests/readers/test_cubic_bands.py), not replicated
    with open_pixels(scene, 10) as pixels:
        smooth = pixels.rows(["b11"], 0, FINE.rows, smooth=True)[0]
    infrared, short = near / 1e4 - 0.1, smooth / 1e4
    assert np.abs(short - (swir / 1e4 - 0.1))[swir > 0].max() > 0.01
    assert_same(found["b08"], by_numpy(infrared, fine_land & (near > 0), FINE, 5))
    assert_same(found["b11"], by_numpy(short, fine_land & (swir > 0), FINE, 5))
    assert_same(found["b05"], by_numpy(numbers["b05"] / 1e4 - 0.1, land & (numbers["b05"] > 0), coarse, 10))
    # noise this wild overshoots below zero here and there
    ratio = np.clip((infrared - short) / (infrared + short), -1, 1)
    assert_same(found["ndwi"], by_numpy(ratio, fine_land & (near > 0) & (swir > 0), FINE, 5))


@pytest.mark.parametrize(("pixel", "buffer_m"), [(20, 10.0), (10, 5.0)])
def test_radar_by_hand_is_decibels_and_the_file_says_how_it_was_counted(
    pixel: int, buffer_m: float, tmp_path: Path
) -> None:
    grid = FINE.resized(pixel)
    power = np.random.default_rng(5).uniform(0.01, 0.3, grid.shape).astype(np.float32)
    power[::7] = 0
    path = tmp_path / "S1A_L2_BCK_20210703T055058_VV_037_31UFS.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=grid.rows, width=grid.columns, count=1, dtype="float32", crs="EPSG:32631",
        transform=rasterio.Affine(pixel, 0, grid.west, 0, -pixel, grid.north), nodata=0,
    ) as raster:  # fmt: skip
        raster.write(power, 1)
        raster.update_tags(QUANTITY="sigma0", ORBIT_DIRECTION="DESCENDING")
    ((variable, stored),) = extract(path, indexes(), tmp_path / "out", parameters())
    source = source_of(pq.ParquetFile(stored.path).metadata.metadata)
    assert source is not None
    assert (variable, source.unit, source.resolution, source.buffer_m) == ("vv", "dB", pixel, buffer_m)
    assert (source.orbit, source.direction, source.previous_time) == (37, "descending", None)
    assert source.time == datetime(2021, 7, 3, 5, 50, 58, tzinfo=UTC)
    rows = pq.read_table(stored.path, partitioning=None)
    expected = by_numpy(10 * np.log10(np.where(power > 0, power, 1)), power > 0, grid, buffer_m)
    for name, values in expected.items():
        np.testing.assert_allclose(rows.column(name), values, rtol=1e-5)
    with pytest.raises(InputError, match="vv of S1A_L2_BCK_20210703T055058_VV_037_31UFS is not wanted"):
        list(extract(path, indexes(), tmp_path / "none", parameters({"processor.s4c_mdb1.amp_enabled": False})))


@pytest.mark.parametrize(
    ("platform", "code", "tile", "pixel"),
    [("sentinel-2b", "MGRS-31UFS", "31UFS", 10), ("landsat-9", "WRS2-198024", "198024", 30)],
)
def test_l3b_by_hand_has_the_facts_of_its_item(platform: str, code: str, tile: str, pixel: int, tmp_path: Path) -> None:
    place = tmp_path / "S4C_L3B_X_20210505T105031_T_00000000"
    place.mkdir()
    grid = FINE.resized(pixel)
    values, flags, paths = l3b(place, grid)
    item = {
        "properties": {"datetime": "2021-05-05T10:50:31Z", "platform": platform, "grid:code": code},
        "assets": {name: {"href": path.name} for name, path in paths.items()},
    }
    (place / f"{place.name}.json").write_text(json.dumps(item), encoding="utf-8")
    given = parameters({"processor.s4c_mdb1.median_enabled": True})
    ((variable, stored),) = extract(place, indexes(), tmp_path / "out", given)
    source = source_of(pq.ParquetFile(stored.path).metadata.metadata)
    assert source is not None
    assert (variable, source.platform, source.tile, source.unit) == ("ndvi", platform, tile, "1")
    assert (source.time, source.resolution) == (datetime(2021, 5, 5, 10, 50, 31, tzinfo=UTC), pixel)
    whole = tmp_path / "observations.parquet"
    write_table([stored.path], whole)
    rows = pq.read_table(whole)
    expected = by_numpy(values * 0.001, (flags == 0) & (values != -10_000), grid, pixel / 2)
    np.testing.assert_allclose(rows.column("mean"), expected["mean"], rtol=1e-5)
    assert rows.column_names[-1] == "p50"
    assert rows.column("p50").null_count == 0
