"""Products as the single files a provider sends: folders become zips, the same bytes every time."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from s4c_lib.sources.part_folder import storage_error
from s4c_lib.sources.product_tree import stat_files

_CHUNK = 1024 * 1024
# An archive carries times; a fixed one keeps its bytes the same.
_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16


def pack_folder(folder: Path, top: str, target: Path) -> None:
    """Write a folder as a zip with one folder ``top`` in it: names sorted, times fixed, nothing compressed.

    The zip appears complete or not at all. A zip that is there already is kept: products do not change.

    Raises
    ------
    ProductCorruptError : the folder holds nothing, or a link that leads nowhere.
    DiskFullError, StorageError : it cannot be written.
    """
    if target.exists():
        return
    files = stat_files(folder)
    with _appearing(target) as archive:
        for file in files:
            with (folder / file.path).open("rb") as source:
                _add(archive, f"{top}/{file.path}", source)


def repack(packed: Path, top: str, target: Path) -> None:
    """Write the files of a zip again under another top folder.

    Raises
    ------
    DiskFullError, StorageError : it cannot be written.
    """
    if target.exists():
        return
    with zipfile.ZipFile(packed) as old, _appearing(target) as archive:
        for name in sorted(old.namelist()):
            with old.open(name) as source:
                _add(archive, f"{top}/{name.partition('/')[2]}", source)


def md5_of(path: Path) -> str:
    """MD5 of a file in lower-case hex, which is what the catalogues state."""
    total = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


@contextmanager
def _appearing(target: Path) -> Iterator[zipfile.ZipFile]:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            yield archive
        part.rename(target)
    except OSError as error:
        raise storage_error(error, target.parent) from error
    finally:
        part.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_TIME)
    entry.external_attr = _READABLE_FILE
    with archive.open(entry, "w", force_zip64=True) as packed:
        shutil.copyfileobj(source, packed, _CHUNK)
