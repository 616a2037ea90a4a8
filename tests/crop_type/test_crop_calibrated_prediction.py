"""Predictions by calibrated probabilities."""

from __future__ import annotations

import numpy as np
from crop_type_cases import classification, seen_parcels

from s4c_lib.crop_type.calibrated_prediction import with_calibrated_predictions
from s4c_lib.crop_type.calibration import calibrate, calibrated_apart
from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.judgement import JudgementSettings, judge


def parcels_of(declared: np.ndarray, parcel_id: np.ndarray) -> CropParcels:
    count = len(parcel_id)
    number = np.full(count, 30, np.int32)
    return CropParcels(parcel_id, declared, np.ones(count, np.int8), number, number, np.full(count, None, dtype=object))


def test_common_crops_gain_and_metrics_follow() -> None:
    """Given a forest trained on classes of equal size, parcels between two crops are of the common one."""
    truth, frequencies, _ = seen_parcels(3000, 3)
    forest = classification(frequencies, truth, left_out=("no_lut",))
    judgement = judge(forest, JudgementSettings())
    found = with_calibrated_predictions(
        forest, judgement, parcels_of(forest.declared[::-1], forest.parcel_id[::-1]), best_s2_pix=10
    )
    declared = forest.declared[:3000]
    before, after = (forest.pred_1[:3000] == declared).mean(), (found.pred_1[:3000] == declared).mean()
    assert after > before + 0.01
    assert found.metrics is not None
    assert found.metrics.overall == after
    assert found.metrics.by_size["good"] == (after, 3000)
    np.testing.assert_array_equal(found.probabilities, judgement.probabilities)
    np.testing.assert_allclose(found.conf_1[:3000], judgement.probabilities.max(axis=1), atol=0.0005)
    assert (found.pred_1[-1], found.pred_2[-1]) == (-1, -1)
    assert (forest.pred_1[:3000] == declared).mean() == before


def test_nothing_calibrated_changes_nothing() -> None:
    truth, frequencies, _ = seen_parcels(15, 1)
    forest = classification(frequencies, truth)
    parcels = parcels_of(forest.declared, forest.parcel_id)
    assert with_calibrated_predictions(forest, judge(forest, JudgementSettings()), parcels, 10) is forest


def test_few_parcels_are_calibrated_without_their_own_part() -> None:
    """What the forest says of one parcel changes the calibration of the other four parts, not of its own."""
    truth, frequencies, _ = seen_parcels(60, 3)
    parcel_id = np.arange(60)
    changed = frequencies.copy()
    changed[0] = np.roll(changed[0], 1)
    _, before = calibrated_apart(frequencies, truth, parcel_id)
    _, after = calibrated_apart(changed, truth, parcel_id)
    order = np.lexsort((parcel_id, truth))
    part = np.empty(60, np.int64)
    part[order] = np.arange(60) % 5
    others = (part == part[0]) & (parcel_id > 0)
    assert others.sum() == 11
    np.testing.assert_allclose(after[others], before[others], atol=1e-3)
    assert np.abs(after[part != part[0]] - before[part != part[0]]).max() > 0.05
    whole = calibrate(frequencies, truth).probabilities(frequencies)
    assert np.abs(calibrate(changed, truth).probabilities(frequencies) - whole)[others].max() > 0.02


def test_order_of_rows_decides_no_part() -> None:
    truth, frequencies, rng = seen_parcels(300, 2)
    order = rng.permutation(300)
    _, one = calibrated_apart(frequencies, truth, np.arange(300))
    _, other = calibrated_apart(frequencies[order], truth[order], order)
    np.testing.assert_allclose(one[order], other, atol=1e-3)
