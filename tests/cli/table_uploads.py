"""A site with a season, and declarations in force, for tests of what else is uploaded to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import shapely

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.sites import get_site
from s4c_lib.uploads.declarations import ImportRequest, import_declarations
from tests.cli.conftest import Run, write_extent
from tests.synthetic_delivery import MAPPING, YEAR, surroundings


def add_site(s4c: Run, folder: Path) -> str:
    """Add a site around the parcels, with a season of their year."""
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(surroundings())}
    s4c("site", "add", "Kempen", write_extent(folder / "extent.geojson", feature))
    s4c("season", "add", "kempen", "2021", "2021-03-01", "2021-10-31")
    return "kempen"


def declare(database_url: str, folder: Path, delivered: Path) -> None:
    """Put the declarations in force."""
    database = Database(database_url)
    with database.begin() as connection:
        site = get_site(connection, "kempen")
    request = ImportRequest(delivered / "declarations.gpkg", MAPPING, YEAR)
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    outcome = import_declarations(database, site, request, storage=folder / "lpis", actor="test", now=now)
    database.engine.dispose()
    assert outcome.parcel_set is not None, outcome.report
