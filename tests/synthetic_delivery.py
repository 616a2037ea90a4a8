"""What a synthetic agency uploads, and a site around its parcels."""

from __future__ import annotations

from pathlib import Path

import shapely
from pyproj import Transformer
from sqlalchemy import Connection

from s4c_lib.catalog.sites import Site, add_site
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.parcels.declared import ColumnMapping
from s4c_lib.synthetic.landscape.country import make_landscape
from s4c_lib.synthetic.landscape.declarations import write_declarations
from s4c_lib.synthetic.window import window_of

TILES = ["31UFS", "31UFT"]
YEAR = 2021
MAPPING = ColumnMapping(("FUNCTIONEE",), "GRONDBEDEK", ("FakeBRSnr",))


def deliver(folder: Path) -> Path:
    """Write the declarations of some 200 fields and the tables that come with them; read only, tests share it."""
    write_declarations(make_landscape(window_of(TILES, 3000).grid, 200, 3), folder, 3, year=YEAR)
    return folder


def surroundings() -> shapely.Polygon:
    """The parcels' own square of 3 km and some more, longitude and latitude."""
    window = window_of(TILES, 6000)
    to_degrees = Transformer.from_crs(window.grid.epsg, 4326, always_xy=True)
    return shapely.transform(shapely.box(*window.grid.bounds), to_degrees.transform, interleaved=False)


def add_kempen(connection: Connection) -> Site:
    """A site around the parcels."""
    extent = shapely.multipolygons([surroundings()])
    return add_site(
        connection,
        name="Kempen",
        short_name="kempen",
        geometry=extent,
        search_geometry=extent,
        area_km2=36,
        tiles=select_tiles(extent, 1.0),
        actor="test",
    )
