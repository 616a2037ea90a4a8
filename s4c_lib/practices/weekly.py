"""Weekly series of some parcels, and why a parcel has none (l4c-practices.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.practices import weekly_kernels
from s4c_lib.practices.codes import Status
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.series import Columns, orbits_of
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weeks import NO_DAY, NO_WEEK, day_numbers, iso_numbers, week_numbers, years_of
from s4c_lib.statistics.matrices import Key, Series

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

EPSILON: Final = 1e-8
"""Values nearer to each other than this are equal."""
_OUTLIER_DB: Final = -6.0
_LAST_DAY: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Dates of rows as week numbers (rows,); `NO_WEEK` where there is none. ``year`` is that of VEG_START."""

    veg: Int64
    h_start: Int64
    h_end: Int64
    p_start: Int64
    p_end: Int64
    year: Int64

    @classmethod
    def of(cls, rows: PracticeRows) -> Spans:
        """A start in ISO week 1 is moved to week 2."""
        veg, h_start, h_end, p_start, p_end = (
            week_numbers(day_numbers(days))
            for days in (rows.veg_start, rows.h_start, rows.h_end, rows.p_start, rows.p_end)
        )
        return cls(
            veg + (iso_numbers(veg) == 1),
            h_start + (iso_numbers(h_start) == 1),
            h_end,
            p_start,
            p_end,
            years_of(rows.veg_start),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Observations of parcels as lists by day; arrays (parcels, room) and their lengths (parcels,)."""

    pair_day: npt.NDArray[np.int32]
    pair_ratio: Floats
    pair_usual: Bools
    pair_count: npt.NDArray[np.int32]
    coherence_day: npt.NDArray[np.int32]
    coherence_value: Floats
    coherence_change: Floats
    coherence_count: npt.NDArray[np.int32]
    coherence_most: npt.NDArray[np.int32]
    orbits: npt.NDArray[np.uint32]
    ndvi_day: npt.NDArray[np.int32]
    ndvi_value: Floats
    ndvi_count: npt.NDArray[np.int32]
    any_backscatter: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """Weekly values of the observations of a span of days, (parcels, weeks), NaN for none.

    Parameters
    ----------
    listed : the week has ratio and coherence; only such weeks count.
    """

    ratio_mean: Floats
    ratio_max: Floats
    coherence_max: Floats
    coherence_change: Floats
    ndvi: Floats
    listed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class WeeklySeries:
    """Weekly series of a block of rows.

    Parameters
    ----------
    first_week : number of the first column's week. week : int64 (weeks,), all of them.
    rows, spans : the block's; ``spans.veg`` is a listed week wherever there is one at or after it.
    status : int8 (rows,); what a parcel lacks.
    lists : observations. all : weeks of all of them.
    ratio_change, before, after : float64 (rows, weeks).
    last : int64 (rows,), last listed week, `NO_WEEK` for none.
    """

    first_week: int
    week: Int64
    rows: PracticeRows
    spans: Spans
    status: npt.NDArray[np.int8]
    lists: Lists
    all: Weeks
    ratio_change: Floats
    before: Floats
    after: Floats
    last: Int64

    @property
    def evaluated(self) -> Bools:
        """Rows with a weekly series."""
        found: Bools = self.status == Status.OK
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and weeks."""
        return len(self.rows), len(self.week)


class Reader:
    """Makes weekly series of blocks of rows out of the matrices of all parcels."""

    def __init__(
        self,
        series: Mapping[Key, Series],
        settings: PracticeSettings,
        *,
        as_of: date,
        season_start: date | None = None,
    ) -> None:
        self._settings = settings
        self._as_of = int(np.datetime64(as_of, "D").astype(np.int64))
        self._season_start = None if season_start is None else int(np.datetime64(season_start, "D").astype(np.int64))
        self.orbits = orbits_of(series)
        self._ndvi, self._vv, self._vh, self._coherence = (
            Columns(series, variable, self.orbits) for variable in ("ndvi", "vv", "vh", "coherence_vv")
        )
        days = np.concatenate([one.day for one in (self._ndvi, self._vv, self._vh, self._coherence)])
        weeks = week_numbers(days) if len(days) else np.zeros(1, np.int64)
        self.first_week = int(weeks.min())
        self.week = np.arange(self.first_week, weeks.max() + 1)
        same = self._vv.day[:, None] == self._vh.day[None, :]
        if settings.repaired(3):
            same &= self._vv.orbit[:, None] == self._vh.orbit[None, :]
        self._pairs = max(int(same.sum()), 1)

    def read(self, rows: PracticeRows) -> WeeklySeries:
        """Series of some rows."""
        spans = Spans.of(rows)
        lists = self._lists(rows, spans)
        everything = np.full(len(rows), NO_DAY), np.full(len(rows), _LAST_DAY)
        weeks = weeks_between(lists, self.first_week, len(self.week), *everything)
        status = self._status(rows, lists, weeks)
        listed = weeks.listed & (status == Status.OK)[:, None]
        weeks = Weeks(
            weeks.ratio_mean, weeks.ratio_max, weeks.coherence_max, weeks.coherence_change, weeks.ndvi, listed
        )
        before, after = _neighbours(weeks, self.week, spans.veg)
        last = np.where(listed, self.week, NO_WEEK).max(axis=1, initial=NO_WEEK)
        return WeeklySeries(
            self.first_week,
            self.week,
            rows,
            Spans(
                _snapped(listed, self.week, spans.veg),
                spans.h_start,
                spans.h_end,
                spans.p_start,
                spans.p_end,
                spans.year,
            ),
            status,
            lists,
            weeks,
            _ratio_change(weeks.ratio_mean, 2.0 if self._settings.full_db else 1.0),
            before,
            after,
            last,
        )

    def _lists(self, rows: PracticeRows, spans: Spans) -> Lists:
        settings, size = self._settings, len(rows)
        first = np.full(size, NO_DAY)
        if settings.repaired(2):
            starts = (spans.year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
            first = starts if self._season_start is None else np.minimum(starts, self._season_start)
        last = np.full(size, self._as_of)
        vv, vh = self._vv.of(rows.parcel_id), self._vh.of(rows.parcel_id)
        scale = 1.0 if settings.full_db else 0.5
        pair_day, pair_ratio, pair_usual = _room(size, self._pairs)
        pair_count = np.zeros(size, np.int32)
        compiled(weekly_kernels.collect_ratios)(
            vv.day, vv.orbit, vv.mean, vv.std, vh.day, vh.orbit, vh.mean, vh.std, first, last, scale,
            _OUTLIER_DB * scale, settings.repaired(3), pair_day, pair_ratio, pair_usual, pair_count,
        )  # fmt: skip
        coherence = self._coherence.of(rows.parcel_id)
        coherence_day, value, _ = _room(size, max(len(coherence.day), 1))
        change = np.zeros(value.shape)
        count, most = np.zeros(size, np.int32), np.zeros(size, np.int32)
        seen = np.zeros(size, np.uint32)
        compiled(weekly_kernels.collect_coherence)(
            coherence.day, coherence.orbit, coherence.baseline, coherence.mean, coherence.std, len(self.orbits),
            first, last, settings.pair_days, settings.same_baseline, coherence_day, value, change, count, most, seen,
        )  # fmt: skip
        ndvi = self._ndvi.of(rows.parcel_id)
        ndvi_day, ndvi_value, _ = _room(size, max(len(ndvi.day), 1))
        ndvi_count = np.zeros(size, np.int32)
        compiled(weekly_kernels.collect_ndvi)(ndvi.day, ndvi.mean, first, last, ndvi_day, ndvi_value, ndvi_count)
        backscatter: Any = np.isfinite(vv.mean).any(axis=1) | np.isfinite(vh.mean).any(axis=1)
        return Lists(
            pair_day, pair_ratio, pair_usual, pair_count, coherence_day, value, change, count, most, seen,
            ndvi_day, ndvi_value, ndvi_count, backscatter,
        )  # fmt: skip

    def _status(self, rows: PracticeRows, lists: Lists, weeks: Weeks) -> npt.NDArray[np.int8]:
        """The first reason in the order of section 6."""
        settings = self._settings
        nothing = ~lists.any_backscatter & (lists.coherence_count == 0) & (lists.ndvi_count == 0)
        undated = rows.bad_dates | np.isnat(rows.veg_start) | np.isnat(rows.h_start) | np.isnat(rows.h_end)
        short = (lists.coherence_most < settings.min_acquisitions) | (lists.coherence_count < settings.min_pooled)
        reasons = (
            (undated, Status.BAD_DATES),
            (rows.s1_pix < settings.s1_pix_min, Status.NO_S1PIX),
            (rows.reason != Status.OK, rows.reason),
            (rows.s2_pix < settings.s2_pix_min, Status.NO_S2PIX),
            (nothing, Status.NOT_IN_SERIES),
            (lists.pair_count == 0, Status.NO_AMP),
            (lists.coherence_count == 0, Status.NO_COHE),
            (short, Status.SHORT_COHE),
            (lists.ndvi_count == 0, Status.NO_NDVI),
            (~weeks.listed.any(axis=1), Status.NO_COMMON_WEEK),
        )
        chosen: Any = np.select([when for when, _ in reasons], [code for _, code in reasons], Status.OK)
        return np.asarray(chosen, np.int8)


def weeks_between(lists: Lists, first_week: int, weeks: int, begin: Int64, end: Int64, *, ratio_days: int = 0) -> Weeks:
    """Weekly values of the observations from ``begin`` to ``end`` (days, both count); the ratio's some days longer."""
    shape = len(begin), weeks
    ratio_mean, ratio_max, coherence_max, coherence_change, ndvi = (np.empty(shape) for _ in range(5))
    compiled(weekly_kernels.group)(
        first_week, begin, end, ratio_days, lists.pair_day, lists.pair_ratio, lists.pair_count, lists.coherence_day,
        lists.coherence_value, lists.coherence_change, lists.coherence_count, lists.ndvi_day, lists.ndvi_value,
        lists.ndvi_count, ratio_mean, ratio_max, coherence_max, coherence_change, ndvi,
    )  # fmt: skip
    listed = np.isfinite(ratio_mean) & np.isfinite(coherence_max)
    return Weeks(ratio_mean, ratio_max, coherence_max, coherence_change, ndvi, listed)


def _room(size: int, width: int) -> tuple[npt.NDArray[np.int32], Floats, Bools]:
    return np.zeros((size, width), np.int32), np.zeros((size, width)), np.zeros((size, width), bool)


def _ratio_change(mean: Floats, scale: float) -> Floats:
    """Rise above the mean of the three weeks with a ratio before, in steps of 0.01 times ``scale``."""
    change = np.full(mean.shape, np.nan)
    last = np.full((len(mean), 3), np.nan)
    for w in range(mean.shape[1]):
        there = np.isfinite(mean[:, w])
        rise = np.maximum(mean[:, w] - (last[:, 0] + last[:, 1] + last[:, 2]) / 3, 0.0)
        change[:, w] = np.where(there, np.nan_to_num(np.floor(rise * 100 / scale + 0.5) / 100 * scale), np.nan)
        last[there, :2] = last[there, 1:]
        last[there, 2] = mean[there, w]
    return change


def _neighbours(weeks: Weeks, week: Int64, veg: Int64) -> tuple[Floats, Floats]:
    """NDVI before and after each week: ``prev`` and ``next``."""
    listed, ndvi = weeks.listed, np.where(weeks.listed, weeks.ndvi, np.nan)
    growing = listed & (week >= veg[:, None])
    before, after = np.full(ndvi.shape, np.nan), np.full(ndvi.shape, np.nan)
    earlier = np.full(len(ndvi), np.nan)
    for w in range(len(week)):
        own = np.where(growing[:, w], ndvi[:, w], np.nan)
        before[:, w] = np.where(growing[:, w], np.where(np.isnan(earlier), own, earlier), np.nan)
        earlier = np.where(np.isnan(own), earlier, own)
    place = np.arange(len(week))
    just_before = np.where(listed & (week < veg[:, None]), place, -1).max(axis=1, initial=-1)
    first = np.where(listed, place, len(week)).min(axis=1, initial=len(week))
    asked = growing | ((place == just_before[:, None]) & listed)
    later = np.full(len(ndvi), np.nan)
    for w in range(len(week) - 1, -1, -1):
        own = np.where(np.isnan(ndvi[:, w]), later, ndvi[:, w])
        after[:, w] = np.where(asked[:, w], np.where(first == w, later, own), np.nan)
        later = own
    return np.where(np.isnan(before) & np.isfinite(ndvi), after, before), after


def _snapped(listed: Bools, week: Int64, veg: Int64) -> Int64:
    """The first listed week at or after the start of vegetation; the start itself where there is none."""
    place = np.where(listed & (week >= veg[:, None]), week, np.iinfo(np.int64).max).min(
        axis=1, initial=np.iinfo(np.int64).max
    )
    found: Int64 = np.where(place == np.iinfo(np.int64).max, veg, place)
    return found
