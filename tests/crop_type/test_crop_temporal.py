"""Temporal functions of L4A: cases of the specification, computed by hand, and what holds for any series."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from s4c_lib.crop_type.optical_features import index_deviations, indices, on_grid, stretch_ends
from s4c_lib.crop_type.radar_features import composite, linear, without_nodata
from s4c_lib.crop_type.temporal import (
    fill_gaps,
    low_quantile,
    mean_over_time,
    paired_ratio,
    ratio_deviation,
    std_over_time,
    variation_over_time,
)
from s4c_lib.statistics.legacy_export import pooled

NAN = float("nan")
# 3, 8, 18 March and 7 April on the dates of AC-02.
DAYS, GRID = [0, 5, 15, 35], np.array([0, 10, 20, 30])


def series(*items: list[float]) -> npt.NDArray[np.float32]:
    """(times, items) of one list for each item."""
    return np.array(items, np.float32).T


def resampled(values: Any, days: list[int], grid: Any) -> Any:
    """Put series (times, items), by ascending day, on a grid as the features of a season are put on it."""
    stretch = np.searchsorted(grid, days, "right") - 1
    stretches = [
        stretch_ends(
            [(int(days[k] - begin), values[k], values[k]) for k in np.flatnonzero(stretch == number)], values.shape[1]
        )
        for number, begin in enumerate(grid)
    ]
    return on_grid(stretches, grid).mean


def test_ac_03_resampling() -> None:
    """From observations: `test_crop_features`."""
    values = series([1000, NAN, 2500, 1500], [NAN, NAN, 2500, NAN], [NAN] * 4)
    found = resampled(values, DAYS, GRID).T
    np.testing.assert_allclose(found[0], [1000, 2000, 2250, 1750])
    assert found[1].tolist() == [2500] * 4
    assert np.isnan(found[2]).all()  # -10000 in files


def test_ac_04_indices() -> None:
    digital = dict(zip(("b3", "b4", "b8", "b11"), np.array([[620], [480], [3120], [1980]], np.float64), strict=True))
    found = indices(digital, truncated=False)
    assert found["ndvi"] == pytest.approx(0.733333, abs=1e-6)
    assert found["ndwi"] == pytest.approx(-0.223529, abs=1e-6)
    assert found["brightness"] == pytest.approx(3777.5124, abs=1e-4)
    parts = np.array([[620.9], [480.7], [3120.4], [1980.6]])
    between = dict(zip(("b3", "b4", "b8", "b11"), parts, strict=True))
    assert indices(between, truncated=True)["ndvi"] == pytest.approx(0.733333, abs=1e-6)
    assert indices(between, truncated=False)["ndvi"] == pytest.approx(0.733026, abs=1e-6)
    dark = indices({"b4": np.zeros(1), "b8": np.zeros(1)}, truncated=False)
    assert dark["ndvi"].tolist() == [0]
    assert dark.keys() == {"ndvi"}


def test_deviations_of_indices_agree_with_a_simulation() -> None:
    rng = np.random.default_rng(1)
    level = {"b3": 620.0, "b4": 480.0, "b8": 3120.0, "b11": 1980.0}
    bands = {label: (np.array([mean]), np.array([0.03 * mean])) for label, mean in level.items()}
    drawn = {label: rng.normal(mean, 0.03 * mean, (200_000, 1)) for label, mean in level.items()}
    found = index_deviations(bands)
    for label, values in indices(drawn, truncated=False).items():
        assert found[label][0] == pytest.approx(values.std(), rel=0.02), label


def test_ac_07_tile_pooling() -> None:
    n, mean, std = pooled([4, 2], [2050, 1950], [129.0994, 50])
    assert (n, mean) == (6, pytest.approx(2016.6667, abs=1e-4))
    assert std == pytest.approx(114.7461, abs=1e-3)


def test_ac_08_weekly_composite() -> None:
    passes = [(np.array([value, 0.0], np.float32), np.array([0.01, 0.0], np.float32)) for value in (0.04, 0.0, 0.06)]
    found = composite(((without_nodata(mean, positive=True), std) for mean, std in passes), 2)
    np.testing.assert_allclose(found[:, 0], [0.05, 0.01], rtol=1e-6)
    assert np.isnan(found[:, 1]).all()


def test_ac_09_bi_monthly() -> None:
    weeks = series([0.04, 0.06, NAN, 0.05], [NAN, 0.05, NAN, NAN])
    np.testing.assert_allclose(mean_over_time(weeks), [0.05, 0.05], rtol=1e-6)
    np.testing.assert_allclose(variation_over_time(weeks), [0.163299, 0], atol=1e-6)


def test_ac_10_coherence() -> None:
    weeks = series([0.62, 0.41, 0.55, 0.30])
    np.testing.assert_allclose(
        [mean_over_time(weeks)[0], low_quantile(weeks)[0], std_over_time(weeks)[0]], [0.47, 0.30, 0.123895], atol=1e-6
    )
    eleven = series([0.5, 0.35, *[0.5] * 7, 0.3, 0.5], [*[NAN] * 2, *[0.7] * 8, 0.6])
    np.testing.assert_allclose(low_quantile(eleven), [0.305, 0.6], atol=1e-6)


def test_ac_11_ratio_pairing() -> None:
    vv, vh = series([0.08, 0.10, 0.12]), series([0.016, NAN, 0.024])
    ratio = paired_ratio(vv, vh)
    np.testing.assert_allclose(ratio[:, 0], [5, NAN, 5], rtol=1e-6)
    np.testing.assert_allclose([mean_over_time(ratio)[0], variation_over_time(ratio)[0]], [5, 0], atol=1e-6)
    assert np.isnan(paired_ratio(vv, np.zeros_like(vv))).all()


def test_deviation_of_a_ratio_agrees_with_a_simulation() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.normal(0.1, 0.004, 200_000) / rng.normal(0.02, 0.0006, 200_000)
    found = ratio_deviation(
        np.array([5.0]), (np.array([0.1]), np.array([0.004])), (np.array([0.02]), np.array([0.0006]))
    )
    assert found[0] == pytest.approx(drawn.std(), rel=0.02)


def test_ac_12_sar_gap_fill() -> None:
    mean, n = series([0.05, NAN, NAN, 0.08]), series([9, 0, 0, 12])
    np.testing.assert_allclose(fill_gaps(mean, range(4))[:, 0], [0.05, 0.06, 0.07, 0.08], rtol=1e-6)
    assert fill_gaps(mean, range(4), count=n)[:, 0].tolist() == [9, 10, 11, 12]
    np.testing.assert_allclose(fill_gaps(mean, [10, 13, 14, 16])[:, 0], [0.05, 0.065, 0.07, 0.08], rtol=1e-6)


def test_gaps_at_the_ends_take_the_nearest_value() -> None:
    found = fill_gaps(series([NAN, 2, NAN, NAN], [NAN] * 4), [3, 5, 6, 9])
    assert found[:, 0].tolist() == [2] * 4
    assert np.isnan(found[:, 1]).all()


def test_decibels_become_linear_with_their_deviation() -> None:
    level, spread = np.array([-10], np.float32), np.array([0.5], np.float32)
    mean, std = linear(level, spread, amplitude=False)
    assert (mean[0], std[0]) == (pytest.approx(0.1), pytest.approx(np.log(10) / 10 * 0.1 * 0.5))
    mean, std = linear(level, spread, amplitude=True)
    assert (mean[0], std[0]) == (pytest.approx(10**-0.5), pytest.approx(np.log(10) / 20 * 10**-0.5 * 0.5))


def test_d_06_values_below_zero_count_only_in_the_reference() -> None:
    values = np.array([-0.1, 0, 0.2], np.float32)
    assert np.isnan(without_nodata(values, positive=True)).tolist() == [True, True, False]
    assert np.isnan(without_nodata(values, positive=False)).tolist() == [False, True, False]


_SERIES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.just(3)),
    elements=st.one_of(st.just(np.float32("nan")), st.floats(0, 1000, width=32)),
)


@hypothesis_settings(deadline=None, max_examples=50)
@given(_SERIES, st.data())
def test_resampling_equals_numpy_s_interpolation(values: Any, data: st.DataObject) -> None:
    days = sorted(data.draw(st.sets(st.integers(0, 60), min_size=len(values), max_size=len(values))))
    grid = np.arange(0, 65, 7)
    found = resampled(values, days, grid)
    for item in range(values.shape[1]):
        there = ~np.isnan(values[:, item])
        if there.any():
            expected = np.interp(grid, np.array(days)[there], values[there, item])
            np.testing.assert_allclose(found[:, item], expected, rtol=1e-4, atol=1e-3)
        else:
            assert np.isnan(found[:, item]).all()


@hypothesis_settings(deadline=None, max_examples=50)
@given(_SERIES, st.data())
def test_filled_gaps_equal_numpy_s_interpolation_and_what_is_there_stays(values: Any, data: st.DataObject) -> None:
    position = sorted(data.draw(st.sets(st.integers(0, 60), min_size=len(values), max_size=len(values))))
    found = fill_gaps(values, position)
    for item in range(values.shape[1]):
        there = ~np.isnan(values[:, item])
        np.testing.assert_array_equal(found[there, item], values[there, item])
        if there.any():
            expected = np.interp(position, np.array(position)[there], values[there, item])
            np.testing.assert_allclose(found[:, item], expected, rtol=1e-4, atol=1e-3)


@hypothesis_settings(deadline=None, max_examples=50)
@given(_SERIES)
def test_statistics_over_time_equal_numpy_s(values: Any) -> None:
    for item in range(values.shape[1]):
        there = values[~np.isnan(values[:, item]), item].astype(np.float64)
        if not len(there):
            assert np.isnan(
                [mean_over_time(values)[item], std_over_time(values)[item], low_quantile(values)[item]]
            ).all()
            continue
        assert mean_over_time(values)[item] == pytest.approx(there.mean())
        assert std_over_time(values)[item] == pytest.approx(there.std(), abs=1e-6)
        ordered = np.sort(there)
        assert ordered[0] <= low_quantile(values)[item] <= (ordered[1] if len(there) >= 10 else ordered[0])
