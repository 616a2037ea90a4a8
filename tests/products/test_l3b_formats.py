"""L3B of products as they are delivered: SAFE of old and new baselines, MUSCATE, a published L2A."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.preprocessing.publish import PublishOptions, publish_l2a
from s4c_lib.products.l3b import L3bOptions, L3bProduct, make_l3b
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import NO_DATA
from s4c_lib.synthetic.optical.scene import BAND_METRES, OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.muscate import muscate_files
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_safe import l2a_files
from s4c_lib.vegetation.networks import VARIABLES, load_network

TILE = tile("31UFS")
GRID = PixelGrid(TILE.epsg, 652_320, 5_697_660, 10, 120, 180)
FLIGHT = OpticalPass(datetime(2022, 6, 3, 10, 50, 31, tzinfo=UTC), "S2B", 51, 31071, 30.2, 152.3, 8.9, 287.0)
NOW = datetime(2022, 7, 1, tzinfo=UTC)
OPTIONS = L3bOptions(produce=("ndvi", "lai", "fapar", "fcover", "ndwi", "brightness"))


@pytest.fixture(scope="module")
def ground() -> OpticalScene:
    """Plants, with cloud to the east and a corner without data."""
    rng = np.random.default_rng(5)
    spectrum = {
        "B01": 0.03,
        "B02": 0.04,
        "B03": 0.06,
        "B04": 0.05,
        "B05": 0.09,
        "B06": 0.25,
        "B07": 0.32,
        "B08": 0.34,
        "B8A": 0.36,
        "B09": 0.3,
        "B11": 0.2,
        "B12": 0.11,
    }
    bands = {
        name: (spectrum[name] * rng.uniform(0.6, 1.4, GRID.resized(metres).shape)).astype(np.float32)
        for name, metres in BAND_METRES.items()
    }
    classes = np.full(GRID.resized(20).shape, 4, np.uint8)
    classes[:, -9:] = 9
    classes[-3:, :3] = 0
    cloud = np.repeat(np.repeat(classes == 9, 2, axis=0), 2, axis=1)
    return OpticalScene(
        grid=GRID,
        bands=bands,
        scene_class=classes,
        cloud_probability=np.zeros(classes.shape, np.uint8),
        true_cloud=cloud,
        true_shadow=np.zeros(GRID.shape, np.bool_),
        aerosol=0.1,
        water_vapour=2.0,
    )


def made(source: Path, folder: Path) -> tuple[L3bProduct, dict[str, npt.NDArray[Any]]]:
    product = make_l3b(read_scene(source), folder, OPTIONS, site="nl", now=NOW)
    values = {}
    for name, path in {**product.rasters, "flags": product.flags}.items():
        assert path is not None
        with rasterio.open(path) as raster:
            values[name] = raster.read(1)
    return product, values


def test_numbers_are_those_of_the_ground_and_the_angles(ground: OpticalScene, tmp_path: Path) -> None:
    source = write_product(tmp_path, *l2a_files(ground, FLIGHT, TILE, 500))
    product, values = made(source, tmp_path / "l3b")
    assert product.item_id == "S4C_L3B_S2B_20220603T105031_T31UFS_00000000"
    clear = values["flags"] == 0
    red, infrared = ground.bands["B04"], ground.bands["B08"]
    ndvi = (infrared - red) / (infrared + red)
    # Reflectances are stored with four decimals.
    assert np.abs(values["ndvi"] / 1000 - ndvi)[clear].max() < 2.5e-3
    assert (values["ndvi"][~clear] == NO_DATA).all()
    network = load_network("s4c_s2_allbands", "lai")
    bands = [ground.bands[name] for name in network.bands]
    bands = [band if band.shape == GRID.shape else band.repeat(2, axis=0).repeat(2, axis=1) for band in bands]
    cosines = np.cos(np.radians([FLIGHT.view_zenith, FLIGHT.sun_zenith, FLIGHT.sun_azimuth - FLIGHT.view_azimuth]))
    inputs = np.stack([*bands, *(np.full(GRID.shape, cosine) for cosine in cosines)]).astype(np.float64)
    difference = values["lai"] / 1000 - network.evaluate(inputs)
    # The grids of angles differ a little from those of the window's centre.
    assert np.abs(difference[clear]).max() < 0.05


def test_the_same_ground_gives_the_same_numbers_in_every_format(ground: OpticalScene, tmp_path: Path) -> None:
    sources = {
        "offset": write_product(tmp_path / "new", *l2a_files(ground, FLIGHT, TILE, 500)),
        "no offset": write_product(tmp_path / "old", *l2a_files(ground, FLIGHT, TILE, 301)),
        "muscate": write_product(tmp_path / "maja", *muscate_files(ground, FLIGHT, TILE)),
    }
    expected = made(sources["offset"], tmp_path / "l3b" / "offset")[1]
    for name, source in sources.items():
        values = made(source, tmp_path / "l3b" / name)[1]
        assert (values["flags"] == expected["flags"]).all()
        for variable, raster in values.items():
            # Angles are written with other decimals by MUSCATE.
            most = 2 if name == "muscate" and variable in VARIABLES else 0
            assert np.abs(raster.astype(int) - expected[variable]).max() <= most, (name, variable)


def test_a_published_l2a_gives_what_its_source_gives(ground: OpticalScene, tmp_path: Path) -> None:
    source = write_product(tmp_path, *l2a_files(ground, FLIGHT, TILE, 500))
    expected = made(source, tmp_path / "l3b")[1]
    scene = read_scene(source)
    publish_l2a(scene, tmp_path / "published" / scene.name, PublishOptions(config_hash="a" * 8))
    product, values = made(tmp_path / "published" / scene.name, tmp_path / "again")
    for variable, raster in values.items():
        assert (raster == expected[variable]).all(), variable
    (link,) = [link["href"] for link in product.item["links"] if link["rel"] == "derived_from"]
    assert (product.folder / link).resolve().name == f"{scene.name}.json"
