"""Working off pieces derived from products: claim one, make it, record what became of it, go on to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from s4c_lib.catalog import derivations
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.derivations import Derivation, WorkKey
from s4c_lib.errors import DatabaseUnavailableError, DiskFullError, LeaseLostError, NotFoundError, Sen4capError
from s4c_lib.ingest.context import IngestContext, is_served
from s4c_lib.ingest.lease import kept_alive
from s4c_lib.preprocessing.executor import NEVER_RETRIED
from s4c_lib.progress import Progress
from s4c_lib.reasons import Reason, reason_of

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class DeriveOutcome:
    """Numbers of one step.

    Parameters
    ----------
    put_off : pieces that cannot begin yet: a program is not configured, or a chain waits for more dates.
    reasons : failed pieces by reason code.
    """

    made: int = 0
    empty: int = 0
    failed: int = 0
    put_off: int = 0
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)

    def count_failure(self, reason: Reason) -> None:
        """Count a piece that failed."""
        self.failed += 1
        self.reasons[str(reason)] = self.reasons.get(str(reason), 0) + 1


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a piece: its product where it has one of its own, and whether there was anything in it."""

    product_id: int | None = None
    empty: bool = False


def work_off(
    database: Database,
    context: IngestContext,
    key: WorkKey,
    make: Callable[[Derivation], tuple[str, Made]],
    *,
    owner: str,
    clock: Callable[[], datetime],
    limit: int | None = None,
    progress: Progress | None = None,
) -> DeriveOutcome:
    """Claim and make pieces of one kind until none is due or ``limit`` is reached.

    A piece that cannot be made is recorded with its reason and the others go on; only a full disk or a lost database
    ends the step.

    Parameters
    ----------
    make : makes one piece and registers it; gives its name and what came of it.
    progress : told how many of ``limit`` are done (0 where there is none), and the name.

    Raises
    ------
    DiskFullError : nothing more can be written; the piece is given back, its try not counted.
    DatabaseUnavailableError : what is held comes back when its lease ends.
    """
    outcome = DeriveOutcome()
    lease_seconds = float(context.parameters["lease.seconds"])

    def take() -> Taken | None:
        with database.begin() as connection:
            if not is_served(connection, context):
                return None
            piece = derivations.claim(connection, key, owner=owner, now=clock(), lease_seconds=lease_seconds)
        if piece is None:
            return None
        name = f"product {piece.product_id} {piece.tile}"
        return name, lambda: _one(database, context, piece, make, owner, clock, outcome)

    one_after_another(take, outcome, clock=clock, limit=limit, progress=progress)
    return outcome


Taken = tuple[str, Callable[[], str]]
"""A claimed piece: its name, and what makes it and returns the name of what was made."""


def one_after_another(
    take: Callable[[], Taken | None],
    outcome: DeriveOutcome,
    *,
    clock: Callable[[], datetime],
    limit: int | None,
    progress: Progress | None,
) -> None:
    """Take pieces and make them until none is left or ``limit`` is reached; a lost claim is no failure of ours."""
    done = 0
    while limit is None or done < limit:
        taken = take()
        if taken is None:
            return
        name, make = taken
        began = clock()
        try:
            name = make()
        except (LeaseLostError, NotFoundError) as error:
            # someone else has it now, or what it was made of was superseded or deleted
            log.warning("lease lost", work=name, error=error.one_line)
        done += 1
        outcome.seconds += (clock() - began).total_seconds()
        if progress is not None:
            progress(done, limit or 0, name)


def attempted(
    make: Callable[[], T], name: str, *, give_back: Callable[[], object], failed: Callable[[Reason, str], None]
) -> T | None:
    """Return what was made of a piece, or None where it failed and that was recorded.

    A fault of ours that only this piece shows must not keep the others from being made.

    Parameters
    ----------
    give_back : frees what this worker holds, the try not counted. failed : records a reason and a text.

    Raises
    ------
    DiskFullError, after the piece was given back: the next one would meet it too.
    LeaseLostError, DatabaseUnavailableError : nothing can be recorded.
    """
    try:
        return make()
    except (LeaseLostError, DatabaseUnavailableError):
        raise
    except DiskFullError:
        give_back()
        raise
    except Sen4capError as error:
        failed(reason_of(error), error.one_line)
    except Exception as error:
        log.exception("unforeseen error", work=name)
        reason = Reason.OUT_OF_MEMORY if isinstance(error, MemoryError) else Reason.INTERNAL
        failed(reason, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return None


def retry_pause(context: IngestContext) -> timedelta:
    """Return how long a piece that failed is left alone."""
    return timedelta(hours=float(context.parameters["processor.l2a.optical.retry-interval"]))


def _one(
    database: Database,
    context: IngestContext,
    piece: Derivation,
    make: Callable[[Derivation], tuple[str, Made]],
    owner: str,
    clock: Callable[[], datetime],
    outcome: DeriveOutcome,
) -> str:
    name = f"product {piece.product_id} {piece.tile}"
    began = clock()

    def keep_and_make() -> tuple[str, Made]:
        with kept_alive(
            database,
            context,
            lambda connection, until: derivations.extend_lease(connection, piece.id, owner=owner, until=until),
            clock,
            f"{piece.processor} of {name}",
        ):
            return make(piece)

    def give_back() -> None:
        with database.begin() as connection:
            derivations.give_back(connection, owner)

    done = attempted(
        keep_and_make,
        name,
        give_back=give_back,
        failed=lambda reason, text: _record(database, context, piece, owner, reason, text, clock(), outcome),
    )
    if done is None:
        return name
    name, made = done
    with database.begin() as connection:
        derivations.finish(connection, piece.id, owner=owner, output_product_id=made.product_id)
    outcome.made += not made.empty
    outcome.empty += made.empty
    log.info(
        "made",
        processor=piece.processor,
        product=name,
        empty=made.empty,
        seconds=round((clock() - began).total_seconds(), 2),
    )
    return name


def _record(
    database: Database,
    context: IngestContext,
    piece: Derivation,
    owner: str,
    reason: Reason,
    text: str,
    now: datetime,
    outcome: DeriveOutcome,
) -> None:
    retryable = reason not in NEVER_RETRIED
    with database.begin() as connection:
        derivations.fail(
            connection,
            piece.id,
            owner=owner,
            reason=str(reason),
            error=text,
            retryable=retryable,
            next_attempt_at=now + retry_pause(context) if retryable else None,
        )
    outcome.count_failure(reason)
    log.warning(
        "not made", processor=piece.processor, product=piece.product_id, tile=piece.tile, reason=str(reason), error=text
    )
