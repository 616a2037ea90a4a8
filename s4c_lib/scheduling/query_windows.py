"""The slices of a season in which acquisitions are searched, and when a slice is settled.

Source: operations.md §3.3 with spec/README.md C13 and E3: windows are visited once an ingest run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from s4c_lib.scheduling.dates import SeasonDates, add_months, midnight

FIRST_BACK_OFF = timedelta(minutes=5)
LONGEST_BACK_OFF = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Window:
    """Sensing dates searched at once, both included."""

    date_from: date
    date_to: date

    def eligible(self, today: date) -> bool:
        """Tell whether the window has begun."""
        return self.date_from <= today

    def settle_at(self, settle_days: int) -> datetime:
        """Return the moment from which one success suffices for ever: late publications have arrived."""
        return midnight(self.date_to + timedelta(days=1 + settle_days))

    def settled(self, last_success: datetime | None, settle_days: int) -> bool:
        """Tell whether the window was searched successfully after it settled."""
        return last_success is not None and last_success >= self.settle_at(settle_days)


def span(satellite: str, season: SeasonDates, *, start_offset_months: int, s1_offset_days: int) -> Window:
    """Return the sensing dates a season needs of a satellite.

    Parameters
    ----------
    satellite : ``s1``, ``s2`` or ``l8``.
    start_offset_months : months of optical data before the season (a MAJA chain wants two).
    s1_offset_days : days of radar data before the season: the coherence baseline or the temporal filter.
    """
    if satellite == "s1":
        return Window(season.start - timedelta(days=s1_offset_days), season.end)
    return Window(add_months(season.start, -start_offset_months), season.end)


def windows(whole: Window, days: int) -> list[Window]:
    """Cut a span into slices of ``days`` from its start; the last is cut at its end."""
    found = []
    start = whole.date_from
    while start <= whole.date_to:
        stop = min(start + timedelta(days=days - 1), whole.date_to)
        found.append(Window(start, stop))
        start = stop + timedelta(days=1)
    return found


def back_off(failures: int) -> timedelta:
    """Return the pause after the k-th failed query: 5 min doubled each time, 6 h at most."""
    doubled: timedelta = FIRST_BACK_OFF * 2 ** min(max(failures - 1, 0), 10)
    return min(doubled, LONGEST_BACK_OFF)
