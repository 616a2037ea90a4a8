from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from s4c_lib.errors import ConflictError, DiskFullError, ProductCorruptError, StorageError
from s4c_lib.sources.local_archive import LocalArchive
from s4c_lib.sources.model import FetchMode, FetchResult, Progress, Query
from s4c_lib.sources.part_folder import holding, remove_stale_parts
from s4c_lib.sources.product_names import ProductKind, Satellite, product_name
from s4c_lib.sources.transfer import fetch_local
from s4c_lib.synthetic.archive import ArchiveSummary

L2A = "Sentinel-2/MSI/L2A"


def fetch(
    source: Path, target: Path, mode: FetchMode = FetchMode.COPY, progress: Progress | None = None
) -> FetchResult:
    return fetch_local(source, product_name(source.name), target, mode, progress)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    paths = [folder, *folder.rglob("*")]
    return {str(p): (p.lstat().st_mode, p.lstat().st_size, p.lstat().st_mtime_ns) for p in paths}


def leftovers(target: Path) -> list[str]:
    part = target / ".part"
    return sorted(path.name for path in part.iterdir()) if part.is_dir() else []


@pytest.mark.parametrize("part", [L2A, "MUSCATE", "SAR/SLC", "SAR/L2", "OLI_TIRS", ".SAFE.zip", ".tar"])
def test_a_copy_is_complete_writable_and_leaves_the_source_alone(
    product_copy: Callable[[str], Path], tmp_path: Path, part: str
) -> None:
    source = product_copy(part)
    for path in [*source.rglob("*"), source]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state(source)
    seen: list[tuple[int, int]] = []
    result = fetch(source, tmp_path / "target", progress=lambda done, total: seen.append((done, total)))
    assert result.path == tmp_path / "target" / source.name
    assert state(source) == before
    if source.is_dir():
        assert content(result.path) == content(source)
    else:
        assert result.path.read_bytes() == source.read_bytes()
    files = [path for path in [result.path, *result.path.rglob("*")] if path.is_file()]
    assert all(path.stat().st_mode & 0o200 for path in files)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (result.size_bytes, result.size_bytes)
    assert leftovers(tmp_path / "target") == []


def test_the_checksum_depends_on_content_and_not_on_place_or_time(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source = product_copy(L2A)
    first = fetch(source, tmp_path / "a")
    assert re.fullmatch("[0-9a-f]{64}", first.checksum)
    assert first.checksum_of == "content"
    moved = tmp_path / "elsewhere" / source.name
    shutil.copytree(source, moved)
    os.utime(next(moved.rglob("*.jp2")), (1, 1))
    assert fetch(moved, tmp_path / "b").checksum == first.checksum
    (moved / "MTD_MSIL2A.xml").write_bytes((moved / "MTD_MSIL2A.xml").read_bytes().replace(b"DESC", b"ASCE"))
    assert fetch(moved, tmp_path / "c").checksum != first.checksum


def test_fetching_again_writes_nothing_and_answers_the_same(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source = product_copy(L2A)
    first = fetch(source, tmp_path / "target")
    before = state(first.path)
    again = fetch(source, tmp_path / "target")
    assert state(first.path) == before
    assert (again.path, again.checksum, again.size_bytes) == (first.path, first.checksum, first.size_bytes)


def test_a_changed_product_replaces_the_old_copy(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source = product_copy(L2A)
    fetch(source, tmp_path / "target")
    (source / "INSPIRE.xml").write_text("<new/>")
    result = fetch(source, tmp_path / "target")
    assert content(result.path) == content(source)
    assert leftovers(tmp_path / "target") == []


KILLED_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from s4c_lib.sources.model import FetchMode
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.transfer import fetch_local

def die_half_way(done, total):
    if done > total // 2:
        os.kill(os.getpid(), signal.SIGKILL)

source, target = Path(sys.argv[1]), Path(sys.argv[2])
fetch_local(source, product_name(source.name), target, FetchMode.COPY, die_half_way)
"""


def test_a_copy_killed_half_way_leaves_no_product_and_is_continued(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source, target = product_copy(L2A), tmp_path / "target"
    killed = subprocess.run([sys.executable, "-c", KILLED_HALF_WAY, str(source), str(target)], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not (target / source.name).exists()
    assert leftovers(target) == [f"{source.name}.1", f"{source.name}.lock"]
    part = target / ".part" / f"{source.name}.1" / source.name
    arrived = {path.stat().st_ino for path in part.rglob("*") if path.is_file()}
    assert arrived
    result = fetch(source, target)
    assert content(result.path) == content(source)
    assert leftovers(target) == []
    kept = arrived & {path.stat().st_ino for path in result.path.rglob("*") if path.is_file()}
    assert len(kept) >= len(arrived) - 1  # all but at most the file in the making were taken over


def test_a_file_cut_off_by_a_crash_is_copied_anew(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source, target = product_copy(L2A), tmp_path / "target"
    part = target / ".part" / f"{source.name}.3" / source.name
    band = next(source.rglob("*_B02_10m.jp2")).relative_to(source)
    (part / band).parent.mkdir(parents=True)
    # Preallocated to its full size, as some file systems leave it.
    (part / band).write_bytes(b"\0" * (source / band).stat().st_size)
    (part / "gone_from_the_source.xml").write_text("x")
    result = fetch(source, target)
    assert content(result.path) == content(source)


@pytest.mark.parametrize("mode", [FetchMode.COPY, FetchMode.SYMLINK, FetchMode.CHECK])
def test_a_half_copied_product_of_the_archive_never_arrives(
    made_archive: ArchiveSummary, tmp_path: Path, mode: FetchMode
) -> None:
    for fault in made_archive.faults:
        if fault.stage == "fetch":
            with pytest.raises(ProductCorruptError, match="B08_10m"):
                fetch(fault.path, tmp_path, mode)
            assert not (tmp_path / fault.path.name).exists()
            assert not (tmp_path / fault.path.name).is_symlink()


def test_a_dangling_archive_entry_is_an_input_error(made_archive: ArchiveSummary, tmp_path: Path) -> None:
    fault = next(item for item in made_archive.faults if item.code == "dangling_link")
    with pytest.raises(ProductCorruptError, match="moved-away"):
        fetch(fault.path, tmp_path)


def test_a_damaged_zip_is_copied_but_not_published(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source = product_copy(".SAFE.zip")
    data = bytearray(source.read_bytes())
    data[5000] ^= 0xFF
    source.write_bytes(data)
    with pytest.raises(ProductCorruptError, match=r"\.zip"):
        fetch(source, tmp_path / "target")
    assert not (tmp_path / "target" / source.name).exists()


def test_links_inside_a_product_are_copied_as_files(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source = product_copy(L2A)
    band = next(source.rglob("*_B02_10m.jp2"))
    band.rename(tmp_path / "store.jp2")
    band.symlink_to(tmp_path / "store.jp2")
    result = fetch(source, tmp_path / "target")
    copied = result.path / band.relative_to(source)
    assert not copied.is_symlink()
    assert copied.read_bytes() == band.read_bytes()


def test_symlink_makes_an_absolute_link_and_mends_a_dangling_one(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source, target = product_copy(L2A), tmp_path / "target"
    target.mkdir()
    (target / source.name).symlink_to("/nowhere/at/all")
    before = state(source)
    result = fetch(source, target, FetchMode.SYMLINK)
    assert result.path.readlink() == source
    assert result.checksum_of == "listing"
    assert state(source) == before
    assert fetch(source, target, FetchMode.SYMLINK).path.readlink() == source
    shutil.copytree(source, tmp_path / "copy" / source.name)
    moved = fetch(tmp_path / "copy" / source.name, target, FetchMode.SYMLINK)
    assert moved.path.readlink() == tmp_path / "copy" / source.name
    assert moved.checksum == result.checksum


def test_symlink_does_not_throw_away_a_real_product(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source = product_copy(L2A)
    copied = fetch(source, tmp_path / "target").path
    with pytest.raises(ConflictError, match="real product"):
        fetch(source, tmp_path / "target", FetchMode.SYMLINK)
    assert copied.is_dir()


def test_copy_replaces_a_link_by_a_product_without_touching_its_target(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source = product_copy(L2A)
    fetch(source, tmp_path / "target", FetchMode.SYMLINK)
    result = fetch(source, tmp_path / "target", FetchMode.COPY)
    assert not result.path.is_symlink()
    assert content(result.path) == content(source)


def test_check_answers_the_archives_own_path_and_writes_nothing(
    product_copy: Callable[[str], Path], tmp_path: Path
) -> None:
    source = product_copy(L2A)
    result = fetch(source, tmp_path / "target", FetchMode.CHECK)
    assert result.path == source
    assert not (tmp_path / "target").exists()


def test_two_fetches_of_one_product_do_not_meet(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    source = product_copy(L2A)
    with holding(tmp_path / "target", source.name), pytest.raises(StorageError, match="another process") as caught:
        fetch(source, tmp_path / "target")
    assert (caught.value.code, caught.value.retryable) == ("transfer_busy", True)
    fetch(source, tmp_path / "target")


def test_a_candidate_of_the_archive_is_fetched(made_archive: ArchiveSummary, tmp_path: Path) -> None:
    archive = LocalArchive(made_archive.root)
    day = datetime(2024, 3, 1, tzinfo=UTC).date()
    found = archive.search(Query(Satellite.SENTINEL1, frozenset({ProductKind.S1_GRD}), day, day)).candidates
    result = archive.fetch(found[0], tmp_path, FetchMode.COPY)
    assert result.size_bytes == found[0].size_bytes
    assert result.path == tmp_path / Path(found[0].address).name


def test_stale_parts_are_removed_but_not_the_one_in_use(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for name in ("a.SAFE.1", "b.SAFE.2", "new.SAFE.1"):
        (tmp_path / ".part" / name).mkdir(parents=True)
    old = (now - timedelta(days=3)).timestamp()
    for name in ("a.SAFE.1", "b.SAFE.2"):
        os.utime(tmp_path / ".part" / name, (old, old))
    with holding(tmp_path, "b.SAFE"):
        removed = remove_stale_parts(tmp_path, now - timedelta(days=2))
    assert [path.name for path in removed] == ["a.SAFE.1"]
    assert leftovers(tmp_path) == ["b.SAFE.2", "new.SAFE.1"]


@pytest.mark.parametrize(
    ("options", "why"),
    [("size=64k", "seen before the first byte"), ("size=16m,nr_inodes=14", "met in the middle of the copy")],
)
def test_a_full_disk_is_said_and_leaves_nothing_behind(
    product_copy: Callable[[str], Path], small_disk: Callable[[str], Path], options: str, why: str
) -> None:
    source, disk = product_copy(L2A), small_disk(options)
    with pytest.raises(DiskFullError, match=r"free|no space") as caught:
        fetch(source, disk)
    assert (caught.value.code, caught.value.retryable) == ("disk_full", True), why
    assert not (disk / source.name).exists()
    assert leftovers(disk) == []


def test_a_disk_full_in_the_middle_of_a_file(product_copy: Callable[[str], Path], tmp_path: Path) -> None:
    """A file size limit stops the write itself, for any user."""
    source = product_copy(L2A)
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n" + KILLED_HALF_WAY
    done = subprocess.run(
        [sys.executable, "-c", limited, str(source), str(tmp_path / "target")],
        capture_output=True,
        text=True,
        timeout=120,
        # The limit would cut off compiled modules too.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 1
    assert "StorageError" in done.stderr
    assert "File too large" in done.stderr
    assert not (tmp_path / "target" / source.name).exists()
