"""Which parcels train the forest and which check it (spec/l4a-crop-type.md §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.learning_settings import CropSettings

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

NONE: Final = 0
CALIBRATION: Final = 1
VALIDATION: Final = 2

COMMON: Final = 1
MEDIUM: Final = 2
RARE: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Use of parcels.

    Parameters
    ----------
    purpose : int8 (P,), 1 calibration, 2 validation, 0 none.
    strategy : int8 (P,), of the parcel's class: 1 common, 2 medium, 3 rare; 0 where it is not classified.
    """

    purpose: npt.NDArray[np.int8]
    strategy: npt.NDArray[np.int8]


def strategy_of(good: int, settings: CropSettings) -> int:
    """Return the strategy of a class with so many good parcels; 0 when it is too small to be classified."""
    if good < settings.pa_min:
        return NONE
    if good >= settings.pa_train_h:
        return COMMON
    return MEDIUM if good >= settings.pa_train_l else RARE


def calibration_size(good: int, settings: CropSettings) -> int:
    """Return how many good parcels of a class train the forest: at least one of a class that is classified.

    Without synthetic samples (``smote-target`` 0) a medium class draws what the two other strategies meet at,
    ``sample-ratio-l`` of ``pa-train-l``; otherwise it would not be learnt at all.
    """
    strategy = strategy_of(good, settings)
    if strategy == NONE:
        return 0
    if strategy == COMMON:
        return max(1, round(settings.sample_ratio_h * good))
    if strategy == MEDIUM:
        return settings.smote_target or max(1, round(settings.sample_ratio_l * settings.pa_train_l))
    return max(1, round(settings.sample_ratio_l * good))


def split(
    parcel_id: Int64,
    class_number: Int32,
    classified: npt.NDArray[np.bool_],
    good: npt.NDArray[np.bool_],
    settings: CropSettings,
) -> Split:
    """Draw the calibration parcels of every class; the other classified parcels validate, small ones always.

    The draw of a class depends on the seed, its number and its good parcels only: not on their order, not on other
    classes, not on features.
    """
    purpose = np.where(classified, VALIDATION, NONE).astype(np.int8)
    strategy = np.zeros(len(parcel_id), dtype=np.int8)
    for number in np.unique(class_number[classified]):
        members = np.flatnonzero(good & (class_number == number))
        members = members[np.argsort(parcel_id[members], kind="stable")]
        strategy[classified & (class_number == number)] = strategy_of(len(members), settings)
        generator = class_generator(settings.seed, int(number), "calibration")
        chosen = generator.choice(len(members), calibration_size(len(members), settings), replace=False)
        purpose[members[chosen]] = CALIBRATION
    return Split(purpose, strategy)


_USES: Final = ("calibration", "synthetic", "folds")


def class_generator(seed: int, class_number: int, use: str) -> np.random.Generator:
    """Return the generator of one class for one use, independent of all others."""
    return np.random.default_rng([seed, class_number, _USES.index(use)])
