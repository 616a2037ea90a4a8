"""What one would first write for L4B: one parcel after the other, in plain Python and numpy (sections 4 to 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.statistics.matrices import Series

# Confidence, start and end in days, mission.
Event = tuple[float, float, float, str]


def mow_parcel(parcel: int, ndvi: Series, orbits: Sequence[Series], settings: MowingSettings) -> list[Event]:
    """Events of one parcel as the profile ``reference`` defines them."""
    kept: list[Event] = []
    passes = [(_drops(parcel, ndvi, settings), False)]
    passes += [(_jumps(parcel, one, settings), True) for one in orbits]
    for new, by_end in passes:
        kept = _select(_fuse(new, kept), by_end, settings)
    return sorted(kept, key=lambda one: one[1])


def _drops(parcel: int, series: Series, settings: MowingSettings) -> list[Event]:
    told = settings.optical
    days = series.time.astype("datetime64[D]").astype(int).tolist()
    values = np.round(series.mean[parcel].astype(float), 6).tolist()
    seen = [(day, value) for day, value in zip(days, values, strict=True) if value >= told.corrupted_th]
    found: list[Event] = []
    for (t0, v0), (t1, v1), (t2, v2) in zip(seen, seen[1:], seen[2:], strict=False):
        drop = (v0 - v1 - told.decreasing_abs_th) / v1
        if drop <= 1e-9 or (v1 - v0) / (t1 - t0) >= told.decreasing_rate_th - 1e-9:
            continue
        if (v2 - v1) / (t2 - t1) >= told.increasing_rate_th - 1e-9:
            continue
        if v1 < told.high_abs_th - 1e-9 and v0 > told.low_abs_th + 1e-9:
            hour = 10.5 / 24
            start = max(t0, t1 - told.no_mowing_after_det)
            found.append((min(1 - 0.5 * math.exp(-drop), 0.999), start + hour, t1 + hour, "S2"))
    return found


def _jumps(parcel: int, series: Series, settings: MowingSettings) -> list[Event]:
    told = settings.radar
    count = told.stat_smpl_n
    quantile = -NormalDist().inv_cdf(told.pfa)
    days = series.time.astype("datetime64[D]").astype(int)
    values = np.round(series.mean[parcel].astype(float), 6)
    least = math.sqrt(told.min_cohe_var / float(series.n_total[parcel].max(initial=1)))
    found: list[Event] = []
    for at in range(count, len(days)):
        x, y = days[at - count : at] - days[at - count], values[at - count : at]
        if math.isnan(values[at]) or np.isnan(y).any():
            continue
        slope, level = np.polyfit(x, y, 1)
        spread = max(float(np.std(y - level - slope * x)), least)
        excess = (values[at] - level - slope * x[-1]) / spread - quantile
        if excess > 1e-9:
            end = days[at - 1] + 18 / 24
            found.append((min(0.5 - 0.5 * math.exp(-excess), 0.999), end - told.time_interval_days, end, "S1"))
    return found


def _fuse(new: list[Event], old: list[Event]) -> list[Event]:
    made: list[Event] = []
    met: set[Event] = set()
    for n in new:
        for o in old:
            if max(n[1], o[1]) < min(n[2], o[2]):
                mission = o[3] if n[3] in o[3] else f"{o[3]}/{n[3]}"
                confidence = 1 - 1 / (1 / (1 - n[0]) + 1 / (1 - o[0]))
                surer = n if n[0] > o[0] else o
                made.append((min(confidence, 0.5) if mission == "S1" else confidence, surer[1], surer[2], mission))
                met |= {n, o}
    return [*made, *(one for one in [*new, *old] if one not in met)]


def _select(events: list[Event], by_end: bool, settings: MowingSettings) -> list[Event]:
    told = settings.fusion
    kept: list[Event] = []
    for one in sorted(events, reverse=True):
        if by_end:
            fits = all(abs(one[2] - other[2]) >= told.radar_days - 1e-6 for other in kept)
        else:
            fits = all(max(one[2] - other[1], other[2] - one[1]) >= told.optical_days - 1e-6 for other in kept)
        if fits:
            kept.append(one)
    return [(round(one[0], 3), *one[1:]) for one in kept[: told.max_events or None]]
