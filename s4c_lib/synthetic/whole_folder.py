"""A folder that appears complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s4c_lib.errors import DiskFullError, InputError, StorageError, is_disk_full


@contextmanager
def whole_folder(target: Path, *, mark: str, overwrite: bool, needed_bytes: int) -> Iterator[Path]:
    """Yield a folder beside ``target`` to fill; at the end it takes its place, after an error it is removed.

    Parameters
    ----------
    mark : file that the complete folder has; only a folder with this file is overwritten.
    needed_bytes : rough size of what will be written, checked against the free space first.

    Raises
    ------
    InputError : the target is no folder, or holds something and may not be overwritten.
    DiskFullError : too little space, at the start or while writing.
    StorageError : another failure of the disk.
    """
    # Behind a link, the folder itself is replaced; a mounted one cannot be.
    target = target.resolve()
    _check_target(target, mark, overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    except OSError as error:
        raise _storage_error(target, error) from error
    try:
        _check_space(target, needed_bytes, free)
        yield partial
        # mkdtemp makes it private; a season is for others to read.
        partial.chmod(0o755)
        _put_in_place(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, StorageError):
            raise
        raise _storage_error(target, error) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _check_target(target: Path, mark: str, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target} is a file", hint="give a folder")
    if os.path.ismount(target):
        raise InputError(f"{target} is a mount point and cannot be replaced", hint="give a folder in it")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{target} is not empty", hint="give a new folder, or --overwrite")
    if not (target / mark).exists():
        raise InputError(f"{target} holds no {mark}: it is not overwritten", hint="give a new folder")


def _check_space(target: Path, needed_bytes: int, free: int) -> None:
    if free < needed_bytes:
        raise DiskFullError(
            f"{target} needs about {needed_bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            hint="free space or choose another disk",
        )


def _put_in_place(partial: Path, target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        old = partial.with_name(f"{partial.name}.old")
        target.rename(old)
        partial.rename(target)
        shutil.rmtree(old)
        return
    # rename replaces an empty folder
    partial.rename(target)


def _storage_error(target: Path, error: OSError) -> StorageError:
    if is_disk_full(error):
        return DiskFullError(f"the disk of {target} is full; nothing was kept", hint="free space and start again")
    return StorageError(f"{target} could not be written: {error.strerror or error}; nothing was kept")
