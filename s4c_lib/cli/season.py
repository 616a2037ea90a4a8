"""``s4c season``: the dates in which a site is watched, and what runs in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from s4c_lib.cli.options import (
    AsJson,
    EndDay,
    MidDay,
    SeasonName,
    SiteName,
    StartDay,
    day,
    examples,
    noun,
    processor,
)
from s4c_lib.cli.output import note, print_records, print_table, say, warn
from s4c_lib.cli.session import named_season, session_of
from s4c_lib.errors import InputError
from s4c_lib.processors import L4_PROCESSORS
from s4c_lib.scheduling.dates import SeasonDates

if TYPE_CHECKING:
    from s4c_lib.catalog.seasons import Season, SeasonProcessor

app = noun("Seasons of a site: their dates, their processors, their runs.")


def _middle(start: date, end: date) -> date:
    return start + timedelta(days=(end - start).days // 2) if start < end else start


@app.command(
    epilog=examples(
        "s4c season add my_region 2026 2026-04-01 2026-10-31 --mid 2026-06-15",
        "s4c season add my_region 2026 2026-04-01 2026-10-31 --processor l4b --dry-run",
    )
)
def add(
    context: typer.Context,
    site_name: SiteName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the season is called; a year is a good name.")],
    start: StartDay,
    end: EndDay,
    mid: MidDay = None,
    year: Annotated[
        int | None, typer.Option(min=1990, max=2200, help="Year of its declarations; default: the longer part's.")
    ] = None,
    processors: Annotated[
        list[str] | None,
        typer.Option("--processor", parser=processor, metavar="PROCESSOR", help="Run only this one; repeatable."),
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Store it without running anything.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run when.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a season, and show the dates of its runs and the query windows."""
    from s4c_lib.catalog import seasons, site_deletion
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.cli.season_preview import preview, print_preview

    session = session_of(context)
    with session.change(dry_run=dry_run) as connection:
        site = get_site(connection, site_name)
        site_deletion.refuse_deleting(connection, site)
        season, warnings = seasons.add_season(
            connection,
            site,
            name=name,
            dates=SeasonDates(start, mid or _middle(start, end), end),
            actor=session.actor,
            year=year,
            enabled=not disabled,
            processors=processors or L4_PROCESSORS,
        )
        found = preview(connection, site, season, session.today())
    for line in warnings:
        warn(line)
    print_preview(found, as_json=as_json)
    if year is None:
        _note_year(season)
    if dry_run:
        note("nothing was stored (--dry-run)")
    elif not site.enabled:
        note(f"the site is disabled, so nothing runs yet: s4c site enable {site.short_name}")


@app.command("list", epilog=examples("s4c season list", "s4c season list my_region --json"))
def list_seasons(
    context: typer.Context,
    site_name: Annotated[str | None, typer.Argument(metavar="SITE", help="Only of this site.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the seasons of a site, or of all."""
    from s4c_lib.catalog import seasons
    from s4c_lib.catalog.sites import get_site
    from s4c_lib.cli.season_preview import season_record

    session = session_of(context)
    with session.read() as connection:
        of_site = None if site_name is None else get_site(connection, site_name).id
        records = [
            {
                **season_record(season),
                "phase": season.dates.phase(session.today()),
                "processors": [
                    entry.processor for entry in seasons.season_processors(connection, season.id) if entry.enabled
                ],
            }
            for season in seasons.list_seasons(connection, of_site)
        ]
    columns = ("site", "season", "start", "mid", "end", "phase", "enabled", "processors")
    print_records(
        records, {key: key for key in columns}, as_json=as_json, none="no season yet; 's4c season add' makes one"
    )


@app.command(epilog=examples("s4c season show my_region 2026"))
def show(context: typer.Context, site_name: SiteName, season_name: SeasonName, as_json: AsJson = False) -> None:
    """Show a season with the dates of its runs and its query windows."""
    from s4c_lib.cli.season_preview import preview, print_preview

    session = session_of(context)
    with session.read() as connection:
        site, season = named_season(connection, site_name, season_name)
        found = preview(connection, site, season, session.today())
    print_preview(found, as_json=as_json)


@app.command(epilog=examples("s4c season enable my_region 2026"))
def enable(context: typer.Context, site_name: SiteName, season_name: SeasonName) -> None:
    """Run a season from now on."""
    _set_enabled(context, site_name, season_name, True)


@app.command(epilog=examples("s4c season disable my_region 2026"))
def disable(context: typer.Context, site_name: SiteName, season_name: SeasonName) -> None:
    """Schedule nothing more for a season; runs under way end."""
    _set_enabled(context, site_name, season_name, False)


def _set_enabled(context: typer.Context, site_name: str, season_name: str, enabled: bool) -> None:
    from s4c_lib.catalog import season_deletion, seasons, site_deletion

    with session_of(context).change() as connection:
        site, season = named_season(connection, site_name, season_name)
        if enabled:
            site_deletion.refuse_deleting(connection, site)
            season_deletion.refuse_deleting(connection, season)
        season, warnings = seasons.set_enabled(connection, season, enabled)
        others = [item for item in seasons.list_seasons(connection, site.id) if item.enabled]
    for line in warnings:
        warn(line)
    say(f"season {season.short_name} of site {site.short_name} is {'enabled' if enabled else 'disabled'}")
    if site.enabled and not others:
        note(f"site {site.short_name} has no enabled season left: nothing runs for it")
    if enabled and not site.enabled:
        note(f"the site is disabled, so nothing runs yet: s4c site enable {site.short_name}")


@app.command(epilog=examples("s4c season dates my_region 2026 2026-04-10 2026-09-30 --mid 2026-06-20"))
def dates(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    start: StartDay,
    end: EndDay,
    mid: MidDay = None,
    year: Annotated[
        int | None,
        typer.Option(
            min=1990, max=2200, help="Year of its declarations; default: a year given before, else the longer part's."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move a season. Schedules follow its dates, except those that were set by hand.

    Without --mid the middle stays where it is, or goes to the middle of the new dates when it would lie outside.
    """
    from s4c_lib.catalog import seasons
    from s4c_lib.cli.season_preview import preview, print_preview

    session = session_of(context)
    with session.change() as connection:
        site, season = named_season(connection, site_name, season_name)
        kept = season.dates.mid if start <= season.dates.mid <= end else _middle(start, end)
        season, warnings = seasons.set_dates(connection, season, SeasonDates(start, mid or kept, end), year=year)
        found = preview(connection, site, season, session.today())
    for line in warnings:
        warn(line)
    print_preview(found, as_json=as_json)
    if year is None:
        _note_year(season)


def _note_year(season: Season) -> None:
    """Say which declarations a season that crosses New Year takes, for its name may speak of the other year."""
    dates = season.dates
    if dates.start.year == dates.end.year:
        return
    other = dates.start.year if season.year == dates.end.year else dates.end.year
    note(
        f"the season crosses New Year: it takes the declarations and tables of {season.year}; those of {other} with "
        f"--year {other}, also later: s4c season dates {season.site} {season.short_name} {dates.start} {dates.end} "
        f"--year {other}"
    )


@app.command(epilog=examples("s4c season processors my_region 2026", "s4c season processors my_region 2026 --off l4a"))
def processors(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", parser=processor, metavar="PROCESSOR", help="Switch on; repeatable."),
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option("--off", parser=processor, metavar="PROCESSOR", help="Switch off; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the processors of a season, or switch them on and off."""
    from s4c_lib.catalog import seasons

    session = session_of(context)
    if both := sorted(set(on or ()) & set(off or ())):
        raise InputError(f"{both[0]} is given with --on and with --off.", hint="decide for one")
    opened = session.change() if on or off else session.read()
    with opened as connection:
        _, season = named_season(connection, site_name, season_name)
        for name in on or ():
            seasons.set_processor(connection, season, name, enabled=True)
        for name in off or ():
            seasons.set_processor(connection, season, name, enabled=False)
        entries = seasons.season_processors(connection, season.id)
    _print_processors(entries, as_json)


def _print_processors(entries: list[SeasonProcessor], as_json: bool) -> None:
    records = [
        {
            "processor": entry.processor,
            "enabled": entry.enabled,
            "schedule": entry.schedule.describe(),
            "first_run": entry.schedule.first_run,
            "follows": entry.schedule.anchor,
        }
        for entry in entries
    ]
    columns = {"processor": "processor", "enabled": "enabled", "schedule": "schedule", "follows": "follows"}
    print_records(records, columns, as_json=as_json, none="the season has no processor; add one with --on")


@app.command(
    epilog=examples(
        "s4c season schedule my_region 2026 l4b --every 14 --first 2026-05-04",
        "s4c season schedule my_region 2026 l4a --monthly 31",
    )
)
def schedule(
    context: typer.Context,
    site_name: SiteName,
    season_name: SeasonName,
    name: Annotated[str, typer.Argument(parser=processor, metavar="PROCESSOR", help="s4c_l4a, s4c_l4b or s4c_l4c.")],
    once: Annotated[bool, typer.Option("--once", help="One run.")] = False,
    every: Annotated[int | None, typer.Option("--every", metavar="N", help="A run every N days.")] = None,
    monthly: Annotated[
        int | None, typer.Option("--monthly", metavar="D", help="A run a month, on day D or the month's last.")
    ] = None,
    first: Annotated[
        date | None,
        typer.Option("--first", parser=day, metavar="DATE", help="The first run; default: where it is now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a processor of a season its own schedule; it then no longer follows the season's dates."""
    from s4c_lib.catalog import seasons
    from s4c_lib.cli.season_preview import preview
    from s4c_lib.scheduling.schedules import Kind, Schedule, default_schedule

    if sum((once, every is not None, monthly is not None)) != 1:
        raise InputError("A schedule has one rule.", hint="give exactly one of --once, --every N, --monthly D")
    kind = Kind.ONCE if once else Kind.MONTHLY if every is None else Kind.EVERY_N_DAYS
    session = session_of(context)
    with session.change() as connection:
        site, season = named_season(connection, site_name, season_name)
        current = {entry.processor: entry.schedule for entry in seasons.season_processors(connection, season.id)}
        start = first or current.get(name, default_schedule(name, season.dates)).first_run
        seasons.set_schedule(connection, season, name, Schedule(kind, start, n_days=every, month_day=monthly))
        found = preview(connection, site, season, session.today())
    record = next(item for item in found["processors"] if item["processor"] == name)
    if as_json:
        print_records([record], {}, as_json=True, none="")
        return
    say(f"{name} runs {record['schedule']}: {len(record['runs'])} runs")
    print_table(("due",), [(due,) for due in record["runs"]])
