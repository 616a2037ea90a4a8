"""The folder of an L4 product: whole under its name, or not there."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import DatabaseUnavailableError, DiskFullError, StorageError
from s4c_lib.products import replaced_folder
from s4c_lib.products.replaced_folder import put_in_place, take_back
from s4c_lib.products.result_folder import files_in, result_name, work_folder

REPOSITORY = Path(__file__).resolve().parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_name_says_what_of_when_and_from_which_inputs() -> None:
    """spec/README.md G1."""
    name = result_name("l4c", "alpha", "2024", date(2024, 3, 1), date(2024, 9, 30), "0badcafe77")
    assert name == "S4C_L4C_alpha_2024_20240301_20240930_0badcafe"


def test_nothing_is_under_the_name_before_all_of_it_is(tmp_path: Path) -> None:
    target = tmp_path / "l4a" / "PRODUCT"
    with work_folder(target) as folder:
        (folder / "a.csv").write_text("1")
        assert folder.parent == target.parent
        assert folder.name.startswith(".")
        assert not target.exists()
        put_in_place(folder, target)
        assert (target / "a.csv").read_text() == "1"
    assert names(target.parent) == ["PRODUCT"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_product_that_is_made_again_takes_the_place_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:  # a file system that cannot exchange two folders
        monkeypatch.setattr(replaced_folder, "_exchanged", lambda *_: False)
    target = tmp_path / "PRODUCT"
    target.mkdir()
    (target / "old.csv").write_text("old")
    with work_folder(target) as folder:
        (folder / "new.csv").write_text("new")
        put_in_place(folder, target)
        assert names(target) == ["new.csv"]
        take_back(folder, target)
        assert names(target) == ["old.csv"]
        put_in_place(folder, target)
    assert names(tmp_path) == ["PRODUCT"]
    assert names(target) == ["new.csv"]


def test_what_took_a_free_place_is_taken_back(tmp_path: Path) -> None:
    target = tmp_path / "PRODUCT"
    with work_folder(target) as folder:
        (folder / "new.csv").write_text("new")
        put_in_place(folder, target)
        take_back(folder, target)
        assert not target.exists()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskFullError),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.parquet"), StorageError),
        (DatabaseUnavailableError("away"), DatabaseUnavailableError),
        (ValueError("a defect"), ValueError),
    ],
)
def test_an_error_leaves_nothing(tmp_path: Path, error: Exception, expected: type[Exception]) -> None:
    def work() -> None:
        with work_folder(tmp_path / "PRODUCT") as folder:
            (folder / "half.csv").write_text("1")
            raise error

    with pytest.raises(expected):
        work()
    assert names(tmp_path) == []


WORK_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from s4c_lib.products.result_folder import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "half.csv").write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "PRODUCT"
    process = subprocess.Popen(
        [sys.executable, "-c", WORK_UNTIL_KILLED, str(target)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"half\n"
        process.kill()
        process.wait()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".PRODUCT.partial-")
    with work_folder(target) as folder:
        assert list(tmp_path.iterdir()) == [folder]


@settings(max_examples=20)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.binary(max_size=100), min_size=1, max_size=5))
def test_a_manifest_is_that_of_the_files(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("product")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = files_in(folder)
    assert [item.path for item in found] == sorted(files)
    for item in found:
        assert (item.size_bytes, item.sha256) == (len(files[item.path]), hashlib.sha256(files[item.path]).hexdigest())


def test_a_product_without_files_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no file"):
        files_in(tmp_path)
