from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from s4c_lib.cli.main import Program
from s4c_lib.cli.synthetic_pictures import register
from s4c_lib.synthetic.pictures.choice import PURE, chosen_parcels, pure_pixels
from s4c_lib.synthetic.pictures.parcel_chart import _apart
from s4c_lib.synthetic.world import SeasonOptions, make_world

SMALL = ["--size", "1200", "--parcels", "20", "--start", "2021-05-15", "--end", "2021-06-12"]


def program() -> typer.Typer:
    app = typer.Typer(cls=Program)
    app.callback()(lambda: None)
    register(app)
    return app


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album") / "pictures"
    result = CliRunner().invoke(program(), ["pictures", "--out", str(folder), *SMALL])
    assert result.exit_code == 0, result.output
    assert "parcel_map.png" in result.stderr
    return folder


@pytest.mark.slow
def test_a_season_has_its_pictures(album: Path) -> None:
    names = {path.name for path in album.iterdir()}
    world = make_world(SeasonOptions(size_m=1200, parcels=20, start=_day("2021-05-15"), end=_day("2021-06-12")))
    assert names == {
        "crops_lai.png",
        "crops_ndvi.png",
        "crops_backscatter.png",
        "crops_coherence.png",
        "month_2021-05.png",
        "month_2021-06.png",
        "radar_vv.png",
        "radar_coherence.png",
        "classification.png",
        "parcel_map.png",
        *(f"{name}.png" for name in chosen_parcels(world)),
    }
    assert any(name.startswith("grass_") for name in names)
    assert any(name.startswith("parcel_2") for name in names)


@pytest.mark.slow
def test_pictures_are_png_with_content(album: Path) -> None:
    for path in sorted(album.iterdir()):
        with Image.open(path) as image:
            assert image.format == "PNG"
            pixels = np.asarray(image.convert("RGB")).astype(float)
        assert pixels.shape[0] > 300, path.name
        assert pixels.shape[1] > 300, path.name
        # Neither blank nor drawn in a corner: every quarter has something in it.
        rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
        for part in (pixels[:rows, :columns], pixels[rows:, :columns]):
            assert part.std() > 5, path.name


@pytest.mark.slow
def test_the_same_season_has_the_same_pictures(album: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert CliRunner().invoke(program(), ["pictures", "--out", str(again), *SMALL]).exit_code == 0
    for path in sorted(album.iterdir()):
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--start", "2021-06-30", "--end", "2021-05-01"], "before it starts"),
        (["--size", "1210"], "60 m cells"),
        (["--parcels", "0"], "0 parcels"),
        (["--parcels", "5000", "--size", "1200"], "1200"),
        (["--start", "spring"], "is no date"),
    ],
)
def test_bad_input_is_one_line_and_no_folder(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(program(), ["pictures", "--out", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("s4c: ")
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr
    assert not any(tmp_path.iterdir())


def test_what_is_no_album_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    for more in ([], ["--overwrite"]):
        result = CliRunner().invoke(program(), ["pictures", "--out", str(tmp_path), *SMALL, *more])
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_pictures_of_a_parcel_show_its_own_pixels() -> None:
    world = make_world(SeasonOptions(size_m=1200, parcels=20, start=_day("2021-05-01"), end=_day("2021-05-31")))
    for parcel in chosen_parcels(world).values():
        for fractions in (world.fine, world.coarse):
            pixels = pure_pixels(fractions, parcel)
            assert len(pixels)
            alone = (fractions.main_object().ravel()[pixels] == parcel).all()
            assert alone or len(pixels) == 1
    assert PURE < 1


def test_labels_of_events_keep_apart_and_in_order() -> None:
    wanted = np.array([10.0, 10.0, 11.0, 50.0, 99.0, 99.0])
    places = _apart(wanted, 5.0, 0.0, 100.0)
    assert (np.diff(places) > 4.9).all()
    assert places.min() >= 0
    assert places.max() <= 100
    assert abs(places[3] - 50) < 1e-9


def test_the_command_line_starts_without_matplotlib() -> None:
    code = "import s4c_lib.cli.synthetic_pictures, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _day(text: str) -> date:
    return date.fromisoformat(text)
