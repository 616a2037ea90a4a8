"""The L4C parameter file: thresholds for each practice of a country and year (lpis-and-inputs.md 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from typing import Any, Final

from s4c_lib.parcels.configuration_file import (
    Entry,
    FirstLines,
    Section,
    checked,
    read_sections,
    unknown_key,
    unknown_section,
    with_year,
)
from s4c_lib.parcels.delimited_text import LineFindings
from s4c_lib.parcels.findings import Report, Severity, ordered
from s4c_lib.parcels.l4c_configuration_keys import KEYS, NOT_SET, PRACTICES, Thresholds, rules_of

_SUFFIX: Final = "_TIME_SERIES_ANALYSIS_PARAMS"
_DEFAULT: Final = "DEFAULT"
_ORDERED: Final = (("NDVIDW", "NDVIUP"), ("EFANDVIDW", "EFANDVIUP"))
_DATES: Final = ("catchperiodstart", "flmarkstartdate", "flmarkstenddate", "tlmonitoringenddate")

Given = dict[str, tuple[Entry, Any]]
"""Checked values by key; None where the file says empty, `NOT_SET` where it says -10000."""


@dataclass(frozen=True, slots=True)
class L4cConfiguration:
    """What an L4C run works with.

    Parameters
    ----------
    country : ISO 3166 alpha-3. practices : those monitored, in the order of `PRACTICES`.
    thresholds : by practice, for all four of them.
    """

    country: str
    year: int
    practices: tuple[str, ...]
    thresholds: Mapping[str, Thresholds] = field(hash=False)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "country": self.country,
            "year": self.year,
            "practices": list(self.practices),
            "thresholds": {name: _as_json(asdict(one)) for name, one in self.thresholds.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> L4cConfiguration:
        """What `as_dict` gave."""
        thresholds = {}
        for name, stored in content["thresholds"].items():
            days = {key: stored[key] and date.fromisoformat(stored[key]) for key in _DATES}
            thresholds[name] = Thresholds(**{**stored, **days})
        return cls(content["country"], content["year"], tuple(content["practices"]), thresholds)


def _as_json(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}


def read_l4c_configuration(
    content: bytes, name: str, *, year: int, country: str, practices: str | Sequence[str]
) -> tuple[L4cConfiguration | None, Report]:
    """Read and check a parameter file; everything wrong is reported at once.

    Sections are those of Sen4CAP (``[CC_TIME_SERIES_ANALYSIS_PARAMS]``, keys with the prefix ``CC_``) or plain
    (``[DEFAULT]``, ``[CC]``, keys with or without prefix). A practice takes what its section lacks from DEFAULT.

    Parameters
    ----------
    name : of the file, for the report.
    country : ISO 3166 alpha-3; gives the default of FLRULE and NFCRULE.
    practices : of CC, FL, NFC, NA, as a list or separated by commas.

    Returns
    -------
    The configuration, None when the file is refused, and the report; its ``rows`` are lines with a key.
    """
    found = LineFindings()
    chosen = _practices(practices, found)
    if not re.fullmatch("[A-Z]{3}", country):
        message = f'Country "{country}" is not a code of three capital letters (ISO 3166), such as NLD.'
        found.add("CFG-03", Severity.REFUSED, 0, message)
    sections = [_first_tillage_is_base(section) for section in read_sections(content, found)]
    first = FirstLines(found)
    given: dict[str, Given] = {one: {} for one in (_DEFAULT, *PRACTICES)}
    for section in sections:
        scope = _scope(section.name)
        if scope is None:
            if section.name.upper() != "COMMON":
                unknown_section(section, _section_names(), found)
            elif section.entries:
                unknown_key(section.entries[0], (), found)
            continue
        legacy = section.name.upper().endswith(_SUFFIX)
        for entry in section.entries:
            key = _key(entry, scope, legacy, found)
            if key is not None and first.is_first(entry, f"{scope}/{key}"):
                _take(key, entry, year, given[scope], found)
    if sections and not any(_scope(section.name) for section in sections):
        message = "The file has no section of an L4C parameter file, such as [DEFAULT_TIME_SERIES_ANALYSIS_PARAMS]."
        found.add("CFG-01", Severity.REFUSED, 0, message)
    thresholds = {practice: _resolved(given, practice, country) for practice in PRACTICES}
    _check_order(thresholds, given, found)
    if "FL" in chosen:
        _check_fallow(thresholds["FL"], given, found)
    lines = sum(len(section.entries) for section in sections)
    refused = found.refusing()
    report = Report(
        "l4c_config",
        name,
        lines,
        0 if refused else lines,
        lines if refused else 0,
        ordered(found.findings()),
        {"country": country, "year": year, "practices": list(chosen)},
    )
    return None if refused else L4cConfiguration(country, year, chosen, thresholds), report


def _practices(given: str | Sequence[str], found: LineFindings) -> tuple[str, ...]:
    names = [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]
    for name in names:
        if name.upper() not in PRACTICES:
            found.add("CFG-10", Severity.REFUSED, 0, f'"{name}" is not a practice; use CC, FL, NFC, NA.')
    return tuple(practice for practice in PRACTICES if practice in {name.upper() for name in names})


def _section_names() -> Iterable[str]:
    return ("COMMON", *(f"{scope}{_SUFFIX}" for scope in (_DEFAULT, *PRACTICES)))


def _scope(section: str) -> str | None:
    name = section.upper().removesuffix(_SUFFIX)
    return name if name in (_DEFAULT, *PRACTICES) else None


def _first_tillage_is_base(section: Section) -> Section:
    """Sen4CAP's default file writes TLCOHTHRABS twice; the first of them was meant as TLCOHTHRBASE."""
    prefix = "" if (_scope(section.name) or _DEFAULT) == _DEFAULT else f"{_scope(section.name)}_"
    names = [entry.key.upper().removeprefix(prefix) for entry in section.entries]
    if names.count("TLCOHTHRABS") != 2 or "TLCOHTHRBASE" in names:
        return section
    first = names.index("TLCOHTHRABS")
    entries = list(section.entries)
    entries[first] = replace(entries[first], key=f"{prefix}TLCOHTHRBASE")
    return replace(section, entries=tuple(entries))


def _key(entry: Entry, scope: str, legacy: bool, found: LineFindings) -> str | None:
    name, prefix = entry.key.upper(), f"{scope}_"
    if scope != _DEFAULT:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
        elif legacy or name.split("_")[0] in PRACTICES:
            message = f"Line {entry.line}: Key {entry.key} must start with {prefix}"
            found.add("CFG-11", Severity.REFUSED, entry.line, message)
            return None
    if name not in KEYS:
        unknown_key(entry, (f"{prefix}{key}" if legacy and scope != _DEFAULT else key for key in KEYS), found)
        return None
    return name


def _take(key: str, entry: Entry, year: int, into: Given, found: LineFindings) -> None:
    filled = with_year(entry, year, found)
    if filled is None:
        return
    if _is_not_set(filled.value):
        into[key] = entry, NOT_SET
    elif not filled.value:
        into[key] = entry, None
    else:
        value = checked(filled, KEYS[key].parameter, found)
        if value is not None:
            into[key] = entry, value


def _is_not_set(value: str) -> bool:
    return value.partition(".")[0] == NOT_SET and not value.partition(".")[2].strip("0")


def _resolved(given: Mapping[str, Given], practice: str, country: str) -> Thresholds:
    values: dict[str, Any] = {}
    own = {**given[_DEFAULT], **given[practice]}
    rules = rules_of(country)
    for name, key in KEYS.items():
        value = own[name][1] if name in own else None
        if value is None:
            value = rules.get(name, key.unset)
        elif value == NOT_SET:
            # Substitutes come earlier in the list of keys, so theirs are resolved.
            value = values[key.substitute] if key.substitute else rules.get(name, key.unset)
        values[name] = value
    return Thresholds(**{one.name: values[one.name.upper()] for one in fields(Thresholds)})


def _check_order(thresholds: Mapping[str, Thresholds], given: Mapping[str, Given], found: LineFindings) -> None:
    seen: set[tuple[int, ...]] = set()
    for practice, values in thresholds.items():
        for low, high in _ORDERED:
            lower, upper = getattr(values, low.lower()), getattr(values, high.lower())
            own = {**given[_DEFAULT], **given[practice]}
            lines = tuple(own[key][0].line for key in (low, high) if key in own)
            # What several practices inherit is one mistake.
            if lower > upper and lines not in seen:
                seen.add(lines)
                line = max(lines, default=0)
                message = f"Line {line}: {practice} has {low} {lower:g} above {high} {upper:g}."
                found.add("CFG-12", Severity.REFUSED, line, message)


def _check_fallow(values: Thresholds, given: Mapping[str, Given], found: LineFindings) -> None:
    """A rule whose dates are missing would never apply, and nobody would notice."""
    needed = {"ita": ("FLMARKSTARTDATE",), "cze_mowing": ("FLMARKSTARTDATE", "FLMARKSTENDDATE")}
    for key in needed.get(values.flrule, ()):
        if getattr(values, key.lower()) is None:
            entry = given["FL"].get(key) or given[_DEFAULT].get(key)
            line = entry[0].line if entry else 0
            message = f"The fallow rule {values.flrule} needs {key}; give FL_{key}, or choose another FLRULE."
            found.add("CFG-03", Severity.REFUSED, line, f"Line {line}: {message}" if line else message)
