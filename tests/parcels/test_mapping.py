"""Proposals for a mapping, and the check of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.parcels.mapping import PRESETS, RESERVED, suggest, validated, without_clashes


@pytest.mark.parametrize(
    ("columns", "country", "parcel_id", "crop", "holding"),
    [
        (["FUNCTIONEE", "FakeBRSnr", "GRONDBEDEK", "OPP"], "NLD", ("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",)),
        (["kzs_nr", "lauko_nr", "valdos_nr", "psl_kodas"], "LTU", ("kzs_nr", "lauko_nr"), "psl_kodas", ("valdos_nr",)),
        (["NKOD_DPB", "PLODINA"], "CZE", ("NKOD_DPB",), "PLODINA", ()),
        (
            ["C_PROV_EXP", "C_SAC_EXPE", "C_NUME_EXP", "C_NUM_ORDE", "C_PRODUCTO"],
            "ESP",
            ("C_PROV_EXP", "C_SAC_EXPE", "C_NUME_EXP", "C_NUM_ORDE"),
            "C_PRODUCTO",
            (),
        ),
        (["PACAGE", "CULTURE_D1"], "FRA", ("PACAGE",), "CULTURE_D1", ("PACAGE",)),
        (
            ["PACAGE", "NUM_ILOT", "NUM_PARCEL", "CULTURE_D1"],
            "FRA",
            ("PACAGE", "NUM_ILOT", "NUM_PARCEL"),
            "CULTURE_D1",
            ("PACAGE",),
        ),
        (["gsa_par_id", "gsa_hol_id", "main_crop", "organic"], None, ("gsa_par_id",), "main_crop", ("gsa_hol_id",)),
        (["id", "hold", "crop"], None, ("id",), "crop", ("hold",)),
    ],
)
def test_known_layouts(columns, country, parcel_id, crop, holding):
    found = suggest(columns)
    assert (found.country, found.mapping.parcel_id, found.mapping.crop, found.mapping.holding) == (
        country, parcel_id, crop, holding,
    )  # fmt: skip
    assert found.reason
    assert validated(found.mapping, columns) == found.mapping


def test_the_quality_exercise_brings_its_optional_columns():
    columns = ["gsa_par_id", "gsa_hol_id", "gsa_col_id", "main_crop", "catch_crop", "organic"]
    found = suggest(columns).mapping
    assert (found.second_crop, found.organic) == ("catch_crop", "organic")


@pytest.mark.parametrize("columns", [[], ["naam", "plaats"], ["id"], ["crop"]])
def test_nothing_is_proposed_where_the_names_tell_too_little(columns):
    assert suggest(columns) is None


def test_every_layout_is_recognised_by_its_own_columns():
    for preset in PRESETS:
        mapping = preset.mapping
        if mapping.crop:
            names = [*mapping.parcel_id, *mapping.holding, mapping.crop, mapping.area, mapping.organic]
            assert suggest([name for name in names if name and name != "src_row"]).preset == preset.name


def test_names_are_spelled_as_in_the_file():
    found = validated(ColumnMapping(("ID",), "CROP", area="Ha"), ["Id", "crop", "ha"])
    assert (found.parcel_id, found.crop, found.area) == (("Id",), "crop", "ha")


def test_the_row_number_can_stand_for_an_identifier():
    assert validated(ColumnMapping(("src_row",), "c"), ["c"]).parcel_id == ("src_row",)


def test_an_unknown_column_is_refused_with_near_names():
    with pytest.raises(InputError) as caught:
        validated(ColumnMapping(("FUNCTIONEEL",), "c"), ["FUNCTIONEE", "c"])
    assert caught.value.code == "DECL-20"
    assert caught.value.message == "Column FUNCTIONEEL for the parcel identifier is missing."
    assert "Did you mean FUNCTIONEE?" in caught.value.hint
    with pytest.raises(InputError, match="Column zzz for the crop is missing") as caught:
        validated(ColumnMapping(("a",), "zzz"), ["a", "b"])
    assert caught.value.hint == "Columns: a, b."


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (ColumnMapping((), "a"), "No column is given"),
        (ColumnMapping(("a",), ""), "No column is given"),
        (ColumnMapping(("a", "A"), "b"), "given twice"),
        (ColumnMapping(("a",), "b", area="a", area_unit="acre"), "no unit of area"),
        (ColumnMapping(("x",), "b"), "fits several columns"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(mapping, said):
    with pytest.raises(InputError, match=said) as caught:
        validated(mapping, ["a", "b", "X", "X"])
    assert caught.value.code == "DECL-20"


def test_names_of_the_import_get_a_prefix():
    renamed = without_clashes(["id", "ORI_ID", "src_ori_id", "NewID", "crop"])
    assert renamed == {
        "id": "id", "ORI_ID": "src_src_ORI_ID", "src_ori_id": "src_ori_id", "NewID": "src_NewID", "crop": "crop",
    }  # fmt: skip


@given(st.lists(st.sampled_from(["ori_id", "Ori_ID", "src_ori_id", "src_row", "src_src_row", "a"]), unique=True))
def test_renamed_columns_never_clash(columns):
    renamed = without_clashes(columns)
    assert list(renamed) == columns
    new = [name.lower() for name in renamed.values()]
    assert not RESERVED.intersection(new)
    if len({name.lower() for name in columns}) == len(columns):
        assert len(set(new)) == len(new)
