"""The folder ``.part`` of a target: one unfinished product a sub-folder, published by one rename.

A sub-folder is ``<name>.<attempt>``; ``<name>.lock`` is held by the process that fills it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from s4c_lib.errors import DiskFullError, StorageError, is_disk_full

PART_FOLDER = ".part"


def storage_error(error: OSError, target_dir: Path) -> StorageError:
    """Translate an error of the operating system met while copying or linking."""
    if is_disk_full(error):
        return DiskFullError(
            f"no space left while writing to {error.filename or target_dir}",
            hint="free space on the target's disk; the product is then fetched again from its start",
        )
    return StorageError(
        f"bringing a product to {target_dir} failed at {error.filename or target_dir}: {error.strerror or error}",
        hint="check the permissions of source and target",
    )


@contextmanager
def holding(target_dir: Path, name: str) -> Iterator[None]:
    """Keep other processes from fetching the same product to the same place; let go by a crash as well.

    Raises
    ------
    StorageError : another process holds it (code ``transfer_busy``).
    """
    parts = target_dir / PART_FOLDER
    parts.mkdir(parents=True, exist_ok=True)
    path = parts / f"{name}.lock"
    busy = StorageError(f"another process is fetching {name} to {target_dir}", hint="wait for it", code="transfer_busy")
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us removed the file when it was done: ours is one nobody else will meet.
            if path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                raise busy
        except (BlockingIOError, FileNotFoundError) as error:
            raise busy from error
        try:
            yield
        finally:
            path.unlink()


def take_over(target_dir: Path, name: str) -> Path:
    """Take over the newest unfinished folder of the product, as the next attempt; older ones are removed.

    Returns
    -------
    ``<target>/.part/<name>.<attempt>``, which exists.
    """
    parts = target_dir / PART_FOLDER
    pattern = re.compile(re.escape(name) + r"\.([0-9]+)")
    attempts = {}
    for entry in parts.iterdir():
        found = pattern.fullmatch(entry.name)
        if found:
            attempts[int(found[1])] = entry
    newest = max(attempts, default=0)
    for attempt, folder in attempts.items():
        if attempt != newest:
            shutil.rmtree(folder)
    folder = parts / f"{name}.{newest + 1}"
    if newest:
        attempts[newest].replace(folder)
    else:
        folder.mkdir()
    return folder


def publish(path: Path, final: Path) -> None:
    """Put a complete product in its place; an older one of that name goes only when the new one stands there.

    Parameters
    ----------
    path : in its folder under ``.part``, which is removed with all that is left in it.
    """
    aside = path.parent.with_suffix(".old")
    remove(aside)
    if final.is_symlink() or final.is_file():
        if path.is_dir():
            final.unlink()
    elif final.exists():
        final.replace(aside)
    path.replace(final)
    flush_folder(final.parent)
    remove(aside)
    remove(path.parent)


def remove_stale_parts(target_dir: Path, before: datetime) -> tuple[Path, ...]:
    """Remove unfinished copies not touched since ``before`` (aware), except those being filled now.

    Returns
    -------
    The folders removed, by name.
    """
    removed = []
    for folder in stale_parts(target_dir, before):
        try:
            with holding(target_dir, folder.name.rpartition(".")[0]):
                remove(folder)
        except StorageError as error:
            if error.code != "transfer_busy":
                raise
            continue
        removed.append(folder)
    return tuple(removed)


def stale_parts(target_dir: Path, before: datetime) -> list[Path]:
    """Return the unfinished copies not touched since ``before`` (aware), by name; even so, one may be held now."""
    parts = target_dir / PART_FOLDER
    return [
        folder
        for folder in (sorted(parts.iterdir()) if parts.is_dir() else ())
        if folder.name.rpartition(".")[2].isdigit() and folder.stat().st_mtime < before.timestamp()
    ]


def flush_folder(folder: Path) -> None:
    """Have the names in a folder written to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with everything in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
