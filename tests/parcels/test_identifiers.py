"""Identifiers of several columns, and suffixes for repeated ones."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parcels.findings import Severity
from s4c_lib.parcels.identifiers import distinguished, joined, suffix


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("rank", "expected"),
    [(1, "-A"), (26, "-Z"), (27, "-AA"), (52, "-AZ"), (53, "-BA"), (78, "-BZ"), (702, "-ZZ"), (703, "-AAA")],
)
def test_suffix_of_a_rank(rank, expected):
    assert suffix(rank) == expected


def test_sixty_times_the_same_identifier():
    found = distinguished(objects(["other", *["P"] * 60]), columns="id")
    assert found.ori_id[0] == "other"
    assert [found.ori_id[k] for k in (1, 26, 27, 60)] == ["P-A", "P-Z", "P-AA", "P-BH"]
    (told,) = found.findings
    assert (told.code, told.severity, told.count) == ("DECL-41", Severity.WARNING, 60)
    assert told.rows == tuple(range(2, 62))
    assert told.examples == ("P (60 times)",)
    assert "(column id), first in row 2" in told.message


def test_golden_rows():
    raw = objects(["P1", "P2", "P3", "P4", "P5", "P5", "P6", "P7", "P8"])
    found = distinguished(raw)
    assert found.ori_id.tolist() == ["P1", "P2", "P3", "P4", "P5-A", "P5-B", "P6", "P7", "P8"]
    assert found.repeated.tolist() == [False] * 4 + [True] * 2 + [False] * 3
    assert raw[4] == "P5"


def test_columns_are_joined_in_canonical_form():
    assert joined([[12.0, 3.0], [" 7 ", "x"]]).tolist() == ["12-7", "3-x"]
    assert joined([pa.array([1, None, 2]), pa.array(["a", "b", "NULL"])]).tolist() == ["1-a", None, None]


def test_a_suffix_never_makes_an_identifier_that_is_taken():
    found = distinguished(objects(["P5", "P5", "P5-A", "P5"]))
    assert found.ori_id.tolist() == ["P5-B", "P5-C", "P5-A", "P5-D"]


def test_rows_without_identifier_stay_without():
    found = distinguished(objects([None, "a", None]))
    assert found.ori_id.tolist() == [None, "a", None]
    assert found.findings == ()
    assert distinguished(objects([])).ori_id.tolist() == []


@given(st.lists(st.sampled_from(["a", "b", "a-A", "a-A-A", "b-B", "a-B", None]), max_size=80))
def test_identifiers_are_distinct_and_keep_what_was_given(raw):
    found = distinguished(objects(raw)).ori_id.tolist()
    given_ids = [name for name in found if name is not None]
    assert len(set(given_ids)) == len(given_ids)
    for before, after in zip(raw, found, strict=True):
        assert (after is None) == (before is None)
        assert before is None or after == before or after.rsplit("-", 1)[0] == before
        if before is not None and raw.count(before) == 1:
            assert after == before
