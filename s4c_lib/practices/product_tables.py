"""What was decided as tables: a practice of a parcel a row, and a week of it a row (l4c-practices.md section 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.practices.codes import Flag, Found, Rule, Status, Verdict
from s4c_lib.practices.decisions import Applied, Decisions
from s4c_lib.practices.rows import PracticeRows

UNKNOWN_PIXELS: Final = int(np.iinfo(np.int32).max)
"""``s1_pix``, ``s2_pix`` of a parcel of which nobody counted pixels: never too few, and reported as missing."""

MARKERS: Final = tuple(f"M{number}" for number in range(1, 11))
HARVEST_MARKERS: Final = tuple(f"H_M{number}" for number in range(1, 6))

_THRESHOLDS: Final = {
    "T": ("ndvi_threshold", "Loss threshold of M2, NDVI x 1000"),
    "T_BUF": ("ndvi_buffer", "Buffer added to it"),
    "NDVI_MAX": ("ndvi_max", "Highest NDVI of the vegetation weeks, x 1000"),
    "H_OPT": ("optical_from", "First week in which NDVI allows a harvest"),
    "MU": ("ratio_mean", "Mean weekly VV - VH"),
    "SIGMA": ("ratio_deviation", "Its standard deviation"),
    "BRK": ("ratio_rise", "Rise of VV - VH that M3 asks for"),
    "LEVEL": ("ratio_level", "VV - VH of bare soil, for M4"),
    "CMAX": ("coherence_max", "Highest coherence"),
    "A": ("coherence_level", "High coherence, for M5"),
    "A_TL": ("tillage_level", "High coherence, for tillage"),
    "VEG_WEEK": ("veg_week", "First week of the vegetation season as used"),
    "HS_WEEK": ("h_start_week", "First week in which harvest is looked for"),
    "HE_WEEK": ("h_end_week", "Last week of the vegetation season as used"),
    "CC_MIN": ("bare_ndvi_min", "Computed catch crop period: lowest NDVI"),
    "CC_MAX": ("bare_ndvi_max", "Computed catch crop period: highest NDVI"),
    "CC_LIM": ("bare_limit", "Computed catch crop period: NDVI of bare land"),
    "P_T": ("practice_ndvi_threshold", "Loss threshold at the end of the practice period"),
    "N_FALSE": ("false_markers", "Markers of the practice that are FALSE"),
    "QUIET": ("longest_quiet", "Longest run of weeks without loss of coherence"),
}

RESULT_NOTES: Final = {
    "NewID": "Number of the parcel; empty for a row of the practice table whose parcel is not declared",
    "PRACTICE_TABLE": "Practice table: CC, FL, NFC, NA",
    "ORIG_ID": "Identifier of the parcel in the practice table",
    "COUNTRY": "ISO 3166 code whose rules hold",
    "YEAR": "Year of the season",
    "MAIN_CROP": "Crop code of the practice table",
    "VEG_START": "First day of the vegetation season, as declared (reference: as used)",
    "H_START": "First day on which harvest is expected",
    "H_END": "Last day on which harvest is expected",
    "PRACTICE": "Declared practice",
    "P_TYPE": "Its variant",
    "P_START": "First day of the practice period, computed where it was not declared",
    "P_END": "Last day of the practice period",
    "L_WEEK": "Monday of the last week with backscatter and coherence",
    **{f"M{number}": f"Marker M{number} of the last week" for number in range(1, 6)},
    "H_STATE": "Harvest: FOUND, NOT_FOUND, NA, NA1, NR",
    "H_WEEK": "ISO number of the harvest week",
    "H_W_START": "Monday of the harvest week",
    "H_W_END": "Sunday of the harvest week",
    "H_S1_STATE": "Harvest by radar alone: FOUND, NOT_FOUND, NA, NA1, NR",
    "H_W_S1": "Monday of the week of harvest by radar alone",
    "M6": "Vegetation in the practice period",
    "M7": "It grows or stays from the fourth week on",
    "M8": "NDVI is not lost",
    "M9": "Backscatter is not lost",
    "M10": "Coherence does not rise",
    "C_INDEX": "Agreement with the declared practice: STRONG, MODERATE, WEAK, POOR; NR, NA, NA1",
    "S1PIX": "Sentinel-1 pixels of the parcel",
    "S1GAPS": "Weeks without radar from 1 January to the gap limit",
    "H_S1GAPS": "The same from H_START to H_END",
    "P_S1GAPS": "The same in the declared practice period",
    "H_W_S1GAPS": "The same in the five weeks before harvest; a missing week counts 2",
    "H_QUALITY": "Low confidence in the harvest, for gaps",
    "C_QUALITY": "Low confidence in C_INDEX, for gaps",
    "TL_STATE": "Tillage: FOUND, NOT_FOUND, NA, NA1; empty where it was not looked for",
    "TL_WEEK": "ISO number of the week of tillage",
    "TL_W_START": "Monday of the week of tillage",
    "TL_W_END": "Sunday of the week of tillage",
    "STATUS": "OK, or why there is no result",
    "RULE": "The rule that gave C_INDEX",
    "FLAGS": "What a reader should know, separated by commas",
    "C_PRELIMINARY": "C_INDEX before a period that is still open made it NR",
    **{f"H_M{number}": f"Marker M{number} of the harvest week" for number in range(1, 6)},
    "H_DELAY": "Days from the harvest week to the NDVI that confirmed it",
    "N_NDVI_V": "Weeks with NDVI in the vegetation season",
    "N_NDVI_P": "Weeks with NDVI in the practice period",
    "N_COH_P": "Weeks with coherence in the practice period",
    "ORBITS": "Relative orbits with coherence",
    "H_SOURCE": "current, or previous where the harvest of the product before was kept",
    "H_CURRENT": "Monday of the harvest week by this series",
    **{name: text for name, (_, text) in _THRESHOLDS.items()},
    "AS_OF": "Last date used",
    "CONFIG_ID": "Upload of the configuration",
    "PRACTICE_TABLE_ID": "Upload of the practice table; empty where it was made from the declarations",
}
"""Columns of `result_table`. Markers: 1 TRUE, 0 FALSE, -1 NA, -2 NA1 (too few pixels), -3 NR (not relevant)."""

WEEKLY_NOTES: Final = {
    "NewID": "Number of the parcel",
    "PRACTICE_TABLE": "Practice table: CC, FL, NFC, NA",
    "WEEK": "Monday",
    "NDVI": "Mean NDVI of the week, x 1000",
    "NDVI_PREV": "Last NDVI before",
    "NDVI_NEXT": "NDVI of the week or the first after it",
    "RATIO_MEAN": "Mean VV - VH in the scale of the thresholds",
    "RATIO_MAX": "Highest VV - VH",
    "RATIO_CHANGE": "Rise against the three weeks before",
    "COH_MAX": "Highest coherence",
    "COH_CHANGE": "Largest rise of coherence from one pair to the next",
    **{f"M{number}": f"Marker M{number}" for number in range(1, 6)},
    "IN_SEASON": "The week belongs to the vegetation season",
    "NDVI_DROP": "Its NDVI fell below the upper limit",
    "S1_HARVEST": "Radar sees a harvest",
    "HARVEST": "Radar and NDVI see a harvest",
    "CC_BREAK": "The land was bare, for a computed catch crop period",
    "PRES": "NDVI of vegetation in the practice period",
    "GROW": "NDVI grows or stays",
    "NOL": "NDVI is not lost",
    "ANOL": "Backscatter is not lost",
    "CNOL": "Coherence does not rise",
}
"""Columns of `weekly_table`; markers and the last five as in `RESULT_NOTES`."""

_WEEKLY: Final = {
    "NDVI": "ndvi", "NDVI_PREV": "before", "NDVI_NEXT": "after", "RATIO_MEAN": "ratio_mean", "RATIO_MAX": "ratio_max",
    "RATIO_CHANGE": "ratio_change", "COH_MAX": "coherence_max", "COH_CHANGE": "coherence_change", "M1": "m1",
    "M2": "m2", "M3": "m3", "M4": "m4", "M5": "m5", "IN_SEASON": "vegetation", "NDVI_DROP": "drop",
    "S1_HARVEST": "radar", "HARVEST": "harvest", "CC_BREAK": "break_week", "PRES": "pres", "GROW": "grow",
    "NOL": "no_ndvi_loss", "ANOL": "no_ratio_loss", "CNOL": "no_coherence_loss",
}  # fmt: skip
_ENUM: Final = pa.dictionary(pa.int8(), pa.string())
_DAY: Final = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What every row of a result says of its making.

    Parameters
    ----------
    config_id, practice_table_id : numbers of uploads, None by hand and for a table made from the declarations.
    """

    as_of: date
    config_id: int | None = None
    practice_table_id: int | None = None


def result_table(decisions: Decisions, rows: PracticeRows, made_of: MadeOf) -> pa.Table:
    """A row for each row of the practice table, in its order; columns of `RESULT_NOTES`."""
    count = len(decisions)
    found = {name: getattr(decisions, name) == Found.FOUND for name in ("harvest", "radar", "tillage")}
    columns: dict[str, Any] = {
        "NewID": pa.array(rows.parcel_id.astype(np.int32), mask=rows.parcel_id < 1),
        "PRACTICE_TABLE": _constant(decisions.practice, count),
        "ORIG_ID": pa.array(rows.ori_id, pa.string()),
        "COUNTRY": pa.array(rows.country, pa.string()).dictionary_encode().cast(_ENUM),
        "YEAR": pa.array(rows.year, pa.int32()),
        "MAIN_CROP": pa.array(rows.main_crop, pa.string()),
        "VEG_START": _days(decisions.veg_start),
        "H_START": _days(rows.h_start),
        "H_END": _days(rows.h_end),
        "PRACTICE": pa.array(rows.practice, pa.string()),
        "P_TYPE": pa.array(rows.p_type, pa.string()),
        "P_START": _days(decisions.p_start),
        "P_END": _days(decisions.p_end),
        "L_WEEK": _days(decisions.l_week),
        **{name: pa.array(decisions.markers[:, at]) for at, name in enumerate(MARKERS[:5])},
        "H_STATE": _named(decisions.harvest, Found),
        **_week("H_", found["harvest"], decisions.harvest_week),
        "H_S1_STATE": _named(decisions.radar, Found),
        "H_W_S1": _days(decisions.radar_week, found["radar"]),
        **{name: pa.array(decisions.markers[:, 5 + at]) for at, name in enumerate(MARKERS[5:])},
        "C_INDEX": _named(decisions.c_index, Verdict),
        "S1PIX": pa.array(rows.s1_pix, mask=rows.s1_pix == UNKNOWN_PIXELS),
        **{
            name: _counts(getattr(decisions, name.lower().replace("s1gaps", "s1_gaps")))
            for name in ("S1GAPS", "H_S1GAPS", "P_S1GAPS", "H_W_S1GAPS")
        },
        "H_QUALITY": pa.array(decisions.h_quality),
        "C_QUALITY": pa.array(decisions.c_quality),
        **_tillage(decisions, found["tillage"]),
        "STATUS": _named(decisions.status, Status),
        "RULE": _named(decisions.rule, Rule),
        "FLAGS": _flags(decisions.flags),
        "C_PRELIMINARY": _named(decisions.preliminary, Verdict),
        **{name: pa.array(decisions.h_markers[:, at]) for at, name in enumerate(HARVEST_MARKERS)},
        "H_DELAY": _counts(decisions.h_delay),
        **{name: pa.array(getattr(decisions, name.lower())) for name in ("N_NDVI_V", "N_NDVI_P", "N_COH_P")},
        "ORBITS": _orbits(decisions.orbits, decisions.orbit_numbers),
        "H_SOURCE": _kept(decisions.flags),
        "H_CURRENT": _days(decisions.h_current_week, decisions.h_current == Found.FOUND),
        **{name: _number(decisions.applied, source) for name, (source, _) in _THRESHOLDS.items()},
        "AS_OF": pa.repeat(pa.scalar(made_of.as_of, pa.date32()), count),
        "CONFIG_ID": pa.repeat(pa.scalar(made_of.config_id, pa.int64()), count),
        "PRACTICE_TABLE_ID": pa.repeat(pa.scalar(made_of.practice_table_id, pa.int64()), count),
    }
    return pa.table({name: columns[name] for name in RESULT_NOTES})


def weekly_table(decisions: Decisions, rows: PracticeRows) -> pa.Table:
    """A row for each week of each row of the practice table, by row and week; columns of `WEEKLY_NOTES`."""
    weekly = decisions.weekly
    columns: dict[str, Any] = {
        "NewID": pa.array(rows.parcel_id[weekly.row].astype(np.int32)),
        "PRACTICE_TABLE": _constant(decisions.practice, len(weekly)),
        "WEEK": _days(weekly.week),
    }
    for name, source in _WEEKLY.items():
        values = getattr(weekly, source)
        columns[name] = _floats(values) if values.dtype.kind == "f" else pa.array(values)
    return pa.table({name: columns[name] for name in WEEKLY_NOTES})


def marker_table(weekly: pa.Table, parcel_id: npt.NDArray[np.int64], weeks: Sequence[date]) -> pa.Table:
    """M1 to M5 of all weeks as Sen4CAP's marker database has them (l3b-and-markers.md 3.5): a parcel a row.

    Parameters
    ----------
    weekly : rows of `weekly_table` of one practice.
    parcel_id : the rows, ascending; those without any week are all null.
    weeks : Mondays, ascending, that get columns.

    Returns
    -------
    ``NewID`` int32 and int8 ``YYYYMMDD_M1`` ... ``YYYYMMDD_M5`` for each week, null where the week has no observation.
    """
    numbers = weekly["NewID"].to_numpy().astype(np.int64)
    mondays = weekly["WEEK"].to_numpy().astype("datetime64[D]")
    known = np.array(list(weeks), "datetime64[D]")
    row, column = np.searchsorted(parcel_id, numbers), np.searchsorted(known, mondays)
    there = (row < len(parcel_id)) & (column < len(known))
    there[there] = (parcel_id[row[there]] == numbers[there]) & (known[column[there]] == mondays[there])
    empty = np.ones((len(known), len(parcel_id)), np.bool_)
    empty[column[there], row[there]] = False
    columns: dict[str, Any] = {"NewID": pa.array(parcel_id.astype(np.int32))}
    matrices = {}
    for name in MARKERS[:5]:
        matrices[name] = np.zeros(empty.shape, np.int8)
        matrices[name][column[there], row[there]] = weekly[name].to_numpy()[there]
    for at, week in enumerate(weeks):
        for name, matrix in matrices.items():
            columns[f"{week:%Y%m%d}_{name}"] = pa.array(matrix[at], mask=empty[at])
    return pa.table(columns)


def _week(prefix: str, found: npt.NDArray[np.bool_], week: npt.NDArray[np.datetime64]) -> dict[str, Any]:
    """ISO number, Monday and Sunday of weeks."""
    thursday = np.where(found, week, np.datetime64("1970-01-01")) + 3 * _DAY
    number = (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7 + 1
    return {
        f"{prefix}WEEK": pa.array(number.astype(np.int8), mask=~found),
        f"{prefix}W_START": _days(week, found),
        f"{prefix}W_END": _days(week + 6 * _DAY, found),
    }


def _tillage(decisions: Decisions, found: npt.NDArray[np.bool_]) -> dict[str, Any]:
    if decisions.with_tillage:
        return {"TL_STATE": _named(decisions.tillage, Found), **_week("TL_", found, decisions.tillage_week)}
    kinds = {"TL_STATE": _ENUM, "TL_WEEK": pa.int8(), "TL_W_START": pa.date32(), "TL_W_END": pa.date32()}
    return {name: pa.nulls(len(decisions), kind) for name, kind in kinds.items()}


def _named(codes: npt.NDArray[np.int8], names: Any) -> pa.Array:
    """Codes as a dictionary of all the names there can be, the same in every piece of a table."""
    known = sorted(names, key=int)
    values = np.array([int(one) for one in known])
    index = np.searchsorted(values, codes.astype(np.int64)).astype(np.int8)
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array([one.name for one in known], pa.string()))


def _constant(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int8)), pa.array([text], pa.string()))


def _flags(flags: npt.NDArray[np.int32]) -> pa.Array:
    """Names of the bits that are set, separated by commas."""
    sets, index = np.unique(flags, return_inverse=True)
    texts = [",".join(str(one.name) for one in Flag if one & int(bits)) for bits in sets]
    return pa.array(texts, pa.string()).take(pa.array(index.reshape(-1)))


def _kept(flags: npt.NDArray[np.int32]) -> pa.Array:
    kept = (flags & int(Flag.HARVEST_KEPT)) != 0
    return pa.DictionaryArray.from_arrays(pa.array(kept.astype(np.int8)), pa.array(["current", "previous"]))


def _orbits(bits: npt.NDArray[np.uint32], numbers: Sequence[int]) -> pa.Array:
    sets, index = np.unique(bits, return_inverse=True)
    texts = [",".join(str(one) for at, one in enumerate(numbers) if int(mask) >> at & 1) for mask in sets]
    return pa.array(texts, pa.string()).take(pa.array(index.reshape(-1)))


def _counts(values: npt.NDArray[np.int32]) -> pa.Array:
    return pa.array(values, pa.int32(), mask=values < 0)


def _number(applied: Applied, name: str) -> pa.Array:
    values = getattr(applied, name)
    if values.dtype.kind == "M":
        return _days(values)
    return _counts(values.astype(np.int32)) if values.dtype.kind == "i" else _floats(values)


def _floats(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values.astype(np.float32), mask=np.isnan(values))


def _days(days: npt.NDArray[np.datetime64], there: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(days.astype("datetime64[D]"), pa.date32(), mask=None if there is None else ~there)
