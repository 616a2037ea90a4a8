"""``s4c acquisitions explain`` of a radar acquisition: its pairs with partner, intersection and baseline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from domain_rows import make_acquisition, make_enabled, make_source
from sqlalchemy import text

from s4c_lib.catalog import units
from s4c_lib.catalog.database import Database
from tests.cli.conftest import Run


def test_the_partner_of_a_pair_is_told_by_name(s4c: Run, database: Database) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"), satellites=("s1",))
        older, newer = (
            make_acquisition(connection, site, name, satellite="s1", state="downloaded", sensed=moment)
            for name, moment in (
                ("OLDER", datetime(2024, 5, 6, 17, tzinfo=UTC)),
                ("NEWER", datetime(2024, 5, 12, 17, tzinfo=UTC)),
            )
        )
        connection.execute(
            text(
                "INSERT INTO s4c.s1_pair (current_id, previous_id, relative_orbit, intersection_pct, baseline_days) "
                "VALUES (:newer, :older, 117, 62.345, 6)"
            ),
            {"newer": newer, "older": older},
        )
        keys = ["single", f"pair:{older}"]
        units.ensure_units(connection, newer, keys, processor="l2s1", config_hash="h", max_attempts=3)
    told = s4c("acquisitions", "explain", newer).out
    pair = next(line for line in told.splitlines() if f"pair:{older}" in line)
    assert [part in pair for part in ("OLDER", "downloaded", "62.3 %", "6 d")] == [True] * 4, told
    (detail,) = s4c("acquisitions", "explain", newer, "--json").json["pairs"]
    assert (detail["previous"], detail["baseline_days"]) == ("OLDER", 6)
    assert "partner" not in s4c("acquisitions", "explain", older).out
