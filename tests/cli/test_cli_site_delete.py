"""Deleting sites and seasons: shown first, inside the storage folders only, never through a link, to the end."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import NewProduct, register
from s4c_lib.deletion.stages import finish_deletions
from s4c_lib.settings import Settings
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


def test_a_deletion_that_breaks_off_is_finished_by_the_next_one(
    s4c: Run,
    ready_season: Ready,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    environment: dict[str, str],
) -> None:
    s4c("source", "set", "archive", "--mode", "copy")
    s4c("ingest", *ready_season)
    removed = []

    def breaking(path: Path) -> None:
        removed.append(path)
        if len(removed) == 3:
            raise OSError(5, "Input/output error", str(path))
        real(path)

    # the disk breaks in the middle: no real one does that to order
    real = shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", breaking)
        answer = s4c("site", "delete", ready_season[0], "--yes", code=1)
    assert "cannot be removed: Input/output error" in answer.err
    assert len(removed) > 3, "what can go goes"
    [left] = [
        path
        for path in (folder / "downloads").rglob("*")
        if path.parent.parent == folder / "downloads" and path.name != ".part"
    ]
    assert left == removed[2]
    [listed] = s4c("site", "list", "--json").json
    assert (listed["enabled"], listed["being_deleted"]) == (False, True)
    assert "is being deleted" in s4c("site", "enable", ready_season[0], code=2).err
    assert s4c("site", "list", "--json").json[0]["being_deleted"]
    assert s4c("ingest", *ready_season, code=3).err
    # the night, as the DAG does it
    night = finish_deletions(database, Settings(database_url=environment["S4C_DATABASE_URL"]), now=datetime.now(UTC))
    assert (night.lines, night.faults) == ((f"site {ready_season[0]} is deleted",), ())
    assert not [path for path in (folder / "downloads").rglob("*") if path.is_file()]
    assert s4c("site", "list", "--json").json == []


def test_a_deletion_waits_for_the_run_under_way(
    s4c: Run, linked: str, folder: Path, database: Database, ready_season: Ready
) -> None:
    before = files(folder / "downloads")
    with database.begin() as connection:
        # a run of Airflow, which is away: nobody can end it
        connection.execute(
            text(
                "UPDATE s4c.job SET state = 'running', ended_at = NULL, start_type = 'scheduled', airflow_run_id = 'r'"
            )
        )
    for command in (("season", "delete", *ready_season), ("site", "delete", linked)):
        answer = s4c(*command, "--yes", "--wait", 0, code=2)
        assert "is being deleted, but job" in answer.err
    assert files(folder / "downloads") == before
    assert "is being deleted" in s4c("season", "enable", *ready_season, code=2).err
    with database.begin() as connection:
        connection.execute(text("UPDATE s4c.job SET state = 'failed'"))
    s4c("site", "delete", linked, "--yes", "--keep", "l1", "--keep", "s1")
    assert files(folder / "downloads") == before
    assert s4c("site", "list", "--json").json == []


def test_a_season_goes_and_its_products_stay_for_retention(
    s4c: Run, linked: str, folder: Path, database: Database, ready_season: Ready
) -> None:
    before = files(folder / "downloads")
    s4c("season", "add", linked, "early", "2023-10-01", "2024-03-05", "--disabled")
    listed = s4c("products", "list", linked, "--json").json
    shown = s4c("season", "delete", *ready_season, "--json").json
    assert (shown["deleted"], shown["jobs"]) == (False, 1)
    assert "--yes" in s4c("season", "delete", *ready_season).err
    done = s4c("season", "delete", *ready_season, "--yes", "--json").json
    assert {**shown, "deleted": True} == done
    assert done["windows"] > 0
    assert 0 < done["acquisitions_left_out"] < 33
    assert [item["season"] for item in s4c("season", "list", linked, "--json").json] == ["early"]
    assert s4c("products", "list", linked, "--json").json == listed
    assert files(folder / "downloads") == before
    # what the other season uses stays selected
    with database.begin() as connection:
        rows = connection.execute(
            text(
                "SELECT m.reason = 'season_deleted', min(a.sensing_start), max(a.sensing_start) "
                "FROM s4c.site_acquisition m JOIN s4c.acquisition a ON a.id = m.acquisition_id "
                "WHERE m.relevance = 'selected' OR m.reason = 'season_deleted' GROUP BY 1 ORDER BY 1 NULLS FIRST"
            )
        ).all()
        tombstone = connection.execute(text("SELECT site, short_name, deleted_by FROM s4c.season_deletion")).one()
    (_, _, last_kept), (_, first_left_out, _) = rows
    assert last_kept.date().isoformat() <= "2024-03-05" < first_left_out.date().isoformat()
    assert tuple(tombstone) == (*ready_season, "tester")
    # made again, it takes what is there
    s4c("season", "add", *ready_season, "2024-03-01", "2024-03-20", "--disabled")
    s4c("season", "enable", *ready_season, code=None)
    assert "There is no site" in s4c("season", "delete", "nowhere", "2024", "--yes", code=2).err


def test_a_row_that_names_a_folder_of_others_takes_nothing_with_it(
    s4c: Run, site: str, folder: Path, database: Database, extent: Path
) -> None:
    s4c("site", "add", "Neighbour", extent)
    products = folder / "products"
    (products / "l2a" / "theirs").mkdir(parents=True)
    with database.begin() as connection:
        ids = {row.short_name: row.id for row in connection.execute(text("SELECT short_name, id FROM s4c.site"))}
        for name, owner, path in (("mine", site, products / "l2a"), ("theirs", "neighbour", products / "l2a/theirs")):
            new = NewProduct("l3b", "l3b", name, str(path), datetime(2024, 3, 5, tzinfo=UTC), "1", "h")
            register(connection, new, [ids[owner]])
    s4c("config", "set", "storage.products_path", products)
    shown = s4c("site", "delete", site, "--yes", "--json").json
    assert str(products / "l2a") in shown["left_alone"]
    assert (products / "l2a" / "theirs").is_dir()


def test_retention_is_shown_first_and_leaves_a_record(s4c: Run, site: str, folder: Path, database: Database) -> None:
    products = folder / "products"
    folder_of_l3b = products / "l3b" / "OLD"
    folder_of_l3b.mkdir(parents=True)
    (folder_of_l3b / "a.tif").write_bytes(b"12345")
    s4c("config", "set", "storage.products_path", products)
    s4c("config", "set", "retention.l3b.action", "delete")
    s4c("config", "set", "retention.l3b.keep_days", 0)
    with database.begin() as connection:
        number = connection.execute(text("SELECT id FROM s4c.site")).scalar_one()
        new = NewProduct("l3b", "l3b", "OLD", str(folder_of_l3b), datetime(2024, 3, 5, tzinfo=UTC), "1", "h")
        register(connection, new, [number])
    shown = s4c("retention", "plan", "--site", site, "--json").json
    [going] = [one for one in shown if one["action"] != "none"]
    assert (going["sites"], going["kind"], going["action"], going["count"], going["bytes"]) == (
        [site], "l3b", "delete", 1, 5,
    )  # fmt: skip
    assert (folder_of_l3b / "a.tif").exists()
    [each] = [one for one in s4c("retention", "plan", "--products", "--json").json if one["action"] == "delete"]
    assert each["path"] == str(folder_of_l3b)
    assert s4c("retention", "run", "--json").json["removed"] == 1
    assert not folder_of_l3b.exists()
    [event] = s4c("retention", "log", "--site", site, "--json").json
    assert (event["actor"], event["action"], event["size_bytes"]) == ("tester", "removed", 5)
    [listed] = s4c("products", "list", site, "--type", "l3b", "--json").json
    assert listed["removed_because"] == f"retention.l3b: {event['rule']}"
    assert event["rule"] in s4c("products", "list", site, "--type", "l3b").out
    assert "1 of" not in s4c("retention", "plan").err
