"""Acceptance of an L1C before any executor: every row of the table of preprocessing.md 2.3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from executor_cases import TILE, make_l1c, make_old_l1c, private_copy, sen2cor, sen2cor_request

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.preprocessing.l1c_acceptance import baseline_fault, inspect_l1c, version_numbers
from s4c_lib.preprocessing.l1c_to_l2a import compute_l2a, compute_tiles, exit_code
from s4c_lib.reasons import Reason


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_l1c(tmp_path_factory.mktemp("l1c"))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_old_l1c(tmp_path_factory.mktemp("old"))


@pytest.fixture
def l1c(sound: Path, tmp_path: Path) -> Path:
    return private_copy(sound, tmp_path)


@pytest.fixture
def two_tiles(old: Path, tmp_path: Path) -> Path:
    return private_copy(old, tmp_path)


def band(product: Path, ending: str) -> Path:
    return next(product.glob(f"GRANULE/*/IMG_DATA/*{ending}.jp2"))


def test_a_sound_product_has_nothing_against_it(l1c: Path, two_tiles: Path) -> None:
    report = inspect_l1c(l1c)
    assert (report.tiles, dict(report.findings), report.warnings, report.baseline) == ((TILE,), {}, (), 301)
    old = inspect_l1c(two_tiles)
    assert (old.tiles, dict(old.findings), old.baseline) == ((TILE, "31UGS"), {}, 201)


@pytest.mark.parametrize("name", ["manifest.safe", "MTD_MSIL1C.xml"])
@pytest.mark.parametrize("damage", ["missing", "no xml"])
def test_without_manifest_or_metadata_it_is_corrupt(l1c: Path, tmp_path: Path, name: str, damage: str) -> None:
    (l1c / name).unlink()
    if damage == "no xml":
        (l1c / name).write_text("<open>")
    with pytest.raises(ProductCorruptError, match=name):
        inspect_l1c(l1c)
    result = compute_l2a(sen2cor(tmp_path), sen2cor_request(tmp_path, l1c))
    assert (result.reason, result.retryable) == (Reason.INPUT_CORRUPT, True)
    assert name in result.text


@pytest.mark.parametrize("damage", ["missing", "empty", "no image", "wrong size"])
@pytest.mark.parametrize("ending", ["_B02", "_B10"])
def test_a_bad_band_ends_its_tile_and_the_other_goes_on(two_tiles: Path, ending: str, damage: str) -> None:
    victim = next(two_tiles.glob(f"GRANULE/*_T{TILE}_*/IMG_DATA/*{ending}.jp2"))
    if damage == "wrong size":
        document = next(victim.parents[1].glob("*.xml"))
        metres = 10 if ending == "_B02" else 60
        document.write_text(
            f"<Tile><TILE_ID>{victim.parents[1].name}</TILE_ID><Size resolution='{metres}'>"
            "<NROWS>10980</NROWS><NCOLS>10980</NCOLS></Size></Tile>"
        )
    else:
        victim.unlink()
        if damage != "missing":
            victim.write_bytes(b"" if damage == "empty" else b"not a picture at all")
    report = inspect_l1c(two_tiles)
    finding = report.finding(TILE)
    assert finding is not None
    assert finding.reason is Reason.INPUT_CORRUPT
    assert (victim.name if damage != "wrong size" else "its metadata say (10980, 10980)") in finding.text
    assert report.finding("31UGS") is None


def test_a_true_colour_image_is_not_required(l1c: Path) -> None:
    for path in l1c.glob("GRANULE/*/IMG_DATA/*_TCI.jp2"):
        path.unlink()
    assert dict(inspect_l1c(l1c).findings) == {}


def black(product: Path) -> None:
    path = band(product, "_B02")
    size = path.stat().st_size
    with rasterio.open(path) as raster:
        profile, zeros = raster.profile, np.zeros(raster.shape, np.uint16)
    path.unlink()
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(zeros, 1)
    # The manifest states the size of the real image.
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))


def test_a_black_tile_is_skipped_with_a_warning_and_is_no_failure(l1c: Path, tmp_path: Path) -> None:
    black(l1c)
    (result,) = compute_tiles(sen2cor(tmp_path), sen2cor_request(tmp_path, l1c))
    assert (result.reason, result.status.value, result.retryable) == (Reason.TILE_EMPTY, "rejected", False)
    assert any("holds no data" in warning for warning in result.warnings)
    assert exit_code([result]) == 0


def test_a_tile_without_data_by_its_metadata_is_black(l1c: Path) -> None:
    metadata = l1c / "MTD_MSIL1C.xml"
    text = metadata.read_text()
    end = "</n1:Quality_Indicators_Info>"
    assert end in text
    metadata.write_text(text.replace(end, f"<NODATA_PIXEL_PERCENTAGE>100.0</NODATA_PIXEL_PERCENTAGE>{end}"))
    finding = inspect_l1c(l1c).finding(TILE)
    assert finding is not None
    assert finding.reason is Reason.TILE_EMPTY


def test_metadata_of_another_tile_are_noticed(l1c: Path) -> None:
    document = next(l1c.glob("GRANULE/*/MTD_TL.xml"))
    document.write_text(document.read_text().replace(f"_T{TILE}_N", "_T31UGS_N"))
    finding = inspect_l1c(l1c).finding(TILE)
    assert finding is not None
    assert (finding.reason, "describes tile 31UGS" in finding.text) == (Reason.INPUT_CORRUPT, True)


def test_a_granule_without_metadata_is_corrupt(l1c: Path) -> None:
    next(l1c.glob("GRANULE/*/MTD_TL.xml")).unlink()
    finding = inspect_l1c(l1c).finding(TILE)
    assert finding is not None
    assert finding.reason is Reason.INPUT_CORRUPT


def test_odd_metadata_stray_files_and_several_datastrips_only_warn(l1c: Path) -> None:
    metadata = l1c / "MTD_MSIL1C.xml"
    metadata.write_text(metadata.read_text().replace("SPACECRAFT_NAME", "CRAFT").replace(">03.01<", ">03.00<"))
    (next(l1c.glob("GRANULE/*")) / "MSK_CLOUDS_B00.gfs").write_text("x")
    (l1c / "DATASTRIP" / "DS_SECOND" / "QI_DATA").mkdir(parents=True)
    (l1c / "DATASTRIP" / "DS_SECOND" / "MTD_DS.xml").write_text("<DS/>")
    report = inspect_l1c(l1c)
    assert dict(report.findings) == {}
    for part in ("no SPACECRAFT_NAME", "baseline 300", ".gfs is unexpected", "consolidated from 2 datastrips"):
        assert any(part in warning for warning in report.warnings), (part, report.warnings)


def test_a_tile_that_is_not_there_is_missing(l1c: Path) -> None:
    finding = inspect_l1c(l1c).finding("32TQM")
    assert finding is not None
    assert finding.reason is Reason.INPUT_MISSING


def test_only_an_l1c_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Sentinel-2 L1C"):
        inspect_l1c(tmp_path / "S2A_MSIL2A_20210402T104659_N0301_R008_T31UFS_20210402T144759.SAFE")


@pytest.mark.parametrize(
    ("executor", "version", "baseline", "fits"),
    [
        ("sen2cor", "2.8.0", 204, False),
        ("sen2cor", "2.8.0", 205, True),
        ("sen2cor", "2.5.5", 204, True),
        ("sen2cor", "2.9.0", 400, False),
        ("sen2cor", "2.9.0", 301, True),
        ("sen2cor", "2.10.01", 400, True),
        ("sen2cor", "2.10.01", None, True),
        ("maja", "4.5.4", 204, True),
    ],
)
def test_rules_of_baselines(executor: str, version: str, baseline: int | None, fits: bool) -> None:
    assert (baseline_fault(executor, version, baseline) is None) is fits


def test_an_old_products_baseline_is_in_its_metadata(old: Path, tmp_path: Path) -> None:
    results = compute_tiles(sen2cor(tmp_path, version="2.8.0"), sen2cor_request(tmp_path, old))
    assert [(result.reason, result.retryable) for result in results] == [(Reason.CONFIG, False)] * 2


def test_versions_are_numbers() -> None:
    assert (version_numbers("2.10.01"), version_numbers("v4.2")) == ((2, 10, 1), (4, 2))
    with pytest.raises(InputError):
        version_numbers("latest")
