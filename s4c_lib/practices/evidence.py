"""What the weeks of a practice period say of a crop (l4c-practices.md section 9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.practices import evidence_kernels
from s4c_lib.practices.codes import Marker
from s4c_lib.practices.settings import PracticeSettings
from s4c_lib.practices.weekly import Bools, Floats, Int64, WeeklySeries, weeks_between
from s4c_lib.practices.weeks import NO_DAY, iso_numbers

Int8 = npt.NDArray[np.int8]
_LATER_RATIO: Final = 7  # days
_SIGNIFICANT: Final = 0.05
_NEVER: Final = -2_000_000  # a day before all others


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Weekly signs in a period, (rows, weeks).

    Parameters
    ----------
    listed : weeks with ratio and coherence of the period. ndvi : in those weeks, NaN for none.
    pres, grow, no_ndvi_loss, no_ratio_loss, no_coherence_loss : int8 codes of `Marker`, NA where nothing is known.
    threshold : float64 (rows,), NDVI threshold of the last week with NDVI.
    """

    listed: Bools
    ndvi: Floats
    pres: Int8
    grow: Int8
    no_ndvi_loss: Int8
    no_ratio_loss: Int8
    no_coherence_loss: Int8
    threshold: Floats

    @property
    def seen(self) -> Bools:
        """Rows with NDVI in the period."""
        found: Bools = (self.pres != Marker.NA).any(axis=1)
        return found

    @property
    def present(self) -> Bools:
        """Rows with vegetation in some week."""
        found: Bools = (self.pres == Marker.TRUE).any(axis=1)
        return found


def weigh(series: WeeklySeries, settings: PracticeSettings, begin: Int64, end: Int64, asked: Bools) -> Evidence:
    """Evidence from ``begin`` to ``end`` (days, both count) of the rows that are ``asked`` for; others have none."""
    known = asked & (begin != NO_DAY) & (end != NO_DAY)
    begin, end = np.where(known, begin, 0), np.where(known, end, _NEVER)
    weeks = weeks_between(series.lists, series.first_week, len(series.week), begin, end, ratio_days=_LATER_RATIO)
    shape = series.shape
    pres, grow, no_ndvi_loss, no_ratio_loss, no_coherence_loss = (np.empty(shape, np.int8) for _ in range(5))
    threshold = np.empty(shape[0])
    label = series.week if settings.repaired(13) else iso_numbers(series.week)
    thresholds = settings.thresholds
    compiled(evidence_kernels.weekly_signs)(
        series.first_week, label, np.abs(label[:, None] - label[None, :]), begin, end,
        series.lists.pair_day, series.lists.pair_ratio, series.lists.pair_count,
        weeks.ratio_mean, weeks.coherence_max, weeks.coherence_change, weeks.ndvi,
        float(thresholds.efandvithr), float(thresholds.efandviup), float(thresholds.efandvidw),
        float(thresholds.ndvistep), float(thresholds.efandvimin),
        thresholds.efaampthr * (2.0 if settings.full_db else 1.0), critical_values(series.lists.pair_day.shape[1]),
        float(thresholds.efacohchange), float(thresholds.efacohvalue),
        pres, grow, no_ndvi_loss, no_ratio_loss, no_coherence_loss, threshold,
    )  # fmt: skip
    ndvi = np.where(weeks.listed, weeks.ndvi, np.nan)
    return Evidence(weeks.listed, ndvi, pres, grow, no_ndvi_loss, no_ratio_loss, no_coherence_loss, threshold)


@cache
def critical_values(most: int) -> Floats:
    """F(1, n - 2) above which a slope through n points is significant, for n up to ``most``.

    It is the square of Student's t at half the error; `scipy.stats` would say the same and takes seconds to import.
    """
    from scipy.special import stdtrit

    values = np.full(most + 1, np.inf)
    if most > 2:
        values[3:] = stdtrit(np.arange(1, most - 1), 1 - _SIGNIFICANT / 2) ** 2
    return values
