import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.products.shapefile_names import short_names


def test_names_that_share_ten_characters_stay_apart() -> None:
    # Acceptance case 28: in the reference both became CTnumL4A_n or CT_pred_1_.
    short = short_names(["NewID", "CTnumL4A_name", "CTnumL4A_nr", "CT_pred_1_name", "CT_pred_1"])
    assert short == {
        "NewID": "NewID",
        "CTnumL4A_name": "CTnumL4A_n",
        "CTnumL4A_nr": "CTnumL4A_2",
        "CT_pred_1_name": "CT_pred_1_",
        "CT_pred_1": "CT_pred_1",
    }


def test_a_name_that_fits_keeps_its_spelling_whatever_stands_before_it() -> None:
    assert short_names(["CT_pred_1_name", "CT_pred_1_"]) == {"CT_pred_1_name": "CT_pred__2", "CT_pred_1_": "CT_pred_1_"}


def test_accents_blanks_and_leading_digits_are_replaced() -> None:
    assert short_names(["Čeština", "Ori hold", "1st", "面積"]) == {
        "Čeština": "Cestina",
        "Ori hold": "Ori_hold",
        "1st": "c1st",
        "面積": "column",
    }


def test_more_columns_than_dbase_holds_are_refused() -> None:
    with pytest.raises(InputError, match="at most 255 columns; the export has 256"):
        short_names([f"c{number}" for number in range(256)])


@given(st.lists(st.text(min_size=1, max_size=20), max_size=60, unique_by=str.lower))
def test_short_names_are_always_legal_and_unique(names: list[str]) -> None:
    short = short_names(names)
    assert list(short) == names
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,9}", item) for item in short.values())
    assert len({item.lower() for item in short.values()}) == len(names)
