"""The manifest of a database, and what synchronising does with and without Airflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from domain_rows import make_enabled, make_job, make_season, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import data_sources, jobs, seasons, sites
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import JobState
from s4c_lib.catalog.manifest_export import build_manifest
from s4c_lib.errors import DatabaseUnavailableError
from s4c_lib.manifest import DagEntry, Manifest, read_manifest
from s4c_lib.processors import L4_PROCESSORS
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.settings import Settings
from s4c_lib.synchronise import synchronise

TODAY = date(2024, 6, 10)
NEXT = SeasonDates(date(2025, 3, 1), date(2025, 5, 1), date(2025, 9, 30))


def nobody(_dag: str) -> bool:
    return False


def build(connection: Connection, today: date = TODAY, active: Callable[[str], bool] = nobody) -> dict[str, DagEntry]:
    return {entry.dag_id: entry for entry in build_manifest(connection, today=today, has_active_runs=active).dags}


def test_each_season_has_its_dags(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_source(connection, name="own", site=site)
    make_source(connection, name="wide")
    entries = build(connection)
    assert entries.keys() >= {
        "alpha__2024__ingest",
        "alpha__2024__l4a_crop_type",
        "alpha__2024__l4b_mowing",
        "alpha__2024__l4c_practices",
        "alpha__declarations",
    }
    assert len(entries) == len(L4_PROCESSORS) + 2
    declarations = entries["alpha__declarations"]
    assert (declarations.season, declarations.enabled, declarations.schedule) == ("", True, "by hand")
    ingest = entries["alpha__2024__ingest"]
    assert (ingest.phase, ingest.enabled, ingest.schedule, ingest.sources) == (
        "current",
        True,
        "daily",
        ("own", "wide"),
    )
    # radar from 12 days before the season; served until one month after it
    assert ingest.interval == ("2024-02-18", "2024-10-31", 1)
    l4c = entries["alpha__2024__l4c_practices"]
    assert (l4c.dates[0], l4c.dates[-1], l4c.interval) == ("2024-04-05", "2024-10-25", None)
    assert l4c.schedule == "every 7 days from 2024-03-08"
    seasons.set_processor(connection, season, "s4c_l4b", enabled=False)
    assert "alpha__2024__l4b_mowing" not in build(connection)


def test_a_source_switched_off_keeps_its_tasks(connection: Connection) -> None:
    """A DAG that changes its shape loses the history of its tasks."""
    make_enabled(connection)
    make_source(connection)
    before = build(connection)["alpha__2024__ingest"]
    data_sources.set_source(connection, "archive", {"enabled": False})
    assert build(connection)["alpha__2024__ingest"] == before
    assert before.sources == ("archive",)


def test_pools_are_those_of_the_parameters_and_sources(connection: Connection) -> None:
    make_enabled(connection)
    make_source(connection, name="archive")
    set_value(connection, "pools.cpu", 7, actor="x")
    set_value(connection, "sync.interval_minutes", 3, actor="x")
    manifest = build_manifest(connection, today=TODAY, has_active_runs=nobody)
    assert manifest.pools == {"cpu": 7, "memory": 1, "db_write": 2, "s1": 1, "ds_archive": 2}
    assert manifest.sync_minutes == 3


@pytest.mark.parametrize(
    ("today", "phase", "days"),
    [
        ("2024-02-01", "future", 1),
        ("2024-06-10", "current", 1),
        ("2024-10-30", "current", 1),
        ("2024-10-31", "past", 60),
    ],
)
def test_the_phase_is_written_not_guessed_later(connection: Connection, today: str, phase: str, days: int) -> None:
    make_enabled(connection)
    entries = build(connection, date.fromisoformat(today))
    assert {entry.phase for entry in entries.values() if entry.season} == {phase}
    interval = entries["alpha__2024__ingest"].interval
    assert interval is not None
    assert interval[2] == days


def test_a_disabled_season_stays_while_a_run_is_active(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_season(connection, site, "2025", NEXT)
    seasons.set_enabled(connection, season, False)
    assert {entry.season for entry in build(connection).values()} == {"2025", ""}
    # Airflow knows a run
    entries = build(connection, active={"alpha__2024__l4a_crop_type"}.__contains__)
    kept = [entry for entry in entries.values() if entry.season == "2024"]
    assert [(entry.dag_id, entry.enabled) for entry in kept] == [("alpha__2024__l4a_crop_type", False)]
    # the database knows a run of Airflow's
    job = make_job(connection, season, "run", processor="s4c_l4b")
    connection.execute(text("UPDATE s4c.job SET airflow_dag_id = 'd', airflow_run_id = 'r'"))
    assert "alpha__2024__l4b_mowing" in build(connection)
    jobs.finish(connection, job.id, JobState.SUCCEEDED)
    assert "alpha__2024__l4b_mowing" not in build(connection)


def test_a_disabled_site_has_no_schedule(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    sites.set_enabled(connection, site, False)
    assert build(connection) == {}
    assert {entry.enabled for entry in build(connection, active=lambda _: True).values()} == {False}


def test_the_manifest_of_the_same_database_is_the_same(connection: Connection) -> None:
    for name in ("Beta", "Alpha"):
        site, _ = make_enabled(connection, name)
        make_season(connection, site, "2025", NEXT)
    first = build_manifest(connection, today=TODAY, has_active_runs=nobody)
    assert first.to_json() == build_manifest(connection, today=TODAY, has_active_runs=nobody).to_json()
    assert len(first.dags) == 2 * (2 * (len(L4_PROCESSORS) + 1) + 1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("S4C_AIRFLOW_URL", "S4C_AIRFLOW_USERNAME", "S4C_AIRFLOW_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return Settings(manifest_path=tmp_path / "m.json")


def test_without_airflow_the_manifest_is_written_all_the_same(database: Database, settings: Settings) -> None:
    with database.begin() as connection:
        site, season = make_enabled(connection)
        make_season(connection, site, "2025", NEXT)
    outcome = synchronise(database, settings, today=TODAY)
    assert (outcome.dags, outcome.changed, outcome.pools) == (2 * (len(L4_PROCESSORS) + 1) + 1, True, 0)
    assert "Airflow was not asked" in outcome.messages[0]
    assert not synchronise(database, settings, today=TODAY).changed
    # nobody can say whether runs are active: the DAGs of a disabled season stay until somebody can
    with database.begin() as connection:
        seasons.set_enabled(connection, season, False)
    assert synchronise(database, settings, today=TODAY).dags == 2 * (len(L4_PROCESSORS) + 1) + 1
    found = {entry.dag_id: entry.enabled for entry in read_manifest(settings.manifest_path).dags}
    assert sum(found.values()) == len(L4_PROCESSORS) + 2
    # a season disabled before anything was written leaves nothing
    settings.manifest_path.unlink()
    settings.manifest_path.with_name("m.last_good.json").unlink()
    assert synchronise(database, settings, today=TODAY).dags == len(L4_PROCESSORS) + 2


def test_airflow_that_does_not_answer_is_named(database: Database, tmp_path: Path) -> None:
    settings = Settings(
        manifest_path=tmp_path / "m.json",
        airflow_url="http://127.0.0.1:1",
        airflow_username="admin",
        airflow_password="secret",  # type: ignore[arg-type]
    )
    outcome = synchronise(database, settings, today=TODAY)
    assert "127.0.0.1:1 does not answer" in outcome.messages[0]
    assert read_manifest(settings.manifest_path).pools["cpu"] == 2


def test_a_damaged_manifest_is_replaced(database: Database, settings: Settings) -> None:
    for name in ("m.json", "m.last_good.json"):
        settings.manifest_path.with_name(name).write_bytes(b"\xff\xfe")
    outcome = synchronise(database, settings, today=TODAY)
    assert outcome.changed
    assert read_manifest(settings.manifest_path).dags == ()


def test_without_the_database_the_manifest_stays(database: Database, settings: Settings) -> None:
    with database.begin() as connection:
        make_enabled(connection)
    synchronise(database, settings, today=TODAY)
    before = settings.manifest_path.read_bytes()
    away = Database("postgresql://s4c:x@127.0.0.1:1/s4c")
    with pytest.raises(DatabaseUnavailableError):
        synchronise(away, settings, today=TODAY)
    away.engine.dispose()
    assert settings.manifest_path.read_bytes() == before
    assert read_manifest(settings.manifest_path) != Manifest()
