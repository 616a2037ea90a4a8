"""What L2A a site has been given so far: by which programs, and the chains of dates that MAJA follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.units import roll_up


@dataclass(frozen=True, slots=True)
class EarlierL2a:
    """An L2A that MAJA made, and where its own product is to lie."""

    product_id: int
    native: Path
    acquired_at: datetime


def executors_used(connection: Connection, site_id: int, first: datetime, stop: datetime) -> list[tuple[str, str]]:
    """Return (implementation, version) of the Sentinel-2 L2A in force of a site sensed in [first, stop)."""
    statement = text(
        """
        SELECT DISTINCT p.metadata ->> 'executor' AS executor,
               coalesce(p.metadata ->> 'executor_version', '') AS version
        FROM s4c.product p JOIN s4c.product_site x ON x.product_id = p.id AND x.site_id = :site_id
        WHERE p.product_type_id = 1 AND p.state = 'active' AND p.satellite_id = 1
          AND p.metadata ->> 'executor' IS NOT NULL AND p.acquired_at >= :first AND p.acquired_at < :stop
        ORDER BY 1, 2
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "first": first, "stop": stop})
    return [(str(row.executor), str(row.version)) for row in rows]


def earlier_l2a(connection: Connection, site_id: int, acquisition: Acquisition, tile: str) -> list[EarlierL2a]:
    """Return the earlier dates of a chain that MAJA made for a site, oldest first."""
    statement = text(
        """
        SELECT p.id AS product_id, p.metadata ->> 'native' AS native, p.acquired_at
        FROM s4c.product p JOIN s4c.product_site x ON x.product_id = p.id AND x.site_id = :site_id
        WHERE p.product_type_id = 1 AND p.state = 'active' AND p.satellite_id = 1 AND :tile = ANY(p.tiles)
          AND p.relative_orbit IS NOT DISTINCT FROM :orbit AND p.acquired_at < :moment
          AND p.metadata ->> 'executor' = 'maja'
        ORDER BY p.acquired_at, p.id
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, **_chain(acquisition, tile)})
    return [EarlierL2a(int(row.product_id), Path(row.native), row.acquired_at) for row in rows]


def later_l1c(connection: Connection, site_id: int, acquisition: Acquisition, tile: str, *, limit: int) -> list[Path]:
    """Return later L1C of a chain that are on disk, oldest first: what MAJA learns from backwards."""
    statement = text(
        """
        SELECT a.full_path FROM s4c.acquisition a
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id AND m.site_id = :site_id AND m.relevance = 'selected'
        WHERE a.kind = 's2_l1c' AND :tile = ANY(a.tiles) AND a.relative_orbit IS NOT DISTINCT FROM :orbit
          AND a.sensing_start > :moment AND a.full_path IS NOT NULL AND a.removed_at IS NULL
        ORDER BY a.sensing_start, a.id LIMIT :limit
        """
    )
    rows = connection.execute(statement, {"site_id": site_id, "limit": limit, **_chain(acquisition, tile)})
    return [Path(row) for row in rows.scalars()]


def reopen_later(connection: Connection, acquisition: Acquisition, tile: str, *, actor: str) -> int:
    """Open the later dates of a chain again after a late one was made; their products stay in force until then."""
    statement = text(
        """
        UPDATE s4c.acquisition_unit u
        SET state = 'pending', attempts = 0, next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM s4c.acquisition a
        WHERE a.id = u.acquisition_id AND u.executor = 'maja' AND u.state = 'done' AND u.unit_key = :tile
          AND a.satellite_id = (SELECT satellite_id FROM s4c.acquisition WHERE id = :id)
          AND a.relative_orbit IS NOT DISTINCT FROM :orbit AND a.sensing_start > :moment
          -- what retention removed stays as it was made
          AND a.removed_at IS NULL
        RETURNING a.id
        """
    )
    later = sorted(connection.execute(statement, {"id": acquisition.id, **_chain(acquisition, tile)}).scalars())
    for number in later:
        roll_up(connection, number, actor=actor)
    return len(later)


def _chain(acquisition: Acquisition, tile: str) -> dict[str, object]:
    return {"tile": tile, "orbit": acquisition.relative_orbit, "moment": acquisition.sensing_start}
