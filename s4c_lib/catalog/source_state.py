"""How a remote source stands: its circuit, the turn of the next request, the next poll. By the name of the source.

A circuit is open while a source refuses the account or asks to wait: nothing is asked of it until then. It is closed
by the first answer after that. Source: operations.md §3.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.errors import SourceError, SourceRefusedError, SourceThrottledError
from s4c_lib.reasons import Reason

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """Why nothing is asked of a source, and until when.

    Attributes
    ----------
    opened_at : when it first refused since it last answered.
    newly_opened : whether this very fault opened it, and operators are to be told.
    """

    name: str
    opened_at: datetime
    open_until: datetime
    reason: str
    error: str
    newly_opened: bool = False

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.name} is not asked before {self.open_until:%Y-%m-%d %H:%M:%S}Z ({self.reason}): {self.error}"


def lock_source(connection: Connection, name: str) -> None:
    """Let nobody else decide about a source until this transaction ends. Take several in the order of their names."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('s4c.source'), hashtext(:name))"), {"name": name})


def open_circuit(
    connection: Connection, name: str, *, until: datetime, reason: str, error: str, now: datetime
) -> Circuit:
    """Ask nothing of a source until a moment; one already open stays so for the longer of both.

    Returns
    -------
    what holds now; ``newly_opened`` once for each time a source begins to refuse.
    """
    lock_source(connection, name)
    before = _state(connection, name)
    opened_at = now if before is None else before.opened_at
    open_until = until if before is None else max(until, before.open_until)
    connection.execute(
        text(
            """
            INSERT INTO s4c.source_state (name, opened_at, open_until, reason, error)
            VALUES (:name, :opened_at, :open_until, :reason, :error)
            ON CONFLICT (name) DO UPDATE SET opened_at = excluded.opened_at, open_until = excluded.open_until,
                reason = excluded.reason, error = excluded.error
            """
        ),
        {"name": name, "opened_at": opened_at, "open_until": open_until, "reason": reason, "error": error},
    )
    if before is None:
        _record_event(connection, name, now, opened=True, reason=reason, error=error)
    return Circuit(name, opened_at, open_until, reason, error, newly_opened=before is None)


def record_fault(
    connection: Connection, name: str, error: SourceError, *, circuit_minutes: float, now: datetime
) -> Circuit | None:
    """Open the circuit of a source that refuses the account or asks to wait; None for any other fault.

    Parameters
    ----------
    circuit_minutes : pause after a refusal (``source.circuit_minutes``). A source that asks to wait is left alone for
        as long as it says, else for 1 min, doubled each time up to 30 min.
    """
    if isinstance(error, SourceRefusedError):
        pause, reason = timedelta(minutes=circuit_minutes), Reason.REFUSED
    elif isinstance(error, SourceThrottledError):
        reason = Reason.THROTTLED
        pause = (
            _next_pause(connection, name, now) if error.retry_after is None else timedelta(seconds=error.retry_after)
        )
    else:
        return None
    return open_circuit(connection, name, until=now + pause, reason=str(reason), error=error.message, now=now)


def _next_pause(connection: Connection, name: str, now: datetime) -> timedelta:
    """Return how long to wait for a source that does not say: transfers refused together double it once."""
    lock_source(connection, name)
    statement = text(
        """
        INSERT INTO s4c.source_state AS s (name, pauses) VALUES (:name, 1)
        ON CONFLICT (name) DO UPDATE SET pauses = s.pauses + 1 WHERE s.open_until IS NULL OR s.open_until <= :now
        RETURNING pauses
        """
    )
    pauses = connection.execute(statement, {"name": name, "now": now}).scalar_one_or_none()
    # none while it is open: the pause of the first of them holds
    return timedelta(0) if pauses is None else min(FIRST_PAUSE * 2 ** min(pauses - 1, 8), LONGEST_PAUSE)


def circuit(connection: Connection, name: str, *, now: datetime) -> Circuit | None:
    """Return why nothing may be asked of a source now, or None."""
    found = _state(connection, name)
    return found if found is not None and now < found.open_until else None


def close_circuit(connection: Connection, name: str, *, now: datetime, by_hand: bool = False) -> bool:
    """Record that a source answered as it should.

    A request that was under way when others were refused proves nothing: before its time a circuit is closed by hand
    only.

    Returns
    -------
    whether there was a circuit to close.
    """
    statement = text(
        """
        UPDATE s4c.source_state SET opened_at = NULL, open_until = NULL, reason = NULL, error = NULL, pauses = 0
        WHERE name = :name AND (open_until <= :now OR :by_hand) AND opened_at IS NOT NULL
        """
    )
    before = _state(connection, name)
    if before is None:
        return False
    closed = connection.execute(statement, {"name": name, "now": now, "by_hand": by_hand}).rowcount > 0
    if closed:
        _record_event(connection, name, now, opened=False, reason=before.reason, error=before.error)
    return closed


def _state(connection: Connection, name: str) -> Circuit | None:
    statement = text(
        "SELECT name, opened_at, open_until, reason, coalesce(error, '') AS error FROM s4c.source_state "
        "WHERE name = :name AND opened_at IS NOT NULL"
    )
    row = connection.execute(statement, {"name": name}).mappings().one_or_none()
    return None if row is None else Circuit(**row)


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """A source began to refuse (``opened``), or answered again."""

    at: datetime
    opened: bool
    reason: str
    error: str


def source_events(connection: Connection, name: str) -> list[SourceEvent]:
    """Return when a source refused and when it answered again, oldest first."""
    statement = text("SELECT at, opened, reason, error FROM s4c.source_event WHERE name = :name ORDER BY id")
    return [SourceEvent(**row) for row in connection.execute(statement, {"name": name}).mappings()]


def _record_event(connection: Connection, name: str, now: datetime, *, opened: bool, reason: str, error: str) -> None:
    connection.execute(
        text(
            "INSERT INTO s4c.source_event (name, at, opened, reason, error) "
            "VALUES (:name, :now, :opened, :reason, :error)"
        ),
        {"name": name, "now": now, "opened": opened, "reason": reason, "error": error},
    )


def reserve_request(connection: Connection, name: str, *, per_minute: float | None, now: datetime) -> float:
    """Take the next turn to ask a source something, among all processes.

    Commit at once: others wait for the row.

    Parameters
    ----------
    per_minute : most requests in any minute; None for no limit.

    Returns
    -------
    seconds to wait before the request, 0 when it may go at once.
    """
    if per_minute is None:
        return 0.0
    step = timedelta(seconds=60.0 / per_minute)
    statement = text(
        """
        INSERT INTO s4c.source_state AS s (name, next_request_at) VALUES (:name, CAST(:now AS timestamptz) + :step)
        ON CONFLICT (name) DO UPDATE SET next_request_at = greatest(s.next_request_at, :now) + :step
        RETURNING next_request_at
        """
    )
    after: datetime = connection.execute(statement, {"name": name, "now": now, "step": step}).scalar_one()
    return max(0.0, (after - step - now).total_seconds())


def may_poll(connection: Connection, name: str, *, every_seconds: float, now: datetime) -> bool:
    """Tell one caller in each interval, among all processes, to ask a source for the state of what was ordered."""
    statement = text(
        """
        INSERT INTO s4c.source_state AS s (name, last_poll_at) VALUES (:name, :now)
        ON CONFLICT (name) DO UPDATE SET last_poll_at = excluded.last_poll_at
        WHERE s.last_poll_at IS NULL OR s.last_poll_at <= :latest
        RETURNING true
        """
    )
    values = {"name": name, "now": now, "latest": now - timedelta(seconds=every_seconds)}
    return connection.execute(statement, values).scalar_one_or_none() is not None
