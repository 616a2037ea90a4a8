"""Which optical observations of a parcel count, judged by its NDVI series alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.kernel_cache import compiled
from s4c_lib.mowing.optical_kernels import screen_parcels
from s4c_lib.mowing.optical_settings import OpticalSettings
from s4c_lib.statistics.matrices import Series

GROWTH_DAYS: Final = 12
"""A low observation is compared with those of as many days after it; a cloud seldom lasts longer in a clear series."""


class Rejection(IntEnum):
    """Why an observation is not used."""

    USED = 0
    MISSING = 1
    CORRUPTED = 2
    CLOUD = 3
    SAME_DAY = 4


REJECTIONS: Final = {
    Rejection.USED: "used",
    Rejection.MISSING: "missing",
    Rejection.CORRUPTED: "corrupted",
    Rejection.CLOUD: "cloud or shadow",
    Rejection.SAME_DAY: "another of the same day",
}


@dataclass(frozen=True, slots=True, eq=False)
class Screening:
    """What became of each observation.

    Parameters
    ----------
    rejected : uint8 (parcels, times), `Rejection`; 0 is used.
    """

    rejected: npt.NDArray[np.uint8]

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """Bool (parcels, times)."""
        used: npt.NDArray[np.bool_] = self.rejected == Rejection.USED
        return used


def days_of(series: Series) -> npt.NDArray[np.int64]:
    """Days since 1970 of the columns, int64 (times,): true dates, so that a year's turn is nothing special."""
    days: npt.NDArray[np.int64] = series.time.astype("datetime64[D]").astype(np.int64)
    return days


def screen(series: Series, settings: OpticalSettings) -> Screening:
    """Judge every observation of a series of NDVI (section 4, and docs/algorithms/mowing.md).

    Of several on one day that with most valid pixels stays, the first of equals. Clouds, haze and shadow lower NDVI for
    one date or a few; what rises afterwards faster than a canopy grows was no canopy. The first and the last
    observation are never taken for clouds.
    """
    rejected = np.empty(series.mean.shape, np.uint8)
    kernel: Any = compiled(screen_parcels)
    kernel(
        days_of(series),
        series.mean,
        series.n,
        settings.corrupted_th,
        settings.max_growth,
        settings.noise,
        GROWTH_DAYS,
        rejected,
    )
    return Screening(rejected)
