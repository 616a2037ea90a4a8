"""SNAP as an executor, against its double: rasters on the tile, reasons of every bad end, nothing left behind."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer
from snap_cases import (
    CURRENT,
    PREVIOUS,
    calls,
    make_elevation,
    make_scene,
    options,
    private_copy,
    request,
    snap,
    target,
    value_at,
    with_orbit,
)

from s4c_lib.preprocessing.executor import ExecutorError, ExecutorStatus
from s4c_lib.preprocessing.executor_log import says_disk_full
from s4c_lib.preprocessing.launcher import Launcher
from s4c_lib.preprocessing.process_run import ProcessEnd
from s4c_lib.preprocessing.radar.executor import RadarJob, RadarResult, RadarScene
from s4c_lib.preprocessing.radar.geoid import Geoid
from s4c_lib.preprocessing.radar.snap_elevation import write_elevation
from s4c_lib.preprocessing.radar.snap_executor import SnapExecutor
from s4c_lib.preprocessing.radar.snap_output import as_quantity, failure_of, mapped_raster, mosaicked
from s4c_lib.preprocessing.radar.snap_scene import laid_out
from s4c_lib.readers.radar_raster import read_radar_raster
from s4c_lib.reasons import Reason
from s4c_lib.sources.product_kinds import ProductKind
from s4c_lib.sources.product_names import product_name

# Values keep ten bits of their mantissa.
ROUNDING = 2e-3
REAL_SLC = "S1A_IW_SLC__1SDV_20220104T170557_20220104T170624_041314_04E951_F1F1.SAFE"
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "sentinel1_safe" / REAL_SLC


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def slc(inputs: Path) -> RadarScene:
    return make_scene(inputs)


@pytest.fixture(scope="module")
def previous(inputs: Path) -> RadarScene:
    return make_scene(inputs, PREVIOUS)


@pytest.fixture(scope="module")
def grd(inputs: Path) -> RadarScene:
    return make_scene(inputs, CURRENT, "GRD")


def pixels(result: RadarResult, number: int = 0) -> np.ndarray[Any, Any]:
    with rasterio.open(result.rasters[number].path) as raster:
        values: np.ndarray[Any, Any] = raster.read(1)
    return values


def done(result: RadarResult) -> RadarResult:
    assert result.status is ExecutorStatus.DONE, f"{result.reason} {result.text}"
    return result


def test_backscatter_of_an_slc_operator_by_operator(tmp_path: Path) -> None:
    slc = make_scene(tmp_path / "in", swaths=("iw2",))
    asked = request(tmp_path, slc, options=options(join_backscatter=False))
    result = done(snap(tmp_path).run(asked))
    (raster,) = result.rasters
    assert raster.path == (
        tmp_path / "out" / "31UFS" / "2022" / "01" / "04" / "S1A_L2_BCK_20220104T170557_VV_117_31UFS.tif"
    )
    assert pixels(result) == pytest.approx(value_at(target().grid), rel=ROUNDING)
    read = read_radar_raster(raster.path)
    assert (read.variable, read.quantity, read.orbit, read.direction) == ("vv", "sigma0", 117, "ascending")
    assert raster.tags["LOOKS"] == "8x2"
    assert raster.tags["ORBIT"] == "ANN"
    assert raster.tags["SOFTWARE"] == "SNAP 11.0"
    assert raster.valid_share == 1
    assert result.original_epsg == 32631
    assert result.original_extent is not None
    west, south, east, north = target().grid.bounds
    assert result.original_extent[0] < west < east < result.original_extent[2]
    assert result.original_extent[1] < south < north < result.original_extent[3]
    assert any("no orbit file" in warning for warning in result.warnings)
    made = [next(name for name in call["operators"] if name not in ("Read", "Write")) for call in calls(tmp_path)]
    swath = ["TOPSAR-Split", "ThermalNoiseRemoval", "Calibration", "TOPSAR-Deburst"]
    assert made == [*swath, "Multilook", "Subset", "Terrain-Correction"]
    assert not (asked.work_dir / "snap").exists()
    assert result.log_path is not None
    assert result.log_path.read_text().count("ended with 0") == len(made)


def test_coherence_of_a_pair(tmp_path: Path, slc: RadarScene, previous: RadarScene) -> None:
    current, earlier = with_orbit(slc, tmp_path / "eof"), with_orbit(previous, tmp_path / "eof", "RES")
    asked = request(tmp_path, current, previous=earlier, options=options(keep_intermediate=True))
    result = done(snap(tmp_path).run(asked))
    (raster,) = result.rasters
    assert raster.name == "S1A_L2_COH_20220104T170557_20211223T170558_VV_117_31UFS"
    assert (raster.quantity, raster.tags["BASELINE_DAYS"], raster.tags["WINDOW"]) == ("coherence", "12", "20x5")
    assert raster.tags["ORBIT"] == "RES"
    assert pixels(result) == pytest.approx(value_at(target().grid), rel=ROUNDING)
    assert (raster.path.stat().st_size, result.warnings) == (raster.size_bytes, ())
    (call,) = calls(tmp_path)
    assert call["parameters"]["Read"]["file"].split("/")[-2] == slc.path.name
    assert call["options"]["-c"] == "256M"
    assert (asked.work_dir / "snap" / "VV-0.xml").is_file()  # kept, as asked


def test_an_archived_grd_of_an_old_processor_as_amplitude(tmp_path: Path, inputs: Path) -> None:
    """Case: parity, V1 quantity; the archive is unpacked aside, what lies beside the image is masked."""
    scene = make_scene(tmp_path / "in", CURRENT, "GRD", processor="002.84")
    archive = tmp_path / f"{scene.path.stem}.zip"
    with zipfile.ZipFile(archive, "w") as writing:
        for path in sorted(scene.path.rglob("*.*")):
            writing.write(path, path.relative_to(scene.path.parent))
    shutil.rmtree(scene.path)
    wanted = options(quantity="amplitude", remove_noise=False)
    result = done(snap(tmp_path).run(request(tmp_path, replace(scene, path=archive), options=wanted)))
    assert pixels(result) == pytest.approx(np.sqrt(value_at(target().grid)), rel=ROUNDING)
    assert result.rasters[0].tags["QUANTITY"] == "amplitude"
    assert result.rasters[0].tags["NOISE_REMOVED"] == "false"
    (call,) = calls(tmp_path)
    assert "Remove-GRD-Border-Noise" in call["operators"]
    assert "ThermalNoiseRemoval" not in call["operators"]


def test_a_map_that_does_not_fall_on_the_tile_is_interpolated(tmp_path: Path, grd: RadarScene) -> None:
    scene = done(snap(tmp_path / "a").run(request(tmp_path / "a", grd, options=options(projection="EPSG:3035"))))
    assert scene.original_epsg == 3035
    assert pixels(scene) == pytest.approx(value_at(target().grid), rel=ROUNDING)
    shifted = done(snap(tmp_path / "b", "half_pixel").run(request(tmp_path / "b", grd)))
    assert pixels(shifted) == pytest.approx(value_at(target().grid), rel=ROUNDING)


def test_two_slices_on_tiles_of_two_zones(tmp_path: Path, inputs: Path) -> None:
    """Each slice covers a part; one map for each zone; a tile beside the scene gets none and is named."""
    south = [(4.6, 51.07), (6.1, 51.07), (6.3, 50.8), (4.8, 50.5)]
    north = [(4.6, 51.3), (6.1, 51.6), (6.1, 51.065), (4.6, 51.065)]
    later = replace(CURRENT, start=CURRENT.start + timedelta(seconds=25))
    slices = (make_scene(tmp_path / "in", CURRENT, "GRD", corners=south),
              make_scene(tmp_path / "in", later, "GRD", corners=north))  # fmt: skip
    near = target(side=60)
    # The same ground in the next zone, on whole pixels there.
    x, y = Transformer.from_crs(near.grid.epsg, 32632, always_xy=True).transform(near.grid.west, near.grid.north)
    other = replace(near, tile="32ULB", grid=replace(near.grid, epsg=32632, west=x // 20 * 20, north=y // 20 * 20))
    above = replace(target(south=38_000, side=10), tile="31UFT")
    far = replace(near, tile="31UGS", grid=replace(near.grid, west=near.grid.west + 3000))
    sparse = options(min_tile_share=0.999)
    result = done(snap(tmp_path).run(request(tmp_path, *slices, targets=(near, other, above), options=sparse)))
    # Each raster is named by the first slice that sees its tile, and tagged with those that do.
    assert [raster.name for raster in result.rasters] == [
        "S1A_L2_BCK_20220104T170557_VV_117_31UFS",
        "S1A_L2_BCK_20220104T170557_VV_117_32ULB",
        "S1A_L2_BCK_20220104T170622_VV_117_31UFT",
    ]
    assert [len(raster.tags["INPUT_IDS"].split()) for raster in result.rasters] == [2, 2, 1]
    for number, place in enumerate((near, other, above)):
        assert pixels(result, number) == pytest.approx(value_at(place.grid), rel=ROUNDING)
    maps = [key for call in calls(tmp_path) for key in call["parameters"] if key.startswith("Map")]
    assert sorted(maps) == ["Map-32631", "Map-32631", "Map-32632", "Map-32632"]
    edge = replace(slices[1], path=slices[1].path)
    alone = done(snap(tmp_path / "b").run(request(tmp_path / "b", edge, targets=(near, far), options=sparse)))
    assert alone.rasters == ()
    assert "31UFS, 31UGS" in alone.text


def test_the_newer_slice_counts_where_slices_overlap() -> None:
    newer, older = np.array([[0, 2], [3, 0]], np.float32), np.array([[1, 1], [1, 0]], np.float32)
    assert mosaicked([newer, older]).tolist() == [[1, 2], [3, 0]]


def test_quantities() -> None:
    values = np.array([0, 1e-6, 0.25, 1.0005], np.float32)
    stored = as_quantity(values, RadarJob.COHERENCE, "sigma0")
    assert stored.tolist() == pytest.approx([0, 1e-4, 0.25, 1])
    assert as_quantity(values, RadarJob.BACKSCATTER, "amplitude")[2] == 0.5
    assert as_quantity(values, RadarJob.BACKSCATTER, "gamma0").tolist() == values.tolist()


@pytest.mark.parametrize(
    ("behaviour", "reason", "text"),
    [
        ("heap", Reason.OUT_OF_MEMORY, "Java heap space"),
        ("databuffer", Reason.OUT_OF_MEMORY, "Cannot construct DataBuffer"),
        ("orbit", Reason.AUX_MISSING, "No valid orbit file"),
        ("disk", Reason.OUT_OF_DISK, "No space left"),
        ("dem", Reason.DEM_MISSING, "verify the DEM"),
        ("unreadable", Reason.INPUT_CORRUPT, "No product reader"),
        ("silent", Reason.EXEC_NONZERO, r"SNAP said nothing \(exit code 1\)"),
        ("memory", Reason.OUT_OF_MEMORY, "killed"),
        ("none", Reason.OUTPUT_INCOMPLETE, "left no VV-0-EPSG32631.tif"),
        ("severe", Reason.OUT_OF_MEMORY, "heap space"),
        ("zero", Reason.NO_VALID_PIXEL, "nothing but no data of VV"),
    ],
)
def test_every_bad_end_has_its_reason(
    tmp_path: Path, grd: RadarScene, behaviour: str, reason: Reason, text: str
) -> None:
    result = snap(tmp_path, behaviour).run(request(tmp_path, grd))
    assert result.reason is reason, result.text
    assert re.search(text, result.text), result.text
    rejected = reason is Reason.NO_VALID_PIXEL
    assert result.status is (ExecutorStatus.REJECTED if rejected else ExecutorStatus.FAILED)
    assert result.retryable is not rejected
    assert result.rasters == ()
    assert not (tmp_path / "out").exists()
    assert result.log_path is not None


@pytest.mark.parametrize(
    ("job", "value", "bands", "epsg", "size", "text"),
    [
        (RadarJob.BACKSCATTER, 1e6, 1, 32631, None, "more than backscatter can be"),
        (RadarJob.COHERENCE, 1.01, 1, 32631, None, "more than coherence can be"),
        (RadarJob.COHERENCE, 0.5, 2, 32631, None, "2 bands"),
        (RadarJob.COHERENCE, 0.5, 1, 3035, None, "not in EPSG:32631"),
        (RadarJob.COHERENCE, 0.5, 1, 32631, 40_000, "cannot be read"),
        (RadarJob.BACKSCATTER, 1.01, 1, 32631, None, ""),
        (RadarJob.COHERENCE, 1.0001, 1, 32631, None, ""),
    ],
)
def test_what_makes_a_map_usable(
    tmp_path: Path, job: RadarJob, value: float, bands: int, epsg: int, size: int | None, text: str
) -> None:
    path = tmp_path / "map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=200, height=200, count=bands, dtype="float32", crs=f"EPSG:{epsg}",
        transform=rasterio.Affine(20, 0, 600_000, 0, -20, 5_700_000),
    ) as raster:  # fmt: skip
        raster.write(np.full((bands, 200, 200), value, np.float32))
    if size is not None:
        path.write_bytes(path.read_bytes()[:size])
    if text:
        with pytest.raises(ExecutorError, match=text) as caught:
            mapped_raster(path, 32631, job)
        assert caught.value.reason is Reason.OUTPUT_INCOMPLETE
    else:
        assert mapped_raster(path, 32631, job).extent == (600_000, 5_696_000, 604_000, 5_700_000)


def test_an_intermediate_product_without_pixels(tmp_path: Path) -> None:
    one = make_scene(tmp_path / "in", swaths=("iw1",))
    result = snap(tmp_path, "partial@TOPSAR-Deburst").run(
        request(tmp_path, one, options=options(join_backscatter=False, remove_noise=False))
    )
    assert result.reason is Reason.OUTPUT_INCOMPLETE
    assert "VV-0-Deburst-IW1: SNAP ended well and left no VV-0-Deburst-IW1.dim" in result.text
    left = {path.name for path in (tmp_path / "work" / "12_1" / "snap").glob("*.d*")}
    # What was consumed is gone; what was being consumed stays with the failed attempt.
    assert left == {f"VV-0-{step}-IW1.{kind}" for step in ("Calibration", "Deburst") for kind in ("dim", "data")}


def test_a_complaint_that_changes_nothing_is_a_warning(tmp_path: Path, grd: RadarScene) -> None:
    result = done(snap(tmp_path, "complains").run(request(tmp_path, grd)))
    assert any(warning.startswith("SEVERE") for warning in result.warnings)


def test_time_up_ends_the_program_and_its_children(tmp_path: Path, grd: RadarScene) -> None:
    hurried = options(step_timeout_minutes=0.6 / 60, grace_seconds=0.1)
    result = snap(tmp_path, "hang").run(request(tmp_path, grd, options=hurried))
    assert (result.reason, result.retryable) == (Reason.EXEC_TIMEOUT, True)
    for process in (tmp_path / "bin" / "pids.txt").read_text().split():
        assert not Path("/proc", process).exists() or " Z " in Path("/proc", process, "stat").read_text()


class Interrupted(BaseException):
    """What a killed task raises."""


def test_an_interruption_ends_the_program(tmp_path: Path, grd: RadarScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s4c_lib.preprocessing.process_run._BEAT_SECONDS", 0.05)
    pids = tmp_path / "bin" / "pids.txt"

    def beat(seconds: float) -> None:
        if pids.exists() and len(pids.read_text().split()) == 2:
            raise Interrupted

    asked = request(tmp_path, grd, options=options(grace_seconds=0.1), heartbeat=beat)
    with pytest.raises(Interrupted):
        snap(tmp_path, "hang").run(asked)
    for process in pids.read_text().split():
        assert not Path("/proc", process).exists() or " Z " in Path("/proc", process, "stat").read_text()


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("java.lang.OutOfMemoryError: GC overhead limit exceeded", 1, Reason.OUT_OF_MEMORY),
        ("There is insufficient memory for the Java Runtime Environment to continue.", 1, Reason.OUT_OF_MEMORY),
        ("Cannot construct DataBuffer.", 1, Reason.OUT_OF_MEMORY),
        ("java.io.IOException: No space left on device", 1, Reason.OUT_OF_DISK),
        ("Error: [NodeId: Orbit] Orbit file not found", 1, Reason.AUX_MISSING),
        ("Error: [NodeId: Subset] No intersection with source product boundary", 1, Reason.TILE_EMPTY),
        ("Error: [NodeId: Read] java.io.EOFException", 1, Reason.INPUT_CORRUPT),
        ("Error: [NodeId: x] Unknown element 'externalDEMFile'", 1, Reason.CONFIG),
        ("Error: No operator with the alias or class name 'Coherenze' found", 1, Reason.CONFIG),
        ("Error: [NodeId: x] something new", 1, Reason.EXEC_NONZERO),
        ("INFO: Orbit file S1A_OPER_AUX_POEORB applied", 0, None),
        ("INFO: Orbit file S1A_OPER_AUX_POEORB applied", 1, Reason.EXEC_NONZERO),
        ("SEVERE: java.lang.OutOfMemoryError", 0, Reason.OUT_OF_MEMORY),
        ("SEVERE: preferences cannot be stored", 0, None),
        ("100% done.", 0, None),
    ],
)
def test_words_of_snap_and_what_they_mean(line: str, code: int, reason: Reason | None) -> None:
    failure = failure_of(ProcessEnd(code, timed_out=False, seconds=1), ["INFO: started", line], "VV-0")
    assert (None if failure is None else failure[0]) is reason
    assert failure is None or failure[1].startswith("VV-0: ")
    assert says_disk_full([line]) is (reason is Reason.OUT_OF_DISK)


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("measurement/*-vv-*.tiff", "measurement/s1a-iw-grd-vv"),
        ("annotation/calibration/calibration-*-vv-*.xml", "calibration-s1a-iw-grd-vv"),
        ("annotation/calibration/noise-*-vv-*.xml", "noise-s1a-iw-grd-vv"),
        ("manifest.safe", "manifest.safe"),
        ("annotation/*-vv-*.xml", "holds no image of VV"),
    ],
)
def test_a_product_that_lacks_a_file(tmp_path: Path, grd: RadarScene, part: str, named: str) -> None:
    scene = private_copy(grd, tmp_path)
    for path in scene.path.glob(part):
        path.unlink()
    result = snap(tmp_path).run(request(tmp_path, scene))
    assert (result.reason, result.retryable, result.log_path) == (Reason.INPUT_CORRUPT, True, None)
    assert named in result.text


def test_a_polarisation_that_is_missing_is_told_and_the_other_made(tmp_path: Path, grd: RadarScene) -> None:
    scene = private_copy(grd, tmp_path)
    for path in scene.path.glob("annotation/*-vh-*.xml"):
        path.unlink()
    result = done(snap(tmp_path).run(request(tmp_path, scene, options=options(polarisations=("VV", "VH")))))
    assert [raster.polarisation for raster in result.rasters] == ["VV"]
    assert any("no image of VH" in warning for warning in result.warnings)


def test_bad_surroundings(tmp_path: Path, grd: RadarScene, slc: RadarScene, previous: RadarScene) -> None:
    def reason(**changes: Any) -> tuple[Reason | None, str]:
        result = snap(tmp_path).run(request(tmp_path, *changes.pop("scenes", (grd,)), **changes))
        return result.reason, result.text

    empty = make_elevation(tmp_path / "other", cells=((40, 5),))
    assert reason(elevation=empty)[0] is Reason.DEM_MISSING
    lost = replace(with_orbit(grd, tmp_path / "eof"), orbit_file=tmp_path / "gone.EOF")
    assert reason(scenes=(lost,)) == (
        Reason.AUX_MISSING,
        f"the orbit file {tmp_path}/gone.EOF does not exist (fetch it again)",
    )
    assert reason(options=options(require_orbit=True))[0] is Reason.AUX_MISSING
    foreign = with_orbit(grd, tmp_path / "eof")
    assert foreign.orbit_file is not None
    renamed = foreign.orbit_file.rename(foreign.orbit_file.with_name(foreign.orbit_file.name.replace("S1A", "S1B")))
    assert reason(scenes=(replace(foreign, orbit_file=renamed),))[0] is Reason.CONFIG
    assert reason(scenes=(replace(grd, path=tmp_path / "none"),))[0] is Reason.INPUT_MISSING
    away, text = reason(targets=(target(east=100, south=100),))
    assert (away, "cover none of the tiles" in text) == (Reason.NO_OVERLAP, True)
    assert reason(options=options(min_disk_mb=1 << 40))[0] is Reason.OUT_OF_DISK
    assert reason(options=options(min_memory_mb=1 << 30))[0] is Reason.OUT_OF_MEMORY
    other_track = private_copy(previous, tmp_path / "moved")
    manifest = other_track.path / "manifest.safe"
    manifest.write_text(manifest.read_text().replace('type="start">117<', 'type="start">15<'))
    assert reason(scenes=(slc,), previous=other_track)[0] is Reason.CONFIG
    assert calls(tmp_path) == []  # SNAP was never started


def test_a_cloud_optimised_grd_is_read_too(tmp_path: Path, grd: RadarScene) -> None:
    scene = private_copy(grd, tmp_path)
    for path in scene.path.glob("measurement/*.tiff"):
        path.rename(path.with_name(f"{path.stem}-cog.tiff"))
    assert laid_out(scene, ("VV", "VH"), tmp_path / "input").bursts == {"VV": {"IW": 0}, "VH": {"IW": 0}}


def test_an_orbit_file_of_the_folder_is_used(tmp_path: Path, grd: RadarScene) -> None:
    with_orbit(grd, tmp_path / "eof")
    result = done(snap(tmp_path).run(request(tmp_path, grd, options=options(orbit_path=tmp_path / "eof"))))
    assert result.rasters[0].tags["ORBIT"] == "POE"
    assert result.warnings == ()


def test_what_is_wrong_with_the_setup_is_said_at_once(tmp_path: Path, grd: RadarScene, slc: RadarScene) -> None:
    asked = request(tmp_path, grd, previous=slc, targets=(target(pixel=10),), options=options(rtc="on", quantity="dn"))
    faults = SnapExecutor(Launcher(" "), "11.0").setup_faults(asked)
    assert len(faults) == 5
    result = snap(tmp_path).run(asked)
    assert (result.reason, result.retryable, result.status) == (Reason.CONFIG, False, ExecutorStatus.FAILED)
    assert "flattening" in result.text
    plain = replace(request(tmp_path, grd), options=asked.options.__class__.__mro__[1]())
    assert snap(tmp_path).setup_faults(plain) == ("the options are not SNAP's",)
    missing = SnapExecutor(Launcher(str(tmp_path / "no_gpt")), "11.0").run(request(tmp_path, grd))
    assert missing.reason is Reason.CONFIG
    assert snap(tmp_path).reads(RadarJob.COHERENCE) == {ProductKind.S1_SLC}
    assert snap(tmp_path).makes == {RadarJob.BACKSCATTER, RadarJob.COHERENCE}


def test_in_a_container(tmp_path: Path, grd: RadarScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine shows only what is mounted: links into the product and to the orbit file must lead into mounts."""
    local = snap(tmp_path).launcher
    double = Path(__file__).resolve().parents[2] / "doubles" / "engine" / "engine_double.py"
    engine = tmp_path / "docker"
    engine.write_text(
        f'#!/bin/sh\nexport ENGINE_DOUBLE_CALLS={tmp_path}/engine.txt\nexec {sys.executable} {double} "$@"\n'
    )
    engine.chmod(0o755)
    program = Path(local.program)
    boxed = Launcher(program.name, image=str(program.parent).replace("/", "%"), engine=str(engine))
    scene = with_orbit(grd, tmp_path / "eof")
    result = done(SnapExecutor(boxed, "11.0").run(request(tmp_path, scene)))
    assert result.rasters[0].tags["ORBIT"] == "POE"
    said = (tmp_path / "engine.txt").read_text()
    assert f"source={grd.path}" in said
    assert "--network none" in said


def test_heights_for_snap(tmp_path: Path) -> None:
    """On the model's own pixels; above the ellipsoid where a geoid is given; zeros at sea."""
    source = make_elevation(tmp_path / "dem")
    region = shapely.box(5.3, 51.1, 5.4, 51.2)
    with rasterio.open(write_elevation(source, region, tmp_path / "a.tif")) as raster:
        assert (raster.nodata, raster.crs.to_epsg(), raster.res) == (-32768, 4326, pytest.approx((0.01, 0.01)))
        assert raster.bounds.left <= 5.3
        assert raster.bounds.top >= 51.2
        assert set(np.unique(raster.read(1))) == {100}
    grid = tmp_path / "egm08.tif"
    with rasterio.open(
        grid, "w", driver="GTiff", width=8, height=8, count=1, dtype="float32", crs="EPSG:4326",
        transform=rasterio.Affine(1, 0, 1, 0, -1, 55),
    ) as raster:  # fmt: skip
        raster.write(np.full((8, 8), 44.5, np.float32), 1)
    with rasterio.open(write_elevation(source, region, tmp_path / "b.tif", Geoid(grid))) as raster:
        assert set(np.unique(raster.read(1))) == {144.5}
    (tmp_path / "dem" / "cells_of_sea.txt").write_text("")
    sea = shapely.box(-30.5, 45.2, -30.4, 45.3)
    with rasterio.open(write_elevation(source, sea, tmp_path / "c.tif")) as raster:
        assert set(np.unique(raster.read(1))) == {0}


def test_the_real_slc_is_laid_out(tmp_path: Path) -> None:
    """Nine bursts of IW1 in the annotation of a product of ESA's; its noise file is not among what was kept of it."""
    if not REAL.is_dir():
        pytest.skip("needs ../shared/data/sentinel1_safe")
    folder = tmp_path / REAL.name
    shutil.copytree(REAL, folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    (calibration,) = folder.glob("annotation/calibration/calibration-*.xml")
    noise = calibration.with_name(calibration.name.replace("calibration-", "noise-", 1))
    if not noise.exists():
        shutil.copyfile(calibration, noise)
    scene = laid_out(RadarScene(folder, product_name(folder.name)), ("VV",), tmp_path / "input")
    assert scene.bursts == {"VV": {"IW1": 9}}
    assert (scene.relative_orbit, str(scene.direction), scene.processor) == (117, "ascending", (3, 40))
    assert not scene.noisy_border
    assert scene.manifest.resolve() == folder / "manifest.safe"
