"""The SAFE writers, judged by GDAL's own driver, by rasterio on each file and by our reader of archives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import sentinel2_scenes
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError, StorageError
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.sources.metadata_files import elements, number, parse_xml, text
from s4c_lib.sources.product_facts import read_facts
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.verify import verify_product
from s4c_lib.synthetic.archive_files import write_zip
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.products.product_folder import write_product
from s4c_lib.synthetic.products.sentinel2_images import L2A_LAYERS, digital_numbers, l1c_arrays, l2a_arrays, l2a_masks
from s4c_lib.synthetic.products.sentinel2_product import generation_time, season_baseline
from s4c_lib.synthetic.products.sentinel2_safe import l1c_files, l2a_files, l2a_images
from s4c_lib.synthetic.products.top_of_atmosphere import top_of_atmosphere

BASELINE = 500
FLIGHT, TILE, NEIGHBOUR = sentinel2_scenes.FLIGHT, sentinel2_scenes.TILE, sentinel2_scenes.NEIGHBOUR


@pytest.fixture(scope="module")
def scene() -> OpticalScene:
    return sentinel2_scenes.scene()


@pytest.fixture(scope="module")
def l2a(scene: OpticalScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_product(tmp_path_factory.mktemp("l2a"), *l2a_files(scene, FLIGHT, TILE, BASELINE))


@pytest.fixture(scope="module")
def l1c(scene: OpticalScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_product(tmp_path_factory.mktemp("l1c"), *l1c_files(scene, FLIGHT, TILE, BASELINE))


def driver_bands(metadata: Path | str) -> Iterator[tuple[str, str, Any, npt.NDArray[Any]]]:
    """Subdataset (``10m``), band (``B4``), profile and pixels, as GDAL's SENTINEL2 driver reads them."""
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        product = rasterio.open(metadata)
    with product:
        assert product.driver == "SENTINEL2"
        subdatasets = product.subdatasets
    for subdataset in subdatasets:
        with rasterio.open(subdataset) as raster:
            for index, description in enumerate(raster.descriptions, start=1):
                yield subdataset.split(":")[-2], description.split(",")[0], raster.profile, raster.read(index)


def written_name(band: str) -> str:
    """``B4`` of the driver is ``B04`` of the files."""
    return f"B0{band[1:]}" if band[1:].isdigit() and len(band) == 2 else band


def test_gdal_reads_the_numbers_that_were_written(scene: OpticalScene, l2a: Path) -> None:
    arrays, masks = l2a_arrays(scene, BASELINE), l2a_masks(scene)
    read = set()
    for subdataset, band, profile, pixels in driver_bands(l2a / "MTD_MSIL2A.xml"):
        if subdataset == "TCI":
            expected = arrays["TCI", 10][("B4", "B3", "B2").index(band)]
            metres = 10
        else:
            metres = int(subdataset.removesuffix("m"))
            mask = {"CLD": "MSK_CLDPRB", "SNW": "MSK_SNWPRB"}.get(band)
            expected = masks[f"{mask}_{metres}m"] if mask else arrays[written_name(band), metres]
        np.testing.assert_array_equal(pixels, expected, err_msg=f"{subdataset} {band}")
        assert profile["crs"].to_epsg() == 32631
        assert tuple(profile["transform"])[:6] == (metres, 0, 652320, 0, -metres, 5697660)
        read.add((subdataset, band))
    assert {subdataset for subdataset, _ in read} == {"10m", "20m", "60m", "TCI"}
    assert {"B2", "B3", "B4", "B8", "AOT", "WVP"} == {band for subdataset, band in read if subdataset == "10m"}
    assert {"B5", "B6", "B7", "B8A", "B11", "B12", "SCL", "CLD", "SNW"} < {b for s, b in read if s == "20m"}
    assert {"B1", "B9"} < {band for subdataset, band in read if subdataset == "60m"}


def test_gdal_reads_a_zipped_product(scene: OpticalScene, tmp_path: Path) -> None:
    name, files = l2a_files(scene, FLIGHT, TILE, BASELINE)
    write_zip(tmp_path / f"{name}.zip", name, files)
    arrays = l2a_arrays(scene, BASELINE)
    read = 0
    for subdataset, band, _, pixels in driver_bands(f"/vsizip/{tmp_path / name}.zip/{name}/MTD_MSIL2A.xml"):
        if subdataset == "10m":
            np.testing.assert_array_equal(pixels, arrays[written_name(band), 10], err_msg=band)
            read += 1
    assert read == 6


def test_every_image_opens_by_itself(scene: OpticalScene, l2a: Path) -> None:
    arrays = l2a_arrays(scene, BASELINE)
    files = sorted(l2a.rglob("IMG_DATA/*/*.jp2"))
    assert len(files) == sum(len(layers) for layers in L2A_LAYERS.values()) == len(arrays)
    for file in files:
        _, _, layer, resolution = file.stem.split("_")
        expected = arrays[layer, int(resolution.removesuffix("m"))]
        with rasterio.open(file) as raster:
            pixels = raster.read() if layer == "TCI" else raster.read(1)
            assert (raster.driver, raster.dtypes[0]) == ("JP2OpenJPEG", expected.dtype.name)
            assert tuple(raster.bounds) == scene.grid.bounds
            assert raster.crs.to_epsg() == 32631
        np.testing.assert_array_equal(pixels, expected, err_msg=file.name)


def test_the_metadata_name_each_image_once_and_the_manifest_each_file(l2a: Path, l1c: Path) -> None:
    for product in (l2a, l1c):
        level = "L2A" if "MSIL2A" in product.name else "L1C"
        root = parse_xml((product / f"MTD_MSI{level}.xml").read_bytes(), product.name)
        listed = [f"{item.text}.jp2" for item in elements(root, "IMAGE_FILE")]
        there = sorted(str(path.relative_to(product)) for path in product.rglob("IMG_DATA/**/*.jp2"))
        assert sorted(listed) == there
        tile_document = parse_xml(next(product.glob("GRANULE/*/MTD_TL.xml")).read_bytes(), "")
        masks = [str(item.text) for item in elements(tile_document, "MASK_FILENAME")]
        assert sorted(masks) == sorted(str(path.relative_to(product)) for path in product.rglob("QI_DATA/*.jp2"))
        manifest = parse_xml((product / "manifest.safe").read_bytes(), "")
        sums = {}
        for stream in elements(manifest, "byteStream"):
            path = next(elements(stream, "fileLocation")).attrib["href"].removeprefix("./")
            sums[path] = (int(stream.attrib["size"]), next(elements(stream, "checksum")).text)
        files = {str(path.relative_to(product)) for path in product.rglob("*") if path.is_file()}
        assert sums.keys() == files - {"manifest.safe"}
        for path, (size, digest) in sums.items():
            content = (product / path).read_bytes()
            assert (len(content), hashlib.sha3_256(content).hexdigest()) == (size, digest)


def test_our_readers_accept_the_products(scene: OpticalScene, l2a: Path, l1c: Path) -> None:
    for product in (l2a, l1c):
        name = product_name(product.name)
        report = verify_product(product, name)
        assert (report.tile_problems, report.warnings) == ((), ())
        facts = read_facts(product, name)
        assert (name.tile, name.relative_orbit, name.baseline) == ("31UFS", 51, BASELINE)
        assert facts.tiles == ("31UFS",)
        assert facts.created == name.created == generation_time(FLIGHT.start, BASELINE)
        data = scene.scene_class != 0
        cloud = np.isin(scene.scene_class, (8, 9, 10)).sum() / data.sum()
        assert facts.cloud_pct == pytest.approx(100 * cloud, abs=1e-4)


def test_the_granule_says_where_the_window_lies(l2a: Path) -> None:
    root = parse_xml(next(l2a.glob("GRANULE/*/MTD_TL.xml")).read_bytes(), "")
    sizes = {s.attrib["resolution"]: (text(s, "NROWS"), text(s, "NCOLS")) for s in elements(root, "Size")}
    assert sizes == {"10": ("120", "180"), "20": ("60", "90"), "60": ("20", "30")}
    corners = {(text(place, "ULX"), text(place, "ULY"), text(place, "XDIM")) for place in elements(root, "Geoposition")}
    assert corners == {("652320", "5697660", "10"), ("652320", "5697660", "20"), ("652320", "5697660", "60")}
    assert text(root, "HORIZONTAL_CS_CODE") == "EPSG:32631"


def test_shares_of_classes_are_those_of_the_classification(scene: OpticalScene, l2a: Path) -> None:
    root = parse_xml((l2a / "MTD_MSIL2A.xml").read_bytes(), "")
    counts = np.bincount(scene.scene_class.ravel(), minlength=12)
    shares = 100 * counts / counts[1:].sum()
    assert number(root, "NODATA_PIXEL_PERCENTAGE") == pytest.approx(100 * counts[0] / counts.sum(), abs=1e-6)
    for name, index in (("VEGETATION", 4), ("CLOUD_SHADOW", 3), ("SNOW_ICE", 11), ("HIGH_PROBA_CLOUDS", 9)):
        assert number(root, f"{name}_PERCENTAGE") == pytest.approx(shares[index], abs=1e-5)


@pytest.mark.parametrize(
    ("baseline", "reflectance", "expected"),
    [
        (509, 0.05, 1500),
        (400, -0.0999, 1),
        (500, 1.0, 11000),
        (500, -0.5, 1),
        (500, 9.0, 65535),
        (500, np.nan, 0),
        (301, 0.15, 1500),
        (301, -0.01, 1),
    ],
)
def test_digital_numbers_of_the_specification(baseline: int, reflectance: float, expected: int) -> None:
    assert digital_numbers(np.array([[reflectance]], dtype=np.float32), baseline)[0, 0] == expected


@given(st.floats(-0.0625, 6.4375, width=32), st.sampled_from([301, 400, 500, 511]))
def test_a_reflectance_comes_back_and_is_never_no_data(reflectance: float, baseline: int) -> None:
    written = int(digital_numbers(np.array([[reflectance]], dtype=np.float32), baseline)[0, 0])
    assert written != 0
    if baseline >= 400:
        assert (written - 1000) / 10000 == pytest.approx(reflectance, abs=5.1e-5)


def test_ground_without_data_is_zero_in_every_band(scene: OpticalScene) -> None:
    arrays = l2a_arrays(scene, BASELINE)
    for (layer, metres), array in arrays.items():
        corner = array[..., -60 // metres :, : 60 // metres]
        assert not corner.any(), layer
        if layer not in {"SCL", "TCI"}:
            assert np.count_nonzero(array == 0) <= array.size // 50
    assert not arrays["B04", 10][6:12, 6:12].any()
    assert arrays["B03", 10][6:12, 6:12].all()
    aerosol = arrays["AOT", 20]
    assert set(np.unique(aerosol)) == {0, 123}


def test_coarser_bands_are_means_of_the_finer(scene: OpticalScene) -> None:
    arrays = l2a_arrays(scene, BASELINE)
    blocks = scene.bands["B03"][6:12, 12:18]
    assert arrays["B03", 60][1, 2] == round(float(blocks.mean()) * 10000) + 1000
    np.testing.assert_array_equal(arrays["B01", 20][3:6, 6:9], arrays["B01", 60][1, 2])


def test_offsets_are_stated_from_baseline_4_on(scene: OpticalScene) -> None:
    for baseline, expected in ((500, ["-1000"] * 13), (400, ["-1000"] * 13), (301, [])):
        for make, level, name in ((l2a_files, "L2A", "BOA_ADD_OFFSET"), (l1c_files, "L1C", "RADIO_ADD_OFFSET")):
            folder, files = make(scene, FLIGHT, TILE, baseline)
            root = parse_xml(files[f"MTD_MSI{level}.xml"], folder)
            assert [item.text for item in elements(root, name)] == expected
            assert f"_N{baseline:04d}_" in folder


def test_gdal_reads_the_l1c(scene: OpticalScene, l1c: Path) -> None:
    arrays = l1c_arrays(scene, top_of_atmosphere(scene, FLIGHT), BASELINE)
    read = set()
    for subdataset, band, profile, pixels in driver_bands(l1c / "MTD_MSIL1C.xml"):
        if subdataset != "TCI":
            metres = int(subdataset.removesuffix("m"))
            np.testing.assert_array_equal(pixels, arrays[written_name(band), metres], err_msg=band)
            assert tuple(profile["transform"])[:6] == (metres, 0, 652320, 0, -metres, 5697660)
            read.add(band)
    assert len(read) == 13


def test_the_atmosphere_brightens_dark_ground_most_in_the_blue_and_dims_bright_ground(scene: OpticalScene) -> None:
    flat = {band: np.full_like(values, 0.03) for band, values in scene.bands.items()}
    bright = {band: np.full_like(values, 0.8) for band, values in scene.bands.items()}
    dark_scene, bright_scene = (
        OpticalScene(
            scene.grid,
            bands,
            scene.scene_class,
            scene.cloud_probability,
            scene.true_cloud,
            scene.true_shadow,
            scene.aerosol,
            scene.water_vapour,
        )
        for bands in (flat, bright)
    )
    dark = {band: float(values.mean()) for band, values in top_of_atmosphere(dark_scene, FLIGHT).items()}
    # Sentinel-2 over dark vegetation at this sun: about 0.12-0.15 in B01, 0.09-0.12 in B02, 0.04-0.06 in B04.
    assert 0.10 < dark["B01"] < 0.17
    assert 0.08 < dark["B02"] < 0.14
    assert dark["B01"] > dark["B02"] > dark["B03"] > dark["B04"] > dark["B8A"]
    assert abs(dark["B12"] - 0.03) < 0.006
    light = {band: float(values.mean()) for band, values in top_of_atmosphere(bright_scene, FLIGHT).items()}
    assert all(light[band] < 0.8 for band in light)
    assert light["B09"] < 0.5 * light["B8A"]


def test_the_same_input_gives_the_same_bytes(scene: OpticalScene) -> None:
    for make in (l2a_files, l1c_files):
        assert make(scene, FLIGHT, TILE, BASELINE) == make(sentinel2_scenes.scene(), FLIGHT, TILE, BASELINE)


def test_neighbouring_tiles_share_images_and_differ_in_names(scene: OpticalScene) -> None:
    images = l2a_images(scene, BASELINE)
    (name, files), (other, shared) = (
        l2a_files(scene, FLIGHT, square, BASELINE, images) for square in (TILE, NEIGHBOUR)
    )
    assert name.replace("T31UFS", "T31UFT") == other
    renamed = {path.replace("T31UFS", "T31UFT"): content for path, content in files.items()}
    assert renamed.keys() == shared.keys()
    assert all(renamed[path] == content for path, content in shared.items() if path.endswith(".jp2"))


def test_names_follow_from_pass_and_baseline(scene: OpticalScene) -> None:
    name, files = l2a_files(scene, FLIGHT, TILE, BASELINE)
    assert name == "S2A_MSIL2A_20210603T105031_N0500_R051_T31UFS_20230925T085851.SAFE"
    granule = "GRANULE/L2A_T31UFS_A031071_20210603T105031"
    assert f"{granule}/IMG_DATA/R20m/T31UFS_20210603T105031_SCL_20m.jp2" in files
    assert f"{granule}/QI_DATA/MSK_CLDPRB_20m.jp2" in files
    assert f"{granule}/QI_DATA/MSK_SNWPRB_60m.jp2" in files
    assert "DATASTRIP/DS_S2RP_20230925T085851_S20210603T105031/MTD_DS.xml" in files


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2021, 5, 1), 500), (date(2022, 12, 5), 500), (date(2022, 12, 6), 509), (date(2024, 8, 1), 511)],
)
def test_the_season_has_the_baseline_one_downloads_today(day: date, expected: int) -> None:
    assert season_baseline(day) == expected


@given(st.datetimes(datetime(2015, 7, 4), datetime(2022, 12, 5)), st.integers(1, 300))
def test_reprocessing_comes_after_all_passes_and_in_their_order(start: datetime, days: int) -> None:
    first = start.replace(tzinfo=UTC)
    made = generation_time(first, 500)
    assert datetime(2023, 1, 1, tzinfo=UTC) < made < datetime(2024, 1, 1, tzinfo=UTC)
    assert generation_time(first + timedelta(days=days), 500) > made
    assert timedelta(hours=4) <= generation_time(first, 509) - first.replace(microsecond=0) < timedelta(hours=6)


def test_a_scene_off_the_tile_or_incomplete_is_refused(scene: OpticalScene) -> None:
    with pytest.raises(InputError, match="within tile 31UGS"):
        l2a_files(scene, FLIGHT, tile("31UGS"), BASELINE)
    with pytest.raises(InputError, match="within tile 32ULB"):
        l2a_files(scene, FLIGHT, tile("32ULB"), BASELINE)
    bands = {name: values for name, values in scene.bands.items() if name != "B8A"}
    rest = (scene.scene_class, scene.cloud_probability, scene.true_cloud, scene.true_shadow, 0.1, 2.0)
    with pytest.raises(InputError, match="lacks B8A"):
        l2a_files(OpticalScene(scene.grid, bands, *rest), FLIGHT, TILE, BASELINE)
    transposed = {**scene.bands, "B8A": scene.bands["B8A"].T}
    with pytest.raises(InputError, match="B8A"):
        l2a_files(OpticalScene(scene.grid, transposed, *rest), FLIGHT, TILE, BASELINE)


def test_a_product_appears_whole_or_not_at_all(scene: OpticalScene, tmp_path: Path) -> None:
    name, files = l2a_files(scene, FLIGHT, TILE, BASELINE)
    # A file where a folder has to be: the disk refuses half way.
    with pytest.raises(StorageError):
        write_product(tmp_path, name, {**files, "GRANULE": b"in the way"})
    assert list(tmp_path.iterdir()) == []
    written = write_product(tmp_path, name, files)
    assert {str(path.relative_to(written)): path.read_bytes() for path in written.rglob("*") if path.is_file()} == files
    with pytest.raises(InputError, match="is not empty"):
        write_product(tmp_path, name, files)
