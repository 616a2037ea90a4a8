"""Query windows of a season: which exist, which are due, and how each search ended.

The row is the persistent, retriable query: a failed one is due again after its pause, whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from s4c_lib.catalog.vocabulary import SATELLITES, satellite_name
from s4c_lib.scheduling.query_windows import Window, back_off

MOST_REJECTED_KEPT = 200


@dataclass(frozen=True, slots=True)
class QueryWindow:
    """A slice of a season for one satellite, and how its last search went.

    Attributes
    ----------
    asked : product kinds that remote catalogues were asked for by the last search that succeeded.
    """

    id: int
    season_id: int
    satellite: str
    window: Window
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_started: datetime | None
    last_success: datetime | None
    result_count: int | None
    rejected: Sequence[Mapping[str, str]]
    asked: Sequence[str]
    error: str | None
    in_span: bool


_COLUMNS = (
    "id, season_id, satellite_id, date_from, date_to, state, attempts, next_attempt_at, last_started, last_success, "
    "result_count, rejected, asked, error, in_span"
)


def _query_window(row: RowMapping) -> QueryWindow:
    values: dict[str, Any] = dict(row)
    values["satellite"] = satellite_name(values.pop("satellite_id"))
    values["window"] = Window(values.pop("date_from"), values.pop("date_to"))
    return QueryWindow(**values)


def store_windows(connection: Connection, season_id: int, satellite: str, wanted: Sequence[Window]) -> None:
    """Make the windows of a satellite those wanted; searched ones of an earlier span stay as history.

    A window keeps its history when only its last day moved; it is then due again.
    """
    satellite_id = SATELLITES[satellite]
    connection.execute(
        text("UPDATE s4c.query_window SET in_span = false WHERE season_id = :season AND satellite_id = :satellite"),
        {"season": season_id, "satellite": satellite_id},
    )
    statement = text(
        """
        INSERT INTO s4c.query_window AS w (season_id, satellite_id, date_from, date_to)
        VALUES (:season, :satellite, :date_from, :date_to)
        ON CONFLICT (season_id, satellite_id, date_from) DO UPDATE SET
            in_span = true, date_to = excluded.date_to,
            last_success = CASE WHEN w.date_to < excluded.date_to THEN NULL ELSE w.last_success END
        """
    )
    rows = [
        {"season": season_id, "satellite": satellite_id, "date_from": item.date_from, "date_to": item.date_to}
        for item in wanted
    ]
    if rows:
        connection.execute(statement, rows)
    connection.execute(
        text(
            "DELETE FROM s4c.query_window WHERE season_id = :season AND satellite_id = :satellite "
            "AND NOT in_span AND last_started IS NULL"
        ),
        {"season": season_id, "satellite": satellite_id},
    )


def list_windows(connection: Connection, season_id: int, satellite: str | None = None) -> list[QueryWindow]:
    """Return the windows in the season's span, by satellite and date."""
    statement = text(
        f"SELECT {_COLUMNS} FROM s4c.query_window WHERE season_id = :season AND in_span "
        "AND (CAST(:satellite AS smallint) IS NULL OR satellite_id = :satellite) ORDER BY satellite_id, date_from"
    )
    values = {"season": season_id, "satellite": None if satellite is None else SATELLITES[satellite]}
    return [_query_window(row) for row in connection.execute(statement, values).mappings()]


def due_windows(
    connection: Connection,
    season_id: int,
    satellite: str,
    *,
    now: datetime,
    settle_days: int,
    before: date | None,
) -> list[QueryWindow]:
    """Return the windows to search now, oldest first.

    Due is a window that has begun, is not settled, is not in a pause after a failure, and starts before
    ``before`` (the end of the run's interval, excluded; None for no limit).
    """
    return [
        item
        for item in list_windows(connection, season_id, satellite)
        if item.window.eligible(now.date())
        and (before is None or item.window.date_from < before)
        and not item.window.settled(item.last_success, settle_days)
        and (item.next_attempt_at is None or item.next_attempt_at <= now)
    ]


def start(connection: Connection, window_id: int, now: datetime) -> None:
    """Record that a window is being searched."""
    connection.execute(
        text(
            "UPDATE s4c.query_window SET state = 'querying', last_started = :now, attempts = attempts + 1 "
            "WHERE id = :id"
        ),
        {"now": now, "id": window_id},
    )


def succeed(
    connection: Connection,
    window_id: int,
    *,
    now: datetime,
    result_count: int,
    rejected: Sequence[Mapping[str, str]],
    asked: Sequence[str] = (),
) -> None:
    """Record what a search found; ``rejected`` lists things that are no acquisition, with path, reason and text.

    Parameters
    ----------
    asked : product kinds that remote catalogues were asked for.
    """
    connection.execute(
        text(
            """
            UPDATE s4c.query_window
            SET state = 'succeeded', last_success = :now, attempts = 0, next_attempt_at = NULL, error = NULL,
                result_count = :result_count, rejected = CAST(:rejected AS jsonb), asked = :asked
            WHERE id = :id
            """
        ),
        {
            "now": now,
            "result_count": result_count,
            "rejected": json.dumps([dict(item) for item in rejected[:MOST_REJECTED_KEPT]]),
            "asked": sorted(asked),
            "id": window_id,
        },
    )


def fail(connection: Connection, window_id: int, *, now: datetime, error: str) -> None:
    """Record a failed search; it is due again after 5 min, doubled with each failure, 6 h at most."""
    attempts = connection.execute(
        text("SELECT attempts FROM s4c.query_window WHERE id = :id FOR UPDATE"), {"id": window_id}
    ).scalar_one()
    connection.execute(
        text("UPDATE s4c.query_window SET state = 'failed', error = :error, next_attempt_at = :due WHERE id = :id"),
        {"error": error, "due": now + back_off(attempts), "id": window_id},
    )


def put_off(connection: Connection, window_id: int, *, until: datetime, reason: str) -> None:
    """Record that nobody could be asked for now: the window is due at ``until``, and this try does not count."""
    connection.execute(
        text(
            """
            UPDATE s4c.query_window
            SET state = 'failed', error = :reason, next_attempt_at = :until, attempts = greatest(attempts - 1, 0)
            WHERE id = :id
            """
        ),
        {"reason": reason, "until": until, "id": window_id},
    )


def rejected_elsewhere(connection: Connection, season_id: int, window_ids: Sequence[int]) -> set[str]:
    """Return the paths already reported by windows of a season other than these."""
    statement = text(
        """
        SELECT DISTINCT entry ->> 'path' FROM s4c.query_window w, jsonb_array_elements(w.rejected) AS entry
        WHERE w.season_id = :season AND w.in_span AND w.id <> ALL(:ids)
        """
    )
    return set(connection.execute(statement, {"season": season_id, "ids": list(window_ids)}).scalars())


def reopen(connection: Connection, satellite: str, site_id: int | None) -> None:
    """Make settled windows due again because a source has changed or come: of one site, or of all (None)."""
    connection.execute(
        text(
            """
            UPDATE s4c.query_window w SET last_success = NULL, next_attempt_at = NULL
            FROM s4c.season s
            WHERE s.id = w.season_id AND w.in_span AND w.satellite_id = :satellite
              AND (CAST(:site_id AS bigint) IS NULL OR s.site_id = :site_id)
            """
        ),
        {"satellite": SATELLITES[satellite], "site_id": site_id},
    )


def requery(connection: Connection, season_id: int, satellite: str | None = None) -> int:
    """Make the windows of a season due again, whatever is known of them."""
    result = connection.execute(
        text(
            """
            UPDATE s4c.query_window SET last_success = NULL, next_attempt_at = NULL, attempts = 0
            WHERE season_id = :season AND in_span
              AND (CAST(:satellite AS smallint) IS NULL OR satellite_id = :satellite)
            """
        ),
        {"season": season_id, "satellite": None if satellite is None else SATELLITES[satellite]},
    )
    return result.rowcount
