"""Grass and other lasting swards, day by day: growth, ageing, mowing, grazing, regrowth.

A logistic growth in leaf area driven by temperature, season and soil water (the light-limited growth of LINGRA,
Schapendonk et al. 1998, and of Johnson & Thornley 1983 in its simplest form). After a cut nothing grows for some days
(reserves rebuild the first leaves; Schapendonk 1998), and stubble is pale and partly brown. Leaves of a sward that
is left alone age from about six weeks on. Regrowth to nine tenths of the level before takes about five weeks, as in
camera-observed cuts with Sentinel-2 series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import Growth, ParcelTraits
from s4c_lib.synthetic.growth.management import GROWTHS, growth_numbers, is_one_of
from s4c_lib.synthetic.growth.operations import Operation, Operations
from s4c_lib.synthetic.growth.phenology import SWARDS
from s4c_lib.synthetic.growth.season import NEVER, Days, Draws, Flags, Floats, Season
from s4c_lib.synthetic.growth.weather import by_month, reference_evaporation

Places = npt.NDArray[np.int64]

ROOT_ZONE_MM = 90.0
_HEIGHTS = 8
_SET_STOCKING, _ROTATION = 0.10, 0.24  # share of the leaves above the floor eaten a day
_SEASON = (0.2, 0.3, 0.55, 0.95, 1.15, 0.95, 0.85, 0.85, 0.75, 0.55, 0.3, 0.2)  # daylength, heading, autumn decline


@dataclass(frozen=True, slots=True)
class SwardCourse:
    """Course of sward parcels, float32 (day, rows), from the first day shown.

    Parameters
    ----------
    rows : positions of the parcels.
    fresh : 0..1, how far the colour is from that of full-grown leaves after a cut.
    taken : float32 (operations,), share of the green LAI that each operation took; NaN for those of other kinds.
    """

    rows: npt.NDArray[np.intp]
    green: Floats
    brown: Floats
    fresh: Floats
    chlorophyll: Floats
    leaf_angle: Floats
    stem_water: Floats
    taken: Floats


def growing_conditions(season: Season) -> tuple[Floats, Floats]:
    """Temperature and season 0..1.2, and soil water 0..1, for the growth of grass (day,)."""
    weather = season.weather
    warm = weather.temperature.astype(np.float64)
    smooth = np.convolve(np.pad(warm, (4, 0), mode="edge"), np.full(5, 0.2), mode="valid")[: len(warm)]
    by_warmth = np.clip((smooth - 3.5) / 9.5, 0, 1) * np.clip((32 - smooth) / 6, 0, 1)
    by_season = by_month(_SEASON, weather.first_day, season.days)
    water = np.empty(season.days)
    content = 0.7 * ROOT_ZONE_MM
    for day, (rain, demand) in enumerate(
        zip(weather.rain, reference_evaporation(weather.first_day, warm), strict=True)
    ):
        supply = min(content / (0.5 * ROOT_ZONE_MM), 1.0)
        content = min(max(content + float(rain) - demand * supply, 0.0), ROOT_ZONE_MM)
        water[day] = supply
    return (by_warmth * by_season).astype(np.float32), water.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Habits:
    """What stays the same of each sward, float32 (rows,); as of `phenology.Sward` where the name is the same.

    Parameters
    ----------
    height : (cuts, rows), how high each cut is against the parcel's habit.
    thirst : how much drought slows growth. floor : leaf area at which cattle stop. yellow : stubble that stands dead.
    strip_phase, strip_pause : days, mowing of the grass strips of orchards.
    """

    rate: Floats
    limit: Floats
    stubble: Floats
    height: Floats
    lag: Floats
    thirst: Floats
    floor: Floats
    chlorophyll: Floats
    leaf_angle: Floats
    stem_water: Floats
    dormancy: Floats
    yellow: Floats
    august: Floats
    orchard: Flags
    strip_phase: Floats
    strip_pause: Floats


def _draw_habits(traits: ParcelTraits, rows: npt.NDArray[np.intp], draws: Draws) -> _Habits:
    kind = growth_numbers(traits)[rows]

    def parameter(name: str, item: int | None = None) -> Floats:
        table = np.zeros(len(GROWTHS), dtype=np.float32)
        for which, sward in SWARDS.items():
            value = getattr(sward, name)
            table[GROWTHS.index(which)] = value if item is None else value[item]
        return table[kind]

    def between(name: str) -> Floats:
        low = parameter(name, 0)
        return low + (parameter(name, 1) - low) * draws.uniform()[rows]

    limit = np.clip(parameter("limit") + parameter("limit_spread") * draws.normal()[rows], 1.2, 5.8)
    poor = draws.chance(0.02)[rows]
    return _Habits(
        rate=parameter("rate") * np.exp(0.12 * draws.normal()[rows]),
        limit=np.where(poor, 0.55 * limit, limit).astype(np.float32),
        stubble=between("stubble"),
        height=np.stack([np.exp(0.18 * draws.normal()[rows]) for _ in range(_HEIGHTS)]),
        lag=between("lag"),
        thirst=np.clip(0.8 + 0.25 * draws.normal()[rows] + 0.5 * (traits.soil_brightness[rows] - 1), 0.2, 1.6),
        floor=draws.uniform(1.0, 1.7)[rows],
        chlorophyll=parameter("chlorophyll") + 3 * draws.normal()[rows],
        leaf_angle=parameter("leaf_angle") + 3 * draws.normal()[rows],
        stem_water=parameter("stem_water"),
        dormancy=parameter("dormancy"),
        yellow=draws.uniform(0.25, 0.55)[rows],
        august=parameter("august") * np.exp(0.15 * draws.normal()[rows]),
        orchard=is_one_of(kind, (Growth.ORCHARD,)),
        strip_phase=draws.uniform(0, 24)[rows],
        strip_pause=draws.uniform(16, 26)[rows],
    )


class _Swards:
    """State of the swards on one day, and what happens to it."""

    def __init__(self, habits: _Habits, ripe: Days, sown: Days, operations: int) -> None:
        count = len(habits.rate)
        self.habits, self.ripe, self.sown = habits, ripe, sown
        self.limit = habits.limit.copy()
        self.green = habits.august.copy()
        self.brown = np.full(count, 0.4, dtype=np.float32)
        self.pale = np.zeros(count, dtype=np.float32)
        self.age = np.full(count, 25.0, dtype=np.float32)  # days of growth since the leaves were young
        self.bare = np.zeros(count, dtype=bool)
        self.cuts = np.zeros(count, dtype=np.int32)
        self.grazed_until = np.full(count, -1, dtype=np.int32)
        self.pressure = np.zeros(count, dtype=np.float32)
        self.entry = np.full(count, -1, dtype=np.int64)
        self.entry_green = np.zeros(count, dtype=np.float32)
        self.taken = np.full(operations, np.nan, dtype=np.float32)

    def grow(self, day: int, condition: float, water: float, frozen: bool) -> None:
        """A day of growth, ageing and death."""
        habits = self.habits
        started = np.clip((self.age - habits.lag) / 4, 0, 1)
        dry = np.clip(1 - habits.thirst * (1 - water), 0.05, 1)
        aging = np.clip((self.age - 42) / 40, 0, 1)
        ripening = np.clip((day - self.ripe + 30) / 12, 0, 1) * (day <= self.ripe)
        speed = habits.rate * condition * dry * started * (1 - 0.5 * aging) * (1 - ripening)
        death = 0.004 + 0.009 * aging * min(condition + 0.15, 1.0) + 0.012 * (1 - dry) + 0.07 * ripening
        death = death + 0.012 * frozen + habits.dormancy * (condition < 0.12)
        lost = death * np.maximum(self.green - 0.15, 0)
        green = self.green + speed * np.maximum(self.green, 0.1) * (1 - self.green / self.limit) - lost
        self.brown = self.brown * np.float32(0.972) + 0.55 * lost
        self.pale *= np.float32(0.92)
        # Leaves age while they grow; spring begins with new tillers.
        rested = np.maximum(self.age * 0.96, np.minimum(self.age, habits.lag + 4))
        self.age = rested if condition < 0.15 else self.age + 1
        self.bare &= day < self.sown
        seedlings = (day == self.sown) & (green < 0.1)
        self.green = np.where(self.bare, 0.0, np.where(seedlings, 0.08, green)).astype(np.float32)

    def graze(self, day: int, last: bool) -> None:
        """Cattle eat down towards the floor; the share taken is known when they leave."""
        grazed = self.grazed_until >= day
        if not grazed.any():
            return
        eaten = np.where(grazed, self.pressure * np.maximum(self.green - self.habits.floor, 0), 0)
        self.green -= eaten
        self.brown += 0.1 * eaten
        self.pale = np.where(grazed, np.maximum(self.pale, 0.25 * np.clip(3 * self.pressure, 0, 1)), self.pale)
        young = np.where(self.pressure > 0.15, self.habits.lag, 30)
        self.age = np.where(grazed, np.minimum(self.age, young), self.age)
        leaving = grazed & ((self.grazed_until == day) | last)
        share = 1 - self.green[leaving] / np.maximum(self.entry_green[leaving], 0.1)
        self.taken[self.entry[leaving]] = np.maximum(share, 0.02)

    def let_in(self, who: Places, day: int, until: Days, numbers: Places) -> None:
        """Cattle come, for some days or for the summer."""
        self.grazed_until[who], self.entry[who], self.entry_green[who] = until, numbers, self.green[who]
        self.pressure[who] = np.where(until - day > 30, _SET_STOCKING, _ROTATION)

    def mow_strips(self, day: int) -> None:
        """The grass strips of orchards, often and not deep."""
        habits = self.habits
        passed = np.floor((day + habits.strip_phase) / habits.strip_pause)
        today = habits.orchard & (passed > np.floor((day - 1 + habits.strip_phase) / habits.strip_pause))
        lower = np.minimum(self.green, np.maximum(0.85 * self.green, habits.stubble))
        self.green = np.where(today, lower, self.green)

    def mow(self, who: Places, numbers: Places, must: Flags) -> None:
        """Cut to the stubble; where there is too little to take nobody mows, unless a crop must be harvested."""
        habits = self.habits
        stubble = np.minimum(habits.stubble[who] * habits.height[self.cuts[who] % _HEIGHTS, who], 1.45)
        after = np.minimum(stubble, 0.85 * self.green[who])
        self.cuts[who] += 1
        worth = (self.green[who] > stubble + 0.45) | must
        self.taken[numbers] = np.where(worth, 1 - after / np.maximum(self.green[who], 0.05), 0)
        who, after = who[worth], after[worth]
        self.brown[who] = 0.35 * self.brown[who] + habits.yellow[who] * np.minimum(self.green[who] - after, 1)
        self.green[who] = after
        self.age[who], self.pale[who] = 0, 1

    def dig(self, who: Places, day: int, ploughed: Flags) -> None:
        """Turn the sward under; new grass comes where it is sown, the next crop or weeds elsewhere."""
        self.bare[who] = (self.sown[who] < NEVER) & (day < self.sown[who])
        self.green[who] = np.where(self.bare[who], 0.0, 0.02)
        self.brown[who], self.age[who] = 0, self.habits.lag[who] + 4
        thin = ploughed & ~self.bare[who]
        self.limit[who] = np.where(thin, np.minimum(self.limit[who], 1.2), self.limit[who])


def grow_swards(
    traits: ParcelTraits,
    operations: Operations,
    seed_harvest: Days,
    resown: Days,
    season: Season,
    first: int,
    draws: Draws,
) -> SwardCourse:
    """Run the swards from the first day of the weather; keep the days from ``first`` on.

    Parameters
    ----------
    seed_harvest : day on which grass seed is combined (parcels,). resown : emergence of new grass (parcels,).
    """
    rows = np.flatnonzero(is_one_of(growth_numbers(traits), tuple(SWARDS)))
    place = np.full(len(traits), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    habits = _draw_habits(traits, rows, draws)
    swards = _Swards(habits, seed_harvest[rows], resown[rows], len(operations))
    out = np.zeros((3, season.days - first, len(rows)), dtype=np.float32)
    conditions, water = growing_conditions(season)
    starts = operations.slices(season.days)
    mown = operations.of(Operation.MOWING, Operation.MULCHING, Operation.COMBINING)
    combined = operations.of(Operation.COMBINING)
    turned = operations.of(Operation.PLOUGHING, Operation.CULTIVATION, Operation.SEEDBED)
    ploughed = operations.of(Operation.PLOUGHING, Operation.SEEDBED)
    grazing = operations.of(Operation.GRAZING)
    at = place[operations.parcel]
    for day in range(season.days):
        swards.grow(day, float(conditions[day]), float(water[day]), bool(season.weather.frozen[day]))
        swards.graze(day, day == season.days - 1)
        swards.mow_strips(day)
        today = np.arange(starts[day], starts[day + 1])
        today = today[at[today] >= 0]
        cut, dug, entered = today[mown[today]], today[turned[today]], today[grazing[today]]
        swards.mow(at[cut], cut, combined[cut])
        swards.dig(at[dug], day, ploughed[dug])
        swards.let_in(at[entered], day, operations.last_day[entered], entered)
        if day >= first:
            out[:, day - first] = swards.green, swards.brown, swards.pale
    return SwardCourse(
        rows, out[0], out[1], out[2], habits.chlorophyll, habits.leaf_angle, habits.stem_water, swards.taken
    )
