"""The DAG of L4B as Airflow runs it: a custom job from its form, and one that has no input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from derived_rows import optical
from domain_rows import make_enabled
from uploaded_rows import give_everything

from s4c_lib.catalog import jobs, products
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.results_l4b import read_events
from tests.dags.conftest import RunDags, entries, manifest_of

KEY = "processor.s4c_l4b"
SERIES = (0.83, 0.84, 0.84, 0.40, 0.45, 0.55, 0.65, 0.72, 0.78, 0.80)


@pytest.mark.slow
def test_a_custom_job_detects_mowing_and_one_without_input_is_skipped(
    database: Database, tmp_path: Path, run_dags: RunDags
) -> None:
    root = tmp_path / "products"
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, tmp_path / "declarations")
        set_value(connection, "storage.products_path", str(root), actor="anna")
        for number, value in enumerate(SERIES):
            sensed = datetime(2024, 6, 1, 10, 36, tzinfo=UTC) + timedelta(days=5 * number)
            optical(connection, season, f"S2_{number}", sensed=sensed, value=value, variables=("ndvi",), folder=root)
    days = {f"{KEY}.start_date": "2024-06-01", f"{KEY}.end_date": "2024-07-20"}
    dag = {"dag": "alpha__2024__l4b_mowing"}
    at_once = {"without_waiting": True}
    one_tile = {**at_once, "tiles": ["31UFS"]}
    asked = [
        {
            **dag,
            "logical_date": "2024-09-01",
            "conf": {**days, f"{KEY}.input_product_types": "S2", "settings": one_tile},
        },
        {**dag, "logical_date": "2024-09-02", "conf": {f"{KEY}.input_product_types": "S1", "settings": at_once}},
    ]
    found = run_dags(manifest_of(*entries("alpha", "2024")), *asked)
    assert [one["tasks"].get("compute") for one in found] == ["success", "skipped"]
    with database.begin() as connection:
        made = jobs.list_jobs(connection, season_id=season.id)
        (product,) = products.list_products(connection, season.site_id, product_type="s4c_l4b")
        (event,) = read_events(connection, product.id).to_pylist()
    assert [(str(job.state), job.reason) for job in reversed(made)] == [("succeeded", None), ("skipped", "no_inputs")]
    # nothing was searched: it did not wait for that, and says so
    assert (product.metadata["inputs_complete"], product.metadata["run"]["chosen"]) == (False, {"tiles": ["31UFS"]})
    assert product.metadata["missing"][0]["rule"] == "R1 s2"
    assert product.metadata["without_waiting"] == made[-1].requested_by
    assert (product.metadata["first_day"], product.metadata["last_day"]) == ("2024-06-01", "2024-07-20")
    assert (f"{event['dstart']:%m-%d}", f"{event['dend']:%m-%d}", event["mission"]) == ("06-11", "06-16", "S2")
    assert (Path(product.full_path) / "SEN4CAP_L4B_S2_MowingDetection.shp").exists()
