"""Crop diversification: category and diagnosis of a holding (l4a-crop-type.md 12.3-12.5).

What is not known may be any crop or no agricultural land. A category or a diagnosis is given only when it holds
whatever that turns out to be; shares are compared in whole numbers, so that limits are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.diversification_parcels import DiversificationSettings, Flags, Ints
from s4c_lib.crop_type.diversification_quantities import HECTARE, HoldingQuantities

SMALL: Final = 10 * HECTARE
LARGE: Final = 30 * HECTARE

EXEMPTIONS: Final = ("Exemption1", "Exemption2", "Exemption3", "Exemption4", "Exemption_organic")
_SUFFIXES: Final = ("1", "2", "1_or_2", "3", "1_or_3", "2_or_3", "1_2_or_3")
NAMED: Final = ((1,), (2,), (1, 2), (3,), (1, 3), (2, 3), (1, 2, 3))
"""Categories of the suffixes, in their order."""
CD_CAT: Final = (
    *EXEMPTIONS,
    *(f"Category{suffix}" for suffix in _SUFFIXES),
    *(f"Exemption_or_Category{suffix}" for suffix in _SUFFIXES),
)
"""Values of ``CD_cat``."""
ORGANIC: Final = EXEMPTIONS.index("Exemption_organic")
FIRST_CATEGORY: Final = len(EXEMPTIONS)
FIRST_POSSIBLE: Final = FIRST_CATEGORY + len(_SUFFIXES)

CD_DIAGN: Final = ("Not_required", "Compliant", "Not_compliant", "Missing_info")
"""Values of ``CD_diagn``."""
NOT_REQUIRED, COMPLIANT, NOT_COMPLIANT, MISSING_INFO = range(4)


def exceeds(part: Ints, whole: Ints, percent: int) -> Flags:
    """Whether a part is more than so many per cent of a whole; exact."""
    return part * 100 > whole * percent


@dataclass(frozen=True, slots=True, eq=False)
class HoldingVerdicts:
    """Verdicts of holdings.

    Attributes
    ----------
    category : int8 (holdings,), place in `CD_CAT`. diagnosis : int8 (holdings,), place in `CD_DIAGN`.
    """

    category: npt.NDArray[np.int8]
    diagnosis: npt.NDArray[np.int8]


def holding_verdicts(
    quantities: HoldingQuantities, settings: DiversificationSettings, organic: Flags | None = None
) -> HoldingVerdicts:
    """Return category and diagnosis of each holding.

    Parameters
    ----------
    organic : bool (holdings,), holdings that are exempt because they are certified organic.
    """
    category = _categories(quantities, settings)
    if organic is not None:
        category[organic] = ORGANIC
    return HoldingVerdicts(category, _diagnoses(quantities, settings, category))


def _categories(of: HoldingQuantities, settings: DiversificationSettings) -> npt.NDArray[np.int8]:
    at_most, unknown = of.arable_at_most, of.unknown
    eligible_at_most = of.eligible + unknown
    capped = settings.rule_set == "eu_2015"
    rest_2, rest_3 = of.arable - of.exempting, of.arable - of.grass_or_water

    def small_enough(rest: Ints) -> Flags:
        return rest <= LARGE if capped else np.ones(len(of), np.bool_)

    exemptions = [
        at_most < SMALL,
        exceeds(of.exempting, at_most, 75) & small_enough(rest_2 + unknown),
        exceeds(of.grassland, eligible_at_most, 75) & small_enough(rest_3 + unknown),
        (unknown == 0) & (of.arable_water == of.arable),
    ]
    by_grass = exceeds(of.exempting, of.arable, 75) | exceeds(of.exempting + unknown, at_most, 75)
    by_grassland = exceeds(of.grassland, of.eligible, 75) | exceeds(of.grassland + unknown, eligible_at_most, 75)
    possible = (unknown > 0) & (
        (of.arable < SMALL)
        | (small_enough(rest_2) & by_grass)
        | (small_enough(rest_3) & by_grassland)
        | (of.arable_water == of.arable)
    )
    size = np.select([at_most <= LARGE, of.arable > LARGE], [0, 1], 2)
    surely_3 = exceeds(of.dominating, at_most, 75)
    perhaps_3 = exceeds(of.dominating + unknown, at_most, 75)
    suffix = np.select([surely_3, perhaps_3], [np.full(len(of), 3), size + 4], size)
    named = np.where(possible, FIRST_POSSIBLE, FIRST_CATEGORY) + suffix
    return np.select(exemptions, [0, 1, 2, 3], named).astype(np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Whether a test is surely met, and surely failed; bool (holdings,), both False where it cannot be told."""

    met: Flags
    failed: Flags


def crop_number(of: HoldingQuantities, least: Ints | int, least_if_smaller: Ints | int) -> Outcome:
    """Test the number of crops; every unknown parcel may hold one more."""
    return Outcome(of.main.number >= least, of.main.number + of.unknown_parcels < least_if_smaller)


def main_crop(of: HoldingQuantities) -> Outcome:
    """Test that the main crop has no more than 75 % of the arable land."""
    at_most = of.arable_at_most
    return Outcome(
        ~exceeds(of.main.area_1 + of.unknown, at_most, 75),
        exceeds(of.main.area_1, at_most, 75),
    )


def two_main_crops(of: HoldingQuantities) -> Outcome:
    """Test that the two main crops have no more than 95 % of the arable land."""
    both, at_most = of.main.area_1 + of.main.area_2, of.arable_at_most
    return Outcome(~exceeds(both + of.unknown, at_most, 95), exceeds(both, at_most, 95))


def main_crop_of_rest(of: HoldingQuantities) -> Outcome:
    """Test that the main crop has no more than 75 % of what grass and fallow leave."""
    largest, rest = of.main_of_rest.area_1, of.arable - of.dominating + of.unknown
    return Outcome(~exceeds(largest + of.unknown, rest, 75), exceeds(largest, rest, 75))


def tests_of(of: HoldingQuantities, settings: DiversificationSettings, category: int) -> tuple[Outcome, ...]:
    """Return the tests of a category (1, 2 or 3), in the order in which they are told."""
    if category == 1:
        return crop_number(of, 2, 2), main_crop(of)
    if category == 2:
        return crop_number(of, 3, 3), main_crop(of), two_main_crops(of)
    if not settings.check_crop_number:
        return (main_crop_of_rest(of),)
    return crop_number(of, *numbers_of_category_3(of)), main_crop_of_rest(of)


def numbers_of_category_3(of: HoldingQuantities) -> tuple[Ints, Ints]:
    """Return how many crops grassy holdings need: if all that is unknown is arable, and if none is."""
    return np.where(of.arable_at_most > LARGE, 3, 2), np.where(of.arable > LARGE, 3, 2)


def _diagnoses(
    of: HoldingQuantities, settings: DiversificationSettings, category: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8]:
    met, failed = np.ones((3, len(of)), np.bool_), np.zeros((3, len(of)), np.bool_)
    for number in (1, 2, 3):
        for outcome in tests_of(of, settings, number):
            met[number - 1] &= outcome.met
            failed[number - 1] |= outcome.failed
    exempt = category < FIRST_CATEGORY
    suffix = np.where(exempt, 0, (category - FIRST_CATEGORY) % len(NAMED))
    named = np.array([[number in names for number in (1, 2, 3)] for names in NAMED])[suffix].T
    all_met, all_failed = (met | ~named).all(axis=0), (failed | ~named).all(axis=0)
    return np.select(
        [exempt, all_met, all_failed & (category < FIRST_POSSIBLE)],
        [NOT_REQUIRED, COMPLIANT, NOT_COMPLIANT],
        MISSING_INFO,
    ).astype(np.int8)
