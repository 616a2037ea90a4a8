"""A season in which a crop is harvested in the week of 15 July, as in the base case of the L4C specification."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from derived_rows import TYPES, make_product, optical, put_statistics, settle
from domain_rows import make_acquisition
from sqlalchemy import Connection, text
from uploaded_rows import ACTOR, give_everything

from s4c_lib.catalog.auxdata import Kind
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import get_site
from s4c_lib.parcels.l4c_presets import preset_text
from s4c_lib.uploads.tables import TableParameters, import_table

NDVI = {
    "05-10": 0.40, "05-25": 0.65, "06-10": 0.78, "06-25": 0.76, "07-05": 0.60, "07-20": 0.25, "08-05": 0.21,
    "08-20": 0.20,
}  # fmt: skip
FIRST_PASS = datetime(2024, 5, 6, 17, tzinfo=UTC)
PASSES = 20
HARVEST = datetime(2024, 7, 15, tzinfo=UTC)
NOW = datetime(2025, 2, 1, 8, tzinfo=UTC)
"""After the season."""


def observe(connection: Connection, season: Season, folder: Path) -> None:
    """Put products and statistics of parcels 1, 2, 3 in force; backscatter in dB of sigma0."""
    for day, value in NDVI.items():
        sensed = datetime.fromisoformat(f"2024-{day}T10:36:00+00:00")
        optical(connection, season, day, sensed=sensed, value=value, variables=("ndvi",), folder=folder)
    for number in range(PASSES):
        sensed = FIRST_PASS + timedelta(days=6 * number)
        bare = sensed >= HARVEST
        _radar(connection, season, "s1_amp", sensed, {"vv": -24.0, "vh": -42.0 if bare else -38.0}, folder)
        _radar(connection, season, "s1_cohe", sensed, {"coherence_vv": 0.62 if bare else 0.25}, folder)


def fill_practices(connection: Connection, season: Season, folder: Path) -> None:
    """Declarations, and series of three of their parcels; the fourth was never seen."""
    give_everything(connection, season, folder / "declarations")
    settle(connection, season, NOW)
    observe(connection, season, folder / "p")


def _radar(
    connection: Connection, season: Season, kind: str, sensed: datetime, values: dict[str, float], folder: Path
) -> None:
    site = get_site(connection, season.site)
    name = f"{kind}_{sensed:%m%d}"
    number = make_acquisition(
        connection, site, name, state="processed", satellite="s1", sensed=sensed, polarisation="VV"
    )
    connection.execute(text("UPDATE s4c.acquisition SET kind = :kind WHERE id = :id"), {"kind": kind, "id": number})
    product = make_product(connection, season, name, TYPES[kind], sensed=sensed, acquisition=number, satellite="s1")
    for variable, value in values.items():
        put_statistics(connection, season, product, [variable], folder=folder, sensed=sensed, value=value)


def give_table(database: Database, season: Season, kind: Kind, content: str, practices: Sequence[str] = ()) -> None:
    """Import a table as a user does."""
    with database.begin() as connection:
        site = get_site(connection, season.site)
    parameters = TableParameters(country="NLD", practices=tuple(practices))
    outcome = import_table(
        database, site, kind, season.year, content.encode(), parameters=parameters, actor=ACTOR, name=f"{kind}.csv"
    )
    assert outcome.changed, outcome.report


def configure(database: Database, season: Season, *practices: str) -> None:
    """Put the Dutch configuration in force, for some practices."""
    give_table(database, season, Kind.L4C_CONFIG, preset_text("NLD"), practices)
