"""Who works on a pre-processing unit: claims on a lease, given back when a worker dies, a chain in date order."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.units import COLUMNS, Unit, roll_up, unit_of, units_of
from s4c_lib.catalog.vocabulary import PROCESSORS
from s4c_lib.errors import LeaseLostError


def expire(connection: Connection, now: datetime) -> int:
    """Give back the units of dead workers: pending again, the attempt not counted."""
    return _release(connection, "lease_until < :now", {"now": now})


def give_back(connection: Connection, owner_prefix: str) -> int:
    """Give back what an earlier try of the same worker held, the attempt not counted; nobody works on it."""
    return _release(connection, "starts_with(lease_owner, :prefix)", {"prefix": owner_prefix})


def _release(connection: Connection, condition: str, values: dict[str, object]) -> int:
    statement = text(
        f"""
        WITH lost AS (
            SELECT id FROM s4c.acquisition_unit WHERE state = 'processing' AND {condition}
            ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE s4c.acquisition_unit u
        SET state = 'pending', attempts = greatest(attempts - 1, 0), lease_owner = NULL, lease_until = NULL,
            updated_at = clock_timestamp()
        FROM lost WHERE u.id = lost.id
        """
    )
    return connection.execute(statement, values).rowcount


_DUE = """
    FROM s4c.acquisition_unit u
    JOIN s4c.acquisition a ON a.id = u.acquisition_id
    WHERE u.processor_id = :processor_id
      -- not one whose files went: it is being fetched again
      AND a.state IN ('downloaded', 'processing', 'processed', 'processing_failed')
      AND (CAST(:first AS timestamptz) IS NULL OR a.sensing_start >= :first)
      AND (CAST(:stop AS timestamptz) IS NULL OR a.sensing_start < :stop)
      AND EXISTS (
          SELECT 1 FROM s4c.site_acquisition m JOIN s4c.site s ON s.id = m.site_id
          WHERE m.acquisition_id = a.id AND m.site_id = :site_id AND m.relevance = 'selected' AND s.enabled
      )
      -- ready-made radar products have units too; the register step does them
      AND (u.processor_id <> :l2s1 OR a.kind IN ('s1_slc', 's1_grd'))
      -- coherence needs both acquisitions; of one without partner nothing can be made
      AND (u.unit_key NOT LIKE 'pair:%' OR EXISTS (
          SELECT 1 FROM s4c.acquisition q
          WHERE q.id = CASE WHEN u.unit_key ~ '^pair:[0-9]+$' THEN CAST(substr(u.unit_key, 6) AS bigint) END
            AND q.state IN ('downloaded', 'processing', 'processed', 'processing_failed')))
      AND ((u.state = 'pending' AND (u.next_attempt_at IS NULL OR u.next_attempt_at <= :now))
           OR (u.state = 'failed' AND u.retryable AND u.attempts < u.max_attempts
               AND (u.next_attempt_at IS NULL OR u.next_attempt_at <= :now)))
"""
# Of a lane in date order, as preprocessing.md 2.5 has it; the executor of a unit is written when it is made.
# What nobody asks for any more, what cannot be fetched, and other seasons do not hold a lane up: nobody works on them.
_MAY_START = """
      AND NOT (u.executor IS NOT DISTINCT FROM 'maja' AND EXISTS (
          SELECT 1 FROM s4c.acquisition_unit o JOIN s4c.acquisition b ON b.id = o.acquisition_id
          WHERE o.id <> u.id AND o.executor = 'maja' AND o.processor_id = u.processor_id AND o.unit_key = u.unit_key
            AND b.satellite_id = a.satellite_id AND b.relative_orbit IS NOT DISTINCT FROM a.relative_orbit
            AND (o.state = 'processing'
                 OR (b.state NOT IN ('failed', 'aborted', 'ignored')
                     AND (CAST(:first AS timestamptz) IS NULL OR b.sensing_start >= :first)
                     AND (CAST(:stop AS timestamptz) IS NULL OR b.sensing_start < :stop)
                     AND EXISTS (
                         SELECT 1 FROM s4c.site_acquisition n JOIN s4c.site t ON t.id = n.site_id
                         WHERE n.acquisition_id = b.id AND n.relevance = 'selected' AND t.enabled)
                     AND ((o.state = 'failed' AND o.retryable AND o.attempts < o.max_attempts
                           AND (u.state = 'pending' OR (b.sensing_start, o.id) < (a.sensing_start, u.id)))
                          OR (o.state = 'pending' AND u.state = 'pending'
                              AND (b.sensing_start, o.id) < (a.sensing_start, u.id)))))))
"""


def due_count(
    connection: Connection,
    processor: str,
    site_id: int,
    *,
    now: datetime,
    sensed: tuple[datetime, datetime] | None = None,
) -> int:
    """Return how many units of an enabled site could be claimed now."""
    values = _due_values(processor, site_id, now, sensed)
    return int(connection.execute(text(f"SELECT count(*) {_DUE} {_MAY_START}"), values).scalar_one())


def due_bytes(
    connection: Connection,
    processor: str,
    site_id: int,
    *,
    now: datetime,
    sensed: tuple[datetime, datetime] | None = None,
) -> int:
    """Return the bytes of the acquisitions of all units that could be claimed now: a measure of the work."""
    statement = text(f"SELECT coalesce(sum(a.size_bytes), 0) {_DUE} {_MAY_START}")
    return int(connection.execute(statement, _due_values(processor, site_id, now, sensed)).scalar_one())


def due_in_lanes(
    connection: Connection,
    processor: str,
    site_id: int,
    *,
    now: datetime,
    sensed: tuple[datetime, datetime] | None = None,
) -> list[int]:
    """Return how many units of each lane in date order are due, those that wait for earlier ones among them."""
    statement = text(
        f"""
        SELECT count(*) {_DUE} AND u.executor = 'maja'
        GROUP BY a.satellite_id, a.relative_orbit, u.unit_key
        ORDER BY a.satellite_id, a.relative_orbit, u.unit_key
        """
    )
    return [int(row) for row in connection.execute(statement, _due_values(processor, site_id, now, sensed)).scalars()]


def _due_values(
    processor: str, site_id: int, now: datetime, sensed: tuple[datetime, datetime] | None
) -> dict[str, object]:
    return {
        "processor_id": PROCESSORS[processor],
        "l2s1": PROCESSORS["l2s1"],
        "site_id": site_id,
        "now": now,
        "first": None if sensed is None else sensed[0],
        "stop": None if sensed is None else sensed[1],
    }


def claim(
    connection: Connection,
    processor: str,
    site_id: int,
    *,
    owner: str,
    now: datetime,
    lease_seconds: float,
    limit: int = 1,
    sensed: tuple[datetime, datetime] | None = None,
    newest_first: bool = False,
) -> list[Unit]:
    """Take units of an enabled site that are due: failed ones whose pause is over first, then new ones.

    Units another worker looks at are passed over, so two workers never hold one. Each claimed unit counts
    one attempt, which a lease that runs out gives back. Level-1 tiles that MAJA works on wait for the earlier dates
    of their lane (satellite, orbit, tile): it reads the result of the date before (preprocessing.md §2.5).

    Parameters
    ----------
    sensed : only acquisitions sensed in [first, after last).
    newest_first : of radar; else the oldest acquisition comes first.
    """
    order = "a.satellite_id, a.relative_orbit, u.unit_key, a.sensing_start, u.id"
    if processor == "l2s1":
        # slices of a pass follow each other, the backscatter of each comes before its coherence
        order = f"a.sensing_start {'DESC' if newest_first else ''}, u.unit_key DESC, u.id"
    statement = text(
        f"""
        WITH due AS (
            SELECT u.id {_DUE} {_MAY_START}
            ORDER BY (u.state = 'failed') DESC, {order}
            LIMIT :limit FOR UPDATE OF u SKIP LOCKED
        )
        UPDATE s4c.acquisition_unit u
        SET state = 'processing', attempts = u.attempts + 1, lease_owner = :owner, lease_until = :until,
            reason_code = NULL, failed_reason = NULL, updated_at = clock_timestamp()
        FROM due WHERE u.id = due.id
        RETURNING {COLUMNS}
        """
    )
    rows = connection.execute(
        statement,
        _due_values(processor, site_id, now, sensed)
        | {"limit": limit, "owner": owner, "until": now + timedelta(seconds=lease_seconds)},
    ).mappings()
    claimed = sorted((unit_of(row) for row in rows), key=lambda unit: unit.id)
    for acquisition_id in sorted({unit.acquisition_id for unit in claimed}):
        roll_up(connection, acquisition_id, actor=owner)
    return claimed


def claim_of(connection: Connection, acquisition_id: int, *, owner: str, until: datetime) -> list[Unit]:
    """Take all units of one acquisition that are still to do; none when another worker did them meanwhile.

    Raises
    ------
    LeaseLostError : another worker holds one of them.
    """
    connection.execute(
        text("SELECT id FROM s4c.acquisition_unit WHERE acquisition_id = :id ORDER BY id FOR UPDATE"),
        {"id": acquisition_id},
    )
    open_units = [unit for unit in units_of(connection, acquisition_id) if not unit.terminal]
    if any(unit.state == "processing" for unit in open_units):
        raise LeaseLostError(f"A unit of acquisition {acquisition_id} is held by another worker.")
    for unit in open_units:
        connection.execute(
            text(
                """
                UPDATE s4c.acquisition_unit
                SET state = 'processing', attempts = attempts + 1, lease_owner = :owner, lease_until = :until,
                    updated_at = clock_timestamp()
                WHERE id = :id
                """
            ),
            {"owner": owner, "until": until, "id": unit.id},
        )
    roll_up(connection, acquisition_id, actor=owner)
    return [unit for unit in units_of(connection, acquisition_id) if unit.lease_owner == owner]
