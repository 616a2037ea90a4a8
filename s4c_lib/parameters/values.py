"""From what a user or a database gives to a typed value: texts of a command line and JSON values alike."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from datetime import date, datetime

from s4c_lib.errors import ParameterError
from s4c_lib.parameters.model import Kind, Parameter, Value
from s4c_lib.parameters.placeholders import problem

_YES = frozenset({"true", "t", "yes", "y", "on", "1"})
_NO = frozenset({"false", "f", "no", "n", "off", "0"})
_DATE = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")
_SEPARATORS = re.compile(r"[,;\s]+")


def check(parameter: Parameter, raw: object) -> Value:
    """Return the typed value of ``raw``.

    Checking a checked value returns it unchanged, and so does checking its JSON form.

    Raises
    ------
    ParameterError : names the parameter, the value and what is allowed.
    """
    try:
        return _typed(parameter, raw)
    except _UnfitError as unfit:
        raise ParameterError(
            f"{parameter.key} = {_shown(raw)}: {unfit}.", hint=parameter.description.split(". ")[0].rstrip(".")
        ) from None


class _UnfitError(Exception):
    """What is wrong with a value; becomes a ParameterError with the key."""


def _shown(raw: object) -> str:
    text = repr(raw) if raw == "" or not isinstance(raw, str) else raw
    return text if len(text) <= 120 else f"{text[:117]}..."


def _typed(parameter: Parameter, raw: object) -> Value:
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or (raw == "" and not parameter.kind.is_list):
        if parameter.optional:
            return None
        raise _UnfitError("a value is needed")
    match parameter.kind:
        case Kind.BOOL:
            return _flag(raw)
        case Kind.INT:
            return _integer(parameter, raw)
        case Kind.FLOAT:
            return _number(parameter, raw)
        case Kind.DATE:
            return _date(raw)
        case Kind.PATH:
            return _path(raw)
        case Kind.STR_LIST:
            return _ordered(parameter, [_text(parameter, item) for item in _items(raw)])
        case Kind.INT_LIST:
            return tuple(sorted({_integer(parameter, item) for item in _items(raw)}))
        case Kind.STR | Kind.CHOICE:
            return _text(parameter, raw)


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower() if isinstance(raw, int | str) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _UnfitError("must be true or false")


def _integer(parameter: Parameter, raw: object) -> int:
    number: int | None = None
    if isinstance(raw, str):
        number = int(raw) if re.fullmatch(r"[+-]?[0-9]{1,18}", raw.strip()) else None
    elif isinstance(raw, int | float) and not isinstance(raw, bool) and raw == raw // 1:
        number = int(raw)
    if number is None:
        raise _UnfitError("must be a whole number" + _allowed(parameter))
    if parameter.choices and number not in parameter.choices:
        raise _UnfitError(f"must be one of {parameter.bounds}")
    _within(parameter, number)
    return number


def _number(parameter: Parameter, raw: object) -> float:
    number = _float(raw) if isinstance(raw, int | float | str) and not isinstance(raw, bool) else math.nan
    if not math.isfinite(number):
        raise _UnfitError("must be a number" + _allowed(parameter))
    _within(parameter, number)
    return number


def _float(raw: str | float) -> float:
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return math.nan


def _within(parameter: Parameter, number: float) -> None:
    low, high = parameter.minimum, parameter.maximum
    outside = (low is not None and number < low) or (high is not None and number > high)
    if outside or (parameter.exclusive and number in (low, high)):
        raise _UnfitError(f"must be {parameter.bounds}" + (f" {parameter.unit}" if parameter.unit else ""))


def _allowed(parameter: Parameter) -> str:
    return f", {parameter.bounds}" if parameter.bounds else ""


def _date(raw: object) -> date:
    if isinstance(raw, datetime):
        raise _UnfitError("must be a date without a time")
    if isinstance(raw, date):
        return raw
    parts = _DATE.fullmatch(raw) if isinstance(raw, str) else None
    if parts is None:
        raise _UnfitError("must be a date written YYYY-MM-DD or YYYYMMDD")
    try:
        return date(int(parts[1]), int(parts[3]), int(parts[4]))
    except ValueError:
        raise _UnfitError("there is no such day") from None


def _path(raw: object) -> str:
    if not isinstance(raw, str | os.PathLike):
        raise _UnfitError("must be a path")
    text = os.fspath(raw)
    if not isinstance(text, str):
        raise _UnfitError("must be a path")
    wrong = problem(text)
    if wrong:
        raise _UnfitError(wrong)
    return re.sub(r"[/\s]+$", "", re.sub("/+", "/", text)) or "/"


def _items(raw: object) -> list[object]:
    if isinstance(raw, str):
        return [item for item in _SEPARATORS.split(raw.strip("[](){} ")) if item]
    if isinstance(raw, Sequence):
        return list(raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return [raw]
    raise _UnfitError("must be a list")


def _text(parameter: Parameter, raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise _UnfitError("must be a text" + _allowed(parameter))
    text = str(raw).strip()
    if parameter.choices:
        for choice in parameter.choices:
            if str(choice).casefold() == text.casefold():
                return str(choice)
        raise _UnfitError(f"must be {'some' if parameter.kind.is_list else 'one'} of {parameter.bounds}")
    if not text or any(ord(character) < 32 for character in text):
        raise _UnfitError("must be a text of one line")
    if parameter.pattern and not re.fullmatch(parameter.pattern, text):
        raise _UnfitError(f"must be {parameter.pattern_words}")
    return text


def _ordered(parameter: Parameter, items: list[str]) -> tuple[str, ...]:
    """Order a list that means a set, so that equal settings hash equally: as the choices are, else by alphabet."""
    if parameter.choices:
        return tuple(str(choice) for choice in parameter.choices if choice in items)
    return tuple(sorted(set(items)))


def to_json(value: Value) -> bool | int | float | str | list[str] | list[int] | None:
    """Return the JSON form of a checked value."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)  # type: ignore[return-value]
    return value
