"""Which parcels are classified, and why the others are not (spec/l4a-crop-type.md §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.crop_parcels import CropParcels
from s4c_lib.crop_type.learning_settings import CropSettings
from s4c_lib.errors import InputError

Bools = npt.NDArray[np.bool_]

CLASSIFIED: Final = "classified"
STATUSES: Final = (
    CLASSIFIED,
    "geometry",
    "duplicate",
    "overlap",
    "no_lut",
    "lc",
    "min_s2_pix",
    "min_s1_pix",
    "no_features",
    "rare_class",
)
"""Values of ``ct_status``, the reasons in the order in which they are tested."""

_REASONS: Final = STATUSES[1:5]


@dataclass(frozen=True, slots=True, eq=False)
class Eligibility:
    """Outcome of the filters for all parcels.

    Parameters
    ----------
    status : str (P,), one of STATUSES.
    good : bool (P,), classified and with at least best-s2-pix pixels: may train.
    counts : parcels left after each filter, in order; ``declared`` is where it began.
    """

    status: npt.NDArray[np.str_]
    good: Bools
    counts: dict[str, int]

    @property
    def classified(self) -> Bools:
        """Parcels that passed every filter, bool (P,)."""
        result: Bools = self.status == CLASSIFIED
        return result


def eligible(parcels: CropParcels, has_features: Bools, settings: CropSettings) -> Eligibility:
    """Test every parcel; a parcel keeps the first reason that speaks against it.

    Parameters
    ----------
    has_features : bool (P,), parcels with enough features to be predicted.
    settings : with `folds`, pixel minima do not apply, every parcel is good and a class needs twice as many parcels
        as folds.

    Raises
    ------
    InputError : `reason` of a parcel is not one of geometry, duplicate, overlap, no_lut.
    """
    size = len(parcels)
    status = np.full(size, CLASSIFIED, dtype=f"<U{max(map(len, STATUSES))}")
    counts = {"declared": size}
    foreign = set(parcels.reason[parcels.reason != np.array(None)]) - set(_REASONS)
    if foreign:
        raise InputError(f"Parcels: {sorted(map(str, foreign))[0]!r} is not a reason.", hint=", ".join(_REASONS))
    everyone = np.ones(size, dtype=np.bool_)
    in_folds = settings.folds is not None
    unmapped = (parcels.class_number < 0) | (parcels.reason == "no_lut")
    passes: dict[str, Bools] = {name: parcels.reason != name for name in _REASONS} | {
        "no_lut": ~unmapped,
        "lc": np.isin(parcels.land_cover, sorted(settings.land_cover)),
        "min_s2_pix": everyone if in_folds else parcels.s2_pix >= settings.least_s2_pix,
        "min_s1_pix": everyone if in_folds else parcels.s1_pix >= settings.least_s1_pix,
        "no_features": has_features,
    }
    for name in STATUSES[1:-1]:
        status[(status == CLASSIFIED) & ~passes[name]] = name
        counts[name] = int((status == CLASSIFIED).sum())
    good = everyone if in_folds else parcels.s2_pix >= settings.best_s2_pix
    least = settings.pa_min if settings.folds is None else 2 * settings.folds
    frequent = _frequent(parcels.class_number, (status == CLASSIFIED) & good, least)
    status[(status == CLASSIFIED) & ~np.isin(parcels.class_number, frequent)] = "rare_class"
    counts["rare_class"] = int((status == CLASSIFIED).sum())
    return Eligibility(status, (status == CLASSIFIED) & good, counts)


def _frequent(class_number: npt.NDArray[np.int32], counted: Bools, least: int) -> npt.NDArray[np.int32]:
    classes, number = np.unique(class_number[counted], return_counts=True)
    return classes[number >= least]
