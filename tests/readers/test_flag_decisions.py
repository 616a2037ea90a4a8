"""Status flags: tables of preprocessing.md 9.2 and l3b-and-markers.md A5 in both profiles, rules, widening, shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import maximum_filter

from s4c_lib.readers.flags import (
    Flag,
    MaskRules,
    coarsened,
    dilated,
    flag_shares,
    flags_from_flags,
    flags_from_landsat,
    flags_from_muscate,
    flags_from_scl,
)

DEFAULT = MaskRules()
REFERENCE = MaskRules(shadow_flag=Flag.CLOUD, dark_area_flag=Flag.CLOUD)
VALUES = st.sampled_from([int(flag) for flag in Flag])
RASTERS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=VALUES)


def one(function: object, *masks: int, rules: MaskRules = DEFAULT) -> int:
    return int(function(*(np.array([[mask]], dtype=np.uint16) for mask in masks), rules)[0, 0])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (DEFAULT, [255, 5, 2, 2, 0, 0, 1, 4, 4, 4, 4, 3]),
        (REFERENCE, [255, 5, 4, 4, 0, 0, 1, 4, 4, 4, 4, 3]),
    ],
)
def test_scene_classes(rules: MaskRules, expected: list[int]) -> None:
    assert flags_from_scl(np.arange(12, dtype=np.uint8), rules).tolist() == expected


def test_a_scene_class_that_does_not_exist_is_no_data() -> None:
    assert flags_from_scl(np.array([12, 200, 255], np.uint8), DEFAULT).tolist() == [255] * 3
    assert flags_from_scl(np.array([12, 260, 4], np.uint16), DEFAULT).tolist() == [255, 255, 0]


@pytest.mark.parametrize(
    ("mg2", "default", "reference"),
    [
        (0, 0, 0), (1, 1, 1), (2, 4, 4), (3, 4, 4), (4, 3, 3), (5, 1, 1), (8, 2, 4), (10, 4, 4), (12, 2, 4),
        (16, 0, 0), (64, 0, 0), (128, 0, 0), (0x09, 2, 4),
    ],
)  # fmt: skip
def test_maja_masks(mg2: int, default: int, reference: int) -> None:
    assert one(flags_from_muscate, mg2, 0, 0) == default
    assert one(flags_from_muscate, mg2, 0, 0, rules=REFERENCE) == reference


@pytest.mark.parametrize("rules", [DEFAULT, REFERENCE])
@pytest.mark.parametrize(
    ("mg2", "edg", "sat", "expected"),
    [(2, 1, 0, 255), (7, 1, 0, 255), (0, 0, 1, 5), (0, 0, 32, 5), (2, 0, 1, 4), (16, 0, 1, 5), (0, 128, 1, 255)],
)
def test_maja_edge_and_saturation(rules: MaskRules, mg2: int, edg: int, sat: int, expected: int) -> None:
    assert one(flags_from_muscate, mg2, edg, sat, rules=rules) == expected


@pytest.mark.parametrize("bit", [16, 32, 64, 128])
def test_relief_is_shadow_when_asked_for(bit: int) -> None:
    rules = MaskRules(use_topographic=True)
    assert one(flags_from_muscate, bit, 0, 0, rules=rules) == 2
    assert one(flags_from_muscate, bit | 1, 0, 0, rules=rules) == 2
    assert one(flags_from_muscate, bit | 2, 0, 0, rules=rules) == 4


def test_water_and_snow_can_be_valid() -> None:
    rules = MaskRules(water_is_valid=True, snow_is_valid=True)
    assert flags_from_scl(np.array([6, 11, 9], np.uint8), rules).tolist() == [0, 0, 4]
    assert one(flags_from_muscate, 5, 0, 0, rules=rules) == 0
    assert one(flags_from_muscate, 1, 0, 1, rules=rules) == 5
    assert one(flags_from_landsat, 21952, 0, rules=rules) == 0
    assert flags_from_flags(np.array([1, 3, 2, 5, 7], np.uint8), rules).tolist() == [0, 0, 2, 5, 255]
    only_water = MaskRules(water_is_valid=True)
    assert one(flags_from_muscate, 5, 0, 0, rules=only_water) == 3


@pytest.mark.parametrize("rules", [DEFAULT, REFERENCE])
@pytest.mark.parametrize(
    ("qa", "flag"), [(21824, 0), (21952, 1), (22280, 4), (23888, 2), (30048, 3), (1, 255), (2, 4), (4, 4)]
)
def test_landsat(rules: MaskRules, qa: int, flag: int) -> None:
    assert one(flags_from_landsat, qa, 0, rules=rules) == flag


@pytest.mark.parametrize(("radsat", "flag"), [(0, 0), (1, 0), (2, 5), (0b100_0000, 5), (1 << 11, 0), (0b11, 5)])
def test_landsat_saturation_of_used_bands_only(radsat: int, flag: int) -> None:
    assert one(flags_from_landsat, 21824, radsat) == flag


def test_widening_by_hand() -> None:
    flags = np.array([[4, 0, 0, 0, 1], [0, 255, 0, 0, 0], [3, 5, 0, 0, 2]], np.uint8)
    assert dilated(flags, 1).tolist() == [[4, 4, 0, 0, 1], [4, 255, 0, 2, 2], [3, 5, 0, 2, 2]]
    assert dilated(flags, 0).tolist() == flags.tolist()


@given(RASTERS, st.integers(1, 14))
def test_widening_is_a_square_around_each_pixel(flags: np.ndarray, px: int) -> None:
    before = flags.copy()
    cloud = maximum_filter(flags == 4, 2 * px + 1, mode="constant")
    shadow = maximum_filter(flags == 2, 2 * px + 1, mode="constant")
    expected = np.where(flags == 255, 255, np.where(cloud, 4, np.where(shadow, 2, flags)))
    np.testing.assert_array_equal(dilated(flags, px), expected)
    np.testing.assert_array_equal(flags, before)


def test_of_several_pixels_the_first_test_decides() -> None:
    assert coarsened(np.array([[0, 5, 1, 3], [0, 0, 3, 5], [2, 1, 4, 255], [0, 0, 0, 0]], np.uint8), 2).tolist() == [
        [5, 1],
        [2, 255],
    ]


@given(RASTERS)
def test_shares_add_up(flags: np.ndarray) -> None:
    shares = flag_shares(flags)
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["land"] == pytest.approx(100 * (flags == 0).mean())
    assert shares["no_data"] == pytest.approx(100 * (flags == 255).mean())


def test_shares_of_nothing() -> None:
    assert set(flag_shares(np.empty((0, 3), np.uint8)).values()) == {0.0}
