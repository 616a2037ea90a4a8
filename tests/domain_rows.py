"""Short ways to rows of the domain database, for tests that are about something else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, data_sources, seasons, sites
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.catalog.jobs import Job, open_job
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.geography.sentinel2_tiles import TileCoverage, tile
from s4c_lib.processors import L4_PROCESSORS
from s4c_lib.scheduling.dates import SeasonDates

ACTOR = "tester"
NOW = datetime(2024, 6, 10, 8, tzinfo=UTC)
DATES = SeasonDates(date(2024, 3, 1), date(2024, 5, 1), date(2024, 9, 30))
# Meets tiles 31UFS and 31UGS; lies well inside one Sentinel-1 scene around them.
AREA = shapely.MultiPolygon([shapely.box(5.45, 50.55, 6.2, 50.75)])
# What leads from discovered to each state.
WAYS = {
    "discovered": (),
    "queued": ("queued",),
    "ignored": ("ignored",),
    "staging": ("queued", "staging"),
    "downloading": ("queued", "downloading"),
    "failed": ("queued", "downloading", "failed"),
    "aborted": ("queued", "downloading", "aborted"),
    "downloaded": ("queued", "downloading", "downloaded"),
    "processing": ("queued", "downloading", "downloaded", "processing"),
    "processed": ("queued", "downloading", "downloaded", "processing", "processed"),
    "processing_failed": ("queued", "downloading", "downloaded", "processing", "processing_failed"),
}


def make_site(connection: Connection, name: str = "Alpha", tiles: tuple[str, ...] = ("31UFS", "31UGS")) -> Site:
    return sites.add_site(
        connection,
        name=name,
        short_name=name.lower(),
        geometry=AREA,
        search_geometry=AREA,
        area_km2=1.0,
        tiles=[TileCoverage(tile(one), 500.0, selected=True, redundant=False) for one in tiles],
        actor=ACTOR,
    )


def make_season(
    connection: Connection,
    site: Site,
    name: str = "2024",
    dates: SeasonDates = DATES,
    processors: tuple[str, ...] = L4_PROCESSORS,
) -> Season:
    season, _ = seasons.add_season(connection, site, name=name, dates=dates, actor=ACTOR, processors=processors)
    return season


def make_enabled(
    connection: Connection, name: str = "Alpha", dates: SeasonDates = DATES, processors: tuple[str, ...] = L4_PROCESSORS
) -> tuple[Site, Season]:
    """A site with a season, both enabled."""
    site = make_site(connection, name)
    season = make_season(connection, site, dates=dates, processors=processors)
    return sites.set_enabled(connection, site, True), season


def make_source(
    connection: Connection,
    root: Path = Path("/archive"),
    *,
    name: str = "archive",
    satellites: tuple[str, ...] = ("s1", "s2", "l8"),
    mode: str = "copy",
    site: Site | None = None,
) -> list[DataSource]:
    return data_sources.add_source(
        connection, name=name, satellites=satellites, driver="local", fetch_mode=mode, local_root=root, site=site
    )


def make_remote(
    connection: Connection,
    name: str = "cdse",
    *,
    satellites: tuple[str, ...] = ("s2",),
    priority: int = 1,
    connections: int = 4,
    quota: dict[str, float] | None = None,
    site: Site | None = None,
) -> list[DataSource]:
    """A catalogue elsewhere; nothing asks it."""
    return data_sources.add_source(
        connection,
        name=name,
        satellites=satellites,
        driver="eodag",
        params={"provider": "cop_dataspace"},
        priority=priority,
        max_connections=connections,
        quota=quota,
        site=site,
    )


def make_acquisition(
    connection: Connection,
    site: Site,
    name: str,
    *,
    state: str = "discovered",
    satellite: str = "s2",
    sensed: datetime = datetime(2024, 5, 6, 10, 36, tzinfo=UTC),
    source: DataSource | None = None,
    tiles: tuple[str, ...] = ("31UFS",),
    **more: object,
) -> int:
    """An acquisition that a site selects, brought to a state through the state machine."""
    if source is None:
        found = [one for one in data_sources.list_sources(connection) if one.satellite == satellite]
        source = found[0] if found else make_source(connection, satellites=(satellite,))[0]
    new = acquisitions.NewAcquisition(
        satellite=satellite,
        source_product_name=name,
        kind={"s1": "s1_amp", "s2": "s2_l2a", "l8": "landsat_l2sp"}[satellite],
        platform="sentinel-2a",
        sensing_start=sensed,
        footprint=AREA,
        tiles=tiles,
        size_bytes=1000,
        **more,  # type: ignore[arg-type]
    )
    number, _ = acquisitions.discover(
        connection, new, source=source.name, address=f"/archive/{name}", data_source_id=source.id, actor=ACTOR
    )
    acquisitions.set_membership(connection, site.id, number, tiles=tiles, overlap_ratio=0.5, ignored_because=None)
    for step in WAYS[state]:
        lease = (ACTOR, NOW + timedelta(hours=1)) if step == "downloading" else None
        transition(connection, [number], AcquisitionState(step), actor=ACTOR, lease=lease)
    return number


def make_job(
    connection: Connection,
    season: Season,
    key: str,
    *,
    processor: str = "s4c_l4a",
    as_of: date = date(2024, 5, 31),
    params: Mapping[str, Any] | None = None,
) -> Job:
    return open_job(
        connection,
        season,
        processor,
        job_key=key,
        start_type="manual",
        interval_start=season.dates.start,
        as_of=as_of,
        params=params or {},
        snapshot=snapshot(connection, today=NOW.date(), season=season),
        requested_by=ACTOR,
    )


def states(connection: Connection) -> dict[str, str]:
    """State of every acquisition, by name."""
    rows = connection.execute(text("SELECT source_product_name, state FROM s4c.acquisition"))
    return {row.source_product_name: row.state for row in rows}


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM s4c.{table}")).scalar_one())
