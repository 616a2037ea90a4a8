from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.geography.pixel_grid import PixelGrid
from s4c_lib.synthetic.pixel_fractions import PixelFractions
from s4c_lib.synthetic.radar.coherence import NOISE
from s4c_lib.synthetic.radar.images import backscatter_image, coherence_image, field_texture
from s4c_lib.synthetic.radar.speckle import CELL_LOOKS, COHERENCE_LOOKS, NEIGHBOUR, gamma_of
from s4c_lib.synthetic.radar.statistics import (
    LEAST_VALID,
    coherence_moments,
    observed_backscatter,
    observed_coherence,
)
from s4c_lib.synthetic.streams import Stream, generator

SIDE = 240
GRID = PixelGrid(32631, 600000, 5700000, 20, SIDE, SIDE)
SIGMA0 = 10 ** (np.array([[-10.5, -18.0], [-5.0, -12.0]], dtype=np.float32) / 10)


def fields(right: int = SIDE) -> PixelFractions:
    """Object 0 left of a column, object 1 right of it; no mixed pixels."""
    objects = np.zeros((SIDE, SIDE), np.int32)
    objects[:, right:] = 1
    return PixelFractions(GRID, np.arange(SIDE * SIDE + 1), objects.ravel(), np.ones(SIDE * SIDE, np.float32))


def rng(index: int = 0) -> np.random.Generator:
    return generator(1, Stream.SPECKLE, date(2021, 5, 6).toordinal(), index)


def parcels_of(image: np.ndarray, side: int = 6) -> np.ndarray:
    """Square parcels (parcels, pixels) cut out of a uniform image (rows, columns)."""
    many = SIDE // side
    return image.reshape(many, side, many, side).swapaxes(1, 2).reshape(many**2, side * side)


def correlation(image: np.ndarray, axis: int) -> float:
    first, second = np.delete(image, -1, axis).ravel(), np.delete(image, 0, axis).ravel()
    return float(np.corrcoef(first, second)[0, 1])


def test_looks_follow_from_the_product_definition() -> None:
    # sinc2(10/22) = 0.480 and sinc2(10/20) = 0.405: means of two pixels gain 2/1.480 and 2/1.405 looks.
    assert pytest.approx(4.4 * (2 / 1.480) * (2 / 1.405), rel=2e-3) == CELL_LOOKS


def test_speckle_is_gamma_of_the_right_looks() -> None:
    ratio = backscatter_image(fields(), SIGMA0, rng())[..., 0] / SIGMA0[0, 0]
    looks = CELL_LOOKS / (1 + NOISE / SIGMA0[0, 0]) ** 2
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert 1 / ratio.var() == pytest.approx(looks, rel=0.04)
    third = np.mean((ratio - ratio.mean()) ** 3) / ratio.std() ** 3
    assert third == pytest.approx(2 / np.sqrt(looks), rel=0.1)


def test_neighbouring_cells_share_a_little_speckle() -> None:
    image = backscatter_image(fields(), SIGMA0, rng())
    for axis in (0, 1):
        assert correlation(image[..., 0], axis) == pytest.approx(NEIGHBOUR[axis], abs=0.03)
    assert abs(np.corrcoef(image[..., 0].ravel(), image[..., 1].ravel())[0, 1]) < 0.02


def test_cells_beside_a_border_show_both_sides_in_power() -> None:
    image = backscatter_image(fields(120), SIGMA0, rng())[..., 0].mean(axis=0)
    left, right = SIGMA0[:, 0]
    assert image[60:118].mean() == pytest.approx(left, rel=0.01)
    assert image[119] == pytest.approx(left + 0.165 * (right - left), rel=0.08)
    assert image[120] == pytest.approx(right - 0.165 * (right - left), rel=0.08)


def test_a_pass_is_the_same_whenever_it_is_made() -> None:
    first, again, other = (backscatter_image(fields(), SIGMA0, rng(index)) for index in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    pairs = [coherence_image(fields(), np.full((2, 2), 0.4, np.float32), SIGMA0, SIGMA0, rng()) for _ in range(2)]
    np.testing.assert_array_equal(*pairs)


def test_very_dark_water_stays_above_no_data() -> None:
    image = backscatter_image(fields(), np.full((2, 2), 1e-3, np.float32), rng())
    assert image.min() > 0
    assert image.dtype == np.float32


def test_texture_is_mild_and_has_mean_one() -> None:
    texture = field_texture(GRID, rng())
    assert texture.mean() == pytest.approx(1, abs=0.01)
    assert (10 * np.log10(texture)).std() == pytest.approx(0.5, abs=0.03)
    assert correlation(texture[..., 0], 0) > 0.7


@pytest.mark.parametrize("true", [0.03, 0.2, 0.4, 0.7, 0.9])
def test_estimated_coherence_has_the_bias_and_spread_of_its_window(true: float) -> None:
    image = coherence_image(fields(), np.full((2, 2), true, np.float32), SIGMA0, SIGMA0, rng())
    nodes, mean, std = coherence_moments()
    inside = image[3:-3, 3:-3]
    assert inside.mean() == pytest.approx(np.interp(true, nodes, mean), abs=0.01)
    assert inside.std() == pytest.approx(np.interp(true, nodes, std), rel=0.08)
    assert image.min() > 0
    assert image.max() <= 1


def test_no_coherence_is_estimated_as_the_literature_says() -> None:
    # Gamma(48) Gamma(3/2) / Gamma(48.5) = 0.128 (preprocessing.md 4.6)
    nodes, mean, std = coherence_moments()
    assert mean[0] == pytest.approx(0.128, abs=5e-4)
    assert mean[np.searchsorted(nodes, 0.9)] == pytest.approx(0.9, abs=1e-3)
    # Cramer-Rao: (1 - c2) / sqrt(2 L)
    assert np.interp(0.8, nodes, std) == pytest.approx(0.36 / np.sqrt(2 * COHERENCE_LOOKS), rel=0.02)


def test_neighbouring_estimates_agree_and_borders_are_wide() -> None:
    gamma = np.array([[0.2, 0.2], [0.8, 0.8]], np.float32)
    even = SIGMA0[[0, 0]]
    image = coherence_image(fields(120), gamma, even, even, rng())
    for axis in (0, 1):
        assert 0.5 < correlation(image[:, :110, 0], axis) < 0.9
    profile = image[..., 0].mean(axis=0)
    assert profile[117] < profile[118] < profile[119] < profile[120] < profile[121] < profile[122]
    # A bright town outshines the field beside it within the window.
    bright = coherence_image(fields(120), gamma, SIGMA0, SIGMA0, rng())[..., 0].mean(axis=0)
    assert bright[119] > profile[119] + 0.05


@pytest.mark.parametrize("level", [-8.0, -12.0, -18.0, -21.0, -24.0])
def test_parcel_statistics_of_backscatter_agree_with_images(level: float) -> None:
    sigma0 = np.full((2, 2), 10 ** (level / 10), np.float32)
    power = parcels_of(backscatter_image(fields(), sigma0, rng())[..., 0])
    pixels = 10 * np.log10(np.where(power > LEAST_VALID, power, np.nan))
    count = np.full(len(pixels), pixels.shape[1], np.int32)
    drawn = observed_backscatter(np.repeat(sigma0[:1], len(pixels), axis=0), count, rng(1), texture_db=0)
    spread = np.nanstd(pixels, axis=1, ddof=1)
    assert drawn.mean[:, 0].mean() == pytest.approx(np.nanmean(pixels), abs=0.03)
    assert drawn.mean[:, 0].std() == pytest.approx(np.nanmean(pixels, axis=1).std(), rel=0.12)
    assert drawn.std[:, 0].mean() == pytest.approx(spread.mean(), rel=0.06)
    assert drawn.std[:, 0].std() == pytest.approx(spread.std(), rel=0.25)
    assert drawn.least[:, 0].mean() == pytest.approx(np.nanmin(pixels, axis=1).mean(), abs=0.5)
    assert drawn.most[:, 0].mean() == pytest.approx(np.nanmax(pixels, axis=1).mean(), abs=0.15)


@pytest.mark.parametrize("true", [0.05, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("side", [2, 6, 12])
def test_parcel_statistics_of_coherence_agree_with_images(true: float, side: int) -> None:
    gamma = np.full((2, 2), true, np.float32)
    image = np.concatenate(
        [parcels_of(coherence_image(fields(), gamma, SIGMA0, SIGMA0, rng(index))[..., 0], side) for index in range(3)]
    )
    count = np.full(len(image), side * side, np.int32)
    drawn = observed_coherence(np.full((len(image), 2), true, np.float32), count, rng(9))
    assert drawn.mean[:, 0].mean() == pytest.approx(image.mean(), abs=0.012)
    assert drawn.mean[:, 0].std() == pytest.approx(image.mean(axis=1).std(), rel=0.2)
    assert drawn.std[:, 0].mean() == pytest.approx(image.std(axis=1, ddof=1).mean(), rel=0.2)
    if side > 2:
        assert drawn.least[:, 0].mean() == pytest.approx(image.min(axis=1).mean(), abs=0.05)
        assert drawn.most[:, 0].mean() == pytest.approx(image.max(axis=1).mean(), abs=0.05)


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=20),
    st.floats(1 / 1024, 0.5, width=32),
    st.floats(0, 1, width=32),
    st.integers(0, 99),
)
def test_statistics_hold_together(counts: list[int], sigma0: float, coherence: float, seed: int) -> None:
    pixels = np.array(counts, np.int32)
    random = generator(seed, Stream.SERIES_RADAR, 0)
    found = (
        observed_backscatter(np.full((len(pixels), 2), sigma0, np.float32), pixels, random),
        observed_coherence(np.full((len(pixels), 2), coherence, np.float32), pixels, random),
    )
    for item in found:
        np.testing.assert_array_equal(np.isnan(item.mean), np.repeat((pixels == 0)[:, None], 2, axis=1))
        np.testing.assert_array_equal(np.isnan(item.std), np.repeat((pixels < 2)[:, None], 2, axis=1))
        some = pixels > 0
        assert np.all(item.least[some] <= item.mean[some] + 1e-5)
        assert np.all(item.mean[some] <= item.most[some] + 1e-5)
        assert np.all(item.std[pixels > 1] >= 0)
    assert np.all((found[1].mean[pixels > 0] > 0) & (found[1].mean[pixels > 0] <= 1))


@given(st.floats(2, 60))
def test_gamma_from_normal_keeps_its_moments(looks: float) -> None:
    normal = np.linspace(-5, 5, 20001, dtype=np.float32)
    density = np.exp(-(normal.astype(float) ** 2) / 2)
    weights = density / density.sum()
    values = gamma_of(normal, looks)
    mean = np.sum(weights * values)
    assert mean == pytest.approx(1, abs=2e-3)
    assert np.sum(weights * (values - mean) ** 2) == pytest.approx(1 / looks, rel=0.02)
    assert np.all(np.diff(values) >= 0)


def test_values_that_do_not_fit_the_grid_are_refused() -> None:
    with pytest.raises(InputError, match="needs values of 2 objects"):
        backscatter_image(fields(120), SIGMA0[:1], rng())
    coarse = PixelFractions(PixelGrid(32631, 0, 0, 10, 1, 1), np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, "f4"))
    with pytest.raises(InputError, match="20 m grid"):
        backscatter_image(coarse, SIGMA0, rng())
