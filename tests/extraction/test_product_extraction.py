"""From rasters and parcels to statistics: the worked case of the specification on files, and faults of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes, file_name
from s4c_lib.extraction.product_statistics import VariableStatistics, l3b_statistics
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.parameters import Layers, resolve
from s4c_lib.statistics.wanted import StatisticsOptions, WantedVariable

GRID = PixelGrid(32631, 650_000, 5_700_060, 10, 6, 6)
# Acceptance case A8.
VALUES = np.array(
    [
        [600, 610, 620, -10000, 640, 650],
        [700, 710, 0, 730, 740, 750],
        [500, 510, 520, 530, 540, 550],
        [400, 410, 420, 430, 440, 450],
        [300, 310, 320, 330, 340, 350],
        [200, 210, 220, 230, 240, 250],
    ],
    np.int16,
)
FLAGS = np.zeros((6, 6), np.uint8)
FLAGS[1, 1], FLAGS[2, 3] = 4, 1
CORNERS = [(12, 57), (49, 52), (44, 14), (14, 21)]
PARCEL = shapely.Polygon([(650_000 + x, 5_700_000 + y) for x, y in CORNERS])
NDVI = WantedVariable("ndvi", "l3b", 10, 0.0)


def options(profile: str) -> StatisticsOptions:
    """Options of a profile with everything counted, and no buffer as in the worked case."""
    keys = ("minmax_enabled", "median_enabled", "p25_enabled", "p75_enabled")
    given = {f"processor.s4c_mdb1.{key}": True for key in keys} | {
        "profile": profile,
        "processor.s4c_mdb1.buffer_10m": 0,
        "processor.s4c_mdb1.buffer_20m": 0,
    }
    return StatisticsOptions.of(resolve(Layers(season=given), phase="current").values)


DEFAULT, REFERENCE = options("default"), options("reference")


def write(path: Path, values: np.ndarray, no_data: float | None, scale: float = 1.0, pixel: int = 10) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype,
        crs="EPSG:32631",
        transform=rasterio.Affine(pixel, 0, GRID.west, 0, -pixel, GRID.north),
        nodata=no_data,
    ) as raster:
        raster.write(values, 1)
        raster.scales = [scale]
    return path


@pytest.fixture
def product(tmp_path: Path) -> tuple[dict[str, Path], Path]:
    folder = tmp_path / "product"
    folder.mkdir()
    return {"ndvi": write(folder / "NDVI.tif", VALUES, -10000, 0.001)}, write(folder / "FLAGS.tif", FLAGS, 255)


def outlines(*shapes: shapely.Polygon) -> ParcelOutlines:
    return ParcelOutlines(np.arange(1, len(shapes) + 1), np.array(shapes, object), CRS.from_epsg(32631))


def extracted(
    product: tuple[dict[str, Path], Path], options: StatisticsOptions, *shapes: shapely.Polygon
) -> VariableStatistics:
    indexes = PixelIndexes(0, lambda: outlines(*shapes))
    (found,) = l3b_statistics(product[0], product[1], "31UFS", [NDVI], indexes, options)
    return found


def test_a8_on_files(product: tuple[dict[str, Path], Path]) -> None:
    found = extracted(product, DEFAULT, PARCEL).statistics
    assert (found.n.tolist(), found.n_total.tolist()) == ([12], [14])
    assert found.mean[0] == pytest.approx(0.4975)
    assert found.std[0] == pytest.approx(0.193537640)
    assert (found.least[0], found.most[0]) == (0, pytest.approx(0.740))
    quartiles = [getattr(found, name)[0] for name in ("p25", "p50", "p75")]
    assert quartiles == pytest.approx([0.4275, 0.515, 0.6125])


def test_a8_as_the_reference_counts(product: tuple[dict[str, Path], Path]) -> None:
    found = extracted(product, REFERENCE, PARCEL).statistics
    assert found.n.tolist() == [11]
    assert found.mean[0] == pytest.approx(0.542727273)
    assert found.std[0] == pytest.approx(0.119171382)


def test_a15_each_parcel_keeps_all_its_pixels(product: tuple[dict[str, Path], Path]) -> None:
    found = extracted(product, DEFAULT, PARCEL, PARCEL, shapely.box(650_000, 5_700_000, 650_060, 5_700_060)).statistics
    assert found.parcel_id.tolist() == [1, 2, 3]
    for name in ("n", "n_total", "mean", "std", "p50"):
        one, other, _ = getattr(found, name).tolist()
        assert one == other
    assert found.n_total[2] == 36


def test_a_parcel_elsewhere_has_no_row(product: tuple[dict[str, Path], Path]) -> None:
    away = shapely.box(700_000, 5_700_000, 700_060, 5_700_060)
    assert extracted(product, DEFAULT, away, PARCEL).statistics.parcel_id.tolist() == [2]
    assert len(extracted(product, DEFAULT, away).statistics) == 0


def test_rasters_that_do_not_belong_together_are_said(product: tuple[dict[str, Path], Path]) -> None:
    rasters, _ = product
    other = write(rasters["ndvi"].parent / "SMALL.tif", FLAGS[:4], 255)
    with pytest.raises(ProductCorruptError, match="differ in size"):
        extracted((rasters, other), DEFAULT, PARCEL)
    with pytest.raises(InputError, match="no raster of ndvi"):
        extracted(({}, product[1]), DEFAULT, PARCEL)
    rasters["ndvi"].write_bytes(rasters["ndvi"].read_bytes()[:200])
    with pytest.raises(ProductCorruptError, match=r"NDVI\.tif"):
        extracted(product, DEFAULT, PARCEL)


# --- indexes ---------------------------------------------------------------------------------------------------------


class Loaded:
    """Parcels, and how often they were asked for."""

    def __init__(self, *shapes: shapely.Polygon) -> None:
        self.parcels = outlines(*shapes)
        self.times = 0

    def __call__(self) -> ParcelOutlines:
        self.times += 1
        return self.parcels


def test_an_index_is_built_once_and_read_from_then_on(tmp_path: Path) -> None:
    first = Loaded(PARCEL)
    indexes = PixelIndexes(7, first, tmp_path)
    built = indexes.on(GRID, 0)
    assert indexes.on(GRID, 0) is built
    indexes.on(GRID, 5)
    assert first.times == 1, "the parcels are read once for all grids"
    assert {path.name for path in tmp_path.iterdir()} == {file_name(GRID, 0), file_name(GRID, 5)}
    second = Loaded(PARCEL)
    again = PixelIndexes(7, second, tmp_path).on(GRID, 0)
    assert second.times == 0
    assert (again.grid, again.pixels, again.parcel_id.tolist()) == (built.grid, 14, [1])


@pytest.mark.parametrize("what", ["another version", "damaged", "another buffer"])
def test_an_index_that_does_not_fit_is_built_anew(tmp_path: Path, what: str) -> None:
    PixelIndexes(7, Loaded(PARCEL), tmp_path).on(GRID, 0)
    file = tmp_path / file_name(GRID, 0)
    if what == "damaged":
        file.write_bytes(file.read_bytes()[:100])
    if what == "another buffer":
        PixelIndexes(7, Loaded(PARCEL), tmp_path).on(GRID, 5)
        (tmp_path / file_name(GRID, 5)).replace(file)
    loaded = Loaded(PARCEL, PARCEL)
    version = 8 if what == "another version" else 7
    index = PixelIndexes(version, loaded, tmp_path).on(GRID, 0)
    assert loaded.times == 1
    assert index.parcel_id.tolist() == [1, 2]
    assert index.parcel_set_id == version
    fresh = Loaded(PARCEL)
    assert PixelIndexes(version, fresh, tmp_path).on(GRID, 0).parcel_id.tolist() == [1, 2]
    assert fresh.times == 0, "and replaces the one that did not fit"


def test_only_the_last_few_indexes_stay_in_memory() -> None:
    loaded = Loaded(PARCEL)
    indexes = PixelIndexes(0, loaded)
    first = indexes.on(GRID, 0)
    for buffer_m in (1, 2, 3, 4, 5):
        indexes.on(GRID, buffer_m)
    again = indexes.on(GRID, 0)
    assert again is not first
    assert np.array_equal(again.parcel_id, first.parcel_id)
    assert loaded.times == 1
