"""The running system as end-to-end tests use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import MultiPolygon, box

from deploy.local_stack.airflow import AirflowServer
from s4c_lib.airflow_api import AirflowApi
from s4c_lib.catalog import config_values, data_sources, jobs, seasons, sites
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import Job
from s4c_lib.catalog.seasons import Season
from s4c_lib.catalog.sites import Site
from s4c_lib.geography.sentinel2_tiles import select_tiles
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.settings import Settings
from s4c_lib.synchronise import synchronise
from tests.uploaded_rows import give_everything

REPOSITORY = Path(__file__).resolve().parents[2]
ACTOR = "end to end test"
EXTENT = MultiPolygon([box(4.55, 50.60, 4.80, 50.80)])
PAST = SeasonDates(date(2025, 3, 1), date(2025, 6, 15), date(2025, 10, 31))


@dataclass
class Stack:
    """The running system and the folders it works in."""

    airflow: AirflowServer
    api: AirflowApi
    database: Database
    settings: Settings
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def synchronise(self) -> None:
        outcome = synchronise(self.database, self.settings, today=datetime.now(UTC).date())
        assert outcome.pools >= 3, outcome.messages

    def add_season(
        self,
        name: str,
        dates: SeasonDates,
        *,
        archive: Path,
        mode: str = "symlink",
        processors: tuple[str, ...] = ("s4c_l4c",),
        interval_days: int | None = None,
    ) -> tuple[Site, Season]:
        """Make a site of its own with one enabled season and a local archive, and enable it.

        The archive's half-copied products are given up at the first failure: runs need not wait for them.
        """
        with self.database.begin() as connection:
            tiles = select_tiles(EXTENT, 1.0)
            site = sites.add_site(
                connection,
                name=name,
                short_name=name,
                geometry=EXTENT,
                search_geometry=EXTENT,
                area_km2=400,
                tiles=tiles,
                actor=ACTOR,
            )
            season, _ = seasons.add_season(
                connection, site, name="season", dates=dates, actor=ACTOR, processors=processors
            )
            data_sources.add_source(
                connection,
                name=f"{name}_archive",
                satellites=["s1", "s2", "l8"],
                driver="local",
                fetch_mode=mode,
                local_root=archive,
                site=site,
            )
            data_sources.set_source(connection, f"{name}_archive", {"max_retries": 0})
            # rule R4: an L4 run waits for what users give
            give_everything(connection, season, self.folder / "declarations" / name)
            if interval_days is not None:
                config_values.set_value(connection, "ingest.interval_days", interval_days, actor=ACTOR, site=site)
            site = sites.set_enabled(connection, site, True)
        self.synchronise()
        return site, season

    def wait_for_dag(self, dag_id: str) -> dict[str, Any]:
        """Wait until Airflow knows a DAG: no service is restarted for it."""
        until(lambda: dag_id in self.api.dag_ids(), f"{dag_id} appears", seconds=60)
        return self.api.dag(dag_id)

    def jobs_of(self, season: Season, processor: str) -> list[Job]:
        with self.database.begin() as connection:
            return jobs.list_jobs(connection, season_id=season.id, processor=processor)

    def job_of(self, run_id: str) -> Job | None:
        with self.database.begin() as connection:
            return next((job for job in jobs.list_jobs(connection) if job.airflow_run_id == run_id), None)

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = 120) -> str:
        until(lambda: self.api.run_state(dag_id, run_id) in {"success", "failed"}, f"run {run_id} ends", seconds)
        return str(self.api.run_state(dag_id, run_id))

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        found = self.api.request("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {item["task_id"]: item["state"] for item in found["task_instances"]}


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for something that must happen; fail with its name when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.7)
