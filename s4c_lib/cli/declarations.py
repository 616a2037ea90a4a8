"""``s4c declarations``: the parcels an agency declares, from a file into force and out again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.findings import show_report
from s4c_lib.cli.options import AsJson, SiteName, examples, noun
from s4c_lib.cli.output import note, print_record, print_records, progress, say
from s4c_lib.cli.session import session_of
from s4c_lib.errors import EXIT_WRONG_INPUT, InputError

if TYPE_CHECKING:
    from s4c_lib.catalog.parcel_sets import ParcelSet
    from s4c_lib.parcels.checking import CheckOptions, Progress
    from s4c_lib.parcels.declared import ColumnMapping

app = noun("Declared parcels: check, import, look at, export.")

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Zipped Shapefile, GeoPackage, GeoParquet (also zipped), FlatGeobuf or GeoJSON."
    ),
]
ParcelId = Annotated[
    str | None,
    typer.Option(
        "--parcel-id", metavar="COL[,COL]", help="Column or columns of the parcel identifier, joined with '-'."
    ),
]
Crop = Annotated[str | None, typer.Option("--crop", metavar="COL", help="Column of the crop code.")]
Holding = Annotated[
    str | None, typer.Option("--holding", metavar="COL[,COL]", help="Column or columns of the holding.")
]
Area = Annotated[str | None, typer.Option("--area", metavar="COL[:ha|:m2]", help="Column of the declared area.")]
Layer = Annotated[str | None, typer.Option(help="Layer or dataset, when the file has several.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of its text; default: as it says, else detected.")]
Epsg = Annotated[int | None, typer.Option(help="EPSG code of a file that states no coordinate system.")]
Country = Annotated[
    str | None, typer.Option(metavar="ISO3", help="Country, such as NLD: helps to detect the encoding.")
]
NaIsCrop = Annotated[bool, typer.Option("--na-is-crop", help="NA is a crop code, not a missing value.")]
Year = Annotated[int, typer.Option(min=1990, max=2200, help="Year of the declarations.")]


@app.command(epilog=examples("s4c declarations inspect parcels.zip", "s4c declarations inspect parcels.gpkg --json"))
def inspect(
    file: File,
    layer: Layer = None,
    encoding: Encoding = None,
    epsg: Epsg = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in a file: layers, columns, samples, coordinate system, encoding, and a mapping of its columns."""
    from s4c_lib.parcels.inspection import inspect as look

    found = look(_existing(file), layer, encoding=encoding, epsg=epsg, country=country).as_dict()
    if as_json:
        print_record(found, as_json=True)
        return
    print_record(
        {key: value for key, value in found.items() if key not in {"columns", "samples", "findings"}}, as_json=False
    )
    say("")
    first = found["samples"][0] if found.get("samples") else {}
    rows = [
        {
            "name": column["name"],
            "type": column["type"],
            "missing": f"{column['null_share']:.0%}",
            "distinct": column["distinct"],
            "sample": str(first.get(column["name"], ""))[:40],
        }
        for column in found["columns"]
    ]
    titles = {"name": "column", "type": "type", "missing": "missing", "distinct": "distinct", "sample": "first row"}
    print_records(rows, titles, as_json=False, none="no columns")


@app.command(
    epilog=examples(
        "s4c declarations check parcels.zip --parcel-id FUNCTIONEE --crop GRONDBEDEK --holding FakeBRSnr",
        "s4c declarations check parcels.gpkg --parcel-id DOSSIER,NUMBER --crop CODE --json",
    )
)
def check(
    file: File,
    parcel_id: ParcelId = None,
    crop: Crop = None,
    holding: Holding = None,
    area: Area = None,
    layer: Layer = None,
    encoding: Encoding = None,
    epsg: Epsg = None,
    country: Country = None,
    na_is_crop: NaIsCrop = False,
    profile: Annotated[str, typer.Option(help="default, or reference: Sen4CAP's own rules.")] = "default",
    lut: Annotated[Path | None, typer.Option(metavar="CSV", help="Compare the crop codes with this table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file as an import would, without a database: nothing is stored. Exit code 2 when it would be refused."""
    from s4c_lib.parcels.checking import check_declarations
    from s4c_lib.parcels.crop_lut import read_crop_lut

    mapping = _mapping(_existing(file), parcel_id, crop, holding, area, layer)
    options = _options(layer, encoding, epsg, country, na_is_crop, profile)
    table = None
    if lut is not None:
        table, about_lut = read_crop_lut(_existing(lut).read_bytes(), lut.name, country=country)
        if table is None:
            show_report(about_lut, as_json=as_json)
            raise typer.Exit(EXIT_WRONG_INPUT)
    with progress("check") as step:
        _, report = check_declarations(file, mapping, options, lut=table, progress=_percent(step))
    show_report(report, as_json=as_json)
    if report.refused:
        raise typer.Exit(EXIT_WRONG_INPUT)


@app.command(
    name="import",
    epilog=examples(
        "s4c declarations import my_region parcels.zip --year 2026 --parcel-id ID --crop CODE --dry-run",
        "s4c declarations import my_region update.gpkg --year 2026 --parcel-id ID --crop CODE --mode incremental",
    ),
)
def import_(
    context: typer.Context,
    site_name: SiteName,
    file: File,
    year: Year,
    parcel_id: ParcelId = None,
    crop: Crop = None,
    holding: Holding = None,
    area: Area = None,
    mode: Annotated[
        str,
        typer.Option(
            help="update: parcels the file does not name are gone; incremental: they stay; replace: begin anew, "
            "numbers kept."
        ),
    ] = "update",
    layer: Layer = None,
    encoding: Encoding = None,
    epsg: Epsg = None,
    country: Country = None,
    na_is_crop: NaIsCrop = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what an import would do, store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a file and put it in force for a site and year. What was in force stays until the new one is complete.

    Without columns, those of the last import of the site are taken, else a known layout. Exit code 2 when the file is
    refused.
    """
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.uploads.declarations import import_declarations
    from s4c_lib.uploads.requests import Wish, import_request

    session = session_of(context)
    with session.read() as connection:
        site = get_site(connection, site_name)
    settings = {
        "layer": layer,
        "encoding": encoding,
        "epsg": epsg,
        "country": country,
        "na_is_crop": na_is_crop or None,
    }
    wish = Wish(
        str(_existing(file).absolute()),
        year,
        mode,
        _columns(parcel_id, crop, holding, area),
        {name: value for name, value in settings.items() if value is not None},
    )
    request, folder, origin = import_request(session.database, site, wish, today=session.today())
    note(origin)
    with progress("import") as step:
        outcome = import_declarations(
            session.database,
            site,
            request,
            storage=folder,
            actor=session.actor,
            now=session.now(),
            dry_run=dry_run,
            progress=_percent(step),
        )
    more = {
        "version": None if outcome.parcel_set is None else outcome.parcel_set.version,
        "changed": outcome.changed,
        "report_page": None if outcome.report_page is None else str(outcome.report_page),
    }
    show_report(outcome.report, as_json=as_json, more=more)
    if outcome.report.refused:
        raise typer.Exit(EXIT_WRONG_INPUT)
    if not outcome.changed and not dry_run:
        note("this very file is in force already: nothing has changed")


@app.command(name="list", epilog=examples("s4c declarations list my_region"))
def list_(context: typer.Context, site_name: SiteName, as_json: AsJson = False) -> None:
    """List the versions of a site's declarations, newest first."""
    from s4c_lib.catalog.parcel_sets import list_sets
    from s4c_lib.catalog.sites import get_site

    session = session_of(context)
    with session.read() as connection:
        found = list_sets(connection, get_site(connection, site_name).id)
    rows = [_row(item) for item in found]
    columns = {
        "year": "year",
        "version": "version",
        "state": "state",
        "mode": "mode",
        "parcels": "parcels",
        "changes": "changes",
        "created_at": "imported",
        "created_by": "by",
    }
    print_records(rows, columns, as_json=as_json, none=f"{site_name} has no declarations yet")


@app.command(epilog=examples("s4c declarations show my_region --year 2026"))
def show(context: typer.Context, site_name: SiteName, year: Year, as_json: AsJson = False) -> None:
    """Show the version in force with its report."""
    from s4c_lib.uploads.declarations import stored_report

    session = session_of(context)
    with session.read() as connection:
        found = _in_force(connection, site_name, year)
        report = stored_report(connection, found)
    page = Path(found.folder) / "report.html"
    more = {"version": found.version, "folder": found.folder, "report_page": str(page) if page.exists() else None}
    show_report(report, as_json=as_json, more=more)


@app.command(
    epilog=examples(
        "s4c declarations export my_region --year 2026 --out exports",
        "s4c declarations export my_region --year 2026 --out exports --format csv --format shapefile --attributes "
        "--crop-code 265 --encoding cp1252",
    )
)
def export(
    context: typer.Context,
    site_name: SiteName,
    year: Year,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="gpkg, shapefile, geoparquet, flatgeobuf or csv; may be repeated."),
    ] = None,
    attributes: Annotated[bool, typer.Option("--attributes", help="Add the agency's own columns.")] = False,
    epsg: Annotated[int | None, typer.Option(help="Coordinate system of the files; default: as delivered.")] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV and Shapefile.")] = "utf-8",
    delimiter: Annotated[str, typer.Option(help="Of CSV.")] = ",",
    decimal: Annotated[str, typer.Option(help="Decimal sign of CSV.")] = ".",
    crop_code: Annotated[list[str] | None, typer.Option(help="Only this crop; may be repeated.")] = None,
    tile: Annotated[list[str] | None, typer.Option(help="Only parcels of this tile; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Export the declarations in force, with what was computed about each parcel. Results come with the L4 products."""
    from s4c_lib.products.export import export_parcels
    from s4c_lib.products.export_model import ExportFilter, ExportOptions
    from s4c_lib.uploads.export_frame import declarations_frame, named_formats

    session = session_of(context)
    options = ExportOptions(
        formats=named_formats(formats or ["gpkg"]),
        attributes=attributes,
        crs=epsg,
        encoding=encoding,
        delimiter=delimiter,
        decimal=decimal,
        filter=ExportFilter(crops=tuple(crop_code or ()), tiles=tuple(tile or ())),
    )
    with session.read() as connection:
        found = _in_force(connection, site_name, year)
        frame = declarations_frame(connection, found, site_name, session.now(), attributes=attributes)
    with progress("export") as step:
        made = export_parcels(frame, out, options, progress=step)
    for warning in made.warnings:
        note(str(warning))
    print_record(
        {"files": [str(item.path) for item in made.files], "parcels": made.parcels, "rows": made.rows},
        as_json=as_json,
    )


def _in_force(connection: Any, site_name: str, year: int) -> ParcelSet:
    from s4c_lib.catalog.parcel_sets import active_set
    from s4c_lib.catalog.sites import get_site

    found = active_set(connection, get_site(connection, site_name).id, year)
    if found is None:
        raise InputError(
            f"{site_name} has no declarations of {year}.",
            hint=f"s4c declarations import {site_name} FILE --year {year}",
        )
    return found


def _row(item: ParcelSet) -> dict[str, Any]:
    classes = ("new", "deleted", "attribute", "minor", "major", "unchanged")
    changes = {name: item.counts[name] for name in classes if item.counts.get(name)}
    return {
        "year": item.year,
        "version": item.version,
        "state": item.state.value,
        "mode": item.mode.value,
        "parcels": sum(count for name, count in changes.items() if name != "deleted"),
        "changes": changes,
        "created_at": item.created_at,
        "created_by": item.created_by,
    }


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} does not exist or is no file.", hint="give the path of a file")
    return path


def _mapping(
    file: Path, parcel_id: str | None, crop: str | None, holding: str | None, area: str | None, layer: str | None
) -> ColumnMapping:
    """Columns as given, else those of a known layout."""
    from s4c_lib.parcels.inspection import inspect as look
    from s4c_lib.parcels.mapping import suggest
    from s4c_lib.uploads.requests import columns_of

    given = columns_of(_columns(parcel_id, crop, holding, area))
    if given is not None:
        return given
    proposal = suggest([column["name"] for column in look(file, layer).as_dict()["columns"]])
    if proposal is None:
        raise InputError(
            f"The columns of {file.name} fit no known layout.",
            hint=f"see 's4c declarations inspect {file}' and give --parcel-id and --crop",
        )
    note(f"columns: {proposal.reason}")
    return proposal.mapping


def _columns(parcel_id: str | None, crop: str | None, holding: str | None, area: str | None) -> dict[str, str] | None:
    """Columns by role, as given; None without any."""
    if not (parcel_id or crop or holding or area):
        return None
    if not (parcel_id and crop):
        raise InputError("The columns of parcel and crop go together.", hint="give --parcel-id and --crop")
    name, _, unit = (area or "").partition(":")
    given = {"parcel_id": parcel_id, "crop": crop, "holding": holding, "area": name, "area_unit": unit}
    return {role: value for role, value in given.items() if value}


def _options(
    layer: str | None, encoding: str | None, epsg: int | None, country: str | None, na_is_crop: bool, profile: str
) -> CheckOptions:
    from s4c_lib.parcels.checking import CheckOptions

    if profile not in {"default", "reference"}:
        raise InputError(f"There is no profile {profile!r}.", hint="choose default or reference")
    return CheckOptions(layer, encoding, epsg, country, na_is_crop, profile)


def _percent(step: Any) -> Progress:
    """Progress by step and fraction as the command line shows it; each step and each tenth once."""
    said: dict[str, int] = {}

    def show(name: str, fraction: float) -> None:
        tenth = int(10 * fraction)
        if said.get(name) != tenth:
            said[name] = tenth
            step(10 * tenth, 100, name)

    return show
