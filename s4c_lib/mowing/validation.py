"""Detected events against known mowing dates: Sen4CAP's metric and a one-to-one version (spec 15.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.errors import InputError
from s4c_lib.mowing.events import Events

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_DAY: Final = np.timedelta64(86_400, "s")
_LAST_SECOND: Final = np.timedelta64(86_399, "s")
_HALF_DAY: Final = 0.5
_SAMPLES_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """Known mowings of the parcels that are judged, sorted by parcel and day.

    Parameters
    ----------
    parcels : count of parcels judged, those without mowing included.
    parcel : int64 (truths,), row of the parcel, as in `Events`.
    day : datetime64[D] (truths,).
    """

    parcels: int
    parcel: Int64
    day: npt.NDArray[np.datetime64]

    @classmethod
    def of(cls, parcels: int, parcel: npt.ArrayLike, day: npt.ArrayLike) -> Truths:
        """Sort them.

        Raises
        ------
        InputError : a row is not one of the parcels.
        """
        rows, days = np.asarray(parcel, np.int64), np.asarray(day, "datetime64[D]")
        if ((rows < 0) | (rows >= parcels)).any():
            raise InputError(f"a truth is of a parcel outside the {parcels} that are judged")
        order = np.lexsort((days, rows))
        return cls(parcels, rows[order], days[order])

    def __len__(self) -> int:
        return len(self.parcel)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which detections and truths belong together.

    Parameters
    ----------
    judged : int64 (judged,), positions of the detections that were judged: those that begin in time.
    detection_right : bool (judged,), meets any truth (Sen4CAP's metric).
    truth_found : bool (truths,), meets any detection.
    pair_detection, pair_truth : int64 (pairs,), positions in ``judged`` and in the truths; each occurs once, and no
        other choice has more pairs.
    """

    judged: Int64
    detection_right: Bools
    truth_found: Bools
    pair_detection: Int64
    pair_truth: Int64

    @property
    def detection_paired(self) -> Bools:
        """Bool (judged,): has a truth of its own."""
        paired = np.zeros(len(self.judged), np.bool_)
        paired[self.pair_detection] = True
        return paired


def match(
    events: Events,
    truths: Truths,
    *,
    backward_days: int = 3,
    forward_days: int = 3,
    until: np.datetime64 | None = None,
) -> Matches:
    """Match detections with truths whose day, widened by the tolerances, their interval strictly overlaps.

    Parameters
    ----------
    until : detections that start later are not judged (end of the validation).
    """
    judged = np.arange(len(events)) if until is None else np.flatnonzero(events.start <= until)
    parcel = events.parcel[judged]
    if ((parcel < 0) | (parcel >= truths.parcels)).any():
        raise InputError(f"an event is of a parcel outside the {truths.parcels} that are judged")
    detection, truth = _same_parcel(parcel, truths)
    day = truths.day[truth].astype("datetime64[s]")
    start = np.maximum(events.start[judged][detection], day - backward_days * _DAY)
    end = np.minimum(events.end[judged][detection], day + _LAST_SECOND + forward_days * _DAY)
    meets = start < end
    detection, truth = detection[meets], truth[meets]
    right, found = np.zeros(len(judged), np.bool_), np.zeros(len(truths), np.bool_)
    right[detection], found[truth] = True, True
    pairs = _maximum_matching(detection, truth, events.end[judged], truths)
    return Matches(judged, right, found, *pairs)


def _same_parcel(parcel: Int64, truths: Truths) -> tuple[Int64, Int64]:
    """Every pair of a detection and a truth of its parcel."""
    begin = np.searchsorted(truths.parcel, parcel, "left")
    count = np.searchsorted(truths.parcel, parcel, "right") - begin
    detection = np.repeat(np.arange(len(parcel)), count)
    within = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count)
    return detection, np.repeat(begin, count) + within


def _maximum_matching(
    detection: Int64, truth: Int64, end: npt.NDArray[np.datetime64], truths: Truths
) -> tuple[Int64, Int64]:
    """Truths of all parcels in their order, each takes the free detection that ends first.

    A detection meets an unbroken run of its parcel's truths and the run's end follows from the detection's, so that
    this is the greatest matching (Glover 1967, convex bipartite graphs).
    """
    order = np.lexsort((detection, end[detection], truth))
    detection, truth = detection[order], truth[order]
    first = np.searchsorted(truths.parcel, truths.parcel)
    rank = (np.arange(len(truths)) - first)[truth]
    free = np.ones(len(end), np.bool_)
    taken: list[tuple[Int64, Int64]] = []
    for number in range(int(rank.max(initial=-1)) + 1):
        here = np.flatnonzero((rank == number) & free[detection])
        _, at = np.unique(truth[here], return_index=True)
        chosen = here[at]
        free[detection[chosen]] = False
        taken.append((detection[chosen], truth[chosen]))
    if not taken:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pairs = np.concatenate([pair[1] for pair in taken])
    in_order = np.argsort(pairs)
    return np.concatenate([pair[0] for pair in taken])[in_order], pairs[in_order]


@dataclass(frozen=True, slots=True)
class Score:
    """Counts and what follows from them; NaN where nothing was detected or nothing true.

    Parameters
    ----------
    tp, fp : detections right and wrong; fn : truths missed.
    """

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """Share of the detections that are right."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else float("nan")

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        every = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / every if every else float("nan")


def reference_score(matches: Matches) -> Score:
    """Sen4CAP's: two detections may both count for one truth."""
    right = int(matches.detection_right.sum())
    return Score(right, len(matches.judged) - right, int((~matches.truth_found).sum()))


def one_to_one_score(matches: Matches) -> Score:
    """Every detection and every truth counts once."""
    pairs = len(matches.pair_truth)
    return Score(pairs, len(matches.judged) - pairs, len(matches.truth_found) - pairs)


@dataclass(frozen=True, slots=True)
class Timing:
    """Dates of the matched pairs, days; NaN without pairs.

    Parameters
    ----------
    delay_median, delay_mean : day of the event's end after the true day.
    outside_mean : distance of noon of the true day to the interval, 0 within; outside_share : share not within.
    middle_median, middle_mean : absolute distance of that noon to the middle of the interval.
    length_median : of the intervals.
    """

    delay_median: float
    delay_mean: float
    outside_mean: float
    outside_share: float
    middle_median: float
    middle_mean: float
    length_median: float


def timing(events: Events, truths: Truths, matches: Matches) -> Timing:
    """Compare the dates of the one-to-one pairs."""
    if len(matches.pair_truth) == 0:
        return Timing(*[float("nan")] * 7)
    detections = matches.judged[matches.pair_detection]
    start, end = events.start[detections], events.end[detections]
    day = truths.day[matches.pair_truth]
    delay = (end.astype("datetime64[D]") - day) / np.timedelta64(1, "D")
    # Days from midnight of the true day.
    before, after = ((side - day.astype("datetime64[s]")) / _DAY for side in (start, end))
    outside = np.maximum(np.maximum(before - _HALF_DAY, _HALF_DAY - after), 0.0)
    middle = np.abs((before + after) / 2 - _HALF_DAY)
    return Timing(
        float(np.median(delay)),
        float(delay.mean()),
        float(outside.mean()),
        float((outside > 0).mean()),
        float(np.median(middle)),
        float(middle.mean()),
        float(np.median(after - before)),
    )


@dataclass(frozen=True, slots=True)
class CountError:
    """Events a parcel against mowings a parcel."""

    mean_absolute: float
    exact: float


def count_error(truths: Truths, events: Events, matches: Matches) -> CountError:
    """Mean absolute difference of the counts, and share of parcels whose count is right."""
    detected = np.bincount(events.parcel[matches.judged], minlength=truths.parcels)
    difference = np.abs(detected - np.bincount(truths.parcel, minlength=truths.parcels))
    return CountError(float(difference.mean()), float((difference == 0).mean()))


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def bootstrap(
    events: Events,
    truths: Truths,
    matches: Matches,
    *,
    rng: np.random.Generator,
    groups: npt.ArrayLike | None = None,
    one_to_one: bool = False,
    samples: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Percentile intervals of ``precision``, ``recall`` and ``f1`` when parcels are drawn again with replacement.

    Parameters
    ----------
    groups : (parcels,), what is drawn as one, such as the plot that several parcel-years are of.
    """
    right = matches.detection_paired if one_to_one else matches.detection_right
    missed = np.ones(len(truths), np.bool_) if one_to_one else ~matches.truth_found
    if one_to_one:
        missed[matches.pair_truth] = False
    owner = np.arange(truths.parcels) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(owner.max(initial=-1)) + 1
    of_detection, of_truth = owner[events.parcel[matches.judged]], owner[truths.parcel]
    totals = np.stack(
        [
            np.bincount(of_detection, right, minlength=count),
            np.bincount(of_detection, ~right, minlength=count),
            np.bincount(of_truth, missed, minlength=count),
        ],
        axis=1,
    )
    drawn: list[Floats] = []
    for begin in range(0, samples, _SAMPLES_AT_ONCE):
        number = min(_SAMPLES_AT_ONCE, samples - begin)
        weights = rng.multinomial(count, np.full(count, 1 / max(count, 1)), size=number)
        drawn.append(weights.astype(np.float64) @ totals)
    tp, fp, fn = np.concatenate(drawn).T if drawn else np.empty((3, 0))
    # A draw without detections has no precision: such draws are left out.
    with np.errstate(invalid="ignore"):
        values = {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": 2 * tp / (2 * tp + fp + fn)}
    return {name: _percentiles(found, level) for name, found in values.items()}


def _percentiles(values: Floats, level: float) -> Interval:
    defined = values[np.isfinite(values)]
    if len(defined) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
