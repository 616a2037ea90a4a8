from __future__ import annotations

from datetime import date

import pytest
from domain_rows import NOW, make_enabled, make_season
from sqlalchemy import Connection, text

from s4c_lib.catalog.config_values import history, set_value, snapshot, stored_values, unset_value
from s4c_lib.catalog.seasons import Season
from s4c_lib.errors import ParameterError
from s4c_lib.parameters import REGISTRY
from s4c_lib.scheduling.dates import SeasonDates

KEY = "processor.s4c_l4a.num-trees"
TODAY = NOW.date()


def test_the_narrowest_scope_wins(connection: Connection) -> None:
    """Case 40."""
    site, season = make_enabled(connection)
    later = make_season(connection, site, "2025", SeasonDates(date(2025, 3, 1), date(2025, 5, 1), date(2025, 9, 30)))
    elsewhere, other = make_enabled(connection, "Beta")
    for value, scope in ((20, {}), (30, {"site": site}), (40, {"season": season})):
        set_value(connection, KEY, value, actor="boss", **scope)

    def seen(one: Season, **job: int) -> int:
        values = {KEY: job["job"]} if job else {}
        return int(snapshot(connection, today=TODAY, season=one, job_values=values)[KEY])

    assert seen(season, job=50) == 50
    assert seen(season) == 40
    assert seen(later) == 30
    assert seen(other) == 20
    assert snapshot(connection, today=TODAY, site=elsewhere)[KEY] == 20
    assert snapshot(connection, today=TODAY, site=site)[KEY] == 30
    assert str(snapshot(connection, today=TODAY, site=site, season=season).explain(KEY)).startswith(f"{KEY} = 40")
    for scope in ({}, {"site": site}, {"season": season}):
        assert unset_value(connection, KEY, actor="boss", **scope)
        assert not unset_value(connection, KEY, actor="boss", **scope)
    assert seen(season) == REGISTRY.get(KEY).default


@pytest.mark.parametrize(
    ("key", "value"), [(KEY, 0), (KEY, 10**6), (KEY, "many"), (KEY, None), ("processor.s4c_l4a.trees", 5)]
)
def test_wrong_values_are_refused_and_nothing_is_stored(connection: Connection, key: str, value: object) -> None:
    with pytest.raises(ParameterError):
        set_value(connection, key, value, actor="boss")
    assert stored_values(connection) == {}
    assert history(connection) == []


def test_a_value_is_refused_where_it_cannot_be_set(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    with pytest.raises(ParameterError, match="cannot be set for a site"):
        set_value(connection, "lease.seconds", 60, actor="boss", site=site)


def test_a_value_that_contradicts_another_is_refused(connection: Connection) -> None:
    set_value(connection, "lease.heartbeat_seconds", 600, actor="boss")
    with pytest.raises(ParameterError, match=r"lease\.heartbeat_seconds"), connection.begin_nested():
        set_value(connection, "lease.seconds", 300, actor="boss")
    assert stored_values(connection) == {"lease.heartbeat_seconds": 600}


def test_history_tells_who_changed_what_and_how_often(connection: Connection) -> None:
    site, season = make_enabled(connection)
    set_value(connection, KEY, 20, actor="anna")
    set_value(connection, KEY.upper(), "25", actor="bert")
    set_value(connection, KEY, 30, actor="anna", site=site)
    set_value(connection, "downloader.enabled", "no", actor="anna", season=season)
    unset_value(connection, KEY, actor="carl")
    changes = [(c.site, c.season, c.old_value, c.new_value, c.changed_by) for c in history(connection, KEY)]
    assert changes == [
        (None, None, 25, None, "carl"),
        ("alpha", None, None, 30, "anna"),
        (None, None, 20, 25, "bert"),
        (None, None, None, 20, "anna"),
    ]
    (newest,) = history(connection, limit=1)
    assert newest.key == KEY
    assert ("alpha", "2024") in {(change.site, change.season) for change in history(connection)}
    version = text("SELECT version FROM s4c.config_value WHERE key = :key AND site_id IS NULL AND season_id IS NULL")
    assert connection.execute(version, {"key": KEY}).scalar_one_or_none() is None


def test_not_set_is_a_value_that_can_be_unset(connection: Connection) -> None:
    optional = next(one for one in REGISTRY if one.optional and "global" in one.scopes)
    set_value(connection, optional.key, None, actor="anna")
    assert stored_values(connection) == {optional.key: None}
    assert unset_value(connection, optional.key, actor="anna")
    assert stored_values(connection) == {}
    assert len(history(connection)) == 2


def test_lists_and_dates_come_back_as_they_were_set(connection: Connection) -> None:
    site, season = make_enabled(connection)
    set_value(connection, "downloader.orbits", "51, 8", actor="anna", site=site)
    assert snapshot(connection, today=TODAY, site=site)["downloader.orbits"] == (8, 51)
    dated = next(one for one in REGISTRY if str(one.kind) == "date" and "season" in one.scopes)
    set_value(connection, dated.key, "20240412", actor="anna", season=season)
    assert snapshot(connection, today=TODAY, season=season)[dated.key] == date(2024, 4, 12)


def test_the_phase_follows_the_months_of_grace_of_the_season(connection: Connection) -> None:
    _, season = make_enabled(connection)
    late = date(2024, 11, 15)
    assert snapshot(connection, today=late, season=season)["ingest.interval_days"] == 60
    set_value(connection, "schedule.grace_months", 3, actor="anna", season=season)
    assert snapshot(connection, today=late, season=season)["ingest.interval_days"] == 1
