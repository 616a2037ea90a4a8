"""The trigger form and REST contract of a DAG, made from the parameter registry.

At most six form fields a DAG; every further parameter of its processor goes in the one object ``settings``,
whose schema names each key with its bounds, so that a wrong value is refused before a run exists.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow.sdk import Param

from s4c_lib.parameters import REGISTRY, Scope

MOST_FIELDS = 6
FORCE = "force"
EXAMPLE = '{"profile": "reference"}'
EXAMPLES = {"ingest": '{"downloader.max_retries": 3}'}


@lru_cache(maxsize=8)
def _settings_schema(processor: str) -> dict[str, Any]:
    properties = {
        parameter.key: _bounds(REGISTRY.json_schema(parameter))
        for parameter in REGISTRY.for_processor(processor)
        if Scope.JOB in parameter.scopes
    }
    more = ""
    if processor != "ingest":
        # a seventh field would push a parameter of the processor out of the form
        properties[FORCE] = {"type": "boolean"}
        more = f" `{FORCE}: true` runs it although nothing has changed since the last success."
    return {
        "type": "object",
        "title": "Further settings",
        "description_md": (
            f"Values of this run alone, by key, for example `{EXAMPLES.get(processor, EXAMPLE)}`. "
            f"Keys, bounds and meanings: `docs/parameters.md`, or `s4c config list`.{more}"
        ),
        "properties": properties,
        "additionalProperties": False,
    }


def _bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a value is checked against; its meaning stands in the parameter reference."""
    return {
        key: value for key, value in schema.items() if key not in {"title", "description", "description_md", "default"}
    }


@lru_cache(maxsize=8)
def form(processor: str) -> dict[str, Param]:
    """Return the form fields of a processor's DAG; a field left empty means: as configured."""
    if processor == "ingest":
        fields = {
            "satellites": Param(
                [],
                type="array",
                items={"type": "string", "enum": ["s1", "s2", "l8"]},
                uniqueItems=True,
                title="Satellites",
                description="Only these (s1, s2, l8); all when empty",
            ),
            "requery": Param(
                False, type="boolean", title="Search again", description="Search settled windows once more too"
            ),
        }
    else:
        fields = {
            "as_of": Param(
                None,
                type=["null", "string"],
                format="date",
                title="As of",
                description="Last acquisition date used; the due date, or today, when empty",
            ),
            "interval_start": Param(
                None,
                type=["null", "string"],
                format="date",
                title="From",
                description="First acquisition date used; the season's start when empty",
            ),
        }
    for parameter in REGISTRY.form_parameters(processor)[: MOST_FIELDS - len(fields) - 1]:
        schema = REGISTRY.json_schema(parameter)
        schema.pop("default", None)
        fields[parameter.key] = Param(None, **_nullable(schema))
    fields["settings"] = Param({}, **_settings_schema(processor))
    return fields


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a field stay empty."""
    kind = schema.get("type", "string")
    types = kind if isinstance(kind, list) else [kind]
    widened = {**schema, "type": ["null", *(name for name in types if name != "null")]}
    if "enum" in widened:
        widened["enum"] = [None, *(value for value in widened["enum"] if value is not None)]
    return widened
