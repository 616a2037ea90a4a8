"""How good L4C is on synthetic series: harvest weeks, verdicts by C_INDEX and tillage, both profiles side by side.

Run: ``python benchmarks/practices_accuracy.py [--series DIR ...] [--seeds 1 2 3 --parcels N] [--country CZE] [--json]``

Series are folders of ``s4c synthetic series`` with their practice tables and their l4c.cfg, which --country replaces by
a shipped preset. With --seeds they are made on the fly, until --end and with --radar-days between the images.
Truth is what the simulated farmer did. A catch crop was kept when it came up and was neither destroyed nor ploughed in
within the practice period's length of its sowing (undersown: of the harvest); fallow when what grows is the fallow that
was declared; a nitrogen-fixing crop when what grows fixes nitrogen. STRONG and MODERATE agree with the declaration,
WEAK and POOR object. Brackets: 95 %, seeds and within each its parcels drawn again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import peak_mb

from s4c_lib.mowing.screening import screen
from s4c_lib.mowing.settings import MowingSettings
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.parcels.l4c_configuration import L4cConfiguration, read_l4c_configuration
from s4c_lib.parcels.l4c_presets import COUNTRIES, preset_text
from s4c_lib.parcels.parcel_table import read_parcel_table
from s4c_lib.parcels.practice_tables import read_practice_table
from s4c_lib.practices.codes import Verdict
from s4c_lib.practices.decision import decide
from s4c_lib.practices.decisions import Decisions
from s4c_lib.practices.practice_parcels import PracticeParcels, joined_rows
from s4c_lib.practices.rows import PracticeRows
from s4c_lib.practices.series import VARIABLES, practice_series
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.validation import harvest_score, intervals, tillage_score, verdict_score
from s4c_lib.statistics.matrices import Key, Series
from s4c_lib.synthetic import defaults
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.series_parcels import CHUNK

PROFILES = ("reference", "default")
PRACTICES = ("NA", "CC", "FL", "NFC")
OBSERVATION_DELAY = timedelta(days=14)
FIXING = sorted(crop.code for crop in CROPS if crop.nitrogen_fixing)
FALLOW = sorted(crop.code for crop in CROPS if crop.fallow)
NAMES = {crop.code: crop.english for crop in CROPS}
VERDICTS = ("STRONG", "MODERATE", "WEAK", "POOR", "NR", "NA", "NA1")
Days = npt.NDArray[np.datetime64]
Cases = Mapping[str, npt.NDArray[Any]]
"""Columns of judged rows, aligned."""
RATE_NAMES = {
    "harvest": ("near", "near_of_true", "missed", "false", "median", "absolute"),
    "verdicts": ("precision", "recall", "objection_precision", "objection_recall", "not_relevant", "not_evaluated"),
    "tillage": ("precision", "recall", "recall_reached", "precision_in_time", "recall_in_time_reached"),
}
IN_DAYS = ("median", "absolute")


@dataclass(frozen=True, slots=True)
class Options:
    """What every run has in common."""

    country: str
    preset: str | None
    changed: dict[str, Any]
    thresholds: dict[str, Any]
    limit: int | None
    as_of: date | None
    screened: bool


class SyntheticSeries:
    """One folder: matrices, practice tables and truth."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder, self.options = folder, options
        described = json.loads((folder / "series.json").read_text(encoding="utf-8"))["options"]
        self.first, self.last = (date.fromisoformat(described[name]) for name in ("start", "end"))
        self.seed = int(described["seed"])
        table = read_parcel_table(folder / "parcels.parquet").slice(0, options.limit)
        self.parcels = PracticeParcels(
            parcel_id=table["parcel_id"].to_numpy(),
            ori_id=table["ori_id"].to_numpy(zero_copy_only=False).astype(object),
            s1_pix=table["S1Pix"].to_numpy(),
            s2_pix=table["S2Pix"].to_numpy(),
        )
        self.truth = pq.read_table(folder / "truth" / "parcels.parquet").sort_by("parcel_id")

    def series(self) -> dict[Key, Series]:
        """Matrices of the parcels."""
        parts = sorted((self.folder / "observations").glob("*.parquet"))
        needed = parts if self.options.limit is None else parts[: math.ceil(self.options.limit / CHUNK)]
        found = practice_series(needed, self.parcels.parcel_id)
        return {key: screened(one) for key, one in found.items()} if self.options.screened else found

    def configuration(self) -> L4cConfiguration:
        """The series' own, or a preset."""
        preset = self.options.preset
        own = (self.folder / "l4c.cfg").read_bytes() if preset is None else preset_text(preset).encode()
        found, report = read_l4c_configuration(
            own, preset or "l4c.cfg", year=self.first.year, country=self.options.country, practices=PRACTICES
        )
        if found is None:
            raise SystemExit("\n".join(one.message for one in report.findings))
        return found

    def rows(self, practice: str) -> PracticeRows:
        """Rows of a practice table whose parcel is there."""
        path = self.folder / f"practices_{practice.lower()}.csv"
        table, report = read_practice_table(path.read_bytes(), path.name, practice, year=self.first.year)
        if table is None:
            raise SystemExit("\n".join(one.message for one in report.findings))
        rows = joined_rows(table, self.parcels, country=self.options.country, year=self.first.year).rows
        return rows.of(rows.parcel_id >= 0)

    def settings(self, profile: str, practice: str) -> PracticeSettings:
        """Of a profile."""
        values = resolve(Layers(season={"profile": profile, **self.options.changed}), phase="current").values
        settings = PracticeSettings.of(values, self.configuration(), practice)
        return replace(settings, thresholds=replace(settings.thresholds, **self.options.thresholds))

    def judged(self, series: Mapping[Key, Series], profile: str, practice: str) -> Cases:
        """Decide, and put the truth beside it."""
        rows, settings = self.rows(practice), self.settings(profile, practice)
        as_of = self.options.as_of or self.last
        begun = time.process_time()
        found = decide(
            series, rows, settings, as_of=as_of, gap_limit=as_of - OBSERVATION_DELAY, tillage=practice == "NA",
            season_start=self.first,
        )  # fmt: skip
        spent = time.process_time() - begun
        truth = self.truth.take(np.searchsorted(self.truth["parcel_id"].to_numpy(), rows.parcel_id))
        cases = {**decided(found), **known(truth, as_of), "s1_pix": rows.s1_pix, "main_crop": rows.main_crop}
        cases["kept"] = kept(practice, cases, rows, settings)
        cases["seed"] = np.full(len(rows), self.seed)
        cases["cpu_s"] = np.full(len(rows), spent / max(len(rows), 1))
        return cases


def screened(series: Series) -> Series:
    """Without NDVI that a cloud lowered, by the rule of L4B."""
    if series.variable != "ndvi":
        return series
    values = resolve(Layers(), phase="current").values
    rule = replace(MowingSettings.of(values).optical, corrupted_th=-1.0)
    return replace(series, mean=np.where(screen(series, rule).used, series.mean, np.float32(np.nan)))


def decided(found: Decisions) -> dict[str, npt.NDArray[Any]]:
    """Columns of the results."""
    names = ("status", "harvest", "harvest_week", "tillage", "tillage_week", "c_index", "rule", "n_ndvi_v", "p_start")
    columns = {name: getattr(found, name) for name in (*names, "p_end", "flags")}
    for number in range(found.markers.shape[1]):
        columns[f"m{number + 1}"] = found.markers[:, number]
    return columns


def known(truth: pa.Table, as_of: date) -> dict[str, npt.NDArray[Any]]:
    """Columns of the truth; what comes after ``as_of`` has not happened."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in truth.column_names:
        column = truth[name]
        if pa.types.is_date(column.type):
            days = column.to_numpy(zero_copy_only=False).astype("datetime64[D]")
            columns[name] = np.where(days > np.datetime64(as_of), np.datetime64("NaT", "D"), days)
        elif pa.types.is_string(column.type):
            columns[name] = column.to_numpy(zero_copy_only=False).astype(str)
    return {f"true_{name}": column for name, column in columns.items()} | {"true_crop": columns["true_crop"]}


def kept(practice: str, cases: Cases, rows: PracticeRows, settings: PracticeSettings) -> npt.NDArray[np.bool_]:
    """Whether the practice was kept."""
    if practice == "FL":
        return np.isin(cases["true_crop"], FALLOW)
    if practice == "NFC":
        return np.isin(cases["true_crop"], FIXING)
    if practice == "NA":
        return np.ones(len(rows), np.bool_)
    stood = cases["true_catch_crop_destruction"]
    since = np.where(cases["true_catch_crop"] == "undersown", cases["true_harvest"], cases["true_catch_crop_sowing"])
    too_short = stood < since + np.timedelta64(settings.thresholds.catchperiod, "D")  # never where it was left to stand
    came_up = ~np.isnat(cases["true_catch_crop_emergence"])
    result: npt.NDArray[np.bool_] = came_up & (cases["true_catch_crop"] != "none") & ~np.isnat(since) & ~too_short
    return result


def joined(parts: list[Cases]) -> Cases:
    """Rows of several series as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def some(cases: Cases, rows: npt.NDArray[Any]) -> Cases:
    """Some rows."""
    return {name: column[rows] for name, column in cases.items()}


def scored(kind: str, cases: Cases) -> Any:
    """The score of a kind."""
    if kind == "harvest":
        return harvest_score(cases["harvest"], cases["harvest_week"], cases["true_harvest"])
    if kind == "tillage":
        return tillage_score(
            cases["harvest"], cases["tillage"], cases["tillage_week"], cases["true_harvest"],
            cases["true_tillage_after_harvest"],
        )  # fmt: skip
    if kind == "tillage or sowing":
        worked = np.fmin(cases["true_tillage_after_harvest"], cases["true_catch_crop_sowing"])
        worked = np.where(worked < cases["true_harvest"], np.datetime64("NaT", "D"), worked)
        return tillage_score(
            cases["harvest"], cases["tillage"], cases["tillage_week"], cases["true_harvest"], worked
        )  # fmt: skip
    return verdict_score(cases["c_index"], cases["kept"])


def measured(kind: str, cases: Cases, samples: int) -> dict[str, Any]:
    """Counts, rates, their intervals, and the rates of each seed."""
    score = scored(kind, cases)
    result: dict[str, Any] = {one.name: getattr(score, one.name) for one in fields(score)}
    result["rates"] = score.rates
    result["by_seed"] = {
        int(seed): scored(kind, some(cases, cases["seed"] == seed)).rates for seed in np.unique(cases["seed"])
    }
    if samples:
        wanted = [name for name in cases if name.startswith(("harvest", "tillage", "true_", "c_index", "kept"))]
        used = {name: cases[name] for name in wanted if cases[name].dtype.kind != "U"}

        def figures(rows: npt.NDArray[np.int64]) -> dict[str, float]:
            rates: dict[str, float] = scored(kind, some(used, rows)).rates
            return rates

        drawn = intervals(figures, cases["seed"], rng=np.random.default_rng(1), samples=samples)
        result["intervals"] = {name: (one.low, one.high) for name, one in drawn.items()}
    return result


def groups(practice: str, cases: Cases) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Parts of the rows: by what is declared, size and count of weeks with NDVI."""
    for crop in sorted({str(one) for one in cases["main_crop"]}):
        yield NAMES.get(crop, crop), cases["main_crop"] == crop
    if practice == "NA":
        for low, high in ((1, 4), (5, 19), (20, 10**6)):
            name = f"{low} to {high} S1 pixels" if high < 10**6 else f"{low} S1 pixels and more"
            yield name, (cases["s1_pix"] >= low) & (cases["s1_pix"] <= high)
        for low, high in ((0, 5), (6, 9), (10, 60)):
            name = f"{low} to {high} weeks with NDVI" if high < 60 else f"{low} weeks with NDVI and more"
            yield name, (cases["n_ndvi_v"] >= low) & (cases["n_ndvi_v"] <= high)


def cell(name: str, figures: Mapping[str, Any]) -> str:
    """A rate with its interval."""
    value = figures["rates"][name]
    scale, form = (1.0, ".1f") if name in IN_DAYS else (100.0, ".1f")
    text = f"{value * scale:{form}}"
    if "intervals" in figures and name in figures["intervals"]:
        low, high = figures["intervals"][name]
        text += f" ({low * scale:{form}} to {high * scale:{form}})"
    return "" if math.isnan(value) else text


def table(title: str, kind: str, lines: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rates as a table: per cent, and days."""
    shown = RATE_NAMES["tillage" if kind.startswith("tillage") else kind]
    counts = [name for name in next(iter(lines.values())) if name not in ("rates", "by_seed", "intervals", *IN_DAYS)]
    heads = (*counts, *(f"{name}, {'d' if name in IN_DAYS else '%'}" for name in shown))
    print(f"\n{title}\n\n| | {' | '.join(heads)} |\n{'|---' * (1 + len(counts) + len(shown))}|")
    for name, figures in lines.items():
        cells = [str(figures[count]) for count in counts] + [cell(rate, figures) for rate in shown]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def verdict_counts(cases: Cases) -> dict[str, dict[str, int]]:
    """Rows by verdict, kept and not kept."""
    return {
        name: {
            "kept": int(((cases["c_index"] == Verdict[name]) & cases["kept"]).sum()),
            "not_kept": int(((cases["c_index"] == Verdict[name]) & ~cases["kept"]).sum()),
        }
        for name in VERDICTS
    }


def report(runs: Mapping[tuple[str, str], Cases], samples: int) -> dict[str, Any]:
    """Print all tables; all figures."""
    found: dict[str, Any] = {}
    for practice in PRACTICES:
        profiles = [profile for profile in PROFILES if (practice, profile) in runs]
        if not profiles:
            continue
        kinds = ("harvest", "tillage", "tillage or sowing") if practice == "NA" else ("verdicts",)
        for kind in kinds:
            lines = {profile: measured(kind, runs[practice, profile], samples) for profile in profiles}
            table(f"{practice}, {kind}", kind, lines)
            found[f"{practice} {kind}"] = lines
        parts = {}
        for profile in profiles:
            cases = runs[practice, profile]
            for name, among in groups(practice, cases):
                if among.any():
                    parts[f"{name}, {profile}"] = measured(kinds[0], some(cases, among), 0)
        table(f"{practice}, {kinds[0]} by part", kinds[0], dict(sorted(parts.items())))
        found[f"{practice} {kinds[0]} by part"] = parts
        if practice != "NA":
            counts = {profile: verdict_counts(runs[practice, profile]) for profile in profiles}
            found[f"{practice} counts"] = counts
            print(f"\n{practice}, kept / not kept\n\n| | {' | '.join(VERDICTS)} |\n{'|---' * (1 + len(VERDICTS))}|")
            for profile, of in counts.items():
                cells = [f"{one['kept']} / {one['not_kept']}" for one in of.values()]
                print(f"| {profile} | {' | '.join(cells)} |")
    return found


def make(folder: Path, seed: int, arguments: argparse.Namespace) -> Path:
    """Make a series."""
    from s4c_lib.synthetic.series import SeriesOptions, make_series

    target = folder / str(seed)
    made = SeriesOptions(
        arguments.parcels, seed, variables=VARIABLES, daily_lai=False, radar_days=arguments.radar_days,
        end=arguments.end, cloudiness=arguments.cloudiness,
    )  # fmt: skip
    make_series(target, made)
    return target


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=Path, nargs="*", default=[], help="folders of `s4c synthetic series`")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="of series made on the fly")
    parser.add_argument("--parcels", type=int, default=2000, help="of each of these")
    parser.add_argument("--end", type=date.fromisoformat, default=defaults.END, help="of these")
    parser.add_argument("--cloudiness", type=float, default=defaults.CLOUDINESS, help="of these, 0 to 1")
    parser.add_argument("--radar-days", type=int, choices=(6, 12), help="between the images of these")
    parser.add_argument("--limit", type=int, help="the first so many parcels of each series only")
    parser.add_argument("--country", default="NLD", help="of the practice rows; it chooses rules")
    parser.add_argument("--preset", choices=COUNTRIES, help="thresholds of a country instead of the series' l4c.cfg")
    parser.add_argument("--as-of", type=date.fromisoformat, help="judge what was known on that day")
    parser.add_argument("--profile", choices=PROFILES, action="append")
    parser.add_argument("--practice", choices=PRACTICES, action="append")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="another value in every run")
    parser.add_argument("--threshold", action="append", default=[], metavar="KEY=NUMBER", help="another threshold")
    parser.add_argument("--screened", action="store_true", help="NDVI without what L4B takes for clouds")
    parser.add_argument("--samples", type=int, default=500, help="of the bootstrap")
    parser.add_argument("--cases", type=Path, help="folder for a Parquet file of each run's rows")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    changed = {key: json.loads(value) for key, _, value in (item.partition("=") for item in arguments.set)}
    given = (item.partition("=") for item in arguments.threshold)
    thresholds: dict[str, Any] = {key.lower(): float(value) for key, _, value in given}
    options = Options(
        arguments.country, arguments.preset, changed, thresholds, arguments.limit, arguments.as_of, arguments.screened
    )
    begun = time.process_time()
    parts: dict[tuple[str, str], list[Cases]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as made:
        seeds = arguments.seeds if arguments.seeds or arguments.series else [1, 2, 3]
        for folder in (*arguments.series, *(make(Path(made), seed, arguments) for seed in seeds)):
            season = SyntheticSeries(folder, options)
            series = season.series()
            for practice in arguments.practice or PRACTICES:
                for profile in arguments.profile or PROFILES:
                    parts[practice, profile].append(season.judged(series, profile, practice))
    runs = {name: joined(found) for name, found in parts.items()}
    if arguments.cases:
        arguments.cases.mkdir(parents=True, exist_ok=True)
        for (practice, profile), cases in runs.items():
            pq.write_table(pa.table(dict(cases)), arguments.cases / f"{practice}_{profile}.parquet")
    found = report(runs, arguments.samples)
    peak = peak_mb()
    deciding = {" ".join(run): round(float(cases["cpu_s"].sum()), 2) for run, cases in runs.items()}
    if arguments.json:
        spent = round(time.process_time() - begun, 1)
        print(json.dumps({"figures": defined(found), "decide_cpu_s": deciding, "cpu_s": spent, "peak_mb": round(peak)}))


def defined(found: Any) -> Any:
    """Figures as JSON knows them: no NaN."""
    if isinstance(found, Mapping):
        return {str(name): defined(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [defined(value) for value in found]
    if isinstance(found, float):
        return None if math.isnan(found) else round(found, 5)
    return found


if __name__ == "__main__":
    main()
