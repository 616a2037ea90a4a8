"""One writer for each tile, whoever is killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elevation_cases import copernicus_cell
from test_maja_elevation import GRID, NOW, TILE

from s4c_lib.errors import LeaseLostError, StorageError
from s4c_lib.preprocessing.elevation.maja_folder import maja_elevation
from s4c_lib.preprocessing.elevation.one_writer import one_writer
from s4c_lib.preprocessing.elevation.sources import elevation_source

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.geography.sentinel2_tiles import tile
from s4c_lib.preprocessing.elevation import layers
from s4c_lib.preprocessing.elevation.maja_folder import maja_elevation
from s4c_lib.preprocessing.elevation.sources import elevation_source

slope_and_aspect = layers.slope_and_aspect


def halting(heights, pixel):
    # in the middle of the second resolution, when the first is on disk
    if sys.argv[4] == "halts" and pixel == 20:
        print("half", flush=True)
        sys.stdin.readline()
    return slope_and_aspect(heights, pixel)


layers.slope_and_aspect = halting
print("ready", flush=True)
sys.stdin.readline()
source = elevation_source("auto", Path(sys.argv[1]))
grid = PixelGrid(*map(int, sys.argv[3].split()))
print(maja_elevation(tile("32ULB"), source, Path(sys.argv[2]), now=datetime(2026, 5, 1, 10, tzinfo=UTC), grid=grid))
"""


@contextmanager
def started(model: Path, cache: Path, halts: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that waits for a word to begin, and with "halts" for another midway; killed if it is still there."""
    grid = f"{GRID.epsg} {GRID.west:.0f} {GRID.north:.0f} {GRID.pixel:.0f} {GRID.rows} {GRID.columns}"
    command = [sys.executable, "-c", SCRIPT, str(model), str(cache), grid, halts]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as child:
        try:
            yield child
        finally:
            child.kill()


def go(child: subprocess.Popen[str]) -> None:
    """Let it begin, once it has imported everything."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.stdin.write("go\n")
    child.stdin.flush()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dem")
    for longitude in (6, 7):
        copernicus_cell(folder, 50, longitude)
    return folder


def test_two_processes_at_once_make_one_computation_and_both_have_it(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with started(model, cache) as first, started(model, cache) as second:
        for child in (first, second):
            go(child)
        printed = [child.communicate(timeout=120)[0] for child in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum("elevation_made" in text for text in printed) == 1
    folders = {text.splitlines()[-1] for text in printed}
    assert len(folders) == 1
    alone = maja_elevation(TILE, elevation_source("auto", model), tmp_path / "alone", now=NOW, grid=GRID)
    assert digests(Path(folders.pop())) == digests(alone)
    assert len(list(cache.iterdir())) == 1


def test_a_killed_writer_leaves_nothing_visible_and_the_next_takes_over(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with started(model, cache, "halts") as child:
        go(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        assert list(cache.glob(".*.part-*/*.DBL.DIR/*ALT_R1.TIF"))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    left = list(cache.iterdir())
    assert left
    assert all(entry.name.startswith(".") for entry in left)
    assert json.loads(next(cache.glob(".*.lock")).read_text())["pid"] == child.pid
    made = maja_elevation(TILE, elevation_source("auto", model), cache, now=NOW, grid=GRID)
    assert list(cache.iterdir()) == [made]
    assert len(digests(made)) == 11


def hold(lock: Path, **changes: object) -> None:
    """A lock file as another process would have written it."""
    holder = {"pid": os.getpid(), "started": "x", "host": "elsewhere", "time": 1000.0, "token": "theirs"} | changes
    lock.write_text(json.dumps(holder))


def test_a_living_writer_is_waited_for_and_named_when_it_takes_too_long(tmp_path: Path) -> None:
    hold(tmp_path / ".result.lock", pid=4711)
    began = time.monotonic()
    with (
        pytest.raises(StorageError, match="process 4711 on elsewhere") as caught,
        one_writer(tmp_path / "result", wait_s=0.05, clock=lambda: 1001.0 + time.monotonic() - began),
    ):
        raise AssertionError("it is held")
    assert caught.value.retryable


def test_a_writer_on_another_host_loses_the_lock_when_it_expires(tmp_path: Path) -> None:
    hold(tmp_path / ".result.lock")
    with one_writer(tmp_path / "result", wait_s=0, expiry_s=1800, clock=lambda: 2801.0) as writer:
        assert writer is not None
        found = json.loads((tmp_path / ".result.lock").read_text())
        assert (found["pid"], found["host"], found["time"]) == (os.getpid(), socket.gethostname(), 2801.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_writer_killed_while_it_wrote_its_name_holds_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / ".result.lock").write_text(content)
    with one_writer(tmp_path / "result", wait_s=0) as writer:
        assert writer is not None


def test_a_later_process_with_the_number_of_the_dead_one_does_not_hold_the_lock(tmp_path: Path) -> None:
    hold(tmp_path / ".result.lock", host=socket.gethostname(), time=time.time(), started="1")
    with one_writer(tmp_path / "result", wait_s=0) as writer:
        assert writer is not None


def test_who_lost_the_lock_hears_of_it_and_leaves_it_to_its_new_holder(tmp_path: Path) -> None:
    with one_writer(tmp_path / "result") as writer:
        assert writer is not None
        writer.renew()
        hold(tmp_path / ".result.lock")
        with pytest.raises(LeaseLostError):
            writer.renew()
    assert json.loads((tmp_path / ".result.lock").read_text())["token"] == "theirs"


def test_a_result_that_is_there_needs_no_lock(tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    hold(tmp_path / ".result.lock")
    with one_writer(tmp_path / "result", wait_s=0) as writer:
        assert writer is None
