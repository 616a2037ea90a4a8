"""The JSON Schema given to Airflow and REST clients accepts what the registry accepts."""

import jsonschema
import pytest

from s4c_lib.parameters import REGISTRY, Parameter
from s4c_lib.parameters.values import to_json


@pytest.mark.parametrize("parameter", REGISTRY, ids=lambda one: one.key)
def test_the_schema_is_valid_and_accepts_every_default(parameter: Parameter) -> None:
    schema = REGISTRY.json_schema(parameter)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    if "default" in schema:
        validator.validate(schema["default"])
    for variant in parameter.variants:
        validator.validate(to_json(variant.value))


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("processor.s4c_l4a.num-trees", 0),
        ("processor.s4c_l4a.num-trees", "300"),
        ("processor.s4c_l4a.sample-ratio-h", 1.0),
        ("processor.s4c_l4a.mode", "s3"),
        ("processor.s4c_l4a.lc", "1224"),
        ("processor.s4c_l4c.practices", ["XX"]),
        ("downloader.orbits", [0]),
        ("processor.l2s1.pixel.spacing", 25),
        ("storage.products_path", "relative"),
    ],
)
def test_the_schema_refuses_what_the_registry_refuses(key: str, wrong: object) -> None:
    assert not jsonschema.Draft202012Validator(REGISTRY.json_schema(key)).is_valid(wrong)


def test_a_form_shows_name_meaning_unit_and_an_empty_date() -> None:
    schema = REGISTRY.json_schema("processor.s4c_l4b.start_date")
    assert schema["type"] == ["null", "string"]
    assert schema["format"] == "date"
    assert schema["default"] is None
    assert REGISTRY.json_schema("downloader.window.days")["description"].endswith("Unit: d.")
