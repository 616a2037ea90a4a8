"""Calibration and validation parcels (AC-14, section 7)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.strategies import CALIBRATION, VALIDATION, calibration_size, split, strategy_of

DEFAULT = CropSettings()


@pytest.mark.parametrize(
    ("good", "strategy", "calibration", "validation", "synthetic"),
    [
        (29, 0, 0, 0, 0),
        (30, 3, 22, 8, 978),
        (200, 3, 150, 50, 850),
        (1332, 3, 999, 333, 1),
        (1333, 2, 1000, 333, 0),
        (2000, 2, 1000, 1000, 0),
        (4000, 1, 1000, 3000, 0),
        (5200, 1, 1300, 3900, 0),
    ],
)
def test_ac_14(good: int, strategy: int, calibration: int, validation: int, synthetic: int) -> None:
    assert strategy_of(good, DEFAULT) == strategy
    assert calibration_size(good, DEFAULT) == calibration
    assert (good - calibration if strategy else 0) == validation
    assert (max(0, DEFAULT.smote_target - calibration) if strategy else 0) == synthetic


def draw(identifiers: np.ndarray, classes: np.ndarray, config: CropSettings = DEFAULT) -> dict[int, int]:
    every = np.ones(len(identifiers), dtype=bool)
    found = split(identifiers, classes, every, every, config)
    assert set(found.purpose.tolist()) <= {CALIBRATION, VALIDATION}
    return dict(zip(identifiers.tolist(), found.purpose.tolist(), strict=True))


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(60)), st.integers(0, 2**31 - 1))
def test_the_draw_does_not_depend_on_order_or_other_classes(order: list[int], seed: int) -> None:
    config = CropSettings(seed=seed)
    identifiers, classes = np.arange(100, 160), np.repeat([4, 9], 30)
    alone = draw(identifiers[classes == 4], classes[classes == 4], config)
    both = draw(identifiers[order], classes[order], config)
    assert {parcel: both[parcel] for parcel in alone} == alone
    assert sum(use == CALIBRATION for use in alone.values()) == 22


def test_another_seed_draws_other_parcels() -> None:
    identifiers, classes = np.arange(200), np.full(200, 4)
    assert draw(identifiers, classes) != draw(identifiers, classes, CropSettings(seed=7))


def test_two_classes_of_the_same_parcels_draw_apart() -> None:
    identifiers = np.arange(200)
    assert draw(identifiers, np.full(200, 4)) != draw(identifiers, np.full(200, 5))


def test_without_synthetic_parcels_a_medium_class_still_trains() -> None:
    config = CropSettings(smote_target=0)
    assert [calibration_size(good, config) for good in (1332, 1333, 3999, 4000)] == [999, 1000, 1000, 1000]


def test_no_class_that_is_classified_stays_unlearnt() -> None:
    assert calibration_size(2, CropSettings(pa_min=2, sample_ratio_l=0.01)) == 1
