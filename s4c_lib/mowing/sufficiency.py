"""Where the optical series of a parcel is too thin to tell whether it was mown, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.mowing.optical_settings import OpticalSettings
from s4c_lib.mowing.screening import Screening, days_of
from s4c_lib.statistics.matrices import Series

Int16 = npt.NDArray[np.int16]

_MONTH: Final = 30
_OF_AN_EVENT: Final = 3  # before, lowest, following


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
    cannot_tell : uint8 (parcels,), `CannotTell`; few dates come before a long gap.
    """

    clear_dates: Int16
    longest_gap_d: Int16
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
    clear, longest = np.zeros(len(used), np.int64), np.zeros(len(used), np.int64)
    before = np.full(len(used), begin - 1)
    for at in np.flatnonzero((days >= begin) & (days <= end)):
        here, today = used[:, at], int(days[at])
        clear += here
        longest[here] = np.maximum(longest[here], today - before[here] - 1)
        before[here] = today
    longest = np.maximum(longest, end - before)
    reason = why_not(clear, longest, end - begin + 1, settings)
    return Sufficiency(clear.astype(np.int16), longest.astype(np.int16), reason)


def why_not(
    clear_dates: npt.NDArray[np.integer[Any]],
    longest_gap_d: npt.NDArray[np.integer[Any]],
    days: int,
    settings: OpticalSettings,
) -> npt.NDArray[np.uint8]:
    """`CannotTell` of each parcel: uint8 (parcels,).

    Where dates are counted at all, there must be the three that an event consists of, however short the period.

    Parameters
    ----------
    clear_dates, longest_gap_d : as in `Sufficiency`. days : of the period.
    """
    least = settings.min_clear_a_month * days / _MONTH
    few = clear_dates < (max(least, _OF_AN_EVENT) if least > 0 else 0)
    gap = longest_gap_d > settings.max_gap_d
    return np.select([few, gap], [CannotTell.FEW_DATES, CannotTell.LONG_GAP], CannotTell.CAN_TELL).astype(np.uint8)
