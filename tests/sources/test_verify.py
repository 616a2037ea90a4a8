from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s4c_lib.errors import ProductCorruptError
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.verify import VerifyReport, verify_product
from s4c_lib.synthetic.archive import ArchiveSummary
from s4c_lib.synthetic.archive_rasters import window_grid
from s4c_lib.synthetic.products.raster_files import jpeg2000


def verify(path: Path) -> VerifyReport:
    return verify_product(path, product_name(path.name))


def test_every_sound_product_of_every_kind_passes(made_archive: ArchiveSummary) -> None:
    kinds = set()
    for product in made_archive.products:
        report = verify(product.path)
        assert (report.tile_problems, report.warnings) == ((), ())
        assert report.size_bytes > 0
        kinds.add(product_name(product.path.name).kind.value)
    assert kinds == {
        "s2_l2a", "s2_l1c", "muscate_l2a", "s1_slc", "s1_grd", "s1_amp", "s1_cohe", "landsat_l2sp"
    }  # fmt: skip


def test_every_fault_of_the_fetch_stage_is_found_and_can_be_retried(made_archive: ArchiveSummary) -> None:
    faults = [fault for fault in made_archive.faults if fault.stage == "fetch"]
    assert len(faults) == 2
    for fault in faults:
        with pytest.raises(ProductCorruptError, match=r"B08_10m\.jp2 is (missing|empty)") as caught:
            verify(fault.path)
        assert caught.value.code == fault.code
        assert caught.value.retryable


@pytest.mark.parametrize(
    ("part", "victim"),
    [
        ("Sentinel-2/MSI/L2A", "*_SCL_20m.jp2"),
        ("Sentinel-2/MSI/L2A", "manifest.safe"),
        ("L1C/2024/03/31", "*_B10.jp2"),
        ("L1C/2024/03/31", "MTD_MSIL1C.xml"),
        ("MUSCATE", "*_FRE_B8A.tif"),
        ("MUSCATE", "*_MG2_R2.tif"),
        ("SAR/SLC", "s1*-iw2-slc-vh-*.tiff"),
        ("SAR/GRD", "calibration-*-vv-*.xml"),
        ("OLI_TIRS", "*_QA_PIXEL.TIF"),
    ],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage"])
def test_a_missing_empty_or_unreadable_file_is_named(
    product_copy: Callable[[str], Path], part: str, victim: str, damage: str
) -> None:
    product = product_copy(part)
    file = next(product.rglob(victim))
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else b"not what it should be " * 2000)
    with pytest.raises(ProductCorruptError) as caught:
        verify(product)
    hint = file.stem.split("_")[-1] if "OLI" in part or "MUSCATE" in part else file.name
    assert hint.removesuffix(".TIF") in caught.value.message
    assert "\n" not in caught.value.one_line


def test_a_jp2_shorter_than_the_manifest_says_is_refused(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("Sentinel-2/MSI/L2A")
    band = next(product.rglob("*_B03_10m.jp2"))
    band.write_bytes(band.read_bytes()[:-1000])
    with pytest.raises(ProductCorruptError, match=r"B03_10m\.jp2 has \d+ of \d+ bytes"):
        verify(product)


def test_a_cut_off_tiff_is_refused(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("SAR/L2")
    product.write_bytes(product.read_bytes()[:-2000])
    with pytest.raises(ProductCorruptError, match=product.name):
        verify(product)


def test_missing_previews_and_extra_files_are_accepted(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("L1C/2024/03/31")
    metadata = product / "MTD_MSIL1C.xml"
    written = metadata.read_text()
    image = written.split("<IMAGE_FILE>")[1].split("</IMAGE_FILE>")[0]
    preview = f"{image.rsplit('_', 1)[0]}_TCI"
    metadata.write_text(written.replace("<IMAGE_FILE>", f"<IMAGE_FILE>{preview}</IMAGE_FILE><IMAGE_FILE>", 1))
    (product / "GRANULE" / "stray.gfs").write_text("x")
    assert verify(product).tile_problems == ()


def test_a_black_tile_is_empty_but_not_corrupt(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("L1C/2024/03/31")
    band = next(product.rglob("*_B02.jp2"))
    square = tile(product.name.split("_")[5])
    black = jpeg2000(np.zeros((120, 120), dtype=np.uint16), window_grid(square, 10))
    band.write_bytes(black + b"\0" * max(0, band.stat().st_size - len(black)))
    report = verify(product)
    assert [(problem.code, problem.tile) for problem in report.tile_problems] == [
        ("tile_empty", square.tile_id.removeprefix("T"))
    ]


def test_consolidated_datastrips_are_a_warning(product_copy: Callable[[str], Path]) -> None:
    product = product_copy("L1C/2024/03/31")
    datastrip = next(product.glob("DATASTRIP/*"))
    shutil.copytree(datastrip, datastrip.with_name("DS_SECOND"))
    assert "2 datastrips" in verify(product).warnings[0]


def test_in_a_multi_tile_product_the_other_tiles_go_on(tmp_path: Path, product_copy: Callable[[str], Path]) -> None:
    product = product_copy("L1C/2024/03/31")
    old = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160209T182417_R022_V20160209T101210_20160209T101210.SAFE"
    granules = []
    for square in ("32UPU", "32UPV"):
        granule = f"S2A_OPER_MSI_L1C_TL_SGS__20160209T154030_A003318_T{square}_N02.01"
        images = old / "GRANULE" / granule / "IMG_DATA"
        images.mkdir(parents=True)
        listed = ""
        for band in product.rglob("*_B??.jp2"):
            name = f"{granule[:-7]}_{band.stem.rsplit('_', 1)[1]}"
            shutil.copy2(band, images / f"{name}.jp2")
            listed += f"<IMAGE_ID>{name}</IMAGE_ID>"
        granules.append(f'<Granules granuleIdentifier="{granule}">{listed}</Granules>')
    (old / "manifest.safe").write_text("<XFDU/>")
    (old / "S2A_OPER_MTD_SAFL1C_PDMC_20160209T182417.xml").write_text(f"<a>{''.join(granules)}</a>")
    assert verify(old).tile_problems == ()
    next(old.rglob("*T32UPU_B05.jp2")).unlink()
    problems = verify(old).tile_problems
    assert [(problem.tile, problem.code) for problem in problems] == [("32UPU", "input_corrupt")]
    next(old.rglob("*T32UPV_B05.jp2")).unlink()
    with pytest.raises(ProductCorruptError, match="T32UPU_B05"):
        verify(old)


def test_a_zip_with_one_flipped_byte_fails_its_crc(product_copy: Callable[[str], Path]) -> None:
    product = product_copy(".SAFE.zip")
    with zipfile.ZipFile(product) as archive:
        info = next(item for item in archive.infolist() if item.filename.endswith("_B04.jp2"))
    content = bytearray(product.read_bytes())
    content[info.header_offset + 2000] ^= 0xFF
    product.write_bytes(content)
    with pytest.raises(ProductCorruptError, match=r"_B04\.jp2"):
        verify(product)


def test_the_real_excerpts_are_incomplete_and_say_what_lacks(real_data: Path) -> None:
    for product in sorted((real_data / "sentinel1_safe").glob("*.SAFE")):
        with pytest.raises(ProductCorruptError, match=r"annotation.*is missing"):
            verify(product)
