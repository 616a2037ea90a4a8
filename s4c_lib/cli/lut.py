"""``s4c lut``: the crop code table of a site and year."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s4c_lib.cli.options import AsJson, SiteName, examples, noun
from s4c_lib.cli.output import note, print_json, print_table, say
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
from s4c_lib.errors import NotFoundError

app = noun("Crop code tables: what the codes of the declarations mean.")

LutFile = Annotated[Path, typer.Argument(metavar="FILE", help="Delimited text with a header row; any column order.")]

# Codes 265, 259, 233 and 335 as Dutch growers declare them.
_TEMPLATE = """\
Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater;Legum;HCAT;CT_en
265;1;Grasland, blijvend;3;1;Grassland;1;Permanent grassland;1;0;1;0;0;0;0;;Permanent grassland
266;2;Grasland, tijdelijk;3;1;Grassland;2;Temporary grassland;1;1;0;1;0;0;0;;Temporary grassland
259;3;Mais, snij-;1;3;Maize;3;Maize;1;1;0;0;0;0;0;;Silage maize
233;4;Tarwe, winter-;1;4;Winter cereals;4;Winter wheat;1;1;0;0;0;0;0;;Winter wheat
"""
_MEANINGS = (
    ("Ori_crop", "the code as declared, as text; once only"),
    ("CTnum", "the system's number of the crop, 1 and up; once only"),
    ("CT", "its name; default: the code"),
    ("LC", "1 annual, 2 permanent crop, 3 grassland, 4 fallow, 5 greenhouse or nursery, 0 other"),
    ("CTnumL4A, CTL4A", "group of the crop type map, number and name; default: CTnum, CT"),
    ("CTnumDIV, CTDIV", "group of crop diversification, number and name; default: CTnum, CT"),
    ("EAA AL PGrass TGrass Fallow Cwater", "0 or 1: eligible, arable, permanent and temporary grassland, fallow, rice"),
    ("Legum, HCAT, CT_en", "optional: nitrogen-fixing (0 or 1), code of HCAT, name in English"),
)


@app.command(epilog=examples("s4c lut check crop_lut.csv", "s4c lut check crop_lut.csv --examples --country CZE"))
def check(file: LutFile, country: CodePage = None, detail: Examples = False, as_json: AsJson = False) -> None:
    """Check a crop code table, without a site or a database. All that is wrong is told at once."""
    from s4c_lib.catalog.auxdata import Kind
    from s4c_lib.parcels.crop_lut import read_crop_lut
    from s4c_lib.uploads.tables import table_content

    _, report = read_crop_lut(*table_content(Kind.LUT, file), country=country)
    print_report(report, as_json=as_json, detail=detail)
    end_refused(report)


@app.command(
    "import",
    epilog=examples(
        "s4c lut import my_region crop_lut.csv --year 2026",
        "s4c lut import my_region crop_lut.csv --dry-run --examples",
    ),
)
def import_lut(
    context: typer.Context,
    site: SiteName,
    file: LutFile,
    year: Year = None,
    season: SeasonOfYear = None,
    country: CodePage = None,
    dry_run: DryRun = False,
    detail: Examples = False,
    as_json: AsJson = False,
) -> None:
    """Put a crop code table in force for a site and year.

    It is compared with the declarations in force: codes that one side lacks are listed, and a rule is proposed when
    the two only differ in how they are written.
    """
    from s4c_lib.catalog.auxdata import Kind
    from s4c_lib.uploads.tables import TableParameters

    import_file(
        context,
        site,
        Kind.LUT,
        file,
        year=year,
        season=season,
        parameters=TableParameters(country=country),
        dry_run=dry_run,
        as_json=as_json,
        detail=detail,
    )


@app.command(epilog=examples("s4c lut show my_region --year 2026", "s4c lut show my_region --json"))
def show(
    context: typer.Context,
    site_name: SiteName,
    year: Year = None,
    season: SeasonOfYear = None,
    as_json: AsJson = False,
) -> None:
    """Show the crop code table in force, with the parcels of each code when there are declarations."""
    import numpy as np

    from s4c_lib.catalog import auxdata
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.uploads.tables_in_force import declared_in_force, lut_in_force
    from s4c_lib.uploads.tables_seasons import year_of

    with session_of(context).read() as connection:
        site = get_site(connection, site_name)
        of_year = year_of(connection, site, year=year, season=season)
        version = auxdata.active_version(connection, site.id, auxdata.Kind.LUT, of_year)
        lut = lut_in_force(connection, site.id, of_year)
        declared = declared_in_force(connection, site.id, of_year)
    if version is None or lut is None:
        raise NotFoundError(
            f"Site {site.short_name} has no crop code table of {of_year}.",
            hint=f"give one with 's4c lut import {site.short_name} FILE --year {of_year}'",
        )
    unknown = 0
    rows = [lut.row(code) or {} for code in lut.ori_crop.tolist()]
    if declared is not None:
        position = lut.positions(declared.ori_crop)
        unknown = int((position < 0).sum())
        for row, parcels in zip(rows, np.bincount(position[position >= 0], minlength=len(rows)).tolist(), strict=True):
            row["parcels"] = parcels
    if as_json:
        print_json({"site": site.short_name, "year": of_year, "version": version.id, "uploaded": version, "rows": rows})
        return
    say(f"{version.file_name}, upload {version.id}, given by {version.uploaded_by} {version.uploaded_at:%Y-%m-%d}")
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    flags = {"EAA", "AL", "PGrass", "TGrass", "Fallow", "Cwater", "Legum"}
    print_table(columns, [[int(row[name]) if name in flags else row[name] for name in columns] for row in rows])
    if unknown:
        note(
            f"{unknown} parcels have no code of this table; 's4c lut import --dry-run' with its file lists their codes"
        )


@app.command(epilog=examples("s4c lut template > crop_lut.csv", "s4c lut check crop_lut.csv"))
def template() -> None:
    """Print a crop code table to begin with; what its columns mean goes to stderr."""
    typer.echo(_TEMPLATE, nl=False)
    width = max(len(name) for name, _ in _MEANINGS)
    for name, meaning in _MEANINGS:
        note(f"{name.ljust(width)}  {meaning}")
