"""The chain of MAJA's dates: which predecessor, which mode, which aerosol forecast (``preprocessing.md`` 2.5, 2.6).

Pure rules over given candidates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

# How much older than the lost predecessor another one may be: what MAJA remembers of the surface ages.
STEP_BACK = timedelta(days=60)
_BACKWARD_WAIT = timedelta(days=60)
_CAMS_WINDOW = timedelta(days=3)
_CAMS = re.compile(r".*_(?:TEST|PROD|OPER)_EXO_CAMS_(\d{8}T\d{6})_.*\.(HDR|DBL|DBL\.DIR)")


class MajaMode(StrEnum):
    """What ``--mode`` takes."""

    INIT = "L2INIT"
    NOMINAL = "L2NOMINAL"
    BACKWARD = "L2BACKWARD"


@dataclass(frozen=True, slots=True)
class PreviousL2a:
    """A registered L2A of the same site, satellite, tile and orbit; ``exists`` on disk in MAJA's own format."""

    path: Path
    acquired: datetime
    exists: bool


@dataclass(frozen=True, slots=True)
class PreviousChoice:
    """The predecessor to use; without a path the chain starts anew. A warning when it is not the one expected."""

    path: Path | None
    warning: str = ""


def choose_previous(candidates: Iterable[PreviousL2a], acquired: datetime) -> PreviousChoice:
    """The newest L2A acquired before an L1C; if its files are gone, the next older that exists, at most 60 days older.

    A late L1C thus gets its own predecessor, whatever was processed after it.
    """
    earlier = sorted((c for c in candidates if c.acquired < acquired), key=lambda c: (c.acquired, str(c.path)))
    if not earlier:
        return PreviousChoice(None)
    newest = earlier[-1]
    if newest.exists:
        return PreviousChoice(newest.path)
    lost = f"{newest.path} of {newest.acquired:%Y-%m-%d} is registered but gone"
    for candidate in reversed(earlier[:-1]):
        if candidate.exists and newest.acquired - candidate.acquired <= STEP_BACK:
            return PreviousChoice(candidate.path, f"{lost}; the one of {candidate.acquired:%Y-%m-%d} is used instead")
    return PreviousChoice(None, f"{lost} and none of the {STEP_BACK.days} days before exists; the chain starts anew")


def choose_mode(previous: Path | None, following: Sequence[Path]) -> MajaMode:
    """Nominal after a predecessor; else backward when later products are given to learn from, else init."""
    if previous is not None:
        return MajaMode.NOMINAL
    return MajaMode.BACKWARD if following else MajaMode.INIT


class ChainStart(StrEnum):
    """How a chain without predecessor begins."""

    INIT = "init"
    BACKWARD = "backward"
    WAIT = "wait"


def start_of_chain(wanted: int, on_disk: int, season_start: date, today: date) -> ChainStart:
    """Whether to start now: at once in init mode (``wanted`` 0), else when ``wanted`` L1C of the lane are on disk.

    Once the season's start is 60 days past, what is there must do; a single product starts in init mode.
    """
    if wanted == 0:
        return ChainStart.INIT
    if on_disk < wanted and today - season_start <= _BACKWARD_WAIT:
        return ChainStart.WAIT
    return ChainStart.BACKWARD if on_disk > 1 else ChainStart.INIT


def cams_files(names: Iterable[str], acquired: datetime) -> list[str]:
    """Names of the CAMS files within three days of an acquisition, sorted; a forecast is an HDR with its DBL."""
    chosen = []
    for name in names:
        found = _CAMS.fullmatch(name)
        if found:
            valid = datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            if abs(valid - acquired) <= _CAMS_WINDOW:
                chosen.append(name)
    return sorted(chosen)
