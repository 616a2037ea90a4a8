"""How sure an optical event is: Sen4CAP's formula, or a probability fitted to known mowings."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from s4c_lib.mowing.optical_settings import OpticalSettings

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

HIGHEST: Final = 0.999
SMALLEST_SHARE: Final = 0.5
"""A fall of less than half of the largest says no more against it: cuts of one meadow differ."""

_DORMANT_DAYS: Final = 166
_MONTH: Final = 30.0


def formula(drop: Floats) -> Floats:
    """Section 4: 0.5 for a fall that just passes, and closer to 1 the larger it is; it is no probability."""
    return np.asarray(np.minimum(1 - 0.5 * np.exp(-drop), HIGHEST))


def days_of_autumn(day: Int64, autumn_day: int) -> Int64:
    """Days since the beginning of autumn, 0 from the middle of March until it begins again."""
    date = day.astype("datetime64[D]")
    of_year = (date - date.astype("datetime64[Y]")).astype(np.int64) + 1
    since = (of_year - autumn_day) % 365
    return np.where(since < _DORMANT_DAYS, since, 0)


def evidence(fall: Floats, share: Floats, day: Int64, autumn_day: int) -> Floats:
    """What the calibrated confidence is made from, one column each: fall, share, autumn.

    Parameters
    ----------
    fall : float64 (events,), NDVI lost.
    share : float64 (events,), of the largest fall of the parcel, in (0, 1].
    day : int64 (events,), days since 1970 of the low observation.

    Returns
    -------
    float64 (events, 3) : the fall; logarithm of the share, of no less than `SMALLEST_SHARE`; months since the beginning
        of autumn, 0 from the middle of March on.
    """
    autumn = days_of_autumn(day, autumn_day) / _MONTH
    return np.column_stack([fall, np.log(np.maximum(share, SMALLEST_SHARE)), autumn])


def calibrated_confidence(fall: Floats, share: Floats, day: Int64, settings: OpticalSettings) -> Floats:
    """Probability that a mowing made the fall: logistic regression on `evidence`."""
    weight = np.array([settings.conf_drop, settings.conf_share, settings.conf_autumn])
    odds = settings.conf_constant + evidence(fall, share, day, settings.autumn_day) @ weight
    return np.asarray(np.clip(1 / (1 + np.exp(-odds)), 1 - HIGHEST, HIGHEST))
