"""``s4c practices``: when harvest and declared practices of parcels are expected."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, SiteName, examples, noun
from s4c_lib.cli.output import note, print_records
from s4c_lib.cli.session import session_of
from s4c_lib.cli.table_imports import (
    CodePage,
    DryRun,
    Examples,
    SeasonOfYear,
    Year,
    end_refused,
    import_file,
    print_report,
)
from s4c_lib.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.auxdata import AuxdataVersion
    from s4c_lib.uploads.tables_in_force import Against

app = noun("Practice tables: when the harvest and a declared practice of a parcel are expected.")


class Practice(StrEnum):
    """What a table is about."""

    CC = "CC"
    FL = "FL"
    NFC = "NFC"
    NA = "NA"


_MEANING = "CC catch crop, FL fallow, NFC nitrogen-fixing crop, NA harvest alone."
TableFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Delimited text: FIELD_ID, MAIN_CROP, VEG_START, H_START, H_END, PRACTICE, P_TYPE, P_START, P_END.",
    ),
]
PracticeName = Annotated[Practice, typer.Argument(metavar="PRACTICE", case_sensitive=False, help=_MEANING)]


@app.command(
    epilog=examples(
        "s4c practices check catch_crops.csv --practice CC",
        "s4c practices check harvest.csv --practice NA --year 2026 --examples",
    )
)
def check(
    file: TableFile,
    practice: Annotated[Practice, typer.Option("--practice", case_sensitive=False, help=_MEANING)],
    year: Annotated[
        int | None, typer.Option(min=1900, max=9999, help="Year of the season; default: that of most harvests.")
    ] = None,
    country: CodePage = None,
    detail: Examples = False,
    as_json: AsJson = False,
) -> None:
    """Check a practice table, without a site or a database. Dates are written YYYY-MM-DD or NA."""
    from s4c_lib.catalog.auxdata import PRACTICE_KINDS
    from s4c_lib.parcels.practice_tables import read_practice_table
    from s4c_lib.uploads.tables import table_content
    from s4c_lib.uploads.tables_seasons import harvest_year

    content, name = table_content(PRACTICE_KINDS[practice.value], file)
    found = harvest_year(content, practice.value, country=country) if year is None else year
    # Without any date there is none to be far from the season.
    _, report = read_practice_table(content, name, practice.value, year=found or 2000, country=country)
    print_report(report, as_json=as_json, more={"year": found}, detail=detail)
    end_refused(report)


@app.command(
    "import",
    epilog=examples(
        "s4c practices import my_region CC catch_crops.csv --year 2026",
        "s4c practices import my_region NA harvest.csv --dry-run --examples",
    ),
)
def import_practices(
    context: typer.Context,
    site: SiteName,
    practice: PracticeName,
    file: TableFile,
    year: Year = None,
    season: SeasonOfYear = None,
    country: CodePage = None,
    dry_run: DryRun = False,
    detail: Examples = False,
    as_json: AsJson = False,
) -> None:
    """Put the table of a practice in force for a site and year.

    It may come before the declarations: which parcel a row means is looked up at each run. Rows with unusable dates
    are kept and get a result that says so.
    """
    from s4c_lib.catalog.auxdata import PRACTICE_KINDS
    from s4c_lib.uploads.tables import TableParameters

    import_file(
        context,
        site,
        PRACTICE_KINDS[practice.value],
        file,
        year=year,
        season=season,
        parameters=TableParameters(country=country),
        dry_run=dry_run,
        as_json=as_json,
        detail=detail,
    )


@app.command(
    "list", epilog=examples("s4c practices list my_region", "s4c practices list my_region --year 2026 --all --json")
)
def list_tables(
    context: typer.Context,
    site_name: SiteName,
    year: Annotated[int | None, typer.Option(min=1900, max=9999, help="Only of this year.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those refused and those replaced.")] = False,
    as_json: AsJson = False,
) -> None:
    """List practice tables, and how many of their rows have a parcel in the declarations in force."""
    from s4c_lib.catalog import auxdata
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.uploads.tables import PRACTICE_OF
    from s4c_lib.uploads.tables_in_force import compared_again

    with session_of(context).read() as connection:
        site = get_site(connection, site_name)
        versions = [
            one
            for one in auxdata.list_versions(connection, site.id, year=year)
            if one.kind in PRACTICE_OF and (everything or one.state is auxdata.State.ACTIVE)
        ]
        years = sorted({one.year for one in versions})
        against = {one.id: found for each in years for one, found in compared_again(connection, site, each)}
        records = [
            _record(connection, one, PRACTICE_OF[one.kind], against.get(one.id))
            for one in sorted(versions, key=lambda one: (-one.year, list(PRACTICE_OF).index(one.kind), -one.id))
        ]
    columns = {"practice": "practice", "year": "year", "file": "file", "state": "state", "rows": "rows"}
    columns |= {"accepted": "accepted", "parcels_found": "with parcel", "uploaded_by": "by", "uploaded_at": "given"}
    none = f"site {site.short_name} has no practice table; 's4c practices import' gives one"
    print_records(records, columns, as_json=as_json, none=none)


def _record(connection: Connection, version: AuxdataVersion, practice: str, against: Against | None) -> dict[str, Any]:
    from s4c_lib.catalog import auxdata

    report = auxdata.report_of(connection, version.id) or {}
    return {
        "practice": practice,
        "year": version.year,
        "file": version.file_name,
        "state": version.state.value,
        "rows": report.get("rows"),
        "accepted": report.get("accepted"),
        "parcels_found": None if against is None else against.facts.get("parcels_found"),
        "findings": [] if against is None else [finding.as_dict() for finding in against.findings],
        "uploaded_by": version.uploaded_by,
        "uploaded_at": version.uploaded_at,
        "version": version.id,
    }


@app.command(
    epilog=examples(
        "s4c practices generate my_region NA rules.csv --year 2026 > harvest.csv",
        "s4c practices generate my_region CC rules.csv --out catch_crops.csv",
    )
)
def generate(
    context: typer.Context,
    site_name: SiteName,
    practice: PracticeName,
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="Delimited text, a line for each group of crops.")],
    year: Year = None,
    season: SeasonOfYear = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here instead of to stdout.")] = None,
) -> None:
    """Make a practice table for all parcels with certain crops; look it over, then import it.

    RULES has the columns CROPS, GROUPS (CTnumL4A), LAND_COVER (LC), VEG_START, H_START, H_END, PRACTICE, P_TYPE,
    P_START and P_END. Days are written MM-DD; several crops, groups or covers are separated by spaces; columns that
    say nothing may be left out. The first line that names a crop holds.
    """
    from s4c_lib.catalog.auxdata import PRACTICE_KINDS
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.parcels.practice_tables import practice_text
    from s4c_lib.uploads.tables import table_content
    from s4c_lib.uploads.tables_rules import read_rules, table_from_rules
    from s4c_lib.uploads.tables_seasons import year_of

    read = read_rules(*table_content(PRACTICE_KINDS[practice.value], rules))
    with session_of(context).read() as connection:
        site = get_site(connection, site_name)
        of_year = year_of(connection, site, year=year, season=season)
        table = table_from_rules(connection, site, of_year, practice.value, read)
    if out is None:
        typer.echo(practice_text(table), nl=False)
    else:
        _write(out, practice_text(table))
    note(f"{len(table)} rows; 's4c practices import {site.short_name} {practice.value} FILE --year {of_year}' takes it")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
