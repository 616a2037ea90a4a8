"""Verdicts on rasters: case 9.11 and the six codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.raster_verdicts import RasterCode, TileVerdict, band_code, layer_codes, product_verdict
from s4c_lib.products.band_statistics import BandStatistics
from s4c_lib.products.cog import CogBand, CogProfile, write_cog
from s4c_lib.readers.scene import Band, Layer

GRID = PixelGrid(32631, 600_000, 5_700_000, 10, 60, 50)
BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def stack(path: Path, bands: int = 10, flat: int | None = None, no_data: float | None = -10000) -> Path:
    """Bands of noise; band ``flat`` has a standard deviation of 0.05 DN."""
    rng = np.random.default_rng(3)
    values = rng.normal(1500, 200, (bands, *GRID.shape)).astype(np.float32)
    if flat is not None:
        values[flat] = 700 + 0.05 * np.where(np.arange(values[flat].size) % 2, 1, -1).reshape(GRID.shape)
    profile = CogProfile("float32", tuple(CogBand(name) for name in BANDS[:bands]), no_data, "average")
    write_cog(path, values, GRID, profile)
    return path


def verdict(tile: str, path: Path, bands: Sequence[str] = BANDS) -> TileVerdict:
    layers = {name: Layer(str(path), GRID, number) for number, name in enumerate(bands, 1)}
    return TileVerdict(
        tile, layer_codes({name: Band(name, layer, 0.0001, 0.0, -10000) for name, layer in layers.items()})
    )


def test_case_9_11_a_constant_band_spoils_its_tile_only(tmp_path: Path) -> None:
    flat = verdict("31UFS", stack(tmp_path / "flat.tif", flat=3))
    good = verdict("31UFT", stack(tmp_path / "good.tif"))
    assert flat.bad_bands == ("B5",)
    assert flat.codes["B5"] is RasterCode.LOW_VARIANCE == -3
    both = product_verdict([flat, good])
    assert (both.kept, both.notv) == (("31UFT",), False)
    assert both.dropped[0].text == "31UFS: B5 low_variance"
    assert product_verdict([flat]).notv


def test_case_9_11_codes_of_missing_data(tmp_path: Path) -> None:
    empty = np.full((1, *GRID.shape), -10000, np.int16)
    for name, no_data in (("empty", -10000), ("unmarked", None)):
        write_cog(tmp_path / f"{name}.tif", empty, GRID, CogProfile("int16", (CogBand("B2"),), no_data, "average"))
        assert verdict("t", tmp_path / f"{name}.tif", ["B2"]).codes == {"B2": -2}


def test_unreadable_files_and_statistics(tmp_path: Path) -> None:
    path = stack(tmp_path / "cut.tif")
    path.write_bytes(path.read_bytes()[:4000])
    for damaged in (tmp_path / "none.tif", path, stack(tmp_path / "four.tif", bands=4)):
        with pytest.raises(ProductCorruptError, match=damaged.name):
            verdict("t", damaged)
    assert band_code(BandStatistics(0, math.inf, math.inf, math.nan, 50, 10)) is RasterCode.NO_STATISTICS


@pytest.mark.parametrize(
    ("stddev", "valid", "least", "code"),
    [(0.1, 50.0, 0.1, -3), (0.11, 50.0, 0.1, 0), (0.0, 0.99, 0.1, 0), (0.0, 1.0, 0.1, -3), (0.11, 50.0, 0.2, -3)],
)
def test_low_variance_is_asked_from_one_percent_on(stddev: float, valid: float, least: float, code: int) -> None:
    statistics = BandStatistics(5, 6, 5.5, stddev, valid, 100)
    assert band_code(statistics, -10000, min_stddev=least) == code


@pytest.mark.parametrize(("mean", "code"), [(-10000.0, -2), (-9999.9995, -2), (-9999.99, 0)])
def test_a_mean_at_no_data_is_no_data(mean: float, code: int) -> None:
    assert band_code(BandStatistics(mean, mean, mean, 3.0, 100, 100), -10000) == code


def test_fine_tiles_say_nothing() -> None:
    assert TileVerdict("t", {"B2": RasterCode.FINE}).text == ""
