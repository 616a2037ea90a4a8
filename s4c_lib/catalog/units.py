"""Pre-processing units of acquisitions: claimed on a lease, tried a limited number of times, rolled up.

A unit is a tile of an optical acquisition, ``single`` (backscatter) or ``pair:<previous acquisition id>``
(coherence) of a radar one. Source: operations.md §1.4, spec/README.md C14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.vocabulary import PROCESSORS, processor_name
from s4c_lib.errors import LeaseLostError, NotFoundError


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work on one acquisition."""

    id: int
    acquisition_id: int
    unit_key: str
    processor: str
    config_hash: str
    state: str
    attempts: int
    max_attempts: int
    retryable: bool
    reason_code: str | None
    product_id: int | None
    lease_owner: str | None
    lease_until: datetime | None

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to it."""
        exhausted = self.state == "failed" and (not self.retryable or self.attempts >= self.max_attempts)
        return self.state in {"done", "ignored"} or exhausted


_COLUMNS = (
    "u.id, u.acquisition_id, u.unit_key, u.processor_id, u.config_hash, u.state, u.attempts, u.max_attempts, "
    "u.retryable, u.reason_code, u.product_id, u.lease_owner, u.lease_until"
)


def _unit(row: RowMapping) -> Unit:
    values = dict(row)
    values["processor"] = processor_name(values.pop("processor_id"))
    return Unit(**values)


def ensure_units(
    connection: Connection,
    acquisition_id: int,
    unit_keys: Sequence[str],
    *,
    processor: str,
    config_hash: str,
    max_attempts: int,
    executor: str | None = None,
) -> None:
    """Make the units of an acquisition for a configuration; those that exist stay as they are.

    Parameters
    ----------
    executor : program that works on them: ``maja`` (in date order), ``sen2cor``; None where none is needed.
    """
    statement = text(
        """
        INSERT INTO s4c.acquisition_unit
            (acquisition_id, unit_key, processor_id, config_hash, max_attempts, executor)
        VALUES (:acquisition_id, :unit_key, :processor_id, :config_hash, :max_attempts, :executor)
        ON CONFLICT (acquisition_id, unit_key, processor_id, config_hash) DO NOTHING
        """
    )
    for key in unit_keys:
        connection.execute(
            statement,
            {
                "acquisition_id": acquisition_id,
                "unit_key": key,
                "processor_id": PROCESSORS[processor],
                "config_hash": config_hash,
                "max_attempts": max_attempts,
                "executor": executor,
            },
        )


def units_of(connection: Connection, acquisition_id: int) -> list[Unit]:
    """Return the units of an acquisition, by processor and key."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.acquisition_unit u WHERE u.acquisition_id = :id "
        "ORDER BY u.processor_id, u.unit_key, u.id"
    )
    return [_unit(row) for row in connection.execute(statement, {"id": acquisition_id}).mappings()]


def expire(connection: Connection, now: datetime) -> int:
    """Give back the units of dead workers: pending again, the attempt not counted."""
    statement = text(
        """
        WITH lost AS (
            SELECT id FROM s4c.acquisition_unit WHERE state = 'processing' AND lease_until < :now
            ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE s4c.acquisition_unit u
        SET state = 'pending', attempts = greatest(attempts - 1, 0), lease_owner = NULL, lease_until = NULL,
            updated_at = clock_timestamp()
        FROM lost WHERE u.id = lost.id
        """
    )
    return connection.execute(statement, {"now": now}).rowcount


def give_back(connection: Connection, owner_prefix: str) -> int:
    """Give back what an earlier try of the same worker held, the attempt not counted; nobody works on it."""
    statement = text(
        """
        WITH lost AS (
            SELECT id FROM s4c.acquisition_unit WHERE state = 'processing' AND starts_with(lease_owner, :prefix)
            ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE s4c.acquisition_unit u
        SET state = 'pending', attempts = greatest(attempts - 1, 0), lease_owner = NULL, lease_until = NULL,
            updated_at = clock_timestamp()
        FROM lost WHERE u.id = lost.id
        """
    )
    return connection.execute(statement, {"prefix": owner_prefix}).rowcount


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
      AND (u.state = 'pending'
           OR (u.state = 'failed' AND u.retryable AND u.attempts < u.max_attempts
               AND (u.next_attempt_at IS NULL OR u.next_attempt_at <= :now)))
"""
# Of a lane in date order, as preprocessing.lanes.may_start has it; the executor of a unit is written when it is made.
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
) -> list[Unit]:
    """Take units of an enabled site that are due: failed ones whose pause is over first, then new ones.

    Units another worker looks at are passed over, so two workers never hold one. Each claimed unit counts
    one attempt, which a lease that runs out gives back. Level-1 tiles that MAJA works on wait for the earlier dates
    of their lane (satellite, orbit, tile): it reads the result of the date before (preprocessing.md §2.5).

    Parameters
    ----------
    sensed : only acquisitions sensed in [first, after last).
    """
    statement = text(
        f"""
        WITH due AS (
            SELECT u.id {_DUE} {_MAY_START}
            ORDER BY (u.state = 'failed') DESC, a.satellite_id, a.relative_orbit, u.unit_key, a.sensing_start, u.id
            LIMIT :limit FOR UPDATE OF u SKIP LOCKED
        )
        UPDATE s4c.acquisition_unit u
        SET state = 'processing', attempts = u.attempts + 1, lease_owner = :owner, lease_until = :until,
            reason_code = NULL, failed_reason = NULL, updated_at = clock_timestamp()
        FROM due WHERE u.id = due.id
        RETURNING {_COLUMNS}
        """
    )
    rows = connection.execute(
        statement,
        _due_values(processor, site_id, now, sensed)
        | {"limit": limit, "owner": owner, "until": now + timedelta(seconds=lease_seconds)},
    ).mappings()
    claimed = sorted((_unit(row) for row in rows), key=lambda unit: unit.id)
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


def heartbeat(connection: Connection, unit_id: int, *, owner: str, until: datetime) -> None:
    """Prolong the lease of a unit in work.

    Raises
    ------
    LeaseLostError : the lease ran out and the unit was given to someone else.
    """
    _own(connection, unit_id, owner)
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET lease_until = :until WHERE id = :id"), {"until": until, "id": unit_id}
    )


def _own(connection: Connection, unit_id: int, owner: str) -> Unit:
    row = (
        connection.execute(
            text(f"SELECT {_COLUMNS} FROM s4c.acquisition_unit u WHERE u.id = :id FOR UPDATE"), {"id": unit_id}
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFoundError(f"There is no unit {unit_id}.", hint="its acquisition may have been deleted")
    unit = _unit(row)
    if unit.state != "processing" or unit.lease_owner != owner:
        raise LeaseLostError(
            f"Unit {unit_id} is no longer held by {owner}.", hint="raise lease.seconds if units take longer"
        )
    return unit


def finish(
    connection: Connection,
    unit_id: int,
    *,
    owner: str,
    product_id: int | None,
    cloud_pct: float | None = None,
    snow_pct: float | None = None,
    executor_version: str | None = None,
    log_path: str | None = None,
) -> AcquisitionState:
    """Record a unit's success and return the new state of its acquisition."""
    unit = _own(connection, unit_id, owner)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'done', product_id = :product_id, cloud_pct = :cloud_pct, snow_pct = :snow_pct,
                executor_version = :executor_version, log_path = :log_path, lease_owner = NULL, lease_until = NULL,
                updated_at = clock_timestamp()
            WHERE id = :id
            """
        ),
        {
            "product_id": product_id,
            "cloud_pct": cloud_pct,
            "snow_pct": snow_pct,
            "executor_version": executor_version,
            "log_path": log_path,
            "id": unit_id,
        },
    )
    return roll_up(connection, unit.acquisition_id, actor=owner)


def fail(
    connection: Connection,
    unit_id: int,
    *,
    owner: str,
    reason: str,
    error: str,
    retryable: bool,
    next_attempt_at: datetime | None,
    cloud_pct: float | None = None,
    snow_pct: float | None = None,
    log_path: str | None = None,
) -> AcquisitionState:
    """Record a unit's failure and return the new state of its acquisition."""
    unit = _own(connection, unit_id, owner)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'failed', reason_code = :reason, failed_reason = :error, retryable = :retryable,
                next_attempt_at = :next_attempt_at, cloud_pct = coalesce(:cloud_pct, cloud_pct),
                snow_pct = coalesce(:snow_pct, snow_pct), log_path = coalesce(:log_path, log_path),
                lease_owner = NULL, lease_until = NULL, updated_at = clock_timestamp()
            WHERE id = :id
            """
        ),
        {
            "reason": reason,
            "error": error,
            "retryable": retryable,
            "next_attempt_at": next_attempt_at,
            "cloud_pct": cloud_pct,
            "snow_pct": snow_pct,
            "log_path": log_path,
            "id": unit_id,
        },
    )
    return roll_up(connection, unit.acquisition_id, actor=owner)


def postpone(
    connection: Connection, unit_id: int, *, owner: str, reason: str, error: str, until: datetime
) -> AcquisitionState:
    """Put a unit off that cannot begin yet; the try is not counted."""
    unit = _own(connection, unit_id, owner)
    # first, or the last try allowed would count as used up and end the acquisition
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET attempts = greatest(attempts - 1, 0) WHERE id = :id"), {"id": unit.id}
    )
    return fail(connection, unit_id, owner=owner, reason=reason, error=error, retryable=True, next_attempt_at=until)


def rolled_up(units: Sequence[Unit]) -> AcquisitionState:
    """Return the state an acquisition has by its units.

    processed when all are terminal and one is done or all are ignored; processing_failed when all are
    terminal and none is; else processing.
    """
    if not all(unit.terminal for unit in units):
        return AcquisitionState.PROCESSING
    states = {unit.state for unit in units}
    return (
        AcquisitionState.PROCESSED if "done" in states or states == {"ignored"} else AcquisitionState.PROCESSING_FAILED
    )


def roll_up(connection: Connection, acquisition_id: int, *, actor: str) -> AcquisitionState:
    """Bring an acquisition's state in line with its units, through the state machine."""
    current = AcquisitionState(
        connection.execute(
            text("SELECT state FROM s4c.acquisition WHERE id = :id FOR UPDATE"), {"id": acquisition_id}
        ).scalar_one()
    )
    after = rolled_up(units_of(connection, acquisition_id))
    if current is after:
        return after
    if current is not AcquisitionState.PROCESSING:
        transition(connection, [acquisition_id], AcquisitionState.PROCESSING, actor=actor)
    if after is not AcquisitionState.PROCESSING:
        transition(connection, [acquisition_id], after, actor=actor)
    return after
