"""The MUSCATE writer: numbers, bits and metadata as MAJA's products have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import sentinel2_scenes
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.sources.metadata_files import elements, number, parse_xml, text
from s4c_lib.sources.product_facts import read_facts
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.verify import verify_product
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.products.muscate import mask_arrays, muscate_files, muscate_images, reflectance_numbers
from s4c_lib.synthetic.products.product_folder import write_product

FLIGHT, TILE = sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE
NAME = "SENTINEL2A_20210603-105031-024_L2A_T31UFS_C_V3-1"


@pytest.fixture(scope="module")
def scene() -> OpticalScene:
    return sentinel2_scenes.scene()


@pytest.fixture(scope="module")
def product(scene: OpticalScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_product(tmp_path_factory.mktemp("muscate"), *muscate_files(scene, FLIGHT, TILE))


def test_reflectances_are_int16_with_their_own_no_data(scene: OpticalScene, product: Path) -> None:
    for band, metres in (("B2", 10), ("B4", 10), ("B5", 20), ("B8A", 20), ("B12", 20)):
        values = scene.bands[f"B0{band[1:]}" if len(band) == 2 else band]
        for kind in ("FRE", "SRE"):
            with rasterio.open(product / f"{NAME}_{kind}_{band}.tif") as raster:
                numbers = raster.read(1)
                assert (raster.driver, raster.dtypes[0], raster.nodata) == ("GTiff", "int16", -10000)
                assert tuple(raster.transform)[:6] == (metres, 0, 652320, 0, -metres, 5697660)
                assert raster.crs.to_epsg() == 32631
            missing = np.isnan(values)
            missing[-60 // metres :, : 60 // metres] = True
            assert (numbers[missing] == -10000).all()
            np.testing.assert_allclose(numbers[~missing] / 10000, np.clip(values[~missing], -0.9999, 3.2767), atol=6e-5)
    assert len(list(product.glob("*_FRE_*.tif"))) == len(list(product.glob("*_SRE_*.tif"))) == 10


def test_our_reader_accepts_it(scene: OpticalScene, product: Path) -> None:
    name = product_name(product.name)
    report = verify_product(product, name)
    assert (report.tile_problems, report.warnings) == ((), ())
    facts = read_facts(product, name)
    assert (facts.tiles, facts.relative_orbit, facts.sensing_time) == (("31UFS",), 51, FLIGHT.start)
    cloud = np.isin(scene.scene_class, (8, 9, 10)).sum() / (scene.scene_class != 0).sum()
    assert facts.cloud_pct == pytest.approx(100 * cloud, abs=0.5)


@pytest.mark.parametrize(
    ("scene_class", "bits"),
    [
        (0, {"EDG": 1}),
        (1, {"SAT": 0b1111}),
        (2, {"MG2": 16}),
        (3, {"MG2": 8, "CLM": 33}),
        (4, {}),
        (5, {}),
        (6, {"MG2": 1}),
        (8, {"MG2": 2, "CLM": 3, "IAB": 3}),
        (9, {"MG2": 2, "CLM": 3, "IAB": 3}),
        (10, {"MG2": 2, "CLM": 128, "IAB": 3}),
        (11, {"MG2": 4}),
    ],
)
def test_bits_of_the_masks(scene_class: int, bits: dict[str, int]) -> None:
    scene = sentinel2_scenes.scene(rows=60, columns=60)
    scene.scene_class[:] = 4
    scene.scene_class[5, 7] = scene_class
    for group, factor in (("R1", 2), ("R2", 1)):
        for mask, values in mask_arrays(scene, group).items():
            expected = bits.get(mask, 0)
            if mask == "SAT" and expected and group == "R2":
                expected = 0b111111
            assert (values[5 * factor : 6 * factor, 7 * factor : 8 * factor] == expected).all()
            assert np.count_nonzero(values) == (factor**2 if expected else 0)


def test_masks_and_atmosphere_lie_on_the_grids_of_their_group(product: Path) -> None:
    for group, shape in (("R1", (120, 180)), ("R2", (60, 90))):
        for mask in ("CLM", "EDG", "MG2", "SAT", "IAB"):
            with rasterio.open(product / "MASKS" / f"{NAME}_{mask}_{group}.tif") as raster:
                assert (raster.shape, raster.dtypes[0]) == (shape, "uint8")
        with rasterio.open(product / f"{NAME}_ATB_{group}.tif") as raster:
            assert (raster.shape, raster.count) == (shape, 2)
            water, aerosol = raster.read()
            # 2.1 g/cm2 x 20, 0.123 x 200; the corner is outside the image
            assert (water[0, 0], aerosol[0, 0]) == (42, 25)
            assert (water[-1, 0], aerosol[-1, 0]) == (0, 0)


def test_the_metadata_say_what_is_there(product: Path) -> None:
    root = parse_xml((product / f"{NAME}_MTD_ALL.xml").read_bytes(), NAME)
    listed = {str(item.text) for item in (*elements(root, "IMAGE_FILE"), *elements(root, "MASK_FILE"))}
    assert listed == {str(path.relative_to(product)) for path in product.rglob("*.tif")}
    assert text(root, "HORIZONTAL_CS_CODE") == "32631"
    assert number(root, "REFLECTANCE_QUANTIFICATION_VALUE") == 10000
    places = {place.attrib["group_id"]: place for place in elements(root, "Group_Geopositioning")}
    assert [text(places["R2"], key) for key in ("ULX", "ULY", "XDIM", "YDIM", "NROWS", "NCOLS")] == [
        "652320", "5697660", "20", "-20", "60", "90",
    ]  # fmt: skip
    sun = next(elements(root, "Sun_Angles"))
    assert (number(sun, "ZENITH_ANGLE"), number(sun, "AZIMUTH_ANGLE")) == (FLIGHT.sun_zenith, FLIGHT.sun_azimuth)
    bands = [grids.attrib["band_id"] for grids in elements(root, "Band_Viewing_Incidence_Angles_Grids_List")]
    assert bands == ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
    rows = [str(row.text).split() for row in elements(next(elements(root, "Sun_Angles_Grids")), "VALUES")]
    assert [len(row) for row in rows] == [23] * 46


def test_the_same_input_gives_the_same_bytes_and_tiles_share_them(scene: OpticalScene) -> None:
    assert muscate_files(scene, FLIGHT, TILE) == muscate_files(sentinel2_scenes.scene(), FLIGHT, TILE)
    images = muscate_images(scene)
    name, files = muscate_files(scene, FLIGHT, sentinel2_scenes.NEIGHBOUR, images)
    assert name == NAME.replace("31UFS", "31UFT")
    assert sum(path.endswith(".tif") for path in files) == 32


def test_a_scene_elsewhere_is_refused(scene: OpticalScene) -> None:
    with pytest.raises(InputError, match="within tile 31UGS"):
        muscate_files(scene, FLIGHT, tile("31UGS"))


@given(st.floats(-0.9375, 3.25, width=32))
def test_a_reflectance_comes_back(reflectance: float) -> None:
    written = int(reflectance_numbers(np.array([[reflectance]], dtype=np.float32))[0, 0])
    assert written / 10000 == pytest.approx(reflectance, abs=5.1e-5)
    assert written != -10000
