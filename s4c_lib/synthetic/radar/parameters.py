"""How each canopy scatters in C-band: parameters of the water-cloud model and of its movement.

Levels are those of real series: 500 French parcels of 2022-2024 (WorldCereal, Sentinel-1 sigma nought; wheat VV -11.7
dB in February, -15.5 dB in May, -12.4 dB in July; maize VH -20 dB in May, -16.8 dB in August; rape VV/VH -8.8/-12.9 dB
in May-June; grass -12.0/-18.2 dB all year) and, for crops these lack, Vreugdenhil et al. (2018, Remote Sensing 10,
1396: VH/VV of rape, maize and cereals), Veloso et al. (2017, Remote Sensing of Environment 199, 415-426) and Khabbazan
et al. (2019, Remote Sensing 11, 1887: sugar beet, potato, maize and wheat in the Netherlands).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.synthetic.crops import CROPS, Cover, Growth

POLARISATIONS: Final = ("VV", "VH")
REFERENCE_INCIDENCE: Final = 38.0  # degrees; the levels below hold there

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scattering:
    """Scattering of one kind of canopy; pairs are (VV, VH).

    Parameters
    ----------
    closed_db : sigma nought of a canopy that hides the soil, dB at `REFERENCE_INCIDENCE`: A V1 cos(theta) of the model.
    extinction : B of the model, for 1 kg/m2 of plant water.
    wood : kg/m2 of water in wood, which growth does not count.
    ridges_db : gain of VV when the radar looks square at bare rows, above that of ordinary seedbeds.
    motion : how much the way through the canopy decorrelates in six days, for each unit of leaf area.
    """

    closed_db: tuple[float, float]
    extinction: tuple[float, float]
    wood: float = 0.0
    ridges_db: float = 0.0
    motion: float = 0.15


# Upright stems of cereals attenuate VV far more than they scatter (Mattia et al. 2003, IEEE TGRS 41, 1551-1560):
# their closed canopy lies below any soil. It is kept 1.5 dB above the French minimum: within -14 dB. Broad leaves fill
# the volume and depolarise.
SCATTERING: Final[dict[Growth, Scattering]] = {
    Growth.WINTER_WHEAT: Scattering((-14.0, -19.4), (0.20, 0.14), motion=0.2),
    Growth.WINTER_BARLEY: Scattering((-13.6, -18.8), (0.20, 0.14), motion=0.2),
    Growth.SPRING_BARLEY: Scattering((-13.6, -18.8), (0.20, 0.14), motion=0.2),
    Growth.MAIZE: Scattering((-9.9, -15.9), (0.16, 0.14), motion=0.2),
    Growth.SUGAR_BEET: Scattering((-8.7, -14.3), (0.22, 0.20), motion=0.2),
    Growth.POTATO: Scattering((-8.3, -14.0), (0.26, 0.22), ridges_db=1.5, motion=0.2),
    Growth.ONION: Scattering((-10.8, -17.4), (0.18, 0.16)),
    Growth.WINTER_RAPE: Scattering((-8.9, -13.4), (0.22, 0.20), motion=0.2),
    Growth.BEANS: Scattering((-9.2, -15.2), (0.26, 0.22), motion=0.2),
    Growth.LUCERNE: Scattering((-11.3, -17.2), (0.32, 0.28)),
    Growth.GRASS_SEED: Scattering((-13.0, -18.5), (0.30, 0.22)),
    Growth.GRASSLAND: Scattering((-12.6, -17.8), (0.45, 0.38)),
    Growth.ROUGH_GRASS: Scattering((-12.9, -18.0), (0.45, 0.38)),
    Growth.FALLOW: Scattering((-12.0, -18.0), (0.35, 0.30)),
    Growth.ORCHARD: Scattering((-10.0, -16.2), (0.25, 0.22), wood=2.0, motion=0.12),
}


@dataclass(frozen=True, slots=True)
class CoverSignal:
    """What ground that nobody declares sends back: dB of (VV, VH), and |coherence| of six days before the system."""

    level_db: tuple[float, float]
    stability: float
    wet_db: float  # gain when the surface is wet or, for water, rough
    rain_loss: float  # share of the coherence that a wet pass costs


# Forest: Dostálová et al. (2018, Int. J. Remote Sensing 39, 7738-7760). Water: VV falls and rises with the wind.
COVER_SIGNALS: Final[dict[Cover, CoverSignal]] = {
    Cover.MARGIN: CoverSignal((-11.8, -17.8), 0.40, 0.8, 0.3),
    Cover.FOREST: CoverSignal((-9.2, -14.4), 0.10, 0.5, 0.2),
    Cover.BUILT_UP: CoverSignal((-5.0, -12.5), 0.90, 0.2, 0.02),
    Cover.WATER: CoverSignal((-20.0, -25.5), 0.02, 2.0, 0.0),
}


@cache
def scattering_of_crops() -> dict[str, Floats]:
    """`SCATTERING` as arrays in the order of `CROPS`; levels as linear A (VV, VH), angles taken out."""
    rows = [SCATTERING[crop.growth] for crop in CROPS]
    cosine = np.cos(np.deg2rad(REFERENCE_INCIDENCE))
    return {
        "closed": np.array([10 ** (np.array(row.closed_db) / 10) / cosine for row in rows], dtype=np.float32),
        "extinction": np.array([row.extinction for row in rows], dtype=np.float32),
        "wood": np.array([row.wood for row in rows], dtype=np.float32),
        "ridges_db": np.array([row.ridges_db for row in rows], dtype=np.float32),
        "motion": np.array([row.motion for row in rows], dtype=np.float32),
    }
