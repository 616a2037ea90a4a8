"""What commands that check or import tables and configurations share: options, reports, the import itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.findings import show_report
from s4c_lib.cli.output import note, say
from s4c_lib.cli.session import Session, session_of
from s4c_lib.errors import EXIT_WRONG_INPUT

if TYPE_CHECKING:
    from pathlib import Path

    from s4c_lib.catalog.auxdata import Kind
    from s4c_lib.parcels.findings import Report
    from s4c_lib.uploads.tables import TableOutcome, TableParameters

_EXAMPLES_SHOWN = 5

Year = Annotated[
    int | None,
    typer.Option("--year", min=1900, max=9999, help="Year it is for; default: that of the site's seasons."),
]
SeasonOfYear = Annotated[
    str | None, typer.Option("--season", metavar="SEASON", help="Take the year of this season instead of --year.")
]
CodePage = Annotated[
    str | None,
    typer.Option(metavar="NLD", help="Country, for the code page of a text that is not UTF-8; three letters."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what an import would find; store nothing.")]
Examples = Annotated[bool, typer.Option("--examples", help="Also show examples of each finding.")]


def print_report(report: Report, *, as_json: bool, more: Mapping[str, Any] | None = None, detail: bool = False) -> None:
    """Print a report: as JSON, or counts, facts and a table of findings.

    Parameters
    ----------
    more : further fields.
    detail : also show examples of each finding.
    """
    fields = {**({} if as_json else report.facts), **(more or {})}
    show_report(report, as_json=as_json, more=fields)
    for one in report.findings if detail and not as_json else ():
        for example in one.examples[:_EXAMPLES_SHOWN]:
            say(f"{one.code}  {example}")


def end_refused(report: Report, then: str = "") -> None:
    """End the command with exit code 2 when a file was refused.

    Parameters
    ----------
    then : what follows from it, after the reason.
    """
    if not report.refused:
        return
    codes = ", ".join(dict.fromkeys(one.code for one in report.findings if one.severity.value == "F"))
    sys.stderr.write(f"s4c: {report.file} is refused ({codes}){then}\n")
    raise typer.Exit(EXIT_WRONG_INPUT)


def import_file(
    context: typer.Context,
    site_name: str,
    kind: Kind,
    file: Path,
    *,
    year: int | None,
    season: str | None,
    parameters: TableParameters,
    dry_run: bool,
    as_json: bool,
    detail: bool,
) -> TableOutcome:
    """Import a table or a configuration and print what became of it; ends with exit code 2 when it is refused."""
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.uploads.tables import import_table
    from s4c_lib.uploads.tables_seasons import year_of

    session: Session = session_of(context)
    with session.read() as connection:
        site = get_site(connection, site_name)
        of_year = year_of(connection, site, year=year, season=season)
    outcome = import_table(
        session.database, site, kind, of_year, file, parameters=parameters, actor=session.actor, dry_run=dry_run
    )
    version = outcome.version
    more = {
        "site": site.short_name,
        "year": of_year,
        # the number counts all uploads of all sites, so a first table may well be the eighth
        "version" if as_json else "upload": None if version is None else version.id,
        "state": None if version is None else version.state.value,
        "changed": outcome.changed,
        "dry_run": dry_run,
    }
    print_report(outcome.report, as_json=as_json, more=more, detail=detail)
    end_refused(outcome.report, "" if dry_run else "; what was in force stays in force")
    if dry_run:
        note("nothing was stored; without --dry-run it would come into force")
    elif outcome.changed:
        note(f"in force for {site.short_name}, {of_year}")
    else:
        note(f"the same file is in force for {site.short_name}, {of_year} already; nothing changed")
    return outcome
