"""The result table of Sen4CAP: its columns, texts and order (l4c-practices.md section 15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.practices.codes import Found, Marker, Status, Verdict
from s4c_lib.practices.decisions import Decisions
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.weeks import day_numbers, iso_numbers, week_numbers

Texts = npt.NDArray[np.object_]
COLUMNS: Final = (
    "FIELD_ID", "ORIG_ID", "COUNTRY", "YEAR", "MAIN_CROP", "VEG_START", "H_START", "H_END", "PRACTICE", "P_TYPE",
    "P_START", "P_END", "L_WEEK", "M1", "M2", "M3", "M4", "M5", "H_WEEK", "H_W_START", "H_W_END", "H_W_S1",
    "M6", "M7", "M8", "M9", "M10", "C_INDEX", "S1PIX", "S1GAPS", "H_S1GAPS", "P_S1GAPS", "H_W_S1GAPS",
    "H_QUALITY", "C_QUALITY",
)  # fmt: skip
TILLAGE_COLUMNS: Final = ("TL_WEEK", "TL_W_START", "TL_W_END")
DELIMITER: Final = ";"

_NA: Final = "NA"
_LAST_DAY: Final = np.timedelta64(6, "D")
_MARKERS: Final = {Marker.TRUE: "TRUE", Marker.FALSE: "FALSE", Marker.NA: _NA, Marker.NA1: "NA1", Marker.NR: "NR"}
_VERDICTS: Final = {one: one.name for one in Verdict}
_HARVEST: Final = {Found.NOT_FOUND: "NO-HARVEST", Found.NA: _NA, Found.NA1: "NA1", Found.NR: "NR"}
_TILLAGE: Final = {**_HARVEST, Found.NOT_FOUND: "NO-TILLAGE"}


def result_table(rows: PracticeRows, decisions: Decisions) -> pa.Table:
    """Every row as texts, by parcel number; with tillage three more columns.

    Rows whose dates cannot be used are there too, with NA (Sen4CAP drops them).
    """
    order = np.argsort(rows.parcel_id, kind="stable")
    columns = _columns(rows, decisions)
    names = COLUMNS + (TILLAGE_COLUMNS if decisions.with_tillage else ())
    return pa.table({name: pa.array(columns[name][order], pa.string()) for name in names})


def result_lines(table: pa.Table) -> Iterator[str]:
    """Header and rows of the file, without line ends; a text that contains the delimiter is quoted."""
    yield DELIMITER.join(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        yield DELIMITER.join(_quoted(value) for value in row)


def _quoted(value: str) -> str:
    if any(character in value for character in (DELIMITER, '"', "\n", "\r")):
        doubled = value.replace('"', '""')
        return f'"{doubled}"'
    return value


def _columns(rows: PracticeRows, decisions: Decisions) -> dict[str, Texts]:
    evaluated = decisions.status == Status.OK
    missing = np.where(decisions.status == Status.NO_S1PIX, "NA1", _NA).astype(object)
    columns = {
        "FIELD_ID": _numbers(rows.parcel_id),
        "ORIG_ID": _texts(rows.ori_id),
        "COUNTRY": _texts(rows.country),
        "YEAR": _numbers(rows.year),
        "MAIN_CROP": _texts(rows.main_crop),
        "VEG_START": _days(decisions.veg_start),
        "H_START": _days(rows.h_start),
        "H_END": _days(rows.h_end),
        "PRACTICE": _texts(rows.practice),
        "P_TYPE": _texts(rows.p_type),
        "P_START": _days(decisions.p_start),
        "P_END": _days(decisions.p_end),
        "L_WEEK": np.where(evaluated, _days(decisions.l_week), missing),
        "C_INDEX": _coded(decisions.c_index, _VERDICTS),
        "S1PIX": _numbers(rows.s1_pix),
        "H_QUALITY": np.where(decisions.h_quality, "1", "").astype(object),
        "C_QUALITY": np.where(decisions.c_quality, "1", "").astype(object),
    }
    for number in range(decisions.markers.shape[1]):
        columns[f"M{number + 1}"] = _coded(decisions.markers[:, number], _MARKERS)
    counts = ("S1GAPS", decisions.s1_gaps), ("H_S1GAPS", decisions.h_s1_gaps), ("P_S1GAPS", decisions.p_s1_gaps)
    for name, values in (*counts, ("H_W_S1GAPS", decisions.h_w_s1_gaps)):
        columns[name] = np.where(values < 0, _coded(values, _MARKERS), _numbers(values))
    columns |= _week("H_WEEK", "H_W_START", "H_W_END", decisions.harvest, decisions.harvest_week, _HARVEST)
    columns["H_W_S1"] = _state(_days(decisions.radar_week), decisions.radar, _HARVEST)
    columns |= _week("TL_WEEK", "TL_W_START", "TL_W_END", decisions.tillage, decisions.tillage_week, _TILLAGE)
    return columns


def _week(number: str, start: str, end: str, state: Any, week: Any, texts: Any) -> dict[str, Texts]:
    numbers = _numbers(iso_numbers(week_numbers(day_numbers(week))))
    return {
        number: _state(numbers, state, texts),
        start: _state(_days(week), state, texts),
        end: _state(_days(week + _LAST_DAY), state, texts),
    }


def _state(found: Texts, state: npt.NDArray[np.int8], texts: Any) -> Texts:
    return np.where(state == Found.FOUND, found, _coded(state, texts))


def _coded(codes: npt.NDArray[Any], texts: Any) -> Texts:
    result = np.full(len(codes), _NA, object)
    for code, text in texts.items():
        result[codes == int(code)] = text
    return result


def _numbers(values: npt.NDArray[Any]) -> Texts:
    return values.astype(str).astype(object)


def _days(days: npt.NDArray[np.datetime64]) -> Texts:
    return np.where(np.isnat(days), _NA, np.datetime_as_string(days.astype("datetime64[D]"))).astype(object)


def _texts(values: npt.NDArray[np.object_]) -> Texts:
    return np.array([_NA if value is None or value == "" else str(value) for value in values], object)
