"""When swards are mown, grazed, mulched or resown: grassland by regime, lucerne, grass seed, fallow, orchards.

Dates follow Dutch and Flemish dairy practice: silage cuts from late April every four to six weeks on intensive
grassland, hay after 15 June under nature management, grazing from April to October.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Growth, ParcelTraits, Regime
from s4c_lib.synthetic.growth.management import among, growth_numbers, is_one_of, whole
from s4c_lib.synthetic.growth.operations import Operation, OperationLog
from s4c_lib.synthetic.growth.phenology import SWARDS
from s4c_lib.synthetic.growth.season import NEVER, Days, Draws, Flags, Season

LAST_CUT = (10, 25)
_TEMPORARY = np.array([crop.temporary_grass for crop in CROPS])


def plan_swards(traits: ParcelTraits, season: Season, draws: Draws, log: OperationLog) -> tuple[Days, Days]:
    """Draw and log what is done to swards; return days of harvest (grass seed) and of resowing's emergence."""
    growth = growth_numbers(traits)
    grass = is_one_of(growth, (Growth.GRASSLAND, Growth.ROUGH_GRASS))
    regime = np.where(grass, traits.regime, Regime.NONE)
    resown = _resow(grass & _TEMPORARY[traits.crop], season, draws, log)
    not_before = np.where(resown < NEVER, resown + 50, -NEVER)
    last = _cut(regime, not_before, season, draws, log)
    _graze(regime, np.where(last < NEVER, last + 20, not_before), not_before, season, draws, log)
    _autumn_before(regime, season, draws, log)
    _lucerne(is_one_of(growth, (Growth.LUCERNE,)), season, draws, log)
    _fallow(is_one_of(growth, (Growth.FALLOW,)), season, draws, log)
    harvest = _grass_seed(is_one_of(growth, (Growth.GRASS_SEED,)), season, draws, log)
    return harvest, resown


def is_sward(growth: npt.NDArray[np.int8]) -> Flags:
    """Where the vegetation is a sward (parcels,)."""
    return is_one_of(growth, tuple(SWARDS))


def _cut(
    regime: npt.NDArray[np.int_], not_before: npt.NDArray[np.int_], season: Season, draws: Draws, log: OperationLog
) -> Days:
    """Cuts of the season; the last cut's day (NEVER without one)."""
    draw = draws.uniform()
    intensive, moderate = regime == Regime.INTENSIVE, regime == Regime.MODERATE
    extensive, mixed = regime == Regime.EXTENSIVE, regime == Regime.MIXED
    count = np.select(
        [intensive & (draw < 0.35), intensive & (draw < 0.82), intensive, moderate, extensive, mixed],
        [4, 5, 6, np.where(draw < 0.5, 2, 3), 1, np.where(draw < 0.75, 1, 2)],
        0,
    )
    spread, late = draws.normal(), -np.log(draws.uniform(0.02, 1.0))
    first = np.select(
        [intensive, moderate, extensive, mixed],
        [
            np.maximum(season.day(5, 2) + 6.5 * spread, season.day(4, 20)),
            season.day(5, 22) + 9 * spread,
            season.day(6, 15) + 1 + 11 * late,
            season.day(5, 9) + 8 * spread,
        ],
        NEVER,
    )
    hay = extensive | (moderate & draws.chance(0.5))
    pause = np.select([intensive & (count == 6), intensive & (count == 5), intensive], [29.0, 33.0, 39.0], 52.0)
    target = np.maximum(first, not_before)
    last = np.full(len(regime), NEVER, dtype=np.int32)
    for number in range(6):
        silage_day, hay_day = season.dry(target, patience=9), season.dry(target, spell=3, patience=14)
        day = among((count > number) & (target <= season.day(*LAST_CUT)), np.where(hay, hay_day, silage_day))
        log.add(Operation.MOWING, day)
        last = np.where(day < NEVER, day, last).astype(np.int32)
        # Growth slows down in summer and autumn: later cuts lie further apart.
        target = np.where(day < NEVER, day + pause + 2.0 * number + 4 * draws.normal(), NEVER)
    next_year = season.day(5, 2, years=1) + 6.5 * draws.normal()
    log.add(Operation.MOWING, season.dry(np.where(intensive, next_year, NEVER)), intensive)
    return last


def _graze(
    regime: npt.NDArray[np.int_],
    after_cut: npt.NDArray[np.int_],
    not_before: npt.NDArray[np.int_],
    season: Season,
    draws: Draws,
    log: OperationLog,
) -> None:
    """Rotational grazing in bouts of some days, or set stocking all summer."""
    grazed, mixed = regime == Regime.GRAZED, regime == Regime.MIXED
    aftermath = (regime == Regime.EXTENSIVE) & draws.chance(0.3)
    continuous = grazed & draws.chance(0.4)
    turnout = np.maximum(season.day(4, 18) + 10 * draws.normal(), not_before)
    housing = whole(season.day(10, 18) + 9 * draws.normal())
    log.add(Operation.GRAZING, whole(turnout), continuous, last_day=housing)
    rotational = (grazed & ~continuous) | mixed | aftermath
    begin = np.where(grazed, turnout - 6, after_cut + np.where(aftermath, 15, 0) + draws.uniform(0, 10))
    rest = draws.uniform(19, 30)
    for bout in range(8):
        length = whole(draws.uniform(3, 8))
        begin_day = whole(np.minimum(begin, NEVER))
        doing = rotational & (begin_day + length < housing) & ~(aftermath & (bout > 1))
        log.add(Operation.GRAZING, begin_day, doing, last_day=begin_day + length - 1)
        begin = begin_day + length + rest + 1.2 * bout + 3 * draws.normal()


def _autumn_before(regime: npt.NDArray[np.int_], season: Season, draws: Draws, log: OperationLog) -> None:
    """Last year's late cuts, from which swards enter the winter; cattle tidy the rest."""
    mown = np.isin(regime, [Regime.INTENSIVE, Regime.MODERATE])
    grazed = np.isin(regime, [Regime.GRAZED, Regime.MIXED])
    for month, chance in ((8, 0.9), (10, 0.7)):
        day = season.dry(season.day(month, 18, years=-1) - (month == 10) * 12 + 8 * draws.normal())
        log.add(Operation.MOWING, day, mown & draws.chance(chance))
        bout = whole(season.day(month, 12, years=-1) + 8 * draws.normal())
        log.add(Operation.GRAZING, bout, grazed & draws.chance(0.8), last_day=bout + 7)
    late_hay = whole(season.day(8, 10, years=-1) + 6 * draws.normal())
    log.add(Operation.MOWING, late_hay, (regime == Regime.EXTENSIVE) & draws.chance(0.3))


def _resow(temporary: Flags, season: Season, draws: Draws, log: OperationLog) -> Days:
    """A tenth of the temporary grassland is new: ploughed and sown in September or in spring."""
    new, spring = draws.chance(0.1), draws.chance(0.4)
    wanted = np.where(spring, season.day(3, 28), season.day(9, 8, years=-1)) + 8 * draws.normal()
    ploughing = among(temporary & new, season.dry(wanted))
    seedbed = season.dry(np.where(ploughing < NEVER, ploughing + 2, NEVER))
    sowing = season.dry(seedbed)
    emergence = season.reached(sowing, 140, 2.0)
    log.add(Operation.PLOUGHING, ploughing)
    log.add(Operation.SEEDBED, seedbed)
    log.add(Operation.DRILLING, sowing)
    log.add(Operation.EMERGENCE, emergence)
    return emergence


def _lucerne(lucerne: Flags, season: Season, draws: Draws, log: OperationLog) -> None:
    """Three or four cuts."""
    four = draws.chance(0.65)
    target = season.day(5, 19) + 5 * draws.normal()
    for number in range(4):
        day = season.dry(target, spell=2, patience=10)
        log.add(Operation.MOWING, day, lucerne & (four | (number < 3)))
        target = day + np.where(four, 40, 48) + 3 * draws.normal()
    log.add(Operation.MOWING, season.dry(season.day(9, 5, years=-1) + 8 * draws.normal()), lucerne)


def _grass_seed(seed_crop: Flags, season: Season, draws: Draws, log: OperationLog) -> Days:
    """Seed ripens and is combined in July; the straw goes, the sward grows again."""
    harvest = season.dry(season.day(7, 12) + 6 * draws.normal(), spell=2, patience=10)
    log.add(Operation.SENESCENCE, whole(harvest - draws.uniform(16, 22)), seed_crop)
    log.add(Operation.COMBINING, harvest, seed_crop)
    log.add(Operation.BALING, whole(harvest + draws.uniform(1, 4)), seed_crop)
    log.add(Operation.MOWING, season.dry(season.day(10, 5) + 8 * draws.normal()), seed_crop & draws.chance(0.4))
    return among(seed_crop, harvest)


def _fallow(fallow: Flags, season: Season, draws: Draws, log: OperationLog) -> None:
    """Mulched once after 15 July or not at all; some is ploughed in autumn for the next crop."""
    mulching = season.dry(season.day(7, 16) + 25 * draws.uniform())
    log.add(Operation.MULCHING, mulching, fallow & draws.chance(0.55))
    ended = draws.chance(0.35)
    ploughing = season.dry(season.day(9, 25) + 12 * draws.normal())
    log.add(Operation.PLOUGHING, ploughing, fallow & ended)
    seedbed = season.dry(ploughing + draws.uniform(4, 14))
    sowing = season.dry(seedbed)
    log.add(Operation.SEEDBED, seedbed, fallow & ended)
    log.add(Operation.DRILLING, sowing, fallow & ended)
    # Spontaneous cover comes up on last year's stubble.
    stubble = season.dry(season.day(8, 22, years=-1) + 8 * draws.normal())
    log.add(Operation.CULTIVATION, stubble, fallow & draws.chance(0.6))
