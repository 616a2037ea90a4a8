"""Daily weather of a temperate oceanic site: drives growth, field work, soil moisture and clouds.

Means are the 1991-2020 normals of De Bilt and Eindhoven (KNMI). Rain is the generator of Richardson & Wright (1984,
WGEN): a two-state Markov chain of wet days with gamma amounts. Surface soil moisture is a single bucket of 50 mm of
soil that drains above field capacity and dries in stage two of evaporation (Ritchie 1972).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.streams import Stream, generator

Doubles = npt.NDArray[np.float64]

LONGEST_SEASON_DAYS: Final = 366
BEFORE_SEASON_DAYS: Final = 15  # days that a canopy shows before the season starts
WILTED, FIELD_CAPACITY, SATURATED = 0.05, 0.30, 0.40  # m3/m3, sandy loam (Saxton & Rawls 2006)

# January to December.
_TEMPERATURE = (3.7, 4.0, 6.8, 10.1, 13.7, 16.5, 18.5, 18.0, 14.9, 11.1, 7.1, 4.3)
_TEMPERATURE_SPREAD = (3.6, 3.5, 3.1, 3.0, 3.0, 2.8, 2.7, 2.6, 2.4, 2.7, 3.1, 3.5)
_WET_CHANCE = (0.57, 0.54, 0.49, 0.41, 0.43, 0.44, 0.45, 0.45, 0.46, 0.52, 0.58, 0.61)
_RAIN_MONTH = (66.0, 58.0, 54.0, 40.0, 58.0, 66.0, 78.0, 76.0, 66.0, 68.0, 68.0, 74.0)
_EVAPORATION = (0.3, 0.6, 1.1, 2.0, 2.8, 3.2, 3.2, 2.7, 1.7, 0.9, 0.4, 0.25)  # reference (Makkink), mm a day
_PERSISTENCE_TEMPERATURE, _PERSISTENCE_WET, _PERSISTENCE_OVERCAST = 0.78, 0.30, 0.45
_GAMMA_SHAPE = 0.7
_OVERCAST_BY_RAIN = 0.55
_DRAWN_DAYS = 1100  # drawn whatever the end, so that a later end leaves the earlier days as they are


def season_year(start: date, end: date) -> int:
    """Calendar year that holds the longer part of [start, end]; the year of ``end`` when both parts are as long.

    Raises
    ------
    InputError
        When the end lies before the start.
    """
    if end < start:
        raise InputError(f"the season ends on {end}, before it starts on {start}", hint="swap the two dates")
    inside = {
        year: (min(end, date(year, 12, 31)) - max(start, date(year, 1, 1))).days
        for year in range(start.year, end.year + 1)
    }
    return max(inside, key=lambda year: (inside[year], year))


def make_weather(seed: int, start: date, end: date, *, cell: int = 0) -> Weather:
    """Weather from the August before the season's year (or earlier, if the season begins earlier) to ``end``.

    Parameters
    ----------
    start, end : first and last day of the season, at most 366 days.
    cell : number of a site; each has a weather of its own.

    Raises
    ------
    InputError
        For reversed dates and seasons longer than a year.
    """
    year = season_year(start, end)
    if (end - start).days + 1 > LONGEST_SEASON_DAYS:
        raise InputError(
            f"the season {start} to {end} is longer than {LONGEST_SEASON_DAYS} days",
            hint="make one season a year: what grows is drawn for one year",
        )
    august = date(year - 1, 8, 1)
    early = max((august - start).days + BEFORE_SEASON_DAYS, 0)
    rng = generator(seed, Stream.WEATHER, cell)
    first = august - timedelta(days=early)
    days = (end - first).days + 1
    whole = max(_DRAWN_DAYS, days)
    wet, rain = _rain(rng, first, whole)
    temperature = _temperature(rng, first, whole, wet)
    chance = by_month(_WET_CHANCE, first, whole)
    own = _autoregressive(rng, whole, _PERSISTENCE_OVERCAST)
    overcast = _OVERCAST_BY_RAIN * (wet - chance) / np.sqrt(chance * (1 - chance))
    overcast += np.sqrt(1 - _OVERCAST_BY_RAIN**2) * own
    # Clear nights cool most; a bare surface freezes some degrees below zero of screen temperature.
    dawn = temperature - np.clip(3.2 - 1.2 * overcast, 0.5, 6.5)
    return Weather(
        first_day=first,
        temperature=temperature[:days].astype(np.float32),
        rain=rain[:days].astype(np.float32),
        soil_moisture=_soil_moisture(rain[:days], reference_evaporation(first, temperature[:days])).astype(np.float32),
        overcast=overcast[:days].astype(np.float32),
        frozen=dawn[:days] < -2.0,
    )


def by_month(values: tuple[float, ...], first: date, days: int) -> Doubles:
    """Twelve monthly means as a smooth daily course (days,), joined at the middle of the months."""
    middle = (np.arange(-1, 13) + 0.5) * 365.25 / 12
    of_year = np.array([(first + timedelta(days=k)).timetuple().tm_yday - 0.5 for k in range(days)])
    return np.asarray(np.interp(of_year, middle, np.array([values[-1], *values, values[0]])))


def normal_temperature(first: date, days: int) -> Doubles:
    """Daily mean temperature of a normal year, degrees C (days,)."""
    return by_month(_TEMPERATURE, first, days)


def reference_evaporation(first: date, temperature: npt.ArrayLike) -> Doubles:
    """Evaporation of well-watered grass (day,), mm: the Makkink normal of the day, more on warm days."""
    warm = np.asarray(temperature, dtype=np.float64)
    days = len(warm)
    return by_month(_EVAPORATION, first, days) * np.clip(
        1 + 0.05 * (warm - by_month(_TEMPERATURE, first, days)), 0.4, 1.6
    )


def _autoregressive(rng: np.random.Generator, days: int, persistence: float) -> Doubles:
    """First-order autoregressive series with unit variance (days,)."""
    noise = rng.standard_normal(days)
    series = np.empty(days)
    series[0] = noise[0]
    for day in range(1, days):
        series[day] = persistence * series[day - 1] + np.sqrt(1 - persistence**2) * noise[day]
    return series


def _rain(rng: np.random.Generator, first: date, days: int) -> tuple[npt.NDArray[np.bool_], Doubles]:
    """Wet days and amounts, mm (days,)."""
    chance = by_month(_WET_CHANCE, first, days)
    draw = rng.random(days)
    amount = rng.gamma(_GAMMA_SHAPE, 1 / _GAMMA_SHAPE, days)
    wet = np.empty(days, dtype=bool)
    before = False
    for day in range(days):
        following = (
            chance[day] + (1 - chance[day]) * _PERSISTENCE_WET if before else chance[day] * (1 - _PERSISTENCE_WET)
        )
        before = wet[day] = bool(draw[day] < following)
    mean = by_month(_RAIN_MONTH, first, days) / 30.44 / chance
    return wet, np.where(wet, np.minimum(0.1 + amount * mean, 60.0), 0.0)


def _temperature(rng: np.random.Generator, first: date, days: int, wet: npt.NDArray[np.bool_]) -> Doubles:
    """Daily mean, degrees C: rain cools in summer and comes with mild air in winter."""
    summer = by_month((-1, -1, -0.5, 0.2, 0.8, 1, 1, 1, 0.6, 0, -0.6, -1), first, days)
    anomaly = _autoregressive(rng, days, _PERSISTENCE_TEMPERATURE) * by_month(_TEMPERATURE_SPREAD, first, days)
    rainy = wet - by_month(_WET_CHANCE, first, days)
    return by_month(_TEMPERATURE, first, days) + anomaly - 1.5 * summer * rainy


def _soil_moisture(rain: Doubles, evaporation: Doubles) -> Doubles:
    """Water content of the upper 50 mm, m3/m3 (days,)."""
    moisture = np.empty(len(rain))
    content = 0.6 * FIELD_CAPACITY
    for day, (water, demand) in enumerate(zip(rain, evaporation, strict=True)):
        content = min(content + water / 50.0, SATURATED)
        content -= 0.7 * max(content - FIELD_CAPACITY, 0.0)
        dryness = max(content - WILTED, 0.0) / (FIELD_CAPACITY - WILTED)
        content -= 0.8 * demand / 50.0 * min(dryness, 1.0)
        moisture[day] = content
    return moisture
