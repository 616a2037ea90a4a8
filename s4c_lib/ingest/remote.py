"""The remote data sources of one step: opened once each, held to their limits, accounted for, always closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import source_state, source_usage
from s4c_lib.catalog.data_sources import DataSource
from s4c_lib.catalog.database import Database
from s4c_lib.errors import SourceError, SourceThrottledError
from s4c_lib.ingest.clock import utc_now
from s4c_lib.parameters import Snapshot
from s4c_lib.sources.bandwidth import Bandwidth
from s4c_lib.sources.catalogue import Catalogue, CatalogueOptions
from s4c_lib.sources.credentials import Vault
from s4c_lib.sources.opening import no_accounts, open_catalogue

if TYPE_CHECKING:
    from types import TracebackType

log = structlog.get_logger(__name__)

# A provider that asks to wait no time at all is still left alone for a moment.
SHORTEST_PAUSE_SECONDS = 1.0


def unseen(_: str) -> None:
    """Hide nothing: where no log masks secrets."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a step comes to accounts.

    Attributes
    ----------
    vault : gives the account of a data source's connection.
    hide : told each token, so that a log can mask it.
    """

    vault: Vault = no_accounts
    hide: Callable[[str], None] = unseen


class RemoteSources:
    """The catalogues a step speaks to; a context manager that logs out of them all.

    Parameters
    ----------
    clock : of circuits and usage. Rates of requests are held against the real time.
    """

    def __init__(
        self,
        database: Database,
        parameters: Snapshot,
        access: Access,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._parameters = parameters
        self._clock = clock
        self._sleep = sleep
        self._open: dict[int, Catalogue] = {}
        self._requests: dict[str, int] = {}
        self._limits: dict[str, source_usage.SourceLimits] = {}
        self._bandwidths: dict[str, Bandwidth | None] = {}
        self._sessions: set[tuple[str, str]] = set()
        self.access = access

    def __enter__(self) -> RemoteSources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._open:
                _, catalogue = self._open.popitem()
                catalogue.close()
        finally:
            self._record_requests()
            with self._database.begin() as connection:
                for name, owner in sorted(self._sessions):
                    source_usage.end_session(connection, name, owner=owner)

    def catalogue(self, source: DataSource) -> Catalogue:
        """Return the catalogue of a source, opened when first asked for.

        Raises
        ------
        NotFoundError : there is no account of the name that the source gives.
        """
        if source.id not in self._open:
            options = CatalogueOptions(
                timeout_seconds=float(self._parameters["downloader.query.timeout"]),
                page_delay_seconds=float(self._parameters["downloader.query.delay"]),
                gate=self.gate(source, counted=True),
            )
            self._open[source.id] = open_catalogue(source.spec(), self.access.vault, options)
        return self._open[source.id]

    def limits(self, source: DataSource) -> source_usage.SourceLimits:
        """Return what a source allows, read once a step."""
        if source.name not in self._limits:
            with self._database.begin() as connection:
                self._limits[source.name] = source_usage.limits(connection, source.name)
        return self._limits[source.name]

    def gate(self, source: DataSource, *, counted: bool) -> Callable[[], None]:
        """Return what waits for the turn of the next request.

        Parameters
        ----------
        counted : count the requests here; those of a transfer are counted by its meter.
        """
        per_minute = self.limits(source).requests_per_minute

        def wait() -> None:
            if counted:
                self._requests[source.name] = self._requests.get(source.name, 0) + 1
            if per_minute is None:
                return
            with self._database.begin() as connection:
                seconds = source_state.reserve_request(connection, source.name, per_minute=per_minute, now=utc_now())
            if seconds > 0:
                self._sleep(seconds)

        return wait

    def bandwidth(self, source: DataSource) -> Bandwidth | None:
        """Return what slows the transfers of this process to its share of a source's bandwidth; None for no limit."""
        if source.name not in self._bandwidths:
            limits = self.limits(source)
            most = limits.bandwidth_bytes_per_second
            self._bandwidths[source.name] = None if most is None else Bandwidth(most / max(1, limits.connections))
        return self._bandwidths[source.name]

    def begin_session(self, source: DataSource, owner: str) -> bool:
        """Take one of the logins that a source allows, or keep it; False where all are in use elsewhere.

        Each catalogue logs in for itself, so the rows of a source (one a satellite) take one each.
        """
        with self._database.begin() as connection:
            taken = self.prolong_session(connection, source, owner)
        if taken:
            self._sessions.add((source.name, _login(source, owner)))
        return taken

    def prolong_session(self, connection: Connection, source: DataSource, owner: str) -> bool:
        """Keep a login while work goes on."""
        return source_usage.begin_session(
            connection,
            source.name,
            owner=_login(source, owner),
            now=self._clock(),
            lease_seconds=float(self._parameters["lease.seconds"]),
        )

    def open_circuit(self, source: DataSource) -> source_state.Circuit | None:
        """Return why nothing may be asked of a source now, or None."""
        with self._database.begin() as connection:
            return source_state.circuit(connection, source.name, now=self._clock())

    @contextmanager
    def heeded(self, source: DataSource) -> Iterator[None]:
        """Let a refusal or a wish to wait open the source's circuit, and an answer close it.

        Raises
        ------
        SourceError : the same error.
        """
        try:
            yield
        except SourceError as error:
            if isinstance(error, SourceThrottledError) and error.retry_after is not None:
                error.retry_after = max(error.retry_after, SHORTEST_PAUSE_SECONDS)
            with self._database.begin() as connection:
                circuit = source_state.record_fault(
                    connection,
                    source.name,
                    error,
                    circuit_minutes=float(self._parameters["source.circuit_minutes"]),
                    now=self._clock(),
                )
            if circuit is not None:
                log.warning("data source left alone", source=source.name, until=str(circuit.open_until))
            raise
        self._note_answer(source)

    def _note_answer(self, source: DataSource) -> None:
        with self._database.begin() as connection:
            if source_state.close_circuit(connection, source.name, now=self._clock()):
                log.info("data source answers again", source=source.name)

    def record_transfer(self, source: DataSource, *, requests: int, bytes_received: int) -> None:
        """Put a transfer on the source's account, also one that failed."""
        with self._database.begin() as connection:
            self._account(connection, source.name, requests, bytes_received, 1)
        self._record_requests()

    def _record_requests(self) -> None:
        taken, self._requests = self._requests, {}
        if not taken:
            return
        with self._database.begin() as connection:
            for name, count in sorted(taken.items()):
                self._account(connection, name, count, 0, 0)

    def _account(self, connection: Connection, name: str, requests: int, received: int, transfers: int) -> None:
        source_usage.record(
            connection,
            name,
            day=self._clock().date(),
            requests=requests,
            bytes_received=received,
            transfers=transfers,
        )


def _login(source: DataSource, owner: str) -> str:
    return f"{owner} {source.satellite}"
