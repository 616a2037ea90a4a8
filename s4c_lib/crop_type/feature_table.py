"""Features of parcels by name, from observations (l4a-crop-type.md 5-6, spec/README.md B3, F1, F2).

A season is read once, raster by raster. What is kept of it for each parcel are the first and last valid optical
observation between two dates and the radar composites of weeks; all features of a block of parcels are made of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from s4c_lib.crop_type.feature_names import MAIN, RED_EDGE, TABLES
from s4c_lib.crop_type.feature_settings import FeatureSettings
from s4c_lib.crop_type.optical_part import DAY_S, OpticalPart, optical_part
from s4c_lib.crop_type.partial_results import Partials
from s4c_lib.crop_type.periods import date_of, day_number
from s4c_lib.crop_type.radar_features import RADAR
from s4c_lib.crop_type.radar_part import RadarPart, radar_part
from s4c_lib.crop_type.season_observations import Raster, rasters_of
from s4c_lib.errors import InputError
from s4c_lib.progress import Progress, silent
from s4c_lib.statistics.passes import Facts

__all__ = [
    "NO_OBSERVATIONS",
    "FeatureSettings",
    "FeatureTable",
    "PreparedFeatures",
    "compute_features",
    "prepare_features",
    "variables_of",
]

Floats = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

NO_OBSERVATIONS: Final = "no_inputs"
"""Code of the error that names a missing sensor."""

# Parcels that columns are made of at once: all of them fit the processor's cache.
_STRIP: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """Features of parcels.

    Parameters
    ----------
    parcel_id : int64 (parcels,), ascending.
    names : of the features, as in l4a-crop-type.md 6.5; of each of Sen4CAP's tables means first, then deviations.
    values : float32 (parcels, features), row-major; NaN where a parcel has no observation for the whole family of a
        column (`feature_names.family_of`): gaps in time are filled.
    dates : days of the optical features.
    gap_days : int16 (parcels, dates), days from each date to the nearest valid observation, -1 where a parcel has none.
        Quality information, not a feature. None where it is not known.
    missing_sensor : ``s1`` or ``s2`` when mode ``both`` went on without it, else "".
    """

    parcel_id: Int64
    names: tuple[str, ...]
    values: Floats
    dates: tuple[date, ...] = ()
    gap_days: npt.NDArray[np.int16] | None = None
    missing_sensor: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFeatures:
    """A season that was read: features of any block of its parcels.

    Parameters
    ----------
    parcel_id : int64 (parcels,), ascending. names, dates, missing_sensor : as in `FeatureTable`.
    parts_made, parts_kept : stretches and weeks that were computed, and those that earlier runs had kept.
    kept_keys : keys of all of them; what else is kept may go.
    sensors : ``s1``, ``s2`` of each tile that has observations, sorted (AC-22).
    """

    parcel_id: Int64
    names: tuple[str, ...]
    dates: tuple[date, ...]
    missing_sensor: str
    parts_made: int
    parts_kept: int
    kept_keys: frozenset[str]
    sensors: Mapping[str, tuple[str, ...]]
    _optical: OpticalPart | None
    _radar: RadarPart | None

    def block(self, begin: int, end: int) -> FeatureTable:
        """Features of the parcels from one index to before another."""
        end = min(end, len(self.parcel_id))
        values = np.empty((max(end - begin, 0), len(self.names)), np.float32)
        gap = np.full((len(values), len(self.dates)), -1, np.int16)
        for start in range(begin, end, _STRIP):
            stop = min(start + _STRIP, end)
            columns: dict[str, npt.NDArray[np.floating]] = {}
            rows = slice(start - begin, stop - begin)
            if self._optical is not None:
                columns, days = self._optical.columns(start, stop)
                gap[rows] = days.T
            if self._radar is not None:
                columns |= self._radar.columns(start, stop)
            if self.names:
                values[rows] = np.stack([columns[name].astype(np.float32, copy=False) for name in self.names]).T
        return FeatureTable(self.parcel_id[begin:end], self.names, values, self.dates, gap, self.missing_sensor)

    def blocks(self, size: int) -> Iterator[FeatureTable]:
        """All features, block by block: a million parcels are 5 GB at once."""
        for begin in range(0, len(self.parcel_id), size):
            yield self.block(begin, begin + size)


def compute_features(
    observations: Sequence[Path] | pa.Table,
    parcel_ids: npt.ArrayLike,
    settings: FeatureSettings,
    first: date,
    last: date,
    *,
    eligible: npt.ArrayLike | None = None,
    kept: MutableMapping[str, Floats] | None = None,
    digests: Mapping[Path, str] | None = None,
    progress: Progress = silent,
) -> FeatureTable:
    """Features of all parcels at once; parameters and errors as `prepare_features`."""
    prepared = prepare_features(
        observations,
        parcel_ids,
        settings,
        first,
        last,
        eligible=eligible,
        kept=kept,
        digests=digests,
        progress=progress,
    )
    return prepared.block(0, len(prepared.parcel_id))


def prepare_features(
    observations: Sequence[Path] | pa.Table,
    parcel_ids: npt.ArrayLike,
    settings: FeatureSettings,
    first: date,
    last: date,
    *,
    eligible: npt.ArrayLike | None = None,
    kept: MutableMapping[str, Floats] | None = None,
    digests: Mapping[Path, str] | None = None,
    progress: Progress = silent,
) -> PreparedFeatures:
    """Read a season, raster by raster.

    Features come from the statistics of `variables_of`. Where a table has no ``ndvi``, ``ndwi`` or ``brightness_l4a``,
    these are computed from the means of the bands on the dates, their deviations to first order. A variable that is not
    there at all has no columns, nor has a deviation that no row has.

    Parameters
    ----------
    observations : files of the store or others, or a table of observations; other variables are left out.
    parcel_ids : parcels, any order.
    first, last : first and last day that counts.
    eligible : parcels that `FeatureSettings.period_min_coverage` is counted among; all by default.
    kept : results of earlier runs by key, read and added to: `PartialFolder`, or a dict.
    digests : SHA-256 of files, where it is known; without, files are read for it when ``kept`` is given.

    Raises
    ------
    InputError : a parcel is repeated; there is no observation of a sensor that the mode needs (NO_OBSERVATIONS).
    NotFoundError, StorageError, ProductCorruptError : a file cannot be read.
    """
    parcels = np.sort(np.asarray(parcel_ids, np.int64))
    if (np.diff(parcels) == 0).any():
        raise InputError(f"parcel {parcels[:-1][np.diff(parcels) == 0][0]} is asked for twice")
    rasters = rasters_of(observations, _Wanted(settings, day_number(first), day_number(last)), digests)
    radar = [raster for raster in rasters if raster.facts.variable in RADAR and raster.facts.direction]
    # Radar without a direction has no family of Sen4CAP's; of users' tables it becomes features of the dates.
    on_dates = [raster for raster in rasters if raster.facts.variable not in RADAR]
    undirected = [raster for raster in rasters if raster.facts.variable in RADAR and not raster.facts.direction]
    loose = undirected if settings.further_variables else []
    missing = _missing(bool(on_dates), bool(radar or loose), settings, first, last)
    optical = [*on_dates, *loose]
    counted = parcels if eligible is None else np.asarray(eligible, np.int64)

    def common() -> list[str]:
        return [hashlib.sha256(parcels.astype("<i8").tobytes()).hexdigest()]

    partials = Partials(kept, common)
    one = optical_part(optical, parcels, settings, day_number(first), partials, progress) if optical else None
    other = radar_part(radar, parcels, np.isin(parcels, counted), settings, partials, progress) if radar else None
    tables: dict[str, tuple[str, ...]] = {}
    for part in (one, other):
        tables |= {} if part is None else part.names
    return PreparedFeatures(
        parcels,
        tuple(name for table in TABLES for name in tables.get(table, ())),
        () if one is None else tuple(date_of(day) for day in one.grid),
        missing,
        partials.made,
        partials.asked - partials.made,
        frozenset(partials.used),
        _sensors(rasters),
        one,
        other,
    )


def variables_of(settings: FeatureSettings) -> tuple[str, ...]:
    """Variables of the observation table that features are made of."""
    optical = (*MAIN.values(), *(RED_EDGE.values() if settings.mode == "both" else ())) if settings.optical else ()
    return (*optical, *(RADAR if settings.radar else ()))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which rasters count."""

    settings: FeatureSettings
    first: int
    last: int

    def __call__(self, facts: Facts) -> bool:
        if not self.first <= facts.time // DAY_S <= self.last:
            return False
        if facts.variable in RADAR:
            return self.settings.radar
        # Landsat has other bands and another grid (B15).
        if not self.settings.optical or (facts.platform or "").startswith("landsat"):
            return False
        return self.settings.further_variables or facts.variable in variables_of(self.settings)


def _sensors(rasters: Sequence[Raster]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for raster in rasters:
        found.setdefault(raster.facts.tile or "", set()).add("s1" if raster.facts.variable in RADAR else "s2")
    return {tile: tuple(sorted(sensors)) for tile, sensors in sorted(found.items())}


def _missing(optical: bool, radar: bool, settings: FeatureSettings, first: date, last: date) -> str:
    """The sensor that mode ``both`` goes on without (AC-21)."""
    lacking = [
        (name, sensor)
        for name, sensor, wanted, there in (
            ("Sentinel-2", "s2", settings.optical, optical),
            ("Sentinel-1", "s1", settings.radar, radar),
        )
        if wanted and not there
    ]
    if not lacking:
        return ""
    names = " and of ".join(name for name, _ in lacking)
    if settings.mode == "both" and len(lacking) == 1 and (settings.allow_missing_sensor or settings.further_variables):
        return lacking[0][1]
    other = "s2-only" if lacking[0][1] == "s1" else "s1-only"
    raise InputError(
        f"there is no observation of {names} between {first} and {last}, which mode {settings.mode} needs",
        hint=f"set allow_missing_sensor, or mode {other}" if settings.mode == "both" and len(lacking) == 1 else "",
        code=NO_OBSERVATIONS,
    )
