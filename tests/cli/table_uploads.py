"""A site with a season and the files of a synthetic agency, for tests of what is uploaded to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import shapely
from pyproj import Transformer

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.sites import get_site
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.window import window_of
from s4c_lib.uploads.declarations import ImportRequest, import_declarations
from tests.cli.conftest import Run, write_extent

YEAR = 2021
TILES = ["31UFS", "31UFT"]


def deliver(folder: Path) -> Path:
    """Write what an agency uploads."""
    write_declarations(make_landscape(window_of(TILES, 3000).grid, 200, 3), folder, 3, year=YEAR)
    return folder


def add_site(s4c: Run, folder: Path) -> str:
    """Add a site around the parcels, with a season of their year."""
    window = window_of(TILES, 6000)
    to_degrees = Transformer.from_crs(window.grid.epsg, 4326, always_xy=True)
    box = shapely.transform(shapely.box(*window.grid.bounds), to_degrees.transform, interleaved=False)
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(box)}
    s4c("site", "add", "Kempen", write_extent(folder / "extent.geojson", feature))
    s4c("season", "add", "kempen", "2021", "2021-03-01", "2021-10-31")
    return "kempen"


def declare(database_url: str, folder: Path, delivered: Path) -> None:
    """Put the declarations in force."""
    database = Database(database_url)
    with database.begin() as connection:
        site = get_site(connection, "kempen")
    mapping = ColumnMapping(("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",))
    request = ImportRequest(delivered / "declarations.gpkg", mapping, YEAR)
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    outcome = import_declarations(database, site, request, storage=folder / "lpis", actor="test", now=now)
    database.engine.dispose()
    assert outcome.parcel_set is not None, outcome.report
