"""Mowing periods of an L4B configuration: three lists of equal length (l4b-grassland-mowing.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from s4c_lib.parcels.canonical import canonical_text
from s4c_lib.parcels.configuration_file import Entry, list_items
from s4c_lib.parcels.delimited_text import LineFindings
from s4c_lib.parcels.findings import Severity

RULES: Final = (0, 1, 2)
_PAIR: Final = re.compile(r"\(([^()]*)\)")
_DAY: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4}))?")


@dataclass(frozen=True, slots=True)
class MowingPeriod:
    """What is asked of parcels with a crop code; a code may have several periods.

    Parameters
    ----------
    first, last : days, both included.
    rule : 0 mown in the period; 1 mown in it and not outside; 2 not mown in it.
    """

    crop_code: str
    first: date
    last: date
    rule: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "crop_code": self.crop_code,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "rule": self.rule,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MowingPeriod:
        """What `as_dict` gave."""
        first, last = (date.fromisoformat(content[name]) for name in ("first", "last"))
        return cls(content["crop_code"], first, last, content["rule"])


def read_compliance(taken: Mapping[str, Entry], year: int, found: LineFindings) -> tuple[MowingPeriod, ...]:
    """Periods in the order of the file; CFG-03, CFG-04 and CFG-05 go to ``found``."""
    codes = _codes(taken.get("crop_codes"), found)
    rules = _rules(taken.get("crop_rule"), found)
    entry = taken.get("crop_time_intervals")
    pairs = _pairs(entry, found) if entry else []
    counts = (len(codes), len(pairs), len(rules))
    if len(set(counts)) > 1:
        line = max(one.line for name in ("crop_codes", "crop_time_intervals", "crop_rule") if (one := taken.get(name)))
        found.add("CFG-04", Severity.REFUSED, line, "{} codes, {} periods, {} rules".format(*counts))
        return ()
    periods = []
    first_rule: dict[str, int] = {}
    for code, pair, rule in zip(codes, pairs, rules, strict=True):
        days = _period(pair, year, entry.line if entry else 0, found)
        if code is None or rule is None or days is None:
            continue
        if first_rule.setdefault(code, rule) != rule:
            line = taken["crop_rule"].line
            message = f"Line {line}: crop code {code} has the rules {first_rule[code]} and {rule}; give it one."
            found.add("CFG-03", Severity.REFUSED, line, message)
        periods.append(MowingPeriod(code, *days, rule))
    return tuple(periods)


def _codes(entry: Entry | None, found: LineFindings) -> list[str | None]:
    codes = [canonical_text(item, na_is_value=True) for item in list_items(entry.value)] if entry else []
    if entry and None in codes:
        found.add("CFG-03", Severity.REFUSED, entry.line, f"Line {entry.line}: a crop code of {entry.key} is empty.")
    return codes


def _rules(entry: Entry | None, found: LineFindings) -> list[int | None]:
    rules: list[int | None] = []
    for item in list_items(entry.value) if entry else ():
        rule = int(item) if item.isascii() and item.isdigit() else None
        if entry and rule not in RULES:
            message = f"Line {entry.line}: {entry.key} = {item}: must be one of 0, 1, 2."
            found.add("CFG-03", Severity.REFUSED, entry.line, message)
            rule = None
        rules.append(rule)
    return rules


def _pairs(entry: Entry, found: LineFindings) -> list[str]:
    value = entry.value.strip().removeprefix("[").removesuffix("]")
    rest = _PAIR.sub("", value)
    if rest.strip(" ,"):
        message = f"Line {entry.line}: \"{rest.strip(' ,')}\" is no period; write ('01/05/2021','31/07/2021')."
        found.add("CFG-05", Severity.REFUSED, entry.line, message)
    return _PAIR.findall(value)


def _period(pair: str, year: int, line: int, found: LineFindings) -> tuple[date, date] | None:
    days = [item.strip(" '\"") for item in pair.split(",")]
    parts = [_DAY.fullmatch(day) for day in days]
    try:
        if len(parts) != 2 or parts[0] is None or parts[1] is None:
            raise ValueError
        first, last = (date(int(part[3] or year), int(part[2]), int(part[1])) for part in parts if part)
        if last < first and parts[1][3] is None:
            last = date(first.year + 1, last.month, last.day)
    except ValueError:
        message = f"Line {line}: ({pair}) is no period; write ('01/05/{year}','31/07/{year}') or ('01/05','31/07')."
        found.add("CFG-05", Severity.REFUSED, line, message)
        return None
    if last < first:
        found.add("CFG-05", Severity.REFUSED, line, f"Line {line}: the period ({pair}) ends before it starts.")
        return None
    return first, last


def far_periods(periods: Sequence[MowingPeriod], year: int, taken: Mapping[str, Entry], found: LineFindings) -> None:
    """CFG-07: periods that cannot be meant for the season."""
    for period in periods:
        if period.first.year < year - 1 or period.last.year > year + 1:
            line = taken["crop_time_intervals"].line
            message = (
                f"Line {line}: the period {period.first} to {period.last} of crop code {period.crop_code} "
                f"lies outside {year - 1} to {year + 1}."
            )
            found.add("CFG-07", Severity.WARNING, line, message)


def written_periods(periods: Sequence[MowingPeriod]) -> dict[str, str]:
    """The three lists as a file has them."""
    pairs = (
        f"('{period.first:%d/%m}/{period.first.year:04d}','{period.last:%d/%m}/{period.last.year:04d}')"
        for period in periods
    )
    return {
        "crop_codes": ", ".join(period.crop_code for period in periods),
        "crop_time_intervals": ", ".join(pairs),
        "crop_rule": ", ".join(str(period.rule) for period in periods),
    }
