"""Sentinel-2 L2A as SAFE: reflectance (preprocessing.md 9.3), layouts, and what is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import optical_products as products
import pytest
from optical_products import FLIGHT, GRID, TILE
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.readers.flags import MaskRules
from s4c_lib.readers.pixels import open_pixels
from s4c_lib.readers.recognise import read_scene
from s4c_lib.readers.scene import MaskKind, OpticalScene
from s4c_lib.readers.sentinel2_safe import NATIVE
from s4c_lib.synthetic.products.raster_files import jpeg2000

HALF = GRID.resized(20)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return products.safe(tmp_path_factory.mktemp("safe"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A product that the test may damage."""
    return products.safe(tmp_path)


def everything(scene: OpticalScene, pixel: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    with open_pixels(scene, pixel) as pixels:
        return pixels.rows(sorted(scene.bands), 0, pixels.grid.rows), pixels.flags()


def test_what_the_metadata_say(product: Path) -> None:
    scene = read_scene(product)
    assert scene.name == product.name.removesuffix(".SAFE")
    assert (scene.platform, scene.tile, scene.baseline) == ("sentinel-2a", "31UFS", 400)
    assert (scene.relative_orbit, scene.direction) == (51, "descending")
    assert scene.sensing_time == FLIGHT.start.replace(microsecond=0)
    assert scene.grid == GRID
    assert {name: band.layer.grid.pixel for name, band in scene.bands.items()} == NATIVE
    assert {band.offset for band in scene.bands.values()} == {-0.1}
    assert (scene.mask.kind, scene.mask.layers["scl"].grid) == (MaskKind.SCL, HALF)
    assert scene.quality["vegetation_percentage"] == pytest.approx(100 / 11, abs=0.1)
    assert scene.angles.cos_raa.shape == (23, 23)
    assert scene.angles.mean.sun_zenith == pytest.approx(FLIGHT.sun_zenith)
    assert scene.angles.mean.view_azimuth == pytest.approx(FLIGHT.view_azimuth, abs=3)
    assert all(Path(file).is_file() for file in scene.metadata_files)
    assert "offset_applied" not in scene.properties


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [(400, {1500: 500, 1: -999, 0: -10000, 11000: 10000}), (301, {1500: 1500, 0: -10000, 1: 1})],
)
def test_reflectance_of_both_kinds_of_baseline(tmp_path: Path, baseline: int, expected: dict[int, int]) -> None:
    numbers = np.resize(np.array(list(expected), np.uint16), GRID.shape)
    scene = read_scene(products.safe(tmp_path, baseline, {"_B04_10m": numbers, "_B11_20m": numbers[::2, ::2]}))
    with open_pixels(scene) as pixels:
        red, infrared = pixels.rows(["b04", "b11"], 0, GRID.rows)
    wanted = np.vectorize(expected.get)(numbers)
    np.testing.assert_array_equal(red, wanted)
    np.testing.assert_array_equal(infrared, wanted[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))
    band = scene.bands["b04"]
    assert 1500 * band.scale + band.offset == pytest.approx(expected[1500] / 10000)


def test_bright_and_dark_numbers_are_cut_not_wrapped(tmp_path: Path) -> None:
    numbers = np.full(GRID.shape, 65535, np.uint16)
    scene = read_scene(products.safe(tmp_path, 400, {"_B04_10m": numbers}))
    with open_pixels(scene) as pixels:
        assert (pixels.rows(["b04"], 0, 4) == 32767).all()


def test_each_band_has_its_own_offset(own: Path) -> None:
    edit = products.file_ending(own, "MTD_MSIL2A.xml")
    products.edit(edit, r'(<BOA_ADD_OFFSET band_id="3">)-1000', r"\g<1>-300")
    # The list of bands decides which number is which.
    products.edit(edit, r'bandId="11" physicalBand="B11"', 'bandId="11" physicalBand="B12x"')
    products.edit(edit, r'bandId="12" physicalBand="B12"', 'bandId="12" physicalBand="B11"')
    products.edit(edit, r'physicalBand="B12x"', 'physicalBand="B12"')
    products.edit(edit, r'(<BOA_ADD_OFFSET band_id="12">)-1000', r"\g<1>-700")
    scene = read_scene(own)
    assert {name: round(band.offset * 10000) for name, band in scene.bands.items() if band.offset != -0.1} == {
        "b04": -300,
        "b11": -700,
    }


def test_without_a_list_of_bands_the_usual_numbers_hold(own: Path) -> None:
    file = products.file_ending(own, "MTD_MSIL2A.xml")
    products.edit(file, r'bandId="\d+" physicalBand="\w+"', "")
    products.edit(file, r'(<BOA_ADD_OFFSET band_id="8">)-1000', r"\g<1>-800")
    offsets = {name: round(band.offset * 10000) for name, band in read_scene(own).bands.items()}
    assert offsets == dict.fromkeys(NATIVE, -1000) | {"b8a": -800}


def test_quantification_is_read(own: Path) -> None:
    products.edit(
        products.file_ending(own, "MTD_MSIL2A.xml"), r'(<BOA_QUANTIFICATION_VALUE unit="none">)10000', r"\g<1>20000"
    )
    scene = read_scene(own)
    assert (scene.bands["b04"].scale, scene.bands["b04"].offset) == (1 / 20000, -0.05)


def test_an_offset_that_is_missing_from_the_list_is_refused(own: Path) -> None:
    products.edit(
        products.file_ending(own, "MTD_MSIL2A.xml"), r'<BOA_ADD_OFFSET band_id="3">-1000</BOA_ADD_OFFSET>', ""
    )
    with pytest.raises(ProductCorruptError, match="b04"):
        read_scene(own)


def test_an_archive_reads_like_its_folder(product: Path) -> None:
    folder, archive = read_scene(product), read_scene(products.zipped(product))
    for one, other in zip(everything(folder), everything(archive), strict=True):
        np.testing.assert_array_equal(one, other)
    assert archive.name == folder.name
    np.testing.assert_array_equal(archive.angles.cos_raa, folder.angles.cos_raa)


def test_a_folder_around_one_product(product: Path, tmp_path: Path) -> None:
    outer = tmp_path / "output"
    outer.mkdir()
    (outer / product.name).symlink_to(product)
    assert read_scene(outer).name == product.name.removesuffix(".SAFE")


def test_an_old_product_with_two_tiles(tmp_path: Path, product: Path) -> None:
    old = products.old_multi_tile(tmp_path)
    with pytest.raises(InputError, match="31UFS, 31UFT"):
        read_scene(old)
    with pytest.raises(InputError, match="31UGS"):
        read_scene(old, tile="31UGS")
    one, other = read_scene(old, tile="T31UFS"), read_scene(old, tile="31UFT")
    assert (one.tile, other.tile) == ("31UFS", "31UFT")
    assert one.name.endswith("_T31UFS")
    assert {band.offset for band in one.bands.values()} == {0.0}
    reflectance, flags = everything(one)
    new_reflectance, new_flags = everything(read_scene(product))
    np.testing.assert_array_equal(reflectance[:, 4:-4, 4:-4], new_reflectance[:, 4:-4, 4:-4])
    np.testing.assert_array_equal(flags, new_flags)
    assert (everything(other)[0] != reflectance).any()


@pytest.mark.parametrize("place", ["inside", "beside", "stem"])
def test_an_offset_that_was_applied_already_is_not_applied_again(own: Path, place: str) -> None:
    item = json.dumps({"type": "Feature", "properties": {"earthsearch:boa_offset_applied": True}})
    stem = own.with_name(own.name.removesuffix(".SAFE") + ".json")
    {"inside": own / "item.json", "beside": own.with_name(f"{own.name}.json"), "stem": stem}[place].write_text(item)
    scene = read_scene(own)
    assert scene.properties["offset_applied"] is True
    assert {band.offset for band in scene.bands.values()} == {0.0}


def test_an_item_may_say_that_it_was_not(own: Path) -> None:
    (own / "item.json").write_text(json.dumps({"properties": {"earthsearch:boa_offset_applied": False}}))
    (own / "another.json").write_text("[1, 2")
    scene = read_scene(own)
    assert scene.properties["offset_applied"] is False
    assert scene.bands["b02"].offset == -0.1


def test_flags_at_both_resolutions(product: Path) -> None:
    scene = read_scene(product)
    fine, coarse = everything(scene)[1], everything(scene, 20)[1]
    classes = products.made_up_scene().scene_class
    new = np.array([255, 5, 2, 2, 0, 0, 1, 4, 4, 4, 4, 3], np.uint8)
    np.testing.assert_array_equal(coarse, new[classes])
    np.testing.assert_array_equal(fine, coarse.repeat(2, axis=0).repeat(2, axis=1))
    with open_pixels(scene, 20, MaskRules(shadow_flag=4, dark_area_flag=4)) as pixels:
        np.testing.assert_array_equal(pixels.flags(), np.where(coarse == 2, 4, coarse))
    with open_pixels(scene, 20, MaskRules(dilate_px=1)) as pixels:
        assert (pixels.flags() == 4).sum() > (coarse == 4).sum()


def test_a_fine_band_is_averaged_over_its_valid_pixels(tmp_path: Path) -> None:
    numbers = np.full(GRID.shape, 2000, np.uint16)
    numbers[:2, :2] = [[1001, 1002], [0, 1004]]
    numbers[:2, 2:4] = 0
    scene = read_scene(products.safe(tmp_path, 400, {"_B04_10m": numbers}))
    with open_pixels(scene, 20) as pixels:
        assert pixels.grid == HALF
        red = pixels.rows(["b04"], 0, 2)[0]
    # (1 + 2 + 4) / 3 = 2.33
    assert red[0, :3].tolist() == [2, -10000, 1000]


def test_blocks_of_any_rows_make_the_whole(product: Path) -> None:
    scene = read_scene(product)
    names = ["b04", "b11", "b03"]
    for pixel in (10, 20):
        with open_pixels(scene, pixel) as pixels:
            whole = pixels.rows(names, 0, pixels.grid.rows)
            edges = [0, 1, 4, 7, 7, 18, pixels.grid.rows]
            parts = [pixels.rows(names, first, stop) for first, stop in pairwise(edges)]
            np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_pixels_that_do_not_nest_or_exist(product: Path) -> None:
    scene = read_scene(product)
    with pytest.raises(InputError):
        open_pixels(scene, 7)
    with open_pixels(scene, 30) as pixels:
        assert pixels.rows(["b04"], 0, 20).shape == (1, 20, 40)
        with pytest.raises(InputError, match="nest"):
            pixels.rows(["b11"], 0, 20)
    with open_pixels(scene) as pixels:
        with pytest.raises(InputError, match="b01"):
            pixels.rows(["b01"], 0, 1)
        with pytest.raises(InputError, match="rows"):
            pixels.rows(["b02"], 0, 61)
    with pytest.raises(InputError, match="with"):
        pixels.rows(["b02"], 0, 1)


def test_a_missing_band_is_named(own: Path) -> None:
    products.file_ending(own, "_B8A_20m.jp2").unlink()
    with pytest.raises(ProductCorruptError, match="B8A"):
        read_scene(own)


def test_an_empty_band_is_named(own: Path) -> None:
    products.file_ending(own, "_B03_10m.jp2").write_bytes(b"")
    with pytest.raises(ProductCorruptError, match=r"_B03_10m\.jp2"):
        read_scene(own)


@pytest.mark.parametrize("share", [0.999, 0.6, 0.1])
@pytest.mark.parametrize("tiles", [False, True])
def test_a_cut_off_image_fails_and_gives_no_zeros(own: Path, tmp_path: Path, share: float, tiles: bool) -> None:
    file = products.file_ending(own, "_B04_10m.jp2")
    if tiles:  # as ESA writes it; several threads would read zeros from it
        options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "32", "BLOCKYSIZE": "32"}
        numbers = np.random.default_rng(1).integers(1001, 9000, GRID.shape).astype(np.uint16)
        with MemoryFile(jpeg2000(numbers, GRID)) as memory, memory.open() as raster:
            copy(raster, str(file), driver="JP2OpenJPEG", **options)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with open_pixels(read_scene(own)) as pixels, pytest.raises(ProductCorruptError, match=r"_B04_10m\.jp2"):
        pixels.rows(["b04"], 0, GRID.rows)


def test_a_cut_off_mask_fails(own: Path) -> None:
    file = products.file_ending(own, "_SCL_20m.jp2")
    file.write_bytes(file.read_bytes()[:-40])
    with open_pixels(read_scene(own)) as pixels, pytest.raises(ProductCorruptError, match=r"_SCL_20m\.jp2"):
        pixels.flags()


def test_images_that_are_not_what_the_metadata_say(own: Path) -> None:
    def refused(array_grid: PixelGrid, dtype: str, message: str) -> None:
        numbers = np.full(array_grid.shape, 1500, dtype)
        products.file_ending(own, "_B05_20m.jp2").write_bytes(jpeg2000(numbers, array_grid))
        with open_pixels(read_scene(own)) as pixels, pytest.raises(ProductCorruptError, match=message) as caught:
            pixels.rows(["b05"], 0, 2)
        assert "_B05_20m.jp2" in caught.value.message

    refused(GRID, "uint16", "60 x 120 pixels")
    refused(PixelGrid(HALF.epsg, HALF.west + 20, HALF.north, 20, *HALF.shape), "uint16", "lies at")
    refused(PixelGrid(32632, HALF.west, HALF.north, 20, *HALF.shape), "uint16", "32631")


def test_metadata_of_another_tile(own: Path) -> None:
    file = products.file_ending(own, "MTD_TL.xml")
    original = file.read_text()
    products.edit(file, "_T31UFS_N04", "_T31UFT_N04")
    with pytest.raises(ProductCorruptError, match="31UFT, not 31UFS"):
        read_scene(own)
    file.write_text(original)
    products.edit(file, "<ULX>652320", "<ULX>352320")
    with pytest.raises(ProductCorruptError, match="outside tile 31UFS"):
        read_scene(own)
    file.write_text(original)
    products.edit(file, "EPSG:32631", "EPSG:32632")
    with pytest.raises(ProductCorruptError, match="outside tile 31UFS"):
        read_scene(own)


def test_a_granule_or_images_of_another_tile(own: Path) -> None:
    file = products.file_ending(own, "_B02_10m.jp2")
    file.rename(file.with_name(file.name.replace("T31UFS", "T31UFT")))
    with pytest.raises(ProductCorruptError, match="31UFT"):
        read_scene(own)
    (granule,) = (own / "GRANULE").iterdir()
    granule.rename(granule.with_name(granule.name.replace("T31UFS", "T31UFT")))
    with pytest.raises(ProductCorruptError, match="31UFT"):
        read_scene(own)


def test_resolutions_that_do_not_cover_the_same_ground(own: Path) -> None:
    file = products.file_ending(own, "MTD_TL.xml")
    products.edit(file, r'(<Geoposition resolution="20">\s*<ULX>)652320', r"\g<1>652340")
    numbers = np.full(HALF.shape, 1500, np.uint16)
    moved = PixelGrid(HALF.epsg, HALF.west + 20, HALF.north, 20, *HALF.shape)
    products.file_ending(own, "_B05_20m.jp2").write_bytes(jpeg2000(numbers, moved))
    with open_pixels(read_scene(own)) as pixels, pytest.raises(ProductCorruptError, match="same ground"):
        pixels.rows(["b05"], 0, 2)


def test_metadata_of_another_satellite(own: Path) -> None:
    products.edit(products.file_ending(own, "MTD_MSIL2A.xml"), "Sentinel-2A", "Sentinel-2B")
    with pytest.raises(ProductCorruptError, match="sentinel-2b"):
        read_scene(own)


def test_missing_or_broken_metadata(own: Path) -> None:
    file = products.file_ending(own, "MTD_TL.xml")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ProductCorruptError, match=r"MTD_TL\.xml"):
        read_scene(own)
    file.unlink()
    with pytest.raises(ProductCorruptError, match=r"MTD_TL\.xml"):
        read_scene(own)


def test_products_that_are_no_l2a(product: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_scene(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds 0 products"):
        read_scene(tmp_path)
    other = tmp_path / product.name.replace("MSIL2A", "MSIL1C")
    other.symlink_to(product)
    with pytest.raises(InputError, match="no optical L2A"):
        read_scene(other)
    with pytest.raises(InputError, match="31UFS, not 31UFT"):
        read_scene(product, tile="31UFT")
    with pytest.raises(InputError, match="31UFS, not 31UFT"):
        read_scene(product, on_grid_of=tile("31UFT"))
    assert read_scene(product, on_grid_of=TILE).grid == GRID
