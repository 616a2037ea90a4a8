"""Mowing from the evidence of all radar orbits, weighed with what clear optical observations say.

Every gap between two radar passes, of whatever orbit, is a possible date: each orbit's next pair says how likely the
canopy was cut before. Evidence is a log-likelihood ratio, so that of orbits adds up (docs/algorithms/mowing.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.mowing.events import NOT_SEEN, Events, Mission, joined, make_events, no_events
from s4c_lib.mowing.evidence_kernels import EVENT_COLUMNS, scan_parcels, weigh_optical, weigh_pairs
from s4c_lib.mowing.evidence_settings import EvidenceSettings
from s4c_lib.mowing.screening import Screening
from s4c_lib.mowing.usual_coherence import Orbit, Usual, usual_coherence
from s4c_lib.statistics.matrices import Series

__all__ = ["EvidenceSettings", "Orbit", "Usual", "evidence_events", "usual_coherence"]

Floats = npt.NDArray[np.float64]

_PARCELS_AT_ONCE: Final = 4096
_DAY: Final = 86_400
_LONGEST_GAP: Final = 13.0
_LONGEST_REPEAT: Final = 12.0
_SURE: Final = 0.999
_NO_VALUES: Final = np.empty((0, 0), np.float32)


def evidence_events(
    optical: Events | None,
    ndvi: Series | None,
    screening: Screening | None,
    orbits: Sequence[Orbit],
    usual: Sequence[Usual],
    settings: EvidenceSettings,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Events:
    """Weigh optical events and radar evidence; which of them stay is decided by `fusion`.

    Parameters
    ----------
    usual : of each orbit (`usual_coherence`).
    optical : candidates of the optical series; their confidence is a probability.
    ndvi, screening : that series and what of it counts; None where there is none.
    first, last : days on which a mowing may be, both included; all by default.

    Returns
    -------
    Events : optical events with the confidence that radar leaves them, and those that radar shows; by parcel and time.
        ``s1_excess`` is the sum of the radar evidence, ``s1_orbit`` the orbit with most of it.
    """
    passes = _Passes(orbits)
    if not len(passes.gap_start):
        return no_events() if optical is None else optical
    known = no_events() if optical is None else optical.in_order()
    parcels = len(orbits[0].driving.parcel_id)
    offsets = np.searchsorted(known.parcel, np.arange(parcels + 1)).astype(np.int64)
    allowed = _allowed(passes, first, last)
    parts = list(_weighed(passes, usual, known, offsets, ndvi, screening, settings, allowed))
    return joined(parts).in_order()


class _Passes:
    """Pairs of all orbits one after the other, and the gaps between all passes."""

    def __init__(self, orbits: Sequence[Orbit]) -> None:
        self.orbits = orbits
        self.starts: list[Floats] = []
        self.ends: list[Floats] = []
        for orbit in orbits:
            end, start = _days(orbit.driving.time), _days(orbit.driving.previous_time)
            steps = np.diff(np.unique(np.floor(end)))
            usual = float(np.median(steps)) if len(steps) else _LONGEST_REPEAT
            # A pair whose first image is not told is taken to be of the pass before.
            told = np.concatenate([end[:1] - usual, end[:-1]])
            self.starts.append(np.where(np.isnan(start), told, start))
            self.ends.append(end)
        every = np.unique(np.concatenate([*self.starts, *self.ends, np.empty(0)]))
        self.gap_start, self.gap_end = every[:-1].copy(), every[1:].copy()
        self.columns = np.cumsum([0, *(len(end) for end in self.ends)])
        if len(self.gap_start):
            self.pair_of_gap = np.stack([self._first_after(at) for at in range(len(orbits))])

    def _first_after(self, orbit: int) -> npt.NDArray[np.int32]:
        """Column of the pair that begins next after each gap, the shorter of two; -1 where none does soon."""
        starts = self.starts[orbit]
        order = np.lexsort((self.ends[orbit], starts))
        at = np.searchsorted(starts[order], self.gap_end - 1e-6)
        there = order[np.minimum(at, len(starts) - 1)]
        near = (at < len(starts)) & (starts[there] - self.gap_start <= _LONGEST_GAP)
        return np.where(near, there + self.columns[orbit], -1).astype(np.int32)


def _allowed(passes: _Passes, first: date | None, last: date | None) -> tuple[int, int]:
    """First gap to look at, and the one after the last: by the day it ends."""
    begin, end = 0, len(passes.gap_end)
    if first is not None:
        begin = int(np.searchsorted(passes.gap_end, float(np.datetime64(first, "D").astype(np.int64))))
    if last is not None:
        end = int(np.searchsorted(passes.gap_end, float(np.datetime64(last, "D").astype(np.int64)) + 1))
    return begin, max(begin, end)


def _weighed(
    passes: _Passes,
    usual: Sequence[Usual],
    known: Events,
    offsets: npt.NDArray[np.int64],
    ndvi: Series | None,
    screening: Screening | None,
    settings: EvidenceSettings,
    allowed: tuple[int, int],
) -> Iterator[Events]:
    """Some parcels after the other, so that the evidence of all gaps is never in memory at once."""
    parcels, gaps = len(offsets) - 1, len(passes.gap_start)
    pixels = [np.asarray(orbit.driving.n_total.max(axis=1, initial=0), np.int32) for orbit in passes.orbits]
    groups = [one.group_of(orbit.driving.parcel_id) for one, orbit in zip(usual, passes.orbits, strict=True)]
    room = min(parcels, _PARCELS_AT_ONCE)
    evidence = np.empty((room, int(passes.columns[-1])), np.float32)
    optical = np.zeros((room, gaps), np.float32)
    found, numbers = np.empty((room * max(gaps, 1), EVENT_COLUMNS), np.int32), np.empty((room * max(gaps, 1), 2))
    counts = np.zeros(parcels, np.int64)
    of_event, event_numbers = np.empty((len(known), EVENT_COLUMNS), np.int32), np.empty(len(known))
    event_start, event_end = _days(known.start), _days(known.end)
    weigh: Any = compiled(weigh_pairs)
    look: Any = compiled(weigh_optical)
    scan: Any = compiled(scan_parcels)
    for first in range(0, parcels, room or 1):
        last = min(first + room, parcels)
        for number, orbit in enumerate(passes.orbits):
            weigh(
                first,
                last,
                passes.starts[number],
                passes.ends[number],
                orbit.driving.mean,
                _NO_VALUES if orbit.other is None else orbit.other.mean,
                groups[number],
                usual[number].driving,
                usual[number].other,
                pixels[number],
                settings.window_days,
                settings.expected_rise,
                settings.rise_spread,
                settings.min_cohe_var,
                usual[number].spread,
                settings.orbit_limit,
                int(passes.columns[number]),
                evidence,
            )
        if ndvi is not None and screening is not None:
            look(
                first,
                last,
                passes.gap_start,
                passes.gap_end,
                _days(ndvi.time),
                ndvi.mean,
                screening.rejected,
                settings.optical_drop,
                settings.optical_recovery_days,
                settings.optical_spread,
                settings.optical_spread_a_day,
                settings.optical_limit,
                optical,
            )
        rows = scan(
            first,
            last,
            evidence,
            optical,
            passes.pair_of_gap,
            passes.gap_start,
            passes.gap_end,
            *allowed,
            _log_odds(settings.least_confidence) - settings.prior,
            settings.apart_days,
            offsets,
            event_start,
            event_end,
            counts,
            found,
            numbers,
            of_event,
            event_numbers,
        )
        parcel = np.repeat(np.arange(first, last), counts[first:last])
        by_radar = _of_radar(passes, parcel, found[:rows], numbers[:rows], settings)
        here = np.arange(int(offsets[first]), int(offsets[last]))
        by_optical = _supported(passes, known.take(here), of_event[here], event_numbers[here], settings)
        yield from _made_one(by_radar, by_optical, 0.0 if ndvi is None else settings.agreement)


def _made_one(radar: Events, optical: Events, agreement: float) -> tuple[Events, Events]:
    """An optical and a radar event that overlap are one: the optical one, as the radar one dates it. It is as sure as
    the surer of both and a little more; a radar event without an optical one is a little less sure. Of several the
    surest go together.
    """
    begin = np.searchsorted(optical.parcel, radar.parcel, "left")
    count = np.searchsorted(optical.parcel, radar.parcel, "right") - begin
    one = np.repeat(np.arange(len(radar)), count)
    other = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(begin, count)
    meets = (radar.start[one] < optical.end[other]) & (optical.start[other] < radar.end[one])
    one, other = one[meets], other[meets]
    one, other = _first_of_each(one, other, optical.confidence[other])
    other, one = _first_of_each(other, one, radar.confidence[one])
    seen = {
        name: getattr(optical, name).copy()
        for name in ("start", "end", "confidence", "missions", "s1_orbit", "s1_pair", "s1_excess", "n")
    }
    seen["start"][other] = np.maximum(optical.start[other], radar.start[one])
    seen["end"][other] = np.minimum(optical.end[other], radar.end[one])
    surer = np.maximum(optical.confidence[other], radar.confidence[one])
    seen["confidence"][other] = _probability(_log_odds(surer) + agreement)
    seen["missions"][other] = optical.missions[other] | radar.missions[one]
    seen["n"][other] = radar.n[one] + 1
    for name in ("s1_orbit", "s1_pair", "s1_excess"):
        seen[name][other] = getattr(radar, name)[one]
    left = np.ones(len(radar), np.bool_)
    left[one] = False
    alone = radar.take(left)
    alone = replace(alone, confidence=_probability(_log_odds(alone.confidence) - agreement))
    return alone, replace(optical, **seen)


def _first_of_each(
    key: npt.NDArray[np.int64], partner: npt.NDArray[np.int64], confidence: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of pairs with one key that with the surest partner, of equals the first."""
    order = np.lexsort((partner, -confidence, key))
    _, at = np.unique(key[order], return_index=True)
    return key[order][at], partner[order][at]


def _of_radar(
    passes: _Passes,
    parcel: npt.NDArray[np.int64],
    found: npt.NDArray[np.int32],
    numbers: Floats,
    settings: EvidenceSettings,
) -> Events:
    """Events at the gaps with most evidence."""
    low, high, column, favour = found.T
    orbit, pair = _orbit_and_pair(passes, column)
    return make_events(
        parcel=parcel,
        start=_moments(passes.gap_start[low]),
        end=_moments(passes.gap_end[high]),
        confidence=_probability(settings.prior + numbers.sum(axis=1)),
        missions=np.full(len(parcel), Mission.S1),
        s1_orbit=orbit,
        s1_pair=pair,
        s1_excess=numbers[:, 0],
        n=favour,
    )


def _supported(
    passes: _Passes, events: Events, found: npt.NDArray[np.int32], evidence: Floats, settings: EvidenceSettings
) -> Events:
    """Optical events with what radar says about them; where it speaks for one, it narrows the dates."""
    seen = np.isfinite(evidence)
    # What coherence does not show of some mowings bounds what it says against them.
    shown = np.log((1 - settings.unseen_share) * np.exp(np.where(seen, evidence, 0.0)) + settings.unseen_share)
    weight = settings.support_weight * shown - settings.support_level
    confidence = np.where(seen, _probability(_log_odds(events.confidence) + weight), events.confidence)
    agrees = seen & (evidence > 0)
    low, high, column, favour = np.where(agrees[:, None], found, 0).T
    orbit, pair = _orbit_and_pair(passes, column)
    start = np.where(agrees, np.maximum(events.start, _moments(passes.gap_start[low])), events.start)
    end = np.where(agrees, np.minimum(events.end, _moments(passes.gap_end[high])), events.end)
    return replace(
        events,
        start=start,
        end=end,
        confidence=confidence,
        missions=np.where(agrees, events.missions | Mission.S1, events.missions).astype(np.uint8),
        s1_orbit=np.where(agrees, orbit, NOT_SEEN).astype(np.int16),
        s1_pair=np.where(agrees, pair, NOT_SEEN).astype(np.int32),
        s1_excess=np.where(seen, evidence, np.nan),
        n=(events.n + np.where(agrees, favour, 0)).astype(np.int16),
    )


def _orbit_and_pair(
    passes: _Passes, column: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    at = np.searchsorted(passes.columns, column, side="right") - 1
    numbers = np.array(
        [NOT_SEEN if orbit.driving.orbit is None else orbit.driving.orbit for orbit in passes.orbits], np.int64
    )
    return numbers[at], column - passes.columns[at]


def _days(times: npt.NDArray[np.datetime64]) -> Floats:
    """Days since 1970, NaN for NaT."""
    seconds = times.astype("datetime64[s]")
    days = seconds.astype(np.int64) / _DAY
    return np.where(np.isnat(seconds), np.nan, days)


def _moments(days: Floats) -> npt.NDArray[np.datetime64]:
    return np.rint(days * _DAY).astype(np.int64).astype("datetime64[s]")


def _log_odds(probability: Any) -> Any:
    p = np.clip(probability, 1 - _SURE, _SURE)
    return np.log(p / (1 - p))


def _probability(log_odds: Floats) -> Floats:
    return np.clip(1 / (1 + np.exp(-log_odds)), 1 - _SURE, _SURE)
