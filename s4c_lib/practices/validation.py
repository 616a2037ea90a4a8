"""Results against what is known of the parcels: harvest weeks, verdicts, tillage (l4c-practices.md section 21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.mowing.validation import Interval, Score
from s4c_lib.practices.codes import Found, Verdict
from s4c_lib.practices.weeks import day_numbers, monday_numbers, week_numbers

Bools = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

_WEEK: Final = 7
_MIDDLE: Final = 3  # Thursday, days after Monday


@dataclass(frozen=True, slots=True)
class HarvestScore:
    """Harvest weeks of rows whose series could be evaluated; NaN where nothing is there to take a share of.

    Parameters
    ----------
    rows : all. evaluated : of them. true : evaluated, with a known harvest. found : of these, those reported with one.
    near : of these, at most one week off. false : harvests reported where none was.
    median, absolute : error of the found in days, middle of the reported week less the true day: median, mean of its
        size.
    """

    rows: int
    evaluated: int
    true: int
    found: int
    near: int
    false: int
    median: float
    absolute: float

    @property
    def rates(self) -> dict[str, float]:
        """Figures that have intervals.

        ``near`` is a share of the found, ``near_of_true`` of all that were harvested, ``missed`` too; ``false`` is a
        share of the evaluated that were not.
        """
        return {
            "median": self.median,
            "absolute": self.absolute,
            "near": _share(self.near, self.found),
            "near_of_true": _share(self.near, self.true),
            "missed": _share(self.true - self.found, self.true),
            "false": _share(self.false, self.evaluated - self.true),
        }


def harvest_score(found: Int8, week: Days, day: Days, *, tolerance_weeks: int = 1) -> HarvestScore:
    """Compare reported weeks with known days.

    Parameters
    ----------
    found : int8 (rows,), codes of `Found`. week : Mondays. day : true day of the harvest, NaT for none.
    tolerance_weeks : weeks that ``near`` allows between the reported week and that of the day.

    Raises
    ------
    InputError : arrays of different lengths.
    """
    _aligned(found, week, day)
    evaluated = np.isin(found, (Found.FOUND, Found.NOT_FOUND))
    reported, true = found == Found.FOUND, evaluated & ~np.isnat(day)
    hit = reported & true
    days = day_numbers(day[hit])
    mondays = day_numbers(week[hit])
    error = mondays + _MIDDLE - days
    off = np.abs(mondays - monday_numbers(week_numbers(days))) // _WEEK
    return HarvestScore(
        len(found),
        int(evaluated.sum()),
        int(true.sum()),
        int(hit.sum()),
        int((off <= tolerance_weeks).sum()),
        int((reported & ~true).sum()),
        float(np.median(error)) if len(error) else float("nan"),
        float(np.abs(error).mean()) if len(error) else float("nan"),
    )


@dataclass(frozen=True, slots=True)
class VerdictScore:
    """C_INDEX against what was there; agreement is STRONG or MODERATE, objection WEAK or POOR.

    Parameters
    ----------
    agreed_kept, agreed_broken, objected_kept, objected_broken : verdicts on practices that were kept and that were not.
    not_relevant : rows with NR. not_evaluated : rows with NA or NA1.
    """

    agreed_kept: int
    agreed_broken: int
    objected_kept: int
    objected_broken: int
    not_relevant: int
    not_evaluated: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.decided + self.not_relevant + self.not_evaluated

    @property
    def decided(self) -> int:
        """Rows with a verdict."""
        return self.agreed_kept + self.agreed_broken + self.objected_kept + self.objected_broken

    @property
    def agreement(self) -> Score:
        """How well agreement tells practices that were kept, of the rows with a verdict."""
        return Score(self.agreed_kept, self.agreed_broken, self.objected_kept)

    @property
    def objection(self) -> Score:
        """How well objections tell practices that were not kept, of the rows with a verdict."""
        return Score(self.objected_broken, self.objected_kept, self.agreed_broken)

    @property
    def rates(self) -> dict[str, float]:
        """Figures that have intervals."""
        return {
            "precision": self.agreement.precision,
            "recall": self.agreement.recall,
            "objection_precision": self.objection.precision,
            "objection_recall": self.objection.recall,
            "not_relevant": _share(self.not_relevant, self.rows),
            "not_evaluated": _share(self.not_evaluated, self.rows),
        }


def verdict_score(c_index: Int8, kept: Bools) -> VerdictScore:
    """Compare verdicts (rows,), codes of `Verdict`, with whether the practice was kept.

    Raises
    ------
    InputError : arrays of different lengths.
    """
    _aligned(c_index, kept)
    agreed = np.isin(c_index, (Verdict.STRONG, Verdict.MODERATE))
    objected = np.isin(c_index, (Verdict.WEAK, Verdict.POOR))
    return VerdictScore(
        int((agreed & kept).sum()),
        int((agreed & ~kept).sum()),
        int((objected & kept).sum()),
        int((objected & ~kept).sum()),
        int((c_index == Verdict.NR).sum()),
        int(np.isin(c_index, (Verdict.NA, Verdict.NA1)).sum()),
    )


@dataclass(frozen=True, slots=True)
class TillageScore:
    """Tillage after harvest, by parcel, of those that were harvested and whose series could be evaluated.

    Parameters
    ----------
    rows : of these. true : really tilled. found : reported as tilled. right : both.
    in_time : of these, with the right week. reached : rows whose harvest was found, without which tillage is not looked
        for. true_reached : of them, the tilled.
    """

    rows: int
    true: int
    found: int
    right: int
    in_time: int
    reached: int
    true_reached: int

    @property
    def rates(self) -> dict[str, float]:
        """Figures that have intervals; ``recall_reached`` is of the parcels whose harvest was found."""
        return {
            "precision": _share(self.right, self.found),
            "recall": _share(self.right, self.true),
            "recall_reached": _share(self.right, self.true_reached),
            "precision_in_time": _share(self.in_time, self.found),
            "recall_in_time": _share(self.in_time, self.true),
            "recall_in_time_reached": _share(self.in_time, self.true_reached),
        }


def tillage_score(
    harvest: Int8, tillage: Int8, week: Days, harvest_day: Days, day: Days, *, tolerance_weeks: int = 2
) -> TillageScore:
    """Compare reported tillage with known days.

    Parameters
    ----------
    harvest, tillage : int8 (rows,), codes of `Found`. week : Mondays of tillage.
    harvest_day, day : true days of the harvest and of the first tillage after it, NaT for none.
    tolerance_weeks : that ``in_time`` allows between the reported week and that of the day.

    Raises
    ------
    InputError : arrays of different lengths.
    """
    _aligned(harvest, tillage, week, harvest_day, day)
    judged = np.isin(harvest, (Found.FOUND, Found.NOT_FOUND)) & ~np.isnat(harvest_day)
    reached = judged & (harvest == Found.FOUND)
    true = judged & ~np.isnat(day)
    found = judged & (tillage == Found.FOUND)
    right = found & true
    mondays = monday_numbers(week_numbers(day_numbers(day[right])))
    off = np.abs(day_numbers(week[right]) - mondays) // _WEEK
    return TillageScore(
        int(judged.sum()),
        int(true.sum()),
        int(found.sum()),
        int(right.sum()),
        int((off <= tolerance_weeks).sum()),
        int(reached.sum()),
        int((true & reached).sum()),
    )


def intervals(
    measure: Callable[[Int64], Mapping[str, float]],
    groups: Int64,
    *,
    rng: np.random.Generator,
    samples: int = 500,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of what is measured when groups, and within each its rows, are drawn with replacement.

    Parameters
    ----------
    measure : figures by name of the rows with these numbers; draws in which one is NaN do not count for it.
    groups : int64 (rows,), 0 and up: what rows have in common, such as the series they are of.

    Raises
    ------
    InputError : no samples, or no rows.
    """
    if samples < 1 or not len(groups):
        raise InputError(f"{samples} samples of {len(groups)} rows give no interval")
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn: dict[str, list[float]] = {}
    for _ in range(samples):
        chosen = [members[number] for number in rng.integers(len(members), size=len(members))]
        rows = np.concatenate([one[rng.integers(len(one), size=len(one))] for one in chosen])
        for name, value in measure(rows).items():
            drawn.setdefault(name, []).append(value)
    return {name: _percentiles(np.array(values), level) for name, values in drawn.items()}


def _percentiles(values: npt.NDArray[np.float64], level: float) -> Interval:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _aligned(*arrays: npt.NDArray[np.generic]) -> None:
    lengths = sorted({len(one) for one in arrays})
    if len(lengths) > 1:
        raise InputError(f"what is compared has different lengths: {', '.join(map(str, lengths))}")
