from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from domain_rows import (
    ACTOR,
    AREA,
    DATES,
    NOW,
    count,
    make_acquisition,
    make_enabled,
    make_job,
    make_season,
    make_site,
    make_source,
    states,
)
from sqlalchemy import Connection, text

from s4c_lib.catalog import acquisitions, data_sources, jobs, products, query_windows, seasons, site_deletion, sites
from s4c_lib.catalog.config_values import set_value
from s4c_lib.errors import ConflictError, InputError, NotFoundError
from s4c_lib.scheduling.dates import SeasonDates
from s4c_lib.scheduling.query_windows import Window, windows
from s4c_lib.scheduling.schedules import Kind, Schedule


def days(start: str, mid: str, end: str) -> SeasonDates:
    return SeasonDates(date.fromisoformat(start), date.fromisoformat(mid), date.fromisoformat(end))


def test_a_site_comes_back_as_it_was_stored(connection: Connection) -> None:
    site = make_site(connection, "Alpha")
    assert not site.enabled
    assert site.geometry.equals(AREA)
    assert sites.get_site(connection, "ALPHA") == sites.get_site(connection, "alpha")
    assert [one.tile for one in sites.site_tiles(connection, site.id)] == ["31UFS", "31UGS"]
    with pytest.raises(ConflictError) as raised:
        make_site(connection, "ALPHA")
    assert raised.value.code == "SITE-01"
    with pytest.raises(NotFoundError) as missing:
        sites.get_site(connection, "alpah")
    assert "alpha" in missing.value.hint


def test_a_site_named_like_the_short_name_of_another_is_told_apart(connection: Connection) -> None:
    for name, short in (("A B", "a_b"), ("a_b", "a_b_2")):
        sites.add_site(
            connection,
            name=name,
            short_name=short,
            geometry=AREA,
            search_geometry=AREA,
            area_km2=1,
            tiles=[],
            actor="x",
        )
    assert sites.get_site(connection, "a_b").name == "A B"
    assert sites.get_site(connection, "a_b_2").name == "a_b"


def test_a_site_needs_an_enabled_season(connection: Connection) -> None:
    """Case 23."""
    site = make_site(connection)
    with pytest.raises(ConflictError, match="no enabled season"):
        sites.set_enabled(connection, site, True)
    season = make_season(connection, site)
    seasons.set_enabled(connection, season, False)
    with pytest.raises(ConflictError):
        sites.set_enabled(connection, site, True)
    assert not sites.get_site(connection, "alpha").enabled
    seasons.set_enabled(connection, season, True)
    assert sites.set_enabled(connection, site, True).enabled


def test_tiles_can_only_be_restricted_to_those_that_meet_the_site(connection: Connection) -> None:
    site = make_site(connection)
    sites.restrict_tiles(connection, site, ["t31ufs"])
    assert [one.tile for one in sites.site_tiles(connection, site.id) if one.selected] == ["31UFS"]
    with pytest.raises(InputError, match="31TCJ does not meet"):
        sites.restrict_tiles(connection, site, ["31UFS", "31TCJ"])
    with pytest.raises(InputError, match="at least one"):
        sites.restrict_tiles(connection, site, [])


WIDE, INSIDE = days("2024-01-01", "2024-05-01", "2024-12-31"), days("2024-03-01", "2024-04-01", "2024-06-30")


@pytest.mark.parametrize(("first", "second"), [(WIDE, INSIDE), (INSIDE, WIDE), (WIDE, WIDE)])
def test_seasons_do_not_lie_inside_each_other(connection: Connection, first: SeasonDates, second: SeasonDates) -> None:
    """Case 24."""
    site = make_site(connection)
    earlier = make_season(connection, site, "first", first)
    with pytest.raises(ConflictError, match="one inside the other"):
        make_season(connection, site, "second", second)
    assert [one.name for one in seasons.list_seasons(connection, site.id)] == ["first"]
    # a disabled one may; enabling it is refused
    nested, _ = seasons.add_season(connection, site, name="second", dates=second, actor=ACTOR, enabled=False)
    with pytest.raises(ConflictError):
        seasons.set_enabled(connection, nested, True)
    seasons.set_enabled(connection, earlier, False)
    seasons.set_enabled(connection, nested, True)


def test_seasons_may_overlap_with_a_warning(connection: Connection) -> None:
    site = make_site(connection)
    make_season(connection, site, "2024", WIDE)
    later = days("2024-10-01", "2025-04-01", "2025-08-31")
    season, warnings = seasons.add_season(connection, site, name="winter crops", dates=later, actor=ACTOR)
    assert len(warnings) == 1
    assert "2024" in warnings[0]
    assert (season.short_name, season.year) == ("winter_crops", 2025)
    with pytest.raises(ConflictError):
        seasons.set_dates(connection, season, days("2024-10-01", "2024-10-02", "2024-12-01"))
    assert seasons.season_by_id(connection, season.id).dates == later


@pytest.mark.parametrize(
    ("name", "dates"),
    [
        ("x", ("2024-05-01", "2024-05-01", "2024-05-01")),
        ("x", ("2024-05-01", "2024-04-30", "2024-06-01")),
        ("x", ("2024-05-01", "2024-06-02", "2024-06-01")),
        ("...", ("2024-05-01", "2024-05-02", "2024-06-01")),
        ("x" * 65, ("2024-05-01", "2024-05-02", "2024-06-01")),
    ],
)
def test_a_season_that_makes_no_sense_is_refused(
    connection: Connection, name: str, dates: tuple[str, str, str]
) -> None:
    site = make_site(connection)
    with pytest.raises(InputError):
        make_season(connection, site, name, days(*dates))
    assert count(connection, "season") == 0


def test_a_season_name_is_used_once_in_a_site(connection: Connection) -> None:
    site = make_site(connection)
    make_season(connection, site, "Winter crops", WIDE)
    for name in ("Winter crops", "winter_crops"):
        with pytest.raises(ConflictError, match="already has"):
            seasons.add_season(
                connection, site, name=name, dates=days("2025-01-01", "2025-02-01", "2025-03-01"), actor=ACTOR
            )
    assert seasons.get_season(connection, site, "Winter crops") == seasons.get_season(connection, site, "WINTER_CROPS")
    with pytest.raises(NotFoundError) as raised:
        seasons.get_season(connection, site, "summer")
    assert "winter_crops" in raised.value.hint


def test_moved_dates_move_what_follows_them(connection: Connection) -> None:
    """Case 21."""
    site = make_site(connection)
    season = make_season(connection, site, "2019", days("2019-04-01", "2019-06-15", "2019-10-31"))
    own = Schedule(Kind.EVERY_N_DAYS, date(2019, 5, 6), n_days=14)
    seasons.set_schedule(connection, season, "s4c_l4a", own)
    whole = Window(date(2019, 4, 1), date(2019, 10, 31))
    query_windows.store_windows(connection, season.id, "s2", windows(whole, 10))
    first = query_windows.list_windows(connection, season.id)[0]
    query_windows.start(connection, first.id, NOW)
    query_windows.succeed(connection, first.id, now=NOW, result_count=3, rejected=[])

    moved, _ = seasons.set_dates(connection, season, days("2019-04-11", "2019-06-15", "2019-09-30"))
    found = {entry.processor: entry.schedule for entry in seasons.season_processors(connection, season.id)}
    assert found["s4c_l4a"] == own
    assert found["s4c_l4b"].first_run == date(2019, 5, 12)
    assert found["s4c_l4c"].first_run == date(2019, 4, 18)
    assert moved.dates.horizon() == date(2019, 10, 30)

    query_windows.store_windows(connection, season.id, "s2", windows(Window(date(2019, 4, 11), date(2019, 9, 30)), 10))
    kept = query_windows.list_windows(connection, season.id)
    assert (kept[0].window.date_from, kept[-1].window.date_to) == (date(2019, 4, 11), date(2019, 9, 30))
    due = query_windows.due_windows(connection, season.id, "s2", now=NOW, settle_days=5, before=None)
    assert first.id not in {window.id for window in due}
    old = connection.execute(text("SELECT in_span, result_count FROM s4c.query_window WHERE id = :i"), {"i": first.id})
    assert tuple(old.one()) == (False, 3)
    # moved back: it is the same window, with its history
    query_windows.store_windows(connection, season.id, "s2", windows(whole, 10))
    assert query_windows.list_windows(connection, season.id)[0].result_count == 3


def test_the_year_follows_the_dates_unless_somebody_chose_it(connection: Connection) -> None:
    site = make_site(connection)
    season = make_season(connection, site)
    moved, _ = seasons.set_dates(connection, season, days("2023-03-01", "2023-05-01", "2023-09-30"))
    assert moved.year == 2023
    chosen, _ = seasons.add_season(
        connection, site, name="own", dates=days("2021-03-01", "2021-05-01", "2021-09-30"), actor=ACTOR, year=2020
    )
    moved, _ = seasons.set_dates(connection, chosen, days("2022-03-01", "2022-05-01", "2022-09-30"))
    assert moved.year == 2020


def test_a_prolonged_last_window_is_searched_again(connection: Connection) -> None:
    site = make_site(connection)
    season = make_season(connection, site)
    query_windows.store_windows(connection, season.id, "s2", [Window(DATES.start, DATES.end)])
    (window,) = query_windows.list_windows(connection, season.id)
    query_windows.start(connection, window.id, NOW)
    query_windows.succeed(connection, window.id, now=NOW + timedelta(days=365), result_count=0, rejected=[])

    def due() -> int:
        later = NOW + timedelta(days=366)
        return len(query_windows.due_windows(connection, season.id, "s2", now=later, settle_days=5, before=None))

    assert due() == 0
    query_windows.store_windows(connection, season.id, "s2", [Window(DATES.start, DATES.end + timedelta(days=5))])
    assert due() == 1


def test_processors_are_switched_and_rescheduled(connection: Connection) -> None:
    site = make_site(connection)
    season = make_season(connection, site)
    seasons.set_schedule(connection, season, "s4c_l4b", Schedule(Kind.ONCE, date(2024, 10, 15)))
    seasons.set_processor(connection, season, "s4c_l4b", enabled=False)
    (entry,) = [one for one in seasons.season_processors(connection, season.id) if one.processor == "s4c_l4b"]
    assert (entry.enabled, entry.schedule.kind) == (False, Kind.ONCE)
    seasons.set_schedule(connection, season, "s4c_l4b", Schedule(Kind.MONTHLY, date(2024, 4, 1), month_day=5))
    (entry,) = [one for one in seasons.season_processors(connection, season.id) if one.processor == "s4c_l4b"]
    assert not entry.enabled, "a new cadence does not switch a processor on"
    for first in (date(2024, 2, 29), date(2024, 10, 31)):
        with pytest.raises(InputError, match="outside season"):
            seasons.set_schedule(connection, season, "s4c_l4b", Schedule(Kind.ONCE, first))
    with pytest.raises(InputError, match="no processor"):
        seasons.set_processor(connection, season, "l3b", enabled=True)


def test_what_belongs_to_a_site_goes_with_it(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_source(connection, site=site, name="own")
    make_acquisition(connection, site, "PRODUCT", state="processed")
    query_windows.store_windows(connection, season.id, "s2", [Window(DATES.start, DATES.end)])
    set_value(connection, "downloader.enabled", False, actor="x", site=site)
    set_value(connection, "downloader.enabled", False, actor="x", season=season)
    make_job(connection, season, "done")
    planned = site_deletion.plan(connection, site)
    assert (planned.seasons, planned.jobs, planned.acquisitions) == (1, 1, 1)
    assert count(connection, "site") == 1, "a plan removes nothing"
    assert site_deletion.delete(connection, site, actor="boss") == planned
    emptied = (
        "site season season_processor site_tile query_window acquisition site_acquisition acquisition_event job "
        "config_value config_change data_source"
    )
    assert {table: count(connection, table) for table in emptied.split()} == dict.fromkeys(emptied.split(), 0)
    row = connection.execute(text("SELECT short_name, deleted_by, removed FROM s4c.site_deletion")).one()
    assert (row.short_name, row.deleted_by, row.removed["acquisitions"]) == ("alpha", "boss", 1)
    make_site(connection, "Alpha")


def register(connection: Connection, name: str, number: int, site_ids: list[int], path: str) -> int:
    new = products.NewProduct(
        product_type="l2a",
        processor="l2a",
        name=name,
        full_path=path,
        acquired_at=NOW,
        software_version="1",
        config_hash="h",
        acquisition_id=number,
    )
    return products.register(connection, new, site_ids)


def test_what_another_site_uses_too_stays(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    shared = make_acquisition(connection, site, "SHARED", state="processed")
    make_acquisition(connection, other, "SHARED")
    own = make_acquisition(connection, site, "OWN", state="processed")
    connection.execute(
        text("UPDATE s4c.acquisition SET full_path = '/d/' || source_product_name, fetch_mode = 'symlink'")
    )
    register(connection, "SHARED", shared, [site.id, other.id], "/d/SHARED")
    register(connection, "OWN", own, [site.id], "/products/OWN")
    planned = site_deletion.delete(connection, site, actor="boss")
    assert planned.acquisition_paths == ("/d/OWN",)
    assert planned.product_paths == ("/products/OWN",)
    assert states(connection) == {"SHARED": "processed"}
    assert [one.name for one in products.list_products(connection, other.id)] == ["SHARED"]
    assert count(connection, "site_acquisition") == 1


def test_what_another_site_is_about_to_use_stays(connection: Connection) -> None:
    """Products that the other site selects but was not given yet, and such as it only knows."""
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    for name, reason in (("WANTED", None), ("LEFT OUT", "cloud")):
        number = make_acquisition(connection, site, name, state="processed")
        make_acquisition(connection, other, name)
        acquisitions.set_relevance(connection, other.id, number, reason)
        register(connection, name, number, [site.id], f"/products/{name}")
    planned = site_deletion.delete(connection, site, actor="boss")
    assert (planned.acquisitions, planned.products, planned.product_paths) == (0, 0, ())
    assert [one.name for one in products.list_products(connection, other.id)] == ["WANTED"]
    # nothing would make it again
    acquisitions.set_relevance(connection, other.id, number, None)
    assert products.share_with_site(connection, other.id) == 1
    planned = site_deletion.delete(connection, other, actor="boss")
    assert (planned.acquisitions, planned.products) == (2, 2)
    assert planned.product_paths == ("/products/LEFT OUT", "/products/WANTED")
    assert (count(connection, "product"), count(connection, "acquisition")) == (0, 0)


def test_what_another_site_selects_while_its_files_go_is_fetched_again(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    number = make_acquisition(connection, site, "WAITING", state="downloaded")
    site_deletion.let_go(connection, site)
    make_acquisition(connection, other, "WAITING")
    site_deletion.delete(connection, site, actor="boss")
    assert str(acquisitions.get_acquisition(connection, number).state) == "queued"


def test_files_of_an_archive_used_in_place_are_nobodys_to_delete(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    number = make_acquisition(connection, site, "PRODUCT", state="processed")
    connection.execute(text("UPDATE s4c.acquisition SET full_path = '/archive/P', fetch_mode = 'check'"))
    register(connection, "PRODUCT", number, [site.id], "/archive/P")
    planned = site_deletion.plan(connection, site)
    assert planned.acquisition_paths == planned.product_paths == ()


def test_a_site_at_work_is_not_deleted(connection: Connection) -> None:
    site, season = make_enabled(connection)
    jobs.try_start(connection, make_job(connection, season, "run").id)
    with pytest.raises(ConflictError, match="is running"):
        site_deletion.delete(connection, site, actor="boss")
    assert count(connection, "site") == 1


def test_a_season_takes_its_windows_and_jobs_with_it(connection: Connection) -> None:
    site, season = make_enabled(connection)
    make_acquisition(connection, site, "PRODUCT", state="queued")
    query_windows.store_windows(connection, season.id, "s2", [Window(DATES.start, DATES.end)])
    make_job(connection, season, "run")
    connection.execute(text("DELETE FROM s4c.season"))
    assert [count(connection, table) for table in ("query_window", "job", "season_processor")] == [0, 0, 0]
    assert count(connection, "acquisition") == 1, "acquisitions belong to the site"


def test_sources_of_a_site_come_before_those_of_all(connection: Connection) -> None:
    site, _ = make_enabled(connection)
    other, _ = make_enabled(connection, "Beta")
    make_source(connection, name="everywhere", satellites=("s2",))
    make_source(connection, name="here", satellites=("s2",), site=site)
    assert [one.name for one in data_sources.sources_for(connection, site.id, "s2")] == ["here", "everywhere"]
    assert [one.name for one in data_sources.sources_for(connection, other.id, "s2")] == ["everywhere"]
    data_sources.set_source(connection, "everywhere", {"enabled": False})
    assert data_sources.sources_for(connection, other.id, "s2") == []
    assert [one.name for one in data_sources.sources_for(connection, other.id, "s2", with_disabled=True)] == [
        "everywhere"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"max_connections": 0},
        {"max_connections": "several"},
        {"fetch_mode": "teleport"},
        {"fetch_mode": "download"},
        {"local_root": None},
        {"max_retries": -1},
        {"name": "other"},
    ],
)
def test_a_source_keeps_its_sense(connection: Connection, changes: dict[str, object]) -> None:
    before = make_source(connection)
    with pytest.raises(InputError):
        data_sources.set_source(connection, "archive", changes)
    assert data_sources.get_sources(connection, "archive") == before


def test_wrong_sources_are_refused(connection: Connection) -> None:
    add = data_sources.add_source
    right = {"name": "a", "satellites": ["s2"], "driver": "local", "fetch_mode": "copy", "local_root": Path("/a")}
    add(connection, **right)  # type: ignore[arg-type]
    with pytest.raises(ConflictError):
        add(connection, **right)  # type: ignore[arg-type]
    wrong = (
        {"name": "Big Archive"},
        {"satellites": ["s3"]},
        {"driver": "pigeon"},
        {"fetch_mode": "download"},
        {"local_root": None},
        {"max_connections": 65},
    )
    for one in wrong:
        with pytest.raises(InputError):
            add(connection, **{**right, "name": "b", **one})  # type: ignore[arg-type]
    with pytest.raises(NotFoundError) as raised:
        data_sources.get_sources(connection, "nowhere")
    assert "sources are a" in raised.value.hint


def test_windows_are_searched_again_when_a_source_comes_goes_returns_or_moves(connection: Connection) -> None:
    site, season = make_enabled(connection)
    _, elsewhere = make_enabled(connection, "Beta")
    for one in (season, elsewhere):
        query_windows.store_windows(connection, one.id, "s2", [Window(DATES.start, DATES.end)])
    later = NOW + timedelta(days=365)

    def settle() -> None:
        for one in (season, elsewhere):
            (window,) = query_windows.list_windows(connection, one.id)
            query_windows.start(connection, window.id, later)
            query_windows.succeed(connection, window.id, now=later, result_count=0, rejected=[])

    def due() -> list[str]:
        found = []
        for one in (season, elsewhere):
            if query_windows.due_windows(connection, one.id, "s2", now=later, settle_days=5, before=None):
                found.append(one.site)
        return found

    settle()
    assert due() == []
    make_source(connection, name="own", site=site)
    assert due() == ["alpha"]
    settle()
    make_source(connection, name="radar", satellites=("s1",))
    data_sources.set_source(connection, "own", {"max_connections": 4})
    assert due() == []
    # the others are asked for what it was to supply
    data_sources.set_source(connection, "own", {"enabled": False})
    assert due() == ["alpha"]
    settle()
    data_sources.set_source(connection, "own", {"enabled": True})
    assert due() == ["alpha"]
    settle()
    make_source(connection)
    assert due() == ["alpha", "beta"]
    settle()
    data_sources.set_source(connection, "archive", {"local_root": "/elsewhere"})
    assert due() == ["alpha", "beta"]
    settle()
    sites.restrict_tiles(connection, site, ["31UFS"])
    assert due() == ["alpha"]
