"""Working off units of acquisitions: claim one, make what it asks for, record what became of it, go on to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection

from s4c_lib.catalog import unit_claims, units
from s4c_lib.catalog.acquisition_states import AcquisitionState, transition
from s4c_lib.catalog.acquisitions import Acquisition, get_acquisition
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.units import Unit
from s4c_lib.errors import DatabaseUnavailableError, LeaseLostError, ProcessorUnavailableError
from s4c_lib.ingest.context import IngestContext, is_served
from s4c_lib.ingest.derive import DeriveOutcome, Taken, attempted, one_after_another, retry_pause
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.preprocessing.executor import NEVER_RETRIED
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason, reason_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HeldUnit:
    """A unit that this worker holds, and what may become of it."""

    database: Database
    context: IngestContext
    unit: Unit
    acquisition: Acquisition
    owner: str
    job_id: int | None
    clock: Callable[[], datetime]
    outcome: DeriveOutcome
    with_failure: WithFailure | None = None

    @property
    def name(self) -> str:
        """The product and the unit's key."""
        return f"{self.acquisition.source_product_name} {self.unit.unit_key}"

    def require_held(self) -> None:
        """Make sure that it is still held; see `require_held`."""
        require_held(self.database, self.unit, self.owner)

    def prolong(self, connection: Connection) -> None:
        """Hold it to the end of the transaction: nothing is registered of a unit that another worker has."""
        lease = timedelta(seconds=float(self.context.parameters["lease.seconds"]))
        units.heartbeat(connection, self.unit.id, owner=self.owner, until=self.clock() + lease)

    def put_off(self, reason: Reason, text: str, until: datetime | None = None) -> None:
        """Leave it for later, its try not counted: nothing is wrong with the product.

        Parameters
        ----------
        until : after the pause of a failure by default.
        """
        until = until or self.clock() + retry_pause(self.context)
        with self.database.begin() as connection:
            units.postpone(connection, self.unit.id, owner=self.owner, reason=str(reason), error=text, until=until)
        self.outcome.put_off += 1
        log.warning("put off", work=self.name, error=text)

    def wait_for_files(self, gone: Acquisition) -> None:
        """Have an acquisition fetched again whose files went (a link without target, files removed by hand).

        Parameters
        ----------
        gone : the unit's own, or one that it needs.
        """
        reason, error = str(Reason.INPUT_MISSING), f"{gone.full_path} is gone"
        with self.database.begin() as connection:
            # due at once: nothing of it is claimed before the acquisition is there
            units.postpone(
                connection, self.unit.id, owner=self.owner, until=gone.sensing_start, reason=reason, error=error
            )
            state = get_acquisition(connection, gone.id).state
            if state in {AcquisitionState.PROCESSED, AcquisitionState.PROCESSING_FAILED}:
                transition(connection, [gone.id], AcquisitionState.PROCESSING, actor=self.owner, reason=reason)
                state = AcquisitionState.PROCESSING
            # another worker may have missed it too
            if state in {AcquisitionState.DOWNLOADED, AcquisitionState.PROCESSING}:
                transition(connection, [gone.id], AcquisitionState.QUEUED, actor=self.owner, reason=reason, error=error)
        self.outcome.count_failure(Reason.INPUT_MISSING)

    def fail(
        self,
        reason: Reason,
        text: str,
        *,
        retryable: bool,
        log_path: Path | None = None,
        cloud_pct: float | None = None,
        snow_pct: float | None = None,
    ) -> None:
        """Record that it was not made."""
        with self.database.begin() as connection:
            units.fail(
                connection,
                self.unit.id,
                owner=self.owner,
                reason=str(reason),
                error=text,
                retryable=retryable,
                next_attempt_at=self.clock() + retry_pause(self.context) if retryable else None,
                cloud_pct=cloud_pct,
                snow_pct=snow_pct,
                log_path=None if log_path is None else str(log_path),
            )
            if self.with_failure is not None:
                self.with_failure(connection, self, reason, retryable and self.unit.attempts < self.unit.max_attempts)
        self.outcome.count_failure(reason)
        log.warning("not made", work=self.name, reason=str(reason), error=text)


WithFailure = Callable[[Connection, HeldUnit, Reason, bool], None]
"""Called in the transaction that records a failure, with its reason and whether the unit is tried again."""

Make = Callable[[HeldUnit], Callable[[], None]]
"""Makes what a unit asks for; gives what then writes down how it ended, while nothing prolongs the lease any more."""


def work_off_units(
    database: Database,
    context: IngestContext,
    processor: str,
    make: Make,
    *,
    owner: str,
    job_id: int | None,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
    newest_first: bool = False,
    with_failure: WithFailure | None = None,
) -> DeriveOutcome:
    """Claim units of a processor and make them until none is due or ``limit`` is reached.

    A unit that cannot be made is recorded with its reason and the others go on; only a full disk or a lost database
    ends the step.

    Parameters
    ----------
    progress : told how many of ``limit`` are done (0 where there is none), and the name.

    Raises
    ------
    DiskFullError : nothing more can be written; the unit is given back, its try not counted.
    DatabaseUnavailableError : what is held comes back when its lease ends.
    """
    outcome = DeriveOutcome()
    lease_seconds = float(context.parameters["lease.seconds"])

    def take() -> Taken | None:
        with database.begin() as connection:
            if not is_served(connection, context):
                return None
            claimed = unit_claims.claim(
                connection,
                processor,
                context.site.id,
                owner=owner,
                now=clock(),
                lease_seconds=lease_seconds,
                sensed=context.sensing_range(),
                newest_first=newest_first,
            )
            if not claimed:
                return None
            acquisition = get_acquisition(connection, claimed[0].acquisition_id)
        held = HeldUnit(database, context, claimed[0], acquisition, owner, job_id, clock, outcome, with_failure)

        def do() -> str:
            _one(held, make)
            return held.name

        return held.name, do

    one_after_another(take, outcome, clock=clock, limit=limit, progress=progress)
    return outcome


def _one(held: HeldUnit, make: Make) -> None:
    def keep_and_make() -> Callable[[], None]:
        with kept_alive(
            held.database,
            held.context,
            lambda connection, until: units.heartbeat(connection, held.unit.id, owner=held.owner, until=until),
            held.clock,
            held.name,
        ):
            try:
                return make(held)
            except ProcessorUnavailableError as error:
                # a setting of this worker is missing
                reason, text = reason_of(error), error.one_line
        return lambda: held.put_off(reason, text)

    def give_back() -> None:
        with held.database.begin() as connection:
            unit_claims.give_back(connection, held.owner)

    write_down = attempted(
        keep_and_make,
        held.name,
        give_back=give_back,
        failed=lambda reason, text: held.fail(reason, text, retryable=reason not in NEVER_RETRIED),
    )
    if write_down is not None:
        write_down()


def require_held(database: Database, unit: Unit, owner: str) -> None:
    """Make sure that a unit is still this worker's: a program that runs for it is ended otherwise.

    A database that is away is no reason to end it: the lease runs out only when it stays away.

    Raises
    ------
    LeaseLostError : it was given to another worker.
    """
    try:
        with database.begin() as connection:
            found = next((one for one in units.units_of(connection, unit.acquisition_id) if one.id == unit.id), None)
    except DatabaseUnavailableError as error:
        log.warning("lease not looked at", unit=unit.id, error=error.one_line)
        return
    if found is None or found.lease_owner != owner:
        raise LeaseLostError(f"Unit {unit.id} is no longer held by {owner}.")
