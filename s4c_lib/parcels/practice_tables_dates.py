"""Dates of practice tables: reading, order, distance from the season (PRAC-02, -03, -04, -09).

Rows with unusable dates are kept: VEG_START, H_START or H_END missing or no date, H_START after H_END and P_START
after P_END mark a row as bad; a practice period that is missing or no date is a warning, for the harvest can be
evaluated without it; VEG_START after H_START is a warning, as the evaluation does not need their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.parcels.canonical import NOTHING
from s4c_lib.parcels.findings import EXAMPLES, Finding, Severity, finding

DATE_COLUMNS: Final = ("VEG_START", "H_START", "H_END", "P_START", "P_END")
_MANDATORY: Final = ("VEG_START", "H_START", "H_END")
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_SHOWN: Final = 60

Days = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DateColumn:
    """Dates of a column.

    Parameters
    ----------
    days : datetime64[D] (rows,), NaT where there is none.
    unreadable : bool (rows,), there is something that is no date.
    """

    days: Days
    unreadable: Flags = field(repr=False)

    @property
    def missing(self) -> Flags:
        """NA or empty."""
        return np.isnat(self.days) & ~self.unreadable


def days_of(texts: Any) -> DateColumn:
    """Read ``YYYY-MM-DD`` or NA from an arrow string array (rows,)."""
    encoded = texts.dictionary_encode()
    days, unreadable = [], []
    for text in encoded.dictionary.to_pylist():
        day = _day(text)
        days.append(np.datetime64("NaT", "D") if day is None else np.datetime64(day, "D"))
        unreadable.append(day is None and text.strip().casefold() not in NOTHING)
    index = encoded.indices.to_numpy(zero_copy_only=False)
    return DateColumn(np.array(days, "datetime64[D]")[index], np.array(unreadable, np.bool_)[index])


def _day(text: str) -> date | None:
    parts = _ISO.fullmatch(text.strip())
    if parts is None:
        return None
    try:
        return date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return None  # such as 30 February: reported as no date, with its line


def bad_date_findings(
    dates: Mapping[str, DateColumn], texts: Mapping[str, Any], lines: npt.NDArray[np.int64], practice: str
) -> tuple[Flags, list[Finding]]:
    """PRAC-02 and PRAC-04, and the rows (rows,) that cannot be evaluated."""
    bad = np.zeros(len(lines), np.bool_)
    unreadable: dict[Severity, dict[str, Flags]] = {Severity.EXCLUDED: {}, Severity.WARNING: {}}
    missing: dict[Severity, dict[str, Flags]] = {Severity.EXCLUDED: {}, Severity.WARNING: {}}
    for name, column in dates.items():
        severity = Severity.EXCLUDED if name in _MANDATORY else Severity.WARNING
        unreadable[severity][name] = column.unreadable
        if name in _MANDATORY or (name == "P_START" and practice != "NA"):
            missing[severity][name] = column.missing
        if name in _MANDATORY:
            bad |= np.isnat(column.days)

    def no_date(name: str, place: int) -> str:
        value = texts[name][place].as_py().strip()[:_SHOWN]
        return f'Line {lines[place]}: {name} "{value}" is not a date (YYYY-MM-DD or NA).'

    def not_given(name: str, place: int) -> str:
        return f"Line {lines[place]}: {name} is NA" + ("; M6 to M10 stay NA." if name == "P_START" else ".")

    found = [
        one
        for code, kinds, message in (("PRAC-02", unreadable, no_date), ("PRAC-04", missing, not_given))
        for severity, columns in kinds.items()
        for one in _per_line(code, severity, columns, lines, message)
    ]
    return bad, found


def order_findings(dates: Mapping[str, DateColumn], lines: npt.NDArray[np.int64]) -> tuple[Flags, list[Finding]]:
    """PRAC-03, and the rows (rows,) that cannot be evaluated."""
    bad = np.zeros(len(lines), np.bool_)
    found = []
    rules = (
        (Severity.EXCLUDED, (("H_START", "H_END"), ("P_START", "P_END"))),
        (Severity.WARNING, (("VEG_START", "H_START"),)),
    )
    for severity, pairs in rules:
        # A comparison with NaT is false.
        wrong = {f"{first} {last}": dates[first].days > dates[last].days for first, last in pairs}

        def message(pair: str, place: int) -> str:
            first, last = pair.split()
            return f"Line {lines[place]}: {first} {dates[first].days[place]} is after {last} {dates[last].days[place]}."

        found += _per_line("PRAC-03", severity, wrong, lines, message)
        if severity == Severity.EXCLUDED:
            bad = np.logical_or.reduce(list(wrong.values()))
    return bad, found


def _per_line(
    code: str,
    severity: Severity,
    wrong: Mapping[str, Flags],
    lines: npt.NDArray[np.int64],
    message: Callable[[str, int], str],
) -> list[Finding]:
    """One finding over several columns; a row counts once, its message names the first column."""
    rows = np.logical_or.reduce(list(wrong.values())) if wrong else np.zeros(len(lines), np.bool_)
    if not rows.any():
        return []
    texts = [
        message(next(name for name, column in wrong.items() if column[place]), place)
        for place in np.flatnonzero(rows)[:EXAMPLES].tolist()
    ]
    return [finding(code, severity, texts[0], lines[rows].tolist(), texts if len(texts) > 1 else ())]


def outside_season(dates: Mapping[str, DateColumn], lines: npt.NDArray[np.int64], year: int) -> list[Finding]:
    """PRAC-09: dates before 1 July of the year before, or after 30 June of the year after."""
    first, last = np.datetime64(f"{year - 1:04d}-07-01"), np.datetime64(f"{year + 1:04d}-06-30")
    far = {name: (column.days < first) | (column.days > last) for name, column in dates.items()}
    rows = np.logical_or.reduce(list(far.values()))
    if not rows.any():
        return []
    place = int(np.flatnonzero(rows)[0])
    name = next(name for name, column in far.items() if column[place])
    message = (
        f"{rows.sum()} rows have dates outside {first} to {last}, "
        f"e.g. line {lines[place]}: {name} {dates[name].days[place]}."
    )
    return [finding("PRAC-09", Severity.WARNING, message, lines[rows].tolist())]
