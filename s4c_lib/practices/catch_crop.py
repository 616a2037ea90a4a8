"""Verdict on a catch crop (l4c-practices.md section 10)."""

from __future__ import annotations

from typing import Final

import numpy as np

from s4c_lib.practices.codes import Marker, Rule, Verdict
from s4c_lib.practices.evidence import weigh
from s4c_lib.practices.harvest import Harvest
from s4c_lib.practices.period import Period
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.verdict import Practice, every, first_of, opening, unset_markers
from s4c_lib.practices.weekly import Int64, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK

_GROWN: Final = 3  # weeks after the start from which NDVI must show the crop
_SETTLED: Final = 2  # weeks after the start from which the soil must rest
_BY_FAILURES: Final = np.array([Verdict.STRONG, Verdict.MODERATE, Verdict.WEAK, Verdict.POOR], np.int8)


def judge_catch_crops(
    series: WeeklySeries, settings: PracticeSettings, harvest: Harvest, harvest_week: Int64, period: Period
) -> Practice:
    """Verdicts; rows that are not asked for stay NA."""
    asked, start, week = period.asked, period.first_week, series.week
    p_type = series.rows.p_type.astype(str)
    in_main = np.isin(p_type, (settings.thresholds.catchmain, settings.thresholds.catchcropismain))
    dropped = (harvest.drop & (week >= series.spans.veg[:, None]) & (week <= start[:, None])).any(axis=1)
    harvested = harvest_week != NO_WEEK
    cases = [
        *opening(asked, series.last <= start),
        (~harvest.has_crop, Verdict.NR, Rule.CC_NO_MAIN_CROP),
        (~harvested & ~in_main & ~dropped, Verdict.POOR, Rule.CC_NO_HARVEST),
        (harvested & (harvest_week > start) & ~in_main, Verdict.POOR, Rule.CC_LATE_HARVEST),
    ]
    weighed = ~np.logical_or.reduce([case[0] for case in cases])
    evidence = weigh(series, settings, period.begin, period.end, weighed)

    grown = week >= (start + _GROWN)[:, None]
    seen_late = ((evidence.pres != Marker.NA) & grown).any(axis=1)
    m6 = np.where(evidence.present, Marker.TRUE, np.where(seen_late, Marker.FALSE, Marker.NA))
    unseen = m6 == Marker.NA
    m7 = np.where(unseen, Marker.NA, every(evidence.grow, grown))
    m8 = np.where(unseen, Marker.NA, every(evidence.no_ndvi_loss))
    m9 = every(evidence.no_ratio_loss)
    m10 = every(evidence.no_coherence_loss, week >= (start + _SETTLED)[:, None], otherwise=Marker.TRUE)
    markers = np.stack([m6, m7, m8, m9, m10], axis=1).astype(np.int8)
    failures = (markers == Marker.FALSE).sum(axis=1)
    radar_alone = (markers[:, :3] == Marker.NA).all(axis=1)
    by_radar = np.where(failures == 0, Verdict.MODERATE, Verdict.WEAK)
    verdict, rule = first_of(
        [*cases, (radar_alone, by_radar, Rule.CC_NO_NDVI)],
        (_BY_FAILURES[np.minimum(failures, 3)], Rule.CC_MARKERS),
    )
    return Practice(
        verdict,
        rule,
        np.where(weighed[:, None], markers, unset_markers(asked)).astype(np.int8),
        weighed & ~evidence.seen & (evidence.no_ratio_loss == Marker.NA).all(axis=1),
        np.zeros(len(asked), bool),
        np.where(weighed, failures, -1).astype(np.int8),
        np.full(len(asked), -1, np.int32),
        evidence,
    )
