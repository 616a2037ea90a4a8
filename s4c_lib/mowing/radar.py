"""Mowing in series of coherence: a jump above what the pairs before let expect (l4b-grassland-mowing.md, section 5)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import date
from statistics import NormalDist, median
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.kernel_cache import compiled
from s4c_lib.mowing.events import NOT_SEEN, Events, Mission, make_events
from s4c_lib.mowing.radar_kernels import find_jumps
from s4c_lib.mowing.radar_settings import RadarSettings
from s4c_lib.statistics.matrices import Series

__all__ = ["RadarSettings", "radar_events"]

Int64 = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]

HIGHEST_CONFIDENCE: Final = 0.999
_PARCELS_AT_ONCE: Final = 4096
_LONGEST_HISTORY: Final = 1.5
_LOOK_BACK: Final = 1.25
_UNKNOWN_LENGTH: Final = 1 << 30
_NOON: Final = 12 * 3600
_DAY: Final = 24 * 3600


def radar_events(
    vh: Series, vv: Series | None, settings: RadarSettings, *, first: date | None = None, last: date | None = None
) -> Events:
    """Find all candidate events of one relative orbit; which of them stay is decided by `fusion`.

    A jump of the coherence of a pair means that the canopy was short already at its first image.

    Parameters
    ----------
    vh : coherence that shows events.
    vv : coherence of the same orbit that raises the confidence of what ``vh`` shows at the same date.
    first, last : days of later images that are tested, both included; all by default. Pairs before ``first`` are
        history, as far back as the settings need.

    Returns
    -------
    Events : by parcel and time; ``s1_pair`` is a column of ``vh``.

    Raises
    ------
    InputError : both are not of the same parcels.
    """
    parcel, column, excess = _jumps(vh, settings, first, last)
    if vv is not None:
        if not np.array_equal(vv.parcel_id, vh.parcel_id):
            raise InputError(f"the coherences of orbit {vh.orbit} are not of the same parcels")
        excess = _raised(parcel, column, excess, vh, vv, _jumps(vv, settings, first, last))
    start, end = attribution(vh, settings)
    return make_events(
        parcel=parcel,
        start=start[column],
        end=end[column],
        confidence=np.minimum(0.5 - 0.5 * np.exp(-excess), HIGHEST_CONFIDENCE),
        missions=np.full(len(parcel), Mission.S1),
        s1_orbit=np.full(len(parcel), NOT_SEEN if vh.orbit is None else vh.orbit),
        s1_pair=column,
        s1_excess=excess,
        n=np.ones(len(parcel)),
    )


def attribution(series: Series, settings: RadarSettings) -> tuple[Times, Times]:
    """When the mowing was that the pair of each column shows: start and end, datetime64[s] (times,).

    With true dates: from the pass of the orbit before the pair's first image to that image. A pair whose first image is
    not told is taken to be of the pass before. Only what was known at the pair's date counts: later pairs change
    nothing.
    """
    day, earlier = _days(series.time), _days(series.previous_time)
    known = ~np.isnat(series.previous_time) & (earlier < day)
    interval = settings.time_interval_days
    start, end = np.empty(len(day), np.int64), np.empty(len(day), np.int64)
    passes: list[int] = []
    before: int | None = None  # last different day
    for at in range(len(day)):
        today = int(day[at])
        if at and day[at - 1] < today:
            before = int(day[at - 1])
        for one in (today, *([int(earlier[at])] if known[at] else [])):
            if one not in passes:
                insort(passes, one)
        if settings.true_dates:
            end[at] = earlier[at] if known[at] else _last_before(passes, today, interval)
            start[at] = _last_before(passes, int(end[at]), interval)
        else:
            end[at] = today - interval if before is None else before
            start[at] = end[at] - interval
    clock = settings.evening
    if settings.hour_of_orbit and _is_descending(series):
        clock = settings.morning
    hour = np.timedelta64((clock.hour * 60 + clock.minute) * 60 + clock.second, "s")
    return _midnights(start) + hour, _midnights(end) + hour


def revisit_days(series: Series, settings: RadarSettings) -> npt.NDArray[np.float64]:
    """Days between passes of the orbit as seen at each column, float64 (times,): median of the last differences.

    The last ones, as many as a history has pairs: satellites come and go in a season, and later pairs change nothing.
    """
    day = _days(series.time)
    found = np.empty(len(day))
    for at in range(len(day)):
        different = np.unique(day[: at + 1])[-settings.stat_smpl_n - 1 :]
        steps = np.diff(different).tolist()
        found[at] = median(steps) if steps else settings.time_interval_days
    return found


def _jumps(
    series: Series, settings: RadarSettings, first: date | None, last: date | None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Parcel, column and excess of all jumps."""
    day = _days(series.time)
    revisit = revisit_days(series, settings)
    history = settings.stat_smpl_n
    first_day = int(day[0]) if first is None and len(day) else _day_of(first)
    begin = int(np.searchsorted(day, _history_from(first_day, day, revisit, settings) if first else first_day))
    stop = len(day) if last is None else int(np.searchsorted(day, _day_of(last), side="right"))
    chosen = slice(begin, max(stop, begin))
    day = day[chosen]
    oldest = day - np.floor(_LONGEST_HISTORY * history * revisit[chosen]).astype(np.int64)
    earlier = series.previous_time[chosen]
    length = np.where(np.isnat(earlier), _UNKNOWN_LENGTH, day - _days(earlier))
    order = np.unique(day, return_inverse=True)[1].reshape(-1).astype(np.int64)
    parts = [
        (found[:, 0], found[:, 1] + np.int32(begin), excess)
        for found, excess in _found(
            (day, order, oldest, length, first_day),
            [np.ascontiguousarray(matrix[:, chosen]) for matrix in (series.mean, series.n, series.n_total)],
            settings,
        )
    ]
    if not parts:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
    parcel, column, excess = (np.concatenate([part[at] for part in parts]) for at in range(3))
    return parcel, column, excess


def _found(
    columns: tuple[Int64, Int64, Int64, Int64, int], matrices: list[npt.NDArray[Any]], settings: RadarSettings
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]]:
    """Some parcels after the other, so that room for the most there could be stays small."""
    kernel: Any = compiled(find_jumps)
    parcels, times = matrices[0].shape
    room = min(parcels, _PARCELS_AT_ONCE) * times
    found, excess = np.empty((room, 2), np.int32), np.empty(room)
    for first in range(0, parcels, _PARCELS_AT_ONCE):
        count = kernel(
            *columns,
            *matrices,
            first,
            min(first + _PARCELS_AT_ONCE, parcels),
            settings.stat_smpl_n,
            settings.bridge_gaps,
            -NormalDist().inv_cdf(settings.pfa),  # as sqrt(2) erfinv(1 - 2 pfa), without its loss of digits
            settings.min_cohe_var if settings.saturate_sigma else 0.0,
            found,
            excess,
        )
        yield found[:count].copy(), excess[:count].copy()


def _raised(
    parcel: npt.NDArray[np.int32],
    column: npt.NDArray[np.int32],
    excess: npt.NDArray[np.float64],
    vh: Series,
    vv: Series,
    other: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    """The larger excess of both, where both jump on the same day."""
    days = _days(vh.time), _days(vv.time)
    span = int(max(part.max(initial=0) for part in days)) + 1
    key = parcel.astype(np.int64) * span + days[0][column]
    keys = other[0].astype(np.int64) * span + days[1][other[1]]
    if not len(keys):
        return excess
    at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    higher: npt.NDArray[np.float64] = np.where(keys[at] == key, np.maximum(excess, other[2][at]), excess)
    return higher


def _history_from(first_day: int, day: Int64, revisit: npt.NDArray[np.float64], settings: RadarSettings) -> int:
    """First day of the history of a period (section 2.4)."""
    if not settings.bridge_gaps:
        return first_day - settings.time_interval_days * settings.stat_smpl_n
    at = int(np.searchsorted(day, first_day))
    usual = revisit[at] if at < len(revisit) else settings.time_interval_days
    return first_day - int(np.ceil(_LOOK_BACK * settings.stat_smpl_n * usual))


def _is_descending(series: Series) -> bool:
    if series.direction is not None:
        return series.direction == "descending"
    seconds = series.time.astype(np.int64) % _DAY
    return bool(len(seconds)) and bool(np.median(seconds) < _NOON)


def _last_before(passes: list[int], day: int, interval: int) -> int:
    at = bisect_left(passes, day)
    return passes[at - 1] if at else day - interval


def _midnights(days: Int64) -> Times:
    midnights: Times = days.astype("datetime64[D]").astype("datetime64[s]")
    return midnights


def _days(times: Times) -> Int64:
    days: Int64 = times.astype("datetime64[D]").astype(np.int64)
    return days


def _day_of(day: date | None) -> int:
    return 0 if day is None else int(np.datetime64(day, "D").astype(np.int64))
