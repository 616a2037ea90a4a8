"""Predictions of parcels by forests of other parcels: K folds, by class or by holding (spec/l4a-crop-type.md §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.discriminant import discriminant
from s4c_lib.crop_type.forest import train
from s4c_lib.crop_type.imputation import Imputation
from s4c_lib.crop_type.learning_settings import PREFIX, CropSettings
from s4c_lib.crop_type.prediction import probabilities
from s4c_lib.crop_type.strategies import class_generator
from s4c_lib.errors import InputError
from s4c_lib.progress import Progress, silent

Floats = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOLDING_FOLDS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions by forests of the other folds.

    Parameters
    ----------
    probabilities : float32 (N, C), NaN where nothing was asked.
    importances : float64 (F,), mean over the forests.
    """

    probabilities: Floats
    importances: npt.NDArray[np.float64]


def folds_by_class(parcel_id: Int64, class_number: Int32, number: int, seed: int) -> Int64:
    """Spread the parcels of every class evenly over folds; int64 (N,), 0 to number - 1.

    The folds of a class depend on the seed, its number and its parcels only.
    """
    fold = np.zeros(len(parcel_id), dtype=np.int64)
    for one in np.unique(class_number):
        members = np.flatnonzero(class_number == one)
        members = members[np.argsort(parcel_id[members], kind="stable")]
        generator = class_generator(seed, int(one), "folds")
        # Classes of a few parcels more than a multiple would otherwise all put them into the first folds.
        start = generator.integers(number)
        fold[members[generator.permutation(len(members))]] = (np.arange(len(members)) + start) % number
    return fold


def folds_by_holding(
    parcel_id: Int64, holding: npt.NDArray[np.object_] | None, seed: int, number: int = HOLDING_FOLDS
) -> Int64:
    """Put all parcels of a holding into one fold; int64 (N,). A parcel of no known holding stands alone.

    Raises
    ------
    InputError : fewer holdings than folds.
    """
    names = [
        f"parcel {parcel}" if holding is None or holding[at] is None else f"holding {holding[at]}"
        for at, parcel in enumerate(parcel_id)
    ]
    holdings, member = np.unique(names, return_inverse=True)
    known = sum(name.startswith("holding") for name in holdings)
    if known < number:
        raise InputError(
            f"{PREFIX}cv is holding, but the classified parcels belong to {known} known holdings; {number} are needed.",
            hint="give the holdings of the parcels, or set cv to none",
        )
    order = np.random.default_rng(seed).permutation(len(holdings))
    fold: Int64 = (order % number)[member]
    return fold


def out_of_fold(
    values: Floats,
    rows: Int64,
    class_number: Int32,
    fold: Int64,
    trains: Bools,
    asked: Bools,
    settings: CropSettings,
    *,
    names: Sequence[str] = (),
    threads: int = 1,
    progress: Progress = silent,
) -> OutOfFold:
    """Predict the asked parcels of each fold by a forest of the training parcels of all other folds.

    Missing features and synthetic parcels are made inside the training parts, so that nothing of a parcel reaches the
    forest that judges it. Classes a part does not have get probability 0.

    Parameters
    ----------
    values : float32 (P, F), may have missing values. rows : int64 (N,), rows of the parcels in `values`.
    class_number, fold, trains, asked : (N,). names : of the features.

    Raises
    ------
    InputError : all training parcels are in one fold.
    """
    classes = np.unique(class_number)
    numbers = np.unique(fold[asked])
    result = np.full((len(rows), len(classes)), np.nan, dtype=np.float32)
    importances = np.zeros(values.shape[1])
    for done, number in enumerate(numbers):
        chosen = trains & (fold != number)
        if not chosen.any():
            raise InputError("All training parcels are in one fold, so none of them can be predicted by the others.")
        calibration = values[rows[chosen]]
        imputation = Imputation.of(calibration)
        forest = train(imputation.filled(calibration), class_number[chosen], settings, names=names, threads=threads)
        judged = np.flatnonzero(asked & (fold == number))
        found = probabilities(
            forest.trees, values, rows[judged], imputation, discriminant=forest.discriminant, threads=threads
        )
        result[np.ix_(judged, np.searchsorted(classes, forest.classes))] = found
        result[judged] = np.nan_to_num(result[judged])
        importances += forest.importances / len(numbers)
        progress(done + 1, len(numbers), "folds")
    return OutOfFold(result, importances)


def discriminant_out_of_fold(
    calibration: Floats, class_number: Int32, fold: Int64, share: float, names: Sequence[str] = ()
) -> npt.NDArray[np.float64]:
    """Return the probabilities of each parcel by a discriminant of the other folds, float64 (N, C).

    Parameters
    ----------
    calibration : float32 (N, F), without missing values. share, names : as in `discriminant`.
    """
    classes = np.unique(class_number)
    result = np.zeros((len(calibration), len(classes)))
    for number in np.unique(fold):
        asked = fold == number
        known, label, counts = np.unique(class_number[~asked], return_inverse=True, return_counts=True)
        of_others = discriminant(calibration[~asked], label.astype(np.int32), counts.astype(np.float64), share, names)
        result[np.ix_(asked, np.searchsorted(classes, known))] = of_others.probabilities(calibration[asked])
    return result
