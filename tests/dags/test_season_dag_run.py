"""A season DAG of an L4 processor, run by Airflow: from the form to the product."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from derived_rows import optical, radar, settle
from domain_rows import make_enabled
from uploaded_rows import give_everything

from s4c_lib.catalog import jobs, products
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from tests.dags.conftest import RunDags, entries, manifest_of


@pytest.mark.slow
def test_a_run_by_hand_makes_a_product_and_the_next_finds_nothing_new(
    database: Database, tmp_path: Path, run_dags: RunDags
) -> None:
    """Case 19 as a user of Airflow sees it; `force` among the settings runs all the same."""
    root = tmp_path / "products"
    with database.begin() as connection:
        _, season = make_enabled(connection)
        give_everything(connection, season, tmp_path / "declarations")
        settle(connection, season, datetime(2025, 2, 1, tzinfo=UTC))
        set_value(connection, "storage.products_path", str(root), actor="anna")
        optical(connection, season, "S2_A", folder=root)
        for polarisation in ("VV", "VH"):
            radar(connection, season, f"AMP_{polarisation}", "s1_amp", polarisation, folder=root)
    settings = {"processor.s4c_l4a.num-trees": 20}
    asked = [
        {"logical_date": "2024-09-01", "conf": {"as_of": "2024-08-31", "settings": settings}},
        {"logical_date": "2024-09-02", "conf": {"as_of": "2024-08-31", "settings": settings}},
        {"logical_date": "2024-09-03", "conf": {"as_of": "2024-08-31", "settings": {**settings, "force": True}}},
    ]
    found = run_dags(manifest_of(*entries("alpha", "2024")), *asked)
    with database.begin() as connection:
        made = jobs.list_jobs(connection, season_id=season.id)
        (product,) = products.list_products(connection, season.site_id, product_type="s4c_l4a")
    assert [one["tasks"].get("compute") for one in found] == ["success", "skipped", "success"]
    assert [(str(job.state), job.reason) for job in reversed(made)] == [
        ("succeeded", None), ("skipped", "same_inputs"), ("succeeded", None),
    ]  # fmt: skip
    assert (product.version, product.metadata["trees"]) == (2, 20)
    assert (Path(product.full_path) / "counts.csv").exists()
