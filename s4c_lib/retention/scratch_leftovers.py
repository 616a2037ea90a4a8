"""What failed or killed work left behind: work folders of attempts, logs of programs, unfinished results.

Source: operations.md §7, "Temporary files".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from s4c_lib.preprocessing.l1c_to_l2a import LOGS
from s4c_lib.products.result_folder import is_work_folder
from s4c_lib.retention.stored_files import entries, files_below

# as `s4c_lib.preprocessing.work_folder.work_folder` names them: acquisition, tile or pair, attempt
_ATTEMPT: Final = re.compile(r"(\d+)_.+_\d+")


class LeftoverKind(StrEnum):
    """What is left, and by it how long it stays."""

    SCRATCH = "scratch"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder. ``touched`` : when something in it was last written, seconds since 1970."""

    path: Path
    kind: LeftoverKind
    touched: float


def left_of_attempts(
    root: Path, sites: Iterable[str], logs: Collection[Path], at_work: Collection[int]
) -> Iterator[Leftover]:
    """Yield what lies in the scratch folder of a processor; of names that are not its own nothing is told.

    Parameters
    ----------
    root : folder with a folder for each site.
    logs : that the database names: what an attempt left is a log as long as it holds one.
    at_work : acquisitions of which a unit is being made.
    """
    for site in sites:
        for entry in entries(root / site):
            path, name = Path(entry.path), _ATTEMPT.fullmatch(entry.name)
            if entry.name == LOGS and entry.is_dir(follow_symlinks=False):
                yield from (_leftover(Path(file.path), LeftoverKind.LOG) for file in entries(path))
            elif name is not None and int(name[1]) not in at_work:
                holds_log = any(log.is_relative_to(path) for log in logs)
                yield _leftover(path, LeftoverKind.LOG if holds_log else LeftoverKind.SCRATCH)


def left_of_results(folder: Path) -> Iterator[Leftover]:
    """Yield the folders in which results of a site were being made."""
    for entry in files_below(folder):
        if is_work_folder(entry.name) and entry.is_dir(follow_symlinks=False):
            yield _leftover(Path(entry.path), LeftoverKind.SCRATCH)


def _leftover(path: Path, kind: LeftoverKind) -> Leftover:
    return Leftover(path, kind, max([_touched(path), *(_touched(Path(file.path)) for file in files_below(path))]))


def _touched(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:  # whoever made it removes it
        return 0.0
