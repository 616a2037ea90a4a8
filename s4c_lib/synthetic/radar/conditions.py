"""What a pass meets: which day's canopy, how much rain before it, whether the ground is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.streams import Stream, generator

_NOON = 12
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RadarCharacter:
    """What sets a parcel apart from its kind all season: soil texture, plant density, variety.

    Parameters
    ----------
    offset_db : float32 (parcels, 2), added to VV and VH.
    decorrelation : float32 (parcels,), multiplies the rate at which coherence is lost; 1 is usual.
    """

    offset_db: Floats
    decorrelation: Floats


def radar_character(seed: int, parcels: int, *, chunk: int = 0) -> RadarCharacter:
    """Character of the parcels of a chunk: 0.6 dB in common, 0.3 dB for each polarisation, 12 % of the decorrelation.

    Between parcels of one crop and date, sd of 0.7 dB remains when speckle is averaged out.
    """
    rng = generator(seed, Stream.RADAR_TEXTURE, 1, chunk)
    common = 0.6 * rng.standard_normal((parcels, 1), dtype=np.float32)
    offset = common + np.float32(0.3) * rng.standard_normal((parcels, 2), dtype=np.float32)
    rate = np.exp(np.float32(0.12) * rng.standard_normal(parcels, dtype=np.float32))
    return RadarCharacter(np.clip(offset, -1.6, 1.6), rate)


def state_index(canopy: Canopy, flight: RadarPass) -> int:
    """Day of the canopy that a pass sees: the same day's in the evening, the day before's in the morning.

    Field work is done by day, so a mowing is seen by the evening pass of its date and not by the morning's.

    Raises
    ------
    InputError : the canopy has no such day.
    """
    day = flight.start.date() - timedelta(days=flight.start.hour < _NOON)
    index = canopy.index(day)
    if index == -1 and flight.start.date() == canopy.first_day:
        return 0
    if not 0 <= index < canopy.days:
        raise InputError(
            f"{flight.platform} passes on {flight.start.date()}, when the canopy is not known",
            hint="make the canopy from the day before the first pass",
        )
    return index


def rain_between(weather: Weather, earlier: float, later: float) -> float:
    """Rain in mm between two moments in days after the weather's first midnight, even within each day."""
    total = np.concatenate([[0.0], np.cumsum(weather.rain, dtype=np.float64)])
    marks = np.interp([earlier, later], np.arange(len(total)), total)
    return float(marks[1] - marks[0])


def moment(weather: Weather, flight: RadarPass) -> float:
    """Days from the weather's first midnight to the pass."""
    start = flight.start
    return weather.index(start.date()) + (start.hour + start.minute / 60) / 24


def rain_before(weather: Weather, flight: RadarPass) -> float:
    """Rain of the 12 hours before the pass, mm."""
    now = moment(weather, flight)
    return rain_between(weather, now - 0.5, now)


def frozen(weather: Weather, flight: RadarPass) -> bool:
    """Whether the ground is frozen: as at dawn, in the evening only when the day stayed below zero."""
    day = weather.index(flight.start.date())
    at_dawn = bool(weather.frozen[day])
    return at_dawn and (flight.start.hour < _NOON or float(weather.temperature[day]) < 0)


def morning(flight: RadarPass) -> bool:
    """Whether the pass comes before noon (descending, about 6:00), when leaves are wet with dew."""
    return flight.start.hour < _NOON
