"""Every parameter that a run may be given: a value outside its bounds is refused, by the form and by the first task."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from airflow.sdk import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from s4c_airflow.forms import form
from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY, Scope
from s4c_lib.parameters.model import Kind, Parameter
from s4c_lib.run_requests import RunRequest, checked_settings

NUMBERS = {Kind.INT, Kind.FLOAT, Kind.INT_LIST}
# what JSON may hold and a parameter of this kind may not
OTHER_TYPE: dict[Kind, Any] = {
    Kind.BOOL: "perhaps",
    Kind.INT: "many",
    Kind.FLOAT: "much",
    Kind.DATE: "in spring",
    Kind.STR_LIST: {"a": "b"},
    Kind.INT_LIST: ["many"],
}


def wrong_values(parameter: Parameter) -> Iterator[tuple[Any, str]]:
    """Yield values that a parameter does not take, each with what the refusal must name."""
    yield OTHER_TYPE.get(parameter.kind, {"a": "b"}), ""
    step = 0 if parameter.exclusive else 1
    for limit, outside in ((parameter.minimum, -step), (parameter.maximum, step)):
        if limit is not None and parameter.kind in NUMBERS:
            wrong = limit + outside
            yield ([wrong] if parameter.kind.is_list else wrong), f"{limit:.10g}"
    if parameter.choices:
        strange: Any = 987 if isinstance(parameter.choices[0], int) else "no such choice"
        yield ([strange] if parameter.kind.is_list else strange), str(parameter.choices[0])
    if parameter.pattern:
        yield "!", parameter.pattern_words


def refusals(schema: dict[str, Any]) -> Callable[[Any], str]:
    """Return what says how a schema refuses a value, in the words Airflow passes on.

    Airflow validates the schema anew with each value, which takes 10 ms; here it is done once.
    """
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema, format_checker=jsonschema.FormatChecker())

    def refusal(value: Any) -> str:
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
        return "" if error is None else str(error)

    return refusal


@pytest.mark.parametrize("processor", ["ingest", "s4c_l4a", "s4c_l4b", "s4c_l4c"])
def test_a_value_outside_its_bounds_is_refused_with_key_and_bounds(processor: str) -> None:
    fields = form(processor)
    parameters = [parameter for parameter in REGISTRY.for_processor(processor) if Scope.JOB in parameter.scopes]
    of_settings = refusals(fields["settings"].schema)
    for parameter in parameters:
        of_field = refusals(fields[parameter.key].schema) if parameter.key in fields else None
        for value, bound in wrong_values(parameter):
            told = of_settings({parameter.key: value})
            assert parameter.key in told
            assert bound in told
            if of_field is not None:
                assert (bound or "On instance") in of_field(value)
            # what a program of one's own gives past Airflow ends with the first task
            request = RunRequest("alpha", "2025", processor, "run 1", "manual", "anna", settings={parameter.key: value})
            with pytest.raises(ParameterError) as caught:
                checked_settings(request)
            assert parameter.key in caught.value.one_line
            assert bound in caught.value.one_line.replace(",", "" if bound.isdigit() else ",")


def test_a_misspelt_key_is_refused_in_a_few_lines() -> None:
    told = refusals(form("s4c_l4a")["settings"].schema)({"procesor.s4c_l4a.num-trees": 100})
    assert "procesor.s4c_l4a.num-trees" in told
    assert "a key of s4c_l4a in docs/parameters.md" in told
    assert len(told.splitlines()) < 12, told


def test_the_words_are_those_of_airflow() -> None:
    settings = copy.copy(form("s4c_l4a")["settings"])
    told = refusals(settings.schema)({"processor.s4c_l4a.num-trees": 100_000})
    with pytest.raises(ParamValidationError) as caught:
        ParamsDict({"settings": settings})["settings"] = {"processor.s4c_l4a.num-trees": 100_000}
    assert str(caught.value) == f"Invalid input for param settings: {told}"
