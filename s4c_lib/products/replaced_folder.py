"""A product's folder appears, or is replaced, as a whole: readers see the older one or the new one, never a part."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from s4c_lib.products.cog import disk

_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of renameat2(2)
# EPERM: what old sandboxes of containers answer to a system call they do not know.
_NOT_OFFERED: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside ``target`` to write to; it takes the place of ``target`` when all went well.

    An older folder stays complete until then, and is removed after. Of several writers at once each has a folder of its
    own, and the last one's stays. Nothing is left when something failed.

    Raises
    ------
    DiskFullError, StorageError : it could not be written or replaced.
    """
    with disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with private_folder(target.parent, f".{target.name}.part-") as unfinished:
            yield unfinished
            for path in sorted(unfinished.rglob("*")):
                if not path.is_symlink():
                    _sync(path)
            _sync(unfinished)
            put_in_place(unfinished, target)


@contextmanager
def private_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder of one writer, whose name begins with ``prefix``; what is under that name in the end is removed.

    It is locked as long as its writer lives: what killed ones left under the prefix goes, what living ones use stays.
    """
    _remove_abandoned(parent, prefix)
    folder, held = _locked_folder(parent, prefix)
    try:
        folder.chmod(0o755)  # mkdtemp makes it private; others read it
        yield folder
    finally:
        _remove(folder)
        os.close(held)


def put_in_place(folder: Path, target: Path) -> None:
    """Let a finished folder take its place; what was there is then under the folder's name.

    Calling it again undoes it, where there was something. Both change places in one step where kernel and file system
    offer that; elsewhere (NFS) the older one is out of sight for an instant.

    Raises
    ------
    OSError : neither has moved.
    """
    if not _took_free_place(folder, target) and not _exchanged(folder, target):
        older = folder.with_name(f"{folder.name}.older")
        target.rename(older)
        try:
            folder.rename(target)
        except OSError:
            older.rename(target)
            raise
        older.rename(folder)
    _sync(target.parent)


def take_back(folder: Path, target: Path) -> None:
    """Undo `put_in_place`."""
    if folder.exists():
        put_in_place(folder, target)
    else:
        target.rename(folder)


def _took_free_place(folder: Path, target: Path) -> bool:
    if target.exists():
        return False
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:  # another writer was quicker
            return False
        raise
    return True


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


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            held = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(held, fcntl.LOCK_EX)
        # Before it was locked another writer may have taken it for abandoned.
        if os.fstat(held).st_nlink and folder.exists():
            return folder, held
        os.close(held)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for path in sorted(parent.iterdir()):
        if not path.name.startswith(prefix):
            continue
        try:
            held = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its writer has just ended
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        except BlockingIOError:
            continue  # its writer lives
        finally:
            os.close(held)


def _remove(folder: Path) -> None:
    """Remove a folder, read-only folders in it too; another writer may be doing the same."""
    try:
        for directory, _, _ in os.walk(folder):
            mode = stat.S_IMODE(Path(directory).stat().st_mode)
            if mode & stat.S_IRWXU != stat.S_IRWXU:
                Path(directory).chmod(mode | stat.S_IRWXU)
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():
            _remove(folder)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
