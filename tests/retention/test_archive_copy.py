"""A copy for the archive is whole and verified, or it is not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from s4c_lib.errors import ConflictError, DiskFullError, InputError, ProductCorruptError, StorageError
from s4c_lib.retention import archive_copy as archive
from s4c_lib.retention.archive_copy import archive_copy, check_archive


@pytest.fixture
def product(tmp_path: Path) -> Path:
    folder = tmp_path / "products" / "P"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.tif").write_bytes(b"12345")
    (folder / "sub" / "b.tif").write_bytes(b"67")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive" / "1" / "P"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_and_a_file_arrive_as_they_were(product: Path, target: Path) -> None:
    assert archive_copy(product, target, {"a.tif": sha(b"12345")}) == 7
    assert content(target) == content(product) == {"a.tif": b"12345", "sub/b.tif": b"67"}
    assert (target / "a.tif").stat().st_mtime_ns == (product / "a.tif").stat().st_mtime_ns
    single = target.parents[1] / "2" / "a.tif"
    assert archive_copy(product / "a.tif", single, {}) == 5
    assert single.read_bytes() == b"12345"


def test_a_file_that_is_not_what_was_registered_is_not_archived(product: Path, target: Path) -> None:
    with pytest.raises(ProductCorruptError, match="not what was registered"):
        archive_copy(product, target, {"sub/b.tif": sha(b"other")})
    assert list(target.parent.iterdir()) == []


def test_what_the_disk_gives_back_is_compared(product: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = archive._copy

    def rotting(source: Path, copy: Path) -> str:
        digest = real(source, copy)
        copy.write_bytes(b"rotten")  # no real disk does that to order
        return digest

    monkeypatch.setattr(archive, "_copy", rotting)
    with pytest.raises(ProductCorruptError, match="not what was written"):
        archive_copy(product, target, {})
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("where", ["whole", "file", "folder", "pipe"])
def test_links_are_not_followed_into_the_archive(product: Path, target: Path, tmp_path: Path, where: str) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_bytes(b"x")
    source = product
    match where:
        case "whole":
            source = tmp_path / "link"
            source.symlink_to(precious)
        case "file":
            (product / "c.tif").symlink_to(precious / "thesis")
        case "folder":
            (product / "c").symlink_to(precious)
        case "pipe":
            os.mkfifo(product / "c")
    with pytest.raises(StorageError, match="is a link or"):
        archive_copy(source, target, {})
    assert not target.exists()


def test_the_other_name_of_a_file_keeps_its_content(product: Path, target: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    os.link(product / "a.tif", other)
    archive_copy(product, target, {})
    (target / "a.tif").write_bytes(b"changed")
    assert other.read_bytes() == b"12345"


def test_nothing_in_the_archive_is_overwritten(product: Path, target: Path) -> None:
    target.mkdir(parents=True)
    (target / "old").write_bytes(b"old")
    with pytest.raises(ConflictError, match="already"):
        archive_copy(product, target, {})
    assert content(target) == {"old": b"old"}


def test_a_full_disk_leaves_nothing(product: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def full(handle: int) -> None:
        if os.fstat(handle).st_size == 2:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="does not fit"):
        archive_copy(product, target, {})
    assert list(target.parent.iterdir()) == []


def test_an_archive_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder that exists"):
        check_archive(tmp_path / "mnt" / "archive")
    assert not (tmp_path / "mnt").exists()
