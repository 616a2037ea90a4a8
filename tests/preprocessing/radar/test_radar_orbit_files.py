"""Orbit files: which one is taken for a scene, what is read of it, and the polynomial through it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from s4c_lib.errors import ProductCorruptError, StorageError
from s4c_lib.preprocessing.radar.annotation import StateVectors
from s4c_lib.preprocessing.radar.orbits import choose_orbit_file, fitted, parse_orbit_name, read_orbit_file
from tests.preprocessing.radar.synthetic_grd import Scene, orbit_file

SCENE = Scene()
STOP = SCENE.start + timedelta(seconds=25)
POE = "S1A_OPER_AUX_POEORB_OPOD_{made}_V20210501T225942_20210503T005942.EOF"
RES = "S1A_OPER_AUX_RESORB_OPOD_{made}_V20210502T034500_20210502T070000.EOF"
MADE, LATER = "20210523T121500", "20210524T121500"


def chosen(folder: Path, *names: str, platform: str = "sentinel-1a") -> str | None:
    for name in names:
        (folder / name).touch()
    found = choose_orbit_file(folder, platform, SCENE.start, STOP)
    return None if found is None else found.path.name


def test_precise_comes_before_restituted_and_the_latest_before_earlier_ones(tmp_path: Path) -> None:
    assert chosen(tmp_path) is None
    assert chosen(tmp_path, RES.format(made=LATER)) == RES.format(made=LATER)
    assert chosen(tmp_path, POE.format(made=MADE)) == POE.format(made=MADE)
    assert chosen(tmp_path, POE.format(made=LATER)) == POE.format(made=LATER)


@pytest.mark.parametrize(
    "name",
    [
        POE.format(made=MADE).replace("S1A", "S1B"),
        POE.format(made=MADE).replace("20210501T225942_20210503", "20210502T225942_20210504"),
        RES.format(made=MADE).replace("T034500", "T055000"),  # a minute before the scene is needed
        RES.format(made=MADE).replace("20210502T070000", "20210502T055030"),
        POE.format(made=MADE).replace("20210501", "20211301"),
        "notes.txt",
    ],
)
def test_files_of_another_satellite_or_time_are_passed_over(tmp_path: Path, name: str) -> None:
    assert chosen(tmp_path, name) is None


def test_a_name_says_platform_kind_and_validity() -> None:
    file = parse_orbit_name(Path(POE.format(made=MADE)))
    assert file is not None
    assert (file.platform, file.source) == ("sentinel-1a", "POE")
    assert file.valid_from == datetime(2021, 5, 1, 22, 59, 42, tzinfo=UTC)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        choose_orbit_file(tmp_path / "none", "sentinel-1a", SCENE.start, STOP)


def test_the_polynomial_follows_the_orbit_to_a_millimetre(tmp_path: Path) -> None:
    vectors = read_orbit_file(orbit_file(tmp_path, SCENE), SCENE.start, STOP)
    orbit = fitted(vectors, "here")
    assert orbit.source == "POE"
    seconds = np.linspace(0, 25, 40)
    truth = SCENE.satellite(SCENE.begin + seconds)
    assert np.abs(orbit.position(seconds) - truth).max() < 0.002
    speed = (SCENE.satellite(SCENE.begin + seconds + 0.01) - SCENE.satellite(SCENE.begin + seconds - 0.01)) / 0.02
    assert np.abs(orbit.velocity(seconds) - speed).max() < 0.001


def test_a_file_that_does_not_cover_the_scene_is_refused(tmp_path: Path) -> None:
    path = orbit_file(tmp_path, SCENE)
    with pytest.raises(ProductCorruptError, match="do not cover"):
        read_orbit_file(path, SCENE.start + timedelta(hours=2), STOP + timedelta(hours=2))


def test_a_file_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    path = orbit_file(tmp_path, SCENE)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ProductCorruptError, match="not readable XML") as caught:
        read_orbit_file(path, SCENE.start, STOP)
    assert path.name in str(caught.value)


def test_vectors_that_are_on_no_orbit_are_refused() -> None:
    seconds = np.arange(-60.0, 90, 10)
    good = SCENE.satellite(SCENE.begin + seconds)
    vectors = StateVectors(seconds, good, np.zeros_like(good), "ANN")
    fitted(vectors, "here")
    bad = good.copy()
    bad[4, 0] += 100
    with pytest.raises(ProductCorruptError, match="off a smooth orbit"):
        fitted(replace(vectors, position=bad), "here")
    with pytest.raises(ProductCorruptError, match="too few"):
        fitted(StateVectors(seconds[:5], good[:5], good[:5], "ANN"), "here")
