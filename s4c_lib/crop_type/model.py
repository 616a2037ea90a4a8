"""A trained crop type model, and how it is stored (spec/l4a-crop-type.md §9: ``model.joblib`` and ``model.json``)."""

from __future__ import annotations

import hashlib
import io
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.discriminant import Discriminant, LinearFeatures
from s4c_lib.crop_type.imputation import Imputation
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.errors import InputError

FORMAT: Final = 2
_LIBRARIES: Final = ("scikit-learn", "numpy", "joblib")
_COMPRESSION: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class CropModel:
    """A forest with all that prediction needs.

    Parameters
    ----------
    estimator : fitted ``sklearn.ensemble.RandomForestClassifier``; its ``predict_proba`` takes complete features.
    classes : int32 (C,), CTnumL4A ascending.
    feature_names : in the order of the columns.
    imputation : stands in for missing features.
    settings : with which it was trained.
    discriminant : averaged with the forest (`prediction.probabilities`); None where the forest speaks alone.
    """

    estimator: Any
    classes: npt.NDArray[np.int32]
    feature_names: tuple[str, ...]
    imputation: Imputation
    settings: CropSettings
    discriminant: Discriminant | None = None


def libraries() -> dict[str, str]:
    """Return the versions that a stored forest depends on."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {name: version(name) for name in _LIBRARIES}


def forest_bytes(model: CropModel) -> bytes:
    """Return the content of ``model.joblib``; the same model gives the same bytes.

    A dict: ``forest``, and ``discriminant``: the arrays of `Discriminant` and `LinearFeatures` by name, or None.
    """
    import joblib

    beside = model.discriminant
    arrays = None
    if beside is not None:
        arrays = {name: getattr(beside.features, name) for name in ("columns", "decibels")}
        arrays |= {name: getattr(beside, name) for name in ("centre", "weights", "offset")}
    buffer = io.BytesIO()
    joblib.dump({"forest": model.estimator, "discriminant": arrays}, buffer, compress=_COMPRESSION)
    return buffer.getvalue()


def describe(model: CropModel, forest: bytes, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``model.json``.

    Parameters
    ----------
    forest : content of ``model.joblib``.
    provenance : what the caller knows of the inputs: product ids, parcel set and crop table versions, season.
    """
    settings = asdict(model.settings)
    return {
        "format": FORMAT,
        "sha256": hashlib.sha256(forest).hexdigest(),
        "libraries": libraries(),
        "classes": [int(one) for one in model.classes],
        "features": list(model.feature_names),
        "medians": [float(one) for one in model.imputation.medians],
        "settings": settings | {"land_cover": sorted(model.settings.land_cover)},
        "seed": model.settings.seed,
        "provenance": dict(provenance),
    }


def restore(forest: bytes, description: Mapping[str, Any]) -> CropModel:
    """Read a model back. Only open files of your own: a forest file can hold any program.

    Raises
    ------
    InputError : the file is not the described one, or other versions of Python or libraries made it.
    """
    import joblib

    missing = {"format", "sha256", "libraries", "classes", "features", "medians", "settings"} - set(description)
    if missing or description["format"] != FORMAT:
        raise InputError(
            "The description of the model is not one of this release.",
            hint=f"missing {', '.join(sorted(missing))}" if missing else f"format {FORMAT} is expected",
        )
    here, there = libraries(), description["libraries"]
    others = [
        f"{name} {there.get(name, 'unknown')} (here {here[name]})" for name in here if there.get(name) != here[name]
    ]
    if others:
        raise InputError(
            f"The model was made with {', '.join(others)}; a forest is only read by the versions that wrote it.",
            hint="train it again here, or install those versions",
        )
    if hashlib.sha256(forest).hexdigest() != description["sha256"]:
        raise InputError("The forest file is not the one described: its checksum differs.", hint="copy both again")
    settings = dict(description["settings"])
    settings["land_cover"] = frozenset(settings["land_cover"])
    stored = joblib.load(io.BytesIO(forest))
    learnt, beside = CropSettings(**settings), stored["discriminant"]
    return CropModel(
        estimator=stored["forest"],
        classes=np.array(description["classes"], dtype=np.int32),
        feature_names=tuple(description["features"]),
        imputation=Imputation(np.array(description["medians"], dtype=np.float32)),
        settings=learnt,
        discriminant=None if beside is None else _discriminant(beside, learnt.discriminant_share),
    )


def _discriminant(arrays: Mapping[str, Any], share: float) -> Discriminant:
    features = LinearFeatures(arrays["columns"], arrays["decibels"])
    return Discriminant(features, arrays["centre"], arrays["weights"], arrays["offset"], share)
