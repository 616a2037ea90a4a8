"""Crop diversification, parcel by parcel: is the declared crop of a parcel known (l4a-crop-type.md 12.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import ParameterError

if TYPE_CHECKING:
    from s4c_lib.parcels.crop_lut import CropLut

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NONE: Final = -1
"""Stands for an empty whole number: no prediction, no row of the LUT, no pixel count."""

CLASSIF_R: Final = (
    "Classified_conform",
    "Classified_not_conform_prediction_used",
    "Classified_not_conform",
    "Not_classified_geometry",
    "Not_classified_land_cover",
    "Not_classified_minS2pix",
    "Not_classified_noS1pix",
    "Not_classified_undefined",
)
"""Values of ``Classif_r``; the first that holds is given."""
CONFORM, PREDICTION_USED, NOT_CONFORM, GEOMETRY, LAND_COVER, FEW_S2, NO_S1, UNDEFINED = range(8)

RULE_SETS: Final = ("eu_2015", "eu_2018")


@dataclass(frozen=True, slots=True)
class DiversificationSettings:
    """Parameters of crop diversification, called as their keys ``processor.s4c_l4a.*``.

    Attributes
    ----------
    rule_set : ``eu_2015``, Regulation 1307/2013 as it was; ``eu_2018``, as amended by 2017/2393.
    land_covers : classes that were classified. min_s2_pix, min_s1_pix : pixels a parcel needed.
    conf_threshold : confidence from which a prediction replaces the declaration; above 1 is never.
    accept_second_min_conf : least confidence at which a second choice confirms a declaration.
    check_crop_number : also count the crops of holdings that grass and fallow dominate.
    """

    rule_set: str = "eu_2018"
    land_covers: frozenset[int] = frozenset({1, 2, 3, 4})
    min_s2_pix: int = 3
    min_s1_pix: int = 1
    conf_threshold: float = 2.0
    accept_second_min_conf: float = 0.0
    check_crop_number: bool = False

    def __post_init__(self) -> None:
        if self.rule_set not in RULE_SETS:
            raise ParameterError(f"There is no rule set {self.rule_set!r}.", hint=f"choose from {', '.join(RULE_SETS)}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DiversificationSettings:
        """Take them from the values of a snapshot; a mode without a sensor asks for none of its pixels."""
        prefix = "processor.s4c_l4a."
        mode, lc = values[f"{prefix}mode"], str(values[f"{prefix}lc"])
        return cls(
            rule_set=values[f"{prefix}diversification_ruleset"],
            land_covers=frozenset(range(6)) if lc.lower() == "all" else frozenset(int(digit) for digit in lc),
            min_s2_pix=0 if mode == "s1-only" else values[f"{prefix}min-s2-pix"],
            min_s1_pix=0 if mode == "s2-only" else values[f"{prefix}min-s1-pix"],
            conf_threshold=values[f"{prefix}conf_threshold"],
            accept_second_min_conf=values[f"{prefix}accept_second_min_conf"],
            check_crop_number=values[f"{prefix}cat3_check_crop_number"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class HoldingParcels:
    """Parcels of holdings as columns (parcels,); `NONE` is an empty whole number, NaN an empty confidence.

    Attributes
    ----------
    new_id : int64. holding : int64, `NONE` where none is declared. area_m2 : float64.
    crop : int64, row of the declared crop in the LUT, `NONE` where it has none. lc : int64, its land cover.
    ct_decl, ct_pred_1, ct_pred_2 : int64, numbers of classes. ct_conf_1, ct_conf_2 : float64.
    """

    new_id: Ints
    holding: Ints
    area_m2: Floats
    geom_valid: Flags
    duplic: Flags
    overlap: Flags
    s2_pix: Ints
    s1_pix: Ints
    lc: Ints
    crop: Ints
    ct_decl: Ints
    ct_pred_1: Ints
    ct_conf_1: Floats
    ct_pred_2: Ints
    ct_conf_2: Floats

    def __len__(self) -> int:
        return len(self.new_id)


@dataclass(frozen=True, slots=True, eq=False)
class ParcelVerdicts:
    """What is known of parcels.

    Attributes
    ----------
    classif_r : int8 (parcels,), place in `CLASSIF_R`.
    counted_as : int64 (parcels,), row of the LUT whose crop a known parcel counts as, `NONE` of an unknown parcel.
    """

    classif_r: npt.NDArray[np.int8]
    counted_as: Ints

    @property
    def known(self) -> Flags:
        """Whether the crop of the parcel is known."""
        is_known: Flags = self.counted_as != NONE
        return is_known


def flags_of(lut: CropLut) -> dict[str, Flags]:
    """Return the flags that diversification reads, by name, each bool (codes,)."""
    return {name: getattr(lut, name) for name in ("eaa", "al", "tgrass", "pgrass", "fallow", "cwater", "legum")}


def single_crop_of_classes(lut: CropLut) -> tuple[Ints, Ints]:
    """Return the classes that stand for one diversification crop, and a row of the LUT for each.

    A prediction names a class of the classification. What it means for diversification is known when all codes of the
    class share the diversification crop, and the flags with it.

    Returns
    -------
    classes : int64 (classes,), ascending ``CTnumL4A``. rows : int64 (classes,), first row of each.
    """
    meaning = np.stack([lut.ctnumdiv.astype(np.int64), *(flag.astype(np.int64) for flag in flags_of(lut).values())])
    classes, first, inverse = np.unique(lut.ctnuml4a.astype(np.int64), return_index=True, return_inverse=True)
    agrees: Flags = (meaning == meaning[:, first[inverse]]).all(axis=0)
    single = np.bincount(inverse, weights=~agrees, minlength=len(classes)) == 0
    return classes[single], first[single].astype(np.int64)


def parcel_verdicts(parcels: HoldingParcels, lut: CropLut, settings: DiversificationSettings) -> ParcelVerdicts:
    """Return what is known of each parcel.

    A parcel is known when its declaration is among its two predictions, or when the prediction is so sure that it
    replaces the declaration. Of two equal reasons for not being classified the first in `CLASSIF_R` is given.
    """
    predicted = parcels.ct_pred_1 != NONE
    second = (parcels.ct_pred_2 == parcels.ct_decl) & ~(parcels.ct_conf_2 < settings.accept_second_min_conf)
    # a parcel whose code the LUT lacks has no flags to count
    conform = predicted & (parcels.crop != NONE) & ((parcels.ct_pred_1 == parcels.ct_decl) | second)
    classes, rows = single_crop_of_classes(lut)
    predicted_row = np.full(len(parcels), NONE, np.int64)
    if len(classes):
        place = np.minimum(np.searchsorted(classes, parcels.ct_pred_1), len(classes) - 1)
        predicted_row = np.where(classes[place] == parcels.ct_pred_1, rows[place], NONE)
    used = predicted & ~conform & (parcels.ct_conf_1 >= settings.conf_threshold) & (predicted_row != NONE)
    unclassified = np.select(
        [
            ~parcels.geom_valid | parcels.duplic | parcels.overlap,
            ~np.isin(parcels.lc, sorted(settings.land_covers)),
            parcels.s2_pix < settings.min_s2_pix,
            parcels.s1_pix < settings.min_s1_pix,
        ],
        [GEOMETRY, LAND_COVER, FEW_S2, NO_S1],
        UNDEFINED,
    )
    classif_r = np.select([conform, used, predicted], [CONFORM, PREDICTION_USED, NOT_CONFORM], unclassified)
    counted_as = np.select([conform, used], [parcels.crop, predicted_row], NONE)
    return ParcelVerdicts(classif_r.astype(np.int8), counted_as)
