"""MUSCATE and MAJA L2A: reflectance, masks of both groups, angles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optical_products as products
import pytest
from optical_products import FLIGHT, GRID, TILE

from s4c_lib.errors import ProductCorruptError
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.sentinel2_safe import NATIVE
from s4c_lib.synthetic.products.muscate import muscate_files, muscate_images, named_files
from s4c_lib.synthetic.products.raster_files import geotiff

HALF = GRID.resized(20)


@pytest.fixture
def product(tmp_path: Path) -> Path:
    name, files = muscate_files(products.made_up_scene(), FLIGHT, TILE)
    return products.write(tmp_path / name, files)


def replace(product: Path, ending: str, array: np.ndarray) -> None:
    grid = GRID if array.shape == GRID.shape else HALF
    products.file_ending(product, ending).write_bytes(geotiff(array, grid))


def test_what_the_metadata_say(product: Path) -> None:
    scene = read_scene(product)
    assert (scene.platform, scene.tile, scene.relative_orbit, scene.baseline) == ("sentinel-2a", "31UFS", 51, None)
    assert scene.sensing_time == FLIGHT.start
    assert scene.grid == GRID
    assert {name: band.layer.grid.pixel for name, band in scene.bands.items()} == NATIVE
    assert sorted(scene.mask.layers) == ["edg_r1", "edg_r2", "mg2_r1", "mg2_r2", "sat_r1", "sat_r2"]
    assert scene.angles.cos_raa.shape == (23, 23)
    assert scene.angles.mean.sun_azimuth == pytest.approx(FLIGHT.sun_azimuth)
    assert set(scene.quality) == {"cloudpercent", "snowpercent"}


def test_reflectance(product: Path) -> None:
    numbers = np.resize(np.array([1500, -10000, -20], np.int16), GRID.shape)
    replace(product, "_FRE_B4.tif", numbers)
    with open_pixels(read_scene(product)) as pixels:
        np.testing.assert_array_equal(pixels.rows(["b04"], 0, 60)[0], numbers)


def test_slope_corrected_reflectance_when_there_is_any(product: Path) -> None:
    for file in product.glob("*_FRE_B*.tif"):
        numbers = np.full(GRID.shape if "_B2." in file.name else HALF.shape, 777, np.int16)
        if numbers.shape == GRID.shape:
            file.write_bytes(geotiff(numbers, GRID))
    with open_pixels(read_scene(product)) as pixels:
        assert (pixels.rows(["b02"], 0, 1) == 777).all()
    for file in product.glob("*_FRE_B*.tif"):
        file.unlink()
    scene = read_scene(product)
    assert scene.properties["reflectance"] == "SRE"
    with open_pixels(scene) as pixels:
        assert (pixels.rows(["b02"], 0, 1) != 777).any()


def test_a_missing_band_is_named_although_the_other_set_has_it(product: Path) -> None:
    products.file_ending(product, "_FRE_B8A.tif").unlink()
    with pytest.raises(ProductCorruptError, match="FRE raster of B8A"):
        read_scene(product)


def test_quantification_and_no_data_are_read(product: Path) -> None:
    file = products.file_ending(product, "_MTD_ALL.xml")
    products.edit(file, "(<REFLECTANCE_QUANTIFICATION_VALUE>)10000", r"\g<1>1000")
    products.edit(file, '(name="nodata">)-10000', r"\g<1>-999")
    band = read_scene(product).bands["b04"]
    assert (band.scale, band.no_data) == (0.001, -999)


def test_flags_of_both_groups(product: Path) -> None:
    mg2 = np.zeros(GRID.shape, np.uint8)
    mg2[0, :8] = [0, 1, 2, 4, 8, 10, 12, 16]
    mg2[3, 3] = 2
    edg, sat = np.zeros_like(mg2), np.zeros_like(mg2)
    edg[4, 4], mg2[4, 4] = 1, 2
    sat[5, 5], sat[6, 6], mg2[6, 6] = 2, 2, 2
    far = np.zeros(HALF.shape, np.uint8)
    far[5, 5] = 32
    for ending, array in (("MG2_R1", mg2), ("EDG_R1", edg), ("SAT_R1", sat), ("SAT_R2", far)):
        replace(product, f"_{ending}.tif", array)
    for ending in ("MG2_R2", "EDG_R2"):
        replace(product, f"_{ending}.tif", np.zeros(HALF.shape, np.uint8))
    scene = read_scene(product)
    with open_pixels(scene) as pixels:
        fine = pixels.flags()
    assert fine[0, :8].tolist() == [0, 1, 4, 3, 2, 4, 2, 0]
    assert (fine[3, 3], fine[4, 4], fine[5, 5], fine[6, 6]) == (4, 255, 5, 4)
    assert (fine[10:12, 10:12] == 5).all()
    assert (fine[12:] == 0).all()
    with open_pixels(scene, 20) as pixels:
        coarse = pixels.flags()
    # Its own group decides, and saturation of any band.
    expected = np.zeros(HALF.shape, np.uint8)
    expected[2, 2] = expected[3, 3] = expected[5, 5] = 5
    np.testing.assert_array_equal(coarse, expected)


def test_the_coarse_masks_do_when_there_are_no_others(product: Path) -> None:
    mg2 = np.zeros(HALF.shape, np.uint8)
    mg2[1, 2] = 2
    replace(product, "_MG2_R2.tif", mg2)
    for mask in ("EDG", "SAT"):
        replace(product, f"_{mask}_R2.tif", np.zeros(HALF.shape, np.uint8))
    for file in product.glob("MASKS/*_R1.tif"):
        file.unlink()
    with open_pixels(read_scene(product)) as pixels:
        flags = pixels.flags()
    assert (flags[2:4, 4:6] == 4).all()
    assert (flags != 0).sum() == 4
    products.file_ending(product, "_SAT_R2.tif").unlink()
    with pytest.raises(ProductCorruptError, match="mask"):
        read_scene(product)


def test_without_grids_of_the_view_its_means_do(tmp_path: Path) -> None:
    name, files = named_files(FLIGHT, TILE, muscate_images(products.made_up_scene()), view_grids=False)
    angles = read_scene(products.write(tmp_path / name, files)).angles
    assert np.degrees(np.arccos(angles.cos_vza)) == pytest.approx(np.full((23, 23), angles.mean.view_zenith), abs=1e-3)
    assert np.ptp(angles.cos_sza) > 0


def test_metadata_of_another_tile_or_satellite(product: Path) -> None:
    file = products.file_ending(product, "_MTD_ALL.xml")
    original = file.read_text()
    products.edit(file, ">31UFS<", ">31UFT<")
    with pytest.raises(ProductCorruptError, match="31UFT, not 31UFS"):
        read_scene(product)
    file.write_text(original)
    products.edit(file, "<ULX>652320", "<ULX>352320")
    with pytest.raises(ProductCorruptError, match="outside tile"):
        read_scene(product)
    file.write_text(original)
    products.edit(file, "<PLATFORM>SENTINEL2A", "<PLATFORM>SENTINEL2B")
    with pytest.raises(ProductCorruptError, match="SENTINEL2B"):
        read_scene(product)
    file.write_text(original.replace("</Muscate_Metadata_Document>", ""))
    with pytest.raises(ProductCorruptError, match="not readable XML"):
        read_scene(product)


def test_a_cut_off_raster_is_named(product: Path) -> None:
    file = products.file_ending(product, "_FRE_B2.tif")
    file.write_bytes(file.read_bytes()[:-200])
    with open_pixels(read_scene(product)) as pixels, pytest.raises(ProductCorruptError, match=r"_FRE_B2\.tif"):
        pixels.rows(["b02"], 0, 60)
