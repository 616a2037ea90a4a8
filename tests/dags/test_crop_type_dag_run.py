"""The crop type DAG, run by Airflow: from the form to predictions."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from crop_season import FEW, PARCELS, fill_season
from domain_rows import make_enabled

from s4c_lib.catalog import products
from s4c_lib.catalog.config_values import set_value
from s4c_lib.catalog.database import Database
from s4c_lib.manifest import write_manifest
from tests.dags.conftest import entries, manifest_of

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_run_by_hand_makes_a_crop_type_product(
    database: Database, database_url: str, tmp_path: Path, airflow_environment: dict[str, str]
) -> None:
    with database.begin() as connection:
        _, season = make_enabled(connection)
        fill_season(connection, season, tmp_path)
        set_value(connection, "storage.products_path", str(tmp_path / "p"), actor="anna")
    write_manifest(Path(airflow_environment["S4C_MANIFEST_PATH"]), manifest_of(*entries("alpha", "2024")))
    environment = {
        **airflow_environment,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW_CONN_S4C_DB": database_url,
        "PYTHONPATH": str(REPOSITORY / "plugins"),
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment, check=True, capture_output=True, timeout=300)
    asked = {"logical_date": "2024-09-01", "conf": {"as_of": "2024-08-31", "settings": FEW}}
    answer = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "run_crop_type_dag.py"), json.dumps(asked)],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    found = json.loads(answer.stdout.strip().splitlines()[-1])
    assert (found["run"], found["tasks"]["compute"]) == ("success", "success"), answer.stderr[-3000:]
    with database.begin() as connection:
        (product,) = products.list_products(connection, season.site_id, product_type="s4c_l4a")
    assert product.metadata["counts"]["classified"] == PARCELS - 1
    with (Path(product.full_path) / "CropType.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["CT_decl"] == row["CT_pred_1"] for row in rows) >= PARCELS - 4
