"""L4A as a run of a season: from statistics to a published product, its files and its rows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
from crop_season import FEW, NOW, PARCELS, WRONG, fill_season
from l4_season import Filled, Prepared, publish
from sqlalchemy import text

from s4c_lib import season_computation
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.products import Product
from s4c_lib.catalog.results_l4a import read_div_holdings, read_div_parcels, read_results
from s4c_lib.runs import RunRequest, open_run
from s4c_lib.season_run import NoResultError

L4A = RunRequest("alpha", "2024", "s4c_l4a", "run 1", "backfill", "anna", occurrence=date(2024, 9, 30))


@pytest.fixture(scope="module")
def filled() -> Filled:
    """Three crops, told apart by every variable, and a parcel whose code the crop table lacks."""
    return fill_season


def run(database: Database, request: RunRequest) -> Product:
    return publish(database, request, now=NOW)


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_publishes_files_and_rows(database: Database, prepared: Prepared) -> None:
    """AC-22 among the rest: nothing of tile 31UGS is there, which is reported and stops nothing."""
    product = run(database, replace(L4A, settings={**FEW, "processor.s4c_l4a.export_shapefile": True}))
    folder = Path(product.full_path)
    names = {path.name for path in folder.iterdir()}
    assert {
        "CropType.gpkg", "CropType.shp", "CropType.csv", "CropType.arrow", "CropType.parquet", "CropType_LUT.csv",
        "Crop_types_summary.csv", "Accuracy_metrics.csv", "Confusion_matrix.csv", "Confusion_user.csv",
        "Confusion_producer.csv", "Accuracy_metrics_plot.png", "Parcels_classified_with_predictions.csv",
        "Parcels_all_with_predictions.csv", "metrics.json", "model.joblib", "model.json", "features.parquet",
        "report.html", "review.csv", "item.json", "inputs.csv", "run.json", "CropDiversification.csv",
        "CropDiversification_holding.csv",
        "SEN4CAP_MDB_L4A_OPT_MAIN_V20240301_20240930_20240930T000000.ipc",
        "SEN4CAP_MDB_L4A_SAR_TEMP_V20240301_20240930_20240930T000000.ipc.idx",
    } <= names  # fmt: skip
    assert not {name for name in names if name.startswith(".")}
    assert product.quality == "ok"
    about = product.metadata
    assert (about["feature_source"], about["seed"], about["classes"]) == (
        "parcel_observations", 42, {"10": "Grassland", "20": "Wheat", "30": "Maize"},
    )  # fmt: skip
    assert about["tiles_without"] == {"parcels": ["31UGS"], "S2": ["31UGS"], "S1": ["31UGS"]}
    assert about["counts"]["classified"] == PARCELS - 1

    with database.begin() as connection:
        rows = {row["new_id"]: row for row in read_results(connection, product.id).to_pylist()}
        view = connection.execute(
            text('SELECT "NewID", "CT_decl", "CT_pred_1" FROM s4c.product_details_l4a ORDER BY review_rank LIMIT 1')
        ).one()
        holdings = read_div_holdings(connection, product.id).to_pylist()
        div = read_div_parcels(connection, product.id)
    layer = pyogrio.read_dataframe(folder / "CropType.gpkg", layer="l4a_crop_type")
    wrong = int(layer.loc[layer["ori_id"] == f"P{WRONG}", "NewID"].iloc[0])
    assert tuple(view) == (wrong, 30, 10), "the declaration that is wrong is the first to be looked at"
    assert rows[wrong]["conform"] == 0 or rows[wrong]["ct_pred_2"] == 30
    unlisted = rows[int(layer.loc[layer["ori_id"] == f"P{PARCELS}", "NewID"].iloc[0])]
    assert (unlisted["ct_status"], unlisted["ct_pred_1"], unlisted["conform"]) == ("no_lut", None, None)
    assert len(rows) == len(layer) == PARCELS, "no parcel is lost"
    assert {"GeomValid", "ShapeInd", "CT_pred_1_name", "verdict", "reason", "BEZEICHNUNG"} <= set(layer.columns)
    assert len(holdings) == 4
    assert div["classif_r"].to_pylist().count("Classified_conform") >= PARCELS - 3

    short = pyogrio.read_dataframe(folder / "CropType.shp", read_geometry=False)
    assert {"CT_pred1_n", "Area_meter", "review_rk"} <= set(short.columns)
    sen4cap = read_csv(folder / "CropType.csv")
    assert list(sen4cap[0])[:15] == [
        "NewID", "HoldID", "GeomValid", "Duplic", "Overlap", "Area_meters", "S2Pix", "S1Pix", "LC", "CTnumDIV",
        "CT_decl", "CT_pred_1", "CT_conf_1", "CT_pred_2", "CT_conf_2",
    ]  # fmt: skip
    assert len(sen4cap) == PARCELS - 1
    assert sen4cap[0]["GeomValid"] == "1"
    features = pq.read_table(folder / "features.parquet")
    assert features["NewID"].to_pylist() == sorted(rows)
    assert len(features.column_names) == about["features"] + 1
    item = json.loads((folder / "item.json").read_text())
    assert {asset["href"].removeprefix("./") for asset in item["assets"].values()} == names - {"item.json", "run.json"}

    assert {row["HoldID"]: row["ori_hold"] for row in read_csv(folder / "CropDiversification_holding.csv")} == {
        str(hold_id): name for hold_id, name in zip(layer["HoldID"], layer["ori_hold"], strict=True)
    }
    stem = folder / "SEN4CAP_MDB_L4A_OPT_MAIN_V20240301_20240930_20240930T000000.ipc"
    with pa.memory_map(str(stem)) as source:
        markers = pa.ipc.open_file(source).read_all()
    assert markers["NewID"].to_pylist() == sorted(rows)
    name = "XX_2024_04_20_s2_mean_ndvi"
    assert markers[name].to_pylist() == features[name].to_pylist()
    index = np.frombuffer((folder / f"{stem.name}.idx").read_bytes(), ">i4").reshape(-1, 3)
    assert index.tolist() == [[0, min(rows), max(rows)]]
    before = contents_of(folder)

    by_hand = replace(
        L4A,
        key="again",
        start_type="manual",
        occurrence=None,
        settings={**FEW, "processor.s4c_l4a.export_shapefile": True},
        options={"as_of": "2024-09-30", "force": True},
    )
    again = run(database, by_hand)
    kept = json.loads((Path(again.full_path) / "metrics.json").read_text())
    after = contents_of(Path(again.full_path))
    # item.json lists the markers, which a run by hand does not publish
    assert set(before) - set(after) == {name for name in before if name.startswith("SEN4CAP")}
    assert [name for name in after if before[name] != after[name] and name not in ("item.json", "run.json")] == []
    with database.begin() as connection:
        assert {row["new_id"]: row for row in read_results(connection, again.id).to_pylist()} == rows
    assert kept["counts"] == about["counts"]
    cache = prepared.folder / "p" / "alpha" / "2024" / "l4a_partial_features"
    assert any(cache.iterdir())


def test_ac_21_a_missing_sensor_is_named_or_done_without(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("DELETE FROM s4c.marker_file WHERE variable IN ('vv', 'vh') OR variable LIKE 'cohe%'"))
        connection.execute(text("UPDATE s4c.product SET state = 'superseded' WHERE satellite_id = 3"))
        connection.execute(text("UPDATE s4c.acquisition SET state = 'ignored' WHERE satellite_id = 3"))
        connection.execute(text("UPDATE s4c.parcel SET s1_pix = 0"))
    opening = open_run(database, replace(L4A, settings=FEW), now=NOW)
    assert (opening.status, "s1_l2a_amp" in opening.text) == ("skipped", True)
    settings = {**FEW, "processor.s4c_l4a.allow_missing_sensor": True}
    product = run(database, replace(L4A, key="one sensor", settings=settings))
    assert (product.quality, product.metadata["missing_sensor"]) == ("degraded", "s1")
    assert product.metadata["tiles_without"]["S1"] == ["31UFS", "31UGS"]
    assert product.metadata["counts"]["classified"] == PARCELS - 1
    names = pq.read_schema(Path(product.full_path) / "features.parquet").names[1:]
    assert names, "features of Sentinel-2 remain"
    assert all("_s2_" in name for name in names)


def test_crops_too_rare_to_learn_are_a_failure_with_its_reason(database: Database) -> None:
    opening = open_run(database, replace(L4A, settings={**FEW, "processor.s4c_l4a.pa-min": 30}), now=NOW)
    with pytest.raises(NoResultError, match="No parcel can be classified") as failed:
        season_computation.carry_out(database, opening.job_id)
    assert failed.value.code == "no_evaluable_parcel"
    assert "rare_class 0" in failed.value.hint
