"""Who may start in a chain of MAJA's dates (preprocessing.md 2.5), as plain rules: the database's answer must agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


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
