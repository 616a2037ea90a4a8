"""Folders that take their place whole, whoever else writes them at the same time."""

from __future__ import annotations

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from s4c_lib.errors import StorageError
from s4c_lib.products import replaced_folder as module
from s4c_lib.products.replaced_folder import private_folder, replaced_folder

REPOSITORY = Path(__file__).resolve().parents[2]
WORK_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from s4c_lib.products.replaced_folder import replaced_folder
with replaced_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_living_writer_uses_stays_and_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    target = tmp_path / "P"
    command = [sys.executable, "-c", WORK_UNTIL_KILLED, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"half\n"
        (theirs,) = tmp_path.iterdir()
        with replaced_folder(target) as folder:
            (folder / "f").write_text("mine")
        assert (theirs / "half").read_text() == "half"
        other.kill()
        other.wait()
    with replaced_folder(target) as folder:
        assert names(tmp_path) == sorted([folder.name, "P"])
    assert names(tmp_path) == ["P"]


@pytest.mark.parametrize("exchange", [True, False])
def test_many_writers_at_once_leave_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    target, writers = tmp_path / "P", 6
    if not exchange:  # a file system that cannot exchange two folders; writers then come one after another
        monkeypatch.setattr(module, "_exchanged", lambda *_: False)
        writers = 1
    together = Barrier(writers)

    def write(number: int) -> None:
        for _ in range(15):
            together.wait(30)
            with replaced_folder(target) as folder:
                for name in "ab":
                    (folder / name).write_text(str(number))

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert names(tmp_path) == ["P"]
    assert len({(target / name).read_text() for name in "ab"}) == 1


def test_a_failed_exchange_leaves_the_older_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "P"
    with replaced_folder(target) as folder:
        (folder / "f").write_text("one")
    rename = Path.rename

    def fails(path: Path, to: Path) -> Path:
        if to == target and not path.name.endswith(".older"):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return rename(path, to)

    monkeypatch.setattr(module, "_exchanged", lambda *_: False)
    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(StorageError, match="Input/output"), replaced_folder(target) as folder:
        (folder / "f").write_text("two")
    assert names(tmp_path) == ["P"]
    assert (target / "f").read_text() == "one"


def test_a_private_folder_goes_whatever_happened_in_it(tmp_path: Path) -> None:
    def fill() -> None:
        with private_folder(tmp_path, ".x-") as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "f").write_text("")
            (folder / "deep").chmod(0o500)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fill()
    assert names(tmp_path) == []
