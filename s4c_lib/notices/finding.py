"""What is worth telling an operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Event(StrEnum):
    """Kinds of findings, as the parameter ``notify.events`` names them."""

    JOB_FAILED = "job_failed"
    RUN_OVERDUE = "run_overdue"
    WINDOW_FAILING = "window_failing"
    SOURCE_DOWN = "source_down"
    DISK_SOFT = "disk_soft"
    DISK_HARD = "disk_hard"
    MANY_FAILED = "many_failed"


TITLES: Final[Mapping[Event, str]] = {
    Event.JOB_FAILED: "run failed",
    Event.RUN_OVERDUE: "run overdue",
    Event.WINDOW_FAILING: "search keeps failing",
    Event.SOURCE_DOWN: "data source refuses",
    Event.DISK_SOFT: "disk is filling up",
    Event.DISK_HARD: "disk full, work is held back",
    Event.MANY_FAILED: "many acquisitions failed",
}

#: These stop the work of everybody, so no digest waits for them.
URGENT: Final = frozenset({Event.SOURCE_DOWN, Event.DISK_HARD})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is the case and that an operator may have to act upon.

    Attributes
    ----------
    subject : what it is about; the same event on the same subject is one notice as long as it lasts.
    text : what is the case, one line.
    remedy : what to do, one line; may be empty.
    site_id : whose it is; None when it concerns the whole installation.
    """

    event: Event
    subject: str
    text: str
    remedy: str = ""
    site_id: int | None = None
    season: str | None = None
