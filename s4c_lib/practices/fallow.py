"""Verdict on fallow land (l4c-practices.md section 11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.codes import Marker, Rule, Verdict
from s4c_lib.practices.evidence import Evidence, weigh
from s4c_lib.practices.period import Period
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.verdict import Case, Int8, Practice, first_of, longest_run, opening, unset_markers
from s4c_lib.practices.weekly import Bools, Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, monday_numbers, week_numbers

_QUIET_WEEKS: Final = 9
_BLACK: Final = "PDJ"
_GREEN: Final = "PDZ"
_EARLY_DAYS: Final = 62
_LATE_DAYS: Final = 7
_MARGIN_DAYS: Final = 30  # around the mowing window
_NO_DATE: Final = date(1970, 1, 1)  # a rule whose date is missing never applies


@dataclass(frozen=True, slots=True, eq=False)
class _Ruled:
    """What one of the rules makes of the rows: cases in order, the last of them for all others, and markers."""

    cases: list[Case]
    markers: Int8
    evidence: Evidence
    longest_quiet: npt.NDArray[np.int32]
    erase: Bools


def judge_fallow(series: WeeklySeries, settings: PracticeSettings, harvest_week: Int64, period: Period) -> Practice:
    """Verdicts by the rule that the configuration names (FLRULE); rows that are not asked for stay NA."""
    start = [*opening(period.asked, series.last <= period.first_week)]
    begun = ~np.logical_or.reduce([case[0] for case in start])
    evidence = weigh(series, settings, period.begin, period.end, begun)
    rule = settings.thresholds.flrule
    if rule == "cze_mowing":
        ruled = _czech(series, settings, harvest_week, period, evidence, begun)
    elif rule == "ltu":
        ruled = _lithuanian(series, harvest_week, period, evidence, begun)
    else:
        until = period.end
        if rule == "ita":
            until = np.full(len(begun), _number(settings.thresholds.flmarkstartdate))
        ruled = _others(harvest_week, period, evidence, begun, week_numbers(until))
    *cases, (_, verdict, last) = ruled.cases
    verdicts, rules = first_of([*start, *cases], (verdict, last))
    return Practice(
        verdicts,
        rules,
        ruled.markers,
        begun & ~evidence.seen,
        ruled.erase,
        np.full(len(begun), -1, np.int8),
        ruled.longest_quiet,
        ruled.evidence,
    )


def _others(harvest_week: Int64, period: Period, evidence: Evidence, begun: Bools, until: Int64) -> _Ruled:
    markers = unset_markers(period.asked)
    markers[:, 0] = np.where(begun, _presence(evidence), markers[:, 0])
    inside = (harvest_week > period.first_week) & (harvest_week <= until)
    cases = [
        (~evidence.present, Verdict.STRONG, Rule.FL_BARE),
        (harvest_week == NO_WEEK, Verdict.MODERATE, Rule.FL_NO_HARVEST),
        (inside, Verdict.WEAK, Rule.FL_HARVEST_INSIDE),
        (True, Verdict.MODERATE, Rule.FL_HARVEST_OUTSIDE),
    ]
    return _ruled(cases, markers, evidence)


def _czech(
    series: WeeklySeries,
    settings: PracticeSettings,
    harvest_week: Int64,
    period: Period,
    evidence: Evidence,
    begun: Bools,
) -> _Ruled:
    inside = (harvest_week > period.first_week) & (harvest_week <= week_numbers(period.end))
    tested = begun & evidence.present & ~inside
    size = len(begun)
    first = np.full(size, _number(settings.thresholds.flmarkstartdate))
    last = np.full(size, _number(settings.thresholds.flmarkstenddate))
    window = weigh(series, settings, first - _MARGIN_DAYS, last + _MARGIN_DAYS, tested)
    filled = window.no_ndvi_loss.copy()
    following = np.full(size, Marker.NA, np.int8)
    for w in range(filled.shape[1] - 1, -1, -1):
        own = np.where(filled[:, w] == Marker.NA, following, filled[:, w])
        following = np.where(window.listed[:, w], own, following)
        filled[:, w] = np.where(window.listed[:, w], own, Marker.NA)
    mown = (series.week >= week_numbers(first)[:, None]) & (series.week <= week_numbers(last)[:, None] + 1)
    cut = ((filled == Marker.FALSE) & mown).any(axis=1)
    markers = unset_markers(period.asked)
    markers[begun, 0] = np.where(evidence.present, Marker.TRUE, Marker.FALSE)[begun]
    markers[tested, 2] = np.where(cut, Marker.FALSE, Marker.TRUE)[tested]
    cases = [
        (~evidence.present, Verdict.POOR, Rule.FL_BARE),
        (inside, Verdict.WEAK, Rule.FL_HARVEST_INSIDE),
        (cut, Verdict.STRONG, Rule.FL_CUT),
        (True, Verdict.MODERATE, Rule.FL_NOT_CUT),
    ]
    shown = np.where(tested[:, None], filled, evidence.no_ndvi_loss)
    return _ruled(cases, markers, replace(evidence, no_ndvi_loss=shown))


def _lithuanian(series: WeeklySeries, harvest_week: Int64, period: Period, evidence: Evidence, begun: Bools) -> _Ruled:
    quiet = np.where(begun, longest_run(evidence.listed, evidence.no_coherence_loss == Marker.TRUE), -1)
    worked = quiet < _QUIET_WEEKS
    p_type = series.rows.p_type.astype(str)
    black, green = p_type == _BLACK, p_type == _GREEN
    markers = unset_markers(period.asked)
    markers[:, 0] = np.where(begun & ~black, _presence(evidence), markers[:, 0])
    markers[:, 4] = np.where(begun, np.where(worked, Marker.FALSE, Marker.TRUE), markers[:, 4])
    monday, end = monday_numbers(harvest_week), monday_numbers(week_numbers(period.end))
    cases = [
        (black & worked, Verdict.STRONG, Rule.FL_SOIL_WORKED),
        (black, Verdict.WEAK, Rule.FL_SOIL_LEFT),
        (~green, Verdict.NA, Rule.FL_OTHER_TYPE),
        (worked, Verdict.WEAK, Rule.FL_SOIL_WORKED),
        (~evidence.present, Verdict.WEAK, Rule.FL_BARE),
        (harvest_week == NO_WEEK, Verdict.MODERATE, Rule.FL_NO_HARVEST),
        (monday <= end - _EARLY_DAYS, Verdict.MODERATE, Rule.FL_HARVEST_EARLY),
        (monday <= end + _LATE_DAYS, Verdict.STRONG, Rule.FL_HARVEST_IN_TIME),
        (True, Verdict.MODERATE, Rule.FL_HARVEST_LATE),
    ]
    return _Ruled(cases, markers, evidence, quiet.astype(np.int32), begun & black & worked)


def _ruled(cases: list[Case], markers: Int8, evidence: Evidence) -> _Ruled:
    size = len(markers)
    return _Ruled(cases, markers, evidence, np.full(size, -1, np.int32), np.zeros(size, bool))


def _presence(evidence: Evidence) -> npt.NDArray[np.int64]:
    """M6: vegetation in some week; NA without NDVI."""
    return np.where(evidence.seen, np.where(evidence.present, Marker.TRUE, Marker.FALSE), Marker.NA)


def _number(day: date | None) -> int:
    return int(np.datetime64(day or _NO_DATE, "D").astype(np.int64))
