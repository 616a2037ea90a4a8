"""The life of an acquisition: the one function that changes its state, and the history it writes.

Source: operations.md §1.4. Nothing else writes ``acquisition.state``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, text

from s4c_lib.errors import TransitionError


class AcquisitionState(StrEnum):
    """Where an acquisition stands."""

    DISCOVERED = "discovered"
    QUEUED = "queued"
    STAGING = "staging"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    ABORTED = "aborted"
    IGNORED = "ignored"
    PROCESSING_FAILED = "processing_failed"


_S = AcquisitionState

ALLOWED: dict[AcquisitionState, frozenset[AcquisitionState]] = {
    _S.DISCOVERED: frozenset({_S.QUEUED, _S.IGNORED}),
    _S.QUEUED: frozenset({_S.STAGING, _S.DOWNLOADING, _S.IGNORED}),
    _S.STAGING: frozenset({_S.QUEUED, _S.FAILED, _S.ABORTED, _S.IGNORED}),
    # back to queued when a worker died and its lease ran out
    _S.DOWNLOADING: frozenset({_S.DOWNLOADED, _S.FAILED, _S.ABORTED, _S.IGNORED, _S.QUEUED}),
    # back to queued when the file is gone (a dangling link)
    _S.DOWNLOADED: frozenset({_S.PROCESSING, _S.IGNORED, _S.QUEUED}),
    _S.PROCESSING: frozenset({_S.PROCESSED, _S.PROCESSING_FAILED, _S.DOWNLOADED, _S.QUEUED}),
    _S.FAILED: frozenset({_S.QUEUED, _S.ABORTED, _S.IGNORED}),
    # what was given up or left out comes back when an operator or a changed selection asks for it
    _S.ABORTED: frozenset({_S.QUEUED, _S.IGNORED}),
    # to processed when an operator takes back what was left out by hand after it was processed
    _S.IGNORED: frozenset({_S.QUEUED, _S.PROCESSED}),
    _S.PROCESSED: frozenset({_S.PROCESSING, _S.IGNORED}),
    _S.PROCESSING_FAILED: frozenset({_S.PROCESSING, _S.DOWNLOADED, _S.IGNORED}),
}

# States in which a reading consumer need not wait any longer (operations.md §1.4); a failed unit that
# will be retried keeps its acquisition in `processing`, so processing_failed is always final here.
TERMINAL = frozenset({_S.PROCESSED, _S.ABORTED, _S.IGNORED, _S.PROCESSING_FAILED})


def check_transition(before: AcquisitionState, after: AcquisitionState) -> None:
    """Refuse a change the state machine does not know.

    Raises
    ------
    TransitionError : names both states and what is allowed instead.
    """
    if after not in ALLOWED[before]:
        allowed = ", ".join(sorted(ALLOWED[before]))
        raise TransitionError(f"An acquisition cannot go from {before} to {after}.", hint=f"from {before}: {allowed}")


def transition(
    connection: Connection,
    acquisition_ids: Sequence[int],
    after: AcquisitionState,
    *,
    actor: str,
    reason: str | None = None,
    error: str | None = None,
    next_attempt_at: datetime | None = None,
    lease: tuple[str, datetime] | None = None,
) -> None:
    """Move acquisitions to a state, all or none, and write one event each.

    Parameters
    ----------
    reason : reason code in lower_snake_case, kept with the acquisition and the event.
    error : one line of what went wrong; cleared when left out.
    next_attempt_at : when a failed acquisition is due again.
    lease : (owner, until) of the worker that takes it; cleared when left out.
    """
    ids = sorted(set(acquisition_ids))
    if not ids:
        return
    statement = text("SELECT id, state FROM s4c.acquisition WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
    before = {row.id: AcquisitionState(row.state) for row in connection.execute(statement, {"ids": ids})}
    if missing := sorted(set(ids) - set(before)):
        raise TransitionError(f"Acquisition {missing[0]} does not exist.", hint="it may have been deleted meanwhile")
    for state in before.values():
        check_transition(state, after)
    owner, until = lease or (None, None)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition
            SET state = CAST(:after AS s4c.acquisition_state), reason_code = :reason, last_error = :error,
                next_attempt_at = :next_attempt_at, lease_owner = :owner, lease_until = :until,
                updated_at = clock_timestamp()
            WHERE id = ANY(:ids)
            """
        ),
        {
            "after": after,
            "reason": reason,
            "error": error,
            "next_attempt_at": next_attempt_at,
            "owner": owner,
            "until": until,
            "ids": ids,
        },
    )
    record_events(connection, before, after, actor=actor, reason=reason)


def record_events(
    connection: Connection,
    before: dict[int, AcquisitionState] | dict[int, None],
    after: AcquisitionState,
    *,
    actor: str,
    reason: str | None,
) -> None:
    """Append one event per acquisition; ``before`` maps ids to the earlier state, None at discovery."""
    connection.execute(
        text(
            """
            INSERT INTO s4c.acquisition_event (acquisition_id, from_state, to_state, actor, reason)
            VALUES (:id, CAST(:before AS s4c.acquisition_state), CAST(:after AS s4c.acquisition_state), :actor, :reason)
            """
        ),
        [
            {"id": key, "before": value, "after": after, "actor": actor, "reason": reason}
            for key, value in before.items()
        ],
    )
