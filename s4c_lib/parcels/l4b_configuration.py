"""The L4B configuration of a season: detection settings, crop filter, mowing periods (lpis-and-inputs.md 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any, Final

from s4c_lib.parameters import REGISTRY
from s4c_lib.parameters.model import Value
from s4c_lib.parameters.values import check, to_json
from s4c_lib.parcels.configuration_file import (
    Entry,
    FirstLines,
    checked,
    list_items,
    read_sections,
    unknown_key,
    unknown_section,
    written,
)
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.parcels.delimited_text import LineFindings
from s4c_lib.parcels.findings import Finding, Report, Severity, finding, ordered
from s4c_lib.parcels.l4b_configuration_compliance import MowingPeriod, far_periods, read_compliance, written_periods
from s4c_lib.parcels.l4b_configuration_keys import NATIVE, PREFIX, SECTIONS, SHIPPED_TIMES, Target

_START: Final = f"{PREFIX}.start_date"
_EARLIEST: Final = timedelta(days=60)
_GRASSLAND: Final = 3
_DIRECTIONS: Final = {"ASC": "ascending", "DESC": "descending"}


@dataclass(frozen=True, slots=True)
class L4bConfiguration:
    """What an L4B run works with, whichever form the file had.

    Parameters
    ----------
    crop_filter : system numbers (``CTnum``) of the crops; empty for what the profile says (LC 3 in ``default``).
    every_crop : ``CTNUM_FILTER = all``.
    orbits : relative orbit and direction of the Sentinel-1 passes to use; empty for all.
    settings : checked values by registry key, only those the file gives.
    acquisition_times : ``HH:MM:SS`` by ``s1_ascending``, ``s1_descending``, ``s2``, only those the file gives.
    """

    year: int
    crop_filter: tuple[int, ...] = ()
    every_crop: bool = False
    additional_columns: tuple[str, ...] = ()
    orbits: tuple[tuple[int, str], ...] = ()
    settings: Mapping[str, Value] = field(default_factory=dict, hash=False)
    acquisition_times: Mapping[str, str] = field(default_factory=dict, hash=False)
    compliance: tuple[MowingPeriod, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "year": self.year,
            "crop_filter": list(self.crop_filter),
            "every_crop": self.every_crop,
            "additional_columns": list(self.additional_columns),
            "orbits": [list(orbit) for orbit in self.orbits],
            "settings": {key: to_json(value) for key, value in sorted(self.settings.items())},
            "acquisition_times": dict(sorted(self.acquisition_times.items())),
            "compliance": [period.as_dict() for period in self.compliance],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> L4bConfiguration:
        """What `as_dict` gave."""
        return cls(
            content["year"],
            tuple(content["crop_filter"]),
            content["every_crop"],
            tuple(content["additional_columns"]),
            tuple((number, direction) for number, direction in content["orbits"]),
            {key: check(REGISTRY.get(key), value) for key, value in content["settings"].items()},
            dict(content["acquisition_times"]),
            tuple(MowingPeriod.from_dict(period) for period in content["compliance"]),
        )


def read_l4b_configuration(
    content: bytes,
    name: str,
    *,
    year: int,
    season: tuple[date, date] | None = None,
    mowing_start: date | None = None,
    administrator: bool = True,
    previous: L4bConfiguration | None = None,
) -> tuple[L4bConfiguration | None, Report]:
    """Read and check a configuration, in Sen4CAP's form or ours; everything wrong is reported at once.

    Parameters
    ----------
    name : of the file, for the report.
    year : of the season; fills mowing periods given without one.
    season : first and last day; mowing may start 60 days earlier.
    mowing_start : given beside the file; wins over a start date in it.
    administrator : may change the sections of the detection.
    previous : the configuration in force, which others may repeat; without one, the defaults.

    Returns
    -------
    The configuration, None when the file is refused, and the report; its ``rows`` are lines with a key.
    """
    found = LineFindings()
    sections = read_sections(content, found)
    taken: dict[str, Entry] = {}
    settings: dict[str, Value] = {}
    first = FirstLines(found)
    for section in sections:
        known = SECTIONS.get(section.name.casefold())
        if known is None:
            unknown_section(section, (one.title for one in SECTIONS.values()), found)
            continue
        for entry in section.entries:
            target = known.keys.get(entry.key.casefold())
            if target is None:
                if not known.open:
                    unknown_key(entry, (one.title for one in known.keys.values()), found)
                continue
            if not target.name:
                _note_idle(entry, target, found)
            elif first.is_first(entry, target.name):
                taken[target.name] = entry
                _take_setting(entry, target, settings, found, sen4cap=known.title not in NATIVE)
    if sections and not any(section.name.casefold() in SECTIONS for section in sections):
        message = "The file has no section of an L4B configuration, such as [GENERAL_CONFIG] or [compliancy]."
        found.add("CFG-01", Severity.REFUSED, 0, message)
    if mowing_start is not None:
        settings[_START] = mowing_start
    configuration = L4bConfiguration(
        year,
        *_crops(taken.get("ctnum_filter"), found),
        list_items(taken["additional_columns"].value) if "additional_columns" in taken else (),
        _orbits(taken, found),
        settings,
        _times(taken, found),
        read_compliance(taken, year, found),
    )
    _check_start(configuration, season, taken.get(_START) if mowing_start is None else None, found)
    if not administrator:
        _check_unchanged(configuration, previous or L4bConfiguration(year), taken, found)
    far_periods(configuration.compliance, year, taken, found)
    lines = sum(len(section.entries) for section in sections)
    refused = found.refusing()
    report = Report(
        "l4b_config",
        name,
        lines,
        0 if refused else lines,
        lines if refused else 0,
        ordered(found.findings()),
        {"year": year, "mowing_periods": len(configuration.compliance)},
    )
    return None if refused else configuration, report


def _note_idle(entry: Entry, target: Target, found: LineFindings) -> None:
    same = {"".join(text.split()).casefold() for text in (entry.value, target.shipped)}
    if target.shipped != "*" and len(same) > 1:
        message = f"Line {entry.line}: {entry.key} = {entry.value} has no effect here."
        found.add("CFG-02", Severity.WARNING, entry.line, message)


def _take_setting(
    entry: Entry, target: Target, settings: dict[str, Value], found: LineFindings, *, sen4cap: bool
) -> None:
    if not target.name.startswith(PREFIX) or not entry.value:
        return
    parameter = REGISTRY.get(target.name)
    value = checked(entry, parameter, found)
    # Sen4CAP's files repeat every shipped value: one that was left as it came is no choice of the user's, and does not
    # stand in the way of the better default.
    shipped = [one.value for one in parameter.variants if (one.on, one.equals) == ("profile", "reference")]
    if value is not None and not (sen4cap and value in shipped):
        settings[target.name] = value


def _crops(entry: Entry | None, found: LineFindings) -> tuple[tuple[int, ...], bool]:
    if entry is None:
        return (), False
    items = list_items(entry.value)
    if [item.casefold() for item in items] == ["all"]:
        return (), True
    if not all(item.isascii() and item.isdigit() and 0 < int(item) < 2**31 for item in items):
        message = f'Line {entry.line}: {entry.key} = {entry.value}: must be "all" or numbers (CTnum) above 0.'
        found.add("CFG-03", Severity.REFUSED, entry.line, message)
        return (), False
    return tuple(sorted({int(item) for item in items})), False


def _orbits(taken: Mapping[str, Entry], found: LineFindings) -> tuple[tuple[int, str], ...]:
    numbers, kinds = (taken.get(name) for name in ("orbits", "orbit_types"))
    orbits = list_items(numbers.value) if numbers else ()
    types = [item.upper() for item in list_items(kinds.value)] if kinds else []
    if not orbits and not types:
        return ()
    entry = numbers if orbits else kinds
    line = entry.line if entry else 0
    problem = ""
    if len(orbits) != len(types):
        problem = f"{len(orbits)} orbits, {len(types)} types; both lists are needed, of the same length"
    elif not all(item.isascii() and item.isdigit() and 1 <= int(item) <= 175 for item in orbits):
        problem = "orbits are numbers of 1 to 175"
    elif not set(types) <= _DIRECTIONS.keys():
        problem = "types are ASC or DESC"
    if problem:
        found.add("CFG-03", Severity.REFUSED, line, f"Line {line}: s1_orbit_list_filter: {problem}.")
        return ()
    return tuple((int(number), _DIRECTIONS[kind]) for number, kind in zip(orbits, types, strict=True))


def _times(taken: Mapping[str, Entry], found: LineFindings) -> dict[str, str]:
    times = {}
    for name in SHIPPED_TIMES:
        entry = taken.get(name)
        if entry is None or not entry.value:
            continue
        try:
            times[name] = time.fromisoformat(entry.value).replace(microsecond=0, tzinfo=None).isoformat()
        except ValueError:
            message = f"Line {entry.line}: {entry.key} = {entry.value}: must be a time written HH:MM:SS."
            found.add("CFG-03", Severity.REFUSED, entry.line, message)
    return times


def _check_start(
    configuration: L4bConfiguration, season: tuple[date, date] | None, entry: Entry | None, found: LineFindings
) -> None:
    start = configuration.settings.get(_START)
    if not isinstance(start, date) or season is None or season[0] - _EARLIEST <= start <= season[1]:
        return
    line = entry.line if entry else 0
    message = f"mowing start date {start} must lie in {season[0] - _EARLIEST} to {season[1]}."
    found.add("CFG-03", Severity.REFUSED, line, f"Line {line}: {message}" if line else message.capitalize())


def _check_unchanged(
    configuration: L4bConfiguration, previous: L4bConfiguration, taken: Mapping[str, Entry], found: LineFindings
) -> None:
    """CFG-08: only an administrator changes how mowing is detected."""
    for name, entry in taken.items():
        section = SECTIONS[entry.section.casefold()]
        if not section.expert:
            continue
        if name in configuration.settings:
            old: object = previous.settings.get(name, REGISTRY.get(name).default)
            new: object = configuration.settings[name]
        elif name in configuration.acquisition_times:
            old = previous.acquisition_times.get(name, SHIPPED_TIMES[name])
            new = configuration.acquisition_times[name]
        else:
            continue
        if old != new:
            message = (
                f"Line {entry.line}: {entry.key} = {entry.value} changes the expert section [{entry.section}] "
                f"(in force: {_shown(old)}); only an administrator may."
            )
            found.add("CFG-08", Severity.REFUSED, entry.line, message)


def _shown(value: object) -> str:
    return ", ".join(str(item) for item in value) or "none" if isinstance(value, tuple) else str(value)


def l4b_against_lut(configuration: L4bConfiguration, lut: CropLut) -> tuple[Finding, ...]:
    """CFG-06: crop codes the LUT lacks, and numbers of the crop filter that are not there or not grassland."""
    covers = dict(zip(lut.ctnum.tolist(), lut.lc.tolist(), strict=True))
    codes = dict.fromkeys(period.crop_code for period in configuration.compliance)
    problems = (
        ("crop_codes not in the crop code LUT", [code for code in codes if code not in lut]),
        (
            "CTNUM_FILTER numbers not in the crop code LUT",
            [one for one in configuration.crop_filter if one not in covers],
        ),
        (
            "CTNUM_FILTER numbers whose LC is not 3 (grassland)",
            [one for one in configuration.crop_filter if covers.get(one, _GRASSLAND) != _GRASSLAND],
        ),
    )
    return tuple(
        finding("CFG-06", Severity.WARNING, f"{len(those)} {what}: {_joined(those)}.", (), those, len(those))
        for what, those in problems
        if those
    )


def l4b_text(configuration: L4bConfiguration) -> str:
    """The configuration as a file of our own form."""
    sections: dict[str, dict[str, str]] = {section: {} for section in NATIVE}
    general = sections["general"]
    general["ctnum_filter"] = "all" if configuration.every_crop else _joined(configuration.crop_filter)
    general["additional_columns"] = _joined(configuration.additional_columns)
    general["s1_orbit_list_filter"] = ", ".join(f"{number:03d}" for number, _ in configuration.orbits)
    kinds = {direction: kind for kind, direction in _DIRECTIONS.items()}
    general["s1_orbit_type_list_filter"] = ", ".join(kinds[direction] for _, direction in configuration.orbits)
    for section, keys in NATIVE.items():
        for key, name in keys.items():
            if name in configuration.settings:
                sections[section][key] = _value_text(configuration.settings[name])
            elif name in configuration.acquisition_times:
                sections[section][key] = configuration.acquisition_times[name]
    sections["compliance"] = written_periods(configuration.compliance)
    return written(sections)


def _joined(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)


def _value_text(value: Value) -> str:
    if isinstance(value, tuple):
        return _joined(value) or "[]"  # an empty value would mean the default
    return repr(value) if isinstance(value, float) else str(value)
