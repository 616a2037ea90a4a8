"""Past seasons come to be ingested again when a failed search or transfer is due, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain_rows import make_acquisition, make_enabled, make_job, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import query_windows, seasons
from s4c_lib.catalog.past_retries import PastRetry, past_retries
from s4c_lib.catalog.seasons import Season
from s4c_lib.scheduling.query_windows import Window
from s4c_lib.scheduling.query_windows import windows as slices

LONG_AFTER = datetime(2025, 3, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def searched(connection: Connection, season: Season, *, failed: int = 0, left: int = 0) -> None:
    """Windows of a season: the first ``failed`` failed and are due, the last ``left`` were never searched."""
    wanted = slices(Window(season.dates.start, season.dates.end), 30)
    query_windows.store_windows(connection, season.id, "s2", wanted)
    stored = query_windows.list_windows(connection, season.id)
    for number, item in enumerate(stored[: len(stored) - left]):
        query_windows.start(connection, item.id, LONG_AFTER - HOUR)
        if number < failed:
            query_windows.fail(connection, item.id, now=LONG_AFTER - HOUR, error="no answer")
        else:
            query_windows.succeed(connection, item.id, now=LONG_AFTER - HOUR, result_count=0, rejected=[])


def test_a_failed_transfer_of_a_past_season_comes_due(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_source(connection)
    searched(connection, season)
    number = make_acquisition(connection, site, "S2A_ONE", state="failed")
    due = text("UPDATE s4c.acquisition SET next_attempt_at = :due WHERE id = :id")
    connection.execute(due, {"due": LONG_AFTER + HOUR, "id": number})
    assert past_retries(connection, LONG_AFTER) == []
    assert past_retries(connection, LONG_AFTER + HOUR) == [PastRetry("alpha", "2024", 0, 1)]
    # a current season has its schedule
    assert past_retries(connection, datetime(2024, 7, 1, tzinfo=UTC)) == []


def test_a_failed_search_of_a_past_season_comes_due(connection: Connection) -> None:
    _, season = make_enabled(connection)
    searched(connection, season, failed=2)
    assert past_retries(connection, LONG_AFTER) == [PastRetry("alpha", "2024", 2, 0)]
    seasons.set_enabled(connection, season, False)
    assert past_retries(connection, LONG_AFTER) == []


def test_a_season_of_which_only_a_part_was_asked_for_is_left_alone(connection: Connection) -> None:
    make_enabled(connection, "Never")
    _, season = make_enabled(connection, "Partly")
    searched(connection, season, failed=1, left=1)
    assert past_retries(connection, LONG_AFTER) == []


def test_a_season_whose_ingest_is_under_way_is_left_alone(connection: Connection) -> None:
    _, season = make_enabled(connection)
    searched(connection, season, failed=1)
    make_job(connection, season, "manual__1", processor="ingest")
    assert past_retries(connection, LONG_AFTER) == []
