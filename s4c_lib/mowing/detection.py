"""L4B as a whole: candidates of every pass, fused and selected, and the judgement of every parcel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.mowing.compliance import compliance
from s4c_lib.mowing.coverage import STATUSES, days_observed, is_covered, status_of
from s4c_lib.mowing.events import NOT_SEEN, Events, Mission, joined
from s4c_lib.mowing.evidence import Orbit, Usual, evidence_events
from s4c_lib.mowing.fusion import combine
from s4c_lib.mowing.optical import Screening, optical_events, screen
from s4c_lib.mowing.passes import COHERENCE_VARIABLES, OPTICAL_VARIABLE, SeasonPasses, of_parcels, season_passes
from s4c_lib.mowing.radar import radar_events
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.sufficiency import sufficiency
from s4c_lib.progress import Progress, silent
from s4c_lib.statistics.matrices import Key, Series

__all__ = ["COHERENCE_VARIABLES", "OPTICAL_VARIABLE", "Mowing", "MowingParcels", "detect"]

Bools = npt.NDArray[np.bool_]
Int16 = npt.NDArray[np.int16]
Int64 = npt.NDArray[np.int64]

_PARCELS_AT_ONCE: Final = 50_000
_OF_PARCELS: Final = ("covered", "touched", "observed", "max_gap_d", "n_clear", "n_pairs")


@dataclass(frozen=True, slots=True, eq=False)
class MowingParcels:
    """Parcels that are asked about, in any order.

    Parameters
    ----------
    parcel_id : int64 (parcels,), each once.
    crop : declared crop code of each, text or None; any sequence or arrow column. None: no parcel has one.
    s2_pix, s1_pix : int32 (parcels,), declared pixel counts; they tell a parcel too small from one that was not seen.
    eligible : bool (parcels,), False where the geometry cannot be used; such a parcel has no events.
    """

    parcel_id: Int64
    crop: Any = None
    s2_pix: npt.NDArray[np.int32] | None = None
    s1_pix: npt.NDArray[np.int32] | None = None
    eligible: Bools | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mowing:
    """What was found, parcels in the order in which they were asked about.

    Parameters
    ----------
    events : all that were selected; ``parcel`` is a row of the arrays here, columns are those of the series given.
    candidates : all before fusion and selection, if they were asked for.
    reported : bool (events,), confident enough to be reported and to count for compliance.
    covered : bool (parcels,), ``proc``: a wanted mission has enough pixels of the parcel in some observation.
    compl : int8 (parcels,), see `compliance`.
    mow_n : int16 (parcels,), reported events.
    max_gap_d : int16 (parcels,), most consecutive days of the period without a clear optical observation; -1 where the
        optical mission is not wanted.
    n_clear : int16 (parcels,), days of the period with a clear optical observation.
    n_pairs : int16 (parcels,), valid pairs of the period, of all orbits.
    status : uint8 (parcels,), `Status`.
    """

    parcel_id: Int64
    events: Events
    candidates: Events | None
    reported: Bools
    covered: Bools
    compl: npt.NDArray[np.int8]
    mow_n: Int16
    max_gap_d: Int16
    n_clear: Int16
    n_pairs: Int16
    status: npt.NDArray[np.uint8]

    @property
    def status_names(self) -> npt.NDArray[np.object_]:
        """Status of each parcel as results have it: object (parcels,) of str."""
        names: npt.NDArray[np.object_] = np.array(list(STATUSES.values()), object)[self.status]
        return names


def detect(
    series: Mapping[Key, Series],
    parcels: MowingParcels,
    settings: MowingSettings,
    first: date,
    last: date,
    *,
    usual: Sequence[Usual] | None = None,
    keep_candidates: bool = False,
    progress: Progress = silent,
) -> Mowing:
    """Detect the mowing of all parcels in a period.

    Detection is run anew on the whole season every time: what it gives depends on the observations alone, not on which
    runs there were before. A drop on the last clear date waits for the next one and is not reported before.

    Parameters
    ----------
    series : of ``ndvi``, ``coherence_vh`` and ``coherence_vv``, as `series_of` gives them with
        ``settings.enough_optical`` or ``settings.enough_radar``; others are not looked at. Radar may begin earlier than
        the period: that is history. A parcel that a series lacks was not seen.
    first, last : the period, both days included (`MowingSettings.period`).
    usual : coherence of the orbits among all parcels of a run of which these are a part (`usual_of_run`); by default
        that among the parcels of ``series``.
    keep_candidates : also return them.
    progress : told after each part of the parcels.

    Raises
    ------
    InputError : a parcel is asked about twice; arrays differ in length; the periods of a crop contradict each other.
    """
    _check(parcels, first, last)
    total = len(parcels.parcel_id)
    passes = season_passes(series, settings, first, last, usual)
    parts = []
    for begin in range(0, total, _PARCELS_AT_ONCE):
        chosen = slice(begin, min(begin + _PARCELS_AT_ONCE, total))
        parts.append(_detect_part(passes, parcels.parcel_id[chosen], begin, settings, keep_candidates))
        progress(chosen.stop, total, "mowing")
    parts = parts or [_detect_part(passes, parcels.parcel_id, 0, settings, keep_candidates)]
    return _judged(parts, parcels, settings)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Of some parcels."""

    events: Events
    candidates: Events | None
    covered: Bools
    touched: Bools
    observed: Bools
    max_gap_d: Int16
    n_clear: Int16
    n_pairs: Int16


def _check(parcels: MowingParcels, first: date, last: date) -> None:
    count = len(parcels.parcel_id)
    numbers, times = np.unique(parcels.parcel_id, return_counts=True)
    if (times > 1).any():
        raise InputError(f"parcel {numbers[times > 1][0]} is asked about twice")
    for name in ("crop", "s2_pix", "s1_pix", "eligible"):
        values = getattr(parcels, name)
        if values is not None and len(values) != count:
            raise InputError(f"{name} has {len(values)} values for {count} parcels")
    if last < first:
        raise InputError(f"the period ends on {last}, before it begins on {first}")


def _detect_part(
    passes: SeasonPasses, parcel_id: Int64, begin: int, settings: MowingSettings, keep_candidates: bool
) -> _Part:
    count = len(parcel_id)
    covered, touched, observed = (np.zeros(count, np.bool_) for _ in range(3))
    gap, clear, pairs = np.full(count, -1, np.int16), np.zeros(count, np.int16), np.zeros(count, np.int16)
    if settings.missions & Mission.S2:
        gap[:] = (passes.last - passes.first).days + 1
    every = slice(None)
    ndvi: Series | None = None
    screening: Screening | None = None
    optical: Events | None = None
    if passes.optical is not None:
        ndvi = of_parcels(passes.optical, parcel_id, passes.optical_columns)
        screening = screen(ndvi, settings.optical)
        optical = optical_events(ndvi, settings.optical, screening)
        covered |= is_covered(ndvi, every, settings.min_pixels_s2)
        touched |= is_covered(ndvi, every, 1)
        seen = sufficiency(ndvi, screening, passes.first, passes.last, settings.optical)
        gap, clear = seen.longest_gap_d, seen.clear_dates
        observed |= clear > 0
    orbits = [Orbit(of_parcels(one.driving, parcel_id), _maybe(one.other, parcel_id)) for one in passes.radar]
    for orbit in orbits:
        day = orbit.driving.time.astype("datetime64[D]")
        period = slice(int(np.searchsorted(day, np.datetime64(passes.radar_first))), None)
        covered |= is_covered(orbit.driving, period, settings.min_pixels_s1)
        touched |= is_covered(orbit.driving, period, 1)
        pairs += days_observed(orbit.driving, period)
    observed |= pairs > 0
    found = _candidates(passes, ndvi, screening, optical, orbits, settings)
    events = combine(found[0], found[1:], settings.fusion)
    candidates = None
    if keep_candidates:
        every_one = joined([part for part in found if part is not None]).in_order()
        candidates = _moved(_in_columns(every_one, passes.optical_columns), begin)
    events = _moved(_in_columns(events, passes.optical_columns), begin)
    return _Part(events, candidates, covered, touched, observed, gap, clear, pairs)


def _candidates(
    passes: SeasonPasses,
    ndvi: Series | None,
    screening: Screening | None,
    optical: Events | None,
    orbits: Sequence[Orbit],
    settings: MowingSettings,
) -> tuple[Events | None, *tuple[Events, ...]]:
    """Those of the optical pass and of the radar ones that lie in the period.

    The evidence of all orbits together is one radar pass, which has weighed the optical candidates already.
    """
    period = passes.radar_first, passes.last
    if optical is not None:
        optical = _within(optical, passes.first, passes.last)
    if settings.evidence is not None and orbits:
        weighed = evidence_events(
            optical, ndvi, screening, orbits, passes.usual, settings.evidence, first=period[0], last=period[1]
        )
        return None, _within(weighed, passes.first, passes.last)
    radar = (radar_events(one.driving, one.other, settings.radar, first=period[0], last=period[1]) for one in orbits)
    return optical, *(_within(one, *period) for one in radar)


def _maybe(series: Series | None, parcel_id: Int64) -> Series | None:
    return None if series is None else of_parcels(series, parcel_id)


def _judged(parts: list[_Part], parcels: MowingParcels, settings: MowingSettings) -> Mowing:
    of = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _OF_PARCELS}
    events = joined([part.events for part in parts])
    count = len(parcels.parcel_id)
    eligible = np.ones(count, np.bool_) if parcels.eligible is None else np.asarray(parcels.eligible, np.bool_)
    if not eligible.all():
        events = events.take(eligible[events.parcel])
    reported = events.confidence >= settings.min_conf
    told = events if reported.all() else events.take(reported)
    covered = of["covered"] & eligible
    touched = of["touched"].copy()
    for mission, pixels, least in (
        (Mission.S2, parcels.s2_pix, settings.min_pixels_s2),
        (Mission.S1, parcels.s1_pix, settings.min_pixels_s1),
    ):
        if settings.missions & mission and pixels is not None:
            touched |= np.asarray(pixels) < least
    crop = [None] * count if parcels.crop is None else parcels.crop
    candidates = [part.candidates for part in parts if part.candidates is not None]
    return Mowing(
        parcel_id=parcels.parcel_id,
        events=events,
        candidates=joined(candidates) if candidates else None,
        reported=reported,
        covered=covered,
        compl=compliance(told, covered, crop, settings.periods, last_day_counts=settings.last_day_counts),
        mow_n=np.bincount(told.parcel, minlength=count).astype(np.int16),
        max_gap_d=of["max_gap_d"],
        n_clear=of["n_clear"],
        n_pairs=of["n_pairs"],
        status=status_of(eligible, covered, of["observed"], touched),
    )


def _in_columns(events: Events, columns: npt.NDArray[np.intp]) -> Events:
    """Optical columns as those of the series that ``columns`` were chosen from."""
    if not len(events) or not len(columns):
        return events
    changed: dict[str, Any] = {}
    for name in ("s2_before", "s2_low", "s2_after"):
        at = getattr(events, name)
        changed[name] = np.where(at >= 0, columns[at], NOT_SEEN).astype(np.int32)
    return replace(events, **changed)


def _within(events: Events, first: date, last: date) -> Events:
    """Those that overlap the period."""
    begin, stop = np.datetime64(first, "s"), np.datetime64(last, "s") + np.timedelta64(1, "D")
    inside = (events.end > begin) & (events.start < stop)
    return events if inside.all() else events.take(inside)


def _moved(events: Events, begin: int) -> Events:
    return replace(events, parcel=events.parcel + begin) if begin else events
