"""Where the optical series of a parcel is too thin to tell whether it was mown, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.mowing.optical_settings import OpticalSettings
from s4c_lib.mowing.screening import Screening, days_of
from s4c_lib.statistics.matrices import Series

Int16 = npt.NDArray[np.int16]
Days = npt.NDArray[np.int64]

_MONTH: Final = 30


class CannotTell(IntEnum):
    """Why the absence of events says nothing."""

    CAN_TELL = 0
    FEW_DATES = 1
    LONG_GAP = 2


REASONS: Final = {
    CannotTell.CAN_TELL: "",
    CannotTell.FEW_DATES: "few_clear_dates",
    CannotTell.LONG_GAP: "long_gap",
}
"""As results have them."""


@dataclass(frozen=True, slots=True, eq=False)
class Sufficiency:
    """What the clear dates of each parcel allow.

    Parameters
    ----------
    clear_dates : int16 (parcels,), observations of the period that screening left.
    longest_gap_d : int16 (parcels,), most consecutive days of the period without one.
    gap_start : datetime64[D] (parcels,), first day of that gap, the earliest of equals; NaT where there is none.
    cannot_tell : uint8 (parcels,), `CannotTell`; few dates come before a long gap.
    """

    clear_dates: Int16
    longest_gap_d: Int16
    gap_start: npt.NDArray[np.datetime64]
    cannot_tell: npt.NDArray[np.uint8]

    @property
    def reasons(self) -> npt.NDArray[np.object_]:
        """Object (parcels,) of str, "" where one can tell."""
        names: npt.NDArray[np.object_] = np.array(list(REASONS.values()), object)[self.cannot_tell]
        return names


def sufficiency(
    series: Series, screening: Screening, first: date, last: date, settings: OpticalSettings
) -> Sufficiency:
    """Judge the clear dates of a period, of which an event may need any.

    An event that was found is none the less sure; but a parcel without one may well have been mown where half of such
    mowings go unseen (docs/algorithms/mowing.md has the measurement that both limits come from).

    Parameters
    ----------
    series, screening : of NDVI; columns outside the period do not count.
    first, last : days of the period, both included.
    """
    days, used = days_of(series), screening.used
    begin, end = (int(np.datetime64(day, "D").astype(np.int64)) for day in (first, last))
    clear = np.zeros(len(used), np.int64)
    longest, since = np.zeros(len(used), np.int64), np.full(len(used), begin)
    before = np.full(len(used), begin - 1)
    for at in np.flatnonzero((days >= begin) & (days <= end)):
        here = used[:, at]
        clear += here
        _lengthen(longest, since, before, int(days[at]), here)
        before[here] = days[at]
    _lengthen(longest, since, before, end + 1, np.ones(len(used), np.bool_))
    months = (end - begin + 1) / _MONTH
    few = clear < settings.min_clear_a_month * months
    reason = np.where(few, CannotTell.FEW_DATES, np.where(longest > settings.max_gap_d, CannotTell.LONG_GAP, 0))
    start = since.astype("datetime64[D]")
    start[longest == 0] = np.datetime64("NaT")
    return Sufficiency(clear.astype(np.int16), longest.astype(np.int16), start, reason.astype(np.uint8))


def _lengthen(longest: Days, since: Days, before: Days, today: int, here: npt.NDArray[np.bool_]) -> None:
    """Take the gap that ends today where it is longer than those before."""
    gap = today - before - 1
    longer = here & (gap > longest)
    longest[longer] = gap[longer]
    since[longer] = before[longer] + 1
