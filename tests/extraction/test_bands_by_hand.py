"""What L4A needs of an L2A product, by hand from a SAFE (decision B14)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from s4c_lib.errors import InputError
from s4c_lib.extraction.by_hand import extract
from s4c_lib.extraction.pixel_indexes import ParcelOutlines, PixelIndexes
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_safe import l2a_files

TILE = tile("31UFS")
GRID = PixelGrid(TILE.epsg, 652_320, 5_697_660, 10, 60, 60)
FLIGHT = OpticalPass(datetime(2022, 6, 3, 10, 50, 31, tzinfo=UTC), "S2B", 51, 31071, 30.2, 152.3, 8.9, 287.0)
GREEN, RED, NEAR, SHORT = 0.06, 0.05, 0.34, 0.2


def test_bands_and_what_l4a_makes_of_them(tmp_path: Path) -> None:
    nothing = np.zeros(GRID.shape, np.bool_)
    coarse = GRID.resized(20).shape
    spectrum = dict.fromkeys(BAND_METRES, 0.1) | {"B03": GREEN, "B04": RED, "B08": NEAR, "B11": SHORT}
    bands = {
        name: np.full(GRID.resized(metres).shape, spectrum[name], np.float32) for name, metres in BAND_METRES.items()
    }
    ground = OpticalScene(
        GRID, bands, np.full(coarse, 4, np.uint8), np.zeros(coarse, np.uint8), nothing, nothing, 0.1, 2.0
    )
    source = write_product(tmp_path, *l2a_files(ground, FLIGHT, TILE, 500))
    outline = np.array([shapely.box(GRID.west + 103, GRID.north - 397, GRID.west + 397, GRID.north - 103)], object)
    indexes = PixelIndexes(0, lambda: ParcelOutlines(np.array([7]), outline, CRS.from_epsg(TILE.epsg)))
    parameters = resolve(Layers(), phase="current")
    found = {}
    for variable, stored in extract(source, indexes, tmp_path / "out", parameters, processors=("s4c_l4a",)):
        (row,) = pq.read_table(stored.path, partitioning=None).to_pylist()
        found[variable] = (row["mean"], row["n_total"])
    expected = {
        "b03": GREEN, "b04": RED, "b08": NEAR, "b11": SHORT,
        "ndwi": (NEAR - SHORT) / (NEAR + SHORT),
        "brightness_l4a": np.sqrt(GREEN**2 + RED**2 + NEAR**2 + SHORT**2),
        "b05": 0.1, "b06": 0.1, "b07": 0.1, "b12": 0.1,
    }  # fmt: skip
    assert {name: mean for name, (mean, _) in found.items()} == pytest.approx(expected, abs=1e-4)
    # Less 5 m the parcel reaches from 108 to 392 m, less 10 m from 113 to 387: centres 115 to 385 and 130 to 370.
    assert {found[name][1] for name in ("b03", "b04", "b08", "b11", "ndwi", "brightness_l4a")} == {28 * 28}
    assert {found[name][1] for name in ("b05", "b06", "b07", "b12")} == {13 * 13}
    with pytest.raises(InputError, match="No band of"):
        list(extract(source, indexes, tmp_path / "none", parameters))
