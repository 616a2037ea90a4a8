"""Crop diversification of holdings, from declarations and predictions (l4a-crop-type.md 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.diversification_parcels import (
    CLASSIF_R,
    NONE,
    DiversificationSettings,
    HoldingParcels,
    Ints,
    ParcelVerdicts,
    parcel_verdicts,
)
from s4c_lib.crop_type.diversification_quantities import UNIT, HoldingQuantities, holding_quantities
from s4c_lib.crop_type.diversification_reasons import holding_reasons, parcel_reasons
from s4c_lib.crop_type.diversification_rules import CD_CAT, CD_DIAGN, HoldingVerdicts, holding_verdicts

if TYPE_CHECKING:
    import pyarrow as pa

    from s4c_lib.parcels.crop_lut import CropLut


@dataclass(frozen=True, slots=True, eq=False)
class Diversification:
    """Crop diversification of all holdings.

    Attributes
    ----------
    place : int64 (parcels,), the holding of a parcel among ``quantities``, `NONE` where none is declared.
    parcel_table : ``NewID, Classif_r, CD_cat, CD_diagn, Area_meters, HoldID, reason``; category and diagnosis are those
        of the holding.
    holding_table : ``HoldID``, the quantities of §12.2 in square metres, ``CD_cat, CD_diagn, reason``.
    """

    parcels: ParcelVerdicts
    quantities: HoldingQuantities
    verdicts: HoldingVerdicts
    place: Ints
    parcel_table: pa.Table
    holding_table: pa.Table

    def counts(self) -> dict[str, int]:
        """Return the number of holdings by diagnosis, by the names of `CD_DIAGN`."""
        number = np.bincount(self.verdicts.diagnosis, minlength=len(CD_DIAGN))
        return {name: int(count) for name, count in zip(CD_DIAGN, number, strict=True)}


def diversify(
    parcels: HoldingParcels,
    lut: CropLut,
    settings: DiversificationSettings,
    *,
    organic: Ints | None = None,
    status: pa.Array | None = None,
) -> Diversification:
    """Judge crop diversification of all holdings.

    Parameters
    ----------
    organic : int64, numbers of holdings that are exempt because they are certified organic (``exempt_organic``).
    status : string (parcels,), why the classification left a parcel out, for the reasons.
    """
    of_parcels = parcel_verdicts(parcels, lut, settings)
    quantities, place = holding_quantities(parcels, of_parcels, lut, settings.rule_set)
    exempt = None if organic is None else np.isin(quantities.holding, organic)
    verdicts = holding_verdicts(quantities, settings, exempt)
    names = dict(zip(lut.ctnumdiv.tolist()[::-1], lut.ctdiv.tolist()[::-1], strict=True))
    reasons = holding_reasons(quantities, verdicts, settings, names)
    return Diversification(
        of_parcels,
        quantities,
        verdicts,
        place,
        _parcel_table(parcels, of_parcels, verdicts, place, parcel_reasons(parcels, of_parcels, settings, status)),
        _holding_table(quantities, verdicts, reasons),
    )


def _parcel_table(
    parcels: HoldingParcels, of_parcels: ParcelVerdicts, verdicts: HoldingVerdicts, place: Ints, reasons: pa.Array
) -> pa.Table:
    import pyarrow as pa

    nowhere = place == NONE

    def of_holding(values: npt.NDArray[np.int8], names: tuple[str, ...]) -> pa.Array:
        codes = values[place] if len(values) else np.zeros(len(place), np.int8)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=nowhere), names).cast(pa.string())

    return pa.table(
        {
            "NewID": pa.array(parcels.new_id),
            "Classif_r": pa.DictionaryArray.from_arrays(of_parcels.classif_r, CLASSIF_R).cast(pa.string()),
            "CD_cat": of_holding(verdicts.category, CD_CAT),
            "CD_diagn": of_holding(verdicts.diagnosis, CD_DIAGN),
            "Area_meters": pa.array(parcels.area_m2),
            "HoldID": pa.array(parcels.holding, mask=parcels.holding == NONE),
            "reason": reasons,
        }
    )


def _holding_table(of: HoldingQuantities, verdicts: HoldingVerdicts, reasons: list[str]) -> pa.Table:
    import pyarrow as pa

    areas = {
        "area_eaa_c": of.eligible,
        "area_tal_c": of.arable,
        "area_tempGrass_c": of.temporary_grass,
        "area_permGrass_c": of.permanent_grass,
        "area_llf_c": of.fallow,
        "area_cwater_c": of.water,
        "area_remAl_ex2_c": of.arable - of.exempting,
        "area_remAl_ex3_c": of.arable - of.grass_or_water,
        "area_mainCrop_c": of.main.area_1,
        "area_2mainCrop_c": of.main.area_2,
    }
    return pa.table(
        {
            "HoldID": pa.array(of.holding),
            "nb_types_c": pa.array(of.main.number),
            **{name: pa.array(values / UNIT) for name, values in areas.items()},
            "nb_parcels_nc": pa.array(of.unknown_parcels),
            "area_nc": pa.array(of.unknown / UNIT),
            "CD_cat": pa.DictionaryArray.from_arrays(verdicts.category, CD_CAT).cast(pa.string()),
            "CD_diagn": pa.DictionaryArray.from_arrays(verdicts.diagnosis, CD_DIAGN).cast(pa.string()),
            "reason": pa.array(reasons, pa.string()),
        }
    )
