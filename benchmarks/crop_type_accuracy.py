"""Crop type against truth: accuracy, calibration, verdicts and the ranked list, early and at season end.

Run: ``python benchmarks/crop_type_accuracy.py --series DIR... [--mislabelled 0.02] [--trees 100] [--share 0] [--json]``
with folders of ``s4c synthetic series``; without any, small ones are made. ``--france FILE`` takes real parcels instead
(dekadal series of WorldCereal), of whose declarations a share is replaced by another crop at random; real errors
there count as right.

The named alternative is the ranking one would first write: 1 minus the frequency the forest gives the declared class.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from measuring import peak_mb
from scipy.stats import t as student

from s4c_lib.crop_type.calibrated_prediction import with_calibrated_predictions
from s4c_lib.crop_type.calibration import expected_calibration_error
from s4c_lib.crop_type.classification import Classification, CropParcels, CropSettings, classify
from s4c_lib.crop_type.feature_names import RED_EDGE
from s4c_lib.crop_type.feature_table import FeatureSettings, FeatureTable, compute_features
from s4c_lib.crop_type.judgement import CONFIRMED, CONTRADICTED, JudgementSettings, judge
from s4c_lib.crop_type.metrics import measure
from s4c_lib.parameters.layers import Layers, resolve
from s4c_lib.synthetic.crops import CROPS
from s4c_lib.synthetic.landscape.crop_mix import confuse

RATES = (0.01, 0.05, 0.1)
MODES = ("both", "s1-only", "s2-only")
PROFILES = ("default", "reference")
START, JUNE, END = date(2021, 3, 1), date(2021, 6, 30), date(2021, 10, 31)
FEWEST_FRENCH = 10
NO_DATA = 65535
Figures = dict[str, float]


@dataclass(frozen=True)
class Season:
    """Parcels of one series with their declarations; `true` and `declared` are CTnumL4A, -1 where not known."""

    name: str
    observations: Sequence[Path] | pa.Table
    parcel_id: npt.NDArray[np.int64]
    true: npt.NDArray[np.int32]
    declared: npt.NDArray[np.int32]
    land_cover: npt.NDArray[np.int8]
    s2_pix: npt.NDArray[np.int32]
    s1_pix: npt.NDArray[np.int32]

    def parcels(self) -> CropParcels:
        """As the classification takes them."""
        reason = np.full(len(self.parcel_id), None, dtype=object)
        return CropParcels(self.parcel_id, self.declared, self.land_cover, self.s2_pix, self.s1_pix, reason)


def series_season(folder: Path, mislabelled: float | None) -> Season:
    """A series as it was made, or with another share of wrong declarations: observations follow the true crop."""
    truth = pd.read_parquet(folder / "truth" / "parcels.parquet").sort_values("parcel_id")
    parcels = pd.read_parquet(folder / "parcels.parquet").set_index("ori_id").loc[truth["ori_id"]]
    table = pd.read_csv(folder / "crop_lut.csv", dtype={"Ori_crop": str}).set_index("Ori_crop")
    declared = truth["declared_crop"].to_numpy()
    if mislabelled is not None:
        codes = np.array([crop.code for crop in CROPS])
        position = pd.Series(np.arange(len(codes)), codes)
        crop = position.loc[truth["true_crop"]].to_numpy()
        rng = np.random.default_rng(int(json.loads((folder / "series.json").read_text())["options"]["seed"]))
        wrong = rng.choice(len(crop), round(mislabelled * len(crop)), replace=False)
        changed = crop.copy()
        changed[wrong] = confuse(crop[wrong], rng)
        declared = codes[changed]
    return Season(
        folder.name,
        sorted((folder / "observations").glob("*.parquet")),
        parcels["parcel_id"].to_numpy(np.int64),
        table["CTnumL4A"].loc[truth["true_crop"]].to_numpy(np.int32),
        table["CTnumL4A"].loc[declared].to_numpy(np.int32),
        table["LC"].loc[declared].to_numpy(np.int8),
        parcels["S2Pix"].to_numpy(np.int32),
        parcels["S1Pix"].to_numpy(np.int32),
    )


def french_season(file: Path, mislabelled: float, seed: int) -> Season:
    """Real parcels of crops with at least FEWEST_FRENCH parcels, a share of them declared as another crop at random."""
    rows = pd.read_parquet(file)
    names, number = np.unique(rows["sample_id"], return_inverse=True)
    crops = rows.groupby("sample_id")["ewoc_code"].first().loc[names]
    true = np.unique(crops, return_inverse=True)[1]
    kept = np.bincount(true)[true] >= FEWEST_FRENCH
    parts = []
    for column in (name for name in rows.columns if name.startswith(("S2-L2A-", "S1-SIGMA0-"))):
        radar = column.startswith("S1")
        used = rows[column].to_numpy() != NO_DATA
        value = rows[column].to_numpy(np.float64)[used]
        parts.append(
            pd.DataFrame(
                {
                    "parcel_id": number[used] + 1,
                    "time": pd.to_datetime(rows["timestamp"].to_numpy()[used])
                    + pd.Timedelta(hours=18.0 if radar else 10.5),
                    "variable": column.rsplit("-", 1)[1].lower(),
                    "mean": 20 * np.log10(np.maximum(value, 1)) - 83 if radar else value / 10_000,
                    "orbit": 1.0 if radar else np.nan,
                    "direction": "ascending" if radar else None,
                }
            )
        )
    table = pd.concat(parts)
    count = len(table)
    observations = pa.table(
        {
            "parcel_id": pa.array(table["parcel_id"], pa.int64()),
            "time": pa.array(table["time"], pa.timestamp("s", "UTC")),
            "previous_time": pa.nulls(count, pa.timestamp("s", "UTC")),
            "variable": pa.array(table["variable"]),
            "mean": pa.array(table["mean"], pa.float32()),
            "std": pa.nulls(count, pa.float32()),
            "min": pa.nulls(count, pa.float32()),
            "max": pa.nulls(count, pa.float32()),
            "n": pa.array(np.full(count, 20), pa.int32()),
            "n_total": pa.array(np.full(count, 20), pa.int32()),
            "platform": pa.nulls(count, pa.string()),
            "tile": pa.nulls(count, pa.string()),
            "orbit": pa.array(table["orbit"], pa.int16(), from_pandas=True),
            "direction": pa.array(table["direction"], pa.string(), from_pandas=True),
            "product_id": pa.nulls(count, pa.int64()),
        }
    )
    rng = np.random.default_rng(seed)
    common = np.unique(true[kept])
    declared = true.copy()
    wrong = rng.choice(np.flatnonzero(kept), round(mislabelled * kept.sum()), replace=False)
    declared[wrong] = common[
        (np.searchsorted(common, true[wrong]) + rng.integers(1, len(common), len(wrong))) % len(common)
    ]
    size = int(kept.sum())
    return Season(
        f"france {seed}",
        observations,
        np.flatnonzero(kept) + 1,
        true[kept].astype(np.int32),
        declared[kept].astype(np.int32),
        np.ones(size, np.int8),
        np.full(size, 20, np.int32),
        np.full(size, 20, np.int32),
    )


def values_of(profile: str, mode: str, trees: int, share: float | None = None) -> dict[str, Any]:
    """Parameters by key; `share` is that of the discriminant, None as the profile has it."""
    given: dict[str, Any] = {
        "profile": profile, "processor.s4c_l4a.mode": mode, "processor.s4c_l4a.num-trees": trees,
    }  # fmt: skip
    if share is not None:
        given["processor.s4c_l4a.discriminant_share"] = share
    snapshot = resolve(Layers(season=given), phase="past")
    return {parameter.key: snapshot[parameter.key] for parameter in snapshot.registry}


def of_mode(features: FeatureTable, mode: str) -> FeatureTable:
    """The columns that a mode has, of a table with all."""
    red_edge = tuple(f"_{name.lower()}" for name in RED_EDGE)
    optical = ["_s2_" in name for name in features.names]
    wanted = {
        "both": [True] * len(optical),
        "s1-only": [not each for each in optical],
        "s2-only": [
            each and not name.lower().endswith(red_edge) for each, name in zip(optical, features.names, strict=True)
        ],
    }[mode]
    names = tuple(name for name, each in zip(features.names, wanted, strict=True) if each)
    return FeatureTable(
        features.parcel_id, names, np.ascontiguousarray(features.values[:, wanted]), features.dates, features.gap_days
    )


def figures(season: Season, found: Classification) -> Figures:
    """Of one classification: accuracy on validation parcels against the truth, and the judgement of all classified."""
    rows = found.rows
    order = np.argsort(season.parcel_id, kind="stable")
    true = season.true[order]
    checked = rows[found.purpose[rows] == 2]
    metrics = measure(true[checked], found.pred_1[checked], found.pred_2[checked], found.conf_1[checked])
    result: Figures = {"accuracy": metrics.overall, "kappa": metrics.kappa, "macro_f1": metrics.macro_f1}
    for rate in RATES:
        begun = time.process_time()
        judged = judge(found, JudgementSettings(rate))
        spent = time.process_time() - begun
        wrong = true != judged.declared
        contradicted, confirmed = judged.verdict == CONTRADICTED, judged.verdict == CONFIRMED
        result |= {
            f"contradicted_{rate}": float(contradicted.sum()),
            f"right_among_contradicted_{rate}": share(~wrong, contradicted),
            f"contradicted_of_right_{rate}": share(contradicted, ~wrong & (judged.rank > 0)),
            f"contradicted_of_wrong_{rate}": share(contradicted, wrong & (judged.rank > 0)),
            f"confirmed_{rate}": share(confirmed, judged.rank > 0),
            f"wrong_among_confirmed_{rate}": share(wrong, confirmed),
            f"confirmed_of_wrong_{rate}": share(confirmed, wrong & (judged.rank > 0)),
        }
    used = values_of("default", "both", 1)
    better = with_calibrated_predictions(found, judged, season.parcels(), used["processor.s4c_l4a.best-s2-pix"])
    calibrated = measure(true[checked], better.pred_1[checked], better.pred_2[checked], better.conf_1[checked])
    top = judged.probabilities.argmax(axis=1)
    raw = found.probabilities[np.isin(rows, judged.rows)]
    result |= {
        "ece_forest": expected_calibration_error(
            raw.max(axis=1).astype(np.float64), found.classes[raw.argmax(axis=1)] == true[judged.rows]
        ),
        "ece_calibrated": expected_calibration_error(
            judged.probabilities.max(axis=1).astype(np.float64), found.classes[top] == true[judged.rows]
        ),
        "accuracy_calibrated": calibrated.overall,
        "kappa_calibrated": calibrated.kappa,
        "macro_f1_calibrated": calibrated.macro_f1,
        "wrong_estimated": judged.calibration.wrong_share if judged.calibration else math.nan,
        "judgement_cpu_s": spent,
    }
    by_rank = wrong[judged.rows][np.argsort(judged.rank[judged.rows], kind="stable")]
    own = raw[np.arange(len(raw)), np.searchsorted(found.classes, judged.declared[judged.rows])]
    naive = wrong[judged.rows][np.argsort(own, kind="stable")]
    number = int(by_rank.sum())
    result["wrong"] = number / len(by_rank)
    if number:
        result |= {
            "precision_at_k": float(by_rank[:number].mean()),
            "found_in_2k": float(by_rank[: 2 * number].sum() / number),
            "precision_at_k_naive": float(naive[:number].mean()),
            "found_in_2k_naive": float(naive[: 2 * number].sum() / number),
        }
    return result


def share(which: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    """Share of some among others, NaN among none."""
    return float(which[among].mean()) if among.any() else math.nan


def measured(
    season: Season,
    cases: Sequence[tuple[str, str, date, date]],
    trees: int,
    folds: int | None,
    share: float | None = None,
) -> Iterator[tuple[str, Figures]]:
    """Figures of each case (profile, mode, first and last day); features are computed once a profile and date."""
    tables: dict[tuple[str, date], FeatureTable] = {}
    for profile, mode, first, last in cases:
        key = (profile, last)
        if key not in tables:
            begun = time.process_time()
            tables = {key: compute_features(
                season.observations,
                season.parcel_id,
                FeatureSettings.of(values_of(profile, "both", trees)),
                first,
                last,
            )}  # fmt: skip
            spent = time.process_time() - begun
        begun = time.process_time()
        features, values = of_mode(tables[key], mode), values_of(profile, mode, trees, share)
        found = classify(features, season.parcels(), CropSettings.of(values, folds=folds))
        cpu = {"classification_cpu_s": time.process_time() - begun, "features_cpu_s": spent}
        yield f"{profile} {mode} {last}", figures(season, found) | {"features": len(features.names)} | cpu


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the seeds and half the width of its 95 % confidence interval (Student), NaN for one."""
    used = np.array([value for value in values if not math.isnan(value)])
    if len(used) < 2:
        return (float(used[0]) if len(used) else math.nan), math.nan
    return float(used.mean()), float(student.ppf(0.975, len(used) - 1) * used.std(ddof=1) / math.sqrt(len(used)))


def made_series(root: Path, parcels: int) -> list[Path]:
    """Three small series, without daily leaf area."""
    folders = []
    for seed in (1, 2, 3):
        folders.append(root / str(seed))
        command = [sys.executable, "-m", "s4c_lib.cli.main", "synthetic", "series", "--out", str(folders[-1])]
        options = ["--parcels", str(parcels), "--seed", str(seed), "--no-daily-lai", "--workers", "1"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return folders


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=Path, nargs="*", default=[], help="folders of `s4c synthetic series`")
    parser.add_argument("--parcels", type=int, default=3000, help="of series made here")
    parser.add_argument("--mislabelled", type=float, help="share of wrong declarations instead of the series' own")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--share", type=float, help="of the discriminant instead of the profile's own")
    parser.add_argument("--modes", nargs="*", default=MODES, choices=MODES)
    parser.add_argument("--profiles", nargs="*", default=PROFILES, choices=PROFILES)
    parser.add_argument("--dates", nargs="*", type=date.fromisoformat, default=[JUNE, END])
    parser.add_argument("--france", type=Path, help="file of real dekadal series; then no series is made")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    begun = time.process_time()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as temporary:
        folders = options.series or ([] if options.france else made_series(Path(temporary), options.parcels))
        cases = [
            (profile, mode, START, last)
            for profile in options.profiles
            for last in options.dates
            for mode in options.modes
        ]
        for folder in folders:
            season = series_season(folder, options.mislabelled)
            for case, result in measured(season, cases, options.trees, None, options.share):
                collect(found[case], season.name, case, result)
    if options.france:
        cases = [("default", mode, date(2022, 9, 1), date(2023, 12, 31)) for mode in options.modes]
        for seed in range(5):
            season = french_season(options.france, 0.05 if options.mislabelled is None else options.mislabelled, seed)
            for case, result in measured(season, cases, options.trees, 5, options.share):
                collect(found[f"france {case}"], season.name, case, result)
    summary = {}
    for case, columns in found.items():
        print(f"\n{case}: mean and 95 % confidence interval of {max(map(len, columns.values()))} seeds")
        summary[case] = {name: interval(values) for name, values in columns.items()}
        for name, (mean, half) in summary[case].items():
            print(f"  {name:32s} {mean:10.4f}" + ("" if math.isnan(half) else f" +- {half:.4f}"))
    if options.json:
        rounded = {
            case: {
                name: [None if math.isnan(each) else round(each, 5) for each in pair] for name, pair in columns.items()
            }
            for case, columns in summary.items()
        }
        peak = peak_mb()
        print(
            json.dumps(
                {
                    "trees": options.trees,
                    "cases": rounded,
                    "cpu_s": round(time.process_time() - begun, 1),
                    "peak_mb": round(peak),
                    "made": datetime.now(UTC).date().isoformat(),
                }
            )
        )


def collect(columns: dict[str, list[float]], name: str, case: str, result: Figures) -> None:
    """Keep the figures of one seed; long runs say where they are."""
    print(f"{name} {case}: accuracy {result['accuracy']:.4f}", file=sys.stderr, flush=True)
    for key, value in result.items():
        columns[key].append(value)


if __name__ == "__main__":
    main()
