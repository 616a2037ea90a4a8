"""Deleting a season: its runs, windows and settings go, what only it used is left out; products stay for retention.

Source: operations.md §7, "Season deletion".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from s4c_lib.catalog.acquisitions import settle_selection
from s4c_lib.catalog.seasons import Season, season_by_id
from s4c_lib.errors import ConflictError
from s4c_lib.reasons import Reason

Span = tuple[datetime, datetime]
"""First moment, and moment after the last, that a season needs acquisitions of."""


@dataclass(frozen=True, slots=True)
class SeasonDeletionPlan:
    """Rows that go with a season.

    Attributes
    ----------
    acquisitions : of the site, used by no other season of it: left out from now on; retention removes their files.
    products : of those dates and of the season's runs; they stay.
    """

    jobs: int
    windows: int
    waivers: int
    parameters: int
    acquisitions: int
    products: int


_OTHERS = """
    unnest(CAST(:firsts AS timestamptz[]), CAST(:stops AS timestamptz[])) AS o (first, stop)
"""


def _values(season: Season, mine: Span, others: Sequence[Span]) -> dict[str, object]:
    return {
        "season_id": season.id,
        "site_id": season.site_id,
        "short_name": season.short_name,
        "first": mine[0],
        "stop": mine[1],
        "firsts": [one[0] for one in others],
        "stops": [one[1] for one in others],
        "reason": str(Reason.SEASON_DELETED),
    }


def plan(connection: Connection, season: Season, mine: Span, others: Sequence[Span]) -> SeasonDeletionPlan:
    """Count what a deletion would remove, without changing anything.

    Parameters
    ----------
    mine, others : what this season and the other ones of the site need.
    """
    row = connection.execute(
        text(
            f"""
            SELECT (SELECT count(*) FROM s4c.job WHERE season_id = :season_id) AS jobs,
                   (SELECT count(*) FROM s4c.query_window WHERE season_id = :season_id) AS windows,
                   (SELECT count(*) FROM s4c.waiver WHERE season_id = :season_id) AS waivers,
                   (SELECT count(*) FROM s4c.config_value WHERE season_id = :season_id) AS parameters,
                   (SELECT count(*) FROM s4c.site_acquisition m JOIN s4c.acquisition a ON a.id = m.acquisition_id
                    WHERE m.site_id = :site_id AND m.relevance = 'selected'
                      AND a.sensing_start >= :first AND a.sensing_start < :stop
                      AND NOT EXISTS (SELECT 1 FROM {_OTHERS} WHERE a.sensing_start >= o.first
                                        AND a.sensing_start < o.stop)) AS acquisitions,
                   (SELECT count(*) FROM s4c.product p JOIN s4c.product_site s ON s.product_id = p.id
                    WHERE s.site_id = :site_id AND p.state = 'active' AND p.removed_at IS NULL
                      AND ((p.acquired_at >= :first AND p.acquired_at < :stop)
                           OR p.metadata -> 'run' ->> 'season' = :short_name)) AS products
            """
        ),
        _values(season, mine, others),
    ).mappings()
    return SeasonDeletionPlan(**row.one())


@dataclass(frozen=True, slots=True)
class DeletingSeason:
    """A season that is being deleted."""

    season: Season
    by: str


def deleting(connection: Connection) -> list[DeletingSeason]:
    """Return the seasons that are being deleted, by number."""
    statement = text("SELECT id, deleting_by FROM s4c.season WHERE deleting_since IS NOT NULL ORDER BY id")
    return [DeletingSeason(season_by_id(connection, row.id), row.deleting_by) for row in connection.execute(statement)]


def refuse_deleting(connection: Connection, season: Season) -> None:
    """Let nothing be done with a season that is being deleted.

    Raises
    ------
    ConflictError : it is.
    """
    if any(one.season.id == season.id for one in deleting(connection)):
        raise ConflictError(
            f"Season {season.site}/{season.short_name} is being deleted.",
            hint=f"'s4c season delete {season.site} {season.short_name} --yes' goes on with it",
        )


def begin(connection: Connection, season: Season, *, actor: str) -> None:
    """Mark a season: nothing of it starts any more, and runs that wait are cancelled; it may be called again."""
    connection.execute(
        text(
            "UPDATE s4c.season SET enabled = false, deleting_since = clock_timestamp(), deleting_by = :actor "
            "WHERE id = :id AND deleting_since IS NULL"
        ),
        {"id": season.id, "actor": actor},
    )
    connection.execute(
        text(
            """
            UPDATE s4c.job SET state = 'cancelled', reason = 'season_deleted', ended_at = clock_timestamp(),
                detail = 'its season is being deleted'
            WHERE season_id = :id AND state IN ('submitted', 'waiting_inputs', 'queued')
            """
        ),
        {"id": season.id},
    )


def delete(
    connection: Connection, season: Season, mine: Span, others: Sequence[Span], *, actor: str
) -> SeasonDeletionPlan:
    """Remove a season, and leave out what no other season of the site uses; a tombstone says what went.

    Raises
    ------
    ConflictError : a job of the season is running.
    """
    running = connection.execute(
        text("SELECT id FROM s4c.job WHERE season_id = :id AND state = 'running' ORDER BY id LIMIT 1"),
        {"id": season.id},
    ).scalar_one_or_none()
    if running is not None:
        raise ConflictError(
            f"Job {running} of season {season.site}/{season.short_name} is running.",
            hint="wait until it ends, or end its run in Airflow",
        )
    planned = plan(connection, season, mine, others)
    connection.execute(
        text(
            f"""
            UPDATE s4c.site_acquisition m SET relevance = 'ignored', reason = :reason
            FROM s4c.acquisition a
            WHERE a.id = m.acquisition_id AND m.site_id = :site_id AND m.relevance = 'selected'
              AND a.sensing_start >= :first AND a.sensing_start < :stop
              AND NOT EXISTS (SELECT 1 FROM {_OTHERS} WHERE a.sensing_start >= o.first AND a.sensing_start < o.stop)
            """
        ),
        _values(season, mine, others),
    )
    settle_selection(connection, season.site_id, actor=actor)
    connection.execute(text("DELETE FROM s4c.season WHERE id = :id"), {"id": season.id})
    connection.execute(
        text(
            "INSERT INTO s4c.season_deletion (site, short_name, name, deleted_by, removed) "
            "VALUES (:site, :short_name, :name, :actor, CAST(:removed AS jsonb))"
        ),
        {
            "site": season.site,
            "short_name": season.short_name,
            "name": season.name,
            "actor": actor,
            "removed": json.dumps(asdict(planned)),
        },
    )
    return planned
