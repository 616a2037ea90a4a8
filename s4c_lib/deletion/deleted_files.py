"""The files that go with a site: counted first, removed inside the storage folders only, never through a link."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s4c_lib.errors import StorageError
from s4c_lib.progress import Progress
from s4c_lib.retention.stored_files import is_inside, measured, remove_stored


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
    kept : paths outside the storage folders, or that hold something of another site; they are not ours to delete.
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


def plan_files(paths: Iterable[str], roots: Sequence[Path], others: Collection[str] = ()) -> FilePlan:
    """Look at the paths stored with a site's acquisitions and products, without changing anything.

    Parameters
    ----------
    others : of the paths, those that hold something of other sites.
    """
    removable = []
    kept = []
    gone = 0
    for text in sorted(set(paths)):
        path = Path(text)
        if text in others or not is_inside(path, roots):
            kept.append(text)
        elif not os.path.lexists(path):
            gone += 1
        else:
            found = measured(path)
            removable.append(Removable(path, found.files, found.size_bytes))
    return FilePlan(tuple(removable), tuple(kept), gone)


def remove(plan: FilePlan, progress: Progress | None = None) -> None:
    """Remove what was planned; what has vanished meanwhile is no fault, and what cannot go does not keep the rest.

    Raises
    ------
    StorageError : some could not be removed; the first is named.
    """
    faults = []
    for done, item in enumerate(plan.removable, start=1):
        try:
            remove_stored(item.path)
        except StorageError as error:
            faults.append(error)
        if progress is not None:
            progress(done, len(plan.removable), item.path.name)
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise StorageError(
            f"{faults[0].message.rstrip('.')}{more}.",
            hint="the site is still being deleted; repair the folder and delete it again",
        ) from faults[0]
