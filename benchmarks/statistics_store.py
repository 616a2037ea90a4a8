"""The statistics store: a season as matrices, and one parcel of it; seconds and memory against the limits.

Run: ``python benchmarks/statistics_store.py [--parcels 100000] [--dates 60] [--json]``

The peer is what one would first write: pandas reads the same files and pivots them, on one variable of the three, and
its seconds are scaled; for one parcel a filter of pyarrow's dataset over the same files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from measuring import highest_memory, least_seconds, peak_mb, spent

from s4c_lib.statistics.matrices import series_of
from s4c_lib.statistics.observations import read_observations
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, write_statistics

LIMIT_S, LIMIT_MB, LIMIT_ONE_MS = 10.0, 2000, 50.0
VARIABLES = ("ndvi", "lai", "fapar")
START = datetime(2021, 3, 1, 10, 46, 12, tzinfo=UTC)


def season(root: Path, parcels: int, dates: int) -> tuple[dict[str, list[Path]], float, int]:
    """Files by variable, CPU seconds to write one, and bytes of all; clouds hide a fifth of the rows."""
    rng = np.random.default_rng(1)
    found: dict[str, list[Path]] = {name: [] for name in VARIABLES}
    total = rng.integers(50, 400, parcels).astype(np.int32)
    begun = time.process_time()
    for day in range(dates):
        clear = rng.random(parcels) > 0.2
        for product, variable in enumerate(VARIABLES):
            mean = rng.normal(0.5, 0.2, parcels).astype(np.float32)
            every = np.arange(1, parcels + 1)
            low, high = (np.round(mean + off, 3).astype(np.float32) for off in (-0.2, 0.2))
            none = np.zeros_like(total)
            statistics = ParcelStatistics(every, total, none, total, mean, mean * np.float32(0.1), low, high).take(
                clear
            )
            time_of = START + timedelta(days=3 * day)
            source = Source(
                variable, "l3b", "1", time_of, None, "sentinel-2a", "31UFS", None, None, 3 * day + product, "benchmark",
                1, 5.0, 10.0, "0",
            )  # fmt: skip
            found[variable].append(write_statistics(root, "benchmark", "2021", source, statistics).path)
    seconds = (time.process_time() - begun) / (dates * len(VARIABLES))
    return found, seconds, sum(path.stat().st_size for paths in found.values() for path in paths)


def pivoted(paths: list[Path]) -> Any:
    """Matrices by pandas."""
    columns = ["parcel_id", "time", "mean", "std", "n", "n_total"]
    table = pd.concat([pd.read_parquet(path, columns=columns) for path in paths])
    return table.pivot(index="parcel_id", columns="time", values=columns[2:])


def least_ms(work: Callable[[], Any], repeats: int = 5) -> float:
    """Least wall time of several runs, milliseconds."""
    found = []
    for _ in range(repeats):
        before = time.perf_counter()
        work()
        found.append(time.perf_counter() - before)
    return 1000 * min(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--dates", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as temporary:
        files, writing, size = season(Path(temporary), options.parcels, options.dates)
        every = [path for paths in files.values() for path in paths]
        print(
            f"{len(every)} files of {options.parcels} parcels, {size / 1e6:.0f} MB, written in {writing:.3f} s CPU each"
        )
        before = time.perf_counter()
        with highest_memory() as memory:
            matrices, _ = spent(lambda: series_of(every, VARIABLES))
        wall = time.perf_counter() - before
        peak = peak_mb()
        middle = [options.parcels // 2]
        own = files[VARIABLES[0]]
        one = least_ms(lambda: read_observations(own, parcel_ids=middle))
        naive_one = least_ms(
            lambda: ds.dataset(own).to_table(filter=ds.field("parcel_id") == middle[0], use_threads=False), 2
        )
        pandas = least_seconds(lambda: pivoted(own), 1) * len(VARIABLES)
    print(f"matrices of the season   {matrices:6.2f} s CPU, {wall:.2f} s; limit {LIMIT_S} s")
    print(f"  memory                 {memory[0]:6.0f} MB more; highest of the process {peak:.0f}, limit {LIMIT_MB} MB")
    print(f"  pandas                 {pandas:6.2f} s, scaled from one variable: {pandas / matrices:.1f} times as long")
    print(f"one parcel, one variable {one:6.1f} ms wall; limit {LIMIT_ONE_MS} ms")
    print(f"  pyarrow's dataset      {naive_one:6.1f} ms: {naive_one / one:.1f} times as long")
    if options.json:
        figures = {
            "parcels": options.parcels,
            "files": len(every),
            "cpu_s": round(matrices, 3),
            "wall_s": round(wall, 3),
            "limit_s": LIMIT_S,
            "peak_mb": round(peak),
            "limit_mb": LIMIT_MB,
            "ratio_pandas": round(pandas / matrices, 1),
            "one_parcel_ms": round(one, 1),
            "limit_one_parcel_ms": LIMIT_ONE_MS,
            "ratio_dataset": round(naive_one / one, 1),
            "cpu_s_writing": round(writing, 4),
            "mb_a_file": round(size / len(every) / 1e6, 2),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
