"""Questions across tables that people ask: what stands where, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
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


def reset_failed_units(connection: Connection, acquisition_ids: Sequence[int]) -> int:
    """Give the failed units of acquisitions a fresh count of tries."""
    statement = text(
        """
        UPDATE s4c.acquisition_unit
        SET state = 'pending', attempts = 0, retryable = true, reason_code = NULL, failed_reason = NULL,
            next_attempt_at = NULL, updated_at = clock_timestamp()
        WHERE acquisition_id = ANY(:ids) AND state = 'failed'
        """
    )
    return connection.execute(statement, {"ids": sorted(set(acquisition_ids))}).rowcount


def unit_faults(connection: Connection, acquisition_id: int) -> list[tuple[str, str]]:
    """Return (unit, what was wrong with it) of those units of an acquisition that something is known of."""
    statement = text(
        """
        SELECT unit_key, failed_reason FROM s4c.acquisition_unit
        WHERE acquisition_id = :id AND failed_reason <> '' ORDER BY processor_id, unit_key, id
        """
    )
    return [(row.unit_key, row.failed_reason) for row in connection.execute(statement, {"id": acquisition_id})]


def failed_units(connection: Connection, acquisition_id: int) -> int:
    """Return how many units of an acquisition have failed."""
    statement = text("SELECT count(*) FROM s4c.acquisition_unit WHERE acquisition_id = :id AND state = 'failed'")
    return int(connection.execute(statement, {"id": acquisition_id}).scalar_one())


def failed_derivations(connection: Connection, acquisition_id: int) -> int:
    """Return how many L3B products and statistics of an acquisition could not be made."""
    statement = text(
        """
        SELECT count(*) FROM s4c.derivation d JOIN s4c.product p ON p.id = d.product_id
        WHERE p.acquisition_id = :id AND d.state = 'failed'
        """
    )
    return int(connection.execute(statement, {"id": acquisition_id}).scalar_one())


def reset_failed_derivations(connection: Connection, acquisition_ids: Sequence[int]) -> int:
    """Give what could not be made of the products of acquisitions a fresh count of tries."""
    statement = text(
        """
        UPDATE s4c.derivation d
        SET state = 'pending', attempts = 0, retryable = true, reason_code = NULL, failed_reason = NULL,
            next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM s4c.product p
        WHERE p.id = d.product_id AND p.acquisition_id = ANY(:ids) AND d.state = 'failed'
        """
    )
    return connection.execute(statement, {"ids": sorted(set(acquisition_ids))}).rowcount


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Versions of the database server; ``postgis`` is None where the extension is missing."""

    postgresql: str
    postgresql_major: int
    postgis: str | None


def server_facts(connection: Connection) -> ServerFacts:
    """Return the versions of PostgreSQL and PostGIS."""
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    version = str(connection.execute(text("SHOW server_version")).scalar_one())
    postgis = connection.execute(
        text("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
    ).scalar_one_or_none()
    return ServerFacts(version, number // 10_000, postgis)
