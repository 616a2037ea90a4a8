"""Histories that are kept for a time: what became of acquisitions, products and sources, and who changed what.

Tombstones of sites and seasons stay, and so does the history of an upload, which goes with it.
Source: operations.md §7, "Logs".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

_TABLES: Final = {
    "acquisition_event": "at",
    "change_record": "at",
    "config_change": "changed_at",
    "product_event": "at",
    "retention_event": "at",
    "source_event": "at",
}


def rows_before(connection: Connection, before: datetime) -> Mapping[str, int]:
    """Count, by table, the rows that are older."""
    return {
        table: int(
            connection.execute(
                text(f"SELECT count(*) FROM s4c.{table} WHERE {moment} < :before"), {"before": before}
            ).scalar_one()
        )
        for table, moment in _TABLES.items()
    }


def forget_before(connection: Connection, before: datetime) -> int:
    """Delete the rows that are older, and return how many there were."""
    return sum(
        connection.execute(text(f"DELETE FROM s4c.{table} WHERE {moment} < :before"), {"before": before}).rowcount
        for table, moment in _TABLES.items()
    )
