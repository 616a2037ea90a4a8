"""Claiming acquisitions to fetch: one worker each, on a lease, with the outcome written back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from s4c_lib.catalog import source_state, source_usage, withdrawals
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.data_sources import sources_for
from s4c_lib.catalog.sites import list_sites
from s4c_lib.catalog.suppliers import IN_TURN, WAITING, waiting_values
from s4c_lib.catalog.transfer_faults import Fault, FaultClass, forget_faults, settle
from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES, satellite_numbers
from s4c_lib.errors import LeaseLostError
from s4c_lib.reasons import Reason


def expire(connection: Connection, now: datetime) -> int:
    """Give back what dead workers held; the attempt they began does not count. Returns how many they were.

    What was ordered from a source that is gone or switched off is queued again too: others may have it.
    """
    orphans = text(
        """
        SELECT a.id FROM s4c.acquisition a WHERE a.state = 'staging' AND NOT EXISTS (
            SELECT 1 FROM s4c.data_source d WHERE d.id = a.data_source_id AND d.enabled AND d.can_download)
        ORDER BY a.id FOR UPDATE SKIP LOCKED
        """
    )
    ids = list(connection.execute(orphans).scalars())
    transition(connection, ids, AcquisitionState.QUEUED, actor="lease", reason="source_off")
    connection.execute(text("UPDATE s4c.acquisition SET storage_state = 'unknown' WHERE id = ANY(:ids)"), {"ids": ids})
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
    """Return the number and the bytes of acquisitions that can be fetched from data sources now; see `claim`."""
    statement = text(f"SELECT count(*) AS items, coalesce(sum(a.size_bytes), 0)::bigint AS size_bytes {WAITING}")
    row = connection.execute(statement, waiting_values(site_id, sources, usable, date_from, date_to)).one()
    return int(row.items), int(row.size_bytes)


_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_NEXT = f"SELECT a.id, a.size_bytes, supplier.id AS source, supplier.name, supplier.driver {WAITING} {IN_TURN} LIMIT 1"


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
    """Take the next queued acquisition that data sources supply to a site, or None when none may be taken.

    Rows that another worker looks at are passed over, so two workers never hold one. From a remote source nothing
    is taken while its circuit is open, all its connections are in use in the whole system, or its quota of bytes is
    used up; `held_back` says so.

    Parameters
    ----------
    sources : numbers of the data sources to fetch from now.
    usable : numbers of all the site may fetch from, by priority; each acquisition has one supplier among them.
    """
    free = _not_held_back(connection, sources, now)
    statement = text(f"{_NEXT} FOR UPDATE OF a SKIP LOCKED")
    values = {**waiting_values(site_id, free, usable, date_from, date_to), "today": now.date()}
    found = connection.execute(statement, values).one_or_none() if free else None
    if found is None:
        return None
    remote = found.driver != "local"
    if remote and _over_quota(connection, found.name, now, expected_bytes=found.size_bytes or 1) is not None:
        return None
    lease = (owner, now + timedelta(seconds=lease_seconds))
    transition(connection, [found.id], AcquisitionState.DOWNLOADING, actor=owner, lease=lease)
    connection.execute(
        text("UPDATE s4c.acquisition SET attempts = attempts + 1, data_source_id = :source WHERE id = :id"),
        {"id": found.id, "source": found.source},
    )
    return get_acquisition(connection, found.id)


def _not_held_back(connection: Connection, sources: Collection[int], now: datetime) -> list[int]:
    """Return those of the sources that may be fetched from now; remote ones stay locked until the transaction ends."""
    statement = text("SELECT id, name, driver FROM s4c.data_source WHERE id = ANY(:ids) ORDER BY name, id")
    rows = connection.execute(statement, {"ids": sorted(sources)}).all()
    held: dict[str, bool] = {}
    for row in rows:
        if row.driver == "local":
            held[row.name] = False
        elif row.name not in held:
            source_state.lock_source(connection, row.name)
            held[row.name] = held_back(connection, row.name, now) is not None
    return [row.id for row in rows if not held[row.name]]


def next_held_back(
    connection: Connection,
    site_id: int,
    sources: Collection[int],
    *,
    usable: Sequence[int],
    now: datetime,
    date_from: datetime,
    date_to: datetime,
) -> str | None:
    """Return in one line why `claim` would not take the next product of remote sources, or None."""
    values = {**waiting_values(site_id, sources, usable, date_from, date_to), "today": now.date()}
    found = connection.execute(text(_NEXT), values).one_or_none()
    if found is None or found.driver == "local":
        return None
    return held_back(connection, found.name, now, expected_bytes=found.size_bytes or 1)


def held_back(connection: Connection, name: str, now: datetime, *, expected_bytes: int = 1) -> str | None:
    """Return in one line why nothing is fetched from a remote source now, or None.

    Parameters
    ----------
    expected_bytes : of what would be fetched.
    """
    circuit = source_state.circuit(connection, name, now=now)
    if circuit is not None:
        return circuit.text
    most = source_usage.limits(connection, name).connections
    active, _ = in_progress(connection, name)
    if active >= most:
        return f"{name}: {active} of {most} connections are in use"
    return _over_quota(connection, name, now, expected_bytes=expected_bytes)


def over_quota(connection: Connection, name: str, now: datetime) -> str | None:
    """Return in one line that the quota of bytes of a source has no room for what comes next, or None.

    Next is, of the products that each site would fetch from it first, the largest; a byte where none waits.
    """
    most = 1
    for site in list_sites(connection):
        known = [source for satellite in SEARCHED_SATELLITES for source in sources_for(connection, site.id, satellite)]
        usable = {source.id: source.name for source in known if source.can_download}
        named = [number for number, source_name in usable.items() if source_name == name]
        values = {**waiting_values(site.id, named, list(usable), *_EVER), "today": now.date()}
        found = connection.execute(text(_NEXT), values).one_or_none() if named else None
        most = max(most, 0 if found is None else found.size_bytes or 0)
    return _over_quota(connection, name, now, expected_bytes=most)


def _over_quota(connection: Connection, name: str, now: datetime, *, expected_bytes: int) -> str | None:
    """Return why a product of a size (1: not known) may not be fetched: with it the quota would be exceeded."""
    _, coming = in_progress(connection, name)
    return source_usage.above_quota(connection, name, now=now, coming=coming, expected_bytes=expected_bytes)


def in_progress(connection: Connection, name: str | None = None) -> tuple[int, int]:
    """Return the number and the expected bytes of the transfers in progress: from one source, or from all (None)."""
    statement = text(
        """
        SELECT count(*) AS items, coalesce(sum(a.size_bytes), 0)::bigint AS size_bytes
        FROM s4c.acquisition a LEFT JOIN s4c.data_source d ON d.id = a.data_source_id
        WHERE a.state = 'downloading' AND (CAST(:name AS text) IS NULL OR d.name = :name)
        """
    )
    row = connection.execute(statement, {"name": name}).one()
    return int(row.items), int(row.size_bytes)


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
                checksum = :checksum, storage_state = 'online', archived_at = NULL, removed_at = NULL,
                removed_because = NULL
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
    forget_faults(connection, [acquisition_id])


def fail(
    connection: Connection,
    acquisition_id: int,
    *,
    owner: str,
    outcome: FaultClass,
    reason: str,
    error: str,
    now: datetime,
    max_retries: int,
    retry_interval: timedelta,
    usable: Sequence[int] = (),
) -> AcquisitionState:
    """Record a failed transfer and return what becomes of the acquisition: queued, failed or aborted.

    Transient faults are tried again after a pause, ``max_retries`` times, then once on another source. What a source
    no longer has is asked of the next at once; when all are through, again after 24 h, three times in all. Faults
    that are not the product's put it back as it was.

    Parameters
    ----------
    outcome : see `transfer_faults.fault_of`.
    usable : numbers of all the site may fetch from, by priority; none leaves out the try on another source.
    """
    acquisition = _own(connection, acquisition_id, owner)
    fault = Fault(outcome, reason, error, now, acquisition.attempts, max_retries, retry_interval, usable)
    return settle(connection, acquisition_id, fault, actor=owner)


def force_retry(connection: Connection, acquisition_ids: Sequence[int], *, actor: str) -> None:
    """Queue acquisitions again that failed, were given up or ignored, with a fresh count of tries."""
    transition(connection, acquisition_ids, AcquisitionState.QUEUED, actor=actor, reason="forced")
    forget_faults(connection, acquisition_ids)


def ignore_by_hand(connection: Connection, acquisition_ids: Sequence[int], *, actor: str, why: str) -> list[int]:
    """Leave acquisitions out because an operator says so, until `force_retry`; no search brings them back.

    What was made of processed ones leaves force, see `withdrawals`; returns the numbers of these products.

    Raises
    ------
    TransitionError : one is being fetched or processed. ConflictError : of one that is processed see `withdraw`.
    """
    statement = text("SELECT id, state::text FROM s4c.acquisition WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
    before = connection.execute(statement, {"ids": sorted(set(acquisition_ids))}).all()
    processed = [row.id for row in before if row.state == AcquisitionState.PROCESSED]
    products = withdrawals.withdraw(connection, processed, actor=actor, why=why) if processed else []
    ignored = AcquisitionState.IGNORED
    transition(connection, acquisition_ids, ignored, actor=actor, reason=str(Reason.BY_HAND), error=why)
    return products


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
              AND (a.state IN ('discovered', 'downloaded')
                   OR (a.state = 'ignored' AND a.reason_code IS DISTINCT FROM 'by_hand')
                   OR ((a.providers ?| CAST(:usable AS text[]) OR a.fallback_source_id::text = ANY(:usable))
                       AND (a.state IN ('queued', 'staging')
                            OR (a.state = 'failed' AND (a.next_attempt_at IS NULL OR a.next_attempt_at <= :now))
                            OR (a.state = 'downloading' AND a.lease_until < :now)))
                   OR (a.state = 'processed' AND EXISTS (
                           SELECT 1 FROM s4c.product p WHERE p.acquisition_id = a.id AND p.state = 'active'
                             AND p.removed_at IS NULL
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
