"""Products on tape: ordered all at once, looked after without a transfer slot, fetched as they come online.

Source: operations.md §3.5. Ordering comes before the first wait; each look asks for the state of everything ordered,
queues what is online and orders what there was no room for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import source_state, staging
from s4c_lib.catalog.acquisitions import Acquisition, footprints
from s4c_lib.catalog.data_sources import DataSource, list_sources
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.product_addresses import address_of
from s4c_lib.errors import SourceError, SourceThrottledError
from s4c_lib.ingest.context import IngestContext, is_served
from s4c_lib.ingest.fetch import queued_at, retry_rules, sources_named
from s4c_lib.ingest.fetch_remote import candidate_of, name_of
from s4c_lib.ingest.remote import Access, RemoteSources
from s4c_lib.reasons import Reason
from s4c_lib.sources.model import Candidate, StorageState

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left to fetch from a source for a season.

    Attributes
    ----------
    queued : can be fetched now. staging : ordered and not yet online. to_order : on tape, not ordered yet.
    paused_until : the source asked to wait until then.
    refused : the source refuses the account; waiting does not help.
    served : whether the season and its site are enabled; of others nothing is taken, so nothing is waited for.
    """

    queued: int
    staging: int
    to_order: int = 0
    paused_until: datetime | None = None
    refused: bool = False
    served: bool = True

    @property
    def worth_waiting(self) -> bool:
        """Whether something will come by itself that cannot be fetched now."""
        if self.refused or not self.served:
            return False
        return self.staging > 0 or (self.paused_until is not None and self.queued + self.to_order > 0)

    @property
    def can_fetch(self) -> bool:
        """Whether a transfer could begin now, as far as the source's circuit goes."""
        return self.queued > 0 and self.paused_until is None and not self.refused and self.served

    @property
    def text(self) -> str:
        """One line for people."""
        parts = [f"{self.queued} queued", f"{self.staging} being brought online"]
        if self.to_order:
            parts.append(f"{self.to_order} on tape")
        if self.paused_until is not None:
            parts.append(f"the source is not asked before {self.paused_until:%Y-%m-%d %H:%M:%S}Z")
        if self.refused:
            parts.append("the source refuses the account")
        if not self.served:
            parts.append("the season or its site is disabled")
        return ", ".join(parts)


def standing(database: Database, context: IngestContext, source_name: str, *, now: datetime) -> Standing:
    """Return what is left to fetch from a source."""
    sources = sources_named(context, source_name)
    numbers = [number for number, source in sources.items() if source.remote]
    first, stop = context.sensing_range()
    with database.begin() as connection:
        circuit = source_state.circuit(connection, source_name, now=now) if numbers else None
        refused = circuit is not None and circuit.reason == Reason.REFUSED
        return Standing(
            queued=queued_at(connection, context, list(sources))[0],
            staging=staging.waiting(connection, context.site.id, numbers, date_from=first, date_to=stop),
            to_order=staging.to_order(
                connection,
                context.site.id,
                numbers,
                usable=context.fetched_from(),
                date_from=first,
                date_to=stop,
            ),
            paused_until=None if circuit is None or refused else circuit.open_until,
            refused=refused,
            served=is_served(connection, context),
        )


def order_offline(
    database: Database,
    context: IngestContext,
    source_name: str,
    *,
    access: Access,
    clock: Callable[[], datetime],
    actor: str,
) -> int:
    """Order what lies on tape, as far as the source's quota goes; returns how many orders it took.

    A source that does not answer leaves them queued, to be ordered by the next look.

    Raises
    ------
    NotFoundError : there is no account for the source.
    """
    return _Visit(database, context, source_name, access, clock, actor).order()


@dataclass(frozen=True, slots=True)
class _Orders:
    database: Database
    context: IngestContext
    remote: RemoteSources
    clock: Callable[[], datetime]
    actor: str

    def place(self, source: DataSource, taken: Sequence[Acquisition]) -> int:
        """Order products at a source and write down what it said; returns how many orders it took."""
        if not taken:
            return 0
        told: set[str] = set()
        offered: dict[int, Candidate] = {}
        answer: Mapping[str, str] = {}
        fault: SourceError | None = None
        try:
            with self.remote.heeded(source):
                offered = _candidates(self.database, self.remote, source, taken)
                wanted = [offered[number] for number in sorted(offered)]
                answer = self.remote.catalogue(source).order(wanted, told.add)
        except SourceError as error:
            fault = error
            log.warning("products not ordered", source=source.name, ordered=len(told), error=error.one_line)
        placed = [item.id for item in taken if item.source_product_name in told]
        rest = [item for item in taken if item.source_product_name not in told]
        with self.database.begin() as connection:
            staging.confirm(connection, placed, now=self.clock())
            if fault is None:
                for item in rest:
                    listed = item.id in offered
                    self._refused(connection, source, item, answer.get(item.source_product_name, ""), listed=listed)
            else:
                self._not_asked(connection, source, [item.id for item in rest], fault)
        log.info("products ordered", source=source.name, ordered=len(placed), refused=len(rest))
        return len(placed)

    def _refused(
        self, connection: Connection, source: DataSource, item: Acquisition, why: str, *, listed: bool
    ) -> None:
        if not listed:
            why = f"{source.name} does not list {item.source_product_name}"
        interval, retries = retry_rules(self.context, source)
        staging.refused(
            connection,
            item.id,
            error=why or f"{source.name} did not take the order",
            now=self.clock(),
            max_retries=retries,
            retry_interval=interval,
            actor=self.actor,
            usable=self.context.fetched_from(),
        )
        log.warning("order refused", source=source.name, product=item.source_product_name, error=why)

    def _not_asked(self, connection: Connection, source: DataSource, ids: list[int], fault: SourceError) -> None:
        if isinstance(fault, SourceThrottledError) and fault.retry_after is None:
            # as a rule there is no room for more orders: asked at each look, the source would never be left in peace
            interval, _ = retry_rules(self.context, source)
            staging.put_off(
                connection, ids, error=fault.one_line, now=self.clock(), retry_interval=interval, actor=self.actor
            )
        else:
            staging.not_ordered(connection, ids, actor=self.actor)


def _candidates(
    database: Database, remote: RemoteSources, source: DataSource, taken: Sequence[Acquisition]
) -> dict[int, Candidate]:
    """Return acquisitions as a source knows them, by number; one without address is looked up by its name."""
    found: dict[int, Candidate] = {}
    with database.begin() as connection:
        # catalogues that tell states in lists are asked for this area only
        places = footprints(connection, [item.id for item in taken])
    for item in taken:
        address = address_of(item, source.id)
        if address is not None:
            found[item.id] = candidate_of(item, address, places[item.id])
            continue
        listed = remote.catalogue(source).find(name_of(item))
        if listed is not None:
            found[item.id] = listed
    return found


def look_after(
    database: Database,
    context: IngestContext,
    source_name: str,
    *,
    access: Access,
    clock: Callable[[], datetime],
    actor: str,
) -> Standing:
    """Ask a source what has come online, queue that, and order what there is room for now.

    Of all callers, one in each ``staging.poll_seconds`` asks; the others only read what the database holds. A source
    that does not answer changes nothing.
    """
    now = clock()
    visit = _Visit(database, context, source_name, access, clock, actor)
    with database.begin() as connection:
        due = source_state.circuit(connection, source_name, now=now) is None and bool(
            staging.list_staging(connection, source_name)
        )
        due = due and source_state.may_poll(
            connection, source_name, every_seconds=float(context.parameters["staging.poll_seconds"]), now=now
        )
    if due:
        visit.poll()
        visit.give_up_overdue(now)
    visit.order()
    return standing(database, context, source_name, now=clock())


@dataclass(frozen=True, slots=True)
class _Visit:
    """One look at a source for a season."""

    database: Database
    context: IngestContext
    source_name: str
    access: Access
    clock: Callable[[], datetime]
    actor: str

    def order(self) -> int:
        """Order what lies on tape; see `order_offline`."""
        sources = sources_named(self.context, self.source_name)
        remote_ones = {number: source for number, source in sources.items() if source.remote}
        if not remote_ones:
            return 0
        first, stop = self.context.sensing_range()
        with self.database.begin() as connection:
            if not is_served(connection, self.context):
                return 0
            taken = staging.order_batch(
                connection,
                self.context.site.id,
                list(remote_ones),
                usable=self.context.fetched_from(),
                now=self.clock(),
                date_from=first,
                date_to=stop,
                actor=self.actor,
            )
        if not taken:
            return 0
        placed = 0
        open_orders = {item.id for item in taken}
        try:
            with self._remote() as remote:
                orders = _Orders(self.database, self.context, remote, self.clock, self.actor)
                for number, source in remote_ones.items():
                    mine = [item for item in taken if item.data_source_id == number]
                    if not mine or not remote.begin_session(source, self.actor):
                        continue
                    placed += orders.place(source, mine)
                    open_orders -= {item.id for item in mine}
        finally:
            with self.database.begin() as connection:
                staging.not_ordered(connection, sorted(open_orders), actor=self.actor)
        return placed

    def poll(self) -> None:
        """Queue what the source has brought online, whichever site waits for it."""
        with self.database.begin() as connection:
            ordered = staging.list_staging(connection, self.source_name)
            rows = {row.id: row for row in list_sources(connection) if row.name == self.source_name}
        online: list[int] = []
        with self._remote() as remote:
            for number, row in sorted(rows.items()):
                mine = [item for item in ordered if item.data_source_id == number]
                if not mine:
                    continue
                try:
                    with remote.heeded(row):
                        offered = _candidates(self.database, remote, row, mine)
                        states = remote.catalogue(row).storage_states([offered[key] for key in sorted(offered)])
                except SourceError as error:
                    log.warning("storage states not told", source=self.source_name, error=error.one_line)
                    continue
                online += [item.id for item in mine if states.get(item.source_product_name) is StorageState.ONLINE]
        with self.database.begin() as connection:
            count = staging.to_queue(connection, online, actor=self.actor)
        log.info("storage states told", source=self.source_name, ordered=len(ordered), online=count)

    def give_up_overdue(self, now: datetime) -> None:
        """Count as failed what the source has not brought online in time."""
        source = next(iter(sources_named(self.context, self.source_name).values()), None)
        if source is None:
            return
        interval, retries = retry_rules(self.context, source)
        with self.database.begin() as connection:
            late = staging.overdue(
                connection,
                self.source_name,
                max_hours=float(self.context.parameters["staging.max_hours"]),
                now=now,
                max_retries=retries,
                retry_interval=interval,
                actor=self.actor,
                usable=self.context.fetched_from(),
            )
        if late:
            log.warning("products not brought online in time", source=self.source_name, count=late)

    def _remote(self) -> RemoteSources:
        return RemoteSources(self.database, self.context.parameters, self.access, clock=self.clock)
