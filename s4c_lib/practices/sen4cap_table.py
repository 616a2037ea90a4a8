"""Results in Sen4CAP's words: its columns, their order and their values (l4c-practices.md section 15)."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.practices.codes import Marker

COLUMNS: Final = (
    "FIELD_ID", "ORIG_ID", "COUNTRY", "YEAR", "MAIN_CROP", "VEG_START", "H_START", "H_END", "PRACTICE", "P_TYPE",
    "P_START", "P_END", "L_WEEK", "M1", "M2", "M3", "M4", "M5", "H_WEEK", "H_W_START", "H_W_END", "H_W_S1", "M6", "M7",
    "M8", "M9", "M10", "C_INDEX", "S1PIX", "S1GAPS", "H_S1GAPS", "P_S1GAPS", "H_W_S1GAPS", "H_QUALITY", "C_QUALITY",
)  # fmt: skip
TILLAGE_COLUMNS: Final = ("TL_WEEK", "TL_W_START", "TL_W_END")

PRODUCT_NAMES: Final = {"CC": "CatchCrop", "FL": "Fallow", "NFC": "NFC", "NA": "NA"}
"""How Sen4CAP's files call the practices."""

_ROWS: Final = 65_536
_NO_HARVEST, _NO_TILLAGE = "NO-HARVEST", "NO-TILLAGE"


def sen4cap_table(results: pa.Table, *, tillage: bool) -> pa.Table:
    """Text columns `COLUMNS`, with tillage `TILLAGE_COLUMNS` too, of rows of `product_tables.result_table`.

    What is not there is ``NA``; a row without a parcel number has the FIELD_ID ``NA``.
    """
    nothing = pc.if_else(pc.equal(results["M1"], int(Marker.NA1)), "NA1", "NA")
    judged = pc.equal(results["STATUS"].cast(pa.string()), "OK")
    columns: dict[str, Any] = {"FIELD_ID": _or(results["NewID"].cast(pa.string()), "NA")}
    for name in ("ORIG_ID", "COUNTRY", "MAIN_CROP", "PRACTICE", "P_TYPE"):
        columns[name] = _or(results[name].cast(pa.string()), "NA")
    for name in ("YEAR", "VEG_START", "H_START", "H_END", "P_START", "P_END", "S1PIX"):
        columns[name] = _or(results[name].cast(pa.string()), "NA")
    for name in ("L_WEEK", "S1GAPS", "H_S1GAPS", "P_S1GAPS"):
        columns[name] = _or(results[name].cast(pa.string()), nothing)
    columns["H_W_S1GAPS"] = _or(results["H_W_S1GAPS"].cast(pa.string()), pc.if_else(judged, "NR", nothing))
    for number in range(1, 11):
        columns[f"M{number}"] = _marker(results[f"M{number}"])
    for name in ("H_WEEK", "H_W_START", "H_W_END"):
        columns[name] = _week(results["H_STATE"], results[name], _NO_HARVEST)
    columns["H_W_S1"] = _week(results["H_S1_STATE"], results["H_W_S1"], _NO_HARVEST)
    columns["C_INDEX"] = results["C_INDEX"].cast(pa.string())
    for name in ("H_QUALITY", "C_QUALITY"):
        columns[name] = pc.if_else(results[name], "1", "")
    if tillage:
        columns |= {name: _week(results["TL_STATE"], results[name], _NO_TILLAGE) for name in TILLAGE_COLUMNS}
    return pa.table({name: columns[name] for name in (*COLUMNS, *(TILLAGE_COLUMNS if tillage else ()))})


def write_sen4cap_csv(path: Path, results: Iterable[pa.Table], *, tillage: bool) -> int:
    """Write rows of `product_tables.result_table`, piece after piece, as Sen4CAP's file; returns their number.

    Raises
    ------
    OSError : it cannot be written.
    """
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator="\n")
        writer.writerow((*COLUMNS, *(TILLAGE_COLUMNS if tillage else ())))
        for piece in results:
            for batch in sen4cap_table(piece, tillage=tillage).to_batches(max_chunksize=_ROWS):
                writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
                rows += batch.num_rows
    return rows


def _or(texts: Any, otherwise: Any) -> Any:
    return pc.coalesce(texts, otherwise)


def _marker(codes: Any) -> Any:
    """TRUE, FALSE, NA, NA1, NR; other codes are NA."""
    known = [Marker.TRUE, Marker.FALSE, Marker.NA, Marker.NA1, Marker.NR]
    at = pc.index_in(codes, value_set=pa.array([int(one) for one in known], pa.int8()))
    names = pa.array([one.name for one in known], pa.string())
    return names.take(_or(at, known.index(Marker.NA)).combine_chunks())


def _week(state: Any, found: Any, not_found: str) -> Any:
    """The week where there is one, else why not."""
    said = state.cast(pa.string())
    return _or(found.cast(pa.string()), pc.if_else(pc.equal(said, "NOT_FOUND"), not_found, said))
