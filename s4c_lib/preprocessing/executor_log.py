"""The log of an external program: its name, what we add to it, and what can be read from it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

_OWN = b"s4c: "
# What the C library calls ENOSPC and EDQUOT; programs print it as it is.
_DISK_FULL = ("no space left on device", "disk quota exceeded")
_TAIL_BYTES = 1 << 20


def log_name(executor: str, now: datetime) -> str:
    """``maja_20210402T104659Z.log``: a product processed again keeps its older logs."""
    return f"{executor}_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.log"


def own_line(text: str) -> bytes:
    """A line of ours, told apart from the program's by its prefix."""
    return _OWN + text.replace("\n", " ").encode() + b"\n"


def program_lines(log: Path, since: int = 0) -> list[str]:
    """Lines the program wrote, without ours; of a long log the last megabyte. Empty when there is no log.

    Parameters
    ----------
    since : byte at which the run in question begins; several runs on one product share a log.
    """
    if not log.exists():
        return []
    with log.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - _TAIL_BYTES, since))
        content = stream.read()
    lines = re.split(rb"[\r\n]+", content)
    return [line.decode("utf-8", errors="replace").rstrip() for line in lines if not line.startswith(_OWN)]


def last_line(log: Path, since: int = 0) -> str:
    """Last line of the program that is not blank; empty when it said nothing. Parameters as `program_lines`."""
    return next((line.strip() for line in reversed(program_lines(log, since)) if line.strip()), "")


def says_disk_full(lines: list[str]) -> bool:
    """Whether the program ran out of disk space, by its own words."""
    return any(text in line.lower() for line in lines for text in _DISK_FULL)
