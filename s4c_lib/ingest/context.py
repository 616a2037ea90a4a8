"""What every ingest step needs to know of its season."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import snapshot as resolve_snapshot
from s4c_lib.catalog.data_sources import DataSource, sources_for
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job, get_job
from s4c_lib.catalog.readiness import look_back_days
from s4c_lib.catalog.seasons import Season, season_by_id
from s4c_lib.catalog.sites import Site, get_site, site_tiles
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.parameters import Snapshot
from s4c_lib.scheduling.dates import midnight
from s4c_lib.scheduling.query_windows import Window, span, windows

SOFTWARE_VERSION = importlib.metadata.version("sen4cap-airflow")


@dataclass(frozen=True, slots=True)
class IngestContext:
    """A season with its parameters, tiles and sources, read once per step.

    Attributes
    ----------
    before : only windows that start before this day (the end of the run's interval); None for all.
    satellites : those enabled for the site, each with its sources by priority.
    """

    site: Site
    season: Season
    parameters: Snapshot
    tiles: frozenset[str]
    sources: dict[str, tuple[DataSource, ...]]
    before: date | None

    @property
    def satellites(self) -> tuple[str, ...]:
        """Satellites searched and fetched, ``s1``, ``s2``, ``l8``."""
        return tuple(self.sources)

    def fetched_from(self) -> tuple[int, ...]:
        """Return the numbers of the data sources that can be fetched from, by priority for each satellite."""
        return tuple(item.id for found in self.sources.values() for item in found if item.can_download)

    def span(self, satellite: str) -> Window:
        """Return the sensing dates the season needs of a satellite."""
        return span(
            satellite,
            self.season.dates,
            start_offset_months=int(self.parameters["downloader.start.offset"]),
            s1_offset_days=look_back_days("s1", self.parameters),
        )

    def windows(self, satellite: str) -> list[Window]:
        """Return the query windows of a satellite, oldest first."""
        return windows(self.span(satellite), int(self.parameters["downloader.window.days"]))

    def sensing_range(self) -> tuple[datetime, datetime]:
        """Return [first, after last) of the sensing times the season needs."""
        spans = [self.span(satellite) for satellite in self.satellites] or [self.span("s2")]
        first = min(item.date_from for item in spans)
        last = max(item.date_to for item in spans)
        return midnight(first), midnight(last + timedelta(days=1))


def is_served(connection: Connection, context: IngestContext) -> bool:
    """Tell whether the season and its site are enabled now: a run that began before ends what it has, and no more."""
    statement = text(
        "SELECT s.enabled AND t.enabled FROM s4c.season s JOIN s4c.site t ON t.id = s.site_id WHERE s.id = :id"
    )
    return bool(connection.execute(statement, {"id": context.season.id}).scalar_one_or_none())


def load_context(
    database: Database, season_id: int, *, today: date, before: date | None = None, job_id: int | None = None
) -> IngestContext:
    """Read a season's context from the database.

    Parameters
    ----------
    job_id : job whose own parameter values count; its ``satellites`` parameter restricts the satellites.
    """
    with database.begin() as connection:
        season = season_by_id(connection, season_id)
        site = get_site(connection, season.site)
        job: Job | None = None if job_id is None else get_job(connection, job_id)
        values = {} if job is None else job.params.get("settings", {})
        parameters = resolve_snapshot(connection, today=today, site=site, season=season, job_values=values)
        chosen = SEARCHED_SATELLITES if job is None else tuple(job.params.get("satellites") or SEARCHED_SATELLITES)
        sources = {
            satellite: tuple(sources_for(connection, site.id, satellite))
            for satellite in SEARCHED_SATELLITES
            if satellite in chosen
            and parameters["downloader.enabled"]
            and parameters[f"{satellite}.enabled"]
            and parameters[f"downloader.{satellite}.enabled"]
        }
        tiles = frozenset(tile.tile for tile in site_tiles(connection, site.id) if tile.selected)
    # A satellite nobody serves is not searched; `s4c doctor` and readiness say so.
    served = {satellite: found for satellite, found in sources.items() if found}
    return IngestContext(site, season, parameters, tiles, served, before)


def context_of_job(database: Database, job_id: int, *, today: date) -> IngestContext:
    """Read the context of an ingest job: its season, its own parameter values, its interval."""
    with database.begin() as connection:
        job = get_job(connection, job_id)
    occurrence = job.params.get("occurrence")
    before = None if occurrence is None else date.fromisoformat(occurrence)
    return load_context(database, job.season_id, today=today, before=before, job_id=job_id)
