"""What an ingest leaves unfetched, and whether somebody must do something about it: for the end of its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from s4c_lib.catalog import source_state, transfers
from s4c_lib.catalog.database import Database
from s4c_lib.catalog.jobs import get_job
from s4c_lib.ingest.context import context_of_job
from s4c_lib.ingest.staging import standing


@dataclass(frozen=True, slots=True)
class Unfetched:
    """What a run did not bring.

    Attributes
    ----------
    text : how many of how many, and why, in a line.
    in_vain : nothing was fetched, because sources take no account: no later run will do better by itself.
    """

    text: str
    in_vain: bool


def unfetched(
    database: Database, job_id: int, *, now: datetime, without_account: Sequence[str] = ()
) -> Unfetched | None:
    """Return what an ingest job leaves to later runs; None where nothing is left.

    Parameters
    ----------
    without_account : a line for each source that could not be opened, such as for want of its account.
    """
    context = context_of_job(database, job_id, today=now.date())
    names = {item.name: item.remote for found in context.sources.values() for item in found if item.can_download}
    left = {name: standing(database, context, name, now=now) for name in names}
    refused = [name for name, one in left.items() if one.refused and one.queued + one.to_order]
    whys = list(without_account)
    with database.begin() as connection:
        counts = get_job(connection, job_id).counts
        for name, one in left.items():
            if not names[name] or not one.queued + one.to_order:
                continue
            circuit = source_state.circuit(connection, name, now=now)
            held = transfers.over_quota(connection, name, now) if circuit is None else circuit.text
            if held is not None:
                whys.append(held)
    fetched, failed = int(counts.get("fetched", 0)), int(counts.get("fetch_failed", 0))
    tape = sum(one.staging for one in left.values())
    number = failed + tape + sum(one.queued + one.to_order for one in left.values())
    if not number:
        return None
    if failed:
        whys.append(f"{failed} transfers failed")
    if tape:
        whys.append(f"{tape} are being brought from tape")
    text = f"{number} of {number + fetched} acquisitions are not fetched: {'; '.join(whys) or 'left to the next run'}"
    return Unfetched(text, in_vain=fetched == 0 and bool(refused or without_account))
