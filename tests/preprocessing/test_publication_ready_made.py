"""Ready-made products: what is wrong with one is a reason on it, and nothing is left half done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import delivered_products as delivered
import numpy as np
import pytest

from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.publish import PublishOptions
from s4c_lib.preprocessing.ready_made import ReadyMade, muscate_l2a_name, prepare_ready_made
from s4c_lib.readers.recognise import read_scene
from s4c_lib.reasons import Reason
from s4c_lib.synthetic.products.raster_files import geotiff, jpeg2000

SMALL = dataclasses.replace(delivered.GRID, rows=240, columns=180)
OPTIONS = PublishOptions(keep_bands=("b02", "b03", "b04", "b8a"))


def prepared(product: Path, folder: Path, options: PublishOptions = OPTIONS) -> ReadyMade:
    return prepare_ready_made(product, folder, options)


def of_small(make: Callable[..., Path], folder: Path) -> Path:
    return make(folder, delivered.scene(grid=SMALL))


@pytest.mark.parametrize("make", [delivered.safe, delivered.muscate])
def test_folder_and_archive_give_the_same_product(tmp_path: Path, make: Callable[..., Path]) -> None:
    product = of_small(make, tmp_path / "source")
    from_folder = prepared(product, tmp_path / "folder")
    from_archive = prepared(delivered.zipped(product), tmp_path / "archive")
    assert (from_folder.status, from_archive.status) == (ExecutorStatus.DONE, ExecutorStatus.DONE)
    assert from_folder.product is not None
    assert from_archive.product is not None
    rasters = [file for file in from_folder.product.files if file[0].endswith(".tif")]
    assert rasters == [file for file in from_archive.product.files if file[0].endswith(".tif")]
    assert [path.name for path in (tmp_path / "archive").iterdir()] == [from_archive.product.name]
    again = prepared(delivered.zipped(product), tmp_path / "archive")
    assert again.product is not None
    assert again.product.reused


def test_cloudy_products_are_published(tmp_path: Path) -> None:
    """The limits on clouds are for L2A computed here (decision on open point 3)."""
    shown = delivered.scene(grid=SMALL)
    cloudy = dataclasses.replace(shown, scene_class=np.full_like(shown.scene_class, 9))
    outcome = prepared(delivered.safe(tmp_path / "source", cloudy), tmp_path / "l2a")
    assert outcome.status is ExecutorStatus.DONE
    assert outcome.product is not None
    assert (outcome.product.percentages["cloud"], outcome.product.percentages["valid"]) == (100, 0)


def test_theia_names_follow_the_l1c(tmp_path: Path) -> None:
    product = of_small(delivered.muscate, tmp_path / "source")
    unnamed = prepared(product, tmp_path / "unnamed")
    assert unnamed.product is not None
    assert unnamed.product.name == product.name
    assert "names no L1C product" in unnamed.warnings[0]
    inputs = (
        "<Products_List><Inputs><PRODUCT_ID>S2B_MSIL1C_20220603T105031_N0400_R051_T31UFS_20220603T130000.SAFE"
        "</PRODUCT_ID></Inputs></Products_List>"
    )
    metadata = delivered.file_of(product, "_MTD_ALL.xml")
    delivered.edited(metadata, lambda text: text[: text.rindex("</")] + inputs + text[text.rindex("</") :])
    outcome = prepared(product, tmp_path / "named")
    assert outcome.product is not None, outcome.text
    assert outcome.product.name == "S2B_MSIL2A_20220603T105031_N0400_R051_T31UFS_20220603T130000"
    scene = read_scene(outcome.product.folder)
    assert (scene.name, scene.kind) == (outcome.product.name, "muscate_l2a")
    assert muscate_l2a_name(b"<a><PRODUCT_ID>S2B_MSIL2A_x</PRODUCT_ID></a>", "x") is None


def _cut_jp2(product: Path) -> None:
    delivered.cut_off(delivered.file_of(product, "_B03_10m.jp2"))


def _replaced(product: Path, ending: str, content: bytes) -> None:
    """Put another image in place, and its size into the manifest: only its pixels tell."""
    file, manifest = delivered.file_of(product, ending), product / "manifest.safe"
    at = manifest.read_text("utf-8").index(file.name)
    size = f'size="{file.stat().st_size}"'

    def changed(text: str) -> str:
        start = text.rindex(size, 0, at)
        return f'{text[:start]}size="{len(content)}"{text[start + len(size) :]}'

    delivered.edited(manifest, changed)
    file.write_bytes(content)


def _cut_jp2_and_manifest(product: Path) -> None:
    content = delivered.file_of(product, "_B03_10m.jp2").read_bytes()
    _replaced(product, "_B03_10m.jp2", content[: len(content) * 6 // 10])


def _missing_band(product: Path) -> None:
    delivered.file_of(product, "_B8A_20m.jp2").unlink()


def _missing_mask(product: Path) -> None:
    delivered.file_of(product, "_SCL_20m.jp2").unlink()


def _wrong_size(product: Path) -> None:
    small = PixelGrid(SMALL.epsg, SMALL.west, SMALL.north, 10, 200, 180)
    _replaced(product, "_B04_10m.jp2", jpeg2000(np.full(small.shape, 900, np.uint16), small))


def _another_tile(product: Path) -> None:
    file = delivered.file_of(product, "MTD_TL.xml")
    delivered.edited(file, lambda text: text.replace("T31UFS", "T31UFT").replace("652320", "600000"))


def _black(product: Path) -> None:
    metadata = product / "MTD_MSIL2A.xml"
    start, end = "<NODATA_PIXEL_PERCENTAGE>", "</NODATA_PIXEL_PERCENTAGE>"

    def black(text: str) -> str:
        return text[: text.index(start)] + start + "100.0" + text[text.index(end) :]

    delivered.edited(metadata, black)


def _black_pixels(product: Path) -> None:
    for band in ("B02_10m", "B03_10m", "B04_10m", "B8A_20m"):
        grid = SMALL.resized(int(band[-3:-1]))
        _replaced(product, f"_{band}.jp2", jpeg2000(np.zeros(grid.shape, np.uint16), grid))


@pytest.mark.parametrize(
    ("fault", "reason", "retryable"),
    [
        (_cut_jp2, Reason.INPUT_CORRUPT, True),
        (_cut_jp2_and_manifest, Reason.INPUT_CORRUPT, True),
        (_missing_band, Reason.INPUT_CORRUPT, True),
        (_missing_mask, Reason.INPUT_CORRUPT, True),
        (_wrong_size, Reason.INPUT_CORRUPT, True),
        (_another_tile, Reason.INPUT_CORRUPT, True),
        (_black, Reason.TILE_EMPTY, False),
        (_black_pixels, Reason.NO_VALID_PIXEL, False),
    ],
)
def test_bad_input_has_a_reason(tmp_path: Path, fault: Callable[[Path], None], reason: Reason, retryable: bool) -> None:
    product = of_small(delivered.safe, tmp_path / "source")
    fault(product)
    outcome = prepared(product, tmp_path / "l2a")
    assert (outcome.reason, outcome.retryable, outcome.product) == (reason, retryable, None), outcome.text
    assert outcome.status is (ExecutorStatus.FAILED if retryable else ExecutorStatus.REJECTED)
    assert outcome.text
    assert not (tmp_path / "l2a").exists() or list((tmp_path / "l2a").iterdir()) == []


def test_missing_and_unknown_products(tmp_path: Path) -> None:
    name = "S2B_MSIL2A_20220603T105031_N0510_R051_T31UFS_20220603T130000.SAFE"
    missing = prepared(tmp_path / name, tmp_path / "l2a")
    assert (missing.reason, missing.retryable) == (Reason.INPUT_MISSING, True)
    (tmp_path / "product").mkdir()
    unknown = prepared(tmp_path / "product", tmp_path / "l2a")
    assert (unknown.reason, unknown.retryable) == (Reason.CONFIG, False)
    (tmp_path / f"{name}.zip").write_bytes(b"PK\x03\x04 not an archive")
    assert prepared(tmp_path / f"{name}.zip", tmp_path / "l2a").reason is Reason.INPUT_CORRUPT


def test_without_cog_products_stay_where_they_are(tmp_path: Path) -> None:
    product = of_small(delivered.safe, tmp_path / "source")
    options = dataclasses.replace(OPTIONS, cog=False)
    outcome = prepared(product, tmp_path / "l2a", options)
    assert outcome.product is not None, outcome.text
    assert outcome.product.folder == product
    assert outcome.product.percentages["nodata"] == pytest.approx(100 * 17 / 120, abs=0.01)
    assert not (tmp_path / "l2a").exists()
    _cut_jp2_and_manifest(product)
    assert prepared(product, tmp_path / "l2a", options).reason is Reason.INPUT_CORRUPT


def test_landsat_is_used_as_it_comes(tmp_path: Path) -> None:
    name = "LC09_L2SP_198024_20220605_20220607_02_T1"
    product = tmp_path / name
    product.mkdir()
    grid = PixelGrid(32631, 600_000, 5_700_000, 30, 90, 120)
    rng = np.random.default_rng(1)
    qa = np.full(grid.shape, 21824, np.uint16)
    qa[:9] = 1
    qa[9:18] = 22280
    for band in range(1, 8):
        values = rng.integers(8000, 20000, grid.shape).astype(np.uint16)
        values[:9] = 0
        (product / f"{name}_SR_B{band}.TIF").write_bytes(geotiff(values, grid))
    (product / f"{name}_QA_PIXEL.TIF").write_bytes(geotiff(qa, grid))
    (product / f"{name}_QA_RADSAT.TIF").write_bytes(geotiff(np.zeros(grid.shape, np.uint16), grid))
    keys = {
        "LANDSAT_PRODUCT_ID": name,
        "SPACECRAFT_ID": "LANDSAT_9",
        "PROCESSING_LEVEL": "L2SP",
        "DATE_ACQUIRED": "2022-06-05",
        "SCENE_CENTER_TIME": "10:32:11.1234560Z",
        "WRS_PATH": "198",
        "WRS_ROW": "24",
        "UTM_ZONE": "31",
        "SUN_AZIMUTH": "150.2",
        "SUN_ELEVATION": "58.1",
        "REFLECTIVE_LINES": str(grid.rows),
        "REFLECTIVE_SAMPLES": str(grid.columns),
        "GRID_CELL_SIZE_REFLECTIVE": "30.00",
        "CORNER_UL_PROJECTION_X_PRODUCT": str(grid.west + 15),
        "CORNER_UL_PROJECTION_Y_PRODUCT": str(grid.north - 15),
        "CLOUD_COVER": "10.0",
        **{f"FILE_NAME_BAND_{band}": f"{name}_SR_B{band}.TIF" for band in range(1, 8)},
        **{f"REFLECTANCE_MULT_BAND_{band}": "2.75e-05" for band in range(1, 8)},
        **{f"REFLECTANCE_ADD_BAND_{band}": "-0.2" for band in range(1, 8)},
    }
    lines = [f"  {key} = {value!r}".replace("'", '"') for key, value in keys.items()]
    text = "\n".join(["GROUP = LANDSAT_METADATA_FILE", *lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])
    (product / f"{name}_MTL.txt").write_text(text)
    outcome = prepared(product, tmp_path / "l2a", PublishOptions())
    assert outcome.product is not None, outcome.text
    assert outcome.product.folder == product
    assert outcome.product.percentages["nodata"] == pytest.approx(10)
    assert outcome.product.percentages["cloud"] == pytest.approx(10)
    delivered.cut_off(product / f"{name}_SR_B4.TIF")
    assert prepared(product, tmp_path / "l2a", PublishOptions()).reason is Reason.INPUT_CORRUPT
