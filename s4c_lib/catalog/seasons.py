"""Seasons of a site, the processors that run in them, and their schedules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.sites import Site
from s4c_lib.catalog.vocabulary import PROCESSORS, processor_name
from s4c_lib.errors import ConflictError, InputError, NotFoundError
from s4c_lib.processors import L4_PROCESSORS
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.schedules import Anchor, CatchupPolicy, Kind, Schedule, default_schedule

MOST_LETTERS = 64


@dataclass(frozen=True, slots=True)
class Season:
    """The dates in which a site's parcels are watched; ``year`` is the year of its declarations."""

    id: int
    site_id: int
    site: str
    name: str
    short_name: str
    dates: SeasonDates
    year: int
    enabled: bool
    catchup_policy: CatchupPolicy | None


@dataclass(frozen=True, slots=True)
class SeasonProcessor:
    """A processor of a season and the rule of its runs."""

    season_id: int
    processor: str
    enabled: bool
    schedule: Schedule


_SELECT = """
    SELECT s.id, s.site_id, site.short_name AS site, s.name, s.short_name,
           s.start_date, s.mid_date, s.end_date, s.year, s.enabled, s.catchup_policy
    FROM s4c.season s JOIN s4c.site site ON site.id = s.site_id
"""


def _season(row: RowMapping) -> Season:
    return Season(
        id=row["id"],
        site_id=row["site_id"],
        site=row["site"],
        name=row["name"],
        short_name=row["short_name"],
        dates=SeasonDates(row["start_date"], row["mid_date"], row["end_date"]),
        year=row["year"],
        enabled=row["enabled"],
        catchup_policy=None if row["catchup_policy"] is None else CatchupPolicy(row["catchup_policy"]),
    )


def list_seasons(connection: Connection, site_id: int | None = None) -> list[Season]:
    """Return the seasons of a site, or of all, by site and start."""
    statement = text(
        f"{_SELECT} WHERE CAST(:site_id AS bigint) IS NULL OR s.site_id = :site_id "
        "ORDER BY site.short_name, s.start_date, s.short_name"
    )
    return [_season(row) for row in connection.execute(statement, {"site_id": site_id}).mappings()]


def get_season(connection: Connection, site: Site, name: str) -> Season:
    """Return a season of a site by name or short name.

    Raises
    ------
    NotFoundError : there is none; the hint names those there are.
    """
    statement = text(f"{_SELECT} WHERE s.site_id = :site_id AND (s.name = :name OR s.short_name = lower(:name))")
    row = connection.execute(statement, {"site_id": site.id, "name": name}).mappings().one_or_none()
    if row is None:
        known = [season.short_name for season in list_seasons(connection, site.id)]
        hint = f"its seasons are {', '.join(known)}" if known else f"add one with 's4c season add {site.short_name}'"
        raise NotFoundError(f"Site {site.short_name!r} has no season {name!r}.", hint=hint)
    return _season(row)


def season_by_id(connection: Connection, season_id: int) -> Season:
    """Return a season by its number."""
    row = connection.execute(text(f"{_SELECT} WHERE s.id = :id"), {"id": season_id}).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no season with number {season_id}.", hint="it may have been deleted")
    return _season(row)


def _short_name(name: str) -> str:
    short = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40]
    if not short or len(name) > MOST_LETTERS:
        raise InputError(
            f"{name!r} is no name for a season.",
            hint=f"it needs a letter or digit and has {MOST_LETTERS} at most; a year is a good name: 2026",
        )
    return short


def check_dates(dates: SeasonDates) -> None:
    """Refuse dates out of order.

    Raises
    ------
    InputError : the start is not before the end, or the middle lies outside.
    """
    if dates.start >= dates.end:
        raise InputError(
            f"The season starts on {dates.start} but ends on {dates.end}.", hint="give the start first, then the end"
        )
    if not dates.start <= dates.mid <= dates.end:
        raise InputError(
            f"The middle of the season, {dates.mid}, lies outside {dates.start} to {dates.end}.",
            hint="--mid is the day of the first crop type run",
        )


def _lock_site(connection: Connection, site_id: int) -> None:
    """Let the seasons of a site be changed by one at a time: each change is checked against the others."""
    connection.execute(text("SELECT id FROM s4c.site WHERE id = :id FOR UPDATE"), {"id": site_id})


def _check_nesting(connection: Connection, site_id: int, dates: SeasonDates, except_id: int | None) -> list[str]:
    """Refuse a season nested with an enabled one, in either direction; return warnings of overlaps."""
    _lock_site(connection, site_id)
    warnings = []
    for other in list_seasons(connection, site_id):
        if not other.enabled or other.id == except_id:
            continue
        theirs = f"{other.short_name!r} ({other.dates.start} to {other.dates.end})"
        if other.dates.contains(dates) or dates.contains(other.dates):
            raise ConflictError(
                f"The season {dates.start} to {dates.end} and the enabled season {theirs} lie one inside the other.",
                hint="disable the other season first, or choose other dates",
            )
        if other.dates.overlaps(dates):
            warnings.append(f"The season overlaps season {theirs}.")
    return warnings


def add_season(
    connection: Connection,
    site: Site,
    *,
    name: str,
    dates: SeasonDates,
    actor: str,
    year: int | None = None,
    enabled: bool = True,
    processors: Sequence[str] = L4_PROCESSORS,
    catchup_policy: CatchupPolicy | None = None,
) -> tuple[Season, list[str]]:
    """Store a new season with its processors on their default schedules.

    Returns
    -------
    season, warnings : a warning names each enabled season that overlaps.
    """
    check_dates(dates)
    short_name = _short_name(name)
    _lock_site(connection, site.id)
    warnings = _check_nesting(connection, site.id, dates, None) if enabled else []
    for other in list_seasons(connection, site.id):
        if other.name == name or other.short_name == short_name:
            raise ConflictError(f"Site {site.short_name!r} already has a season {name!r}.", hint="choose another name")
    statement = text(
        """
        INSERT INTO s4c.season (site_id, name, short_name, start_date, mid_date, end_date, year, enabled,
                                catchup_policy, created_by)
        VALUES (:site_id, :name, :short_name, :start, :mid, :end, :year, :enabled,
                CAST(:policy AS s4c.catchup_policy), :actor)
        """
    )
    connection.execute(
        statement,
        {
            "site_id": site.id,
            "name": name,
            "short_name": short_name,
            "start": dates.start,
            "mid": dates.mid,
            "end": dates.end,
            "year": dates.default_year() if year is None else year,
            "enabled": enabled,
            "policy": catchup_policy,
            "actor": actor,
        },
    )
    season = get_season(connection, site, short_name)
    for processor in processors:
        set_processor(connection, season, processor, enabled=True)
    return season, warnings


def set_enabled(connection: Connection, season: Season, enabled: bool) -> tuple[Season, list[str]]:
    """Enable or disable a season; enabling checks it against the other enabled ones."""
    warnings = _check_nesting(connection, season.site_id, season.dates, season.id) if enabled else []
    connection.execute(
        text("UPDATE s4c.season SET enabled = :enabled WHERE id = :id"), {"enabled": enabled, "id": season.id}
    )
    return season_by_id(connection, season.id), warnings


def set_dates(
    connection: Connection, season: Season, dates: SeasonDates, *, year: int | None = None
) -> tuple[Season, list[str]]:
    """Move a season; its year, if none is given, and the schedules that follow its dates move with it.

    A year or a schedule that a user set stays.
    """
    check_dates(dates)
    warnings = _check_nesting(connection, season.site_id, dates, season.id) if season.enabled else []
    if year is None:
        year = dates.default_year() if season.year == season.dates.default_year() else season.year
    connection.execute(
        text(
            "UPDATE s4c.season SET start_date = :start, mid_date = :mid, end_date = :end, year = :year WHERE id = :id"
        ),
        {"start": dates.start, "mid": dates.mid, "end": dates.end, "year": year, "id": season.id},
    )
    for entry in season_processors(connection, season.id):
        moved = entry.schedule.for_season(dates)
        connection.execute(
            text(
                "UPDATE s4c.season_processor SET first_run = :first_run "
                "WHERE season_id = :season_id AND processor_id = :processor_id"
            ),
            {"first_run": moved.first_run, "season_id": season.id, "processor_id": PROCESSORS[entry.processor]},
        )
    return season_by_id(connection, season.id), warnings


def season_processors(connection: Connection, season_id: int) -> list[SeasonProcessor]:
    """Return the processors of a season, by number."""
    statement = text(
        """
        SELECT season_id, processor_id, enabled, kind, n_days, month_day, anchor, anchor_days, first_run
        FROM s4c.season_processor WHERE season_id = :season_id ORDER BY processor_id
        """
    )
    return [
        SeasonProcessor(
            season_id=row["season_id"],
            processor=processor_name(row["processor_id"]),
            enabled=row["enabled"],
            schedule=Schedule(
                kind=Kind(row["kind"]),
                first_run=row["first_run"],
                n_days=row["n_days"],
                month_day=row["month_day"],
                anchor=Anchor(row["anchor"]),
                anchor_days=row["anchor_days"],
            ),
        )
        for row in connection.execute(statement, {"season_id": season_id}).mappings()
    ]


def set_processor(connection: Connection, season: Season, processor: str, *, enabled: bool) -> None:
    """Switch a processor of a season on or off; a first switch-on gives it its default schedule."""
    _check_processor(processor)
    if any(entry.processor == processor for entry in season_processors(connection, season.id)):
        connection.execute(
            text(
                "UPDATE s4c.season_processor SET enabled = :enabled "
                "WHERE season_id = :season_id AND processor_id = :processor_id"
            ),
            {"enabled": enabled, "season_id": season.id, "processor_id": PROCESSORS[processor]},
        )
        return
    _store_schedule(connection, season, processor, default_schedule(processor, season.dates), enabled)


def set_schedule(connection: Connection, season: Season, processor: str, schedule: Schedule) -> None:
    """Give a processor of a season its own schedule; its other settings stay as they are.

    Raises
    ------
    InputError : the first run lies outside the season and its grace period.
    """
    _check_processor(processor)
    horizon = season.dates.horizon()
    if not season.dates.start <= schedule.first_run <= horizon:
        raise InputError(
            f"The first run {schedule.first_run} lies outside season {season.short_name!r} "
            f"({season.dates.start} to {horizon}, the month after its end included).",
            hint="choose a date in that range",
        )
    existing = {entry.processor: entry.enabled for entry in season_processors(connection, season.id)}
    _store_schedule(connection, season, processor, schedule, existing.get(processor, True))


def _check_processor(processor: str) -> None:
    if processor not in L4_PROCESSORS:
        raise InputError(
            f"{processor!r} is no processor with a schedule.", hint=f"choose from {', '.join(L4_PROCESSORS)}"
        )


def _store_schedule(connection: Connection, season: Season, processor: str, schedule: Schedule, enabled: bool) -> None:
    statement = text(
        """
        INSERT INTO s4c.season_processor
            (season_id, processor_id, enabled, kind, n_days, month_day, anchor, anchor_days, first_run)
        VALUES (:season_id, :processor_id, :enabled, CAST(:kind AS s4c.schedule_kind), :n_days, :month_day,
                CAST(:anchor AS s4c.schedule_anchor), :anchor_days, :first_run)
        ON CONFLICT (season_id, processor_id) DO UPDATE SET
            enabled = excluded.enabled, kind = excluded.kind, n_days = excluded.n_days,
            month_day = excluded.month_day, anchor = excluded.anchor, anchor_days = excluded.anchor_days,
            first_run = excluded.first_run
        """
    )
    connection.execute(
        statement,
        {
            "season_id": season.id,
            "processor_id": PROCESSORS[processor],
            "enabled": enabled,
            "kind": schedule.kind,
            "n_days": schedule.n_days,
            "month_day": schedule.month_day,
            "anchor": schedule.anchor,
            "anchor_days": schedule.anchor_days,
            "first_run": schedule.first_run,
        },
    )
