"""The DAG of L4C as Airflow runs it: a custom job from its form, and one that has no input."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from derived_rows import settle
from domain_rows import make_enabled
from practice_season import configure, observe
from uploaded_rows import give_everything

from s4c_lib.catalog import jobs, products
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.results_l4c import read_results
from tests.dags.conftest import RunDags, entries, manifest_of


@pytest.mark.slow
def test_a_custom_job_judges_practices_and_one_without_input_is_skipped(
    database: Database, tmp_path: Path, run_dags: RunDags
) -> None:
    root = tmp_path / "products"
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, tmp_path / "declarations")
        settle(connection, season, datetime(2025, 2, 1, tzinfo=UTC))
        set_value(connection, "storage.products_path", str(root), actor="anna")
        observe(connection, season, root)
    configure(database, season, "CC", "NA")
    dag = {"dag": "alpha__2024__l4c_practices"}
    asked = [
        {**dag, "logical_date": "2024-09-01", "conf": {"as_of": "2024-04-20"}},
        {
            **dag,
            "logical_date": "2024-09-02",
            "conf": {"as_of": "2024-08-31", "processor.s4c_l4c.tillage_monitoring": True},
        },
    ]
    found = run_dags(manifest_of(*entries("alpha", "2024")), *asked)
    assert [one["tasks"].get("compute") for one in found] == ["skipped", "success"]
    with database.begin() as connection:
        made = jobs.list_jobs(connection, season_id=season.id)
        (product,) = products.list_products(connection, season.site_id, product_type="s4c_l4c")
        rows = read_results(connection, product.id).to_pylist()
    assert [(str(job.state), job.reason) for job in reversed(made)] == [("skipped", "no_inputs"), ("succeeded", None)]
    assert product.metadata["skipped_practices"] == {"CC": "there is no practice table of 2024"}
    assert [(row["new_id"], row["h_w_start"], row["status"]) for row in rows] == [
        *((number, date(2024, 7, 15), "OK") for number in (1, 2, 3)), (4, None, "NOT_IN_SERIES"),
    ]  # fmt: skip
    assert {row["tl_state"] for row in rows} == {"NA"}
    assert (Path(product.full_path) / "Sen4CAP_L4C_NA_NLD_2024.gpkg").exists()
