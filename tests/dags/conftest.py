"""Airflow's environment for tests that build DAGs: its own home, our folders, a manifest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s4c_lib.manifest import DagEntry, Manifest, write_manifest

REPOSITORY = Path(__file__).resolve().parents[2]


def entries(site: str, season: str = "2025", *, enabled: bool = True, phase: str = "past") -> tuple[DagEntry, ...]:
    """Return the four DAGs of a season."""
    common: dict[str, Any] = {
        "site": site,
        "site_name": site.title(),
        "season": season,
        "season_name": season,
        "start": f"{season}-03-01",
        "end": f"{season}-10-31",
        "phase": phase,
        "enabled": enabled,
    }
    dates = tuple(f"{season}-{month:02d}-28" for month in range(4, 11))
    products = {"s4c_l4a": "l4a_crop_type", "s4c_l4b": "l4b_mowing", "s4c_l4c": "l4c_practices"}
    return (
        DagEntry(
            dag_id=f"{site}__{season}__ingest",
            processor="ingest",
            schedule="every 60 days",
            interval=(f"{season}-02-17", f"{season}-12-01", 60),
            sources=("archive",),
            **common,
        ),
        *(
            DagEntry(
                dag_id=f"{site}__{season}__{name}",
                processor=processor,
                schedule="monthly on day 28",
                dates=dates,
                **common,
            )
            for processor, name in products.items()
        ),
    )


def declarations_of(site: str, *, enabled: bool = True) -> DagEntry:
    """Return the DAG of a site's declarations."""
    return DagEntry(
        dag_id=f"{site}__declarations",
        processor="lpis",
        site=site,
        site_name=site.title(),
        season="",
        season_name="",
        start="",
        end="",
        phase="",
        enabled=enabled,
        schedule="by hand",
    )


def manifest_of(*found: DagEntry) -> Manifest:
    return Manifest(dags=found, pools={"cpu": 2, "memory": 1, "db_write": 2, "s1": 1, "ds_archive": 2})


@pytest.fixture
def airflow_environment(tmp_path: Path) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "S4C_"))},
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:9/nowhere",
        "S4C_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nowhere",
        "S4C_MANIFEST_PATH": str(tmp_path / "dag_manifest.json"),
    }


Build = Callable[..., dict[str, Any]]


@pytest.fixture
def build(airflow_environment: dict[str, str]) -> Build:
    """Build and serialise the DAGs of a manifest in a process of their own."""

    def run(manifest: Manifest | None, *arguments: str, **variables: str) -> dict[str, Any]:
        if manifest is not None:
            write_manifest(Path(airflow_environment["S4C_MANIFEST_PATH"]), manifest)
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "build_and_serialise.py"), *arguments],
            env={**airflow_environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert answer.returncode == 0, answer.stderr[-3000:]
        found: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
        return found

    return run


RunDags = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_dags(database_url: str, tmp_path: Path, airflow_environment: dict[str, str]) -> RunDags:
    """Run DAGs of a manifest as Airflow's ``dag.test()`` does; returns the states of the runs and of their tasks.

    Each run is given as `run_season_dag.py` takes it. What it said is added to ``dags.log`` in the test's folder.
    """
    environment = {
        **airflow_environment,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW_CONN_S4C_DB": database_url,
        "PYTHONPATH": str(REPOSITORY / "plugins"),
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment, check=True, capture_output=True, timeout=300)

    def run(manifest: Manifest, *asked: dict[str, Any]) -> list[dict[str, Any]]:
        write_manifest(Path(airflow_environment["S4C_MANIFEST_PATH"]), manifest)
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "run_season_dag.py"), *map(json.dumps, asked)],
            env=environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=400,
        )
        with (tmp_path / "dags.log").open("a") as log:
            log.write(answer.stdout + answer.stderr)
        assert answer.returncode == 0, answer.stderr[-3000:]
        print(answer.stderr[-2000:])  # shown when a test fails
        found: list[dict[str, Any]] = json.loads(answer.stdout.strip().splitlines()[-1])
        return found

    return run
