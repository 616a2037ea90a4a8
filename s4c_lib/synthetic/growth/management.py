"""The arable year of each parcel: seedbed, sowing, stages, harvest. What comes before and after is in `rotation`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Growth, ParcelTraits
from s4c_lib.synthetic.growth.layers import Layer
from s4c_lib.synthetic.growth.operations import Operation, OperationLog
from s4c_lib.synthetic.growth.phenology import ANNUAL, AnnualCrop
from s4c_lib.synthetic.growth.season import NEVER, Days, Draws, Flags, Floats, Season

GROWTHS = tuple(Growth)
CEREALS = (Growth.WINTER_WHEAT, Growth.WINTER_BARLEY, Growth.SPRING_BARLEY)
STRAW = (*CEREALS, Growth.WINTER_RAPE)
COMBINED = (*STRAW, Growth.BEANS)
LIFTED = (Growth.SUGAR_BEET, Growth.POTATO, Growth.ONION)


def growth_numbers(traits: ParcelTraits) -> npt.NDArray[np.int8]:
    """Position in `GROWTHS` of what grows on each parcel."""
    table = np.array([GROWTHS.index(crop.growth) for crop in CROPS], dtype=np.int8)
    return table[traits.crop]


def is_one_of(growth: npt.NDArray[np.int8], kinds: tuple[Growth, ...]) -> Flags:
    """Where one of these grows (parcels,)."""
    return np.isin(growth, [GROWTHS.index(kind) for kind in kinds])


def lookup(growth: npt.NDArray[np.int8], field: str, absent: float = 0.0) -> Floats:
    """A number of `phenology.AnnualCrop` for each parcel; ``absent`` where no annual crop grows."""
    table = [getattr(ANNUAL[kind], field) if kind in ANNUAL else absent for kind in GROWTHS]
    return np.asarray(table, dtype=np.float32)[growth]


def whole(days: npt.ArrayLike) -> Days:
    """Rounded to days."""
    return np.asarray(np.rint(np.asarray(days)), dtype=np.int32)


def among(wanted: Flags, days: Days) -> Days:
    """The days where wanted, NEVER elsewhere."""
    return np.where(wanted, days, NEVER).astype(np.int32)


@dataclass(frozen=True, slots=True)
class ArableYear:
    """Dates of the main crop, int32 (parcels,), days of the weather, or later than all of them.

    Parameters
    ----------
    growth : position in `GROWTHS`. annual : where an annual crop grows.
    ploughing : before sowing, also in the autumn before; NEVER where the soil is only cultivated.
    seedbed : first field work for this crop when it is not ploughed.
    offset : degree days by which the parcel is late. pace : speed of its development against the typical one.
    vigour : multiplies the leaf area. odd : 0 none, 1 thin stand, 2 weeds, 3 lodged.
    """

    growth: npt.NDArray[np.int8]
    annual: Flags
    ploughing: Days
    seedbed: Days
    sowing: Days
    emergence: Days
    senescence: Days
    dying: Days
    harvest: Days
    offset: Floats
    pace: Floats
    vigour: Floats
    odd: npt.NDArray[np.int8]

    @property
    def first_work(self) -> Days:
        """First work for this crop, which ends what grew before."""
        return np.minimum(self.ploughing, self.seedbed)


def plan_main_crop(traits: ParcelTraits, season: Season, draws: Draws, log: OperationLog) -> ArableYear:
    """Draw the dates of the main crops and log their operations."""
    growth = growth_numbers(traits)
    annual = is_one_of(growth, tuple(ANNUAL))
    autumn = annual & (lookup(growth, "autumn") > 0)
    ploughing, seedbed, sowing = _sow(growth, annual, autumn, season, draws)
    # Sandy, bright soils warm early; microclimate and variety do the rest.
    pace = np.exp(0.05 * draws.normal()).astype(np.float32)
    offset = 50 * draws.normal() + 60 * (1 - traits.soil_brightness)
    offset = np.where(autumn, offset, 0.3 * offset).astype(np.float32)
    emergence = np.full(len(traits), NEVER, dtype=np.int32)
    senescence, ripe = emergence.copy(), emergence.copy()
    slow = np.exp(0.12 * draws.normal())
    ripe_spread = draws.normal()
    for kind, crop in ANNUAL.items():
        rows = np.flatnonzero(growth == GROWTHS.index(kind))
        emergence[rows] = season.reached(sowing[rows], crop.emergence * slow[rows], crop.base)
        clock = clock_day(crop, emergence[rows], season)
        lost = crop.half_senesced - 1.4 / crop.senescence_rate + offset[rows]
        senescence[rows] = season.reached(clock, np.maximum(lost, 0) / pace[rows], crop.base)
        ripe[rows] = season.reached(clock, (crop.half_senesced + crop.ripening + offset[rows]) / pace[rows], crop.base)
    by_calendar = annual & (lookup(growth, "ripening") == 0)
    harvest = np.where(by_calendar, _mean_day(growth, "harvest", season), ripe)
    harvest = harvest + whole(lookup(growth, "harvest_days") * ripe_spread)
    potato = is_one_of(growth, (Growth.POTATO,))
    harvest = np.where(annual, np.maximum(harvest, emergence + 60), NEVER)
    killed_before = whole(draws.uniform(14, 27))
    combined = is_one_of(growth, COMBINED)
    harvest = np.where(combined, season.dry(harvest, spell=2, patience=8), season.dry(harvest, patience=5))
    harvest = among(annual, whole(harvest))
    killing = among(potato, harvest - killed_before)
    senescence = np.where(potato, np.minimum(senescence, killing), senescence)
    # Harvested green: no senescence to report. Beet loses leaves all summer.
    told = annual & (senescence < harvest) & ~is_one_of(growth, (Growth.SUGAR_BEET,))
    senescence = among(told, np.maximum(senescence, emergence + 20))
    senescence = among(senescence < harvest, senescence)
    odd_kind, odd_size, vigour = draws.uniform(), draws.uniform(), 1 + 0.04 * draws.normal()
    odd = np.select([odd_kind < 0.009, odd_kind < 0.016, odd_kind < 0.022], [1, 2, 3], 0).astype(np.int8)
    odd = np.where((odd == 3) & ~is_one_of(growth, CEREALS), 1, odd).astype(np.int8)
    vigour = np.select([odd == 1, odd == 2, odd == 3], [0.3 + 0.3 * odd_size, 0.75, 0.85], vigour).astype(np.float32)

    log.add(Operation.PLOUGHING, ploughing, annual)
    log.add(Operation.SEEDBED, seedbed, annual)
    log.add(Operation.PLANTING, sowing, potato)
    log.add(Operation.DRILLING, sowing, annual & ~potato)
    log.add(Operation.RIDGING, whole(sowing + draws.uniform(14, 24)), potato)
    log.add(Operation.EMERGENCE, emergence, annual)
    log.add(Operation.SENESCENCE, senescence, annual)
    log.add(Operation.HAULM_KILLING, killing, potato)
    maize = is_one_of(growth, (Growth.MAIZE,))
    log.add(Operation.COMBINING, harvest, combined)
    log.add(Operation.FORAGE_HARVEST, harvest, maize)
    log.add(Operation.ROOT_HARVEST, harvest, is_one_of(growth, LIFTED))
    return ArableYear(
        growth, annual, ploughing, seedbed, sowing, emergence, senescence, killing, harvest, offset, pace, vigour, odd
    )


def clock_day(crop: AnnualCrop, emergence: Days, season: Season, *, years: int = 0) -> Days:
    """Day from which a crop's growth counts: emergence, or 1 January for autumn crops."""
    return np.full_like(emergence, season.day(1, 1, years=years)) if crop.autumn else emergence


def main_layers(year: ArableYear, season: Season, draws: Draws) -> list[Layer]:
    """Leaves of the main crops, a layer a kind of growth, and the weeds of weedy parcels."""
    lai_draw, color_draw, angle_draw = draws.normal(), draws.normal(), draws.normal()
    layers = []
    for kind, crop in ANNUAL.items():
        rows = np.flatnonzero(year.growth == GROWTHS.index(kind))
        lodged = np.where(year.odd[rows] == 3, np.float32(-22), np.float32(0))
        lai = np.clip(crop.lai + crop.lai_spread * lai_draw[rows], *crop.lai_limits) * year.vigour[rows]
        layers.append(
            Layer.of_crop(
                crop,
                rows,
                emergence=year.emergence[rows],
                clock=clock_day(crop, year.emergence[rows], season),
                stop=year.harvest[rows],
                lai=lai,
                dying=year.dying[rows],
                offset=year.offset[rows],
                pace=year.pace[rows],
                chlorophyll_shift=3 * color_draw[rows],
                angle_shift=3 * angle_draw[rows] + lodged,
            )
        )
    weedy = np.flatnonzero(year.odd == 2)
    layers.append(weeds(weedy, year.emergence[weedy], year.harvest[weedy], 0.8 + 0.4 * draws.uniform()[weedy]))
    return layers


def weeds(rows: npt.NDArray[np.intp], emergence: Days, stop: Days, lai: Floats, *, rate: float = 0.008) -> Layer:
    """Weeds, volunteers: slow to cover, green until something ends them."""
    return Layer(
        rows=rows,
        base=4.0,
        emergence=emergence,
        clock=emergence,
        stop=stop,
        half_grown=330.0,
        growth_rate=rate,
        settling=40.0,
        lai=lai,
        typical=1.0,
        chlorophyll=36.0,
        leaf_angle=(50, 50),
        stem_water=0.12,
        dead_leaves=0.2,
    )


def _sow(
    growth: npt.NDArray[np.int8], annual: Flags, autumn: Flags, season: Season, draws: Draws
) -> tuple[Days, Days, Days]:
    """Days of ploughing, seedbed and sowing, in this order, on dry days."""
    target = _mean_day(growth, "sowing", season) + lookup(growth, "sowing_days") * draws.normal(2.0)
    rape = is_one_of(growth, (Growth.WINTER_RAPE,))
    gap = np.where(autumn, draws.uniform(1, 6), draws.uniform(2, 21))
    in_autumn = ~autumn & draws.chance(0.25)
    before_winter = season.day(11, 15, years=-1) + 12 * draws.normal()
    ploughed = draws.chance(np.where(rape, 0.5, np.where(autumn, 0.75, 1.0)))
    ploughing = np.where(in_autumn, before_winter, target - gap)
    ploughing = among(annual & ploughed, season.dry(ploughing, patience=6))
    after = np.where(ploughing < NEVER, ploughing + 1, 0)
    seedbed = season.dry(np.maximum(target - draws.uniform(0, 2), after))
    sowing = season.dry(seedbed + draws.chance(0.5), patience=4)
    return ploughing, among(annual, seedbed), among(annual, sowing)


def _mean_day(growth: npt.NDArray[np.int8], field: str, season: Season) -> Floats:
    """Day of a (month, day) of the crop table for each parcel."""
    table = [0] * len(GROWTHS)
    for kind, crop in ANNUAL.items():
        month, day = getattr(crop, field)
        table[GROWTHS.index(kind)] = season.day(month, day, years=-int(crop.autumn and field == "sowing"))
    return np.asarray(table, dtype=np.float32)[growth]
