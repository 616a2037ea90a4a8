"""Work on products in force: the L3B of an L2A tile, the statistics of a raster's parcels.

What is missing is found by looking at what is there, never by a list of what was done. A row of ``derivation`` is the
claim of one worker on one piece, with its tries and the reason of a failure; a piece that is done and yet missing (its
output was superseded, or another variable is wanted) is opened again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.missing_products import Piece
from s4c_lib.catalog.vocabulary import PROCESSORS, processor_name
from s4c_lib.errors import LeaseLostError, NotFoundError


@dataclass(frozen=True, slots=True)
class WorkKey:
    """Which kind of work: all its pieces share this.

    Parameters
    ----------
    processor : ``l3b`` or ``s4c_mdb1``.
    parcel_set_id : version of the parcels, of statistics only.
    config_hash : of the parameters that decide the result.
    sensed : only products sensed in [first, after last); what other seasons of the site have is left to them.
    """

    site_id: int
    processor: str
    config_hash: str
    parcel_set_id: int | None = None
    sensed: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Derivation:
    """A piece of work as stored."""

    id: int
    site_id: int
    processor: str
    product_id: int
    tile: str
    parcel_set_id: int | None
    config_hash: str
    state: str
    attempts: int
    max_attempts: int
    retryable: bool
    reason_code: str | None
    failed_reason: str | None
    output_product_id: int | None
    lease_owner: str | None
    next_attempt_at: datetime | None


_COLUMNS = (
    "d.id, d.site_id, d.processor_id, d.product_id, d.tile, d.parcel_set_id, d.config_hash, d.state, d.attempts, "
    "d.max_attempts, d.retryable, d.reason_code, d.failed_reason, d.output_product_id, d.lease_owner, d.next_attempt_at"
)
_OF_KEY = """
    d.site_id = :site_id AND d.processor_id = :processor_id AND d.config_hash = :config_hash
    AND d.parcel_set_id IS NOT DISTINCT FROM :parcel_set_id
    AND (CAST(:first AS timestamptz) IS NULL OR EXISTS (
            SELECT 1 FROM s4c.product s
            WHERE s.id = d.product_id AND s.acquired_at >= :first AND s.acquired_at < :stop))
"""
_DUE = """
    (d.state = 'pending' OR (d.state = 'failed' AND d.retryable AND d.attempts < d.max_attempts
                             AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= :now)))
"""


def _derivation(row: RowMapping) -> Derivation:
    values = dict(row)
    values["processor"] = processor_name(values.pop("processor_id"))
    return Derivation(**values)


def _values(key: WorkKey) -> dict[str, object]:
    return {
        "site_id": key.site_id,
        "processor_id": PROCESSORS[key.processor],
        "config_hash": key.config_hash,
        "parcel_set_id": key.parcel_set_id,
        "first": None if key.sensed is None else key.sensed[0],
        "stop": None if key.sensed is None else key.sensed[1],
    }


def plan(connection: Connection, key: WorkKey, pieces: Iterable[Piece], *, max_attempts: int, now: datetime) -> int:
    """Bring the claims in line with what is missing; return how many pieces can be worked on now.

    Parameters
    ----------
    pieces : everything of this kind that has no output in force.
    """
    wanted = sorted(set(pieces))
    values = _values(key) | {
        "products": [piece.product_id for piece in wanted],
        "tiles": [piece.tile for piece in wanted],
        "max_attempts": max_attempts,
        "now": now,
    }
    connection.execute(
        text(
            """
            INSERT INTO s4c.derivation AS d
                (site_id, processor_id, product_id, tile, parcel_set_id, config_hash, max_attempts)
            SELECT :site_id, :processor_id, w.product_id, w.tile, :parcel_set_id, :config_hash, :max_attempts
            FROM unnest(CAST(:products AS bigint[]), CAST(:tiles AS text[])) AS w (product_id, tile)
            ON CONFLICT ON CONSTRAINT derivation_key DO UPDATE
            SET state = 'pending', attempts = 0, reason_code = NULL, failed_reason = NULL, output_product_id = NULL,
                updated_at = clock_timestamp()
            WHERE d.state = 'done'
            """
        ),
        values,
    )
    # What was planned and is made meanwhile, or wanted no longer; compared here, as PostgreSQL does not know how many
    # rows it has just written and takes a minute for 25 000.
    statement = text(
        f"SELECT d.id, d.product_id, d.tile FROM s4c.derivation d WHERE {_OF_KEY} AND d.state IN ('pending', 'failed')"
    )
    kept = {(piece.product_id, piece.tile) for piece in wanted}
    gone = [row.id for row in connection.execute(statement, values) if (row.product_id, row.tile) not in kept]
    connection.execute(
        text("DELETE FROM s4c.derivation WHERE id = ANY(:ids) AND state IN ('pending', 'failed')"), {"ids": gone}
    )
    return int(
        connection.execute(
            text(f"SELECT count(*) FROM s4c.derivation d WHERE {_OF_KEY} AND {_DUE}"), values
        ).scalar_one()
    )


def due_bytes(connection: Connection, key: WorkKey, *, now: datetime) -> int:
    """Return the bytes of the acquisitions behind the pieces that can be worked on now: a measure of the work."""
    statement = text(
        f"""
        SELECT coalesce(sum(a.size_bytes), 0) FROM s4c.derivation d
        JOIN s4c.product p ON p.id = d.product_id JOIN s4c.acquisition a ON a.id = p.acquisition_id
        WHERE {_OF_KEY} AND {_DUE}
        """
    )
    return int(connection.execute(statement, _values(key) | {"now": now}).scalar_one())


def claim(
    connection: Connection, key: WorkKey, *, owner: str, now: datetime, lease_seconds: float
) -> Derivation | None:
    """Take the oldest piece that is due; failed ones whose pause is over first. None when nothing is left."""
    row = (
        connection.execute(
            text(
                f"""
                WITH due AS (
                    SELECT d.id FROM s4c.derivation d JOIN s4c.product p ON p.id = d.product_id
                    WHERE {_OF_KEY} AND {_DUE}
                    ORDER BY (d.state = 'failed') DESC, p.acquired_at, d.tile, d.id
                    LIMIT 1 FOR UPDATE OF d SKIP LOCKED
                )
                UPDATE s4c.derivation d
                SET state = 'processing', attempts = d.attempts + 1, lease_owner = :owner, lease_until = :until,
                    reason_code = NULL, failed_reason = NULL, updated_at = clock_timestamp()
                FROM due WHERE d.id = due.id RETURNING {_COLUMNS}
                """
            ),
            _values(key) | {"now": now, "owner": owner, "until": now + timedelta(seconds=lease_seconds)},
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else _derivation(row)


def get(connection: Connection, derivation_id: int) -> Derivation:
    """Return one piece of work by number."""
    row = (
        connection.execute(text(f"SELECT {_COLUMNS} FROM s4c.derivation d WHERE d.id = :id"), {"id": derivation_id})
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFoundError(f"There is no derivation {derivation_id}.")
    return _derivation(row)


def list_derivations(connection: Connection, key: WorkKey) -> list[Derivation]:
    """Return all pieces of a kind, by acquisition time and tile."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.derivation d JOIN s4c.product p ON p.id = d.product_id WHERE {_OF_KEY} "
        "ORDER BY p.acquired_at, d.tile, d.id"
    )
    return [_derivation(row) for row in connection.execute(statement, _values(key)).mappings()]


def extend_lease(connection: Connection, derivation_id: int, *, owner: str, until: datetime) -> None:
    """Prolong a claim.

    Raises
    ------
    LeaseLostError : it ran out and the piece was given to someone else, or its product went.
    """
    _update(connection, derivation_id, owner, "lease_until = :until", {"until": until})


def finish(connection: Connection, derivation_id: int, *, owner: str, output_product_id: int | None) -> None:
    """Record that a piece is done."""
    _update(
        connection,
        derivation_id,
        owner,
        "state = 'done', output_product_id = :output, lease_owner = NULL, lease_until = NULL",
        {"output": output_product_id},
    )


def fail(
    connection: Connection,
    derivation_id: int,
    *,
    owner: str,
    reason: str,
    error: str,
    retryable: bool,
    next_attempt_at: datetime | None,
) -> None:
    """Record why a piece could not be made, and when it may be tried again."""
    _update(
        connection,
        derivation_id,
        owner,
        "state = 'failed', reason_code = :reason, failed_reason = :error, retryable = :retryable, "
        "next_attempt_at = :next_attempt_at, lease_owner = NULL, lease_until = NULL",
        {"reason": reason, "error": error, "retryable": retryable, "next_attempt_at": next_attempt_at},
    )


def _update(
    connection: Connection, derivation_id: int, owner: str, assignments: str, values: dict[str, object]
) -> None:
    changed = connection.execute(
        text(
            f"UPDATE s4c.derivation SET {assignments}, updated_at = clock_timestamp() "
            "WHERE id = :id AND state = 'processing' AND lease_owner = :owner"
        ),
        {"id": derivation_id, "owner": owner, **values},
    ).rowcount
    if not changed:
        raise LeaseLostError(
            f"Derivation {derivation_id} is no longer held by {owner}.",
            hint="raise lease.seconds if pieces take longer",
        )


def expire(connection: Connection, now: datetime) -> int:
    """Give back the pieces of dead workers, the try not counted."""
    return _release(connection, "lease_until < :now", {"now": now})


def give_back(connection: Connection, owner_prefix: str) -> int:
    """Give back what an earlier try of the same worker held; nobody works on it."""
    return _release(connection, "starts_with(lease_owner, :prefix)", {"prefix": owner_prefix})


def _release(connection: Connection, condition: str, values: dict[str, object]) -> int:
    statement = text(
        f"""
        WITH lost AS (
            SELECT id FROM s4c.derivation WHERE state = 'processing' AND {condition} ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE s4c.derivation d
        SET state = 'pending', attempts = greatest(d.attempts - 1, 0), lease_owner = NULL, lease_until = NULL,
            updated_at = clock_timestamp()
        FROM lost WHERE d.id = lost.id
        """
    )
    return connection.execute(statement, values).rowcount


def failed_of(connection: Connection, acquisition_id: int) -> int:
    """Return how many L3B products and statistics of an acquisition could not be made."""
    statement = text(
        """
        SELECT count(*) FROM s4c.derivation d JOIN s4c.product p ON p.id = d.product_id
        WHERE p.acquisition_id = :id AND d.state = 'failed'
        """
    )
    return int(connection.execute(statement, {"id": acquisition_id}).scalar_one())


def reset_failed(connection: Connection, acquisition_ids: Sequence[int]) -> int:
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
