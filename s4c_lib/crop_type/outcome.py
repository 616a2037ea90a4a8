"""From features and declarations to everything the L4A product says of parcels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.calibrated_prediction import with_calibrated_predictions
from s4c_lib.crop_type.classification import Classification, classify
from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.diversification_parcels import DiversificationSettings, HoldingParcels, Ints
from s4c_lib.crop_type.feature_table import FeatureTable
from s4c_lib.crop_type.judgement import Judgement, JudgementSettings, judge
from s4c_lib.crop_type.learning_settings import PREFIX, CropSettings
from s4c_lib.crop_type.metrics import Metrics
from s4c_lib.crop_type.product_tables import ClassNames, crop_type_columns, judgement_columns
from s4c_lib.errors import InputError
from s4c_lib.progress import Progress, silent

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class CropOutcome:
    """Crop types of all declared parcels, by ascending number.

    Attributes
    ----------
    settings : with which they were learnt; ``mode`` is that of the sensor that was there.
    uncalibrated : on validation parcels, as the forest says without calibration; None when there is none.
    columns : what is said of every parcel (`product_tables.crop_type_columns` and `judgement_columns`).
    missing_sensor : ``s1`` or ``s2`` when mode ``both`` went on without it, else "".
    """

    parcels: CropParcels
    names: ClassNames
    settings: CropSettings
    classification: Classification
    judgement: Judgement
    uncalibrated: Metrics | None
    columns: pa.Table
    missing_sensor: str = ""

    def counts(self) -> dict[str, int]:
        """Return numbers for the job and the log."""
        of, judged = self.classification, self.judgement
        classified = of.status == "classified"
        verdict = judged.verdict[classified]
        return {
            "parcels": len(of.parcel_id),
            "classified": int(classified.sum()),
            "classes": len(of.classes),
            "calibration": int((of.purpose == 1).sum()),
            "validation": int((of.purpose == 2).sum()),
            **{name.replace(" ", "_"): int((verdict == name).sum()) for name in ("confirmed", "contradicted")},
            "cannot_tell": int((verdict == "cannot tell").sum()),
        }


def diversification_settings(outcome: CropOutcome, values: Mapping[str, Any]) -> DiversificationSettings:
    """Return how crop diversification is judged, with the pixels that the classification asked for."""
    settings = DiversificationSettings.of(values)
    return replace(settings, min_s2_pix=outcome.settings.least_s2_pix, min_s1_pix=outcome.settings.least_s1_pix)


def holding_parcels(outcome: CropOutcome, holding: Ints, crop: Ints) -> HoldingParcels:
    """Return the parcels as crop diversification takes them.

    Parameters
    ----------
    holding : int64 (P,), number of the holding, -1 where none is declared. crop : int64 (P,), row in the crop table,
        -1 where the crop is not in it.

    Raises
    ------
    InputError : the area of a parcel of a holding is not known.
    """
    of, parcels = outcome.classification, outcome.parcels
    area = np.full(len(parcels), np.nan) if parcels.area is None else parcels.area
    unknown = np.flatnonzero((holding >= 0) & ~np.isfinite(area))
    if len(unknown):
        raise InputError(
            f"Crop diversification adds up areas; that of parcel {parcels.parcel_id[unknown[0]]} is not known "
            f"({len(unknown)} parcels).",
            hint="give Area_meters",
        )
    return HoldingParcels(
        new_id=of.parcel_id,
        holding=holding.astype(np.int64),
        area_m2=np.nan_to_num(area),
        geom_valid=parcels.reason != "geometry",
        duplic=parcels.reason == "duplicate",
        overlap=parcels.reason == "overlap",
        s2_pix=parcels.s2_pix.astype(np.int64),
        s1_pix=parcels.s1_pix.astype(np.int64),
        lc=parcels.land_cover.astype(np.int64),
        crop=crop.astype(np.int64),
        ct_decl=of.declared.astype(np.int64),
        ct_pred_1=of.pred_1.astype(np.int64),
        ct_conf_1=of.conf_1.astype(np.float64),
        ct_pred_2=of.pred_2.astype(np.int64),
        ct_conf_2=of.conf_2.astype(np.float64),
    )


def settings_of(values: Mapping[str, Any], missing_sensor: str = "", *, folds: int | None = None) -> CropSettings:
    """Return how crops are learnt; without a sensor none of its pixels are asked for (AC-21)."""
    settings = CropSettings.of(values, folds=folds)
    modes = {"s1": "s2-only", "s2": "s1-only"}
    return replace(settings, mode=modes[missing_sensor]) if missing_sensor else settings


def crop_outcome(
    features: FeatureTable,
    parcels: CropParcels,
    names: ClassNames,
    values: Mapping[str, Any],
    *,
    gap_days: npt.NDArray[np.float64] | None = None,
    folds: int | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> CropOutcome:
    """Classify and judge.

    Parameters
    ----------
    parcels : by ascending number.
    values : parameters by key, ``processor.s4c_l4a.*``.
    gap_days : float (P,), mean days from the optical dates to the nearest clear observation, NaN unknown.

    Raises
    ------
    InputError : no parcel is eligible (code ``no_evaluable_parcel``), or all are of one class (``too_few_classes``).
    """
    settings = settings_of(values, features.missing_sensor, folds=folds)
    found = classify(features, parcels, settings, threads=threads, progress=progress)
    judgement = judge(
        found,
        JudgementSettings.of(values),
        area=parcels.area,
        small=parcels.s2_pix < settings.best_s2_pix,
        gap_days=gap_days,
    )
    uncalibrated = found.metrics
    if values[f"{PREFIX}calibrated_predictions"]:
        found = with_calibrated_predictions(found, judgement, parcels, settings.best_s2_pix)
    columns = crop_type_columns(
        found,
        parcels,
        names,
        accept_second_min_conf=values[f"{PREFIX}accept_second_min_conf"],
        more=judgement_columns(judgement, names),
    )
    return CropOutcome(parcels, names, settings, found, judgement, uncalibrated, columns, features.missing_sensor)
