"""Deleting a site: shown first, inside the storage folders only, never through a link."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from s4c_lib.catalog.database import Database
from s4c_lib.synthetic.archive import ArchiveSummary
from tests.cli.conftest import Run

Ready = tuple[str, str]


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
def linked(s4c: Run, ready_season: Ready) -> str:
    s4c("ingest", *ready_season)
    return ready_season[0]


def test_without_yes_it_only_says_what_would_go(s4c: Run, linked: str, folder: Path) -> None:
    before = files(folder / "downloads")
    shown = s4c("site", "delete", linked, "--json").json
    assert (shown["deleted"], shown["seasons"], shown["acquisitions"], shown["products"]) == (False, 1, 33, 20)
    assert shown["files"] == len(shown["paths"]) == 20
    assert 0 < shown["bytes"] < 20 * 4096  # links count as themselves, not as what they lead to
    assert files(folder / "downloads") == before
    assert "--yes" in s4c("site", "delete", linked).err


def test_links_go_and_the_archive_stays(
    s4c: Run, linked: str, folder: Path, small_archive: ArchiveSummary, environment: dict[str, str]
) -> None:
    # acceptance case 48
    before = files(small_archive.root)
    s4c("site", "delete", linked, "--yes")
    assert files(small_archive.root) == before
    assert not any(path.is_symlink() for path in (folder / "downloads").rglob("*"))
    assert s4c("site", "list", "--json").json == []
    assert s4c("dags", "list", "--json").json == []
    assert "There is no site" in s4c("site", "delete", linked, "--yes", code=2).err


def test_files_can_be_kept(s4c: Run, linked: str, folder: Path) -> None:
    before = files(folder / "downloads")
    s4c("site", "delete", linked, "--yes", "--keep-files")
    assert files(folder / "downloads") == before


def test_copies_go_whole_and_what_another_site_uses_stays(
    s4c: Run, ready_season: Ready, extent: Path, folder: Path
) -> None:
    site, season = ready_season
    s4c("source", "set", "archive", "--mode", "copy")
    s4c("ingest", site, season)
    s4c("site", "add", "Neighbour", extent)
    s4c("season", "add", "neighbour", "2024", "2024-03-01", "2024-03-31")
    s4c("site", "enable", "neighbour")
    s4c("ingest", "neighbour", "2024", "--satellite", "l8")
    before = files(folder / "downloads" / "l8")
    shown = s4c("site", "delete", site, "--yes", "--json").json
    assert shown["bytes"] > 100_000
    assert files(folder / "downloads" / "l8") == before
    assert not [path for path in (folder / "downloads" / "s2").rglob("*") if path.is_file()]
    assert len(s4c("products", "list", "neighbour", "--json").json) == 2


def test_paths_outside_the_storage_folders_are_left_alone(
    s4c: Run, linked: str, folder: Path, database: Database
) -> None:
    precious = folder / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    inside = folder / "downloads" / "s2"
    (inside / "way_out").symlink_to(precious)
    with database.begin() as connection:
        numbers = connection.execute(text("SELECT id FROM s4c.acquisition WHERE full_path IS NOT NULL ORDER BY id"))
        first, second, third, fourth = list(numbers.scalars())[:4]
        for number, path in (
            (first, precious),
            (second, inside / "way_out" / "thesis.txt"),
            (third, inside / ".." / ".." / "precious"),
            (fourth, inside),
        ):
            connection.execute(
                text("UPDATE s4c.acquisition SET full_path = :path WHERE id = :id"), {"path": str(path), "id": number}
            )
    shown = s4c("site", "delete", linked, "--yes", "--json").json
    assert len([path for path in shown["left_alone"] if "precious" in path or "way_out" in path]) == 3
    assert str(inside) in shown["left_alone"]
    assert (precious / "thesis.txt").read_text() == "x"
    assert inside.is_dir()


def test_a_deletion_that_breaks_off_leaves_the_site_and_can_be_repeated(
    s4c: Run, ready_season: Ready, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s4c("source", "set", "archive", "--mode", "copy")
    s4c("ingest", *ready_season)
    removed = []

    def breaking(path: Path) -> None:
        if len(removed) == 3:
            raise OSError(5, "Input/output error", str(path))
        removed.append(path)
        real(path)

    # the disk breaks in the middle: no real one does that to order
    real = shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", breaking)
        answer = s4c("site", "delete", ready_season[0], "--yes", code=1)
    assert "cannot be removed: Input/output error" in answer.err
    assert s4c("site", "show", ready_season[0], "--json").json["enabled"]
    s4c("site", "delete", ready_season[0], "--yes")
    assert not [path for path in (folder / "downloads").rglob("*") if path.is_file()]


def test_a_site_with_a_running_job_is_not_deleted(s4c: Run, linked: str, database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.job SET state = 'running', ended_at = NULL"))
    assert "is running" in s4c("site", "delete", linked, "--yes", code=2).err
    assert s4c("site", "show", linked, "--json").json["short_name"] == linked
