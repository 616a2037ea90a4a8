"""From features to predictions: statuses, purposes, who judges whom, bad input, AC-24."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from four_crops import season
from learning_cases import parcels, table

from s4c_lib.crop_type.classification import Classification, CropSettings, classify
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.errors import InputError

ROWS, LABELS = season(7, (60, 60, 60, 40))
SMALL = CropSettings(trees=15, smote_target=40, pa_train_l=1000)


@pytest.fixture(scope="module")
def found() -> Classification:
    return classify(table(ROWS), parcels(LABELS), SMALL)


def same(one: Any, other: Any) -> None:
    np.testing.assert_equal(
        {item.name: getattr(one, item.name) for item in fields(one) if item.name not in ("model", "metrics")},
        {item.name: getattr(other, item.name) for item in fields(other) if item.name not in ("model", "metrics")},
    )


def test_every_parcel_is_used_and_judged_by_others(found: Classification) -> None:
    assert set(found.status) == {"classified"}
    assert np.bincount(found.purpose).tolist() == [0, 165, 55]
    assert found.judged_by[found.purpose == 1].tolist() == [3] * 165
    assert found.judged_by[found.purpose == 2].tolist() == [1] * 55
    assert found.metrics is not None
    assert found.metrics.parcels == 55
    assert found.metrics.overall > 0.8
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert found.importances.sum() == pytest.approx(1)


def test_ac_24_rows_in_another_order_on_other_threads(found: Classification) -> None:
    order = np.random.default_rng(2).permutation(len(ROWS))
    shuffled = parcels(LABELS).take(order)
    other = np.random.default_rng(3).permutation(len(ROWS))
    features = FeatureTable(table(ROWS).parcel_id[other], table(ROWS).names, np.ascontiguousarray(ROWS[other]))
    again = classify(features, shuffled, SMALL, threads=3)
    same(again, found)
    assert again.metrics is not None
    assert again.metrics.as_json() == found.metrics.as_json()  # type: ignore[union-attr]


def test_without_synthetic_parcels_the_trees_that_have_not_drawn_a_parcel_judge_it() -> None:
    result = classify(table(ROWS), parcels(LABELS), CropSettings(trees=25, smote_target=0))
    assert set(result.judged_by[result.purpose == 1]) == {2}


def test_reference_judges_calibration_parcels_by_the_forest_they_trained(found: Classification) -> None:
    plain = CropSettings(trees=15, smote_target=40, pa_train_l=1000, oob_for_calibration=False)
    result = classify(table(ROWS), parcels(LABELS), plain)
    assert set(result.judged_by) == {1}
    calibration = result.purpose == 1
    np.testing.assert_array_equal(result.probabilities[~calibration], found.probabilities[~calibration])
    at = np.searchsorted(result.classes, LABELS)
    believed, honest = (one.probabilities[np.arange(len(at)), at] for one in (result, found))
    assert believed[calibration].mean() > honest[calibration].mean() + 0.02


def test_a_wrong_declaration_is_not_confirmed_by_copies_of_itself() -> None:
    """Six grassland parcels declared as rape, a rare class that is filled up: in trees that have not drawn them, their
    synthetic copies would call them rape. The discriminant, which has no copies, is left out.
    """
    declared = np.where(np.arange(len(ROWS)) // 60 == 0, 10, LABELS)
    grass = np.flatnonzero(LABELS == 30)[:6]
    declared[grass] = 40
    config = CropSettings(trees=40, smote_target=400, pa_train_l=1000, discriminant_share=0)
    result = classify(table(ROWS), parcels(declared), config)
    trained = grass[result.purpose[grass] == 1]
    assert len(trained) >= 3
    assert (result.pred_1[trained] == 30).all()
    blind = classify(table(ROWS), parcels(declared), replace(config, oob_for_calibration=False))
    assert (blind.pred_1[trained] == 40).all()


def test_parcels_left_out_have_a_reason_and_no_prediction() -> None:
    rows = ROWS.copy()
    rows[0] = np.nan
    rows[1, :5] = np.nan
    labels = LABELS.copy()
    labels[2], labels[3] = 99, -1
    given = parcels(labels, s2_pix=np.where(np.arange(len(rows)) == 4, 2, 50))
    result = classify(table(rows[:-1]), given, SMALL)
    assert result.status[:6].tolist() == [
        "no_features",
        "classified",
        "rare_class",
        "no_lut",
        "min_s2_pix",
        "classified",
    ]
    assert result.status[-1] == "no_features"
    left_out = result.status != "classified"
    assert left_out.sum() == 5
    assert (result.pred_1[left_out] == -1).all()
    assert np.isnan(result.conf_1[left_out]).all()
    assert (result.purpose[left_out] == 0).all()
    assert (result.judged_by[left_out] == 0).all()
    assert result.imputed.tolist() == [False, True] + [False] * (len(rows) - 2)
    assert result.counts["declared"] == len(rows)
    assert result.counts["rare_class"] == len(rows) - 5
    assert len(result.rows) == len(result.probabilities) == len(rows) - 5


@pytest.mark.parametrize(("sensor", "status"), [("s1", "classified"), ("s2", "min_s1_pix"), ("", "min_s1_pix")])
def test_ac_21_pixels_of_a_missing_sensor_are_not_asked_for(sensor: str, status: str) -> None:
    features = FeatureTable(table(ROWS).parcel_id, table(ROWS).names, ROWS, missing_sensor=sensor)
    result = classify(features, parcels(LABELS, s1_pix=np.where(np.arange(len(ROWS)) == 3, 0, 9)), SMALL)
    assert result.status[3] == status


def test_features_of_other_parcels_are_left_out(found: Classification) -> None:
    more = np.vstack([ROWS, np.full((3, ROWS.shape[1]), 0.5, dtype=np.float32)])
    same(classify(table(more), parcels(LABELS), SMALL), found)


def test_all_parcels_of_one_crop() -> None:
    with pytest.raises(InputError, match="class 10") as caught:
        classify(table(ROWS[:60]), parcels(LABELS[:60]), SMALL)
    assert caught.value.code == "too_few_classes"


@pytest.mark.parametrize("columns", [{"class_number": [-1] * 220}, {"land_cover": [5] * 220}])
def test_nobody_eligible_tells_where_the_parcels_went(columns: dict[str, list[int]]) -> None:
    labels = columns.pop("class_number", LABELS)
    with pytest.raises(InputError) as caught:
        classify(table(ROWS), parcels(labels, **columns), SMALL)
    assert caught.value.code == "no_evaluable_parcel"
    assert "declared 220" in caught.value.hint


def test_no_features_at_all() -> None:
    with pytest.raises(InputError, match="No parcel can be classified"):
        classify(table(np.zeros((0, 3))), parcels(LABELS), SMALL)


def test_folds_judge_every_parcel_by_others() -> None:
    config = CropSettings(trees=15, folds=4, best_s2_pix=1000)
    result = classify(table(ROWS), parcels(LABELS, s2_pix=np.zeros(len(LABELS))), config)
    assert set(result.judged_by) == {3}
    assert result.model is None
    assert result.metrics is not None
    assert result.metrics.parcels == 220
    assert 0.85 < result.metrics.overall < 1
    assert result.importances.sum() == pytest.approx(1)


def test_parcels_of_a_holding_are_judged_without_it() -> None:
    """Fields of a holding carry its mark in the first feature, which says the crop: across holdings it is worthless."""
    draw = np.random.default_rng(4)
    holding = draw.integers(0, 20, 400)
    labels = (draw.random(20) < 0.5).astype(int)[holding] + 1
    rows = np.column_stack([holding + draw.normal(0, 0.1, 400), draw.normal(size=400)])
    given = parcels(labels, holding=np.array([f"H{one}" for one in holding], dtype=object))
    result = classify(table(rows), given, CropSettings(trees=15, smote_target=0, cross_validation="holding"))
    assert result.metrics is not None
    assert result.holding_metrics is not None
    assert result.metrics.parcels == result.holding_metrics.parcels
    assert result.metrics.overall > 0.9
    assert result.holding_metrics.overall < 0.75


def test_cross_validation_by_holding_needs_holdings() -> None:
    with pytest.raises(InputError, match=r"cv is holding.* 0 known holdings"):
        classify(table(ROWS), parcels(LABELS), CropSettings(trees=2, cross_validation="holding"))


def test_a_parcel_twice_is_refused() -> None:
    with pytest.raises(InputError, match="parcel 5 occurs more than once"):
        parcels([1, 1, 2], parcel_id=[4, 5, 5])
