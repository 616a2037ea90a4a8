"""A user's own Sentinel-1 rasters, in whatever unit, come to the same parcel means by hand (decisions B3, B4)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from own_radar_rasters import (
    BACKSCATTER,
    COHERENCE,
    GRID,
    NAME,
    PAIR_NAME,
    coherences,
    decibels,
    own_raster,
    power,
    without,
)
from pyproj import CRS

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.extraction.by_hand import extract
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.readers.radar_raster import read_radar_raster
from s4c_lib.synthetic.products.raster_files import Array, geotiff

# Rows 5 to 14 and columns 5 to 24 by their centres, less 10 m around.
OUTLINE = shapely.box(GRID.west + 91, GRID.north - 309, GRID.west + 509, GRID.north - 91)
INSIDE = np.s_[5:15, 5:25]
POWER = power()


def rows(place: Path, out: Path) -> list[dict[str, Any]]:
    outline = ParcelOutlines(np.array([7]), np.array([OUTLINE], object), CRS.from_epsg(GRID.epsg))
    indexes = PixelIndexes(0, lambda: outline)
    parameters = resolve(Layers(), phase="current")
    files = [stored.path for _, stored in extract(place, indexes, out, parameters)]
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]


@pytest.mark.parametrize(
    ("values", "facts", "more"),
    [
        (POWER, {}, {}),
        (decibels(POWER), {"scale": "db", "no_data": 0}, {}),
        (decibels(POWER), {"scale": "dB"}, {"nodata": np.nan}),
        ((decibels(POWER) / 2), {"scale": "db", "factor": 2, "no_data": 0}, {}),
        (decibels(POWER) + 100, {"scale": "db", "offset": -100, "no_data": 0}, {}),
        (np.rint(decibels(POWER) * 1000).astype(np.int32), {"scale": "db", "factor": 0.001, "no_data": -99999}, {}),
        (np.sqrt(POWER), {"quantity": "amplitude"}, {}),
        (POWER.astype(np.float64) * 1e5, {"quantity": "gamma0", "factor": 1e-5}, {}),
    ],
)
def test_the_same_means_from_every_unit(tmp_path: Path, values: Array, facts: dict[str, Any], more: Any) -> None:
    place = own_raster(tmp_path / "any name.tif", values, BACKSCATTER | facts, **more)
    (row,) = rows(place, tmp_path / "out")
    expected = 10 * np.log10(POWER[INSIDE].astype(np.float64))
    assert row["mean"] == pytest.approx(expected.mean(), abs=2e-4)
    assert row["std"] == pytest.approx(expected.std(ddof=1), abs=2e-4)
    assert (row["variable"], row["n"], row["n_total"]) == ("vv", 200, 200)
    assert (row["platform"], row["orbit"], row["direction"], row["tile"]) == ("sentinel-1a", 37, "descending", "31UFS")


def test_pixels_without_data_do_not_count(tmp_path: Path) -> None:
    values = decibels(POWER)
    values[5, 5:10] = -9999
    values[6, 5:8] = np.nan
    values[7, 5] = -np.inf
    place = own_raster(tmp_path / "vv.tif", values, BACKSCATTER | {"scale": "db", "no_data": -9999})
    (row,) = rows(place, tmp_path / "out")
    assert (row["n"], row["n_total"]) == (200 - 9, 200)
    left = values[INSIDE][np.isfinite(values[INSIDE]) & (values[INSIDE] != -9999)]
    assert row["mean"] == pytest.approx(left.mean(dtype=np.float64), abs=2e-4)
    # 0 dB is a value where 0 is not the number that means none.
    values[8, 5] = 0
    place = own_raster(tmp_path / "vv.tif", values, BACKSCATTER | {"scale": "db", "no_data": -9999})
    (row,) = rows(place, tmp_path / "again")
    inside = values[INSIDE]
    left = inside[np.isfinite(inside) & (inside != -9999)]
    assert row["n"] == 200 - 9
    assert row["mean"] == pytest.approx(left.mean(dtype=np.float64), abs=2e-4)


def test_coherence_of_a_pair_in_bytes(tmp_path: Path) -> None:
    values = coherences()
    place = own_raster(tmp_path / "c.tif", np.rint(values * 250).astype(np.uint8), COHERENCE | {"factor": 0.004})
    (row,) = rows(place, tmp_path / "out")
    assert row["variable"] == "coherence_vv"
    assert row["mean"] == pytest.approx(values[INSIDE].mean(), abs=5e-4)
    assert row["previous_time"].date().isoformat() == "2021-04-26"
    assert read_radar_raster(place).name == PAIR_NAME


def test_a_raster_in_a_folder_of_its_products_name(tmp_path: Path) -> None:
    loose = own_raster(tmp_path / "loose" / "vv.tif", decibels(POWER), BACKSCATTER | {"scale": "db", "no_data": 0})
    folder = tmp_path / NAME
    shutil.copytree(loose.parent, folder)
    assert rows(folder, tmp_path / "one") == rows(loose, tmp_path / "two")


def test_without_a_tile_the_orbit_stands_for_it(tmp_path: Path) -> None:
    place = own_raster(tmp_path / "vv.tif", POWER, without(BACKSCATTER, "tile"))
    (row,) = rows(place, tmp_path / "out")
    assert (row["tile"], row["orbit"]) == ("r037", 37)


def test_what_is_not_what_it_says_is_refused_by_hand_too(tmp_path: Path) -> None:
    place = own_raster(tmp_path / "vv.tif", decibels(POWER))
    with pytest.raises(ProductCorruptError, match="look like dB"):
        rows(place, tmp_path / "out")
    named = tmp_path / "S1A_L2_BCK_20210502T055000_VV_037_31UFS.tif"
    named.write_bytes(geotiff(decibels(POWER), GRID, nodata=0))
    with pytest.raises(ProductCorruptError, match="look like dB") as caught:
        rows(named, tmp_path / "out")
    assert "needs a sidecar" in caught.value.hint
    place.with_name("vv.s1.json").unlink()
    with pytest.raises(InputError):
        rows(place, tmp_path / "out")
    with pytest.raises(InputError, match="not named") as refused:
        read_radar_raster(place)
    assert "sidecar NAME.s1.json" in refused.value.hint
