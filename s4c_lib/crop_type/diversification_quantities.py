"""Crop diversification: what the areas of a holding add up to (l4a-crop-type.md 12.2).

Areas are whole hundredths of a square metre. Their sums do not depend on the order of the parcels, and a holding of
exactly 10 ha is not taken for one below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from s4c_lib.crop_type.diversification_parcels import NONE, Flags, HoldingParcels, Ints, ParcelVerdicts, flags_of

if TYPE_CHECKING:
    from s4c_lib.parcels.crop_lut import CropLut

UNIT: Final = 100
"""Parts of a square metre."""
HECTARE: Final = 10_000 * UNIT


@dataclass(frozen=True, slots=True, eq=False)
class MainCrops:
    """The largest crops of holdings.

    Attributes
    ----------
    number : int64 (holdings,), distinct crops.
    area_1, area_2 : int64 (holdings,), of the two largest, 0 where there is none.
    crop_1, crop_2 : int64 (holdings,), ``CTnumDIV`` of these, `NONE` where there is none. Of equal areas the lower
        number is the larger crop.
    """

    number: Ints
    area_1: Ints
    area_2: Ints
    crop_1: Ints
    crop_2: Ints


@dataclass(frozen=True, slots=True, eq=False)
class HoldingQuantities:
    """Areas of holdings, int64 (holdings,) in `UNIT` parts of a square metre; of known parcels unless said otherwise.

    Attributes
    ----------
    holding : int64, ascending. parcels : all parcels of the holding.
    eligible, arable, temporary_grass, permanent_grass, fallow, water : by the flags of the crops.
    exempting : arable land of crops that exempt a holding they dominate (grass, fallow, in ``eu_2018`` legumes).
    dominating : arable land of crops of category 3 (grass, fallow, in ``eu_2018`` crops under water).
    grassland : eligible land of grass, permanent or temporary, and of crops under water.
    grass_or_water : arable land of temporary grass and of crops under water. arable_water : of the latter.
    unknown, unknown_parcels : area and number of parcels that are not known and may be agricultural.
    unlisted_parcels : of these, the ones whose crop code the LUT lacks.
    main : crops of all arable land. main_of_rest : of what does not dominate.
    """

    holding: Ints
    parcels: Ints
    eligible: Ints
    arable: Ints
    temporary_grass: Ints
    permanent_grass: Ints
    fallow: Ints
    water: Ints
    exempting: Ints
    dominating: Ints
    grassland: Ints
    grass_or_water: Ints
    arable_water: Ints
    unknown: Ints
    unknown_parcels: Ints
    unlisted_parcels: Ints
    main: MainCrops
    main_of_rest: MainCrops

    def __len__(self) -> int:
        return len(self.holding)

    @property
    def arable_at_most(self) -> Ints:
        """Arable land if all that is not known were arable: the X of the specification."""
        return self.arable + self.unknown


def holding_quantities(
    parcels: HoldingParcels, verdicts: ParcelVerdicts, lut: CropLut, rule_set: str
) -> tuple[HoldingQuantities, Ints]:
    """Add up parcels by holding.

    A parcel that is not known counts as such when its declared crop is eligible. So does one whose crop code the LUT
    lacks: it may be agricultural land.

    Returns
    -------
    quantities : of the holdings. place : int64 (parcels,), which of them, `NONE` where no holding is declared.
    """
    declared = parcels.holding != NONE
    holdings, inverse = np.unique(parcels.holding[declared], return_inverse=True)
    place = np.full(len(parcels), NONE, np.int64)
    place[declared] = inverse
    count = len(holdings)
    area = np.rint(parcels.area_m2 * UNIT).astype(np.int64)

    known = declared & verdicts.known
    row = verdicts.counted_as[known]
    holding_of, area_of = place[known], area[known]
    is_a = {name: flag[row] for name, flag in flags_of(lut).items()}

    def total(of: Flags) -> Ints:
        # whole numbers below 2**53 are added without rounding
        return np.bincount(holding_of[of], weights=area_of[of], minlength=count).astype(np.int64)

    arable = is_a["al"]
    exempting, dominating = is_a["tgrass"] | is_a["fallow"], is_a["tgrass"] | is_a["fallow"]
    if rule_set == "eu_2018":
        exempting, dominating = exempting | is_a["legum"], dominating | is_a["cwater"]
    grass = is_a["pgrass"] | is_a["tgrass"] | is_a["cwater"]
    crop = lut.ctnumdiv.astype(np.int64)[row]
    rest = arable & ~dominating

    listed = parcels.crop != NONE
    eligible = np.ones(len(parcels), np.bool_)
    eligible[listed] = lut.eaa[parcels.crop[listed]]
    unknown = declared & ~verdicts.known & eligible
    where = place[unknown]
    return HoldingQuantities(
        holding=holdings.astype(np.int64),
        parcels=np.bincount(inverse, minlength=count).astype(np.int64),
        eligible=total(is_a["eaa"]),
        arable=total(arable),
        temporary_grass=total(is_a["tgrass"]),
        permanent_grass=total(is_a["pgrass"]),
        fallow=total(is_a["fallow"]),
        water=total(is_a["cwater"]),
        exempting=total(arable & exempting),
        dominating=total(arable & dominating),
        grassland=total(is_a["eaa"] & grass),
        grass_or_water=total(arable & (is_a["tgrass"] | is_a["cwater"])),
        arable_water=total(arable & is_a["cwater"]),
        unknown=np.bincount(where, weights=area[unknown], minlength=count).astype(np.int64),
        unknown_parcels=np.bincount(where, minlength=count).astype(np.int64),
        unlisted_parcels=np.bincount(place[unknown & ~listed], minlength=count).astype(np.int64),
        main=main_crops(holding_of[arable], crop[arable], area_of[arable], count),
        main_of_rest=main_crops(holding_of[rest], crop[rest], area_of[rest], count),
    ), place


def main_crops(holding: Ints, crop: Ints, area: Ints, count: int) -> MainCrops:
    """Return the crops of holdings by area.

    Parameters
    ----------
    holding : int64 (parcels,), place of the holding. crop, area : int64 (parcels,). count : of holdings.
    """
    empty = np.zeros(count, np.int64)
    if not len(holding):
        none = np.full(count, NONE, np.int64)
        return MainCrops(empty, empty, empty, none, none)
    crops, crop_place = np.unique(crop, return_inverse=True)
    pair = holding * len(crops) + crop_place
    pairs, inverse = np.unique(pair, return_inverse=True)
    areas = np.bincount(inverse, weights=area).astype(np.int64)
    of, which = np.divmod(pairs, len(crops))
    order = np.lexsort((which, -areas, of))
    of, which, areas = of[order], which[order], areas[order]
    number = np.bincount(of, minlength=count).astype(np.int64)
    first = np.cumsum(number) - number

    def ranked(rank: int) -> tuple[Ints, Ints]:
        there = number > rank
        at = np.where(there, first + rank, 0)
        return np.where(there, areas[at], 0), np.where(there, crops[which[at]], NONE)

    area_1, crop_1 = ranked(0)
    area_2, crop_2 = ranked(1)
    return MainCrops(number, area_1, area_2, crop_1, crop_2)
