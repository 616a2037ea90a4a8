"""``s4c status``: everything on one screen, what needs attention first."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import typer

from s4c_lib.cli.options import AsJson, examples
from s4c_lib.cli.output import note, print_json, print_table, say, shown
from s4c_lib.cli.session import session_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from s4c_lib.catalog.jobs import Job
    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site

_MOST_PROBLEMS = 20
_MOST_JOBS = 8


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("status", epilog=examples("s4c status", "s4c status --json"))(status)


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show sites, seasons, acquisitions and the last jobs on one screen; problems come first."""
    from s4c_lib.catalog import jobs
    from s4c_lib.catalog.seasons import list_seasons
    from s4c_lib.catalog.sites import list_sites
    from s4c_lib.cli.jobs import record, why

    session = session_of(context)
    now = session.now()
    with session.read() as connection:
        sites = {site.id: site for site in list_sites(connection)}
        seasons = {season.id: season for season in list_seasons(connection)}
        rows = [_season(connection, sites[season.site_id], season, now) for season in seasons.values()]
        last = jobs.list_jobs(connection, limit=_MOST_JOBS)
        problems = [
            *(
                f"site {site.short_name} has no season: s4c season add {site.short_name} NAME START END"
                for site in sites.values()
                if not any(season.site_id == site.id for season in seasons.values())
            ),
            *_source_problems(connection, now),
            *(problem for row in rows for problem in row.pop("problems")),
            *_job_problems(connection, seasons),
        ]
    if as_json:
        print_json(
            {
                "problems": problems,
                "sites": [site.short_name for site in sites.values()],
                "seasons": rows,
                "jobs": [{**record(job), **_place(seasons, job)} for job in last],
            }
        )
        return
    if not sites:
        note("no site exists yet; start with: s4c site add NAME FILE")
        return
    for problem in problems[:_MOST_PROBLEMS]:
        say(f"! {problem}")
    if len(problems) > _MOST_PROBLEMS:
        say(f"! and {len(problems) - _MOST_PROBLEMS} more; see --json")
    if problems:
        say()
    headings = ("site", "season", "dates", "it is", "runs", "windows searched", "acquisitions")
    print_table(
        headings,
        [
            (
                row["site"],
                row["season"],
                f"{row['start']} to {row['end']}",
                row["phase"],
                row["runs"],
                f"{row['windows_searched']} of {row['windows']}, {row['windows_due']} due",
                ", ".join(f"{shown(number)} {state}" for state, number in row["acquisitions"].items()),
            )
            for row in rows
        ],
    )
    if last:
        say()
        print_table(
            ("job", "season", "processor", "as of", "state", "why"),
            [
                (job.id, "/".join(_place(seasons, job).values()), job.processor, job.as_of, job.state, why(job)[:100])
                for job in last
            ],
            title="last jobs",
        )


def _place(seasons: dict[int, Season], job: Job) -> dict[str, str]:
    season = seasons[job.season_id]
    return {"site": season.site, "season": season.short_name}


def _season(connection: Connection, site: Site, season: Season, now: datetime) -> dict[str, Any]:
    """Return what stands where in a season, and its problems."""
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.overview import acquisition_counts
    from s4c_lib.catalog.query_windows import due_windows, list_windows
    from s4c_lib.cli.season_preview import planned_ingest

    today: date = now.date()
    parameters = snapshot(connection, today=today, site=site, season=season)
    context = planned_ingest(site, season, parameters)
    searched = total = due = 0
    failing: list[str] = []
    for satellite in context.satellites:
        settle_days = int(parameters[f"downloader.{satellite}.settle_days"])
        stored = list_windows(connection, season.id, satellite)
        total += len(stored) or len(context.windows(satellite))
        searched += sum(item.window.settled(item.last_success, settle_days) for item in stored)
        pending = due_windows(connection, season.id, satellite, now=now, settle_days=settle_days, before=None)
        due += len(pending) if stored else sum(item.eligible(today) for item in context.windows(satellite))
        failing += [
            f"{satellite} {item.window.date_from}..{item.window.date_to}: {item.error}"
            for item in stored
            if item.state == "failed"
        ]
    counts = acquisition_counts(connection, site.id, *context.sensing_range())
    runs = site.enabled and season.enabled
    return {
        "site": site.short_name,
        "season": season.short_name,
        "start": season.dates.start,
        "end": season.dates.end,
        "phase": season.dates.phase(today, int(parameters["schedule.grace_months"])),
        "runs": runs,
        "windows": total,
        "windows_searched": searched,
        "windows_due": due,
        "acquisitions": counts,
        "problems": _season_problems(connection, site, season, context.satellites, failing, counts) if runs else [],
    }


def _season_problems(
    connection: Connection,
    site: Site,
    season: Season,
    satellites: tuple[str, ...],
    failing: list[str],
    counts: dict[str, int],
) -> list[str]:
    from s4c_lib.catalog.data_sources import sources_for

    name = f"{site.short_name} {season.short_name}"
    found = []
    unserved = [satellite for satellite in satellites if not sources_for(connection, site.id, satellite)]
    if unserved:
        found.append(f"{name}: {', '.join(unserved)} has no data source: s4c source add")
    if failing:
        found.append(f"{name}: {len(failing)} query windows failed, the first: {failing[0]}")
    lost = sum(counts.get(state, 0) for state in ("aborted", "processing_failed"))
    if lost:
        found.append(f"{name}: {lost} acquisitions failed for good: s4c acquisitions list {name} --state aborted")
    return found


def _source_problems(connection: Connection, now: datetime) -> list[str]:
    """Return the sources that nothing is asked of, or fetched from, and what to do."""
    from s4c_lib.catalog import source_state
    from s4c_lib.catalog.data_sources import list_sources
    from s4c_lib.catalog.transfers import over_quota
    from s4c_lib.reasons import Reason

    found = []
    for name in dict.fromkeys(item.name for item in list_sources(connection) if item.remote and item.enabled):
        circuit = source_state.circuit(connection, name, now=now)
        if circuit is not None and circuit.reason == Reason.REFUSED:
            found.append(f"source {circuit.text}; correct the account, then: s4c source test {name}")
        elif circuit is not None:
            found.append(f"source {circuit.text}; it is asked again by itself then")
        quota = over_quota(connection, name, now)
        if quota is not None:
            found.append(f"source {quota}; nothing more is fetched until older transfers drop out")
    return found


def _job_problems(connection: Connection, seasons: dict[int, Season]) -> list[str]:
    """Return failed jobs that nobody has acknowledged and nothing has replaced."""
    from s4c_lib.catalog import jobs
    from s4c_lib.cli.jobs import why

    found = []
    for season in seasons.values():
        seen = set()
        for job in jobs.list_jobs(connection, season_id=season.id):
            key = (job.processor, None if job.processor == "ingest" else job.as_of)
            if key in seen:
                continue
            seen.add(key)
            if job.state is jobs.JobState.FAILED and job.acknowledged_by is None:
                text = f"{season.site} {season.short_name}: job {job.id} ({job.processor}) failed: {why(job)[:160]}"
                found.append(f"{text}; repeat it, or: s4c jobs acknowledge {job.id}")
    return found
