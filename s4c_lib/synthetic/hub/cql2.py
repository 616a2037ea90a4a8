"""Filters of a STAC search: ``query`` and CQL2 in JSON, as far as catalogues of products are asked with them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import shapely

from s4c_lib.errors import InputError
from s4c_lib.sources.metadata_files import utc_time

Row = Callable[[str], Any]
"""Gives the value of a property by name; of ``geometry`` a shapely one."""
Predicate = Callable[[Row], bool]

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_QUERY_SIGNS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def parse_query(query: Mapping[str, Mapping[str, Any]]) -> Predicate:
    """Read a ``query`` object: {property: {sign: value}}, all of which must hold.

    Raises
    ------
    InputError : a sign that is not understood, named in the message.
    """
    parts: list[Predicate] = []
    for name, tests in query.items():
        for sign, value in tests.items():
            if sign == "in":
                parts.append(among(name, value))
            elif sign in {"startsWith", "endsWith", "contains"}:
                parts.append(_like(name, {"startsWith": f"{value}%", "endsWith": f"%{value}"}.get(sign, f"%{value}%")))
            elif sign in _QUERY_SIGNS:
                parts.append(_compared(_COMPARED[_QUERY_SIGNS[sign]], name, value))
            else:
                raise _not_understood(f"query sign {sign}")
    return lambda row: all(part(row) for part in parts)


def parse_cql2(expression: Any) -> Predicate:
    """Read a CQL2 expression in JSON.

    Raises
    ------
    InputError : a construct that is not understood, named in the message.
    """
    if not isinstance(expression, Mapping) or not isinstance(expression.get("args"), list):
        raise _not_understood(str(expression)[:80])
    sign, args = str(expression.get("op")), expression["args"]
    if sign in {"and", "or", "not"}:
        inner = [parse_cql2(arg) for arg in args]
        if sign == "and":
            return lambda row: all(part(row) for part in inner)
        if sign == "or":
            return lambda row: any(part(row) for part in inner)
        return lambda row: not inner[0](row)
    if len(args) < 2 or not isinstance(args[0], Mapping) or "property" not in args[0]:
        raise _not_understood(f"{sign} without a property and a value")
    name = str(args[0]["property"])
    if sign in _COMPARED:
        return _compared(_COMPARED[sign], name, args[1])
    match sign:
        case "in":
            return among(name, args[1])
        case "like":
            return _like(name, str(args[1]))
        case "between" if len(args) == 3:
            low, high = _compared(operator.ge, name, args[1]), _compared(operator.le, name, args[2])
            return lambda row: low(row) and high(row)
        case "s_intersects":
            return intersecting(args[1])
    raise _not_understood(f"operator {sign}")


def intersecting(geojson: Any) -> Predicate:
    """Whether a product's footprint meets a GeoJSON geometry.

    Raises
    ------
    InputError : it is no geometry.
    """
    try:
        area = shapely.geometry.shape(geojson)
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise _not_understood(f"the geometry {str(geojson)[:80]}") from error
    shapely.prepare(area)
    return lambda row: bool(area.intersects(row("geometry")))


def among(name: str, literals: Any) -> Predicate:
    """Whether a property has one of the values."""
    wanted = [_value(literal) for literal in literals]
    return lambda row: row(name) in wanted


def _compared(compare: Callable[[Any, Any], bool], name: str, literal: Any) -> Predicate:
    wanted = _value(literal)

    def holds(row: Row) -> bool:
        value = row(name)
        if value is None:
            return False
        if isinstance(value, str) and not isinstance(wanted, str):
            moment = utc_time(value)
            return moment is not None and not isinstance(wanted, int | float) and compare(moment, wanted)
        try:
            return compare(value, wanted)
        except TypeError:
            return False

    return holds


def _like(name: str, pattern: str) -> Predicate:
    wanted = pattern.replace("%", "*").replace("_", "?")
    return lambda row: fnmatchcase(str(row(name) or ""), wanted)


def _value(literal: Any) -> Any:
    if isinstance(literal, Mapping):
        moment = utc_time(str(literal.get("timestamp") or literal.get("date") or ""))
        if moment is None:
            raise _not_understood(str(literal)[:80])
        return moment
    return literal


def _not_understood(construct: str) -> InputError:
    return InputError(f"Filter not understood: {construct}", hint="CQL2-JSON: and or not = <> < <= > >= in like")
