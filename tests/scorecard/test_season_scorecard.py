"""``s4c synthetic score`` on a season whose crops were classified: figures, what is absent, and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crop_season import CROPS, EACH, FEW, FIRST, NOW, PARCELS, WRONG, fill_season, grows
from derived_rows import put_statistics
from l4_season import Filled, publish
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from s4c_lib.catalog import products
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.seasons import Season
from s4c_lib.cli.main import app
from s4c_lib.runs import RunRequest

L4A = RunRequest("alpha", "2024", "s4c_l4a", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))
QUICK = {**FEW, "processor.s4c_l4a.mode": "s2-only", "processor.s4c_l4a.diversification_enabled": False}
LAI = 2.25
TRUE_LAI = 2.0


@pytest.fixture(scope="module")
def filled() -> Filled:
    """Three crops, and the same leaf area everywhere on one day."""

    def fill(connection: Connection, season: Season, folder: Path) -> None:
        fill_season(connection, season, folder)
        first, *_ = products.list_products(connection, season.site_id, product_type="l3b")
        put_statistics(connection, season, first.id, ["lai"], sensed=FIRST, value=LAI, folder=folder / "p")

    return fill


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """What grows there, whatever is declared, and its leaf area on the day of the image."""
    numbers = list(range(1, PARCELS + 1))
    none = [None] * PARCELS
    parcels = {
        "parcel_id": numbers,
        "ori_id": [f"P{number}" for number in numbers],
        "true_crop": [grows(number) for number in numbers],
        "harvest": pa.array(none, pa.date32()),
        "catch_crop": ["none"] * PARCELS,
        **{f"catch_crop_{what}": pa.array(none, pa.date32()) for what in ("sowing", "emergence", "destruction")},
    }
    events = {
        "parcel_id": pa.array([], pa.int64()),
        "event": pa.array([], pa.string()),
        "date": pa.array([], pa.date32()),
    }
    daily = {"parcel_id": numbers, "date": [FIRST.date()] * PARCELS, "lai": [TRUE_LAI] * PARCELS}
    clear = {"parcel_id": numbers, "time": [FIRST] * PARCELS, "clear_share": [1.0] * PARCELS}
    folder = tmp_path / "season" / "truth"
    folder.mkdir(parents=True)
    files: dict[str, Any] = {"parcels": parcels, "events": events, "daily_lai": daily, "clear": clear}
    for name, columns in files.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder.parent


def score(database: Database, truth: Path, *more: str) -> Result:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    asked = ["synthetic", "score", "alpha", "2024", "--truth", str(truth), *more]
    return CliRunner().invoke(app, asked, env={"S4C_DATABASE_URL": url})


def test_products_are_judged_and_what_there_is_none_of_is_said(database: Database, truth: Path) -> None:
    product = publish(database, replace(L4A, settings=QUICK), now=NOW)

    answer = score(database, truth, "--json")
    assert answer.exit_code == 0, answer.output
    card = json.loads(answer.stdout)
    assert card["products"] == {"s4c_l4a": product.name}
    found = {one["name"]: (one["value"], one["n"]) for one in card["figures"]}
    # the last parcel has a code that the crop table lacks; the others are told apart without fault
    assert found["accuracy_all"] == (1.0, PARCELS - 1)
    assert found["overall_accuracy"][0] == found["macro_f1"][0] == 1.0
    assert 0 < found["overall_accuracy"][1] < len(CROPS) * EACH
    assert found["right_contradicted"][0] == 0.0
    assert found["wrong_found"][1] == 1, f"P{WRONG} is declared as maize and grows grass"
    assert found["lai_rmse"] == found["lai_bias"] == (pytest.approx(LAI - TRUE_LAI), 3)  # three parcels were seen
    assert all(one["meaning"] for one in card["figures"])
    assert card["absent"] == dict.fromkeys(("s4c_l4b", "s4c_l4c"), "the season has no product of it in force")

    told = score(database, truth)
    assert told.exit_code == 0, told.output
    assert "accuracy_all" in told.stdout
    assert "100.0 %" in told.stdout
    assert "no figures of s4c_l4c: the season has no product of it in force" in told.stdout


def test_a_season_without_products_and_a_truth_without_leaf_area(database: Database, truth: Path) -> None:
    (truth / "truth" / "clear.parquet").unlink()
    card = json.loads(score(database, truth, "--json").stdout)
    assert (card["figures"], card["products"]) == ([], {})
    assert set(card["absent"]) == {"l3b", "s4c_l4a", "s4c_l4b", "s4c_l4c"}
    assert "which dates were clear" in card["absent"]["l3b"]


def test_images_of_other_days_are_not_compared(database: Database, truth: Path) -> None:
    moved = {"parcel_id": [1], "time": [FIRST + timedelta(days=1)], "clear_share": [1.0]}
    pq.write_table(pa.table(moved), truth / "truth" / "clear.parquet")
    found = {one["name"]: one for one in json.loads(score(database, truth, "--json").stdout)["figures"]}
    assert (found["lai_rmse"]["value"], found["lai_rmse"]["n"]) == (None, 0)


def test_a_wrong_folder_or_season_is_a_line(database: Database, truth: Path, tmp_path: Path) -> None:
    answer = score(database, tmp_path)
    assert answer.exit_code == 2
    assert "holds no parcels.parquet" in answer.stderr
    assert "s4c synthetic make" in answer.stderr
