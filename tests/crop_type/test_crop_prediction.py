"""The two most likely classes (AC-17), missing features, blocks."""

import numpy as np
import pytest

from s4c_lib.crop_type import prediction
from s4c_lib.crop_type.forest import train
from s4c_lib.crop_type.imputation import Imputation, completeness
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.prediction import probabilities, rank

CLASSES = np.array([10, 20, 30], dtype=np.int32)


@pytest.mark.parametrize(
    ("probability", "first", "second"),
    [
        ((0.4, 0.4, 0.2), (10, 0.400), (20, 0.400)),
        ((0.5, 0.25, 0.25), (10, 0.500), (20, 0.250)),
        ((0.12345, 0.87655, 0.0), (20, 0.877), (10, 0.123)),
        ((0.0, 0.0, 1.0), (30, 1.0), (10, 0.0)),
    ],
)
def test_ac_17(probability: tuple[float, ...], first: tuple[int, float], second: tuple[int, float]) -> None:
    found = rank(np.array([probability], dtype=np.float32), CLASSES)
    assert (found.pred_1[0], found.conf_1[0]) == (first[0], np.float32(first[1]))
    assert (found.pred_2[0], found.conf_2[0]) == (second[0], np.float32(second[1]))


def test_one_class_has_no_second() -> None:
    found = rank(np.ones((2, 1), dtype=np.float32), CLASSES[:1])
    assert found.pred_1.tolist() == [10, 10]
    assert found.pred_2.tolist() == [-1, -1]
    assert np.isnan(found.conf_2).all()


def test_missing_features_take_the_median_of_the_calibration_parcels() -> None:
    calibration = np.array([[1, np.nan, np.nan], [3, 5, np.nan], [8, 7, np.inf]], dtype=np.float32)
    imputation = Imputation.of(calibration)
    assert imputation.medians.tolist() == [3, 6, 0]
    filled = imputation.filled(np.array([[np.nan, 2, np.nan], [4, np.nan, 9]], dtype=np.float32))
    assert filled.tolist() == [[3, 2, 0], [4, 6, 9]]


def test_more_than_half_missing_is_too_little() -> None:
    rows = np.ones((4, 4), dtype=np.float32)
    rows[1, :2] = np.nan
    rows[2, :3] = np.nan
    rows[3, 0] = np.inf
    found = completeness(rows, ("a", "b", "c", "d"))
    assert found.enough.tolist() == [True, True, False, True]
    assert found.gaps.tolist() == [False, True, True, True]


def test_ac_23_radar_alone_does_not_make_up_for_a_parcel_never_seen() -> None:
    names = ("XX_2020_03_13_s2_mean_ndvi", "XX_2020_03_13_s2_mean_b5", "XX_S_VV_COHE_MEAN", "XX_S_VH_COHE_MEAN", "e")
    rows = np.ones((3, 5), dtype=np.float32)
    rows[0, :2] = np.nan  # never cloud-free
    rows[1, 1] = np.nan  # too small for the 20 m bands
    rows[2, 2:4] = np.nan  # outside the radar swath
    assert completeness(rows, names).enough.tolist() == [False, True, True]


def test_no_features_at_all_are_too_few() -> None:
    assert not completeness(np.zeros((2, 0), dtype=np.float32), ()).enough.any()


def test_blocks_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(90, 5)).astype(np.float32)
    labels = draw.integers(1, 4, 90).astype(np.int32)
    forest = train(rows, labels, CropSettings(trees=10, smote_target=0))
    wanted, filled = np.arange(89, -1, -1), Imputation.of(rows)
    whole = probabilities(forest.trees, rows, wanted, filled)
    monkeypatch.setattr(prediction, "BLOCK", 7)
    seen: list[tuple[int, int]] = []
    parts = probabilities(
        forest.trees, rows, wanted, filled, threads=2, progress=lambda done, total, _: seen.append((done, total))
    )
    np.testing.assert_array_equal(parts, whole)
    assert seen[-1] == (90, 90)
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-6)


def test_no_parcel_to_predict_is_no_problem() -> None:
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    forest = train(rows, np.array([1, 1, 2, 2], dtype=np.int32), CropSettings(trees=2, smote_target=0))
    assert probabilities(forest.trees, rows, np.arange(0), Imputation.of(rows)).shape == (0, 2)
