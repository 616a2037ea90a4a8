"""Configuration files of L4B and L4C: sections and keys with their lines, checked values, unknown names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from s4c_lib.errors import InputError, ParameterError
from s4c_lib.parameters import values
from s4c_lib.parameters.model import Parameter, Value
from s4c_lib.parcels.delimited_text import LineFindings, decode_text
from s4c_lib.parcels.findings import Severity

_SECTION: Final = re.compile(r"\[([^\[\]]+)\]")
_ENTRY: Final = re.compile(r"([^=:\s\[][^=:]*?)\s*[=:]\s*(.*)")
_NAME: Final = re.compile(r"\$\{([^{}]*)\}")
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value, on a line of a section."""

    section: str
    key: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section as written; its entries in the order of the file."""

    name: str
    line: int
    entries: tuple[Entry, ...] = field(default=())


def read_sections(content: bytes, found: LineFindings, *, country: str | None = None) -> tuple[Section, ...]:
    """Split an INI text.

    Lines that begin with ``#`` or ``;`` are comments, a line indented more than its key continues the value, and
    a value may stand in quotes. Sections of the same name are one. Problems go to ``found`` as CFG-01, each with
    its line.
    """
    try:
        text, _ = decode_text(content, country)
    except InputError as error:
        found.add("CFG-01", Severity.REFUSED, 0, f"The file is not a configuration file. {error.one_line}")
        return ()
    sections: dict[str, tuple[str, int, list[Entry]]] = {}
    current: list[Entry] | None = None
    name, indent, continues = "", 0, False
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        deep = len(line) - len(line.lstrip())
        if continues and deep > indent and current:
            current[-1] = replace(current[-1], value=f"{current[-1].value} {bare}".strip())
            continue
        header, entry = _SECTION.fullmatch(bare), _ENTRY.fullmatch(bare)
        if header:
            name = header[1].strip()
            current = sections.setdefault(name.casefold(), (name, number, []))[2]
            continues = False
        elif entry and current is not None:
            current.append(Entry(name, entry[1], entry[2].strip(), number))
            indent, continues = deep, True
        else:
            shown = bare if len(bare) <= _LONGEST else f"{bare[:_LONGEST]}…"
            problem = "comes before the first [section]" if entry else "is neither a [section] nor key = value"
            found.add("CFG-01", Severity.REFUSED, number, f'Line {number}: "{shown}" {problem}.')
    if not sections and not found.refusing():
        found.add("CFG-01", Severity.REFUSED, 0, "The file is not a configuration file. It has no [section].")
    return tuple(
        Section(name, line, tuple(replace(entry, value=unquoted(entry.value)) for entry in entries))
        for name, line, entries in sections.values()
    )


class FirstLines:
    """Refuses what is given twice, in whichever section or spelling: nobody can tell which value is meant."""

    def __init__(self, found: LineFindings) -> None:
        self._found = found
        self._first: dict[str, int] = {}

    def is_first(self, entry: Entry, meaning: str) -> bool:
        """Whether nothing before gave a value for ``meaning``; CFG-01 when something did."""
        line = self._first.setdefault(meaning, entry.line)
        if line != entry.line:
            message = f"Line {entry.line}: {entry.key} of [{entry.section}] is already given on line {line}."
            self._found.add("CFG-01", Severity.REFUSED, entry.line, message)
        return line == entry.line


def unquoted(value: str) -> str:
    """A value without the pair of quotes around it; quotes inside stay."""
    for quote in "\"'":
        if len(value) >= 2 and value[0] == value[-1] == quote and quote not in value[1:-1]:
            return value[1:-1].strip()
    return value


def with_year(entry: Entry, year: int, found: LineFindings) -> Entry | None:
    """The entry with ``${YEAR}`` filled in; CFG-13 and None for any other name."""
    unknown = [name for name in _NAME.findall(entry.value) if name.strip().upper() != "YEAR"]
    if unknown or "${" in _NAME.sub("", entry.value):
        shown = f"${{{unknown[0]}}}" if unknown else entry.value
        message = f"Line {entry.line}: {entry.key} holds {shown}; only ${{YEAR}} is replaced."
        found.add("CFG-13", Severity.REFUSED, entry.line, message)
        return None
    return replace(entry, value=_NAME.sub(str(year), entry.value))


def checked(entry: Entry, parameter: Parameter, found: LineFindings) -> Value:
    """The typed value; CFG-03 and None when it is of a wrong type or out of bounds."""
    try:
        # The message names the key as it stands in the file.
        raw = re.sub("[\"']", "", entry.value) if parameter.kind.is_list else entry.value
        return values.check(replace(parameter, key=entry.key), raw)
    except ParameterError as error:
        found.add("CFG-03", Severity.REFUSED, entry.line, f"Line {entry.line}: {error.message}")
        return None


def unknown_section(section: Section, known: Iterable[str], found: LineFindings) -> None:
    """CFG-02 for a section, with the nearest known name."""
    message = f"Line {section.line}: there is no section [{section.name}]"
    found.add(
        "CFG-02", Severity.WARNING, section.line, f"{message}{_suggestion(section.name, known)}; it has no effect."
    )


def unknown_key(entry: Entry, known: Iterable[str], found: LineFindings) -> None:
    """CFG-02 for a key, with the nearest known name."""
    message = f"Line {entry.line}: [{entry.section}] has no key {entry.key}"
    found.add("CFG-02", Severity.WARNING, entry.line, f"{message}{_suggestion(entry.key, known)}; it has no effect.")


def _suggestion(name: str, known: Iterable[str]) -> str:
    # Only needed after a mistake, so it does not slow down every start.
    from difflib import get_close_matches

    names = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    return f" (did you mean {names[near[0]]}?)" if near else ""


def list_items(value: str) -> tuple[str, ...]:
    """Items of a list separated by commas, without brackets and quotes; empty ones left out."""
    items = (unquoted(item.strip()) for item in value.strip().strip("[]").split(","))
    return tuple(item for item in items if item)


def written(sections: Mapping[str, Mapping[str, str]]) -> str:
    """Sections as a text that `read_sections` reads."""
    return "\n".join("".join(_lines(name, entries)) for name, entries in sections.items())


def _lines(name: str, entries: Mapping[str, str]) -> Iterator[str]:
    yield f"[{name}]\n"
    for key, value in entries.items():
        yield f"{key} = {value}".rstrip() + "\n"
