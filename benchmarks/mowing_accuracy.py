"""How good L4B is: against mowings seen by cameras (Slovakia) and against the truth of synthetic series.

Run: ``python benchmarks/mowing_accuracy.py [--slovakia DIR] [--series DIR ...] [--parcels N --seeds 1 2 3] [--json]``

Slovakia is prepared as section 15.3 of the specification says, by parcel-year, Sentinel-2 only; intervals there draw
plots, not parcel-years. Series are folders of ``s4c synthetic series``; with ``--seeds`` they are made on the fly.
Judged are parcels that are grassland both as declared and in truth ("grassland"), grazed and unused ones included:
every event on these is wrong. "declared" adds parcels that are declared as grassland and are not: what grows there is
harvested, not mown. Truths are mowings within the season. A confidence is right where its event meets a truth within
3 days; those of all events that selection left are judged, reported or not.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from s4c_lib.mowing.detection import MowingParcels, detect
from s4c_lib.mowing.events import Events, joined
from s4c_lib.mowing.reliability import Reliability, reliability
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.mowing.validation import (
    Score,
    Truths,
    bootstrap,
    count_error,
    match,
    one_to_one_score,
    reference_score,
    timing,
)
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.statistics.matrices import Key, Series, series_of
from s4c_lib.synthetic.crops import CROPS

PROFILES = ("reference", "default")
SENSORS = {"S2": "S2", "S1": "S1", "S1+S2": "S1_S2"}
TOLERANCES = (3, 10)
GRASS = sorted(crop.code for crop in CROPS if crop.grassland)
COHERENCE = ("coherence_vh", "coherence_vv")
BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Events of one run and what is known; ``selected`` are all that selection left, ``events`` those reported."""

    events: Events
    selected: Events
    truths: Truths
    groups: npt.NDArray[Any] | None = None


def settings_of(profile: str, sensors: str, changed: dict[str, Any]) -> MowingSettings:
    """Settings of a profile."""
    given = {"profile": profile, "processor.s4c_l4b.input_product_types": SENSORS[sensors], **changed}
    return MowingSettings.of(resolve(Layers(season=given), phase="current").values)


def slovak_years(folder: Path) -> Iterator[tuple[int, list[str], Series, list[tuple[int, str]]]]:
    """Year, plots, their NDVI, and mowings as (row, day)."""
    sums: dict[tuple[int, str, str], list[float]] = {}
    plots: dict[int, set[str]] = {}
    with gzip.open(folder / "sentinel2_series.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            year = int(row["year"])
            plots.setdefault(year, set()).add(row["plot_id"])
            if row["mask"] and float(row["mask"]) > 0 and row["ndvi"] and float(row["ndvi"]) > -1:
                sums.setdefault((year, row["plot_id"], row["date"]), []).append(float(row["ndvi"]))
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        known = [(row["plot_id"], row["date"]) for row in csv.DictReader(file) if row["type"] == "k"]
    for year in sorted(plots):
        names = sorted(plots[year])
        days = sorted({day for when, _, day in sums if when == year and f"{year}-04-01" <= day <= f"{year}-10-31"})
        mean = np.full((len(names), len(days)), np.nan, np.float32)
        places = {name: at for at, name in enumerate(names)}, {day: at for at, day in enumerate(days)}
        for (when, plot, day), values in sums.items():
            if when == year and day in places[1]:
                mean[places[0][plot], places[1][day]] = np.float32(round(max(float(np.mean(values)), 0.0), 3))
        pixels = np.where(np.isfinite(mean), 100, 0).astype(np.int32)
        moments: Any = np.array(days, "datetime64[D]").astype("datetime64[s]") + np.timedelta64(630, "m")
        none = np.full(len(days), np.datetime64("NaT", "s"))
        series = Series(
            "ndvi", None, None, moments, none, np.full(len(days), "sentinel-2"), np.arange(1, len(names) + 1), mean,
            np.full_like(mean, np.nan), pixels, pixels,
        )  # fmt: skip
        within = [(plot, day) for plot, day in known if f"{year}-04-01" <= day <= f"{year}-10-31" and plot in places[0]]
        yield year, names, series, [(places[0][plot], day) for plot, day in within]


def slovakia(folder: Path, profile: str, changed: dict[str, Any]) -> Judged:
    """All years as one set of parcel-years."""
    settings = settings_of(profile, "S2", changed)
    parts, selected, rows, days = [], [], [], []
    groups: list[str] = []
    for year, names, series, known in slovak_years(folder):
        found = detect(
            {("ndvi", None): series}, MowingParcels(series.parcel_id), settings, date(year, 4, 1), date(year, 10, 31)
        )
        moved = replace(found.events, parcel=found.events.parcel + len(groups))
        parts.append(moved.take(found.reported))
        selected.append(moved)
        rows += [len(groups) + row for row, _ in known]
        days += [day for _, day in known]
        groups += names
    truths = Truths.of(len(groups), rows, np.array(days, "datetime64[D]"))
    return Judged(joined(parts), joined(selected), truths, np.array(groups))


class SyntheticSeries:
    """One folder of series: declared grassland of it."""

    def __init__(self, folder: Path, limit: int | None) -> None:
        described = json.loads((folder / "series.json").read_text(encoding="utf-8"))["options"]
        self.first, self.last = (date.fromisoformat(described[name]) for name in ("start", "end"))
        self.seed = int(described["seed"])
        truth = pq.read_table(folder / "truth" / "parcels.parquet").sort_by("parcel_id")
        truth = truth.filter(pc.is_in(truth.column("declared_crop"), value_set=pa.array(GRASS))).slice(0, limit)
        self.parcel_id = truth.column("parcel_id").to_numpy()
        self.true_grass = pc.is_in(truth.column("true_crop"), value_set=pa.array(GRASS)).to_numpy(zero_copy_only=False)
        events = pq.read_table(folder / "truth" / "events.parquet")
        events = events.filter(pc.equal(events.column("event"), "mowing"))
        days = events.column("date").to_numpy().astype("datetime64[D]")
        keep = np.isin(events.column("parcel_id").to_numpy(), self.parcel_id)
        keep &= (days >= np.datetime64(self.first)) & (days <= np.datetime64(self.last))
        self.row = np.searchsorted(self.parcel_id, events.column("parcel_id").to_numpy()[keep])
        self.day = days[keep]
        wanted = ds.field("variable").isin(["ndvi", *COHERENCE]) & (ds.field("parcel_id") <= int(self.parcel_id.max()))
        self.observations = ds.dataset(folder / "observations", format="parquet").to_table(filter=wanted)

    def series(self, settings: MowingSettings) -> dict[Key, Series]:
        """Matrices with what counts under the settings."""
        optical = series_of(self.observations, ("ndvi",), self.parcel_id, enough=settings.enough_optical)
        return optical | series_of(self.observations, COHERENCE, self.parcel_id, enough=settings.enough_radar)

    def judged(self, series: dict[Key, Series], settings: MowingSettings, *, declared: bool) -> Judged:
        """Detect, and keep the parcels that are judged."""
        found = detect(series, MowingParcels(self.parcel_id), settings, self.first, self.last)
        among = np.ones(len(self.parcel_id), np.bool_) if declared else self.true_grass
        number = np.cumsum(among) - 1
        kept = among[found.events.parcel]
        selected = found.events.take(kept)
        selected = replace(selected, parcel=number[selected.parcel])
        truths = among[self.row]
        known = Truths.of(int(among.sum()), number[self.row[truths]], self.day[truths])
        return Judged(selected.take(found.reported[kept]), selected, known)


def joined_runs(runs: Sequence[Judged]) -> Judged:
    """Runs on several seeds as one."""
    offsets = np.cumsum([0, *(run.truths.parcels for run in runs)])
    pairs = list(zip(runs, offsets, strict=False))
    return Judged(
        joined([replace(run.events, parcel=run.events.parcel + offset) for run, offset in pairs]),
        joined([replace(run.selected, parcel=run.selected.parcel + offset) for run, offset in pairs]),
        Truths.of(
            int(offsets[-1]),
            np.concatenate([run.truths.parcel + offset for run, offset in pairs]),
            np.concatenate([run.truths.day for run in runs]),
        ),
    )


def measured(run: Judged, samples: int) -> dict[str, Any]:
    """All figures of a run."""
    result: dict[str, Any] = {"parcels": run.truths.parcels, "truths": len(run.truths), "detections": len(run.events)}
    for days in TOLERANCES:
        matches = match(run.events, run.truths, backward_days=days, forward_days=days)
        result[f"reference_{days}d"] = score_of(reference_score(matches))
        result[f"one_to_one_{days}d"] = score_of(one_to_one_score(matches))
        rng = np.random.default_rng(1)
        drawn = bootstrap(run.events, run.truths, matches, rng=rng, groups=run.groups, one_to_one=True, samples=samples)
        result[f"one_to_one_{days}d"]["intervals"] = {name: (found.low, found.high) for name, found in drawn.items()}
    matches = match(run.events, run.truths)
    result["timing"] = asdict(timing(run.events, run.truths, matches))
    result["count"] = asdict(count_error(run.truths, run.events, matches))
    table = reliability(run.selected.confidence, match(run.selected, run.truths).detection_right, bins=BINS)
    result["reliability"] = {name: getattr(table, name).tolist() for name in ("low", "n", "confidence", "share")}
    result["calibration_error"] = table.error
    return result


def score_of(score: Score) -> dict[str, Any]:
    """Counts and rates."""
    return asdict(score) | {"precision": score.precision, "recall": score.recall, "f1": score.f1}


def line(name: str, found: dict[str, Any]) -> str:
    """One row of a table."""
    cells = [name, str(found["truths"]), str(found["detections"])]
    for days in TOLERANCES:
        score = found[f"one_to_one_{days}d"]
        low, high = score["intervals"]["f1"]
        cells.append(f"{score['precision']:.3f}  {score['recall']:.3f}  {score['f1']:.3f} ({low:.3f}-{high:.3f})")
    cells.append(f"{found['reference_3d']['f1']:.3f}")
    dates, count = found["timing"], found["count"]
    cells.append(f"{dates['delay_median']:.0f} / {dates['delay_mean']:.1f}")
    cells += [f"{dates['middle_mean']:.1f}", f"{dates['length_median']:.1f}"]
    cells += [f"{count['mean_absolute']:.2f}", f"{count['exact']:.0%}", f"{found['calibration_error']:.3f}"]
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| | truths | found | P, R, F1 (95 %), 3 d | P, R, F1 (95 %), 10 d | F1 Sen4CAP, 3 d | delay, d | middle off, d | "
    "length, d | count MAE | count exact | ECE |\n" + "|---" * 12 + "|"
)


def pictures(folder: Path, runs: dict[str, Judged]) -> None:
    """A reliability diagram and curves of precision and recall, both profiles of each data set together."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({name.rsplit(", ", 1)[0] for name in runs}):
        figure = Figure(figsize=(10, 5), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for profile, colour in zip(PROFILES, ("#b35900", "#00629b"), strict=True):
            run = runs.get(f"{name}, {profile}")
            if run is None:
                continue
            table = reliability(run.selected.confidence, match(run.selected, run.truths).detection_right, bins=BINS)
            draw_reliability(left, table, profile, colour)
            recall, precision = curve(run)
            right.plot(recall, precision, color=colour, label=profile)
            score = one_to_one_score(match(run.events, run.truths))
            right.plot([score.recall], [score.precision], "o", color=colour)
        left.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1), title=name)
        right.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1), title="one to one, 3 days")
        for axes in (left, right):
            axes.legend(frameon=False)
            axes.spines[["top", "right"]].set_visible(False)
        stem = "".join(letter if letter.isalnum() else "_" for letter in name.lower()).strip("_")
        figure.savefig(folder / f"mowing_{stem}.png", dpi=110)


def draw_reliability(axes: Any, table: Reliability, label: str, colour: str) -> None:
    """Shares with their intervals."""
    errors = np.maximum(np.stack([table.share - table.share_low, table.share_high - table.share]), 0.0)
    axes.errorbar(table.confidence, table.share, errors, fmt="o-", color=colour, capsize=2, label=label)


def curve(run: Judged) -> tuple[list[float], list[float]]:
    """Recall and precision as the least confidence rises."""
    recall, precision = [], []
    for least in np.unique(np.quantile(run.selected.confidence, np.linspace(0, 1, 60))):
        chosen = run.selected.take(run.selected.confidence >= least)
        score = one_to_one_score(match(chosen, run.truths))
        recall.append(score.recall)
        precision.append(score.precision)
    return recall, precision


def synthetic(
    folders: Sequence[Path], profiles: Sequence[str], arguments: argparse.Namespace, changed: dict[str, Any]
) -> Iterator[tuple[str, Judged, list[Judged]]]:
    """Runs by sensors and profile, over all seeds, and each seed's."""
    runs: dict[tuple[str, str, bool], list[Judged]] = {}
    for folder in folders:
        season = SyntheticSeries(folder, arguments.limit)
        for profile in profiles:
            series = season.series(settings_of(profile, "S2", changed))
            for sensors in SENSORS:
                for declared in (False, True):
                    run = season.judged(series, settings_of(profile, sensors, changed), declared=declared)
                    runs.setdefault((sensors, profile, declared), []).append(run)
    for (sensors, profile, declared), found in sorted(runs.items(), key=lambda item: (item[0][2], item[0][0])):
        yield f"{'declared' if declared else 'grassland'} {sensors}, {profile}", joined_runs(found), found


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slovakia", type=Path, help="folder of events.csv and sentinel2_series.csv.gz")
    parser.add_argument("--series", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="of series made on the fly")
    parser.add_argument("--parcels", type=int, default=20_000, help="of each of these")
    parser.add_argument("--limit", type=int, help="judge the first so many grassland parcels of a series only")
    parser.add_argument("--profile", choices=PROFILES, action="append")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="another value in every run")
    parser.add_argument("--samples", type=int, default=500, help="of the bootstrap")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    changed = {key: json.loads(value) for key, _, value in (item.partition("=") for item in arguments.set)}
    profiles = arguments.profile or PROFILES
    begun = time.process_time()
    runs: dict[str, Judged] = {}
    figures: dict[str, Any] = {}
    print(HEADER)
    if arguments.slovakia:
        for profile in profiles:
            name = f"Slovakia S2, {profile}"
            runs[name] = slovakia(arguments.slovakia, profile, changed)
            figures[name] = measured(runs[name], arguments.samples)
            print(line(name, figures[name]), flush=True)
    with tempfile.TemporaryDirectory() as made:
        folders = [*arguments.series, *(make(Path(made), seed, arguments.parcels) for seed in arguments.seeds)]
        for name, run, seeds in synthetic(folders, profiles, arguments, changed):
            runs[name] = run
            figures[name] = measured(run, arguments.samples)
            figures[name]["f1_of_seeds"] = [one_to_one_score(match(one.events, one.truths)).f1 for one in seeds]
            print(line(name, figures[name]), flush=True)
    print("\n| confidence | " + " | ".join(f"{at / BINS:.1f}" for at in range(BINS)) + " |\n" + "|---" * 11 + "|")
    for name, found in figures.items():
        table = found["reliability"]
        cells = {
            round(low * BINS): f"{share:.2f} ({n})"
            for low, share, n in zip(table["low"], table["share"], table["n"], strict=True)
        }
        print(f"| {name} | " + " | ".join(cells.get(at, "") for at in range(BINS)) + " |")
    if arguments.pictures:
        pictures(arguments.pictures, runs)
    if arguments.json:
        print(json.dumps({"figures": figures, "cpu_s": round(time.process_time() - begun, 1)}))


def make(folder: Path, seed: int, parcels: int) -> Path:
    """Make a series."""
    from s4c_lib.synthetic.series import SeriesOptions, make_series

    target = folder / str(seed)
    make_series(target, SeriesOptions(parcels, seed, variables=("ndvi", *COHERENCE), daily_lai=False))
    return target


if __name__ == "__main__":
    main()
