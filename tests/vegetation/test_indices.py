"""NDVI, NDWI and brightness (l3b-and-markers.md 1.3, acceptance case A6)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from s4c_lib.readers.scene import NO_DATA
from s4c_lib.vegetation.indices import brightness, normalised_difference

PAIRS = st.tuples(st.integers(1, 6), st.integers(1, 40)).flatmap(
    lambda shape: st.tuples(
        arrays(np.int16, shape, elements=st.integers(-1000, 12_000) | st.just(NO_DATA)),
        arrays(np.int16, shape, elements=st.integers(-1000, 12_000) | st.just(NO_DATA)),
        arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 255])),
    )
)


def row(*numbers: int) -> npt.NDArray[np.int16]:
    return np.array([numbers], np.int16)


def land(count: int) -> npt.NDArray[np.uint8]:
    return np.zeros((1, count), np.uint8)


@pytest.mark.parametrize(
    ("infrared", "other", "default", "reference"),
    [
        (3400, 500, 744, 743),
        (800, 900, -59, NO_DATA),
        (3400, 2000, 259, 259),
        (3400, -50, 1000, 1000),  # a negative reflectance: beyond 1, clipped
        (-300, 400, -1000, NO_DATA),
        (400, -400, NO_DATA, NO_DATA),  # no light at all
        (0, 0, NO_DATA, NO_DATA),
        (-300, 200, NO_DATA, NO_DATA),
        (NO_DATA, 500, NO_DATA, NO_DATA),
        (3400, NO_DATA, NO_DATA, NO_DATA),
        (10_000, 10_001, 0, 0),  # Sen4CAP takes values nearer than 0.0001 for zero
        (2500, 2500, 0, 0),
        (4001, 3999, 0, 0),  # 0.00025
    ],
)
def test_a6_ratio_by_its_numbers(infrared: int, other: int, default: int, reference: int) -> None:
    pair = row(infrared), row(other)
    assert normalised_difference(*pair, land(1)).tolist() == [[default]]
    assert normalised_difference(*pair, land(1), truncate=True, keep_negative=False).tolist() == [[reference]]


def test_a6_brightness_by_its_numbers() -> None:
    red, green = row(500, NO_DATA, 500, 0, 500), row(600, 600, NO_DATA, 0, 600)
    assert brightness(red, green, land(5)).tolist() == [[552, NO_DATA, NO_DATA, 0, 552]]
    assert brightness(row(9), row(10), land(1)).tolist() == [[10]]
    assert brightness(row(9), row(10), land(1), truncate=True).tolist() == [[9]]


def test_a5_only_land_carries_indices() -> None:
    flags = np.array([[0, 1, 2, 3, 4, 5, 255]], np.uint8)
    high, low = row(*[3400] * 7), row(*[500] * 7)
    assert normalised_difference(high, low, flags).tolist() == [[744, *[NO_DATA] * 6]]
    assert brightness(low, low, flags).tolist() == [[500, *[NO_DATA] * 6]]


def exact(a: int, b: int, flag: int, truncate: bool, keep_negative: bool) -> int:
    if flag or NO_DATA in (a, b) or a + b <= 0:
        return NO_DATA
    value = Fraction(a - b, a + b)
    if not keep_negative and value <= Fraction(-1, 10_000):
        return NO_DATA
    scaled = min(max(value, Fraction(-1)), Fraction(1)) * 1000
    return int(scaled) if truncate else round(scaled)


@settings(max_examples=80, deadline=None)
@given(PAIRS, st.booleans(), st.booleans())
def test_ratio_is_that_of_fractions(drawn: tuple[Any, Any, Any], truncate: bool, keep_negative: bool) -> None:
    first, second, flags = drawn
    found = normalised_difference(first, second, flags, truncate=truncate, keep_negative=keep_negative)
    pixels = zip(first.ravel().tolist(), second.ravel().tolist(), flags.ravel().tolist(), strict=True)
    assert found.ravel().tolist() == [exact(*pixel, truncate, keep_negative) for pixel in pixels]


@settings(max_examples=80, deadline=None)
@given(PAIRS)
def test_masked_pixels_have_no_value_and_values_are_in_range(drawn: tuple[Any, Any, Any]) -> None:
    first, second, flags = drawn
    found = normalised_difference(first, second, flags)
    assert (found[flags != 0] == NO_DATA).all()
    valid = found[found != NO_DATA]
    assert ((valid >= -1000) & (valid <= 1000)).all()
    bright = brightness(first, second, flags)
    assert (bright[flags != 0] == NO_DATA).all()
    assert (bright[bright != NO_DATA] >= 0).all()
