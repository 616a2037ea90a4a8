"""The forest on the synthetic season (AC-20), as scikit-learn grows it, and its independence of threads."""

import numpy as np
import pytest
from four_crops import CALIBRATION, VALIDATION, season
from sklearn.ensemble import RandomForestClassifier

from s4c_lib.crop_type.forest import Forest, train
from s4c_lib.crop_type.imputation import Imputation
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.metrics import Metrics, measure
from s4c_lib.crop_type.prediction import out_of_bag_probabilities, probabilities, rank

ROWS, LABELS = season(*CALIBRATION)
PLAIN = CropSettings(smote_target=0)


def accuracy(forest: Forest, rows: np.ndarray, labels: np.ndarray) -> Metrics:
    found = probabilities(forest.trees, rows, np.arange(len(rows)), Imputation.of(ROWS))
    ranking = rank(found, forest.classes)
    return measure(labels, ranking.pred_1, ranking.pred_2, ranking.conf_1)


def test_ac_20_generator() -> None:
    assert ROWS.mean() == pytest.approx(0.436054, abs=1e-6)
    np.testing.assert_allclose(ROWS[0, :3], [0.219871, 0.235262, 0.106964], atol=1e-6)


@pytest.mark.parametrize("seed", [42, 1])
def test_ac_20_forest(seed: int) -> None:
    forest = train(ROWS, LABELS, CropSettings(smote_target=0, seed=seed))
    found = accuracy(forest, *season(*VALIDATION))
    assert 0.925 <= found.overall <= 0.945
    assert 0.900 <= found.kappa <= 0.920
    assert found.f1[1] >= 0.99
    assert found.f1[2] >= 0.99
    assert 0.66 <= found.producer[3] <= 0.72
    assert found.top_2 >= 0.995


def test_ac_20_calibration_parcels_judge_themselves_too_well() -> None:
    forest = train(ROWS, LABELS, PLAIN)
    assert accuracy(forest, ROWS, LABELS).overall == pytest.approx(0.978, abs=0.006)
    apart, judged = out_of_bag_probabilities(forest, ROWS)
    assert judged.all()
    assert 0.940 <= (rank(apart, forest.classes).pred_1 == LABELS).mean() <= 0.955


@pytest.mark.parametrize("seed", [42, 1])
def test_ac_20_synthetic_parcels_help_the_rare_class(seed: int) -> None:
    forest = train(ROWS, LABELS, CropSettings(smote_target=150, seed=seed))
    found = accuracy(forest, *season(*VALIDATION))
    assert found.producer[3] >= 0.76
    assert found.overall >= 0.92


@pytest.fixture(scope="module")
def theirs() -> RandomForestClassifier:
    return RandomForestClassifier(
        n_estimators=12, min_samples_split=11, max_features="sqrt", oob_score=False, random_state=42
    ).fit(ROWS, LABELS)


def test_trees_are_those_of_a_plain_scikit_learn_forest(theirs: RandomForestClassifier) -> None:
    forest = train(ROWS, LABELS, CropSettings(smote_target=0, trees=12))
    found = probabilities(forest.trees, ROWS, np.arange(len(ROWS)), Imputation.of(ROWS))
    np.testing.assert_allclose(found, theirs.predict_proba(ROWS), atol=1e-7)
    np.testing.assert_allclose(forest.importances, theirs.feature_importances_)
    np.testing.assert_allclose(forest.estimator.predict_proba(ROWS), theirs.predict_proba(ROWS))
    np.testing.assert_array_equal(forest.estimator.predict(ROWS), theirs.predict(ROWS))


def test_threads_do_not_change_a_bit() -> None:
    few = CropSettings(smote_target=100, trees=12)
    one, three = train(ROWS, LABELS, few), train(ROWS, LABELS, few, threads=3)
    everyone, filled = np.arange(len(ROWS)), Imputation.of(ROWS)
    alone = probabilities(one.trees, ROWS, everyone, filled)
    np.testing.assert_array_equal(alone, probabilities(three.trees, ROWS, everyone, filled, threads=3))
    np.testing.assert_array_equal(
        out_of_bag_probabilities(one, ROWS)[0], out_of_bag_probabilities(three, ROWS, threads=3)[0]
    )


def test_a_parcel_no_tree_is_without_is_judged_by_all_and_told() -> None:
    forest = train(ROWS, LABELS, CropSettings(smote_target=0, trees=1))
    apart, judged = out_of_bag_probabilities(forest, ROWS)
    assert 0.3 < judged.mean() < 0.45
    everyone = probabilities(forest.trees, ROWS, np.arange(len(ROWS)), Imputation.of(ROWS))
    np.testing.assert_array_equal(apart, everyone)


def test_a_node_with_no_more_parcels_than_the_minimum_is_not_split() -> None:
    forest = train(ROWS, LABELS, CropSettings(smote_target=0, trees=5, min_node_size=50))
    for tree in forest.trees:
        inner = tree.tree_.children_left >= 0
        assert tree.tree_.n_node_samples[inner].min() > 50
