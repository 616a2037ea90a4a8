"""Crop code look-up tables as agencies upload them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parcels.canonical import canonical
from s4c_lib.parcels.crop_lut import COLUMNS, CropLut, lut_against_declared, read_crop_lut
from s4c_lib.parcels.findings import Finding, Report, Severity
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.landscape.configuration import crop_lut

HEADER = ",".join(COLUMNS[:14])
WHEAT = "233,1,Winter wheat,1,10,Cereals,100,Wheat,1,1,0,0,0,0"
GRASS = "265,2,Grass,3,20,Grass,200,Grass,1,0,1,0,0,0"


def read(*lines: str, header: str = HEADER) -> tuple[CropLut | None, Report]:
    return read_crop_lut("\n".join([header, *lines]).encode(), "lut.csv")


def only(report: Report) -> Finding:
    (found,) = report.findings
    assert report.rows == report.accepted + report.set_aside
    return found


def refused(code: str, *lines: str, header: str = HEADER) -> Finding:
    lut, report = read(*lines, header=header)
    found = only(report)
    assert lut is None
    assert report.refused
    assert (found.code, found.severity) == (code, Severity.REFUSED)
    return found


def warned(code: str, *lines: str) -> Finding:
    lut, report = read(*lines)
    found = only(report)
    assert lut is not None
    assert not report.refused
    assert (found.code, found.severity) == (code, Severity.WARNING)
    return found


def test_a_table_is_read_with_its_types() -> None:
    lut, report = read(WHEAT, GRASS)
    assert lut is not None
    assert (report.rows, report.accepted, report.set_aside, report.findings) == (2, 2, 0, ())
    assert lut.ori_crop.tolist() == ["233", "265"]
    assert lut.lc.tolist() == [1, 3]
    assert lut.pgrass.tolist() == [False, True]
    assert lut.positions(["265", "7", None, "233"]).tolist() == [1, -1, -1, 0]
    assert lut.row("233") == {
        "Ori_crop": "233", "CTnum": 1, "CT": "Winter wheat", "LC": 1, "CTnumL4A": 10, "CTL4A": "Cereals",
        "CTnumDIV": 100, "CTDIV": "Wheat", "EAA": True, "AL": True, "PGrass": False, "TGrass": False,
        "Fallow": False, "Cwater": False, "Legum": False, "HCAT": None, "CT_en": None,
    }  # fmt: skip
    assert lut.row("7") is None


def test_semicolons_mark_lower_case_and_another_order_are_accepted() -> None:
    """Case 19."""
    expected, _ = read(WHEAT, GRASS)
    order = [3, 0, 13, 1, 2, 8, 9, 10, 11, 12, 4, 5, 6, 7]
    lines = [HEADER.lower(), WHEAT, GRASS]
    text = "\n".join(";".join([line.split(",")[place] for place in order] + ["", ""]) for line in lines)
    lut, report = read_crop_lut(b"\xef\xbb\xbf" + text.encode(), "lut.csv")
    assert lut == expected
    assert report.facts == {"encoding": "utf-8-sig", "delimiter": ";"}


def test_names_and_groups_have_defaults() -> None:
    lut, report = read("046,7,1,1,1,0,0,0,0", header="Ori_crop,CTnum,LC,EAA,AL,PGrass,TGrass,Fallow,Cwater")
    assert not report.findings
    assert lut is not None
    row = lut.row("046")
    assert row is not None
    assert [row[name] for name in ("CT", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV")] == ["046", 7, "046", 7, "046"]


def test_a_group_without_a_name_takes_that_of_another_line() -> None:
    lut, report = read("1,1,Oats,1,5,,1,,1,1,0,0,0,0", "2,2,Rye,1,5,Cereals,2,,1,1,0,0,0,0")
    assert not report.findings
    assert lut is not None
    assert lut.ctl4a.tolist() == ["Cereals", "Cereals"]
    assert lut.ctdiv.tolist() == ["Oats", "Rye"]


def test_flags_and_whole_numbers_may_be_written_otherwise() -> None:
    lut, report = read("233,1.0,W,1.0,10.,C,100,W,TRUE,yes,no,False,0.0,0")
    assert not report.findings
    assert lut is not None
    assert (lut.ctnum[0], lut.eaa[0], lut.al[0], lut.pgrass[0]) == (1, True, True, False)


def test_na_is_a_code_when_the_table_lists_it() -> None:
    lut, _ = read("NA,1,Not applicable,0,1,None,1,None,0,0,0,0,0,0")
    assert lut is not None
    assert "NA" in lut


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "It is empty."),
        (b"PK\x03\x04\x00\x00\x08", "Line 1 holds binary data. (it must be plain text; spreadsheets are saved as CSV)"),
        (HEADER.encode(), "It has no row below the header."),
    ],
)
def test_lut_01_no_table(content: bytes, detail: str) -> None:
    lut, report = read_crop_lut(content, "lut.csv")
    assert lut is None
    found = only(report)
    assert found.code == "LUT-01"
    assert found.message == f"The file is not a table with a header row. {detail}"


def test_lut_01_a_name_with_an_unquoted_delimiter() -> None:
    found = refused("LUT-01", WHEAT, "234,3,Wheat, spring,1,10,Cereals,100,Wheat,1,1,0,0,0,0")
    assert found.message == ('Line 3 has 15 values, the header 14 columns; put names that hold "," in quotes.')


def test_lut_02_missing_columns() -> None:
    found = refused("LUT-02", "233;Wheat", header="Ori_crop;CT;Number")
    assert found.message == (
        "Missing column(s): CTnum, LC, EAA, AL, PGrass, TGrass, Fallow, Cwater. "
        'Found: Ori_crop, CT, Number. Delimiter read as ";".'
    )


def test_lut_02_a_column_twice() -> None:
    assert refused("LUT-02", WHEAT + ",2", header=HEADER + ",lc").message == "Column(s) twice in the header: LC."


def test_lut_03_empty_code() -> None:
    assert refused("LUT-03", WHEAT, GRASS.replace("265", " ")).message == "Line 3: Ori_crop is empty."


def test_lut_03_codes_alike_in_canonical_form() -> None:
    found = refused("LUT-03", WHEAT, GRASS.replace("265", " 233"))
    assert found.message == 'Line 3: crop code "233" already defined on line 2.'
    assert found.rows == (3,)


@pytest.mark.parametrize("value", ["", "x", "0", "-1", "1.5", "1", "1,0", "3000000000"])
def test_lut_04_ctnum(value: str) -> None:
    found = refused("LUT-04", WHEAT, GRASS.replace("265,2", f'265,"{value}"'))
    assert found.message == f'Line 3: CTnum "{value}" must be a unique positive whole number.'


@pytest.mark.parametrize("value", ["", "6", "-1", "1.5", "grass"])
def test_lut_05_land_cover(value: str) -> None:
    found = refused("LUT-05", WHEAT.replace("wheat,1,", f"wheat,{value},"))
    assert found.message == f'Line 2: LC is "{value}"; allowed 0 to 5.'


@pytest.mark.parametrize("value", ["", "2", "-1", "x"])
def test_lut_06_flags(value: str) -> None:
    found = refused("LUT-06", WHEAT.replace("Wheat,1,", f"Wheat,{value},"))
    assert found.message == f'Line 2, column EAA: "{value}" is not 0 or 1.'


def test_lut_06_group_number() -> None:
    found = refused("LUT-06", WHEAT.replace(",10,", ",ten,"))
    assert found.message == 'Line 2, column CTnumL4A: "ten" is not a whole number, 0 or more.'


def test_lut_07_one_number_with_two_names() -> None:
    barley = "234,3,Barley,1,10,Barley,101,Barley,1,1,0,0,0,0"
    found = refused("LUT-07", WHEAT, barley)
    assert found.message == 'CTnumL4A 10 is named "Cereals" (line 2) and "Barley" (line 3).'


def test_lut_07_one_name_with_two_numbers_is_a_warning() -> None:
    barley = "234,3,Barley,1,11,Cereals,101,Barley,1,1,0,0,0,0"
    found = warned("LUT-07", WHEAT, barley)
    assert found.message == 'CTL4A "Cereals" has the numbers 10 (line 2) and 11 (line 3).'


def test_lut_08_group_of_several_land_covers() -> None:
    orchard = "300,3,Orchard,2,10,Cereals,101,Orchard,1,0,0,0,0,0"
    assert warned("LUT-08", WHEAT, orchard).message == "Group 10 mixes LC 1, 2; only part of it will be classified."


@pytest.mark.parametrize(
    "code", ["5E+2", "1.2e+05", "1,0", "5-Feb", "Feb-05", "05-feb-21", "5. mai", "05/02/2021", "2021-02-05", "#N/A"]
)
def test_lut_09_codes_that_a_spreadsheet_damaged(code: str) -> None:
    found = refused("LUT-09", WHEAT, GRASS.replace("265", f'"{code}"'))
    assert found.message == f'Line 3: "{code}" looks like a converted number or date. Format the column as text.'


@pytest.mark.parametrize("code", ["5PT-2", "046", "1E5", "10.1", "12-3", "MAR", "A-5", "GPZ", "a b"])
def test_codes_that_only_resemble_damage_are_accepted(code: str) -> None:
    lut, report = read(GRASS.replace("265", code))
    assert lut is not None
    assert not report.findings


@pytest.mark.parametrize(
    ("cover", "flags", "problem"),
    [
        (1, "0,1,0,0,0,0", "AL is 1 but EAA is 0"),
        (3, "1,1,1,0,0,0", "PGrass and AL are both 1"),
        (3, "1,0,0,1,0,0", "TGrass is 1 but AL is 0"),
        (4, "1,0,0,0,1,0", "Fallow is 1 but AL is 0"),
        (3, "1,0,0,0,0,0", "LC is 3 but neither PGrass nor TGrass is 1"),
        (4, "1,1,0,0,0,0", "LC is 4 but Fallow is 0"),
    ],
)
def test_lut_10_flags_that_contradict(cover: int, flags: str, problem: str) -> None:
    assert warned("LUT-10", f"1,1,X,{cover},1,X,1,X,{flags}").message == f"Line 2: {problem}."


def test_lut_10_permanent_and_temporary_grassland() -> None:
    found = warned("LUT-10", "1,1,X,3,1,X,1,X,1,1,1,1,0,0")
    assert found.examples == ("Line 2: PGrass and AL are both 1.", "Line 2: PGrass and TGrass are both 1.")


def test_lut_10_flags_that_differ_within_a_diversification_group() -> None:
    found = warned("LUT-10", WHEAT, "234,3,Rice,1,10,Cereals,100,Wheat,1,1,0,0,0,1")
    assert found.message == "Line 3: Cwater differ(s) from line 2, which has the same CTnumDIV 100."


def test_lut_12_replacement_characters() -> None:
    found = warned("LUT-12", WHEAT.replace("Winter", "W\ufffdnter"))
    assert found.message == 'Names contain "\ufffd"; save the file as UTF-8.'


def test_everything_wrong_is_in_one_report() -> None:
    """Case 18: the codes, the lines, the exact messages."""
    lines = [
        "233,1,Wheat,1,5,Wheat,1,Wheat,1,1,0,0,0,0",
        "234,2,Barley,1,5,Barley,2,Barley,2,1,0,0,0,0",
        "265,3,Grass,3,6,Grass,3,Grass,1,0,1,0,0,0",
        "266,4,Meadow,7,6,Grass,3,Grass,1,0,1,0,0,0",
        "267,5,Rye,1,7,Rye,5,Rye,1,1,0,0,0,0",
        "268,6,Oats,1,8,Oats,6,Oats,1,1,0,0,0,0",
        "269,7,Maize,1,9,Maize,7,Maize,1,1,0,0,0,0",
        "265,8,Again,1,10,Again,8,Again,1,1,0,0,0,0",
    ]
    lut, report = read(*lines)
    assert lut is None
    assert (report.rows, report.accepted, report.set_aside) == (8, 0, 8)
    assert {found.code: found.message for found in report.findings} == {
        "LUT-03": 'Line 9: crop code "265" already defined on line 4.',
        "LUT-05": 'Line 5: LC is "7"; allowed 0 to 5.',
        "LUT-06": 'Line 3, column EAA: "2" is not 0 or 1.',
        "LUT-07": 'CTnumL4A 5 is named "Wheat" (line 2) and "Barley" (line 3).',
    }


def test_lut_11_compares_with_the_declarations() -> None:
    lut, _ = read(WHEAT, GRASS)
    assert lut is not None
    declared = canonical(["233"] * 3 + ["999"])
    match, findings = lut_against_declared(lut, declared, area_m2=np.full(4, 10_000.0))
    assert match.position.tolist() == [0, 0, 0, -1]
    assert [found.code for found in findings] == ["DECL-40", "LUT-11"]
    assert findings[1].message == (
        "Declared but not in the LUT: 999: 1 parcels, 1.0 ha. In the LUT but never declared: 265."
    )


def test_the_synthetic_table_is_faultless() -> None:
    lut, report = read_crop_lut(crop_lut().encode(), "crop_lut.csv")
    assert lut is not None
    assert report.findings == ()
    assert lut.ori_crop.tolist() == [crop.code for crop in CROPS]
    assert lut.legum.any()


TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "Nd", "Zs"), include_characters="-/'"), max_size=8)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 5), st.integers(0, 2**31 - 1)), min_size=1, max_size=6))
def test_what_was_read_survives_json(rows: list[tuple[str, str, int, int]]) -> None:
    lines = [
        f'"{code}",{number},"{name}",{cover},{group},,{group},,1,0,1,0,0,1'
        for number, (code, name, cover, group) in enumerate(rows, start=1)
    ]
    lut, report = read(*lines)
    assert report.rows == len(rows)
    assert (lut is None) == report.refused
    if lut is not None:
        back = CropLut.from_dict(json.loads(json.dumps(lut.as_dict())))
        assert back == lut
        assert back.ctnum.dtype == lut.ctnum.dtype
        assert (lut.positions(lut.ori_crop) == np.arange(len(lut))).all()
