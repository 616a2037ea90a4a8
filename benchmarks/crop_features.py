"""Features of L4A from the statistics store: one tile, one season; seconds and memory, and what a new date costs.

Run: ``python benchmarks/crop_features.py [--parcels 100000] [--dates 60] [--json]``

The season is of 184 days from March: optical dates evenly, clouds hide two of five rows, two radar orbits every six
days. The peer is what one would first write in pandas (pivot, interpolate, group by week) for a sample of the parcels;
its seconds are scaled and do not include the reading of the files, ours do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from measuring import highest_memory, highest_private, peak_mb, spent

from s4c_lib.crop_type.feature_names import MAIN, RED_EDGE
from s4c_lib.crop_type.feature_table import FeatureSettings, prepare_features
from s4c_lib.crop_type.partial_results import PartialFolder
from s4c_lib.crop_type.radar_features import RADAR
from s4c_lib.statistics.observations import read_observations
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, write_statistics

LIMIT_S, LIMIT_MB = 90.0, 4000
FIRST, LAST = date(2020, 3, 1), date(2020, 8, 31)
OPTICAL = (*MAIN.values(), *RED_EDGE.values())
ORBITS = {88: "ascending", 37: "descending"}
DAYS = (LAST - FIRST).days


@dataclass(frozen=True)
class Season:
    """Files by acquisition date."""

    files: list[tuple[datetime, Path]]
    digests: dict[Path, str]

    def before(self, moment: datetime) -> list[Path]:
        """Files of earlier dates."""
        return [path for at, path in self.files if at < moment]


def season(root: Path, parcels: int, dates: int) -> Season:
    """Write a season into a store."""
    rng = np.random.default_rng(1)
    total = rng.integers(50, 400, parcels).astype(np.int32)
    level = rng.normal(0.4, 0.1, parcels).astype(np.float32)
    files, digests = [], {}
    begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)

    def write(variable: str, at: datetime, seen: Any, mean: Any, orbit: int | None, number: int) -> None:
        none = np.zeros_like(total)
        every = np.arange(1, parcels + 1)
        spread = np.abs(mean) * np.float32(0.1)
        rows = ParcelStatistics(every, total, none, total, mean, spread, mean - spread, mean + spread).take(seen)
        source = Source(
            variable, "s1amp" if orbit else "l2a", "1", at, None, "sentinel-1a" if orbit else "sentinel-2a", "31UFS",
            orbit, ORBITS.get(orbit or 0), number, f"benchmark_{number}", 1, 5.0, 10.0, "0",
        )  # fmt: skip
        stored = write_statistics(root, "benchmark", "2020", source, rows)
        files.append((at, stored.path))
        digests[stored.path] = stored.sha256

    for number in range(dates):
        at = begin + timedelta(days=round(number * DAYS / max(dates - 1, 1)), hours=10)
        clear = rng.random(parcels) > 0.4
        for variable in OPTICAL:
            write(variable, at, clear, level + rng.normal(0, 0.05, parcels).astype(np.float32), None, number)
    every = np.ones(parcels, np.bool_)
    for offset, orbit in enumerate(ORBITS):
        for number in range(DAYS // 6 + 1):
            at = begin + timedelta(days=min(6 * number + 2 * offset, DAYS), hours=17)
            for variable in RADAR:
                noise = rng.normal(0, 0.5, parcels).astype(np.float32)
                mean = level if variable.startswith("coherence") else 10 * noise - 12
                write(variable, at, every, mean, orbit, 1000 * orbit + number)
    return Season(sorted(files), digests)


def by_pandas(table: pd.DataFrame) -> int:
    """The same features as one would first write them; returns how many there are."""
    table["day"] = table["time"].dt.tz_localize(None).dt.normalize()
    columns = 0
    grid = pd.date_range(FIRST, LAST, freq="10D")
    for variable in OPTICAL:
        part = table[table["variable"] == variable]
        for statistic in ("mean", "std"):
            wide = part.pivot_table(index="parcel_id", columns="day", values=statistic)
            wide = wide.reindex(columns=wide.columns.union(grid))
            filled = wide.T.interpolate("time", limit_direction="both").T
            columns += filled[grid].shape[1]
    part = table[table["variable"].isin(RADAR)].copy()
    decibels = part["variable"].isin(("vv", "vh"))
    part.loc[decibels, "mean"] = 10 ** (part.loc[decibels, "mean"] / 10)
    part.loc[decibels, "std"] = np.log(10) / 10 * part.loc[decibels, "mean"] * part.loc[decibels, "std"]
    part["week"] = part["day"].dt.strftime("%W").astype(int).clip(1, 52)
    weekly = part.groupby(["parcel_id", "variable", "direction", "week"])[["mean", "std"]].mean().reset_index()
    wide = weekly.pivot_table(index="parcel_id", columns=["variable", "direction", "week"], values=["mean", "std"])
    for (statistic, variable, direction), family in wide.T.groupby(level=[0, 1, 2]):
        columns += len(family.interpolate(limit_direction="both"))
        if variable == "vv":
            columns += len(family.to_numpy() / wide[statistic]["vh"][direction].T.to_numpy())
    weekly["month"] = (weekly["week"] * 7 // 30).astype(int)
    monthly = weekly.groupby(["parcel_id", "variable", "direction", "month"])["mean"]
    for found in (monthly.mean(), monthly.std(ddof=0), monthly.quantile(0.1)):
        columns += found.unstack(level=[1, 2, 3]).shape[1]
    return columns


def digest_of(blocks: Iterable[Any]) -> str:
    """SHA-256 of all features, block by block."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block.values.tobytes())
    return digest.hexdigest()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--sample", type=int, default=2_000, help="parcels of the peer")
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as temporary:
        made = season(Path(temporary) / "store", options.parcels, options.dates)
        every = [path for _, path in made.files]
        parcels = np.arange(1, options.parcels + 1)

        def prepared(paths: list[Path], **more: Any) -> Any:
            return prepare_features(paths, parcels, FeatureSettings(), FIRST, LAST, **more)

        print(f"{len(every)} files of {options.parcels} parcels, {sum(p.stat().st_size for p in every) / 1e6:.0f} MB")
        before = time.perf_counter()
        with highest_memory() as memory:
            reading, ready = spent(lambda: prepared(every))
            columns, table = spent(lambda: ready.block(0, options.parcels))
        wall = time.perf_counter() - before
        peak = peak_mb()
        shape = table.values.shape
        expected = digest_of([table])
        del ready, table
        kept = PartialFolder(Path(temporary) / "kept")
        newest = made.files[-1][0]
        more = {"kept": kept, "digests": made.digests}
        keeping, _ = spent(lambda: prepared(made.before(newest), **more))
        with highest_private() as memory_kept:
            adding, ready = spent(lambda: prepared(every, **more))
            blocks, found = spent(lambda: digest_of(ready.blocks(20_000)))
        same = found == expected
        sample = read_observations(every, parcel_ids=parcels[: options.sample]).to_pandas()
        pandas, peer_columns = spent(lambda: by_pandas(sample))
    total, scaled = reading + columns, pandas * options.parcels / min(options.sample, options.parcels)
    print(f"features {shape}  {total:6.2f} s CPU ({reading:.2f} reading, {columns:.2f} columns), {wall:.1f} s")
    print(f"  limit                  {LIMIT_S} s")
    print(f"  memory                 {memory[0]:6.0f} MB more; highest of the process {peak:.0f}, limit {LIMIT_MB} MB")
    print(f"  pandas                 {scaled:6.1f} s for {peer_columns} columns, scaled: {scaled / total:.1f} times")
    print(f"a new date               {adding:6.2f} s instead of {reading:.2f}: {ready.parts_made} parts of ", end="")
    print(f"{ready.parts_made + ready.parts_kept} made; first run that keeps {keeping:.2f} s; same bytes: {same}")
    print(f"  in blocks              {blocks:6.2f} s, {memory_kept[0]:.0f} MB more that are not mapped files")
    if options.json:
        figures = {
            "parcels": options.parcels,
            "files": len(every),
            "features": shape[1],
            "cpu_s": round(total, 2),
            "reading_s": round(reading, 2),
            "columns_s": round(columns, 2),
            "wall_s": round(wall, 2),
            "limit_s": LIMIT_S,
            "peak_mb": round(peak),
            "limit_mb": LIMIT_MB,
            "ratio_pandas": round(scaled / total, 1),
            "in_blocks_mb": round(memory_kept[0]),
            "new_date_s": round(adding, 2),
            "ratio_new_date": round((reading + columns) / (adding + blocks), 2),
            "parts_made_for_new_date": ready.parts_made,
            "same_bytes": same,
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
