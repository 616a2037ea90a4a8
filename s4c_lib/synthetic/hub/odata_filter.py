"""The ``$filter`` of OData as far as catalogues of products are asked with it: a parser that gives a predicate."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from s4c_lib.errors import InputError
from s4c_lib.sources.metadata_files import utc_time

Row = Callable[[str], Any]
"""Gives the value of a property by its path; of ``Attributes`` a list of rows."""
Predicate = Callable[[Row], bool]

PROPERTIES = frozenset(
    {
        "Collection/Name",
        "ContentDate/End",
        "ContentDate/Start",
        "ContentLength",
        "Id",
        "ModificationDate",
        "Name",
        "Online",
        "PublicationDate",
    }
)
_TOKEN = re.compile(
    r"\s*(?:(?P<geography>geography'(?:[^']|'')*')"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<moment>\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][\w./:]*)"
    r"|(?P<mark>[(),=]))"
)
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_ANY = re.compile(r"Attributes/OData\.CSC\.\w+Attribute/any")
_ATTRIBUTE_VALUE = re.compile(r"(?:OData\.CSC\.\w+Attribute/)?(Name|Value)")
_INTERSECTS = ("OData.CSC.Intersects", "geo.intersects")


def parse_filter(text: str) -> Predicate:
    """Read a filter.

    Raises
    ------
    InputError : a construct that is not understood, named in the message.
    """
    parser = _Parser(text)
    predicate = parser.alternatives("")
    parser.expect_end()
    return predicate


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise _not_understood(self._tokens[self._next].text)

    def alternatives(self, variable: str) -> Predicate:
        parts = [self._conjunction(variable)]
        while self._take("word", "or"):
            parts.append(self._conjunction(variable))
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _conjunction(self, variable: str) -> Predicate:
        parts = [self._negation(variable)]
        while self._take("word", "and"):
            parts.append(self._negation(variable))
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _negation(self, variable: str) -> Predicate:
        if self._take("word", "not"):
            negated = self._negation(variable)
            return lambda row: not negated(row)
        if self._take("mark", "("):
            inner = self.alternatives(variable)
            self._expect("mark", ")")
            return inner
        return self._test(variable)

    def _test(self, variable: str) -> Predicate:
        word = self._word()
        if word in _TEXT_TESTS:
            return self._text_test(word, variable)
        if word in _INTERSECTS:
            return self._intersects()
        if _ANY.fullmatch(word):
            return self._any()
        return self._comparison(_path(word, variable))

    def _text_test(self, word: str, variable: str) -> Predicate:
        self._expect("mark", "(")
        path = _path(self._word(), variable)
        self._expect("mark", ",")
        part = self._literal()
        self._expect("mark", ")")
        if not isinstance(part, str):
            raise _not_understood(f"{word} with {part}")
        return lambda row: _TEXT_TESTS[word](str(row(path) or ""), part)

    def _intersects(self) -> Predicate:
        self._expect("mark", "(")
        self._expect("word", "area")
        self._expect("mark", "=")
        area = geography(self._of_kind("geography"))
        shapely.prepare(area)
        self._expect("mark", ")")
        return lambda row: bool(area.intersects(row("Footprint")))

    def _any(self) -> Predicate:
        self._expect("mark", "(")
        variable, _, rest = self._word().partition(":")
        # ``att:att/Name`` is one word; what follows the colon is given back.
        self._next -= 1
        self._tokens[self._next] = _Token("word", rest)
        inner = self.alternatives(variable)
        self._expect("mark", ")")
        return lambda row: any(inner(attribute) for attribute in row("Attributes"))

    def _comparison(self, path: str) -> Predicate:
        sign = self._word()
        if sign == "in":
            self._expect("mark", "(")
            wanted = [self._literal()]
            while self._take("mark", ","):
                wanted.append(self._literal())
            self._expect("mark", ")")
            return lambda row: any(_compare(operator.eq, row(path), value) for value in wanted)
        if sign not in _COMPARED:
            raise _not_understood(f"{path} {sign}")
        compare, literal = _COMPARED[sign], self._literal()
        return lambda row: _compare(compare, row(path), literal)

    def _literal(self) -> Any:
        token = self._advance()
        match token.kind:
            case "text":
                return token.text[1:-1].replace("''", "'")
            case "uuid":
                return token.text.lower()
            case "number":
                return float(token.text)
            case "moment":
                moment = utc_time(token.text)
                if moment is None:
                    raise _not_understood(token.text)
                return moment
            case "word" if token.text.lower() in {"true", "false"}:
                return token.text.lower() == "true"
        raise _not_understood(token.text)

    def _word(self) -> str:
        return self._of_kind("word")

    def _of_kind(self, kind: str) -> str:
        token = self._advance()
        if token.kind != kind:
            raise _not_understood(token.text)
        return token.text

    def _advance(self) -> _Token:
        if self._next == len(self._tokens):
            raise _not_understood("the end of the filter")
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, kind: str, text: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == _Token(kind, text):
            self._next += 1
            return True
        return False

    def _expect(self, kind: str, text: str) -> None:
        token = self._advance()
        if token != _Token(kind, text):
            raise _not_understood(f"{token.text} where {text} should be")


def geography(text: str) -> BaseGeometry:
    """Read ``geography'SRID=4326;POLYGON((...))'``.

    Raises
    ------
    InputError : no geometry, or in another reference system.
    """
    srid, mark, wkt = text.removeprefix("geography").strip("'").rpartition(";")
    if mark and srid.upper() != "SRID=4326":
        raise _not_understood(srid)
    try:
        return shapely.from_wkt(wkt)
    except shapely.errors.ShapelyError as error:
        raise _not_understood(f"the geometry {wkt[:80]}") from error


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise _not_understood(text[position : position + 40])
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _path(word: str, variable: str) -> str:
    if not variable:
        if word not in PROPERTIES:
            raise _not_understood(word)
        return word
    owner, _, rest = word.partition("/")
    named = _ATTRIBUTE_VALUE.fullmatch(rest)
    if owner != variable or named is None:
        raise _not_understood(word)
    return named[1]


def _compare(compare: Callable[[Any, Any], bool], value: Any, literal: Any) -> bool:
    if value is None:
        return False
    if type(value) is not type(literal):
        # Catalogues compare integers written as text and the other way round.
        try:
            value, literal = _number(value), _number(literal)
        except (TypeError, ValueError):
            value, literal = str(value), str(literal)
    return bool(compare(value, literal))


def _number(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _not_understood(construct: str) -> InputError:
    return InputError(f"Invalid field or construct: {construct}", hint="see the documentation of the catalogue")
