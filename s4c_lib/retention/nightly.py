"""What a night does: products and downloads whose time is over, and what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.only_one import only_one
from s4c_lib.errors import DiskFullError
from s4c_lib.retention.keeping import Keeper, KeepingOutcome, Policies, verdicts
from s4c_lib.retention.outcome import RetentionOutcome, Unneeded
from s4c_lib.retention.policy import Action, Verdict
from s4c_lib.retention.stored_files import Measured, measured
from s4c_lib.retention.tidying import Places, Tidying

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a night would do to one product or download, and the rule that says so."""

    verdict: Verdict
    files: int
    size_bytes: int


def plan(database: Database, *, now: datetime) -> list[Planned]:
    """Judge everything that is stored, without changing anything; only what would go is measured."""
    with database.begin() as connection:
        policies = Policies.read(connection, now.date())
        found = verdicts(connection, policies, now=now)
    planned = []
    for one in found:
        files = measured(Path(one.item.path)) if one.action is not Action.NONE else Measured(0, 0)
        planned.append(Planned(one, files.files, files.size_bytes))
    return planned


def unneeded(database: Database, *, now: datetime) -> list[Unneeded]:
    """Return what else a night would remove, without changing anything."""
    with database.begin() as connection:
        places = Places.of(Policies.read(connection, now.date()))
    found: list[Unneeded] = []
    Tidying(database, now, places, RetentionOutcome(), found).tidy()
    return found


def apply(
    database: Database, *, now: datetime, actor: str = "retention", progress: Callable[[str], None] | None = None
) -> RetentionOutcome:
    """Remove or archive whatever the parameters ``retention.*`` say; what cannot be done stops nothing else.

    Parameters
    ----------
    actor : who is written into the history. progress : told the name of what is archived or removed.

    Raises
    ------
    ConflictError : another pass is under way.
    """
    with only_one(database, "retention"):
        with database.begin() as connection:
            policies = Policies.read(connection, now.date())
        outcome = RetentionOutcome()
        _keep(database, now, policies, actor, outcome, progress)
        Tidying(database, now, Places.of(policies), outcome).tidy()
    log.info("retention", **outcome.counts())
    return outcome


def _keep(
    database: Database,
    now: datetime,
    policies: Policies,
    actor: str,
    outcome: RetentionOutcome,
    progress: Callable[[str], None] | None,
) -> None:
    """Carry out the policy of products in force and downloads, after what an earlier pass left undone."""
    done = KeepingOutcome()
    keeper = Keeper(database, policies, actor, done)
    keeper.finish_removals()
    with database.begin() as connection:
        found = verdicts(connection, policies, now=now)
    full = False
    for verdict in found:
        if full and verdict.action is Action.ARCHIVE:
            continue
        try:
            keeper.carry_out(verdict, progress)
        except DiskFullError:  # recorded among the faults; what is deleted goes on
            full = True
    outcome.removed, outcome.archived = done.removed, done.archived
    outcome.freed_bytes = done.freed_bytes
    outcome.left_alone += done.left_alone
    outcome.failed += done.failed
    outcome.faults += done.faults
