"""Practice tables from the command line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.table_uploads import add_site, declare

HEAD = "FIELD_ID;MAIN_CROP;VEG_START;H_START;H_END;PRACTICE;P_TYPE;P_START;P_END\n"
ROW = "P1;265;2019-05-20;2019-06-03;2019-10-15;CatchCrop;CatchCrop_1;2019-10-15;NA\n"


@pytest.fixture
def kempen(s4c: Run, folder: Path) -> str:
    return add_site(s4c, folder)


def test_a_table_is_checked_without_a_database_in_the_year_of_its_harvests(s4c: Run, folder: Path) -> None:
    (folder / "cc.csv").write_text(HEAD + ROW)
    report = s4c("practices", "check", folder / "cc.csv", "--practice", "cc", "--json", S4C_DATABASE_URL=None).json
    assert (report["kind"], report["year"], report["accepted"]) == ("practices_cc", 2019, 1)
    assert report["findings"] == []
    far = s4c("practices", "check", folder / "cc.csv", "--practice", "CC", "--year", "2024", "--json").json
    assert [item["code"] for item in far["findings"]] == ["PRAC-09"]


def test_the_table_of_another_practice_is_refused(s4c: Run, delivered: Path) -> None:
    answer = s4c("practices", "check", delivered / "practices_nfc.csv", "--practice", "CC", code=2)
    assert "This is the CC table but" in answer.out
    assert answer.err.strip() == "s4c: practices_nfc.csv is refused (PRAC-05)"
    assert "--practice" in s4c("practices", "check", delivered / "practices_cc.csv", code=2).err
    assert "XX" in s4c("practices", "check", delivered / "practices_cc.csv", "--practice", "XX", code=2).err


def test_every_deliberate_fault_is_found_on_import_and_in_the_list(
    s4c: Run, kempen: str, delivered: Path, database_url: str, folder: Path
) -> None:
    declare(database_url, folder, delivered)
    truth = json.loads((delivered / "declarations_truth.json").read_text())["practices"]
    for practice, expected in truth.items():
        file = delivered / f"practices_{practice.lower()}.csv"
        report = s4c("practices", "import", kempen, practice, file, "--json").json
        counts = Counter(fault["code"] for fault in expected["wrong"])
        assert {item["code"]: item["count"] for item in report["findings"] if item["code"] in counts} == counts
        assert report["rows"] == expected["rows"]
    listed = s4c("practices", "list", kempen, "--json").json
    assert [item["practice"] for item in listed] == ["CC", "FL", "NFC", "NA"]
    for item in listed:
        assert item["parcels_found"] == item["accepted"] - item["findings"][0]["count"]
        assert item["findings"][0]["code"] == "PRAC-07"
    table = s4c("practices", "list", kempen).out
    assert "with parcel" in table
    assert "practices_cc.csv" in table


def test_a_table_before_the_declarations_waits_for_them(s4c: Run, kempen: str, delivered: Path) -> None:
    answer = s4c("practices", "import", kempen, "na", delivered / "practices_na.csv", "--season", "2021")
    assert "PRAC-10" in answer.out
    assert "rows are joined at the next declaration import" in answer.out
    assert s4c("practices", "list", kempen, "--json").json[0]["parcels_found"] is None


def test_refused_and_replaced_tables_are_listed_when_asked_for(
    s4c: Run, kempen: str, delivered: Path, folder: Path
) -> None:
    assert "has no practice table" in s4c("practices", "list", kempen).err
    s4c("practices", "import", kempen, "CC", delivered / "practices_cc.csv")
    s4c("practices", "import", kempen, "CC", delivered / "practices_nfc.csv", code=2)
    (folder / "later.csv").write_text(HEAD + ROW.replace("2019", "2021"))
    s4c("practices", "import", kempen, "CC", folder / "later.csv")
    states = [(item["file"], item["state"]) for item in s4c("practices", "list", kempen, "--all", "--json").json]
    assert states == [("later.csv", "active"), ("practices_nfc.csv", "rejected"), ("practices_cc.csv", "superseded")]
    assert [item["file"] for item in s4c("practices", "list", kempen, "--json").json] == ["later.csv"]


def test_a_table_is_made_from_rules(s4c: Run, kempen: str, delivered: Path, database_url: str, folder: Path) -> None:
    (folder / "rules.csv").write_text(
        "CROPS;VEG_START;H_START;H_END\n233 235;04-01;06-15;09-15\n259;05-20;08-20;11-30\n"
    )
    assert "has no declarations of 2021" in s4c("practices", "generate", kempen, "NA", folder / "rules.csv", code=2).err
    declare(database_url, folder, delivered)
    answer = s4c("practices", "generate", kempen, "NA", folder / "rules.csv")
    assert answer.out.startswith("FIELD_ID;MAIN_CROP;")
    s4c("practices", "generate", kempen, "NA", folder / "rules.csv", "--out", folder / "na.csv")
    assert (folder / "na.csv").read_text() == answer.out
    report = s4c("practices", "import", kempen, "NA", folder / "na.csv", "--json").json
    assert report["findings"] == []
    assert report["parcels_found"] == report["rows"] == len(answer.out.splitlines()) - 1


def test_where_it_cannot_be_written_is_said(
    s4c: Run, kempen: str, delivered: Path, database_url: str, folder: Path
) -> None:
    declare(database_url, folder, delivered)
    (folder / "rules.csv").write_text("CROPS;VEG_START;H_START;H_END\n259;05-20;08-20;11-30\n")
    at = ("practices", "generate", kempen, "NA", folder / "rules.csv", "--out", folder / "no" / "na.csv")
    assert "cannot be written" in s4c(*at, code=1).err
