"""Crop code tables from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.table_uploads import add_site, declare


@pytest.fixture
def kempen(s4c: Run, folder: Path) -> str:
    return add_site(s4c, folder)


def test_a_sound_table_is_checked_without_a_database(s4c: Run, delivered: Path) -> None:
    answer = s4c("lut", "check", delivered / "crop_lut.csv", S4C_DATABASE_URL=None)
    assert "can be imported" in answer.out
    report = s4c("lut", "check", delivered / "crop_lut.csv", "--json", S4C_DATABASE_URL=None).json
    assert report["kind"] == "lut"
    assert report["refused"] is False
    assert report["rows"] == report["accepted"] > 10
    assert report["delimiter"] == ","


def test_all_that_is_wrong_is_told_at_once(s4c: Run, folder: Path) -> None:
    """Case 18 of the specification."""
    lines = [
        "Ori_crop,CTnum,CT,LC,CTnumL4A,CTL4A,EAA,AL,PGrass,TGrass,Fallow,Cwater",
        "233,1,a,1,5,Wheat,1,1,0,0,0,0",
        "234,2,b,1,5,Barley,2,1,0,0,0,0",
        "265,3,c,3,3,,1,0,1,0,0,0",
        *[f"{300 + number},{number},x,1,,,1,1,0,0,0,0" for number in range(4, 8)],
        "265,9,d,7,,,1,1,0,0,0,0",
    ]
    (folder / "lut.csv").write_text("\n".join(lines))
    answer = s4c("lut", "check", folder / "lut.csv", code=2)
    for said in (
        'LUT-03  file refused      1  Line 9: crop code "265" already defined on line 4.',
        'Line 3, column EAA: "2" is not 0 or 1.',
        'Line 9: LC is "7"; allowed 0 to 5.',
        'CTnumL4A 5 is named "Wheat" (line 2) and "Barley" (line 3).',
    ):
        assert " ".join(said.split()) in " ".join(answer.out.split())
    assert answer.err.splitlines() == ["s4c: lut.csv is refused (LUT-03, LUT-05, LUT-06, LUT-07)"]
    report = s4c("lut", "check", folder / "lut.csv", "--json", code=2).json
    assert report["refused"] is True
    assert report["rows"] == report["set_aside"] == 8


def test_examples_of_a_finding_are_shown_when_asked_for(s4c: Run, folder: Path) -> None:
    head = "Ori_crop;CTnum;LC;EAA;AL;PGrass;TGrass;Fallow;Cwater"
    (folder / "lut.csv").write_text("\n".join([head, *[f"{n};{n};9;1;1;0;0;0;0" for n in range(1, 8)]]))
    assert "Line 3:" not in s4c("lut", "check", folder / "lut.csv", code=2).out
    shown = s4c("lut", "check", folder / "lut.csv", "--examples", code=2).out
    assert 'LUT-05  Line 3: LC is "9"; allowed 0 to 5.' in shown


def test_a_file_that_is_not_there_is_one_line(s4c: Run, folder: Path) -> None:
    assert "There is no file" in s4c("lut", "check", folder / "gone.csv", code=2).err


def test_a_table_is_imported_compared_and_shown(
    s4c: Run, kempen: str, delivered: Path, database_url: str, folder: Path
) -> None:
    declare(database_url, folder, delivered)
    report = s4c("lut", "import", kempen, delivered / "crop_lut.csv", "--json").json
    assert (report["year"], report["state"], report["changed"]) == (2021, "active", True)
    assert {item["code"] for item in report["findings"]} >= {"DECL-40", "LUT-11"}
    answer = s4c("lut", "show", kempen)
    assert "given by tester" in answer.out
    assert "winter wheat" in answer.out
    assert "parcels have no code of this table" in answer.err
    shown = s4c("lut", "show", kempen, "--season", "2021", "--json").json
    rows = {row["Ori_crop"]: row for row in shown["rows"]}
    assert rows["265"]["LC"] == 3
    assert sum(row["parcels"] for row in rows.values()) >= 200
    assert shown["version"] == report["version"]


def test_the_same_table_again_is_said_to_be_in_force(s4c: Run, kempen: str, delivered: Path) -> None:
    at = ("lut", "import", kempen, delivered / "crop_lut.csv", "--year", "2021")
    assert "nothing was stored" in s4c(*at, "--dry-run").err
    assert "has no crop code table of 2021" in s4c("lut", "show", kempen, code=2).err
    assert "in force for kempen, 2021" in s4c(*at).err
    assert "already; nothing changed" in s4c(*at).err
    assert s4c(*at, "--json").json["changed"] is False


def test_a_refused_table_leaves_the_one_in_force(s4c: Run, kempen: str, delivered: Path, folder: Path) -> None:
    version = s4c("lut", "import", kempen, delivered / "crop_lut.csv", "--json").json["version"]
    (folder / "broken.csv").write_text("nothing of that kind\n")
    answer = s4c("lut", "import", kempen, folder / "broken.csv", code=2)
    assert "broken.csv is refused (LUT-01, LUT-02); what was in force stays in force" in answer.err
    assert s4c("lut", "import", kempen, folder / "broken.csv", "--json", code=2).json["state"] == "rejected"
    assert s4c("lut", "show", kempen, "--json").json["version"] == version


def test_several_years_must_be_told_apart(s4c: Run, kempen: str, delivered: Path) -> None:
    s4c("season", "add", kempen, "2022", "2022-03-01", "2022-10-31")
    answer = s4c("lut", "import", kempen, delivered / "crop_lut.csv", code=2)
    assert "2021 (2021), 2022 (2022)" in answer.err
    assert "--year or --season" in answer.err
    s4c("lut", "import", kempen, delivered / "crop_lut.csv", "--season", "2022")
    assert "of 2021" in s4c("lut", "show", kempen, "--year", "2021", code=2).err
    assert s4c("lut", "show", kempen, "--season", "2022", "--json").json["year"] == 2022


def test_the_template_is_a_sound_table(s4c: Run, folder: Path) -> None:
    answer = s4c("lut", "template", S4C_DATABASE_URL=None)
    assert "Ori_crop" in answer.err
    (folder / "template.csv").write_text(answer.out)
    report = s4c("lut", "check", folder / "template.csv", "--json").json
    assert report["findings"] == []
    assert report["accepted"] == 4
