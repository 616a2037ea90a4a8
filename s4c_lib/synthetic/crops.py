"""What grows in the synthetic country: declared crops with their look-up table, and the ground between the fields.

Codes and names are those of the Netherlands (Basisregistratie Gewaspercelen); the shares are invented but plausible
for the sandy south (spec: lpis-and-inputs.md section 8, with fallow, rape and fruit added).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt


class Growth(StrEnum):
    """How a canopy develops and looks: the key of phenology, optical and radar parameters."""

    WINTER_WHEAT = "winter_wheat"
    WINTER_BARLEY = "winter_barley"
    SPRING_BARLEY = "spring_barley"
    MAIZE = "maize"
    SUGAR_BEET = "sugar_beet"
    POTATO = "potato"
    ONION = "onion"
    WINTER_RAPE = "winter_rape"
    BEANS = "beans"
    LUCERNE = "lucerne"
    GRASS_SEED = "grass_seed"
    GRASSLAND = "grassland"
    ROUGH_GRASS = "rough_grass"
    FALLOW = "fallow"
    ORCHARD = "orchard"


class Cover(StrEnum):
    """Ground that nobody declares."""

    MARGIN = "margin"
    FOREST = "forest"
    BUILT_UP = "built_up"
    WATER = "water"


class LandCover(IntEnum):
    """The LUT's ``LC``."""

    OTHER = 0
    ANNUAL = 1
    PERMANENT = 2
    GRASSLAND = 3
    FALLOW = 4


@dataclass(frozen=True, slots=True)
class Crop:
    """A row of the look-up table, and what grows there.

    Parameters
    ----------
    code : crop code as declared (``Ori_crop``).
    name, english : ``CT`` and ``CT_en``.
    share : of the parcels, 0..1.
    group : number and name of the crop type group (``CTnumL4A``, ``CTL4A``).
    species : number and name of the diversification group (``CTnumDIV``, ``CTDIV``).
    """

    code: str
    name: str
    english: str
    growth: Growth
    share: float
    land_cover: LandCover
    group: tuple[int, str]
    species: tuple[int, str]
    permanent_grass: bool = False
    temporary_grass: bool = False
    fallow: bool = False
    nitrogen_fixing: bool = False

    @property
    def arable(self) -> bool:
        """On arable land (``AL``)."""
        return self.land_cover in (LandCover.ANNUAL, LandCover.FALLOW) or self.temporary_grass

    @property
    def grassland(self) -> bool:
        """Grass that is mown or grazed."""
        return self.land_cover == LandCover.GRASSLAND


_A, _P, _G = LandCover.ANNUAL, LandCover.PERMANENT, LandCover.GRASSLAND
_GRASS = (1, "Grassland")
CROPS: Final[tuple[Crop, ...]] = (
    Crop("265", "Grasland, blijvend", "permanent grassland", Growth.GRASSLAND, 0.325, _G, _GRASS, (1, "Grassland"), permanent_grass=True),
    Crop("266", "Grasland, tijdelijk", "temporary grassland", Growth.GRASSLAND, 0.09, _G, _GRASS, (2, "Temporary grassland"), temporary_grass=True),
    Crop("331", "Grasland, natuurlijk, hoofdfunctie landbouw", "natural grassland, farmed", Growth.ROUGH_GRASS, 0.04, _G, _GRASS, (1, "Grassland"), permanent_grass=True),
    Crop("332", "Grasland, natuurlijk, hoofdfunctie natuur", "natural grassland, nature", Growth.ROUGH_GRASS, 0.015, _G, _GRASS, (1, "Grassland"), permanent_grass=True),
    Crop("259", "Mais, snij-", "silage maize", Growth.MAIZE, 0.13, _A, (2, "Maize"), (3, "Maize")),
    Crop("233", "Tarwe, winter-", "winter wheat", Growth.WINTER_WHEAT, 0.11, _A, (3, "Winter wheat"), (4, "Winter wheat")),
    Crop("235", "Gerst, winter-", "winter barley", Growth.WINTER_BARLEY, 0.025, _A, (4, "Winter barley"), (5, "Winter barley")),
    Crop("236", "Gerst, zomer-", "spring barley", Growth.SPRING_BARLEY, 0.025, _A, (5, "Spring barley"), (6, "Spring barley")),
    Crop("256", "Bieten, suiker-", "sugar beet", Growth.SUGAR_BEET, 0.06, _A, (6, "Sugar beet"), (7, "Beet")),
    Crop("2014", "Aardappelen, consumptie", "ware potato", Growth.POTATO, 0.06, _A, (7, "Potato"), (8, "Potato")),
    Crop("2017", "Aardappelen, zetmeel", "starch potato", Growth.POTATO, 0.015, _A, (7, "Potato"), (8, "Potato")),
    Crop("262", "Uien, zaai-", "onion", Growth.ONION, 0.02, _A, (8, "Onion"), (9, "Onion")),
    Crop("1922", "Koolzaad, winter", "winter rape", Growth.WINTER_RAPE, 0.015, _A, (9, "Winter rape"), (10, "Rape")),
    Crop("242", "Bonen, bruine-", "brown beans", Growth.BEANS, 0.015, _A, (10, "Beans"), (11, "Beans"), nitrogen_fixing=True),
    Crop("258", "Luzerne", "lucerne", Growth.LUCERNE, 0.01, _A, (11, "Lucerne"), (12, "Lucerne"), nitrogen_fixing=True),
    Crop("383", "Graszaad", "grass seed", Growth.GRASS_SEED, 0.01, _A, (12, "Grass seed"), (13, "Grass seed")),
    Crop("6794", "Groene braak, spontane opkomst", "green fallow", Growth.FALLOW, 0.015, LandCover.FALLOW, (13, "Fallow"), (14, "Fallow"), fallow=True),
    Crop("1098", "Peren", "pears", Growth.ORCHARD, 0.02, _P, (14, "Fruit"), (15, "Fruit")),
)  # fmt: skip
INDEX_OF_CODE: Final = {crop.code: index for index, crop in enumerate(CROPS)}


class Regime(IntEnum):
    """How a grassland parcel is used in the season."""

    NONE = 0
    INTENSIVE = 1  # four to six cuts
    MODERATE = 2  # two or three cuts
    EXTENSIVE = 3  # one late cut
    GRAZED = 4
    MIXED = 5  # first cut, then grazed
    UNUSED = 6  # neither mown nor grazed


class CatchCrop(IntEnum):
    """What follows the main crop."""

    NONE = 0
    SOWN = 1  # sown after the harvest
    UNDERSOWN = 2  # grass sown under maize, there at harvest


class Practice(IntEnum):
    """Practice declared for a parcel, beside the harvest that every arable parcel declares."""

    NONE = 0
    CATCH_CROP = 1
    FALLOW = 2
    NITROGEN_FIXING = 3


@dataclass(frozen=True, slots=True)
class ParcelTraits:
    """What is fixed about each parcel; every array has one entry a parcel.

    Parameters
    ----------
    parcel_id : int64, 1 and up.
    crop, declared : int16, position in `CROPS`: what grows there, and what the farmer says.
    regime : int8, `Regime`; NONE unless the true crop is grassland.
    catch_crop : int8, `CatchCrop` that is really there.
    practice : int8, `Practice` declared; a catch crop may be declared and absent.
    area_m2 : float32.
    row_angle : float32, direction of the rows, degrees clockwise from north, 0..180.
    soil_brightness : float32, multiplies the reflectance of a mean soil.
    """

    parcel_id: npt.NDArray[np.int64]
    crop: npt.NDArray[np.int16]
    declared: npt.NDArray[np.int16]
    regime: npt.NDArray[np.int8]
    catch_crop: npt.NDArray[np.int8]
    practice: npt.NDArray[np.int8]
    area_m2: npt.NDArray[np.float32]
    row_angle: npt.NDArray[np.float32]
    soil_brightness: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.parcel_id)
