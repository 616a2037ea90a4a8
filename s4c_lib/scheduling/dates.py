"""Calendar arithmetic: months that clamp, and what a season's dates say about today."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum


def days_in_month(year: int, month: int) -> int:
    """Return the number of days of a month."""
    return calendar.monthrange(year, month)[1]


def add_months(day: date, months: int) -> date:
    """Add calendar months, clamping to the last day of the target month (31 January + 1 = 28/29 February)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    return date(year, month, min(day.day, days_in_month(year, month)))


def midnight(day: date) -> datetime:
    """Return 00:00 UTC of a calendar date: season and schedule dates are meant so."""
    return datetime.combine(day, time(), tzinfo=UTC)


class Phase(StrEnum):
    """Where a season stands relative to today."""

    FUTURE = "future"
    CURRENT = "current"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class SeasonDates:
    """First day, the day of the first crop-type run, and last day of a season, all included."""

    start: date
    mid: date
    end: date

    def horizon(self, grace_months: int = 1) -> date:
        """Return the last date a season is served (operations.md §2.4)."""
        return add_months(self.end, grace_months)

    def phase(self, today: date, grace_months: int = 1) -> Phase:
        """Tell whether the season is future, current (until its horizon) or past."""
        if today < self.start:
            return Phase.FUTURE
        return Phase.CURRENT if today <= self.horizon(grace_months) else Phase.PAST

    def default_year(self) -> int:
        """Return the year the season's declarations belong to: the longer part, the end year on a tie.

        Source: spec/README.md D1.
        """
        if self.start.year == self.end.year:
            return self.end.year
        days = {
            year: (min(self.end, date(year, 12, 31)) - max(self.start, date(year, 1, 1))).days + 1
            for year in range(self.start.year, self.end.year + 1)
        }
        return max(days, key=lambda year: (days[year], year))

    def contains(self, other: SeasonDates) -> bool:
        """Tell whether ``other`` lies wholly inside this season."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: SeasonDates) -> bool:
        """Tell whether both share at least one day."""
        return self.start <= other.end and other.start <= self.end
