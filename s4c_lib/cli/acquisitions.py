"""``s4c acquisitions``: what was found, what became of it, and what happens next."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SeasonName, SiteName, examples, noun
from s4c_lib.cli.output import note, plain, print_record, print_records, print_table, say
from s4c_lib.cli.session import named_season, session_of
from s4c_lib.errors import ConflictError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from s4c_lib.catalog.acquisitions import Acquisition
    from s4c_lib.catalog.units import Unit

app = noun("Acquisitions: what was found, what became of it, what happens next.")


@app.command(
    "list",
    epilog=examples(
        "s4c acquisitions list my_region 2026 --state failed",
        "s4c acquisitions list my_region 2026 --ignored --csv > left_out.csv",
        "s4c acquisitions list my_region 2026 --rejected",
    ),
)
def list_acquisitions(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="Only in this state; repeatable.")] = None,
    satellite: Annotated[
        list[str] | None, typer.Option(metavar="SATELLITE", help="Only s1, s2, l8 or l9; repeatable.")
    ] = None,
    ignored: Annotated[bool, typer.Option("--ignored", help="Only those the site leaves out, and why.")] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="What lay in the archive and is no usable product, and why.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the acquisitions a season uses, with the reason of their state and what happens next."""
    session = session_of(context)
    _check_choices(state, satellite)
    with session.read() as connection:
        if rejected:
            records = _rejected(connection, site_name, season_name, satellite)
        else:
            records = _found(connection, site_name, season_name, state, satellite, ignored=ignored, now=session.now())
    columns = (
        {"satellite": "satellite", "window": "window", "reason": "why", "text": "what", "path": "path"}
        if rejected
        else {
            "id": "id",
            "satellite": "satellite",
            "sensed": "sensed",
            "name": "product",
            "state": "state",
            "reason": "reason",
            "next": "next",
        }
    )
    if as_csv:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(records[0]) if records else list(columns))
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in record.items()} for record in records)
        return
    print_records(records, columns, as_json=as_json, none="nothing fits")
    if records and not as_json:
        note(f"{len(records)} {'rejected' if rejected else 'left out' if ignored else 'acquisitions'}")


def _cell(value: Any) -> Any:
    found = plain(value)
    return " ".join(str(item) for item in found) if isinstance(found, list) else found


def _check_choices(states: Sequence[str] | None, satellites: Sequence[str] | None) -> None:
    from s4c_lib.catalog.acquisition_states import AcquisitionState
    from s4c_lib.catalog.vocabulary import SATELLITES

    known = [str(item) for item in AcquisitionState]
    for what, given, allowed in (("state", states, known), ("satellite", satellites, sorted(SATELLITES))):
        if strangers := sorted(set(given or ()) - set(allowed)):
            raise InputError(f"There is no {what} {strangers[0]!r}.", hint=f"choose from {', '.join(allowed)}")


def _found(
    connection: Connection,
    site_name: str,
    season_name: str,
    states: list[str] | None,
    satellites: list[str] | None,
    *,
    ignored: bool,
    now: datetime,
) -> list[dict[str, Any]]:
    from s4c_lib.catalog import acquisitions
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.cli.season_preview import planned_ingest

    site, season = named_season(connection, site_name, season_name)
    parameters = snapshot(connection, today=now.date(), site=site, season=season)
    first, stop = planned_ingest(site, season, parameters).sensing_range()
    found = acquisitions.list_acquisitions(
        connection, site.id, date_from=first, date_to=stop, satellites=satellites, states=states
    )
    return [_record(item, now) for item in found if (item.relevance == "ignored") is ignored]


def _rejected(
    connection: Connection, site_name: str, season_name: str, satellites: list[str] | None
) -> list[dict[str, Any]]:
    from s4c_lib.catalog.query_windows import list_windows

    _, season = named_season(connection, site_name, season_name)
    return [
        {
            "satellite": item.satellite,
            "window": f"{item.window.date_from}..{item.window.date_to}",
            "reason": entry["reason"],
            "text": entry["text"],
            "path": entry["path"],
        }
        for item in list_windows(connection, season.id)
        if not satellites or item.satellite in satellites
        for entry in item.rejected
    ]


def _record(item: Acquisition, now: datetime) -> dict[str, Any]:
    reason = item.relevance_reason if item.relevance == "ignored" else item.reason_code
    return {
        "id": item.id,
        "satellite": item.satellite,
        "sensed": item.sensing_start,
        "name": item.source_product_name,
        "kind": item.kind,
        "tiles": item.tiles,
        "relative_orbit": item.relative_orbit,
        "cloud_pct": item.cloud_pct,
        "state": item.state,
        "relevance": item.relevance,
        "reason": reason,
        "error": item.last_error,
        "attempts": item.attempts,
        "path": item.full_path,
        "next": next_step(item, now),
    }


def next_step(item: Acquisition, now: datetime) -> str:
    """Say what happens to an acquisition next, or what a user can do."""
    from s4c_lib.catalog.acquisition_states import AcquisitionState
    from s4c_lib.reasons import EXPLAINED

    if item.relevance == "ignored":
        return f"left out: {EXPLAINED.get(item.relevance_reason or '', item.relevance_reason or 'not wanted')}"
    retry = f"'s4c acquisitions retry {item.id}' tries again"
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
            return f"left out: {EXPLAINED.get(item.reason_code or '', item.reason_code or 'not wanted')}"
    return {
        AcquisitionState.DISCOVERED: "selected by the next ingest run",
        AcquisitionState.QUEUED: "fetched by the next ingest run",
        AcquisitionState.STAGING: "fetched when the provider has it online",
        AcquisitionState.DOWNLOADING: "is being fetched",
        AcquisitionState.DOWNLOADED: "registered by the next ingest run, or waits for its processor",
        AcquisitionState.PROCESSING: "is being processed, or waits for its processor",
        AcquisitionState.PROCESSED: "nothing: it is ready to use",
    }[item.state]


@app.command(epilog=examples("s4c acquisitions explain 4711", "s4c acquisitions explain S2A_MSIL2A_2026..."))
def explain(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="ID|NAME", help="Number or product name.")],
    as_json: AsJson = False,
) -> None:
    """Tell the story of an acquisition: its history, its sites, its units, and what happens next."""
    from s4c_lib.catalog import acquisitions, overview, units

    session = session_of(context)
    with session.read() as connection:
        item = (
            acquisitions.get_acquisition(connection, int(which))
            if which.isascii() and which.isdigit()
            else acquisitions.get_by_name(connection, which)
        )
        events = acquisitions.events(connection, item.id)
        members = overview.memberships(connection, item.id)
        pieces = units.units_of(connection, item.id)
    record = _record(item, session.now())
    record.pop("relevance")
    if as_json:
        print_record({**record, "sites": members, "units": pieces, "events": events}, as_json=True)
        return
    print_record(record, as_json=False)
    say()
    print_table(
        ("when", "from", "to", "who", "reason"),
        [(event.at, event.from_state, event.to_state, event.actor, event.reason) for event in events],
        title="history",
    )
    say()
    print_table(
        ("site", "it is", "reason", "tiles"),
        [(item.site, item.relevance, item.reason, item.tiles) for item in members],
        title="sites",
    )
    if pieces:
        say()
        _print_units(pieces)


def _print_units(pieces: Sequence[Unit]) -> None:
    print_table(
        ("unit", "processor", "state", "tries", "reason", "product"),
        [
            (
                unit.unit_key,
                unit.processor,
                unit.state,
                f"{unit.attempts} of {unit.max_attempts}",
                unit.reason_code,
                unit.product_id,
            )
            for unit in pieces
        ],
        title="units",
    )


@app.command(epilog=examples("s4c acquisitions retry 4711 4712"))
def retry(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers of acquisitions.")],
) -> None:
    """Try failed or given-up acquisitions again, with a fresh count of tries; all of them or none.

    Of one that is processed, the L3B and statistics that could not be made are tried again.
    """
    from s4c_lib.catalog import acquisitions, overview, transfers
    from s4c_lib.catalog.acquisition_states import AcquisitionState, transition

    session = session_of(context)
    with session.read() as connection:
        found = [acquisitions.get_acquisition(connection, number) for number in dict.fromkeys(ids)]
        for item in found:
            _require_retryable(connection, item)
        unprocessed = [item.id for item in found if item.state is AcquisitionState.PROCESSING_FAILED]
        overview.reset_failed_units(connection, unprocessed)
        transition(connection, unprocessed, AcquisitionState.DOWNLOADED, actor=session.actor, reason="forced")
        processed = [item.id for item in found if item.state is AcquisitionState.PROCESSED]
        overview.reset_failed_derivations(connection, processed)
        fetched = [item.id for item in found if item.id not in (*unprocessed, *processed)]
        if fetched:
            transfers.force_retry(connection, fetched, actor=session.actor)
    say(f"{len(found)} acquisitions are tried again by the next ingest run")


def _require_retryable(connection: Connection, item: Acquisition) -> None:
    from s4c_lib.catalog import overview
    from s4c_lib.catalog.acquisition_states import AcquisitionState

    again = {AcquisitionState.FAILED, AcquisitionState.ABORTED, AcquisitionState.PROCESSING_FAILED}
    members = overview.memberships(connection, item.id)
    wanted = any(member.relevance == "selected" for member in members)
    derived = item.state is AcquisitionState.PROCESSED and overview.failed_derivations(connection, item.id)
    if (item.state in again or derived) and wanted:
        return
    if not wanted:
        reason = next((member.reason for member in members if member.reason), "not wanted")
        raise ConflictError(
            f"Acquisition {item.id} is left out by its sites ({reason}).",
            hint="change the parameter or the tiles behind the reason; the next ingest then takes it",
        )
    raise ConflictError(
        f"Acquisition {item.id} is {item.state}, there is nothing to try again.",
        hint=f"'s4c acquisitions explain {item.id}' tells its story",
    )
