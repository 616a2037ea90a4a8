"""The crop type DAG, run by Airflow: from the form to predictions."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from crop_season import FEW, PARCELS, fill_season
from domain_rows import make_enabled

from s4c_lib.catalog import products
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from tests.dags.conftest import RunDags, entries, manifest_of


@pytest.mark.slow
def test_a_run_by_hand_makes_a_crop_type_product(database: Database, tmp_path: Path, run_dags: RunDags) -> None:
    with database.begin() as connection:
        _, season = make_enabled(connection)
        fill_season(connection, season, tmp_path)
        set_value(connection, "storage.products_path", str(tmp_path / "p"), actor="anna")
    asked = {"real": True, "logical_date": "2024-09-01", "conf": {"as_of": "2024-08-31", "settings": FEW}}
    (found,) = run_dags(manifest_of(*entries("alpha", "2024")), asked)
    assert (found["run"], found["tasks"]["compute"]) == ("success", "success")
    with database.begin() as connection:
        (product,) = products.list_products(connection, season.site_id, product_type="s4c_l4a")
    assert product.metadata["counts"]["classified"] == PARCELS - 1
    with (Path(product.full_path) / "CropType.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["CT_decl"] == row["CT_pred_1"] for row in rows) >= PARCELS - 4
