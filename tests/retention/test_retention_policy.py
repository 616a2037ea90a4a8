"""What the retention policy decides, case by case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.retention.policy import Action, Kind, Rule, Stored, judge, ranked

END = date(2024, 9, 30)
MADE = datetime(2024, 6, 1, 12, tzinfo=UTC)


def rule(owner: str = "alpha/2024", **more: object) -> Rule:
    values = {"action": Action.DELETE, "keep_days": 90, "keep_last": 0, "season_end": END, **more}
    return Rule(owner, **values)  # type: ignore[arg-type]


def stored(*rules: Rule, kind: Kind = Kind.L2A, since: datetime = MADE, **more: object) -> Stored:
    values = {"rank": 1, "hindrance": None, **more}
    return Stored(kind, 1, 1, "P", "/products/P", ("alpha",), since, rules, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("item", "due"),
    [
        (stored(rule()), date(2024, 12, 29)),
        # of a past season that is computed years later, the time counts from then
        (stored(rule(), since=datetime(2030, 1, 1, tzinfo=UTC)), date(2030, 4, 1)),
        (stored(rule(keep_days=30), kind=Kind.L1), date(2024, 7, 1)),
        (stored(rule("alpha", season_end=None)), date(2024, 8, 30)),
        # two sites: the one that keeps it longer
        (stored(rule(), rule("beta/2024", keep_days=100)), date(2025, 1, 8)),
    ],
)
def test_the_day_from_which_something_goes(item: Stored, due: date) -> None:
    before, after = judge(item, due - timedelta(days=1)), judge(item, due)
    assert (before.action, before.due, after.action, after.due) == (Action.NONE, due, Action.DELETE, due)
    assert before.rule == f"not yet: {after.rule}"


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (stored(rule(action=Action.NONE)), "no action is set"),
        (stored(rule(), rule("beta/2024", action=Action.NONE)), "no action is set"),
        (stored(rule(), rule("beta/2031", unfinished=True)), "beta/2031 is not finished"),
        (stored(rule(keep_last=3), rank=3), "one of the latest 3 of its tile"),
        (stored(rule(), hindrance="kept: linked"), "linked"),
    ],
)
def test_what_keeps_something_however_old_it_is(item: Stored, why: str) -> None:
    verdict = judge(item, date(2099, 1, 1))
    assert (verdict.action, verdict.rule) == (Action.NONE, f"kept: {why}")


def test_downloads_do_not_wait_for_the_end_of_the_season() -> None:
    item = stored(rule(keep_days=30, unfinished=True), kind=Kind.L1)
    assert judge(item, date(2024, 7, 1)).action is Action.DELETE


def test_it_is_archived_when_one_of_its_sites_wants_that() -> None:
    both = stored(rule(), rule("beta/2024", action=Action.ARCHIVE))
    assert judge(both, date(2099, 1, 1)).action is Action.ARCHIVE
    assert judge(stored(rule(keep_last=3), rank=4), date(2099, 1, 1)).action is Action.DELETE


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=20))
def test_of_each_group_as_many_stay_as_are_asked_for(found: list[tuple[str, int]]) -> None:
    ranks = ranked((number, (group,), MADE + timedelta(days=day)) for number, (group, day) in enumerate(found))
    for letter in "ab":
        mine = [number for number, (group, _) in enumerate(found) if group == letter]
        assert sorted(ranks[number] for number in mine) == list(range(1, len(mine) + 1))
        assert [found[number][1] for number in sorted(mine, key=ranks.__getitem__)] == sorted(
            (found[number][1] for number in mine), reverse=True
        )
