"""Accuracy figures (AC-18, section 10, D-25)."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from s4c_lib.crop_type.metrics import Metrics, confusion_matrix, largest_confusions, measure

AC_18 = np.array([[50, 5, 2], [8, 40, 3], [2, 5, 35]])


def of_pairs(predicted: object, declared: object, **more: object) -> Metrics:
    first = np.asarray(predicted, dtype=np.int32)
    none = np.full(len(first), -1, dtype=np.int32)
    sure = np.ones(len(first), dtype=np.float32)
    return measure(np.asarray(declared, dtype=np.int32), first, none, sure, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ac_18() -> Metrics:
    predicted, declared = np.divmod(np.repeat(np.arange(9), AC_18.ravel()), 3)
    return of_pairs(predicted, declared)


def test_ac_18(ac_18: Metrics) -> None:
    np.testing.assert_array_equal(ac_18.confusion, AC_18)
    assert ac_18.overall == pytest.approx(0.833333, abs=1e-6)
    assert ac_18.kappa == pytest.approx(0.747475, abs=1e-6)
    np.testing.assert_allclose(ac_18.user, [0.877193, 0.784314, 0.833333], atol=1e-6)
    np.testing.assert_allclose(ac_18.producer, [0.833333, 0.8, 0.875], atol=1e-6)
    np.testing.assert_allclose(ac_18.f1, [0.854701, 0.792079, 0.853659], atol=1e-6)
    assert ac_18.macro_f1 == pytest.approx(0.833480, abs=1e-6)


def test_ac_18_largest_confusions(ac_18: Metrics) -> None:
    assert largest_confusions(ac_18.confusion, 0, of="user") == [(1, 8.8), (2, 3.5)]
    assert largest_confusions(ac_18.confusion, 0, of="producer") == [(1, 13.3), (2, 3.3)]


def test_a_class_that_is_only_predicted_stays() -> None:
    """D-25: dropping it would make the confusion and the accuracy wrong."""
    found = of_pairs([1, 2, 3], [1, 2, 2])
    assert found.classes.tolist() == [1, 2, 3]
    assert found.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert found.overall == pytest.approx(2 / 3)
    assert np.isnan(found.producer[2])
    assert found.user[2] == 0
    assert np.isnan(found.f1[2])


def test_a_class_never_found_counts_in_the_mean() -> None:
    found = of_pairs([1, 1], [1, 2])
    assert np.isnan(found.user[1])
    assert found.macro_f1 == pytest.approx((2 / 3) / 2)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=40))
def test_figures_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    predicted, declared = (np.array(column) for column in zip(*pairs, strict=True))
    found = of_pairs(predicted, declared)
    assert found.overall == pytest.approx(accuracy_score(declared, predicted))
    if len(found.classes) > 1:
        assert found.kappa == pytest.approx(cohen_kappa_score(declared, predicted), abs=1e-12)
    theirs = f1_score(declared, predicted, labels=np.unique(declared), average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(theirs)
    assert found.confusion.sum() == len(pairs)


def test_only_one_class_has_no_kappa() -> None:
    found = of_pairs([5, 5], [5, 5])
    assert found.overall == 1
    assert np.isnan(found.kappa)


def test_area_size_tile_and_second_choice() -> None:
    found = measure(
        np.array([1, 1, 2, 2], dtype=np.int32),
        np.array([1, 2, 2, 1], dtype=np.int32),
        np.array([2, 1, 1, 3], dtype=np.int32),
        np.array([0.91, 0.55, 0.7, 1.0], dtype=np.float32),
        good=np.array([True, True, False, False]),
        area=np.array([30.0, 10.0, 40.0, np.nan]),
        tile=np.array(["31UFS", "31UFS", "31UES", None], dtype=object),
    )
    assert found.overall == 0.5
    assert found.by_area == pytest.approx(70 / 80)
    assert found.top_2 == 0.75
    assert found.by_size == {"small": (0.5, 2), "good": (0.5, 2)}
    assert found.by_tile == {"31UES": (1.0, 1), "31UFS": (0.5, 2)}
    assert [one.n for one in found.reliability] == [0, 0, 0, 0, 0, 1, 0, 1, 0, 2]
    assert found.reliability[9].confidence == pytest.approx(0.955)
    assert found.reliability[9].accuracy == 0.5


@pytest.mark.parametrize("tenth", range(11))
def test_a_tenth_belongs_to_the_decile_it_begins(tenth: int) -> None:
    confidence = np.array([tenth / 10], dtype=np.float32)
    one = np.array([1], dtype=np.int32)
    found = measure(one, one, -one, confidence)
    assert found.reliability[min(tenth, 9)].n == 1


def test_json_has_nulls_for_what_is_undefined() -> None:
    text = json.dumps(of_pairs([1, 1], [1, 2]).as_json(), allow_nan=False)
    figures = json.loads(text)
    assert figures["overall_accuracy"] == 0.5
    assert figures["area_weighted_accuracy"] is None
    assert figures["classes"][1] == {
        "class": 2,
        "predicted": 0,
        "declared": 1,
        "correct": 0,
        "user_accuracy": None,
        "producer_accuracy": 0.0,
        "f1": None,
    }


def test_confusion_of_no_parcel_is_empty() -> None:
    none = np.zeros(0, dtype=np.int32)
    assert confusion_matrix(np.array([1, 2], dtype=np.int32), none, none).sum() == 0
