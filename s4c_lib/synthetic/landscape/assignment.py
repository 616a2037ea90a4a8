"""What is fixed about each parcel: crop, declaration, use of the grass, catch crop, practice, rows and soil."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.synthetic.crops import CROPS, CatchCrop, Growth, ParcelTraits, Practice, Regime
from s4c_lib.synthetic.landscape.crop_mix import confuse, draw_crops
from s4c_lib.synthetic.landscape.holdings import listed_holdings
from s4c_lib.synthetic.streams import Stream, generator

Bools = npt.NDArray[np.bool_]

MISLABELLED: Final = 0.02
CATCH_CROP_DECLARED: Final = 0.30  # of maize and cereals
CATCH_CROP_ABSENT: Final = 0.12  # of those declared
CATCH_CROP_UNDECLARED: Final = 0.05  # of the others
UNDERSOWN: Final = 0.4  # of the catch crops in maize
_SOIL_SIGMA: Final = 0.12
_AREA_MEDIAN_M2, _AREA_SIGMA, _AREA_RANGE = 15_000.0, 0.8, (200.0, 300_000.0)
CATCH_CROP_GROWTHS: Final = (Growth.MAIZE, Growth.WINTER_WHEAT, Growth.WINTER_BARLEY, Growth.SPRING_BARLEY)
# Shares of the regimes, in the order of `Regime` from INTENSIVE.
_REGIMES: Final[dict[str, tuple[float, ...]]] = {
    "265": (0.38, 0.26, 0.08, 0.14, 0.12, 0.02),
    "266": (0.50, 0.26, 0.04, 0.08, 0.11, 0.01),
    "331": (0.0, 0.22, 0.46, 0.20, 0.06, 0.06),
    "332": (0.0, 0.05, 0.62, 0.20, 0.0, 0.13),
}


def draw_traits(
    count: int,
    seed: int,
    chunk: int = 0,
    *,
    holding: npt.NDArray[np.int64] | None = None,
    area_m2: npt.NDArray[np.float64] | None = None,
    row_angle: npt.NDArray[np.float64] | None = None,
    mislabelled: float = MISLABELLED,
    first_id: int = 1,
) -> ParcelTraits:
    """Draw the traits of parcels, with a landscape's facts or without any.

    Parameters
    ----------
    chunk : which part of a larger country; parts do not depend on each other.
    holding : int64 (count,), 0 and up; drawn when not given, like the two below.
    area_m2 : float64 (count,).
    row_angle : float64 (count,), degrees clockwise from north, 0..180.
    mislabelled : share of the declarations that name another crop than grows there.
    first_id : parcel_id of the first one.

    Raises
    ------
    InputError : no parcels, or a share outside 0..1.
    """
    if count < 1:
        raise InputError(f"{count} parcels cannot be drawn", hint="ask for one or more")
    if not 0 <= mislabelled <= 1:
        raise InputError(f"a share of {mislabelled} of wrong declarations does not exist", hint="give 0 to 1")
    rng = generator(seed, Stream.TRAITS, chunk)
    if holding is None:
        holding = listed_holdings(count, rng)
    if area_m2 is None:
        area_m2 = np.clip(rng.lognormal(np.log(_AREA_MEDIAN_M2), _AREA_SIGMA, count), *_AREA_RANGE)
    if row_angle is None:
        row_angle = rng.uniform(0, 180, count)
    crop = draw_crops(holding, area_m2, rng)
    declared = crop.copy()
    wrong = rng.choice(count, round(mislabelled * count), replace=False)
    declared[wrong] = confuse(crop[wrong], rng)
    catch_crop, practice = _practices(crop, declared, rng)
    return ParcelTraits(
        parcel_id=np.arange(first_id, first_id + count, dtype=np.int64),
        crop=crop.astype(np.int16),
        declared=declared.astype(np.int16),
        regime=_regimes(crop, rng),
        catch_crop=catch_crop,
        practice=practice,
        area_m2=area_m2.astype(np.float32),
        row_angle=np.mod(row_angle, 180).astype(np.float32),
        soil_brightness=rng.lognormal(-(_SOIL_SIGMA**2) / 2, _SOIL_SIGMA, count).astype(np.float32),
    )


def _regimes(crop: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int8]:
    chance = np.array([np.cumsum(_REGIMES.get(each.code, (1, 0, 0, 0, 0, 0))) for each in CROPS])
    drawn = (chance[crop] < rng.random((len(crop), 1)) * chance[crop, -1:]).sum(axis=1) + Regime.INTENSIVE
    mown = np.array([each.grassland for each in CROPS])[crop]
    return np.where(mown, drawn, Regime.NONE).astype(np.int8)


def _practices(
    crop: npt.NDArray[np.int64], declared: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Catch crops that are there, and practices declared."""
    count = len(crop)
    suits = np.array([each.growth in CATCH_CROP_GROWTHS for each in CROPS])
    maize = np.array([each.growth == Growth.MAIZE for each in CROPS])
    practice = np.full(count, Practice.NONE)
    practice[np.array([each.fallow for each in CROPS])[declared]] = Practice.FALLOW
    practice[np.array([each.nitrogen_fixing for each in CROPS])[declared]] = Practice.NITROGEN_FIXING
    draw, absent, undersown = rng.random((3, count))
    promised: Bools = suits[declared] & (draw < CATCH_CROP_DECLARED)
    practice[promised] = Practice.CATCH_CROP
    # Who declared the wrong crop may still have sown what he promised, if his true crop leaves room for it.
    there = suits[crop] & np.where(promised, absent >= CATCH_CROP_ABSENT, absent < CATCH_CROP_UNDECLARED)
    kind = np.where(maize[crop] & (undersown < UNDERSOWN), CatchCrop.UNDERSOWN, CatchCrop.SOWN)
    return np.where(there, kind, CatchCrop.NONE).astype(np.int8), practice.astype(np.int8)
