"""``s4c run s1`` as a user calls it: files in, rasters out, no database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from s4c_lib.geography import sentinel2_tiles
from tests.cli.conftest import Answer
from tests.preprocessing.elevation.elevation_cases import copernicus_cell
from tests.preprocessing.radar import snap_cases
from tests.preprocessing.radar.synthetic_grd import Scene, uniform, write_grd

Hand = Callable[..., Answer]
LEVEL = 0.05
SCENE = Scene(polarisations=("VV", "VH"), lines=500, samples=600)
# The coarsest pixel: a whole tile is made.
SMALL = ("--set", "processor.l2s1.pixel.spacing=30", "--set", "processor.l2s1.min.s2.intersection=0.001")
ELLIPSOID = ("--set", "dem.heights_are_ellipsoidal=true")


@pytest.fixture
def by_hand() -> Hand:
    """Run ``s4c run s1`` where no database and no program is."""

    def run(*arguments: object, code: int = 0, program: Path | None = None) -> Answer:
        given = {"S4C_DATABASE_URL": None, "S4C_SNAP_PROGRAM": None if program is None else str(program)}
        result = CliRunner().invoke(app, ["run", "s1", *(str(item) for item in arguments)], env=given, prog_name="s4c")
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        assert answer.code == code, answer
        return answer

    return run


@pytest.fixture(scope="module")
def elevation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flat ground at 300 m below tile 33TTG and around it."""
    folder = tmp_path_factory.mktemp("glo30")
    for latitude in (41, 42, 43):
        for longitude in (11, 12, 13):
            copernicus_cell(folder, latitude, longitude, lambda x, y: 300 + 0 * x + 0 * y, rows=36)
    return folder


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grd(tmp_path_factory.mktemp("grd"), SCENE, uniform(LEVEL))


def test_a_product_becomes_a_raster_of_a_tile_and_the_others_go_on(
    by_hand: Hand, product: Path, elevation: Path, tmp_path: Path
) -> None:
    broken = write_grd(tmp_path, SCENE, uniform(LEVEL), leave_out=("calibration",))
    broken = broken.rename(broken.with_name(broken.name.replace("0472A5", "0472A6")))
    answer = by_hand(
        broken,
        product,
        "--tile",
        "T33TTG",
        "--dem",
        elevation,
        "--out",
        tmp_path / "s1",
        "--polarisations",
        "vv",
        *SMALL,
        *ELLIPSOID,
        "--json",
        code=1,
    )
    failed, made = json.loads(answer.out)
    assert (failed["result"], failed["reason"]) == ("failed", "input_corrupt")
    assert "calibration" in failed["where"]
    assert (made["result"], made["tile"], made["pol"]) == ("sigma0", "33TTG", "VV")
    path = Path(made["where"])
    assert path == tmp_path / "s1/33TTG/2021/05/02/S1A_L2_BCK_20210502T055000_VV_009_33TTG.tif"
    with rasterio.open(path) as raster:
        assert raster.shape == (3660, 3660)
        values = raster.read(1)
    assert abs(10 * np.log10(values[values > 0].mean() / LEVEL)) < 0.01
    assert "state vectors" in answer.err
    assert [entry.name for entry in (tmp_path / "s1").iterdir()] == ["33TTG"]


def test_files_are_meant_from_where_the_caller_is(
    by_hand: Hand, product: Path, elevation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("grd").symlink_to(product.parent)
    Path("glo30").symlink_to(elevation)
    Path("orbits").mkdir()
    given = (f"grd/{product.name}", "--tile", "33TTG", "--dem", "glo30", "--orbits", "orbits", "--json")
    [row] = json.loads(by_hand(*given, "--geoid", "nothing.gtx", "--out", "s1", code=1).out)
    assert f"{tmp_path}/nothing.gtx does not exist" in row["where"]


@pytest.fixture
def by_snap(by_hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Run SNAP's double on an SLC, all files given relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    # a corner of the tile: a whole one takes the double seconds
    monkeypatch.setattr(sentinel2_tiles, "TILE_M", 30_000)
    scene = snap_cases.make_scene(Path("slc"))
    snap_cases.make_elevation(Path("glo30"), ((50, 4), (50, 5), (51, 4), (51, 5)))
    steps = ("--set", "processor.l2s1.join.amplitude.steps=true", "--set", "processor.l2s1.min.disk=1")
    room = ("--set", "processor.l2s1.min.memory=1", "--polarisations", "VV")
    given = (scene.path, "--executor", "snap", "--tile", "31UFS", "--dem", "glo30", "--out", "s1", "--json")

    def run(behaviour: str = "", code: int = 0) -> Answer:
        snap_cases.snap(tmp_path / "snap", behaviour)
        return by_hand(*given, *SMALL, *steps, *room, program=tmp_path / "snap" / "bin" / "gpt", code=code)

    return run


def test_snap_finds_its_files_when_they_are_given_from_where_the_caller_is(by_snap: Hand) -> None:
    [row] = json.loads(by_snap().out)
    assert row["where"] == "s1/31UFS/2022/01/04/S1A_L2_BCK_20220104T170557_VV_117_31UFS.tif"
    assert Path(row["where"]).is_file()
    assert [entry.name for entry in Path("s1").iterdir()] == ["31UFS"]


def test_the_log_of_a_program_that_failed_is_kept(by_snap: Hand) -> None:
    [row] = json.loads(by_snap("heap@Calibration", code=1).out)
    assert row["reason"] == "out_of_memory"
    [log] = Path("s1").iterdir()
    assert log.name in row["where"]
    assert "heap space" in log.read_text()


def test_a_product_off_the_tile_is_rejected_with_its_reason(
    by_hand: Hand, product: Path, elevation: Path, tmp_path: Path
) -> None:
    answer = by_hand(product, "--tile", "31UFS", "--dem", elevation, "--out", tmp_path, *ELLIPSOID)
    assert "no_overlap" in answer.out


def test_without_a_geoid_it_says_what_to_set_and_to_install(
    by_hand: Hand, product: Path, elevation: Path, tmp_path: Path
) -> None:
    answer = by_hand(product, "--tile", "33TTG", "--dem", elevation, "--out", tmp_path, "--json", code=1)
    [row] = json.loads(answer.out)
    assert row["reason"] == "config"
    assert "dem.geoid_path" in row["where"]
    assert "proj-data" in row["where"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tile", "99ZZZ"), "99ZZZ"),
        (("--tile", "33TTG", "--executor", "gamma"), "There is no executor gamma"),
        (("--tile", "33TTG", "--set", "processor.l2s1.pixel.spacing=25"), "processor.l2s1.pixel.spacing"),
        (("--tile", "33TTG", "--dem", "nowhere"), "nowhere does not exist"),
        (("--tile", "33TTG", "--polarisations", "HH"), "polarisations"),
    ],
)
def test_wrong_options_are_explained(
    by_hand: Hand, product: Path, elevation: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    dem = () if "--dem" in arguments else ("--dem", elevation)
    answer = by_hand(product, *dem, "--out", tmp_path / "s1", *arguments, code=1 if "nowhere" in arguments else 2)
    assert said in answer.err
    assert not (tmp_path / "s1").exists()


def test_snap_that_is_not_configured_is_told(by_hand: Hand, product: Path, elevation: Path, tmp_path: Path) -> None:
    answer = by_hand(product, "--tile", "33TTG", "--dem", elevation, "--out", tmp_path, "--executor", "snap", code=1)
    assert "S4C_SNAP_PROGRAM" in answer.err


def test_what_is_no_product_is_refused(by_hand: Hand, product: Path, elevation: Path, tmp_path: Path) -> None:
    renamed = Path(shutil.copytree(product, tmp_path / "my_product"))
    answer = by_hand(renamed, "--tile", "33TTG", "--dem", elevation, "--out", tmp_path / "s1", code=2)
    assert "not named as a Sentinel-1 SLC or GRD" in answer.err
    gone = by_hand(tmp_path / product.name, "--tile", "33TTG", "--dem", elevation, "--out", tmp_path / "s1", code=2)
    assert "does not exist" in gone.err


def test_the_help_shows_how_to_call_it(by_hand: Hand) -> None:
    answer = by_hand("--help")
    assert "s4c run s1 S1A_IW_GRDH" in answer.out
    assert "--geoid" in answer.out
