"""Whether a disk has room for one more transfer or product. Source: operations.md §3.5."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from s4c_lib.errors import DiskFullError

_SMALLEST_SHOWN_GB = 0.05


class DiskState(StrEnum):
    """How full a disk is; ``low`` is for operators to see, ``paused`` holds downloads and pre-processing back."""

    CLEAR = "clear"
    LOW = "low"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class DiskVerdict:
    """Whether something more may be written, and in one line why not."""

    state: DiskState
    text: str = ""
    hint: str = ""

    def enforce(self) -> None:
        """Raise DiskFullError where work is held back."""
        if self.state is DiskState.PAUSED:
            raise DiskFullError(self.text, hint=self.hint)


def disk_verdict(
    *,
    place: str,
    free_bytes: int,
    total_bytes: int,
    in_flight_bytes: float = 0,
    expected_bytes: float = 0,
    min_free_gb: float,
    soft_free_pct: float,
    hard_free_pct: float,
) -> DiskVerdict:
    """Judge whether a disk has room.

    Parameters
    ----------
    place : folder on the disk, for the message.
    in_flight_bytes : still to be written by what is under way (for pre-processing: size times output factor).
    expected_bytes : of what is to start.
    min_free_gb, soft_free_pct, hard_free_pct : the parameters ``storage.*``; 1 GB is 1e9 bytes.
    """
    left_gb = (free_bytes - in_flight_bytes - expected_bytes) / 1e9
    share = 100 * free_bytes / total_bytes if total_bytes else 0.0
    if left_gb < min_free_gb:
        planned = (in_flight_bytes + expected_bytes) / 1e9
        # catalogues do not always state a size
        coming = f" and {planned:.1f} GB are to come" if planned >= _SMALLEST_SHOWN_GB else ""
        return DiskVerdict(
            DiskState.PAUSED,
            f"Only {free_bytes / 1e9:.1f} GB are free at {place}{coming}, storage.min_free_gb keeps {min_free_gb:g}.",
            "free space or lower storage.min_free_gb; work goes on by itself then",
        )
    if share < hard_free_pct:
        return DiskVerdict(
            DiskState.PAUSED,
            f"Only {share:.1f} % are free at {place}, storage.hard_free_pct keeps {hard_free_pct:g}.",
            "free space or lower storage.hard_free_pct; work goes on by itself then",
        )
    if share < soft_free_pct:
        return DiskVerdict(
            DiskState.LOW,
            f"Only {share:.1f} % are free at {place}, less than storage.soft_free_pct ({soft_free_pct:g}).",
            "free space soon",
        )
    return DiskVerdict(DiskState.CLEAR)


def disk_usage(folder: Path) -> tuple[str, int, int]:
    """Return the nearest existing folder at or above one, and the free and total bytes of its disk."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return str(existing), usage.free, usage.total
