"""Predicted crops by calibrated probabilities instead of the forest's own frequencies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from s4c_lib.crop_type.classification import VALIDATION, Classification
from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.judgement import Judgement
from s4c_lib.crop_type.metrics import measure
from s4c_lib.crop_type.prediction import rank


def with_calibrated_predictions(
    classification: Classification, judgement: Judgement, parcels: CropParcels, best_s2_pix: int
) -> Classification:
    """Return the classification with predictions, confidences, probabilities and metrics of the judgement.

    A forest predicts common crops too often where it was not trained on classes of equal size, and rare ones too often
    where it was; shifts of the calibration undo both. Parcels that were not judged keep what the forest says.
    ``holding_metrics`` stay those of the forest.

    Parameters
    ----------
    parcels : those that were classified, in any order.
    best_s2_pix : parcels with fewer pixels count as small in the metrics.
    """
    of = classification
    if judgement.calibration is None:
        return of
    probabilities = of.probabilities.copy()
    probabilities[np.searchsorted(of.rows, judgement.rows)] = judgement.probabilities
    best = rank(judgement.probabilities, of.classes)
    columns = {}
    for name in ("pred_1", "conf_1", "pred_2", "conf_2"):
        columns[name] = getattr(of, name).copy()
        columns[name][judgement.rows] = getattr(best, name)
    checked = np.flatnonzero(of.purpose == VALIDATION)
    metrics = of.metrics
    if len(checked):
        given = parcels.take(np.argsort(parcels.parcel_id, kind="stable")[checked])
        metrics = measure(
            of.declared[checked],
            columns["pred_1"][checked],
            columns["pred_2"][checked],
            columns["conf_1"][checked],
            good=given.s2_pix >= best_s2_pix,
            area=given.area,
            tile=given.tile,
        )
    return replace(of, probabilities=probabilities, metrics=metrics, **columns)
