"""Where an acquisition is fetched from, and what holds its source: for the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from s4c_lib.catalog import transfers


@dataclass(frozen=True, slots=True)
class Supply:
    """The source of an acquisition and how that stands.

    Attributes
    ----------
    source : name of the source that it came from, or is asked for it next; None where no source has it any more.
    also_at : other sources that listed it, or are to be asked for it.
    circuit_until, circuit_reason : nothing is asked of the source before then, and why.
    quota : what holds its source back where that is its quota of bytes.
    staging_since, ordered_at : when it was taken in hand and when the source took the order; None when not on order.
    nothing_because : why nothing is made of it, where all its units are left out.
    made_removed : why its products were removed, where retention removed all of them.
    unit_fault, unit_due : why the unit that is tried again first failed, and when it is; None when none waits so.
    """

    source: str | None = None
    also_at: tuple[str, ...] = ()
    circuit_until: datetime | None = None
    circuit_reason: str | None = None
    quota: str | None = None
    staging_since: datetime | None = None
    ordered_at: datetime | None = None
    nothing_because: str | None = None
    made_removed: str | None = None
    unit_fault: str | None = None
    unit_due: datetime | None = None


def supplies(connection: Connection, acquisition_ids: Sequence[int], *, now: datetime) -> dict[int, Supply]:
    """Return the supply of acquisitions by their numbers."""
    statement = text(
        """
        SELECT a.id, a.state = 'queued' AND d.driver <> 'local' AS waits, d.name AS source,
               array(SELECT DISTINCT other.name FROM s4c.data_source other
                     WHERE (a.providers ? other.id::text OR other.id = a.fallback_source_id)
                       AND other.name IS DISTINCT FROM d.name ORDER BY 1) AS also_at,
               CASE WHEN c.open_until > :now THEN c.open_until END AS circuit_until,
               CASE WHEN c.open_until > :now THEN c.reason END AS circuit_reason,
               CASE WHEN a.state = 'staging' THEN a.staging_since END AS staging_since,
               CASE WHEN a.state = 'staging' THEN a.ordered_at END AS ordered_at,
               (SELECT CASE WHEN bool_and(u.state = 'ignored') THEN min(u.reason_code) END
                FROM s4c.acquisition_unit u WHERE u.acquisition_id = a.id) AS nothing_because,
               (SELECT CASE WHEN bool_and(p.removed_at IS NOT NULL) THEN min(p.removed_because) END
                FROM s4c.product p WHERE p.acquisition_id = a.id AND p.state = 'active' AND p.product_type_id <> 3)
                   AS made_removed,
               w.reason_code AS unit_fault, w.next_attempt_at AS unit_due
        FROM s4c.acquisition a
        LEFT JOIN LATERAL (
            SELECT u.reason_code, u.next_attempt_at FROM s4c.acquisition_unit u
            WHERE u.acquisition_id = a.id AND u.state = 'failed' AND u.retryable AND u.attempts < u.max_attempts
            ORDER BY u.next_attempt_at, u.id LIMIT 1
        ) w ON a.state = 'processing'
        LEFT JOIN s4c.data_source d
               ON d.id = CASE WHEN a.state = 'queued' THEN coalesce(a.fallback_source_id, a.data_source_id)
                              ELSE a.data_source_id END
        LEFT JOIN s4c.source_state c ON c.name = d.name
        WHERE a.id = ANY(:ids)
        """
    )
    rows = connection.execute(statement, {"ids": list(acquisition_ids), "now": now}).mappings().all()
    waiting = sorted({row["source"] for row in rows if row["waits"]})
    quotas = {name: transfers.over_quota(connection, name, now) for name in waiting}
    return {
        row["id"]: Supply(
            **{key: row[key] for key in row if key not in {"id", "waits", "also_at"}},
            also_at=tuple(row["also_at"]),
            quota=quotas[row["source"]] if row["waits"] else None,
        )
        for row in rows
    }
