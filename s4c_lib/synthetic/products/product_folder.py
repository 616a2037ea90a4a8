"""Putting a product on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from s4c_lib.synthetic.whole_folder import whole_folder


def write_product(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write the folder of a product below ``folder``: it appears whole or not at all.

    Raises
    ------
    InputError : a folder of this name holds something. DiskFullError, StorageError : what the disk says.
    """
    target = folder / name
    size = sum(len(content) for content in files.values())
    with whole_folder(target, mark="", overwrite=False, needed_bytes=size) as partial:
        for path in sorted(files):
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(files[path])
    return target
