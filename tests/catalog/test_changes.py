"""Who changed what, and when: each change leaves its record in its own transaction."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain_rows import make_enabled, make_site, make_source
from sqlalchemy import Connection, text

from s4c_lib.catalog import data_sources, season_deletion, seasons, site_deletion, sites
from s4c_lib.catalog.changes import act_as, list_changes
from s4c_lib.catalog.config_values import set_value, unset_value
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.schedules import Kind, Schedule

Told = tuple[str, str, str, str, dict[str, tuple[Any, Any]]]


def told(connection: Connection, **which: Any) -> list[Told]:
    """What is on record, oldest first: actor, action, noun, name and the fields."""
    return [
        (one.actor, one.action, one.noun, one.name, {key: (was["from"], was["to"]) for key, was in one.fields.items()})
        for one in reversed(list_changes(connection, **which))
    ]


def forget(connection: Connection) -> None:
    connection.execute(text("DELETE FROM s4c.change_record"))


def test_each_change_of_a_season_names_who_and_from_what_to_what(connection: Connection) -> None:
    site, season = make_enabled(connection)
    forget(connection)
    act_as(connection, "anna")
    season, _ = seasons.set_dates(
        connection, season, SeasonDates(date(2024, 3, 11), date(2024, 5, 1), date(2024, 9, 30))
    )
    seasons.set_processor(connection, season, "s4c_l4a", enabled=False)
    act_as(connection, "bert")
    seasons.set_schedule(connection, season, "s4c_l4a", Schedule(Kind.ONCE, date(2024, 6, 1)))
    seasons.set_enabled(connection, season, False)
    sites.set_enabled(connection, site, False)
    sites.restrict_tiles(connection, site, ["31UFS"])
    assert told(connection) == [
        ("anna", "changed", "season", "2024", {"start_date": ("2024-03-01", "2024-03-11")}),
        ("anna", "changed", "processor", "s4c_l4b", {"first_run": ("2024-04-01", "2024-04-11")}),
        ("anna", "changed", "processor", "s4c_l4c", {"first_run": ("2024-03-08", "2024-03-18")}),
        ("anna", "changed", "processor", "s4c_l4a", {"enabled": (True, False)}),
        (
            "bert",
            "changed",
            "processor",
            "s4c_l4a",
            {
                "kind": ("monthly", "once"),
                "month_day": (31, None),
                "anchor": ("mid", "custom"),
                "first_run": ("2024-05-01", "2024-06-01"),
            },
        ),
        ("bert", "changed", "season", "2024", {"enabled": (True, False)}),
        ("bert", "changed", "site", "alpha", {"enabled": (True, False)}),
        ("bert", "changed", "site", "alpha", {"tiles": (["31UFS", "31UGS"], ["31UFS"])}),
    ]


def test_what_changes_nothing_leaves_no_record(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_source(connection)
    forget(connection)
    seasons.set_enabled(connection, season, True)
    seasons.set_dates(connection, season, season.dates)
    sites.restrict_tiles(connection, site, ["31UFS", "31UGS"])
    data_sources.set_source(connection, "archive", {"priority": 1})
    assert told(connection) == []


def test_a_source_is_on_record_for_each_satellite_and_its_account_by_name_only(connection: Connection) -> None:
    site = make_site(connection)
    forget(connection)
    act_as(connection, "anna")
    data_sources.add_source(
        connection,
        name="hub",
        satellites=["s2"],
        driver="eodag",
        params={"provider": "p"},
        secret_ref="account",
        site=site,
    )
    data_sources.set_source(connection, "hub", {"quota": {"orders": 4}, "enabled": False})
    added, changed = told(connection, noun="source")
    assert added[:4] == ("anna", "added", "source", "hub/s2")
    assert added[4]["secret_ref"] == (None, "account")
    assert changed[4] == {"quota": ({}, {"orders": 4}), "enabled": (True, False)}
    assert [one.site for one in list_changes(connection, noun="source")] == ["alpha", "alpha"]


def test_a_change_in_the_database_itself_has_the_name_of_its_user(connection: Connection) -> None:
    site = make_site(connection)
    forget(connection)
    connection.execute(text("UPDATE s4c.site SET name = 'Beta' WHERE id = :id"), {"id": site.id})
    user = connection.execute(text("SELECT session_user::text")).scalar_one()
    assert told(connection) == [(f"database user {user}", "changed", "site", "alpha", {"name": ("Alpha", "Beta")})]


def test_records_outlive_their_site_and_one_says_who_deleted_it(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    second, _ = seasons.add_season(
        connection,
        site,
        name="2023",
        dates=SeasonDates(date(2023, 3, 1), date(2023, 5, 1), date(2023, 9, 30)),
        actor="x",
    )
    make_source(connection, site=site)
    forget(connection)
    season_deletion.begin(connection, second, actor="carl")
    connection.execute(text("DELETE FROM s4c.season WHERE id = :id"), {"id": second.id})
    site_deletion.begin(connection, site, actor="dora", keeps=())
    site_deletion.delete(connection, site, actor="dora")
    removed = [one[:4] for one in told(connection, site="alpha") if one[1] == "removed"]
    assert removed == [("carl", "removed", "season", "2023"), ("dora", "removed", "site", "alpha")]


def test_parameters_are_listed_with_the_rest_and_every_filter_holds(connection: Connection) -> None:
    site, season = make_enabled(connection)
    other = make_site(connection, "Beta")
    set_value(connection, "s1.enabled", False, actor="anna", site=site)
    set_value(connection, "s1.enabled", True, actor="bert", season=season)
    unset_value(connection, "s1.enabled", actor="bert", site=site)
    assert told(connection, noun="parameter") == [
        ("anna", "added", "parameter", "s1.enabled", {"value": (None, False)}),
        ("bert", "added", "parameter", "s1.enabled", {"value": (None, True)}),
        ("bert", "removed", "parameter", "s1.enabled", {"value": (False, None)}),
    ]
    assert {one[3] for one in told(connection, site=other.short_name)} == {"beta"}
    assert len(told(connection, limit=2)) == 2
    assert told(connection, since=datetime.now(UTC) + timedelta(days=1)) == []
    assert told(connection, since=datetime.now(UTC) - timedelta(days=1)) == told(connection)
