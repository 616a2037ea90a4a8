"""What the satellites saw of each parcel, and why a parcel has no result (spec/README.md F5)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.statistics.matrices import Series

Bools = npt.NDArray[np.bool_]


class Status(IntEnum):
    """Whether a parcel was processed, or why not."""

    PROCESSED = 0
    GEOMETRY = 1
    MIN_PIXELS = 2
    NO_OBSERVATION = 3


STATUSES: Final = {
    Status.PROCESSED: "processed",
    Status.GEOMETRY: "geometry",
    Status.MIN_PIXELS: "min_pixels",
    Status.NO_OBSERVATION: "no_observation",
}
"""As results have them."""


def is_covered(series: Series, columns: slice, min_pixels: int) -> Bools:
    """Whether a parcel has enough pixels in any observation of some columns, valid or not: bool (parcels,)."""
    covered: Bools = np.any(series.n_total[:, columns] >= max(min_pixels, 1), axis=1)
    return covered


def days_observed(series: Series, columns: slice) -> npt.NDArray[np.int16]:
    """Different days with a valid observation: int16 (parcels,)."""
    day = series.time[columns].astype("datetime64[D]").astype(np.int64)
    if not len(day):
        return np.zeros(len(series.parcel_id), np.int16)
    valid = np.isfinite(series.mean[:, columns])
    begin = np.flatnonzero(np.concatenate([[True], np.diff(day) > 0]))
    days: npt.NDArray[np.int16] = np.logical_or.reduceat(valid, begin, axis=1).sum(axis=1, dtype=np.int16)
    return days


def status_of(eligible: Bools, covered: Bools, observed: Bools, touched: Bools) -> npt.NDArray[np.uint8]:
    """Return the `Status` of each parcel.

    Parameters
    ----------
    eligible : its geometry can be used.
    covered : has enough pixels in an observation of a wanted mission.
    observed : has a valid one.
    touched : has any pixel.

    Returns
    -------
    uint8 (parcels,)
    """
    return np.select(
        [~eligible, covered & observed, touched & ~covered],
        [Status.GEOMETRY, Status.PROCESSED, Status.MIN_PIXELS],
        Status.NO_OBSERVATION,
    ).astype(np.uint8)
