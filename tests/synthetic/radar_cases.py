"""Hand-made parcels, canopies, weather and passes for the tests of radar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np

from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import CROPS, Growth, ParcelTraits
from s4c_lib.synthetic.passes import RadarPass

FIRST = date(2021, 3, 1)
DAYS = 60
# What fields look like: dry moist soil of a seedbed unless said otherwise.
BARE = {"soil_wetness": 0.45, "roughness": 0.35}
STUBBLE = {"soil_wetness": 0.4, "roughness": 0.25, "residue": 0.5, "brown_lai": 0.3}
WHEAT_MAY = {"green_lai": 5.0, "canopy_water": 3.2, "soil_wetness": 0.4, "roughness": 0.15}
WHEAT_RIPE = {"green_lai": 0.3, "brown_lai": 2.0, "canopy_water": 0.7, "soil_wetness": 0.3, "roughness": 0.15}
MAIZE_AUGUST = {"green_lai": 4.5, "canopy_water": 4.5, "soil_wetness": 0.35, "roughness": 0.2}
BEET_AUGUST = {"green_lai": 4.8, "canopy_water": 3.0, "soil_wetness": 0.35, "roughness": 0.2}
POTATO_JULY = {"green_lai": 4.3, "canopy_water": 2.2, "soil_wetness": 0.35, "roughness": 0.5}
RAPE_MAY = {"green_lai": 4.6, "canopy_water": 3.8, "soil_wetness": 0.4, "roughness": 0.15}
BEANS_JULY = {"green_lai": 3.7, "canopy_water": 1.7, "soil_wetness": 0.35, "roughness": 0.2}
GRASS_UNCUT = {"green_lai": 3.3, "canopy_water": 1.0, "soil_wetness": 0.45, "roughness": 0.1}
GRASS_MOWN = {"green_lai": 0.8, "canopy_water": 0.25, "soil_wetness": 0.45, "roughness": 0.1, "residue": 0.2}


def crop_of(growth: Growth) -> int:
    """First crop that grows so."""
    return next(index for index, crop in enumerate(CROPS) if crop.growth is growth)


def parcels(*growths: Growth, row_angle: float = 40.0) -> ParcelTraits:
    """Parcels of a hectare, rows well away from a square look."""
    count = len(growths)
    crop = np.array([crop_of(growth) for growth in growths], dtype=np.int16)
    small = np.zeros(count, dtype=np.int8)
    return ParcelTraits(
        parcel_id=np.arange(1, count + 1),
        crop=crop,
        declared=crop,
        regime=small,
        catch_crop=small,
        practice=small,
        area_m2=np.full(count, 1e4, np.float32),
        row_angle=np.full(count, row_angle, np.float32),
        soil_brightness=np.ones(count, np.float32),
    )


def canopy(states: Sequence[dict[str, float]], days: int = DAYS) -> Canopy:
    """A canopy that stays as it is; what a state leaves out is 0."""

    def daily(name: str) -> np.ndarray:
        column = np.array([state.get(name, 0.0) for state in states], dtype=np.float32)
        return np.repeat(column[:, None], days, axis=1)

    return Canopy(
        first_day=FIRST,
        green_lai=daily("green_lai"),
        brown_lai=daily("brown_lai"),
        chlorophyll=daily("chlorophyll"),
        leaf_angle=daily("leaf_angle"),
        canopy_water=daily("canopy_water"),
        soil_wetness=daily("soil_wetness"),
        soil_brightness=daily("soil_brightness"),
        residue=daily("residue"),
        roughness=daily("roughness"),
        change=daily("change"),
    )


def weather(days: int = DAYS, *, rain: dict[int, float] | None = None, frozen: Sequence[int] = ()) -> Weather:
    """Mild weather with rain (mm) on some days of the season."""
    fall = np.zeros(days, np.float32)
    for day, amount in (rain or {}).items():
        fall[day] = amount
    ice = np.zeros(days, bool)
    ice[list(frozen)] = True
    return Weather(
        first_day=FIRST,
        temperature=np.where(ice, -4, 12).astype(np.float32),
        rain=fall,
        soil_moisture=np.full(days, 0.22, np.float32),
        overcast=np.zeros(days, np.float32),
        frozen=ice,
    )


def evening(day: int, platform: str = "S1A", *, incidence: float = 38.0, hour: int = 17) -> RadarPass:
    """Ascending pass on a day of the season; ``hour`` 5 makes it a morning one."""
    start = datetime(FIRST.year, FIRST.month, FIRST.day, hour, 24, 36) + timedelta(days=day)
    return RadarPass(
        start=start,
        platform=platform,
        relative_orbit=88 if hour > 12 else 37,
        absolute_orbit=37000 + 15 * day,
        direction="ascending" if hour > 12 else "descending",
        incidence=incidence,
        look_azimuth=78.0 if hour > 12 else 282.0,
    )


def morning(day: int, platform: str = "S1A") -> RadarPass:
    """Descending pass on a day of the season."""
    return evening(day, platform, hour=5)
