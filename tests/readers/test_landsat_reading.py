"""Landsat Collection 2 level 2: reflectance, masks, and the grid of a Sentinel-2 tile (preprocessing.md 6)."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import optical_products as products
import pytest
import rasterio
from optical_products import LANDSAT_NAME, landsat_mtl

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import MaskKind

TILE = tile("31UFS")
# 15 m beside the tile's grid, as Landsat's always is; 300 columns and 2 rows into the tile.
GRID = PixelGrid(32631, TILE.ulx + 9000 - 15, TILE.uly - 60 + 15, 30, 40, 50)


def test_what_the_metadata_say(tmp_path: Path) -> None:
    scene = read_scene(products.landsat(tmp_path, GRID, {}))
    assert (scene.name, scene.platform, scene.tile) == (LANDSAT_NAME, "landsat-9", "197024")
    assert scene.sensing_time == datetime(2022, 6, 5, 10, 32, 11, 123456, tzinfo=UTC)
    assert scene.grid == GRID
    assert sorted(scene.bands) == ["b02", "b03", "b04", "b08", "b11", "b12", "b8a"]
    assert scene.bands["b08"].layer == scene.bands["b8a"].layer
    assert scene.bands["b11"].layer.path.endswith("_SR_B6.TIF")
    assert scene.mask.kind is MaskKind.LANDSAT
    assert (scene.angles.mean.sun_zenith, scene.angles.mean.view_zenith) == (29.75, 0)
    assert (scene.angles.cos_vza == 1).all()
    assert scene.quality == {"cloud_cover": 12.5}


def test_reflectance(tmp_path: Path) -> None:
    red = np.full(GRID.shape, 18639, np.uint16)
    red[0, :4] = [0, 1, 7273, 65535]
    scene = read_scene(products.landsat(tmp_path, GRID, {"SR_B4": red}))
    band = scene.bands["b04"]
    assert 18639 * band.scale + band.offset == pytest.approx(0.3125725, abs=1e-12)
    with open_pixels(scene) as pixels:
        rows = pixels.rows(["b04", "b08"], 0, 40)
    assert rows[0, 0, :5].tolist() == [-10000, -2000, 0, 16022, 3126]
    assert (rows[1] == 3126).all()


def test_flags(tmp_path: Path) -> None:
    qa = np.full(GRID.shape, 21824, np.uint16)
    qa[0, :6] = [21824, 21952, 22280, 23888, 30048, 1]
    saturated = np.zeros(GRID.shape, np.uint16)
    saturated[1, 1], saturated[1, 2] = 4, 1
    scene = read_scene(products.landsat(tmp_path, GRID, {"QA_PIXEL": qa, "QA_RADSAT": saturated}))
    with open_pixels(scene) as pixels:
        flags = pixels.flags()
    assert flags[0, :6].tolist() == [0, 1, 4, 2, 3, 255]
    assert flags[1, :3].tolist() == [0, 5, 0]
    with open_pixels(scene, 10) as pixels:
        np.testing.assert_array_equal(pixels.flags(), flags.repeat(3, axis=0).repeat(3, axis=1))
        assert pixels.rows(["b04"], 5, 8).shape == (1, 3, 150)


@pytest.mark.parametrize("spelling", ["xml", "json"])
def test_other_spellings_and_a_tar(tmp_path: Path, spelling: str) -> None:
    folder = products.landsat(tmp_path, GRID, {})
    (folder / f"{LANDSAT_NAME}_MTL.txt").unlink()
    values = landsat_mtl(GRID)
    if spelling == "json":
        text = json.dumps({"LANDSAT_METADATA_FILE": {"ALL": values}})
    else:
        text = "".join(f"<{key}>{value}</{key}>" for key, value in values.items())
        text = f"<LANDSAT_METADATA_FILE>{text}</LANDSAT_METADATA_FILE>"
    (folder / f"{LANDSAT_NAME}_MTL.{spelling}").write_text(text)
    archive = tmp_path / "archives" / f"{LANDSAT_NAME}.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, f"./{file.name}")
    for path in (folder, archive):
        scene = read_scene(path)
        assert scene.grid == GRID
        with open_pixels(scene) as pixels:
            assert (pixels.rows(["b02"], 0, 40) == 3126).all()
            assert (pixels.flags() == 0).all()


def test_on_the_grid_of_a_tile(tmp_path: Path) -> None:
    """A pixel of the tile covers a quarter of four Landsat pixels: bilinear is their mean, where all hold data."""
    rng = np.random.default_rng(1)
    red = rng.integers(8000, 20000, GRID.shape).astype(np.uint16)
    red[20:, :10] = 0
    qa = rng.choice([21824, 22280, 23888], GRID.shape).astype(np.uint16)
    scene = read_scene(products.landsat(tmp_path, GRID, {"SR_B4": red, "QA_PIXEL": qa}), on_grid_of=TILE)
    assert scene.grid == PixelGrid(TILE.epsg, TILE.ulx, TILE.uly, 30, 3660, 3660)
    assert (scene.tile, scene.properties["path_row"]) == ("31UFS", "197024")
    assert scene.angles.cos_vza.shape == (23, 23)
    with open_pixels(scene) as pixels:
        found = pixels.rows(["b04"], 0, 44)[0, :, 298:352].astype(int)
        flags = pixels.flags()
    inner = (red[:-1, :-1].astype(float) + red[1:, :-1] + red[:-1, 1:] + red[1:, 1:]) / 4
    expected = np.rint(np.rint(inner) * 0.275 - 2000).astype(int)
    # Landsat's pixel (0, 0) is centred on the corner of the tile's pixels (1, 299) and (2, 300).
    known = np.ones(inner.shape, bool)
    known[19:, :10] = False
    place = found[2 : 2 + inner.shape[0], 2 : 2 + inner.shape[1]]
    assert np.abs(place - expected)[known].max() <= 1
    assert (found[23:, 2:10] == -10000).all()
    # At the edge of the data the pixels with data alone count.
    edge = np.rint(((red[20:-1, 10].astype(float) + red[21:, 10]) / 2) * 0.275 - 2000).astype(int)
    assert np.abs(place[20:, 9] - edge).max() <= 1
    assert set(np.unique(flags[2:41, 300:349])) <= {0, 2, 4}
    assert (flags[60:] == 255).all()
    assert (flags[:, :290] == 255).all()


def test_on_the_grid_of_a_tile_in_the_next_zone(tmp_path: Path) -> None:
    other = tile("32ULB")
    west, _, _, north = other.bounds
    with rasterio.Env():
        x, y = rasterio.warp.transform(f"EPSG:{other.epsg}", "EPSG:32631", [west + 30000], [north - 30000])
    grid = PixelGrid(32631, round(x[0] / 30) * 30 + 15, round(y[0] / 30) * 30 + 15, 30, 200, 200)
    scene = read_scene(products.landsat(tmp_path, grid, {}), on_grid_of=other)
    assert scene.grid.epsg == 32632
    with open_pixels(scene) as pixels:
        red = pixels.rows(["b04"], 0, 3660)[0]
    assert set(np.unique(red)) == {-10000, 3126}
    assert (red == 3126).sum() == pytest.approx(200 * 200, rel=0.02)


def test_a_tile_that_it_does_not_meet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="31UDS"):
        read_scene(products.landsat(tmp_path, GRID, {}), on_grid_of=tile("31UDS"))


def test_a_missing_or_damaged_band(tmp_path: Path) -> None:
    folder = products.landsat(tmp_path, GRID, {})
    file = folder / f"{LANDSAT_NAME}_SR_B6.TIF"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with open_pixels(read_scene(folder)) as pixels, pytest.raises(ProductCorruptError, match="SR_B6"):
        pixels.rows(["b11"], 0, 40)
    file.unlink()
    with pytest.raises(ProductCorruptError, match="SR_B6"):
        read_scene(folder)


def test_metadata_of_another_product_or_place(tmp_path: Path) -> None:
    for number, (changes, message) in enumerate(
        (
            ({"LANDSAT_PRODUCT_ID": "LC09_L2SP_198024_20220605_20220607_02_T1"}, "198024"),
            ({"SPACECRAFT_ID": "LANDSAT_8"}, "LANDSAT_8"),
            ({"SUN_ELEVATION": "high"}, "SUN_ELEVATION"),
        )
    ):
        with pytest.raises(ProductCorruptError, match=message):
            read_scene(products.landsat(tmp_path / str(number), GRID, {}, **changes))
    scene = read_scene(products.landsat(tmp_path / "moved", GRID, {}, REFLECTIVE_LINES="41"))
    with open_pixels(scene) as pixels, pytest.raises(ProductCorruptError, match="40 x 50 pixels"):
        pixels.rows(["b04"], 0, 1)
    with pytest.raises(InputError, match="PS"):
        read_scene(products.landsat(tmp_path / "polar", GRID, {}, MAP_PROJECTION="PS"))
