"""The record of what retention archived and removed; it outlives products and sites."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class RetentionEvent:
    """What retention did to one product or download."""

    at: datetime
    actor: str
    action: str
    kind: str
    name: str
    sites: tuple[str, ...]
    path: str
    target: str | None
    size_bytes: int
    rule: str


def events(connection: Connection, *, site: str | None = None, limit: int = 100) -> list[RetentionEvent]:
    """Return what retention did, newest first."""
    statement = text(
        """
        SELECT at, actor, action, kind, name, sites, path, target, size_bytes, rule FROM s4c.retention_event
        WHERE CAST(:site AS text) IS NULL OR :site = ANY(sites) ORDER BY at DESC, id DESC LIMIT :limit
        """
    )
    rows = connection.execute(statement, {"site": site, "limit": limit}).mappings()
    return [RetentionEvent(**{**row, "sites": tuple(row["sites"])}) for row in rows]
