"""``s4c run l4b`` and ``s4c run l4a`` on public series of real plots, and how right they are.

Run: ``python benchmarks/real_series.py slovakia FOLDER --out DIR [--profile reference] [--json]``, ``... france FILE``

Files are written as a user would write them, the commands are run as a user runs them (and printed), and what they
wrote is counted here, by code that shares nothing with theirs. FOLDER holds ``events.csv`` and
``sentinel2_series.csv.gz`` of simonopravil/gee-mowing-detection, FILE is the test extraction ``dekads_2023.parquet`` of
WorldCereal/worldcereal-classification. Options after ``--`` go to the command as they are (``-- --end 2023-06-30``).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

LUT = "Ori_crop;CTnum;CT;LC;CTnumL4A;CTL4A;CTnumDIV;CTDIV;EAA;AL;PGrass;TGrass;Fallow;Cwater"
TOLERANCES = (3, 10)
SEASON = "04-01", "10-31"
FOLDS = 5
NO_DATA = 65535
Interval = tuple[date, date]


def slovak_files(folder: Path, target: Path) -> dict[int, list[str]]:
    """Write observations and parcels of each year; return the plots of a year in the order of their numbers.

    Of a plot and day the mean of the clear rows, not below 0 and to three decimals, as the specification prepares them
    (l4b 15.3).
    """
    rows: dict[int, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with gzip.open(folder / "sentinel2_series.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values = rows[int(row["year"])][row["plot_id"]]
            if row["mask"] and float(row["mask"]) > 0 and row["ndvi"] and float(row["ndvi"]) > -1:
                values[row["date"]].append(float(row["ndvi"]))
    plots = {}
    for year, found in sorted(rows.items()):
        plots[year] = sorted(found)
        with (target / f"observations_{year}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("parcel_id", "time", "variable", "mean"))
            for number, plot in enumerate(plots[year], 1):
                for day, ndvi in sorted(found[plot].items()):
                    writer.writerow((number, day, "ndvi", f"{max(float(np.mean(ndvi)), 0.0):.3f}"))
        with (target / f"parcels_{year}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("parcel_id", "crop", "ori_id"))
            writer.writerows((number, "meadow", plot) for number, plot in enumerate(plots[year], 1))
    return plots


def seen_mowings(folder: Path, plots: dict[int, list[str]]) -> dict[tuple[int, int], list[date]]:
    """Days on which a camera saw mowing, by year and parcel number."""
    seen: dict[tuple[int, int], list[date]] = defaultdict(list)
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["date"])
            among = plots.get(day.year, [])
            if row["type"] == "k" and row["plot_id"] in among and SEASON[0] <= f"{day:%m-%d}" <= SEASON[1]:
                seen[day.year, among.index(row["plot_id"]) + 1].append(day)
    return seen


@dataclass(slots=True)
class Hits:
    """Events and mowings that were counted, each once."""

    events: int = 0
    mowings: int = 0
    right: int = 0
    same_count: int = 0
    parcels: int = 0
    delays: list[int] = field(default_factory=list)

    def add(self, events: Iterable[Interval], days: Iterable[date], tolerance: int) -> None:
        """Count one parcel: an event is right when a mowing that no earlier one took lies in its interval.

        Taking events by their end, and of each the first free day, makes the most pairs there can be.
        """
        found, free = sorted(events, key=lambda item: (item[1], item[0])), sorted(days)
        self.parcels += 1
        self.events += len(found)
        self.mowings += len(free)
        self.same_count += len(found) == len(free)
        widened = timedelta(tolerance)
        for begin, end in found:
            hit = next((day for day in free if begin - widened <= day <= end + widened), None)
            if hit is not None:
                free.remove(hit)
                self.right += 1
                self.delays.append((end - hit).days)

    def figures(self) -> dict[str, float]:
        """Shares, and days from the mowing to the end of its interval."""
        return {
            "parcels": self.parcels,
            "mowings": self.mowings,
            "events": self.events,
            "right": self.right,
            "precision": self.right / self.events if self.events else 0.0,
            "recall": self.right / self.mowings if self.mowings else 0.0,
            "f1": 2 * self.right / (self.events + self.mowings) if self.events + self.mowings else 0.0,
            "count_exact": self.same_count / self.parcels,
            "delay_median": float(np.median(self.delays)) if self.delays else float("nan"),
        }


def slovakia(
    folder: Path, target: Path, options: Sequence[str], run: Callable[..., object]
) -> dict[str, dict[str, float]]:
    """Four seasons by hand, judged together; ``run`` runs the command line."""
    plots = slovak_files(folder, target)
    seen = seen_mowings(folder, plots)
    hits = {tolerance: Hits() for tolerance in TOLERANCES}
    for year, names in plots.items():
        out = target / f"mowing_{year}"
        files = "--observations", target / f"observations_{year}.csv", "--parcels", target / f"parcels_{year}.csv"
        season = "--start", f"{year}-{SEASON[0]}", "--end", f"{year}-{SEASON[1]}"
        run("run", "l4b", *files, *season, "--out", out, *options)
        events: dict[int, list[Interval]] = defaultdict(list)
        with (out / "events.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                begin, end = (datetime.fromisoformat(row[name]).date() for name in ("start", "end"))
                events[int(row["parcel_id"])].append((begin, end))
        for number in range(1, len(names) + 1):
            for tolerance, counted in hits.items():
                counted.add(events[number], seen[year, number], tolerance)
    return {f"within {tolerance} days": counted.figures() for tolerance, counted in hits.items()}


def french_files(file: Path, target: Path, digits: int) -> None:
    """Write observations, parcels and a crop table with a class for each beginning of a crop code."""
    rows = pd.read_parquet(file)
    number = np.unique(rows["sample_id"], return_inverse=True)[1] + 1
    parts = []
    for column in (name for name in rows.columns if name.startswith(("S2-L2A-", "S1-SIGMA0-"))):
        radar = column.startswith("S1")
        used = rows[column].to_numpy() != NO_DATA
        value = rows[column].to_numpy(np.float64)[used]
        part = {
            "parcel_id": number[used],
            "time": rows["timestamp"].to_numpy()[used],
            "variable": column.rsplit("-", 1)[1].lower(),
            "mean": 20 * np.log10(np.maximum(value, 1)) - 83 if radar else value / 10_000,
            "direction": "ascending" if radar else None,
        }
        parts.append(pd.DataFrame(part))
    pd.concat(parts).to_parquet(target / "observations.parquet")
    crops = rows.assign(parcel_id=number).groupby("parcel_id")["ewoc_code"].first()
    crops.rename("crop").to_csv(target / "parcels.csv")
    groups: dict[str, int] = {}
    with (target / "lut.csv").open("w", encoding="utf-8", newline="") as table:
        table.write(f"{LUT}\n")
        for at, code in enumerate(sorted(crops.unique()), 1):
            group = str(code)[:digits]
            number_of = groups.setdefault(group, len(groups) + 1)
            table.write(f"{code};{at};{code};1;{number_of};{group};{at};{code};1;1;0;0;0;0\n")


def agreement(declared: Sequence[int], predicted: Sequence[int]) -> dict[str, float]:
    """Accuracy, Cohen's kappa and F1, all classes weighing the same."""
    table = pd.crosstab(pd.Series(declared), pd.Series(predicted))
    classes = sorted({*table.index, *table.columns})
    counts = table.reindex(index=classes, columns=classes, fill_value=0).to_numpy(np.float64)
    total, right = counts.sum(), np.diag(counts)
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    chance = float((rows * columns).sum() / total**2)
    f1 = 2 * right[rows > 0] / (rows + columns)[rows > 0]
    accuracy = float(right.sum() / total)
    return {
        "parcels": int(total),
        "classes": int((rows > 0).sum()),
        "accuracy": accuracy,
        "largest class": float(rows.max() / total),
        "kappa": (accuracy - chance) / (1 - chance),
        "macro_f1": float(f1.mean()),
    }


def france(
    file: Path, target: Path, options: Sequence[str], seeds: Sequence[int], digits: int, run: Callable[..., object]
) -> dict[str, dict[str, float]]:
    """One season by hand, each parcel predicted without itself; means over seeds, and how far the accuracy spreads."""
    french_files(file, target, digits)
    files = "--observations", target / "observations.parquet", "--parcels", target / "parcels.csv"
    runs: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in seeds:
        out = target / f"crops_{seed}"
        chance = "--set", f"processor.s4c_l4a.seed={seed}"
        run("run", "l4a", *files, "--lut", target / "lut.csv", "--folds", FOLDS, "--out", out, *chance, *options)
        table = pd.read_csv(out / "predictions.csv")
        judged = table[table["ct_pred_1"].notna()]
        first, second = (judged["ct_decl"] == judged[name] for name in ("ct_pred_1", "ct_pred_2"))
        found = agreement(judged["ct_decl"].tolist(), judged["ct_pred_1"].tolist())
        runs["all classified parcels"].append({**found, "among the first two": float((first | second).mean())})
        for verdict, right in first.groupby(judged["verdict"]):
            runs[str(verdict)].append({"parcels": len(right), "predicted as declared": float(right.mean())})
    result = {name: pd.DataFrame(rows).mean().to_dict() for name, rows in runs.items()}
    accuracies = [row["accuracy"] for row in runs["all classified parcels"]]
    result["all classified parcels"]["accuracy, least"] = min(accuracies)
    result["all classified parcels"]["accuracy, most"] = max(accuracies)
    return {str(name): {str(key): float(value) for key, value in row.items()} for name, row in result.items()}


def s4c(*arguments: object) -> None:
    """Run the command line of this environment and show what was run."""
    words = [str(item) for item in arguments]
    print("$ s4c", *words, file=sys.stderr, flush=True)
    subprocess.run([str(Path(sys.executable).with_name("s4c")), *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", choices=("slovakia", "france"))
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="france: of forest and folds")
    parser.add_argument("--digits", type=int, default=10, help="france: digits of a crop code that make a class")
    parser.add_argument("--json", action="store_true")
    own = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments = parser.parse_args(sys.argv[1:own])
    arguments.out.mkdir(parents=True, exist_ok=True)
    options = ["--profile", arguments.profile, *sys.argv[own + 1 :]]
    if arguments.series == "slovakia":
        found = slovakia(arguments.source, arguments.out, options, s4c)
    else:
        found = france(arguments.source, arguments.out, options, arguments.seeds, arguments.digits, s4c)
    for name, figures in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    if arguments.json:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = {"cpu_s": round(used.ru_utime + used.ru_stime, 1), "peak_mb": round(used.ru_maxrss / 1024)}
        print(json.dumps({"figures": found, **spent}))


if __name__ == "__main__":
    main()
