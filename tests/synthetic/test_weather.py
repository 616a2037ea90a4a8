"""Weather of the synthetic season."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s4c_lib.errors import InputError
from s4c_lib.synthetic.growth.weather import FIELD_CAPACITY, SATURATED, make_weather, season_year

SEASON = date(2021, 3, 1), date(2021, 10, 31)


@pytest.mark.parametrize(
    ("start", "end", "year"),
    [
        (date(2021, 3, 1), date(2021, 10, 31), 2021),
        (date(2021, 9, 1), date(2022, 4, 30), 2021),
        (date(2021, 10, 1), date(2022, 9, 30), 2022),
        (date(2020, 12, 31), date(2021, 1, 1), 2021),
        (date(2021, 7, 2), date(2022, 7, 1), 2021),
        (date(2024, 2, 29), date(2024, 2, 29), 2024),
    ],
)
def test_the_season_belongs_to_the_year_of_its_longer_part(start: date, end: date, year: int) -> None:
    assert season_year(start, end) == year


def test_reversed_dates_and_endless_seasons_are_refused() -> None:
    with pytest.raises(InputError, match="before it starts"):
        make_weather(1, date(2021, 5, 2), date(2021, 5, 1))
    with pytest.raises(InputError, match="longer than 366 days"):
        make_weather(1, date(2021, 1, 1), date(2022, 1, 2))


def test_weather_starts_the_august_before_and_ends_with_the_season() -> None:
    weather = make_weather(1, *SEASON)
    assert weather.first_day == date(2020, 8, 1)
    assert weather.index(SEASON[1]) == len(weather.rain) - 1
    for daily in (weather.temperature, weather.rain, weather.soil_moisture, weather.overcast):
        assert daily.dtype == np.float32
        assert np.isfinite(daily).all()
    assert weather.frozen.dtype == bool


def test_a_season_that_begins_before_august_has_earlier_weather() -> None:
    weather = make_weather(1, date(2020, 8, 5), date(2021, 7, 31))
    assert weather.first_day == date(2020, 7, 21)


def test_the_same_seed_gives_the_same_weather_and_a_later_end_changes_no_day() -> None:
    first, again = make_weather(3, *SEASON), make_weather(3, *SEASON)
    longer = make_weather(3, SEASON[0], SEASON[1] + timedelta(days=30))
    for name in ("temperature", "rain", "soil_moisture", "overcast", "frozen"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert np.array_equal(getattr(first, name), getattr(longer, name)[: len(first.rain)])
    assert not np.array_equal(first.rain, make_weather(4, *SEASON).rain)
    assert not np.array_equal(first.rain, make_weather(3, *SEASON, cell=1).rain)


def test_the_climate_is_that_of_the_low_countries() -> None:
    years = [make_weather(seed, date(2021, 1, 1), date(2021, 12, 31)) for seed in range(30)]
    year = slice(years[0].index(date(2021, 1, 1)), None)
    temperature = np.mean([w.temperature[year].mean() for w in years])
    rain = np.mean([w.rain[year].sum() for w in years])
    wet = np.mean([(w.rain[year] >= 1.0).sum() for w in years])
    frozen = np.mean([w.frozen[year].sum() for w in years])
    july = slice(years[0].index(date(2021, 7, 1)), years[0].index(date(2021, 8, 1)))
    january = slice(years[0].index(date(2021, 1, 1)), years[0].index(date(2021, 2, 1)))
    assert 10.0 < temperature < 11.4
    assert 700 < rain < 880
    assert 110 < wet < 150
    assert 8 < frozen < 40
    assert np.mean([w.temperature[july].mean() for w in years]) == pytest.approx(18.5, abs=0.8)
    assert np.mean([w.temperature[january].mean() for w in years]) == pytest.approx(3.7, abs=1.0)
    assert not any(w.frozen[july].any() for w in years)


def test_rain_wets_the_soil_and_clouds_come_with_rain() -> None:
    weather = make_weather(1, *SEASON)
    heavy = np.flatnonzero(weather.rain[1:] > 8) + 1
    assert (weather.soil_moisture[heavy] > weather.soil_moisture[heavy - 1]).mean() > 0.8
    assert np.corrcoef(weather.rain > 0, weather.overcast)[0, 1] > 0.35
    assert abs(weather.overcast.mean()) < 0.35
    assert 0.8 < weather.overcast.std() < 1.2
    winter = slice(weather.index(date(2020, 12, 1)), weather.index(date(2021, 2, 1)))
    summer = slice(weather.index(date(2021, 6, 1)), weather.index(date(2021, 8, 1)))
    assert weather.soil_moisture[winter].mean() > weather.soil_moisture[summer].mean() + 0.05
    assert FIELD_CAPACITY - 0.06 < weather.soil_moisture[winter].mean() < SATURATED


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    start=st.dates(date(2015, 1, 1), date(2034, 12, 31)),
    days=st.integers(0, 365),
)
def test_any_season_has_sound_weather(seed: int, start: date, days: int) -> None:
    end = start + timedelta(days=days)
    weather = make_weather(seed, start, end)
    assert weather.index(start) >= 15
    assert weather.index(end) == len(weather.rain) - 1
    assert (weather.rain >= 0).all()
    assert (weather.rain <= 60).all()
    assert ((weather.soil_moisture > 0.03) & (weather.soil_moisture <= SATURATED)).all()
    assert ((weather.temperature > -25) & (weather.temperature < 40)).all()
