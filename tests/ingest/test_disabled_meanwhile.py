"""A site or season disabled while it is ingested: what was begun ends, nothing more is taken (operations.md §7)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from derived_rows import make_product
from domain_rows import make_acquisition, make_enabled, make_source, states
from sqlalchemy import text

from s4c_lib.catalog import derivations, seasons, sites
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import Derivation, WorkKey
from s4c_lib.catalog.missing_products import Piece
from s4c_lib.ingest.context import load_context
from s4c_lib.ingest.derive import Made, work_off
from s4c_lib.ingest.fetch import run_fetch

NOW = datetime(2024, 6, 10, 8, tzinfo=UTC)


@pytest.mark.parametrize("what", ["site", "season"])
def test_nothing_more_is_taken_once_it_is_disabled(database: Database, tmp_path: Path, what: str) -> None:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        set_value(connection, "downloader.s2.write-dir", str(tmp_path / "downloads"), actor="tester")
        set_value(connection, "storage.min_free_gb", 0, actor="tester")
        make_source(connection, tmp_path / "archive")
        for name in ("A", "B", "C"):
            make_acquisition(connection, site, name, state="queued")
        pieces = [Piece(NOW, make_product(connection, season, name, "l2a"), "31UFS") for name in ("A", "B", "C")]
        key = WorkKey(site.id, "l3b", "h")
        derivations.plan(connection, key, pieces, max_attempts=3, now=NOW)
    context = load_context(database, season.id, today=NOW.date())

    def disable(*_: object) -> None:
        with database.begin() as connection:
            if what == "site":
                sites.set_enabled(connection, site, False)
            else:
                seasons.set_enabled(connection, season, False)

    fetched = run_fetch(database, context, "archive", owner="worker", clock=lambda: NOW, progress=disable)
    assert fetched.held_back == "the season or its site was disabled meanwhile"
    with database.begin() as connection:
        # its file is missing, so the one that was begun is given up
        assert sorted(states(connection).values()) == ["aborted", "queued", "queued"]
        seasons.set_enabled(connection, season, True)
        sites.set_enabled(connection, site, True)
    made: list[int] = []

    def make(piece: Derivation) -> tuple[str, Made]:
        made.append(piece.product_id)
        disable()
        return "L3B", Made()

    work_off(database, context, key, make, owner="worker", clock=lambda: NOW)
    assert len(made) == 1
    with database.begin() as connection:
        found = connection.execute(text("SELECT state::text FROM s4c.derivation ORDER BY 1")).scalars().all()
    assert sorted(found) == ["done", "pending", "pending"]
