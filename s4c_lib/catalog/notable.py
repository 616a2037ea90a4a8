"""What in the database is worth telling an operator. Source: operations.md §7, notifications."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import snapshot
from s4c_lib.catalog.occurrences import DUE, list_occurrences
from s4c_lib.catalog.seasons import Season, list_seasons, season_processors
from s4c_lib.catalog.sites import Site, list_sites
from s4c_lib.catalog.vocabulary import SATELLITES
from s4c_lib.notices.finding import Event, Finding
from s4c_lib.reasons import Reason
from s4c_lib.scheduling.dates import Phase, midnight

#: A failure found for the first time after this long is history: it is not told when notifications are switched on.
RECENT: Final = timedelta(days=7)
#: Searches fail now and then; operations.md §3.3 backs off from the third time on.
FAILING_ATTEMPTS: Final = 3
#: A source that asks for a pause is working as it says; one that does so for hours is not.
LONG_PAUSE: Final = timedelta(hours=1)
#: Below this number a share says nothing.
FEWEST_ACQUISITIONS: Final = 20
_LONGEST: Final = 400


def failed_jobs(connection: Connection, *, now: datetime) -> list[Finding]:
    """Return the runs that failed lately and that nobody has acknowledged, by job number."""
    statement = text(
        """
        SELECT j.id, j.submitted_at, j.as_of, j.reason, j.detail, j.site_id, s.short_name AS site,
               n.short_name AS season, p.short_name AS processor
        FROM s4c.job j JOIN s4c.site s ON s.id = j.site_id JOIN s4c.season n ON n.id = j.season_id
        JOIN s4c.processor p ON p.id = j.processor_id
        WHERE j.state = 'failed' AND j.acknowledged_by IS NULL AND j.ended_at > :since ORDER BY j.id
        """
    )
    return [
        Finding(
            Event.JOB_FAILED,
            job_subject(row.id, row.submitted_at),
            _short(f"{row.site} {row.season} {row.processor} up to {row.as_of} failed: {_why(row.reason, row.detail)}"),
            f"s4c jobs show {row.id}",
            row.site_id,
            row.season,
        )
        for row in connection.execute(statement, {"since": now - RECENT})
    ]


def job_subject(job_id: int, submitted_at: datetime) -> str:
    """Name one try of a job: repeated, it may fail again."""
    return f"job {job_id} of {submitted_at:%Y-%m-%dT%H:%M:%S.%fZ}"


def overdue_runs(connection: Connection, *, now: datetime) -> list[Finding]:
    """Return runs that wait, or have not begun, ``readiness.max_wait_days`` after they should have."""
    found: list[Finding] = []
    for site, season in _served(connection):
        settings = snapshot(connection, today=now.date(), site=site, season=season)
        patience = timedelta(days=int(settings["readiness.max_wait_days"]))
        found += _waiting(connection, season, now - patience)
        grace = int(settings["schedule.grace_months"])
        if season.dates.phase(now.date(), grace) is not Phase.CURRENT:
            continue  # nothing is scheduled in a past season
        for entry in season_processors(connection, season.id):
            if not entry.enabled:
                continue
            every = list_occurrences(connection, season, entry, today=now.date(), grace_months=grace)
            found += [
                Finding(
                    Event.RUN_OVERDUE,
                    f"season {season.id} {entry.processor} {item.due}",
                    f"{season.site} {season.short_name} {entry.processor} was due on {item.due} and has not begun",
                    "look at Airflow's scheduler, and whether the DAG is paused",
                    site.id,
                    season.short_name,
                )
                for item in every
                if item.state == DUE and midnight(item.due) + patience < now
            ]
    return found


def _waiting(connection: Connection, season: Season, since: datetime) -> Iterator[Finding]:
    statement = text(
        """
        SELECT j.id, j.as_of, j.submitted_at, p.short_name AS processor
        FROM s4c.job j JOIN s4c.processor p ON p.id = j.processor_id
        WHERE j.season_id = :season_id AND j.state IN ('submitted', 'waiting_inputs', 'queued')
          AND j.submitted_at < :since
        ORDER BY j.id
        """
    )
    for row in connection.execute(statement, {"season_id": season.id, "since": since}):
        yield Finding(
            Event.RUN_OVERDUE,
            job_subject(row.id, row.submitted_at),
            f"{season.site} {season.short_name} {row.processor} up to {row.as_of} waits since "
            f"{row.submitted_at:%Y-%m-%d}",
            f"s4c jobs show {row.id} says for what",
            season.site_id,
            season.short_name,
        )


def failing_windows(connection: Connection) -> list[Finding]:
    """Return the searches that failed several times in a row, one finding a season and satellite."""
    statement = text(
        f"""
        SELECT n.id AS season_id, n.short_name AS season, s.id AS site_id, s.short_name AS site, w.satellite_id,
               count(*) AS number, min(w.date_from) AS first,
               (array_agg(w.error ORDER BY w.date_from))[1] AS error
        FROM s4c.query_window w JOIN s4c.season n ON n.id = w.season_id JOIN s4c.site s ON s.id = n.site_id
        WHERE w.state = 'failed' AND w.attempts >= {FAILING_ATTEMPTS} AND w.in_span AND n.enabled AND s.enabled
        GROUP BY n.id, s.id, w.satellite_id ORDER BY n.id, w.satellite_id
        """
    )
    names = {number: name for name, number in SATELLITES.items()}
    return [
        Finding(
            Event.WINDOW_FAILING,
            f"season {row.season_id} {names[row.satellite_id]}",
            _short(
                f"{row.site} {row.season}: {row.number} searches for {names[row.satellite_id]} fail, the first from "
                f"{row.first}: {row.error or 'no message'}"
            ),
            "s4c doctor asks every source",
            row.site_id,
            row.season,
        )
        for row in connection.execute(statement)
    ]


def refusing_sources(connection: Connection, *, now: datetime) -> list[Finding]:
    """Return the sources that refuse the account, or have asked to wait for an hour, by name."""
    statement = text(
        """
        SELECT name, opened_at, reason, coalesce(error, '') AS error FROM s4c.source_state
        WHERE opened_at IS NOT NULL AND (reason <> :pause OR opened_at < :since) ORDER BY name
        """
    )
    values = {"pause": str(Reason.THROTTLED), "since": now - LONG_PAUSE}
    return [
        Finding(
            Event.SOURCE_DOWN,
            f"source {row.name} since {row.opened_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            _short(f"{row.name} is not asked since {row.opened_at:%Y-%m-%d %H:%M}Z ({row.reason}): {row.error}"),
            f"correct the account, then s4c source test {row.name}",
        )
        for row in connection.execute(statement, values)
    ]


def many_failed(connection: Connection, *, now: datetime) -> list[Finding]:
    """Return seasons of which more than ``readiness.max_failed_pct`` of a satellite's acquisitions failed for good."""
    statement = text(
        """
        SELECT a.satellite_id, count(*) AS total,
               count(*) FILTER (WHERE a.state IN ('aborted', 'processing_failed')) AS failed
        FROM s4c.site_acquisition m JOIN s4c.acquisition a ON a.id = m.acquisition_id
        WHERE m.site_id = :site_id AND m.relevance = 'selected' AND a.state <> 'ignored'
          AND a.sensing_start >= :first AND a.sensing_start < :after
        GROUP BY a.satellite_id ORDER BY a.satellite_id
        """
    )
    names = {number: name for name, number in SATELLITES.items()}
    found = []
    for site, season in _served(connection):
        limit = float(snapshot(connection, today=now.date(), site=site, season=season)["readiness.max_failed_pct"])
        first, after = midnight(season.dates.start), midnight(season.dates.end + timedelta(days=1))
        for row in connection.execute(statement, {"site_id": site.id, "first": first, "after": after}):
            if row.total < FEWEST_ACQUISITIONS or 100 * row.failed <= limit * row.total:
                continue
            satellite = names[row.satellite_id]
            found.append(
                Finding(
                    Event.MANY_FAILED,
                    f"season {season.id} {satellite}",
                    f"{season.site} {season.short_name}: {row.failed} of {row.total} acquisitions of {satellite} "
                    f"({100 * row.failed / row.total:.0f} %) failed for good, more than {limit:g} %",
                    f"s4c acquisitions list {season.site} {season.short_name}",
                    site.id,
                    season.short_name,
                )
            )
    return found


def _served(connection: Connection) -> list[tuple[Site, Season]]:
    sites = {site.id: site for site in list_sites(connection) if site.enabled}
    return [
        (sites[season.site_id], season)
        for season in list_seasons(connection)
        if season.enabled and season.site_id in sites
    ]


def _why(reason: str | None, detail: str | None) -> str:
    return ": ".join(part for part in (reason, detail) if part) or "no reason was recorded"


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
