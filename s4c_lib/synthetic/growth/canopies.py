"""Events and the daily state of canopies: parcels by their traits, and the ground between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.errors import InputError
from s4c_lib.synthetic.canopy import Canopy, Weather
from s4c_lib.synthetic.crops import Cover, Growth, ParcelTraits
from s4c_lib.synthetic.growth.grassland import plan_swards
from s4c_lib.synthetic.growth.layers import LEAF_WATER, Layer, LayerSums
from s4c_lib.synthetic.growth.management import growth_numbers, is_one_of, main_layers, plan_main_crop
from s4c_lib.synthetic.growth.operations import OperationLog, events_table
from s4c_lib.synthetic.growth.rotation import plan_after, plan_before
from s4c_lib.synthetic.growth.season import Draws, Floats, Season
from s4c_lib.synthetic.growth.surface import surface
from s4c_lib.synthetic.growth.swards import SwardCourse, grow_swards, growing_conditions
from s4c_lib.synthetic.growth.weather import BEFORE_SEASON_DAYS, SATURATED, WILTED, season_year
from s4c_lib.synthetic.streams import Stream, generator

_STUBBLE_COLOR = 0.6  # chlorophyll of mown stubble against that of full-grown leaves


def grow(
    traits: ParcelTraits, weather: Weather, *, start: date, end: date, seed: int, chunk: int = 0
) -> tuple[Canopy, pa.Table]:
    """What is done on parcels and what grows there.

    Parameters
    ----------
    traits : of the parcels of one chunk.
    weather : from `make_weather` with the same dates.
    seed, chunk : with the traits they alone decide the result.

    Returns
    -------
    canopy : from 15 days before ``start`` to ``end``.
    events : `EVENTS_SCHEMA`, sorted by parcel, date and event; those before ``start`` too, none after ``end``.

    Raises
    ------
    InputError
        When the weather does not cover the dates.
    """
    season, first = _season(weather, start, end)
    draws = Draws(generator(seed, Stream.GROWTH, chunk), len(traits))
    log = OperationLog(season.days)
    year = plan_main_crop(traits, season, draws, log)
    layers = main_layers(year, season, draws)
    layers += plan_before(year, season, draws, log)
    layers += plan_after(traits, year, season, draws, log)
    seed_harvest, resown = plan_swards(traits, season, draws, log)
    layers += _orchard_trees(traits, season, draws)
    operations = log.operations()
    swards = grow_swards(traits, operations, seed_harvest, resown, season, first, draws)
    sums = LayerSums.empty(season, len(traits), first)
    for layer in layers:
        sums.add(layer)
    _add_swards(sums, swards)
    ground = surface(traits, operations, swards.taken, season, first, draws)
    taken = np.where(operations.harvests, np.float32(1), swards.taken).astype(np.float32)
    events = events_table(operations, taken, traits.parcel_id, season)
    leaves = sums.green + sums.brown
    variety = _variety(draws)
    canopy = Canopy(
        first_day=start - timedelta(days=BEFORE_SEASON_DAYS),
        green_lai=sums.green,
        brown_lai=sums.brown + variety.withered * sums.green,
        chlorophyll=_mean(sums.chlorophyll, sums.green, 38) * variety.color,
        leaf_angle=np.clip(_mean(sums.angle, leaves, 55) + variety.angle, 15, 80),
        canopy_water=sums.water,
        soil_wetness=ground.wetness,
        soil_brightness=ground.brightness,
        residue=ground.residue,
        roughness=ground.roughness,
        change=ground.change,
    )
    return canopy, events


def cover_canopy(weather: Weather, *, start: date, end: date) -> Canopy:
    """Ground that nobody declares: rows in the order of the members of `Cover`.

    Margins are rank grass and hedges; a third of the forest's leaves are pine needles, which stay, the others are
    deciduous. Built-up land and water have no canopy, and no soil to speak of.
    """
    season, first = _season(weather, start, end)
    covers = list(Cover)
    shape = (len(covers), season.days - first)
    sums = LayerSums.empty(season, len(covers), first)
    margin = np.array([covers.index(Cover.MARGIN)])
    forest = np.array([covers.index(Cover.FOREST)])
    for layer in _trees(forest, np.array([3.2], np.float32), season, 3.2):
        sums.add(layer)
    conditions = growing_conditions(season)[0]
    level = np.empty(season.days, dtype=np.float32)
    green = 1.8
    for day, condition in enumerate(conditions):
        green += 0.03 * (1.3 + 2.4 * min(float(condition), 1.0) - green)
        level[day] = green
    sums.green[margin] += level[first:]
    sums.brown[margin] += 0.6
    sums.chlorophyll[margin] += 36 * level[first:]
    sums.angle[margin] += 57 * (level[first:] + 0.6)
    sums.water[margin] += 0.35 * level[first:] + 0.5
    sums.green[forest] += 1.8  # needles and undergrowth
    sums.brown[forest] += 0.5
    sums.chlorophyll[forest] += 40 * 1.8
    sums.angle[forest] += 50 * 2.3
    sums.water[forest] += 6.0  # branches
    wet = np.clip((season.weather.soil_moisture - WILTED) / (SATURATED - WILTED), 0, 1)[first:]
    vegetated = np.isin(np.arange(len(covers)), [margin[0], forest[0]])[:, None]

    def ground(values: float | Floats) -> Floats:
        return np.asarray(np.where(vegetated, values, np.zeros(shape, dtype=np.float32)), dtype=np.float32)

    return Canopy(
        first_day=start - timedelta(days=BEFORE_SEASON_DAYS),
        green_lai=sums.green,
        brown_lai=sums.brown,
        chlorophyll=ground(_mean(sums.chlorophyll, sums.green, 38)),
        leaf_angle=ground(_mean(sums.angle, sums.green + sums.brown, 55)),
        canopy_water=sums.water,
        soil_wetness=ground(wet.astype(np.float32)),
        soil_brightness=ground(0.9),
        residue=ground(np.where(np.arange(len(covers)) == forest[0], 0.85, 0.3)[:, None].astype(np.float32)),
        roughness=ground(0.4),
        change=np.zeros(shape, dtype=np.float32),
    )


@dataclass(frozen=True, slots=True)
class _Variety:
    """What sets the leaves of a parcel apart from others of its crop, float32 (parcels, 1).

    Parameters
    ----------
    color : multiplies the chlorophyll (nitrogen, variety). angle : degrees, added to the leaf inclination.
    withered : dead and diseased leaves, share of the green ones.
    """

    color: Floats
    angle: Floats
    withered: Floats


def _variety(draws: Draws) -> _Variety:
    """Spread between parcels: 10 % of the chlorophyll, 3.5 degrees, withered leaves of 2 % within a factor of two."""
    color = np.clip(1 + 0.10 * draws.normal(), 0.7, 1.3)
    angle = np.clip(3.5 * draws.normal(), -9, 9)
    withered = np.clip(0.02 * np.exp(0.8 * draws.normal()), 0, 0.12)
    return _Variety(*(values.astype(np.float32)[:, None] for values in (color, angle, withered)))


def _season(weather: Weather, start: date, end: date) -> tuple[Season, int]:
    """The season, and the first day shown."""
    year = season_year(start, end)
    first = weather.index(start) - BEFORE_SEASON_DAYS
    last = weather.first_day + timedelta(days=len(weather.rain) - 1)
    if first < 0 or last != end or weather.index(date(year - 1, 8, 1)) < 0:
        raise InputError(
            f"the weather of {weather.first_day} to {last} is not that of a season from {start} to {end}",
            hint="make the weather with the dates of the season",
        )
    return Season(weather, year), first


def _add_swards(sums: LayerSums, swards: SwardCourse) -> None:
    rows = swards.rows
    green, brown, fresh = (np.ascontiguousarray(part.T) for part in (swards.green, swards.brown, swards.fresh))
    sums.green[rows] += green
    sums.brown[rows] += brown
    sums.chlorophyll[rows] += swards.chlorophyll[:, None] * (1 - (1 - _STUBBLE_COLOR) * fresh) * green
    sums.angle[rows] += swards.leaf_angle[:, None] * (green + brown)
    sums.water[rows] += LEAF_WATER * (green + 0.3 * brown) + swards.stem_water[:, None] * green


def _orchard_trees(traits: ParcelTraits, season: Season, draws: Draws) -> list[Layer]:
    rows = np.flatnonzero(is_one_of(growth_numbers(traits), (Growth.ORCHARD,)))
    return _trees(rows, np.clip(1.9 + 0.35 * draws.normal()[rows], 1.0, 2.8), season, 1.9)


def _trees(rows: npt.NDArray[np.intp], lai: Floats, season: Season, typical: float) -> list[Layer]:
    """Deciduous trees of this and of last year, in leaf from mid-April to early November."""
    layers = []
    for years in (-1, 0, 1):
        begin = np.full(len(rows), season.day(1, 1, years=years), dtype=np.int32)
        stop = np.full(len(rows), season.day(1, 1, years=years + 1), dtype=np.int32)
        leaf_fall = np.full(len(rows), season.day(11, 3, years=years), dtype=np.int32)
        layers.append(
            Layer(
                rows=rows,
                base=5.0,
                emergence=begin,
                clock=begin,
                stop=stop,
                dying=leaf_fall,
                dying_days=9.0,
                half_grown=215.0,
                growth_rate=0.028,
                half_senesced=2230.0,
                senescence_rate=0.012,
                settling=20.0,
                lai=lai,
                typical=typical,
                chlorophyll=42.0,
                leaf_angle=(44, 42),
                stem_water=0.3,
                dead_leaves=0.1,
            )
        )
    return layers


def _mean(weighted: Floats, weight: Floats, otherwise: float) -> Floats:
    """Weighted mean; ``otherwise`` where there is no weight."""
    small = weight < 1e-4
    return np.asarray(np.where(small, otherwise, weighted / np.where(small, 1, weight)), dtype=np.float32)
