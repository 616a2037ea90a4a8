"""Products in force and downloads whose time is over: archived or removed, never half, never what is not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import pytest
from derived_rows import make_product
from domain_rows import make_acquisition, make_enabled, make_season
from kept_products import EVER, TODAY, Place
from sqlalchemy import Connection, text

from s4c_lib.catalog import (
    file_removals,
    job_liveness,
    missing_products,
    products,
    retention_events,
    transfers,
    wanted_again,
)
from s4c_lib.catalog.acquisition_supply import supplies
from s4c_lib.catalog.acquisitions import get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.errors import ConflictError
from s4c_lib.ingest.ledger import ledger_row
from s4c_lib.retention import keeping, nightly
from s4c_lib.retention.policy import Verdict
from s4c_lib.scheduling.dates import SeasonDates


def test_downloads_go_a_month_after_the_last_work_and_are_not_fetched_again(place: Place) -> None:
    number, linked = place.download("OWN"), place.download("LINKED", "symlink")
    waiting = place.download("WAITING")
    with place.database.begin() as connection:
        connection.execute(
            text("UPDATE s4c.acquisition_unit SET state = 'pending' WHERE acquisition_id = :id"), {"id": waiting}
        )
    assert place.night(29).removed == 0
    done = place.night(31)
    assert (done.removed, done.freed_bytes) == (1, 5)
    assert sorted(path.name for path in (place.root / "downloads").iterdir()) == ["LINKED", "WAITING"]
    with place.database.begin() as connection:
        found = {one: get_acquisition(connection, one) for one in (number, linked, waiting)}
        row = ledger_row(found[number], supplies(connection, [number], now=TODAY)[number], TODAY)
        assert transfers.downloaded(connection, place.site.id, ["s2"]) == []
        events = retention_events.events(connection, site="alpha")
    assert [str(found[one].state) for one in found] == ["processed"] * 3
    assert found[number].removed_because == "retention.l1: deleted 30 days after the last work on it"
    assert "removed on" in row.happened
    assert row.next == "nothing: what was made of it is ready to use"
    assert [(one.action, one.name, one.size_bytes) for one in events] == [("removed", "OWN", 5)]
    assert place.night(60).removed == 0


def test_a_product_goes_when_its_season_is_over_and_is_not_made_again(place: Place) -> None:
    lacking_l3b = partial(
        missing_products.missing_l3b, site_id=place.site.id, config_hash="x", first=EVER[0], stop=EVER[1]
    )
    number = place.download("OWN")
    made = place.l2a("OWN L2A", acquisition=number)
    assert place.night(89).removed == 1, "the download"
    with place.database.begin() as connection:
        assert len(lacking_l3b(connection)) == 1
    assert place.night(91).removed == 1
    assert not (place.root / "products" / "l2a" / "OWN L2A").exists()
    with place.database.begin() as connection:
        assert lacking_l3b(connection) == []
        other, _ = make_enabled(connection, "Beta")
        make_acquisition(connection, other, "OWN")
        assert products.share_with_site(connection, other.id) == 0
        listed = products.list_products(connection, place.site.id)
        assert "removed" in listed[0].files
        assert "retention.l2a: deleted 90 days after season" in listed[0].files
        found = get_acquisition(connection, number)
        row = ledger_row(found, supplies(connection, [number], now=TODAY)[number], TODAY)
        assert "its products were removed" in row.next
        assert f"retry {number}" in row.next
        # asked for by hand it is fetched and made again, and is the same product
        wanted_again.want_again(connection, [number], actor="tester")
        assert str(get_acquisition(connection, number).state) == "queued"
        folder = place.root / "products" / "l2a" / "OWN L2A"
        # with a removal that an earlier night could not finish: files may be there before the row says so
        file_removals.note_removal(connection, str(folder), "tester")
    folder.mkdir()
    assert place.night(92).failed == 0
    assert folder.exists()
    with place.database.begin() as connection:
        assert products.register(connection, place.new("OWN L2A", folder, number), [place.site.id]) == made
        connection.execute(text("UPDATE s4c.acquisition_unit SET state = 'done'"))
    assert place.product(made).removed_at is None
    assert place.night(1).failed == 0
    assert folder.exists()
    assert place.rows("file_removal") == 0


def test_what_is_wanted_again_since_it_was_judged_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    number = place.download("OWN")
    relevance = text("UPDATE s4c.site_acquisition SET relevance = CAST(:relevance AS s4c.relevance), reason = 'x'")
    with place.database.begin() as connection:
        connection.execute(text("UPDATE s4c.acquisition SET state = 'downloaded'"))
        connection.execute(relevance, {"relevance": "ignored"})
    judged = keeping.verdicts

    def selected_then(connection: Connection, *args: keeping.Policies, now: datetime) -> list[Verdict]:
        found = judged(connection, *args, now=now)
        connection.execute(relevance, {"relevance": "selected"})
        return found

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "verdicts", selected_then)
        assert place.night(31).removed == 0
    with place.database.begin() as connection:
        assert str(get_acquisition(connection, number).state) == "downloaded"
    assert (place.root / "downloads" / "OWN").exists()


def test_a_download_that_was_a_product_and_left_out_by_hand_can_be_taken_back(place: Place) -> None:
    number = place.download("OWN")
    made = place.l2a("OWN", at=place.root / "downloads" / "OWN", acquisition=number)
    with place.database.begin() as connection:
        assert transfers.ignore_by_hand(connection, [number], actor="tester", why="haze") == [made]
    assert place.night(1000).removed == 0
    assert (place.root / "downloads" / "OWN").exists()


def test_a_disk_that_is_away_is_not_taken_for_removed_products(place: Place) -> None:
    made = place.l2a("OLD")
    away = place.root / "away"
    shutil.move(place.root / "products", away)
    (place.root / "products").mkdir()
    done = place.night(91)
    assert (done.removed, done.failed) == (0, 1)
    assert "a disk may be away" in done.faults[0]
    assert place.product(made).removed_at is None
    (place.root / "products").rmdir()
    shutil.move(away, place.root / "products")
    assert place.night(91).removed == 1
    assert not (place.root / "products" / "l2a" / "OLD").exists()


def test_what_an_unfinished_season_was_made_of_stays(place: Place) -> None:
    product = place.l2a("OLD")
    with place.database.begin() as connection:
        first = TODAY.date()
        dates = SeasonDates(first, first + timedelta(days=30), first + timedelta(days=365))
        now = make_season(connection, place.site, "now", dates)
        child = make_product(connection, now, "CHILD", "l3b", sensed=TODAY, inputs=[product])
    assert place.night(200).removed == 0
    [planned] = [
        one for one in nightly.plan(place.database, now=TODAY + timedelta(days=200)) if one.verdict.item.name == "OLD"
    ]
    assert planned.verdict.rule == "kept: alpha/now was made of it and is not finished"
    with place.database.begin() as connection:
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE id = :id"), {"id": child})
    # a run of the season may read it
    with place.database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO s4c.job (site_id, season_id, processor_id, job_key, start_type, interval_start, as_of, "
                "config_snapshot, config_hash, requested_by, state) VALUES (:site, :season, 100, 'k', 'manual', "
                "'2024-03-01', '2024-05-31', '{}', 'h', 'x', 'running')"
            ),
            {"site": place.site.id, "season": place.season.id},
        )
    assert place.night(200).removed == 0
    with place.database.begin() as connection:
        connection.execute(text("UPDATE s4c.job SET state = 'succeeded'"))
    assert place.night(200).removed == 1


@pytest.mark.parametrize("action", ["delete", "archive"])
def test_nothing_is_touched_that_is_not_ours(place: Place, action: str) -> None:
    """Paths outside the storage folders, behind links and `..`, links themselves, folders that hold others."""
    (place.root / "archive").mkdir()
    place.set("retention.l2a.action", action)
    place.set("retention.archive_path", str(place.root / "archive"))
    precious = place.root / "precious" / "thesis"
    precious.mkdir(parents=True)
    (precious / "a.tif").write_bytes(b"x")
    inside = place.root / "products"
    (inside / "l2a").mkdir(parents=True)
    (inside / "way_out").symlink_to(precious.parent)
    (inside / "l2a" / "LINK").symlink_to(precious)
    hostile = [
        precious,
        inside / "way_out" / "thesis",
        inside / ".." / "precious" / "thesis",
        inside / "l2a" / "LINK",
        inside,
        place.root,
    ]
    numbers = [place.l2a(f"P{place_number}", at=path) for place_number, path in enumerate(hostile)]
    # a folder with another product in it, which is kept
    holder = place.l2a("HOLDER", at=inside / "holder")
    within = place.l2a("WITHIN", at=inside / "holder" / "WITHIN")
    place.download("DOWNLOAD")
    in_download = place.l2a("IN DOWNLOAD", at=place.root / "downloads" / "DOWNLOAD" / "P")
    with place.database.begin() as connection:
        connection.execute(
            text("UPDATE s4c.product SET inserted_at = inserted_at + interval '1 year' WHERE id IN (:a, :b)"),
            {"a": within, "b": in_download},
        )
    done = place.night(91)
    assert (done.removed, done.archived) == (0, 0)
    assert (precious / "a.tif").read_bytes() == b"x"
    assert (inside / "l2a" / "LINK").is_symlink()
    assert (inside / "holder" / "WITHIN" / "a.tif").exists()
    assert (place.root / "downloads" / "DOWNLOAD" / "P" / "a.tif").exists()
    assert all(place.product(number).removed_at is None for number in (*numbers, holder, within))


def test_links_in_a_product_go_without_what_they_lead_to(place: Place) -> None:
    precious = place.root / "precious"
    precious.mkdir()
    (precious / "a.tif").write_bytes(b"x")
    (precious / "a.tif").chmod(0o444)
    product = place.root / "products" / "l2a" / "A"
    number = place.l2a("A")
    (product / "folder").symlink_to(precious)
    (product / "file.tif").symlink_to(precious / "a.tif")
    os.link(precious / "a.tif", product / "hard.tif")
    assert place.night(91).removed == 1
    assert not product.exists()
    assert (precious / "a.tif").read_bytes() == b"x"
    assert (precious / "a.tif").stat().st_mode & 0o777 == 0o444
    assert place.product(number).removed_at is not None


def test_only_one_pass_at_a_time_and_a_killed_one_holds_nothing_back(place: Place) -> None:
    # another process: it shows that it works on a job, too
    program = (
        "import sys\n"
        "from s4c_lib.catalog.database import Database\n"
        "from s4c_lib.catalog.job_liveness import sign_of_life\n"
        "from s4c_lib.catalog.only_one import only_one\n"
        "database = Database(sys.argv[1])\n"
        "with only_one(database, 'retention'), sign_of_life(database, 7):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, place.database.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConflictError, match="under way"):
            place.night(0)
        with place.database.begin() as connection:
            assert job_liveness.worked_on(connection, [6, 7]) == [7]
        other.kill()
    end = time.monotonic() + 30
    while True:  # the server notices the end of a session in its own time
        with place.database.begin() as connection:
            if not job_liveness.worked_on(connection, [7]):
                break
        assert time.monotonic() < end
        time.sleep(0.05)
    assert place.night(0).failed == 0
    with sign_of_two(place.database) as connection:
        assert job_liveness.worked_on(connection, [8]) == [8], "several tasks work on one job"


@contextmanager
def sign_of_two(database: Database) -> Iterator[Connection]:
    """Two tasks at work on job 8, of which one has ended."""
    with job_liveness.sign_of_life(database, 8):
        with job_liveness.sign_of_life(database, 8):
            pass
        with database.begin() as connection:
            yield connection


def test_the_latest_of_a_tile_stay(place: Place) -> None:
    place.set("retention.l2a.keep_last_n", 1)
    for name in ("A", "B"):
        place.l2a(name)
    with place.database.begin() as connection:
        connection.execute(text("UPDATE s4c.product SET acquired_at = acquired_at + interval '1 day' WHERE name = 'B'"))
    assert place.night(91).removed == 1
    assert [path.name for path in (place.root / "products" / "l2a").iterdir()] == ["B"]
