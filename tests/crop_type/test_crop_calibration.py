"""Calibration of forest frequencies: known distortions are undone, wrong declarations do not disturb."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from crop_type_cases import SEEN, seen_parcels

from s4c_lib.crop_type.calibration import FLOOR, Calibration, calibrate, expected_calibration_error
from s4c_lib.errors import InputError


def plain(slope: float = 1.0, shift: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Calibration:
    return Calibration(slope, np.array(shift), 0.02, np.eye(3), 100, 0.1, 0.01)


def test_formula_by_hand() -> None:
    # (0.797, 0.197, 0 -> with the floor 0.8, 0.2, 0.003) squared: 0.64, 0.04, 0.000009; the last doubled.
    calibration = plain(2.0, (0.0, 0.0, float(np.log(2))))
    found = calibration.probabilities(np.array([[0.797, 0.197, 0.0]], np.float32))
    assert pytest.approx(1) == found.sum()
    np.testing.assert_allclose(found[0], np.array([0.64, 0.04, 0.000018]) / 0.680018, rtol=1e-5)
    assert FLOOR == 0.003


def test_not_predicted_stays_so() -> None:
    found = plain().probabilities(np.array([[np.nan, np.nan, np.nan], [1, 0, 0]], np.float32))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_too_cautious_and_balanced_forest_is_undone() -> None:
    truth, frequencies, _ = seen_parcels(6000, seed=1)
    calibration = calibrate(frequencies, truth)
    assert calibration.ece_before > 0.05
    assert calibration.ece_after < 0.02
    assert calibration.slope == pytest.approx(1 / SEEN.caution, rel=0.15)
    # Classes the forest saw as often as any other, though they are rare, are shifted down against the common one.
    assert calibration.shift[0] > calibration.shift[2] + 1


@pytest.mark.parametrize("wrong", [0.02, 0.08])
def test_wrong_declarations_do_not_teach_caution(wrong: float) -> None:
    truth, frequencies, rng = seen_parcels(6000, seed=2)
    declared = truth.copy()
    chosen = rng.choice(len(truth), round(wrong * len(truth)), replace=False)
    declared[chosen] = (truth[chosen] + rng.integers(1, 3, len(chosen))) % 3
    calibration = calibrate(frequencies, declared)
    assert calibration.wrong_share == pytest.approx(wrong, rel=0.4)
    calibrated = calibration.probabilities(frequencies).astype(np.float64)
    top = calibrated.argmax(axis=1)
    assert expected_calibration_error(calibrated.max(axis=1), top == truth) < 0.02


def test_order_of_parcels_does_not_matter() -> None:
    truth, frequencies, rng = seen_parcels(500, seed=3)
    order = rng.permutation(500)
    one, other = calibrate(frequencies, truth), calibrate(frequencies[order], truth[order])
    np.testing.assert_allclose(one.shift, other.shift, atol=1e-3)
    assert one.slope == pytest.approx(other.slope, abs=1e-3)


def test_gradient_agrees_with_differences() -> None:
    from s4c_lib.crop_type.calibration import _Loss, _names_of_wrong

    truth, frequencies, rng = seen_parcels(200, seed=4)
    declared = np.where(rng.random(200) < 0.1, (truth + 1) % 3, truth)
    loss = _Loss(np.log(frequencies.astype(np.float64) + FLOOR), declared, _names_of_wrong(np.bincount(declared)))
    at = np.array([0.3, 0.5, -0.2, 0.1, -3.0])
    step = 1e-6
    expected = [(loss(at + step * unit)[0] - loss(at - step * unit)[0]) / (2 * step) for unit in np.eye(5)]
    np.testing.assert_allclose(loss(at)[1], expected, rtol=1e-5, atol=1e-4)


def test_class_without_declarations_and_one_with_all() -> None:
    frequencies: npt.NDArray[np.float32] = np.tile(np.array([[0.6, 0.4]], np.float32), (30, 1))
    calibration = calibrate(frequencies, np.zeros(30, np.int64))
    np.testing.assert_array_equal(calibration.wrong_names, [[0, 1], [1, 0]])
    assert calibration.probabilities(frequencies)[0, 0] > 0.6


def test_error_by_hand() -> None:
    # Two bins: 0.2 and 0.4 with one of two true (gap 0.2), 0.9 and 0.9 with both (gap 0.1).
    found = expected_calibration_error(np.array([0.2, 0.9, 0.4, 0.9]), np.array([False, True, True, True]), bins=2)
    assert found == pytest.approx(0.15)
    assert np.isnan(expected_calibration_error(np.empty(0), np.empty(0, np.bool_)))


def test_too_few_parcels_or_classes_are_said() -> None:
    with pytest.raises(InputError, match="calibration needs 20"):
        calibrate(np.full((19, 2), 0.5, np.float32), np.zeros(19, np.int64))
    with pytest.raises(InputError, match="two classes"):
        calibrate(np.ones((30, 1), np.float32), np.zeros(30, np.int64))
