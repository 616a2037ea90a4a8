"""What the ledger says next of an acquisition by its units."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from domain_rows import make_acquisition, make_enabled, make_source
from sqlalchemy import text

from s4c_lib.catalog import units
from s4c_lib.catalog.acquisition_supply import supplies
from s4c_lib.catalog.acquisitions import get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.ingest.ledger import explained, next_step

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("single", "pair", "expected"),
    [
        ("state = 'ignored', reason_code = 'joined'", "state = 'ignored', reason_code = 'joined'", "{joined}"),
        ("state = 'done'", "state = 'ignored', reason_code = 'no_previous'", "ready to use"),
        (
            "state = 'done'",
            "state = 'failed', reason_code = 'dem_missing', next_attempt_at = '2024-06-02T00:00Z'",
            "after 2024-06-02 00:00Z: {dem_missing}",
        ),
        ("state = 'done'", "state = 'pending'", "is being processed"),
    ],
)
def test_what_is_next_follows_from_the_units(database: Database, single: str, pair: str, expected: str) -> None:
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"), satellites=("s1",))
        number = make_acquisition(connection, site, "P", satellite="s1", state="downloaded", sensed=NOW)
        units.ensure_units(connection, number, ["single", "pair:1"], processor="l2s1", config_hash="h", max_attempts=3)
        for key, change in (("single", single), ("pair:1", pair)):
            connection.execute(text(f"UPDATE s4c.acquisition_unit SET {change} WHERE unit_key = :key"), {"key": key})
        units.roll_up(connection, number, actor="test")
        item, supply = get_acquisition(connection, number), supplies(connection, [number], now=NOW)[number]
    said = next_step(item, NOW, supply)
    assert expected.format(joined=explained("joined"), dem_missing=explained("dem_missing")) in said
