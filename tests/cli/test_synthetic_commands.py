"""``s4c synthetic make`` as a user calls it: what it answers, and how it refuses without leaving half a season."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from s4c_lib.synthetic import season as season_module
from tests.cli.conftest import Run

SMALL = ("--size", 600, "--parcels", 6, "--start", "2021-06-01", "--end", "2021-06-04", "--workers", 1)
PROGRAM = Path(sys.executable).with_name("s4c")


@pytest.fixture
def environment() -> dict[str, str]:
    """No database: synthetic seasons need none."""
    return {"S4C_LOG_JSON": "false"}


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_help_says_what_each_option_does(s4c: Run) -> None:
    shown = s4c("synthetic", "make", "--help").out
    for option in (
        "--out", "--seed", "--start", "--end", "--size", "--parcels", "--tiles", "--cloudiness", "--cloud-missed",
        "--soil-as-cloud", "--mislabelled", "--radar-days", "--parity", "--workers", "--overwrite", "--json",
    ):  # fmt: skip
        assert option in shown, option
    assert "s4c synthetic make --out season" in shown
    assert "make" in s4c("synthetic", "--help").out


def test_a_season_is_made_and_summed_up(s4c: Run, folder: Path) -> None:
    made = s4c("synthetic", "make", "--out", folder / "season", *SMALL, "--json").json

    assert made["folder"] == str(folder / "season")
    assert (made["parcels"], made["sentinel2_passes"], made["sentinel1_passes"]) == (6, 2, 1)
    assert made["products"] == 2 * made["sentinel2_passes"] + 4 + 4 * made["sentinel1_passes"]
    assert made["size"] > 1_000_000
    assert 0 <= made["cloud_share"] <= 1
    assert left_in(folder) == ["season"]
    described = json.loads((folder / "season" / "season.json").read_text())
    assert described["options"]["tiles"] == ["31UFS", "31UFT"]


def test_progress_is_on_stderr_and_the_summary_on_stdout(s4c: Run, folder: Path) -> None:
    answer = s4c("synthetic", "make", "--out", folder / "season", *SMALL)
    assert "sentinel2 passes  2" in answer.out
    assert "MB" in answer.out
    assert "passes: 3 of 3" in answer.err
    assert "passes:" not in answer.out


def test_tiles_are_read_as_people_write_them(s4c: Run, folder: Path) -> None:
    s4c("synthetic", "make", "--out", folder / "season", *SMALL, "--tiles", " t31uft , 31UFS")
    described = json.loads((folder / "season" / "season.json").read_text())
    assert sorted(described["options"]["tiles"]) == ["31UFS", "31UFT"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "2021-06-04", "--end", "2021-06-01"), "before it starts"),
        (("--start", "2021-13-01"), "is no date"),
        (("--start", "2020-01-01", "--end", "2021-12-31"), "more than 366 days"),
        (("--start", "1999-06-01", "--end", "1999-06-20"), "1999"),
        (("--size", 60, "--parcels", 2), "too small for 2 parcels"),
        (("--size", 30, "--parcels", 1), "no whole number of 60 m cells"),
        (("--size", 600, "--parcels", 5000), "too small"),
        (("--size", 1000), "no whole number of 60 m cells"),
        (("--size", 0), "no whole number of 60 m cells"),
        (("--size", -600), "no whole number of 60 m cells"),
        (("--size", 1_200_000), "reaches beyond"),
        (("--tiles", "31XXX"), "31XXX"),
        (("--tiles", "bogus"), "BOGUS"),
        (("--tiles", ","), "at least one tile"),
        (("--tiles", "31UFS,32ULC"), "2 UTM zones"),
        (("--tiles", "31UFS,31UDQ"), "share no ground"),
        (("--cloudiness", 1.5), "--cloudiness"),
        (("--cloudiness", -0.1), "--cloudiness"),
        (("--cloud-missed", 2), "--cloud-missed"),
        (("--radar-days", 7), "7"),
        (("--parcels", -5), "-5"),
        (("--parcels", 0), "0 parcels"),
        (("--seed", -1), "--seed"),
        (("--workers", 0), "--workers"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    s4c: Run, folder: Path, options: tuple[object, ...], said: str
) -> None:
    answer = s4c("synthetic", "make", "--out", folder / "season", *SMALL, *options, code=2)
    (line,) = answer.err.splitlines()
    assert line.startswith("s4c: ")
    assert said in line
    assert "Unexpected" not in line
    assert answer.out == ""
    assert left_in(folder) == []


def test_a_folder_that_holds_something_is_kept(s4c: Run, folder: Path) -> None:
    season = folder / "season"
    season.mkdir()
    (season / "thesis.txt").write_text("years of work")

    refused = s4c("synthetic", "make", "--out", season, *SMALL, code=2)
    assert "not empty" in refused.err
    assert "--overwrite" in refused.err
    refused = s4c("synthetic", "make", "--out", season, *SMALL, "--overwrite", code=2)
    assert "holds no season.json" in refused.err
    assert len(refused.err.splitlines()) == 1
    assert left_in(season) == ["thesis.txt"]
    assert left_in(folder) == ["season"]

    (folder / "file").write_text("")
    assert "is a file" in s4c("synthetic", "make", "--out", folder / "file", *SMALL, "--overwrite", code=2).err


def test_a_season_is_replaced_when_told(s4c: Run, folder: Path) -> None:
    season = folder / "season"
    s4c("synthetic", "make", "--out", season, *SMALL)
    s4c("synthetic", "make", "--out", season, *SMALL, code=2)
    s4c("synthetic", "make", "--out", season, *SMALL, "--seed", 7, "--overwrite")
    assert json.loads((season / "season.json").read_text())["options"]["seed"] == 7
    assert left_in(folder) == ["season"]

    # What goes wrong while a season is replaced leaves the old one.
    s4c("synthetic", "make", "--out", season, *SMALL, "--parcels", 5000, "--overwrite", code=2)
    assert json.loads((season / "season.json").read_text())["options"]["seed"] == 7


def test_a_disk_too_small_is_said_before_any_work(s4c: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**6, 10**6))
    answer = s4c("synthetic", "make", "--out", folder / "season", *SMALL, code=1)
    (line,) = answer.err.splitlines()
    assert "GB are free" in line
    assert left_in(folder) == []


def test_a_place_that_cannot_be_written_is_named(s4c: Run, folder: Path) -> None:
    (folder / "file").write_text("")
    answer = s4c("synthetic", "make", "--out", folder / "file" / "season", *SMALL, code=1)
    assert "could not be written" in answer.err
    assert len(answer.err.splitlines()) == 1


# --- a disk that fills up ------------------------------------------------------------------------------------------


class Disk:
    """A real file system in memory, of any size, empty each time."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.mounted = False

    def resized(self, kilobytes: int) -> Path:
        self.remove()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(self.place)]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small file system may be mounted here: {done.stderr.strip()}")
        self.mounted = True
        return self.place

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.place)], check=True)
            self.mounted = False


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    disk = Disk(tmp_path_factory.mktemp("disk"))
    yield disk
    disk.remove()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_keeps_nothing(
    s4c: Run, disk: Disk, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    # The check beforehand would refuse; what is shown here is what happens when others fill the disk meanwhile.
    monkeypatch.setattr(season_module, "_needed", lambda world: 0)
    arguments = ("synthetic", "make", *SMALL[:-1], workers, "--out")
    place = disk.resized(100_000)
    s4c(*arguments, place / "season")
    used = shutil.disk_usage(place).used // 1024
    # In the declarations, in the middle of a product, in the truth at the very end.
    for kilobytes in (60, used // 2, used - 40):
        place = disk.resized(kilobytes)
        answer = s4c(*arguments, place / "season", code=1)
        line = next(line for line in answer.err.splitlines() if line.startswith("s4c: "))
        assert f"the disk of {place / 'season'} is full; nothing was kept" in line
        assert answer.err.splitlines()[-1] == line
        assert left_in(place) == [], kilobytes


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_nothing_and_says_so(folder: Path, workers: str) -> None:
    command = [PROGRAM, "synthetic", "make", "--out", folder / "season", "--size", "1200", "--parcels", "20"]
    process = subprocess.Popen(
        [*command, "--workers", workers],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A group of its own: the terminal sends the signal to the workers too.
        start_new_session=True,
        env={**os.environ, "S4C_LOG_JSON": "false"},
    )
    try:
        assert process.stderr is not None
        first = _first_progress(process.stderr)
        assert left_in(folder)[0].startswith(".season.partial-")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert first.startswith("passes: 1 of ")
    assert process.returncode == 1
    assert out == ""
    *before, last = (line for line in err.splitlines() if line)
    assert last == "s4c: Stopped."
    assert all(line.startswith("passes: ") for line in before), err
    assert left_in(folder) == []


def _first_progress(stream: IO[str]) -> str:
    for line in stream:
        if line.startswith("passes: "):
            return line
    return pytest.fail("the program ended before its first pass")
