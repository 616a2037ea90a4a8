"""Products on tape: which are ordered, which have come online, which wait too long. No transfer slot is involved.

Source: operations.md §3.5. A queued acquisition whose storage state is ``offline`` is ordered (state ``staging``), and
queued again, ``online``, when the source has it ready.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog import source_state, source_usage
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.suppliers import SUPPLIER
from s4c_lib.catalog.transfer_faults import Fault, FaultClass, jittered, settle
from s4c_lib.reasons import Reason


def order_batch(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    usable: Sequence[int],
    now: datetime,
    date_from: datetime,
    date_to: datetime,
    actor: str,
    limit: int | None = None,
    lost_after_seconds: float = 600,
) -> list[Acquisition]:
    """Take what is to be ordered now, oldest first: it goes to state ``staging``.

    The caller orders these at the source and then says `confirm` or `refused` of each; what a dead worker took and
    never confirmed is returned again after a while. As many as the source's quota ``orders`` leaves room for, over
    all sites; none while its circuit is open.

    Parameters
    ----------
    sources : numbers of the data sources to order from.
    usable : numbers of all the site may fetch from, by priority (see `transfers.claim`).
    limit : most to return.
    lost_after_seconds : how long an order may take to be confirmed.
    """
    statement = text(
        "SELECT name, array_agg(id ORDER BY id) AS ids FROM s4c.data_source "
        "WHERE id = ANY(:ids) AND driver <> 'local' GROUP BY name ORDER BY name"
    )
    found: list[Acquisition] = []
    for row in connection.execute(statement, {"ids": sorted(sources)}).all():
        source_state.lock_source(connection, row.name)
        if source_state.circuit(connection, row.name, now=now) is not None:
            continue
        room = None if limit is None else max(0, limit - len(found))
        lost = _lost(connection, row.ids, now - timedelta(seconds=lost_after_seconds), room)
        most = source_usage.limits(connection, row.name).orders
        left = [] if room is None else [room - len(lost)]
        left += [] if most is None else [max(0, most - len(list_staging(connection, row.name)))]
        values = {
            "site_id": site_id,
            "sources": row.ids,
            "usable": list(usable),
            "date_from": date_from,
            "date_to": date_to,
            "room": min(left, default=None),
        }
        offline = connection.execute(text(_NEXT_OFFLINE), values).all()
        new = [item.id for item in offline]
        transition(connection, new, AcquisitionState.STAGING, actor=actor, reason=str(Reason.OFFLINE))
        for item in offline:
            connection.execute(
                text("UPDATE s4c.acquisition SET data_source_id = :source WHERE id = :id"),
                {"source": item.source, "id": item.id},
            )
        connection.execute(
            text("UPDATE s4c.acquisition SET staging_since = :now, ordered_at = NULL WHERE id = ANY(:ids)"),
            {"now": now, "ids": [*new, *lost]},
        )
        found += [get_acquisition(connection, number) for number in (*lost, *new)]
    return found


_OFFLINE = f"""
    FROM s4c.acquisition a
    JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
    CROSS JOIN LATERAL ({SUPPLIER}) supplier
    WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'queued' AND a.storage_state = 'offline'
      AND supplier.id = ANY(CAST(:sources AS bigint[])) AND supplier.driver <> 'local'
      AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
"""
_NEXT_OFFLINE = f"""
    SELECT a.id, supplier.id AS source {_OFFLINE}
    ORDER BY a.sensing_start, a.id LIMIT CAST(:room AS bigint) FOR UPDATE OF a SKIP LOCKED
"""


def _lost(connection: Connection, sources: Sequence[int], before: datetime, room: int | None) -> list[int]:
    statement = text(
        """
        SELECT id FROM s4c.acquisition
        WHERE state = 'staging' AND ordered_at IS NULL AND staging_since <= :before AND data_source_id = ANY(:sources)
        ORDER BY sensing_start, id LIMIT CAST(:room AS bigint) FOR UPDATE SKIP LOCKED
        """
    )
    return list(connection.execute(statement, {"before": before, "sources": list(sources), "room": room}).scalars())


def confirm(connection: Connection, acquisition_ids: Sequence[int], *, now: datetime) -> None:
    """Record that the source took the orders."""
    connection.execute(
        text("UPDATE s4c.acquisition SET ordered_at = :now WHERE id = ANY(:ids) AND state = 'staging'"),
        {"now": now, "ids": list(acquisition_ids)},
    )


def not_ordered(connection: Connection, acquisition_ids: Sequence[int], *, actor: str) -> None:
    """Put back what could not be ordered because the source did not answer; it is ordered by the next that tries."""
    ids = _still_staging(connection, acquisition_ids)
    transition(connection, ids, AcquisitionState.QUEUED, actor=actor, reason="not_ordered")
    connection.execute(
        text("UPDATE s4c.acquisition SET storage_state = 'offline' WHERE id = ANY(:ids)"), {"ids": list(ids)}
    )


def put_off(
    connection: Connection,
    acquisition_ids: Sequence[int],
    *,
    error: str,
    now: datetime,
    retry_interval: timedelta,
    actor: str,
) -> None:
    """Order again after a pause what the source had no room for; no attempt is counted, it is no fault of theirs."""
    for number in _still_staging(connection, acquisition_ids):
        transition(
            connection,
            [number],
            AcquisitionState.FAILED,
            actor=actor,
            reason=str(Reason.OFFLINE),
            error=error,
            next_attempt_at=now + jittered(retry_interval, number, 0),
        )


def refused(
    connection: Connection,
    acquisition_id: int,
    *,
    error: str,
    now: datetime,
    max_retries: int,
    retry_interval: timedelta,
    actor: str,
    usable: Sequence[int] = (),
) -> None:
    """Count as a failed transfer that the source would not take the order of this product; see `transfers.fail`."""
    if _still_staging(connection, [acquisition_id]):
        _count_failed(connection, acquisition_id, error, now, max_retries, retry_interval, actor, usable)


def to_queue(connection: Connection, acquisition_ids: Sequence[int], *, actor: str) -> int:
    """Queue what came online; returns how many. What is no longer staging is passed over."""
    ids = _still_staging(connection, acquisition_ids)
    transition(connection, ids, AcquisitionState.QUEUED, actor=actor, reason="staged")
    connection.execute(
        text("UPDATE s4c.acquisition SET storage_state = 'online' WHERE id = ANY(:ids)"), {"ids": list(ids)}
    )
    return len(ids)


def overdue(
    connection: Connection,
    name: str,
    *,
    max_hours: float,
    now: datetime,
    max_retries: int,
    retry_interval: timedelta,
    actor: str,
    usable: Sequence[int] = (),
) -> int:
    """Count as failed transfers what a source has not brought online in time; returns how many.

    Parameters
    ----------
    max_hours : ``staging.max_hours``. usable : see `transfers.fail`.
    """
    statement = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.data_source d ON d.id = a.data_source_id
        WHERE a.state = 'staging' AND d.name = :name AND coalesce(a.ordered_at, a.staging_since) < :before
        ORDER BY a.id FOR UPDATE OF a SKIP LOCKED
        """
    )
    before = now - timedelta(hours=max_hours)
    late = list(connection.execute(statement, {"name": name, "before": before}).scalars())
    error = f"{name} has not brought it online within {max_hours:g} h"
    for number in late:
        _count_failed(connection, number, error, now, max_retries, retry_interval, actor, usable)
    return len(late)


def _count_failed(
    connection: Connection,
    acquisition_id: int,
    error: str,
    now: datetime,
    max_retries: int,
    retry_interval: timedelta,
    actor: str,
    usable: Sequence[int],
) -> None:
    statement = text(
        "UPDATE s4c.acquisition SET attempts = attempts + 1, storage_state = 'offline' WHERE id = :id "
        "RETURNING attempts"
    )
    attempts = connection.execute(statement, {"id": acquisition_id}).scalar_one()
    reason = str(Reason.OFFLINE)
    fault = Fault(FaultClass.TRANSIENT, reason, error, now, attempts, max_retries, retry_interval, usable)
    settle(connection, acquisition_id, fault, actor=actor)


def to_order(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    usable: Sequence[int],
    date_from: datetime,
    date_to: datetime,
) -> int:
    """Return how many acquisitions of a site have to be ordered from data sources before they can be fetched."""
    values = {
        "site_id": site_id,
        "sources": sorted(sources),
        "usable": list(usable),
        "date_from": date_from,
        "date_to": date_to,
    }
    return int(connection.execute(text(f"SELECT count(*) {_OFFLINE}"), values).scalar_one())


def waiting(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    date_from: datetime | None = None,
    date_to: datetime | None = None,
) -> int:
    """Return how many acquisitions of a site are ordered from data sources and not yet online.

    Parameters
    ----------
    date_from, date_to : sensing start in [date_from, date_to).
    """
    statement = text(
        """
        SELECT count(*) FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'staging'
          AND a.data_source_id = ANY(CAST(:sources AS bigint[]))
          AND (CAST(:date_from AS timestamptz) IS NULL OR a.sensing_start >= :date_from)
          AND (CAST(:date_to AS timestamptz) IS NULL OR a.sensing_start < :date_to)
        """
    )
    values = {"site_id": site_id, "sources": sorted(sources), "date_from": date_from, "date_to": date_to}
    return int(connection.execute(statement, values).scalar_one())


def list_staging(connection: Connection, name: str) -> list[Acquisition]:
    """Return what is ordered from a source and not yet online, over all sites, oldest order first."""
    statement = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.data_source d ON d.id = a.data_source_id
        WHERE a.state = 'staging' AND d.name = :name ORDER BY a.staging_since, a.id
        """
    )
    ids = connection.execute(statement, {"name": name}).scalars().all()
    return [get_acquisition(connection, number) for number in ids]


def _still_staging(connection: Connection, acquisition_ids: Sequence[int]) -> list[int]:
    statement = text("SELECT id FROM s4c.acquisition WHERE id = ANY(:ids) AND state = 'staging' ORDER BY id FOR UPDATE")
    return list(connection.execute(statement, {"ids": list(acquisition_ids)}).scalars())
