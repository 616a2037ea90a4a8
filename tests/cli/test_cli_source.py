"""Data sources from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s4c_lib.synthetic.archive import ArchiveSummary
from tests.cli.conftest import Run


@pytest.fixture
def archive(s4c: Run, small_archive: ArchiveSummary) -> str:
    s4c("source", "add", "archive", "--satellite", "s2", "--satellite", "l8", "--root", small_archive.root)
    return "archive"


def test_a_source_is_added_for_its_satellites_and_listed(s4c: Run, archive: str, small_archive: ArchiveSummary) -> None:
    listed = s4c("source", "list", "--json").json
    assert [(item["name"], item["satellite"], item["mode"]) for item in listed] == [
        ("archive", "s2", "symlink"),
        ("archive", "l8", "symlink"),
    ]
    assert listed[0]["root"] == str(small_archive.root)
    assert "archive" in s4c("source", "list").out


def test_adding_it_again_is_refused_and_nothing_half_is_stored(
    s4c: Run, archive: str, small_archive: ArchiveSummary
) -> None:
    answer = s4c(
        "source", "add", archive, "--satellite", "s1", "--satellite", "s2", "--root", small_archive.root, code=2
    )
    assert "change it with 's4c source set archive'" in answer.err
    assert len(s4c("source", "list", "--json").json) == 2


def test_fields_are_changed_for_all_its_satellites(s4c: Run, archive: str, folder: Path) -> None:
    changed = s4c(
        "source",
        "set",
        archive,
        "--mode",
        "copy",
        "--root",
        folder,
        "--connections",
        "4",
        "--disable",
        "--template",
        "yyyy/MM/dd",
        "--json",
    ).json
    assert {(item["mode"], item["connections"], item["enabled"], item["template"]) for item in changed} == {
        ("copy", 4, False, "yyyy/MM/dd")
    }
    assert {item["template"] for item in s4c("source", "set", archive, "--template", "", "--json").json} == {None}
    assert "Nothing to change" in s4c("source", "set", archive, code=2).err
    assert "sources are archive" in s4c("source", "set", "other", "--enable", code=2).err


def test_wrong_input_is_refused(s4c: Run, folder: Path) -> None:
    root = ("--root", folder)
    assert (
        "Invalid value for '--mode'"
        in s4c("source", "add", "a", "--satellite", "s2", *root, "--mode", "fax", code=2).err
    )
    assert "--satellite" in s4c("source", "add", "a", "--satellite", "s9", *root, code=2).err
    assert (
        "template" in s4c("source", "add", "a", "--satellite", "s2", *root, "--template", "../yyyy", code=2).err.lower()
    )
    assert "My Source" in s4c("source", "add", "My Source", "--satellite", "s2", *root, code=2).err
    assert "--connections" in s4c("source", "add", "a", "--satellite", "s2", *root, "--connections", "0", code=2).err
    assert s4c("source", "list", "--json").json == []


def test_a_folder_that_is_not_there_is_a_warning_and_fails_its_test(s4c: Run, folder: Path) -> None:
    answer = s4c("source", "add", "disk", "--satellite", "s2", "--root", folder / "unmounted")
    assert "does not exist" in answer.err
    tried = s4c("source", "test", "disk", "--json", code=1)
    assert not tried.json[0]["ok"]
    (folder / "unmounted").mkdir()
    assert "is it mounted?" in s4c("source", "test", "disk", code=1).out
    (folder / "unmounted" / "something").mkdir()
    s4c("source", "test", "disk")


def test_a_missing_folder_is_told_though_another_site_has_a_source_of_that_name(
    s4c: Run, site: str, small_archive: ArchiveSummary, folder: Path
) -> None:
    s4c("source", "add", "archive", "--satellite", "s1", "--satellite", "s2", "--root", small_archive.root)
    answer = s4c("source", "add", "archive", "--satellite", "s1", "--root", folder / "typo", "--site", site)
    assert "typo does not exist" in answer.err
    # and mending it leaves the other's archive alone
    asked = ("source", "set", "archive", "--root", folder)
    assert "Archives of all sites, test_land have the name 'archive', and lie apart." in s4c(*asked, code=2).err
    s4c(*asked, "--site", site)
    roots = {(item["site"], item["root"]) for item in s4c("source", "list", "--json").json}
    assert roots == {(None, str(small_archive.root)), (site, str(folder))}
    assert "leave --site out" in s4c("source", "set", "archive", "--connections", "4", "--site", site, code=2).err
    s4c("site", "add", "Other", folder / "extent.geojson")
    other = s4c("source", "set", "archive", "--enable", "--site", "other", code=2)
    assert "Site 'other' has no data source 'archive' of its own" in other.err


def test_a_source_of_one_site_appears_in_its_dags_only(
    s4c: Run, season: tuple[str, str], folder: Path, environment: dict[str, str]
) -> None:
    s4c("source", "add", "own", "--satellite", "s2", "--root", folder, "--site", season[0])
    body = json.loads(Path(environment["S4C_MANIFEST_PATH"]).read_text())["body"]
    assert [entry["sources"] for entry in body["dags"] if entry["processor"] == "ingest"] == [["own"]]
    assert body["pools"]["ds_own"] == 2
