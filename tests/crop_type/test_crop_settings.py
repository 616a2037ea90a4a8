"""Settings of the crop type learning: land cover (AC-19), checks of values, both profiles."""

import pytest

from s4c_lib.crop_type.land_cover import ALL_LAND_COVER, monitored_land_cover
from s4c_lib.crop_type.learning_settings import PREFIX, CropSettings
from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY, Layers, resolve


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("12", {1, 2}),
        ("All", ALL_LAND_COVER),
        ("all", ALL_LAND_COVER),
        ("1", {1}),
        ("1234", {1, 2, 3, 4}),
        ("50", {0, 5}),
    ],
)
def test_ac_19_land_cover(text: str, classes: set[int]) -> None:
    assert monitored_land_cover(text) == classes


@pytest.mark.parametrize("text", ["7", "", " ", "11", "1,2", "everything"])
def test_ac_19_wrong_land_cover_names_the_key_and_the_value(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        CropSettings.of({f"{PREFIX}lc": text})
    assert f"{PREFIX}lc" in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min-s2-pix", -1),
        ("min-s1-pix", -1),
        ("best-s2-pix", 2),
        ("pa-min", 1),
        ("pa-train-h", 1332),
        ("pa-train-l", 999),
        ("sample-ratio-h", 0.0),
        ("sample-ratio-l", 1.0),
        ("smote-target", 1334),
        ("smote-k", 0),
        ("num-trees", 0),
        ("num-trees", 5001),
        ("min-node-size", 0),
        ("seed", -1),
        ("mode", "s3-only"),
        ("cv", "parcel"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        CropSettings.of({f"{PREFIX}{key}": value})
    assert f"{PREFIX}{key}" in str(caught.value)
    assert str(value) in str(caught.value)


def test_a_fold_needs_another_one() -> None:
    with pytest.raises(ParameterError, match="folds is 1"):
        CropSettings.of({}, folds=1)


def test_settings_without_parameters_are_the_registered_defaults() -> None:
    assert CropSettings.of(resolve(Layers(), phase="current").values) == CropSettings()


def test_the_profiles_differ_in_what_the_specification_marks() -> None:
    reference = CropSettings.of(resolve(Layers(season={"profile": "reference"}), phase="current").values)
    assert (reference.smote_standardise, reference.oob_for_calibration) == (False, False)
    assert CropSettings(smote_standardise=False, oob_for_calibration=False, discriminant_share=0) == reference


@pytest.mark.parametrize("name", ["seed", "cv", "smote_standardise", "oob_for_calibration"])
def test_every_read_key_is_registered(name: str) -> None:
    assert f"{PREFIX}{name}" in REGISTRY


@pytest.mark.parametrize(("mode", "least"), [("both", (3, 1)), ("s1-only", (0, 1)), ("s2-only", (3, 0))])
def test_one_sensor_asks_for_no_pixels_of_the_other(mode: str, least: tuple[int, int]) -> None:
    settings = CropSettings(mode=mode)
    assert (settings.least_s2_pix, settings.least_s1_pix) == least
