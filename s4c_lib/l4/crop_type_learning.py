"""What a season's run of L4A and a run by hand do alike: who may be learnt from, the outcome, what is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.eligibility import eligible
from s4c_lib.crop_type.learning_settings import PREFIX, CropSettings
from s4c_lib.crop_type.outcome import CropOutcome, crop_outcome
from s4c_lib.crop_type.product_tables import class_names
from s4c_lib.errors import InputError
from s4c_lib.l4.crop_features import StoredFeatures
from s4c_lib.parameters.values import to_json
from s4c_lib.parcels.crop_lut import CropLut
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason
from s4c_lib.season_run import NoResultError

_SENSORS: Final = {"s1": "Sentinel-1", "s2": "Sentinel-2"}
_NO_RESULT: Final = (str(Reason.NO_EVALUABLE_PARCEL), str(Reason.TOO_FEW_CLASSES))


def may_be_classified(
    parcels: CropParcels, values: Mapping[str, Any], *, folds: int | None = None
) -> npt.NDArray[np.bool_]:
    """Return parcels that pass every filter but that of their observations; radar periods are counted among them."""
    everyone = np.ones(len(parcels), np.bool_)
    settings = replace(CropSettings.of(values, folds=folds), pa_min=2)
    found: npt.NDArray[np.bool_] = eligible(parcels, everyone, settings).status == "classified"
    return found if found.any() else everyone


def learnt(
    features: StoredFeatures,
    parcels: CropParcels,
    lut: CropLut,
    values: Mapping[str, Any],
    progress: Progress,
    *,
    folds: int | None = None,
) -> CropOutcome:
    """Classify and judge.

    Raises
    ------
    NoResultError : no parcel can be classified, or all are of one class.
    ParameterError, InputError : as `crop_outcome`.
    """
    try:
        return crop_outcome(
            features.table,
            parcels,
            class_names(lut),
            values,
            gap_days=features.gap_days,
            folds=folds,
            progress=progress,
        )
    except InputError as error:
        if error.code not in _NO_RESULT:
            raise
        raise NoResultError(error.message, reason=error.code, hint=error.hint) from error


def notes_of(outcome: CropOutcome, values: Mapping[str, Any]) -> list[str]:
    """Return what the reader of the report has to know of any run, in sentences."""
    notes = []
    if outcome.missing_sensor:
        lacking = _SENSORS[outcome.missing_sensor]
        notes.append(f"There is no observation of {lacking}: features come from the other sensor alone.")
    if imputed := int(outcome.classification.imputed.sum()):
        notes.append(
            f"{imputed:,} parcels lack some features, which were filled with those of a typical training parcel."
        )
    return notes + parameter_notes(values)


def parameter_notes(values: Mapping[str, Any]) -> list[str]:
    """Return sentences about parameters that were given and do nothing."""
    if not values[f"{PREFIX}keep_water_for_cwater"]:
        return []
    return [f"{PREFIX}keep_water_for_cwater has no effect: statistics of parcels hold no pixels under water."]


def facts_of(outcome: CropOutcome, values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return filters and parameters, as the report shows them."""
    own = {
        key.removeprefix(PREFIX): json.dumps(to_json(value), ensure_ascii=False)
        for key, value in sorted(values.items())
        if key.startswith(PREFIX)
    }
    filters = {name: f"{number:,} left" for name, number in outcome.classification.counts.items()}
    return {"Filters": filters, "Parameters": own}
