"""What stands on arable land before the main crop, and what is done and grows after its harvest.

Habits follow Dutch practice on sand and clay: catch crops under the manure rules (sown by 1 October after maize,
destroyed from 1 February), the ecological scheme's eight weeks after cereals, ploughing in spring on sand and before
winter on clay, stubble cultivation against weeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CatchCrop, Growth, ParcelTraits
from s4c_lib.synthetic.growth.layers import Layer
from s4c_lib.synthetic.growth.management import CEREALS, STRAW, ArableYear, among, is_one_of, weeds, whole
from s4c_lib.synthetic.growth.operations import Operation, OperationLog
from s4c_lib.synthetic.growth.phenology import ANNUAL
from s4c_lib.synthetic.growth.season import NEVER, Days, Draws, Flags, Floats, Season

CATCH_CROP_BASE, CATCH_CROP_EMERGENCE = 4.0, 75.0  # mustard, radish, phacelia


def plan_before(year: ArableYear, season: Season, draws: Draws, log: OperationLog) -> list[Layer]:
    """Last year's crop, its stubble, volunteers or catch crop, until the first work for this year's crop."""
    autumn = is_one_of(year.growth, tuple(kind for kind, crop in ANNUAL.items() if crop.autumn))
    rape = is_one_of(year.growth, (Growth.WINTER_RAPE,))
    until = year.first_work
    in_autumn = ~autumn & (until < season.day(1, 1))
    late = year.annual & ~rape & draws.chance(np.where(autumn, 0.4, 0.5))
    early_harvest = season.day(7, 27, years=-1) + 6 * draws.normal()
    late_harvest = season.day(9, 30, years=-1) + 8 * draws.normal()
    room = until - draws.uniform(2, 8)
    harvest = whole(np.minimum(np.where(late, late_harvest, early_harvest), np.where(year.annual, room, NEVER)))
    harvest = among(year.annual, harvest)
    log.add(Operation.FORAGE_HARVEST, harvest, late)
    log.add(Operation.COMBINING, harvest, ~late)
    sown = year.annual & ~autumn & ~in_autumn & draws.chance(0.6)
    sowing = among(sown, season.dry(harvest + draws.uniform(3, 16)))
    log.add(Operation.CATCH_CROP_SOWING, sowing)
    emergence = season.reached(sowing, CATCH_CROP_EMERGENCE, CATCH_CROP_BASE)
    log.add(Operation.CATCH_CROP_EMERGENCE, emergence)
    cultivated = year.annual & ~late & ~sown & draws.chance(0.6)
    cultivation = season.dry(harvest + draws.uniform(4, 20))
    cultivation = among(cultivated & (cultivation + 6 < until), cultivation)
    log.add(Operation.CULTIVATION, cultivation)
    # Sown in August: mustard, killed by frost in part. After maize: grass or rye, sprayed or ploughed in.
    frost = ~late & draws.chance(0.3)
    sprayed = draws.chance(0.5)
    frost_day = whole(season.day(12, 22, years=-1) + 12 * draws.normal())
    spraying = whole(until - draws.uniform(8, 24))
    dying = np.where(frost, np.minimum(frost_day, spraying), among(sprayed, spraying))
    log.add(Operation.CATCH_CROP_DESTRUCTION, spraying, sown & sprayed & ~frost)
    log.add(Operation.CATCH_CROP_DESTRUCTION, dying, sown & frost)
    spread, weed_lai = draws.normal(), draws.uniform(0.2, 0.9)
    catch_lai = np.where(late, 1.5 + 0.35 * spread, 2.4 + 0.5 * spread)
    rows = np.flatnonzero(sown)
    layers = [_catch_crop(rows, emergence[rows], dying[rows], until[rows], catch_lai[rows])]
    rows = np.flatnonzero(year.annual & ~sown)
    start = np.where(cultivation < NEVER, cultivation, harvest) + 12
    layers.append(weeds(rows, start[rows], until[rows], weed_lai[rows] * np.where(late[rows], 0.5, 1.0)))
    rows = np.flatnonzero(late & (harvest > 0))
    layers.append(_ripening_maize(rows, harvest[rows], season, 4.2 + 0.4 * spread[rows]))
    return layers


@dataclass(frozen=True, slots=True)
class _After:
    """First and last tillage after the harvest: what ends the stubble's volunteers."""

    first: Days
    last: Days


def plan_after(traits: ParcelTraits, year: ArableYear, season: Season, draws: Draws, log: OperationLog) -> list[Layer]:
    """Straw, catch crops, tillage, volunteers and the next winter crop after the harvest."""
    catch = np.where(year.annual, traits.catch_crop, CatchCrop.NONE)
    straw = is_one_of(year.growth, STRAW)
    log.add(Operation.BALING, whole(year.harvest + draws.uniform(1, 5)), straw & draws.chance(0.7))
    layers, covered = _catch_crops(catch, year, season, draws, log)
    work, winter_crop = _tillage(catch == CatchCrop.NONE, year, season, draws, log)
    layers.append(winter_crop)
    # Weeds and spilled grain: some under the ripening crop already, more on untilled stubble.
    lai = draws.uniform(0.25, 1.1) * np.where(straw, 1.0, 0.35)
    begin = year.harvest + 3
    end = np.minimum(work.first, covered)
    rows = np.flatnonzero(year.annual)
    layers.append(weeds(rows, begin[rows], end[rows], lai[rows], rate=0.010))
    again = np.flatnonzero(work.first < work.last)
    layers.append(weeds(again, work.first[again] + 12, work.last[again], 0.8 * lai[again], rate=0.010))
    return layers


def _catch_crops(
    catch: npt.NDArray[np.int8], year: ArableYear, season: Season, draws: Draws, log: OperationLog
) -> tuple[list[Layer], Days]:
    """Catch crops sown after the harvest and undersown; also the day on which sowing ends the volunteers."""
    cereal = is_one_of(year.growth, CEREALS)
    maize = is_one_of(year.growth, (Growth.MAIZE,))
    sown, under = catch == CatchCrop.SOWN, catch == CatchCrop.UNDERSOWN
    longest = np.where(maize, 10, 21)
    shortest = np.where(maize, 2, 3)
    delay = shortest + (longest - shortest) * draws.uniform() ** 1.3
    sowing = season.dry(year.harvest + delay, patience=3)
    sowing = among(sown, np.clip(sowing, year.harvest + shortest, year.harvest + longest))
    log.add(Operation.CATCH_CROP_SOWING, sowing)
    emergence = season.reached(sowing, CATCH_CROP_EMERGENCE, CATCH_CROP_BASE)
    log.add(Operation.CATCH_CROP_EMERGENCE, emergence)
    undersowing = season.dry(np.maximum(season.day(6, 14) + 6 * draws.normal(), year.emergence + 14))
    undersowing = among(under & (undersowing < year.harvest - 30), undersowing)
    log.add(Operation.UNDERSOWING, undersowing)
    under_emergence = season.reached(undersowing, 110, CATCH_CROP_BASE)
    log.add(Operation.CATCH_CROP_EMERGENCE, under_emergence)
    # Most stay until February; some go after eight weeks, a few too early.
    fate, ploughed = draws.uniform(), draws.chance(0.7)
    there = np.where(sown, sowing, year.harvest)
    spring = season.day(2, 1, years=1) + draws.uniform(0, 60)
    kept = draws.uniform(58, 95)
    early = draws.uniform(22, 50)
    wanted = np.select([fate < 0.06, fate < np.where(cereal, 0.30, 0.08)], [there + early, there + kept], spring)
    wanted = np.maximum(wanted, np.where(there < season.days, there + 15, 0))
    ended = among(sown | under, season.dry(wanted, patience=6))
    log.add(Operation.CATCH_CROP_PLOUGHING, ended, ploughed)
    log.add(Operation.CATCH_CROP_DESTRUCTION, ended, ~ploughed)
    log.add(Operation.PLOUGHING, whole(season.dry(ended + draws.uniform(10, 25))), (sown | under) & ~ploughed)
    stop = np.where(ploughed, ended, ended + 25)
    # A twentieth fails: late, dry or eaten.
    spread, failed = draws.normal(), draws.chance(0.05)
    lai = np.where(cereal, 3.0, np.where(year.harvest > season.day(9, 10), 2.2, 2.6)) + 0.55 * spread
    lai = np.where(failed, 0.4, np.maximum(lai, 0.8))
    rows = np.flatnonzero(sown)
    layers = [_catch_crop(rows, emergence[rows], ended[rows], stop[rows], lai[rows])]
    rows = np.flatnonzero(under & (undersowing < NEVER))
    layers.append(
        Layer(
            rows=rows,
            base=3.0,
            emergence=under_emergence[rows],
            clock=year.harvest[rows],
            stop=stop[rows],
            dying=ended[rows],
            dying_days=8.0,
            half_grown=230.0,
            growth_rate=0.010,
            start=0.2,
            settling=120.0,
            lai=np.where(failed, 0.4, 2.0 + 0.35 * spread)[rows],
            typical=2.0,
            chlorophyll=38.0,
            leaf_angle=(58, 58),
            stem_water=0.15,
            dead_leaves=0.2,
        )
    )
    return layers, sowing


def _tillage(free: Flags, year: ArableYear, season: Season, draws: Draws, log: OperationLog) -> tuple[_After, Layer]:
    """Stubble cultivation, ploughing and the next winter crop where no catch crop is kept."""
    growth, harvest = year.growth, year.harvest
    free = free & year.annual & (harvest < season.days)
    stubble = is_one_of(growth, STRAW) | is_one_of(growth, (Growth.BEANS,))
    once, twice = draws.chance(0.7), draws.chance(0.35)
    cultivation = among(free & stubble & once, season.dry(harvest + draws.uniform(3, 26)))
    wants = {Growth.MAIZE: 0.35, Growth.POTATO: 0.55, Growth.SUGAR_BEET: 0.45, Growth.ONION: 0.6, Growth.BEANS: 0.6}
    wants |= {Growth.WINTER_RAPE: 0.8, Growth.WINTER_WHEAT: 0.35, Growth.WINTER_BARLEY: 0.5, Growth.SPRING_BARLEY: 0.4}
    share = np.zeros(len(growth), dtype=np.float32)
    for kind, wanted in wants.items():
        share[is_one_of(growth, (kind,))] = wanted
    sows = free & draws.chance(share)
    target = np.maximum(harvest + draws.uniform(6, 14), season.day(10, 16) + 10 * draws.normal())
    sows &= target < season.day(11, 25)
    idle_ploughing = season.day(11, 5) + 14 * draws.normal()
    idle = free & ~sows & draws.chance(0.2)
    gap = draws.uniform(1, 5)
    day = np.where(sows, target - gap, np.maximum(idle_ploughing, harvest + 5))
    ploughing = among(sows | idle, np.maximum(season.dry(day), harvest + 1))
    seedbed = season.dry(np.where(ploughing < NEVER, ploughing + 1, NEVER))
    sowing = season.dry(seedbed)
    second = among(free & stubble & once & twice, season.dry(cultivation + draws.uniform(16, 32)))
    cultivation = among(cultivation + 5 < ploughing, cultivation)
    second = among((second + 5 < ploughing) & (cultivation < NEVER), second)
    log.add(Operation.CULTIVATION, cultivation)
    log.add(Operation.CULTIVATION, second)
    log.add(Operation.PLOUGHING, ploughing)
    log.add(Operation.SEEDBED, seedbed, sows)
    log.add(Operation.DRILLING, sowing, sows)
    wheat = ANNUAL[Growth.WINTER_WHEAT]
    emergence = season.reached(among(sows, sowing), wheat.emergence, wheat.base)
    log.add(Operation.EMERGENCE, emergence)
    rows = np.flatnonzero(sows)
    layer = Layer.of_crop(
        wheat,
        rows,
        emergence=emergence[rows],
        clock=np.full(len(rows), season.day(1, 1, years=1), dtype=np.int32),
        stop=NEVER,
        lai=(wheat.lai + wheat.lai_spread * draws.normal())[rows],
    )
    first = np.minimum(cultivation, ploughing)
    last = np.where(second < NEVER, second, ploughing)
    return _After(first.astype(np.int32), last.astype(np.int32)), layer


def _catch_crop(rows: npt.NDArray[np.intp], emergence: Days, dying: Days, stop: Days, lai: Floats) -> Layer:
    return Layer(
        rows=rows,
        base=CATCH_CROP_BASE,
        emergence=emergence,
        clock=emergence,
        stop=stop,
        dying=dying,
        dying_days=6.0,
        half_grown=290.0,
        growth_rate=0.012,
        lai=lai,
        typical=2.4,
        chlorophyll=40.0,
        leaf_angle=(48, 50),
        stem_water=1.0,
        dead_leaves=0.35,
    )


def _ripening_maize(rows: npt.NDArray[np.intp], harvest: Days, season: Season, lai: Floats) -> Layer:
    """Last year's silage maize, full grown when the weather begins."""
    began = np.full(len(rows), season.day(5, 12, years=-1), dtype=np.int32)
    return Layer.of_crop(ANNUAL[Growth.MAIZE], rows, emergence=began, clock=began, stop=harvest, lai=lai)
