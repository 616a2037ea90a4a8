"""A verified copy of a product in the archive: complete under its name, or not there.

A copy is read back and compared with what was read from the source, and with the checksums the product was registered
with. Source: operations.md §7, "Archive = copy, verify sha256, switch path, delete".
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from s4c_lib.errors import ConflictError, DiskFullError, InputError, ProductCorruptError, StorageError, is_disk_full
from s4c_lib.sources.part_folder import flush_folder

_BLOCK: Final = 1 << 22


def check_archive(root: Path) -> Path:
    """Return the archive's root if products can be put there.

    Raises
    ------
    InputError : it is no folder that exists; it is never made, since a disk that is not mounted would be missed.
    """
    if not root.is_dir():
        raise InputError(
            f"The archive {root} is not a folder that exists; products stay where they are.",
            hint="mount or make it, or set retention.archive_path to another folder",
        )
    if not os.access(root, os.W_OK | os.X_OK):
        raise InputError(f"The archive {root} cannot be written.", hint="correct its permissions")
    return root


def archive_copy(source: Path, target: Path, known: Mapping[str, str]) -> int:
    """Copy a product to a place where nothing is yet, and return its bytes.

    It is written under another name in the target's folder and renamed when it is complete and on the disk.

    Parameters
    ----------
    known : SHA-256 (hex) by relative path, of files that were registered with one.

    Raises
    ------
    StorageError : the source is gone or cannot be read, or holds a link, which is never followed.
    ProductCorruptError : a file is not what was registered, or what was written.
    DiskFullError : the archive has no room; nothing is left of the copy.
    ConflictError : the target is there already.
    """
    if os.path.lexists(target):
        raise ConflictError(f"{target} is there already and is left as it is.", hint="move it away, or see whose it is")
    part = target.with_name(f".{target.name}.part")
    try:
        files = list(_files(source))
        _need_room(sum(file.stat().st_size for file in files), target)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = _fill(source, part, files, known)
        part.rename(target)
        flush_folder(target.parent)
        flush_folder(target.parent.parent)
    except OSError as error:
        _clear(part)
        if isinstance(error, StorageError):
            raise
        if is_disk_full(error):
            raise DiskFullError(f"{source.name} does not fit into {target.parent}.", hint="free space") from error
        raise StorageError(f"{source} cannot be archived: {error.strerror or error}.") from error
    except ProductCorruptError:
        _clear(part)
        raise
    return size


def _files(source: Path) -> Iterator[Path]:
    """Every file of a product by path.

    Raises
    ------
    StorageError : one is a link or no file.
    """
    if source.is_symlink() or not source.exists():
        raise StorageError(f"{source} is a link or gone; it is not archived.")
    if source.is_file():
        yield source
        return
    for folder, names, files in os.walk(source, followlinks=False, onerror=_raise):
        names.sort()
        for name in (*names, *sorted(files)):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise StorageError(f"{path} is a link or no file; {source.name} is not archived.")
        yield from (Path(folder, name) for name in sorted(files))


def _raise(error: OSError) -> None:
    raise error


def _need_room(size: int, target: Path) -> None:
    place = next(path for path in target.parents if path.exists())
    free = shutil.disk_usage(place).free
    if free < size:
        raise DiskFullError(f"{target.name} has {size} bytes, {free} are free in {place}.", hint="free space")


def _fill(source: Path, part: Path, files: list[Path], known: Mapping[str, str]) -> int:
    size = 0
    whole = source.is_file()
    if not whole:
        for folder, _, _ in os.walk(source, followlinks=False, onerror=_raise):
            (part / Path(folder).relative_to(source)).mkdir()
    for file in files:
        name = file.name if whole else file.relative_to(source).as_posix()
        copy = part if whole else part / name
        read = _copy(file, copy)
        if read != known.get(name, read):
            raise ProductCorruptError(
                f"{file} is not what was registered; {source.name} is not archived.", hint="have it made again"
            )
        if _digest(copy) != read:
            raise ProductCorruptError(f"{copy} is not what was written to it.", hint="check the disk of the archive")
        size += file.stat().st_size
    if not whole:
        for folder, _, _ in os.walk(part, topdown=False):
            flush_folder(Path(folder))
    return size


def _copy(source: Path, target: Path) -> str:
    """Copy one file through to the disk and return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(_BLOCK):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
        # what is read back is to come from the disk
        os.posix_fadvise(writing.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    found = source.stat()
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _clear(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)
