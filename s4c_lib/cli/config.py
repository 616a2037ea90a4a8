"""``s4c config``: parameters, their values and their history."""

from __future__ import annotations

import csv
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s4c_lib.cli.options import AsJson, OfSeason, OfSite, SiteName, day, examples, noun
from s4c_lib.cli.output import note, print_record, print_records, say
from s4c_lib.cli.session import scope_of, session_of
from s4c_lib.cli.table_imports import DryRun, Examples, SeasonOfYear, Year, import_file
from s4c_lib.errors import EXIT_WRONG_INPUT, InputError, NotFoundError, NothingToDoError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site
    from s4c_lib.parameters import Parameter, Snapshot
    from s4c_lib.uploads.tables import TableParameters

app = noun("Parameters: values in force, where they come from, and their history.")


class ConfigurationKind(StrEnum):
    """What a configuration file is for."""

    L4B = "l4b"
    L4C = "l4c"


Key = Annotated[str, typer.Argument(metavar="KEY", help="Parameter; Sen4CAP's own names are understood.")]
# a value may begin with a minus sign
_AS_GIVEN = {"ignore_unknown_options": True}


@app.command(epilog=examples("s4c config get downloader.s2.max_cloud_coverage --site my_region --season 2026"))
def get(
    context: typer.Context, key: Key, site: OfSite = None, season: OfSeason = None, as_json: AsJson = False
) -> None:
    """Show the value in force, where it comes from and what it overrides."""
    from s4c_lib.parameters import REGISTRY
    from s4c_lib.parameters.values import to_json

    parameter = REGISTRY.get(key)
    snapshot = _snapshot(context, site, season)
    explained = snapshot.explain(parameter.key)
    if not as_json:
        say(str(explained))
        note(parameter.description + (f" Allowed: {parameter.bounds}." if parameter.bounds else ""))
        return
    overridden = [{"origin": item.origin, "value": to_json(item.value)} for item in explained.overridden]
    print_record({**_record(parameter, snapshot), "overrides": overridden}, as_json=True)


@app.command(
    "set",
    context_settings=_AS_GIVEN,
    epilog=examples(
        "s4c config set storage.min_free_gb 500",
        "s4c config set downloader.s2.max_cloud_coverage 80 --site my_region --season 2026",
    ),
)
def set_value(
    context: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The value; a list is written 8,51,94.")],
    site: OfSite = None,
    season: OfSeason = None,
) -> None:
    """Set a parameter everywhere, for a site, or for a season. The narrowest value wins."""
    from s4c_lib.catalog import config_values

    session = session_of(context)
    with session.change() as connection:
        of_site, of_season = scope_of(connection, site, season)
        name, typed = config_values.set_value(
            connection, key, value, actor=session.actor, site=of_site, season=of_season
        )
        _require_consistent(connection, name, session.today())
    say(f"{name} = {_text(typed)} ({_where(of_site, of_season)})")


@app.command(epilog=examples("s4c config unset storage.min_free_gb"))
def unset(context: typer.Context, key: Key, site: OfSite = None, season: OfSeason = None) -> None:
    """Remove a value, so that the next wider one counts again."""
    from s4c_lib.catalog import config_values
    from s4c_lib.parameters import REGISTRY

    session = session_of(context)
    name = REGISTRY.get(key).key
    with session.change() as connection:
        of_site, of_season = scope_of(connection, site, season)
        if not config_values.unset_value(connection, key, actor=session.actor, site=of_site, season=of_season):
            raise NothingToDoError(f"{name} has no value of its own here ({_where(of_site, of_season)}).")
        _require_consistent(connection, name, session.today())
    say(f"{name} is unset ({_where(of_site, of_season)})")


@app.command("list", epilog=examples("s4c config list --changed", "s4c config list --area storage --filter free"))
def list_values(
    context: typer.Context,
    site: OfSite = None,
    season: OfSeason = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are set somewhere.")] = False,
    area: Annotated[str | None, typer.Option(metavar="TEXT", help="Only chapters whose title holds this.")] = None,
    text: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", help="Only those with this in key or description.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List parameters with the values in force and where these come from."""
    from s4c_lib.parameters import REGISTRY

    snapshot = _snapshot(context, site, season)
    records = []
    for chapter in REGISTRY.areas:
        if area is not None and area.casefold() not in chapter.title.casefold():
            continue
        for parameter in sorted(chapter.parameters, key=lambda one: one.key):
            searched = f"{parameter.key} {parameter.description}".casefold()
            record = _record(parameter, snapshot)
            if (text is None or text.casefold() in searched) and not (changed and record["from"].startswith("default")):
                records.append({"area": chapter.title, **record})
    columns = {"key": "parameter", "value": "value", "unit": "unit", "from": "comes from", "allowed": "allowed"}
    if not as_json:  # numbers as they were given, not rounded
        records = [
            {**record, "value": str(record["value"]) if isinstance(record["value"], float) else record["value"]}
            for record in records
        ]
    print_records(records, columns, as_json=as_json, none="no parameter fits")


@app.command(epilog=examples("s4c config history storage.min_free_gb"))
def history(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="Only this parameter.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most changes shown.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show who changed which value when, newest first."""
    from s4c_lib.catalog import config_values
    from s4c_lib.cli.output import plain

    with session_of(context).read() as connection:
        changes = config_values.history(connection, key, limit)
    columns = ("changed_at", "key", "site", "season", "old_value", "new_value", "changed_by")
    print_records(
        [plain(change) for change in changes],
        {name: name.replace("_", " ") for name in columns},
        as_json=as_json,
        none="nothing was ever changed",
    )


@app.command(epilog=examples("s4c config reference > docs/parameters.md"))
def reference() -> None:
    """Print the reference page of all parameters, as Markdown."""
    from s4c_lib.parameters import REGISTRY, reference_page

    typer.echo(reference_page(REGISTRY), nl=False)


@app.command(
    "import-sen4cap",
    epilog=examples(
        "s4c config import-sen4cap config.csv", "s4c config import-sen4cap config.csv --map 3=my_region --apply"
    ),
)
def import_from_sen4cap(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV with key, site and value.")
    ],
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=SITE", help="Site number or name there, and the site here; repeatable."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Store the values; without it, only show them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over the table config of a Sen4CAP installation. Without --apply nothing is changed.

    Make the file there with psql: COPY (SELECT key, site_id AS site, value FROM config) TO STDOUT CSV HEADER
    """
    from s4c_lib.catalog import config_values
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.parameters.sen4cap import import_sen4cap

    session = session_of(context)
    names = _site_map(mapped or [])
    report = import_sen4cap(_rows(file))
    stored, refused = [], [(item.sen4cap_key, item.site, item.value, item.reason) for item in report.refused]
    with session.change(dry_run=not apply) as connection:
        for item in report.accepted:
            try:
                site = None if item.site is None else get_site(connection, names.get(str(item.site), str(item.site)))
            except NotFoundError as error:
                reason = f"{error.message} Name the site here with --map {item.site}=SITE"
                refused.append((item.sen4cap_key, item.site, str(item.value), reason))
                continue
            key, value = config_values.set_value(connection, item.key, item.value, actor=session.actor, site=site)
            stored.append((key, None if site is None else site.short_name, value, f"from {item.sen4cap_key}"))
        for key in sorted({entry[0] for entry in stored}):
            _require_consistent(connection, key, session.today())
    ignored = [(item.sen4cap_key, item.site, item.value, item.reason) for item in report.ignored]
    records = [
        {"outcome": outcome, "key": key, "site": site, "value": _text(value), "why": why}
        for outcome, entries in (("set", stored), ("no effect", ignored), ("refused", refused))
        for key, site, value, why in entries
    ]
    columns = ("outcome", "key", "site", "value", "why")
    print_records(records, {name: name for name in columns}, as_json=as_json, none="the file has no row")
    note(f"{len(stored)} values {'stored' if apply else 'to store (--apply does it)'}, {len(refused)} refused")
    if refused and apply:
        raise typer.Exit(EXIT_WRONG_INPUT)


@app.command(
    "import",
    epilog=examples(
        "s4c config import my_region l4b.cfg --year 2026 --mowing-start 2026-04-01",
        "s4c config import my_region l4c.cfg --year 2026 --country NLD --practices CC,NA",
        "s4c config import my_region l4c.cfg --dry-run",
    ),
)
def import_configuration(
    context: typer.Context,
    site: SiteName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration of mowing (L4B) or practices (L4C).")],
    year: Year = None,
    season: SeasonOfYear = None,
    kind: Annotated[
        ConfigurationKind | None, typer.Option(case_sensitive=False, help="What it is; default: by its sections.")
    ] = None,
    practices: Annotated[
        str | None,
        typer.Option(metavar="CC,NA", help="L4C: practices to monitor, of CC, FL, NFC, NA; default: those set."),
    ] = None,
    country: Annotated[
        str | None, typer.Option(metavar="NLD", help="L4C: country whose rules hold, three letters; default: that set.")
    ] = None,
    mowing_start: Annotated[
        date | None,
        typer.Option(parser=day, metavar="DATE", help="L4B: first day on which mowing is looked for; wins over FILE."),
    ] = None,
    dry_run: DryRun = False,
    detail: Examples = False,
    as_json: AsJson = False,
) -> None:
    """Put an L4B or L4C configuration file in force for a site and year, in Sen4CAP's form or ours.

    An L4C file also sets the country and the practices of the seasons of that year.
    """
    from s4c_lib.catalog.auxdata import Kind
    from s4c_lib.uploads.tables import TableParameters
    from s4c_lib.uploads.tables_kind import configuration_kind

    of_kind = configuration_kind(file) if kind is None else Kind(f"{kind.value}_config")
    if of_kind is Kind.L4B_CONFIG:
        if practices is not None or country is not None:
            raise InputError("--practices and --country belong to an L4C configuration.", hint=f"{file} is one of L4B")
        parameters = TableParameters(mowing_start=mowing_start)
    else:
        if mowing_start is not None:
            raise InputError("--mowing-start belongs to an L4B configuration.", hint=f"{file} is one of L4C")
        parameters = _practice_parameters(context, site, year, season, practices, country)
    outcome = import_file(
        context,
        site,
        of_kind,
        file,
        year=year,
        season=season,
        parameters=parameters,
        dry_run=dry_run,
        as_json=as_json,
        detail=detail,
    )
    if outcome.changed:
        session_of(context).export("The configuration is stored. ")


def _practice_parameters(
    context: typer.Context,
    site_name: str,
    year: int | None,
    season_name: str | None,
    practices: str | None,
    country: str | None,
) -> TableParameters:
    """What goes with an L4C configuration: as given, else as set for the site and its season."""
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.uploads.tables import TableParameters
    from s4c_lib.uploads.tables_seasons import year_of

    session = session_of(context)
    with session.read() as connection:
        site = get_site(connection, site_name)
        of_year = year_of(connection, site, year=year, season=season_name)
        seasons = [one for one in list_seasons(connection, site.id) if one.year == of_year]
        values = snapshot(connection, today=session.today(), site=site, season=seasons[0] if seasons else None)
    if country is None and values["processor.s4c_l4c.country"] is None:
        raise InputError("An L4C configuration needs its country.", hint="add --country with three letters, as in NLD")
    given = tuple(name.strip() for name in practices.split(",")) if practices is not None else None
    chosen = tuple(str(name) for name in values["processor.s4c_l4c.practices"]) if given is None else given
    return TableParameters(country=str(country or values["processor.s4c_l4c.country"]), practices=chosen)


def _site_map(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        old, separator, new = pair.partition("=")
        if not (old and separator and new):
            raise InputError(f"--map {pair} is not OLD=SITE.", hint="for instance --map 3=my_region")
        found[old.strip()] = new.strip()
    return found


def _rows(file: Path) -> list[tuple[str, int | str | None, str | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read: {error}.", hint="it is a CSV in UTF-8") from error
    if missing := [name for name in ("key", "site", "value") if rows and name not in rows[0]]:
        raise InputError(f"{file} has no column {missing[0]!r}.", hint="its first line is key,site,value")
    return [(row["key"] or "", row["site"] or None, row["value"]) for row in rows]


def _snapshot(context: typer.Context, site: str | None, season: str | None) -> Snapshot:
    from s4c_lib.catalog import config_values

    session = session_of(context)
    with session.read() as connection:
        of_site, of_season = scope_of(connection, site, season)
        return config_values.snapshot(connection, today=session.today(), site=of_site, season=of_season)


def _record(parameter: Parameter, snapshot: Snapshot) -> dict[str, Any]:
    from s4c_lib.parameters.values import to_json

    return {
        "key": parameter.key,
        "value": to_json(snapshot[parameter.key]),
        "from": snapshot.explain(parameter.key).origin,
        "unit": parameter.unit,
        "allowed": parameter.bounds,
        "description": parameter.description,
    }


def _require_consistent(connection: Connection, key: str, today: date) -> None:
    """Refuse a value that contradicts another one, in any scope where both count."""
    from s4c_lib.catalog import config_values
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import list_sites
    from s4c_lib.parameters import REGISTRY
    from s4c_lib.parameters.model import AtMost

    related = {
        name
        for rule in REGISTRY.relations
        for name in ((rule.smaller, rule.larger) if isinstance(rule, AtMost) else (rule.first, rule.second))
    }
    if key not in related:
        return
    config_values.snapshot(connection, today=today)
    for site in list_sites(connection):
        config_values.snapshot(connection, today=today, site=site)
        for season in list_seasons(connection, site.id):
            config_values.snapshot(connection, today=today, site=site, season=season)


def _text(value: Any) -> str:
    from s4c_lib.cli.output import shown

    return "not set" if value is None else str(value) if isinstance(value, float) else shown(value)


def _where(site: Site | None, season: Season | None) -> str:
    if season is not None:
        return f"season {season.short_name} of site {season.site}"
    return "everywhere" if site is None else f"site {site.short_name}"
