"""Declared crop codes and those of the look-up table, written alike or not."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import ParameterError
from s4c_lib.parcels.canonical import canonical
from s4c_lib.parcels.code_matching import match_codes, normalised
from s4c_lib.parcels.findings import Severity


def codes(*values: object) -> npt.NDArray[np.object_]:
    return canonical(list(values))


def test_numeric_46_does_not_meet_046_but_a_rule_is_proposed() -> None:
    """Case 16."""
    match = match_codes(codes(*[46.0] * 3), codes("046"))
    assert match.share == 0
    assert match.position.tolist() == [-1, -1, -1]
    assert match.proposal is not None
    assert match.proposal.words == "strip leading zeros: 100 %"
    assert match.findings[0].message == (
        "3 parcels use 1 codes missing in the LUT: 46: 3. "
        "Proposal: strip leading zeros: 100 % match (code_normalisation = strip_zeros)"
    )
    applied = match_codes(codes(*[46.0] * 3), codes("046"), normalisation=match.proposal.rule)
    assert applied.position.tolist() == [0, 0, 0]
    assert applied.findings == ()


def test_an_all_digit_lut_meets_text() -> None:
    """Case 17."""
    match = match_codes(codes("265", "265"), codes(259, 265))
    assert match.share == 1
    assert match.position.tolist() == [1, 1]


def test_unknown_codes_are_counted_with_their_area() -> None:
    """Case 20."""
    declared = codes(*["265"] * 880, *["999"] * 120)
    match = match_codes(declared, codes("265"), area_m2=np.full(1000, 15_000.0))
    (found,) = match.findings
    assert (found.code, found.severity, found.count) == ("DECL-40", Severity.WARNING, 120)
    assert found.message == "120 parcels (180.0 ha) use 1 codes missing in the LUT: 999: 120"
    assert found.rows == tuple(range(881, 1001))
    assert match.missing == (("999", 120, 180.0),)
    assert match.proposal is None
    assert (match.position[880:] == -1).all()


def test_more_than_half_unknown_refuses() -> None:
    half = match_codes(codes("1", "2"), codes("1"))
    most = match_codes(codes("1", "2", "3"), codes("1"))
    assert half.findings[0].severity == Severity.WARNING
    assert most.findings[0].severity == Severity.REFUSED


def test_parcels_without_a_crop_are_not_counted() -> None:
    match = match_codes(codes("1", None, None), codes("1"))
    assert match.share == 1
    assert match.position.tolist() == [0, -1, -1]
    assert match.findings == ()


@pytest.mark.parametrize(
    ("declared", "lut", "rule", "words"),
    [
        (["46", "7"], ["046", "007"], "strip_zeros", "strip leading zeros: 100 %"),
        (["1.0", "20.00"], ["1", "20"], "drop_decimals", "drop .0: 100 %"),
        (["tva", "Grh"], ["TVA", "GRH"], "ignore_case", "ignore case: 100 %"),
        (["0046", "7"], ["046", "46", "007"], "pad_3", None),
    ],
)
def test_each_rule_is_proposed_where_it_helps(
    declared: list[str], lut: list[str], rule: str, words: str | None
) -> None:
    match = match_codes(codes(*declared), codes(*lut))
    if words is None:
        assert match.proposal is None
    else:
        assert match.proposal is not None
        assert (match.proposal.rule, match.proposal.words) == (rule, words)


def test_padding_is_proposed_where_stripping_is_ambiguous() -> None:
    match = match_codes(codes("7", "8"), codes("07", "007", "08"))
    assert match.proposal is not None
    assert match.proposal.rule == "pad_2"


def test_no_rule_is_proposed_when_most_match_or_it_would_not_match_all() -> None:
    enough = match_codes(codes(*["1"] * 95, *["02"] * 5), codes("1", "2"))
    assert enough.share == 0.95
    assert enough.proposal is None
    not_all = match_codes(codes(*["01"] * 98, *["x"] * 2), codes("1"))
    assert not_all.proposal is None


def test_a_code_that_is_there_wins_over_one_made_equal() -> None:
    match = match_codes(codes("046", "46"), codes("46", "046"), normalisation="strip_zeros")
    assert match.position.tolist() == [1, 0]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ParameterError, match="there is no such rule"):
        match_codes(codes("1"), codes("1"), normalisation="guess")


@given(
    st.lists(st.text("0123456789aB.", min_size=1, max_size=5)),
    st.lists(st.text("0123456789aB.", min_size=1, max_size=5)),
)
def test_every_parcel_is_matched_or_listed(declared: list[str], lut: list[str]) -> None:
    lut = sorted(set(lut))
    match = match_codes(np.array(declared, object), np.array(lut, object))
    for code, place in zip(declared, match.position.tolist(), strict=True):
        assert (place == -1) == (code not in lut)
        assert place == -1 or lut[place] == code
    assert sum(count for _, count, _ in match.missing) == (match.position < 0).sum()
    assert all(math.isnan(area) for *_, area in match.missing)


@given(
    st.text("0123456789aB.", min_size=1, max_size=6),
    st.sampled_from(["strip_zeros", "pad_4", "drop_decimals", "ignore_case"]),
)
def test_a_rule_changes_nothing_the_second_time(code: str, rule: str) -> None:
    once = normalised(code, rule)
    assert once
    assert normalised(once, rule) == once
