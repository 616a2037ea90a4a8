"""DAGs from the manifest: which exist, that they are the same everywhere, and what parsing needs."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from s4c_lib.manifest import last_good_path
from tests.dags.conftest import Build, entries, manifest_of

GLOBAL = {"s4c__sync", "s4c__retries", "s4c__retention"}


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
    heavy = {"geopandas", "rasterio", "pyogrio", "yoyo", "eodag", "asf_search", "sentinelsat"}
    assert not heavy & set(found["ours_imported"])


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
    assert "Due dates: 7, 2025-04-28 to 2025-10-28." in str(running.doc_md), "for Airflow's backfill form"
    assert "Due dates" not in str(stopped.doc_md), "without a schedule Airflow takes no backfill"


def test_transfers_of_a_current_season_go_before_those_of_a_past_one() -> None:
    """In one pool Airflow takes the heavier task; nothing else about the DAG's shape depends on the phase."""
    from s4c_airflow.dag_factory import build as build_dag

    weights, shapes = {}, set()
    for phase in ("current", "past"):
        entry = entries("alpha", phase=phase)[0]
        dag = build_dag(entry, manifest_of(entry))
        shapes.add(tuple(sorted(dag.task_dict)))
        weights[phase] = dag.task_dict["fetch_archive"].priority_weight
    assert weights["current"] > weights["past"]
    assert len(shapes) == 1


def test_radar_goes_on_beside_the_optical_steps_in_a_pool_of_its_own() -> None:
    from s4c_airflow.dag_factory import build as build_dag

    entry = entries("alpha")[0]
    tasks = build_dag(entry, manifest_of(entry)).task_dict
    assert tasks["radar"].pool == "s1"
    assert tasks["plan_radar"].upstream_task_ids == {"register"}
    assert tasks["radar"].upstream_task_ids == {"plan_radar"}
    assert tasks["plan_statistics"].upstream_task_ids == {"register", "vegetation", "radar"}
    assert "radar" not in tasks["plan_vegetation"].upstream_task_ids
    assert {asset.name for asset in tasks["radar"].outlets} == {
        "s4c://alpha/2025/s1_l2a_amp",
        "s4c://alpha/2025/s1_l2a_cohe",
    }


def test_a_trigger_that_waits_for_tape_tells_no_account_and_comes_back_as_it_was() -> None:
    from s4c_airflow.staged_trigger import StagedTrigger

    trigger = StagedTrigger(
        7, "hub", "s4c_db", first_check_seconds=1, poll_seconds=5, fruitless=2, until="2026-01-01T00:00:00+00:00"
    )
    path, arguments = trigger.serialize()
    assert path == f"{StagedTrigger.__module__}.StagedTrigger"
    assert StagedTrigger(**arguments).serialize() == (path, arguments)
    assert arguments["first_check_seconds"] == 10, "Airflow fails runs whose triggers fire at once"
    assert set(arguments) == {
        "job_id",
        "source",
        "connection_id",
        "first_check_seconds",
        "poll_seconds",
        "until",
        "fruitless",
    }


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
