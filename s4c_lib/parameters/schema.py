"""JSON Schema of a parameter: for Airflow's trigger form (``Param``) and for checks of a REST request."""

from __future__ import annotations

from typing import Any

from s4c_lib.parameters.model import Kind, Parameter, Share
from s4c_lib.parameters.values import to_json

_TYPES = {
    Kind.BOOL: "boolean",
    Kind.INT: "integer",
    Kind.FLOAT: "number",
    Kind.STR_LIST: "string",
    Kind.INT_LIST: "integer",
}


def json_schema(parameter: Parameter) -> dict[str, Any]:
    """Return the schema of a parameter's JSON form, with title, description and default.

    The default is the one of a current season in the profile ``default``; it is left out where it depends on
    another parameter's number.
    """
    one = _single(parameter)
    schema: dict[str, Any] = {"title": parameter.key, "description": _described(parameter)}
    if parameter.kind.is_list:
        schema |= {"type": "array", "items": one, "uniqueItems": True}
    else:
        schema |= one
    if parameter.optional:
        schema["type"] = ["null", schema["type"]]
        if "enum" in schema:
            schema["enum"] = [None, *schema["enum"]]
    if not isinstance(parameter.default, Share):
        schema["default"] = to_json(parameter.default)
    return schema


def _described(parameter: Parameter) -> str:
    return f"{parameter.description} Unit: {parameter.unit}." if parameter.unit else parameter.description


def _single(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES.get(parameter.kind, "string")}
    if parameter.kind is Kind.DATE:
        schema["format"] = "date"
    if parameter.kind is Kind.PATH:
        schema["pattern"] = "^/"
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.pattern:
        # like a pattern, but whoever gets it wrong is told the words, not the regular expression
        schema |= {"if": {"pattern": f"^(?:{parameter.pattern})$"}, "else": {"const": parameter.pattern_words}}
    suffix = {True: ("exclusiveMinimum", "exclusiveMaximum"), False: ("minimum", "maximum")}[parameter.exclusive]
    for name, limit in zip(suffix, (parameter.minimum, parameter.maximum), strict=True):
        if limit is not None:
            schema[name] = limit
    return schema
