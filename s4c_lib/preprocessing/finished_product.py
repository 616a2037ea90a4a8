"""Putting a finished product folder in its place: complete or not at all (``preprocessing.md`` 1.3)."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from s4c_lib.preprocessing.work_folder import make_writable, remove_tree
from s4c_lib.products.replaced_folder import replaced_folder


def publish_folder(finished: Path, output_dir: Path) -> Path:
    """Move a folder to ``output_dir`` under its own name; an older one of that name goes when the new one stands.

    It is gathered in a hidden folder beside its place, on the same disk, flushed, and renamed.

    Raises
    ------
    DiskFullError, StorageError : it cannot be written; what stood there before still does.
    """
    target = output_dir / finished.name
    make_writable(finished)
    with replaced_folder(target) as folder:
        for path in sorted(finished.iterdir()):
            _bring(path, folder / path.name)
    remove_tree(finished)
    return target


def _bring(path: Path, to: Path) -> None:
    try:
        path.replace(to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if path.is_dir():
            shutil.copytree(path, to, symlinks=True)
        else:
            shutil.copy2(path, to)
