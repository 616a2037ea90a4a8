"""Small seasons that the tests of features share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from s4c_lib.crop_type.feature_names import MAIN, RED_EDGE
from s4c_lib.crop_type.feature_table import FeatureSettings, FeatureTable
from s4c_lib.crop_type.radar_features import RADAR
from s4c_lib.statistics.observation_table import OBSERVATION_SCHEMA
from s4c_lib.statistics.parcel_statistics import ParcelStatistics
from s4c_lib.statistics.store import Source, StoredFile, write_statistics

FIRST, LAST = date(2020, 3, 2), date(2020, 5, 31)
REFERENCE = FeatureSettings(grid_from_first_product=True, period_min_coverage=1.0, amplitude=True, repairs=frozenset())
DIRECTIONS = {88: "ascending", 37: "descending"}


def row(parcel: int, day: date | str, variable: str, mean: float | None, **more: Any) -> dict[str, Any]:
    """A row of the observation table; 20 pixels unless told."""
    at = date.fromisoformat(day) if isinstance(day, str) else day
    radar = variable in ("vv", "vh") or variable.startswith("coherence")
    orbit = more.pop("orbit", 88 if radar else None)
    return {
        "parcel_id": parcel,
        "time": datetime(at.year, at.month, at.day, 17 if radar else 10, tzinfo=UTC),
        "variable": variable,
        "mean": mean,
        "std": 0.01,
        "n": 20,
        "n_total": 20,
        "platform": "sentinel-1a" if radar else "sentinel-2a",
        "tile": "31UFS",
        "orbit": orbit,
        "direction": DIRECTIONS.get(orbit or 0),
        **more,
    }


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=OBSERVATION_SCHEMA)


def values_of(features: FeatureTable, name: str) -> list[float]:
    found: list[float] = features.values[:, features.names.index(name)].tolist()
    return found


ALL = (*MAIN.values(), *RED_EDGE.values(), "vv", "vh", "coherence_vv", "coherence_vh")


def season_rows(
    parcels: int = 12, seed: int = 1, days: int = 60, variables: Sequence[str] = ALL
) -> list[dict[str, Any]]:
    """Optical variables every five days with clouds, radar of two orbits every six days."""
    rng = np.random.default_rng(seed)
    rows = []
    for offset in range(0, days, 5):
        day = FIRST + timedelta(days=offset)
        clear = rng.random(parcels) > 0.4
        for variable in (name for name in variables if name not in RADAR):
            rows += [row(k + 1, day, variable, rng.uniform(0.05, 0.6)) for k in range(parcels) if clear[k]]
    for orbit in DIRECTIONS:
        for offset in range(0, days, 6):
            day = FIRST + timedelta(days=offset)
            for variable in (name for name in variables if name in RADAR):
                low, high = (0.1, 0.9) if variable.startswith("coherence") else (-16, -8)
                rows += [row(k + 1, day, variable, rng.uniform(low, high), orbit=orbit) for k in range(parcels)]
    return rows


def store_files(root: Path, rows: Sequence[dict[str, Any]]) -> list[StoredFile]:
    """The same rows as files of the store, by time."""
    by_raster: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in rows:
        key = one["time"], one["variable"], one["orbit"] or 0, one["tile"]
        by_raster.setdefault(key, []).append(one)
    files = []
    for number, (key, together) in enumerate(sorted(by_raster.items())):
        together.sort(key=lambda one: one["parcel_id"])
        at, variable, orbit, tile = key
        n, total = (np.array([one[name] for one in together], np.int32) for name in ("n", "n_total"))
        mean, std = (np.array([one[name] for one in together], np.float32) for name in ("mean", "std"))
        source = Source(
            variable, "l2a", "1", at, None, together[0]["platform"], tile, orbit or None, together[0]["direction"],
            number, f"item_{number}", 1, 5.0, 10.0, "0",
        )  # fmt: skip
        found = ParcelStatistics(
            np.array([one["parcel_id"] for one in together], np.int64), n, total - n, total, mean, std, mean, mean
        )
        files.append(write_statistics(root, "demo", "2020", source, found))
    return files
