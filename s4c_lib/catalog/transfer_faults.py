"""What a failed transfer means for its acquisition: when it is tried again, where, and when it is given up.

Source: operations.md §3.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.errors import (
    DiskFullError,
    NotFoundError,
    ProductCorruptError,
    ProductGoneError,
    ProductOfflineError,
    Sen4capError,
    SourceRefusedError,
    SourceThrottledError,
)

LONGEST_DELAY = timedelta(hours=12)
GONE_DELAY = timedelta(hours=24)
GONE_ROUNDS = 3
JITTER = 0.1


class FaultClass(StrEnum):
    """How a failed transfer counts.

    ``transient`` and ``corrupt`` take an attempt and are tried again later; ``gone`` goes to the next source;
    ``final`` cannot heal. ``throttled``, ``refused``, ``disk`` and ``offline`` are not the product's fault: they take
    no attempt, and the product stays queued. ``offline`` again, of what an order had brought online, is ``transient``.
    """

    TRANSIENT = "transient"
    CORRUPT = "corrupt"
    THROTTLED = "throttled"
    REFUSED = "refused"
    GONE = "gone"
    DISK = "disk"
    OFFLINE = "offline"
    FINAL = "final"


NOT_THE_PRODUCTS = frozenset({FaultClass.THROTTLED, FaultClass.REFUSED, FaultClass.DISK, FaultClass.OFFLINE})

_CLASSES: tuple[tuple[type[Sen4capError], FaultClass], ...] = (
    (DiskFullError, FaultClass.DISK),
    (SourceThrottledError, FaultClass.THROTTLED),
    (SourceRefusedError, FaultClass.REFUSED),
    # no account of the name that the source gives, or no collection: nothing of it can be fetched
    (NotFoundError, FaultClass.REFUSED),
    (ProductGoneError, FaultClass.GONE),
    (ProductOfflineError, FaultClass.OFFLINE),
    (ProductCorruptError, FaultClass.CORRUPT),
)


def fault_of(error: Sen4capError) -> FaultClass:
    """Return how an error of a transfer counts."""
    for kind, fault in _CLASSES:
        if isinstance(error, kind):
            return fault
    return FaultClass.TRANSIENT if error.retryable else FaultClass.FINAL


def retry_delay(failures: int, interval: timedelta) -> timedelta:
    """Return the pause after the k-th failure before jitter: the interval, doubled each time, 12 h at most."""
    doubled: timedelta = interval * 2 ** min(max(failures - 1, 0), 16)
    return min(doubled, LONGEST_DELAY)


def jittered(delay: timedelta, acquisition_id: int, attempt: int) -> timedelta:
    """Return a pause changed by up to 10 % either way, so that what failed together does not come back together.

    The same acquisition and attempt always get the same.
    """
    digest = hashlib.sha256(f"{acquisition_id}:{attempt}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / (2**64 - 1)
    return delay * (1 + JITTER * (2 * share - 1))


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed transfer, with what decides about the next try.

    Attributes
    ----------
    attempts : begun so far, this one included.
    usable : numbers of the data sources that can be fetched from, by priority.
    """

    outcome: FaultClass
    reason: str
    error: str
    now: datetime
    attempts: int
    max_retries: int
    retry_interval: timedelta
    usable: Sequence[int] = ()


def settle(connection: Connection, acquisition_id: int, fault: Fault, *, actor: str) -> AcquisitionState:
    """Bring an acquisition whose transfer failed, or whose order came to nothing, to its next state.

    Returns
    -------
    ``queued`` (at once: not the product's fault, or the next source is asked), ``failed`` (after a pause) or
    ``aborted``.
    """
    if fault.outcome is FaultClass.OFFLINE and _back_on_tape(connection, acquisition_id):
        fault = replace(fault, outcome=FaultClass.TRANSIENT)
    if fault.outcome in NOT_THE_PRODUCTS:
        return _put_back(connection, acquisition_id, fault, actor)
    if fault.outcome is FaultClass.GONE:
        return _gone(connection, acquisition_id, fault, actor)
    if fault.outcome is FaultClass.FINAL:
        return _end(connection, acquisition_id, fault, actor, due=None)
    tried = connection.execute(
        text("SELECT fallback_tried FROM s4c.acquisition WHERE id = :id"), {"id": acquisition_id}
    ).scalar_one()
    if not tried and fault.attempts <= fault.max_retries:
        pause = jittered(retry_delay(fault.attempts, fault.retry_interval), acquisition_id, fault.attempts)
        return _end(connection, acquisition_id, fault, actor, due=fault.now + pause)
    elsewhere = None if tried else _other_source(connection, acquisition_id, fault.usable)
    if elsewhere is None:
        return _end(connection, acquisition_id, fault, actor, due=None)
    _go_elsewhere(connection, acquisition_id, elsewhere)
    connection.execute(text("UPDATE s4c.acquisition SET fallback_tried = true WHERE id = :id"), {"id": acquisition_id})
    return _queue(connection, acquisition_id, fault, actor)


def _put_back(connection: Connection, acquisition_id: int, fault: Fault, actor: str) -> AcquisitionState:
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition SET attempts = greatest(attempts - 1, 0) WHERE id = :id
            """
        ),
        {"id": acquisition_id},
    )
    return _queue(connection, acquisition_id, fault, actor)


def _back_on_tape(connection: Connection, acquisition_id: int) -> bool:
    """Note that a product lies on tape; tell whether its source had said, of an order, that it is online.

    Ordered again at once, such a one would go round for ever.
    """
    statement = text(
        """
        UPDATE s4c.acquisition a SET storage_state = 'offline'
        FROM s4c.acquisition b
        WHERE a.id = :id AND b.id = a.id
        RETURNING b.ordered_at IS NOT NULL AND b.storage_state = 'online'
        """
    )
    return bool(connection.execute(statement, {"id": acquisition_id}).scalar_one())


def _gone(connection: Connection, acquisition_id: int, fault: Fault, actor: str) -> AcquisitionState:
    statement = text(
        """
        UPDATE s4c.acquisition SET gone_from = array_append(array_remove(gone_from, data_source_id), data_source_id)
        WHERE id = :id AND data_source_id IS NOT NULL
        """
    )
    connection.execute(statement, {"id": acquisition_id})
    row = connection.execute(
        text("SELECT fallback_tried, gone_rounds FROM s4c.acquisition WHERE id = :id"), {"id": acquisition_id}
    ).one()
    elsewhere = None if row.fallback_tried else _other_source(connection, acquisition_id, fault.usable)
    if elsewhere is not None:
        _go_elsewhere(connection, acquisition_id, elsewhere)
        return _queue(connection, acquisition_id, fault, actor)
    rounds = row.gone_rounds + 1
    # the next round asks all of them again, from the first
    connection.execute(
        text(
            "UPDATE s4c.acquisition SET gone_rounds = :rounds, gone_from = '{}', fallback_source_id = NULL "
            "WHERE id = :id"
        ),
        {"id": acquisition_id, "rounds": rounds},
    )
    given_up = rounds >= GONE_ROUNDS or row.fallback_tried
    due = None if given_up else fault.now + jittered(GONE_DELAY, acquisition_id, fault.attempts)
    return _end(connection, acquisition_id, fault, actor, due=due)


def _other_source(connection: Connection, acquisition_id: int, usable: Sequence[int]) -> int | None:
    """Return the first source by priority that has not failed this acquisition yet.

    Catalogues are asked by the product's name; of an archive it must be known that it has the product.
    """
    statement = text(
        """
        SELECT d.id
        FROM s4c.acquisition a
        JOIN s4c.data_source had ON had.id = a.data_source_id
        JOIN s4c.data_source d ON d.satellite_id = had.satellite_id AND d.name <> had.name
        WHERE a.id = :id AND d.id = ANY(CAST(:usable AS bigint[])) AND NOT d.id = ANY(a.gone_from)
          AND (d.driver <> 'local' OR a.providers ? d.id::text)
        ORDER BY array_position(CAST(:usable AS bigint[]), d.id) LIMIT 1
        """
    )
    found = connection.execute(statement, {"id": acquisition_id, "usable": list(usable)}).scalar_one_or_none()
    return None if found is None else int(found)


def _go_elsewhere(connection: Connection, acquisition_id: int, source_id: int) -> None:
    connection.execute(
        text("UPDATE s4c.acquisition SET fallback_source_id = :source, storage_state = 'unknown' WHERE id = :id"),
        {"source": source_id, "id": acquisition_id},
    )


def _queue(connection: Connection, acquisition_id: int, fault: Fault, actor: str) -> AcquisitionState:
    after = AcquisitionState.QUEUED
    transition(connection, [acquisition_id], after, actor=actor, reason=fault.reason, error=fault.error)
    return after


def _end(
    connection: Connection, acquisition_id: int, fault: Fault, actor: str, *, due: datetime | None
) -> AcquisitionState:
    after = AcquisitionState.ABORTED if due is None else AcquisitionState.FAILED
    transition(
        connection, [acquisition_id], after, actor=actor, reason=fault.reason, error=fault.error, next_attempt_at=due
    )
    return after


def forget_faults(connection: Connection, acquisition_ids: Sequence[int]) -> None:
    """Start anew: no attempt counted, no source passed over."""
    connection.execute(
        text(
            "UPDATE s4c.acquisition SET attempts = 0, fallback_source_id = NULL, fallback_tried = false, "
            "gone_from = '{}', gone_rounds = 0 WHERE id = ANY(:ids)"
        ),
        {"ids": list(acquisition_ids)},
    )
