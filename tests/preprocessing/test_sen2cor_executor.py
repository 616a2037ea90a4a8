"""Sen2Cor as an executor, against its double: resolutions, existing products, tiles, the rule of clear pixels."""

from __future__ import annotations

import re
import shutil
import stat
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from executor_cases import (
    TILE,
    contents,
    make_l1c,
    make_old_l1c,
    make_sen2cor_folders,
    private_copy,
    sen2cor,
    sen2cor_calls,
    sen2cor_request,
)

from s4c_lib.errors import InputError, ProductCorruptError
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.l1c_to_l2a import compute_l2a, compute_tiles, exit_code
from s4c_lib.preprocessing.sen2cor_output import faults_of, resolutions_present, resolutions_to_run
from s4c_lib.preprocessing.sen2cor_previews import add_previews
from s4c_lib.preprocessing.sen2cor_settings import Sen2CorOptions, esa_cci_maps
from s4c_lib.readers.recognise import read_scene
from s4c_lib.reasons import Reason

TWENTY = Sen2CorOptions(resolutions=(20,))


@pytest.fixture(scope="module")
def old_l1c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_old_l1c(tmp_path_factory.mktemp("old"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_sen2cor_folders(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, l1c: Path) -> Path:
    """All three resolutions; read only."""
    folder = tmp_path_factory.mktemp("finished")
    make_sen2cor_folders(folder)
    result = sen2cor(folder).run(sen2cor_request(folder, l1c))
    assert result.product_dir is not None
    assert sen2cor_calls(folder) == ["60", "20", "10"]
    return result.product_dir


def existing(place: Path, product: Path) -> Path:
    target = sen2cor_request(place, place).output_dir / product.name
    shutil.copytree(product, target)
    return target


def test_a_fresh_product_gets_60_20_and_10_m(finished: Path, l1c: Path) -> None:
    """Case 9.12: a call without resolution runs 60, 20, 10."""
    assert re.fullmatch(r"S2A_MSIL2A_20210402T104659_N9999_R008_T31UFS_\w+\.SAFE", finished.name)
    assert resolutions_present(finished, TILE) == (60, 20, 10)
    assert len(read_scene(finished).bands) == 10
    assert [path.name for path in finished.parent.iterdir()] == [finished.name]
    assert (finished / "mosaic.jpg").read_bytes()[:2] == b"\xff\xd8"
    previews = sorted(path.name.split("_", 2)[2] for path in finished.rglob("GRANULE/**/*.jpg"))
    assert previews == ["PVI.jpg", "TCI_10m.jpg"]
    log = (finished / "sen2cor_20240102T030405Z.log").read_text()
    assert log.count("terminated successfully") == 3


def test_a_second_call_computes_nothing_and_says_so(place: Path, l1c: Path, finished: Path) -> None:
    product = existing(place, finished)
    before = contents(product)
    result = sen2cor(place).run(sen2cor_request(place, l1c))
    assert (result.status, result.product_dir) == (ExecutorStatus.DONE, product)
    assert "60 m, 20 m, 10 m of" in result.text
    assert "nothing is computed" in result.text
    assert (sen2cor_calls(place), contents(product)) == ([], before)
    assert (result.cloud_pct, result.nodata_pct) == (12.25, 1.5)


def test_ten_metres_need_twenty(place: Path, l1c: Path) -> None:
    ten = sen2cor_request(place, l1c, options=Sen2CorOptions(resolutions=(10,)))
    result = sen2cor(place).run(ten)
    assert result.status is ExecutorStatus.DONE, result.text
    assert sen2cor_calls(place) == ["20", "10"]


def test_ten_metres_reuse_twenty(place: Path, l1c: Path, finished: Path) -> None:
    product = existing(place, finished)
    shutil.rmtree(next(product.glob("GRANULE/*/IMG_DATA/R10m")))
    twenty = contents(next(product.glob("GRANULE/*/IMG_DATA/R20m")))
    result = sen2cor(place).run(sen2cor_request(place, l1c, options=Sen2CorOptions(resolutions=(10,))))
    assert (result.status, sen2cor_calls(place)) == (ExecutorStatus.DONE, ["10"])
    assert contents(next(product.glob("GRANULE/*/IMG_DATA/R20m"))) == twenty
    assert resolutions_present(product, TILE) == (60, 20, 10)


def test_a_failure_leaves_the_existing_product_as_it_was(place: Path, l1c: Path, finished: Path) -> None:
    product = existing(place, finished)
    shutil.rmtree(next(product.glob("GRANULE/*/IMG_DATA/R60m")))
    before = contents(product)
    result = sen2cor(place, "error").run(sen2cor_request(place, l1c))
    assert result.reason is Reason.EXEC_NONZERO
    assert contents(product) == before


def test_only_a_deleted_granule_is_rebuilt(place: Path, old_l1c: Path) -> None:
    executor = sen2cor(place, version="2.5.5")
    asked = sen2cor_request(place, old_l1c, options=TWENTY)
    results = compute_tiles(executor, asked)
    assert [result.status.value for result in results] == ["done", "done"]
    assert sen2cor_calls(place) == ["20", "20"]
    product = results[0].product_dir
    assert product is not None
    assert product == results[1].product_dir
    assert product.name == old_l1c.name.replace("_OPER_PRD_MSIL1C_", "_USER_PRD_MSIL2A_")
    kept, deleted = sorted((product / "GRANULE").iterdir())
    before = contents(kept)
    shutil.rmtree(deleted)
    again = compute_tiles(executor, asked)
    assert exit_code(again) == 0
    assert sen2cor_calls(place) == ["20"]
    assert contents(kept) == before
    assert deleted.is_dir()


def test_a_bad_tile_ends_alone(place: Path, old_l1c: Path) -> None:
    """Case 9.12: two tiles, the first without a band: the second is made, the exit code is above 0."""
    copy = private_copy(old_l1c, place)
    next(copy.glob("GRANULE/*_T31UFS_*/IMG_DATA/*_B05.jp2")).unlink()
    first, second = compute_tiles(sen2cor(place, version="2.5.5"), sen2cor_request(place, copy, options=TWENTY))
    assert (first.reason, first.status) == (Reason.INPUT_CORRUPT, ExecutorStatus.FAILED)
    assert "B05" in first.text
    assert second.status is ExecutorStatus.DONE
    assert exit_code((first, second)) > 0
    assert not (place / "work" / "north" / "12_31UFS_1").exists()


def test_a_read_only_l1c_is_not_changed(place: Path, l1c: Path) -> None:
    """Case 9.12: L1C with mode 0555, and a program that tries to write into it."""
    copy = private_copy(l1c, place)
    paths = [copy, *copy.rglob("*")]
    before = contents(copy)
    for path in paths:
        path.chmod(0o555)
    try:
        asked = sen2cor_request(place, copy, options=TWENTY)
        result = compute_l2a(sen2cor(place, "writes_beside_input"), asked)
        assert result.status is ExecutorStatus.DONE, result.text
        assert contents(copy) == before
        assert result.product_dir is not None
        assert all(path.stat().st_mode & stat.S_IWUSR for path in result.product_dir.rglob("*"))
    finally:
        for path in paths:
            path.chmod(0o755)


def test_an_archive_is_processed_and_cleaned_up(place: Path, l1c: Path) -> None:
    archive = place / f"{l1c.name}.zip"
    with zipfile.ZipFile(archive, "w") as writing:
        for path in sorted(l1c.rglob("*")):
            if path.is_file():
                writing.write(path, path.relative_to(l1c.parent))
    result = compute_l2a(sen2cor(place), sen2cor_request(place, archive, options=TWENTY))
    assert result.status is ExecutorStatus.DONE, result.text
    assert list((place / "work" / "north").iterdir()) == []


@pytest.mark.parametrize(
    ("behaviour", "reason", "status", "text"),
    [
        ("error", Reason.EXEC_NONZERO, "failed", r"^\[ERROR\] L2A_Tables: atmospheric lookup table cannot be read$"),
        ("silent", Reason.EXEC_NONZERO, "failed", "Sen2Cor"),
        ("lacks=B8A", Reason.OUTPUT_INCOMPLETE, "failed", "lacks B8A of tile 31UFS at 20 m: .*successfully"),
        ("no_shares", Reason.OUTPUT_INCOMPLETE, "failed", "PERCENTAGE"),
        ("two", Reason.OUTPUT_INCOMPLETE, "failed", "left 2 products"),
        ("none", Reason.OUTPUT_INCOMPLETE, "failed", "left 0 products"),
        ("memory", Reason.OUT_OF_MEMORY, "failed", "memory"),
        ("disk", Reason.OUT_OF_DISK, "failed", "No space left"),
        ("shares=80,50,0,1,3,0", Reason.NO_VALID_PIXEL, "rejected", "^9.2 % clear pixels, fewer than 10 %$"),
        ("new_names=80,50,0,1,3,0", Reason.NO_VALID_PIXEL, "rejected", "9.2 %"),
        ("shares=0,93,0,0,0,0", Reason.TOO_CLOUDY, "rejected", "93 % clouds"),
    ],
)
def test_every_bad_end_has_its_reason(
    place: Path, l1c: Path, behaviour: str, reason: Reason, status: str, text: str
) -> None:
    result = sen2cor(place, behaviour).run(sen2cor_request(place, l1c, options=TWENTY))
    assert (result.reason, result.status.value) == (reason, status)
    assert result.retryable is (status == "failed")
    assert re.search(text, result.text), result.text
    assert result.product_dir is None
    assert not (place / "out").exists()
    assert result.log_path is not None


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2", "lacks SCL of tile 31UFS at 20 m"),
        ("GRANULE/*/IMG_DATA/R60m/*_B09_60m.jp2", "lacks B09 of tile 31UFS at 60 m"),
        ("MTD_MSIL2A.xml", "has no MTD_MSIL2A.xml"),
        ("GRANULE/*", "lacks B01, B02"),
    ],
)
def test_what_makes_a_product_complete(place: Path, finished: Path, part: str, text: str) -> None:
    product = private_copy(finished, place)
    assert faults_of(product, TILE, (60, 20, 10)) == ""
    for path in product.glob(part):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert text in faults_of(product, TILE, (60, 20, 10))


def test_a_layer_that_is_no_image_is_named(place: Path, finished: Path) -> None:
    product = private_copy(finished, place)
    next(product.rglob("*_B04_10m.jp2")).write_bytes(b"no image")
    assert "B04_10m.jp2" in faults_of(product, TILE, (60, 20, 10))


def test_a_failure_is_told_by_the_run_that_failed(place: Path, l1c: Path) -> None:
    result = sen2cor(place, "fails_at=20").run(sen2cor_request(place, l1c))
    assert (result.reason, result.retryable) == (Reason.EXEC_NONZERO, True)
    assert result.text == "[ERROR] L2A_Tables: atmospheric lookup table cannot be read"


def test_a_damaged_preview_is_a_corrupt_product(finished: Path, tmp_path: Path) -> None:
    product = private_copy(finished, tmp_path)
    preview = next(product.glob("GRANULE/*/QI_DATA/*PVI*.jp2"))
    preview.write_bytes(preview.read_bytes()[:400])
    with pytest.raises(ProductCorruptError, match="PVI"):
        add_previews(product, TILE)


def test_time_up(place: Path, l1c: Path) -> None:
    options = Sen2CorOptions(timeout_hours=0.6 / 3600, grace_seconds=0.1)
    began = time.monotonic()
    result = sen2cor(place, "hang").run(sen2cor_request(place, l1c, options=options))
    assert time.monotonic() - began >= 0.6
    assert (result.reason, result.retryable) == (Reason.EXEC_TIMEOUT, True)


def test_clear_enough_is_accepted_and_the_shares_are_told(place: Path, l1c: Path) -> None:
    """Case 9.4, first half."""
    result = sen2cor(place, "shares=40,30,0,2,8,0").run(sen2cor_request(place, l1c, options=TWENTY))
    assert result.status is ExecutorStatus.DONE
    assert (result.valid_pct, result.cloud_pct, result.nodata_pct) == (36.0, 30, 40)


def test_the_limits_themselves_are_accepted(place: Path, l1c: Path) -> None:
    """Rejected are more than 90 % clouds and fewer than 10 % clear pixels."""
    result = sen2cor(place, "shares=0,90,0,0,0,0").run(sen2cor_request(place, l1c, options=TWENTY))
    assert (result.status, result.cloud_pct, result.valid_pct) == (ExecutorStatus.DONE, 90, 10)


def test_a_product_without_preview_is_accepted_with_a_warning(place: Path, l1c: Path) -> None:
    result = sen2cor(place, "no_preview").run(sen2cor_request(place, l1c, options=TWENTY))
    assert result.status is ExecutorStatus.DONE
    assert "no preview" in result.warnings[0]


def test_the_log_of_a_failure_outlives_the_work_folder(place: Path, l1c: Path) -> None:
    result = compute_l2a(sen2cor(place, "error"), sen2cor_request(place, l1c))
    assert result.log_path == place / "work" / "north" / "logs" / "12_31UFS_1_31UFS_sen2cor_20240102T030405Z.log"
    assert "lookup table" in result.log_path.read_text()
    assert not (place / "work" / "north" / "12_31UFS_1").exists()


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2.10.1", "ESACCI-LC-L4-Snow-Cond-500m-MONTHLY-2000-2012-v2.4"),
        ("2.9.0", "ESACCI-LC-L4-Snow-Cond-500m-P13Y7D-2000-2012-v2.0"),
        ("2.10.1", "ESACCI-LC-L4-WB-Map-150m-P13Y-2000-v4.0.tif"),
        ("2.10.1", "ESACCI-LC-L4-LCCS-Map-300m-P1Y-2015-v2.0.7.tif"),
        ("2.10.1", "L2A_GIPP.xml"),
    ],
)
def test_missing_auxiliary_data_are_named(place: Path, l1c: Path, version: str, missing: str) -> None:
    path = place / "gipp" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = sen2cor(place, version=version).run(sen2cor_request(place, l1c))
    assert (result.reason, result.retryable, result.log_path) == (Reason.AUX_MISSING, True, None)
    assert missing in result.text


@pytest.mark.parametrize(("version", "monthly"), [((2, 9, 2), False), ((2, 10), True), ((2, 10, 1), True)])
def test_snow_conditions_are_monthly_from_2_10_on(place: Path, version: tuple[int, ...], monthly: bool) -> None:
    assert ("MONTHLY" in esa_cci_maps(place / "gipp", version)[2].name) is monthly


def test_an_empty_folder_of_elevation_is_an_error_none_is_not(place: Path, l1c: Path) -> None:
    empty = place / "empty"
    empty.mkdir()
    result = sen2cor(place).run(sen2cor_request(place, l1c, elevation_dir=empty))
    assert result.reason is Reason.DEM_MISSING
    asked = sen2cor_request(place, l1c, elevation_dir=None, options=TWENTY)
    assert sen2cor(place, "none").run(asked).reason is Reason.OUTPUT_INCOMPLETE  # it ran


def test_settings_keep_all_but_what_the_run_needs(place: Path, l1c: Path) -> None:
    asked = sen2cor_request(place, l1c, options=TWENTY)
    shutil.rmtree(place / "gipp" / "ESACCI-LC-L4-Snow-Cond-500m-P13Y7D-2000-2012-v2.0")  # of other versions
    before = contents(place / "gipp")
    sen2cor(place, "none").run(asked)
    settings = asked.work_dir / "sen2cor" / "settings" / "L2A_GIPP.xml"
    called = (place / "bin" / "calls.txt").read_text()
    assert f"--GIP_L2A {settings}" in called
    assert f"--GIP_L2A_SC {place / 'gipp' / 'L2A_CAL_SC_GIPP.xml'}" in called
    adapted = settings.read_text()
    assert "<!-- kept -->" in adapted
    assert ElementTree.fromstring(adapted).findtext(".//DEM_Directory") == str(place / "dem")
    assert contents(place / "gipp") == before


@pytest.mark.parametrize(
    ("version", "baseline", "accepted"),
    [("2.8.0", 204, False), ("2.5.5", 204, True), ("2.9.0", 400, False), ("2.10.1", 400, True), ("2.12.3", 511, True)],
)
def test_versions_and_baselines_that_do_not_fit(
    tmp_path: Path, place: Path, version: str, baseline: int, accepted: bool
) -> None:
    product = make_l1c(tmp_path / "l1c", baseline=baseline)
    result = sen2cor(place, "none", version).run(sen2cor_request(place, product))
    assert result.reason is (Reason.OUTPUT_INCOMPLETE if accepted else Reason.CONFIG)
    assert result.retryable is accepted


def test_several_products_of_one_l1c_are_not_chosen_from(place: Path, l1c: Path, finished: Path) -> None:
    product = existing(place, finished)
    shutil.copytree(product, product.with_name(product.name.replace("20240101T120000", "20240101T130000")))
    result = sen2cor(place).run(sen2cor_request(place, l1c))
    assert (result.reason, sen2cor_calls(place)) == (Reason.OUTPUT_INCOMPLETE, [])


@pytest.mark.parametrize(
    ("wanted", "present", "to_run"),
    [
        ((), (), (60, 20, 10)),
        ((), (60, 20, 10), ()),
        ((), (20,), (60, 10)),
        ((10,), (), (20, 10)),
        ((10,), (20,), (10,)),
        ((10,), (10, 20), ()),
        ((10,), (10,), ()),
        ((60,), (20, 10), (60,)),
        ((10, 60), (), (60, 20, 10)),
    ],
)
def test_resolutions_in_order(wanted: tuple[int, ...], present: tuple[int, ...], to_run: tuple[int, ...]) -> None:
    assert resolutions_to_run(wanted, present) == to_run


def test_an_unknown_resolution_is_refused() -> None:
    with pytest.raises(InputError, match="30"):
        Sen2CorOptions(resolutions=(30,))
