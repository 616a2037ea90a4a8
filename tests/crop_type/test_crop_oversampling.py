"""Synthetic parcels (AC-16, section 8)."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE

from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.oversampling import Synthetic, nearest, oversample, standardised


def config(target: int, k: int = 5, *, standardise: bool = True) -> CropSettings:
    return CropSettings(smote_target=target, smote_k=k, smote_standardise=standardise)


def test_ac_16_interpolation() -> None:
    rows = np.array([[0.2, 3000], [0.4, 3400]], dtype=np.float32)
    made = Synthetic(np.array([0]), np.array([1]), np.array([0.25], dtype=np.float32), np.array([7], dtype=np.int32))
    np.testing.assert_allclose(made.values(rows), [[0.25, 3100]], rtol=1e-6)


def test_ac_16_neighbours_do_not_see_the_parcel_number() -> None:
    """Parcels 1, 2 and 1000 with features 0.0, 10.0 and 0.1: the nearest of the first is the third."""
    assert nearest(np.array([[0.0], [10.0], [0.1]], dtype=np.float32), 1)[:, 0].tolist() == [2, 2, 0]


def test_ac_16_each_class_makes_its_own() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(1000, 3)).astype(np.float32)
    labels = np.repeat([1, 2], [900, 100]).astype(np.int32)
    made = oversample(rows, labels, config(1000))
    assert Counter(made.class_number.tolist()) == {1: 100, 2: 900}
    assert (labels[made.base] == made.class_number).all()
    assert (labels[made.neighbour] == made.class_number).all()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 30), st.integers(1, 6), st.booleans())
def test_classes_are_filled_up_evenly(sizes: list[int], target: int, k: int, standardise: bool) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    rows = np.random.default_rng(len(labels)).normal(size=(len(labels), 2)).astype(np.float32)
    made = oversample(rows, labels, config(target, k, standardise=standardise))
    for number, size in enumerate(sizes):
        of_class = made.class_number == number
        assert of_class.sum() == max(0, target - size)
        used = np.bincount(made.base[of_class], minlength=len(labels))[labels == number]
        assert not of_class.any() or used.max() - used.min() <= 1
        alone = made.base[of_class] == made.neighbour[of_class]
        assert alone.all() if size == 1 else not alone.any()
    assert ((made.step >= 0) & (made.step < 1)).all()


def test_a_class_does_not_change_the_samples_of_another_in_raw_units() -> None:
    rows = np.random.default_rng(3).normal(size=(30, 2)).astype(np.float32)
    labels = np.repeat([4, 9], [10, 20]).astype(np.int32)
    raw = config(25, standardise=False)
    alone, both = oversample(rows[:10], labels[:10], raw), oversample(rows, labels, raw)
    np.testing.assert_array_equal(alone.values(rows), both.values(rows)[both.class_number == 4])


def test_units_do_not_matter_with_z_scores() -> None:
    """Reflectance times 10000 beside coherence: in raw units only the first would decide who is near (D-13)."""
    rows = np.random.default_rng(5).normal(size=(40, 2)).astype(np.float32)
    labels = np.zeros(40, dtype=np.int32)
    scaled = rows * np.array([1, 4096], dtype=np.float32)
    np.testing.assert_array_equal(
        oversample(rows, labels, config(80)).neighbour, oversample(scaled, labels, config(80)).neighbour
    )
    raw = config(80, standardise=False)
    assert (oversample(rows, labels, raw).neighbour != oversample(scaled, labels, raw).neighbour).any()


def test_constant_columns_have_no_z_score() -> None:
    rows = np.array([[1, 0.1, 5], [3, 0.1, 5]], dtype=np.float32)
    np.testing.assert_allclose(standardised(rows), [[-1], [1]])


def test_a_class_of_equal_parcels_is_repeated() -> None:
    rows = np.ones((3, 2), dtype=np.float32)
    made = oversample(rows, np.zeros(3, dtype=np.int32), config(8))
    np.testing.assert_array_equal(made.values(rows), np.ones((5, 2)))


@pytest.mark.parametrize("size", [6, 40])
def test_neighbours_are_those_of_imbalanced_learn(size: int) -> None:
    rows = np.random.default_rng(size).normal(size=(2 * size, 4)).astype(np.float32)
    theirs = SMOTE(k_neighbors=5, sampling_strategy={0: size + 10, 1: size + 10}, random_state=1)
    theirs.fit_resample(rows, np.repeat([0, 1], size))
    # It keeps the search of the class it made last.
    expected = theirs.nn_k_.kneighbors(rows[size:], return_distance=False)[:, 1:]
    np.testing.assert_array_equal(nearest(rows[size:], 5), expected)
