"""DAGs from the manifest: which exist, that they are the same everywhere, and what parsing needs."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from s4c_lib.manifest import last_good_path
from tests.dags.conftest import Build, entries, manifest_of

GLOBAL = {"s4c__sync", "s4c__retention"}


def test_every_entry_of_the_manifest_becomes_a_dag_in_one_of_the_three_files(build: Build) -> None:
    sites = [f"site{number}" for number in range(6)]
    manifest = manifest_of(*(entry for site in sites for entry in entries(site)))
    found = build(manifest)
    assert found["import_errors"] == {}
    assert set(found["dags"]) == GLOBAL | {entry.dag_id for entry in manifest.dags}


def test_two_processes_with_other_hash_seeds_serialise_the_same_bytes(build: Build) -> None:
    manifest = manifest_of(*entries("alpha"), *entries("beta", enabled=False), *entries("gamma", phase="current"))
    first = build(manifest, PYTHONHASHSEED="1")
    second = build(manifest, PYTHONHASHSEED="4242")
    assert first["dags"] == second["dags"]


def test_parsing_needs_neither_database_nor_network_nor_heavy_imports(build: Build) -> None:
    found = build(manifest_of(*entries("alpha")), "--offline")
    assert found["import_errors"] == {}
    assert len(found["dags"]) == len(GLOBAL) + 4
    assert not {"geopandas", "rasterio", "pyogrio", "yoyo"} & set(found["ours_imported"])


def test_without_a_manifest_only_the_global_dags_exist(build: Build) -> None:
    found = build(None)
    assert set(found["dags"]) == GLOBAL
    assert found["import_errors"] == {}


def test_a_damaged_manifest_keeps_the_last_good_dags(build: Build, airflow_environment: dict[str, str]) -> None:
    path = Path(airflow_environment["S4C_MANIFEST_PATH"])
    before = build(manifest_of(*entries("alpha")))
    path.write_text(path.read_text().replace("alpha", "omega"))
    after = build(None)
    assert after["dags"] == before["dags"]
    assert after["import_errors"] == {}


def test_a_manifest_damaged_beyond_repair_is_an_import_error_that_says_what_to_do(
    build: Build, airflow_environment: dict[str, str]
) -> None:
    path = Path(airflow_environment["S4C_MANIFEST_PATH"])
    path.write_text("{")
    last_good_path(path).write_text("{")
    found = build(None)
    assert found["import_errors"]
    for text in found["import_errors"].values():
        assert "is no DAG manifest" in text


def test_a_disabled_season_keeps_its_tasks_and_loses_its_schedule(
    airflow_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from s4c_airflow.dag_factory import build as build_dag

    enabled, disabled = entries("alpha")[1], entries("alpha", enabled=False)[1]
    manifest = manifest_of(enabled)
    running, stopped = build_dag(enabled, manifest), build_dag(disabled, manifest)
    assert set(running.task_dict) == set(stopped.task_dict)
    assert running.timetable.can_be_scheduled
    assert not stopped.timetable.can_be_scheduled
    assert not running.catchup
    assert set(running.tags) == {"alpha", "2025", "s4c_l4a"}
    assert "s4c season backfill alpha 2025" in str(running.doc_md)


def test_a_form_has_at_most_six_fields_and_refuses_wrong_values() -> None:
    from airflow.sdk import ParamsDict
    from airflow.sdk.exceptions import ParamValidationError

    from s4c_airflow.forms import MOST_FIELDS, form

    for processor in ("ingest", "s4c_l4a", "s4c_l4b", "s4c_l4c"):
        fields = form(processor)
        assert len(fields) <= MOST_FIELDS
        ParamsDict(fields).validate()  # the defaults are valid
    fields = copy.deepcopy(form("s4c_l4a"))
    for wrong in ({"processor.s4c_l4a.num-trees": 100_000}, {"processor.s4c_l4a.nom-trees": 3}):
        fields["settings"].value = wrong
        with pytest.raises(ParamValidationError):
            ParamsDict(fields).validate()


def test_only_the_dag_of_a_task_is_built_when_the_task_runs(build: Build) -> None:
    wanted = "alpha__2025__l4b_mowing"
    found = build(
        manifest_of(*entries("alpha"), *entries("beta")),
        AIRFLOW__DAG_PROCESSOR__UNUSED="",
        _AIRFLOW_PARSING_CONTEXT_DAG_ID=wanted,
        _AIRFLOW_PARSING_CONTEXT_TASK_ID="open",
    )
    assert set(found["dags"]) - GLOBAL == {wanted}
