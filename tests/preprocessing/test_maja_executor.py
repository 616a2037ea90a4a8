"""MAJA as an executor, against its double: modes, every row of the table of verdicts, what is published."""

from __future__ import annotations

import re
import shutil
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from executor_cases import (
    DAY,
    TILE,
    alive,
    contents,
    maja,
    maja_request,
    make_l1c,
    make_maja_folders,
    private_copy,
)

from s4c_lib.errors import ProductCorruptError
from s4c_lib.preprocessing.executor import ExecutorResult, ExecutorStatus
from s4c_lib.preprocessing.maja import MajaOptions
from s4c_lib.preprocessing.maja_output import complete_product, is_all_no_data
from s4c_lib.readers.recognise import read_scene
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_names import product_name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_maja_folders(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product of the date before, made in init mode."""
    folder = tmp_path_factory.mktemp("previous")
    make_maja_folders(folder)
    result = maja(folder).run(maja_request(folder, make_l1c(folder, start=DAY - timedelta(days=5))))
    assert result.product_dir is not None
    return result.product_dir


def test_a_first_date_is_made_in_init_mode_and_published_whole(place: Path, l1c: Path) -> None:
    before = contents(l1c), contents(place / "gipp"), contents(place / "dem")
    result = maja(place).run(maja_request(place, l1c))
    assert (result.status, result.reason, result.retryable) == (ExecutorStatus.DONE, None, False)
    product = result.product_dir
    assert product is not None
    assert product.parent == place / "out" / "2021" / "04" / "02"
    assert [path.name for path in product.parent.iterdir()] == [product.name]
    scene = read_scene(product)
    assert (scene.tile, scene.relative_orbit, len(scene.bands)) == (TILE, 8, 10)
    names = {path.name for path in product.iterdir()}
    assert (result.cloud_pct, result.snow_pct) == (7, 0)
    assert not [name for name in names if "_SRE_" in name]
    assert len([name for name in names if "_FRE_" in name]) == 10
    assert (product / "mosaic.jpg").read_bytes() == next(product.glob("*_QKL_ALL.jpg")).read_bytes()
    assert result.log_path == product / "maja_20240102T030405Z.log"
    assert "L2INIT" in result.log_path.read_text()
    assert "NbThreads 8, coarse resolution {'240'}" in result.log_path.read_text()
    assert (contents(l1c), contents(place / "gipp"), contents(place / "dem")) == before


def test_with_a_predecessor_it_is_nominal_and_the_predecessors_logs_are_not_shown(
    place: Path, l1c: Path, previous: Path
) -> None:
    assert list(previous.glob("*.log"))
    result = maja(place).run(maja_request(place, l1c, previous_l2a=previous))
    assert result.status is ExecutorStatus.DONE
    assert result.log_path is not None
    assert "L2NOMINAL" in result.log_path.read_text()


def test_a_chain_may_start_backward_and_gives_its_first_date(place: Path, l1c: Path) -> None:
    later = tuple(make_l1c(place, start=DAY + timedelta(days=days)) for days in (5, 10))
    result = maja(place).run(maja_request(place, l1c, options=MajaOptions(following_l1c=later)))
    assert result.product_dir is not None
    assert "_20210402-" in result.product_dir.name
    assert result.log_path is not None
    assert "L2BACKWARD of ['S2A_MSIL1C_20210402" in result.log_path.read_text()


@pytest.mark.parametrize(
    ("behaviour", "reason", "status", "text"),
    [
        ("notv", Reason.NOTV, "rejected", "L2NOTV.*cloudy pixel"),
        ("cloudy", Reason.TOO_CLOUDY, "rejected", "cloudy pixel is too high"),
        ("stopped", Reason.TOO_CLOUDY, "rejected", "processing is stopped"),
        ("dark", Reason.NO_VALID_PIXEL, "rejected", "dark surface"),
        ("nodata", Reason.NO_VALID_PIXEL, "rejected", "NoData pixel"),
        ("nopixel", Reason.NO_VALID_PIXEL, "rejected", "No pixel is valid"),
        ("clouds=93.2", Reason.TOO_CLOUDY, "rejected", "93.2 % clouds"),
        (
            "error",
            Reason.EXEC_NONZERO,
            "failed",
            "exit code 135: The AOT mean is unlikely; Cannot open the lookup table; Processing aborted",
        ),
        ("silent", Reason.EXEC_NONZERO, "failed", "exit code 1: .*L2INIT of"),
        ("none", Reason.OUTPUT_INCOMPLETE, "failed", "left 0 products"),
        ("other_tile", Reason.OUTPUT_INCOMPLETE, "failed", "left 0 products of tile 31UFS"),
        ("memory", Reason.OUT_OF_MEMORY, "failed", "memory"),
        ("memory137", Reason.OUT_OF_MEMORY, "failed", "memory"),
        ("disk", Reason.OUT_OF_DISK, "failed", "No space left"),
    ],
)
def test_every_bad_end_has_its_reason(
    place: Path, l1c: Path, behaviour: str, reason: Reason, status: str, text: str
) -> None:
    result = maja(place, behaviour).run(maja_request(place, l1c))
    assert (result.reason, result.status.value) == (reason, status)
    assert result.retryable is (status == "failed")
    assert re.search(text, result.text), result.text
    assert result.product_dir is None
    # Case 9.10: 93 % clouds from MAJA end not retryable, with cloud_coverage 93.
    assert result.cloud_pct == (93 if behaviour == "clouds=93.2" else result.cloud_pct)
    assert not (place / "out").exists()
    assert result.log_path is not None
    assert result.log_path.is_file()


def test_clouds_of_version_3_2_come_from_the_report(place: Path, l1c: Path) -> None:
    result = maja(place, "report", "3.2.2").run(maja_request(place, l1c))
    assert (result.status, result.cloud_pct, result.snow_pct) == (ExecutorStatus.DONE, 41, 3)
    stopped = maja(place, "cloudy_in_report", "3.2.2").run(maja_request(place, l1c))
    assert (stopped.reason, stopped.cloud_pct) == (Reason.TOO_CLOUDY, 97)


def test_ninety_per_cent_of_clouds_are_not_too_many(place: Path, l1c: Path) -> None:
    result = maja(place, "clouds=90").run(maja_request(place, l1c))
    assert (result.status, result.cloud_pct) == (ExecutorStatus.DONE, 90)


def test_a_warning_about_one_image_does_not_lose_a_good_product(place: Path, l1c: Path) -> None:
    result = maja(place, "warns").run(maja_request(place, l1c))
    assert result.status is ExecutorStatus.DONE
    assert "No pixel is valid" in result.text


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory, l1c: Path) -> Path:
    """A product with both reflectances."""
    folder = tmp_path_factory.mktemp("complete")
    make_maja_folders(folder)
    result = maja(folder).run(maja_request(folder, l1c, options=MajaOptions(remove_sre=False)))
    assert result.product_dir is not None
    return result.product_dir


@pytest.mark.parametrize(
    "part", ["*_ATB_*", "*_FRE_*", "*_SRE_*", "*_QKL_*", "*_MTD_*", "DATA", "MASKS", "MASKS/*_EDG_*"]
)
def test_a_product_that_lacks_a_part_is_not_complete(place: Path, l1c: Path, complete: Path, part: str) -> None:
    product = private_copy(complete, place)
    name = product_name(l1c.name)
    assert complete_product(product.parent, name, TILE) == (product, "")
    for path in product.glob(part):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    found, lack = complete_product(product.parent, name, TILE)
    assert found is None
    assert "lacks" in lack


def test_a_band_that_is_cut_off_is_not_complete(place: Path, l1c: Path, complete: Path) -> None:
    product = private_copy(complete, place)
    band = next(product.glob("*_FRE_B8.tif"))
    band.write_bytes(band.read_bytes()[:-200])
    found, lack = complete_product(product.parent, product_name(l1c.name), TILE)
    assert found is None
    assert "FRE_B8.tif" in lack


def test_a_product_that_lacks_a_part_is_not_published(place: Path, l1c: Path) -> None:
    result = maja(place, "lacks=MASKS").run(maja_request(place, l1c))
    assert (result.reason, result.retryable) == (Reason.OUTPUT_INCOMPLETE, True)


def test_reflectances_that_are_removed_anyway_may_be_missing(place: Path, l1c: Path) -> None:
    result = maja(place, "lacks=FRE").run(
        maja_request(place, l1c, options=MajaOptions(remove_fre=True, remove_sre=False))
    )
    assert result.product_dir is not None
    assert list(result.product_dir.glob("*_SRE_*"))
    assert not list(result.product_dir.glob("*_FRE_*"))


@pytest.mark.parametrize("behaviour", ["black_with_cams", "notv_with_cams"])
def test_a_verdict_that_cams_may_have_caused_is_tried_once_without(place: Path, l1c: Path, behaviour: str) -> None:
    cams = make_cams(place)
    result = maja(place, behaviour).run(
        maja_request(
            place,
            l1c,
            options=MajaOptions(use_cams=True),
            auxiliary_dirs={"gipp": place / "gipp", "cams": cams},
        )
    )
    assert result.status is ExecutorStatus.DONE
    assert "run again without CAMS" in result.warnings[0]
    assert result.log_path is not None
    assert result.log_path.read_text().count("s4c: runs") == 2


def test_the_second_run_is_judged_by_what_it_says_itself(place: Path, l1c: Path) -> None:
    """The first, with CAMS, found no valid pixel; the second failed for another reason and may be tried again."""
    result = maja(place, "fails_without_cams").run(
        maja_request(
            place,
            l1c,
            options=MajaOptions(use_cams=True),
            auxiliary_dirs={"gipp": place / "gipp", "cams": make_cams(place)},
        )
    )
    assert (result.reason, result.retryable) == (Reason.EXEC_NONZERO, True)
    assert "Cannot open the lookup table" in result.text
    assert "No pixel is valid" not in result.text
    assert "no_valid_pixel" in result.warnings[0]


def test_a_sliver_of_data_is_data_and_a_cut_off_band_is_no_verdict(complete: Path, tmp_path: Path) -> None:
    product = private_copy(complete, tmp_path)
    (band,) = product.glob("*_FRE_B11.tif")
    with rasterio.open(band) as raster:
        profile = raster.profile
        values = np.full(raster.shape, -10000, raster.dtypes[0])
    band.unlink()
    with rasterio.open(band, "w", **profile) as raster:
        raster.write(values, 1)
    assert is_all_no_data(product)
    values[3, 5] = 120  # one pixel, between those that a quick look would take
    with rasterio.open(band, "w", **profile) as raster:
        raster.write(values, 1)
    assert not is_all_no_data(product)
    values[3, 5] = -10000
    with pytest.raises(ProductCorruptError, match="FRE_B11"):
        is_all_no_data(truncated(product, profile, values))


def truncated(product: Path, profile: dict[str, Any], values: Any) -> Path:
    """The product with the band written again and its last bytes lost."""
    (band,) = product.glob("*_FRE_B11.tif")
    with rasterio.open(band, "w", **profile) as raster:
        raster.write(values, 1)
    band.write_bytes(band.read_bytes()[:-200])
    return product


def make_cams(place: Path) -> Path:
    cams = place / "cams"
    for day in ("20210329T030000", "20210331T150000", "20210402T030000", "20210406T030000"):
        stem = cams / f"S2__TEST_EXO_CAMS_{day}_20210628T174612"
        stem.with_name(f"{stem.name}.DBL.DIR").mkdir(parents=True)
        stem.with_name(f"{stem.name}.DBL.DIR").joinpath("aot.nc").write_bytes(b"x")
        stem.with_name(f"{stem.name}.HDR").write_text("<E/>")
    return cams


def test_what_stays_behind_is_ended(place: Path, l1c: Path) -> None:
    result = maja(place, "orphan").run(maja_request(place, l1c))
    assert result.log_path is not None
    child = re.search(r"leaves child (\d+)", result.log_path.read_text())
    assert child is not None
    assert not alive(int(child[1]))


def test_time_up_ends_the_program_and_its_children(place: Path, l1c: Path) -> None:
    options = MajaOptions(timeout_hours=1.0 / 3600, grace_seconds=0.1)
    result = maja(place, "hang").run(maja_request(place, l1c, options=options))
    assert (result.reason, result.retryable) == (Reason.EXEC_TIMEOUT, True)
    assert result.log_path is not None
    child = re.search(r"waits, child (\d+)", result.log_path.read_text())
    assert child is not None
    assert not alive(int(child[1]))


@pytest.mark.parametrize(
    ("damage", "reason", "text"),
    [
        ("gipp/SENTINEL2/S2__TEST_GIP_CKEXTL*", Reason.AUX_MISSING, "CKEXTL neither for tile 31UFS"),
        ("gipp/SENTINEL2/S2__TEST_GIP_CKQLTL*", Reason.AUX_MISSING, "CKQLTL neither"),
        ("gipp/SENTINEL2/S2A_*L2TOCR*.DBL.DIR", Reason.AUX_MISSING, "L2TOCR.*no .DBL"),
        ("gipp/SENTINEL2/S2?_*", Reason.AUX_MISSING, "no common parameter file"),
        ("gipp/UserConfiguration", Reason.CONFIG, "no UserConfiguration"),
        ("gipp", Reason.CONFIG, "gipp-path is not a folder"),
        ("dem/*.HDR", Reason.DEM_MISSING, "no elevation model"),
        ("dem/*.DBL.DIR", Reason.DEM_MISSING, "DBL.DIR beside it"),
        ("dem/*/*_ASP_R2.TIF", Reason.DEM_MISSING, "lacks ASP_R2"),
        ("dem", Reason.CONFIG, "elevation models does not exist"),
    ],
)
def test_incomplete_auxiliary_data_are_named_before_anything_runs(
    place: Path, l1c: Path, damage: str, reason: Reason, text: str
) -> None:
    for path in place.glob(damage):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = maja(place).run(maja_request(place, l1c))
    assert (result.reason, result.log_path) == (reason, None)
    assert re.search(text, result.text), result.text


def test_all_faults_of_the_setup_are_listed_at_once(place: Path, l1c: Path) -> None:
    options = MajaOptions(remove_fre=True, remove_sre=True)
    asked = maja_request(place, l1c, options=options, auxiliary_dirs={}, elevation_dir=None)
    result = maja(place, version="latest").run(asked)
    assert (result.reason, result.retryable) == (Reason.CONFIG, False)
    for part in ("remove-fre and remove-sre", "gipp-path", "elevation", "'latest' is no version"):
        assert part in result.text


def test_a_program_that_is_not_there_is_a_fault_of_the_configuration(place: Path, l1c: Path) -> None:
    executor = maja(place)
    Path(executor.launcher.program).unlink()
    result = executor.run(maja_request(place, l1c))
    assert (result.reason, result.retryable) == (Reason.CONFIG, False)
    assert "cannot start" in result.text


def test_a_predecessor_that_is_gone_breaks_the_chain(place: Path, l1c: Path) -> None:
    result = maja(place).run(maja_request(place, l1c, previous_l2a=place / "gone"))
    assert (result.reason, result.retryable) == (Reason.CHAIN_BROKEN, True)


def test_a_dangling_link_in_an_input_is_named(place: Path, l1c: Path) -> None:
    copy = private_copy(l1c, place)
    band = next(copy.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))
    band.unlink()
    band.symlink_to("/nowhere/B03.jp2")
    result = maja(place).run(maja_request(place, copy))
    assert result.reason is Reason.INPUT_CORRUPT
    assert str(band) in result.text


def test_a_read_only_l1c_and_its_parameters_do(place: Path, l1c: Path) -> None:
    copy = private_copy(l1c, place)
    folders = [place / "gipp", place / "dem", copy]
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        result = maja(place).run(maja_request(place, copy))
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | stat.S_IRWXU)
    assert result.status is ExecutorStatus.DONE


def test_a_product_made_again_replaces_the_old_one(place: Path, l1c: Path) -> None:
    first = maja(place).run(maja_request(place, l1c))
    assert first.product_dir is not None
    (first.product_dir / "old").write_text("")
    second: ExecutorResult = maja(place).run(maja_request(place, l1c))
    assert second.product_dir == first.product_dir
    assert not (first.product_dir / "old").exists()
    assert [path.name for path in first.product_dir.parent.iterdir()] == [first.product_dir.name]


def test_parameter_files_of_the_tile_are_preferred_to_common_ones(place: Path, l1c: Path) -> None:
    folder = place / "gipp" / "SENTINEL2"
    common = next(folder.glob("*L2SITE_S_ALLSITES*"))
    own = common.with_name(common.name.replace("ALLSITES", f"{TILE}___"))
    own.write_text(common.read_text().replace("ALLSITES", f"{TILE}___"))
    common.unlink()
    assert maja(place).run(maja_request(place, l1c)).status is ExecutorStatus.DONE
