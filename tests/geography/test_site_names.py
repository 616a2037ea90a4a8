"""Names of sites and their short names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.site_names import check_site_name, short_name, unique_short_name

PATTERN = re.compile(r"[a-z][a-z0-9_]{0,39}")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Belgium", "belgium"),
        ("Île-de-France 2024", "ile_de_france_2024"),
        ("Česká republika", "ceska_republika"),
        ("Łódź / Śląsk", "lodz_slask"),
        ("Straße", "strasse"),
        ("Ελλάδα", "ellada"),
        ("България", "balgariya"),
        ("  a__b  c ", "a_b_c"),
        ("2024 test", "site_2024_test"),
        ("日本", "site"),
        ("x" * 60, "x" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_short_name(name, expected):
    assert short_name(name) == expected


@given(st.text(max_size=80))
def test_short_name_fits_table_names_and_paths(name):
    assert PATTERN.fullmatch(short_name(name))


@given(st.text(max_size=80), st.integers(0, 15))
def test_unique_short_name_is_free_and_fits(name, rivals):
    taken = set()
    for _ in range(rivals):
        taken.add(unique_short_name(name, taken))
    assert len(taken) == rivals
    found = unique_short_name(name, taken)
    assert found not in taken
    assert PATTERN.fullmatch(found)


def test_suffix_on_collision():
    assert unique_short_name("Belgium", ["belgium", "belgium_2"]) == "belgium_3"
    assert unique_short_name("x" * 60, ["x" * 40]) == "x" * 38 + "_2"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_site_01_length(name):
    with pytest.raises(InputError) as caught:
        check_site_name(name)
    assert caught.value.code == "SITE-01"


def test_site_01_used_in_any_case():
    with pytest.raises(InputError, match=r'A site named "BELGIUM" already exists\.') as caught:
        check_site_name("BELGIUM", ["Belgium"])
    assert caught.value.code == "SITE-01"
    assert check_site_name(" Belgium ", ["France"]) == "Belgium"
    assert check_site_name("x" * 64) == "x" * 64
