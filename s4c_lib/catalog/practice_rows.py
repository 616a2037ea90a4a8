"""Rows of practice tables, stored as given: which parcel a row means is looked up at each run (decision D2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_copy import copy_in, copy_out
from s4c_lib.parcels.practice_tables import PracticeTable

_COLUMNS: Final[Mapping[str, str]] = {
    "line": "bigint",
    "ori_id": "text",
    "main_crop": "text",
    "veg_start": "date",
    "h_start": "date",
    "h_end": "date",
    "practice_name": "text",
    "p_type": "text",
    "p_start": "date",
    "p_end": "date",
    "bad_dates": "boolean",
}


def store_practice_table(connection: Connection, version_id: int, table: PracticeTable) -> None:
    """Store the accepted rows of an upload, in place of those an earlier validation of it stored.

    Raises
    ------
    InputError : a parcel occurs twice.
    """
    connection.execute(
        text("DELETE FROM s4c.l4c_practice WHERE auxdata_version_id = :version"), {"version": version_id}
    )
    columns: dict[str, Any] = {
        "auxdata_version_id": pa.repeat(pa.scalar(version_id, pa.int64()), len(table)),
        "practice": pa.repeat(pa.scalar(table.practice), len(table)),
    }
    types = {"text": pa.string(), "date": pa.date32(), "bigint": pa.int64(), "boolean": pa.bool_()}
    for name, kind in _COLUMNS.items():
        columns[name] = pa.array(getattr(table, "field_id" if name == "ori_id" else name), types[kind])
    kinds = {"auxdata_version_id": "bigint", "practice": "text", **_COLUMNS}
    copy_in(connection, "l4c_practice", pa.table(columns), kinds, freeze=False)


def read_practice_table(connection: Connection, version_id: int, practice: str) -> PracticeTable:
    """Return the rows of an upload in the order of its lines; ``join_practices`` finds their parcels."""
    query = f"""
        SELECT {", ".join(_COLUMNS)} FROM s4c.l4c_practice
        WHERE auxdata_version_id = %(version)s AND practice = %(practice)s ORDER BY line
    """
    rows = copy_out(connection, query, {"version": version_id, "practice": practice}, _COLUMNS)

    def column(name: str) -> Any:
        kind = _COLUMNS[name]
        if kind == "date":
            return rows[name].to_numpy().astype("datetime64[D]")
        if kind == "text":
            return rows[name].to_numpy() if len(rows) else np.empty(0, object)
        return rows[name].to_numpy()

    return PracticeTable(
        practice=practice,
        line=column("line"),
        field_id=column("ori_id"),
        main_crop=column("main_crop"),
        veg_start=column("veg_start"),
        h_start=column("h_start"),
        h_end=column("h_end"),
        practice_name=column("practice_name"),
        p_type=column("p_type"),
        p_start=column("p_start"),
        p_end=column("p_end"),
        bad_dates=column("bad_dates"),
    )
