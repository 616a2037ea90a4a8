"""Random seasons of parcels for L4C: matrices, rows of a practice table, and the same parcels for the plain version.

Crops grow and are harvested, second crops follow or do not, soil is worked; a share of everything is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from s4c_lib.practices.rows import PracticeRows
from s4c_lib.statistics.matrices import Key, Series

NAMES = {"CC": "CatchCrop", "FL": "Fallow", "NFC": "NFC", "NA": "NA"}
TYPES: Mapping[str, tuple[str, ...]] = {
    "CC": ("CatchCrop_1", "CatchCrop_3", "CatchCropIsMain"),
    "FL": ("NA", "PDJ", "PDZ"),
    "NFC": ("NA",),
    "NA": ("NA",),
}
PERIODS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "CC": (("07-31", "09-24"), ("09-01", "10-27"), ("07-15", "09-08"), ("10-15", ""), ("10-07", "12-01"), ("", "")),
    "FL": (("04-01", "09-01"), ("01-01", "06-30"), ("02-01", "06-30"), ("04-01", "07-15"), ("04-01", "")),
    "NFC": (("03-01", "08-31"), ("04-01", "07-28"), ("06-01", "07-15"), ("04-01", "06-02"), ("", "07-28")),
    "NA": (("", ""),),
}
_BLOCK = 8192


def season(
    parcels: int,
    seed: int,
    practice: str,
    country: str,
    *,
    orbits: int = 4,
    images: int = 60,
    first: date = date(2018, 11, 1),
    last: date = date(2019, 12, 28),
    missing: float = 0.15,
    same_day: bool = True,
    year: int = 2019,
) -> tuple[dict[Key, Series], PracticeRows]:
    """Matrices of all parcels and their rows; ``missing`` is the share of observations that are not there.

    Parameters
    ----------
    same_day : two of the orbits pass on one day.
    """
    rng = default_rng([seed, parcels])
    start = np.datetime64(first)
    length = int((np.datetime64(last) - start).astype(int)) + 1
    days: dict[Key, Any] = {("ndvi", None): np.sort(rng.choice(length, min(images, length), replace=False))}
    offsets = rng.choice(6, max(orbits, 1), replace=orbits > 6)
    if same_day and orbits > 1:
        offsets[1] = offsets[0]
    for number in range(orbits):
        for variable in ("vv", "vh", "coherence_vv"):
            days[variable, (15, 37, 88, 110, 139, 161)[number]] = np.arange(offsets[number], length, 6)
    means = {key: np.empty((parcels, len(when)), np.float32) for key, when in days.items()}
    new_year = int((np.datetime64(f"{year}-01-01") - start).astype(int))
    for begin in range(0, parcels, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, parcels))
        crops = _Crops(default_rng([seed, begin, 1]), rows.stop - begin, new_year)
        for key, when in days.items():
            means[key][rows] = crops.observed(key, when.astype(float), missing)
    counts = np.broadcast_to(np.int32(50), (1, 1))
    series = {}
    for (variable, orbit), values in means.items():
        time = (start + days[variable, orbit]).astype("datetime64[s]")
        n = np.broadcast_to(counts, values.shape)
        series[variable, orbit] = Series(
            variable, orbit, None, time, np.full(len(time), np.datetime64("NaT", "s")), np.full(len(time), ""),
            np.arange(1, parcels + 1), values, np.broadcast_to(np.float32(0.1), values.shape), n, n,
        )  # fmt: skip
    return series, _rows(rng, parcels, practice, country, year)


class _Crops:
    """Truth of some parcels, and observations of it."""

    def __init__(self, rng: Generator, count: int, new_year: int) -> None:
        self.rng, self.new_year = rng, new_year
        self.sown = rng.uniform(40, 150, count)
        self.cut = rng.uniform(150, 300, count)
        self.height = rng.uniform(0.25, 0.9, count)
        self.second = np.where(rng.random(count) < 0.5, self.cut + rng.uniform(5, 50, count), np.inf)
        self.tilled = np.where(rng.random(count) < 0.5, self.cut + rng.uniform(10, 60, count), np.inf)
        self.absent = {name: rng.random(count) < 0.02 for name in ("ndvi", "vv", "vh", "coherence_vv")}
        self.gap = rng.uniform(0, 400, count)
        self.gap_length = np.where(rng.random(count) < 0.4, rng.uniform(10, 80, count), 0.0)

    def observed(self, key: Key, when: Any, missing: float) -> Any:
        variable = key[0]
        day = when[None, :] - self.new_year
        shape = len(self.sown), len(when)
        noise = self.rng.normal(size=shape)
        first = 1 / (1 + np.exp(-(day - self.sown[:, None] - 30) / 10)) * (day < self.cut[:, None])
        again = 0.7 / (1 + np.exp(-(day - self.second[:, None] - 25) / 8))
        green = np.maximum(first, again) * self.height[:, None]
        if variable == "ndvi":
            values = 0.15 + 0.8 * green + 0.03 * noise
            cloud = self.rng.random(shape) < 0.05
            values = np.clip(np.where(cloud, values * 0.5, values), 0.02, 0.95)
        elif variable == "vv":
            values = np.clip(-22 + 4 * green + 1.2 * noise, None, -4)
            self.vv = values
            values = np.where(self.rng.random(shape) < 0.01, -4.0, values)
        elif variable == "vh":
            values = -22 + 4 * green - 17 + 5 * green + 1.2 * noise
        else:
            bare = (day >= self.cut[:, None]) & (green < 0.3)
            worked = np.abs(day - self.tilled[:, None]) < 6
            values = np.clip(np.where(bare & ~worked, 0.7, 0.3) + 0.08 * noise, 0.03, 0.95)
        gone = self.rng.random(shape) < missing
        if variable != "ndvi":
            gone |= (when >= self.gap[:, None]) & (when < (self.gap + self.gap_length)[:, None])
        gone |= self.absent[variable][:, None]
        return np.where(gone, np.nan, values)


def _rows(rng: Generator, parcels: int, practice: str, country: str, year: int) -> PracticeRows:
    def days(values: Any) -> Any:
        return np.array([np.datetime64(f"{year}-{day}" if day else "NaT") for day in values], "datetime64[D]")

    periods = rng.integers(len(PERIODS[practice]), size=parcels)
    names = np.full(parcels, NAMES[practice], object)
    if practice != "NA":
        names[rng.random(parcels) < 0.03] = "NA"
    types = np.array(TYPES[practice], object)
    return PracticeRows(
        np.arange(1, parcels + 1),
        np.array([f"f{number}" for number in range(1, parcels + 1)], object),
        np.full(parcels, country, object),
        np.full(parcels, year, np.int32),
        np.full(parcels, "1", object),
        names,
        types[rng.integers(len(types), size=parcels)],
        days(rng.choice(["01-01", "04-01", "05-20", "01-09"], parcels)),
        days(rng.choice(["01-02", "04-15", "06-03", "07-15"], parcels)),
        days(rng.choice(["08-31", "10-15", "12-15"], parcels)),
        days([PERIODS[practice][number][0] for number in periods]),
        days([PERIODS[practice][number][1] for number in periods]),
        np.zeros(parcels, bool),
        rng.choice(np.array([0, 5, 20], np.int32), parcels, p=[0.05, 0.45, 0.5]),
        np.full(parcels, 50, np.int32),
        np.zeros(parcels, np.int8),
    )


def observations_of(series: Mapping[Key, Series], row: int) -> dict[str, list[Any]]:
    """Lists of one parcel as the plain version takes them: radar in half decibels, NDVI x 1000."""
    lists: dict[str, list[Any]] = {"vv": [], "vh": [], "coherence_vv": [], "ndvi": []}
    for (variable, orbit), one in sorted(series.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        for day, mean, std in zip(one.time.astype("datetime64[D]").tolist(), one.mean[row], one.std[row], strict=True):
            if not np.isfinite(mean):
                continue
            # As many decimals as float32 holds.
            if variable == "ndvi":
                lists[variable].append((day, float(np.round(np.float64(mean) * 1000, 3))))
            else:
                exact = float(np.round(np.float64(mean), 6 if variable == "coherence_vv" else 5))
                lists[variable].append((day, orbit, exact if variable == "coherence_vv" else exact / 2, float(std)))
    return lists
