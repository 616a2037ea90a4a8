"""Crop diversification: why, in words with the numbers that decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from s4c_lib.crop_type.diversification_parcels import (
    CONFORM,
    FEW_S2,
    GEOMETRY,
    LAND_COVER,
    NO_S1,
    NONE,
    NOT_CONFORM,
    PREDICTION_USED,
    UNDEFINED,
    DiversificationSettings,
    Flags,
    HoldingParcels,
    ParcelVerdicts,
)
from s4c_lib.crop_type.diversification_quantities import HECTARE, HoldingQuantities
from s4c_lib.crop_type.diversification_rules import (
    CD_CAT,
    FIRST_CATEGORY,
    FIRST_POSSIBLE,
    MISSING_INFO,
    NAMED,
    HoldingVerdicts,
    numbers_of_category_3,
    tests_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

_STATE = {(True, False): "met", (False, True): "failed", (False, False): "open"}


def holding_reasons(
    of: HoldingQuantities,
    verdicts: HoldingVerdicts,
    settings: DiversificationSettings,
    crop_names: Mapping[int, str],
) -> list[str]:
    """Return why each holding has its category and diagnosis.

    Parameters
    ----------
    crop_names : of the numbers ``CTnumDIV``.
    """
    tests = {
        category: [(test.met.tolist(), test.failed.tolist()) for test in tests_of(of, settings, category)]
        for category in (1, 2, 3)
    }
    tell = {category: _texts(of, settings, category, crop_names) for category in (1, 2, 3)}
    exemption = _exemptions(of, settings)
    unknown = _unknown(of)
    texts = []
    for row, (category, diagnosis) in enumerate(
        zip(verdicts.category.tolist(), verdicts.diagnosis.tolist(), strict=True)
    ):
        if category < FIRST_CATEGORY:
            texts.append(exemption[CD_CAT[category]](row))
            continue
        parts = []
        if diagnosis == MISSING_INFO:
            parts.append(f"Cannot be decided: {unknown(row)}.")
        elif of.unknown[row]:
            parts.append(f"Decided although {unknown(row)}.")
        if category >= FIRST_POSSIBLE:
            parts.append("The holding may be exempt.")
        for named in NAMED[(category - FIRST_CATEGORY) % len(NAMED)]:
            judged = [
                f"{text(row)} ({_STATE[met[row], failed[row]]})"
                for text, (met, failed) in zip(tell[named], tests[named], strict=True)
            ]
            parts.append(f"Category {named}: {', '.join(judged)}.")
        texts.append(" ".join(parts))
    return texts


Tell = Callable[[int], str]


def _hectares(values: Any) -> list[float]:
    return (np.asarray(values) / HECTARE).tolist()  # type: ignore[no-any-return]


def _unknown(of: HoldingQuantities) -> Tell:
    area, number, unlisted = _hectares(of.unknown), of.unknown_parcels.tolist(), of.unlisted_parcels.tolist()

    def tell(row: int) -> str:
        count = number[row]
        what = f"{area[row]:.2f} ha in {count} parcel{'s are' if count != 1 else ' is'} not confirmed"
        return f"{what}, {unlisted[row]} of them with a crop code that the crop table lacks" if unlisted[row] else what

    return tell


def _arable(of: HoldingQuantities) -> Tell:
    arable, most, unknown = _hectares(of.arable), _hectares(of.arable_at_most), _hectares(of.unknown)

    def tell(row: int) -> str:
        if not unknown[row]:
            return f"{arable[row]:.2f} ha of arable land"
        return f"at most {most[row]:.2f} ha of arable land ({unknown[row]:.2f} ha not confirmed)"

    return tell


def _exemptions(of: HoldingQuantities, settings: DiversificationSettings) -> dict[str, Tell]:
    arable, unknown = _arable(of), _hectares(of.unknown)
    capped = settings.rule_set == "eu_2015"
    exempting, grassland, most = _hectares(of.exempting), _hectares(of.grassland), _hectares(of.arable_at_most)
    eligible = _hectares(of.eligible + of.unknown)
    rest_2 = _hectares(of.arable - of.exempting + of.unknown)
    rest_3 = _hectares(of.arable - of.grass_or_water + of.unknown)
    names = "Temporary grass and fallow" if capped else "Temporary grass, fallow and legumes"

    def dominated(what: str, part: list[float], whole: list[float], land: str, rest: list[float]) -> Tell:
        def tell(row: int) -> str:
            least, most_of = ("at least ", "at most ") if unknown[row] else ("", "")
            text = (
                f"{what} are {part[row]:.2f} of {most_of}{whole[row]:.2f} ha of {land} land, "
                f"{least}{100 * part[row] / whole[row]:.1f} %, more than 75 %"
            )
            return (
                f"{text}; the rest of the arable land is {most_of}{rest[row]:.2f} ha, no more than 30 ha."
                if (capped)
                else f"{text}."
            )

        return tell

    return {
        "Exemption1": lambda row: f"The holding has {arable(row)}, less than 10 ha.",
        "Exemption2": dominated(names, exempting, most, "arable", rest_2),
        "Exemption3": dominated("Grass and crops under water", grassland, eligible, "eligible", rest_3),
        "Exemption4": lambda row: f"All of the {arable(row)} is under crops that stand in water.",
        "Exemption_organic": lambda row: "The holding is certified organic.",
    }


def _texts(
    of: HoldingQuantities, settings: DiversificationSettings, category: int, crop_names: Mapping[int, str]
) -> list[Tell]:
    """Return what tells the outcome of each test of a category, as `tests_of` lists them."""
    rest = of.arable - of.dominating + of.unknown
    main, main_of_rest = of.main, of.main_of_rest
    first = _share([main.crop_1], main.area_1, of.unknown, of.arable_at_most, 75, "arable land", crop_names)
    both = _share(
        [main.crop_1, main.crop_2], main.area_1 + main.area_2, of.unknown, of.arable_at_most, 95, "arable land",
        crop_names,
    )  # fmt: skip
    among_rest = _share([main_of_rest.crop_1], main_of_rest.area_1, of.unknown, rest, 75, "the rest", crop_names)
    if category == 1:
        return [_number(of, np.full(len(of), 2)), first]
    if category == 2:
        return [_number(of, np.full(len(of), 3)), first, both]
    needed, _ = numbers_of_category_3(of)
    return [_number(of, needed), among_rest] if settings.check_crop_number else [among_rest]


def _number(of: HoldingQuantities, needed: Any) -> Tell:
    number, unknown, least = of.main.number.tolist(), of.unknown_parcels.tolist(), needed.tolist()

    def tell(row: int) -> str:
        crops = f"{number[row]} crop{'s' if number[row] != 1 else ''}"
        if unknown[row]:
            crops += f" and {unknown[row]} unconfirmed parcel{'s' if unknown[row] != 1 else ''}"
        return f"{crops}, {least[row]} needed"

    return tell


def _share(
    crops: list[Any], part: Any, unknown: Any, whole: Any, percent: int, land: str, names: Mapping[int, str]
) -> Tell:
    numbers, area, all_of, open_ = [crop.tolist() for crop in crops], part.tolist(), whole.tolist(), unknown.tolist()

    def tell(row: int) -> str:
        called = " and ".join(names.get(crop[row], str(crop[row])) for crop in numbers if crop[row] != NONE)
        total = all_of[row]
        low = 100 * area[row] / total if total else 0.0
        text = f"{called or 'no known crop'} on {area[row] / HECTARE:.2f} of {total / HECTARE:.2f} ha of {land}, "
        high = min(100.0, 100 * (area[row] + open_[row]) / total) if total else 0.0
        text += f"{low:.1f} to {high:.1f} %" if open_[row] else f"{low:.1f} %"
        return f"{text}, {percent} % allowed"

    return tell


def parcel_reasons(
    parcels: HoldingParcels, verdicts: ParcelVerdicts, settings: DiversificationSettings, status: pa.Array | None = None
) -> pa.Array:
    """Return why each parcel has its verdict, string (parcels,).

    Parameters
    ----------
    status : string (parcels,), why the classification left a parcel out; told where nothing else explains it.
    """
    import pyarrow as pa

    second = (verdicts.classif_r == CONFORM) & (parcels.ct_pred_1 != parcels.ct_decl)
    unlisted = parcels.lc == NONE
    cases: list[tuple[Flags, list[Any]]] = [
        (
            (verdicts.classif_r == CONFORM) & ~second,
            ["declared class ", parcels.ct_decl, " is the first choice, confidence ", parcels.ct_conf_1],
        ),
        (
            second,
            [
                "declared class ", parcels.ct_decl, " is the second choice, confidence ", parcels.ct_conf_2,
                "; the first is class ", parcels.ct_pred_1, ", ", parcels.ct_conf_1,
            ],
        ),
        (
            verdicts.classif_r == PREDICTION_USED,
            [
                "class ", parcels.ct_pred_1, " is predicted with confidence ", parcels.ct_conf_1,
                f", {settings.conf_threshold:g} replaces declared class ", parcels.ct_decl,
            ],
        ),
        (
            verdicts.classif_r == NOT_CONFORM,
            [
                "class ", parcels.ct_pred_1, " is predicted with confidence ", parcels.ct_conf_1,
                ", declared is class ", parcels.ct_decl,
            ],
        ),
        ((verdicts.classif_r == GEOMETRY) & parcels.overlap, ["the parcel overlaps others"]),
        (
            (verdicts.classif_r == GEOMETRY) & parcels.duplic & ~parcels.overlap,
            ["another parcel has the same geometry"],
        ),
        (
            (verdicts.classif_r == GEOMETRY) & ~parcels.duplic & ~parcels.overlap,
            ["the geometry is not valid"],
        ),
        ((verdicts.classif_r == LAND_COVER) & ~unlisted, ["land cover ", parcels.lc, " is not classified"]),
        ((verdicts.classif_r == LAND_COVER) & unlisted, ["the crop table lacks the declared crop code"]),
        (
            verdicts.classif_r == FEW_S2,
            [np.maximum(parcels.s2_pix, 0), f" Sentinel-2 pixels, {settings.min_s2_pix} needed"],
        ),
        (
            verdicts.classif_r == NO_S1,
            [np.maximum(parcels.s1_pix, 0), f" Sentinel-1 pixels, {settings.min_s1_pix} needed"],
        ),
        (verdicts.classif_r == UNDEFINED, _undefined(status, len(parcels))),
    ]  # fmt: skip
    pieces, order = [], []
    for where, parts in cases:
        rows = np.flatnonzero(where)
        if len(rows):
            pieces.append(_joined(parts, rows))
            order.append(rows)
    if not pieces:
        return pa.array([], pa.string())
    back = np.empty(len(parcels), np.int64)
    back[np.concatenate(order)] = np.arange(len(parcels))
    return pa.concat_arrays(pieces).take(pa.array(back))


def _undefined(status: pa.Array | None, count: int) -> list[Any]:
    if status is None:
        return ["not classified: too few observations, or too few parcels of the crop"]
    return ["not classified: ", np.asarray(status.to_numpy(zero_copy_only=False), object).reshape(count)]


def _joined(parts: list[Any], rows: Any) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for part in parts:
        if isinstance(part, str):
            columns.append(pa.repeat(pa.scalar(part), len(rows)))
        elif part.dtype == np.float64:
            columns.append(_three_decimals(part[rows]))
        elif part.dtype == object:
            columns.append(pa.array(part[rows], pa.string()))
        else:
            columns.append(pa.array(part[rows], mask=part[rows] == NONE).cast(pa.string()))
    joined: pa.Array = pc.binary_join_element_wise(*columns, "", null_handling="replace", null_replacement="unknown")
    return joined


def _three_decimals(values: Any) -> pa.Array:
    """Return numbers in [0, 1] as text, ``0.050``."""
    import pyarrow as pa

    return pa.array(np.char.mod("%.3f", values))
