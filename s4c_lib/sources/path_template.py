"""Folder layouts of archives: ``yyyy/MM/dd``, ``UU/L/SS/yyyy/MM/dd``, with fixed folders where there are some."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

from s4c_lib.errors import InputError

# Token -> group and pattern. Numbers are taken with and without leading zeros: archives differ in this.
_TOKENS = {
    "yyyy": ("year", "[0-9]{4}"),
    "MM": ("month", "[0-9]{1,2}"),
    "dd": ("day", "[0-9]{1,2}"),
    "UU": ("zone", "[0-9]{1,2}"),
    "SS": ("square", "[A-Z]{2}"),
    "L": ("band", "[A-Z]"),
}
# A token stands alone between non-letters, so that a fixed folder `L2A` or `MSI` is no token.
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(yyyy|MM|dd|UU|SS|L)(?![A-Za-z0-9])|(yyyyMMdd|yyyyMM)")


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders walked so far say; None where the template has not said it yet."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    zone: int | None = None
    band: str | None = None
    square: str | None = None

    @property
    def when(self) -> date | None:
        """The day of the folder once year, month and day are known and make a date."""
        if self.year is None or self.month is None or self.day is None:
            return None
        try:
            return date(self.year, self.month, self.day)
        except ValueError:
            return None

    @property
    def tile(self) -> str | None:
        """The MGRS tile of the folder once it is known."""
        if self.zone is None or self.band is None or self.square is None:
            return None
        return f"{self.zone:02d}{self.band}{self.square}"

    def meets(self, date_from: date, date_to: date, tiles: frozenset[str] | None = None) -> bool:
        """Whether something below this folder can belong to the window and tiles."""
        if self.tile is not None and tiles is not None and self.tile not in tiles:
            return False
        if self.year is None or not 1 <= self.year <= 9999:
            return self.year is None
        if self.month is not None and not 1 <= self.month <= 12:
            return False
        if self.day is not None and self.month is not None:
            day = self.when
            return day is not None and date_from <= day <= date_to
        first_month, last_month = (1, 12) if self.month is None else (self.month, self.month)
        last_day = calendar.monthrange(self.year, last_month)[1]
        return date(self.year, first_month, 1) <= date_to and date(self.year, last_month, last_day) >= date_from


class PathTemplate:
    """A parsed layout, one pattern for each folder level.

    Raises
    ------
    InputError : the template is empty, absolute, leaves its root, or holds a token twice.
    """

    def __init__(self, written: str) -> None:
        self.written = written
        levels = written.strip("/").split("/")
        if written.startswith("/") or any(level in {"", ".", ".."} for level in levels):
            raise InputError(
                f"the path template '{written}' is not a relative folder layout",
                hint="write it like yyyy/MM/dd or UU/L/SS/yyyy/MM/dd",
            )
        groups: list[str] = []
        self._levels = tuple(_level_pattern(level, groups) for level in levels)
        if len(groups) != len(set(groups)):
            raise InputError(f"the path template '{written}' has a token twice", hint="each token at most once")

    @property
    def depth(self) -> int:
        """Count of folder levels."""
        return len(self._levels)

    def enter(self, place: Place, level: int, folder: str) -> Place | None:
        """What is known after stepping into a folder of that level; None when the name does not fit."""
        found = self._levels[level].fullmatch(folder)
        if found is None:
            return None
        known = {slot: getattr(place, slot) for slot in ("year", "month", "day", "zone", "band", "square")}
        for group, value in found.groupdict().items():
            known[group] = value if group in {"band", "square"} else int(value)
        return Place(**known)


def _level_pattern(level: str, groups: list[str]) -> re.Pattern[str]:
    pattern, position = "", 0
    for found in _TOKEN.finditer(level):
        pattern += re.escape(level[position : found.start()])
        for token in re.findall("yyyy|MM|dd|UU|SS|L", found[0]):
            group, digits = _TOKENS[token]
            # Run together, as in yyyyMMdd, the widths must be fixed.
            width = "[0-9]{2}" if found[2] and token in {"MM", "dd"} else digits
            groups.append(group)
            # A repeated group is no valid pattern; the caller reports it by name.
            pattern += width if groups.count(group) > 1 else f"(?P<{group}>{width})"
        position = found.end()
    return re.compile(pattern + re.escape(level[position:]))
