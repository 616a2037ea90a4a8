"""The fetch step: claim queued acquisitions one by one and bring each under the downloads folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import staging, transfers
from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisitions import Acquisition
from s4c_lib.catalog.data_sources import DataSource, list_sources
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.product_addresses import address_of
from s4c_lib.catalog.transfer_faults import fault_of
from s4c_lib.errors import DiskFullError, InputError, LeaseLostError, NotFoundError, ProductGoneError, Sen4capError
from s4c_lib.ingest.chunks import chunk_sizes
from s4c_lib.ingest.clock import utc_now as utc_now
from s4c_lib.ingest.context import IngestContext, is_served
from s4c_lib.ingest.fetch_remote import fetch_remote, name_of
from s4c_lib.ingest.lease import Extend, kept_alive
from s4c_lib.ingest.remote import Access, RemoteSources
from s4c_lib.ingest.room import downloads_folder, guard_downloads
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason
from s4c_lib.sources.model import FetchMode, FetchResult
from s4c_lib.sources.transfer import fetch_local
from s4c_lib.sources.transfer_limits import TransferLimits

log = structlog.get_logger(__name__)

# For planning only: what a copy moves in a second, and what each product costs besides.
PLANNED_BYTES_PER_SECOND = 50e6
PLANNED_SECONDS_EACH = 0.2


@dataclass(slots=True)
class FetchOutcome:
    """Numbers of one fetch step.

    Attributes
    ----------
    put_back : queued again at once, because the fault was not the product's or another source is to be asked.
    held_back : why nothing more may be taken from the source now; None where nothing more is queued.
    """

    fetched: int = 0
    failed: int = 0
    put_back: int = 0
    given_up: int = 0
    fetched_bytes: int = 0
    held_back: str | None = None

    def counts(self) -> dict[str, int]:
        """Return the numbers for a job or an XCom."""
        return {
            "fetched": self.fetched,
            "fetch_failed": self.failed,
            "fetch_put_back": self.put_back,
            "given_up": self.given_up,
            "fetched_bytes": self.fetched_bytes,
        }


def prepare(database: Database, context: IngestContext, *, now: datetime, actor: str) -> None:
    """Give back what dead workers held and queue again what may be tried again."""
    with database.begin() as connection:
        transfers.expire(connection, now)
        transfers.requeue_failed(connection, context.site.id, now, actor=actor)


def plan_chunks(database: Database, context: IngestContext, source: str, *, slots: int) -> list[int]:
    """Return how many acquisitions each parallel task should take: about ``chunk.target_seconds`` of work each.

    What is ordered from tape counts too: a task is there for it when it comes online.
    """
    first, stop = context.sensing_range()
    with database.begin() as connection:
        sources = list(sources_named(context, source))
        items, size = queued_at(connection, context, sources)
        items += staging.waiting(connection, context.site.id, sources, date_from=first, date_to=stop)
        items += staging.to_order(
            connection, context.site.id, sources, usable=context.fetched_from(), date_from=first, date_to=stop
        )
    return chunk_sizes(context, items, size / PLANNED_BYTES_PER_SECOND + items * PLANNED_SECONDS_EACH, slots=slots)


def queued_at(connection: Connection, context: IngestContext, sources: list[int]) -> tuple[int, int]:
    """Return the number and the bytes of what can be fetched from data sources for a season now."""
    first, stop = context.sensing_range()
    return transfers.queued(
        connection, context.site.id, sources, usable=context.fetched_from(), date_from=first, date_to=stop
    )


def run_fetch(
    database: Database,
    context: IngestContext,
    source_name: str,
    *,
    owner: str,
    limit: int | None = None,
    clock: Callable[[], datetime],
    access: Access | None = None,
    progress: Progress | None = None,
) -> FetchOutcome:
    """Fetch queued acquisitions of one source, oldest first, until none is left or ``limit`` is reached.

    Each is claimed on a lease that a background heartbeat prolongs, so a killed worker costs nothing but time.
    From a source that is switched off, or that serves other satellites than the run's, nothing is fetched. A remote
    source is logged in to once, and out of in all cases.

    Parameters
    ----------
    access : gives the accounts of remote sources; None where there are none.
    progress : told how many products of ``limit`` are done (0 where there is none), and the name.

    Raises
    ------
    InputError : the site has no such source.
    NotFoundError : there is no account for the source.
    DiskFullError : the disk guard holds transfers back; nothing is lost and no attempt counted.
    """
    outcome = FetchOutcome()
    sources = sources_named(context, source_name)
    if not sources:
        with database.begin() as connection:
            known = {item.name for item in list_sources(connection) if item.site in {None, context.site.short_name}}
        if source_name not in known:
            raise InputError(
                f"Site {context.site.short_name!r} has no data source {source_name!r}.", hint="'s4c source list'"
            )
        return outcome
    with RemoteSources(database, context.parameters, access or Access(), clock=clock) as remote:
        work = _Work(database, context, remote, sources, owner, clock, outcome)
        done = 0
        while limit is None or done < limit:
            acquisition = work.claim()
            if acquisition is None:
                break
            try:
                work.fetch(acquisition)
            except LeaseLostError as error:
                # Someone else has it now, or its site was deleted; what was copied is found by the next one.
                log.warning("lease lost", product=acquisition.source_product_name, error=error.one_line)
            done += 1
            if progress is not None:
                progress(done, limit or 0, acquisition.source_product_name)
    return outcome


def sources_named(context: IngestContext, name: str) -> dict[int, DataSource]:
    """Return the rows of a source that serve the site, by number: one a satellite, some perhaps of this site only."""
    return {
        item.id: item for found in context.sources.values() for item in found if item.name == name and item.can_download
    }


@dataclass(frozen=True, slots=True)
class _Work:
    """What the transfers of one step have in common."""

    database: Database
    context: IngestContext
    remote: RemoteSources
    sources: dict[int, DataSource]
    owner: str
    clock: Callable[[], datetime]
    outcome: FetchOutcome

    def claim(self) -> Acquisition | None:
        """Take the next product; None, with the reason in the outcome, where none may be taken."""
        any_source = next(iter(self.sources.values()))
        guard_downloads(self.context, any_source)
        usable = self._with_login() if any_source.remote else list(self.sources)
        if not usable:
            return None
        first, stop = self.context.sensing_range()
        with self.database.begin() as connection:
            if not is_served(connection, self.context):
                self.outcome.held_back = "the season or its site was disabled meanwhile"
                return None
            acquisition = transfers.claim(
                connection,
                self.context.site.id,
                usable,
                usable=self.context.fetched_from(),
                owner=self.owner,
                now=self.clock(),
                lease_seconds=float(self.context.parameters["lease.seconds"]),
                date_from=first,
                date_to=stop,
            )
            if acquisition is None and any_source.remote:
                self.outcome.held_back = transfers.next_held_back(
                    connection,
                    self.context.site.id,
                    usable,
                    usable=self.context.fetched_from(),
                    now=self.clock(),
                    date_from=first,
                    date_to=stop,
                )
        return acquisition

    def _with_login(self) -> list[int]:
        """Return the rows of a remote source that something waits at and that there is a login for.

        Before anything is claimed: where there is no account, or no login to spare, no product is at fault.
        """
        found = []
        for number, source in self.sources.items():
            with self.database.begin() as connection:
                if not queued_at(connection, self.context, [number])[0]:
                    continue
            self.remote.catalogue(source)
            if self.remote.begin_session(source, self.owner):
                found.append(number)
            else:
                self.outcome.held_back = f"{source.name}: all its logins are in use"
        return found

    def fetch(self, acquisition: Acquisition) -> None:
        """Transfer one product and write the outcome back."""
        source = self.sources[acquisition.data_source_id or 0]
        try:
            with kept_alive(
                self.database,
                self.context,
                self._prolong(source, acquisition),
                self.clock,
                acquisition.source_product_name,
            ):
                result = self._transfer(source, acquisition)
        except Sen4capError as error:
            self._record_failure(source, acquisition, error)
            if isinstance(error, DiskFullError | NotFoundError):
                raise
            return
        with self.database.begin() as connection:
            transfers.complete(
                connection,
                acquisition.id,
                owner=self.owner,
                full_path=str(result.path),
                fetch_mode=str(result.mode),
                size_bytes=result.size_bytes,
                checksum=f"{result.checksum_of}:{result.checksum}",
            )
        self.outcome.fetched += 1
        self.outcome.fetched_bytes += result.size_bytes
        log.info(
            "acquisition fetched",
            product=acquisition.source_product_name,
            source=source.name,
            mode=str(result.mode),
            seconds=round(result.seconds, 2),
            bytes=result.size_bytes,
        )

    def _prolong(self, source: DataSource, acquisition: Acquisition) -> Extend:
        """Return what keeps the product, and the login at its source, while the transfer goes on."""

        def prolong(connection: Connection, until: datetime) -> None:
            transfers.extend_lease(connection, acquisition.id, self.owner, until)
            if source.remote:
                self.remote.prolong_session(connection, source, self.owner)

        return prolong

    def _transfer(self, source: DataSource, acquisition: Acquisition) -> FetchResult:
        target = downloads_folder(self.context, acquisition.satellite)
        if source.fetch_mode not in {"symlink", "check"}:
            with self.database.begin() as connection:
                _, in_flight = transfers.in_progress(connection)
            # its own bytes are among those in flight
            guard_downloads(self.context, source, in_flight=in_flight)
        if source.remote:
            return fetch_remote(
                self.database,
                self.remote,
                source,
                acquisition,
                target,
                limits=TransferLimits(timeout_seconds=float(self.context.parameters["downloader.timeout"])),
            )
        address = Path(str(address_of(acquisition, source.id)))
        if not os.path.lexists(address) and _elsewhere(self.context, source, acquisition):
            raise ProductGoneError(f"{address} is not there any more.", hint="the next source is asked for it")
        return fetch_local(address, name_of(acquisition), target, FetchMode(source.fetch_mode))

    def _record_failure(self, source: DataSource, acquisition: Acquisition, error: Sen4capError) -> None:
        interval, retries = retry_rules(self.context, source)
        reason = _REASONS.get(error.code, Reason.STORAGE)
        with self.database.begin() as connection:
            after = transfers.fail(
                connection,
                acquisition.id,
                owner=self.owner,
                outcome=fault_of(error),
                reason=str(reason),
                error=error.one_line,
                now=self.clock(),
                max_retries=retries,
                retry_interval=interval,
                usable=self.context.fetched_from(),
            )
        self.outcome.put_back += after is AcquisitionState.QUEUED
        self.outcome.failed += after is not AcquisitionState.QUEUED
        self.outcome.given_up += after is AcquisitionState.ABORTED
        log.warning(
            "acquisition not fetched",
            product=acquisition.source_product_name,
            source=source.name,
            reason=str(reason),
            error=error.one_line,
            state=str(after),
        )


_REASONS = {
    "input_corrupt": Reason.INPUT_CORRUPT,
    "disk_full": Reason.OUT_OF_DISK,
    "source": Reason.SOURCE,
    "throttled": Reason.THROTTLED,
    "refused": Reason.REFUSED,
    "not_found": Reason.REFUSED,
    "gone": Reason.GONE,
    "offline": Reason.OFFLINE,
}


def retry_rules(context: IngestContext, source: DataSource) -> tuple[timedelta, int]:
    """Return the first pause and the number of further tries of a source's transfers."""
    interval, retries = source.retry_interval_minutes, source.max_retries
    if interval is None:
        interval = int(context.parameters["downloader.retry_interval_minutes"])
    if retries is None:
        retries = int(context.parameters["downloader.max_retries"])
    return timedelta(minutes=interval), retries


def _elsewhere(context: IngestContext, source: DataSource, acquisition: Acquisition) -> bool:
    """Tell whether another source may have a product that its archive has lost."""
    group = "l8" if acquisition.satellite == "l9" else acquisition.satellite
    others = (item for item in context.sources[group] if item.can_download and item.name != source.name)
    return any(item.remote or address_of(acquisition, item.id) is not None for item in others)
