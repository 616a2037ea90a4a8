from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from optical_fields import FIRST, flight, passes, weather

from s4c_lib.errors import InputError
from s4c_lib.synthetic.optical.clouds import cloud_cover, cloud_domain, seen_through, view_clouds
from s4c_lib.synthetic.optical.scene_classes import ClassificationErrors, detect, plan_sky

PIXEL = 60.0
SIDE = cloud_domain(5100, PIXEL)


def clouds(pass_, cover=0.5, seed=1):
    return view_clouds(pass_, cover, SIDE, PIXEL, seed)


def correlation(one, two):
    return float(np.corrcoef(np.log(one + 0.01).ravel(), np.log(two + 0.01).ravel())[0, 1])


def test_a_season_is_as_cloudy_as_asked_and_its_days_clear_or_closed():
    flights = passes(80)
    cover = cloud_cover(weather(), flights)
    assert 0.45 <= cover.mean() <= 0.65
    assert ((cover < 0.2) | (cover > 0.8)).mean() > 0.45
    assert cloud_cover(weather(), flights, 0.3).mean() == pytest.approx(0.3, abs=0.08)
    truth = np.mean([clouds(pass_, share).cloud.mean() for pass_, share in zip(flights, cover, strict=True)])
    assert 0.45 <= truth <= 0.65


def test_wet_weather_brings_the_clouds():
    flights = passes(80)
    air = weather()
    latent = [air.overcast[air.index(pass_.start.date())] for pass_ in flights]
    cover = cloud_cover(air, flights)
    assert (np.diff(cover[np.argsort(latent)]) >= 0).all()


def test_impossible_cloudiness_is_refused():
    with pytest.raises(InputError, match=r"not 1\.5"):
        cloud_cover(weather(), passes(3), 1.5)


def drift(one, two):
    """Best agreement of two fields over all displacements, and that displacement, metres."""
    first, second = (np.fft.rfft2((field - field.mean()) / field.std()) for field in (one, two))
    agreement = np.fft.irfft2(first.conj() * second, one.shape) / one.size
    row, column = np.unravel_index(agreement.argmax(), one.shape)
    east_north = [min(k, SIDE - k) * PIXEL for k in (row, column)]
    return agreement.max(), float(np.hypot(*east_north))


def test_wind_moves_clouds_within_minutes_and_days_have_clouds_of_their_own():
    first, soon, later = (clouds(flight(minute=minute)).low for minute in (40, 42, 50))
    tomorrow = clouds(flight(date(2021, 6, 10), minute=40)).low
    assert drift(first, soon)[0] > 0.99
    assert drift(first, later)[0] > 0.99
    assert drift(first, soon)[1] < 0.3 * drift(first, later)[1]
    assert 3 * 600 < drift(first, later)[1] + 2 * PIXEL < 12.5 * 600
    assert drift(first, tomorrow)[0] < 0.8
    np.testing.assert_array_equal(clouds(flight()).low, clouds(flight()).low)


def test_shadows_lie_where_the_sun_throws_them():
    view = clouds(flight(sun=50.0), 0.2)
    # The sun stands in the south-south-east: a cloud's shadow falls to the north-north-west, 1.2 of its height away.
    best = max(
        ((correlation(np.roll(view.low, (-north, -west), (0, 1)), view.shade), north, west)
         for north in range(0, 60) for west in range(-10, 40)),
    )  # fmt: skip
    assert best[0] > 0.6
    assert best[1] > 3
    assert best[2] == pytest.approx(best[1] * np.tan(np.radians(28)), abs=3)


def test_clouds_have_thin_edges_and_many_sizes():
    from scipy.ndimage import label

    sizes, edges = [], []
    for day in range(1, 20):
        view = clouds(flight(FIRST.replace(day=day)), 0.25)
        numbered, count = label(view.low >= 0.3)
        sizes.extend(np.bincount(numbered.ravel())[1:] if count else [])
        edges.append((view.low[view.low >= 0.3] < 2).mean())
    counts = [sum(size >= least for size in sizes) for least in (1, 4, 16, 64, 256)]
    assert all(few < many for many, few in pairwise(counts))
    # Number above a size falls as a power of it: straight in logarithms, exponent of area near -0.8.
    slope, _ = np.polyfit(np.log([1, 4, 16, 64, 256]), np.log(counts), 1)
    assert -1.2 < slope < -0.3
    assert 0.1 < np.mean(edges) < 0.6


def test_thick_cloud_is_white_and_shadow_dark_but_blue():
    ground = np.full((1, 3), 0.2, dtype=np.float32)
    none, thick = np.zeros_like(ground), np.full_like(ground, 40.0)
    assert seen_through(ground, 3, none, none, none) == pytest.approx(ground)
    assert (seen_through(ground, 3, thick, none, thick) > 0.7).all()
    blue, infrared = (seen_through(ground, band, none, none, thick) / ground for band in (1, 7))
    assert (infrared < blue).all()
    assert (infrared < 0.4).all()


@pytest.mark.parametrize("missed", [0.0, 0.05, 0.2, 1.0])
def test_the_share_of_missed_cloud_is_the_one_asked(missed):
    flights = passes(60, 4)
    errors = ClassificationErrors(cloud_missed=missed, shadow_missed=0.3)
    lost = cloudy = lost_shadow = shadows = 0
    thin = []
    for pass_, sky in zip(flights, plan_sky(weather(), flights, errors=errors), strict=True):
        view = clouds(pass_, sky.cover)
        cloud, shadow = detect(view, sky, PIXEL, np.random.default_rng(pass_.start.toordinal()))
        wrong = view.cloud & ~cloud
        lost, cloudy = lost + wrong.sum(), cloudy + view.cloud.sum()
        hidden = view.shadow & ~cloud
        lost_shadow, shadows = lost_shadow + (hidden & ~shadow).sum(), shadows + hidden.sum()
        if wrong.any() and not wrong[view.cloud].all():
            thin.append(np.median(view.low[wrong]) < np.median(view.low[view.cloud]))
    assert lost / cloudy == pytest.approx(missed, abs=0.01 + 0.1 * missed)
    assert lost_shadow / shadows == pytest.approx(0.3, abs=0.06)
    assert np.mean(thin or [1]) > 0.8


def test_rates_are_shares():
    with pytest.raises(InputError, match=r"shadow_missed is 1\.2"):
        ClassificationErrors(shadow_missed=1.2)
