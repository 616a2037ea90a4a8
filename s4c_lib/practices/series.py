"""Observations of the four variables as the practice rules read them: by day and relative orbit (section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.practices.weeks import NO_DAY
from s4c_lib.statistics.matrices import EnoughPixels, Key, Series, series_of

VARIABLES: Final = ("ndvi", "vv", "vh", "coherence_vv")
_ENOUGH_OPTICAL: Final = EnoughPixels(min_n=2)
_ENOUGH_RADAR: Final = EnoughPixels(min_n=2, above_share=0.1)


def practice_series(
    observations: Sequence[Path] | pa.Table,
    parcel_ids: npt.ArrayLike | None = None,
    *,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
) -> dict[Key, Series]:
    """Read the variables of L4C; an observation counts with two valid pixels, for radar more than a tenth (B8).

    Parameters
    ----------
    parcel_ids : parcels of the matrices; all that occur by default.
    time_from, time_to : sensing time in [time_from, time_to).

    Raises
    ------
    As `series_of`.
    """
    optical = series_of(
        observations, VARIABLES[:1], parcel_ids, time_from=time_from, time_to=time_to, enough=_ENOUGH_OPTICAL
    )
    radar = series_of(
        observations, VARIABLES[1:], parcel_ids, time_from=time_from, time_to=time_to, enough=_ENOUGH_RADAR
    )
    return {**optical, **radar}


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One variable of some parcels: a column for each day and orbit, ascending by day, then orbit.

    Parameters
    ----------
    day : int64 (columns,), days since 1970. orbit : int64 (columns,), place in the list of orbits, 0 for optical.
    baseline : int64 (columns,), days between the images of a pair, `NO_DAY` where not known.
    mean, std : float32 (parcels, columns), NaN where there is no observation.
    """

    day: npt.NDArray[np.int64]
    orbit: npt.NDArray[np.int64]
    baseline: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]


class Columns:
    """Columns of one variable over all its orbits.

    Of several passes on one day and orbit a parcel's observation is the one with most pixels (section 5: a date has
    one value); among equals that of the shorter pair, then the earlier one.
    """

    def __init__(self, series: Mapping[Key, Series], variable: str, orbits: Sequence[int]) -> None:
        self._parts = [one for key, one in sorted(series.items(), key=_by_key) if key[0] == variable]
        widths = [len(one.time) for one in self._parts]
        place = {orbit: number for number, orbit in enumerate(orbits)}
        days = [one.time.astype("datetime64[D]").astype(np.int64) for one in self._parts]
        orbit = [np.full(len(one.time), place.get(-1 if one.orbit is None else one.orbit, 0)) for one in self._parts]
        lengths = [_baselines(one) for one in self._parts]
        day = np.concatenate([*days, np.empty(0, np.int64)])
        of_orbit = np.concatenate([*orbit, np.empty(0, np.int64)])
        length = np.concatenate([*lengths, np.empty(0, np.int64)])
        self._order = np.lexsort((np.arange(sum(widths)), length, of_orbit, day))
        day, of_orbit, length = day[self._order], of_orbit[self._order], length[self._order]
        first = np.ones(len(day), bool)
        first[1:] = (np.diff(day) != 0) | (np.diff(of_orbit) != 0)
        self._first = np.flatnonzero(first)
        self._same = [part for part in np.split(np.arange(len(day)), self._first[1:]) if len(part) > 1]
        self.day, self.orbit, self.baseline = day[first], of_orbit[first], length[first]

    def of(self, parcel_id: npt.NDArray[np.int64]) -> Observed:
        """Observations of some parcels; a parcel without any has NaN."""
        mean, std = self._gathered("mean", parcel_id), self._gathered("std", parcel_id)
        if self._same:
            n, total = self._gathered("n", parcel_id), self._gathered("n_total", parcel_id)
            for columns in self._same:
                best = columns[0]
                for other in columns[1:]:
                    better = np.isfinite(mean[:, other]) & (
                        ~np.isfinite(mean[:, best])
                        | (n[:, other] > n[:, best])
                        | ((n[:, other] == n[:, best]) & (total[:, other] > total[:, best]))
                    )
                    for values in (mean, std, n, total):
                        values[better, best] = values[better, other]
            mean, std = np.take(mean, self._first, axis=1), np.take(std, self._first, axis=1)
        return Observed(self.day, self.orbit, self.baseline, mean, std)

    def _gathered(self, name: str, parcel_id: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        kind = np.float32 if name in ("mean", "std") else np.int32
        matrices = [np.empty((len(parcel_id), 0), kind)]
        for one in self._parts:
            known = one.parcel_id
            at = np.minimum(np.searchsorted(known, parcel_id), max(len(known) - 1, 0))
            there = known[at] == parcel_id if len(known) else np.zeros(len(parcel_id), bool)
            empty = np.full((len(parcel_id), len(one.time)), np.nan if kind is np.float32 else 0, kind)
            matrix = getattr(one, name)[at] if len(known) else empty
            matrices.append(matrix if there.all() else np.where(there[:, None], matrix, empty))
        joined = np.concatenate(matrices, axis=1)
        return np.take(joined, self._order, axis=1)


def orbits_of(series: Mapping[Key, Series]) -> tuple[int, ...]:
    """Relative orbits of the radar variables, ascending; -1 stands for an orbit that is not known."""
    found = {-1 if orbit is None else orbit for variable, orbit in series if variable in VARIABLES[1:]}
    return tuple(sorted(found))


def median_pair_days(series: Mapping[Key, Series]) -> float | None:
    """Median of the days between the images of a coherence pair; where it is not known, between pairs of an orbit.

    None without coherence. More than ``coh_change_max_days`` means that coherence is never compared (section 19).
    """
    lengths = []
    for (variable, _), one in sorted(series.items(), key=_by_key):
        if variable == VARIABLES[-1]:
            known = _baselines(one)
            known = known[known != NO_DAY]
            lengths.append(
                known if len(known) else np.diff(np.unique(one.time.astype("datetime64[D]")).astype(np.int64))
            )
    joined = np.concatenate([*lengths, np.empty(0, np.int64)])
    return float(np.median(joined)) if len(joined) else None


def _by_key(item: tuple[Key, Series]) -> tuple[str, int]:
    (variable, orbit), _series = item
    return variable, -1 if orbit is None else orbit


def _baselines(series: Series) -> npt.NDArray[np.int64]:
    days = (series.time.astype("datetime64[D]") - series.previous_time.astype("datetime64[D]")).astype(np.int64)
    return np.where(np.isnat(series.previous_time), NO_DAY, days)
