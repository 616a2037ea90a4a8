"""When a product or download is archived or deleted, and what keeps it: pure decisions, no database, no files.

Source: operations.md §7, row "Archiving".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a policy is about; parameters ``retention.<kind>.*``."""

    L1 = "l1"
    L2A = "l2a"
    S1 = "s1"
    L3B = "l3b"
    L4 = "l4"


class Action(StrEnum):
    """What happens when the time is over."""

    NONE = "none"
    ARCHIVE = "archive"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Rule:
    """The policy of a site, or of one of its seasons, for a kind.

    Attributes
    ----------
    owner : ``site`` or ``site/season``, for the reader; empty for what no site uses any more.
    season_end : None where the time counts from the product alone.
    unfinished : the season is not over, or a run of it is under way.
    """

    owner: str
    action: Action
    keep_days: int
    keep_last: int
    season_end: date | None = None
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A product in force or a download.

    Attributes
    ----------
    since : when it was registered, or when the last work on a download ended.
    rules : of each site and season that uses it.
    rank : 1 for the latest of its kind, site and tile.
    hindrance : what keeps it whatever the rules say; None where nothing does.
    """

    kind: Kind
    product_id: int | None
    acquisition_id: int | None
    name: str
    path: str
    sites: tuple[str, ...]
    since: datetime
    rules: tuple[Rule, ...]
    rank: int
    hindrance: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done with it, and the rule that says so. ``due`` : from when; None where it never is."""

    item: Stored
    action: Action
    rule: str
    due: date | None = None


def judge(item: Stored, today: date) -> Verdict:
    """Apply the rules of all that use a product: it goes when each of them lets it, archived if one wants it so."""
    rules = item.rules
    if item.hindrance is not None:
        return Verdict(item, Action.NONE, item.hindrance)
    keeping = [rule for rule in rules if rule.action is Action.NONE]
    if keeping or not rules:
        return Verdict(item, Action.NONE, "kept: no action is set")
    if busy := sorted({rule.owner for rule in rules if rule.unfinished and item.kind is not Kind.L1}):
        return Verdict(item, Action.NONE, f"kept: {busy[0]} is not finished")
    if (latest := max(rule.keep_last for rule in rules)) and item.rank <= latest:
        return Verdict(item, Action.NONE, f"kept: one of the latest {latest} of its tile")
    due, rule = max(((_due(item, rule), rule) for rule in rules), key=lambda pair: (pair[0], pair[1].owner))
    archived = any(one.action is Action.ARCHIVE for one in rules)
    action = Action.ARCHIVE if archived else Action.DELETE
    words = _words(item.kind, rule, action)
    if due > today:
        return Verdict(item, Action.NONE, f"not yet: {words}", due)
    return Verdict(item, action, words, due)


def _due(item: Stored, rule: Rule) -> date:
    begins = item.since.date()
    if item.kind is not Kind.L1 and rule.season_end is not None:
        begins = max(begins, rule.season_end)
    return begins + timedelta(days=rule.keep_days)


def _words(kind: Kind, rule: Rule, action: Action) -> str:
    done = "archived" if action is Action.ARCHIVE else "deleted"
    if kind is Kind.L1:
        return f"{done} {rule.keep_days} days after the last work on it"
    if rule.season_end is None:
        return f"{done} {rule.keep_days} days after it was made, as no season uses it"
    return f"{done} {rule.keep_days} days after season {rule.owner} ({rule.season_end}), or after it was made"


def ranked(items: Iterable[tuple[int, tuple[object, ...], datetime]]) -> Mapping[int, int]:
    """Return the rank of numbered things, the latest of a group being 1.

    Parameters
    ----------
    items : number, group, time.
    """
    groups: dict[tuple[object, ...], list[tuple[datetime, int]]] = {}
    for number, group, moment in items:
        groups.setdefault(group, []).append((moment, number))
    ranks: dict[int, int] = {}
    for same in groups.values():
        for place, (_, number) in enumerate(sorted(same, reverse=True), start=1):
            # of several groups that it belongs to, the one that keeps it longest
            ranks[number] = min(place, ranks.get(number, place))
    return ranks


def totals(verdicts: Sequence[Verdict]) -> Mapping[tuple[str, str, str, str], list[Verdict]]:
    """Return verdicts by sites, kind, action and rule, in this order."""
    found: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for one in verdicts:
        key = (", ".join(one.item.sites), str(one.item.kind), str(one.action), one.rule)
        found.setdefault(key, []).append(one)
    return dict(sorted(found.items()))
