"""Results of a block of rows as columns (l4c-practices.md section 15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.codes import Flag, Found, Marker, Rule, Status, Verdict
from s4c_lib.practices.decisions import Applied, Decisions, Weekly
from s4c_lib.practices.gaps import Gaps
from s4c_lib.practices.harvest import Harvest
from s4c_lib.practices.period import Period
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.tillage import Tillage
from s4c_lib.practices.verdict import Practice
from s4c_lib.practices.weekly import Bools, Floats, Int64, Spans, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, dates_of, monday_numbers, mondays_of

Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """All that was found out about a block of rows.

    Parameters
    ----------
    harvest_week : H_W_START that holds, `NO_WEEK` for none. kept : it is that of the previous product.
    kept_gaps : H_W_S1GAPS of the previous product, 0 for none. erased : there was a harvest, and a rule took it back.
    """

    series: WeeklySeries
    harvest: Harvest
    period: Period
    practice: Practice
    tillage: Tillage | None
    gaps: Gaps
    harvest_week: Int64
    kept: Bools
    kept_gaps: npt.NDArray[np.int32]
    erased: Bools


def decisions_of(one: Judged, settings: PracticeSettings, orbits: tuple[int, ...]) -> Decisions:
    """Columns of the block."""
    series, harvest, practice = one.series, one.harvest, one.practice
    rows, evaluated = series.rows, series.evaluated
    few = series.status == Status.NO_S1PIX
    missing = np.where(few, Marker.NA1, Marker.NA).astype(np.int8)

    def known(values: Any, kind: Any = np.int8) -> npt.NDArray[Any]:
        gone = missing if np.ndim(values) == 1 else missing[:, None]
        told = evaluated if np.ndim(values) == 1 else evaluated[:, None]
        return np.where(told, values, gone).astype(kind)

    at_last = series.week == series.last[:, None]
    weekly_markers = (harvest.m1, harvest.m2, harvest.m3, harvest.m4, harvest.m5)
    shown = [_at(marker, at_last) for marker in weekly_markers]
    shown[0] = np.where(harvest.has_crop, shown[0], Marker.FALSE)
    at_harvest = series.week == one.harvest_week[:, None]
    markers = np.concatenate([np.stack(shown, axis=1), practice.markers], axis=1)

    evidence = practice.evidence
    asked = one.period.asked
    still_open = asked & (one.period.end > monday_numbers(series.last))
    silent = practice.no_evidence if settings.repaired(6) else np.zeros(len(rows), bool)
    verdict = np.where(silent, Verdict.NR, practice.c_index)
    flags = (
        (harvest.flat & evaluated) * int(Flag.M5_FLAT)
        | practice.no_evidence * int(Flag.NO_EVIDENCE)
        | one.period.computed * int(Flag.PERIOD_COMPUTED)
        | one.kept * int(Flag.HARVEST_KEPT)
        | one.erased * int(Flag.HARVEST_ERASED)
    )
    harvested, radar = one.harvest_week != NO_WEEK, harvest.radar_week != NO_WEEK
    tilled, tillage_week = np.full(len(rows), Found.NA, np.int8), np.full(len(rows), NO_WEEK)
    if one.tillage is not None:
        tilled, tillage_week = one.tillage.state, one.tillage.week
    declared = rows.veg_start.astype("datetime64[D]")
    snapped = (series.week == series.spans.veg[:, None]).any(axis=1) & _moved(series)
    veg_start = np.where(evaluated & snapped & ~np.bool_(settings.repaired(8)), mondays_of(series.spans.veg), declared)
    gaps, current = one.gaps, harvest.week != NO_WEEK
    kept_gaps = np.where(one.kept & (one.kept_gaps > 0), one.kept_gaps, gaps.harvest)
    in_period = evidence.listed
    return Decisions(
        practice=settings.practice,
        with_tillage=one.tillage is not None,
        repairs=settings.repairs,
        status=series.status,
        flags=flags.astype(np.int32),
        rule=np.where(silent, Rule.NO_EVIDENCE, practice.rule).astype(np.int8),
        veg_start=veg_start,
        l_week=mondays_of(np.where(evaluated, series.last, NO_WEEK)),
        markers=known(markers),
        h_markers=known(np.stack([_at(marker, at_harvest) for marker in weekly_markers], axis=1)),
        harvest=known(np.where(harvested, Found.FOUND, Found.NOT_FOUND)),
        harvest_week=mondays_of(np.where(evaluated, one.harvest_week, NO_WEEK)),
        radar=known(np.where(radar, Found.FOUND, Found.NOT_FOUND)),
        radar_week=mondays_of(np.where(evaluated, harvest.radar_week, NO_WEEK)),
        tillage=known(tilled),
        tillage_week=mondays_of(np.where(evaluated, tillage_week, NO_WEEK)),
        h_delay=_delay(one),
        p_start=np.where(evaluated, dates_of(one.period.begin), rows.p_start.astype("datetime64[D]")),
        p_end=np.where(evaluated, dates_of(one.period.end), rows.p_end.astype("datetime64[D]")),
        c_index=known(np.where(still_open, Verdict.NR, verdict)),
        preliminary=known(verdict),
        s1_gaps=known(gaps.season, np.int32),
        h_s1_gaps=known(gaps.harvest_period, np.int32),
        p_s1_gaps=known(gaps.practice_period, np.int32),
        h_w_s1_gaps=known(kept_gaps, np.int32),
        h_quality=evaluated & harvested & (kept_gaps >= 2),
        c_quality=evaluated & gaps.practice_uncertain,
        n_ndvi_v=(harvest.vegetation & np.isfinite(series.all.ndvi)).sum(axis=1).astype(np.int32),
        n_ndvi_p=np.isfinite(evidence.ndvi).sum(axis=1).astype(np.int32),
        n_coh_p=in_period.sum(axis=1).astype(np.int32),
        orbits=series.lists.orbits,
        orbit_numbers=orbits,
        h_current=known(np.where(current, Found.FOUND, Found.NOT_FOUND)),
        h_current_week=mondays_of(np.where(evaluated, harvest.week, NO_WEEK)),
        applied=applied_of(one),
        weekly=weekly_of(one, settings),
    )


def _moved(series: WeeklySeries) -> Bools:
    """Rows whose declared week of VEG_START has no observations, so that a later one counts."""
    moved: Bools = Spans.of(series.rows).veg != series.spans.veg
    return moved


def _at(values: Int8, place: Bools) -> Int8:
    """The value of one week of each row, NA where the row has no such week."""
    found: Any = np.where(place.any(axis=1), values[np.arange(len(values)), place.argmax(axis=1)], Marker.NA)
    return np.asarray(found, np.int8)


def _delay(one: Judged) -> npt.NDArray[np.int32]:
    """Days from H_W_START to the first NDVI at or after it, which completes M2; -1 for none."""
    lists, monday = one.series.lists, monday_numbers(one.harvest_week)
    there = np.arange(lists.ndvi_day.shape[1]) < lists.ndvi_count[:, None]
    later = there & (lists.ndvi_day >= monday[:, None])
    first = np.where(later, lists.ndvi_day, np.iinfo(np.int32).max).min(axis=1)
    known = one.series.evaluated & (one.harvest_week != NO_WEEK) & later.any(axis=1)
    return np.where(known, first - monday, -1).astype(np.int32)


def applied_of(one: Judged) -> Applied:
    """Numbers the rules compared with; nothing for rows without a weekly series."""
    series, harvest, period, practice = one.series, one.harvest, one.period, one.practice
    evaluated = series.evaluated

    def real(values: Floats) -> Floats:
        return np.where(evaluated, values, np.nan)

    def weeks(values: Int64) -> npt.NDArray[np.datetime64]:
        return mondays_of(np.where(evaluated, values, NO_WEEK))

    nothing = np.full(len(evaluated), np.nan)
    return Applied(
        ndvi_threshold=real(harvest.ndvi_threshold),
        ndvi_buffer=real(harvest.ndvi_buffer),
        drops=harvest.drop.any(axis=1) & evaluated,
        ndvi_max=real(harvest.ndvi_max),
        optical_from=weeks(harvest.optical_from),
        ratio_mean=real(harvest.ratio_mean),
        ratio_deviation=real(harvest.ratio_deviation),
        ratio_rise=real(harvest.ratio_rise),
        ratio_level=real(harvest.ratio_level),
        coherence_max=real(harvest.coherence_max),
        coherence_level=real(harvest.coherence_level),
        tillage_level=nothing if one.tillage is None else real(one.tillage.level),
        veg_week=weeks(series.spans.veg),
        h_start_week=weeks(series.spans.h_start),
        h_end_week=weeks(harvest.h_end),
        bare_ndvi_min=period.bare_min,
        bare_ndvi_max=period.bare_max,
        bare_limit=period.bare_limit,
        practice_ndvi_threshold=practice.evidence.threshold,
        false_markers=practice.failures,
        longest_quiet=practice.longest_quiet,
    )


def weekly_of(one: Judged, settings: PracticeSettings) -> Weekly:
    """The listed weeks, row by row."""
    series, harvest, evidence = one.series, one.harvest, one.practice.evidence
    weeks = series.all
    place = np.flatnonzero(weeks.listed)
    row, column = np.divmod(place, weeks.listed.shape[1])
    m1, m5 = harvest.m1, harvest.m5
    if one.tillage is not None and not settings.repaired(19):
        m1, m5 = one.tillage.m1, one.tillage.m5
    chosen = (
        weeks.ndvi, series.before, series.after, weeks.ratio_mean, weeks.ratio_max, series.ratio_change,
        weeks.coherence_max, weeks.coherence_change, m1, harvest.m2, harvest.m3, harvest.m4, m5, harvest.vegetation,
        harvest.drop, harvest.radar, harvest.optical, one.period.breaks, evidence.pres, evidence.grow,
        evidence.no_ndvi_loss, evidence.no_ratio_loss, evidence.no_coherence_loss,
    )  # fmt: skip
    taken: list[Any] = [np.take(values, place) for values in chosen]
    return Weekly(row.astype(np.int32), mondays_of(series.week[column]), *taken)
