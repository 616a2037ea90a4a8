"""How the recall of optical mowing events falls with gaps: what the limits of "cannot tell" come from.

Run: ``python benchmarks/mowing_gaps.py --slovakia DIR [--seed 0] [--repeats 4] [--json]``

Observations are left out at random, down to one in eight; coefficients stay as they are. Reported are the share of
mowings found by the gap they fall into (days between the clear dates before and after), and by longest gap and number
of clear dates of the parcel-year, April to October.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mowing_accuracy import settings_of
from mowing_optical_fit import Known, known_of

from s4c_lib.mowing.fusion import combine
from s4c_lib.mowing.optical import optical_events, screen
from s4c_lib.mowing.screening import days_of
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.sufficiency import sufficiency
from s4c_lib.mowing.validation import match

SHARES = (1.0, 0.8, 0.6, 0.45, 0.35, 0.25, 0.18, 0.12)
AROUND = (0, 8, 16, 26, 31, 41, 51, 71, 200)
LONGEST = (0, 21, 31, 41, 51, 61, 81, 215)
DATES = (0, 4, 6, 8, 10, 12, 15, 20, 30, 100)


def thinned(known: Known, settings: MowingSettings, share: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Of each mowing: gap around it, longest gap and clear dates of its parcel-year, whether it was found."""
    left = rng.random(known.series.mean.shape) < share
    series = replace(known.series, mean=np.where(left, known.series.mean, np.float32(np.nan)))
    screening = screen(series, settings.optical)
    events = combine(optical_events(series, settings.optical, screening), (), settings.fusion)
    found = np.zeros(len(known.truths), np.int64)
    found[match(events, known.truths).pair_truth] = 1
    days, rows = days_of(series), []
    judged: dict[int, Any] = {}
    for at, (parcel, day) in enumerate(zip(known.truths.parcel, known.truths.day, strict=True)):
        year = day.astype(object).year
        if year not in judged:
            first, last = (np.datetime64(f"{year}-{end}").astype(object) for end in ("04-01", "10-31"))
            judged[year] = sufficiency(series, screening, first, last, settings.optical)
        clear = days[screening.used[parcel]]
        number = int(day.astype("datetime64[D]").astype(np.int64))
        before, after = clear[clear < number], clear[clear >= number]
        around = int(after[0] - before[-1]) if len(before) and len(after) else AROUND[-1]
        of_year = judged[year]
        rows.append((around, of_year.longest_gap_d[parcel], of_year.clear_dates[parcel], found[at]))
    return np.array(rows, np.int64)


def table(name: str, values: npt.NDArray[np.int64], found: npt.NDArray[np.int64], edges: Sequence[int]) -> list[Any]:
    """Print and return recall by class."""
    rows = []
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            rows.append([low, high - 1, int(inside.sum()), float(found[inside].mean())])
            print(f"{name} {low:3}-{high - 1:3}: {rows[-1][2]:5} mowings, found {rows[-1][3]:.2f}")
    return rows


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slovakia", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    known, settings = known_of(arguments.slovakia), settings_of("default", "S2", {})
    rng = np.random.default_rng(arguments.seed)
    runs = [share for share in SHARES for _ in range(1 if share == 1 else arguments.repeats)]
    around, longest, dates, found = np.concatenate([thinned(known, settings, share, rng) for share in runs]).T
    figures = {
        "around": table("gap around the mowing", around, found, AROUND),
        "longest": table("longest gap", longest, found, LONGEST),
        "dates": table("clear dates", dates, found, DATES),
    }
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
