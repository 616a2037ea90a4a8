"""Fits the confidence of optical mowing events to known mowings; tells how good it is on plots it was not fitted to.

Run: ``python benchmarks/mowing_optical_fit.py --slovakia DIR [--folds 10] [--seeds 0 1 2] [--parts] [--json]``

Cross-validation leaves out whole sites (neighbouring plots of one camera): all years of all plots of a site are in one
fold. In each fold the four coefficients are fitted to the other folds; every other parameter is that of the profile.
Scores are sums over folds, means over seeds (other divisions into folds). ``--parts`` repeats it without one element of
the method at a time. The last lines are the coefficients fitted to everything: what the parameters' defaults are.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mowing_accuracy import settings_of, slovak_years

from s4c_lib.mowing.events import Events, make_events
from s4c_lib.mowing.fusion import combine
from s4c_lib.mowing.optical import OpticalSettings, falls, optical_events
from s4c_lib.mowing.optical_confidence import evidence
from s4c_lib.mowing.reliability import reliability
from s4c_lib.mowing.screening import days_of
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.validation import Truths, match, one_to_one_score, reference_score
from s4c_lib.statistics.matrices import Series

COEFFICIENTS = ("conf_constant", "conf_drop", "conf_share", "conf_autumn")
TOLERANCES = (3, 10)
# Strength of the ridge, in units of scikit-learn: some shrinking, for these are the plots of one country.
RIDGE = 0.3
# Events of less are not looked at when the coefficients are fitted again to what selection leaves.
LEAST = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Parcel-years with their mowings, and the site of each."""

    series: Series
    truths: Truths
    site: npt.NDArray[np.str_]

    def take(self, rows: npt.NDArray[np.intp]) -> Known:
        """Some of them."""
        place = np.full(self.truths.parcels, -1)
        place[rows] = np.arange(len(rows))
        there = place[self.truths.parcel] >= 0
        matrices = {name: getattr(self.series, name)[rows] for name in ("parcel_id", "mean", "std", "n", "n_total")}
        truths = Truths.of(len(rows), place[self.truths.parcel[there]], self.truths.day[there])
        return Known(replace(self.series, **matrices), truths, self.site[rows])


def known_of(folder: Path) -> Known:
    """All years in one matrix."""
    years = list(slovak_years(folder))
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        site_of = {row["plot_id"]: row["id"] for row in csv.DictReader(file)}
    times = np.concatenate([series.time for _, _, series, _ in years])
    count = sum(len(names) for _, names, _, _ in years)
    mean, pixels = np.full((count, len(times)), np.nan, np.float32), np.zeros((count, len(times)), np.int32)
    row, column = 0, 0
    rows, days, sites = [], [], []
    for _, names, series, mowings in years:
        part = slice(row, row + len(names)), slice(column, column + len(series.time))
        mean[part], pixels[part] = series.mean, series.n
        rows += [row + at for at, _ in mowings]
        days += [day for _, day in mowings]
        sites += [site_of[name] for name in names]
        row, column = part[0].stop, part[1].stop
    none = np.full(len(times), np.datetime64("NaT", "s"))
    platform = np.full(len(times), "sentinel-2")
    numbers = np.arange(1, count + 1)
    series = Series(
        "ndvi", None, None, times, none, platform, numbers, mean, np.full_like(mean, np.nan), pixels, pixels
    )
    return Known(series, Truths.of(count, rows, np.array(days, "datetime64[D]")), np.array(sites))


def selected(series: Series, optical: OpticalSettings, settings: MowingSettings) -> Events:
    """Events after selection."""
    return combine(optical_events(series, optical), (), settings.fusion)


def fitted(known: Known, optical: OpticalSettings, settings: MowingSettings, used: tuple[bool, ...]) -> dict[str, Any]:
    """Coefficients: fitted to all falls, then to the events that selection leaves with these."""
    found = falls(known.series, optical)
    low = days_of(known.series)[found.low]
    columns = evidence(found.v0 - found.v1, found.share, low, optical.autumn_day) * np.array(used)
    moment = [day.astype("datetime64[D]").astype("datetime64[s]") for day in (found.start, found.end)]
    clock = np.timedelta64(630, "m")
    every = make_events(
        parcel=found.parcel,
        start=moment[0] + clock,
        end=moment[1] + clock,
        confidence=np.ones(len(low)),
        missions=np.ones(len(low)),
        n=np.ones(len(low)),
    )
    first = logistic(columns, match(every, known.truths).detection_right)
    events = selected(known.series, replace(optical, **first, min_confidence=LEAST), settings)
    row_of = {key: row for row, key in enumerate(zip(found.parcel, found.top, found.low, strict=True))}
    rows = [row_of[key] for key in zip(events.parcel, events.s2_before, events.s2_low, strict=True)]
    return logistic(columns[rows], match(events, known.truths).detection_paired)


def logistic(columns: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Logistic regression on standardised columns, its coefficients in their own units."""
    from sklearn.linear_model import LogisticRegression

    middle, spread = columns.mean(axis=0), columns.std(axis=0) + 1e-9
    model = LogisticRegression(C=RIDGE, max_iter=2000).fit((columns - middle) / spread, right)
    weight = model.coef_[0] / spread
    return dict(zip(COEFFICIENTS, (float(model.intercept_[0] - weight @ middle), *weight.tolist()), strict=True))


def cross_validated(
    known: Known, settings: MowingSettings, used: tuple[bool, ...], folds: int, seeds: list[int]
) -> dict[str, Any]:
    """Scores, and the reliability of all events that selection leaves."""
    optical = settings.optical
    sites, of_row = np.unique(known.site, return_inverse=True)
    counts = np.zeros((len(TOLERANCES), 2, 3))
    said, right = [], []
    for seed in seeds:
        fold_of = np.empty(len(sites), np.int64)
        fold_of[np.random.default_rng(seed).permutation(len(sites))] = np.arange(len(sites)) % folds
        for fold in range(folds):
            inside = fold_of[of_row] == fold
            learned = fitted(known.take(np.flatnonzero(~inside)), optical, settings, used)
            rest = known.take(np.flatnonzero(inside))
            events = selected(rest.series, replace(optical, **learned), settings)
            for at, days in enumerate(TOLERANCES):
                matches = match(events, rest.truths, backward_days=days, forward_days=days)
                for kind, score in enumerate((reference_score(matches), one_to_one_score(matches))):
                    counts[at, kind] += score.tp, score.fp, score.fn
            every = selected(rest.series, replace(optical, **learned, min_confidence=LEAST), settings)
            said.append(every.confidence)
            right.append(match(every, rest.truths).detection_paired)
    table = reliability(np.concatenate(said), np.concatenate(right))
    scores = {}
    for at, days in enumerate(TOLERANCES):
        for kind, name in enumerate(("reference", "one_to_one")):
            tp, fp, fn = counts[at, kind] / len(seeds)
            scores[f"{name}_{days}d"] = {"p": tp / (tp + fp), "r": tp / (tp + fn), "f1": 2 * tp / (2 * tp + fp + fn)}
    bins = zip(table.low, table.n / len(seeds), table.confidence, table.share, strict=True)
    return {"scores": scores, "error": table.error, "bins": [[float(number) for number in row] for row in bins]}


def parts_of(settings: MowingSettings) -> Iterator[tuple[str, MowingSettings, tuple[bool, ...]]]:
    """The method without one element at a time."""
    every = (True, True, True)

    def changed(**values: Any) -> MowingSettings:
        return replace(settings, optical=replace(settings.optical, **values))

    yield "whole", settings, every
    yield "no screening", changed(max_growth=1.0), every
    yield "no falls over several dates", changed(fall_days_before=0, fall_days_after=0), every
    yield "no least step", changed(min_step=0.0), every
    yield "no noise of the series", changed(noise_factor=0.0), every
    yield "low NDVI after mowing as Sen4CAP", changed(high_abs_th=0.75), every
    yield "least fall as Sen4CAP", changed(decreasing_abs_th=0.12), every
    yield "45 days apart", replace(settings, fusion=replace(settings.fusion, optical_days=45)), every
    yield "confidence without the fall", settings, (False, True, True)
    yield "confidence without the share", settings, (True, False, True)
    yield "confidence without autumn", settings, (True, True, False)
    yield "confidence of the fall alone", settings, (True, False, False)


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slovakia", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    known = known_of(arguments.slovakia)
    settings = settings_of("default", "S2", {})
    runs: dict[str, Any] = {}
    for name, changed, used in parts_of(settings):
        if name != "whole" and not arguments.parts:
            break
        found = cross_validated(known, changed, used, arguments.folds, arguments.seeds)
        runs[name] = found
        told = (f"{key} P {of['p']:.3f} R {of['r']:.3f} F1 {of['f1']:.3f}" for key, of in found["scores"].items())
        print(f"{name:36} {' | '.join(told)} | calibration error {found['error']:.3f}", flush=True)
    for low, n, confidence, share in runs["whole"]["bins"]:
        print(f"confidence from {low:.1f}: {n:5.1f} events, said {confidence:.2f}, right {share:.2f}")
    learned = fitted(known, settings.optical, settings, (True, True, True))
    print(", ".join(f"{name} {value:.2f}" for name, value in learned.items()))
    if arguments.json:
        print(json.dumps({"runs": runs, "coefficients": learned}))


if __name__ == "__main__":
    main()
