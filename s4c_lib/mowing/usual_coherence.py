"""What coherence is usual on a date: rain, wind and frost change that of all parcels of a region alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.mowing.evidence_settings import EvidenceSettings
from s4c_lib.statistics.matrices import Series

Floats = npt.NDArray[np.float64]

_LEAST_LEVEL: Final = 0.02
_SAMPLE: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """Coherence of one relative orbit, of the same passes.

    Parameters
    ----------
    driving, other : one polarisation, and the second of the same passes where it is used.
    """

    driving: Series
    other: Series | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """Levels of an orbit.

    Parameters
    ----------
    first_parcel : int64 (groups,), least parcel number of each group of neighbours.
    driving, other : float64 (groups, times), coherence; (0, 0) for a polarisation that is not used.
    spread : of parcels around it, as a share.
    """

    first_parcel: npt.NDArray[np.int64]
    driving: Floats
    other: Floats
    spread: float

    def group_of(self, parcel_id: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Group of each parcel."""
        found: npt.NDArray[np.int64] = np.searchsorted(self.first_parcel, parcel_id, side="right") - 1
        return np.maximum(found, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """Parcels of a run in groups of neighbours, and those of each that are asked what is usual.

    Parameters
    ----------
    first_parcel : int64 (groups,), least parcel number of each group.
    rows : int64 (asked,), ascending, rows of the parcels that are asked among all of the run.
    bounds : int64 (groups + 1,), where each group begins in ``rows``, and the end.
    """

    first_parcel: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]


def company_of(parcel_id: npt.NDArray[np.int64], settings: EvidenceSettings) -> Company:
    """Group parcels with consecutive numbers, and choose some hundreds of each group, evenly.

    Declarations are numbered by region, municipality or holding. Where they are not, a group is a sample of all
    parcels, and its median theirs.

    Parameters
    ----------
    parcel_id : int64 (parcels,), ascending: all of a run, before they are divided into blocks.
    """
    groups = max(1, len(parcel_id) // settings.trend_parcels)
    edges = np.linspace(0, len(parcel_id), groups + 1).astype(np.int64)
    # More of them would hardly change the median.
    asked = [np.arange(begin, end, max(1, (end - begin) // _SAMPLE), dtype=np.int64) for begin, end in pairwise(edges)]
    first = parcel_id[edges[:-1]] if len(parcel_id) else np.zeros(1, np.int64)
    return Company(first, np.concatenate(asked), np.cumsum([0, *(len(one) for one in asked)]))


def usual_coherence(orbit: Orbit, settings: EvidenceSettings, company: Company | None = None) -> Usual:
    """Median of neighbours by pair; with too few parcels one level for all pairs.

    Parameters
    ----------
    orbit : of all parcels of a run, or of ``company.rows`` of them if a company is given.
    """
    if company is None:
        company = company_of(orbit.driving.parcel_id, settings)
        asked: npt.NDArray[np.int64] | slice = company.rows
    else:
        asked = slice(None)
    driving, enough = _levels(orbit.driving.mean[asked], company.bounds, settings.min_parcels)
    other, also = np.empty((0, 0)), True
    if orbit.other is not None:
        other, also = _levels(orbit.other.mean[asked], company.bounds, settings.min_parcels)
    return Usual(company.first_parcel, driving, other, settings.spread if enough and also else settings.spread_alone)


def _levels(asked: npt.NDArray[np.float32], bounds: npt.NDArray[np.int64], least: int) -> tuple[Floats, bool]:
    """Levels of groups, and whether the parcels are enough for any pair."""
    medians, counts, samples = [], [], []
    for begin, end in pairwise(bounds.tolist()):
        sample = asked[begin:end]
        median, count = _medians(sample)
        medians.append(median)
        counts.append(count)
        samples.append(sample[:: len(bounds) - 1])
    every = np.concatenate(samples)
    of_all, count_of_all = _medians(every)
    there = every[np.isfinite(every)]
    overall = float(np.median(there)) if len(there) else 1.0
    for_all = np.where(count_of_all >= least, of_all, overall)
    levels = np.where(np.stack(counts) >= least, np.stack(medians), for_all)
    return np.maximum(levels, _LEAST_LEVEL), bool((count_of_all >= least).any())


def _medians(values: npt.NDArray[np.float32]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Median (0 where there is none) and count of the finite values of each column."""
    count = np.isfinite(values).sum(axis=0)
    if not values.size:
        return np.zeros(values.shape[1]), count
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1).astype(np.float64)  # NaN comes last
    columns = np.arange(len(count))
    middle = (
        ordered[columns, np.maximum(count - 1, 0) // 2] + ordered[columns, np.minimum(count // 2, len(values) - 1)]
    ) / 2
    return np.where(count > 0, middle, 0.0), count
