"""The ledger of a season: for every acquisition what happened, why, and what happens next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from s4c_lib.catalog.acquisition_states import AcquisitionState
from s4c_lib.catalog.acquisition_supply import Supply, supplies
from s4c_lib.catalog.acquisitions import Acquisition, list_acquisitions
from s4c_lib.reasons import EXPLAINED, Reason

# Of these a person may want to know each one; the others are counted.
OPEN_STATES = (
    AcquisitionState.ABORTED,
    AcquisitionState.PROCESSING_FAILED,
    AcquisitionState.FAILED,
    AcquisitionState.STAGING,
    AcquisitionState.DOWNLOADING,
    AcquisitionState.QUEUED,
)
MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One acquisition.

    Attributes
    ----------
    state : where it stands; ``ignored`` where the site leaves it out, whatever others make of it.
    happened, next : in words.
    tries : transfers begun since it was queued anew.
    """

    id: int
    satellite: str
    kind: str
    sensed: datetime
    product: str
    state: str
    reason: str
    happened: str
    next: str
    source: str
    tries: int
    next_attempt: datetime | None
    circuit_until: datetime | None
    staging_since: datetime | None
    error: str


def season_ledger(
    connection: Connection,
    site_id: int,
    *,
    date_from: datetime,
    date_to: datetime,
    now: datetime,
    satellites: Sequence[str] | None = None,
) -> list[LedgerRow]:
    """Return every acquisition that the searches of a season listed, used or left out, by sensing time and name.

    Parameters
    ----------
    date_from, date_to : sensing start in [date_from, date_to).
    """
    found = list_acquisitions(connection, site_id, date_from=date_from, date_to=date_to, satellites=satellites)
    supply = supplies(connection, [item.id for item in found], now=now)
    return [ledger_row(item, supply[item.id], now) for item in found]


def ledger_row(item: Acquisition, supply: Supply, now: datetime) -> LedgerRow:
    """Tell the story of one acquisition."""
    left_out = item.relevance == "ignored"
    reason = (item.relevance_reason if left_out else item.reason_code) or ""
    return LedgerRow(
        id=item.id,
        satellite=item.satellite,
        kind=item.kind,
        sensed=item.sensing_start,
        product=item.source_product_name,
        state="ignored" if left_out else str(item.state),
        reason=reason,
        happened=_happened(item, supply, reason, left_out=left_out),
        next=next_step(item, now, supply),
        source=supply.source or "",
        tries=item.attempts,
        next_attempt=item.next_attempt_at,
        circuit_until=supply.circuit_until,
        staging_since=supply.staging_since,
        error=item.last_error or "",
    )


def explained(reason: str) -> str:
    """Say a reason code in words."""
    return EXPLAINED.get(reason, reason.replace("_", " "))


def _happened(item: Acquisition, supply: Supply, reason: str, *, left_out: bool) -> str:
    source = supply.source or "a source that is no longer there"
    if left_out or item.state is AcquisitionState.IGNORED:
        text = f"left out: {explained(reason or 'not_wanted')}"
        return f"{text} ({item.last_error})" if reason == Reason.BY_HAND and item.last_error else text
    why = f": {explained(reason)}" if reason else ""
    told = f" ({item.last_error})" if item.last_error else ""
    match item.state:
        case AcquisitionState.DISCOVERED:
            return f"found at {source}"
        case AcquisitionState.QUEUED:
            put_back = f", then put back{why}{told}" if reason in EXPLAINED else ""
            return f"found at {source}{put_back}"
        case AcquisitionState.STAGING:
            since = supply.ordered_at or supply.staging_since
            return f"ordered from the tape of {source}" + (f" on {since:%Y-%m-%d %H:%M}Z" if since else "")
        case AcquisitionState.DOWNLOADING:
            return f"is being fetched from {source}"
        case AcquisitionState.DOWNLOADED | AcquisitionState.PROCESSING:
            return f"fetched from {source}"
        case AcquisitionState.PROCESSED:
            kept = "" if item.archived_at is None else f"; archived on {item.archived_at:%Y-%m-%d}"
            if item.removed_at is not None:
                kept = f"; removed on {item.removed_at:%Y-%m-%d} ({item.removed_because})"
            return f"fetched from {source} and processed{kept}"
        case AcquisitionState.PROCESSING_FAILED:
            return f"fetched from {source}; pre-processing failed{why}{told}"
    tries = "1 try" if item.attempts == 1 else f"{item.attempts} tries"
    return f"not fetched from {source} in {tries}{why}{told}"


def next_step(item: Acquisition, now: datetime, supply: Supply | None = None) -> str:
    """Say what happens to an acquisition next, or what a user can do."""
    supply = supply or Supply()
    retry = f"'s4c acquisitions retry {item.id}' tries again"
    if item.relevance == "ignored":
        return f"left out: {explained(item.relevance_reason or 'not_wanted')}"
    match item.state:
        case AcquisitionState.FAILED:
            due = item.next_attempt_at
            when = f"after {due:%Y-%m-%d %H:%M}Z" if due is not None and due > now else "by the next ingest run"
            return f"tried again {when} (tries so far: {item.attempts})"
        case AcquisitionState.ABORTED:
            return f"given up; {retry}"
        case AcquisitionState.PROCESSING_FAILED:
            return f"pre-processing failed for good; {retry}"
        case AcquisitionState.IGNORED:
            text = f"left out: {explained(item.reason_code or 'not_wanted')}"
            return f"{text}; {retry}" if item.reason_code == Reason.BY_HAND else text
        case AcquisitionState.PROCESSED if supply.nothing_because is not None:
            return f"nothing is made of it: {explained(supply.nothing_because)}"
        case AcquisitionState.PROCESSED if supply.made_removed is not None:
            return f"nothing: its products were removed ({supply.made_removed}); {retry}"
        case AcquisitionState.PROCESSED if item.removed_at is not None:
            return "nothing: what was made of it is ready to use"
        case AcquisitionState.PROCESSING if supply.unit_fault is not None:
            due = supply.unit_due
            when = f"after {due:%Y-%m-%d %H:%M}Z" if due is not None and due > now else "by the next ingest run"
            return (
                f"tried again {when}: {explained(supply.unit_fault)}; 's4c acquisitions explain {item.id}' tells more"
            )
        case AcquisitionState.QUEUED if supply.circuit_until is not None:
            return (
                f"fetched after {supply.circuit_until:%Y-%m-%d %H:%M}Z: "
                f"{explained(supply.circuit_reason or Reason.THROTTLED)}"
            )
        case AcquisitionState.QUEUED if supply.quota is not None:
            return f"fetched when there is room in the quota again: {supply.quota}"
        case AcquisitionState.QUEUED if item.storage_state == "offline":
            return "ordered from tape by the next ingest run"
    return {
        AcquisitionState.DISCOVERED: "selected by the next ingest run",
        AcquisitionState.QUEUED: "fetched by the next ingest run",
        AcquisitionState.STAGING: "fetched when the provider has it online",
        AcquisitionState.DOWNLOADING: "is being fetched",
        AcquisitionState.DOWNLOADED: "registered by the next ingest run, or waits for its processor",
        AcquisitionState.PROCESSING: "is being processed, or waits for its processor",
        AcquisitionState.PROCESSED: "nothing: it is ready to use",
    }[item.state]


def ledger_lines(rows: Sequence[LedgerRow], *, everything: str, most: int = MOST_LINES) -> list[str]:
    """Return the ledger as a log shows it: counts by state and reason, then each acquisition that fails or waits.

    Parameters
    ----------
    everything : command that lists all of them.
    most : acquisitions shown; a line says how many more there are.
    """
    counted = Counter((row.kind, row.state, row.reason) for row in rows)
    table = [("kind", "state", "reason", "count", "")]
    table += [
        (kind, state, reason, str(count), explained(reason) if reason else "")
        for (kind, state, reason), count in sorted(counted.items())
    ]
    lines = [f"{len(rows)} acquisitions of the season", *_columns(table)]
    order = {str(state): place for place, state in enumerate(OPEN_STATES)}
    open_rows = sorted(
        (row for row in rows if row.state in order), key=lambda row: (order[row.state], row.sensed, row.product)
    )
    if not open_rows:
        return lines
    lines += ["", f"{len(open_rows)} of them failed or wait"]
    shown = [("id", "state", "product", "tries", "what happened", "what happens next")]
    shown += [(str(row.id), row.state, row.product, str(row.tries), row.happened, row.next) for row in open_rows[:most]]
    lines += _columns(shown)
    if len(open_rows) > most:
        lines.append(f"... and {len(open_rows) - most} more: {everything}")
    return lines


def _columns(table: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
