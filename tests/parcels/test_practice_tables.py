"""Practice tables: what is kept, what is set aside, which parcels they are for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.parcels.canonical import canonical
from s4c_lib.parcels.crop_lut import read_crop_lut
from s4c_lib.parcels.findings import Finding, Report, Severity
from s4c_lib.parcels.practice_tables import COLUMNS, NAMES, PracticeTable, practice_text, read_practice_table
from s4c_lib.parcels.practice_tables_join import join_practices
from s4c_lib.parcels.practice_tables_rules import PracticeRule, practice_rows_from_rules
from s4c_lib.synthetic.landscape.configuration import crop_lut
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import grid_for, write_declarations

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "practices_reference"
CATCH_CROP = "P1,265,2019-05-20,2019-06-03,2019-10-15,CatchCrop,CatchCrop_1,2019-10-15,NA"
HARVEST = "P1,265,2019-05-20,2019-06-03,2019-10-15,NA,NA,NA,NA"


def read(*lines: str, practice: str = "CC", header: str = ",".join(COLUMNS)) -> tuple[PracticeTable | None, Report]:
    text = "\n".join([header, *lines])
    table, report = read_practice_table(text.encode(), "practices.csv", practice, year=2019)
    assert report.rows == report.accepted + report.set_aside
    assert report.accepted == (0 if table is None else len(table))
    assert (table is None) == report.refused
    return table, report


def problem(code: str, severity: Severity, *lines: str, practice: str = "CC") -> tuple[PracticeTable, Finding]:
    table, report = read(*lines, practice=practice)
    assert table is not None
    (found,) = report.findings
    assert (found.code, found.severity) == (code, severity)
    return table, found


def others(count: int, line: str = CATCH_CROP) -> list[str]:
    return [line.replace("P1", f"X{number}") for number in range(count)]


def test_a_catch_crop_row() -> None:
    """Case 23."""
    table, report = read(CATCH_CROP)
    assert table is not None
    assert report.findings == ()
    assert table.p_start.tolist() == [np.datetime64("2019-10-15").item()]
    assert np.isnat(table.p_end).all()
    assert table.as_arrow().to_pylist() == [
        {
            "field_id": "P1", "main_crop": "265",
            "veg_start": np.datetime64("2019-05-20").item(), "h_start": np.datetime64("2019-06-03").item(),
            "h_end": np.datetime64("2019-10-15").item(), "practice": "CatchCrop", "p_type": "CatchCrop_1",
            "p_start": np.datetime64("2019-10-15").item(), "p_end": None, "bad_dates": False, "line": 2,
        }
    ]  # fmt: skip
    joined = join_practices(table, ["P0", "P1"], ["P0", "P1"], ["265", "265"])
    assert joined.position.tolist() == [1]
    assert joined.findings == ()


def test_columns_in_any_order_case_and_delimiter_with_further_ones() -> None:
    order = [8, 5, 0, 1, 2, 3, 4, 6, 7]
    expected, _ = read(CATCH_CROP)
    for delimiter in ";\t,":
        lines = [",".join(COLUMNS).lower(), CATCH_CROP]
        moved = [delimiter.join([line.split(",")[place] for place in order] + ["more"]) for line in lines]
        table, report = read(moved[1], header=moved[0])
        assert table is not None
        assert expected is not None
        assert report.facts["delimiter"] == {"\t": "tab"}.get(delimiter, delimiter)
        assert table.as_arrow() == expected.as_arrow()


def test_empty_is_na_and_practices_are_in_any_case() -> None:
    table, report = read("P1,,2019-05-20,2019-06-03,2019-10-15,,,,", practice="NA")
    assert report.findings == ()
    assert table is not None
    assert (table.practice_name[0], table.p_type[0], table.main_crop[0]) == ("NA", None, None)
    table, _ = read(CATCH_CROP.replace("CatchCrop,", "catchcropismain,"))
    assert table is not None
    assert table.practice_name[0] == "CatchCropIsMain"


def test_prac_01_no_table() -> None:
    table, report = read_practice_table(b"", "cc.csv", "CC", year=2019)
    assert table is None
    assert report.findings[0].message == "The file is not a table with a header row. It is empty."
    _, report = read()
    assert report.findings[0].message == "The file has no row below the header."


def test_prac_01_missing_columns() -> None:
    table, report = read("P1;265", header="FIELD_ID;MAIN_CROP")
    assert table is None
    (found,) = report.findings
    assert (found.code, found.severity) == ("PRAC-01", Severity.REFUSED)
    assert found.message == (
        "Missing column(s): VEG_START, H_START, H_END, PRACTICE, P_TYPE, P_START, P_END. "
        'Found: FIELD_ID, MAIN_CROP. Delimiter read as ";".'
    )


def test_prac_01_a_column_twice() -> None:
    table, report = read(CATCH_CROP + ",x", header=",".join([*COLUMNS, "p_end"]))
    assert table is None
    assert report.findings[0].message == "Column(s) twice in the header: P_END."


def test_prac_01_rows_that_are_no_rows_are_set_aside() -> None:
    table, found = problem("PRAC-01", Severity.SET_ASIDE, CATCH_CROP + ",x", *others(2))
    assert found.message == "Line 2 has 10 values, the header 9 columns."
    assert table.field_id.tolist() == ["X0", "X1"]
    table, found = problem("PRAC-01", Severity.SET_ASIDE, *others(2), CATCH_CROP.replace("P1", " null "))
    assert found.message == "Line 4: FIELD_ID is empty."
    assert len(table) == 2


@pytest.mark.parametrize("value", ["2019-02-30", "03/06/2019", "2019-6-3", "20190603", "2019-06-03 00:00", "soon"])
@pytest.mark.parametrize("column", ["VEG_START", "H_START", "H_END"])
def test_prac_02_no_date_keeps_the_row_as_bad(column: str, value: str) -> None:
    cells = HARVEST.split(",")
    cells[COLUMNS.index(column)] = value
    table, found = problem("PRAC-02", Severity.EXCLUDED, ",".join(cells), *others(1, HARVEST), practice="NA")
    assert found.message == f'Line 2: {column} "{value}" is not a date (YYYY-MM-DD or NA).'
    assert found.rows == (2,)
    assert table.bad_dates.tolist() == [True, False]
    assert np.isnat(getattr(table, column.lower())[0])


def test_prac_02_no_date_in_the_practice_period_leaves_the_harvest() -> None:
    table, found = problem("PRAC-02", Severity.WARNING, CATCH_CROP[:-2] + "later")
    assert found.message == 'Line 2: P_END "later" is not a date (YYYY-MM-DD or NA).'
    assert table.bad_dates.tolist() == [False]
    # not a period without an end: that would be computed from its start
    assert np.isnat(table.p_start).all()


def test_prac_03_order_of_dates() -> None:
    """Case 24: the other rows are imported."""
    line = HARVEST.replace("2019-06-03,2019-10-15", "2019-10-15,2019-06-03")
    table, found = problem("PRAC-03", Severity.EXCLUDED, *others(1, HARVEST), line, practice="NA")
    assert found.message == "Line 3: H_START 2019-10-15 is after H_END 2019-06-03."
    assert table.bad_dates.tolist() == [False, True]
    table, found = problem("PRAC-03", Severity.EXCLUDED, CATCH_CROP[:-2] + "2019-10-01")
    assert found.message == "Line 2: P_START 2019-10-15 is after P_END 2019-10-01."
    assert table.bad_dates.tolist() == [True]


def test_prac_03_vegetation_after_harvest_start_is_a_warning() -> None:
    table, found = problem("PRAC-03", Severity.WARNING, CATCH_CROP.replace("05-20", "06-10"))
    assert found.message == "Line 2: VEG_START 2019-06-10 is after H_START 2019-06-03."
    assert table.bad_dates.tolist() == [False]


@pytest.mark.parametrize("column", ["VEG_START", "H_START", "H_END"])
def test_prac_04_missing_mandatory_date_keeps_the_row_as_bad(column: str) -> None:
    cells = HARVEST.split(",")
    cells[COLUMNS.index(column)] = "NA"
    table, found = problem("PRAC-04", Severity.EXCLUDED, ",".join(cells), practice="NA")
    assert found.message == f"Line 2: {column} is NA."
    assert table.bad_dates.tolist() == [True]


@pytest.mark.parametrize("practice", ["CC", "FL", "NFC"])
def test_prac_04_missing_start_of_the_practice_is_a_warning(practice: str) -> None:
    line = CATCH_CROP.replace("CatchCrop,", f"{NAMES[practice][0]},").replace("2019-10-15,NA", "NA,NA")
    table, found = problem("PRAC-04", Severity.WARNING, line, practice=practice)
    assert found.message == "Line 2: P_START is NA; M6 to M10 stay NA."
    assert table.bad_dates.tolist() == [False]


def test_prac_05_another_practice() -> None:
    """Case 24: 80 % of another practice refuse the file; up to 5 % are set aside."""
    other = CATCH_CROP.replace("CatchCrop,CatchCrop_1", "NFC,NA")
    table, report = read(*others(8, other), *others(2, CATCH_CROP.replace("P1", "P1-")))
    assert table is None
    (found,) = report.findings
    assert (found.code, found.severity) == ("PRAC-05", Severity.REFUSED)
    assert found.message == 'This is the CC table but 8 rows say "NFC".'
    table, found = problem("PRAC-05", Severity.SET_ASIDE, other, *others(19))
    assert found.message == 'This is the CC table but 1 rows say "NFC".'
    assert found.rows == (2,)
    assert len(table) == 19
    assert read(other, *others(18))[0] is None


def test_prac_06_second_row_of_a_parcel() -> None:
    table, found = problem("PRAC-06", Severity.SET_ASIDE, *others(1), CATCH_CROP, " " + CATCH_CROP, CATCH_CROP)
    assert found.message == 'Line 4: parcel "P1" already on line 3.'
    assert found.rows == (4, 5)
    assert table.line.tolist() == [2, 3]


def test_a_row_set_aside_does_not_make_the_next_a_second_one() -> None:
    other = CATCH_CROP.replace("CatchCrop,CatchCrop_1", "NFC,NA")
    table, _ = problem("PRAC-05", Severity.SET_ASIDE, other, CATCH_CROP, *others(19))
    assert table.field_id[0] == "P1"


def test_prac_09_dates_of_another_season() -> None:
    table, found = problem("PRAC-09", Severity.WARNING, CATCH_CROP.replace("2019-05-20", "2018-06-30"), *others(2))
    assert found.message == "1 rows have dates outside 2018-07-01 to 2020-06-30, e.g. line 2: VEG_START 2018-06-30."
    assert len(table) == 3
    assert read(CATCH_CROP.replace("2019-05-20", "2018-07-01"))[1].findings == ()


def test_an_unknown_practice_is_refused() -> None:
    with pytest.raises(InputError, match='"XX" is not a practice'):
        read_practice_table(b"", "x.csv", "XX", year=2019)


def test_prac_07_ambiguous_and_unknown_parcels() -> None:
    """Case 24: P5 is ambiguous where P5-A and P5-B were declared, P5-B is accepted."""
    table, _ = read(*(CATCH_CROP.replace("P1", name) for name in ("P5", "P5-B", "P1", "P9")))
    assert table is not None
    joined = join_practices(table, ["P1", "P5-A", "P5-B", "P7"], ["P1", "P5", "P5", "P7"])
    assert joined.position.tolist() == [-1, 2, 0, -1]
    (found,) = joined.findings
    assert (found.code, found.severity, found.count, found.rows) == ("PRAC-07", Severity.WARNING, 2, (2, 5))
    assert found.message == (
        "1 parcels not found, e.g. P9. 1 parcels ambiguous, e.g. P5: several parcels are declared with this "
        "identifier; add the suffix (-A, -B …) of the one that is meant."
    )


def test_prac_07_refuses_when_most_parcels_are_unknown() -> None:
    table, _ = read(*others(3))
    assert table is not None
    half = join_practices(table, ["X0", "X1"], ["X0", "X1"])
    most = join_practices(table, ["X0"], ["X0"])
    assert [found.severity for found in half.findings + most.findings] == [Severity.WARNING, Severity.REFUSED]
    assert most.findings[0].message == "2 parcels not found, e.g. X1, X2."


def test_an_identifier_without_suffix_finds_the_only_parcel_that_has_it() -> None:
    table, _ = read(CATCH_CROP)
    assert table is not None
    assert join_practices(table, ["P1-C"], ["P1"]).position.tolist() == [0]


def test_prac_08_another_crop() -> None:
    table, _ = read(*others(2), CATCH_CROP)
    assert table is not None
    joined = join_practices(table, ["P1", "X0", "X1"], None, ["259", "265", None])
    (found,) = joined.findings
    assert (found.code, found.severity, found.rows) == ("PRAC-08", Severity.WARNING, (3, 4))
    assert found.message == (
        "2 rows have another MAIN_CROP than was declared, e.g. X1: 265, declared None; "
        "the declared crop is used for reporting."
    )


def test_prac_10_no_declarations_yet() -> None:
    table, _ = read(CATCH_CROP)
    assert table is not None
    joined = join_practices(table, None)
    assert joined.position.tolist() == [-1]
    (found,) = joined.findings
    assert (found.code, found.severity) == ("PRAC-10", Severity.INFO)
    assert found.message == "No declarations are active yet; 1 rows are joined at the next declaration import."


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delivery")
    write_declarations(make_landscape(grid_for(3000, 652320, 5697660, 32631), 3000, 1), folder, 1)
    return folder


@pytest.mark.parametrize("practice", ["NA", "CC", "FL", "NFC"])
def test_every_deliberate_fault_of_the_synthetic_tables_is_found(delivery: Path, practice: str) -> None:
    truth = json.loads((delivery / "declarations_truth.json").read_text())["practices"][practice]
    content = (delivery / f"practices_{practice.lower()}.csv").read_bytes()
    table, report = read_practice_table(content, "table.csv", practice, year=2021)
    assert table is not None
    assert (report.rows, report.set_aside) == (truth["rows"], 0)
    # as delivered: every row of the file, the faulty ones too; some have no identifier or no crop
    rows = pyogrio.read_dataframe(delivery / "declarations.gpkg", read_geometry=False)
    ids, crops = canonical(rows["FUNCTIONEE"]), canonical(rows["GRONDBEDEK"])
    joined = join_practices(table, ids, ids, crops)
    found = {(row - 1, one.code) for one in (*report.findings, *joined.findings) for row in one.rows}
    assert found == {(wrong["row"], wrong["code"]) for wrong in truth["wrong"]}
    assert {code for _, code in found} >= {"PRAC-07"}
    bad = {wrong["row"] for wrong in truth["wrong"] if wrong["code"] != "PRAC-07"}
    assert {int(line) - 1 for line in table.line[table.bad_dates]} == bad


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference seasons are not on this machine")
@pytest.mark.parametrize("name", ["case1_NA_NLD", "case2_CC_NLD", "case3_FL_LTU", "case4_NFC_ESP", "case5_NA_NLD"])
def test_reference_seasons_are_read_whole(name: str) -> None:
    content = (REFERENCE / name / "practices.csv").read_bytes()
    table, report = read_practice_table(content, name, name.split("_")[1], year=2019)
    assert table is not None
    assert (len(table), report.set_aside) == (60, 0)
    # they hold rows whose vegetation starts after the harvest; the reference evaluates those
    assert {(found.code, found.severity) for found in report.findings} <= {("PRAC-03", Severity.WARNING)}
    assert not table.bad_dates.any()


RULES = (
    PracticeRule("05-20", "06-03", "10-15", "10-15", None, crops=("259",), p_type="CatchCrop_3"),
    PracticeRule("04-01", "06-03", "10-15", "10-15", "02-01", land_cover=(1,), practice_name="CatchCropIsMain"),
)


def test_rows_are_made_from_rules() -> None:
    lut, _ = read_crop_lut(crop_lut().encode(), "crop_lut.csv")
    assert lut is not None
    crops = ["233", "265", "259", None, "999"]
    table = practice_rows_from_rules(RULES, "cc", 2021, ["a", "b", "c", "d", "e"], crops, lut)
    assert practice_text(table) == (
        "FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END\n"
        "a;233;2021-04-01;2021-06-03;2021-10-15;CatchCropIsMain;NA;2021-10-15;2022-02-01\n"
        "c;259;2021-05-20;2021-06-03;2021-10-15;CatchCrop;CatchCrop_3;2021-10-15;NA\n"
    )
    read_back, report = read_practice_table(practice_text(table).encode(), "cc.csv", "CC", year=2021)
    assert report.findings == ()
    assert read_back is not None
    assert read_back.as_arrow() == table.as_arrow()


def test_rules_by_group_and_no_rules() -> None:
    lut, _ = read_crop_lut(crop_lut().encode(), "crop_lut.csv")
    assert lut is not None
    rule = PracticeRule("04-01", "06-03", "10-15", groups=(int(lut.ctnuml4a[0]),))
    table = practice_rows_from_rules([rule], "NA", 2021, ["a"], [lut.ori_crop[0]], lut)
    assert len(table) == 1
    assert len(practice_rows_from_rules([], "NA", 2021, ["a"], ["265"])) == 0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (PracticeRule("04-01", "06-03", "10-15"), "Rule 1 names no crop."),
        (PracticeRule("04-01", "06-03", "10-15", groups=(1,)),
         "Rule 1 names groups or land cover, but there is no crop code LUT."),
        (PracticeRule("04-31", "06-03", "10-15", crops=("1",)), 'Rule 1: "04-31" is no day of 2021.'),
        (PracticeRule("4-1", "06-03", "10-15", crops=("1",)), 'Rule 1: "4-1" is no day of 2021.'),
        (PracticeRule("04-01", "06-03", "10-15", crops=("1",), practice_name="NFC"),
         'Rule 1: "NFC" does not belong to the CC table.'),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_meant(rule: PracticeRule, message: str) -> None:
    with pytest.raises(InputError) as error:
        practice_rows_from_rules([rule], "CC", 2021, ["a"], ["1"])
    assert error.value.message == message


DATES = st.one_of(
    st.dates(np.datetime64("2018-01-01").item(), np.datetime64("2020-12-31").item()).map(str),
    st.sampled_from(["NA", "", "2019-02-30", "1/6/2019"]),
)
ROWS = st.lists(
    st.tuples(
        st.text("P12 -", max_size=3), st.text("26A", max_size=3), DATES, DATES, DATES,
        st.sampled_from(["CatchCrop", "CatchCropIsMain", "NFC"]), st.sampled_from(["NA", "CatchCrop_1"]), DATES, DATES,
    ),
    max_size=8,
)  # fmt: skip


@given(ROWS)
def test_no_row_is_lost_and_what_is_kept_survives_a_second_reading(rows: list[tuple[str, ...]]) -> None:
    table, report = read(*(",".join(row) for row in rows))
    assert report.rows == len(rows)
    aside = sum(found.count for found in report.findings if found.severity == Severity.SET_ASIDE)
    if table is None:
        return
    assert report.set_aside == aside
    again, second = read_practice_table(practice_text(table).encode(), "again.csv", "CC", year=2019)
    assert again is not None or not len(table)
    if again is not None:
        assert second.set_aside == 0
        for name in ("field_id", "main_crop", "practice_name", "p_type"):
            assert getattr(again, name).tolist() == getattr(table, name).tolist()
        for name in ("veg_start", "h_start", "h_end", "p_start", "p_end"):
            assert np.array_equal(getattr(again, name), getattr(table, name), equal_nan=True)
        assert (again.bad_dates == table.bad_dates).all()
