"""A product's folder appears, or is replaced, as a whole."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from s4c_lib.products.cog import disk

_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE
_NOT_OFFERED: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside ``target`` to write to; it takes the place of ``target`` when all went well.

    An older folder stays complete until then, and is removed after. Nothing is left when something failed; what a
    killed process left goes when its folder is next written.

    Raises
    ------
    DiskFullError, StorageError : it could not be written or replaced.
    """
    with disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
        held = os.open(unfinished, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            unfinished.chmod(0o755)
            yield unfinished
            for path in sorted(unfinished.rglob("*")):
                _sync(path)
            _sync(unfinished)
            _put(unfinished, target)
            _sync(target.parent)
        finally:
            os.close(held)
            if unfinished.exists():  # what failed, or what was replaced
                shutil.rmtree(unfinished)


def _remove_abandoned(target: Path) -> None:
    """Remove what killed writers of this folder left: a living one holds a lock."""
    for path in sorted(target.parent.glob(f".{target.name}.part-*")):
        held = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(held)
        shutil.rmtree(path)


def _put(folder: Path, target: Path) -> None:
    if not target.exists():
        folder.rename(target)
    elif not _exchanged(folder, target):
        # File systems that cannot exchange two names (NFS): the older product is out of sight for an instant.
        older = folder.with_name(f"{folder.name}.older")
        target.rename(older)
        try:
            folder.rename(target)
        except OSError:
            older.rename(target)
            raise
        older.rename(folder)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; false where kernel or file system does not offer it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
