"""Optical features of a season: stretches between dates from rasters, and columns of parcels from stretches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.feature_names import FURTHER, MAIN, OPT_MAIN, OPT_RE, RED_EDGE, STATISTICS, optical_name
from s4c_lib.crop_type.feature_settings import FeatureSettings
from s4c_lib.crop_type.optical_features import (
    REFLECTANCE,
    OnGrid,
    index_deviations,
    indices,
    on_grid,
    stretch_ends,
)
from s4c_lib.crop_type.partial_results import Partials
from s4c_lib.crop_type.periods import date_grid, date_of
from s4c_lib.crop_type.radar_features import RADAR
from s4c_lib.crop_type.season_observations import Raster, laid_on
from s4c_lib.progress import Progress

Floats = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Values = npt.NDArray[np.floating]

DAY_S: Final = 86_400
_INDICES: Final = ("ndvi", "ndwi", "brightness")
# What a feature is of what is stored: bands as digital numbers, NDWI the other way round (spec/README.md 2.4).
_SCALES: Final = {"ndvi": np.float32(1), "ndwi": np.float32(-1)}


@dataclass(frozen=True, slots=True, eq=False)
class OpticalPart:
    """Optical features.

    Parameters
    ----------
    grid : int64 (dates,), days since 1970.
    stretches : by label, of `stretch_ends`, float32 (6, parcels), one for each date.
    with_std : labels that have deviations.
    names : columns by table.
    """

    grid: Int64
    stretches: Mapping[str, Sequence[Floats]]
    with_std: frozenset[str]
    names: Mapping[str, tuple[str, ...]]
    truncated: bool
    zero_when_never: bool

    def columns(self, begin: int, end: int) -> tuple[dict[str, Values], npt.NDArray[np.int16]]:
        """Columns (parcels,) by name, and days to the nearest valid observation (dates, parcels)."""
        found = {
            label: on_grid([ends[:, begin:end] for ends in parts], self.grid) for label, parts in self.stretches.items()
        }
        values = {label: self._scaled(label, one) for label, one in found.items()}
        bands: dict[str, tuple[Values, Values]] = {
            label: values[label] for label in ("b3", "b4", "b8", "b11") if label in values
        }
        means = indices({label: pair[0] for label, pair in bands.items()}, truncated=self.truncated)
        deviations = index_deviations(bands)
        for label in means:
            if label not in values:
                values[label] = means[label], deviations[label]
            elif self.truncated:  # as the reference: of the bands on the dates, not of the index itself
                values[label] = means[label], values[label][1]
        columns: dict[str, Values] = {}
        for label, pair in values.items():
            for statistic, series in zip(STATISTICS, pair, strict=True):
                for day, row in zip(self.grid, series, strict=True):
                    name = optical_name(date_of(day), statistic, label, _sensor(label))
                    columns[name] = np.where(np.isnan(row), 0, row) if self.zero_when_never else row
        return columns, found[_first(found)].gap_days

    def _scaled(self, label: str, one: OnGrid) -> tuple[Values, Values]:
        if label not in MAIN and label not in RED_EDGE:
            return one.mean, one.std
        scale = _SCALES.get(label, REFLECTANCE)
        return one.mean * scale, one.std * np.abs(scale)


def optical_part(
    rasters: Sequence[Raster],
    parcels: Int64,
    settings: FeatureSettings,
    first: int,
    partials: Partials,
    progress: Progress,
) -> OpticalPart:
    """Make stretches, one after the other, so that one raster is in memory at a time.

    Parameters
    ----------
    rasters : optical ones of the season, at least one. first : day on which the dates begin, if not the first product.
    """
    days = [raster.facts.time // DAY_S for raster in rasters]
    grid = date_grid(min(days) if settings.grid_from_first_product else first, max(days), settings.step_days)
    labels = optical_labels(rasters, settings)
    stretch = np.searchsorted(grid, days, "right") - 1
    by_day: dict[tuple[str, int], dict[int, list[Raster]]] = {}
    for raster, day, number in zip(rasters, days, stretch.tolist(), strict=True):
        if raster.facts.variable in labels:
            by_day.setdefault((labels[raster.facts.variable], number), {}).setdefault(day, []).append(raster)
    stretches: dict[str, list[Floats]] = {}
    pool = 3 not in settings.repairs
    total = len(labels) * len(grid)
    for done, (label, number) in enumerate((label, number) for label in labels.values() for number in range(len(grid))):
        acquisitions = sorted(by_day.get((label, number), {}).items())
        stretches.setdefault(label, []).append(_stretch(acquisitions, int(grid[number]), parcels, pool, partials))
        progress(done + 1, total, label)
    with_std = frozenset(
        labels[raster.facts.variable] for raster in rasters if raster.has_std and raster.facts.variable in labels
    )
    return OpticalPart(
        grid,
        stretches,
        with_std,
        _names(tuple(stretches), with_std, grid),
        truncated=5 not in settings.repairs,
        zero_when_never=11 not in settings.repairs,
    )


def optical_labels(rasters: Sequence[Raster], settings: FeatureSettings) -> dict[str, str]:
    """Variables that become features of dates, and the label of each in names; those of Sen4CAP first."""
    there = {raster.facts.variable for raster in rasters}
    wanted = {**MAIN, **(RED_EDGE if settings.mode == "both" else {})}
    labels = {variable: label for label, variable in wanted.items() if variable in there}
    if settings.further_variables:
        labels |= {variable: variable for variable in sorted(there - labels.keys())}
    return labels


def _stretch(
    acquisitions: Sequence[tuple[int, Sequence[Raster]]], begin: int, parcels: Int64, pool: bool, partials: Partials
) -> Floats:
    def what() -> Any:
        return [
            "stretch",
            pool,
            [[day - begin, sorted(raster.digest() for raster in rasters)] for day, rasters in acquisitions],
        ]

    def make() -> Floats:
        read = ((day - begin, *laid_on(rasters, parcels, pool=pool)) for day, rasters in acquisitions)
        return stretch_ends(read, len(parcels))

    return partials.part(what, make)


def _names(labels: Sequence[str], with_std: frozenset[str], grid: Int64) -> dict[str, tuple[str, ...]]:
    """Columns by table: means by date, then deviations."""
    means = {*labels}
    both = {*with_std}
    for label in _INDICES:
        bands = {"ndvi": {"b4", "b8"}, "ndwi": {"b8", "b11"}, "brightness": {"b3", "b4", "b8", "b11"}}[label]
        if label not in means and bands <= {*labels}:
            means.add(label)
            both |= {label} if bands <= with_std else set()
    tables = {
        OPT_MAIN: [label for label in MAIN if label in means],
        OPT_RE: [label for label in RED_EDGE if label in means],
        FURTHER: [label for label in labels if label not in MAIN and label not in RED_EDGE],
    }
    return {
        table: tuple(
            optical_name(date_of(day), statistic, label, _sensor(label))
            for statistic in STATISTICS
            for day in grid
            for label in inside
            if statistic == "MEAN" or label in both
        )
        for table, inside in tables.items()
    }


def _sensor(label: str) -> str:
    return "s1" if label in RADAR else "s2"


def _first(found: Mapping[str, OnGrid]) -> str:
    """What says best when a parcel was seen."""
    return next((label for label in ("ndvi", "b8") if label in found), next(iter(found)))
