"""A season's folder appears complete or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from s4c_lib.errors import DiskFullError, InputError, StorageError
from s4c_lib.synthetic.whole_folder import whole_folder


def fill(target: Path, *, text: str = "new", overwrite: bool = False) -> None:
    with whole_folder(target, mark="season.json", overwrite=overwrite, needed_bytes=1000) as folder:
        (folder / "season.json").write_text(text)


def test_it_appears_with_everything(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "season")

    assert (tmp_path / "a" / "season" / "season.json").read_text() == "new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["season"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "season").mkdir()
    fill(tmp_path / "season")
    assert (tmp_path / "season" / "season.json").exists()


def test_what_is_there_stays_unless_told(tmp_path: Path) -> None:
    fill(tmp_path / "season", text="old")
    with pytest.raises(InputError, match="not empty"):
        fill(tmp_path / "season")
    assert (tmp_path / "season" / "season.json").read_text() == "old"

    fill(tmp_path / "season", overwrite=True)
    assert (tmp_path / "season" / "season.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["season"]


def test_a_folder_with_other_things_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds no season\.json"):
        fill(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "season").write_text("")
    with pytest.raises(InputError, match="is a file"):
        fill(tmp_path / "season", overwrite=True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt(), ValueError()])
def test_after_an_error_nothing_is_left_and_the_old_one_stays(tmp_path: Path, error: BaseException) -> None:
    fill(tmp_path / "season", text="old")

    def break_off() -> None:
        with whole_folder(tmp_path / "season", mark="season.json", overwrite=True, needed_bytes=0) as folder:
            (folder / "half").write_text("half")
            raise error

    with pytest.raises(DiskFullError if isinstance(error, OSError) else type(error)):
        break_off()
    assert (tmp_path / "season" / "season.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["season"]


def test_too_little_space_is_said_before_work_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskFullError, match="GB are free"),
        whole_folder(tmp_path / "s", mark="m", overwrite=False, needed_bytes=10**18),
    ):
        pytest.fail("work started")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        fill(tmp_path / "file" / "season")
