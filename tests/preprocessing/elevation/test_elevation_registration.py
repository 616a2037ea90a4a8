"""Position of one elevation model against another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from elevation_cases import copernicus_cell, grid_at
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import fourier_gaussian, fourier_shift
from structlog.testing import capture_logs

from s4c_lib.preprocessing.elevation.registration import registration_check, shift_between
from s4c_lib.preprocessing.elevation.sources import elevation_source


def ground(seed: int, size: int = 192) -> np.ndarray:
    """Noise as rough as hills are: power falling with the wave length."""
    rng = np.random.default_rng(seed)
    noise = np.fft.fft2(rng.normal(0, 1, (size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    return 3000 * np.fft.ifft2(fourier_gaussian(noise, 0.7) / (frequency + 0.01) ** 1.5).real / size


@settings(max_examples=15)
@given(st.floats(-6, 6), st.floats(-6, 6), st.integers(0, 50))
def test_a_shift_is_found_to_a_fraction_of_a_pixel(right: float, down: float, seed: int) -> None:
    whole = ground(seed)
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(whole), (down, right))).real
    noise = np.random.default_rng(seed).normal(0, 1.5, whole.shape)
    found = shift_between((moved + noise)[30:-30, 30:-30].astype("f4"), whole[30:-30, 30:-30].astype("f4"))
    assert found == pytest.approx((right, down), abs=0.08)


def test_a_model_half_a_pixel_off_is_reported_with_the_value(tmp_path: Path) -> None:
    heights = ground(3, 1200)

    def surface(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        column, row = (longitude - 6) * 3600 / 3, (51 - latitude) * 3600 / 3
        return heights[np.rint(row).astype(int) % 1200, np.rint(column).astype(int) % 1200]

    copernicus_cell(tmp_path, 50, 6, surface, rows=1200)
    grid = grid_at(6.2, 50.9, 300, pixel=240)
    right = elevation_source("auto", tmp_path)
    # the same heights said to lie 0.5 pixels (of 3", 92.7 m) further north, 1 pixel (58.8 m) further east
    off = elevation_source("auto", tmp_path, registration_offset=(1.0, 0.5))
    with capture_logs() as logs:
        assert (same := registration_check(grid, right, right)) is not None
    assert same.within_limit
    assert not logs
    with capture_logs() as logs:
        found = registration_check(grid, off, right)
    assert found is not None
    assert (found.x_m, found.y_m) == pytest.approx((58.8, 46.3), abs=4)
    assert not found.within_limit
    assert [(log["event"], log["log_level"]) for log in logs] == [("elevation_shifted", "warning")]
    assert logs[0]["north_m"] == pytest.approx(46.3, abs=4)


def test_flat_ground_and_a_small_window_say_nothing(tmp_path: Path) -> None:
    copernicus_cell(tmp_path, 50, 6, lambda x, y: 3.0 + 0 * x * y, rows=400)
    source = elevation_source("auto", tmp_path)
    assert registration_check(grid_at(6.4, 50.6, 300), source, source) is None
    assert registration_check(grid_at(6.4, 50.6, 40), source, source) is None
