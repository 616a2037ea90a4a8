"""Canonical text of identifiers and codes."""

import datetime as dt
import unicodedata
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.canonical import canonical, canonical_text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([12, None, -3], ["12", None, "-3"]),
        ([265.0, 1.5, float("nan"), None, -0.0], ["265", "1.5", None, None, "0"]),
        ([1e17, float("inf"), 0.1], ["1" + "0" * 17, None, "0.1"]),
        (np.array([0.1, 7.0], np.float32), ["0.1", "7"]),
        ([Decimal("12.00"), Decimal("1.50")], ["12", "1.5"]),
        ([" 7 ", "a  b\t c", "046", "aB"], ["7", "a b c", "046", "aB"]),
        (["", "  ", "NULL", "null", "NA", "nA", "NaN", "nan", None], [None] * 9),
        (["265.0", "NAN1", "N/A"], ["265.0", "NAN1", "N/A"]),
        (["Zoe\u0308", "x\u00a0y"], ["Zoë", "x y"]),
        ([True, False], ["true", "false"]),
        ([dt.date(2024, 5, 6)], ["2024-05-06"]),
        ([None, None], [None, None]),
        ([], []),
    ],
)  # fmt: skip
def test_canonical_text_of_a_column(values, expected):
    assert canonical(values).tolist() == expected


def test_na_is_a_crop_where_the_lut_lists_it():
    assert canonical(["NA", " na ", "NULL", ""], na_is_value=True).tolist() == ["NA", "na", None, None]


def test_chunks_and_dictionaries_are_read_as_they_are():
    chunks = pa.chunked_array([pa.array([" a"]), pa.array(["NA", "b"])])
    assert canonical(chunks).tolist() == ["a", None, "b"]
    assert canonical(pa.array(["x ", "x ", None]).dictionary_encode()).tolist() == ["x", "x", None]
    assert canonical(pa.chunked_array([], pa.string())).tolist() == []


def test_a_column_of_another_kind_is_refused():
    with pytest.raises(InputError, match="cannot hold identifiers or codes"):
        canonical(pa.array([b"x"]))


@given(st.lists(st.one_of(st.none(), st.text(), st.sampled_from(["NA", " null ", "a b", "x\u00a0", "\ufb01"]))))
def test_a_column_gives_what_each_text_gives_and_is_then_stable(values):
    once = canonical(pa.array(values, pa.string())).tolist()
    assert once == [None if value is None else canonical_text(value) for value in values]
    assert canonical(pa.array(once, pa.string())).tolist() == once
    assert all(text is None or text == unicodedata.normalize("NFC", text).strip() for text in once)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_number_is_found_again_in_its_text(values):
    assert [float(text) for text in canonical(np.array(values, np.float64))] == values


@given(st.lists(st.integers(-(2**53), 2**53)))
def test_whole_numbers_have_the_same_text_in_every_column_type(values):
    assert canonical(np.array(values, np.float64)).tolist() == [str(value) for value in values]
