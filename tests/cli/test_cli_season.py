"""Seasons from the command line. Dates are the acceptance cases of operations.md §8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.cli.season import _middle
from s4c_lib.processors import L4_PROCESSORS
from s4c_lib.scheduling.dates import SeasonDates
from tests.cli.conftest import Run


def test_the_preview_lists_the_dates_and_windows(s4c: Run, site: str) -> None:
    add = ("season", "add", site, "2019", "2019-04-01", "2019-10-31", "--mid", "2019-06-15")
    found = s4c(*add, "--json").json
    runs = {item["processor"]: item["runs"] for item in found["processors"]}
    # cases 1 to 3
    assert runs["s4c_l4a"] == ["2019-06-15", "2019-07-31", "2019-08-31", "2019-09-30", "2019-10-31", "2019-11-30"]
    assert runs["s4c_l4b"][0] == "2019-05-02"
    assert (runs["s4c_l4c"][0], len(runs["s4c_l4c"])) == ("2019-05-06", 30)
    early = {item["processor"]: item["too_early"] for item in found["processors"]}
    assert early["s4c_l4c"] == 4
    assert (found["phase"], found["served_until"], found["year"]) == ("past", "2019-11-30", 2019)
    windows = {item["satellite"]: item for item in found["windows"]}
    assert windows["s1"]["from"] == "2019-03-20"
    assert windows["s2"]["windows"] == 22
    text = s4c("season", "show", site, "2019").out
    assert "2019-06-15, 2019-07-31" in text
    assert "4 earlier dates are left out" in text
    assert "final_only From and To 2019-11-30; replay_all From 2019-06-15 To 2019-11-30" in text
    assert "backfill of ingest in Airflow: From 2019-03-20 To 2019-12-01" in text
    assert "monthly on the last day from 2019-06-15" in text


def test_query_windows_of_an_offset_of_two_months(s4c: Run, site: str) -> None:
    s4c("config", "set", "downloader.start.offset", "2", "--site", site)
    found = s4c("season", "add", site, "2024", "2024-03-01", "2024-09-30", "--json").json
    windows = {item["satellite"]: item for item in found["windows"]}
    assert (windows["s2"]["from"], windows["s2"]["windows"]) == ("2024-01-01", 28)  # case 25
    assert (windows["s1"]["from"], windows["s1"]["windows"]) == ("2024-02-18", 23)  # case 26


def test_a_dry_run_shows_the_same_and_stores_nothing(s4c: Run, site: str) -> None:
    add = ("season", "add", site, "2019", "2019-04-01", "2019-10-31")
    dry = s4c(*add, "--dry-run", "--json")
    assert "nothing was stored" in dry.err
    assert s4c("season", "list", "--json").json == []
    assert s4c(*add, "--json").json == dry.json


@given(st.dates(), st.dates())
def test_the_middle_of_a_season_lies_in_it(first: object, second: object) -> None:
    start, end = sorted([first, second])  # type: ignore[type-var]
    assert SeasonDates(start, _middle(start, end), end).mid >= start
    assert _middle(start, end) <= end


def test_dates_out_of_order_are_refused(s4c: Run, site: str) -> None:
    reversed_dates = s4c("season", "add", site, "x", "2019-10-31", "2019-04-01", code=2)
    assert "The season starts on 2019-10-31 but ends on 2019-04-01." in reversed_dates.err
    outside = s4c("season", "add", site, "x", "2019-04-01", "2019-10-31", "--mid", "2019-12-01", code=2)
    assert "The middle of the season, 2019-12-01, lies outside" in outside.err
    assert s4c("season", "list", "--json").json == []


def test_nested_seasons_are_refused_in_either_order_and_overlaps_warned_of(s4c: Run, site: str) -> None:
    # case 24
    s4c("season", "add", site, "2024", "2024-01-01", "2024-12-31")
    nested = s4c("season", "add", site, "inner", "2024-03-01", "2024-06-30", code=2)
    assert "lie one inside the other" in nested.err
    s4c("season", "disable", site, "2024")
    s4c("season", "add", site, "inner", "2024-03-01", "2024-06-30")
    assert "lie one inside the other" in s4c("season", "enable", site, "2024", code=2).err
    s4c("season", "disable", site, "inner")
    s4c("season", "enable", site, "2024")
    overlap = s4c("season", "add", site, "winter", "2024-10-01", "2025-08-31")
    assert "warning: The season overlaps season '2024'" in overlap.err
    assert [item["season"] for item in s4c("season", "list", site, "--json").json] == ["2024", "inner", "winter"]


def test_a_name_that_exists_or_is_too_long_is_refused(s4c: Run, season: tuple[str, str]) -> None:
    site, _ = season
    assert "already has a season" in s4c("season", "add", site, "2019", "2021-04-01", "2021-10-31", code=2).err
    assert "64" in s4c("season", "add", site, "9" * 65, "2021-04-01", "2021-10-31", code=2).err
    assert "needs a letter or digit" in s4c("season", "add", site, "--", "??", "2021-04-01", "2021-10-31", code=2).err


def test_moving_a_season_moves_the_schedules_that_follow_it(s4c: Run, season: tuple[str, str]) -> None:
    # case 21
    s4c("season", "schedule", *season, "l4a", "--monthly", "31", "--first", "2019-06-20")
    found = s4c("season", "dates", *season, "2019-04-10", "2019-09-30", "--json").json
    runs = {item["processor"]: item["runs"] for item in found["processors"]}
    assert runs["s4c_l4c"][0] == "2019-05-15"
    assert runs["s4c_l4b"][0] == "2019-05-11"
    assert runs["s4c_l4a"][0] == "2019-06-20"
    assert found["served_until"] == "2019-10-30"
    assert found["mid"] == "2019-06-15"
    s4c("season", "dates", *season, "2019-09-30", "2019-04-10", code=2)
    assert s4c("season", "show", *season, "--json").json["start"] == "2019-04-10"


def test_a_season_across_new_year_says_which_declarations_it_takes(s4c: Run, site: str) -> None:
    dates = ("2026-10-01", "2027-03-31")
    answer = s4c("season", "add", site, "winter", *dates, "--json")
    assert answer.json["year"] == 2026, "the longer part's, by a day"
    assert "the declarations and tables of 2026; those of 2027 with --year 2027" in answer.err
    command = answer.err.split("also later: s4c ")[1].splitlines()[0]
    moved = s4c(*command.split(), "--json")
    assert moved.json["year"] == 2027
    assert "New Year" not in moved.err, "it was just said"
    again = s4c("season", "dates", site, "winter", "2026-09-01", "2027-03-31", "--json")
    assert again.json["year"] == 2027, "what a user chose stays"
    assert "New Year" not in s4c("season", "add", site, "2025", "2025-04-01", "2025-09-30").err


def test_schedules_are_set_by_one_rule(s4c: Run, season: tuple[str, str]) -> None:
    every = s4c("season", "schedule", *season, "s4c_l4b", "--every", "14", "--first", "2019-05-06")
    assert "every 14 days from 2019-05-06: 15 runs" in every.out
    once = s4c("season", "schedule", *season, "l4b", "--once", "--json").json
    assert once[0]["runs"] == ["2019-05-06"]
    for wrong, said in (
        (("--once", "--every", "3"), "exactly one of"),
        ((), "exactly one of"),
        (("--every", "0"), "every 1 to 366 days"),
        (("--monthly", "40"), "day 1 to 31"),
        (("--once", "--first", "2020-05-06"), "lies outside season"),
    ):
        assert said in s4c("season", "schedule", *season, "l4b", *wrong, code=2).err
    assert s4c("season", "show", *season, "--json").json["processors"][1]["runs"] == ["2019-05-06"]


def test_processors_are_switched_on_and_off(s4c: Run, season: tuple[str, str]) -> None:
    off = [name.removeprefix("s4c_") for name in L4_PROCESSORS if name != "s4c_l4c"]
    s4c("season", "processors", *season, *(text for name in off for text in ("--off", name)))
    listed = {item["processor"]: item["enabled"] for item in s4c("season", "processors", *season, "--json").json}
    assert listed == {name: name == "s4c_l4c" for name in L4_PROCESSORS}
    assert {item["dag_id"] for item in s4c("dags", "list", "--json").json} == {
        "test_land__2019__ingest",
        "test_land__2019__l4c_practices",
        "test_land__declarations",
    } | {item["dag_id"] for item in s4c("dags", "list", "--json").json if not item["enabled"]}
    assert "with --on and with --off" in s4c("season", "processors", *season, "--on", "l4a", "--off", "l4a", code=2).err


def test_an_unknown_season_is_answered_with_those_there_are(s4c: Run, season: tuple[str, str]) -> None:
    answer = s4c("season", "show", season[0], "2020", code=2)
    assert answer.err == "s4c: Site 'test_land' has no season '2020'. (its seasons are 2019)\n"


def test_who_changed_what_of_a_season_is_listed(s4c: Run, season: tuple[str, str], folder: Path) -> None:
    s4c("--actor", "anna", "season", "processors", *season, "--off", "l4c")
    s4c("source", "add", "archive", "--satellite", "s2", "--root", folder)
    last, *_, first = s4c("changes", "list", "--site", season[0], "--json").json
    assert (last["actor"], last["season"], last["name"]) == ("anna", season[1], "s4c_l4c")
    assert last["fields"] == {"enabled": {"from": True, "to": False}}
    assert (first["actor"], first["action"], first["noun"]) == ("tester", "added", "site")
    text = s4c("changes", "list", "--of", "processor").out
    assert "enabled: yes -> no" in " ".join(text.split())
    assert "archive/s2" in s4c("changes", "list", "--of", "source", "--since", "2026-01-01").out
    assert "There is no site 'nowhere'" in s4c("changes", "list", "--site", "nowhere", code=2).err
    assert "choose from site" in s4c("changes", "list", "--of", "tile", code=2).err


def test_disabling_the_last_season_says_that_nothing_runs(s4c: Run, season: tuple[str, str]) -> None:
    assert "has no enabled season left" in s4c("season", "disable", *season).err


def test_readiness_names_each_rule_and_what_blocks(s4c: Run, season: tuple[str, str]) -> None:
    answer = s4c("season", "readiness", *season)
    assert "s4c_l4a: last run, due 2019-11-30, data until 2019-10-31: waits" in answer.out
    (verdict,) = s4c("season", "readiness", *season, "l4c", "--json").json
    assert {rule["rule"].split()[0] for rule in verdict["rules"]} == {"R1", "R2", "R3", "R4", "R5", "R6"}
    assert not verdict["ready"]


def test_a_current_season_has_a_last_and_a_next_run(s4c: Run, site: str) -> None:
    today = datetime.now(UTC).date()
    s4c("season", "add", site, "now", today - timedelta(days=100), today + timedelta(days=100), "--processor", "l4c")
    verdicts = s4c("season", "readiness", site, "now", "--json").json
    assert [item["which"] for item in verdicts] == ["last", "next"]
    assert verdicts[0]["due"] <= today.isoformat() < verdicts[1]["due"]
