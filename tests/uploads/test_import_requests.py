"""Columns as users write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.uploads.requests import columns_as_text, columns_of

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=",;=", categories=("L", "N")), min_size=1)
SOME = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


@given(
    st.builds(
        ColumnMapping,
        parcel_id=SOME,
        crop=NAMES,
        holding=st.just(()) | SOME,
        area=NAMES,
        area_unit=st.sampled_from(["ha", "m2"]),
        second_crop=st.none() | NAMES,
        organic=st.none() | NAMES,
    )
)
def test_a_mapping_shown_as_text_can_be_typed_in_again(mapping: ColumnMapping) -> None:
    assert columns_of(columns_as_text(mapping)) == mapping


def test_one_column_may_be_written_alone_and_several_as_a_list() -> None:
    expected = ColumnMapping(("A", "B"), "C", ("H",))
    assert columns_of({"parcel_id": ["A", "B"], "crop": "C", "holding": "H"}) == expected
    assert columns_of(" parcel_id = A, B ; crop=C;holding=H; ") == expected


def test_nothing_said_is_no_mapping() -> None:
    assert [columns_of(said) for said in (None, "", "  ", {})] == [None] * 4
