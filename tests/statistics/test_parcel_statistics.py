"""Statistics per parcel: the cases of the specification, and numpy on random rasters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_cases import SMALL, by_reduceat, indexed, row_of, statistics

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.statistics.band_formulas import brightness_l4a, ndwi
from s4c_lib.statistics.parcel_statistics import (
    ParcelStatistics,
    backscatter_statistics,
    coherence_statistics,
    merged,
    only,
    rows_to_keep,
    statistics_of,
)

A8 = shapely.Polygon([(12, 57), (49, 52), (44, 14), (14, 21)])
A8_VALUES = np.array(
    [
        [600, 610, 620, -10000, 640, 650],
        [700, 710, 0, 730, 740, 750],
        *([low + 10 * k for k in range(6)] for low in (500, 400, 300, 200)),
    ],
    np.int16,
)
A8_FLAGS = np.zeros((6, 6), np.uint8)
A8_FLAGS[1, 1], A8_FLAGS[2, 3] = 4, 1
TYPES = (np.int16, np.float32, np.float64)


@pytest.mark.parametrize("kind", TYPES)
def test_a8_zonal(kind: Any) -> None:
    index = indexed([A8])
    found = statistics_of(index, A8_VALUES.astype(kind), no_data=-10_000, land=A8_FLAGS, quartiles=True)
    assert (found.n.tolist(), found.n_total.tolist(), found.n_invalid.tolist()) == ([12], [14], [0])
    assert (found.mean[0], found.least[0], found.most[0]) == (497.5, 0, 740)
    assert found.std[0] == pytest.approx(193.537640, abs=1e-4)
    assert [float(values[0]) for values in (found.p25, found.p50, found.p75) if values is not None] == [
        427.5,
        515,
        612.5,
    ]


@pytest.mark.parametrize("kind", TYPES)
def test_a8_zonal_with_zero_as_no_data(kind: Any) -> None:
    """``reference``."""
    index = indexed([A8])
    found = statistics_of(index, A8_VALUES.astype(kind), no_data=-10_000, land=A8_FLAGS, zero_is_no_data=True)
    assert (found.n[0], found.n_invalid[0], found.n_total[0], found.p50) == (11, 1, 14, None)
    assert found.mean[0] == pytest.approx(542.727273, abs=1e-4)
    assert found.std[0] == pytest.approx(119.171382, abs=1e-4)


def test_a9_each_pixel_becomes_decibels_before_averaging() -> None:
    values = np.array([[0.02, 0.05, 0.1, 0.2, 0, np.nan]], np.float32)
    found = backscatter_statistics(row_of(6), values, quantity="sigma0")
    assert (found.n[0], found.n_invalid[0], found.n_total[0]) == (4, 2, 6)
    assert found.mean[0] == pytest.approx(-11.747425, abs=1e-5)
    assert found.std[0] == pytest.approx(4.272616, abs=1e-5)
    amplitude = backscatter_statistics(row_of(6), np.sqrt(values), quantity="amplitude")
    assert amplitude.mean[0] == pytest.approx(found.mean[0], abs=1e-5)
    whole = np.nan_to_num(values * 10_000).round().astype(np.uint16)
    scaled = backscatter_statistics(row_of(6), whole, quantity="gamma0", scale=1e-4, quartiles=True)
    assert scaled.mean[0] == pytest.approx(found.mean[0], abs=1e-5)
    assert scaled.p50 is not None
    assert scaled.p50[0] == pytest.approx((10 * np.log10(0.05) - 10) / 2, abs=1e-5)


def test_floored_noise_is_no_value() -> None:
    """Decision B5: sigma0 of 1e-6 and less; an amplitude of 1e-3 is the same power."""
    power = np.array([[1e-7, 1e-6, 2e-6, 0.1, -0.1]])
    assert backscatter_statistics(row_of(5), power, quantity="sigma0").n[0] == 2
    root = np.array([[3e-4, 1e-3, 2e-3, 0.3, -0.3]])
    assert backscatter_statistics(row_of(5), root, quantity="amplitude").n[0] == 2
    with pytest.raises(InputError, match="beta0"):
        backscatter_statistics(row_of(5), root, quantity="beta0")  # type: ignore[arg-type]


def test_coherence_lies_between_0_and_1() -> None:
    values = np.array([[0, 0.2, 0.4, 1.0, -0.1, 5, np.nan]], np.float32)
    found = coherence_statistics(row_of(7), values)
    assert (found.n[0], found.n_invalid[0]) == (3, 4)
    assert found.mean[0] == pytest.approx(1.6 / 3)


def test_a10_row_rule() -> None:
    """Valid of visited pixels: 1 of 5, 2 of 20, 3 of 23."""
    n, invalid = np.array([1, 2, 3], np.int32), np.array([4, 18, 20], np.int32)
    none = np.zeros(3, np.float32)
    found = ParcelStatistics(np.array([1, 2, 3]), n, invalid, n + invalid, none, none, none, none)
    reference = rows_to_keep(found, 2, 0.1)
    assert reference.parcel_id.tolist() == [3]
    default = rows_to_keep(found, 1, 0.0)
    assert (default.parcel_id.tolist(), default.n.tolist(), default.n_total.tolist()) == (
        [1, 2, 3],
        [1, 2, 3],
        [5, 20, 23],
    )


def test_a15_overlapping_parcels_have_identical_statistics() -> None:
    found = statistics_of(indexed([A8, A8], numbers=[4, 8]), A8_VALUES, no_data=-10_000)
    for values in (found.n, found.mean, found.std, found.least, found.most):
        assert values[0] == values[1]


def test_a_parcel_without_a_valid_pixel_has_no_values() -> None:
    found = statistics_of(row_of(3), np.full((1, 3), -10_000, np.int16), no_data=-10_000, quartiles=True)
    assert (found.n[0], found.n_invalid[0], found.n_total[0]) == (0, 3, 3)
    assert np.isnan([found.mean, found.std, found.least, found.most, found.p25, found.p50, found.p75]).all()
    assert len(rows_to_keep(found, 1, 0.0)) == 0


def test_a_deviation_needs_two_pixels_and_equal_pixels_have_none() -> None:
    one = np.array([[7, -10_000, -10_000]], np.int16)
    assert np.isnan(statistics_of(row_of(3), one, no_data=-10_000).std[0])
    for kind in TYPES:
        assert statistics_of(row_of(3), np.full((1, 3), 9_999, kind), no_data=-10_000).std[0] == 0


def test_values_become_physical_at_the_end() -> None:
    found = statistics_of(row_of(3), np.array([[0, 100, 200]], np.uint8), no_data=None, scale=0.01, offset=-0.5)
    assert found.mean[0] == pytest.approx(0.5)
    assert (found.std[0], found.least[0], found.most[0]) == (
        pytest.approx(1.0),
        pytest.approx(-0.5),
        pytest.approx(1.5),
    )


def test_small_deviations_of_large_numbers_survive() -> None:
    """The sum of squares of such floats has lost the deviation."""
    values = 1e8 + np.array([[0.0, 1.0, 2.0, 3.0]])
    assert statistics_of(row_of(4), values, no_data=None).std[0] == pytest.approx(np.std([0, 1, 2, 3], ddof=1))


def test_what_does_not_fit_is_refused_before_anything_reads_it() -> None:
    index = row_of(4)
    with pytest.raises(InputError, match=r"\(1, 3\) pixels for a pixel index of \(1, 4\)"):
        statistics_of(index, np.zeros((1, 3), np.int16), no_data=None)
    with pytest.raises(InputError, match="flags"):
        statistics_of(index, np.zeros((1, 4), np.int16), no_data=None, land=np.zeros((1, 3), np.uint8))
    with pytest.raises(InputError, match="complex64"):
        statistics_of(index, np.zeros((1, 4), np.complex64), no_data=None)
    with pytest.raises(InputError, match="scale"):
        statistics_of(index, np.zeros((1, 4), np.int16), no_data=None, scale=0)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([np.int16, np.uint16, np.uint8, np.float32, np.float64]),
    zero=st.booleans(),
    masked=st.booleans(),
)
def test_it_is_what_numpy_finds(seed: int, kind: Any, zero: bool, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    grid = PixelGrid(32631, 0, 300, 10, 30, 40)
    centres = rng.uniform(0, 1, (12, 2)) * (400, 300)
    index = indexed([shapely.Point(x, y).buffer(rng.uniform(8, 90)) for x, y in centres], grid)
    low = 0 if kind in (np.uint16, np.uint8) else -300
    values: npt.NDArray[Any] = rng.integers(low, 255, grid.shape).astype(kind)
    values[rng.uniform(size=grid.shape) < 0.2] = 0
    no_data = 7
    values[rng.uniform(size=grid.shape) < 0.2] = no_data
    flags = rng.choice(np.array([0, 4, 255], np.uint8), grid.shape, p=[0.7, 0.2, 0.1])
    found = statistics_of(
        index, values, no_data=no_data, land=flags if masked else None, zero_is_no_data=zero, quartiles=True
    )
    valid = (values != no_data) & ((values != 0) | (not zero))
    expected = by_reduceat(index, values, valid & (flags == 0) if masked else valid)
    assert found.n.tolist() == expected["n"].tolist()
    for name in ("mean", "std", "least", "most"):
        np.testing.assert_allclose(getattr(found, name), expected[name], rtol=1e-6, atol=1e-5)
    visited = np.array(
        [
            (flags.flat[index.pixels_of(k)] == 0).sum() if masked else c
            for k, c in zip(index.parcel_id, index.count, strict=True)
        ]
    )
    assert (found.n + found.n_invalid).tolist() == visited.tolist()
    for at, parcel in enumerate(index.parcel_id):
        pixels = index.pixels_of(int(parcel))
        some = values.flat[pixels][(valid & (flags == 0) if masked else valid).flat[pixels]]
        quartiles = [np.nan] * 3 if not len(some) else np.percentile(some.astype(float), [25, 50, 75])
        rows = [values[at] for values in (found.p25, found.p50, found.p75) if values is not None]
        np.testing.assert_allclose(rows, quartiles, rtol=1e-6)


def test_rows_of_unchanged_parcels_are_copied_into_a_new_version() -> None:
    old = statistics([1, 2, 5], [0.1, 0.2, 0.5], n=[3, 4, 5], n_total=[6, 7, 8])
    new = statistics([2, 9], [0.25, 0.9], n=[2, 9], n_total=[4, 9])
    found = merged(old, new, [1, 3, 5])
    assert found.parcel_id.tolist() == [1, 2, 5, 9]
    assert found.mean.tolist() == np.array([0.1, 0.25, 0.5, 0.9], np.float32).tolist()
    assert (found.n.tolist(), found.n_total.tolist()) == ([3, 2, 5, 9], [6, 4, 8, 9])
    with pytest.raises(InputError, match="parcel 2"):
        merged(old, new, [1, 2])
    with pytest.raises(InputError, match="quartiles"):
        merged(old, statistics([2], [0.2], p50=np.ones(1, np.float32)), [1])


def test_a_copied_row_must_be_of_the_same_pixels() -> None:
    index = indexed([shapely.box(0, 0, 20, 20), shapely.box(20, 20, 60, 60)], SMALL)
    old = statistics([1, 2], [0.1, 0.2], n=[4, 9], n_total=[4, 9])
    nothing = old.take(np.array([], np.int64))
    assert len(merged(old, nothing, [1], n_total=index)) == 1
    with pytest.raises(InputError, match="parcel 2 is said to be unchanged"):
        merged(old, nothing, [1, 2], n_total=index)


def test_only_what_is_asked_for() -> None:
    quartile = np.ones(1, np.float32)
    found = only(statistics([1], [0.5], p25=quartile, p50=quartile, p75=quartile), extremes=False, quartiles=("p50",))
    assert (found.p25, found.p75) == (None, None)
    assert found.p50 is not None
    assert np.isnan([found.least[0], found.most[0]]).all()
    assert found.mean[0] == 0.5


def test_formulas_of_l4a_from_bands() -> None:
    green, red, nir, swir = (
        np.array(values, np.int16) for values in ([300, 1, -10_000], [400, 1, 5], [3400, 0, 5], [2000, 0, 5])
    )
    water = ndwi(nir, swir)
    assert water[:2].tolist() == [pytest.approx(0.259259, abs=1e-6), 0]
    bright = brightness_l4a(green, red, nir, swir)
    assert bright[0] == pytest.approx(np.sqrt(0.03**2 + 0.04**2 + 0.34**2 + 0.2**2))
    assert np.isnan(bright[2])
    assert np.isnan(ndwi(green, red)[2])
    assert ndwi(np.array([200], np.int16), np.array([-199], np.int16)).tolist() == [1]
    # Less infrared than the other band, and no light at all: not 1.
    assert np.isnan(ndwi(np.array([-300], np.int16), np.array([200], np.int16))[0])
