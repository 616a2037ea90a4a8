"""The ingest DAG, run by Airflow on a few products: from the archive to parcel statistics, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from derived_season import CLEAR_DAYS, L3B, NewDerived, new_derived, part_of, products_in, season_files

from s4c_lib.catalog import jobs
from s4c_lib.catalog.jobs import Job
from s4c_lib.manifest import Manifest
from tests.dags.conftest import RunDags, entries
from tests.ingest.test_derived_faults import constant_band

__all__ = ["new_derived", "season_files"]

DAG_ID = "alpha__2021__ingest"
STEPS = ("preprocess", "vegetation", "statistics")

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(run_dags: RunDags) -> Ask:
    """Run the ingest DAG of alpha some times; returns the states of the runs and of their tasks."""
    entry = replace(
        entries("alpha", "2021")[0], interval=("2021-05-20", "2022-02-01", 60), sources=("archive_of_alpha",)
    )
    manifest = Manifest(dags=(entry,), pools={"cpu": 2, "memory": 1, "db_write": 2, "s1": 1, "ds_archive_of_alpha": 2})

    def run(*runs: dict[str, Any]) -> list[dict[str, Any]]:
        days = ({"dag": DAG_ID, "logical_date": f"2022-02-{day:02d}", "conf": {}} for day in range(2, 2 + len(runs)))
        return run_dags(manifest, *({**day, **one} for day, one in zip(days, runs, strict=True)))

    return run


@pytest.mark.slow
def test_a_bad_product_fails_no_run_and_a_full_disk_fails_it_but_not_what_there_is(
    new_derived: NewDerived, season_files: Path, tmp_path: Path, ask: Ask
) -> None:
    """A run with a bad product ends well, with a count. One whose disk is full fails, and the next one goes on from
    there although the steps before have nothing left to do."""
    archive = part_of(season_files / "archive", tmp_path / "archive", ["_MSIL2A_"], CLEAR_DAYS)
    constant_band(*products_in(archive, "_MSIL2A_", CLEAR_DAYS[:1]))
    season = new_derived(archive)
    season.set("processor.s4c_l4a.mode", "s1-only")
    full, partly, nothing = ask({"full_disk": "statistics"}, {}, {})
    assert full["run"] == "failed"
    assert [full["tasks"][step] for step in STEPS] == ["success", "success", "failed"]
    assert partly["run"] == "success", partly
    assert [partly["tasks"][step] for step in STEPS] == ["skipped", "skipped", "success"], partly
    assert {*nothing["tasks"].values()} == {"skipped"}, "no work: not one task takes a worker"
    assert {item.variable for item in season.markers()} == {*L3B}
    assert len(season.products("l2a")) == 1
    with season.database.begin() as connection:
        first, second, third = sorted(jobs.list_jobs(connection, season_id=season.season.id), key=_number)
    assert [(str(job.state), job.reason) for job in (first, second, third)] == [
        ("failed", "task_failed"), ("succeeded", None), ("skipped", "no_work"),
    ]  # fmt: skip
    assert (first.counts["l2a"], first.counts["l2a_failed"], first.counts["l3b"]) == (1, 1, 1)
    assert second.counts["statistics"] == 1


def _number(job: Job) -> int:
    return job.id
