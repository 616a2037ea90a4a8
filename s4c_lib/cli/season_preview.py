"""What a season means in dates: the runs of each processor and the query windows of each satellite."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from s4c_lib.cli.output import note, print_record, print_table, say
from s4c_lib.scheduling.schedules import CatchupPolicy, catch_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from s4c_lib.catalog.seasons import Season
    from s4c_lib.catalog.sites import Site
    from s4c_lib.ingest.context import IngestContext
    from s4c_lib.parameters import Snapshot

_MOST_DATES = 14
_POLICIES = (CatchupPolicy.FINAL_ONLY, CatchupPolicy.REPLAY_ALL)


def preview(connection: Connection, site: Site, season: Season, today: date) -> dict[str, Any]:
    """Return a season with its computed run dates and query windows."""
    from s4c_lib.catalog.config_values import snapshot
    from s4c_lib.catalog.manifest_export import ingest_interval
    from s4c_lib.catalog.seasons import season_processors
    from s4c_lib.scheduling.schedules import occurrences, runs

    parameters = snapshot(connection, today=today, site=site, season=season)
    grace = int(parameters["schedule.grace_months"])
    phase = season.dates.phase(today, grace)
    processors = []
    for entry in season_processors(connection, season.id):
        due = runs(entry.processor, entry.schedule, season.dates, grace)
        processors.append(
            {
                "processor": entry.processor,
                "enabled": entry.enabled,
                "schedule": entry.schedule.describe(),
                "last_due": max((day for day in due if day <= today), default=None),
                "next_due": min((day for day in due if day > today), default=None),
                "runs": due,
                "backfill": {policy: kept for policy in _POLICIES if (kept := _from_to(due, today, policy))},
                "too_early": len(occurrences(entry.schedule, season.dates, grace)) - len(due),
            }
        )
    context = planned_ingest(site, season, parameters)
    windows = []
    for satellite in context.satellites:
        found = context.windows(satellite)
        windows.append(
            {
                "satellite": satellite,
                "from": found[0].date_from,
                "to": found[-1].date_to,
                "windows": len(found),
                "begun": sum(window.eligible(today) for window in found),
            }
        )
    return {
        **season_record(season),
        "phase": phase,
        "served_until": season.dates.horizon(grace),
        "ingest_backfill": ingest_interval(season, parameters),
        "processors": processors,
        "windows": windows,
    }


def planned_ingest(site: Site, season: Season, parameters: Snapshot) -> IngestContext:
    """Return the ingest of a season as it would be with a source for every satellite that is switched on."""
    from s4c_lib.catalog.vocabulary import SEARCHED_SATELLITES
    from s4c_lib.ingest.context import IngestContext

    wanted = [
        name
        for name in SEARCHED_SATELLITES
        if parameters[f"{name}.enabled"] and parameters[f"downloader.{name}.enabled"]
    ]
    return IngestContext(site, season, parameters, frozenset(), dict.fromkeys(wanted, ()), None)


def season_record(season: Season) -> dict[str, Any]:
    """Return the fields of a season that are shown."""
    return {
        "site": season.site,
        "season": season.short_name,
        "name": season.name,
        "start": season.dates.start,
        "mid": season.dates.mid,
        "end": season.dates.end,
        "year": season.year,
        "enabled": season.enabled,
    }


def print_preview(found: dict[str, Any], *, as_json: bool) -> None:
    """Print what :func:`preview` returned."""
    if as_json:
        print_record(found, as_json=True)
        return
    print_record(
        {key: value for key, value in found.items() if key not in {"processors", "windows", "ingest_backfill"}},
        as_json=False,
    )
    headings = ("processor", "enabled", "schedule", "runs", "last due", "next due")
    rows = [
        (item["processor"], item["enabled"], item["schedule"], len(item["runs"]), item["last_due"], item["next_due"])
        for item in found["processors"]
    ]
    say()
    if rows:
        print_table(headings, rows)
    for item in found["processors"]:
        say(f"  {item['processor']}: {_dates(item['runs'])}")
        if item["too_early"]:
            say(f"    {item['too_early']} earlier dates are left out: in its first 30 days a season says nothing yet")
        if item["backfill"]:
            say(f"    backfill in Airflow: {'; '.join(_words(*of) for of in item['backfill'].items())}")
    say()
    print_table(
        ("satellite", "searched from", "to", "query windows", "begun"),
        [(item["satellite"], item["from"], item["to"], item["windows"], item["begun"]) for item in found["windows"]],
    )
    first, after_last = found["ingest_backfill"]
    say(f"  backfill of ingest in Airflow: From {first} To {after_last}")
    if found["phase"] == "past":
        note(f"the season is past: 's4c season backfill {found['site']} {found['season']}' runs it")


def _from_to(due: Sequence[date], today: date, policy: CatchupPolicy) -> tuple[date, date] | None:
    """Return *From* and *To* of Airflow's form for the dates that are due by now; it does not know the policies."""
    kept, _ = catch_up(due, today + timedelta(days=1), policy)
    return (kept[0], kept[-1]) if kept else None


def _words(policy: CatchupPolicy, days: tuple[date, date]) -> str:
    first, last = days
    return f"{policy} From and To {last}" if first == last else f"{policy} From {first} To {last}"


def _dates(days: list[date]) -> str:
    if not days:
        return "no run"
    if len(days) <= _MOST_DATES:
        return ", ".join(str(day) for day in days)
    first, last = days[: _MOST_DATES - 2], days[-1]
    return f"{', '.join(str(day) for day in first)}, ... {last}"
