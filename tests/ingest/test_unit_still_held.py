"""A long program asks now and then whether its unit is still its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from domain_rows import make_acquisition, make_enabled, make_source

from s4c_lib.catalog import unit_claims, units
from s4c_lib.catalog.database import Database
from s4c_lib.errors import LeaseLostError
from s4c_lib.ingest.unit_work import require_held

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def unit(database: Database) -> units.Unit:
    """A unit that the worker w holds."""
    with database.begin() as connection:
        site, _ = make_enabled(connection)
        make_source(connection, Path("/archive"))
        number = make_acquisition(connection, site, "P", state="downloaded", sensed=datetime(2024, 5, 12, tzinfo=UTC))
        units.ensure_units(connection, number, ["31UFS"], processor="l2a", config_hash="h", max_attempts=3)
        (claimed,) = unit_claims.claim(connection, "l2a", site.id, owner="w", now=NOW, lease_seconds=60)
    return claimed


def test_a_unit_of_another_worker_ends_the_program(database: Database, unit: units.Unit) -> None:
    require_held(database, unit, "w")
    with pytest.raises(LeaseLostError, match="no longer held by other"):
        require_held(database, unit, "other")


def test_a_database_that_is_away_for_a_moment_costs_no_hours_of_work(unit: units.Unit) -> None:
    require_held(Database("postgresql://s4c:none@127.0.0.1:1/s4c"), unit, "w")
