"""Which series of a season are looked at: of what missions, orbits and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.mowing.events import NOT_SEEN, Mission
from s4c_lib.mowing.evidence import Orbit, Usual, usual_coherence
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.usual_coherence import Company
from s4c_lib.statistics.matrices import Key, Series

OPTICAL_VARIABLE: Final = "ndvi"
COHERENCE_VARIABLES: Final = {"VH": "coherence_vh", "VV": "coherence_vv"}
"""Variable of each polarisation."""
_SENTINEL_2: Final = "sentinel-2"


@dataclass(frozen=True, slots=True, eq=False)
class SeasonPasses:
    """Series of all parcels.

    Parameters
    ----------
    first, last, radar_first : the period, and its first day for radar.
    optical : None where the mission is not wanted or not there.
    optical_columns : int64, columns of it: those of Sentinel-2 in the period.
    radar : coherence of each orbit up to the last day, by ascending orbit number.
    usual : of each orbit, where the evidence of all is summed.
    """

    first: date
    last: date
    radar_first: date
    optical: Series | None
    optical_columns: npt.NDArray[np.intp]
    radar: tuple[Orbit, ...]
    usual: tuple[Usual, ...]


def season_passes(
    series: Mapping[Key, Series],
    settings: MowingSettings,
    first: date,
    last: date,
    usual: Sequence[Usual] | None = None,
) -> SeasonPasses:
    """Choose what a run looks at.

    Radar observations from before the period stay: they are history. Those after it go, so that they decide nothing.

    Parameters
    ----------
    usual : of `usual_of_run`; by default what is usual among the parcels of ``series``.
    """
    optical = series.get((OPTICAL_VARIABLE, None)) if settings.missions & Mission.S2 else None
    columns = np.empty(0, np.intp)
    if optical is not None:
        day = optical.time.astype("datetime64[D]")
        ours = (optical.platform == "") | np.char.startswith(optical.platform, _SENTINEL_2)
        columns = np.flatnonzero(ours & (day >= np.datetime64(first)) & (day <= np.datetime64(last)))
    radar = _orbits(series, settings, last) if settings.missions & Mission.S1 else ()
    if settings.evidence is None:
        usual = ()
    elif usual is None:
        usual = tuple(usual_coherence(one, settings.evidence) for one in radar)
    radar_first = first + timedelta(days=settings.radar_delay_days)
    return SeasonPasses(first, last, radar_first, optical, columns, radar, tuple(usual))


def usual_of_run(
    series: Mapping[Key, Series], settings: MowingSettings, last: date, company: Company
) -> tuple[Usual, ...]:
    """Tell what coherence is usual in a run that is divided into blocks, so that the division changes nothing.

    Parameters
    ----------
    series : coherence of ``company.rows`` of the run's parcels, with the passes of the whole run as columns.
    """
    if settings.evidence is None or not settings.missions & Mission.S1:
        return ()
    orbits = _orbits(series, settings, last)
    return tuple(usual_coherence(one, settings.evidence, company) for one in orbits)


def of_parcels(series: Series, parcel_id: npt.NDArray[np.int64], columns: npt.NDArray[np.intp] | None = None) -> Series:
    """Rows of some parcels, in their order, and some columns of a series; a parcel it lacks has no observations.

    Nobody here reads ``std``: it is all NaN.
    """
    rows = np.searchsorted(series.parcel_id, parcel_id)
    there = rows < len(series.parcel_id)
    there[there] = series.parcel_id[rows[there]] == parcel_id[there]
    in_one_piece = bool(len(rows)) and bool(there.all()) and bool((np.diff(rows) == 1).all())
    every = columns is None or len(columns) == len(series.time)
    chosen: Any = slice(None) if every else columns

    def part(matrix: npt.NDArray[Any], absent: float) -> npt.NDArray[Any]:
        if in_one_piece:
            return np.ascontiguousarray(matrix[rows[0] : rows[-1] + 1, chosen])
        found = np.full((len(parcel_id), len(series.time)), absent, matrix.dtype)
        found[there] = matrix[rows[there]]
        return np.ascontiguousarray(found[:, chosen])

    time = series.time[chosen]
    return replace(
        series,
        time=time,
        previous_time=series.previous_time[chosen],
        platform=series.platform[chosen],
        parcel_id=parcel_id,
        mean=part(series.mean, np.nan),
        std=np.broadcast_to(np.float32(np.nan), (len(parcel_id), len(time))),
        n=part(series.n, 0),
        n_total=part(series.n_total, 0),
    )


def _orbits(series: Mapping[Key, Series], settings: MowingSettings, last: date) -> tuple[Orbit, ...]:
    wanted = [name for name in COHERENCE_VARIABLES if name in settings.radar.polarisations]
    direction_of = dict(settings.orbits)
    numbers = {orbit for variable, orbit in series if variable in COHERENCE_VARIABLES.values()}
    found = []
    for orbit in sorted(numbers, key=lambda number: NOT_SEEN if number is None else number):
        if direction_of and orbit not in direction_of:
            continue
        there = [one for name in wanted if (one := series.get((COHERENCE_VARIABLES[name], orbit))) is not None]
        # Where each orbit detects by itself, VV alone shows nothing unless it is all that is asked for.
        alone = settings.evidence is not None or len(wanted) == 1
        if not there or not (alone or there[0].variable == COHERENCE_VARIABLES[wanted[0]]):
            continue
        driving = _until(there[0], last)
        if orbit in direction_of:
            driving = replace(driving, direction=direction_of[orbit])
        found.append(Orbit(driving, _of_passes(there[1], driving) if len(there) > 1 else None))
    return tuple(found)


def _until(series: Series, last: date) -> Series:
    """The columns up to a day, without a copy."""
    stop = int(np.searchsorted(series.time.astype("datetime64[D]"), np.datetime64(last), side="right"))
    return _in_columns(series, slice(stop))


def _of_passes(series: Series, driving: Series) -> Series:
    """The columns of one polarisation as those of the other; empty where it lacks the pair."""
    column_of = {pair: at for at, pair in enumerate(_pairs(series))}
    at = np.array([column_of.get(pair, -1) for pair in _pairs(driving)], np.intp)
    if np.array_equal(at, np.arange(len(at))):
        return _in_columns(series, slice(len(at)))
    taken = _in_columns(series, at) if len(series.time) else series
    lacking = at < 0
    mean, n, n_total = taken.mean.copy(), taken.n.copy(), taken.n_total.copy()
    mean[:, lacking], n[:, lacking], n_total[:, lacking] = np.nan, 0, 0
    return replace(
        taken,
        time=driving.time,
        previous_time=driving.previous_time,
        platform=driving.platform,
        mean=mean,
        n=n,
        n_total=n_total,
    )


def _pairs(series: Series) -> list[tuple[int, int]]:
    """Days of both images, the smallest integer for one that is not told."""
    days = (times.astype("datetime64[D]").astype(np.int64).tolist() for times in (series.time, series.previous_time))
    return list(zip(*days, strict=True))


def _in_columns(series: Series, columns: Any) -> Series:
    names = ("time", "previous_time", "platform", "mean", "std", "n", "n_total")
    return replace(series, **{name: getattr(series, name)[..., columns] for name in names})
