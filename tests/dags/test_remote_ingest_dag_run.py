"""The ingest DAG on remote sources: a season through a storm, with products on tape, run by Airflow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from derived_season import NewDerived, new_derived, season_files
from hub_season import (
    CONNECTION,
    CONNECTIONS,
    PASSWORD,
    SESSIONS,
    assert_all_is_there,
    assert_nothing_secret,
    database_text,
    from_hub,
    put_on_tape,
    settled,
)

from s4c_lib.catalog import jobs
from s4c_lib.manifest import Manifest
from s4c_lib.synthetic.hub import Hub, HubLimits
from tests.dags.conftest import RunDags, entries

__all__ = ["new_derived", "season_files"]

DAG_ID = "alpha__2021__ingest"
# Those that a run meets without being asked to wait: a deferral takes ten seconds each.
STORM = ["truncated", "flipped_bytes", "reset", "unauthorized_midway"]
TIME_PASSES = [
    "UPDATE s4c.query_window SET next_attempt_at = NULL",
    "UPDATE s4c.acquisition SET next_attempt_at = NULL WHERE state = 'failed'",
    "UPDATE s4c.source_state SET open_until = now() WHERE open_until > now()",
]
# The first run waits for nothing: what lies on tape is left to the next.
WAITS = ["DELETE FROM s4c.config_value WHERE key = 'staging.wait_hours'"]
RUNS = [
    {"dag": DAG_ID, "logical_date": f"2022-02-{day:02d}", "conf": {}, "log": True, "sql": TIME_PASSES + waits}
    for day, waits in zip(range(2, 6), ([], WAITS, [], []), strict=True)
]


@pytest.fixture
def airflow_environment(airflow_environment: dict[str, str]) -> dict[str, str]:
    """With the account, as an operator gives it to Airflow."""
    return {**airflow_environment, f"AIRFLOW_CONN_{CONNECTION.upper()}": f"generic://user:{PASSWORD}@"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_season_arrives_whole_through_a_storm(
    new_derived: NewDerived, season_files: Path, tmp_path: Path, run_dags: RunDags
) -> None:
    """Through eodag and through sentinelsat; what lies on tape is waited for without a slot."""
    # logins and logouts whose answers the storm broke off end by themselves, as they do between two runs
    limits = HubLimits(connection_limit=2 * CONNECTIONS, session_limit=SESSIONS, access_seconds=2, refresh_seconds=3)
    archive = season_files / "archive"
    entry = replace(
        entries("alpha", "2021")[0], interval=("2021-05-20", "2022-02-01", 60), sources=("hub_s1", "hub_s2")
    )
    manifest = Manifest(
        dags=(entry,), pools={"cpu": 2, "memory": 1, "db_write": 2, "s1": 1, "ds_hub_s1": 2, "ds_hub_s2": 2}
    )
    with Hub(archive, seed=7, accounts={"user": PASSWORD}, cache=tmp_path / "hub", limits=limits) as hub:
        season = new_derived(archive)
        from_hub(season, hub, {"s1": "dhus", "s2": "eodag"})
        season.set("downloader.retry_interval_minutes", 0)
        season.set("staging.poll_seconds", 1)
        season.set("staging.wait_hours", 0)
        put_on_tape(hub, polls=2)
        hub.faults.storm(0.3, kinds=STORM)
        run_dags(manifest, *RUNS[:2])
        assert hub.ledger()["failed_share"] >= 0.2
        # it ends, as storms do: what is left is not a matter of luck
        hub.faults.storm(0)
        run_dags(manifest, *RUNS[2:])
        assert settled(season), season.acquisitions()
        assert_all_is_there(season, hub, until=datetime.now(UTC).date())
    log = (tmp_path / "dags.log").read_text()
    assert "left to a later run, as staging.wait_hours is over" in log
    assert "Waiting without a slot" in log
    assert "acquisitions of the season" in log, "the ledger"
    assert_nothing_secret(log, database_text(season))
    with season.database.begin() as connection:
        counts = [job.counts for job in jobs.list_jobs(connection, season_id=season.season.id)]
    assert sum(one.get("fetched", 0) for one in counts) == len(season.acquisitions())
