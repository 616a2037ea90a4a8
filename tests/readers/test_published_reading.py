"""A published L2A reads like the product it was made from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optical_products as products
import pytest
import rasterio
from optical_products import FLIGHT, TILE
from test_landsat_reading import GRID as LANDSAT_GRID

from s4c_lib.errors import ProductCorruptError
from s4c_lib.readers import published_layout as layout
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.raster_opening import document
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import COSINES, OpticalScene
from s4c_lib.synthetic.products.muscate import muscate_files
from s4c_lib.synthetic.products.raster_files import geotiff


def published(scene: OpticalScene, root: Path) -> Path:
    """A folder of the layout, made by hand."""
    folder = root / scene.name
    folder.mkdir(parents=True)
    files = layout.band_files(scene) | layout.mask_files(scene)
    layers = {key: band.layer for key, band in scene.bands.items()} | dict(scene.mask.layers)
    assets = {}
    for key, file in files.items():
        with rasterio.open(layers[key].path) as raster:
            (folder / file).write_bytes(geotiff(raster.read(1), layers[key].grid))
        fields = layout.band_fields(scene.bands[key]) if key in scene.bands else layout.mask_fields(layers[key])
        assets[key] = {"href": f"./{file}", **fields}
    nodes = np.stack([getattr(scene.angles, name) for name in COSINES])
    grid = layout.angle_raster_grid(scene.angles, scene.grid.epsg)
    file = layout.raster_file(scene.name, layout.ANGLES)
    (folder / file).write_bytes(geotiff(nodes, grid))
    assets[layout.ANGLES] = {"href": f"./{file}", **layout.grid_fields(grid)}
    documents = []
    for path in scene.metadata_files:
        documents.append(Path(path).name)
        (folder / documents[-1]).write_bytes(document(path))
    properties = layout.item_properties(scene, tuple(documents))
    item = {"type": "Feature", "id": scene.name, "properties": properties, "assets": assets}
    (folder / layout.item_file(scene.name)).write_text(json.dumps(item))
    return folder


def safe(root: Path) -> Path:
    return products.safe(root)


def muscate(root: Path) -> Path:
    name, files = muscate_files(products.made_up_scene(), FLIGHT, TILE)
    return products.write(root / name, files)


def landsat(root: Path) -> Path:
    numbers = np.random.default_rng(1).integers(0, 40000, LANDSAT_GRID.shape).astype(np.uint16)
    return products.landsat(root, LANDSAT_GRID, {"SR_B4": numbers, "SR_B5": numbers // 2, "QA_PIXEL": numbers})


@pytest.mark.parametrize("make", [safe, muscate, landsat])
def test_it_reads_like_its_source(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    source = make(tmp_path / "source")
    scene = read_scene(source)
    copy = read_scene(published(scene, tmp_path / "published"))
    shutil.rmtree(source)
    for field in (
        "name",
        "kind",
        "platform",
        "tile",
        "sensing_time",
        "relative_orbit",
        "direction",
        "baseline",
        "grid",
    ):
        assert getattr(copy, field) == getattr(scene, field)
    assert (copy.quality, copy.properties, copy.mask.kind) == (scene.quality, scene.properties, scene.mask.kind)
    assert copy.angles.mean == scene.angles.mean
    assert (copy.angles.west, copy.angles.north, copy.angles.step) == (scene.angles.west, scene.angles.north, 5000)
    for name in COSINES:
        np.testing.assert_array_equal(getattr(copy.angles, name), getattr(scene.angles, name))
    assert {key: (band.scale, band.offset, band.no_data, band.layer.grid) for key, band in copy.bands.items()} == {
        key: (band.scale, band.offset, band.no_data, band.layer.grid) for key, band in scene.bands.items()
    }
    assert all(Path(path).is_file() for path in copy.metadata_files)
    make(tmp_path / "source")
    with open_pixels(scene) as before, open_pixels(copy) as after:
        names, rows = sorted(scene.bands), scene.grid.rows
        np.testing.assert_array_equal(after.rows(names, 0, rows), before.rows(names, 0, rows))
        np.testing.assert_array_equal(after.flags(), before.flags())


def test_metadata_come_out_of_an_archive_too(tmp_path: Path) -> None:
    source = products.safe(tmp_path)
    archive = products.zipped(source)
    folder = published(read_scene(archive), tmp_path / "published")
    assert (folder / "MTD_TL.xml").read_bytes() == products.file_ending(source, "MTD_TL.xml").read_bytes()


def test_a_published_landsat_goes_onto_a_tile(tmp_path: Path) -> None:
    source = landsat(tmp_path)
    copy = read_scene(published(read_scene(source), tmp_path / "published"), on_grid_of=TILE)
    wanted = read_scene(source, on_grid_of=TILE)
    with open_pixels(copy) as one, open_pixels(wanted) as other:
        np.testing.assert_array_equal(one.rows(["b04"], 0, 60), other.rows(["b04"], 0, 60))
        np.testing.assert_array_equal(one.flags(), other.flags())


def test_what_is_refused(tmp_path: Path) -> None:
    folder = published(read_scene(products.safe(tmp_path)), tmp_path / "published")
    item = folder / f"{folder.name}.json"
    original = item.read_text()

    def refused(change: Callable[[dict], object], message: str) -> None:  # type: ignore[type-arg]
        document = json.loads(original)
        change(document)
        item.write_text(json.dumps(document))
        with pytest.raises(ProductCorruptError, match=message):
            read_scene(folder)

    refused(lambda d: d["properties"].update({"s4c:layout": "l2a-9"}), "l2a-9")
    refused(lambda d: d["properties"].pop("s4c:mask_kind"), "s4c:mask_kind")
    refused(lambda d: d["assets"].pop("b04"), "b04")
    refused(lambda d: d["assets"]["b04"].pop("raster:offset"), "raster:offset")
    refused(lambda d: d["assets"]["b04"].update({"href": "../b04.tif"}), "outside")
    refused(lambda d: d["assets"]["b04"].update({"href": "./other.tif"}), "other.tif is missing")
    refused(lambda d: d["assets"]["b04"].update({"proj:shape": [1]}), "unusable")
    refused(lambda d: d["properties"].update({"datetime": "yesterday"}), "yesterday")
    refused(lambda d: d["properties"]["s4c:angle_grid"].update({"west": 0}), "_ANGLES")
    item.write_text(original)
    file = folder / f"{folder.name}_B04.tif"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with open_pixels(read_scene(folder)) as pixels, pytest.raises(ProductCorruptError, match=r"_B04\.tif"):
        pixels.rows(["b04"], 0, 60)
