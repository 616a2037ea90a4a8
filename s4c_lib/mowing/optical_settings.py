"""What the optical detector is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import time
from typing import Any, Final

PREFIX: Final = "processor.s4c_l4b.s2."
LOCAL_TIME: Final = time(10, 30)


@dataclass(frozen=True, slots=True)
class OpticalSettings:
    """Parameters of the optical detector, by their registry keys below ``processor.s4c_l4b.s2.``.

    In profile `reference` they make the method that of section 4 exactly; docs/algorithms/mowing.md tells what each of
    the others does in profile `default`.

    Parameters
    ----------
    corrupted_th : NDVI below it is a corrupt observation.
    max_growth : 1/d; NDVI that rises faster after a low one shows that this was a cloud's. 1 switches the test off.
    noise : of NDVI between two clear dates.
    decreasing_abs_th : NDVI falls by more than this.
    decreasing_rate_th, increasing_rate_th : 1/d; the fall is faster than the first (negative), the recovery slower than
        the second.
    high_abs_th, low_abs_th : NDVI after mowing is below the first, before it above the second; 1 and 0 switch off.
    min_step : a fall has a step between two neighbours of more than this.
    noise_factor : a fall exceeds the noise of the parcel's own series so many times.
    fall_days_before, fall_days_after : how far from that step the top and the low of the fall may lie; 0 and 0 take the
        two neighbours.
    no_mowing_after_det : days, longest interval reported.
    calibrated : the confidence is the probability of `calibrated_confidence`, else that of section 4.
    conf_constant, conf_drop, conf_share, conf_autumn : its coefficients.
    autumn_day : day of the year from which a fall needs more evidence.
    min_confidence : candidates of less are none.
    max_gap_d, min_clear_a_month : with a longer gap or fewer clear dates a series cannot tell (`sufficiency`).
    acquisition_time : time of day of both ends of an interval.
    """

    corrupted_th: float
    max_growth: float
    noise: float
    decreasing_abs_th: float
    decreasing_rate_th: float
    increasing_rate_th: float
    high_abs_th: float
    low_abs_th: float
    min_step: float
    noise_factor: float
    fall_days_before: int
    fall_days_after: int
    no_mowing_after_det: int
    calibrated: bool
    conf_constant: float
    conf_drop: float
    conf_share: float
    conf_autumn: float
    autumn_day: int
    min_confidence: float
    max_gap_d: int
    min_clear_a_month: float
    acquisition_time: time = LOCAL_TIME

    @classmethod
    def of(cls, values: Mapping[str, Any], acquisition_time: time = LOCAL_TIME) -> OpticalSettings:
        """Take them from checked values by registry key; others are not looked at.

        Raises
        ------
        KeyError : a value is not there.
        """
        names = (field.name for field in fields(cls) if field.name != "acquisition_time")
        return cls(**{name: values[PREFIX + name] for name in names}, acquisition_time=acquisition_time)
