"""The trigger form and REST contract of a DAG, made from the parameter registry.

At most six form fields a DAG; every further parameter of its processor goes in the one object ``settings``,
whose schema names each key with its bounds, so that a wrong value is refused before a run exists.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow.sdk import Param

from s4c_lib.parameters import REGISTRY, Scope
from s4c_lib.parameters.model import Kind, Parameter
from s4c_lib.parameters.registry import FORM_LIMIT

# Two of every form of its kind, the parameters, and the settings.
MOST_FIELDS = 2 + FORM_LIMIT + 1
# What stands among the settings of a run besides parameters; see `s4c_lib.run_requests.AMONG_SETTINGS`.
OPTIONS: dict[str, Any] = {
    "force": {"type": "boolean"},
    "without_waiting": {"type": "boolean"},
    "tiles": {"type": "array", "items": {"type": "string"}},
    "products": {"type": "array", "items": {"type": "integer"}},
}
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
        # fields of their own would be too many: see FORM_LIMIT
        properties |= OPTIONS
        more = (
            ' {"force": true} runs it although nothing has changed since the last success, {"without_waiting": true} '
            'without images that are still missing, {"tiles": ["31UFS"]} on these tiles, {"products": [12, 14]} on '
            "these images (s4c products list)."
        )
    return {
        # null: else the form marks it as required
        "type": ["null", "object"],
        "title": "Further settings",
        # not description_md: the form prints code in boxes that cover the line above
        "description": (
            f"Values of this run alone, by key, for example {EXAMPLES.get(processor, EXAMPLE)}. "
            f"Keys, bounds and meanings: docs/parameters.md, or s4c config list.{more}"
        ),
        "properties": properties,
        # not False: the refusal would print the whole schema, 500 lines of it
        "additionalProperties": {"const": _known(processor)},
    }


def _known(processor: str) -> str:
    """Say which keys there are; Airflow says of any other that this "was expected"."""
    besides = f", or {', '.join(OPTIONS)}" if processor != "ingest" else ""
    return f"a key of {processor} in docs/parameters.md (also: s4c config list){besides}"


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
                type=["null", "array"],
                items={"type": "string", "enum": ["s1", "s2", "l8"]},
                uniqueItems=True,
                # what the field offers
                examples=["s1", "s2", "l8"],
                values_display={"s1": "Sentinel-1", "s2": "Sentinel-2", "l8": "Landsat 8 and 9"},
                title="Satellites",
                description="Only these; all when empty",
            ),
            "requery": Param(
                False,
                type=["null", "boolean"],
                title="Search again",
                description="Also the time windows of the season that have been searched to their end",
            ),
        }
    else:
        fields = {
            "interval_start": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Acquisitions from",
                description="First day whose images are used; the season's start when empty (interval_start)",
            ),
            "as_of": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Acquisitions until",
                description=(
                    "Last day whose images are used; when empty the due date of a backfill's run, else today, "
                    "at most the season's end (as_of)"
                ),
            ),
        }
    for parameter in sorted(REGISTRY.form_parameters(processor), key=lambda one: one.label):
        fields[parameter.key] = Param(None, **_field(parameter))
    fields["settings"] = Param({}, **_settings_schema(processor))
    return fields


def _field(parameter: Parameter) -> dict[str, Any]:
    """Return the schema of a parameter's field, which may stay empty."""
    schema = REGISTRY.json_schema(parameter)
    schema.pop("default", None)
    kind = schema["type"]
    types = kind if isinstance(kind, list) else [kind]
    schema["type"] = ["null", *(name for name in types if name != "null")]
    if "enum" in schema:
        schema["enum"] = [None, *(value for value in schema["enum"] if value is not None)]
        schema["values_display"] = {"null": "as configured"}
    if "enum" in schema.get("items", {}):
        schema["examples"] = list(schema["items"]["enum"])
    about = [schema["description"]]
    if parameter.bounds and (parameter.minimum is not None or parameter.maximum is not None):
        about.append(f"Allowed: {parameter.bounds}.")
    if parameter.kind is Kind.BOOL:
        about.append("Off and left alone: as configured.")
    # the name that REST and the reference page know it by
    about.append(f"({parameter.key})")
    return {**schema, "title": parameter.label, "description": " ".join(about)}
