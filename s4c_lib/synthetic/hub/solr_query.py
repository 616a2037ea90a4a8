"""The query language of DHuS (Solr) as far as catalogues of products are asked with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import shapely

from s4c_lib.errors import InputError
from s4c_lib.sources.metadata_files import utc_time

Row = Callable[[str], Any]
"""Gives the value of a field by its lower-case name: text, number, time or geometry; None where it has none."""
Predicate = Callable[[Row], bool]

FIELDS = frozenset(
    {
        "beginposition",
        "cloudcoverpercentage",
        "endposition",
        "filename",
        "footprint",
        "identifier",
        "ingestiondate",
        "orbitdirection",
        "orbitnumber",
        "platformname",
        "platformserialidentifier",
        "polarisationmode",
        "processinglevel",
        "producttype",
        "relativeorbitnumber",
        "sensoroperationalmode",
        "tileid",
        "uuid",
    }
)
_TOKEN = re.compile(
    r"\s*(?:(?P<field>[A-Za-z]+):"
    r"|(?P<range>[\[{][^\]}]*[\]}])"
    r'|(?P<quoted>"[^"]*")'
    r"|(?P<mark>[()!]|&&|\|\|)"
    r"|(?P<bare>[^\s()\[\]{}\":]+))"
)
_RANGE = re.compile(r"([\[{])\s*(\S+)\s+TO\s+(\S+?)\s*([\]}])")
_AREA = re.compile(r"(Intersects|Contains|IsWithin)\((.*)\)", re.IGNORECASE | re.DOTALL)
_STEP = re.compile(r"([-+])(\d+)(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?")
_ROUND = re.compile(r"/(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)S?$")
_UNITS = {
    "YEAR": timedelta(days=365),
    "MONTH": timedelta(days=30),
    "DAY": timedelta(days=1),
    "HOUR": timedelta(hours=1),
    "MINUTE": timedelta(minutes=1),
    "SECOND": timedelta(seconds=1),
}


def parse_query(text: str, *, now: datetime) -> Predicate:
    """Read a query; terms beside each other must all hold.

    Raises
    ------
    InputError : a construct that is not understood, named in the message.
    """
    if text.strip() in {"", "*", "*:*"}:
        return lambda row: True
    parser = _Parser(text, now)
    predicate = parser.alternatives(None)
    parser.expect_end()
    return predicate


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._now = now

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise _syntax(self._tokens[self._next][1])

    def alternatives(self, field: str | None) -> Predicate:
        parts = [self._conjunction(field)]
        while self._take("OR", "||"):
            parts.append(self._conjunction(field))
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _conjunction(self, field: str | None) -> Predicate:
        parts = [self._negation(field)]
        while self._take("AND", "&&") or self._more():
            parts.append(self._negation(field))
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _more(self) -> bool:
        return self._next < len(self._tokens) and self._tokens[self._next][1] not in {")", "OR", "||"}

    def _negation(self, field: str | None) -> Predicate:
        if self._take("NOT", "!"):
            negated = self._negation(field)
            return lambda row: not negated(row)
        if self._take("("):
            inner = self.alternatives(field)
            if not self._take(")"):
                raise _syntax("a bracket that is not closed")
            return inner
        kind, text = self._advance()
        if kind == "field":
            named = text.lower()
            if named not in FIELDS:
                raise _syntax(f"undefined field {text}")
            return self._negation(named)
        if field is None:
            raise _syntax(f"{text} without a field")
        return self._test(field, kind, text)

    def _test(self, field: str, kind: str, text: str) -> Predicate:
        if kind == "range":
            return self._range(field, text)
        if field == "footprint":
            return _area(text)
        wanted = text.strip('"').casefold()
        if kind == "bare" and ("*" in wanted or "?" in wanted):
            return lambda row: row(field) is not None and fnmatchcase(_text(row(field)), wanted)
        return lambda row: row(field) is not None and _text(row(field)) == wanted

    def _range(self, field: str, text: str) -> Predicate:
        found = _RANGE.fullmatch(text)
        if found is None:
            raise _syntax(text)
        low, high = (self._bound(field, bound.strip('"')) for bound in (found[2], found[3]))
        with_low, with_high = found[1] == "[", found[4] == "]"

        def within(row: Row) -> bool:
            value = row(field)
            if value is None:
                return False
            above = low is None or (value >= low if with_low else value > low)
            return above and (high is None or (value <= high if with_high else value < high))

        return within

    def _bound(self, field: str, text: str) -> Any:
        if text == "*":
            return None
        if field.endswith(("position", "date")):
            return moment(text, self._now)
        try:
            return float(text)
        except ValueError as error:
            raise _syntax(f"{text} in a range of {field}") from error

    def _advance(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise _syntax("the end of the query")
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, *texts: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] in [(_kind(text), text) for text in texts]:
            self._next += 1
            return True
        return False


def moment(text: str, now: datetime) -> datetime:
    """Read a time of Solr's: ISO 8601 or ``NOW``, with steps (``-1DAY``) and rounding (``/DAY``).

    Raises
    ------
    InputError : it is none.
    """
    rounded = _ROUND.search(text)
    rest = text[: rounded.start()] if rounded else text
    first = _STEP.search(rest, 3 if rest.startswith("NOW") else 19)
    base = rest[: first.start()] if first else rest
    steps = rest[first.start() :] if first else ""
    value = now if base == "NOW" else utc_time(base)
    if value is None or _STEP.sub("", steps):
        raise _syntax(f"Invalid Date String:'{text}'")
    for sign, count, unit in _STEP.findall(steps):
        value += _UNITS[unit] * (int(count) if sign == "+" else -int(count))
    if rounded:
        value = _rounded_down(value, rounded[1])
    return value.astimezone(UTC)


def _rounded_down(value: datetime, unit: str) -> datetime:
    kept = list(_UNITS).index(unit)
    return value.replace(
        month=value.month if kept >= 1 else 1,
        day=value.day if kept >= 2 else 1,
        hour=value.hour if kept >= 3 else 0,
        minute=value.minute if kept >= 4 else 0,
        second=value.second if kept >= 5 else 0,
        microsecond=0,
    )


def _area(text: str) -> Predicate:
    found = _AREA.fullmatch(text.strip('"').strip())
    if found is None:
        raise _syntax(f"footprint:{text[:80]}")
    try:
        area = shapely.from_wkt(found[2])
    except shapely.errors.ShapelyError as error:
        raise _syntax(f"the geometry {found[2][:80]}") from error
    shapely.prepare(area)
    match found[1].lower():
        case "intersects":
            return lambda row: bool(area.intersects(row("footprint")))
        case "contains":
            return lambda row: bool(area.within(row("footprint")))
    return lambda row: bool(area.contains(row("footprint")))


def _text(value: Any) -> str:
    number = float(value) if isinstance(value, int | float) else None
    return f"{number:g}" if number is not None else str(value).casefold()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _syntax(text[position : position + 40])
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _kind(text: str) -> str:
    return "bare" if text.isalpha() else "mark"


def _syntax(construct: str) -> InputError:
    return InputError(f"Cannot parse the query: {construct}", hint="field:value AND field:[a TO b]")
