"""Decide about all rows of a practice table (l4c-practices.md sections 6 to 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.practices.catch_crop import judge_catch_crops
from s4c_lib.practices.codes import Rule, Verdict
from s4c_lib.practices.decisions import Applied, Decisions, Weekly
from s4c_lib.practices.evidence import weigh
from s4c_lib.practices.fallow import judge_fallow
from s4c_lib.practices.gaps import count_gaps
from s4c_lib.practices.harvest import Harvest, find_harvest
from s4c_lib.practices.nitrogen_fixing import judge_nitrogen_fixing
from s4c_lib.practices.period import Period, catch_crop_period, declared_period
from s4c_lib.practices.results import Judged, decisions_of
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.tillage import find_tillage
from s4c_lib.practices.verdict import Practice, first_of, opening, unset_markers
from s4c_lib.practices.weekly import Int64, Reader, WeeklySeries
from s4c_lib.practices.weeks import NO_WEEK, day_numbers, week_numbers
from s4c_lib.statistics.matrices import Key, Series

Progress = Callable[[int, int], None]
"""Rows done, rows in all."""
BLOCK: Final = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Previous:
    """Harvests of the previous product by row: H_W_START (datetime64[D], NaT for none), H_W_S1GAPS (0 for none)."""

    harvest_week: npt.NDArray[np.datetime64]
    gaps: npt.NDArray[np.int32]


def _silent(done: int, total: int) -> None:
    """Show nothing."""


def decide(
    series: Mapping[Key, Series],
    rows: PracticeRows,
    settings: PracticeSettings,
    *,
    as_of: date,
    gap_limit: date,
    tillage: bool,
    season_start: date | None = None,
    previous: Previous | None = None,
    progress: Progress = _silent,
) -> Decisions:
    """Decide about every row of a practice table.

    Parameters
    ----------
    series : matrices of ``ndvi``, ``vv``, ``vh`` and ``coherence_vv`` by orbit (`practice_series`).
    as_of : observations after it do not count.
    gap_limit : last day on which acquisitions can be missed; 31 December of a row's year at most.
    season_start : with repair 2 observations count from it, or from 1 January of the row's year if that is earlier.
    previous : harvests that are kept, where the settings say so.
    """
    reader = Reader(series, settings, as_of=as_of, season_start=season_start)
    blocks = []
    for first in range(0, max(len(rows), 1), BLOCK):
        block = slice(first, first + BLOCK)
        part = rows.of(block)
        kept = None if previous is None else Previous(previous.harvest_week[block], previous.gaps[block])
        judged = _judge(reader.read(part), settings, gap_limit, tillage, kept)
        found = decisions_of(judged, settings, reader.orbits)
        blocks.append(replace(found, weekly=replace(found.weekly, row=found.weekly.row + np.int32(first))))
        progress(min(first + BLOCK, len(rows)), len(rows))
    return blocks[0] if len(blocks) == 1 else _joined(blocks)


def _judge(
    series: WeeklySeries, settings: PracticeSettings, gap_limit: date, tillage: bool, previous: Previous | None
) -> Judged:
    size = len(series.rows)
    harvest = find_harvest(series, settings, tillage=tillage)
    week, kept, kept_gaps = harvest.week, np.zeros(size, bool), np.zeros(size, np.int32)
    if previous is not None and settings.freeze_harvest:
        kept = series.evaluated & ~np.isnat(previous.harvest_week)
        week = np.where(kept, week_numbers(day_numbers(previous.harvest_week)), week)
        kept_gaps = np.where(kept, previous.gaps, 0).astype(np.int32)
    period, practice = _practice(series, settings, harvest, week)
    erased = practice.erase_harvest & ~(practice.no_evidence & settings.repaired(6))
    erased &= week != NO_WEEK
    week = np.where(erased, NO_WEEK, week)
    tilled = find_tillage(series, settings, harvest, week) if tillage else None
    year_end = ((series.rows.year - 1969).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)) - 1
    limit = np.minimum(int(np.datetime64(gap_limit, "D").astype(np.int64)), year_end)
    gaps = count_gaps(series, harvest.h_end, week, limit)
    return Judged(series, harvest, period, practice, tilled, gaps, week, kept & ~erased, kept_gaps, erased)


def _practice(
    series: WeeklySeries, settings: PracticeSettings, harvest: Harvest, week: Int64
) -> tuple[Period, Practice]:
    if settings.practice == "CC":
        period = catch_crop_period(series, settings, harvest, week)
        return period, judge_catch_crops(series, settings, harvest, week, period)
    period = declared_period(series, settings)
    if settings.practice == "FL":
        return period, judge_fallow(series, settings, week, period)
    if settings.practice == "NFC":
        return period, judge_nitrogen_fixing(series, settings, week, period)
    return period, _none(series, settings, period)


def _none(series: WeeklySeries, settings: PracticeSettings, period: Period) -> Practice:
    """No practice is evaluated."""
    size = len(series.rows)
    verdict, rule = first_of(opening(period.asked, period.asked), (Verdict.NA, Rule.NONE))
    nothing = np.zeros(size, bool)
    evidence = weigh(series, settings, period.begin, period.end, nothing)
    few = np.full(size, -1, np.int8)
    return Practice(verdict, rule, unset_markers(nothing), nothing, nothing, few, few.astype(np.int32), evidence)


def _joined(blocks: list[Decisions]) -> Decisions:
    columns: dict[str, Any] = {}
    for one in fields(Decisions):
        values = [getattr(block, one.name) for block in blocks]
        if isinstance(values[0], np.ndarray):
            columns[one.name] = np.concatenate(values)
        elif isinstance(values[0], Applied | Weekly):
            kind = type(values[0])
            columns[one.name] = kind(
                *(np.concatenate([getattr(value, part.name) for value in values]) for part in fields(kind))
            )
        else:
            columns[one.name] = values[0]
    return Decisions(**columns)
