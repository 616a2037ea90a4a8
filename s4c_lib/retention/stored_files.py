"""Files that are ours to remove: those below the storage folders, never through a link."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.errors import StorageError
from s4c_lib.preprocessing.work_folder import remove_tree


def is_inside(path: Path, roots: Sequence[Path]) -> bool:
    """Tell whether a path lies below a root; links on the way count as where they lead, the last one as itself."""
    if not path.is_absolute() or path.name in {"", ".."}:
        return False
    real = path.parent.resolve() / path.name
    return any(real != root.resolve() and real.is_relative_to(root.resolve()) for root in roots)


def is_away(path: Path, roots: Sequence[Path]) -> bool:
    """Tell whether a path is not there while nothing is in its storage folders: their disk may not be mounted."""
    if os.path.lexists(path):
        return False
    real = path.parent.resolve() / path.name
    mine = [root.resolve() for root in roots if real.is_relative_to(root.resolve())]
    return bool(mine) and not any(map(_holds_something, mine))


def _holds_something(root: Path) -> bool:
    try:
        return bool(entries(root))
    except OSError:  # a network disk that does not answer is away too
        return False


def is_link(path: Path) -> bool:
    """Tell whether a path is a link; one that cannot be looked at is none."""
    try:
        return path.is_symlink()
    except OSError:
        return False


def remove_stored(path: Path) -> bool:
    """Remove a file, folder or link; whether there was one.

    Raises
    ------
    StorageError : it cannot be removed.
    """
    try:
        # what cannot be looked at is not gone
        path.lstat()
        remove_tree(path)
    except FileNotFoundError:  # or someone else removed it meanwhile
        return False
    except OSError as error:
        raise StorageError(
            f"{error.filename or path} cannot be removed: {error.strerror or error}", hint="repair the folder"
        ) from error
    return True


@dataclass(frozen=True, slots=True)
class Measured:
    """Files of a path and their bytes; a link counts as itself, and what is not there as nothing."""

    files: int
    size_bytes: int


def measured(path: Path) -> Measured:
    """Count the files and bytes of a file, folder or link, without following links."""
    if not os.path.lexists(path):
        return Measured(0, 0)
    if path.is_symlink() or not path.is_dir():
        return Measured(1, path.lstat().st_size)
    files = size_bytes = 0
    for folder, folders, names in os.walk(path, followlinks=False):
        for name in (*names, *(one for one in folders if Path(folder, one).is_symlink())):
            files += 1
            size_bytes += Path(folder, name).lstat().st_size
    return Measured(files, size_bytes)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; nothing where there is none."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below a folder, by name; links count as files, and hidden folders are listed, not entered."""
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from files_below(Path(entry.path))
        else:
            yield entry
