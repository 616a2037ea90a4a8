"""``s4c products check``: what the database names and the disk lacks, and putting it back to be made."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SiteName, examples
from s4c_lib.cli.output import note, print_record, print_records, progress
from s4c_lib.cli.session import Session, session_of
from s4c_lib.errors import EXIT_FAILED, InputError

if TYPE_CHECKING:
    from s4c_lib.catalog.product_files import Scope
    from s4c_lib.product_check import Checked


def register(app: typer.Typer) -> None:
    """Add the command to the noun ``products``."""
    app.command(
        epilog=examples(
            "s4c products check my_region",
            "s4c products check my_region 2026 --deep --json",
            "s4c products check my_region 2026 --repair",
        )
    )(check)


def check(
    context: typer.Context,
    site_name: SiteName,
    season_name: Annotated[
        str | None, typer.Argument(metavar="[SEASON]", help="Only what this season needs; default: all of the site.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file and compare its checksum, where one is known.")
    ] = False,
    mend: Annotated[
        bool, typer.Option("--repair", help="Put back to be made, or fetched, what can be; nothing is deleted.")
    ] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="With --repair: also what lay in a storage folder that is empty now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare products in force, their statistics and downloads still needed with the files on disk.

    Looks at existence and size; what retention removed is not missing. Exit code 1 when something is missing, with
    --repair when something cannot be made again.
    """
    from s4c_lib.product_check import check as look

    if lost and not mend:
        raise InputError("--lost says what to repair.", hint="add --repair, or leave --lost out")
    session = session_of(context)
    scope = _scope(session, site_name, season_name)
    with progress("check") as step:
        checked = look(session.database, scope, deep=deep, progress=step)
    records = _repaired(session, site_name, scope, checked, lost=lost) if mend else _told(session, checked)
    left = sum(not (record["repaired"] if mend else False) for record in records)
    if as_json:
        counts = {"checked": checked.count, "found": len(records), "repaired": len(records) - left}
        print_record({**counts, "findings": records}, as_json=True)
    else:
        columns = {"what": "what", "type": "type", "name": "name", "fault": "fault", "remedy": "what to do"}
        if mend:
            columns["remedy"] = "what happens"
        print_records(records, columns, as_json=False, none="everything is there")
        kinds = Counter(str(record["fault"]) for record in records)
        told = ", ".join(f"{number} {fault}" for fault, number in sorted(kinds.items())) or "nothing is missing"
        note(f"{checked.count} checked: {told}{f'; {left} not repaired' if mend and left else ''}")
        if records and not mend and any(record["repairable"] for record in records):
            note(f"'s4c products check {site_name} --repair' has the next ingest make again what can be")
    if left:
        raise typer.Exit(EXIT_FAILED)


def _scope(session: Session, site_name: str, season_name: str | None) -> Scope:
    from s4c_lib.catalog.product_files import Scope
    from s4c_lib.catalog.seasons import get_season
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.ingest.context import load_context

    with session.read() as connection:
        site = get_site(connection, site_name)
        season = None if season_name is None else get_season(connection, site, season_name)
    if season is None:
        return Scope(site.id)
    sensed = load_context(session.database, season.id, today=session.today()).sensing_range()
    return Scope(site.id, season.short_name, sensed)


def _told(session: Session, checked: Checked) -> list[dict[str, Any]]:
    from s4c_lib.product_repair import remedy

    records = []
    for finding in checked.findings:
        with session.read() as connection:
            found = remedy(connection, finding)
        records.append({**_record(finding), "repairable": found.possible, "remedy": found.text})
    return records


def _repaired(session: Session, site_name: str, scope: Scope, checked: Checked, *, lost: bool) -> list[dict[str, Any]]:
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.product_repair import repair, require_mounted
    from s4c_lib.retention.keeping import storage_folders

    if not lost:
        with session.read() as connection:
            site = get_site(connection, site_name)
            values = snapshot(connection, today=session.today(), site=site)
        require_mounted(checked.findings, storage_folders(values, site.short_name))
    records = []
    with progress("repair") as step:
        for number, finding in enumerate(checked.findings, 1):
            done = repair(session.database, finding, scope, actor=session.actor)
            records.append({**_record(finding), "repaired": done.possible, "remedy": done.text})
            step(number, len(checked.findings), finding.name)
    return records


def _record(finding: Any) -> dict[str, Any]:
    return {
        "what": str(finding.what),
        "type": finding.product_type or None,
        "id": finding.id,
        "product_id": finding.product_id,
        "acquisition_id": finding.acquisition_id,
        "name": finding.name,
        "path": finding.path,
        "fault": str(finding.fault),
        "text": finding.text,
    }
