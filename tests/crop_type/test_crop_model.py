"""A stored model: the same predictions, or a clear refusal."""

import json
from typing import Any

import numpy as np
import pytest
from four_crops import season
from learning_cases import parcels, table

from s4c_lib.crop_type.classification import classify
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.model import CropModel, describe, forest_bytes, restore
from s4c_lib.crop_type.prediction import probabilities
from s4c_lib.errors import InputError

ROWS, LABELS = season(1, (20, 20, 20, 20))


@pytest.fixture(scope="module")
def model() -> CropModel:
    few = CropSettings(trees=6, pa_min=5, smote_target=0)
    found = classify(table(ROWS), parcels(LABELS), few).model
    assert found is not None
    return found


@pytest.fixture(scope="module")
def stored(model: CropModel) -> tuple[bytes, dict[str, Any]]:
    forest = forest_bytes(model)
    return forest, json.loads(json.dumps(describe(model, forest, {"products": [3, 7], "crop_table": 2})))


def test_a_model_read_back_predicts_the_same(model: CropModel, stored: tuple[bytes, dict[str, Any]]) -> None:
    again = restore(*stored)
    rows = np.arange(len(ROWS))
    expected, found = (
        probabilities(one.estimator.estimators_, ROWS, rows, one.imputation, discriminant=one.discriminant)
        for one in (model, again)
    )
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, probabilities(again.estimator.estimators_, ROWS, rows, again.imputation))
    np.testing.assert_array_equal(again.classes, [10, 20, 30, 40])
    assert again.settings == model.settings
    assert again.feature_names == model.feature_names
    assert stored[1]["provenance"] == {"products": [3, 7], "crop_table": 2}


def test_the_same_run_writes_the_same_bytes(model: CropModel) -> None:
    again = classify(table(ROWS), parcels(LABELS), model.settings, threads=2).model
    assert again is not None
    assert forest_bytes(again) == forest_bytes(model)


def test_another_library_version_is_refused_by_name(stored: tuple[bytes, dict[str, Any]]) -> None:
    forest, description = stored
    old = description | {"libraries": description["libraries"] | {"scikit-learn": "1.4.2"}}
    with pytest.raises(InputError, match=r"scikit-learn 1\.4\.2 \(here 1\.9"):
        restore(forest, old)


def test_a_changed_forest_file_is_not_opened(stored: tuple[bytes, dict[str, Any]]) -> None:
    forest, description = stored
    with pytest.raises(InputError, match="checksum"):
        restore(forest[:-1] + b"x", description)


def test_another_description_is_refused(stored: tuple[bytes, dict[str, Any]]) -> None:
    forest, description = stored
    with pytest.raises(InputError) as caught:
        restore(forest, {name: value for name, value in description.items() if name != "medians"})
    assert "medians" in caught.value.hint
