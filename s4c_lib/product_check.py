"""Whether the files that the database names are on disk, as large as they were, and, on demand, of the same content.

What retention removed is not missing. Nothing is changed here; see `product_repair`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from s4c_lib.catalog import product_files
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.product_files import FileOfStatistics, FilesOfProduct, NeededDownload, Scope
from s4c_lib.progress import Progress, silent

BATCH: Final = 2000
_PARQUET: Final = b"PAR1"


class Fault(StrEnum):
    """What is wrong with a file or folder."""

    MISSING = "missing"
    WRONG_SIZE = "wrong size"
    UNREADABLE = "unreadable"
    OTHER_CONTENT = "other content"


class What(StrEnum):
    """What it belongs to."""

    PRODUCT = "product"
    STATISTICS = "statistics"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not on disk as the database has it.

    Attributes
    ----------
    id : of the product, the file of statistics or, of a download, the acquisition.
    product_type : of the product, or of that of the statistics the variable; of a download empty.
    download : the product is the download as it came.
    """

    what: What
    id: int
    product_id: int | None
    acquisition_id: int | None
    product_type: str
    name: str
    path: str
    fault: Fault
    text: str
    download: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong with it."""

    count: int
    findings: tuple[Finding, ...]


def check(database: Database, scope: Scope, *, deep: bool = False, progress: Progress = silent) -> Checked:
    """Look at every product in force, its statistics and every download still needed.

    The cost is a look at the directory entry of each file, and the last bytes of each file of statistics; nothing
    stays locked meanwhile.

    Parameters
    ----------
    deep : read everything and compare checksums, where they are known.
    """
    with database.begin() as connection:
        total = product_files.count(connection, scope)
    found: list[Finding] = []
    done = 0
    for batch in _batches(database, scope):
        for item in batch:
            done += 1
            if (finding := _look_at(item, deep=deep)) is not None:
                found.append(finding)
        progress(done, max(total, done), f"files, {len(found)} not as they should be" if found else "files")
    return Checked(done, tuple(found))


def look_again(database: Database, finding: Finding, scope: Scope) -> Finding | None:
    """Return what is wrong now with what was found before; None where nothing is, or it left force."""
    with database.begin() as connection:
        found: Sequence[FilesOfProduct | FileOfStatistics | NeededDownload]
        if finding.what is What.PRODUCT:
            found = product_files.products_after(connection, scope, finding.id - 1, 1)
        elif finding.what is What.STATISTICS:
            found = product_files.statistics_after(connection, scope, finding.id - 1, 1)
        else:
            found = product_files.downloads_needed(connection, scope)
    item = next((one for one in found if one.id == finding.id), None)
    return None if item is None else _look_at(item, deep=finding.fault is Fault.OTHER_CONTENT)


def _batches(
    database: Database, scope: Scope
) -> Iterator[Sequence[FilesOfProduct] | Sequence[FileOfStatistics] | Sequence[NeededDownload]]:
    for read in (product_files.products_after, product_files.statistics_after):
        last = 0
        while True:
            with database.begin() as connection:
                batch = read(connection, scope, last, BATCH)
            if not batch:
                break
            yield batch
            last = batch[-1].id
    with database.begin() as connection:
        downloads = product_files.downloads_needed(connection, scope)
    if downloads:
        yield downloads


def _look_at(item: FilesOfProduct | FileOfStatistics | NeededDownload, *, deep: bool) -> Finding | None:
    if isinstance(item, FilesOfProduct):
        wrong = _wrong(lambda: _product(item, deep=deep))
        about = (What.PRODUCT, item.id, item.id, item.acquisition_id, item.product_type, item.name, item.path)
        return None if wrong is None else Finding(*about, *wrong, download=item.download)
    if isinstance(item, FileOfStatistics):
        wrong = _wrong(lambda: _statistics(item, deep=deep))
        name = f"{item.product} {item.variable}"
        about = (What.STATISTICS, item.id, item.product_id, item.acquisition_id, item.variable, name, item.path)
        return None if wrong is None else Finding(*about, *wrong)
    wrong = _wrong(lambda: _place(Path(item.path)))
    return None if wrong is None else Finding(What.DOWNLOAD, item.id, None, item.id, "", item.name, item.path, *wrong)


_Wrong = tuple[Fault, str]


def _wrong(look: Callable[[], _Wrong | None]) -> _Wrong | None:
    """Return what a look found; what the system says instead of answering is a finding too."""
    try:
        return look()
    except (FileNotFoundError, NotADirectoryError) as error:
        return Fault.MISSING, f"{error.filename} is gone"
    except OSError as error:
        return Fault.UNREADABLE, f"{error.filename} cannot be read: {error.strerror}"


def _place(path: Path) -> _Wrong | None:
    """A file, or a folder with something in it."""
    if path.is_dir():
        with os.scandir(path) as entries:
            if next(entries, None) is None:
                return Fault.MISSING, f"{path} is empty"
    elif path.stat().st_size == 0:
        return Fault.WRONG_SIZE, f"{path} is empty"
    elif not os.access(path, os.R_OK):
        return Fault.UNREADABLE, f"{path} cannot be read: permission denied"
    return None


def _product(item: FilesOfProduct, *, deep: bool) -> _Wrong | None:
    place = Path(item.path)
    if (wrong := _place(place)) is not None:
        return wrong
    if item.download and item.size_bytes is not None and not item.files and not place.is_dir():
        return _size(place, item.size_bytes)
    # a raster that is its own product names itself
    folder = place if place.is_dir() else place.parent
    for file in item.files:
        path = folder / file.path
        wrong = _size(path, file.size_bytes) or (_content(path, file.sha256) if deep else None)
        if wrong is not None:
            return wrong
    return None


def _size(path: Path, size_bytes: int) -> _Wrong | None:
    found = path.stat().st_size
    return None if found == size_bytes else (Fault.WRONG_SIZE, f"{path} has {found} of {size_bytes} bytes")


def _statistics(item: FileOfStatistics, *, deep: bool) -> _Wrong | None:
    path = Path(item.path)
    with path.open("rb") as file:
        # no size is known of them; a Parquet file that was cut off has no end
        if file.seek(0, os.SEEK_END) < 2 * len(_PARQUET):
            return Fault.WRONG_SIZE, f"{path} is cut off"
        file.seek(-len(_PARQUET), os.SEEK_END)
        if file.read() != _PARQUET:
            return Fault.WRONG_SIZE, f"{path} is cut off"
    return _content(path, item.sha256) if deep else None


def _content(path: Path, sha256: str) -> _Wrong | None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return None if found == sha256 else (Fault.OTHER_CONTENT, f"{path} has another content than it was made with")


@dataclass(frozen=True, slots=True)
class Presence:
    """How many of the products looked at are there: of ``total`` in force ``looked_at``, of these ``gone``."""

    total: int
    looked_at: int
    gone: tuple[str, ...]


def presence(paths: Iterable[str], *, most_folders: int) -> Presence:
    """Tell which paths exist, by listing the folders they lie in, which is cheaper than a look at each path.

    Parameters
    ----------
    most_folders : listed at most; of more, that many, spread evenly.
    """
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        by_folder.setdefault(folder, []).append(name)
    folders = sorted(by_folder)
    step = max(1, -(-len(folders) // most_folders))
    looked_at, gone = 0, []
    for folder in folders[::step]:
        try:
            with os.scandir(folder or "/") as entries:
                there = {entry.name for entry in entries}
        except OSError:  # gone, or not readable: the check tells which
            there = set()
        looked_at += len(by_folder[folder])
        gone += [f"{folder}/{name}" for name in by_folder[folder] if name not in there]
    return Presence(sum(map(len, by_folder.values())), looked_at, tuple(gone))
