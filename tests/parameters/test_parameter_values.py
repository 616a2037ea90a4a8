"""What a user may type for a parameter, what it becomes, and what a wrong value is told."""

import json
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY, Kind, Parameter, Scope
from s4c_lib.parameters.placeholders import PLACEHOLDERS, expand
from s4c_lib.parameters.values import check, to_json


@pytest.mark.parametrize(
    ("key", "raw", "expected"),
    [
        ("processor.s4c_l4a.num-trees", "500", 500),
        ("processor.s4c_l4a.num-trees", 500.0, 500),
        ("processor.s4c_l4a.sample-ratio-h", " 0.3 ", 0.3),
        ("processor.s4c_l4b.s1.pfa", "3e-7", 3e-7),
        ("downloader.enabled", "No", False),
        ("downloader.enabled", 1, True),
        ("processor.s4c_l4b.start_date", "20240401", date(2024, 4, 1)),
        ("processor.s4c_l4b.start_date", "2024-04-01", date(2024, 4, 1)),
        ("processor.s4c_l4b.start_date", "", None),
        ("processor.l2s1.temporal.offset", 6, "6"),
        ("processor.l2s1.polarisations", "VH;VV", ("VV", "VH")),
        ("processor.s4c_l4c.practices", ["nfc", "CC", "CC"], ("CC", "NFC")),
        ("downloader.orbits", "[110, 8,37]", (8, 37, 110)),
        ("downloader.orbits", 8, (8,)),
        ("downloader.orbits", "", ()),
        ("storage.products_path", "/data//products/", "/data/products"),
        ("storage.products_path", Path("/data"), "/data"),
        ("processor.l2a.s2.implementation", "MAJA", "maja"),
        ("processor.s4c_l4a.lc", "All", "All"),
    ],
)
def test_values_from_a_command_line_or_json_are_typed(key: str, raw: object, expected: object) -> None:
    value = check(REGISTRY.get(key), raw)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("key", "raw", "told"),
    [
        ("processor.s4c_l4a.num-trees", "0", "processor.s4c_l4a.num-trees = 0: must be 1 to 5,000"),
        ("processor.s4c_l4a.num-trees", "many", "must be a whole number, 1 to 5,000"),
        ("processor.s4c_l4a.num-trees", 10.5, "must be a whole number"),
        ("processor.s4c_l4a.num-trees", True, "must be a whole number"),
        ("processor.s4c_l4a.sample-ratio-h", 1, "must be above 0, below 1"),
        ("processor.s4c_l4a.sample-ratio-h", "nan", "must be a number"),
        ("processor.s4c_l4a.lc", "1224", "must be digits 0 to 5, each once, or All"),
        ("processor.s4c_l4a.mode", "s3", "must be one of both, s1-only, s2-only"),
        ("readiness.poll_seconds", 1, "must be 2 to 86,400 s"),
        ("readiness.first_check_seconds", 9, "must be 10 to"),
        ("lease.seconds", 4, "must be 5 to"),
        ("downloader.enabled", "maybe", "must be true or false"),
        ("downloader.orbits", "8,176", "must be 1 to 175"),
        ("downloader.orbits", {"a": 1}, "must be a list"),
        ("processor.l2s1.pixel.spacing", 25, "must be one of 10, 15, 20, 30"),
        ("processor.s4c_l4b.start_date", "2024-02-30", "there is no such day"),
        ("processor.s4c_l4b.start_date", "2024-W05-1", "must be a date written YYYY-MM-DD"),
        ("downloader.timeout", "", "downloader.timeout = '': a value is needed"),
        ("downloader.timeout", None, "a value is needed"),
        ("storage.products_path", "products", "a path starts with /"),
        ("storage.products_path", "/data/../etc", "does not climb"),
        ("general.scratch-path", "/tmp/{task}", "{task} is no placeholder; there are {site}, {season}"),
        ("general.scratch-path", "/tmp/{site", "a brace is not closed"),
        ("notify.recipients", "nobody", "must be a mail address"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_allowed(key: str, raw: object, told: str) -> None:
    with pytest.raises(ParameterError) as refused:
        check(REGISTRY.get(key), raw)
    assert told in refused.value.message
    assert refused.value.message.startswith(f"{key} = ")
    assert refused.value.exit_code == 2


def test_a_scope_that_is_not_allowed_is_refused_with_those_that_are() -> None:
    with pytest.raises(ParameterError, match=r"storage.products_path cannot be set for a season") as refused:
        REGISTRY.check("storage.products_path", "/data", Scope.SEASON)
    assert refused.value.hint == "it can be set for: global"


def test_placeholders_are_filled_and_cannot_leave_their_folder() -> None:
    template = "/data/{site}/{year}"
    assert expand(template, {"site": "cze", "year": 2024}) == Path("/data/cze/2024")
    with pytest.raises(ParameterError, match=r"needs \{year\}"):
        expand(template, {"site": "cze"})
    for bad in ("..", "a/b", ""):
        with pytest.raises(ParameterError, match="no folder name"):
            expand(template, {"site": bad, "year": 2024})


def _raw_values(parameter: Parameter) -> st.SearchStrategy[object]:
    low, high = parameter.minimum, parameter.maximum
    integers = st.integers(
        min_value=-(2**40) if low is None else int(low), max_value=2**40 if high is None else int(high)
    )
    if parameter.choices:
        integers = st.sampled_from([one for one in parameter.choices if isinstance(one, int)] or [0])
    texts = st.text(min_size=1)
    if parameter.choices:
        texts = st.sampled_from([str(choice) for choice in parameter.choices])
    elif parameter.pattern:
        texts = st.from_regex(parameter.pattern, fullmatch=True)
    parts = st.one_of(
        st.text(string.ascii_letters + " -.", min_size=1), st.sampled_from([f"{{{p}}}" for p in PLACEHOLDERS])
    )
    return {
        Kind.BOOL: st.one_of(st.booleans(), st.sampled_from(["yes", "no", "1", "0", "True", "off"])),
        Kind.INT: st.one_of(integers, integers.map(str)),
        Kind.FLOAT: st.floats(
            low, high, allow_nan=False, exclude_min=parameter.exclusive, exclude_max=parameter.exclusive
        ),
        Kind.DATE: st.one_of(st.dates(), st.dates().map(str)),
        Kind.PATH: st.lists(parts).map(lambda some: "/" + "/".join(some)),
        Kind.STR: texts,
        Kind.CHOICE: texts,
        Kind.STR_LIST: st.lists(texts),
        Kind.INT_LIST: st.lists(integers),
    }[parameter.kind]


@given(st.data())
def test_checking_twice_changes_nothing_and_json_brings_the_value_back(data: st.DataObject) -> None:
    parameter = data.draw(st.sampled_from(list(REGISTRY)))
    raw = data.draw(_raw_values(parameter))
    try:
        value = check(parameter, raw)
    except ParameterError:
        # Texts may be blank or climb out of a folder; all other drawn values lie within the declared bounds.
        assert parameter.kind in (Kind.STR, Kind.PATH, Kind.STR_LIST)
        return
    assert check(parameter, value) == value
    assert check(parameter, json.loads(json.dumps(to_json(value)))) == value


ODD = ("", "\0", "{}", "1e400", "-1", "true", "/", "x" * 10_000, [], {}, None, object(), 1e308, -0.0, float("nan"))


@pytest.mark.parametrize("parameter", REGISTRY, ids=lambda one: one.key)
def test_anything_at_all_gives_a_value_or_a_short_refusal(parameter: Parameter) -> None:
    for raw in ODD:
        try:
            value, refusal = check(parameter, raw), ""
        except ParameterError as refused:
            value, refusal = None, refused.one_line
        if refusal:
            assert "\n" not in refusal
            assert len(refusal) < 800
        else:
            assert check(parameter, value) == value
