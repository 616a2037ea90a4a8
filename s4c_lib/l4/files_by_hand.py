"""Files that a user names on the command line of a run by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from s4c_lib.errors import InputError, NotFoundError, StorageError

TABLES: Final = (".parquet", ".csv", ".txt", ".tsv")
"""How the names of tables end."""


def tables_in(given: Sequence[Path]) -> list[Path]:
    """Return the files, and of folders the tables in them by name.

    Raises
    ------
    InputError : a folder has no table.
    """
    files: list[Path] = []
    for path in given:
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in TABLES) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"There is no table in {path}.", hint=f"their names end with {', '.join(TABLES)}")
        files += inside
    return files


def content_of(path: Path, what: str) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    what : the file is, for the message.

    Raises
    ------
    NotFoundError, StorageError : it is not there, or cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no {what} {path}.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
