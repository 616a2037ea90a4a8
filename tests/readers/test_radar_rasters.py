"""Ready-made Sentinel-1 level 2: names of both versions, quantities and their fallbacks (decision B3)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.readers.radar_raster import read_radar_raster
from s4c_lib.synthetic.products.raster_files import Array, geotiff
from s4c_lib.synthetic.radar.level2 import geotiff as level2

GRID = PixelGrid(32631, 600000, 5600040, 20, 8, 12)
VALUES = np.linspace(0, 1, GRID.rows * GRID.columns, dtype=np.float32).reshape(GRID.shape)
BACKSCATTER = "S1A_L2_BCK_20200114T070238_VH_096_31UFS.tif"
COHERENCE = "S1A_L2_COH_20200114T070238_20200108T070156_VV_096_28RBR.tif"
V1_AMPLITUDE = "SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VH_146_AMP.tif"
V1_COHERENCE = "SEN4CAP_L2A_S7_V20200404T165041_20200329T165122_VV_022_S1_L2A_COHE.tif"


def raster(folder: Path, name: str, values: Array = VALUES, **tags: str) -> Path:
    path = folder / name
    path.write_bytes(geotiff(values, GRID, nodata=0, tags=tags))
    return path


def test_version_2_backscatter(tmp_path: Path) -> None:
    path = tmp_path / BACKSCATTER
    tags = {"QUANTITY": "sigma0", "ORBIT_DIRECTION": "DESCENDING", "PLATFORM": "S1A", "POL": "VH"}
    path.write_bytes(level2(VALUES, GRID, tags))
    found = read_radar_raster(path)
    assert (found.name, found.variable, found.quantity) == (BACKSCATTER.removesuffix(".tif"), "vh", "sigma0")
    assert (found.scale, found.no_data, found.grid) == (1, 0, GRID)
    assert (found.platform, found.orbit, found.direction, found.tile) == ("sentinel-1a", 96, "descending", "31UFS")
    assert found.time == datetime(2020, 1, 14, 7, 2, 38, tzinfo=UTC)
    assert found.previous_time is None
    assert found.warnings == ()
    pixels = found.read()
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, VALUES)


def test_coherence_of_both_versions(tmp_path: Path) -> None:
    new = read_radar_raster(raster(tmp_path, COHERENCE))
    assert (new.variable, new.quantity, new.tile, new.warnings) == ("coherence_vv", "coherence", "28RBR", ())
    assert new.time == datetime(2020, 1, 14, 7, 2, 38, tzinfo=UTC)
    assert new.previous_time == datetime(2020, 1, 8, 7, 1, 56, tzinfo=UTC)
    old = read_radar_raster(raster(tmp_path, V1_COHERENCE))
    assert (old.variable, old.quantity, old.orbit, old.tile) == ("coherence_vv", "coherence", 22, None)
    assert old.previous_time == datetime(2020, 3, 29, 16, 51, 22, tzinfo=UTC)


def test_without_a_tag_the_version_decides(tmp_path: Path) -> None:
    old = read_radar_raster(raster(tmp_path, V1_AMPLITUDE))
    assert (old.quantity, old.variable, old.warnings, old.platform) == ("amplitude", "vh", (), "sentinel-1")
    assert old.time == datetime(2020, 4, 4, 16, 50, 41, tzinfo=UTC)
    # One acquisition, although its name has two.
    assert old.previous_time is None
    new = read_radar_raster(raster(tmp_path, BACKSCATTER))
    assert new.quantity == "sigma0"
    (warning,) = new.warnings
    assert BACKSCATTER in warning
    assert new.direction is None


@pytest.mark.parametrize("quantity", ["sigma0", "gamma0", "amplitude"])
def test_the_tag_decides(tmp_path: Path, quantity: str) -> None:
    for name in (BACKSCATTER, V1_AMPLITUDE):
        found = read_radar_raster(raster(tmp_path, name, QUANTITY=quantity.upper(), PLATFORM="S1A"))
        assert (found.quantity, found.warnings, found.platform) == (quantity, (), "sentinel-1a")


def test_integers_are_ten_thousandths(tmp_path: Path) -> None:
    numbers = np.rint(VALUES * 10000).astype(np.uint16)
    found = read_radar_raster(raster(tmp_path, COHERENCE, numbers, QUANTITY="coherence"))
    assert found.scale == 1e-4
    assert found.read().dtype == np.uint16


def test_a_folder_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / V1_AMPLITUDE.removesuffix(".tif")
    folder.mkdir()
    raster(folder, V1_AMPLITUDE)
    assert read_radar_raster(folder).quantity == "amplitude"
    (folder / V1_AMPLITUDE).unlink()
    (folder / "quicklook.png").write_bytes(b"1")
    with pytest.raises(ProductCorruptError, match="0 rasters"):
        read_radar_raster(folder)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not named"):
        read_radar_raster(raster(tmp_path, "image.tif"))
    with pytest.raises(InputError, match="HH"):
        read_radar_raster(raster(tmp_path, BACKSCATTER.replace("VH", "HH")))
    for name, tags in (
        (BACKSCATTER, {"QUANTITY": "decibel"}),
        (BACKSCATTER, {"QUANTITY": "coherence"}),
        (COHERENCE, {"QUANTITY": "sigma0"}),
        (BACKSCATTER, {"PLATFORM": "S1B"}),
    ):
        with pytest.raises(ProductCorruptError, match=name):
            read_radar_raster(raster(tmp_path, name, **tags))
    with pytest.raises(ProductCorruptError, match="float64"):
        read_radar_raster(raster(tmp_path, BACKSCATTER, VALUES.astype(np.float64)))


def test_a_cut_off_file(tmp_path: Path) -> None:
    path = raster(tmp_path, BACKSCATTER, QUANTITY="sigma0")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ProductCorruptError, match=BACKSCATTER):
        read_radar_raster(path).read()
