"""Tables, report and picture of crop types: what their cells say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from s4c_lib.crop_type.accuracy_picture import accuracy_png
from s4c_lib.crop_type.accuracy_tables import accuracy_table, confusion_table, confusions_table
from s4c_lib.crop_type.classification import Classification, CropParcels, CropSettings, classify
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.crop_type.judgement import JudgementSettings, judge
from s4c_lib.crop_type.metrics import measure
from s4c_lib.crop_type.product_tables import (
    conforms,
    crop_type_columns,
    judgement_columns,
    prediction_table,
    review_table,
    summary_of_classes,
)
from s4c_lib.crop_type.report_content import ReportContent, importance_by_month, importance_by_source
from s4c_lib.crop_type.report_page import report_page

NAMES = {1: "A", 2: "B", 3: "C & <D>"}
FEATURES = (
    "XX_2024_04_11_s2_mean_ndvi",
    "XX_W202420_ASC_VV_BCK_MEAN",
    "XX_M202407_ASC_VV_BCK_CVAR_MEAN",
    "XX_S_VV_COHE_MEAN",
)


@pytest.fixture(scope="module")
def parcels() -> CropParcels:
    """Three classes of 30 parcels, the second has the largest area; two parcels are wrong, three are left out."""
    declared = np.repeat([1, 2, 3], 30).astype(np.int32)
    declared[[0, 59]] = [2, 1]
    reason = np.full(90, None, object)
    reason[[5, 65]] = ["geometry", "overlap"]
    reason[89] = "no_lut"
    declared[89] = -1
    return CropParcels(
        parcel_id=np.arange(1, 91) * 10,
        class_number=declared,
        land_cover=np.where(declared < 0, -1, 1).astype(np.int8),
        s2_pix=np.full(90, 50, np.int32),
        s1_pix=np.full(90, 12, np.int32),
        reason=reason,
        area=np.repeat([20_000.0, 60_000.0, 10_000.0], 30),
    )


@pytest.fixture(scope="module")
def found(parcels: CropParcels) -> Classification:
    grown = np.repeat([0.0, 1.0, 2.0], 30)
    values = np.stack([grown + np.random.default_rng(at).normal(0, 0.08, 90) for at in range(4)], axis=1)
    settings = CropSettings(trees=12, pa_min=5, smote_target=0, min_node_size=2)
    return classify(FeatureTable(parcels.parcel_id, FEATURES, values.astype(np.float32)), parcels, settings)


def test_ac_18_corner_cells_and_confusions() -> None:
    confusion = np.array([[50, 5, 2], [8, 40, 3], [2, 5, 35]])
    pairs = [(row, column) for row in range(3) for column in range(3) for _ in range(confusion[row, column])]
    predicted, declared = (np.array(side, np.int32) + 1 for side in zip(*pairs, strict=True))
    metrics = measure(declared, predicted, np.full(150, -1, np.int32), np.ones(150, np.float32))
    (accuracy,) = accuracy_table(metrics).to_pylist()
    assert (round(accuracy["Accuracy"], 6), round(accuracy["Kappa"], 6)) == (0.833333, 0.747475)
    rows = confusion_table(metrics).to_pylist()
    assert list(rows[0]) == ["predicted", "1", "2", "3", "sum_class", "well_class", "user_accuracy"]
    assert list(rows[0].values())[:6] == ["1", "50", "5", "2", "57", "50"]
    assert round(float(rows[0]["user_accuracy"]), 6) == 0.877193
    below = {row["predicted"]: row for row in rows[3:]}
    assert [below["sum_dec"][name] for name in ("1", "2", "3", "sum_class")] == ["60", "50", "40", "150"]
    assert (below["well_class"]["well_class"], round(float(below["producer_accuracy"]["user_accuracy"]), 6)) == (
        "125", 0.833333,
    )  # fmt: skip
    assert below["sum_dec"]["well_class"] is None
    user = confusions_table(metrics, NAMES, [3, 1, 2], of="user").to_pylist()
    assert [row["CTnumL4A"] for row in user] == [3, 1, 2], "in the order of the area"
    assert [user[1][name] for name in ("sum_class", "conf_class1", "conf_per1", "conf_class2", "conf_per2")] == [
        57, "B", 8.8, "C & <D>", 3.5,
    ]  # fmt: skip
    assert (user[1]["conf_class3"], user[1]["conf_per3"]) == (None, None)
    (_, producer, _) = confusions_table(metrics, NAMES, [3, 1, 2, 9], of="producer").to_pylist()
    assert [producer[name] for name in ("sum_dec", "conf_per1", "conf_per2")] == [60, 13.3, 3.3]


def test_the_summary_goes_by_area_over_parcels_that_nothing_speaks_against(
    found: Classification, parcels: CropParcels
) -> None:
    rows = summary_of_classes(found, parcels, NAMES).to_pylist()
    assert [(row["CTnumL4A"], row["Count"], row["Classified"], row["Strategy"]) for row in rows] == [
        (2, 30, 1, 3), (1, 29, 1, 3), (3, 28, 1, 3),
    ]  # fmt: skip
    assert sum(row["Countratio"] for row in rows) == pytest.approx(1)
    assert sum(row["Arearatio"] for row in rows) == pytest.approx(1)
    assert rows[0]["Area"] == 29 * 60_000 + 20_000


def test_predictions_have_sen4caps_columns_and_lose_nobody(found: Classification, parcels: CropParcels) -> None:
    classified = prediction_table(found, parcels, NAMES, all_parcels=False)
    assert classified.column_names == [
        "NewID", "AreaDeclared", "S1Pix", "S2Pix", "CTnumL4A", "CTL4A", "LC", "CT_decl", "CT_pred_1", "CT_conf_1",
        "CT_pred_2", "CT_conf_2",
    ]  # fmt: skip
    assert len(classified) == 87
    columns = crop_type_columns(found, parcels, NAMES).to_pylist()
    assert len(columns) == 90
    assert [columns[at]["ct_status"] for at in (5, 65, 89)] == ["geometry", "overlap", "no_lut"]
    assert (columns[89]["CTL4A"], columns[89]["CT_pred_1"], columns[89]["conform"]) == (None, None, None)
    assert (columns[0]["CTL4A"], columns[0]["CT_pred_1_name"]) == ("B", "A")


def test_a_second_choice_conforms_only_if_it_is_sure_enough(found: Classification) -> None:
    assert conforms(found)[0].as_py() in (0, 1)
    second = np.flatnonzero((found.pred_2 == found.declared) & (found.pred_1 != found.declared))
    assert len(second), "the cases have no declaration that is the second choice"
    at = int(second[0])
    assert conforms(found)[at].as_py() == 1
    assert conforms(found, accept_second_min_conf=float(found.conf_2[at]) + 0.01)[at].as_py() == 0


def test_the_review_begins_with_what_is_most_doubtful(found: Classification, parcels: CropParcels) -> None:
    import pyarrow as pa

    judgement = judge(found, JudgementSettings(), area=parcels.area)
    columns = crop_type_columns(found, parcels, NAMES, more=judgement_columns(judgement, NAMES))
    labels = pa.table({"ori_id": [f"P{number}" for number in range(90)]})
    rows = review_table(columns, labels).to_pylist()
    assert {row["ori_id"] for row in rows[:2]} == {"P0", "P59"}
    assert [row["review_rank"] for row in rows] == sorted(row["review_rank"] for row in rows)
    assert all(row["verdict"] != "confirmed" for row in rows)
    assert "A" in rows[0]["reason"]


def test_the_report_is_one_sound_page_with_escaped_names(found: Classification, parcels: CropParcels) -> None:
    judgement = judge(found, JudgementSettings(), area=parcels.area)
    content = ReportContent(
        title="Crop types of <here>",
        about=("season 2024",),
        classification=found,
        parcels=parcels,
        names=NAMES,
        parcel_names=np.array([f"P{number}" for number in range(90)], object),
        judgement=judgement,
        notes=("Tile 31UGS has no parcel.",),
        holdings={"Compliant": 3, "Missing_info": 1},
        rule_set="eu_2018",
        facts={"Inputs": {"file": "a & b"}},
    )
    page = report_page(content)
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    shown = " ".join("".join(root.itertext()).split())
    assert "87 of 90 parcels are classified, 3 are not" in shown
    assert "C & <D>" in shown, "names are text, not tags"
    assert "Tile 31UGS has no parcel." in shown
    assert "the crop table lacks the declared crop code" in shown
    assert "cannot be decided" in shown
    assert "P0 (10)" in shown
    assert not re.search(r"(src|href)\s*=|@import|url\(", page.split("</style>")[1]), "nothing from elsewhere"
    assert report_page(content) == page


def test_importances_are_told_by_source_and_month(found: Classification) -> None:
    assert {name for name, _ in importance_by_source(found)} == {
        "S2 bands and indices", "S1 weekly", "S1 bi-monthly and season",
    }  # fmt: skip
    months = importance_by_month(found)
    assert [name for name, _ in months] == ["Apr", "May", "Jul", "season"]
    assert sum(share for _, share in months) == pytest.approx(1)


def test_the_picture_is_the_same_every_time(found: Classification) -> None:
    assert found.metrics is not None
    bars = [("A", 0.9, 0.5), ("B", float("nan"), 1.0)]
    first = accuracy_png(found.metrics, bars, "Accuracy")
    assert first == accuracy_png(found.metrics, bars, "Accuracy")
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
