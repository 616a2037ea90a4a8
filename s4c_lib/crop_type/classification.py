"""Crop type of every parcel: who is eligible, who trains, what the forest says, how well it does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.crop_parcels import UNKNOWN, CropParcels
from s4c_lib.crop_type.eligibility import eligible
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.crop_type.folds import discriminant_out_of_fold, folds_by_class, folds_by_holding, out_of_fold
from s4c_lib.crop_type.forest import train
from s4c_lib.crop_type.imputation import Imputation, completeness
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.crop_type.metrics import Metrics, measure
from s4c_lib.crop_type.model import CropModel
from s4c_lib.crop_type.prediction import Ranking, out_of_bag_probabilities, probabilities, rank
from s4c_lib.crop_type.strategies import CALIBRATION, VALIDATION, Split, split
from s4c_lib.errors import InputError
from s4c_lib.progress import Progress, silent

__all__ = ["CALIBRATION", "UNKNOWN", "VALIDATION", "Classification", "CropParcels", "CropSettings", "classify"]

Bools = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

JUDGED_BY_NONE: Final = 0
JUDGED_BY_ALL_TREES: Final = 1
JUDGED_BY_OTHER_TREES: Final = 2
JUDGED_BY_OTHER_FOLDS: Final = 3

CALIBRATION_FOLDS: Final = 5
FOLD_TREES: Final = 100
"""Enough to judge calibration parcels: out of the bag, some 110 of 300 trees would."""


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Crop type of parcels; one an index of the columns of length P, ascending `parcel_id`.

    Parameters
    ----------
    parcel_id : int64 (P,), all parcels of the declaration.
    status : str (P,), ``classified``, or the first failing of STATUSES (spec/l4a-crop-type.md §4).
    purpose : int8 (P,), 1 calibration, 2 validation, 0 none.
    strategy : int8 (P,), 1 common, 2 medium, 3 rare, 0 not classified.
    declared : int32 (P,), CTnumL4A, -1 unknown.
    pred_1, pred_2 : int32 (P,), most and second most likely class, -1 where there is none.
    conf_1, conf_2 : float32 (P,), their probabilities, 3 decimals, NaN where there is none.
    judged_by : uint8 (P,), 0 not predicted, 1 all trees, 2 the trees that have not drawn the parcel (out of bag), 3 a
        forest of other folds. A calibration parcel with 1 is judged by itself: profile `reference`, or one that so few
        trees all drew.
    imputed : bool (P,), some features were missing and filled with the median of the calibration parcels.
    rows : int64 (E,), rows of the classified parcels, ascending.
    probabilities : float32 (E, C), of `rows`, summing to 1.
    classes : int32 (C,), CTnumL4A ascending.
    counts : parcels left after each filter, in order.
    feature_names, importances : names and impurity importances (F,), summing to 1.
    model : the forest, with all that prediction needs; None with `folds`.
    metrics : on validation parcels; None when there is none.
    holding_metrics : the same parcels, each predicted by a forest without parcels of its holding; with ``cv=holding``.
    """

    parcel_id: npt.NDArray[np.int64]
    status: npt.NDArray[np.str_]
    purpose: npt.NDArray[np.int8]
    strategy: npt.NDArray[np.int8]
    declared: Int32
    pred_1: Int32
    conf_1: Floats
    pred_2: Int32
    conf_2: Floats
    judged_by: npt.NDArray[np.uint8]
    imputed: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]
    probabilities: Floats
    classes: Int32
    counts: dict[str, int]
    feature_names: tuple[str, ...]
    importances: npt.NDArray[np.float64]
    model: CropModel | None
    metrics: Metrics | None
    holding_metrics: Metrics | None = None


def classify(
    features: FeatureTable,
    parcels: CropParcels,
    settings: CropSettings,
    *,
    threads: int = 1,
    progress: Progress = silent,
) -> Classification:
    """Learn the declared crops and predict the crop of every eligible parcel.

    The result does not depend on the order of the rows of either table, nor on `threads`.

    Parameters
    ----------
    features : may lack parcels, which then have status ``no_features``, and hold others, which are left out.
    threads : for training and prediction.
    progress : called with (done, total, what).

    Raises
    ------
    InputError : no parcel is eligible (code ``no_evaluable_parcel``), all are of one class (``too_few_classes``), or
        ``cv`` is holding and there are too few holdings.
    """
    settings = settings.without(features.missing_sensor)
    parcels = parcels.take(np.argsort(parcels.parcel_id, kind="stable"))
    at = _rows_of(features.parcel_id, parcels.parcel_id)
    complete = completeness(features.values, features.names)
    chosen = eligible(parcels, _looked_up(complete.enough, at), settings)
    rows = np.flatnonzero(chosen.classified)
    work = _Work(features, parcels.take(rows), at[rows], settings, threads, progress)
    classes = work.classes(chosen.counts)
    if settings.folds is None:
        use = split(parcels.parcel_id, parcels.class_number, chosen.classified, chosen.good, settings)
        fold = work.holding_folds() if settings.cross_validation == "holding" else None
        judged = work.one_forest(use.purpose[rows] == CALIBRATION)
    else:
        use, fold = _everyone_validates(chosen.classified), None
        judged = work.in_folds(settings.folds)
    ranking = rank(judged.probabilities, classes)
    validates = use.purpose[rows] == VALIDATION
    return Classification(
        parcel_id=parcels.parcel_id,
        status=chosen.status,
        purpose=use.purpose,
        strategy=use.strategy,
        declared=parcels.class_number.astype(np.int32),
        pred_1=_spread(ranking.pred_1, rows, len(parcels), UNKNOWN),
        conf_1=_spread(ranking.conf_1, rows, len(parcels), np.nan),
        pred_2=_spread(ranking.pred_2, rows, len(parcels), UNKNOWN),
        conf_2=_spread(ranking.conf_2, rows, len(parcels), np.nan),
        judged_by=_spread(judged.judged_by, rows, len(parcels), JUDGED_BY_NONE),
        imputed=_spread(complete.gaps[at[rows]], rows, len(parcels), False),
        rows=rows,
        probabilities=judged.probabilities,
        classes=classes,
        counts=chosen.counts,
        feature_names=tuple(features.names),
        importances=judged.importances,
        model=judged.model,
        metrics=work.metrics(ranking, validates),
        holding_metrics=None if fold is None else work.held_out(fold, use.purpose[rows] == CALIBRATION, classes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    probabilities: Floats
    judged_by: npt.NDArray[np.uint8]
    importances: npt.NDArray[np.float64]
    model: CropModel | None


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """The classified parcels, and the rows of their features."""

    features: FeatureTable
    parcels: CropParcels
    rows: Int64
    settings: CropSettings
    threads: int
    progress: Progress

    def classes(self, counts: dict[str, int]) -> Int32:
        """Return the classes, of which there must be two."""
        found = np.unique(self.parcels.class_number).astype(np.int32)
        left = ", ".join(f"{name} {number}" for name, number in counts.items())
        if not len(found):
            raise InputError(
                "No parcel can be classified.",
                hint=f"parcels left after each filter: {left}",
                code="no_evaluable_parcel",
            )
        if len(found) == 1:
            raise InputError(
                f"All parcels that can be classified are of class {found[0]}; a forest needs two classes.",
                hint=f"parcels left after each filter: {left}",
                code="too_few_classes",
            )
        return found

    def one_forest(self, trains: Bools) -> _Judged:
        """Train one forest and predict everyone; calibration parcels by trees that have not seen them."""
        values, settings = self.features.values, self.settings
        calibration = values[self.rows[trains]]
        imputation = Imputation.of(calibration)
        calibration = imputation.filled(calibration)
        forest = train(
            calibration,
            self.parcels.class_number[trains],
            settings,
            names=self.features.names,
            threads=self.threads,
            progress=self.progress,
        )
        apart = trains & settings.oob_for_calibration
        result = np.empty((len(self.rows), len(forest.classes)), dtype=np.float32)
        judged_by = np.full(len(self.rows), JUDGED_BY_ALL_TREES, dtype=np.uint8)
        result[~apart] = probabilities(
            forest.trees,
            values,
            self.rows[~apart],
            imputation,
            discriminant=forest.discriminant,
            threads=self.threads,
            progress=self.progress,
        )
        if apart.any() and len(forest.synthetic):
            result[apart], judged_by[apart] = self._calibration_in_folds(apart), JUDGED_BY_OTHER_FOLDS
        elif apart.any():
            of_trees, never_drawn = out_of_bag_probabilities(forest, calibration, threads=self.threads)
            result[apart] = self._with_discriminant_of_others(of_trees, calibration, apart)
            judged_by[np.flatnonzero(apart)[never_drawn]] = JUDGED_BY_OTHER_TREES
        names = tuple(self.features.names)
        model = CropModel(forest.estimator, forest.classes, names, imputation, settings, forest.discriminant)
        return _Judged(result, judged_by, forest.importances, model)

    def _with_discriminant_of_others(self, of_trees: Floats, calibration: Floats, apart: Bools) -> Floats:
        """Average out-of-bag frequencies with what a discriminant of other folds says of the same parcels."""
        share, parcels = self.settings.discriminant_share, self.parcels.take(apart)
        fold = folds_by_class(parcels.parcel_id, parcels.class_number, CALIBRATION_FOLDS, self.settings.seed)
        if share == 0 or len(np.unique(fold)) == 1:
            return of_trees
        of_others = discriminant_out_of_fold(calibration, parcels.class_number, fold, share, self.features.names)
        found: Floats = ((1 - share) * of_trees + share * of_others).astype(np.float32)
        return found

    def _calibration_in_folds(self, apart: Bools) -> Floats:
        """Predict calibration parcels by forests of other folds, with synthetic parcels made inside them.

        Out of the bag is not enough with synthetic parcels: copies of a parcel with its declared class are in the
        trees that have not drawn it. Of parcels of classes of 24 to 100, filled up to 200, it confirmed 40 % of wrong
        declarations; forests of other folds 1.5 %, and 2 % of parcels that took no part (benchmarks/crop_forest.py).
        """
        parcels = self.parcels.take(apart)
        fold = folds_by_class(parcels.parcel_id, parcels.class_number, CALIBRATION_FOLDS, self.settings.seed)
        everyone = np.ones(len(parcels), dtype=np.bool_)
        found = out_of_fold(
            self.features.values,
            self.rows[apart],
            parcels.class_number,
            fold,
            everyone,
            everyone,
            replace(self.settings, trees=min(self.settings.trees, FOLD_TREES)),
            names=self.features.names,
            threads=self.threads,
            progress=self.progress,
        )
        return found.probabilities

    def in_folds(self, number: int) -> _Judged:
        """Predict everyone by a forest of the other folds, trained on real parcels alone."""
        parcels, everyone = self.parcels, np.ones(len(self.rows), dtype=np.bool_)
        fold = folds_by_class(parcels.parcel_id, parcels.class_number, number, self.settings.seed)
        found = out_of_fold(
            self.features.values,
            self.rows,
            parcels.class_number,
            fold,
            everyone,
            everyone,
            replace(self.settings, smote_target=0),
            names=self.features.names,
            threads=self.threads,
            progress=self.progress,
        )
        judged_by = np.full(len(self.rows), JUDGED_BY_OTHER_FOLDS, dtype=np.uint8)
        return _Judged(found.probabilities, judged_by, found.importances, None)

    def holding_folds(self) -> Int64:
        """Return the fold of each parcel; before the forest is trained, as it may fail."""
        return folds_by_holding(self.parcels.parcel_id, self.parcels.holding, self.settings.seed)

    def held_out(self, fold: Int64, trains: Bools, classes: Int32) -> Metrics | None:
        """Return how well validation parcels are predicted without parcels of their holding."""
        found = out_of_fold(
            self.features.values,
            self.rows,
            self.parcels.class_number,
            fold,
            trains,
            ~trains,
            self.settings,
            names=self.features.names,
            threads=self.threads,
            progress=self.progress,
        )
        return self.metrics(rank(np.nan_to_num(found.probabilities), classes), ~trains)

    def metrics(self, ranking: Ranking, validates: Bools) -> Metrics | None:
        """Measure the validation parcels; None when there is none."""
        if not validates.any():
            return None
        parcels = self.parcels
        return measure(
            parcels.class_number[validates].astype(np.int32),
            ranking.pred_1[validates],
            ranking.pred_2[validates],
            ranking.conf_1[validates],
            good=parcels.s2_pix[validates] >= self.settings.best_s2_pix,
            area=None if parcels.area is None else parcels.area[validates],
            tile=None if parcels.tile is None else parcels.tile[validates],
        )


def _rows_of(known: Int64, wanted: Int64) -> Int64:
    """Row of each wanted parcel among the known ones, which may be in any order; -1 where it is not there."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    found = order[place]
    return np.where(known[found] == wanted, found, -1)


def _looked_up(values: Bools, at: Int64) -> Bools:
    """Values of the rows `at`, False for -1."""
    result = np.zeros(len(at), dtype=np.bool_)
    result[at >= 0] = values[at[at >= 0]]
    return result


def _everyone_validates(classified: Bools) -> Split:
    return Split(np.where(classified, VALIDATION, 0).astype(np.int8), np.zeros(len(classified), dtype=np.int8))


def _spread(values: npt.NDArray[Any], rows: Int64, size: int, otherwise: float) -> npt.NDArray[Any]:
    """Return values of all parcels from those of the classified ones."""
    result = np.full(size, otherwise, dtype=values.dtype)
    result[rows] = values
    return result
