"""The files that go with a site: counted first, removed inside the storage folders only, never through a link."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.cli.output import Step
from s4c_lib.errors import StorageError
from s4c_lib.parameters import Snapshot
from s4c_lib.stored_files import is_inside


@dataclass(frozen=True, slots=True)
class Removable:
    """A file, folder or link that would go, with the files in it and their bytes (a link counts as itself)."""

    path: Path
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What a deletion does to files.

    Attributes
    ----------
    kept : paths outside the storage folders; they are not ours to delete.
    gone : paths where there is nothing any more.
    """

    removable: tuple[Removable, ...]
    kept: tuple[str, ...]
    gone: int

    @property
    def files(self) -> int:
        """Number of files that would go."""
        return sum(item.files for item in self.removable)

    @property
    def size_bytes(self) -> int:
        """Bytes that would be freed."""
        return sum(item.size_bytes for item in self.removable)


def storage_roots(snapshot: Snapshot, site: str) -> tuple[Path, ...]:
    """Return the folders in which files of a site lie."""
    keys = [f"downloader.{satellite}.write-dir" for satellite in ("s1", "s2", "l8")]
    stored = [snapshot.path(key, site=site) for key in (*keys, "storage.products_path")]
    # where pre-processing keeps the logs of what it could not make
    logs = [
        snapshot.path("general.scratch-path", site=site, processor=name, job_id="units") for name in ("l2a", "l2s1")
    ]
    return (*stored, *logs)


def plan_files(paths: Iterable[str], roots: Sequence[Path]) -> FilePlan:
    """Look at the paths stored with a site's acquisitions and products, without changing anything."""
    removable = []
    kept = []
    gone = 0
    for text in sorted(set(paths)):
        path = Path(text)
        if not is_inside(path, roots):
            kept.append(text)
        elif not os.path.lexists(path):
            gone += 1
        else:
            removable.append(_measured(path))
    return FilePlan(tuple(removable), tuple(kept), gone)


def _measured(path: Path) -> Removable:
    if path.is_symlink() or not path.is_dir():
        return Removable(path, 1, path.lstat().st_size)
    files = size_bytes = 0
    for folder, _, names in os.walk(path, followlinks=False):
        for name in names:
            files += 1
            size_bytes += (Path(folder) / name).lstat().st_size
    return Removable(path, files, size_bytes)


def remove(plan: FilePlan, progress: Step) -> None:
    """Remove what was planned; what has vanished meanwhile is no fault.

    Raises
    ------
    StorageError : a file cannot be removed.
    """
    for done, item in enumerate(plan.removable, start=1):
        try:
            if item.path.is_symlink() or not item.path.is_dir():
                item.path.unlink(missing_ok=True)
            else:
                shutil.rmtree(item.path)
        except OSError as error:
            raise StorageError(
                f"{error.filename or item.path} cannot be removed: {error.strerror or error}.",
                hint="the site is still there; repair the folder and delete it again",
            ) from error
        progress(done, len(plan.removable), item.path.name)
