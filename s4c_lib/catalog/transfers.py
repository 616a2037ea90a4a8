"""Claiming acquisitions to fetch: one worker each, on a lease, with the outcome written back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.vocabulary import satellite_numbers
from s4c_lib.errors import LeaseLostError

LONGEST_DELAY = timedelta(hours=12)

# The source that supplies an acquisition to a site: of those the site may fetch from and that listed it, the one
# that listed it last, else the first by priority. Another site's source, or one switched off, is passed over.
_SUPPLIER = """
    SELECT p.key::bigint AS id FROM jsonb_object_keys(a.providers) AS p(key)
    WHERE p.key::bigint = ANY(CAST(:usable AS bigint[]))
    ORDER BY p.key::bigint IS NOT DISTINCT FROM a.data_source_id DESC,
             array_position(CAST(:usable AS bigint[]), p.key::bigint)
    LIMIT 1
"""


def expire(connection: Connection, now: datetime) -> int:
    """Give back what dead workers held; the attempt they began does not count."""
    statement = text(
        """
        SELECT id FROM s4c.acquisition WHERE state = 'downloading' AND lease_until < :now
        ORDER BY id FOR UPDATE SKIP LOCKED
        """
    )
    return _release(connection, list(connection.execute(statement, {"now": now}).scalars()), "lease_expired")


def give_back(connection: Connection, owner_prefix: str) -> int:
    """Give back what an earlier, dead try of the same task holds; the attempt it began does not count.

    Parameters
    ----------
    owner_prefix : the part of the lease owner that names the task and not its process.
    """
    statement = text(
        "SELECT id FROM s4c.acquisition WHERE state = 'downloading' AND starts_with(lease_owner, :prefix) "
        "ORDER BY id FOR UPDATE"
    )
    return _release(connection, list(connection.execute(statement, {"prefix": owner_prefix}).scalars()), "task_died")


def _release(connection: Connection, lost: list[int], reason: str) -> int:
    transition(connection, lost, AcquisitionState.QUEUED, actor="lease", reason=reason)
    connection.execute(
        text("UPDATE s4c.acquisition SET attempts = greatest(attempts - 1, 0) WHERE id = ANY(:ids)"), {"ids": lost}
    )
    return len(lost)


def requeue_failed(connection: Connection, site_id: int, now: datetime, *, actor: str) -> int:
    """Queue again the failed acquisitions of a site whose pause is over."""
    statement = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'failed'
          AND (a.next_attempt_at IS NULL OR a.next_attempt_at <= :now)
        ORDER BY a.id FOR UPDATE OF a SKIP LOCKED
        """
    )
    due = list(connection.execute(statement, {"site_id": site_id, "now": now}).scalars())
    transition(connection, due, AcquisitionState.QUEUED, actor=actor, reason="retry")
    return len(due)


def queued(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    usable: Sequence[int],
    date_from: datetime,
    date_to: datetime,
) -> tuple[int, int]:
    """Return the number and the bytes of acquisitions that wait to be fetched from data sources; see `claim`."""
    statement = text(
        f"""
        SELECT count(*) AS items, coalesce(sum(a.size_bytes), 0)::bigint AS size_bytes
        FROM s4c.acquisition a
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        CROSS JOIN LATERAL ({_SUPPLIER}) supplier
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'queued'
          AND supplier.id = ANY(CAST(:sources AS bigint[]))
          AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
        """
    )
    values = {
        "site_id": site_id,
        "sources": sorted(sources),
        "usable": list(usable),
        "date_from": date_from,
        "date_to": date_to,
    }
    row = connection.execute(statement, values).one()
    return int(row.items), int(row.size_bytes)


def claim(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    usable: Sequence[int],
    owner: str,
    now: datetime,
    lease_seconds: float,
    date_from: datetime,
    date_to: datetime,
) -> Acquisition | None:
    """Take the oldest queued acquisition that data sources supply to a site, or None when none is left.

    Rows that another worker looks at are passed over, so two workers never hold one.

    Parameters
    ----------
    sources : numbers of the data sources to fetch from now.
    usable : numbers of all the site may fetch from, by priority; each acquisition has one supplier among them.
    """
    statement = text(
        f"""
        SELECT a.id, supplier.id AS source
        FROM s4c.acquisition a
        JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        CROSS JOIN LATERAL ({_SUPPLIER}) supplier
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'queued'
          AND supplier.id = ANY(CAST(:sources AS bigint[]))
          AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
        ORDER BY a.sensing_start, a.id
        LIMIT 1 FOR UPDATE OF a SKIP LOCKED
        """
    )
    values = {
        "site_id": site_id,
        "sources": sorted(sources),
        "usable": list(usable),
        "date_from": date_from,
        "date_to": date_to,
    }
    found = connection.execute(statement, values).one_or_none()
    if found is None:
        return None
    lease = (owner, now + timedelta(seconds=lease_seconds))
    transition(connection, [found.id], AcquisitionState.DOWNLOADING, actor=owner, lease=lease)
    connection.execute(
        text("UPDATE s4c.acquisition SET attempts = attempts + 1, data_source_id = :source WHERE id = :id"),
        {"id": found.id, "source": found.source},
    )
    return get_acquisition(connection, found.id)


def extend_lease(connection: Connection, acquisition_id: int, owner: str, until: datetime) -> None:
    """Prolong a lease while the transfer goes on.

    Raises
    ------
    LeaseLostError : the lease ran out and was given back.
    """
    _own(connection, acquisition_id, owner)
    connection.execute(
        text("UPDATE s4c.acquisition SET lease_until = :until WHERE id = :id"), {"until": until, "id": acquisition_id}
    )


def _own(connection: Connection, acquisition_id: int, owner: str) -> Acquisition:
    holder = connection.execute(
        text("SELECT lease_owner FROM s4c.acquisition WHERE id = :id FOR UPDATE"), {"id": acquisition_id}
    ).scalar_one_or_none()
    if holder != owner:
        raise LeaseLostError(
            f"Acquisition {acquisition_id} is no longer held by {owner}.",
            hint="raise lease.seconds if transfers take longer",
        )
    return get_acquisition(connection, acquisition_id)


def complete(
    connection: Connection,
    acquisition_id: int,
    *,
    owner: str,
    full_path: str,
    fetch_mode: str,
    size_bytes: int,
    checksum: str,
) -> None:
    """Record a complete transfer."""
    _own(connection, acquisition_id, owner)
    transition(connection, [acquisition_id], AcquisitionState.DOWNLOADED, actor=owner)
    connection.execute(
        text(
            """
            UPDATE s4c.acquisition
            SET full_path = :full_path, fetch_mode = CAST(:fetch_mode AS s4c.fetch_mode), size_bytes = :size_bytes,
                checksum = :checksum, storage_state = 'online', attempts = 0
            WHERE id = :id
            """
        ),
        {
            "full_path": full_path,
            "fetch_mode": fetch_mode,
            "size_bytes": size_bytes,
            "checksum": checksum,
            "id": acquisition_id,
        },
    )


def retry_delay(failures: int, interval: timedelta) -> timedelta:
    """Return the pause after the k-th failure: the interval, doubled each time, 12 h at most."""
    doubled: timedelta = interval * 2 ** min(max(failures - 1, 0), 16)
    return min(doubled, LONGEST_DELAY)


def fail(
    connection: Connection,
    acquisition_id: int,
    *,
    owner: str,
    reason: str,
    error: str,
    now: datetime,
    max_retries: int,
    retry_interval: timedelta,
    counts_as_attempt: bool = True,
) -> AcquisitionState:
    """Record a failed transfer: due again after a pause, or given up when its tries are used.

    Parameters
    ----------
    counts_as_attempt : False for faults that are not the product's (a full disk).
    """
    acquisition = _own(connection, acquisition_id, owner)
    if not counts_as_attempt:
        transition(connection, [acquisition_id], AcquisitionState.QUEUED, actor=owner, reason=reason, error=error)
        connection.execute(
            text("UPDATE s4c.acquisition SET attempts = greatest(attempts - 1, 0) WHERE id = :id"),
            {"id": acquisition_id},
        )
        return AcquisitionState.QUEUED
    if acquisition.attempts > max_retries:
        after = AcquisitionState.ABORTED
        due = None
    else:
        after = AcquisitionState.FAILED
        due = now + retry_delay(acquisition.attempts, retry_interval)
    transition(connection, [acquisition_id], after, actor=owner, reason=reason, error=error, next_attempt_at=due)
    return after


def force_retry(connection: Connection, acquisition_ids: list[int], *, actor: str) -> None:
    """Queue acquisitions again that failed, were given up or ignored, with a fresh count of tries."""
    transition(connection, acquisition_ids, AcquisitionState.QUEUED, actor=actor, reason="forced")
    connection.execute(text("UPDATE s4c.acquisition SET attempts = 0 WHERE id = ANY(:ids)"), {"ids": acquisition_ids})


def downloaded(connection: Connection, site_id: int, satellites: Sequence[str]) -> list[Acquisition]:
    """Return the fetched acquisitions of a site that nothing has begun to process, oldest first.

    Parameters
    ----------
    satellites : search groups ``s1``, ``s2``, ``l8`` (Landsat 8 and 9).
    """
    statement = text(
        """
        SELECT a.id FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state = 'downloaded'
          AND a.satellite_id = ANY(:satellites)
        ORDER BY a.sensing_start, a.id
        """
    )
    values = {"site_id": site_id, "satellites": satellite_numbers(satellites)}
    ids = connection.execute(statement, values).scalars()
    return [get_acquisition(connection, number) for number in ids.all()]


def anything_left(
    connection: Connection,
    site_id: int,
    *,
    satellites: Sequence[str],
    usable: Collection[int],
    now: datetime,
    date_from: datetime,
    date_to: datetime,
) -> bool:
    """Tell whether an acquisition of a site waits to be decided on, fetched, tried again, given back or registered.

    What is not settled yet (see `settle_selection`) was left by a run that died after its search.

    Parameters
    ----------
    satellites : search groups ``s1``, ``s2``, ``l8`` that the run serves.
    usable : numbers of the data sources that can be fetched from; what only others have has to wait.
    """
    statement = text(
        """
        SELECT EXISTS (
            SELECT 1 FROM s4c.acquisition a JOIN s4c.site_acquisition m ON m.acquisition_id = a.id
            WHERE m.site_id = :site_id AND (m.relevance = 'selected' OR a.state = 'discovered')
              AND a.satellite_id = ANY(CAST(:satellites AS smallint[]))
              AND a.sensing_start >= :date_from AND a.sensing_start < :date_to
              AND (a.state IN ('discovered', 'ignored', 'downloaded')
                   OR (a.providers ?| CAST(:usable AS text[])
                       AND (a.state = 'queued'
                            OR (a.state = 'failed' AND (a.next_attempt_at IS NULL OR a.next_attempt_at <= :now))
                            OR (a.state = 'downloading' AND a.lease_until < :now)))
                   OR (a.state = 'processed' AND EXISTS (
                           SELECT 1 FROM s4c.product p WHERE p.acquisition_id = a.id AND p.state = 'active'
                             -- as products.share_with_site: L3B is each site's own
                             AND p.product_type_id <> 3
                             AND NOT EXISTS (SELECT 1 FROM s4c.product_site x
                                             WHERE x.product_id = p.id AND x.site_id = :site_id))))
        )
        """
    )
    values = {
        "site_id": site_id,
        "satellites": satellite_numbers(satellites),
        "usable": [str(number) for number in usable],
        "now": now,
        "date_from": date_from,
        "date_to": date_to,
    }
    return bool(connection.execute(statement, values).scalar_one())
