"""Pre-processing units of acquisitions: planned, held on a lease, tried a limited number of times, rolled up.

A unit is a tile of an optical acquisition, ``single`` (backscatter) or ``pair:<previous acquisition id>``
(coherence) of a radar one. Claiming them is `unit_claims`. Source: operations.md §1.4, spec/README.md C14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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


COLUMNS = (
    "u.id, u.acquisition_id, u.unit_key, u.processor_id, u.config_hash, u.state, u.attempts, u.max_attempts, "
    "u.retryable, u.reason_code, u.product_id, u.lease_owner, u.lease_until"
)


def unit_of(row: RowMapping) -> Unit:
    """Return a unit from a row of `COLUMNS`."""
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
        f"SELECT {COLUMNS} FROM s4c.acquisition_unit u WHERE u.acquisition_id = :id "
        "ORDER BY u.processor_id, u.unit_key, u.id"
    )
    return [unit_of(row) for row in connection.execute(statement, {"id": acquisition_id}).mappings()]


def reopen_done(connection: Connection, acquisition_id: int) -> None:
    """Make the units of an acquisition that are done pending again, with a fresh count of tries."""
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition_unit
            SET state = 'pending', attempts = 0, retryable = true, reason_code = NULL, failed_reason = NULL,
                next_attempt_at = NULL, updated_at = clock_timestamp()
            WHERE acquisition_id = :id AND state = 'done'
            """
        ),
        {"id": acquisition_id},
    )


def heartbeat(connection: Connection, unit_id: int, *, owner: str, until: datetime) -> None:
    """Prolong the lease of a unit in work.

    Raises
    ------
    LeaseLostError : the lease ran out and the unit was given to someone else.
    """
    owned_unit(connection, unit_id, owner)
    connection.execute(
        text("UPDATE s4c.acquisition_unit SET lease_until = :until WHERE id = :id"), {"until": until, "id": unit_id}
    )


def owned_unit(connection: Connection, unit_id: int, owner: str) -> Unit:
    """Lock a unit in work and return it.

    Raises
    ------
    NotFoundError : there is none. LeaseLostError : it is no longer held by this worker.
    """
    row = (
        connection.execute(
            text(f"SELECT {COLUMNS} FROM s4c.acquisition_unit u WHERE u.id = :id FOR UPDATE"), {"id": unit_id}
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFoundError(f"There is no unit {unit_id}.", hint="its acquisition may have been deleted")
    unit = unit_of(row)
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
    unit = owned_unit(connection, unit_id, owner)
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
    unit = owned_unit(connection, unit_id, owner)
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
    unit = owned_unit(connection, unit_id, owner)
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


def reset_failed(connection: Connection, acquisition_ids: Sequence[int]) -> int:
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


def faults_of(connection: Connection, acquisition_id: int) -> list[tuple[str, str]]:
    """Return (unit, what was wrong with it) of those units of an acquisition that something is known of."""
    statement = text(
        """
        SELECT unit_key, failed_reason FROM s4c.acquisition_unit
        WHERE acquisition_id = :id AND failed_reason <> '' ORDER BY processor_id, unit_key, id
        """
    )
    return [(row.unit_key, row.failed_reason) for row in connection.execute(statement, {"id": acquisition_id})]


def failed_of(connection: Connection, acquisition_id: int) -> int:
    """Return how many units of an acquisition have failed."""
    statement = text("SELECT count(*) FROM s4c.acquisition_unit WHERE acquisition_id = :id AND state = 'failed'")
    return int(connection.execute(statement, {"id": acquisition_id}).scalar_one())
