"""``s4c acquisitions``: what was found, what became of it, and what happens next."""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.acquisitions_ledger import record_of, records_of, rejected_records
from s4c_lib.cli.options import (
    AsJson,
    FromDay,
    OfOrbits,
    OfSatellites,
    OfTiles,
    SeasonName,
    SiteName,
    ToDay,
    examples,
    noun,
)
from s4c_lib.cli.output import note, plain, print_record, print_records, print_table, say
from s4c_lib.cli.session import session_of
from s4c_lib.errors import ConflictError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from s4c_lib.catalog.acquisitions import Acquisition
    from s4c_lib.catalog.overview import Membership
    from s4c_lib.catalog.s1_pairs import PairDetails, RadarReportRow
    from s4c_lib.catalog.units import Unit

app = noun("Acquisitions: what was found, what became of it, what happens next.")
_OF_A_PAIR = ("partner", "partner is", "intersection", "baseline")


@app.command(
    "list",
    epilog=examples(
        "s4c acquisitions list my_region 2026 --state failed",
        "s4c acquisitions list my_region 2026 --ignored --csv > left_out.csv",
        "s4c acquisitions list my_region 2026 --all --csv > ledger.csv",
        "s4c acquisitions list my_region 2026 --tile 31UFS --from 2026-05-01 --to 2026-05-31",
        "s4c acquisitions list my_region 2026 --rejected",
    ),
)
def list_acquisitions(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    state: Annotated[list[str] | None, typer.Option(metavar="STATE", help="Only in this state; repeatable.")] = None,
    satellite: OfSatellites = None,
    of_tile: OfTiles = None,
    orbit: OfOrbits = None,
    first: FromDay = None,
    last: ToDay = None,
    ignored: Annotated[bool, typer.Option("--ignored", help="Only those the site leaves out, and why.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Used and left out: the whole ledger.")] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="What lay in the archive and is no usable product, and why.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the acquisitions a season uses, with the reason of their state and what happens next.

    What is not cut into tiles is of every tile it lies over.
    """
    session = session_of(context)
    check_choices(state, satellite)
    if rejected and (state or of_tile or orbit):
        raise InputError(
            "What is no usable product has no state, tile or orbit.",
            hint="--rejected goes with --satellite, --from and --to; leave the others out",
        )
    with session.read() as connection:
        if rejected:
            records = rejected_records(connection, site_name, season_name, satellite, (first, last))
        else:
            wanted = None if everything else ignored
            records = records_of(
                connection,
                site_name,
                season_name,
                state,
                satellite,
                left_out=wanted,
                now=session.now(),
                tiles=of_tile,
                orbits=orbit,
                days=(first, last),
            )
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
            "source": "source",
            "attempts": "tries",
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
        note(
            f"{len(records)} {'rejected' if rejected else 'left out' if ignored and not everything else 'acquisitions'}"
        )


def _cell(value: Any) -> Any:
    found = plain(value)
    return " ".join(str(item) for item in found) if isinstance(found, list) else found


def check_choices(states: Sequence[str] | None, satellites: Sequence[str] | None) -> None:
    """Refuse states and satellites that there are not."""
    from s4c_lib.catalog.acquisition_states import AcquisitionState
    from s4c_lib.catalog.vocabulary import SATELLITES

    known = [str(item) for item in AcquisitionState]
    for what, given, allowed in (("state", states, known), ("satellite", satellites, sorted(SATELLITES))):
        if strangers := sorted(set(given or ()) - set(allowed)):
            raise InputError(f"There is no {what} {strangers[0]!r}.", hint=f"choose from {', '.join(allowed)}")


@app.command(epilog=examples("s4c acquisitions explain 4711", "s4c acquisitions explain S2A_MSIL2A_2026..."))
def explain(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="ID|NAME", help="Number or product name.")],
    as_json: AsJson = False,
) -> None:
    """Tell the story of an acquisition: its history, its sites, its units, and what happens next."""
    from s4c_lib.catalog import acquisitions, overview, product_events, s1_pairs, units
    from s4c_lib.catalog.acquisition_supply import supplies
    from s4c_lib.catalog.radar_units import pair_key

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
        pairs = s1_pairs.pairs_of(connection, [item.id])
        faults = units.faults_of(connection, item.id)
        products = product_events.of_acquisition(connection, item.id)
        rasters = _radar_rasters(connection, item, members)
        record = record_of(item, supplies(connection, [item.id], now=session.now())[item.id], session.now())
    record.pop("relevance")
    if as_json:
        radar = {"pairs": pairs, "rasters": [{"site": site, **asdict(row)} for site, row in rasters]}
        more = {"sites": members, "units": pieces, "faults": faults, **radar, "products": products, "events": events}
        print_record({**record, **more}, as_json=True)
        return
    # the error has a line of its own
    happened = record["happened"].removesuffix(f" ({record['error']})")
    print_record({**record, "happened": happened}, as_json=False)
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
        _print_units(pieces, {pair_key(pair.previous_id): pair for pair in pairs})
    if products:
        say()
        print_table(
            ("when", "product", "what", "who", "why"),
            [(event.at, event.name, event.action.replace("_", " "), event.actor, event.reason) for event in products],
            title="products",
        )
    if rasters:
        say()
        print_table(
            ("site", "unit", "raster", "of the site"),
            [(site, row.unit_key, row.l2_product, f"{row.site_coverage_pct or 0:.1f} %") for site, row in rasters],
            title="rasters",
        )
    if faults:
        say()
        print_table(("unit", "what was wrong"), faults, title="faults")


def _radar_rasters(
    connection: Connection, item: Acquisition, members: Sequence[Membership]
) -> list[tuple[str, RadarReportRow]]:
    """What was made of an SLC or GRD for each site that uses it, with the share of the site that has values."""
    from s4c_lib.catalog import s1_pairs, sites

    if item.satellite != "s1":
        return []
    using = [sites.get_site(connection, member.site) for member in members if member.relevance == "selected"]
    return [
        (site.short_name, row)
        for site in using
        for row in s1_pairs.report(connection, item.id, site.id)
        if row.l2_product is not None
    ]


def _print_units(pieces: Sequence[Unit], pairs: Mapping[str, PairDetails]) -> None:
    """Print the units; of a radar pair the partner, what both see of the newer one, and the days between them."""
    found = [pairs.get(unit.unit_key) for unit in pieces]
    radar = any(found)
    print_table(
        ("unit", "processor", "state", "tries", "reason", "product", *(_OF_A_PAIR if radar else ())),
        [
            (
                unit.unit_key,
                unit.processor,
                unit.state,
                f"{unit.attempts} of {unit.max_attempts}",
                unit.reason_code,
                unit.product_id,
                *(_of_pair(pair) if radar else ()),
            )
            for unit, pair in zip(pieces, found, strict=True)
        ],
        title="units",
    )


def _of_pair(pair: PairDetails | None) -> tuple[object, ...]:
    if pair is None:
        return (None,) * len(_OF_A_PAIR)
    return pair.previous, pair.previous_state, f"{pair.intersection_pct:.1f} %", f"{pair.baseline_days} d"


@app.command(epilog=examples("s4c acquisitions retry 4711 4712"))
def retry(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers of acquisitions.")],
) -> None:
    """Try failed, given-up or by hand left-out acquisitions again, with a fresh count of tries; all of them or none.

    Of one that is processed, the tiles and pairs that failed and the L3B and statistics that could not be made are
    tried again; one whose products retention removed is fetched and processed again. What was left out after it was
    processed is in force again at once if its files are still there.
    """
    from s4c_lib.catalog import acquisitions, derivations, keeping_rows, transfers, units, wanted_again, withdrawals
    from s4c_lib.catalog.acquisition_states import AcquisitionState, transition

    session = session_of(context)
    with session.read() as connection:
        found = [acquisitions.get_acquisition(connection, number) for number in dict.fromkeys(ids)]
        for item in found:
            _require_retryable(connection, item)
        unprocessed = [item.id for item in found if item.state is AcquisitionState.PROCESSING_FAILED]
        units.reset_failed(connection, unprocessed)
        transition(connection, unprocessed, AcquisitionState.DOWNLOADED, actor=session.actor, reason="forced")
        processed = [item.id for item in found if item.state is AcquisitionState.PROCESSED]
        again = sorted(keeping_rows.removed_products(connection, processed))
        wanted_again.want_again(connection, again, actor=session.actor)
        processed = [number for number in processed if number not in again]
        derivations.reset_failed(connection, processed)
        units.reset_failed(connection, processed)
        for number in processed:
            units.roll_up(connection, number, actor=session.actor)
        back = [
            item.id
            for item in found
            if item.state is AcquisitionState.IGNORED
            and withdrawals.take_back(connection, item.id, exists=os.path.exists, actor=session.actor)
        ]
        fetched = [item.id for item in found if item.id not in (*unprocessed, *processed, *again, *back)]
        if fetched:
            transfers.force_retry(connection, fetched, actor=session.actor)
    if back:
        say(f"{len(back)} acquisitions are used again; the next ingest run extracts their statistics")
    if len(back) < len(found):
        say(f"{len(found) - len(back)} acquisitions are tried again by the next ingest run")


@app.command(
    epilog=examples(
        's4c acquisitions ignore 4711 4712 --reason "haze that no mask finds"', "s4c acquisitions retry 4711"
    )
)
def ignore(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers of acquisitions.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with each of them.")],
) -> None:
    """Leave acquisitions out of every site until they are retried; all of them or none.

    What was made of one that is processed leaves force with its statistics: the next run of each product goes without
    it. Its files stay, so that 's4c acquisitions retry' takes it back. What is being fetched or processed cannot be
    left out, nor an SLC or GRD that is processed.
    """
    from s4c_lib.catalog import acquisitions, transfers

    if not reason.strip():
        raise InputError("No reason was given.", hint='--reason "why they are of no use"')
    session = session_of(context)
    with session.read() as connection:
        found = [acquisitions.get_acquisition(connection, number) for number in dict.fromkeys(ids)]
        gone = transfers.ignore_by_hand(
            connection, [item.id for item in found], actor=session.actor, why=" ".join(reason.split())
        )
    for item in found:
        say(f"{item.id} {item.source_product_name}: was {item.state}, is left out now")
    if gone:
        note(f"{len(gone)} products made of them left force; runs from now on go without them")
    numbers = " ".join(str(item.id) for item in found)
    note(f"no search brings them back; 's4c acquisitions retry {numbers}' does")


def _require_retryable(connection: Connection, item: Acquisition) -> None:
    from s4c_lib.catalog import derivations, keeping_rows, overview, units
    from s4c_lib.catalog.acquisition_states import AcquisitionState
    from s4c_lib.reasons import Reason

    again = {AcquisitionState.FAILED, AcquisitionState.ABORTED, AcquisitionState.PROCESSING_FAILED}
    members = overview.memberships(connection, item.id)
    wanted = any(member.relevance == "selected" for member in members)
    parts = item.state is AcquisitionState.PROCESSED and (
        units.failed_of(connection, item.id)
        or derivations.failed_of(connection, item.id)
        or keeping_rows.removed_products(connection, [item.id])
    )
    by_hand = item.state is AcquisitionState.IGNORED and item.reason_code == Reason.BY_HAND
    if (item.state in again or parts or by_hand) and wanted:
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
