"""Putting a finished product folder in its place: complete or not at all (``preprocessing.md`` 1.3)."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from s4c_lib.preprocessing.work_folder import remove_tree

STAGING = ".staging"


def publish_folder(finished: Path, output_dir: Path) -> Path:
    """Move a folder to ``output_dir`` under its own name; an older one of that name goes when the new one stands.

    The folder is staged on the target's disk, flushed, and renamed. A reader sees the old product or the new one, and
    for the instant between two renames neither.

    Raises
    ------
    OSError : the disk is full or not writable; what stood there before stands there again.
    """
    staging = output_dir / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    target, staged, aside = output_dir / finished.name, staging / finished.name, staging / f"{finished.name}.old"
    if aside.exists() and not target.exists():
        aside.replace(target)  # a crash between the two renames of an earlier attempt
    remove_tree(staged)
    remove_tree(aside)
    try:
        _bring(finished, staged)
        _flush(staged)
        if target.exists():
            target.replace(aside)
        try:
            staged.replace(target)
        except OSError:
            if aside.exists():
                aside.replace(target)
            raise
    except OSError:
        remove_tree(staged)
        raise
    _flush_folder(output_dir)
    remove_tree(aside)
    _remove_if_empty(staging)
    return target


def _bring(finished: Path, staged: Path) -> None:
    try:
        finished.replace(staged)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copytree(finished, staged)
        remove_tree(finished)


def _flush(folder: Path) -> None:
    for directory, _, files in os.walk(folder):
        for name in files:
            with Path(directory, name).open("rb") as stream:
                os.fsync(stream.fileno())
        _flush_folder(Path(directory))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
