"""What operators see of runs that wait: rules, waivers, and what became of every date."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from domain_rows import make_acquisition

from s4c_lib.catalog.database import Database
from s4c_lib.catalog.seasons import get_season
from s4c_lib.catalog.sites import get_site
from tests.cli.conftest import Run


@pytest.fixture
def aborted(database: Database, season: tuple[str, str]) -> tuple[str, str]:
    """A season one acquisition of which never came."""
    with database.begin() as connection:
        site = get_site(connection, season[0])
        assert get_season(connection, site, season[1]).enabled
        make_acquisition(connection, site, "NEVER", state="aborted", sensed=datetime(2019, 6, 1, tzinfo=UTC))
    return season


def test_a_waiver_is_given_seen_and_taken_back(s4c: Run, aborted: tuple[str, str]) -> None:
    def rule(name: str) -> dict[str, object]:
        found = s4c("season", "readiness", *aborted, "l4c", "--json").json[0]
        return next(item for item in found["rules"] if item["rule"] == name)

    assert rule("R6")["blocking"] == ["NEVER"]
    made = s4c(
        "season", "waive", *aborted, "l4c", "--acquisition", "NEVER", "--reason", "lost at the source", "--json"
    ).json
    assert (made["name"], made["created_by"]) == ("NEVER", "tester")
    assert rule("R6")["ok"]
    shown = s4c("season", "readiness", *aborted, "l4c").out
    assert "waived by tester: NEVER (lost at the source)" in shown
    assert "lost at the source" in s4c("season", "waivers", *aborted).out
    taken = s4c("season", "unwaive", *aborted, made["id"])
    assert "withdrawn by tester" in taken.out
    assert not rule("R6")["ok"]
    assert s4c("season", "waivers", *aborted, "--json").json == []
    (kept,) = s4c("season", "waivers", *aborted, "--all", "--json").json
    assert kept["withdrawn_by"] == "tester"


def test_wrong_waivers_are_refused_in_a_line(s4c: Run, aborted: tuple[str, str]) -> None:
    assert "give --acquisition or --product" in s4c("season", "waive", *aborted, "l4c", "--reason", "x", code=2).err
    assert "uses no acquisition" in s4c(
        "season", "waive", *aborted, "l4c", "--reason", "x", "--acquisition", "NOBODY", code=2
    ).err  # fmt: skip
    s4c("season", "waive", *aborted, "l4c", "--acquisition", "NEVER", code=2)  # no reason
    assert "has no waiver 99" in s4c("season", "unwaive", *aborted, 99, code=2).err


def test_every_date_of_a_season_says_what_became_of_it(s4c: Run, season: tuple[str, str]) -> None:
    """operations.md case 10: one date of a past season counts, the others are superseded."""
    found = s4c("season", "readiness", *season, "--dates", "--json").json
    l4c = Counter((item["state"], item["reason"]) for item in found if item["processor"] == "s4c_l4c")
    assert l4c == {("skipped", "out_of_season"): 4, ("skipped", "superseded"): 29, ("due", None): 1}
    due = {item["processor"]: (item["due"], item["as_of"]) for item in found if item["state"] == "due"}
    assert due == {
        "s4c_l4a": ("2019-11-30", "2019-10-31"),
        "s4c_l4b": ("2019-11-30", "2019-10-31"),
        "s4c_l4c": ("2019-11-25", "2019-10-31"),
    }
    assert "superseded" in s4c("season", "readiness", *season, "l4a", "--dates").out
    assert "5 dates have no run (superseded)" in s4c("season", "readiness", *season, "l4a").out
