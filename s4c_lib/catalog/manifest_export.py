"""From the database to the DAG manifest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.data_sources import list_sources, sources_for
from s4c_lib.catalog.readiness import look_back_days
from s4c_lib.catalog.seasons import Season, list_seasons, season_processors
from s4c_lib.catalog.sites import Site, list_sites
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
from s4c_lib.manifest import DagEntry, Manifest
from s4c_lib.notices.wishes import read_wishes
from s4c_lib.parameters import Snapshot
from s4c_lib.processors import PROCESSORS
from s4c_lib.scheduling.query_windows import span
from s4c_lib.scheduling.schedules import runs

DAG_NAMES = {name: one.dag_name for name, one in PROCESSORS.items()} | {"ingest": "ingest"}


def dag_id(site: str, season: str, processor: str) -> str:
    """Return the name of a processor's DAG: ``<site>__<season>__<what it makes>``."""
    return f"{site}__{season}__{DAG_NAMES[processor]}"


def declarations_dag_id(site: str) -> str:
    """Return the name of the DAG that imports a site's declarations: ``<site>__declarations``."""
    return f"{site}__declarations"


def build_manifest(connection: Connection, *, today: date, has_active_runs: Callable[[str], bool]) -> Manifest:
    """Return the manifest of what the database says.

    Parameters
    ----------
    has_active_runs : tells whether Airflow still has a queued or running run of a DAG. A disabled season or site
        keeps its DAGs, without schedule, as long as one has (a DAG removed in mid-run leaves its run hanging).
    """
    settings = snapshot(connection, today=today)
    entries: list[DagEntry] = []
    open_jobs = _open_jobs(connection)
    sites = {site.id: site for site in list_sites(connection)}
    for season in list_seasons(connection):
        for entry in _season_entries(connection, sites[season.site_id], season, today):
            active = (season.id, entry.processor) in open_jobs
            if entry.enabled or active or has_active_runs(entry.dag_id):
                entries.append(entry)
    for site in sites.values():
        entry = _declarations_entry(site)
        if entry.enabled or has_active_runs(entry.dag_id):
            entries.append(entry)
    pools = {"cpu": int(settings["pools.cpu"]), "memory": int(settings["pools.memory"])}
    pools |= {"db_write": int(settings["pools.db_write"]), "s1": int(settings["pools.s1"])}
    for source in list_sources(connection):
        pools[source.pool] = max(pools.get(source.pool, 0), source.max_connections)
    return Manifest(
        dags=tuple(entries),
        pools=pools,
        sync_minutes=int(settings["sync.interval_minutes"]),
        notifies=read_wishes(connection, today=today).enabled,
    )


def _declarations_entry(site: Site) -> DagEntry:
    return DagEntry(
        dag_id=declarations_dag_id(site.short_name),
        processor="lpis",
        site=site.short_name,
        site_name=site.name,
        season="",
        season_name="",
        start="",
        end="",
        phase="",
        enabled=site.enabled,
        schedule="by hand",
    )


def _open_jobs(connection: Connection) -> set[tuple[int, str]]:
    statement = text(
        """
        SELECT DISTINCT j.season_id, p.short_name FROM s4c.job j JOIN s4c.processor p ON p.id = j.processor_id
        WHERE j.state IN ('submitted', 'waiting_inputs', 'queued', 'running') AND j.airflow_run_id IS NOT NULL
        """
    )
    return {(row.season_id, row.short_name) for row in connection.execute(statement)}


def _season_entries(connection: Connection, site: Site, season: Season, today: date) -> list[DagEntry]:
    settings = snapshot(connection, today=today, site=site, season=season)
    grace = int(settings["schedule.grace_months"])
    phase = season.dates.phase(today, grace)
    served = site.enabled and season.enabled
    # Those switched off too: they plan nothing to fetch, and the DAG keeps its shape.
    sources = sorted(
        {
            source.name
            for satellite in SEARCHED_SATELLITES
            for source in sources_for(connection, site.id, satellite, with_disabled=True)
            if source.can_download
        }
    )
    first, after_last = ingest_interval(season, settings)
    days = int(settings["ingest.interval_days"])
    of_season = partial(
        DagEntry,
        site=site.short_name,
        site_name=site.name,
        season=season.short_name,
        season_name=season.name,
        start=season.dates.start.isoformat(),
        end=season.dates.end.isoformat(),
        phase=str(phase),
    )
    entries = [
        of_season(
            dag_id=dag_id(site.short_name, season.short_name, "ingest"),
            processor="ingest",
            enabled=served,
            schedule="daily" if days == 1 else f"every {days} days",
            interval=(first.isoformat(), after_last.isoformat(), days),
            sources=tuple(sources),
        )
    ]
    for processor in season_processors(connection, season.id):
        due = runs(processor.processor, processor.schedule, season.dates, grace)
        entries.append(
            of_season(
                dag_id=dag_id(site.short_name, season.short_name, processor.processor),
                processor=processor.processor,
                enabled=served and processor.enabled,
                schedule=processor.schedule.describe(),
                dates=tuple(day.isoformat() for day in due),
            )
        )
    return entries


def ingest_interval(season: Season, settings: Snapshot) -> tuple[date, date]:
    """Return the first day that any satellite is needed of, and the day after the last one ingest runs for."""
    first = min(_first_needed(season, satellite, settings) for satellite in SEARCHED_SATELLITES)
    return first, season.dates.horizon(int(settings["schedule.grace_months"])) + timedelta(days=1)


def _first_needed(season: Season, satellite: str, settings: Snapshot) -> date:
    return span(
        satellite,
        season.dates,
        start_offset_months=int(settings["downloader.start.offset"]),
        s1_offset_days=look_back_days("s1", settings),
    ).date_from
