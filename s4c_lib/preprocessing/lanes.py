"""Order of work (``preprocessing.md`` 2.5): MAJA learns from date to date, so an orbit's dates of a tile form a lane.

Pure rules over the rows of a lane; claims themselves are made in the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

_CHAINED = frozenset({"maja"})


@dataclass(frozen=True, slots=True)
class LaneUnit:
    """One (L1C, tile) of a lane.

    Parameters
    ----------
    key : of the unit, any text that tells it from the others. state : of the unit, ``pending`` ... ``ignored``.
    attempts, max_attempts : a failed unit is final when it may not be tried again or has used its attempts up.
    """

    key: str
    acquired: datetime
    state: str
    retryable: bool = True
    attempts: int = 0
    max_attempts: int = 3

    @property
    def waits_for_retry(self) -> bool:
        """Failed, and to be tried again."""
        return self.state == "failed" and self.retryable and self.attempts < self.max_attempts

    @property
    def order(self) -> tuple[datetime, str]:
        """Place in the lane."""
        return self.acquired, self.key


def lane_key(executor: str, *, site: str, satellite: str, orbit: int | None, tile: str) -> str | None:
    """Name of the lane a unit belongs to; None where the order does not matter and dates run side by side."""
    if executor not in _CHAINED:
        return None
    return f"{site}/{satellite}/{'-' if orbit is None else orbit}/{tile}"


def may_start(unit: LaneUnit, lane: Iterable[LaneUnit]) -> bool:
    """Whether a pending or failed unit may start now, given all units of its lane (itself among them or not).

    Nothing else of the lane may run. A new unit waits for earlier new ones and for every one to be retried; one to be
    retried waits only for earlier ones to be retried. So some unit of a lane can always go on.
    """
    others = [other for other in lane if other.key != unit.key]
    if unit.state != "pending" and not unit.waits_for_retry:
        return False
    if any(other.state == "processing" for other in others):
        return False
    if unit.waits_for_retry:
        return not any(other.waits_for_retry and other.order < unit.order for other in others)
    return not any(other.waits_for_retry or (other.state == "pending" and other.order < unit.order) for other in others)


@dataclass(frozen=True, slots=True)
class LaneItem:
    """A unit to be put into a chunk: its key, its lane (None: no order) and its date."""

    key: str
    lane: str | None
    acquired: datetime


def chunks_in_lanes(items: Sequence[LaneItem], chunks: int) -> list[list[str]]:
    """Keys in at most ``chunks`` lists of similar length: a lane stays in one list, in date order.

    Decides open point 12 of the specification. The answer does not depend on the order given.
    """
    lanes: dict[str, list[LaneItem]] = {}
    for item in sorted(items, key=lambda item: (item.acquired, item.key)):
        lanes.setdefault(f"lane {item.lane}" if item.lane is not None else f"unit {item.key}", []).append(item)
    filled: list[list[LaneItem]] = [[] for _ in range(max(chunks, 1))]
    for _, members in sorted(lanes.items(), key=lambda lane: (-len(lane[1]), lane[1][0].acquired, lane[0])):
        min(filled, key=len).extend(members)
    return [[item.key for item in sorted(chunk, key=lambda i: (i.acquired, i.key))] for chunk in filled if chunk]


def implementation_conflict(used: Iterable[tuple[str, str]], executor: str, version: str) -> str | None:
    """Why a season made with ``used`` (executor, version) cannot go on with another; None when it can.

    Masks and reflectances differ between implementations and between their major versions; a chain of MAJA keeps one
    version to the second number, for its memory of the surface is read back.
    """
    places = 2 if executor in _CHAINED else 1
    for other, other_version in sorted(set(used)):
        if other != executor or other_version.split(".")[:places] != version.split(".")[:places]:
            return f"the season was made with {other} {other_version}; {executor} {version} differs from it"
    return None
