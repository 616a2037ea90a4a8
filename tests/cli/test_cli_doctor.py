"""Doctor, database and manifest from the command line."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from s4c_lib.cli import checks
from s4c_lib.processors import PROCESSORS
from tests.cli.airflow_hub import Hub
from tests.cli.conftest import Run
from tests.conftest import DatabaseServer


def verdicts(s4c: Run, code: int, **more: str | None) -> dict[str, Any]:
    return {item["check"]: item for item in s4c("doctor", "--json", code=code, **more).json}


def test_a_system_in_order_passes_and_limits_are_named(airflow: Hub, s4c: Run, ready_season: tuple[str, str]) -> None:
    found = verdicts(s4c, 0)
    assert {item["verdict"] for item in found.values()} == {"ok", "limited"}
    for check in (
        "database",
        "PostgreSQL",
        "PostGIS",
        "schema",
        "manifest",
        "Airflow",
        "Airflow scheduler",
        "pools",
        "DAGs",
        "downloader.s2.write-dir",
        "storage.products_path",
        "source archive",
    ):
        assert found[check]["verdict"] == "ok", found[check]
    assert "no_executor" in found["Sentinel-1"]["what"]
    s4c("config", "set", "processor.l2s1.executor", "native-grd")
    radar = verdicts(s4c, 0)["Sentinel-1"]
    assert "native-grd makes backscatter; coherence is wanted" in radar["what"]
    s4c("config", "set", "processor.l2s1.compute.coherence", "false")
    assert verdicts(s4c, 0)["Sentinel-1"]["verdict"] == "ok"
    s4c("config", "set", "processor.l2s1.executor", "snap")
    assert "S4C_SNAP_PROGRAM" in verdicts(s4c, 0)["Sentinel-1"]["do"]
    # the season asks for all three products, and this release computes them
    assert not set(found) & set(PROCESSORS), found


def test_a_product_that_is_asked_for_and_not_computed_is_a_limitation(
    airflow: Hub, s4c: Run, ready_season: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(PROCESSORS["s4c_l4a"], entry_point=None)
    monkeypatch.setattr(checks, "PROCESSORS", {**PROCESSORS, "s4c_l4a": lacking})
    found = verdicts(s4c, 0)
    assert found["s4c_l4a"]["verdict"] == "limited"
    assert "does not compute" in found["s4c_l4a"]["what"]
    assert "s4c_l4b" not in found
    s4c("season", "processors", *ready_season, "--off", "l4a")
    assert "s4c_l4a" not in verdicts(s4c, 0)


def test_each_fault_is_found_with_what_to_do(
    airflow: Hub, s4c: Run, ready_season: tuple[str, str], folder: Path, environment: dict[str, str]
) -> None:
    airflow.health["scheduler"]["status"] = "unhealthy"
    airflow.pools["ds_archive"] = 7
    s4c("source", "set", "archive", "--root", folder / "gone")
    airflow.pools["cpu"] = 99
    s4c("config", "set", "storage.min_free_gb", "1000000")
    s4c("source", "set", "archive", "--mode", "copy")
    airflow.pools["cpu"] = 99
    (folder / "file").write_text("x")
    s4c("config", "set", "storage.products_path", folder / "file" / "below")
    airflow.pools["cpu"] = 99
    manifest = Path(environment["S4C_MANIFEST_PATH"])
    manifest.write_text(manifest.read_text().replace("31", "13"))
    found = verdicts(s4c, 1)
    for check, said, remedy in (
        ("Airflow scheduler", "unhealthy", "start Airflow's scheduler"),
        ("pools", "cpu", "s4c dags export"),
        ("source archive", "does not exist", "s4c source set archive --root"),
        ("downloader.s2.write-dir", "holds transfers back", "storage.min_free_gb"),
        ("storage.products_path", "is not writable", "set storage.products_path"),
        ("manifest", "checksum", "s4c dags export"),
    ):
        assert found[check]["verdict"] == "BROKEN", found[check]
        assert said in found[check]["what"], found[check]
        assert remedy in found[check]["do"], found[check]
    assert "checks failed" in s4c("doctor", code=1).err


def test_an_old_manifest_and_a_missing_source_are_found(
    airflow: Hub, s4c: Run, season: tuple[str, str], environment: dict[str, str]
) -> None:
    manifest = Path(environment["S4C_MANIFEST_PATH"])
    old = manifest.read_text()
    s4c("season", "processors", *season, "--off", "l4a")
    manifest.write_text(old)
    found = verdicts(s4c, 1)
    assert "older than the database" in found["manifest"]["what"]
    assert "has no data source" in found["site test_land"]["what"]
    manifest.unlink()
    assert "does not exist" in verdicts(s4c, 1)["manifest"]["what"]


def test_a_database_that_is_away_does_not_hide_the_rest(airflow: Hub, s4c: Run) -> None:
    found = verdicts(s4c, 1, S4C_DATABASE_URL="postgresql://user@127.0.0.1:9/s4c")
    assert found["database"]["verdict"] == "BROKEN"
    assert found["Airflow"]["verdict"] == "ok"
    assert verdicts(s4c, 1, S4C_DATABASE_URL=None)["database"]["do"].startswith("set it to postgresql://")


def test_a_fresh_database_is_migrated_and_says_so(s4c: Run, postgres: DatabaseServer) -> None:
    url = postgres.create()
    try:
        there = {"S4C_DATABASE_URL": url}
        listed = s4c("site", "list", code=1, **there)
        assert "run 's4c db migrate'" in listed.err
        assert verdicts(s4c, 1, **there)["schema"]["do"] == "run 's4c db migrate'"
        before = s4c("db", "status", "--json", **there).json
        assert before["applied"] == []
        assert "0001_sites_and_seasons" in before["pending"]
        migrated = s4c("db", "migrate", **there)
        assert "applied 0001_sites_and_seasons" in migrated.err
        assert "the schema is up to date" in migrated.out
        assert "0 migrations applied" in s4c("db", "migrate", **there).out
        assert s4c("db", "status", "--json", **there).json["pending"] == []
    finally:
        postgres.drop(url)


def test_migrate_waits_for_a_server_that_is_starting(s4c: Run, postgres: DatabaseServer) -> None:
    url = postgres.create()
    name = make_url(url).database
    postgres.drop(url)

    def create() -> None:
        time.sleep(1.0)
        connection = psycopg2.connect(postgres.url)
        connection.autocommit = True
        connection.cursor().execute(f'CREATE DATABASE "{name}"')
        connection.close()

    late = threading.Thread(target=create)
    late.start()
    try:
        answer = s4c("db", "status", "--wait", "20", S4C_DATABASE_URL=url)
        assert "waiting for" in answer.err
    finally:
        late.join()
        postgres.drop(url)
    start = time.monotonic()
    s4c("db", "status", "--wait", "0.5", code=1, S4C_DATABASE_URL=url)
    assert 0.4 < time.monotonic() - start < 10


def test_export_writes_the_manifest_while_airflow_is_away(s4c: Run, season: tuple[str, str]) -> None:
    answer = s4c("dags", "export")
    assert answer.out.startswith("5 DAGs in ")
    assert "does not answer" in answer.err
