"""The folder of an L4 product: its name, where it is made, and what it holds.

It is made beside its place, so that `replaced_folder.put_in_place` can put it there whole, in one step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from s4c_lib.catalog.products import ProductFile
from s4c_lib.errors import DiskFullError, StorageError, is_disk_full

_PARTIAL: Final = ".partial-"
_BLOCK: Final = 1 << 20


def result_name(level: str, site: str, season: str, interval_start: date, as_of: date, fingerprint: str) -> str:
    """Return the name of an L4 product (spec/README.md G1).

    >>> result_name("l4a", "alpha", "2024", date(2024, 3, 1), date(2024, 9, 30), "0123456789abcdef")
    'S4C_L4A_alpha_2024_20240301_20240930_01234567'
    """
    return f"S4C_{level.upper()}_{site}_{season}_{interval_start:%Y%m%d}_{as_of:%Y%m%d}_{fingerprint[:8]}"


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Make an empty folder beside a product's place; whatever is left under its name at the end is removed.

    What killed runs left of products in the same place is removed first: one run of a processor and season works at a
    time.

    Raises
    ------
    DiskFullError, StorageError : also for an error of the file system inside.
    """
    folder: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}{_PARTIAL}", dir=target.parent))
        folder.chmod(0o755)  # mkdtemp makes it private; others read it
        yield folder
    except OSError as error:
        if error.errno is None:  # one of ours
            raise
        if is_disk_full(error):
            raise DiskFullError(f"The disk of {target} is full; nothing was kept.", hint="free space") from error
        raise StorageError(f"{target.name} was not made: {error}; nothing was kept.") from error
    finally:
        if folder is not None:
            # what cannot be removed is a leftover that the next run removes; an error from inside matters more
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(place: Path) -> list[Path]:
    """Remove the work folders of runs that were killed, and return which."""
    found = sorted(path for path in place.iterdir() if is_work_folder(path.name))
    for path in found:
        shutil.rmtree(path)
    return found


def is_work_folder(name: str) -> bool:
    """Tell by its name whether a result is, or was, being made in a folder."""
    return name.startswith(".") and _PARTIAL in name


def files_in(folder: Path) -> tuple[ProductFile, ...]:
    """Return the manifest of a finished folder, by path, after its files have reached the disk.

    Raises
    ------
    StorageError : there is no file.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if not paths:
        raise StorageError(f"{folder} holds no file of a product.")
    manifest = []
    for path in paths:
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
            os.fsync(file.fileno())
        manifest.append(ProductFile(path.relative_to(folder).as_posix(), size, digest.hexdigest()))
    for path in (*sorted(item for item in folder.rglob("*") if item.is_dir()), folder):
        _sync(path)
    return tuple(manifest)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
