"""Verdict on a nitrogen-fixing crop (l4c-practices.md section 12)."""

from __future__ import annotations

import numpy as np

from s4c_lib.practices.codes import Marker, Rule, Verdict
from s4c_lib.practices.evidence import weigh
from s4c_lib.practices.period import Period
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.verdict import Case, Practice, first_of, opening, unset_markers
from s4c_lib.practices.weekly import Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, day_numbers, monday_numbers, week_numbers


def judge_nitrogen_fixing(
    series: WeeklySeries, settings: PracticeSettings, harvest_week: Int64, period: Period
) -> Practice:
    """Verdicts by the rule that the configuration names (NFCRULE); rows that are not asked for stay NA."""
    rule = settings.thresholds.nfcrule
    start = opening(period.asked, series.last <= period.first_week)
    begun = ~np.logical_or.reduce([case[0] for case in start])
    begin = period.begin
    if rule == "cze":
        begin = np.where(begun, monday_numbers(week_numbers(day_numbers(series.rows.veg_start))), begin)
    evidence = weigh(series, settings, begin, period.end, begun)
    presence = np.where(evidence.present, Marker.TRUE, Marker.FALSE)
    after, end = harvest_week > period.first_week, week_numbers(period.end)
    if rule == "cze":
        inside = after & (harvest_week <= end)
        judged = begun & evidence.present & ~inside
        within = weigh(series, settings, period.begin, period.end, judged)
        presence = np.where(judged, np.where(within.present, Marker.TRUE, Marker.FALSE), presence)
        cases: list[Case] = [
            (~evidence.present, Verdict.POOR, Rule.NFC_BARE),
            (inside, Verdict.WEAK, Rule.NFC_HARVEST_INSIDE),
            (within.present, Verdict.STRONG, Rule.NFC_PRESENT),
        ]
        otherwise = (Verdict.MODERATE, Rule.NFC_ABSENT)
    else:
        presence = np.where(evidence.seen, presence, Marker.NA)
        bare = Verdict.POOR if rule == "strict" else Verdict.WEAK
        inside = after & (harvest_week < end) if rule == "rou" else np.zeros(len(begun), bool)
        cases = [
            (~evidence.seen if rule == "rou" else False, Verdict.NR, Rule.NO_EVIDENCE),
            (~evidence.present, bare, Rule.NFC_BARE),
            (harvest_week == NO_WEEK, Verdict.MODERATE, Rule.NFC_NO_HARVEST),
            (inside, Verdict.WEAK, Rule.NFC_HARVEST_INSIDE),
        ]
        otherwise = (Verdict.STRONG, Rule.NFC_HARVEST_OUTSIDE)
    verdicts, rules = first_of([*start, *cases], otherwise)
    markers = unset_markers(period.asked)
    markers[begun, 0] = presence[begun]
    size = len(begun)
    return Practice(
        verdicts,
        rules,
        markers,
        begun & ~evidence.seen,
        np.zeros(size, bool),
        np.full(size, -1, np.int8),
        np.full(size, -1, np.int32),
        evidence,
    )
