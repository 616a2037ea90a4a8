"""Days, thermal time and dry spells of one season: what management and growth look dates up in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.canopy import Weather
from s4c_lib.synthetic.growth.weather import normal_temperature

Days = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_FELT: Final = 0.5  # of the weather's departures from normal
NEVER: Final = 100_000  # a day after every season; sums of it stay after every season


@dataclass(frozen=True, slots=True)
class Season:
    """Days are counted from the first day of the weather.

    Parameters
    ----------
    weather : of the site.
    year : the season's calendar year.
    """

    weather: Weather
    year: int

    @property
    def days(self) -> int:
        """Days of weather."""
        return len(self.weather.rain)

    def day(self, month: int, day: int, *, years: int = 0) -> int:
        """Day number of a date in the season's year, or some ``years`` from it."""
        return self.weather.index(date(self.year + years, month, day))

    def thermal_time(self, base: float) -> npt.NDArray[np.float64]:
        """Degree days above ``base`` summed before each day (days + 1,).

        Half of them are those of a normal year: daylength and vernalisation keep stages closer to the calendar than
        temperature alone would (Porter & Gawith 1999; van Bussel et al. 2015).
        """
        felt = _FELT * self.weather.temperature + (1 - _FELT) * normal_temperature(self.weather.first_day, self.days)
        return np.concatenate([[0.0], np.cumsum(np.maximum(felt - base, 0.0))])

    def reached(self, since: Days, degree_days: npt.ArrayLike, base: float) -> Days:
        """First day on which the sum from ``since`` reaches ``degree_days``; NEVER when the weather ends before."""
        total = self.thermal_time(base)
        known = (since >= 0) & (since < self.days)
        target = total[np.where(known, since, 0)] + np.asarray(degree_days)
        found = np.searchsorted(total, target, side="left")
        return np.where(known & (found < self.days), np.maximum(found, since), NEVER).astype(np.int32)

    def dry(self, wanted: npt.ArrayLike, *, spell: int = 1, patience: int = 8) -> Days:
        """First day from ``wanted`` on with ``spell`` dry days in a row, at most ``patience`` days later.

        Days outside the weather stay as they are. The result never goes back when ``wanted`` goes forward.
        """
        wet = np.append(self.weather.rain >= 1.0, np.zeros(spell, dtype=bool))
        good = ~np.any([wet[k : k + self.days] for k in range(spell)], axis=0)
        following = np.where(good, np.arange(self.days), NEVER)
        following = np.minimum.accumulate(following[::-1])[::-1]
        day = np.rint(np.asarray(wanted)).astype(np.int64)
        inside = (day >= 0) & (day < self.days)
        found = np.minimum(following[np.where(inside, day, 0)], day + patience)
        return np.asarray(np.where(inside, found, day), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers for all parcels at a time: a parcel's numbers do not depend on what the others grow."""

    rng: np.random.Generator
    parcels: int

    def normal(self, limit: float = 2.5) -> Floats:
        """Standard normal (parcels,), held within ``limit``."""
        return np.clip(self.rng.standard_normal(self.parcels), -limit, limit).astype(np.float32)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Floats:
        """Uniform (parcels,)."""
        return self.rng.uniform(low, high, self.parcels).astype(np.float32)

    def chance(self, share: npt.ArrayLike) -> Flags:
        """True with the given chance (parcels,)."""
        return np.asarray(self.rng.random(self.parcels) < np.asarray(share))
