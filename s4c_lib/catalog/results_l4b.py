"""Rows of L4B products: what became of each parcel, and every event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa
from sqlalchemy import Connection, text

from s4c_lib.catalog.parcel_copy import copy_in, copy_out

RESULT_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "mow_n": "integer",
    "proc": "boolean",
    "compl": "integer",
    "max_gap_d": "integer",
    "n_clear": "integer",
    "n_pairs": "integer",
    "status": "text",
    "cannot_tell": "text",
    "decision": "text",
}
"""Columns of ``l4b_result`` beside the product, and their kinds (`parcel_copy.COLUMN_TYPES`)."""

EVENT_COLUMNS: Final[Mapping[str, str]] = {
    "new_id": "integer",
    "seq": "integer",
    "place": "integer",
    "reported": "boolean",
    "dstart": "moment",
    "dend": "moment",
    "conf": "double",
    "mission": "text",
    "n": "integer",
    "s2_drop": "double",
    "s2_v0": "double",
    "s2_v1": "double",
    "s2_t0": "moment",
    "s2_t1": "moment",
    "s2_t2": "moment",
    "s1_orbit": "integer",
    "s1_d": "double",
    "s1_t0": "moment",
    "s1_t1": "moment",
}
"""Columns of ``l4b_event`` beside the product, and their kinds."""


def store_results(
    connection: Connection, product_id: int, results: Iterable[pa.Table], events: Iterable[pa.Table]
) -> None:
    """Put the rows of a product, in pieces of any size; those it had before are removed.

    Raises
    ------
    InputError : a column is missing, or a parcel comes twice.
    DatabaseUnavailableError, StorageError : the server went away; its disk is full.
    """
    for table in ("l4b_event", "l4b_result"):
        connection.execute(text(f"DELETE FROM s4c.{table} WHERE product_id = :id"), {"id": product_id})
    for table, kinds, pieces in (("l4b_result", RESULT_COLUMNS, results), ("l4b_event", EVENT_COLUMNS, events)):
        for piece in pieces:
            keyed = piece.append_column("product_id", pa.repeat(pa.scalar(product_id, pa.int64()), len(piece)))
            copy_in(connection, table, keyed, {"product_id": "bigint", **kinds}, freeze=False)


def read_results(connection: Connection, product_id: int, new_id: int | None = None) -> pa.Table:
    """Return the rows of a product, or of one of its parcels, by number."""
    return _read(connection, "l4b_result", RESULT_COLUMNS, product_id, new_id, "new_id")


def read_events(connection: Connection, product_id: int, new_id: int | None = None) -> pa.Table:
    """Return the events of a product, or of one of its parcels, by parcel and date."""
    return _read(connection, "l4b_event", EVENT_COLUMNS, product_id, new_id, "new_id, seq")


def _read(
    connection: Connection, table: str, kinds: Mapping[str, str], product_id: int, new_id: int | None, order: str
) -> pa.Table:
    one = "" if new_id is None else " AND new_id = %(parcel)s"
    query = f"SELECT {', '.join(kinds)} FROM s4c.{table} WHERE product_id = %(product)s{one} ORDER BY {order}"
    return copy_out(connection, query, {"product": product_id, "parcel": new_id or 0}, kinds)
