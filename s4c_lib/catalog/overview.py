"""Questions across tables that people ask: what stands where, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Membership:
    """What one site makes of an acquisition."""

    site: str
    relevance: str
    reason: str | None
    tiles: tuple[str, ...]
    overlap_ratio: float | None


def memberships(connection: Connection, acquisition_id: int) -> list[Membership]:
    """Return the sites that know an acquisition, by short name."""
    statement = text(
        """
        SELECT s.short_name AS site, m.relevance::text AS relevance, m.reason, m.tiles, m.overlap_ratio
        FROM s4c.site_acquisition m JOIN s4c.site s ON s.id = m.site_id
        WHERE m.acquisition_id = :id ORDER BY s.short_name
        """
    )
    rows = connection.execute(statement, {"id": acquisition_id}).mappings()
    return [Membership(**{**row, "tiles": tuple(row["tiles"])}) for row in rows]


def acquisition_counts(connection: Connection, site_id: int, date_from: datetime, date_to: datetime) -> dict[str, int]:
    """Return how many acquisitions of a site stand in each state, those it leaves out counted as ``ignored``.

    Parameters
    ----------
    date_from, date_to : sensing start in [date_from, date_to).
    """
    statement = text(
        """
        SELECT CASE WHEN m.relevance = 'ignored' THEN 'ignored' ELSE a.state::text END AS state, count(*) AS number
        FROM s4c.site_acquisition m JOIN s4c.acquisition a ON a.id = m.acquisition_id
        WHERE m.site_id = :site_id AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
        GROUP BY 1 ORDER BY 1
        """
    )
    values = {"site_id": site_id, "date_from": date_from, "date_to": date_to}
    return {row.state: int(row.number) for row in connection.execute(statement, values)}
