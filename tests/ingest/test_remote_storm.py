"""A whole synthetic season through a storm of faults and killed workers: nothing is lost, nothing is had twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from derived_season import NOW, Derived, NewDerived, new_derived, season_files
from hub_season import (
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

from s4c_lib.ingest.remote import Access
from s4c_lib.ingest.steps import run_all
from s4c_lib.sources.credentials import Credentials
from s4c_lib.synthetic.hub import Hub, HubLimits

__all__ = ["new_derived", "season_files"]

# What fails is due again after that, circuits are closed by then, and the leases of the dead have run out.
PAUSE = timedelta(hours=13)
STORMY_RUNS, CALM_RUNS = 12, 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_season_arrives_whole_through_a_storm_and_killed_workers(
    new_derived: NewDerived,
    season_files: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A quarter of all requests fail; twice two workers are killed while they work side by side."""
    caplog.set_level("DEBUG")
    # what killed workers and lost logouts leave behind ends by itself, as it does in the 13 h between two runs
    limits = HubLimits(connection_limit=2 * CONNECTIONS, session_limit=SESSIONS, access_seconds=2, refresh_seconds=3)
    archive = season_files / "archive"
    with Hub(archive, seed=5, accounts={"user": PASSWORD}, cache=tmp_path / "hub", limits=limits) as hub:
        season = new_derived(archive)
        from_hub(season, hub, {"s1": "eodag", "s2": "dhus"})
        put_on_tape(hub, polls=2)
        hub.faults.storm(0.25, retry_after=1)
        chance = random.Random(11)
        logs: list[str] = []
        now = NOW
        for _ in range(2):
            logs += killed_workers(season, hub, now, after_requests=chance.randint(10, 30))
            now += PAUSE
        access = Access(lambda _: Credentials("user", PASSWORD))
        for run in range(STORMY_RUNS + CALM_RUNS):
            if run == STORMY_RUNS:
                assert hub.ledger()["failed_share"] >= 0.2
                # it ends, as storms do: what is left is not a matter of luck
                hub.faults.storm(0)
            if settled(season):
                break
            wait_for_sessions_to_end(hub)
            moment = now
            run_all(season.database, season.context(now), owner="worker", clock=lambda: moment, access=access)  # noqa: B023
            now += PAUSE
        assert settled(season), season.acquisitions()
        assert_all_is_there(season, hub, until=now.date())
        out, err = capfd.readouterr()
        assert_nothing_secret(*logs, out, err, caplog.text, database_text(season))


def wait_for_sessions_to_end(hub: Hub) -> None:
    """Logins whose answer the storm broke off end by themselves within seconds; between two runs lie hours."""
    deadline = time.monotonic() + 60
    while hub.ledger()["open_sessions"] and time.monotonic() < deadline:
        time.sleep(0.05)


def killed_workers(season: Derived, hub: Hub, now: datetime, *, after_requests: int) -> list[str]:
    """Run two ingests in processes of their own and kill both after so many requests; returns what they said."""
    command = [
        sys.executable,
        str(Path(__file__).parent / "storm_worker.py"),
        season.database.url,
        str(season.season.id),
        now.isoformat(),
    ]
    workers = [
        subprocess.Popen(
            command,
            env={**os.environ, "HUB_PASSWORD": PASSWORD},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    enough = len(hub.requests) + after_requests
    with ThreadPoolExecutor(2) as readers:
        said = [readers.submit(worker.communicate) for worker in workers]
        while not all(one.done() for one in said) and len(hub.requests) < enough:
            time.sleep(0.01)
        for worker in workers:
            worker.kill()
        texts = [one.result()[0] for one in said]
    for worker, text in zip(workers, texts, strict=True):
        assert worker.returncode in {0, -9}, text[-3000:]
    return texts
