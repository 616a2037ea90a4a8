"""Timetables of a season: the dates its products are due, and the intervals its acquisitions are ingested in.

Both are finite lists fixed by the manifest, so they serialise to the same bytes wherever they are built. A past
season is never scheduled by itself: its runs are backfills. Season DAGs therefore need no ``end_date`` (which
would also hold a run triggered by hand today for ever: its logical date lies after it).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import UTC, DateTime, now


def _midnight(day: date) -> DateTime:
    return DateTime(day.year, day.month, day.day, tzinfo=UTC)


class _FiniteTimetable(Timetable):
    """Runs at known moments.

    Parameters
    ----------
    description : the rule in words, shown by the UI.
    past : whether the season is past; then the scheduler starts nothing, backfills still find every run.
    """

    def __init__(self, description: str, past: bool) -> None:
        self.description = description
        self.past = past

    @property
    def summary(self) -> str:
        """The rule in words."""
        return f"{self.description} (past season: by backfill)" if self.past else self.description

    def _infos(self) -> Sequence[DagRunInfo]:
        """Return every run, ascending."""
        raise NotImplementedError

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next run: without catch-up the latest one missed, and then each as it comes."""
        infos = [
            info
            for info in self._infos()
            if (last_automated_data_interval is None or info.data_interval.start > last_automated_data_interval.start)
            and (restriction.earliest is None or info.data_interval.start >= restriction.earliest)
            and (restriction.latest is None or info.data_interval.start <= restriction.latest)
        ]
        if restriction.catchup:
            return infos[0] if infos else None
        if self.past:
            return None
        present = now("UTC")
        missed = [info for info in infos if info.run_after <= present]
        upcoming = [info for info in infos if info.run_after > present]
        return missed[-1] if missed else (upcoming[0] if upcoming else None)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment itself: a manual run takes its dates from its parameters."""
        return DataInterval.exact(run_after)


class SeasonTimetable(_FiniteTimetable):
    """The dates a product is due; a run's logical date is its due date, 00:00 UTC.

    Parameters
    ----------
    dates : ISO dates, ascending.
    """

    def __init__(self, dates: Sequence[str], description: str, past: bool = False) -> None:
        super().__init__(description, past)
        self.dates = tuple(dates)

    def _infos(self) -> Sequence[DagRunInfo]:
        return [DagRunInfo.exact(_midnight(date.fromisoformat(day))) for day in self.dates]

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` needs."""
        return {"dates": list(self.dates), "description": self.description, "past": self.past}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SeasonTimetable:
        """Build the timetable anew."""
        return cls(data["dates"], data["description"], data["past"])


class IngestTimetable(_FiniteTimetable):
    """Intervals of equal length; the run of [a, b) starts at b and looks at windows that begin before b.

    Parameters
    ----------
    first, after_last : ISO dates, the first day and the day after the last.
    days : length of an interval; the last is cut.
    """

    def __init__(self, first: str, after_last: str, days: int, description: str, past: bool = False) -> None:
        super().__init__(description, past)
        self.first = first
        self.after_last = after_last
        self.days = days

    def _infos(self) -> Sequence[DagRunInfo]:
        start, stop = date.fromisoformat(self.first), date.fromisoformat(self.after_last)
        infos = []
        while start < stop:
            end = min(start + timedelta(days=self.days), stop)
            infos.append(DagRunInfo.interval(_midnight(start), _midnight(end)))
            start = end
        return infos

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` needs."""
        return {
            "first": self.first,
            "after_last": self.after_last,
            "days": self.days,
            "description": self.description,
            "past": self.past,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> IngestTimetable:
        """Build the timetable anew."""
        return cls(data["first"], data["after_last"], data["days"], data["description"], data["past"])
