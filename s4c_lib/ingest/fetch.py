"""The fetch step: claim queued acquisitions one by one and bring each under the downloads folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from s4c_lib.catalog import transfers
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.data_sources import DataSource, list_sources
from s4c_lib.catalog.database import Database
from s4c_lib.errors import DiskFullError, InputError, LeaseLostError, Sen4capError
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.context import IngestContext
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.reasons import Reason
from s4c_lib.sources.model import FetchMode, FetchResult
from s4c_lib.sources.product_names import parse_product_name
from s4c_lib.sources.transfer import fetch_local

log = structlog.get_logger(__name__)

# For planning only: what a copy moves in a second, and what each product costs besides.
PLANNED_BYTES_PER_SECOND = 50e6
PLANNED_SECONDS_EACH = 0.2

Progress = Callable[[int, int, str], None]
"""Called with (products done, products of this chunk or 0 when unknown, name)."""


@dataclass(slots=True)
class FetchOutcome:
    """Numbers of one fetch step."""

    fetched: int = 0
    failed: int = 0
    given_up: int = 0
    fetched_bytes: int = 0

    def counts(self) -> dict[str, int]:
        """Return the numbers for a job or an XCom."""
        return {
            "fetched": self.fetched,
            "fetch_failed": self.failed,
            "given_up": self.given_up,
            "fetched_bytes": self.fetched_bytes,
        }


def prepare(database: Database, context: IngestContext, *, now: datetime, actor: str) -> None:
    """Give back what dead workers held and queue again what may be tried again."""
    with database.begin() as connection:
        transfers.expire(connection, now)
        transfers.requeue_failed(connection, context.site.id, now, actor=actor)


def plan_chunks(database: Database, context: IngestContext, source: str, *, slots: int) -> list[int]:
    """Return how many acquisitions each parallel task should take: about ``chunk.target_seconds`` of work each."""
    with database.begin() as connection:
        first, stop = context.sensing_range()
        items, size = transfers.queued(
            connection,
            context.site.id,
            list(_sources(context, source)),
            usable=context.fetched_from(),
            date_from=first,
            date_to=stop,
        )
    return chunk_sizes(context, items, size / PLANNED_BYTES_PER_SECOND + items * PLANNED_SECONDS_EACH, slots=slots)


def run_fetch(
    database: Database,
    context: IngestContext,
    source_name: str,
    *,
    owner: str,
    limit: int | None = None,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
) -> FetchOutcome:
    """Fetch queued acquisitions of one source, oldest first, until none is left or ``limit`` is reached.

    Each is claimed on a lease that a background heartbeat prolongs, so a killed worker costs nothing but time.
    From a source that is switched off, or that serves other satellites than the run's, nothing is fetched.

    Raises
    ------
    InputError : the site has no such source.
    DiskFullError : the disk guard holds transfers back; nothing is lost and no attempt counted.
    """
    outcome = FetchOutcome()
    sources = _sources(context, source_name)
    if not sources:
        with database.begin() as connection:
            known = {item.name for item in list_sources(connection) if item.site in {None, context.site.short_name}}
        if source_name not in known:
            raise InputError(
                f"Site {context.site.short_name!r} has no data source {source_name!r}.", hint="'s4c source list'"
            )
        return outcome
    lease_seconds = float(context.parameters["lease.seconds"])
    done = 0
    while limit is None or done < limit:
        _guard_disk(context, next(iter(sources.values())))
        with database.begin() as connection:
            acquisition = transfers.claim(
                connection,
                context.site.id,
                list(sources),
                usable=context.fetched_from(),
                owner=owner,
                now=clock(),
                lease_seconds=lease_seconds,
                date_from=context.sensing_range()[0],
                date_to=context.sensing_range()[1],
            )
        if acquisition is None:
            break
        source = sources[acquisition.data_source_id or 0]
        try:
            _fetch_one(database, context, source, acquisition, owner, clock, outcome)
        except LeaseLostError as error:
            # Someone else has it now, or its site was deleted; what was copied is found by the next one.
            log.warning("lease lost", product=acquisition.source_product_name, error=error.one_line)
        done += 1
        if progress is not None:
            progress(done, limit or 0, acquisition.source_product_name)
    return outcome


def _sources(context: IngestContext, name: str) -> dict[int, DataSource]:
    """Return the rows of a source that serve the site, by number: one a satellite, some perhaps of this site only."""
    return {
        item.id: item for found in context.sources.values() for item in found if item.name == name and item.can_download
    }


def _fetch_one(
    database: Database,
    context: IngestContext,
    source: DataSource,
    acquisition: Acquisition,
    owner: str,
    clock: Callable[[], datetime],
    outcome: FetchOutcome,
) -> None:
    try:
        with kept_alive(
            database,
            context,
            lambda connection, until: transfers.extend_lease(connection, acquisition.id, owner, until),
            clock,
            acquisition.source_product_name,
        ):
            result = _transfer(context, source, acquisition)
    except Sen4capError as error:
        _record_failure(database, context, source, acquisition, owner, error, clock(), outcome)
        if isinstance(error, DiskFullError):
            raise
        return
    with database.begin() as connection:
        transfers.complete(
            connection,
            acquisition.id,
            owner=owner,
            full_path=str(result.path),
            fetch_mode=str(result.mode),
            size_bytes=result.size_bytes,
            checksum=f"{result.checksum_of}:{result.checksum}",
        )
    outcome.fetched += 1
    outcome.fetched_bytes += result.size_bytes
    log.info(
        "acquisition fetched",
        product=acquisition.source_product_name,
        mode=str(result.mode),
        seconds=round(result.seconds, 2),
        bytes=result.size_bytes,
    )


def _transfer(context: IngestContext, source: DataSource, acquisition: Acquisition) -> FetchResult:
    name = parse_product_name(acquisition.source_product_name)
    if name is None:
        raise InputError(
            f"The name {acquisition.source_product_name!r} is no longer recognised.",
            hint="report it; ignore the product",
        )
    address = Path(str(acquisition.providers[str(source.id)]["address"]))
    return fetch_local(address, name, _target(context, acquisition), FetchMode(source.fetch_mode))


def _target(context: IngestContext, acquisition: Acquisition) -> Path:
    satellite = "l8" if acquisition.satellite == "l9" else acquisition.satellite
    return downloads_folder(context, satellite)


def downloads_folder(context: IngestContext, satellite: str) -> Path:
    """Return where a satellite's products are put."""
    return context.parameters.path(f"downloader.{satellite}.write-dir", site=context.site.short_name)


def _guard_disk(context: IngestContext, source: DataSource) -> None:
    """Hold transfers back while the downloads folder's disk is nearly full; links need no space."""
    if source.fetch_mode in {"symlink", "check"}:
        return
    for satellite in context.satellites:
        folder = downloads_folder(context, satellite)
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free_gb = shutil.disk_usage(existing).free / 1e9
        wanted = float(context.parameters["storage.min_free_gb"])
        if free_gb < wanted:
            raise DiskFullError(
                f"Only {free_gb:.1f} GB are free at {existing}, storage.min_free_gb keeps {wanted:g}.",
                hint="free space or lower storage.min_free_gb; transfers go on by themselves then",
            )


def _record_failure(
    database: Database,
    context: IngestContext,
    source: DataSource,
    acquisition: Acquisition,
    owner: str,
    error: Sen4capError,
    now: datetime,
    outcome: FetchOutcome,
) -> None:
    reasons = {"input_corrupt": Reason.INPUT_CORRUPT, "disk_full": Reason.OUT_OF_DISK}
    reason = reasons.get(error.code, Reason.STORAGE)
    settings = context.parameters
    interval = source.retry_interval_minutes
    retries = source.max_retries
    if interval is None:
        interval = int(settings["downloader.retry_interval_minutes"])
    if retries is None:
        retries = int(settings["downloader.max_retries"])
    with database.begin() as connection:
        after = transfers.fail(
            connection,
            acquisition.id,
            owner=owner,
            reason=str(reason),
            error=error.one_line,
            now=now,
            max_retries=retries if error.retryable else 0,
            retry_interval=timedelta(minutes=interval),
            counts_as_attempt=not isinstance(error, DiskFullError),
        )
    outcome.failed += 1
    outcome.given_up += after is AcquisitionState.ABORTED
    log.warning(
        "acquisition not fetched",
        product=acquisition.source_product_name,
        reason=str(reason),
        error=error.one_line,
        state=str(after),
    )


def utc_now() -> datetime:
    """Return the present moment, UTC: the clock of the edges."""
    return datetime.now(UTC)
