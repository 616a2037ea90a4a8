"""What native-grd cannot make, and the reason it gives: bad input, missing auxiliaries, set-up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s4c_lib.errors import LeaseLostError
from s4c_lib.preprocessing.executor import ExecutorStatus
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarOptions
from s4c_lib.preprocessing.radar.native_grd import NativeGrdExecutor
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind
from tests.preprocessing.elevation.elevation_cases import copernicus_cell, hills, write_raster
from tests.preprocessing.radar.grd_cases import Desk, grid_around, pixels, scene_of
from tests.preprocessing.radar.synthetic_grd import Scene, uniform, write_grd

LEVEL = 0.05
SCENE = Scene(polarisations=("VV", "VH"), lines=600, samples=700)


@pytest.fixture(scope="module")
def elevation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glo30")
    copernicus_cell(folder, 42, 12, hills, rows=360)
    return folder


@pytest.fixture
def desk(elevation: Path, tmp_path: Path) -> Desk:
    return Desk(elevation, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grd(tmp_path_factory.mktemp("whole"), SCENE, uniform(LEVEL))


def damaged(whole: Path, folder: Path, pattern: str, change: Callable[[Path], object]) -> Path:
    """A copy with something done to the files of a pattern."""
    safe = Path(shutil.copytree(whole, folder / whole.name))
    files = sorted(safe.rglob(pattern))
    assert files
    for file in files:
        change(file)
    return safe


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "change", "named"),
    [
        ("*-vv-*.tiff", halved, "s1a-iw-grd-vv"),
        ("*-vv-*.tiff", emptied, "s1a-iw-grd-vv"),
        ("*-vv-*.tiff", Path.unlink, "lacks the measurement file of IW VV"),
        ("calibration-*-vv-*", Path.unlink, "lacks the calibration file of IW VV"),
        ("calibration-*-vv-*", halved, "calibration-s1a-iw-grd-vv"),
        ("noise-*-vv-*", Path.unlink, "lacks the noise file of IW VV"),
        ("noise-*-vv-*", emptied, "noise-s1a-iw-grd-vv"),
        ("annotation/s1a-*-vv-*", halved, "s1a-iw-grd-vv"),
        ("annotation/s1a-*-vv-*", Path.unlink, "lacks the annotation file of IW VV"),
        ("manifest.safe", Path.unlink, "manifest.safe is missing"),
        ("manifest.safe", halved, "manifest.safe"),
    ],
)
def test_a_damaged_product_is_input_corrupt_and_names_the_file(
    desk: Desk, whole: Path, pattern: str, change: Callable[[Path], object], named: str
) -> None:
    result = desk.run(damaged(whole, desk.folder, pattern, change))
    assert result.status is ExecutorStatus.FAILED
    assert result.reason is Reason.INPUT_CORRUPT
    assert result.retryable
    assert named in result.text
    assert not (desk.folder / "out").exists()


def test_a_truncated_measurement_is_found_wherever_it_is_cut(desk: Desk, whole: Path) -> None:
    def cut(file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-1000])

    result = desk.run(damaged(whole, desk.folder, "*-vv-*.tiff", cut), grid=grid_around(SCENE, size=400))
    assert result.reason is Reason.INPUT_CORRUPT


def test_a_measurement_of_another_size_than_annotated_is_refused(desk: Desk, whole: Path) -> None:
    def shorter(file: Path) -> None:
        file.write_text(file.read_text().replace("<numberOfLines>600<", "<numberOfLines>599<"))

    result = desk.run(damaged(whole, desk.folder, "annotation/s1a-*-vv-*", shorter))
    assert result.reason is Reason.INPUT_CORRUPT
    assert "its annotation says 599 x 700" in result.text


def test_noise_is_not_asked_for_where_it_is_not_subtracted(desk: Desk, whole: Path) -> None:
    safe = damaged(whole, desk.folder, "noise-*", Path.unlink)
    assert desk.run(safe, remove_noise=False).status is ExecutorStatus.DONE


def test_a_missing_polarisation_is_left_out_with_a_warning(desk: Desk, whole: Path) -> None:
    safe = damaged(whole, desk.folder, "*-vh-*", Path.unlink)
    result = desk.run(safe, polarisations=("VV", "VH"))
    assert result.status is ExecutorStatus.DONE
    assert [raster.polarisation for raster in result.rasters] == ["VV"]
    assert any("no image of VH" in warning for warning in result.warnings)


def test_with_no_wanted_polarisation_left_it_is_input_corrupt(desk: Desk, whole: Path) -> None:
    result = desk.run(damaged(whole, desk.folder, "*-vh-*", Path.unlink), polarisations=("VH",))
    assert (result.status, result.reason) == (ExecutorStatus.FAILED, Reason.INPUT_CORRUPT)
    assert "no image of VH" in result.text


def test_a_product_that_is_gone_is_input_missing(desk: Desk, whole: Path) -> None:
    assert desk.run(desk.folder / whole.name).reason is Reason.INPUT_MISSING


def test_a_required_orbit_file_that_is_absent_is_aux_missing(desk: Desk, whole: Path) -> None:
    (desk.folder / "orbits").mkdir()
    result = desk.run(whole, require_orbit=True, orbit_path=desk.folder / "orbits")
    assert (result.status, result.reason, result.retryable) == (ExecutorStatus.FAILED, Reason.AUX_MISSING, True)
    assert "POEORB" in result.text
    given = desk.run(scene_of(whole, desk.folder / "orbits" / "none.EOF"))
    assert given.reason is Reason.AUX_MISSING


def test_land_without_heights_is_dem_missing(desk: Desk, whole: Path) -> None:
    empty = desk.folder / "glo30"
    copernicus_cell(empty, 43, 12, hills, rows=36)
    result = Desk(empty, desk.folder).run(whole)
    assert (result.status, result.reason, result.retryable) == (ExecutorStatus.FAILED, Reason.DEM_MISSING, True)
    assert "N42_00_E012" in result.text


def test_at_sea_heights_are_zero(desk: Desk, whole: Path) -> None:
    sea = desk.folder / "glo30"
    copernicus_cell(sea, 43, 12, hills, rows=36)
    (sea / "ocean_cells.txt").write_text("Copernicus_DSM_COG_10_N42_00_E012_00_DEM\n")
    flat = desk.folder / "flat"
    copernicus_cell(flat, 42, 12, lambda x, y: 0 * x + 0 * y, rows=36)
    at_sea, on_flat = (Desk(folder, desk.folder).made(whole).sha256 for folder in (sea, flat))
    assert at_sea == on_flat


def test_a_footprint_off_the_tile_is_no_overlap(desk: Desk, whole: Path) -> None:
    for east in (9_000, 300_000):
        result = desk.run(whole, grid=grid_around(SCENE, size=100, east=east))
        assert (result.status, result.reason, result.retryable) == (
            ExecutorStatus.REJECTED,
            Reason.NO_OVERLAP,
            False,
        )


def test_an_image_of_zeros_has_no_valid_pixel(desk: Desk) -> None:
    safe = write_grd(desk.folder, replace(SCENE, zeros=(0, 0, 700, 0), polarisations=("VV",)), uniform(LEVEL))
    result = desk.run(safe)
    assert (result.status, result.reason, result.retryable) == (
        ExecutorStatus.REJECTED,
        Reason.NO_VALID_PIXEL,
        False,
    )


def test_a_damaged_slice_fails_and_the_product_alone_does_not(desk: Desk, whole: Path) -> None:
    bad = write_grd(desk.folder, SCENE.next_slice(), uniform(LEVEL), leave_out=("calibration",))
    assert desk.run(whole, bad).reason is Reason.INPUT_CORRUPT
    assert desk.run(whole).status is ExecutorStatus.DONE


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rtc": "on"}, "does not flatten the terrain ('on')"),
        ({"rtc": "auto"}, "does not flatten the terrain ('auto')"),
        ({"speckle_filter": "lee"}, "no speckle filter 'lee'"),
        ({"heights_are_ellipsoidal": False}, "dem.geoid_path is not set"),
        ({"heights_are_ellipsoidal": False, "geoid_path": Path("nowhere.gtx")}, "nowhere.gtx does not exist"),
        ({"quantity": "beta0"}, "'beta0' is none of"),
        ({"polarisations": ("HH",)}, "not of VV and VH"),
        ({"orbit_path": Path("nowhere")}, "folder of orbit files nowhere"),
        ({"job": RadarJob.COHERENCE}, "makes no coherence"),
        ({"pixel_spacing": 30}, "does not have pixels of 30 m"),
    ],
)
def test_what_is_not_built_or_not_set_is_said_in_a_sentence(
    desk: Desk, whole: Path, options: dict[str, Any], sentence: str
) -> None:
    request = desk.request(whole, **options)
    assert any(sentence in fault for fault in NativeGrdExecutor().setup_faults(request))
    result = NativeGrdExecutor().run(request)
    assert (result.status, result.reason, result.retryable) == (ExecutorStatus.FAILED, Reason.CONFIG, False)


def test_a_sound_request_has_no_fault(desk: Desk, whole: Path) -> None:
    assert NativeGrdExecutor().setup_faults(desk.request(whole)) == ()


def test_slices_of_two_datatakes_are_refused(desk: Desk, whole: Path) -> None:
    other = scene_of(whole)
    other = replace(other, name=replace(other.name, datatake="S1A_000001"))
    faults = NativeGrdExecutor().setup_faults(replace(desk.request(whole), current=(scene_of(whole), other)))
    assert "the scenes are not of one datatake" in faults


def test_options_of_another_executor_are_refused(desk: Desk, whole: Path) -> None:
    request = replace(desk.request(whole), options=RadarOptions())
    assert NativeGrdExecutor().run(request).reason is Reason.CONFIG


def test_it_makes_backscatter_of_grd_and_nothing_else() -> None:
    executor = NativeGrdExecutor()
    assert executor.makes == {RadarJob.BACKSCATTER}
    assert executor.reads(RadarJob.BACKSCATTER) == {ProductKind.S1_GRD}
    assert executor.reads(RadarJob.COHERENCE) == frozenset()


def test_a_geoid_of_another_model_is_used_with_a_warning(desk: Desk, whole: Path) -> None:
    geoid = desk.folder / "egm96_15.tif"
    write_raster(geoid, np.zeros((6, 6), "float32"), 9.5, 45.5, 1, 1)
    result = desk.run(whole, heights_are_ellipsoidal=False, geoid_path=geoid)
    assert result.status is ExecutorStatus.DONE
    assert any("counted from EGM2008, dem.geoid_path is EGM96" in warning for warning in result.warnings)


def test_a_run_whose_time_is_up_ends(desk: Desk, whole: Path) -> None:
    result = desk.run(whole, step_timeout_minutes=0.0)
    assert (result.reason, result.retryable) == (Reason.EXEC_TIMEOUT, True)


def test_too_little_memory_is_told_before_anything_is_read(desk: Desk, whole: Path) -> None:
    result = desk.run(whole, min_memory_mb=10**9)
    assert (result.reason, result.retryable) == (Reason.OUT_OF_MEMORY, True)


def test_the_caller_is_told_how_long_it_runs_and_may_end_it(desk: Desk, whole: Path) -> None:
    told: list[float] = []
    desk.run(whole, heartbeat=told.append)
    assert len(told) >= 3
    assert told == sorted(told)

    def end(_: float) -> None:
        raise LeaseLostError("another worker has it")

    with pytest.raises(LeaseLostError):
        desk.run(whole, heartbeat=end)


def test_a_raster_is_replaced_when_it_is_made_again(desk: Desk, whole: Path) -> None:
    first = desk.made(whole)
    other = write_grd(desk.folder, SCENE, uniform(2 * LEVEL))
    again = desk.made(other)
    assert again.path == first.path
    assert pixels(again)[100, 100] == pytest.approx(2 * LEVEL, rel=0.1)
