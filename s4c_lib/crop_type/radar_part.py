"""Radar features of a season: composites of weeks from rasters, and columns of parcels from composites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.crop_type.feature_names import (
    DIRECTIONS,
    POLARISATIONS,
    RATIO,
    SAR_MAIN,
    SAR_TEMP,
    STATISTICS,
    backscatter_name,
    coherence_name,
)
from s4c_lib.crop_type.feature_settings import FeatureSettings
from s4c_lib.crop_type.partial_results import Partials
from s4c_lib.crop_type.periods import date_of, month_label, month_of_week, week_label, week_of
from s4c_lib.crop_type.radar_features import BACKSCATTER, COHERENCE, composite, linear, without_nodata
from s4c_lib.crop_type.season_observations import Raster, laid_on
from s4c_lib.crop_type.temporal import (
    fill_gaps,
    low_quantile,
    mean_over_time,
    paired_ratio,
    ratio_deviation,
    std_over_time,
    variation_over_time,
)
from s4c_lib.progress import Progress
from s4c_lib.statistics.passes import passes_of

Floats = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating]

DAY_S: Final = 86_400
_LABELS: Final = {
    **{variable: ("BCK", label) for label, variable in BACKSCATTER.items()},
    **{variable: ("COHE", label) for label, variable in COHERENCE.items()},
}
_MIN_P: Final = 0.1

Family = tuple[str, str, str]
"""Kind (BCK, COHE), direction (ASC, DESC, "" for both), polarisation (VV, VH, RATIO)."""


@dataclass(frozen=True, slots=True, eq=False)
class RadarPart:
    """Radar features.

    Parameters
    ----------
    composites : by family and week, float32 (2, parcels): mean and std of the week, NaN where there is none.
    weeks, months : periods of each family that become columns (`_kept`), ascending.
    with_std : kinds and polarisations that have deviations.
    names : columns by table.
    """

    composites: Mapping[Family, Mapping[int, Floats]]
    weeks: Mapping[Family, tuple[int, ...]]
    months: Mapping[Family, tuple[int, ...]]
    with_std: frozenset[tuple[str, str]]
    names: Mapping[str, tuple[str, ...]]
    settings: FeatureSettings

    def columns(self, begin: int, end: int) -> dict[str, Values]:
        """Columns (parcels,) by name."""
        weekly: dict[Family, dict[int, Values]] = {
            family: {week: one[:, begin:end] for week, one in weeks.items()}
            for family, weeks in self.composites.items()
        }
        for direction in DIRECTIONS:
            found = _ratios(*(weekly.get(("BCK", direction, label), {}) for label in POLARISATIONS))
            if found:
                weekly["BCK", direction, RATIO] = found
        columns: dict[str, Values] = {}
        for family, weeks in self.weeks.items():
            columns |= self._weekly(family, {week: weekly[family][week] for week in weeks})
        for family, months in self.months.items():
            if family[0] == "BCK":
                columns |= self._monthly_backscatter(family, months, weekly[family])
            else:
                both = [weekly.get(("COHE", direction, family[2]), {}) for direction in DIRECTIONS]
                columns |= self._coherence(family[2], months, both)
        return columns

    def _weekly(self, family: Family, weeks: Mapping[int, Values]) -> dict[str, Values]:
        kind, direction, label = family
        columns = {}
        for row, statistic in enumerate(STATISTICS):
            filled = self._filled([one[row] for one in weeks.values()], list(weeks), self.settings.bin_weeks)
            for week, values in zip(weeks, filled, strict=True):
                if kind == "BCK":
                    columns[backscatter_name(week_label(week), direction, label, statistic)] = values
                else:
                    columns[coherence_name(week_label(week), label, statistic, direction=direction)] = values
        return columns

    def _monthly_backscatter(
        self, family: Family, months: Sequence[int], weeks: Mapping[int, Values]
    ) -> dict[str, Values]:
        found: dict[tuple[str, str], list[Values]] = {}
        for month in months:
            own = [one for week, one in weeks.items() if month_of_week(week, self.settings.bin_months) == month]
            means = np.stack([one[0] for one in own])
            middle = mean_over_time(means)
            found.setdefault(("MEAN", "MEAN"), []).append(middle)
            found.setdefault(("CVAR", "MEAN"), []).append(self._spread(variation_over_time(means, middle)))
            found.setdefault(("MEAN", "DEV"), []).append(mean_over_time(np.stack([one[1] for one in own])))
        return {
            backscatter_name(month_label(month), family[1], family[2], statistic, temporal): values
            for (temporal, statistic), series in found.items()
            for month, values in zip(months, self._filled(series, months, self.settings.bin_months), strict=True)
        }

    def _coherence(self, label: str, months: Sequence[int], weeks: Sequence[Mapping[int, Values]]) -> dict[str, Values]:
        """Of months, both directions together, and of the season."""
        found: dict[tuple[str, str], list[Values]] = {}
        for month in months:
            own = [one for part in weeks for week, one in part.items() if month_of_week(week) == month]
            means = np.stack([one[0] for one in own])
            found.setdefault(("MEAN", "MEAN"), []).append(mean_over_time(means))
            found.setdefault(("MIN", "MEAN"), []).append(low_quantile(means, _MIN_P))
            found.setdefault(("MEAN", "DEV"), []).append(mean_over_time(np.stack([one[1] for one in own])))
        columns = {
            coherence_name(month_label(month), label, statistic, temporal=temporal): values
            for (temporal, statistic), series in found.items()
            for month, values in zip(months, self._filled(series, months, 1), strict=True)
        }
        season = np.stack([one[0] for part in weeks for one in part.values()])
        columns[coherence_name("S", label, "MEAN")] = self._spread(std_over_time(season))
        return columns

    def _filled(self, series: Sequence[Values], periods: Sequence[int], step: int) -> Values:
        by_position = 9 not in self.settings.repairs
        return fill_gaps(np.stack(series), range(len(periods)) if by_position else np.asarray(periods) / step)

    def _spread(self, values: Values) -> Values:
        """A spread of 0 is no data in the reference (D-08)."""
        return values if 8 in self.settings.repairs else np.where(values == 0, np.nan, values)


def radar_part(
    rasters: Sequence[Raster],
    parcels: Int64,
    eligible: Bools,
    settings: FeatureSettings,
    partials: Partials,
    progress: Progress,
) -> RadarPart:
    """Make composites, one week after the other, so that one raster is in memory at a time.

    Parameters
    ----------
    rasters : of radar variables, with a direction; at least one.
    eligible : (parcels,), those that `s1_period_min_coverage` counts.
    """
    inputs = _inputs(rasters, settings)
    total = sum(len(weeks) for weeks in inputs.values())
    composites: dict[Family, dict[int, Floats]] = {}
    for family, weeks in inputs.items():
        for week, passes in weeks.items():
            composites.setdefault(family, {})[week] = _composite(family[0], passes, parcels, settings, partials)
            progress(sum(map(len, composites.values())), total, "_".join(family))
    kept = _Coverage(inputs, composites, eligible, settings)
    weekly, monthly = _periods(composites, settings)
    weeks_of = {family: kept.of(family, weeks) for family, weeks in weekly.items()}
    months_of = {family: kept.of(family, months) for family, months in monthly.items()}
    weeks_of = {family: found for family, found in weeks_of.items() if found}
    months_of = {family: found for family, found in months_of.items() if found}
    with_std = {_LABELS[raster.facts.variable] for raster in rasters if raster.has_std}
    if {("BCK", label) for label in POLARISATIONS} <= with_std:
        with_std.add(("BCK", RATIO))
    names = _names(weeks_of, months_of, with_std)
    return RadarPart(composites, weeks_of, months_of, frozenset(with_std), names, settings)


def _inputs(rasters: Sequence[Raster], settings: FeatureSettings) -> dict[Family, dict[int, list[list[Raster]]]]:
    """Rasters by family, week and pass, ascending."""
    passes = passes_of([raster.facts for raster in rasters])
    labels = {name: label for label, name in DIRECTIONS.items()}
    by_pass: dict[tuple[Family, int, int, str, int, int], list[Raster]] = {}
    columns = (passes.time.tolist(), passes.previous_time.tolist(), passes.number.tolist())
    for raster, time, previous, number in zip(rasters, *columns, strict=True):
        kind, label = _LABELS[raster.facts.variable]
        family = kind, labels[raster.facts.direction or ""], label
        week = week_of(date_of(time // DAY_S), settings.bin_weeks)
        by_pass.setdefault((family, week, time, raster.facts.platform or "", previous, number), []).append(raster)
    found: dict[Family, dict[int, list[list[Raster]]]] = {}
    for (family, week, *_), together in sorted(by_pass.items(), key=lambda item: item[0]):
        found.setdefault(family, {}).setdefault(week, []).append(together)
    return found


def _composite(
    kind: str, passes: Sequence[Sequence[Raster]], parcels: Int64, settings: FeatureSettings, partials: Partials
) -> Floats:
    pool, positive = 3 not in settings.repairs, 6 in settings.repairs

    def as_units(mean: Floats, std: Floats) -> tuple[Floats, Floats]:
        if kind == "BCK":
            return linear(mean, std, amplitude=settings.amplitude)
        return without_nodata(mean, positive=positive), std

    def what() -> Any:
        digests = [sorted(raster.digest() for raster in together) for together in passes]
        return ["composite", pool, settings.amplitude if kind == "BCK" else positive, kind, digests]

    def make() -> Floats:
        read = (laid_on(together, parcels, pool=pool, as_units=as_units) for together in passes)
        return composite(read, len(parcels))

    return partials.part(what, make)


def _ratios(first: Mapping[int, Values], second: Mapping[int, Values]) -> dict[int, Values]:
    """VV/VH of weeks that have both (AC-11)."""
    found = {}
    for week in sorted(first.keys() & second.keys()):
        vv, vh = first[week], second[week]
        ratio = paired_ratio(vv[0], vh[0])
        found[week] = np.stack([ratio, ratio_deviation(ratio, (vv[0], vv[1]), (vh[0], vh[1]))])
    return found


def _periods(
    composites: Mapping[Family, Mapping[int, Floats]], settings: FeatureSettings
) -> tuple[dict[Family, dict[int, list[tuple[Family, int]]]], dict[Family, dict[int, list[tuple[Family, int]]]]]:
    """Periods of families by week and by month, and the composites that each is made of."""
    weekly: dict[Family, dict[int, list[tuple[Family, int]]]] = {}
    monthly: dict[Family, dict[int, list[tuple[Family, int]]]] = {}
    families = {family: sorted(weeks) for family, weeks in composites.items()}
    for direction in DIRECTIONS:
        vv, vh = (composites.get(("BCK", direction, label), {}) for label in POLARISATIONS)
        if vv.keys() & vh.keys():
            families["BCK", direction, RATIO] = sorted(vv.keys() & vh.keys())
    for family, weeks in sorted(families.items()):
        kind, _, label = family
        target, step = (family, settings.bin_months) if kind == "BCK" else ((kind, "", label), 1)
        for week in weeks:
            weekly.setdefault(family, {})[week] = [(family, week)]
            monthly.setdefault(target, {}).setdefault(month_of_week(week, step), []).append((family, week))
    ordered = {family: dict(sorted(months.items())) for family, months in sorted(monthly.items())}
    return weekly, ordered


class _Coverage:
    """Which periods become columns (6.4, D-10): seen for enough parcels, or in every tile."""

    def __init__(
        self,
        inputs: Mapping[Family, Mapping[int, Sequence[Sequence[Raster]]]],
        composites: Mapping[Family, Mapping[int, Floats]],
        eligible: Bools,
        settings: FeatureSettings,
    ) -> None:
        self._inputs, self._composites, self._eligible = inputs, composites, eligible
        self._least = settings.period_min_coverage
        self._tiles = {tile for weeks in inputs.values() for passes in weeks.values() for tile in _tiles(passes)}

    def of(self, family: Family, periods: Mapping[int, Sequence[tuple[Family, int]]]) -> tuple[int, ...]:
        """The periods of a family that are kept, ascending."""
        whole = self._in_every_tile if self._least >= 1 else self._for_enough
        return tuple(period for period, made_of in sorted(periods.items()) if whole(made_of))

    def _in_every_tile(self, made_of: Sequence[tuple[Family, int]]) -> bool:
        seen: set[str] = set()
        for family, week in made_of:
            parts = [_tiles(self._inputs[part].get(week, ())) for part in _parts(family)]
            seen |= set.intersection(*parts)
        return seen == self._tiles

    def _for_enough(self, made_of: Sequence[tuple[Family, int]]) -> bool:
        seen = np.zeros(len(self._eligible), np.bool_)
        for family, week in made_of:
            seen |= np.logical_and.reduce([~np.isnan(self._composites[part][week][0]) for part in _parts(family)])
        return int((seen & self._eligible).sum()) >= self._least * int(self._eligible.sum())


def _parts(family: Family) -> list[Family]:
    kind, direction, label = family
    return [(kind, direction, one) for one in POLARISATIONS] if label == RATIO else [family]


def _tiles(passes: Sequence[Sequence[Raster]]) -> set[str]:
    return {raster.facts.tile or "" for together in passes for raster in together}


def _names(
    weeks_of: Mapping[Family, Sequence[int]],
    months_of: Mapping[Family, Sequence[int]],
    with_std: set[tuple[str, str]],
) -> dict[str, tuple[str, ...]]:
    """Columns by table: means, then deviations (6.5); CVAR, MIN and the season have no deviation (F1)."""
    tables: dict[str, list[str]] = {SAR_MAIN: [], SAR_TEMP: []}
    for statistic in STATISTICS:
        for family, weeks in weeks_of.items():
            kind, direction, label = family
            if statistic == "DEV" and (kind, label) not in with_std:
                continue
            for period in map(week_label, weeks):
                tables[SAR_MAIN].append(
                    backscatter_name(period, direction, label, statistic)
                    if kind == "BCK"
                    else coherence_name(period, label, statistic, direction=direction)
                )
        for family, months in months_of.items():
            kind, direction, label = family
            if statistic == "DEV" and (kind, label) not in with_std:
                continue
            temporal = ["MEAN"] if statistic == "DEV" else ["MEAN", "CVAR" if kind == "BCK" else "MIN"]
            for one in temporal:
                tables[SAR_TEMP] += [
                    backscatter_name(period, direction, label, statistic, one)
                    if kind == "BCK"
                    else coherence_name(period, label, statistic, temporal=one)
                    for period in map(month_label, months)
                ]
            if kind == "COHE" and statistic == "MEAN":
                tables[SAR_TEMP].append(coherence_name("S", label, statistic))
    return {table: tuple(names) for table, names in tables.items()}
