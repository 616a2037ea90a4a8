"""Tables of the L4A product with Sen4CAP's columns, beside the accuracy ones (l4a-crop-type.md 10-11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.classification import UNKNOWN, Classification
from s4c_lib.crop_type.crop_parcels import NOT_COUNTED, CropParcels
from s4c_lib.crop_type.judgement import CONFIRMED, Judgement
from s4c_lib.crop_type.judgement_reasons import words

if TYPE_CHECKING:
    import pyarrow as pa

    from s4c_lib.parcels.crop_lut import CropLut

ClassNames = Mapping[int, str]
"""``CTL4A`` by ``CTnumL4A``."""

CLASSIFIED: Final = "classified"
LUT_COLUMNS: Final = (
    "Ori_crop", "CTnum", "CT", "LC", "CTnumL4A", "CTL4A", "CTnumDIV", "CTDIV", "EAA", "AL", "PGrass", "TGrass",
    "Fallow", "Cwater", "Legum",
)  # fmt: skip
"""Columns of ``CropType_LUT.csv``, which are written in lower case."""


def class_names(lut: CropLut) -> dict[int, str]:
    """Return the name of each class of a crop table; the first of several, the number where there is none."""
    names: dict[int, str] = {}
    for number, name in zip(lut.ctnuml4a.tolist(), lut.ctl4a.tolist(), strict=True):
        names.setdefault(number, name or str(number))
    return names


def summary_of_classes(classification: Classification, parcels: CropParcels, names: ClassNames) -> pa.Table:
    """Return ``Crop_types_summary``: declared classes by decreasing area.

    Over all parcels that nothing speaks against (geometry, duplicate, overlap, crop table). ``Classified`` is 1 when
    the class was learnt, ``Strategy`` 0 when it was not; areas are null when they are not known.
    """
    import pyarrow as pa

    taken = np.array([reason is None for reason in parcels.reason], np.bool_) & (parcels.class_number != UNKNOWN)
    numbers, place = np.unique(parcels.class_number[taken], return_inverse=True)
    count = np.bincount(place, minlength=len(numbers))
    strategy = np.zeros(len(numbers), np.int8)
    np.maximum.at(strategy, place, classification.strategy[taken])
    area, known = _areas(parcels, taken, place, len(numbers))
    order = np.lexsort((numbers, -count, -area))
    ratio = area / area.sum() if area.sum() > 0 else area
    learnt = np.isin(numbers, classification.classes)
    return pa.table(
        {
            "CTnumL4A": pa.array(numbers[order]),
            "CTL4A": pa.array([names.get(int(one), str(one)) for one in numbers[order]], pa.string()),
            "Count": pa.array(count[order]),
            "Countratio": pa.array((count / max(count.sum(), 1))[order]),
            "Area": pa.array(area[order], mask=np.full(len(order), not known)),
            "Arearatio": pa.array(ratio[order], mask=np.full(len(order), not known)),
            "Classified": pa.array(learnt[order].astype(np.int8)),
            "Strategy": pa.array(strategy[order]),
        }
    )


def _areas(
    parcels: CropParcels, taken: npt.NDArray[np.bool_], place: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.float64], bool]:
    if parcels.area is None:
        return np.zeros(count), False
    total = np.bincount(place, weights=np.nan_to_num(parcels.area[taken]), minlength=count)
    return total.astype(np.float64), True


def prediction_table(
    classification: Classification, parcels: CropParcels, names: ClassNames, *, all_parcels: bool
) -> pa.Table:
    """Return ``Parcels_classified_with_predictions``, or of all extracted parcels ``Parcels_all_with_predictions``."""
    import pyarrow as pa

    predicted = classification.pred_1 != UNKNOWN
    extracted = np.array([reason is None for reason in parcels.reason], np.bool_)
    rows = np.flatnonzero(extracted if all_parcels else predicted)
    area = np.full(len(parcels), np.nan) if parcels.area is None else parcels.area
    number = parcels.class_number[rows]
    return pa.table(
        {
            "NewID": pa.array(classification.parcel_id[rows]),
            "AreaDeclared": pa.array(area[rows], from_pandas=True),
            "S1Pix": pa.array(parcels.s1_pix[rows], mask=parcels.s1_pix[rows] == NOT_COUNTED),
            "S2Pix": pa.array(parcels.s2_pix[rows], mask=parcels.s2_pix[rows] == NOT_COUNTED),
            "CTnumL4A": pa.array(number, mask=number == UNKNOWN),
            "CTL4A": names_of(number, names),
            "LC": pa.array(parcels.land_cover[rows], mask=parcels.land_cover[rows] == UNKNOWN),
            **_predictions(classification, rows),
        }
    )


def _predictions(of: Classification, rows: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """Return the five columns of a prediction; null where there is none."""
    import pyarrow as pa

    first, second = of.pred_1[rows], of.pred_2[rows]
    return {
        # Sen4CAP calls a declaration declared only where it judged it
        "CT_decl": pa.array(of.declared[rows], mask=first == UNKNOWN),
        "CT_pred_1": pa.array(first, mask=first == UNKNOWN),
        "CT_conf_1": pa.array(of.conf_1[rows], mask=first == UNKNOWN),
        "CT_pred_2": pa.array(second, mask=second == UNKNOWN),
        "CT_conf_2": pa.array(of.conf_2[rows], mask=second == UNKNOWN),
    }


def names_of(numbers: npt.NDArray[Any], names: ClassNames) -> pa.Array:
    """Return names of classes, null for `UNKNOWN`."""
    import pyarrow as pa

    present, place = np.unique(numbers, return_inverse=True)
    texts = [None if one == UNKNOWN else names.get(int(one), str(one)) for one in present]
    return pa.array(texts, pa.string()).take(pa.array(place))


def conforms(classification: Classification, accept_second_min_conf: float = 0.0) -> pa.Array:
    """Return ``conform``, int8 (parcels,): 1 when the declaration is among the predictions, null without any."""
    import pyarrow as pa

    of = classification
    second = (of.pred_2 == of.declared) & ~(of.conf_2 < accept_second_min_conf)
    agrees = (of.pred_1 == of.declared) | second
    return pa.array(agrees.astype(np.int8), mask=of.pred_1 == UNKNOWN)


def crop_type_columns(
    classification: Classification,
    parcels: CropParcels,
    names: ClassNames,
    *,
    accept_second_min_conf: float = 0.0,
    more: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Return what ``CropType`` files say of every parcel, by ``NewID``.

    Parameters
    ----------
    more : further columns (parcels,), as those of the judgement.
    """
    import pyarrow as pa

    of = classification
    rows = np.arange(len(of.parcel_id))
    columns = {
        "NewID": pa.array(of.parcel_id),
        "CTnumL4A": pa.array(parcels.class_number, mask=parcels.class_number == UNKNOWN),
        "CTL4A": names_of(parcels.class_number, names),
        "LC": pa.array(parcels.land_cover, mask=parcels.land_cover == UNKNOWN),
        **_predictions(of, rows),
        "CT_pred_1_name": names_of(of.pred_1, names),
        "CT_pred_2_name": names_of(of.pred_2, names),
        "ct_status": pa.array(of.status.astype(object), pa.string()),
        "ct_purpose": pa.array(of.purpose),
        "conform": conforms(of, accept_second_min_conf),
        "feat_imputed": pa.array(of.imputed),
        **(more or {}),
    }
    return pa.table(columns)


def judgement_columns(judgement: Judgement, names: ClassNames) -> dict[str, pa.Array]:
    """Return what the judgement says of every parcel; null where a parcel was not judged.

    ``verdict``, ``reason`` in words, ``chance_wrong``, ``CT_other`` (class that most likely grows there if the
    declaration is wrong), ``CT_other_name`` and ``review_rank`` (1 is looked at first).
    """
    import pyarrow as pa

    of = judgement
    codes, code = np.unique(of.reason, return_inverse=True)
    cases = np.stack([code.astype(np.int64), of.declared.astype(np.int64), of.other.astype(np.int64)])
    distinct, place = np.unique(cases, axis=1, return_inverse=True)
    texts = [words(str(codes[one]), declared, other, names) for one, declared, other in distinct.T.tolist()]
    return {
        "verdict": pa.array(of.verdict.astype(object), pa.string()),
        "reason": pa.array(texts, pa.string()).take(pa.array(place)),
        "chance_wrong": pa.array(of.chance_wrong, from_pandas=True),
        "CT_other": pa.array(of.other, mask=of.other == UNKNOWN),
        "CT_other_name": names_of(of.other, names),
        "review_rank": pa.array(of.rank, mask=of.rank == 0),
    }


def review_table(columns: pa.Table, parcels: pa.Table) -> pa.Table:
    """Return ``review``: judged declarations that are not confirmed, the most doubtful first.

    Parameters
    ----------
    columns : of `crop_type_columns` with those of the judgement. parcels : further columns (parcels,), such as
        ``ori_id``, put behind ``NewID``.
    """
    import pyarrow.compute as pc

    shown = ("CT_decl", "CTL4A", "CT_other", "CT_other_name", "chance_wrong", "verdict", "reason")
    table = columns.select(["review_rank", "NewID"])
    for name in parcels.column_names:
        table = table.append_column(name, parcels[name])
    for name in shown:
        table = table.append_column(name, columns[name])
    doubtful = pc.and_(pc.is_valid(table["review_rank"]), pc.not_equal(table["verdict"], CONFIRMED))
    return table.filter(doubtful).sort_by("review_rank")


def for_diversification(
    columns: Mapping[str, Any], classification: Classification, parcels: CropParcels, rows: npt.NDArray[np.bool_]
) -> pa.Table:
    """Return ``CropType.csv``: Sen4CAP's columns, of parcels whose crop code is known.

    Parameters
    ----------
    columns : ``HoldID, GeomValid, Duplic, Overlap, Area_meters, CTnumDIV``, and ``Ori_crop``, which Sen4CAP's file does
        not have and without which the flags of the declared crop cannot be told from those of its group (D-24).
    rows : bool (parcels,), the parcels that are written.
    """
    import pyarrow as pa

    of = classification
    table = {
        "NewID": pa.array(of.parcel_id),
        "HoldID": columns["HoldID"],
        "GeomValid": columns["GeomValid"],
        "Duplic": columns["Duplic"],
        "Overlap": columns["Overlap"],
        "Area_meters": columns["Area_meters"],
        "S2Pix": pa.array(parcels.s2_pix),
        "S1Pix": pa.array(parcels.s1_pix),
        "LC": pa.array(parcels.land_cover, mask=parcels.land_cover == UNKNOWN),
        "CTnumDIV": columns["CTnumDIV"],
        **_predictions(of, np.arange(len(of.parcel_id))),
        "Ori_crop": columns["Ori_crop"],
    }
    return pa.table(table).filter(pa.array(rows))


def lut_table(lut: CropLut) -> pa.Table:
    """Return ``CropType_LUT.csv``: the crop table with names in lower case, flags as 0 and 1."""
    import pyarrow as pa

    columns = {}
    for name in LUT_COLUMNS:
        values = getattr(lut, name.lower())
        columns[name.lower()] = (
            pa.array(values.astype(np.int8)) if values.dtype == np.bool_ else pa.array(values.tolist())
        )
    return pa.table(columns)


def importance_table(classification: Classification) -> pa.Table:
    """Return ``Feature_importances``: feature and share of the impurity it takes away, by decreasing share."""
    import pyarrow as pa

    order = np.argsort(-classification.importances, kind="stable")
    names: Sequence[str] = classification.feature_names
    return pa.table(
        {
            "feature": pa.array([names[at] for at in order], pa.string()),
            "importance": pa.array(classification.importances[order]),
        }
    )
