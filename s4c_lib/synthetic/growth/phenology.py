"""How each crop develops: degree days, leaf area, colour, leaf angle, water. Values for the Low Countries.

Green leaf area follows the canopy structural dynamics model (Koetz et al. 2005; Duveiller et al. 2011): a logistic
growth and a logistic senescence in thermal time, here with the sums at which half of either is done. Base temperatures
and sums are those of WOFOST's European crop files (Boons-Prins et al. 1993) and of AGRI4CAST's calendars, adjusted so
that the stages fall on the Dutch dates. Peak leaf area and plant water: Scurlock et al. (2001), Jackson et al. (2004),
Hunt et al. (2011), Duveiller et al. (2011). Leaf angles: Weiss et al. (2004), Zou & Mottus (2015), Pisek et al. (2022).
Chlorophyll: Clevers & Kooistra (2012), Houborg & Boegh (2008). Rape's yellow flowers are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from s4c_lib.synthetic.crops import Growth


@dataclass(frozen=True, slots=True)
class AnnualCrop:
    """A crop that is sown and harvested.

    Parameters
    ----------
    base : temperature below which nothing grows, degrees C; all sums count above it.
    sowing, sowing_days : mean (month, day) and standard deviation, days; ``autumn``: in the year before.
    emergence : degree days from sowing.
    half_grown, growth_rate : sum at which half of the leaves are there, and logistic rate per degree day; counted from
        emergence, for autumn crops from 1 January (vernalisation makes the sowing date matter little).
    half_senesced, senescence_rate : the same for the loss of green.
    ripening : degree days from ``half_senesced`` to harvest; 0: harvested on ``harvest`` (month, day), which for
        ripening crops is only the mean that comes out.
    lai, lai_spread : mean and standard deviation of the peak over parcels, held in ``lai_limits``.
    winter : share of the peak that stands through winter.
    chlorophyll : ug/cm2 of full-grown leaves.
    leaf_angle : mean inclination of young and of old canopies, degrees.
    stem_water : kg/m2 in stems, petioles, ears or pods at most.
    dead_leaves : share of the lost green that stands as brown leaves.
    """

    base: float
    sowing: tuple[int, int]
    sowing_days: float
    emergence: float
    half_grown: float
    growth_rate: float
    half_senesced: float
    senescence_rate: float
    ripening: float
    harvest: tuple[int, int]
    harvest_days: float
    lai: float
    lai_spread: float
    lai_limits: tuple[float, float]
    chlorophyll: float
    leaf_angle: tuple[float, float]
    stem_water: float
    dead_leaves: float
    autumn: bool = False
    winter: float = 0.0


ANNUAL: Final[dict[Growth, AnnualCrop]] = {
    Growth.WINTER_WHEAT: AnnualCrop(
        base=0, sowing=(10, 18), sowing_days=10, emergence=130, half_grown=570, growth_rate=0.0072,
        half_senesced=1690, senescence_rate=0.0125, ripening=450, harvest=(7, 29), harvest_days=6,
        lai=5.0, lai_spread=0.40, lai_limits=(4.2, 5.9), chlorophyll=48, leaf_angle=(64, 54), stem_water=2.6,
        dead_leaves=0.50, autumn=True, winter=0.08,
    ),
    Growth.WINTER_BARLEY: AnnualCrop(
        base=0, sowing=(10, 4), sowing_days=7, emergence=120, half_grown=510, growth_rate=0.0076,
        half_senesced=1350, senescence_rate=0.0140, ripening=420, harvest=(7, 8), harvest_days=5,
        lai=5.1, lai_spread=0.40, lai_limits=(4.3, 6.0), chlorophyll=46, leaf_angle=(62, 48), stem_water=2.3,
        dead_leaves=0.50, autumn=True, winter=0.12,
    ),
    Growth.SPRING_BARLEY: AnnualCrop(
        base=0, sowing=(3, 20), sowing_days=9, emergence=130, half_grown=400, growth_rate=0.0105,
        half_senesced=1200, senescence_rate=0.0150, ripening=430, harvest=(7, 31), harvest_days=6,
        lai=4.5, lai_spread=0.45, lai_limits=(3.6, 5.6), chlorophyll=44, leaf_angle=(62, 48), stem_water=2.0,
        dead_leaves=0.50,
    ),
    Growth.MAIZE: AnnualCrop(
        base=8, sowing=(4, 30), sowing_days=7, emergence=65, half_grown=340, growth_rate=0.0115,
        half_senesced=1150, senescence_rate=0.0100, ripening=0, harvest=(9, 27), harvest_days=8,
        lai=4.5, lai_spread=0.45, lai_limits=(3.5, 5.5), chlorophyll=52, leaf_angle=(52, 54), stem_water=3.8,
        dead_leaves=0.35,
    ),
    Growth.SUGAR_BEET: AnnualCrop(
        base=3, sowing=(4, 2), sowing_days=8, emergence=115, half_grown=620, growth_rate=0.0085,
        half_senesced=2500, senescence_rate=0.0020, ripening=0, harvest=(10, 20), harvest_days=20,
        lai=4.8, lai_spread=0.45, lai_limits=(3.9, 5.8), chlorophyll=47, leaf_angle=(42, 44), stem_water=2.2,
        dead_leaves=0.15,
    ),
    Growth.POTATO: AnnualCrop(
        base=4, sowing=(4, 18), sowing_days=9, emergence=215, half_grown=300, growth_rate=0.0135,
        half_senesced=1380, senescence_rate=0.0050, ripening=0, harvest=(9, 22), harvest_days=12,
        lai=4.3, lai_spread=0.5, lai_limits=(3.2, 5.4), chlorophyll=44, leaf_angle=(41, 40), stem_water=1.5,
        dead_leaves=0.25,
    ),
    Growth.ONION: AnnualCrop(
        base=4, sowing=(3, 27), sowing_days=8, emergence=140, half_grown=530, growth_rate=0.0105,
        half_senesced=1250, senescence_rate=0.0120, ripening=0, harvest=(8, 27), harvest_days=8,
        lai=2.2, lai_spread=0.35, lai_limits=(1.5, 3.1), chlorophyll=42, leaf_angle=(66, 55), stem_water=1.6,
        dead_leaves=0.30,
    ),
    Growth.WINTER_RAPE: AnnualCrop(
        base=0, sowing=(8, 28), sowing_days=5, emergence=115, half_grown=430, growth_rate=0.0090,
        half_senesced=1500, senescence_rate=0.0150, ripening=430, harvest=(7, 20), harvest_days=5,
        lai=4.6, lai_spread=0.5, lai_limits=(3.4, 5.8), chlorophyll=46, leaf_angle=(42, 55), stem_water=3.2,
        dead_leaves=0.25, autumn=True, winter=0.25,
    ),
    Growth.BEANS: AnnualCrop(
        base=8, sowing=(5, 15), sowing_days=6, emergence=65, half_grown=260, growth_rate=0.0160,
        half_senesced=790, senescence_rate=0.0180, ripening=120, harvest=(9, 10), harvest_days=5,
        lai=3.7, lai_spread=0.45, lai_limits=(2.7, 4.8), chlorophyll=42, leaf_angle=(45, 42), stem_water=1.1,
        dead_leaves=0.25,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sward:
    """Vegetation that lives on: mown, grazed or left alone.

    Parameters
    ----------
    rate : relative growth per day in the best weather (perennial ryegrass 0.10-0.13, Johnson & Thornley 1983).
    limit, limit_spread : leaf area that light allows, m2/m2.
    stubble : lowest and highest green leaf area left by the mower.
    lag : fewest and most days without growth after a cut.
    august : green leaf area in August before the season, from which the course runs in.
    stem_water : kg/m2 of stems per unit of leaf area.
    dormancy : share of the leaves lost a day while it is too cold to grow.
    """

    rate: float
    limit: float
    limit_spread: float
    stubble: tuple[float, float]
    lag: tuple[float, float]
    august: float
    chlorophyll: float
    leaf_angle: float
    stem_water: float
    dormancy: float = 0.0


SWARDS: Final[dict[Growth, Sward]] = {
    Growth.GRASSLAND: Sward(0.135, 4.9, 0.45, (0.65, 1.15), (3, 6), 2.2, 43, 58, 0.13, dormancy=0.006),
    Growth.ROUGH_GRASS: Sward(0.085, 4.0, 0.50, (0.65, 1.20), (4, 7), 2.0, 36, 60, 0.12, dormancy=0.005),
    Growth.LUCERNE: Sward(0.140, 4.9, 0.40, (0.35, 0.70), (5, 8), 2.2, 47, 46, 0.18, dormancy=0.025),
    Growth.GRASS_SEED: Sward(0.110, 4.8, 0.40, (0.30, 0.70), (8, 14), 0.8, 43, 62, 0.20),
    Growth.FALLOW: Sward(0.070, 3.2, 0.70, (0.40, 1.00), (4, 8), 0.8, 35, 52, 0.15),
    Growth.ORCHARD: Sward(0.100, 2.2, 0.30, (0.60, 0.90), (2, 4), 1.2, 40, 58, 0.12),
}
