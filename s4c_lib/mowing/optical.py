"""Mowing in optical series: a fall of NDVI that lasts (l4b-grassland-mowing.md section 4; algorithms/mowing.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.mowing.events import Events, Mission, make_events
from s4c_lib.mowing.optical_confidence import calibrated_confidence, days_of_autumn, formula
from s4c_lib.mowing.optical_kernels import MEASURES, PLACES, find_falls, keep_apart
from s4c_lib.mowing.optical_settings import OpticalSettings
from s4c_lib.mowing.screening import REJECTIONS, Rejection, Screening, days_of, screen
from s4c_lib.statistics.matrices import Series

__all__ = ["REJECTIONS", "Falls", "OpticalSettings", "Rejection", "Screening", "falls", "optical_events", "screen"]

Days = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

START_SHARE: Final = 0.25
END_SHARE: Final = 0.75
"""An interval begins where at most a quarter of the fall is lost and ends where three quarters are: by then it was cut,
though NDVI may fall on while the hay dries. Of two neighbouring observations it is these two."""

WINTER_BEGINS: Final = 31
"""Days of autumn; later falls, till March, are of snow and frost: none is the largest that others are compared with."""

_PARCELS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Falls:
    """Falls of NDVI, by parcel and time.

    Parameters
    ----------
    parcel : int32 (falls,), row of the parcel.
    top, low, after : int32 (falls,), columns of the highest and lowest observation and of the one that follows.
    start, end : int64 (falls,), days since 1970 between which most of it lies.
    v0, v1 : float64 (falls,), NDVI at the top and low.
    drop : float64 (falls,), D of section 4, ``(v0 - v1 - decreasing_abs_th) / v1``.
    share : float64 (falls,), of the parcel's largest outside winter, in (0, 1].
    """

    parcel: Int32
    top: Int32
    low: Int32
    after: Int32
    start: Days
    end: Days
    v0: Floats
    v1: Floats
    drop: Floats
    share: Floats


def falls(series: Series, settings: OpticalSettings, screening: Screening | None = None) -> Falls:
    """Find all falls of a series of NDVI, sure or not; several may be of one mowing."""
    judged = screen(series, settings) if screening is None else screening
    days = days_of(series)
    places, measures = _found(days, series.mean, judged.rejected, settings)
    parcel, top, low, after, start, end = places.T
    v0, v1, drop, share = measures.T
    first = np.maximum(days[start], days[end] - settings.no_mowing_after_det)
    return Falls(parcel, top, low, after, first, days[end], v0, v1, drop, share)


def optical_events(series: Series, settings: OpticalSettings, screening: Screening | None = None) -> Events:
    """Find the candidate events of a series of NDVI; which of them stay is decided by `fusion`.

    Parameters
    ----------
    series : of the period in which mowing is looked for; the largest fall of a parcel is that of this period.
    screening : of the same series and settings, made here when it is not given.

    Returns
    -------
    Events : by parcel and time, those of a parcel do not overlap. Both ends are at ``acquisition_time``.
        ``s2_before``, ``s2_low`` and ``s2_after`` are the top and the low of the fall and the observation that confirms
        it; the interval lies between the former two.
    """
    found = falls(series, settings, screening)
    low = days_of(series)[found.low]
    if settings.calibrated:
        confidence = calibrated_confidence(found.v0 - found.v1, found.share, low, settings)
    else:
        confidence = formula(found.drop)
    keep = np.empty(len(confidence), np.bool_)
    kernel: Any = compiled(keep_apart)
    kernel(found.parcel, found.start, found.end, confidence, keep)
    at = np.flatnonzero(keep & (confidence >= settings.min_confidence))
    return make_events(
        parcel=found.parcel[at],
        start=_moment(found.start[at], settings),
        end=_moment(found.end[at], settings),
        confidence=confidence[at],
        missions=np.full(len(at), Mission.S2),
        s2_before=found.top[at],
        s2_low=found.low[at],
        s2_after=found.after[at],
        s2_v0=found.v0[at],
        s2_v1=found.v1[at],
        s2_drop=found.drop[at],
        n=np.ones(len(at)),
    )


def _found(
    days: Days, values: npt.NDArray[np.float32], rejected: npt.NDArray[np.uint8], settings: OpticalSettings
) -> tuple[Int32, Floats]:
    """Some parcels after the other, so that room for the most there could be stays small."""
    kernel: Any = compiled(find_falls)
    growing = days_of_autumn(days, settings.autumn_day) < WINTER_BEGINS
    parcels, times = values.shape
    room = min(parcels, _PARCELS_AT_ONCE) * times
    places, measures = np.empty((room, PLACES), np.int32), np.empty((room, MEASURES))
    parts = [(places[:0], measures[:0])]
    for first in range(0, parcels, _PARCELS_AT_ONCE):
        count = kernel(
            days,
            values,
            rejected,
            first,
            min(first + _PARCELS_AT_ONCE, parcels),
            settings.decreasing_abs_th,
            settings.decreasing_rate_th,
            settings.increasing_rate_th,
            settings.high_abs_th,
            settings.low_abs_th,
            settings.min_step,
            settings.noise_factor,
            settings.fall_days_before,
            settings.fall_days_after,
            START_SHARE,
            END_SHARE,
            growing,
            places,
            measures,
        )
        parts.append((places[:count].copy(), measures[:count].copy()))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _moment(days: Days, settings: OpticalSettings) -> npt.NDArray[np.datetime64]:
    clock = settings.acquisition_time
    seconds = np.timedelta64((clock.hour * 60 + clock.minute) * 60 + clock.second, "s")
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[s]") + seconds, "datetime64[s]")
