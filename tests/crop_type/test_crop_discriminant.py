"""The linear discriminant beside the forest: by hand, against scikit-learn, and what it is there for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_cases import parcels, table
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from s4c_lib.crop_type.classification import classify
from s4c_lib.crop_type.discriminant import SHRINKAGE, TEMPERATURE, LinearFeatures, discriminant
from s4c_lib.crop_type.folds import discriminant_out_of_fold
from s4c_lib.crop_type.learning_settings import CropSettings

DRAW = np.random.default_rng(3)
LABEL = np.repeat(np.arange(3), 12).astype(np.int32)
ROWS = (DRAW.normal(size=(36, 50)) + 0.8 * DRAW.normal(size=(3, 50))[LABEL]).astype(np.float32)
ALIKE = np.ones(3)


def test_two_crops_of_one_feature_by_hand() -> None:
    """Means 1 and 7 about 4, variance 10, within the crops 2: log odds are 6 (x - 4) / 2, divided by 4."""
    values = np.array([[0], [2], [6], [8]], np.float32)
    found = discriminant(values, np.array([0, 0, 1, 1], np.int32), np.ones(2), 0.5)
    at = np.array([[4], [5], [8]], np.float32)
    odds = np.exp([0, 3 / 4, 12 / 4])
    np.testing.assert_allclose(found.probabilities(at)[:, 1], odds / (1 + odds), rtol=1e-6)
    three_to_one = discriminant(values, np.array([0, 0, 1, 1], np.int32), np.array([1, 3]), 0.5)
    assert three_to_one.probabilities(at)[0, 1] == pytest.approx(3**0.25 / (1 + 3**0.25))
    forest = np.array([[1.0, 0.0]] * 3)
    np.testing.assert_allclose(found.averaged(forest, at)[:, 1], 0.5 * odds / (1 + odds), rtol=1e-6)


def test_more_features_than_parcels_as_scikit_learn() -> None:
    """It divides the covariance by all parcels, we by those less one a class; the rest is the same."""
    scaled = (ROWS - ROWS.mean(0)) / ROWS.std(0)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE).fit(scaled, LABEL)
    ours = np.log(discriminant(ROWS, LABEL, ALIKE, 0.5).probabilities(ROWS))
    expected = theirs.decision_function(scaled) * (36 - 3) / 36 / TEMPERATURE
    np.testing.assert_allclose(ours - ours[:, :1], expected - expected[:, :1], atol=1e-4)


@given(begin=st.integers(0, 35), size=st.integers(1, 36))
@settings(deadline=None, max_examples=40)
def test_what_is_said_of_a_parcel_does_not_depend_on_the_others(begin: int, size: int) -> None:
    found = discriminant(ROWS, LABEL, ALIKE, 0.5)
    part = slice(begin, begin + size)
    np.testing.assert_array_equal(found.probabilities(ROWS[part].copy()), found.probabilities(ROWS)[part])


def test_radar_counts_once_and_in_decibels() -> None:
    names = (
        "XX_2020_03_13_s2_mean_ndvi", "XX_W202015_ASC_VV_BCK_MEAN", "XX_W202015_ASC_RATIO_BCK_MEAN",
        "XX_M202003_ASC_VH_BCK_CVAR_MEAN", "XX_S_VV_COHE_MEAN", "XX_W202015_ASC_VV_COHE_MEAN", "of_a_user",
        "XX_W202015_ASC_VV_BCK_DEV",
    )  # fmt: skip
    values = np.array([[0.5, 0.01, 7, 8, 9, 0.3, 0.01, 0.02], [0.5, 0, 7, 8, 9, 0.3, 1, 0]], np.float32)
    taken = LinearFeatures.of(names).taken(values)
    np.testing.assert_allclose(taken, [[0.5, -20, 0.3, 0.01, 0.02], [0.5, -60, 0.3, 1, 0]], rtol=1e-6)
    only_months = LinearFeatures.of(names[3:5])
    np.testing.assert_array_equal(only_months.taken(values[:, 3:5]), values[:, 3:5])


def test_features_that_are_the_same_everywhere_say_nothing() -> None:
    constant = np.full((36, 2), 0.1, np.float32)
    found = discriminant(np.hstack([ROWS, constant]), LABEL, ALIKE, 0.5)
    changed = found.probabilities(np.hstack([ROWS, constant + 1000]))
    np.testing.assert_allclose(changed, found.probabilities(np.hstack([ROWS, constant])))
    alone = discriminant(constant, LABEL, ALIKE, 0.5)
    np.testing.assert_allclose(alone.probabilities(constant), 1 / 3)


def test_parcels_all_alike_within_their_crops_and_crops_of_one_parcel() -> None:
    found = discriminant(ROWS[::12], np.arange(3, dtype=np.int32), ALIKE, 0.5)
    probabilities = found.probabilities(ROWS[::12])
    assert probabilities.argmax(1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(probabilities.sum(1), 1)


def test_out_of_fold_a_parcel_has_no_part_in_its_own_probabilities() -> None:
    fold = np.arange(36) % 4
    numbers = (LABEL * 10 + 10).astype(np.int32)
    found = discriminant_out_of_fold(ROWS, numbers, fold, 0.5)
    changed = numbers.copy()
    changed[5] = 30
    rows = ROWS.copy()
    rows[9] += 5  # of the same fold as 5
    again = discriminant_out_of_fold(rows, changed, fold, 0.5)
    np.testing.assert_array_equal(again[5], found[5])
    assert not np.array_equal(again[6], found[6])


def small_differences() -> tuple[np.ndarray, np.ndarray]:
    """Sixty parcels of one crop and twelve each of two that differ from it by little on each of forty dates."""
    draw = np.random.default_rng(8)
    crop = np.repeat([10, 20, 30], [60, 12, 12])
    shape = draw.normal(size=(3, 40)) * np.array([[0], [0.7], [0.7]])
    return draw.normal(size=(84, 40)) + shape[crop // 10 - 1], crop


def test_it_finds_rare_crops_that_differ_a_little_on_many_dates() -> None:
    values, crop = small_differences()
    forest = CropSettings(trees=25, folds=3, discriminant_share=0)
    alone = classify(table(values), parcels(crop), forest).metrics
    both = classify(table(values), parcels(crop), replace(forest, discriminant_share=0.5)).metrics
    assert alone is not None
    assert both is not None
    assert both.macro_f1 > alone.macro_f1 + 0.2
    assert both.overall > alone.overall


def test_training_parcels_are_judged_without_their_own_declaration() -> None:
    """With share 1 only the discriminant speaks: it must not have learnt from the parcel it judges."""
    draw = np.random.default_rng(5)
    noise, crop = draw.normal(size=(80, 60)), np.tile([10, 20], 40)
    few = CropSettings(trees=25, smote_target=0, discriminant_share=1.0)
    honest = classify(table(noise), parcels(crop), few)
    trained = honest.purpose == 1
    assert set(honest.judged_by[trained]) == {2}
    assert (honest.pred_1 == honest.declared)[trained].mean() < 0.65
    blind = classify(table(noise), parcels(crop), replace(few, oob_for_calibration=False))
    assert (blind.pred_1 == blind.declared)[trained].mean() > 0.9
