"""SY-1: mowings that cameras saw on Slovak plots, with profile `reference` and `default` (section 15.3)."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from mowing_optical_cases import of_matrix, settings

from s4c_lib.mowing.fusion import FusionSettings, combine
from s4c_lib.mowing.optical import optical_events
from s4c_lib.mowing.validation import Truths, match, one_to_one_score, timing

Matrix: TypeAlias = np.ndarray[Any, Any]
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "mowing_slovakia"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the Slovak plots are not beside this repository")


def in_season(day: date) -> bool:
    return date(day.year, 4, 1) <= day <= date(day.year, 10, 31)


@pytest.fixture(scope="module")
def plots() -> tuple[Matrix, Matrix, Truths]:
    """Days, NDVI of parcel-years, and what is known."""
    sums: dict[tuple[str, int], dict[date, list[float]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(FOLDER / "sentinel2_series.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["date"])
            values = sums[row["plot_id"], int(row["year"])]
            if float(row["mask"] or 0) > 0 and row["ndvi"] and float(row["ndvi"]) > -1 and in_season(day):
                values[day].append(float(row["ndvi"]))
    keys = sorted(sums)
    days = sorted({day for values in sums.values() for day in values})
    mean = np.full((len(keys), len(days)), np.nan)
    for at, key in enumerate(keys):
        for day, found in sums[key].items():
            mean[at, days.index(day)] = round(max(float(np.mean(found)), 0.0), 3)
    with (FOLDER / "events.csv").open(encoding="utf-8", newline="") as file:
        known = [
            (row["plot_id"], date.fromisoformat(row["date"])) for row in csv.DictReader(file) if row["type"] == "k"
        ]
    known = [(keys.index((plot, day.year)), day) for plot, day in known if (plot, day.year) in sums and in_season(day)]
    truths = Truths.of(len(keys), [row for row, _ in known], np.array([day for _, day in known], "datetime64[D]"))
    return np.array(days, "datetime64[s]"), mean, truths


def test_case_sy_1_reference(plots: tuple[Matrix, Matrix, Truths]) -> None:
    days, mean, truths = plots
    rules = FusionSettings(optical_days=45, max_events=4, stepwise=True)
    events = combine(optical_events(of_matrix(days, mean), settings("reference")), (), rules)
    matches = match(events, truths)
    score = one_to_one_score(matches)
    assert len(truths) == 196
    assert (len(events), score.tp, score.fn) == (242, 153, 43)
    assert timing(events, truths, matches).delay_median == 2


def test_default_is_clearly_better(plots: tuple[Matrix, Matrix, Truths]) -> None:
    """Not a measure of how good it is elsewhere (it was fitted to these plots), but it may not become worse unseen."""
    days, mean, truths = plots
    events = combine(optical_events(of_matrix(days, mean), settings("default")), (), FusionSettings(optical_days=28))
    assert one_to_one_score(match(events, truths)).f1 > 0.80
    assert one_to_one_score(match(events, truths, backward_days=10, forward_days=10)).f1 > 0.80
